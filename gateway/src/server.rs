//! Where callers connect: pingora-core accepts, hyper speaks HTTP.

use std::convert::Infallible;
use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::IntoRawFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use pingora_core::apps::ServerApp;
use pingora_core::listeners::ListenerConfig;
use pingora_core::protocols::Stream;
use pingora_core::protocols::l4::stream::L4BufferSettings;
use pingora_core::server::{Fds, ShutdownWatch};
use pingora_core::services::Service as _;
use pingora_core::services::listening::Service;
use pingora_runtime::Runtime;
use stoker_config::{Address, GatewaySpec};
use tokio::sync::watch;

use crate::caller::Caller;
use crate::gateway::Gateway;
use crate::http2::{self, Streams};
use crate::io::{CallerIo, Turns, Waits};
use crate::link::Link;
use crate::proxy;

/// Sockets that are bound and do not accept yet.
pub struct Listeners {
    bound: Vec<(Address, i32)>,
}

/// An address could not be bound.
#[derive(Debug)]
pub struct BindError {
    address: Address,
    source: io::Error,
}

/// The running data plane.
pub struct Server {
    runtime: Option<Runtime>,
    shutdown: watch::Sender<bool>,
    connections: Arc<Connections>,
}

/// The connections of callers, counted.
#[derive(Default)]
pub(crate) struct Connections {
    open: AtomicU32,
    closed: tokio::sync::Notify,
}

impl Listeners {
    /// Binds every address, so that errors come before anything is started.
    ///
    /// # Errors
    /// The first address that cannot be had.
    pub fn bind(addresses: &[Address]) -> Result<Self, BindError> {
        let mut bound = Vec::with_capacity(addresses.len());
        for address in addresses {
            let fail = |source| BindError {
                address: address.clone(),
                source,
            };
            let (actual, fd) = match address {
                Address::Tcp(wanted) => {
                    let listener = TcpListener::bind(wanted).map_err(fail)?;
                    listener.set_nonblocking(true).map_err(fail)?;
                    let actual: SocketAddr = listener.local_addr().map_err(fail)?;
                    (Address::Tcp(actual), listener.into_raw_fd())
                }
                Address::Unix(path) => {
                    let listener = bind_unix(path).map_err(fail)?;
                    listener.set_nonblocking(true).map_err(fail)?;
                    (address.clone(), listener.into_raw_fd())
                }
            };
            bound.push((actual, fd));
        }
        Ok(Listeners { bound })
    }

    /// The addresses as they were bound: a port of 0 has become a real one.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.bound.iter().map(|(address, _)| address)
    }
}

/// Binds a Unix socket in place of one that nobody listens on any more.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let stale = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
        && UnixStream::connect(path).is_err();
    if stale {
        fs::remove_file(path)?;
    }
    UnixListener::bind(path)
}

impl Server {
    /// Begins to accept.
    pub fn start(listeners: Listeners, gateway: Arc<Gateway>) -> Self {
        let snapshot = gateway.snapshot();
        let settings = &snapshot.gateway;
        let connections = Arc::<Connections>::default();
        let app = App {
            gateway: Arc::clone(&gateway),
            connections: Arc::clone(&connections),
            limit: settings.limits.connections,
        };
        let mut service = Service::new("gateway".into(), app);
        let mut fds = Fds::new();
        for (address, fd) in listeners.bound {
            let key = address.to_string();
            let config = match address {
                Address::Tcp(_) => ListenerConfig::tcp(&key),
                Address::Unix(path) => ListenerConfig::uds(path.to_string_lossy()),
            };
            fds.add(key.strip_prefix("unix:").unwrap_or(&key).to_owned(), fd);
            // hyper has buffers of its own.
            service.add_listener(config.l4_buffer(L4BufferSettings::unbuffered()));
        }
        let (shutdown, watch) = watch::channel(false);
        // One thread needs no stealing; among several, the one that is free takes the work.
        let threads = settings.threads;
        let runtime = match threads {
            1 => Runtime::new_no_steal(1, "gateway"),
            _ => Runtime::new_steal(threads, "gateway"),
        };
        let fds = Arc::new(Mutex::new(fds));
        runtime.get_handle().spawn(async move {
            service.start_service(Some(fds), watch, 1).await;
        });
        Server {
            runtime: Some(runtime),
            shutdown,
            connections,
        }
    }

    /// Accepts no more and answers when every request in flight is answered, or after `patience`.
    pub async fn shut_down(&self, patience: Duration) {
        self.shutdown.send_replace(true);
        let drained = async {
            loop {
                let closed = self.connections.closed.notified();
                let mut closed = pin!(closed);
                closed.as_mut().enable();
                if self.connections.open.load(Ordering::Acquire) == 0 {
                    return;
                }
                closed.await;
            }
        };
        if tokio::time::timeout(patience, drained).await.is_err() {
            let open = self.connections.open.load(Ordering::Acquire);
            eprintln!("stoker: {open} connections were still open after {patience:?}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::ZERO);
        }
    }
}

/// What pingora-core hands connections to.
struct App {
    gateway: Arc<Gateway>,
    connections: Arc<Connections>,
    limit: u32,
}

#[async_trait::async_trait]
impl ServerApp for App {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        // Beyond the limit the connection is closed: that is all it may cost.
        let open = Arc::new(self.enter()?);
        let snapshot = self.gateway.snapshot();
        let settings = &snapshot.gateway;
        let peer = stream.get_socket_digest().and_then(|digest| {
            digest
                .peer_addr()
                .and_then(|address| address.as_inet().copied())
        });
        let timeouts = &settings.timeouts;
        let waits = Waits {
            head: timeouts.header,
            keep_alive: timeouts.keep_alive,
            write: timeouts.write,
        };
        let turns = Arc::<Turns>::default();
        let mut io = CallerIo::new(stream, Arc::clone(&turns), waits);
        let http2 = settings.http2.enabled && io.speaks_http2().await.ok()?;
        if http2 {
            io.set_http2(settings.http2.control_frames);
            let streams = Arc::new(Streams::new(Instant::now(), settings.http2.resets));
            let link = Link::http2(Arc::clone(&streams), shutdown.clone(), open);
            let caller = Arc::new(Caller::new(peer, &settings.trusted_proxies, link));
            http2::serve(io, &self.gateway, &caller, &streams, settings).await;
        } else {
            let link = Link::http1(turns, shutdown.clone(), open);
            let caller = Arc::new(Caller::new(peer, &settings.trusted_proxies, link));
            self.serve_http1(io, &caller, settings).await;
        }
        None
    }
}

impl App {
    async fn serve_http1(&self, io: CallerIo, caller: &Arc<Caller>, settings: &GatewaySpec) {
        let service = service_fn(|request| {
            let (gateway, caller) = (Arc::clone(&self.gateway), Arc::clone(caller));
            async move { Ok::<_, Infallible>(proxy::serve(&gateway, &caller, request).await) }
        });
        let connection = http1::Builder::new()
            .max_headers(settings.limits.headers)
            .max_buf_size(settings.limits.header_bytes.max(8 * 1024))
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let mut shutdown = caller.link().shutdown();
        let down = async { drop(shutdown.wait_for(|down| *down).await) };
        // An error here is a caller that left or did not speak HTTP; hyper has told it so.
        tokio::select! {
            biased;
            result = connection.as_mut() => drop(result),
            () = down => {
                connection.as_mut().graceful_shutdown();
                drop(connection.await);
            }
        }
    }

    fn enter(&self) -> Option<Open> {
        let open = Open(Arc::clone(&self.connections));
        let before = self.connections.open.fetch_add(1, Ordering::AcqRel);
        (before < self.limit).then_some(open)
    }
}

/// One open connection, counted until this is dropped.
#[derive(Default)]
pub(crate) struct Open(Arc<Connections>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.closed.notify_waiters();
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.address, self.source)
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

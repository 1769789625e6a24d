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
use stoker_config::{Address, GatewaySpec, ListenerSpec};
use tokio::sync::watch;

use crate::accept::Preamble;
use crate::caller::Caller;
use crate::gateway::Gateway;
use crate::http2::{self, Streams};
use crate::io::{CallerIo, Turns, Waits};
use crate::link::Link;
use crate::metrics::ListenerMetrics;
use crate::overload::{self, Connections, Open, Reason};
use crate::proxy;
use crate::tls::Handshakes;

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
    /// Begins to accept. `specs` say what is asked of connections, in the order of `listeners`; they
    /// are not taken from `gateway`, whose settings may have changed since the sockets were bound.
    pub fn start(listeners: Listeners, specs: &[ListenerSpec], gateway: Arc<Gateway>) -> Self {
        let snapshot = gateway.snapshot();
        let settings = &snapshot.gateway;
        let connections = Connections::new(gateway.make_room().callers);
        let handshakes = Arc::new(Handshakes::new(settings.tls.concurrent_handshakes));
        let mut services = Vec::with_capacity(listeners.bound.len());
        let mut fds = Fds::new();
        for ((address, fd), listener) in listeners.bound.into_iter().zip(specs) {
            let app = App {
                gateway: Arc::clone(&gateway),
                connections: Arc::clone(&connections),
                metrics: gateway.metrics().listener(&address.to_string()),
                preamble: Preamble {
                    listener: listener.clone(),
                    handshakes: Arc::clone(&handshakes),
                },
            };
            let mut service = Service::new("gateway".into(), app);
            let key = address.to_string();
            let config = match address {
                Address::Tcp(_) => ListenerConfig::tcp(&key),
                Address::Unix(path) => ListenerConfig::uds(path.to_string_lossy()),
            };
            fds.add(key.strip_prefix("unix:").unwrap_or(&key).to_owned(), fd);
            // hyper has buffers of its own.
            service.add_listener(config.l4_buffer(L4BufferSettings::unbuffered()));
            services.push(service);
        }
        let (shutdown, watch) = watch::channel(false);
        // One thread needs no stealing; among several, the one that is free takes the work.
        let threads = settings.threads;
        let runtime = match threads {
            1 => Runtime::new_no_steal(1, "gateway"),
            _ => Runtime::new_steal(threads, "gateway"),
        };
        let fds = Arc::new(Mutex::new(fds));
        let watch_memory = overload::watch_memory(Arc::downgrade(&gateway));
        runtime.get_handle().spawn(watch_memory);
        for mut service in services {
            let (fds, watch) = (Arc::clone(&fds), watch.clone());
            runtime.get_handle().spawn(async move {
                service.start_service(Some(fds), watch, 1).await;
            });
        }
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
                if self.connections.open() == 0 {
                    return;
                }
                closed.await;
            }
        };
        if tokio::time::timeout(patience, drained).await.is_err() {
            let open = self.connections.open();
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

/// What pingora-core hands the connections of one listener to.
struct App {
    gateway: Arc<Gateway>,
    connections: Arc<Connections>,
    preamble: Preamble,
    metrics: Arc<ListenerMetrics>,
}

#[async_trait::async_trait]
impl ServerApp for App {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let Some(open) = self.enter() else {
            let _refusing = self.connections.enter_refusal()?;
            let listener = &self.preamble.listener;
            // Others would take it for a broken handshake or header.
            if !listener.tls && !listener.proxy_protocol {
                overload::refuse(stream).await;
            }
            return None;
        };
        let open = Arc::new(open);
        let snapshot = self.gateway.snapshot();
        let settings = &snapshot.gateway;
        // A connection that does not begin as it should is closed. Whoever did not shake hands has
        // been told why.
        let preamble =
            self.preamble
                .take(stream, (&self.gateway, &snapshot), settings.http2.enabled);
        let accepted = preamble.await.ok()?;
        let timeouts = &settings.timeouts;
        let waits = Waits {
            head: timeouts.header,
            keep_alive: timeouts.keep_alive,
            write: timeouts.write,
        };
        let turns = Arc::<Turns>::default();
        let connections = Arc::clone(&self.connections);
        let mut io = CallerIo::new(accepted.transport, Arc::clone(&turns), connections, waits);
        let clear = accepted.tls.is_none() && self.preamble.listener.http2;
        let http2 = if clear && settings.http2.enabled {
            io.speaks_http2().await.ok()?
        } else {
            accepted.http2
        };
        let caller = |link| {
            let trusted = &settings.trusted_proxies;
            let redirect = self.preamble.listener.redirect_to_https;
            Arc::new(Caller::new(accepted.peer, trusted, accepted.tls, link).redirected(redirect))
        };
        if http2 {
            io.set_http2();
            let streams = Arc::new(Streams::new(Instant::now()));
            let link = Link::http2(Arc::clone(&streams), shutdown.clone(), open);
            http2::serve(io, &self.gateway, &caller(link), &streams, settings).await;
        } else {
            let link = Link::http1(turns, shutdown.clone(), open);
            self.serve_http1(io, &caller(link), settings).await;
        }
        None
    }
}

impl App {
    async fn serve_http1(&self, io: CallerIo, caller: &Arc<Caller>, settings: &GatewaySpec) {
        let service = service_fn(|request| {
            let (gateway, caller) = (Arc::clone(&self.gateway), Arc::clone(caller));
            async move { Ok::<_, Infallible>(proxy::answer(&gateway, &caller, request).await) }
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
        let short = self.gateway.pressure().is_short_of_memory();
        let Some(open) = self.connections.enter(short) else {
            let reason = if short {
                Reason::Memory
            } else {
                Reason::Connections
            };
            self.gateway.metrics().shed().count(reason);
            self.metrics.refuse();
            return None;
        };
        Some(open.counted(self.metrics.open()))
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

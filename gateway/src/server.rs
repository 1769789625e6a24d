//! Where callers connect: pingora-core accepts, hyper speaks HTTP.

use std::convert::Infallible;
use std::io;
use std::os::fd::IntoRawFd;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderValue};
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
use stoker_config::Address;
use tokio::sync::watch;

use crate::caller::Caller;
use crate::gateway::Gateway;
use crate::io::CallerIo;
use crate::listeners::{Bound, Listeners};
use crate::overload::{self, Connections, Open, Reason};
use crate::proxy;

/// The running data plane.
pub struct Server {
    runtime: Option<Runtime>,
    /// Ends the accepting.
    shutdown: watch::Sender<bool>,
    /// Ends the connections, each with its request.
    closing: watch::Sender<bool>,
    connections: Arc<Connections>,
    /// The sockets once more, for a gateway that takes over.
    listeners: Mutex<Listeners>,
}

impl Server {
    /// Begins to accept.
    ///
    /// # Errors
    /// If there are not enough descriptors.
    pub fn start(listeners: Listeners, gateway: Arc<Gateway>) -> io::Result<Self> {
        let snapshot = gateway.snapshot();
        let settings = &snapshot.gateway;
        let connections = Connections::new(gateway.make_room().callers);
        let (closing, closing_watch) = watch::channel(false);
        let app = App {
            gateway: Arc::clone(&gateway),
            connections: Arc::clone(&connections),
            closing: closing_watch,
        };
        let mut service = Service::new("gateway".into(), app);
        let mut fds = Fds::new();
        for Bound { actual, socket, .. } in listeners.duplicate()?.into_bound() {
            let key = actual.to_string();
            let config = match actual {
                Address::Tcp(_) => ListenerConfig::tcp(&key),
                Address::Unix(path) => ListenerConfig::uds(path.to_string_lossy()),
            };
            let key = key.strip_prefix("unix:").unwrap_or(&key).to_owned();
            fds.add(key, socket.into_raw_fd());
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
        let watch_memory = overload::watch_memory(Arc::downgrade(&gateway));
        runtime.get_handle().spawn(watch_memory);
        runtime.get_handle().spawn(async move {
            service.start_service(Some(fds), watch, 1).await;
        });
        Ok(Server {
            runtime: Some(runtime),
            shutdown,
            closing,
            connections,
            listeners: Mutex::new(listeners),
        })
    }

    /// The listening sockets once more, for a gateway that takes over.
    ///
    /// # Errors
    /// If there are not enough descriptors.
    pub fn listeners(&self) -> io::Result<Listeners> {
        self.listeners.lock().duplicate()
    }

    /// Accepts no more, for another gateway accepts on the same sockets. Connections stay, and the
    /// next answer on each says that it is the last one.
    pub fn leave(&self) {
        self.connections.leave();
        self.shutdown.send_replace(true);
        self.listeners.lock().close();
    }

    /// After [`Server::leave`]: answers when every connection is closed. Those that are idle are
    /// closed after `idle`, others are not waited for longer than `patience`.
    pub async fn drain(&self, idle: Duration, patience: Duration) {
        let closed = tokio::time::timeout(idle, self.connections.closed()).await;
        if closed.is_err() {
            self.shut_down(patience.saturating_sub(idle)).await;
        }
    }

    /// Accepts no more and answers when every request in flight is answered, or after `patience`.
    pub async fn shut_down(&self, patience: Duration) {
        self.shutdown.send_replace(true);
        self.closing.send_replace(true);
        self.listeners.lock().close();
        let drained = self.connections.closed();
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

/// What pingora-core hands connections to.
struct App {
    gateway: Arc<Gateway>,
    connections: Arc<Connections>,
    closing: watch::Receiver<bool>,
}

#[async_trait::async_trait]
impl ServerApp for App {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        // It says that nothing more is accepted, which may leave connections open.
        _shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let Some(_open) = self.enter() else {
            let _refusing = self.connections.enter_refusal()?;
            overload::refuse(stream).await;
            return None;
        };
        let snapshot = self.gateway.snapshot();
        let settings = &snapshot.gateway;
        let peer = stream.get_socket_digest().and_then(|digest| {
            digest
                .peer_addr()
                .and_then(|address| address.as_inet().copied())
        });
        let caller = Arc::new(Caller::new(peer, &settings.trusted_proxies));
        let turns = Arc::clone(caller.turns());
        let timeouts = &settings.timeouts;
        let io = TokioIo::new(CallerIo::new(
            stream,
            turns,
            Arc::clone(&self.connections),
            (timeouts.header, timeouts.write),
        ));
        let service = service_fn(|request| {
            let (gateway, caller) = (Arc::clone(&self.gateway), Arc::clone(&caller));
            async move {
                let mut response = proxy::serve(&gateway, &caller, request).await;
                if self.connections.is_leaving() {
                    let headers = response.headers_mut();
                    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            .max_headers(settings.limits.headers)
            .max_buf_size(settings.limits.header_bytes.max(8 * 1024))
            .serve_connection(io, service);
        let mut connection = pin!(connection);
        let mut closing = self.closing.clone();
        let down = async { drop(closing.wait_for(|closing| *closing).await) };
        // An error here is a caller that left or did not speak HTTP; hyper has told it so.
        tokio::select! {
            biased;
            result = connection.as_mut() => drop(result),
            () = down => {
                connection.as_mut().graceful_shutdown();
                drop(connection.await);
            }
        }
        None
    }
}

impl App {
    fn enter(&self) -> Option<Open> {
        let short = self.gateway.pressure().is_short_of_memory();
        let open = self.connections.enter(short);
        if open.is_none() {
            let reason = if short {
                Reason::Memory
            } else {
                Reason::Connections
            };
            self.gateway.metrics().shed().count(reason);
        }
        open
    }
}

//! Where callers connect: pingora-core accepts, hyper speaks HTTP.

use std::convert::Infallible;
use std::io;
use std::os::fd::IntoRawFd;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
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
use stoker_config::{Address, GatewaySpec, ListenerSpec};
use tokio::sync::watch;

use crate::accept::Preamble;
use crate::caller::Caller;
use crate::gateway::Gateway;
use crate::http2::{self, Streams};
use crate::io::{CallerIo, Turns, Waits};
use crate::link::Link;
use crate::listeners::{Bound, Listeners};
use crate::metrics::ListenerMetrics;
use crate::mirror;
use crate::overload::{self, Connections, Open, Reason};
use crate::proxy;
use crate::tls::Handshakes;

/// The running data plane.
pub struct Server {
    runtime: Option<Runtime>,
    /// Begins the accepting.
    opening: watch::Sender<bool>,
    /// Ends the accepting. Whatever accepts has a receiver, and so has every connection from the
    /// moment on at which it is accepted.
    shutdown: watch::Sender<bool>,
    /// Whatever accepts has a receiver.
    accepting: watch::Sender<()>,
    /// Ends the connections, each with its request.
    closing: watch::Sender<bool>,
    connections: Arc<Connections>,
    /// The sockets once more, for a gateway that takes over.
    listeners: Mutex<Listeners>,
}

impl Server {
    /// Begins to accept: [`Server::prepare`] and [`Server::accept`] in one.
    ///
    /// # Errors
    /// If there are not enough descriptors.
    pub fn start(
        listeners: Listeners,
        specs: &[ListenerSpec],
        gateway: Arc<Gateway>,
    ) -> io::Result<Self> {
        let server = Server::prepare(listeners, specs, gateway)?;
        server.accept();
        Ok(server)
    }

    /// All but accepting. `specs` say what is asked of connections, in the order of `listeners`;
    /// they are not taken from `gateway`, whose settings may have changed since the sockets were
    /// bound.
    ///
    /// # Errors
    /// If there are not enough descriptors.
    pub fn prepare(
        listeners: Listeners,
        specs: &[ListenerSpec],
        gateway: Arc<Gateway>,
    ) -> io::Result<Self> {
        let snapshot = gateway.snapshot();
        let settings = &snapshot.gateway;
        let connections = Connections::new(gateway.make_room().callers);
        let handshakes = Arc::new(Handshakes::new(settings.tls.concurrent_handshakes));
        let (closing, closing_watch) = watch::channel(false);
        let mut services = Vec::with_capacity(specs.len());
        let mut fds = Fds::new();
        let bound = listeners.duplicate()?.into_bound();
        for (Bound { actual, socket, .. }, listener) in bound.into_iter().zip(specs) {
            let key = actual.to_string();
            let app = App {
                gateway: Arc::clone(&gateway),
                connections: Arc::clone(&connections),
                closing: closing_watch.clone(),
                metrics: gateway.metrics().listener(&key),
                preamble: Preamble {
                    listener: listener.clone(),
                    handshakes: Arc::clone(&handshakes),
                },
            };
            let mut service = Service::new("gateway".into(), app);
            let config = match actual {
                Address::Tcp(_) => ListenerConfig::tcp(&key),
                Address::Unix(path) => ListenerConfig::uds(path.to_string_lossy()),
            };
            let key = key.strip_prefix("unix:").unwrap_or(&key).to_owned();
            fds.add(key, socket.into_raw_fd());
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
        let (accepting, opening) = (watch::Sender::new(()), watch::Sender::new(false));
        let watch_memory = overload::watch_memory(Arc::downgrade(&gateway));
        runtime.get_handle().spawn(watch_memory);
        let mirrors = mirror::send_always(Arc::downgrade(&gateway));
        runtime.get_handle().spawn(mirrors);
        for mut service in services {
            let (fds, watch) = (Arc::clone(&fds), watch.clone());
            let (accepting, mut opening) = (accepting.subscribe(), opening.subscribe());
            let mut over = watch.clone();
            runtime.get_handle().spawn(async move {
                let opened = tokio::select! {
                    opened = opening.wait_for(|open| *open) => opened.is_ok(),
                    _ = over.wait_for(|over| *over) => false,
                };
                drop(over);
                if opened {
                    service.start_service(Some(fds), watch, 1).await;
                }
                drop(accepting);
            });
        }
        Ok(Server {
            runtime: Some(runtime),
            opening,
            shutdown,
            accepting,
            closing,
            connections,
            listeners: Mutex::new(listeners),
        })
    }

    /// Begins to accept. Until then callers wait in the queues of the sockets.
    pub fn accept(&self) {
        self.opening.send_replace(true);
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

    /// After [`Server::leave`]: answers when nothing is accepted any more, so that whoever connects
    /// from then on is the other gateway's.
    pub async fn left(&self) {
        self.accepting.closed().await;
    }

    /// After [`Server::leave`]: answers when every connection is closed. Those that are idle are
    /// closed after `idle`, others are not waited for longer than `patience`.
    pub async fn drain(&self, idle: Duration, patience: Duration) {
        let closed = tokio::time::timeout(idle, self.closed()).await;
        if closed.is_err() {
            self.shut_down(patience.saturating_sub(idle)).await;
        }
    }

    /// Accepts no more and answers when every request in flight is answered, or after `patience`.
    pub async fn shut_down(&self, patience: Duration) {
        self.shutdown.send_replace(true);
        self.closing.send_replace(true);
        self.listeners.lock().close();
        if tokio::time::timeout(patience, self.closed()).await.is_err() {
            let open = self.connections.open();
            eprintln!("stoker: {open} connections were still open after {patience:?}");
        }
    }

    /// Waits until nothing is accepted and no connection is left. One that was accepted a moment ago
    /// is not counted yet, and what became of one that switched protocols has no receiver any more,
    /// so neither tells without the other.
    async fn closed(&self) {
        self.shutdown.closed().await;
        self.connections.closed().await;
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
    closing: watch::Receiver<bool>,
    preamble: Preamble,
    metrics: Arc<ListenerMetrics>,
}

#[async_trait::async_trait]
impl ServerApp for App {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        // It says that nothing more is accepted, which may leave connections open.
        _shutdown: &ShutdownWatch,
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
            io.set_http2(settings.http2.control_frames);
            let streams = Arc::new(Streams::new(Instant::now(), settings.http2.resets));
            let link = Link::http2(Arc::clone(&streams), self.closing.clone(), open);
            http2::serve(io, &self.gateway, &caller(link), &streams, settings).await;
        } else {
            let link = Link::http1(turns, self.closing.clone(), open);
            self.serve_http1(io, &caller(link), settings).await;
        }
        None
    }
}

impl App {
    async fn serve_http1(&self, io: CallerIo, caller: &Arc<Caller>, settings: &GatewaySpec) {
        let service = service_fn(|request| {
            let (gateway, caller) = (Arc::clone(&self.gateway), Arc::clone(caller));
            async move {
                let mut response = proxy::answer(&gateway, &caller, request).await;
                let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
                if self.connections.is_leaving() && !switched {
                    let headers = response.headers_mut();
                    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            .max_headers(settings.limits.headers)
            .max_buf_size(settings.limits.header_bytes.max(8 * 1024))
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades();
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

//! Accepting administrators and speaking HTTP with them.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{AdminListeners, AdminState, App, routes, token};
use crate::io::BoxIo;
use crate::shadow;

/// Connections at once, per listener: those over TCP cannot lock out the Unix socket.
const CONNECTIONS: usize = 128;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const HEAD_BYTES: usize = 32 << 10;
/// For answers under way when the server ends.
const PATIENCE: Duration = Duration::from_secs(2);
/// Out of descriptors, accepting at once again would be a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// Answers administrators until `shutdown` comes, then for a moment those who are being answered.
///
/// # Errors
/// If the runtime cannot take the sockets.
pub async fn serve(
    state: AdminState,
    listeners: AdminListeners,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let (end, ending) = watch::channel(false);
    let AdminListeners {
        unix, file, tcp, ..
    } = listeners;
    let unix = Listener::Unix(UnixListener::from_std(unix)?);
    let tcp = match tcp {
        None => None,
        Some(tcp) => Some(Listener::Tcp(TcpListener::from_std(tcp.listener)?)),
    };
    file.claim();
    tokio::spawn(shadow::watch(Arc::clone(&state.gateway), ending.clone()));
    let takeover = state.takeover.clone();
    let app = App::new(state, ending.clone());
    tokio::spawn(Arc::clone(&app.history).watch(takeover, ending.clone()));
    tokio::spawn(Arc::clone(&app.metering).watch(ending.clone()));
    let accepting = app.accepting.subscribe();
    let router = routes::router(Arc::clone(&app));
    if let Some(listener) = tcp {
        let router = token::by_token(router.clone(), app);
        tokio::spawn(accept(listener, router, ending.clone(), accepting.clone()));
    }
    let router = token::by_socket(router);
    tokio::spawn(accept(unix, router, ending, accepting));
    shutdown.await;
    end.send_replace(true);
    // Every connection holds a receiver.
    tokio::time::timeout(PATIENCE, end.closed()).await.ok();
    drop(file);
    Ok(())
}

async fn accept(
    listener: Listener,
    router: Router,
    mut ending: watch::Receiver<bool>,
    accepting: watch::Receiver<()>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = ending.clone();
    let accept = async {
        // The semaphore is never closed.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            match listener.accept().await {
                Ok(io) => {
                    tokio::spawn(converse(io, router.clone(), connections.clone(), place));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    };
    tokio::select! {
        () = accept => {}
        () = ended(&mut ending) => {}
    }
    drop((listener, accepting));
}

async fn converse(
    io: BoxIo,
    router: Router,
    mut ending: watch::Receiver<bool>,
    place: OwnedSemaphorePermit,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(io), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    // An error here is a caller that left or did not speak HTTP; hyper has told it so.
    tokio::select! {
        biased;
        result = connection.as_mut() => drop(result),
        () = ended(&mut ending) => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
    drop(place);
}

/// Waits until the server ends.
pub(super) async fn ended(ending: &mut watch::Receiver<bool>) {
    // An error says that the server is gone, which is an end too.
    drop(ending.wait_for(|ending| *ending).await);
}

impl Listener {
    async fn accept(&self) -> io::Result<BoxIo> {
        Ok(match self {
            Listener::Unix(listener) => Box::new(listener.accept().await?.0),
            Listener::Tcp(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

//! One task that reads what the spawner says, and launches another when it dies.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use stoker_core::FailureKind;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::{JoinHandle, coop};

use super::words::failure;
use super::{Shared, async_fd, dispatch};
use crate::spawner::packet::Inbox;
use crate::spawner::protocol::Event;
use crate::spawner::{self, Spawner, SpawnerSettings};

/// The pause after the first failed launch; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between launches.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often sending is tried again while the socket takes bytes but no descriptors, of which there
/// is no event.
const RESEND: Duration = Duration::from_millis(5);

type Socket = Arc<AsyncFd<OwnedFd>>;
/// A connected spawner, the process if it is our child, and its pid.
type Launched = (Socket, Option<Child>, u32);

/// Reads from this connection, and from its successors, until aborted or shut down.
pub(super) fn begin(
    shared: Arc<Shared>,
    mut spawner: Spawner,
    settings: SpawnerSettings,
) -> io::Result<JoinHandle<()>> {
    let (mut pid, mut child) = (spawner.pid, spawner.child.take());
    let mut socket = shared.client.connect(spawner)?;
    Ok(tokio::spawn(async move {
        loop {
            tokio::select! {
                () = read(&shared, &socket) => {}
                () = write(&shared, &socket) => {}
            }
            drop(socket);
            if !shared.leads() {
                return lose(&shared);
            }
            shared.client.disconnect();
            clear(&shared, &settings, child, pid).await;
            match relaunch(&shared, &settings).await {
                Some(launched) => {
                    (socket, child, pid) = launched;
                    shared.prepare_again();
                }
                None => {
                    shared.release();
                    return shared.client.set_closed();
                }
            }
        }
    }))
}

/// The spawner is gone, and another one is the business of the gateway that leads.
fn lose(shared: &Shared) {
    let why = "the connection to the spawner is lost, and another gateway leads";
    shared.client.lose(why);
    for (id, entry) in shared.table.remove_all() {
        dispatch::lose(shared, id, entry, &failure(FailureKind::Resources, why));
    }
    shared.table.end_list();
    shared.client.set_closed();
}

/// Hands on what the spawner says, until it is gone.
async fn read(shared: &Arc<Shared>, socket: &Socket) {
    let mut inbox = Inbox::new();
    loop {
        let Ok(mut guard) = socket.readable().await else {
            return;
        };
        match guard.try_io(|socket| inbox.receive::<Event>(socket)) {
            Ok(Ok(Some((event, descriptors)))) => dispatch::dispatch(shared, event, descriptors),
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(_) => return,
            Err(_would_block) => {}
        }
        // A long row of events must not keep others from the runtime.
        coop::consume_budget().await;
    }
}

/// Sends what could not be sent at once; never ends.
async fn write(shared: &Shared, socket: &Socket) {
    loop {
        shared.client.behind.notified().await;
        while !shared.client.flush() {
            // Whichever comes first, flushing is tried again.
            tokio::time::timeout(RESEND, writable(socket)).await.ok();
        }
    }
}

/// Answers when there is room in a socket that is not registered for that; never if that cannot be
/// found out.
async fn writable(socket: &Socket) {
    let other = socket.get_ref().try_clone();
    match other.and_then(|other| async_fd::register(other, Interest::WRITABLE)) {
        Ok(other) => drop(other.writable().await),
        Err(_) => std::future::pending().await,
    }
}

/// The spawner is gone: so are its workers, or they are killed now, and everybody is told.
async fn clear(shared: &Shared, settings: &SpawnerSettings, child: Option<Child>, pid: u32) {
    let entries = shared.table.remove_all();
    let state_dir = settings.state_dir.clone();
    let cleared = tokio::task::spawn_blocking(move || {
        if let Some(mut child) = child {
            // Was killed, so this does not take long.
            child.wait().ok();
        }
        spawner::collect_orphans(&state_dir, None)
    });
    // A failure leaves them to the next round, before the next spawner is launched.
    cleared.await.ok();
    let cause = format!("its spawner (pid {pid}) died and it was killed");
    let why = failure(FailureKind::Resources, cause);
    for (id, entry) in entries {
        dispatch::lose(shared, id, entry, &why);
    }
    // Whoever waits for a list gets what there is.
    shared.table.end_list();
}

/// Launches spawners until one lives; none if it is time to end. Meanwhile starts fail at once,
/// except during the first try.
async fn relaunch(shared: &Shared, settings: &SpawnerSettings) -> Option<Launched> {
    let mut pause = FIRST_PAUSE;
    while !shared.client.is_closing() {
        let error = match try_launch(shared, settings).await {
            Ok(launched) => return Some(launched),
            Err(error) => error,
        };
        let detail = format!("there is no spawner: {error}");
        shared.client.break_down(detail.clone());
        let why = failure(FailureKind::Resources, detail);
        for (id, entry) in shared.table.remove_all() {
            dispatch::lose(shared, id, entry, &why);
        }
        // An end that is asked for cuts the pause short.
        tokio::time::timeout(pause, shared.client.wait_closing())
            .await
            .ok();
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    None
}

/// Launches a spawner once.
async fn try_launch(shared: &Shared, settings: &SpawnerSettings) -> io::Result<Launched> {
    let settings = settings.clone();
    let launching = tokio::task::spawn_blocking(move || spawner::launch(&settings));
    let mut spawner: Spawner = launching.await.map_err(io::Error::other)??;
    let (child, pid) = (spawner.child.take(), spawner.pid);
    Ok((shared.client.connect(spawner)?, child, pid))
}

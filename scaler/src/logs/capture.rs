//! The task that reads one pipe.

use std::io;
use std::sync::Arc;

use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};

use super::gate::Gate;
use super::split::Splitter;
use super::time::LogTime;
use super::writer::{Burst, Message, Source};

/// Read at once: a quarter of what a pipe holds, so that a flood has short turns.
const BURST_BYTES: usize = 16 << 10;

/// Reads the pipe to its end and hands what comes to the writer.
pub(super) async fn run(
    pipe: pipe::Receiver,
    source: Source,
    mut splitter: Splitter,
    (messages, gate): (mpsc::Sender<Message>, Arc<Gate>),
) {
    let mut reading = gate.enter();
    if messages
        .send(Message::Begin(source.function.clone()))
        .await
        .is_err()
    {
        return;
    }
    loop {
        let read = tokio::select! {
            biased;
            () = reading.stopped() => None,
            read = read(&pipe) => Some(read),
        };
        let Some(read) = read else {
            match reading.park(&source, splitter.pending()).await {
                true => continue,
                false => return,
            }
        };
        // What cannot be read has ended.
        let bytes = read.unwrap_or_default();
        let last = bytes.is_empty();
        let (done, wait) = oneshot::channel();
        let burst = Burst {
            time: LogTime::now(),
            source: source.clone(),
            bytes,
            splitter,
            last,
            done,
        };
        if messages.send(Message::Burst(burst)).await.is_err() {
            return;
        }
        // Not reading on before this one is written is what holds a flood back.
        match wait.await {
            Ok(returned) if !last => splitter = returned,
            _ => return,
        }
    }
}

/// What is there, as soon as something is; nothing at the end.
async fn read(pipe: &pipe::Receiver) -> io::Result<Vec<u8>> {
    loop {
        pipe.readable().await?;
        // Made when there is something to read: most pipes are silent most of the time.
        let mut bytes = Vec::with_capacity(BURST_BYTES);
        match pipe.try_read_buf(&mut bytes) {
            Ok(_) => return Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

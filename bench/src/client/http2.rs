//! HTTP/2 (RFC 9113): many requests at once on one connection, by hyper's client.

use std::future::Future;
use std::io;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::TokioIo;

use super::head::phases;
use super::{Endpoint, Fault, Reply};

/// What a server may send on one stream, and on a connection, before it is told that it was read: as
/// much as no answer waits for in a measurement.
const STREAM_BYTES: u32 = 4 << 20;
const CONNECTION_BYTES: u32 = 64 << 20;

/// One connection, which carries as many requests at once as the server takes.
#[derive(Clone)]
pub(crate) struct Multiplexed {
    sender: SendRequest<Full<Bytes>>,
}

impl Multiplexed {
    /// A new one. Over TLS the server has agreed to HTTP/2 (ALPN); without it it is believed to speak
    /// it (RFC 9113, section 3.3). To be called within a `LocalSet`.
    pub(crate) async fn open(endpoint: &Endpoint) -> Result<Multiplexed, Fault> {
        let stream = TokioIo::new(endpoint.connect().await?);
        let mut builder = Builder::new(Local);
        builder
            .initial_stream_window_size(STREAM_BYTES)
            .initial_connection_window_size(CONNECTION_BYTES);
        let (sender, connection) = builder
            .handshake(stream)
            .await
            .map_err(|error| Fault::Connect(io::Error::other(error)))?;
        // Each request learns of the connection's end by itself.
        tokio::task::spawn_local(async { drop(connection.await) });
        Ok(Multiplexed { sender })
    }

    /// Whether it can carry another request, as far as it is known without asking.
    pub(crate) fn is_usable(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends a request and reads the whole answer, and what the header `watch` says in it. Its first
    /// byte is that of the final answer's head.
    pub(crate) async fn exchange(
        &mut self,
        request: &http::Request<Bytes>,
        watch: &str,
    ) -> Result<Reply, Fault> {
        let request = request.clone().map(Full::new);
        let answer = self.sender.send_request(request).await;
        let first_byte = Instant::now();
        let answer = answer.map_err(|error| Fault::Unanswered(io::Error::other(error)))?;
        let (head, body) = answer.into_parts();
        let mut reply = Reply {
            status: head.status.as_u16(),
            first_byte,
            end: first_byte,
            watched: None,
            phases: Vec::new(),
        };
        if let Some(value) = head.headers.get(watch) {
            reply.watched = Some(String::from_utf8_lossy(value.as_bytes()).trim().to_owned());
        }
        for value in head.headers.get_all("server-timing") {
            phases(
                &String::from_utf8_lossy(value.as_bytes()),
                &mut reply.phases,
            );
        }
        read(body).await?;
        reply.end = Instant::now();
        Ok(reply)
    }
}

/// Reads a body to its end; what it says is nothing to us.
async fn read(mut body: Incoming) -> Result<(), Fault> {
    while let Some(frame) = body.frame().await {
        frame.map_err(|error| Fault::Broken(io::Error::other(error)))?;
    }
    Ok(())
}

/// Runs what hyper does beside the connection in the generator's own thread.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

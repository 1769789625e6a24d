//! Sending a file, however long it is.

use std::fs::File;
use std::io::Read as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use tokio::sync::oneshot;

use super::{Answer, Client, ClientError, read};

/// Read and sent at once.
const PIECE: usize = 64 << 10;

/// A file that is to be sent.
pub struct Upload {
    /// From where it stands.
    pub file: File,
    /// What is left of it.
    pub bytes: u64,
    /// Its media type.
    pub kind: &'static str,
    /// Told how much was read of it.
    pub progress: Box<dyn FnMut(u64) + Send>,
}

impl Client {
    /// Puts a file at `path`. It may take as long as it takes to send, and the answer `patience` after
    /// that.
    ///
    /// # Errors
    /// If nobody answers, or the answer is a problem.
    pub async fn upload(
        &self,
        path: &str,
        upload: Upload,
        patience: Duration,
    ) -> Result<Answer, ClientError> {
        let mut request = Request::builder()
            .method(Method::PUT)
            .uri(path)
            .header(HOST, self.target.host())
            .header(CONTENT_TYPE, upload.kind);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let (sent, was_sent) = oneshot::channel();
        let body = Pieces {
            upload,
            sent: Some(sent),
            buffer: vec![0; PIECE],
        };
        let request = request.body(body).map_err(|_| ClientError::Token)?;
        let mut asking = std::pin::pin!(async {
            let answer = read(self.target.send(request).await?).await?;
            match answer.status.is_success() {
                true => Ok(answer),
                false => Err(self.problem(&answer)),
            }
        });
        tokio::select! {
            // A gateway that refuses what it was told so far answers before all is sent.
            answer = &mut asking => return answer,
            _ = was_sent => {}
        }
        match tokio::time::timeout(patience, asking).await {
            Ok(answer) => answer,
            Err(_) => Err(ClientError::Slow(self.target.to_string(), patience)),
        }
    }
}

/// The body: read piece by piece on the calling thread, for there is nothing else to do.
struct Pieces {
    upload: Upload,
    sent: Option<oneshot::Sender<()>>,
    buffer: Vec<u8>,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        let most = this.buffer.len() as u64;
        let length = this.upload.bytes.min(most) as usize;
        if length == 0 {
            // Nobody waits for it if the answer came before.
            this.sent.take().map(|sent| sent.send(()).ok());
            return Poll::Ready(None);
        }
        let piece = &mut this.buffer[..length];
        if let Err(error) = this.upload.file.read_exact(piece) {
            return Poll::Ready(Some(Err(error)));
        }
        this.upload.bytes -= length as u64;
        (this.upload.progress)(length as u64);
        if this.upload.bytes == 0 {
            this.sent.take().map(|sent| sent.send(()).ok());
        }
        let piece = Bytes::copy_from_slice(piece);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.upload.bytes == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.upload.bytes)
    }
}

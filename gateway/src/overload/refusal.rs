//! Telling a caller that there is no room for its connection.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// For all of it.
const PATIENCE: Duration = Duration::from_secs(1);
/// At most this much of what the caller has sent is read: closed with bytes unread, a connection
/// is reset, and the caller may lose the answer with it (RFC 9112 section 9.6).
const LINGER_BYTES: usize = 64 * 1024;

/// Without the identity of a request, for none was read.
const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\n\
    cache-control: no-store\r\n\
    stoker-origin: gateway\r\n\
    retry-after: 1\r\n\
    connection: close\r\n\
    content-length: 148\r\n\
    \r\n\
    {\"type\":\"urn:stoker:problem:overloaded\",\"title\":\"The gateway has too much to do\",\
    \"status\":503,\"detail\":\"the gateway takes no more connections now\"}\n";

/// Answers 503 to whatever the caller is about to ask, in HTTP/1.1, and closes.
pub(crate) async fn refuse(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let answer = async {
        stream.write_all(ANSWER).await?;
        stream.shutdown().await?;
        let mut rest = (&mut stream).take(LINGER_BYTES as u64);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    // Whether the caller took it is its own business.
    drop(tokio::time::timeout(PATIENCE, answer).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_that_of_the_body() {
        let text = std::str::from_utf8(ANSWER).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}", body.len())),
            "{}",
            body.len()
        );
    }

    #[tokio::test]
    async fn the_answer_is_whole_although_nothing_was_read() {
        let (mut caller, ours) = tokio::io::duplex(1024);
        caller.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let talk = async {
            let mut text = Vec::new();
            caller.read_to_end(&mut text).await.unwrap();
            drop(caller);
            text
        };
        let (text, ()) = tokio::join!(talk, refuse(ours));
        assert_eq!(text, ANSWER);
    }
}

//! Greets. The Rust standard library only, a thread for each connection that is open.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::fd::FromRawFd;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Bytes of a request's head that are read at the most.
const MAX_HEAD: u64 = 64 << 10;

/// Threads that wait for a connection.
static WAITING: AtomicUsize = AtomicUsize::new(1);

fn main() -> io::Result<()> {
    if std::env::var_os("LISTEN_FDS").is_some() {
        // SAFETY: LISTEN_FDS says that descriptor 3 is a listening socket, and that it is ours.
        let listener = unsafe { UnixListener::from_raw_fd(3) };
        return take_turns(Arc::new(move || Ok(listener.accept()?.0)));
    }
    // To try it without the gateway.
    let port = std::env::var("PORT").map_err(|_| io::Error::other("set LISTEN_FDS or PORT"))?;
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    take_turns(Arc::new(move || {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }))
}

/// Serves one connection after the other. A thread is started only when none is left that waits for
/// the next one, so a program that was idle answers at once.
fn take_turns<S, A>(accept: Arc<A>) -> io::Result<()>
where
    S: Read + Write,
    A: Fn() -> io::Result<S> + Send + Sync + 'static,
{
    loop {
        let stream = accept()?;
        if WAITING.fetch_sub(1, Ordering::Relaxed) == 1 {
            WAITING.fetch_add(1, Ordering::Relaxed);
            let accept = Arc::clone(&accept);
            thread::spawn(|| take_turns(accept));
        }
        // What goes wrong with one connection is not the next one's concern.
        serve(stream).ok();
        WAITING.fetch_add(1, Ordering::Relaxed);
    }
}

/// Answers the requests of one connection, one after the other, until either side ends it.
fn serve(stream: impl Read + Write) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = Request::read(&mut stream)? {
        // This function has no use for a body, but the next request comes after it.
        let Some(length) = request.body_length else {
            let head = "HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n";
            return stream.get_mut().write_all(format!("{head}\r\n").as_bytes());
        };
        io::copy(&mut stream.by_ref().take(length), &mut io::sink())?;

        let body = format!("Hello from process {}!\n", std::process::id());
        let length = body.len();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n";
        let answer = match request.is_head {
            true => format!("{head}Content-Length: {length}\r\n\r\n"),
            false => format!("{head}Content-Length: {length}\r\n\r\n{body}"),
        };
        stream.get_mut().write_all(answer.as_bytes())?;
        if request.is_last {
            break;
        }
    }
    Ok(())
}

/// What this function needs to know of a request.
struct Request {
    is_head: bool,
    /// Unknown if it comes in chunks.
    body_length: Option<u64>,
    /// The client wants no further answers.
    is_last: bool,
}

impl Request {
    /// The next request, if there is one.
    fn read(input: &mut impl BufRead) -> io::Result<Option<Request>> {
        let mut input = input.take(MAX_HEAD);
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut request = Request {
            is_head: line.starts_with("HEAD "),
            body_length: Some(0),
            is_last: line.trim_end().ends_with("HTTP/1.0"),
        };
        loop {
            line.clear();
            if input.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.trim_end().is_empty() {
                return Ok(Some(request));
            }
            let (name, value) = line.split_once(':').unwrap_or_default();
            match (name.to_ascii_lowercase().as_str(), value.trim()) {
                ("content-length", value) => {
                    request.body_length = request.body_length.and(value.parse().ok());
                }
                ("transfer-encoding", _) => request.body_length = None,
                ("connection", value) if value.eq_ignore_ascii_case("close") => {
                    request.is_last = true;
                }
                _ => {}
            }
        }
    }
}

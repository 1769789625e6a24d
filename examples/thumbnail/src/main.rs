//! Makes thumbnails: POST a picture (JPEG, PNG, GIF or WebP), with `?width=200&height=200` as the
//! box that the answer fits in, and `&format=jpeg` or `png`.

mod http;
mod picture;
mod query;

use std::io::{self, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::fd::FromRawFd;
use std::os::unix::net::UnixListener;
use std::thread;

use http::{Request, Response};

fn main() -> io::Result<()> {
    if std::env::var_os("LISTEN_FDS").is_some() {
        // SAFETY: LISTEN_FDS says that descriptor 3 is a listening socket, and that it is ours.
        let listener = unsafe { UnixListener::from_raw_fd(3) };
        loop {
            let (stream, _) = listener.accept()?;
            thread::spawn(|| serve(stream));
        }
    }
    // To try it without the gateway.
    let port = std::env::var("PORT").map_err(|_| io::Error::other("set LISTEN_FDS or PORT"))?;
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        thread::spawn(|| serve(stream));
    }
}

/// Answers the requests of one connection, one after the other, until either side ends it.
fn serve(stream: impl Read + Write) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let request = match Request::read(&mut stream)? {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            // Where the next request begins is not known.
            Err(refusal) => return refusal.write(stream.get_mut(), true),
        };
        answer(&request).write(stream.get_mut(), request.is_last)?;
        if request.is_last {
            return Ok(());
        }
    }
}

fn answer(request: &Request) -> Response {
    if request.method != "POST" {
        return Response::refuse("405 Method Not Allowed", "POST a picture");
    }
    let wanted = match query::Wanted::parse(&request.query) {
        Ok(wanted) => wanted,
        Err(why) => return Response::refuse("400 Bad Request", &why),
    };
    match picture::thumbnail(&request.body, &wanted) {
        Ok(body) => Response {
            status: "200 OK",
            kind: wanted.format.to_mime_type(),
            body,
        },
        Err(picture::Refusal::NotAPicture(why)) => {
            Response::refuse("415 Unsupported Media Type", &why)
        }
        Err(picture::Refusal::TooLarge(why)) => Response::refuse("413 Content Too Large", &why),
        Err(picture::Refusal::Broken(why)) => Response::refuse("422 Unprocessable Content", &why),
    }
}

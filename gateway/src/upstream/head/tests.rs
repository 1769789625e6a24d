use super::*;

fn parse(text: &str) -> Result<Option<ResponseHead>, String> {
    ResponseHead::parse(&mut BytesMut::from(text), &Method::GET, false)
}

fn whole(text: &str) -> ResponseHead {
    parse(text).unwrap().expect("a whole head")
}

#[test]
fn framing_follows_rfc_9112() {
    let framing = |headers: &str| whole(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n")).framing;
    assert_eq!(framing("Content-Length: 5\r\n"), Framing::Length(5));
    assert_eq!(
        framing("Content-Length: 5\r\nContent-Length: 5\r\n"),
        Framing::Length(5)
    );
    assert_eq!(framing("Content-Length: 0\r\n"), Framing::None);
    assert_eq!(framing("Transfer-Encoding: chunked\r\n"), Framing::Chunked);
    assert_eq!(
        framing("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
        Framing::Chunked
    );
    assert_eq!(framing(""), Framing::Close);
}

#[test]
fn bodiless_answers_have_no_body() {
    for status in ["204 No Content", "304 Not Modified"] {
        let head = whole(&format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\n"));
        assert_eq!(head.framing, Framing::None, "{status}");
    }
    let mut input = BytesMut::from("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    let head = ResponseHead::parse(&mut input, &Method::HEAD, false)
        .unwrap()
        .unwrap();
    assert_eq!(head.framing, Framing::None);
    assert_eq!(head.headers["content-length"], "5");
}

#[test]
fn reuse_follows_version_and_connection() {
    let reusable = |line: &str, headers: &str| {
        whole(&format!(
            "{line} 200 OK\r\nContent-Length: 0\r\n{headers}\r\n"
        ))
        .reusable
    };
    assert!(reusable("HTTP/1.1", ""));
    assert!(!reusable("HTTP/1.1", "Connection: Close\r\n"));
    assert!(!reusable("HTTP/1.0", ""));
    assert!(reusable("HTTP/1.0", "Connection: keep-alive\r\n"));
    assert!(!reusable("HTTP/1.1", "Transfer-Encoding: chunked\r\n"));
    assert!(!reusable(
        "HTTP/1.1",
        "Connection: close\r\nConnection: keep-alive\r\n"
    ));
}

#[test]
fn hop_by_hop_headers_stay_behind() {
    let head = whole(
        "HTTP/1.1 200 OK\r\nConnection: close, X-Private\r\nConnection: X-Secret\r\n\
         X-Private: 1\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\nX-Kept: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n",
    );
    assert!(!head.headers.contains_key("x-private"));
    assert!(!head.headers.contains_key("x-secret"));
    assert!(!head.headers.contains_key("keep-alive"));
    assert_eq!(head.headers["x-kept"], "2");
    assert_eq!(head.headers.get_all("set-cookie").iter().count(), 2);
}

#[test]
fn interim_answers_are_dropped_and_partial_ones_awaited() {
    let head = whole("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(head.status, 200);
    assert!(
        parse("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
            .unwrap()
            .is_none()
    );
    assert!(parse("HTTP/1.1 101 Switching Protocols\r\n\r\n").is_err());
}

#[test]
fn what_is_not_http_is_refused() {
    for text in [
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBad Name: 5\r\n\r\n",
    ] {
        assert!(parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn only_a_101_switches() {
    for line in ["426 Upgrade Required", "403 Forbidden", "200 OK"] {
        let text = format!(
            "HTTP/1.1 {line}\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n"
        );
        let mut input = BytesMut::from(text.as_str());
        let head = ResponseHead::parse(&mut input, &Method::GET, true);
        let head = head.unwrap().unwrap();
        assert_eq!(head.upgrade, None, "{line}");
        assert!(!head.headers.contains_key("upgrade"), "{line}");
    }
}

#[test]
fn a_switch_of_protocols_must_be_asked_for() {
    let switch =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nx";
    let mut input = BytesMut::from(switch);
    let head = ResponseHead::parse(&mut input, &Method::GET, true)
        .unwrap()
        .unwrap();
    assert_eq!(head.upgrade.unwrap(), "websocket");
    assert_eq!(input, "x");
    assert!(parse(switch).is_err());
    let mut nameless = BytesMut::from("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    assert!(ResponseHead::parse(&mut nameless, &Method::GET, true).is_err());
}

//! The heads of functions' answers.

use http::Method;
use stoker_gateway::fuzzing::response_head;

use super::pieces;

/// A head is the same in whatever pieces it comes, and holds nothing that would break a line or
/// frame anything twice.
pub(crate) fn run(data: &[u8]) {
    let Some((step, input)) = pieces(data) else {
        return;
    };
    let method = if step % 2 == 0 {
        Method::HEAD
    } else {
        Method::GET
    };
    let whole = response_head(input, input.len(), &method);
    match &whole {
        Ok(_) => assert_eq!(response_head(input, step, &method), whole),
        // What is wrong may show before or after something else that is.
        Err(_) => assert!(!matches!(response_head(input, step, &method), Ok(Some(_)))),
    }
    let Ok(Some(head)) = whole else {
        return;
    };
    assert!((200..1000).contains(&head.status), "{head:?}");
    let lengths: Vec<_> = head.headers.get_all("content-length").iter().collect();
    assert!(lengths.len() <= 1, "{head:?}");
    for gone in ["transfer-encoding", "connection", "upgrade", "keep-alive"] {
        assert!(!head.headers.contains_key(gone), "{head:?}");
    }
    if let Ok(length) = head.framing.parse::<u64>() {
        // The connection may have named the field, which frames all the same.
        let same = |value: &&http::HeaderValue| {
            value.to_str().is_ok_and(|text| text.parse() == Ok(length))
        };
        assert!(lengths.iter().all(same), "{head:?}");
    }
    assert!(head.framing != "close" || !head.reusable, "{head:?}");
    assert!(input.ends_with(&head.rest), "{head:?}");
}

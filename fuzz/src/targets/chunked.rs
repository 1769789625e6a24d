//! The chunked coding of functions' answers.

use stoker_gateway::fuzzing::chunked;

use super::pieces;

/// What is decoded is the same in whatever pieces it comes, and what is encoded is decoded.
pub(crate) fn run(data: &[u8]) {
    let Some((step, input)) = pieces(data) else {
        return;
    };
    let whole = chunked(input, input.len());
    match &whole {
        Ok(_) => assert_eq!(chunked(input, step), whole),
        Err(_) => assert!(!matches!(chunked(input, step), Ok(Some(_)))),
    }
    if let Ok(Some((content, trailers, rest))) = whole {
        assert!(content.len() < input.len() && input.ends_with(&rest));
        for gone in [
            "content-length",
            "transfer-encoding",
            "host",
            "authorization",
        ] {
            assert!(!trailers.contains_key(gone), "{trailers:?}");
        }
    }

    let mut encoded = Vec::new();
    for piece in input.chunks(step) {
        encoded.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        encoded.extend_from_slice(piece);
        encoded.extend_from_slice(b"\r\n");
    }
    encoded.extend_from_slice(b"0\r\n\r\nrest");
    let decoded = chunked(&encoded, step)
        .expect("is valid")
        .expect("is whole");
    assert_eq!(
        decoded,
        (input.to_vec(), http::HeaderMap::new(), b"rest".to_vec())
    );
}

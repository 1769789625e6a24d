//! Paths as they are routed and passed on.

use stoker_gateway::fuzzing::{decode, normalise};

/// What comes out is stable, leads nowhere else, and breaks no line.
pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Some(clean) = normalise(&text) else {
        return;
    };
    assert_eq!(normalise(&clean).as_ref(), Some(&clean), "{text:?}");
    assert!(clean.starts_with('/'), "{text:?} became {clean:?}");
    assert!(clean.len() <= text.len(), "{text:?} became {clean:?}");
    for segment in clean[1..].split('/') {
        let name = decode(segment).expect("what was accepted can be decoded");
        assert!(
            !name.iter().any(u8::is_ascii_control),
            "{text:?} became {clean:?}"
        );
        // However a server splits it.
        for part in name.split(|byte| b"/\\".contains(byte)) {
            let bare = part.split(|&byte| byte == b';').next().unwrap_or(part);
            let dots = matches!(bare, b"." | b"..");
            assert!(!dots, "{text:?} became {clean:?}");
        }
    }
}

//! The request's id and trace.

use stoker_gateway::fuzzing::identity;

use super::{assert_plain_lines, header_map};

/// Whatever the caller says, there are one well-formed id and one well-formed trace.
pub(crate) fn run(data: &[u8]) {
    let lines = identity(&header_map(data));
    assert_plain_lines(&lines);
    let text = String::from_utf8(lines).expect("ids are ASCII");
    let [id, trace] = text.trim_end().split("\r\n").collect::<Vec<_>>()[..] else {
        panic!("two lines, not {text:?}");
    };
    let id = id
        .strip_prefix("x-request-id: ")
        .expect("the id comes first");
    assert!((1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()));
    let trace = trace
        .strip_prefix("traceparent: ")
        .expect("the trace comes second");
    let parts: Vec<&str> = trace.split('-').take(4).collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    assert_eq!(lengths, [2, 32, 16, 2], "{trace}");
    for part in &parts {
        assert!(
            part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
            "{trace}"
        );
    }
    for id in &parts[1..3] {
        assert!(id.bytes().any(|byte| byte != b'0'), "{trace}");
    }
}

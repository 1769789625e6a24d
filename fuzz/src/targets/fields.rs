//! The fields that are passed on.

use stoker_gateway::fuzzing::fields;

use super::{assert_plain_lines, header_map};

/// Nothing of the connection, of framing or of nobody is passed on, and no line is broken.
pub(crate) fn run(data: &[u8]) {
    let headers = header_map(data);
    let lines = fields(&headers);
    assert_plain_lines(&lines);
    let text = String::from_utf8_lossy(&lines);
    let names: Vec<&str> = text
        .split("\r\n")
        .filter_map(|line| line.split(':').next())
        .collect();
    for name in &names {
        assert!(name.is_empty() || headers.contains_key(*name), "{name}");
        let kept = [
            "connection",
            "content-length",
            "keep-alive",
            "te",
            "transfer-encoding",
            "upgrade",
        ];
        assert!(!kept.contains(name), "{name}");
    }
    assert!(names.iter().filter(|&&name| name == "cookie").count() <= 1);
}

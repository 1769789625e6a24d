//! The look at a request's head that goes beside hyper's.

use stoker_gateway::fuzzing::has_both;

use super::pieces;

/// It says the same in whatever pieces the head comes, and never misses what httparse finds.
pub(crate) fn run(data: &[u8]) {
    let Some((step, input)) = pieces(data) else {
        return;
    };
    let both = has_both(input, input.len());
    assert_eq!(has_both(input, step), both);
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut fields);
    if !matches!(request.parse(input), Ok(httparse::Status::Complete(_))) {
        return;
    }
    let has = |name: &str| {
        let mut fields = request.headers.iter();
        fields.any(|field| field.name.eq_ignore_ascii_case(name))
    };
    // An empty line before the request line is skipped by httparse and ends the head here.
    if !input.starts_with(b"\r") && !input.starts_with(b"\n") {
        assert_eq!(has("content-length") && has("transfer-encoding"), both);
    }
}

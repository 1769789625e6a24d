//! What is told about requests.

use std::time::Duration;

use stoker_config::{AccessLogFormat, AccessLogTarget};

use crate::tree::Tree;

#[test]
fn nothing_is_told_by_default() {
    let gateway = Tree::new().load("").unwrap().gateway;
    assert_eq!(gateway.access_log.target, None);
    assert_eq!(gateway.traces.endpoint, None);
    assert_eq!(gateway.metrics.functions, 1000);
    assert_eq!(gateway.access_log.slow, Duration::from_secs(1));
    assert!(gateway.access_log.keep_errors);
}

#[test]
fn an_access_log() {
    let tree = Tree::new();
    let text = "[access-log]\npath = \"log/access\"\nformat = \"combined\"\nsample = 0.25\n\
        redact = [\"Token\"]\nheaders = [\"X-Tenant\"]";
    let log = tree.load(text).unwrap().gateway.access_log;
    let file = AccessLogTarget::File(tree.path("log/access"));
    assert_eq!(log.target, Some(file));
    assert_eq!(log.format, AccessLogFormat::Combined);
    assert_eq!(
        (log.redact, log.headers),
        (vec!["token".into()], vec!["x-tenant".into()])
    );
    let stdout = tree.load("[access-log]\npath = \"-\"").unwrap().gateway;
    assert_eq!(stdout.access_log.target, Some(AccessLogTarget::Stdout));
}

#[test]
fn traces() {
    let tree = Tree::new();
    let text = "[traces]\nendpoint = \"http://localhost:4318\"\n\
        headers = [\"Authorization: Bearer secret\"]";
    let traces = tree.load(text).unwrap().gateway.traces;
    assert_eq!(
        traces.endpoint.as_ref().unwrap().to_string(),
        "http://localhost:4318/v1/traces"
    );
    assert_eq!(
        traces.headers,
        [("authorization".to_owned(), "Bearer secret".to_owned())]
    );
    assert!(!format!("{traces:?}").contains("secret"));
}

#[test]
fn what_is_wrong_is_reported_at_once() {
    let text = "[access-log]\npath = \"\"\nformat = \"xml\"\nsample = 1.5\nredact = [\"a=b\"]\n\
        headers = [\"a b\"]\nbuffer-bytes = 1\n[traces]\nendpoint = \"localhost\"\nsample = -1\n\
        headers = [\"none\"]\nqueue = 0\n[metrics]\nfunctions = 0";
    let errors = Tree::new().errors(text);
    for key in [
        "access-log.path",
        "access-log.format",
        "access-log.sample",
        "access-log.redact[0]",
        "access-log.headers[0]",
        "access-log.buffer-bytes",
        "traces.endpoint",
        "traces.sample",
        "traces.headers[0]",
        "traces.queue",
        "metrics.functions",
    ] {
        let named = |error: &&String| error.contains(&format!(" {key}: "));
        assert_eq!(errors.iter().filter(named).count(), 1, "{key}: {errors:#?}");
    }
    assert_eq!(errors.len(), 11, "{errors:#?}");
}

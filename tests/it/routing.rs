//! From host, path and method to a function.

use crate::harness::{Client, Function, Response, Site};

/// A request with a host of its own.
fn call(client: &mut Client, line: &str, host: &str) -> Response {
    client
        .send(format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
        .expect("can be sent");
    client.receive().expect("there is an answer")
}

/// What the function saw as its target, and the parameters.
fn target(answer: Response) -> String {
    let answer = answer.good();
    let json = answer.json();
    let headers = json["headers"].as_array().expect("a list of headers");
    let value = |wanted: &str| {
        let header = headers.iter().find(|pair| pair[0] == wanted)?;
        header[1].as_str().map(str::to_owned)
    };
    let target = json["target"].as_str().expect("a text").to_owned();
    match value("stoker-parameter-id") {
        Some(id) => format!("{target} id={id} rest={:?}", value("stoker-parameter-rest")),
        None => target,
    }
}

#[test]
fn manifests_say_where_a_function_answers() {
    let routes = "[[routes]]\nhost = \"api.example.org\"\npath = \"/users/{id}/files/{*rest}\"\n\
         [[routes]]\npath = \"/stripped/{*rest}\"\nstrip-prefix = true\n\
         [[routes]]\nhost = \"*.example.org\"\npath = \"/headers\"\n\
         [[routes]]\npath = \"/only/get\"\nmethods = [\"GET\", \"PUT\"]\n";
    let gateway = Site::new("function-prefix = \"/fn\"")
        .function("f", &Function::fixture("inherit").with(routes))
        .start();
    let mut client = gateway.connect();
    let mut call = |line: &str, host: &str| call(&mut client, line, host);

    let files = call("GET /users/42/files/a/b?route=headers", "api.example.org");
    assert_eq!(
        target(files),
        "/users/42/files/a/b?route=headers id=42 rest=Some(\"a/b\")"
    );
    call("GET /users/42/files/a", "other.org").problem(404, "not-found");
    call("GET /users/42", "api.example.org").problem(404, "not-found");

    let stripped = call("GET /stripped/deep/headers?x=1", "any.host");
    assert_eq!(target(stripped), "/deep/headers?x=1");

    let host = call("GET /headers", "a.b.EXAMPLE.org:8080");
    assert_eq!(target(host), "/headers");
    call("GET /headers", "example.org").problem(404, "not-found");

    let refused = call("DELETE /only/get", "any.host");
    refused.problem(405, "method-not-allowed");
    assert_eq!(refused.header("allow"), Some("GET, PUT"));
    call("PUT /only/get?route=work", "any.host").good();

    assert_eq!(target(call("GET /fn/f/headers", "any.host")), "/headers");
    call("GET /function/f/headers", "any.host").problem(404, "not-found");
    call("GET /fn/g/headers", "any.host").problem(404, "not-found");
}

#[test]
fn the_default_route_takes_the_prefix_off() {
    let gateway = Site::new("")
        .function("f", &Function::fixture("inherit"))
        .start();
    let mut client = gateway.connect();
    for (asked, seen) in [
        ("/function/f?route=headers", "/?route=headers"),
        ("/function/f/?route=headers", "/?route=headers"),
        ("/function/f/a//b/headers", "/a//b/headers"),
        ("/function/f/a/../headers?x=%2e%2e/y", "/headers?x=%2e%2e/y"),
        ("/function/f/%61%2Fb/headers", "/%61%2Fb/headers"),
        ("/function/f/.well-known/headers", "/.well-known/headers"),
        ("/function/./f/headers", "/headers"),
    ] {
        let answer = call(&mut client, &format!("GET {asked}"), "stoker.test");
        assert_eq!(target(answer), seen, "{asked}");
    }
}

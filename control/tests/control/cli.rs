use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use hyper::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use stoker_core::InstanceId;
use tokio::net::UnixListener;

use crate::tree::Tree;
use crate::world::{TOKEN, World};

const PROGRAM: &str = env!("CARGO_BIN_EXE_stoker-test-cli");

fn command(world: &World, line: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(line.split_whitespace())
        .args(["--admin".into(), world.socket()]);
    command
        .env_remove("STOKER_ADMIN")
        .env_remove("STOKER_ADMIN_TOKEN")
        .env_remove("XDG_RUNTIME_DIR");
    command
}

/// Runs to the end; the server is in this process and goes on meanwhile.
async fn output(mut command: Command) -> (i32, String, String) {
    command.stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

async fn run(world: &World, line: &str) -> (i32, String, String) {
    output(command(world, line)).await
}

async fn json(world: &World, line: &str) -> Value {
    let (code, out, err) = run(world, &format!("{line} --json")).await;
    assert_eq!((code, err.as_str()), (0, ""), "{line}");
    serde_json::from_str(&out).unwrap()
}

/// Answers as `hello` or, below /fail, with 500; says what it was sent.
async fn serve(tree: &Tree) {
    let listener = UnixListener::bind(tree.path("f.sock")).unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| async {
                use http_body_util::BodyExt as _;
                let (head, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                let status = if head.uri.path().contains("fail") {
                    500
                } else {
                    200
                };
                let kind = head
                    .headers
                    .get("content-type")
                    .map(|kind| kind.to_str().unwrap());
                let text = format!(
                    "{} {} {} {}",
                    head.method,
                    head.uri,
                    kind.unwrap_or("-"),
                    String::from_utf8_lossy(&body)
                );
                let body = http_body_util::Full::new(bytes::Bytes::from(text));
                let mut response = Response::new(body);
                *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap();
                Ok::<_, hyper::Error>(response)
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_functions_and_instances() {
    let mut world = World::with(&["hello", "idle"]).await;
    let (code, out, _) = run(&world, "scale hello 1").await;
    assert_eq!(code, 0);
    assert!(out.starts_with("hello: "), "{out}");
    world.started(1).await;
    let (code, out, err) = run(&world, "ls").await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(
        out,
        "NAME   INSTANCES           IN-FLIGHT  WAITING  POLICY      URL\n\
         hello  1 ready, held at 1  0          0        on-arrival  /function/hello\n\
         idle   0                   0          0        on-arrival  /function/idle\n"
    );
    let active = json(&world, "ls --active").await;
    assert_eq!(active.as_array().unwrap().len(), 1);
    let (_, out, _) = run(&world, "ps").await;
    assert!(out.starts_with("ID   FUNCTION  STATE  PID   AGE"), "{out}");
    assert_eq!(out.lines().count(), 2);
    assert_eq!(json(&world, "ps hello").await[0]["function"], "hello");
    assert_eq!(json(&world, "ps idle").await, json!([]));
    assert_eq!(
        json(&world, "scale hello auto").await["scale_override"],
        Value::Null
    );
    let (code, out, _) = run(&world, "evict --all").await;
    assert_eq!(code, 0, "{out}");
    assert!(out.ends_with("evicted\n"), "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_clear() {
    let world = World::with(&["hello"]).await;
    for line in [
        "ps helo",
        "logs helo",
        "invoke helo",
        "scale helo 1",
        "evict helo",
    ] {
        let (code, out, err) = run(&world, line).await;
        assert_eq!((code, out.as_str()), (1, ""), "{line}");
        assert_eq!(
            err,
            "stoker: there is no function \"helo\"; did you mean \"hello\"?\n"
        );
    }
    let (code, _, err) = run(&world, "scale hello 4000000").await;
    assert_eq!(code, 1);
    assert!(err.contains("max-scale"), "{err}");
    let (code, _, err) = run(&world, "scale hello many").await;
    assert_eq!(code, 2, "{err}");
    world.tree.function("hello", "bogus = 1");
    let (code, _, err) = run(&world, "reload").await;
    assert_eq!(code, 1);
    assert!(err.contains("\n  ") && err.contains("bogus"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finds_the_gateway_or_says_where_it_looked() {
    let tree = Tree::new();
    let mut nowhere = Command::new(PROGRAM);
    nowhere
        .arg("ls")
        .current_dir(tree.root())
        .env_remove("STOKER_ADMIN");
    nowhere.env("XDG_RUNTIME_DIR", tree.root());
    let (code, _, err) = output(nowhere).await;
    assert_eq!(code, 1);
    let tried = format!("{}", tree.path("stoker/admin.sock").display());
    for part in [
        ".stoker/admin.sock",
        &tried,
        "stoker serve",
        "--admin",
        "$STOKER_ADMIN",
        "stoker.toml",
    ] {
        assert!(err.contains(part), "{part}: {err}");
    }

    let world = World::with(&["f"]).await;
    let found = |name: &str, value: String| {
        let mut command = Command::new(PROGRAM);
        command
            .arg("ls")
            .env_remove("STOKER_ADMIN")
            .env_remove("XDG_RUNTIME_DIR");
        command
            .env("STOKER_ADMIN_TOKEN", TOKEN)
            .env(name, value)
            .current_dir(tree.root());
        output(command)
    };
    let socket = world.socket().display().to_string();
    for (name, value) in [
        ("STOKER_ADMIN", socket.clone()),
        ("STOKER_ADMIN", world.url.clone()),
    ] {
        let (code, _, err) = found(name, value).await;
        assert_eq!((code, err.as_str()), (0, ""));
    }
    let file = tree.path("stoker.toml");
    for (text, code) in [("[admin]\nsocket = \"none.sock\"", 1), ("no TOML", 1)] {
        std::fs::write(&file, text).unwrap();
        assert_eq!(found("UNUSED", "x".to_owned()).await.0, code, "{text}");
    }
    // Whatever else may be wrong in it.
    std::fs::write(&file, format!("wrong = 1\n[admin]\nsocket = {socket:?}\n")).unwrap();
    let (code, _, err) = found("UNUSED", "x".to_owned()).await;
    assert_eq!((code, err.as_str()), (0, ""));
    std::fs::remove_file(&file).unwrap();
    for link in ["runtime/stoker/admin.sock", ".stoker/admin.sock"] {
        std::fs::create_dir_all(tree.path(link).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&socket, tree.path(link)).unwrap();
        let runtime = tree.path("runtime").display().to_string();
        assert_eq!(found("XDG_RUNTIME_DIR", runtime).await.0, 0, "{link}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_pipe_is_no_failure() {
    let names: Vec<String> = (0..2000)
        .map(|number| format!("a-function-{number}"))
        .collect();
    let world = World::with(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut command = command(&world, "ls");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let (status, err) = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::with_capacity(64, child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.starts_with("NAME"));
        let output = child.wait_with_output().unwrap();
        (output.status, output.stderr)
    })
    .await
    .unwrap();
    assert_eq!((status.code(), err.as_slice()), (Some(0), &b""[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follows_logs() {
    let world = World::with(&["f"]).await;
    world.logs.note("f", InstanceId::new(1, 1), "before");
    let mut command = command(&world, "logs -f f");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    let logs = Arc::clone(&world.logs);
    tokio::task::spawn_blocking(move || {
        let mut lines = BufReader::new(stdout).lines();
        assert!(lines.next().unwrap().unwrap().ends_with(" 1-1 sys before"));
        logs.note("f", InstanceId::new(1, 2), "after");
        assert!(lines.next().unwrap().unwrap().ends_with(" 1-2 sys after"));
        child.kill().unwrap();
        child.wait().unwrap();
    })
    .await
    .unwrap();
    let (_, out, _) = run(&world, "logs f -n 1 --json").await;
    assert_eq!(
        serde_json::from_str::<Value>(&out).unwrap()["text"],
        "after"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invokes_through_the_gateway() {
    let tree = Tree::new();
    tree.function("f", "");
    serve(&tree).await;
    let world = World::start(tree).await;
    let (code, out, err) = run(&world, "invoke f /a?b=c").await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.starts_with("GET /") && out.ends_with("/a?b=c - "),
        "{out}"
    );
    let (_, out, _) = run(&world, "invoke f -d {\"x\":1}").await;
    assert!(
        out.starts_with("POST ") && out.ends_with(" application/json {\"x\":1}"),
        "{out}"
    );
    let (_, out, _) = run(&world, "invoke f -X PUT -H content-type:text/x -d y").await;
    assert!(
        out.starts_with("PUT ") && out.ends_with(" text/x y"),
        "{out}"
    );

    let (code, _, err) = run(&world, "invoke -v f fail").await;
    assert_eq!(code, 1);
    assert!(
        err.starts_with("< HTTP/1.1 500 Internal Server Error\n"),
        "{err}"
    );
    for part in ["< server-timing: ", "* queue ", "* total ", "* seen here "] {
        assert!(err.contains(part), "{part}: {err}");
    }
    let invoked = json(&world, "invoke f").await;
    assert_eq!(invoked["status"], 200);
    assert!(invoked["body"].as_str().unwrap().starts_with("GET "));
    assert_eq!(invoked["phases"][0]["name"], "queue");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sends_the_standard_input() {
    let tree = Tree::new();
    tree.function("f", "");
    serve(&tree).await;
    let world = World::start(tree).await;
    let mut command = command(&world, "invoke f -d -");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let out = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(b"from the pipe")
            .unwrap();
        child.wait_with_output().unwrap().stdout
    })
    .await
    .unwrap();
    assert!(
        String::from_utf8(out)
            .unwrap()
            .ends_with(" application/octet-stream from the pipe")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_shown_once() {
    let world = World::with(&["hello"]).await;
    let (code, key, err) = run(
        &world,
        "keys create --function hello --name ci --expires 90d",
    )
    .await;
    assert_eq!(code, 0, "{err}");
    assert!(key.starts_with("stk_") && key.len() == 86, "{key}");
    assert!(
        err.contains("\"ci\" for function hello; it is not shown again"),
        "{err}"
    );
    let id = &key[4..20];
    let (_, out, _) = run(&world, "keys list").await;
    assert!(
        out.starts_with("ID") && out.contains(id) && !out.contains(key.trim()),
        "{out}"
    );
    assert!(
        out.contains("in 89d23h") || out.contains("in 90d0h"),
        "{out}"
    );
    let rotated = json(&world, &format!("keys rotate {id} --overlap 1h")).await;
    assert!(rotated["key"].as_str().unwrap().starts_with("stk_"));
    let (code, out, _) = run(&world, &format!("keys revoke {id}")).await;
    assert_eq!((code, out), (0, format!("key {id} \"ci\" is revoked\n")));
    assert_eq!(
        json(&world, "keys list --function hello")
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(json(&world, "keys list --function other").await, json!([]));
    let (code, _, err) = run(&world, "keys revoke 0").await;
    assert_eq!((code, err.as_str()), (1, "stoker: there is no key \"0\"\n"));
    for wrong in [
        "keys create",
        "keys create --host --master",
        "keys create --host --expires 9",
    ] {
        assert_eq!(run(&world, wrong).await.0, 2, "{wrong}");
    }
}

//! The admin API as other tools see it.

mod pushes;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::dashboards::free_port;
use crate::harness::{Client, Function, Gateway, Response, Site, python, wait_until};

const TOKEN: &str = "a-token-of-an-administrator";
const PUBLISHER: &str = "a-token-of-a-publisher";
/// "$pushed:" and the publisher's token, and what else tools send.
const BASIC: &str = "Authorization: Basic JHB1c2hlZDphLXRva2VuLW9mLWEtcHVibGlzaGVy\r\n\
    Content-Type: application/zip\r\nIf-Match: *\r\n";
/// What schemathesis makes up.
const SEED: &str = "7";
/// Requests per operation and phase; what it takes grows with it.
const EXAMPLES: &str = "12";

/// What must hold for every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_schema_conformance";

/// A gateway with a function of files and an admin API on TCP.
fn gateway() -> (Gateway, SocketAddr) {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let site = Site::new(&format!(
        "[admin]\nlisten = \"{address}\"\ntoken = \"{TOKEN}\"\n\
         [[admin.tokens]]\nname = \"ci\"\nrole = \"publisher\"\ntoken-file = \"ci.token\"\n"
    ));
    let file = site.directory().join("ci.token");
    std::fs::write(&file, PUBLISHER).expect("can be written");
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(file, mode).expect("can be set");
    let site = site.function("files", &Function::fixture("inherit"));
    (site.start(), address)
}

/// One request to the admin API.
fn ask(address: SocketAddr, line: &str, (headers, body): (&str, &[u8])) -> Response {
    let mut client = Client::connect(address).expect("the gateway administers");
    let headers = format!("{headers}Content-Length: {}\r\n", body.len());
    client.request(line, &headers, body).expect("can be sent");
    client.receive().expect("an answer")
}

/// A zip file as another program makes it, of a function.
fn zip(gateway: &Gateway, version: u32) -> Vec<u8> {
    let directory = gateway.site().directory();
    let manifest = Function::fixture("inherit")
        .env("VERSION", &version.to_string())
        .manifest();
    std::fs::write(directory.join("function.toml"), manifest).expect("can be written");
    let archive = directory.join("pushed.zip");
    let made = Command::new("python3")
        .current_dir(directory)
        .args(["-m", "zipfile", "-c", "pushed.zip", "function.toml"])
        .status();
    assert!(made.expect("python can be run").success());
    std::fs::read(archive).expect("was made")
}

#[test]
fn zip_push_as_other_tools_do_it() {
    let (gateway, address) = gateway();
    let pushed = ask(address, "POST /api/zipdeploy", (BASIC, &zip(&gateway, 1)));
    assert_eq!(pushed.status, 200, "{pushed}");
    assert_eq!((pushed.number("status"), pushed.number("revision")), (4, 1));
    let version = || gateway.get("/function/pushed/env").good().json()["VERSION"].clone();
    assert_eq!(version(), "1");

    let line = "POST /api/zipdeploy?isAsync=true&author=me&Deployer=core_tools";
    let begun = ask(address, line, (BASIC, &zip(&gateway, 2)));
    assert_eq!(begun.status, 202, "{begun}");
    let place = begun.header("location").expect("where to look").to_owned();
    let look = |path: &str| ask(address, &format!("GET {path}"), (BASIC, b""));
    wait_until("the push is over", || {
        look(&place).json()["complete"] == true
    });
    let over = look(&place).json();
    assert_eq!(
        (over["status"].as_u64(), over["author"].as_str()),
        (Some(4), Some("me"))
    );
    assert_eq!(look("/api/deployments/latest").json(), over);
    assert_eq!(
        look("/api/deployments").json().as_array().map(Vec::len),
        Some(2)
    );
    let log = look(&format!("{place}/log")).text();
    assert!(log.contains("revision 2 serves"), "{log}");
    assert_eq!(version(), "2");

    let broken = ask(
        address,
        "POST /api/zipdeploy?name=pushed",
        (BASIC, b"PK, but no zip"),
    );
    assert_eq!(broken.status, 422, "{broken}");
    assert_eq!(look("/api/deployments/latest").number("status"), 3);
    let taken = ask(
        address,
        "POST /api/zipdeploy?name=files",
        (BASIC, &zip(&gateway, 3)),
    );
    assert_eq!(taken.status, 409, "{taken}");
    assert_eq!(version(), "2");
    let nobody = ask(address, "POST /api/zipdeploy", ("", b"x"));
    assert_eq!(nobody.status, 401, "{nobody}");
    let audit = gateway.try_admin(&["audit", "--json"]).expect("a list");
    let audit: Value = serde_json::from_str(&audit).expect("JSON");
    assert!(
        audit
            .as_array()
            .expect("a list")
            .iter()
            .all(|row| row["who"] == "ci"),
        "{audit}"
    );
}

/// A publisher may make the next call cold, of one function only.
#[test]
fn a_publisher_evicts() {
    let (gateway, address) = gateway();
    gateway.get("/function/files/work").good();
    let bearer = format!("Authorization: Bearer {PUBLISHER}\r\n");
    let evicted = ask(address, "POST /v1/functions/files/evict", (&bearer, b""));
    assert_eq!(
        (evicted.status, evicted.number("evicted")),
        (200, 1),
        "{evicted}"
    );
    let refused = ask(address, "POST /v1/evict", (&bearer, b""));
    assert_eq!(refused.status, 403, "{refused}");
}

#[test]
fn a_function_is_called_tried_and_scaled() {
    let (_gateway, address) = gateway();
    let bearer = format!("Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n");
    let post = |line: &str, body: &str| ask(address, line, (&bearer, body.as_bytes()));
    let called = post(
        "POST /v1/functions/files/invoke",
        "{\"method\": \"POST\", \"path\": \"/echo\", \"headers\": [[\"x\", \"y\"]], \"body\": \"hi\"}",
    );
    let answer = called.json();
    assert_eq!(
        (answer["status"].as_u64(), answer["body"].as_str()),
        (Some(200), Some("hi"))
    );
    let phases = answer["phases"].as_array().expect("a list");
    assert!(
        phases.iter().any(|phase| phase["name"] == "total"),
        "{called}"
    );

    let tried = post(
        "POST /v1/functions/files/simulate",
        "{\"idle-timeout\": \"5m\"}",
    );
    assert_eq!(tried.status, 200, "{tried}");
    assert_eq!(tried.json()["changes"], "idle-timeout=5m");
    let set = post("PUT /v1/functions/files/scaling", "{\"max-scale\": 3}");
    assert_eq!(set.status, 200, "{set}");
    let versions = set.json()["versions"].clone();
    assert_eq!(versions[1]["source"], "set", "{versions}");
    let shown = post("GET /v1/functions/files", "").json();
    assert_eq!(shown["max_scale"], 3);
    // The same in a manifest's words.
    let words = format!("Authorization: Bearer {TOKEN}\r\nContent-Type: application/toml\r\n");
    let put = |text: &str| {
        let line = "PUT /v1/functions/files/scaling";
        ask(address, line, (&words, text.as_bytes()))
    };
    let set = put("[scaling]\nmax-scale = 4 # was 3\nidle-timeout = \"5m\"\n");
    assert_eq!(set.status, 200, "{set}");
    let versions = set.json()["versions"].clone();
    assert_eq!(versions[2]["source"], "set", "{versions}");
    assert_eq!(post("GET /v1/functions/files", "").json()["max_scale"], 4);
    for wrong in [
        "max-scale = 0",
        "command = [\"x\"]",
        "",
        "max-scale",
        "[queue]\nmax-waiters = 1",
    ] {
        let refused = put(wrong);
        assert_eq!(refused.status, 422, "{wrong}: {refused}");
    }
    for wrong in [
        "{\"max-scale\": 0}",
        "{\"command\": \"x\"}",
        "{}",
        "{\"nothing\": 1}",
    ] {
        let refused = post("PUT /v1/functions/files/scaling", wrong);
        assert_eq!(refused.status, 422, "{wrong}: {refused}");
    }
    let back = post("POST /v1/functions/files/policy/rollback", "");
    assert_eq!(back.status, 200, "{back}");
}

/// Whatever is asked, nothing fails within, and every answer is as the document says.
#[test]
fn schemathesis_finds_no_server_error() {
    let (gateway, address) = gateway();
    let manifest = Function::fixture("inherit").manifest();
    let body = serde_json::json!({ "manifest": manifest });
    let published = crate::revisions::admin(&gateway, "PUT /v1/functions/f", Some(&body));
    assert_eq!(published.status, 201, "{published}");
    let program = PathBuf::from(python()).with_file_name("schemathesis");
    let directory = gateway.site().directory();
    // What is there, so that not all is refused for a name that is made up.
    let known = "[parameters]\nname = \"f\"\nn = \"1\"\n";
    std::fs::write(directory.join("schemathesis.toml"), known).expect("can be written");
    let output = Command::new(program)
        .current_dir(directory)
        .arg("run")
        .arg(format!("http://{address}/v1/openapi.json"))
        .args(["--header", &format!("Authorization: Bearer {TOKEN}")])
        .args(["--seed", SEED, "--max-examples", EXAMPLES])
        .args(["--phases", "coverage,fuzzing", "--max-time", "40"])
        .args(["--checks", CHECKS])
        // One has another program take over, another goes on for ever.
        .args(["--exclude-operation-id", "upgrade"])
        .args(["--exclude-operation-id", "read_logs"])
        // Or there is nothing left to ask about.
        .args(["--exclude-operation-id", "delete_function"])
        .args(["--generation-database", "none", "--no-color"])
        .output()
        .expect("schemathesis can be run: scripts/setup-tests installs it");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(gateway.get("/function/files/").is_good());
}

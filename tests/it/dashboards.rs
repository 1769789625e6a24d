//! What Prometheus and Grafana are given: the exposition, the rules, the dashboard.

mod prometheus;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;

use crate::harness::{Authority, Client, Function, Gateway, Site, wait_until};

const TOKEN: &str = "a-token-of-sane-length";

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs promtool in `deploy/prometheus` and fails with what it says unless it is content.
fn promtool(arguments: &[&str], input: &str) {
    let mut child = Command::new("promtool")
        .args(arguments)
        .current_dir(root("deploy/prometheus"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is there: scripts/setup-tests installs it");
    let mut pipe = child.stdin.take().expect("is piped");
    pipe.write_all(input.as_bytes()).expect("promtool reads");
    drop(pipe);
    let output = child.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && !said.contains("error"),
        "promtool {arguments:?}: {}{said}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// A port that nobody listens on, nor will: it is none that the kernel gives to clients, and claimed
/// by a name that goes with this process.
pub(crate) fn free_port() -> u16 {
    static CLAIMS: Mutex<Vec<UnixDatagram>> = Mutex::new(Vec::new());
    let claim = |port: &u16| {
        let name = format!("stoker-test-port-{port}");
        let name = UnixAddress::from_abstract_name(name).expect("it is short");
        let claim = UnixDatagram::bind_addr(&name).ok()?;
        TcpListener::bind(("127.0.0.1", *port)).ok()?;
        Some(claim)
    };
    let mut ports = 12_000..20_000;
    let (port, claim) = ports
        .find_map(|port| Some((port, claim(&port)?)))
        .expect("a port is free");
    CLAIMS.lock().expect("nobody panics").push(claim);
    port
}

/// Of the function whose processes are prepared.
const HANDLER: &str = "\
import time

def handler(request):
    if 'long' in request.path:
        time.sleep(1000)
    return 'hello'
";

/// Of a function for which another policy is tried.
const SHADOW: &str = "[scaling.shadow]\npolicy = \"kpa\"";

/// Of a function that may not be called without end.
const BUDGET: &str = "[budget]\ninvocations = 1000000";

/// Functions that have everything of which metrics tell.
fn site(admin: SocketAddr) -> Site {
    let lines = format!(
        "[admin]\nlisten = \"{admin}\"\ntoken = \"{TOKEN}\"\n[access-log]\npath = \"access.log\"\n\
         [timeouts]\nbody = \"100ms\"\n[metering]\ninterval = \"1s\"\n\
         [freeze]\navailable-percentage = 100\ninterval = \"20ms\"\n\
         [[listeners]]\naddress = \"127.0.0.1:0\"\ntls = true\n\
         [[certificates]]\ncertificate = \"a.pem\"\nkey = \"a.key\""
    );
    let broken = Function::new("inherit", &["/nonexistent/program"]);
    // Memory is always short.
    let freezing = "idle-timeout = \"2h\"\nfreeze-after = \"1h\"";
    let rests = Function::fixture("inherit").scaling(1, 1, freezing);
    Site::new(&lines)
        .function(
            "f",
            &Function::fixture("inherit")
                .scaling(1, 2, SHADOW)
                .with(BUDGET),
        )
        .function("broken", &broken)
        .function("rests", &rests)
        .function(
            "python",
            &Function::handler("python", HANDLER).with("[timeouts]\nstop = '10ms'\n"),
        )
}

/// A gateway that was asked all that makes series appear, with its admin API on TCP.
fn gateway() -> (Gateway, SocketAddr, Client) {
    let admin = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let site = site(admin);
    let authority = Authority::new(site.directory(), "ca");
    authority.issue(site.directory(), "a", ("a.test", &["a.test"]));
    let gateway = site.start();
    let mut secure = authority.connect(gateway.listener(1), "a.test", None);
    secure
        .get("/nowhere")
        .expect("an answer")
        .problem(404, "not-found");
    let mut client = gateway.connect();
    client.get("/function/f/pid").expect("an answer").good();
    client
        .post("/function/f/echo", b"body")
        .expect("an answer")
        .good();
    client
        .get("/nowhere")
        .expect("an answer")
        .problem(404, "not-found");
    let broken = gateway.get("/function/broken/");
    broken.problem(502, "start-failed");
    command(&gateway, &["evict", "f"]);
    gateway.get("/function/rests/pid").good();
    let told = gateway.wait_for_error(0, &["rests: "]);
    if told.contains("memory is short") {
        let all_told = |names: &[&str]| {
            let text = exposition(admin);
            let told = |name: &&str| text.contains(&format!("\n{name}{{function=\"rests\""));
            names.iter().all(told)
        };
        wait_until("it is frozen and thawed", || {
            let told = all_told(&["stoker_freezes_total", "stoker_thaw_duration_seconds_count"]);
            if !told {
                // One that is released before it stands still is neither.
                gateway.get("/function/rests/pid").good();
            }
            told
        });
        wait_until("it is released", || {
            all_told(&["stoker_memory_releases_total"])
        });
    }
    // While memory is short, spares are kept only for functions that are in use.
    gateway.get("/function/python").good();
    let mut caller = gateway.connect();
    caller
        .request("GET /function/python/long", "", b"")
        .expect("can be sent");
    wait_until(
        "spares, parents, the shadow and the budget are told of",
        || {
            let text = exposition(admin);
            let told = |name: &str| text.contains(&format!("\n{name}{{"));
            let rare = ["stoker_spares", "stoker_parents", "stoker_shadow_instances"];
            rare.into_iter().all(told) && told("stoker_budget_used_ratio")
        },
    );
    (gateway, admin, caller)
}

/// What appears only where instances have control groups.
fn is_of_groups(name: &str) -> bool {
    let names = [
        "stoker_freezes_total",
        "stoker_thaw_duration_seconds",
        "stoker_memory_releases_total",
    ];
    names.contains(&name)
}

fn command(gateway: &Gateway, arguments: &[&str]) {
    let socket = gateway.site().directory().join("state/admin.sock");
    let status = Command::new(env!("CARGO_BIN_EXE_stoker"))
        .args(arguments)
        .arg("--admin")
        .arg(socket)
        .stdout(Stdio::null())
        .status();
    assert!(status.expect("the binary can be executed").success());
}

fn exposition(admin: SocketAddr) -> String {
    let mut client = Client::connect(admin).expect("the admin API accepts");
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    client
        .request("GET /metrics", &token, b"")
        .expect("can be sent");
    let answer = client.receive().expect("an answer");
    assert_eq!(answer.status, 200, "{answer}");
    answer.text()
}

/// A metric with its labels, those of histograms' buckets left out.
fn exposed(text: &str) -> BTreeSet<(String, BTreeSet<String>)> {
    let histograms: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" histogram"))
        .collect();
    let mut found = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .filter_map(|suffix| name.strip_suffix(suffix))
            .find(|base| histograms.contains(base))
            .unwrap_or(name);
        let labels = labels
            .split("\",")
            .filter_map(|label| Some(label.split_once("=\"")?.0));
        let labels = labels.filter(|label| *label != "le").map(str::to_owned);
        found.insert((base.to_owned(), labels.collect()));
    }
    found
}

/// The same as docs/metrics.md has it.
fn documented() -> BTreeSet<(String, BTreeSet<String>)> {
    let text = read("docs/metrics.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split(" | ").collect();
        let name = cells[0].trim_end_matches('`').to_owned();
        let labels = match cells.len() {
            4 => cells[2]
                .split(", ")
                .map(|label| label.trim().trim_matches('`'))
                .collect(),
            _ => Vec::new(),
        };
        let labels = labels
            .into_iter()
            .filter(|label| !label.is_empty() && *label != "|");
        (name, labels.map(str::to_owned).collect())
    })
    .collect()
}

#[test]
fn every_metric_is_documented_and_well_formed() {
    let (_gateway, admin, _caller) = gateway();
    let text = exposition(admin);
    promtool(&["check", "metrics"], &text);
    let (exposed, mut documented) = (exposed(&text), documented());
    if !exposed.iter().any(|(name, _)| is_of_groups(name)) {
        documented.retain(|(name, _)| !is_of_groups(name));
    }
    // Only where something was published: `split` looks at these.
    documented.retain(|(name, _)| !is_of_published(name));
    let missing: Vec<_> = exposed.difference(&documented).collect();
    assert!(missing.is_empty(), "not in docs/metrics.md: {missing:#?}");
    let extra: Vec<_> = documented.difference(&exposed).collect();
    assert!(
        extra.is_empty(),
        "in docs/metrics.md only: {extra:#?}\n{text}"
    );
}

#[test]
fn the_rules_do_what_they_say() {
    promtool(&["check", "rules", "stoker.rules.yml"], "");
    promtool(&["test", "rules", "stoker.rules.test.yml"], "");
    promtool(&["check", "config", "--syntax-only", "prometheus.yml"], "");
}

/// Of functions of the registry alone.
fn is_of_published(name: &str) -> bool {
    ["stoker_traffic_percent", "stoker_mirrored_requests_total"].contains(&name)
}

/// Every word of an expression that begins like a metric of ours.
fn metrics_in(expression: &str) -> Vec<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    words
        .filter(|word| word.starts_with("stoker_") || word.starts_with("process_"))
        .map(|word| {
            let suffixes = ["_bucket", "_sum", "_count"];
            let base = suffixes.iter().find_map(|suffix| word.strip_suffix(suffix));
            base.unwrap_or(word).to_owned()
        })
        .collect()
}

fn rules() -> Vec<String> {
    let text = read("deploy/prometheus/stoker.rules.yml");
    let lines = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("expr: "));
    lines.map(str::to_owned).collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&read("deploy/grafana/stoker.json")).expect("the dashboard is JSON")
}

/// The expressions of the dashboard, with what Grafana would put in for its variables.
fn queries(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    let texts = targets.map(|target| target["expr"].as_str().expect("an expression"));
    texts
        .map(|text| {
            text.replace("$__rate_interval", "1m")
                .replace("$function", ".*")
                .replace("$job", "stoker")
        })
        .collect()
}

#[test]
fn dashboard_and_rules_name_what_there_is() {
    let known: BTreeSet<String> = documented().into_iter().map(|(name, _)| name).collect();
    let queries = queries(&dashboard());
    assert!(queries.len() > 30 && rules().len() == 21);
    let mut used = BTreeSet::new();
    for expression in queries.iter().chain(&rules()) {
        for name in metrics_in(expression) {
            assert!(known.contains(&name), "there is no {name}: {expression}");
            used.insert(name);
        }
    }
    for name in known.iter().filter(|name| name.starts_with("stoker_")) {
        let shown = used.contains(name) || name == "stoker_build_info";
        assert!(shown, "neither dashboard nor rules use {name}");
    }
}

#[test]
fn the_dashboard_has_what_grafana_needs() {
    let dashboard = dashboard();
    assert_eq!(dashboard["uid"], "stoker");
    assert!(
        dashboard["schemaVersion"]
            .as_u64()
            .is_some_and(|version| version >= 36)
    );
    let variables = dashboard["templating"]["list"]
        .as_array()
        .expect("variables");
    let named = |name: &str| variables.iter().find(|variable| variable["name"] == name);
    assert_eq!(
        named("datasource").expect("a data source")["type"],
        "datasource"
    );
    assert!(named("function").is_some() && named("job").is_some());
    let mut ids = BTreeSet::new();
    let mut taken: Vec<[u64; 4]> = Vec::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        let title = panel["title"].as_str().expect("a title");
        assert!(
            ids.insert(panel["id"].as_u64()),
            "{title}: its id is there twice"
        );
        let place = ["x", "y", "w", "h"]
            .map(|key| panel["gridPos"][key].as_u64().expect("a place in the grid"));
        let [x, y, w, h] = place;
        assert!(
            x + w <= 24 && w > 0 && h > 0,
            "{title}: outside of the grid"
        );
        let apart = |[ox, oy, ow, oh]: &[u64; 4]| {
            x + w <= *ox || ox + ow <= x || y + h <= *oy || oy + oh <= y
        };
        assert!(taken.iter().all(apart), "{title}: on top of another one");
        taken.push(place);
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["description"].is_string(), "{title}: no description");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let targets = panel["targets"].as_array().expect("queries");
        let refs: BTreeSet<_> = targets.iter().map(|one| one["refId"].as_str()).collect();
        assert_eq!(
            refs.len(),
            targets.len(),
            "{title}: queries of the same name"
        );
    }
}

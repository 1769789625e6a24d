//! A real Prometheus with the configuration that is shipped.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{TOKEN, dashboard, free_port, gateway, queries, read, root};
use crate::harness::{Client, wait_until};

/// A running Prometheus, killed at the end.
struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    /// With the configuration of `deploy/prometheus`, which scrapes `target`, in `directory`.
    fn start(directory: &Path, target: SocketAddr) -> Prometheus {
        let token = directory.join("prometheus.token");
        fs::write(&token, TOKEN).expect("can be written");
        let config = read("deploy/prometheus/prometheus.yml")
            .replace("/etc/stoker/admin.token", &token.display().to_string())
            .replace("127.0.0.1:9090\"]", &format!("{target}\"]"))
            .replace("15s", "100ms");
        fs::write(directory.join("prometheus.yml"), config).expect("can be written");
        let rules = "deploy/prometheus/stoker.rules.yml";
        fs::copy(root(rules), directory.join("stoker.rules.yml")).expect("can be copied");
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let child = Command::new("prometheus")
            .current_dir(directory)
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=prometheus")
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus is there: scripts/setup-tests installs it");
        let prometheus = Prometheus { child, address };
        wait_until("Prometheus is ready", || {
            Client::connect(address)
                .and_then(|mut client| client.get("/-/ready"))
                .is_ok_and(|answer| answer.status == 200)
        });
        prometheus
    }

    fn ask(&self, path: &str) -> Value {
        let mut client = Client::connect(self.address).expect("Prometheus accepts");
        client.get(path).expect("an answer").json()
    }

    fn query(&self, expression: &str) -> Value {
        let escaped: String = expression
            .bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect();
        let answer = self.ask(&format!("/api/v1/query?query={escaped}"));
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"].clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn a_real_prometheus_scrapes_and_takes_the_rules_and_queries() {
    let (gateway, admin, _caller) = gateway();
    let prometheus = Prometheus::start(gateway.site().directory(), admin);
    let has = |expression: &str| {
        !prometheus
            .query(expression)
            .as_array()
            .expect("a list")
            .is_empty()
    };
    wait_until("the gateway is scraped", || has("up{job=\"stoker\"} == 1"));
    wait_until("requests are counted", || {
        has("sum(stoker_requests_total{function=\"f\",code=\"2xx\"}) == 2")
    });

    let rules = prometheus.ask("/api/v1/rules");
    let groups = rules["data"]["groups"].as_array().expect("groups");
    let rules: Vec<_> = groups
        .iter()
        .filter_map(|group| group["rules"].as_array())
        .flatten()
        .collect();
    assert_eq!(rules.len(), 21);
    wait_until("every rule was evaluated", || {
        let rules = prometheus.ask("/api/v1/rules");
        let groups = rules["data"]["groups"].as_array().expect("groups");
        let rules = groups
            .iter()
            .filter_map(|group| group["rules"].as_array())
            .flatten();
        rules.into_iter().all(|rule| rule["health"] == "ok")
    });
    for expression in queries(&dashboard()) {
        prometheus.query(&expression);
    }
    for expression in [
        "stoker_instances{function=\"f\",state=\"ready\"}",
        "stoker_instances{function=\"f\",state=\"aside\"} == 0",
        "stoker_tls_handshakes_total{result=\"ok\"} == 1",
        "stoker_shed_total{reason=\"memory\"} == 0",
        // Certificates of tests last for ages.
        "stoker_certificate_expiry_timestamp_seconds - time() > 14 * 86400",
    ] {
        assert!(has(expression), "{expression}");
    }
}

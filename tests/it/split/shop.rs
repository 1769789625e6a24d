//! A gateway with a function of the registry, into which revisions are put behind its back, as
//! another gateway would.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixStream;

use rustix::process::Signal;
use stoker_registry::{
    ArchiveKind, Author, Digest, Mirror, NewRevision, Package, Registry, Shift, Sticky, Traffic,
    Weight,
};

use crate::harness::{Client, Function, Gateway, Response, Site, wait_until};

/// A gateway with a function `f` of the registry.
pub(crate) struct Shop {
    pub(crate) gateway: Gateway,
    pub(crate) registry: Registry,
}

impl Shop {
    /// With these revisions, of which the first one gets everything.
    pub(crate) fn new(lines: &str, revisions: &[Function]) -> Shop {
        let gateway = Site::new(lines).start();
        let directory = gateway.site().directory().join("state/registry");
        let registry = Registry::open(&directory, None, 1000).expect("a registry");
        let shop = Shop { gateway, registry };
        for (seed, revision) in (1..).zip(revisions) {
            shop.publish(seed, revision);
        }
        shop.divide(&[(1, 100.0)]);
        shop
    }

    /// Adds a revision, which nobody is sent to.
    pub(crate) fn publish(&self, seed: u8, function: &Function) {
        let digest = Digest([seed; 32]);
        let code = self.registry.files().code(digest);
        fs::create_dir_all(&code).expect("can be made");
        fs::write(code.join("function.toml"), function.manifest()).expect("can be written");
        let new = NewRevision {
            function: "f".to_owned(),
            package: Package {
                digest,
                kind: ArchiveKind::Zip,
                bytes: 1,
            },
            settings: None,
            manifest: function.manifest(),
            author: Author::named("test"),
            shift: Shift::Nothing,
        };
        let published = self.registry.store().publish(new);
        assert_eq!(published.expect("a revision").number, u32::from(seed));
    }

    /// Divides the requests, and waits until that is in force.
    pub(crate) fn divide(&self, weights: &[(u32, f64)]) {
        self.set(weights, None, None);
    }

    /// The same, with what keeps callers at a revision, and a mirror of everything.
    pub(crate) fn set(&self, weights: &[(u32, f64)], sticky: Option<Sticky>, mirror: Option<u32>) {
        let weights = weights.iter();
        let traffic = Traffic {
            weights: weights
                .map(|&(revision, percent)| Weight { revision, percent })
                .collect(),
            sticky,
            mirror: mirror.map(|revision| Mirror {
                revision,
                percent: 100.0,
            }),
        };
        let store = self.registry.store();
        let set = store.set_traffic("f", &traffic, None);
        assert!(set.expect("traffic can be set"));
        self.gateway.signal(Signal::HUP);
        wait_until("the traffic is in force", || {
            let text = self.metrics();
            let shown = |weight: &Weight| {
                let Weight { revision, percent } = weight;
                let of = format!("{{function=\"f\",revision=\"{revision}\"}} {percent}\n");
                text.contains(&format!("stoker_traffic_percent{of}"))
            };
            let copied = text.contains("stoker_mirrored_requests_total{");
            traffic.weights.iter().all(shown) && copied == mirror.is_some()
        });
    }

    pub(crate) fn metrics(&self) -> String {
        self.admin("/metrics").text()
    }

    /// The revisions of the instances that the admin API shows there, ascending.
    pub(crate) fn instances(&self, path: &str) -> Vec<String> {
        let shown = self.admin(path).json();
        let all = shown.get("instances").unwrap_or(&shown);
        let all = all.as_array().expect("a list").iter();
        let mut revisions: Vec<String> = all
            .map(|it| it["revision"].as_str().expect("a text").to_owned())
            .collect();
        revisions.sort();
        revisions
    }

    pub(crate) fn admin(&self, path: &str) -> Response {
        self.client().get(path).expect("an answer")
    }

    /// Sends JSON to the admin API.
    pub(crate) fn send(&self, line: &str, body: &str) -> Response {
        let length = body.len();
        let head = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
        let mut client = self.client();
        let sent = client.request(line, &head, body.as_bytes());
        sent.expect("can be sent");
        client.receive().expect("an answer")
    }

    fn client(&self) -> Client<UnixStream> {
        let socket = self.gateway.site().directory().join("state/admin.sock");
        Client::over(UnixStream::connect(socket).expect("the API accepts"))
    }

    /// A sample of the metrics.
    pub(crate) fn metric(&self, series: &str) -> u64 {
        let text = self.metrics();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(0, |value| value.trim().parse().expect("a number"))
    }

    /// How many of so many requests went to which revision.
    pub(crate) fn count(&self, requests: u32) -> BTreeMap<u32, u32> {
        let mut client = self.gateway.connect();
        let mut counts = BTreeMap::new();
        for _ in 0..requests {
            let answer = client.get("/function/f/work").expect("an answer").good();
            *counts.entry(revision(&answer)).or_default() += 1;
        }
        counts
    }

    /// The processes of a revision's instances.
    pub(crate) fn workers(&self, revision: u32) -> Vec<u32> {
        let number = revision.to_string();
        let mut workers = self.gateway.workers();
        workers.retain(|&pid| {
            crate::harness::process::variable(pid, "STOKER_REVISION").as_ref() == Some(&number)
        });
        workers
    }
}

/// The revision that answered, as the gateway says.
pub(crate) fn revision(answer: &Response) -> u32 {
    let timings = answer.headers.iter();
    let mut timings = timings.filter(|(name, _)| name.eq_ignore_ascii_case("server-timing"));
    let told = timings.find_map(|(_, value)| value.strip_prefix("revision;desc=\""));
    let number = told.and_then(|it| it.strip_suffix('"'));
    number.expect("it is told").parse().expect("a number")
}

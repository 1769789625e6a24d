//! Programs that do not work: the caller learns why, and nobody else notices.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Function, Gateway, Site};

/// How long callers wait for a slot.
const DEADLINE: Duration = Duration::from_secs(60);

/// A function that does not work, and what its callers get.
struct Case {
    name: &'static str,
    function: Function,
    kinds: &'static [&'static str],
    causes: &'static [&'static str],
}

impl Case {
    fn new(
        name: &'static str,
        function: Function,
        kinds: &'static [&'static str],
        causes: &'static [&'static str],
    ) -> Case {
        let times = "[timeouts]\nstart = \"3s\"\nqueue = \"60s\"\n[backoff]\ninitial = \"20ms\"";
        Case {
            name,
            function: function.with(times),
            kinds,
            causes,
        }
    }

    fn check(&self, gateway: &Gateway) {
        let begun = Instant::now();
        let answer = gateway.get(&format!("/function/{}/work", self.name));
        let took = begun.elapsed();
        let kind = self
            .kinds
            .iter()
            .find(|kind| answer.text().contains(&format!(":{kind}\"")));
        let kind =
            kind.unwrap_or_else(|| panic!("{}: not of {:?}: {answer}", self.name, self.kinds));
        let detail = answer.problem(502, kind);
        for cause in self.causes {
            assert!(
                detail.contains(cause),
                "{}: {cause:?} is not in {detail:?}",
                self.name
            );
        }
        assert_eq!(answer.json()["function"], self.name);
        assert!(
            took < DEADLINE,
            "{}: answered after {took:?} only",
            self.name
        );
    }
}

const START: &[&str] = &["start-failed"];
/// It has the request already when it ends: either name is right.
const LOST: &[&str] = &["start-failed", "instance-lost"];

/// The fixture with something wrong.
fn fixtures() -> Vec<Case> {
    let case = Case::new;
    let never = |listen| Function::fixture(listen).env("FIXTURE_NEVER_LISTEN", "1");
    let exits = |listen| Function::fixture(listen).env("FIXTURE_EXIT", "3");
    let garbage = Function::fixture("port").env("FIXTURE_GARBAGE", "1");
    let silent = &["did not listen on", "within 3s"];
    let exited = &["exited with status 3"];
    vec![
        case("silent-port", never("port"), START, silent),
        case("silent-unix", never("unix"), START, silent),
        case(
            "silent-inherit",
            never("inherit"),
            START,
            &["did not accept", "within 3s"],
        ),
        case("exits-port", exits("port"), START, exited),
        case("exits-unix", exits("unix"), START, exited),
        case("exits-inherit", exits("inherit"), LOST, exited),
        case(
            "garbage",
            garbage,
            &["invalid-response"],
            &["not an HTTP response"],
        ),
    ]
}

/// Other programs, or none.
fn programs() -> Vec<Case> {
    const INTERPRETER: &str = "interpreter \"/no/such/interpreter\" does not exist";
    const MISSING: &str = "no such file";
    let case = |name, command: &[&str], causes| {
        Case::new(name, Function::new("port", command), START, causes)
    };
    vec![
        case("missing", &["./nowhere"], &["nowhere\"", MISSING]),
        case(
            "not-on-path",
            &["st-nothing"],
            &["\"st-nothing\"", MISSING, "looked in"],
        ),
        case("interpreter", &["./script"], &["script\"", INTERPRETER]),
        case(
            "forbidden",
            &["./function.toml"],
            &["function.toml\"", "permission denied"],
        ),
        case("signal", &["sh", "-c", "kill -SEGV $$"], &["SIGSEGV"]),
    ]
}

#[test]
fn the_caller_of_a_broken_program_learns_why_and_others_do_not_notice() {
    let cases: Vec<Case> = fixtures().into_iter().chain(programs()).collect();
    let healthy = Function::fixture("inherit").scaling(4, 2, "");
    let mut site = Site::new("").function("healthy", &healthy);
    for case in &cases {
        site = site.function(case.name, &case.function);
    }
    let script = site.manifest("interpreter").with_file_name("script");
    fs::write(&script, "#!/no/such/interpreter\n").expect("can be written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("can be set");
    let gateway = site.start();

    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let bystander = scope.spawn(|| {
            let mut client = gateway.connect();
            let (mut count, mut longest) = (0, Duration::ZERO);
            while !over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                client
                    .get("/function/healthy/work")
                    .expect("it answers")
                    .good();
                longest = longest.max(begun.elapsed());
                count += 1;
            }
            (count, longest)
        });
        let callers: Vec<_> = cases
            .iter()
            .map(|case| scope.spawn(|| case.check(&gateway)))
            .collect();
        let results: Vec<_> = callers.into_iter().map(|caller| caller.join()).collect();
        over.store(true, Ordering::Relaxed);
        let (count, longest) = bystander.join().expect("the healthy function answers");
        println!("meanwhile {count} answers of another function, the slowest after {longest:?}");
        assert!(results.iter().all(Result::is_ok), "see above");
        assert!(
            longest < DEADLINE / 2,
            "another function waited for {longest:?}"
        );
    });
}

#[test]
fn answers_that_are_not_http_are_not_passed_on() {
    let function = Function::fixture("inherit").scaling(1, 1, "");
    let gateway = Site::new("").function("f", &function).start();
    for path in ["/function/f/garbage", "/function/f/big-header?n=100000"] {
        gateway.get(path).problem(502, "invalid-response");
        gateway.get("/function/f/work").good();
    }
}

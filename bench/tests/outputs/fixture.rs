//! Reports with known content.

use std::collections::BTreeMap;
use std::time::Duration;

use stoker_bench::Report;
use stoker_bench::report::{FORMAT, Machine, Moment, Repetition, Series};
use stoker_traces::random::Random;

/// What must not come out of any page as it is.
pub(crate) const HOSTILE: &str = "<script>alert('&\"')</script>\u{0}\u{1b}";

/// One that has everything. `factor` slows it down.
pub(crate) fn report(factor: f64) -> Report {
    let mut random = Random::new(factor.to_bits());
    let machine = Machine {
        cpu: "A CPU @ 2.50GHz".to_owned(),
        cpus: 2,
        memory_bytes: 8 << 30,
        kernel: "6.18.0".to_owned(),
        system: "Debian GNU/Linux 12 (bookworm)".to_owned(),
        more: texts(&[("governor", "performance"), ("load", "0.10 0.05 0.01")]),
    };
    let all = |count: usize, draw: &mut dyn FnMut() -> Repetition| -> Vec<Repetition> {
        (0..count).map(|_| draw()).collect()
    };
    let cold = all(6, &mut || cold(&mut random, factor));
    let warm = all(6, &mut || warm(&mut random));
    let series = |name: &str, repetitions| Series {
        name: name.to_owned(),
        repetitions,
    };
    Report {
        format: FORMAT,
        stoker: "0.1.0".to_owned(),
        mode: "cold".to_owned(),
        command: [
            "stoker",
            "bench",
            "cold",
            "hello",
            "--fail-if",
            "cold.p99 > 20ms",
        ]
        .map(str::to_owned)
        .into(),
        url: "http://127.0.0.1:8080/function/hello".to_owned(),
        begun: "2026-11-21T16:00:00Z".to_owned(),
        machine,
        settings: texts(&[
            ("count", "400"),
            ("repetitions", "6"),
            ("connection", "new"),
        ]),
        series: vec![series("cold", cold), series("warm", warm)],
        timeline: timeline(),
        notes: vec!["the machine was busy: load 1.3".to_owned()],
    }
}

/// One whose every text is hostile.
pub(crate) fn hostile() -> Report {
    let mut report = report(1.0);
    for text in [
        &mut report.stoker,
        &mut report.mode,
        &mut report.url,
        &mut report.begun,
        &mut report.machine.cpu,
        &mut report.machine.kernel,
        &mut report.machine.system,
        &mut report.notes[0],
        &mut report.command[5],
        &mut report.series[0].name,
    ] {
        HOSTILE.clone_into(text);
    }
    report
        .settings
        .insert(HOSTILE.to_owned(), HOSTILE.to_owned());
    let more = &mut report.machine.more;
    more.insert(HOSTILE.to_owned(), HOSTILE.to_owned());
    let one = &mut report.series[0].repetitions[0];
    one.failed.insert(HOSTILE.to_owned(), 1);
    one.discarded.insert(HOSTILE.to_owned(), 1);
    one.figures.insert(HOSTILE.to_owned(), 1.0);
    let phase = one.phases.entry(HOSTILE.to_owned()).or_default();
    phase.record(Duration::from_millis(1));
    report
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn cold(random: &mut Random, factor: f64) -> Repetition {
    let mut one = Repetition {
        answered: 400,
        failed: BTreeMap::from([("status 503".to_owned(), 2), ("timeout".to_owned(), 1)]),
        discarded: BTreeMap::from([("warm".to_owned(), 3)]),
        late: 1,
        elapsed_s: 8.0,
        figures: BTreeMap::from([("evictions".to_owned(), 403.0 + random.unit().round())]),
        ..Repetition::default()
    };
    let run = factor * (0.02 * random.normal()).exp();
    for _ in 0..400 {
        let slow = if random.unit() < 0.02 { 4.0 } else { 1.0 };
        let mut whole = 0.0;
        let mut start = 0.0;
        for (name, micros) in [
            ("decide", 20.0),
            ("prepare", 40.0),
            ("spawn", 90.0),
            ("clone", 110.0),
            ("exec", 350.0),
            ("listen", 0.5),
            ("connect", 30.0),
            ("first-byte", 210.0),
        ] {
            let took = micros * run * slow * (0.25 * random.normal()).exp();
            phase(&mut one, name, took);
            if !matches!(name, "connect" | "first-byte") {
                start += took;
            }
            whole += took;
        }
        phase(&mut one, "start", start);
        phase(&mut one, "queue", start + 15.0);
        phase(&mut one, "total", whole + 15.0);
        one.first_byte.record(micros(whole + 95.0));
        one.total.record(micros(whole + 110.0));
    }
    one
}

fn warm(random: &mut Random) -> Repetition {
    let mut one = Repetition {
        answered: 400,
        offered_per_s: Some(50.0),
        elapsed_s: 8.0,
        ..Repetition::default()
    };
    for _ in 0..400 {
        let took = 120.0 * (0.2 * random.normal()).exp();
        one.first_byte.record(micros(took));
        one.total.record(micros(took + 8.0));
    }
    one
}

fn phase(one: &mut Repetition, name: &str, took_us: f64) {
    let phase = one.phases.entry(name.to_owned()).or_default();
    phase.record(micros(took_us));
}

fn micros(us: f64) -> Duration {
    Duration::from_nanos((us * 1e3) as u64)
}

fn timeline() -> Vec<Moment> {
    let moments = (0..200).map(|index| {
        let wave = (f64::from(index) / 20.0).sin().max(0.0);
        Moment {
            at_ms: f64::from(index) * 50.0,
            starting: (wave * 6.0) as u32,
            ready: (wave * 20.0) as u32,
            draining: u32::from(index % 40 > 32) * 3,
            frozen: 4,
            waiting: (wave * 30.0) as u32,
            in_flight: (wave * 20.0) as u32,
        }
    });
    moments.collect()
}

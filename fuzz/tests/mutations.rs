//! Runs every target over its corpus and over mutations of it: the same ones each time.
//!
//! `STOKER_FUZZ_FACTOR` multiplies their number, `STOKER_FUZZ_SEED` makes them others, and
//! `STOKER_FUZZ_TARGET` leaves one target only.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use stoker_fuzz::{TARGETS, Target};

/// What parsers look for.
const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b":",
    b": ",
    b" ",
    b"\t",
    b"/",
    b"//",
    b"..",
    b".",
    b";",
    b"%2e",
    b"%2f",
    b"%5c",
    b"%00",
    b"\\",
    b"{a}",
    b"{*b}",
    b"0",
    b"5",
    b"ffffffff",
    b"-1",
    b"+",
    b",",
    b"\"",
    b"[",
    b"]",
    b"=",
    b"'''",
    b"#",
    b"content-length",
    b"transfer-encoding",
    b"chunked",
    b"connection",
    b"close",
    b"keep-alive",
    b"host",
    b"upgrade",
    b"h2c",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"GET",
    b"traceparent",
    b"x-request-id",
    b"cookie",
    b"\xff\xff\xff\xff",
    b"\x7f",
    b"\x80",
    b"99999999999999999999",
    b"&",
    b"code=",
    b"stk_",
    b"wait=",
    b"ms",
    b"%",
    b"10.0.0.1",
    b"::1",
    b"::ffff:",
    b"PROXY ",
    b"TCP4",
    b"e30",
    b"null",
    b"\xc3\xa9",
];

#[test]
fn every_target_holds() {
    let factor: usize = variable("STOKER_FUZZ_FACTOR", 1);
    let only = std::env::var("STOKER_FUZZ_TARGET").ok();
    for target in TARGETS {
        if only.as_ref().is_none_or(|name| name == target.name) {
            run(target, factor);
        }
    }
}

fn variable<T: std::str::FromStr>(name: &str, default: T) -> T {
    let value = std::env::var(name).ok();
    value.and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn run(target: &Target, factor: usize) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name);
    let mut files: Vec<_> = fs::read_dir(&directory)
        .expect("every target has a corpus")
        .map(|entry| entry.expect("can be listed").path())
        .collect();
    files.sort();
    let corpus: Vec<Vec<u8>> = files
        .iter()
        .map(|file| fs::read(file).expect("can be read"))
        .collect();
    assert!(!corpus.is_empty(), "{} has no corpus", target.name);
    for input in &corpus {
        attempt(target, input);
    }
    let mut random = Random(variable("STOKER_FUZZ_SEED", 0x5707_4e12));
    for _ in 0..target.runs * factor {
        let mut input = corpus[random.below(corpus.len())].clone();
        for _ in 0..=random.below(6) {
            mutate(&mut input, &corpus, &mut random);
        }
        input.truncate(16 << 10);
        attempt(target, &input);
    }
    println!(
        "{}: {} inputs",
        target.name,
        corpus.len() + target.runs * factor
    );
}

fn attempt(target: &Target, input: &[u8]) {
    let result = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let shown = input.escape_ascii();
    assert!(result.is_ok(), "{} fails on b\"{shown}\"", target.name);
}

/// Changes a little, in one of the ways that break parsers.
fn mutate(input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = (at + random.below(16)).min(input.len());
    match random.below(7) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 if at < input.len() => input[at] = random.below(256) as u8,
        2 => drop(input.drain(at..end)),
        3 => {
            let copy = input[at..end].to_vec();
            let to = random.below(input.len() + 1);
            input.splice(to..to, copy);
        }
        4 => {
            let other = &corpus[random.below(corpus.len())];
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => {
            let word = WORDS[random.below(WORDS.len())];
            input.splice(at..at, word.iter().copied());
        }
    }
}

/// SplitMix64: the same numbers each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((value ^ (value >> 31)) % bound as u64) as usize
    }
}

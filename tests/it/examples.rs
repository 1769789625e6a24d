//! The functions under `examples/`, by their own manifests, called as their README says.

use std::fs;
use std::path::PathBuf;

use crate::harness::{Gateway, Site};

/// The examples of the checkout, built.
fn examples() -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples");
    for program in ["hello-rust/bin/hello", "thumbnail/bin/thumbnail"] {
        let built = directory.join(program).exists();
        assert!(
            built,
            "{program} is missing: run `make test`, which runs examples/build.sh"
        );
    }
    directory
}

fn start() -> Gateway {
    let directory = examples();
    Site::new(&format!(
        "functions = [{:?}]",
        directory.to_str().expect("a path in UTF-8")
    ))
    .start()
}

/// Width and height of a JPEG or PNG.
fn size(picture: &[u8]) -> (u32, u32) {
    if let Some(rest) = picture.strip_prefix(b"\x89PNG\r\n\x1a\n") {
        let number =
            |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().expect("four bytes"));
        return (number(8), number(12));
    }
    assert_eq!(picture[..2], [0xff, 0xd8], "neither JPEG nor PNG");
    let mut at = 2;
    loop {
        assert_eq!(picture[at], 0xff, "a marker");
        let number = |at: usize| u32::from(picture[at]) << 8 | u32::from(picture[at + 1]);
        if matches!(picture[at + 1], 0xc0..=0xc2) {
            return (number(at + 7), number(at + 5));
        }
        at += 2 + number(at + 2) as usize;
    }
}

#[test]
fn greetings_in_three_languages() {
    let gateway = start();
    let python = gateway.get("/function/hello-python?name=Ada").good();
    assert!(python.text().contains("Ada"), "{}", python.text());
    let node = gateway.get("/function/hello-node?name=Ada").good();
    assert!(node.text().contains("Ada"), "{}", node.text());
    let rust = gateway.get("/function/hello-rust").good();
    assert!(rust.text().starts_with("Hello"), "{}", rust.text());
    assert_eq!(rust.header("stoker-start"), Some("cold"));
    let again = gateway.get("/function/hello-rust").good();
    assert_eq!(again.header("stoker-start"), Some("warm"));
}

#[test]
fn a_shell_script_counts_words() {
    let gateway = start();
    let text = b"one two three\nfour\n";
    let counted = gateway
        .connect()
        .post("/function/word-count-shell", text)
        .expect("an answer");
    let counted = counted.good();
    assert_eq!(
        (
            counted.number("lines"),
            counted.number("words"),
            counted.number("bytes")
        ),
        (2, 4, text.len() as u64)
    );
}

#[test]
fn pictures_become_small_pictures() {
    let gateway = start();
    let sample = fs::read(examples().join("thumbnail/sample.jpg")).expect("the sample is there");
    let (width, height) = size(&sample);
    for (query, kind, longest) in [
        ("?width=100&height=100", "image/jpeg", 100),
        ("?width=64&height=64&format=png", "image/png", 64),
    ] {
        let path = format!("/function/thumbnail{query}");
        let small = gateway
            .connect()
            .post(&path, &sample)
            .expect("an answer")
            .good();
        assert_eq!(small.header("content-type"), Some(kind));
        let (small_width, small_height) = size(&small.body);
        assert_eq!(small_width.max(small_height), longest, "{query}");
        let kept = (width > height) == (small_width > small_height);
        assert!(kept, "{width}x{height} became {small_width}x{small_height}");
    }
    let refused = gateway
        .connect()
        .post("/function/thumbnail", b"no picture")
        .expect("an answer");
    assert_eq!(refused.status, 415);
    assert_eq!(refused.header("stoker-origin"), Some("function"));
}

#[test]
fn primes_are_counted() {
    let gateway = start();
    let answer = gateway.get("/function/primes?n=1000").good();
    assert!(answer.text().contains("168"), "{}", answer.text());
}

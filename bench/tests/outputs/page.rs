//! The page: whole, alone, and drawn by a browser.

use std::io::{ErrorKind, Read};
use std::process::{Command, Stdio};

use stoker_bench::Report;
use stoker_bench::output::page::render;

use crate::fixture::{HOSTILE, hostile, report};

/// The page as XML, which is stricter than HTML.
fn parse(page: &str) -> roxmltree::Document<'_> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..Default::default()
    };
    roxmltree::Document::parse_with_options(page, options).expect("the page is well-formed")
}

fn text(document: &roxmltree::Document<'_>) -> String {
    let visible = document.descendants().filter(|node| {
        let inside = |name: &str| node.ancestors().any(|parent| parent.has_tag_name(name));
        node.is_text() && !inside("script") && !inside("style")
    });
    visible
        .filter_map(|node| node.text())
        .collect::<Vec<_>>()
        .join("|")
}

#[test]
fn everything_is_on_the_page() {
    let page = render(&report(1.0));
    let document = parse(&page);
    let text = text(&document);
    for wanted in [
        "http://127.0.0.1:8080/function/hello",
        "cold",
        "warm",
        "99.9 %",
        "p99.9",
        "first-byte",
        "exec",
        "status 503",
        "timeout",
        "frozen",
        "at most 29",
        "stoker bench cold hello --fail-if 'cold.p99 > 20ms'",
        "performance",
        "the machine was busy: load 1.3",
        "evictions",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in {text}");
    }
    // Each series has a curve of its own in both charts.
    for name in ["cold", "warm"] {
        let curves = document
            .descendants()
            .filter(|node| node.attribute("data-name") == Some(name));
        assert_eq!(curves.count(), 2, "{name}");
    }
}

#[test]
fn the_page_refers_to_nothing() {
    for page in [render(&report(1.0)), render(&hostile())] {
        let document = parse(&page);
        for node in document.descendants() {
            let name = node.tag_name().name();
            let foreign = [
                "link", "img", "iframe", "object", "embed", "image", "use", "a", "form",
            ];
            assert!(!foreign.contains(&name), "{name}");
            for attribute in node.attributes() {
                let foreign = ["src", "href", "style", "srcset", "action", "data"];
                assert!(!foreign.contains(&attribute.name()), "{}", attribute.name());
                assert!(!attribute.name().starts_with("on"), "{}", attribute.name());
            }
        }
        assert!(!page.contains("url(") && !page.contains("@import") && !page.contains("import("));
    }
}

#[test]
fn nothing_gets_out_of_its_place() {
    let page = render(&hostile());
    let document = parse(&page);
    let scripts = document
        .descendants()
        .filter(|node| node.has_tag_name("script"));
    assert_eq!(scripts.count(), 1);
    assert!(!page.contains("<script>alert"));
    let shown = HOSTILE.replace(['\u{0}', '\u{1b}'], "\u{fffd}");
    assert!(text(&document).matches(&shown).count() >= 12);
}

#[test]
fn nothing_is_a_page_too() {
    for report in [Report::default(), {
        let mut empty = report(1.0);
        empty
            .series
            .iter_mut()
            .for_each(|one| one.repetitions.clear());
        empty.timeline.truncate(1);
        empty
    }] {
        let page = render(&report);
        parse(&page);
        assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    }
}

#[test]
fn what_is_not_drawn_is_in_the_table() {
    let mut steps = report(1.0);
    let step = steps.series.remove(0);
    steps.series = (1..=20)
        .map(|number| {
            let mut step = step.clone();
            step.name = format!("step-{number}");
            step
        })
        .collect();
    let page = render(&steps);
    let document = parse(&page);
    let curves = document
        .descendants()
        .filter(|node| node.attribute("data-name").is_some());
    assert_eq!(curves.count(), 16);
    let text = text(&document);
    assert!(text.contains("The first 8 series are drawn; all are below."));
    assert!(text.contains("step-20"));
}

/// `scripts/setup-tests` installs it; without it nothing can be said.
#[test]
fn a_browser_draws_the_page() {
    let directory = std::env::temp_dir().join(format!("stoker-page-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("page.html");
    std::fs::write(&file, render(&report(1.0))).unwrap();
    let browser = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ])
        .args([
            "--disable-extensions",
            "--disable-background-networking",
            "--no-first-run",
        ])
        .args(["--dump-dom", "--enable-logging=stderr"])
        .arg(format!(
            "--user-data-dir={}",
            directory.join("profile").display()
        ))
        .arg(format!("file://{}", file.display()))
        .stdin(Stdio::null())
        .output();
    let output = match browser {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return,
        other => other.unwrap(),
    };
    std::fs::remove_dir_all(&directory).unwrap();
    let mut page = String::new();
    output.stdout.as_slice().read_to_string(&mut page).unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(page.contains("data-script=\"ran\""), "{told}\n{page}");
    assert!(page.contains("data-name=\"cold\""), "{page}");
    assert!(!told.contains("CONSOLE"), "{told}");
}

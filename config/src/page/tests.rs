use std::path::Path;

use super::*;
use crate::function::{self, Place};
use crate::gateway;

const GATEWAY: &str = include_str!("../reference/stoker.toml");
const MANIFEST: &str = include_str!("../reference/function.toml");

/// What text is made of that is likely to confuse a parser.
const SPLICES: [&str; 24] = [
    "\"",
    "'",
    "\"\"\"",
    "'''",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\n",
    "\r",
    "#",
    "\0",
    "-1",
    "99999999999999999999",
    "1e999",
    "nan",
    "\u{fffd}",
    "ü",
    "\\u0000",
];

/// splitmix64: no seed is lost on a zero.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize % bound.max(1)
    }

    fn place(&mut self, text: &str) -> usize {
        let mut at = self.below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// One to four cuts, copies and splices.
    fn mutate(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..=self.below(4) {
            let (a, b) = (self.place(&text), self.place(&text));
            let (start, end) = (a.min(b), a.max(b));
            match self.below(5) {
                0 => {
                    let first = text[start..end].chars().next().map_or(0, char::len_utf8);
                    text.replace_range(start..start + first, "");
                }
                1 => text.replace_range(start..end, ""),
                2 => {
                    let copy = text[start..end].to_owned();
                    text.insert_str(a, &copy);
                }
                _ => text.insert_str(a, SPLICES[self.below(SPLICES.len())]),
            }
        }
        text
    }
}

/// Every error that is found says where and what.
fn complete(errors: &[ConfigError], text: &str) {
    let lines = 1 + text.matches('\n').count();
    for error in errors {
        assert!(error.line <= lines, "{error}\n{text}");
        assert!(
            !error.value.is_empty() && !error.expected.is_empty(),
            "{error}"
        );
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn no_mutation_makes_it_panic() {
    let file = Path::new("/srv/hello/function.toml");
    let mut random = Random(1);
    let mut faults = 0;
    for _ in 0..750 {
        let text = random.mutate(MANIFEST);
        let (_, errors) = function::read(
            Place {
                file,
                absolute: file,
                name: None,
            },
            &text,
        );
        complete(&errors, &text);
        faults += errors.len();
        let text = random.mutate(GATEWAY);
        let (_, errors) = gateway::read(file, Path::new("/srv"), &text);
        complete(&errors, &text);
        faults += errors.len();
    }
    assert!(faults > 750, "the mutations are too tame: {faults}");
}

#[test]
fn deep_nesting_is_an_error() {
    let file = Path::new("/srv/hello/function.toml");
    for text in [
        "[".repeat(100_000),
        format!("a = {}", "[".repeat(100_000)),
        "a.".repeat(100_000),
    ] {
        let (_, errors) = function::read(
            Place {
                file,
                absolute: file,
                name: None,
            },
            &text,
        );
        assert!(!errors.is_empty());
    }
}

#[test]
fn the_text_after_a_key_with_no_value_is_read() {
    let text = "a 5\n[b]\nc = 1\n?\n[d]\ne = x\nlast";
    let room = OnceCell::new();
    let (page, table) = Page::parse(Path::new("x"), (text, &room), Vec::new);
    assert_eq!(
        locate(&table, "b.c").map(|value| page.line(value.span().start)),
        Some(3)
    );
    assert_eq!(
        page.into_errors()
            .iter()
            .map(|e| e.line)
            .collect::<Vec<_>>(),
        [1, 4, 6, 7]
    );
    // Slow only by a bounded factor, whatever the text.
    let text = "a\n".repeat(500);
    assert!(
        !Page::parse(Path::new("x"), (&text, &OnceCell::new()), Vec::new)
            .0
            .is_whole()
    );
}

/// With an effort that grows with the text's length, not with its square.
#[test]
fn a_file_of_nothing_but_errors() {
    let file = Path::new("/srv/hello/function.toml");
    for line in ["a = x", "a = 1 # ", "b", "[[routes]] # ", "[scaling]\nx = "] {
        let lines = (0..5_000)
            .map(|index| format!("{line}{index}\n"))
            .collect::<String>();
        let (_, errors) = function::read(
            Place {
                file,
                absolute: file,
                name: None,
            },
            &lines,
        );
        assert!(!errors.is_empty(), "{line}");
    }
}

#[test]
fn keys_are_located() {
    let room = OnceCell::new();
    let (page, table) = Page::parse(
        Path::new("x"),
        ("a = [1, 2]\n[b]\nc = 3\n[[d]]\n[[d]]\ne = 4", &room),
        Vec::new,
    );
    let line = |key| locate(&table, key).map(|value| page.line(value.span().start));
    assert_eq!(
        [line("a[1]"), line("b.c"), line("d[1].e")],
        [Some(1), Some(3), Some(6)]
    );
    assert_eq!(
        [line("a[2]"), line("b.d"), line("d[0].e"), line("")],
        [None; 4]
    );
}

#[test]
fn long_values_are_cut() {
    let text = format!("a = \"{}\"\nb = [1,\n  2]", "ü".repeat(100));
    let room = OnceCell::new();
    let (mut page, table) = Page::parse(Path::new("x"), (&text, &room), Vec::new);
    for key in ["a", "b"] {
        let span = locate(&table, key).unwrap().span();
        page.fault(key.to_owned(), span, "less".to_owned());
    }
    let errors = page.into_errors();
    assert_eq!(errors[0].value, format!("\"{}...", "ü".repeat(59)));
    assert_eq!((errors[1].value.as_str(), errors[1].line), ("[1, 2]", 2));
}

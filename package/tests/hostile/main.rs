//! Archives that mean harm, or are broken: each is refused with the reason, nothing is written
//! outside, and nothing stays.

#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod links;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/scratch.rs"]
mod scratch;
mod sizes;

use std::fs;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use raw::{ZipEntry, gzip, header, long_end, tar_entry, tar_gz, zip, zip_that_counts};
use scratch::{Scratch, contents};
use stoker_package::{Limits, PackageError, Reason, Summary, check_and_unpack};

/// Limits that are reached soon.
fn small() -> Limits {
    Limits {
        archive_bytes: 4 << 20,
        total_bytes: 40 << 20,
        ratio: 100,
        entries: 500,
        path_bytes: 200,
        depth: 8,
        file_bytes: 30 << 20,
    }
}

/// Unpacks in a directory that nothing else may change in.
fn unpack(scratch: &Scratch, archive: &[u8]) -> Result<Summary, PackageError> {
    let (file, into) = (scratch.path("archive"), scratch.path("inner/into"));
    fs::create_dir(scratch.path("inner")).unwrap();
    for name in ["victim", "inner/victim"] {
        fs::write(scratch.path(name), "whole").unwrap();
    }
    fs::write(&file, archive).unwrap();
    let before = contents(&scratch.0);
    let result = check_and_unpack(&file, &into, &small());
    let after = contents(&scratch.0);
    let others = |name: &&String| name.starts_with("inner/into");
    let inside = after.keys().filter(others).count();
    assert_eq!(inside > 0, result.is_ok(), "it is gone if it is refused");
    let outside = after.into_iter().filter(|(name, _)| !others(&name));
    assert!(outside.eq(before), "nothing outside has changed");
    result
}

fn reason(archive: &[u8]) -> Reason {
    match unpack(&Scratch::new(), archive) {
        Err(PackageError::Refused(refusal)) => refusal.reason,
        other => panic!("is not refused: {other:?}"),
    }
}

fn words(archive: &[u8]) -> String {
    unpack(&Scratch::new(), archive).unwrap_err().to_string()
}

fn named(name: impl AsRef<[u8]>) -> ZipEntry {
    ZipEntry::file(name, b"x")
}

fn link(name: &str, target: &str) -> ZipEntry {
    ZipEntry::special(name, 0o120_777, target.as_bytes())
}

#[test]
fn names_that_lead_outside_or_deceive_are_refused() {
    let long = "a/".repeat(120);
    for (name, expected) in [
        ("/etc/cron.d/x", Reason::Absolute),
        ("//etc/x", Reason::Absolute),
        ("..", Reason::Parent),
        ("../victim", Reason::Parent),
        ("a/../../victim", Reason::Parent),
        ("a/..", Reason::Parent),
        (".//victim", Reason::EmptyPart),
        ("a//b", Reason::EmptyPart),
        ("a/./b", Reason::EmptyPart),
        ("", Reason::EmptyPart),
        ("..\\victim", Reason::Character('\\')),
        ("C:\\victim", Reason::Character('\\')),
        ("a\u{1b}[2Jb", Reason::Character('\u{1b}')),
        ("a\nb", Reason::Character('\n')),
        ("a\u{7f}", Reason::Character('\u{7f}')),
        (long.as_str(), Reason::PathTooLong(200)),
        ("1/2/3/4/5/6/7/8/9", Reason::TooDeep(8)),
    ] {
        assert_eq!(reason(&zip(&[named(name)])), expected, "{name:?}");
        // The same after good ones, which are gone then, and as tar, whose name field is shorter.
        assert_eq!(reason(&zip(&[named("good/one"), named(name)])), expected);
        let pax = format!("path={name}\n");
        let digits = (pax.len() + 2..).find(|all| *all == pax.len() + 1 + all.to_string().len());
        let record = format!("{} {pax}", digits.unwrap());
        let tar = tar_gz(&[
            tar_entry("good/one", b'0', b"x", ""),
            tar_entry("pax", b'x', record.as_bytes(), ""),
            tar_entry("fine", b'0', b"x", ""),
        ]);
        assert_eq!(reason(&tar), expected, "{name:?} in pax");
        let gnu = tar_gz(&[
            tar_entry("././@LongLink", b'L', format!("{name}\0").as_bytes(), ""),
            tar_entry("fine", b'0', b"x", ""),
        ]);
        assert_eq!(reason(&gnu), expected, "{name:?} of GNU");
    }
    assert_eq!(reason(&zip(&[named("a\0b")])), Reason::Character('\0'));
    let words = words(&zip(&[named("../victim")]));
    assert_eq!(
        words,
        "\"../victim\" in the package has a part \"..\", which could lead outside"
    );
}

#[test]
fn odd_encodings_are_refused() {
    let latin = zip(&[named(b"caf\xe9")]);
    assert_eq!(reason(&latin), Reason::Encoding);
    // UTF-8 that is not marked so would be code page 437 for others.
    let unmarked = ZipEntry {
        flags: 0,
        ..named("caf\u{e9}")
    };
    assert_eq!(reason(&zip(&[unmarked])), Reason::Encoding);
    let overlong = zip(&[named(b"a/\xc0\xae\xc0\xae/victim")]);
    assert_eq!(reason(&overlong), Reason::Encoding);
    let surrogate = zip(&[named(b"\xed\xa0\x80")]);
    assert_eq!(reason(&surrogate), Reason::Encoding);
    let tar = tar_gz(&[header(b"caf\xe9", b'0', "0", b"")]);
    assert_eq!(reason(&tar), Reason::Encoding);
}

#[test]
fn one_name_is_there_once() {
    assert_eq!(reason(&zip(&[named("a"), named("a")])), Reason::Duplicate);
    assert_eq!(reason(&zip(&[named("a"), named("./a")])), Reason::Duplicate);
    assert_eq!(reason(&zip(&[named("a"), named("a/b")])), Reason::Duplicate);
    assert_eq!(reason(&zip(&[named("a/b"), named("a")])), Reason::Duplicate);
    let twice = tar_entry("a", b'0', b"x", "");
    assert_eq!(reason(&tar_gz(&[twice.clone(), twice])), Reason::Duplicate);
    // Linux tells these apart, and so is done here; directories may be named again.
    let scratch = Scratch::new();
    let many = zip(&[
        named("readme"),
        named("README"),
        named("caf\u{e9}"),
        named("cafe\u{301}"),
        ZipEntry::special("d/", 0o040_755, b""),
        ZipEntry::special("d/", 0o040_755, b""),
    ]);
    assert_eq!(unpack(&scratch, &many).unwrap().files, 4);
}

#[test]
fn entries_that_share_bytes_are_refused() {
    // Many names for one file's bytes: the older kind of bomb.
    let content = vec![b'a'; 100_000];
    let mut entries = vec![ZipEntry::file("0", &content)];
    for number in 1..100 {
        entries.push(ZipEntry {
            name: number.to_string().into_bytes(),
            at: Some(0),
            packed: Vec::new(),
            packed_length: Some(entries[0].packed.len() as u32),
            ..entries[0].clone()
        });
    }
    assert_eq!(reason(&zip(&entries)), Reason::Overlap);
    // Each quotes the header of the next as a stored block of its own: David Fifield's.
    let kernel = named("kernel");
    let length = kernel.packed.len() as u32 + 30 + 6;
    let mut quoting = ZipEntry::special("quote", 0o100_644, b"");
    quoting.packed_length = Some(length);
    quoting.length = length;
    assert_eq!(reason(&zip(&[quoting, kernel])), Reason::Overlap);
    // Into the directory, and beyond the end.
    let mut into = named("a");
    into.packed_length = Some(60);
    assert_eq!(reason(&zip(&[into.clone()])), Reason::Overlap);
    into.packed_length = Some(u32::MAX);
    assert_eq!(reason(&zip(&[into])), Reason::Overlap);
    let mut far = named("a");
    far.at = Some(u32::MAX - 1);
    assert_eq!(reason(&zip(&[far])), Reason::Overlap);
    // With the sum beyond what a number can be.
    let mut huge = named("a");
    huge.at = Some(u32::MAX);
    huge.extra = [&[1, 0, 8, 0][..], &u64::MAX.to_le_bytes()].concat();
    assert_eq!(reason(&zip(&[huge])), Reason::Overlap);
}

#[test]
fn what_is_encrypted_or_unknown_is_refused() {
    for flag in [1, 1 << 6, 1 << 13] {
        let entry = ZipEntry {
            flags: flag | 1 << 11,
            ..named("a")
        };
        assert_eq!(reason(&zip(&[entry])), Reason::Encrypted);
    }
    for method in [1, 6, 9, 12, 14, 93, 95, 99] {
        let entry = ZipEntry {
            method,
            ..named("a")
        };
        assert_eq!(reason(&zip(&[entry])), Reason::Compression(method));
    }
    let split = ZipEntry {
        disk: 1,
        ..named("a")
    };
    assert_eq!(reason(&zip(&[split])), Reason::Split);
    assert_eq!(reason(b"Rar!\x1a\x07\x01\0"), Reason::Unknown);
    assert_eq!(reason(b"7z\xbc\xaf\x27\x1c"), Reason::Unknown);
    assert_eq!(reason(b""), Reason::Unknown);
    // A tar that is not compressed, and a program with an archive behind it.
    assert_eq!(reason(&tar_entry("a", b'0', b"x", "")), Reason::Unknown);
    let hidden = [b"#!/bin/sh\n".to_vec(), zip(&[named("a")])].concat();
    assert_eq!(reason(&hidden), Reason::Unknown);
    let shifted = [zip(&[named("a")]), zip(&[named("b")])].concat();
    assert!(matches!(reason(&shifted), Reason::Damaged(_)));
}

#[test]
fn what_disagrees_is_refused() {
    let damaged = |archive: Vec<u8>| assert!(matches!(reason(&archive), Reason::Damaged(_)));
    let mut entry = named("a");
    entry.checksum ^= 1;
    damaged(zip(&[entry]));
    let mut entry = named("a");
    entry.length += 1;
    damaged(zip(&[entry]));
    // Two readers would see two names.
    let mut entry = named("a");
    entry.local_name = Some(b"../victim".to_vec());
    damaged(zip(&[entry]));
    let mut entry = named("a");
    entry.packed.extend(b"hidden");
    damaged(zip(&[entry]));
    let mut entry = named("a");
    entry.packed = vec![0xff; 40];
    damaged(zip(&[entry]));
    damaged(zip(&[ZipEntry::special("a", 0o040_755, b"x")]));
    damaged(zip_that_counts(&[named("a"), named("b")], 1));
    assert!(matches!(
        reason(&zip_that_counts(&[named("a")], 2)),
        Reason::Truncated | Reason::Damaged(_)
    ));
    let whole = zip(&[named("a")]);
    for length in [4, 20, 60, whole.len() - 1] {
        assert_eq!(reason(&whole[..length]), Reason::Truncated, "{length}");
    }
}

#[test]
fn tar_that_lies_is_refused() {
    let whole = tar_gz(&[tar_entry("a", b'0', b"x", "")]);
    for length in [2, 10, 30, whole.len() - 1] {
        assert_eq!(reason(&whole[..length]), Reason::Truncated, "{length}");
    }
    let mut flipped = whole.clone();
    let at = flipped.len() - 8;
    flipped[at] ^= 1;
    assert!(matches!(reason(&flipped), Reason::Damaged(_)));
    // Sizes of a tebibyte, and negative ones, before anything is written or kept.
    let huge = header(b"a", b'0', "77777777777\0", b"");
    assert_eq!(reason(&tar_gz(&[huge])), Reason::FileTooLong(30 << 20));
    for kind in [b'L', b'K'] {
        let long = header(b"././@LongLink", kind, "77777777777\0", b"");
        assert_eq!(reason(&tar_gz(&[long])), Reason::PathTooLong(200));
    }
    for kind in [b'x', b'g'] {
        let records = header(b"pax", kind, "77777777777\0", b"");
        assert!(matches!(reason(&tar_gz(&[records])), Reason::Damaged(_)));
    }
    let mut negative = header(b"a", b'0', "0", b"");
    negative[124..136].fill(0xff);
    raw::seal(&mut negative);
    assert!(matches!(reason(&tar_gz(&[negative])), Reason::Damaged(_)));
    let mut unsealed = tar_entry("a", b'0', b"x", "");
    unsealed[0] = b'b';
    assert!(matches!(reason(&tar_gz(&[unsealed])), Reason::Damaged(_)));
    let cut = gzip(&tar_entry("a", b'0', &[b'x'; 600], "")[..700]);
    assert_eq!(reason(&cut), Reason::Truncated);
    let second = gzip(&[vec![0; 1024], tar_entry("../victim", b'0', b"x", "")].concat());
    assert!(matches!(reason(&second), Reason::Damaged(_)));
    let two_lengths = tar_gz(&[
        tar_entry("pax", b'x', b"12 size=512\n", ""),
        tar_entry("a", b'0', b"x", ""),
    ]);
    assert!(matches!(reason(&two_lengths), Reason::Damaged(_)));
    let for_all = tar_gz(&[
        tar_entry("pax", b'g', b"19 path=../victim_\n", ""),
        tar_entry("a", b'0', b"x", ""),
    ]);
    assert!(matches!(reason(&for_all), Reason::Damaged(_)));
    let headers = vec![tar_entry("pax", b'x', b"10 a=bcde\n", ""); 100_000];
    assert!(matches!(reason(&tar_gz(&headers)), Reason::Damaged(_)));
}

/// Archives that are right, to be broken.
fn seeds() -> Vec<Vec<u8>> {
    let files = [
        named("a/b"),
        ZipEntry::file("c", &b"warm ".repeat(100)),
        link("l", "a/b"),
        ZipEntry::special("d/", 0o040_755, b""),
    ];
    let tar = [
        tar_entry("././@LongLink", b'L', b"long/name\0", ""),
        tar_entry("a", b'0', b"x", ""),
        tar_entry("pax", b'x', b"11 path=abc\n", ""),
        tar_entry("b", b'0', &b"warm ".repeat(100), ""),
        tar_entry("l", b'2', b"", "abc"),
        tar_entry("h", b'1', b"", "abc"),
    ];
    vec![zip(&files), tar.concat()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever becomes of an archive: no panic, and [`unpack`] looks at what is outside.
    #[test]
    fn broken_archives_do_no_harm(
        is_tar in any::<bool>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
        is_sealed in any::<bool>(),
    ) {
        let mut bytes = seeds().swap_remove(usize::from(is_tar));
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if is_tar {
            if is_sealed {
                bytes.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar").for_each(raw::seal);
            }
            bytes = gzip(&bytes);
        }
        unpack(&Scratch::new(), &bytes).ok();
    }
}

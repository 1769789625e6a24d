//! Links, devices, and rights.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn links_that_leave_are_refused() {
    for target in [
        "/etc/passwd",
        "..",
        "../victim",
        "d/../../victim",
        "../into/a",
    ] {
        let linked = zip(&[named("a"), named("d/b"), link("l", target)]);
        assert_eq!(reason(&linked), Reason::LinkLeaves, "{target}");
        let tar = tar_gz(&[
            tar_entry("d/b", b'0', b"x", ""),
            tar_entry("l", b'2', b"", target),
        ]);
        assert_eq!(reason(&tar), Reason::LinkLeaves, "{target} in tar");
    }
    // By text this stays inside, but `here` is another place than it seems.
    let crooked = zip(&[
        named("x/y/z"),
        link("here", "x/y"),
        link("x/up", "../here/../../.."),
    ]);
    assert_eq!(reason(&crooked), Reason::LinkLeaves);
    for (name, target) in [("l", "absent"), ("l", "l"), ("l", "a/b"), ("l", "")] {
        let dangling = zip(&[named("a"), link(name, target)]);
        assert_eq!(reason(&dangling), Reason::LinkDangles, "{target:?}");
    }
    let circle = zip(&[link("one", "two"), link("two", "one")]);
    assert_eq!(reason(&circle), Reason::LinkDangles);
    let odd = zip(&[named("a"), link("l", "a\nb")]);
    assert_eq!(reason(&odd), Reason::Character('\n'));
    let long = zip(&[named("a"), link("l", &"./".repeat(150))]);
    assert_eq!(reason(&long), Reason::PathTooLong(200));
}

#[test]
fn nothing_is_written_through_a_link() {
    // The order is the classic attack: first the link, then a file below it.
    for target in ["..", "../..", "d"] {
        let through = zip(&[named("d/a"), link("l", target), named("l/victim")]);
        assert_eq!(reason(&through), Reason::Duplicate, "{target}");
        let over = zip(&[named("d/a"), link("l", target), named("l")]);
        assert_eq!(reason(&over), Reason::Duplicate, "{target}");
    }
    let tar = tar_gz(&[
        tar_entry("l", b'2', b"", "../victim"),
        tar_entry("l", b'0', b"broken", ""),
    ]);
    assert_eq!(reason(&tar), Reason::Duplicate);
    // A hard link to a link, or to anything that is not a file here.
    for target in ["l", "d", "absent", "l/b", "."] {
        let tar = tar_gz(&[
            tar_entry("d/b", b'0', b"x", ""),
            tar_entry("l", b'2', b"", "d"),
            tar_entry("h", b'1', b"", target),
        ]);
        assert_eq!(reason(&tar), Reason::LinkDangles, "{target}");
    }
    for (target, expected) in [
        ("../victim", Reason::Parent),
        ("/etc/passwd", Reason::Absolute),
    ] {
        let tar = tar_gz(&[tar_entry("h", b'1', b"", target)]);
        assert_eq!(reason(&tar), expected, "{target}");
    }
    let over = tar_gz(&[
        tar_entry("a", b'0', b"x", ""),
        tar_entry("h", b'1', b"", "a"),
        tar_entry("h", b'0', b"broken", ""),
    ]);
    assert_eq!(reason(&over), Reason::Duplicate);
}

#[test]
fn links_that_stay_are_kept() {
    let scratch = Scratch::new();
    let archive = tar_gz(&[
        // Before what they point to, as tar may have them.
        tar_entry("l", b'2', b"", "d/../d/a"),
        tar_entry("again", b'2', b"", "./l"),
        tar_entry("d/a", b'0', b"x", ""),
        tar_entry("d/up", b'2', b"", "../d"),
        tar_entry("h", b'1', b"", "./d/a"),
    ]);
    let summary = unpack(&scratch, &archive).unwrap();
    assert_eq!((summary.files, summary.links), (1, 4));
    let into = scratch.path("inner/into");
    assert_eq!(fs::read(into.join("again")).unwrap(), b"x");
    assert_eq!(fs::read(into.join("d/up/a")).unwrap(), b"x");
    assert_eq!(fs::metadata(into.join("h")).unwrap().nlink(), 2);
}

#[test]
fn devices_and_their_like_are_refused() {
    for mode in [0o020_666, 0o060_666, 0o010_666, 0o140_777, 0o070_000] {
        let device = zip(&[ZipEntry::special("dev", mode, b"")]);
        assert_eq!(reason(&device), Reason::Special, "{mode:o}");
    }
    for kind in [b'3', b'4', b'6'] {
        let device = tar_gz(&[tar_entry("dev", kind, b"", "")]);
        assert_eq!(reason(&device), Reason::Special);
    }
    for (kind, expected) in [
        (b'S', Reason::Sparse),
        (b'V', Reason::EntryKind('V')),
        (b'M', Reason::EntryKind('M')),
        (b'D', Reason::EntryKind('D')),
        (0xff, Reason::EntryKind('\u{ff}')),
    ] {
        assert_eq!(reason(&tar_gz(&[tar_entry("a", kind, b"", "")])), expected);
    }
    let sparse = tar_gz(&[
        tar_entry("pax", b'x', b"22 GNU.sparse.major=1\n", ""),
        tar_entry("a", b'0', b"x", ""),
    ]);
    assert_eq!(reason(&sparse), Reason::Sparse);
}

#[test]
fn rights_beyond_execution_are_dropped() {
    let scratch = Scratch::new();
    let archive = zip(&[
        ZipEntry::special("suid", 0o106_777, b"x"),
        ZipEntry::special("secret", 0o100_600, b"x"),
        ZipEntry::special("d/", 0o043_777, b""),
    ]);
    unpack(&scratch, &archive).unwrap();
    let mode = |name: &str| {
        let path = scratch.path("inner/into").join(name);
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    };
    assert_eq!(mode("suid"), 0o755);
    assert_eq!(mode("secret"), 0o644);
    assert_eq!(mode("d"), 0o755);
    let scratch = Scratch::new();
    unpack(&scratch, &tar_gz(&[tar_entry("suid", b'0', b"x", "")])).unwrap();
    let suid = fs::metadata(scratch.path("inner/into/suid")).unwrap();
    assert_eq!(suid.permissions().mode() & 0o7777, 0o755);
}

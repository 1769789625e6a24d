//! Bombs, and very many entries.

use super::*;

#[test]
fn bombs_are_refused() {
    let zeros = vec![0; 20 << 20];
    let one = ZipEntry::file("zeros", &zeros);
    assert_eq!(reason(&zip(std::slice::from_ref(&one))), Reason::Ratio(100));
    // It says that it is short: what comes counts.
    let liar = ZipEntry {
        length: 1,
        ..one.clone()
    };
    assert_eq!(reason(&zip(&[liar])), Reason::Ratio(100));
    let tar = tar_gz(&[tar_entry("zeros", b'0', &zeros, "")]);
    assert_eq!(reason(&tar), Reason::Ratio(100));
    // Gzip in gzip is one file, and is not unpacked further.
    let nested = zip(&[ZipEntry::file("inner.gz", &gzip(&zeros))]);
    assert_eq!(unpack(&Scratch::new(), &nested).unwrap().files, 1);
    let long = ZipEntry::file("long", &vec![0; (30 << 20) + 1]);
    assert_eq!(reason(&zip(&[long])), Reason::FileTooLong(30 << 20));
    // Enough that does not compress for the ratio to be fine.
    let noise = noise(1 << 20);
    let both = zip(&[
        ZipEntry::file("noise", &noise),
        one.clone(),
        ZipEntry {
            name: b"more".to_vec(),
            ..one
        },
    ]);
    assert_eq!(reason(&both), Reason::TooLong(40 << 20));
    let archive = vec![b'P'; (4 << 20) + 1];
    assert_eq!(reason(&archive), Reason::ArchiveTooLong(4 << 20));
    // Zeros between and after the files of a tar are nobody's, but take time.
    let tail = gzip(&[tar_entry("a", b'0', b"x", ""), vec![0; 60 << 20]].concat());
    assert!(matches!(reason(&tail), Reason::Damaged(_)));
}

/// Bytes that do not compress, the same ones each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn too_many_entries_are_refused() {
    let files: Vec<ZipEntry> = (0..501).map(|number| named(number.to_string())).collect();
    assert_eq!(reason(&zip(&files)), Reason::TooManyEntries(500));
    // Few entries, many directories: those count too.
    let deep: Vec<ZipEntry> = (0..100)
        .map(|number| named(format!("{number}/2/3/4/5/6/7/8")))
        .collect();
    assert_eq!(reason(&zip(&deep)), Reason::TooManyEntries(500));
    let tar: Vec<Vec<u8>> = (0..501)
        .map(|number| tar_entry(&number.to_string(), b'0', b"", ""))
        .collect();
    assert_eq!(reason(&tar_gz(&tar)), Reason::TooManyEntries(500));
    let again = vec![tar_entry("d/", b'5', b"", ""); 501];
    assert_eq!(reason(&tar_gz(&again)), Reason::TooManyEntries(500));
}

/// Where the test below puts its archives, when it runs itself for their sake.
const CHILD: &str = "STOKER_HOSTILE_ARCHIVES";

#[test]
fn a_million_entries_take_little_memory() {
    if let Some(directory) = std::env::var_os(CHILD) {
        return refuse_millions(Path::new(&directory));
    }
    let scratch = Scratch::new();
    let million = 1_000_000;
    let entry = zip(&[named("a")]);
    // Local header and content, then what the directory says of it.
    let (local, rest) = entry.split_at(30 + 1 + 3);
    let central = &rest[..47];
    for (name, count) in [("honest", million), ("lying", 50_000)] {
        let file = fs::File::create(scratch.path(name)).unwrap();
        let mut file = BufWriter::new(file);
        file.write_all(local).unwrap();
        for _ in 0..million {
            file.write_all(central).unwrap();
        }
        let end = long_end(count, million * 47, local.len() as u64);
        file.write_all(&end).unwrap();
        file.into_inner().unwrap();
    }
    let block = tar_entry("d/", b'5', b"", "");
    let many = gzip(&block.repeat(million as usize / 4));
    fs::write(scratch.path("tar"), many.repeat(4)).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sizes::a_million_entries_take_little_memory"])
        .env(CHILD, &scratch.0)
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && output.contains("1 passed"),
        "{output}"
    );
}

fn refuse_millions(directory: &Path) {
    let limits = Limits::default();
    for (name, expected) in [
        ("honest", Reason::TooManyEntries(50_000)),
        ("lying", Reason::Damaged("the number of its entries")),
        ("tar", Reason::TooManyEntries(50_000)),
    ] {
        let before = peak_kib();
        let result = check_and_unpack(&directory.join(name), &directory.join("into"), &limits);
        match result {
            Err(PackageError::Refused(refusal)) => assert_eq!(refusal.reason, expected),
            other => panic!("{name} is not refused: {other:?}"),
        }
        let more = peak_kib() - before;
        assert!(more < 16 << 10, "{name} took {more} KiB");
        assert!(!directory.join("into").exists());
    }
}

/// Most memory that this process ever had.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let digits = line.unwrap().trim().trim_end_matches(" kB");
    digits.parse().unwrap()
}

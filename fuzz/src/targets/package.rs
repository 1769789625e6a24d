//! Packages that are published.

use std::fs;
use std::path::{Path, PathBuf};

use stoker_package::{Kind, Limits, PackageError, check_and_unpack, list, pack};

/// Whatever an archive says: nothing is written outside, what is refused leaves nothing, and what is
/// taken is within the limits and can be packed and unpacked again.
///
/// An input that is a tar itself gets right checksums and is compressed first, so that mutations reach
/// what is inside.
pub(crate) fn run(data: &[u8]) {
    let scratch = Scratch::new();
    let (archive, inner) = (scratch.0.join("archive"), scratch.0.join("inner"));
    let into = inner.join("into");
    let is_tar = data.get(257..262) == Some(b"ustar");
    let bytes = if is_tar {
        gzip(&sealed(data))
    } else {
        data.to_vec()
    };
    fs::create_dir(&inner).expect("there is room");
    fs::write(&archive, &bytes).expect("there is room");
    let limits = Limits {
        archive_bytes: 1 << 20,
        total_bytes: 1 << 20,
        file_bytes: 1 << 19,
        entries: 64,
        path_bytes: 128,
        depth: 6,
        ..Limits::default()
    };
    let result = check_and_unpack(&archive, &into, &limits);
    assert_eq!(names(&scratch.0), ["archive", "inner"]);
    match result {
        Err(PackageError::Refused(refusal)) => {
            assert!(!refusal.to_string().contains(char::is_control));
            assert!(names(&inner).is_empty(), "what is refused leaves nothing");
        }
        Err(PackageError::Io { what, source }) => panic!("{what}: {source}"),
        Ok(summary) => {
            assert_eq!(names(&inner), ["into"]);
            assert!(summary.total_bytes <= limits.total_bytes);
            assert!(summary.files + summary.directories + summary.links <= limits.entries);
            again(&scratch.0, &into);
        }
    }
}

/// What was unpacked is packed and unpacked, and is the same.
fn again(scratch: &Path, into: &Path) {
    let items = list(into).expect("what was unpacked can be listed");
    let (archive, copy) = (scratch.join("again"), scratch.join("copy"));
    pack(into, &archive, Kind::Zip, &mut |_| {}).expect("and packed");
    let limits = Limits {
        ratio: u32::MAX,
        ..Limits::default()
    };
    // An ignore file among it may leave out what a link leads to.
    match check_and_unpack(&archive, &copy, &limits) {
        Ok(_) => assert_eq!(list(&copy).expect("as before"), items),
        Err(error) => assert!(into.join(".stokerignore").exists(), "{error}"),
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("is there");
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// With the right checksum in every header that looks like one.
fn sealed(data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    for block in data.chunks_exact_mut(512) {
        if &block[257..262] == b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    data
}

/// In stored blocks (RFC 1951, 3.2.4).
fn gzip(data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for block in data.chunks(u16::MAX.into()) {
        let length = block.len() as u16;
        bytes.push(0);
        bytes.extend(length.to_le_bytes());
        bytes.extend((!length).to_le_bytes());
        bytes.extend(block);
    }
    bytes.extend([1, 0, 0, 0xff, 0xff]);
    bytes.extend(crc32fast::hash(data).to_le_bytes());
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes
}

/// A directory that goes when it is dropped, in memory where that is possible.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let memory = Path::new("/dev/shm");
        let place = match memory.is_dir() {
            true => memory.to_owned(),
            false => std::env::temp_dir(),
        };
        let path = place.join(format!("stoker-fuzz-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("there is room");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

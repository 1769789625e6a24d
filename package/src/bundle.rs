//! Archives made of texts, for publishers that have no files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use crate::zip::write::{Method, Writer};

/// A regular file, and one that anybody may execute.
const FILE: u32 = 0o100_644;
const PROGRAM: u32 = 0o100_755;

/// Archives texts, each with its path, as a zip at `out`. Those that begin with `#!` are programs.
/// Paths are not checked here: that is for whoever unpacks.
///
/// # Errors
/// If there are too many of them for a zip archive, or `out` cannot be written.
pub fn bundle(texts: &BTreeMap<String, String>, out: &Path) -> io::Result<()> {
    let mut writer = Writer::new(File::create(out)?);
    for (path, text) in texts {
        let mode = if text.starts_with("#!") {
            PROGRAM
        } else {
            FILE
        };
        writer.add(path, mode, Method::Deflated, &mut text.as_bytes())?;
    }
    writer.finish().map(drop)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::{Limits, check_and_unpack};

    #[test]
    fn texts_become_files() {
        let root = std::env::temp_dir().join(format!("stkb-{}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        let text = |text: &str| text.to_owned();
        let mut texts = BTreeMap::from([
            (text("function.toml"), text("name = \"f\"\n")),
            (text("bin/run"), text("#!/bin/sh\n")),
        ]);
        let (archive, tree) = (root.join("archive"), root.join("tree"));
        bundle(&texts, &archive).unwrap();
        let summary = check_and_unpack(&archive, &tree, &Limits::default()).unwrap();
        assert_eq!((summary.files, summary.directories), (2, 1));
        let mode = |path: &str| tree.join(path).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("bin/run"), mode("function.toml")), (0o755, 0o644));
        // What leads outside is refused where archives are.
        texts.insert(text("../out"), text("x"));
        bundle(&texts, &archive).unwrap();
        assert!(check_and_unpack(&archive, &root.join("other"), &Limits::default()).is_err());
        std::fs::remove_dir_all(root).unwrap();
    }
}

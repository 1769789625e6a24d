//! Lists the files of the runners, which are embedded: a file that is added there is added here.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Directory below `runtimes/` and the endings of its files.
const RUNNERS: [(&str, &[&str]); 2] = [
    ("python/stoker_runtime", &["py"]),
    ("node", &["mjs", "cjs"]),
];

fn main() -> io::Result<()> {
    let home = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let runtimes = home.join("../runtimes").canonicalize()?;
    let mut text = String::from("[\n");
    for (directory, endings) in RUNNERS {
        let path = runtimes.join(directory);
        println!("cargo::rerun-if-changed={}", path.display());
        for file in files(&path, endings)? {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            writeln!(
                text,
                "    (\"{directory}/{name}\", include_str!({:?})),",
                file.display().to_string()
            )
            .expect("a text takes all");
        }
    }
    text.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("runners.rs"), text)
}

/// In order, so that the same files make the same program.
fn files(directory: &Path, endings: &[&str]) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|it| endings.iter().any(|ending| it == *ending))
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

//! `stoker simulate --write`.

use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::calls::{Input, Origin, line};

/// The calls as a trace that can be read again.
pub(super) fn write(input: &Input, path: &Path) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot write {}: {error}", path.display());
    // Before anything is written, which would be lost on what is read.
    let mut calls = input.open()?;
    if let Origin::Trace(trace, _) = &input.origin
        && is_same_file(trace, path)
    {
        let path = path.display();
        return Err(format!(
            "{path} is the trace itself, which would be overwritten while it is read: write to \
             another file"
        ));
    }
    let mut file = BufWriter::new(fs::File::create(path).map_err(failed)?);
    writeln!(file, "function,arrival,duration,start").map_err(failed)?;
    let mut batch = Vec::new();
    loop {
        calls.read(&mut batch, 1 << 12)?;
        if batch.is_empty() {
            break;
        }
        let names: Vec<_> = calls.functions().cloned().collect();
        for arrival in &batch {
            let name = &names[arrival.function as usize];
            writeln!(file, "{}", line(name, arrival)).map_err(failed)?;
        }
    }
    file.flush().map_err(failed)
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino()));
    matches!((place(one), place(other)), (Ok(one), Ok(other)) if one == other)
}

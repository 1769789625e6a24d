//! What is written of a report: a table for people, and files.

pub mod csv;
pub mod page;
pub mod table;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::Report;

/// What to write, and where to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputOptions {
    /// The table on the standard output.
    pub table: bool,
    /// The report itself, as JSON.
    pub json: Option<PathBuf>,
    /// The figures; beside it, in `NAME.cdf.csv`, the distributions.
    pub csv: Option<PathBuf>,
    /// The page.
    pub html: Option<PathBuf>,
}

/// Writes all that is asked for, replacing files that are there. An error names the file.
pub fn write(report: &Report, options: &OutputOptions) -> io::Result<()> {
    if let Some(path) = &options.json {
        let mut text = serde_json::to_vec(report)?;
        text.push(b'\n');
        save(path, &text)?;
    }
    if let Some(path) = &options.csv {
        save(path, csv::figures(report).as_bytes())?;
        save(
            &distributions_path(path),
            csv::distributions(report).as_bytes(),
        )?;
    }
    if let Some(path) = &options.html {
        save(path, page::render(report).as_bytes())?;
    }
    if options.table {
        let mut out = io::stdout().lock();
        out.write_all(table::render(report).as_bytes())?;
        out.flush()?;
    }
    Ok(())
}

/// `results.cdf.csv` for `results.csv`.
pub fn distributions_path(csv: &Path) -> PathBuf {
    let mut name = OsString::from(csv.file_stem().unwrap_or_default());
    name.push(".cdf.csv");
    csv.with_file_name(name)
}

fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let all = || {
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(bytes)?;
        file.flush()
    };
    all().map_err(|cause: io::Error| {
        io::Error::new(
            cause.kind(),
            format!("{} cannot be written: {cause}", path.display()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_are_beside_the_figures() {
        for (csv, wanted) in [
            ("results.csv", "results.cdf.csv"),
            ("/tmp/a.b.csv", "/tmp/a.b.cdf.csv"),
            ("plain", "plain.cdf.csv"),
        ] {
            assert_eq!(distributions_path(Path::new(csv)), Path::new(wanted));
        }
    }

    #[test]
    fn errors_name_the_file() {
        let options = OutputOptions {
            html: Some("/nonexistent/page.html".into()),
            ..OutputOptions::default()
        };
        let error = write(&Report::default(), &options).unwrap_err().to_string();
        assert!(
            error.starts_with("/nonexistent/page.html cannot be written: "),
            "{error}"
        );
    }
}

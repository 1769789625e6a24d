//! Why a program could not be executed, in words.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::clone::{CloneError, Prepared, Stage};
use super::protocol::{Fault, Program};
use super::{confine, prepare};

/// The sentence for `error`, and whether it may pass.
pub(super) fn explain(error: CloneError, program: &Program, prepared: &Prepared) -> Fault {
    let cause = words(error.error);
    let detail = match error.stage {
        Stage::Clone if error.error == Errno::PERM && !program.isolation.namespaces.is_empty() => {
            let names = confine::names(&program.isolation);
            let hint = if names.contains("user") {
                "the kernel or a container around the gateway does not allow it"
            } else {
                "without root they take the namespace \"user\", too"
            };
            format!("cannot make the namespaces {names}: {cause} ({hint})")
        }
        Stage::Clone => format!("cannot clone a process: {cause}"),
        Stage::Confine => {
            let what = confine::explain(error.index, &program.isolation);
            format!("{what}: {cause}")
        }
        Stage::Filter => format!("cannot keep it from system calls: {cause}"),
        Stage::Group => format!("cannot make a process group: {cause}"),
        Stage::Enter => format!("cannot enter its control group: {cause}"),
        Stage::NoNewPrivileges => format!("cannot give up privileges: {cause}"),
        Stage::Descriptors => format!("cannot arrange descriptors: {cause}"),
        Stage::ParentDeath => "the spawner died while it started the program".to_owned(),
        Stage::Directory => {
            format!(
                "cannot enter the working directory {:?}: {cause}",
                program.directory
            )
        }
        Stage::User => {
            let user = program.user.as_deref().unwrap_or_default();
            format!("cannot become the user \"{user}\": {cause}")
        }
        Stage::Limit => match program.rlimits.get(error.index) {
            Some((limit, value)) => format!("cannot set the limit {limit:?} to {value}: {cause}"),
            None => format!("cannot set the limit of open files: {cause}"),
        },
        Stage::Execute => execution(error, program, prepared, &cause),
    };
    let passing = matches!(
        error.error,
        Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE | Errno::TXTBSY
    );
    let transient = match error.stage {
        Stage::Clone => error.error != Errno::PERM,
        Stage::Group | Stage::NoNewPrivileges | Stage::ParentDeath => true,
        Stage::Descriptors | Stage::Enter => true,
        Stage::Confine | Stage::Filter => passing,
        Stage::Directory | Stage::Limit | Stage::User | Stage::Execute => passing,
    };
    Fault {
        transient,
        exited: false,
        detail,
    }
}

/// An error as a lower-case phrase, without its number.
pub(crate) fn words(error: Errno) -> String {
    let text = std::io::Error::from(error).to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

/// Why `execve` refused.
fn execution(error: CloneError, program: &Program, prepared: &Prepared, cause: &str) -> String {
    let name = program.command.first().map_or("", String::as_str);
    let in_directory = |candidate: &std::ffi::CString| -> PathBuf {
        program
            .directory
            .join(Path::new(&*candidate.to_string_lossy()))
    };
    if error.error == Errno::NOENT {
        let present = prepared
            .candidates
            .iter()
            .map(in_directory)
            .find(|path| path.exists());
        let hidden =
            |path: &PathBuf| program.isolation.tmp_bytes.is_some() && path.starts_with("/tmp");
        return match present {
            Some(path) if hidden(&path) => {
                format!("cannot execute \"{name}\": it is below /tmp, and it has a /tmp of its own")
            }
            Some(path) => match interpreter(&path) {
                Some(interpreter) => format!(
                    "cannot execute \"{name}\": its interpreter \"{interpreter}\" does not exist"
                ),
                None => format!("cannot execute \"{name}\": its dynamic loader does not exist"),
            },
            None if name.contains('/') => format!("cannot execute \"{name}\": {cause}"),
            None => {
                let path = prepare::path(program);
                format!("cannot execute \"{name}\": {cause} (looked in {path})")
            }
        };
    }
    if error.error == Errno::NOEXEC {
        return format!(
            "cannot execute \"{name}\": it is neither a program of this machine nor a script that \
             begins with #!"
        );
    }
    format!("cannot execute \"{name}\": {cause}")
}

/// The interpreter in the first line of a script.
fn interpreter(path: &Path) -> Option<String> {
    // The kernel itself reads no more than 256 bytes of the line.
    let mut head = Vec::new();
    File::open(path)
        .ok()?
        .take(256)
        .read_to_end(&mut head)
        .ok()?;
    let line = head
        .strip_prefix(b"#!")?
        .split(|&byte| byte == b'\n')
        .next()?;
    let line = String::from_utf8_lossy(line);
    line.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_phrases() {
        assert_eq!(words(Errno::NOENT), "no such file or directory");
        assert_eq!(words(Errno::ACCESS), "permission denied");
    }
}

//! From a request to what the child needs, so that the child itself has nothing to compute.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;

use super::clone::Prepared;
use super::protocol::{Fault, Program, Readiness};
use super::{confine, user};
use crate::driver::Rlimit;

/// Where programs are looked up if their environment has no PATH.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Everything in the kernel's terms, or why it cannot be run. `function` names the host where it has
/// a name of its own.
pub(super) fn prepare(
    program: &Program,
    readiness: Readiness,
    function: &str,
) -> Result<Prepared, Fault> {
    let Some(name) = program.command.first().filter(|name| !name.is_empty()) else {
        return Err(Fault::lasting("cannot execute an empty command".to_owned()));
    };
    let identity = program.user.as_deref().map(user::identity).transpose()?;
    let identity = identity.flatten();
    Ok(Prepared {
        candidates: candidates(name, path(program))?,
        arguments: strings(&program.command, "an argument")?,
        environment: environment(&program.environment)?,
        directory: terminated(program.directory.as_os_str(), "the working directory")?,
        rlimits: program
            .rlimits
            .iter()
            .map(|&(limit, value)| (resource(limit), value))
            .collect(),
        confinement: confine::prepare(program, function, identity.is_some())?,
        identity,
        observe: readiness == Readiness::Observed,
    })
}

/// The PATH that the program is looked up on.
pub(super) fn path(program: &Program) -> &str {
    let mut variables = program.environment.iter();
    variables
        .find(|(key, _)| key == "PATH")
        .map_or(DEFAULT_PATH, |(_, value)| value)
}

/// The files that `name` may mean, in order.
fn candidates(name: &str, path: &str) -> Result<Vec<CString>, Fault> {
    if name.contains('/') {
        return Ok(vec![terminated(OsStr::new(name), "the command")?]);
    }
    path.split(':')
        .map(|directory| match directory {
            "" => format!("./{name}"),
            directory => format!("{directory}/{name}"),
        })
        .map(|candidate| terminated(OsStr::new(&candidate), "the command"))
        .collect()
}

/// `KEY=value` for each.
pub(super) fn environment(variables: &[(String, String)]) -> Result<Vec<CString>, Fault> {
    variables
        .iter()
        .map(|(key, value)| {
            if key.is_empty() || key.contains('=') {
                let detail = format!("\"{key}\" cannot be the name of an environment variable");
                return Err(Fault::lasting(detail));
            }
            terminated(
                OsStr::new(&format!("{key}={value}")),
                "an environment variable",
            )
        })
        .collect()
}

/// Terminated copies.
fn strings(values: &[String], what: &str) -> Result<Vec<CString>, Fault> {
    values
        .iter()
        .map(|value| terminated(OsStr::new(value), what))
        .collect()
}

/// A terminated copy.
fn terminated(value: &OsStr, what: &str) -> Result<CString, Fault> {
    CString::new(value.as_bytes())
        .map_err(|_| Fault::lasting(format!("{what} contains a zero byte")))
}

/// The kernel's number.
fn resource(limit: Rlimit) -> u32 {
    match limit {
        Rlimit::OpenFiles => libc::RLIMIT_NOFILE,
        Rlimit::AddressSpace => libc::RLIMIT_AS,
        Rlimit::CpuSeconds => libc::RLIMIT_CPU,
        Rlimit::Processes => libc::RLIMIT_NPROC,
        Rlimit::FileSize => libc::RLIMIT_FSIZE,
        Rlimit::Core => libc::RLIMIT_CORE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, path: &str) -> Vec<String> {
        let found = candidates(name, path).expect("no zero bytes");
        found
            .into_iter()
            .map(|path| path.into_string().expect("was a string"))
            .collect()
    }

    #[test]
    fn bare_names_are_looked_up_in_order() {
        assert_eq!(shown("node", "/a::/b"), ["/a/node", "./node", "/b/node"]);
    }

    #[test]
    fn paths_are_taken_as_they_are() {
        assert_eq!(shown("./node", "/a"), ["./node"]);
    }

    #[test]
    fn names_with_an_equals_sign_are_refused() {
        let fault = environment(&[("A=B".to_owned(), String::new())]).expect_err("must fail");
        assert_eq!(
            fault.detail,
            "\"A=B\" cannot be the name of an environment variable"
        );
    }
}

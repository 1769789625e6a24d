//! What is executed for a runner, and which functions may share it.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Desk, Key};
use crate::driver::{Language, RuntimeLaunch};
use crate::spawner::proc::{INSTANCE, SCOPE};
use crate::spawner::protocol::{Fault, Program};
use crate::spawner::runners::{self, Mode};

/// Variables of one instance.
const OF_INSTANCE: [&str; 3] = [INSTANCE, "LISTEN_FDS", "LISTEN_FDNAMES"];

/// Variables that a process goes by when it boots, by name or beginning of the name.
const BOOT_NAMES: [&str; 4] = ["PATH", "TZ", "LANG", SCOPE];
const BOOT_BEGINNINGS: [&str; 7] = ["NODE_", "UV_", "LD_", "LC_", "OPENSSL_", "SSL_", "MALLOC_"];

/// What may be shared has the same key: for Python that is one revision of one function, for Node
/// whatever boots alike and as the same user.
pub(super) fn key(
    function: &str,
    revision: &str,
    program: &Program,
    runtime: &RuntimeLaunch,
) -> Key {
    match runtime.language {
        Language::Python => Arc::from(format!("python {function} {revision}")),
        Language::Node => {
            let program = of_pool(program, runtime);
            // All of it: what a process is confined by must never be shared by accident.
            let parts = serde_json::to_string(&program).expect("a program is JSON");
            Arc::from(format!("node {parts}"))
        }
    }
}

/// The program with nothing in its environment that belongs to one instance.
pub(super) fn without_instance(program: &Program) -> Program {
    let mut program = program.clone();
    program
        .environment
        .retain(|(name, _)| !OF_INSTANCE.contains(&name.as_str()));
    program
}

/// The program of a parent or a cell, before its runner is added. A cell gets only what it boots
/// by, in an order of its own, and is nowhere in particular.
pub(super) fn of_pool(program: &Program, runtime: &RuntimeLaunch) -> Program {
    let mut program = without_instance(program);
    if runtime.language == Language::Node {
        program.environment.retain(|(name, _)| affects_boot(name));
        program.environment.sort();
        program.directory = PathBuf::from("/");
    }
    program
}

fn affects_boot(name: &str) -> bool {
    let mut beginnings = BOOT_BEGINNINGS.iter();
    BOOT_NAMES.contains(&name) || beginnings.any(|beginning| name.starts_with(beginning))
}

impl Desk {
    /// The program that runs the runner in this mode.
    pub(super) fn program(
        &mut self,
        program: &Program,
        runtime: &RuntimeLaunch,
        mode: Mode,
    ) -> Result<Program, Fault> {
        let file = runners::main_file(&self.runners()?, runtime.language);
        // The state directory's path was found to be UTF-8 before.
        let file = file.to_string_lossy().into_owned();
        let mut program = program.clone();
        program.command.extend([file, mode.name().to_owned()]);
        if mode != Mode::Cell {
            settings(runtime, &mut program.environment);
        }
        let mut add =
            |name: &str, value: String| program.environment.push((name.to_owned(), value));
        match mode {
            Mode::Serve => {}
            Mode::Parent => {
                add("STOKER_CONTROL", "3".to_owned());
                add("STOKER_SPAWNER_PID", std::process::id().to_string());
            }
            Mode::Cell => {
                // How Node itself speaks to a process that it has forked.
                add("NODE_CHANNEL_FD", "3".to_owned());
                add("NODE_CHANNEL_SERIALIZATION_MODE", "json".to_owned());
            }
        }
        Ok(program)
    }
}

/// What a runner that loads a handler at once finds in its environment.
fn settings(runtime: &RuntimeLaunch, environment: &mut Vec<(String, String)>) {
    let mut add = |name: &str, value: String| environment.push((name.to_owned(), value));
    add("STOKER_HANDLER", runtime.handler.clone());
    add("STOKER_INTERFACE", runtime.interface.clone());
    add("STOKER_CONCURRENCY", runtime.concurrency.to_string());
    if runtime.websocket_bytes > 0 {
        add(
            "STOKER_WEBSOCKET_BYTES",
            runtime.websocket_bytes.to_string(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::{Isolation, Resources};

    fn program(environment: &[(&str, &str)], user: Option<&str>) -> Program {
        Program {
            command: vec!["x".to_owned()],
            environment: environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            directory: PathBuf::from("/srv"),
            user: user.map(str::to_owned),
            rlimits: Vec::new(),
            resources: Resources::default(),
            isolation: Isolation::default(),
        }
    }

    fn runtime(language: Language) -> RuntimeLaunch {
        RuntimeLaunch {
            language,
            handler: "main".to_owned(),
            interface: "auto".to_owned(),
            concurrency: 1,
            preload: true,
            fallback: false,
            websocket_bytes: 0,
        }
    }

    #[test]
    fn a_runner_is_told_its_bound_of_messages() {
        let mut with = runtime(Language::Python);
        with.websocket_bytes = 7;
        let told = |runtime: &RuntimeLaunch| {
            let mut environment = Vec::new();
            settings(runtime, &mut environment);
            environment
                .into_iter()
                .find(|(name, _)| name == "STOKER_WEBSOCKET_BYTES")
        };
        assert_eq!(told(&runtime(Language::Python)), None, "its own default");
        assert_eq!(told(&with).map(|(_, value)| value), Some("7".to_owned()));
    }

    #[test]
    fn parents_are_of_one_revision_of_one_function() {
        let of = |function, revision| {
            let runtime = runtime(Language::Python);
            key(function, revision, &program(&[], None), &runtime)
        };
        assert_eq!(of("f", "r"), of("f", "r"));
        assert_ne!(of("f", "r"), of("g", "r"));
        assert_ne!(of("f", "r"), of("f", "s"));
    }

    #[test]
    fn cells_are_shared_by_what_boots_alike() {
        let of = |function, environment: &[(&str, &str)], user| {
            let runtime = runtime(Language::Node);
            key(function, "r", &program(environment, user), &runtime)
        };
        let one = of("f", &[("PATH", "/bin"), ("SECRET", "1")], None);
        assert_eq!(one, of("g", &[("OTHER", "2"), ("PATH", "/bin")], None));
        assert!(
            !one.contains("SECRET"),
            "a cell knows no function's variables"
        );
        assert_ne!(one, of("f", &[("PATH", "/usr/bin")], None));
        assert_ne!(one, of("f", &[("PATH", "/bin")], Some("nobody")));
        let flags = [("PATH", "/bin"), ("NODE_OPTIONS", "--no-warnings")];
        assert_ne!(one, of("f", &flags, None));
    }

    #[test]
    fn what_belongs_to_one_instance_is_left_out() {
        let all = [("STOKER_INSTANCE", "1-2"), ("A", "b"), ("LISTEN_FDS", "1")];
        let rest = without_instance(&program(&all, None));
        assert_eq!(rest.environment, [("A".to_owned(), "b".to_owned())]);
    }
}

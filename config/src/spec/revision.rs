//! The revision of a function: a hash of everything that requires new instances.

#[cfg(test)]
mod tests;

use std::os::unix::ffi::OsStrExt as _;

use super::runtime::WEBSOCKET_BYTES;
use super::{
    Contract, FunctionLimits, FunctionSpec, IsolationSpec, Listen, ResourcesSpec, RuntimeSpec,
};

impl FunctionSpec {
    /// Sixteen hex digits over all that an instance is started with; the same in every process.
    /// Routes, access, scaling, the number of spares, deadlines and `limits.body-bytes` are the
    /// gateway's business and may change under running instances; the concurrency may not if there
    /// is a `runtime`, whose runner goes by it.
    pub fn revision(&self) -> String {
        // Taken apart by name, so that a new field cannot be forgotten here.
        let Self {
            name,
            number,
            manifest: _,
            build: _,
            command,
            runtime,
            contract,
            listen,
            routes: _,
            environment,
            secrets,
            working_directory,
            user,
            scaling,
            schedule: _,
            limits,
            resources,
            isolation,
            timeouts,
            access: _,
            server_errors_fail: _,
            retry: _,
            budget: _,
            shadow: _,
        } = self;
        let mut hash = Fnv::new();
        hash.text(name.as_bytes());
        hash.number(command.len() as u64);
        for argument in command {
            hash.text(argument.as_bytes());
        }
        hash.number(match contract {
            Contract::Http => 0,
            Contract::H2c => 1,
        });
        hash.number(match listen {
            Listen::Port => 0,
            Listen::Unix => 1,
            Listen::Inherit => 2,
        });
        hash.number(environment.len() as u64);
        for (name, value) in environment {
            hash.text(name.as_bytes());
            hash.text(value.as_bytes());
        }
        // None in the manifests of files, whose hash is what it was before there were any.
        for secret in secrets {
            hash.text(secret.variable.as_bytes());
            hash.text(secret.version.as_bytes());
        }
        hash.text(working_directory.as_os_str().as_bytes());
        hash.optional(user.as_ref(), |hash, user| hash.text(user.as_bytes()));
        hash.limits(limits);
        hash.number(u64::try_from(timeouts.start.as_nanos()).unwrap_or(u64::MAX));
        hash.resources(resources);
        hash.isolation(isolation);
        // Without one it is what it was before there were runtimes.
        if let Some(runtime) = runtime {
            hash.runtime(runtime);
            hash.number(scaling.concurrency.into());
        }
        // The same code under two numbers is two revisions, with instances and counts of their own.
        if let Some(number) = number {
            hash.text(b"number");
            hash.number((*number).into());
        }
        format!("{:016x}", hash.0)
    }
}

/// 64-bit FNV-1a: small, and fixed by its specification where the standard library's hashers are
/// free to change.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    /// With its length, so that neighbours cannot trade bytes.
    fn text(&mut self, text: &[u8]) {
        self.number(text.len() as u64);
        self.bytes(text);
    }

    fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.number(u64::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn runtime(&mut self, runtime: &RuntimeSpec) {
        let RuntimeSpec {
            language,
            handler,
            interface,
            preload,
            fallback,
            websocket_bytes,
        } = runtime;
        self.text(language.name().as_bytes());
        self.text(handler.as_bytes());
        self.text(interface.name().as_bytes());
        self.number(u64::from(*preload));
        self.number(u64::from(*fallback));
        // Nothing for the default, as in releases that knew no other.
        if *websocket_bytes != WEBSOCKET_BYTES {
            self.text(b"websocket");
            self.number(*websocket_bytes);
        }
    }

    /// Nothing if there are none, as in releases that knew none: instances are adopted by the hash.
    fn resources(&mut self, resources: &ResourcesSpec) {
        let ResourcesSpec {
            memory_bytes,
            cpu_millis,
            processes,
        } = resources;
        if *resources == ResourcesSpec::default() {
            return;
        }
        self.text(b"resources");
        self.optional(*memory_bytes, Self::number);
        self.optional(*cpu_millis, |hash, millis| hash.number(millis.into()));
        self.optional(*processes, Self::number);
    }

    /// Likewise.
    fn isolation(&mut self, isolation: &IsolationSpec) {
        let IsolationSpec {
            namespaces,
            seccomp,
            read_only,
            writable,
            tmp_bytes,
        } = isolation;
        if *isolation == IsolationSpec::default() {
            return;
        }
        self.text(b"isolation");
        self.number(namespaces.len() as u64);
        for namespace in namespaces {
            self.number(*namespace as u64);
        }
        self.number(u64::from(*seccomp));
        self.number(u64::from(*read_only));
        self.number(writable.len() as u64);
        for path in writable {
            self.text(path.as_os_str().as_bytes());
        }
        self.optional(*tmp_bytes, Self::number);
    }

    fn limits(&mut self, limits: &FunctionLimits) {
        let FunctionLimits {
            body_bytes: _,
            open_files,
            address_space_bytes,
            cpu_time,
            processes,
            file_bytes,
            core_bytes,
        } = limits;
        for limit in [open_files, address_space_bytes, processes, file_bytes] {
            self.optional(*limit, Self::number);
        }
        self.optional(*cpu_time, |hash, time| hash.number(time.as_secs()));
        self.number(*core_bytes);
    }
}

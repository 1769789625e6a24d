//! How a worker is cloned and executed.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Gid, Uid};

use super::Workers;
use crate::driver::{Endpoint, Resources};
use crate::spawner::cgroup::Cgroup;
use crate::spawner::clone::{Cloned, Identity, Prepared, Streams};
use crate::spawner::explain::{explain, words};
use crate::spawner::pipes::Pipes;
use crate::spawner::protocol::{Fault, Program, Readiness, StartRequest};
use crate::spawner::stubs::Launched;
use crate::spawner::{confine, prepare};

impl Workers {
    /// Clones a process and has it execute the program.
    pub(super) fn launch(
        &mut self,
        request: &StartRequest,
        listener: Option<&OwnedFd>,
    ) -> Result<Launched, Fault> {
        let mut prepared =
            prepare::prepare(&request.program, request.readiness, &request.function)?;
        if let Some(confinement) = &mut prepared.confinement {
            self.networks.supply(confinement);
            confine::keep_writable(confinement, request);
        }
        give_directory(request, &prepared)?;
        let pipes = self.take_pipes(prepared.identity.as_ref())?;
        let streams = Streams {
            stdout: pipes.output(),
            stderr: pipes.errors(),
            listener: listener.map(AsFd::as_fd),
        };
        let (cloned, cgroup) = self.run(&request.program, &prepared, &streams)?;
        Ok(Launched {
            cloned,
            cgroup,
            pipes,
        })
    }

    /// Pipes for the output of a program that runs as this user.
    pub(in crate::spawner) fn take_pipes(
        &mut self,
        identity: Option<&Identity>,
    ) -> Result<Pipes, Fault> {
        let pipes = self.spare.take().map_or_else(Pipes::make, Ok)?;
        if let Some(identity) = identity {
            pipes.give_to(identity)?;
        }
        Ok(pipes)
    }

    /// Makes ahead what the next one needs, while the last one starts; or with a stub, if one is due, out
    /// of the way of what starts.
    pub(in crate::spawner) fn prepare_next(&mut self) {
        if self.stubs.due().is_none() {
            self.spare_pipes();
        }
    }

    pub(super) fn spare_pipes(&mut self) {
        if self.spare.is_none() {
            // Whoever needs them says why they cannot be made.
            self.spare = Pipes::make().ok();
        }
    }

    /// Clones it into a control group, if there are any.
    pub(super) fn run(
        &mut self,
        program: &Program,
        prepared: &Prepared,
        streams: &Streams<'_>,
    ) -> Result<(Cloned, Option<Cgroup>), Fault> {
        let (cgroup, entry) = self.cgroups.take(&program.resources)?.unzip();
        let error = match self.cloner.run(prepared, streams, entry.as_ref()) {
            Ok(cloned) => return Ok((cloned, cgroup)),
            Err(error) => error,
        };
        let refused = cgroup.is_some() && error.is_about_group();
        if let Some(cgroup) = cgroup {
            self.cgroups.give_back(cgroup);
        }
        let why = explain(error, program, prepared);
        if !refused || program.resources != Resources::default() {
            return Err(why);
        }
        self.cgroups.give_up(why.detail);
        match self.cloner.run(prepared, streams, None) {
            Ok(cloned) => Ok((cloned, None)),
            Err(error) => Err(explain(error, program, prepared)),
        }
    }
}

/// Hands the directory of a Unix socket to the user who is to bind it.
fn give_directory(request: &StartRequest, prepared: &Prepared) -> Result<(), Fault> {
    let (Some(identity), Endpoint::Unix(path)) = (&prepared.identity, &request.endpoint) else {
        return Ok(());
    };
    if request.readiness == Readiness::Inherited {
        return Ok(());
    }
    let Some(directory) = path.parent() else {
        return Ok(());
    };
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    rustix::fs::chown(directory, Some(uid), Some(gid)).map_err(|error| {
        Fault::transient(format!("cannot hand over {directory:?}: {}", words(error)))
    })
}

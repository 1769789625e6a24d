//! The commands of `stoker` that speak to a running gateway.
//!
//! Exit codes: 0 is success, 1 a failure, 2 a wrong command line.

mod advertise;
mod arguments;
mod audit;
mod canary;
mod explain;
mod functions;
mod instances;
mod invoke;
mod keys;
mod logs;
mod operate;
mod output;
mod policy;
mod publish;
mod record;
mod revisions;
mod settings;
mod starts;
mod table;
mod top;
mod traffic;
mod upgrade;
mod usage;

use std::error::Error;
use std::io;
use std::process::ExitCode;

use clap::Subcommand;

use crate::client::{Client, ClientError};
use output::Output;

pub use advertise::{Advertisement, advertise};
pub use arguments::{
    Connection, EvictArgs, ExplainArgs, InvokeArgs, LogsArgs, LsArgs, PolicyArgs, PsArgs,
    RecordExportArgs, ReloadArgs, ScaleArgs, TopArgs, UpgradeArgs, header,
};
pub use audit::AuditArgs;
pub use canary::CanaryArgs;
pub use invoke::listener;
pub(crate) use invoke::own as own_listener;
pub use keys::{KeysCommand, KeysCreateArgs, KeysListArgs, KeysRevokeArgs, KeysRotateArgs};
pub use policy::PolicyCommand;
pub use publish::{Archive, PublishArgs};
pub use record::RecordCommand;
pub use revisions::{AliasArgs, DeleteArgs, DiffArgs, RevisionsArgs, RollbackArgs};
pub use settings::{SecretAction, SecretsArgs, SettingsArgs};
pub use traffic::{StickyArgs, TrafficArgs};
pub use usage::UsageArgs;

/// What can be asked of, or told to, a running gateway.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// List the functions, with their instances and requests
    Ls(LsArgs),
    /// List the instances of a function, or of all
    Ps(PsArgs),
    /// Watch the functions: rates, errors, latencies, instances and queues
    Top(TopArgs),
    /// Print the output of a function, and follow it
    Logs(LogsArgs),
    /// Send a request to a function, through the gateway
    Invoke(InvokeArgs),
    /// Hold a function at a number of instances, or hand it back to its policy
    Scale(ScaleArgs),
    /// Stop the instances of a function, so that the next request is a cold start
    Evict(EvictArgs),
    /// Read the configuration again
    Reload(ReloadArgs),
    /// Make, list, rotate and revoke the keys that open functions
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Say why a function has as many instances as it has, and what other settings would give
    Explain(ExplainArgs),
    /// Put a policy in force that was tried in the shadow, or go back
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// What happened to the functions, as far as it is kept
    #[command(subcommand)]
    Record(RecordCommand),
    /// Publish a directory as a new revision of a function
    Publish(PublishArgs),
    /// List the revisions of a published function
    Revisions(RevisionsArgs),
    /// Say what differs between two revisions: manifest, settings, files
    Diff(DiffArgs),
    /// Send all requests to an earlier revision
    Rollback(RollbackArgs),
    /// Divide the requests of a function among its revisions, or show how they are
    Traffic(TrafficArgs),
    /// Give a revision more and more of the requests, unless it is worse than those before it
    Canary(CanaryArgs),
    /// Give a revision a name, or list the names
    Alias(AliasArgs),
    /// Change what instances are told in their environment, or show it
    Settings(SettingsArgs),
    /// Set and delete secrets, or list their names
    Secrets(SecretsArgs),
    /// Delete a published function with all its revisions
    Delete(DeleteArgs),
    /// Say who changed what
    Audit(AuditArgs),
    /// Have a new process of the gateway take over, without a failed request
    Upgrade(UpgradeArgs),
    /// What functions used: calls, time, CPU, memory, bytes and money
    Usage(UsageArgs),
}

/// Runs a command to its end: answers and tables go to the standard output, all else to the
/// standard error. Starts a runtime of its own, so there must be none yet.
pub fn run(command: Command) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(command.run()),
        Err(error) => Err(Failure::Output(error)),
    };
    match result {
        Ok(code) => code,
        // `stoker ls | head -1`: whoever read has enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            output::complain(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

impl Command {
    async fn run(self) -> Result<ExitCode, Failure> {
        let mut output = Output::standard();
        let code = match self {
            Command::Ls(arguments) => functions::list(arguments, &mut output).await,
            Command::Ps(arguments) if arguments.starts => {
                starts::list(arguments, &mut output).await
            }
            Command::Ps(arguments) => instances::list(arguments, &mut output).await,
            Command::Top(arguments) => top::top(arguments, &mut output).await,
            Command::Logs(arguments) => logs::print(arguments, &mut output).await,
            Command::Invoke(arguments) => invoke::invoke(arguments, &mut output).await,
            Command::Scale(arguments) => operate::scale(arguments, &mut output).await,
            Command::Evict(arguments) => operate::evict(arguments, &mut output).await,
            Command::Reload(arguments) => operate::reload(arguments, &mut output).await,
            Command::Keys(command) => keys::run(command, &mut output).await,
            Command::Explain(arguments) => explain::explain(arguments, &mut output).await,
            Command::Policy(command) => policy::run(command, &mut output).await,
            Command::Record(command) => record::run(command, &mut output).await,
            Command::Publish(arguments) => publish::publish(arguments, &mut output).await,
            Command::Revisions(arguments) => revisions::list(arguments, &mut output).await,
            Command::Diff(arguments) => revisions::diff(arguments, &mut output).await,
            Command::Rollback(arguments) => revisions::roll_back(arguments, &mut output).await,
            Command::Traffic(arguments) => traffic::run(arguments, &mut output).await,
            Command::Canary(arguments) => canary::run(arguments, &mut output).await,
            Command::Alias(arguments) => revisions::alias(arguments, &mut output).await,
            Command::Settings(arguments) => settings::settings(arguments, &mut output).await,
            Command::Secrets(arguments) => settings::secrets(arguments, &mut output).await,
            Command::Delete(arguments) => revisions::delete(arguments, &mut output).await,
            Command::Audit(arguments) => audit::list(arguments, &mut output).await,
            Command::Usage(arguments) => usage::show(arguments, &mut output).await,
            Command::Upgrade(arguments) => upgrade::upgrade(arguments, &mut output).await,
        }?;
        output.flush()?;
        Ok(code)
    }
}

impl Connection {
    /// A client of the gateway that is meant, for commands that are not among these.
    ///
    /// # Errors
    /// If none answers, or the token's file cannot be read.
    pub async fn connect(&self) -> io::Result<Client> {
        let client = self.client().await;
        client.map_err(|failure| io::Error::other(failure.to_string()))
    }

    /// The gateway that is meant.
    async fn client(&self) -> Result<Client, Failure> {
        let token = match &self.token_file {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| Failure::Input(path.display().to_string(), error))?;
                Some(text.trim().to_owned())
            }
            None => std::env::var("STOKER_ADMIN_TOKEN")
                .ok()
                .filter(|token| !token.is_empty()),
        };
        Ok(Client::locate(self.admin.as_deref(), token).await?)
    }
}

/// Why a command failed.
#[derive(Debug)]
enum Failure {
    /// The gateway cannot be asked, or refused.
    Client(ClientError),
    /// A file that was named cannot be read.
    Input(String, io::Error),
    /// The output cannot be written.
    Output(io::Error),
    /// Anything else, in words.
    Other(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Client(error) => error.fmt(f),
            Failure::Input(name, error) => write!(f, "cannot read {name}: {error}"),
            Failure::Output(error) => write!(f, "cannot write the output: {error}"),
            Failure::Other(text) => f.write_str(text),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Failure::Client(error) => Some(error),
            Failure::Input(_, error) | Failure::Output(error) => Some(error),
            Failure::Other(_) => None,
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Failure::Client(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

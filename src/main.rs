//! `stoker`: parses the command line and wires the parts together.

mod serve;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A self-hosted functions gateway with its own autoscaler.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve functions until SIGTERM.
    Serve {
        /// The gateway file.
        #[arg(default_value = "stoker.toml")]
        file: PathBuf,
        /// Take over from the gateway at the other end of standard input, which has started this
        /// process for that
        #[arg(long, hide = true)]
        takeover: bool,
    },
    /// Check a gateway file and all its manifests without starting anything.
    Check {
        /// The gateway file.
        #[arg(default_value = "stoker.toml")]
        file: PathBuf,
    },
    /// Help with the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Measure cold starts and latencies, of functions or of any URL.
    Bench(Box<stoker_bench::cli::Arguments>),
    Simulate(Box<stoker_lab::cli::Arguments>),
    #[command(flatten)]
    Client(stoker_control::cli::Command),
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Print every key with its type, default, bound and meaning.
    Reference,
}

fn main() -> ExitCode {
    // The spawner is this program too, without anything that serving needs.
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "spawner") {
        return stoker_scaler::spawner::main_from_args(words.collect::<Vec<OsString>>());
    }
    match Arguments::parse().command {
        Command::Serve { file, takeover } => serve::serve(&file, takeover),
        Command::Check { file } => check(&file),
        Command::Config {
            command: ConfigCommand::Reference,
        } => {
            print!("{}", stoker_config::reference());
            ExitCode::SUCCESS
        }
        Command::Bench(arguments) => stoker_bench::cli::run(*arguments),
        Command::Simulate(arguments) => stoker_lab::cli::run(*arguments),
        Command::Client(command) => stoker_control::cli::run(command),
    }
}

fn check(file: &Path) -> ExitCode {
    match stoker_config::load(file) {
        Ok(config) => {
            for warning in &config.warnings {
                eprintln!("warning: {warning}");
            }
            println!(
                "{}: {} functions, no errors",
                file.display(),
                config.functions.len()
            );
            ExitCode::SUCCESS
        }
        Err(errors) => {
            eprintln!("{errors}");
            ExitCode::FAILURE
        }
    }
}

//! The commands alone, for the integration tests to run.

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "stoker")]
struct Program {
    #[command(subcommand)]
    command: stoker_control::cli::Command,
}

fn main() -> ExitCode {
    stoker_control::cli::run(Program::parse().command)
}

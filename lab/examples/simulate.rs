//! `stoker simulate` without the rest of `stoker`: quick to build for whoever works on the lab.

use std::process::ExitCode;

use clap::Parser;

/// The same arguments.
#[derive(Parser)]
struct Command {
    #[command(flatten)]
    arguments: stoker_lab::cli::Arguments,
}

fn main() -> ExitCode {
    stoker_lab::cli::run(Command::parse().arguments)
}

//! The commands and the spawner alone, for the integration tests to run.

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "stoker")]
struct Program {
    #[command(subcommand)]
    command: stoker_control::cli::Command,
}

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "spawner") {
        return stoker_scaler::spawner::main_from_args(words);
    }
    stoker_control::cli::run(Program::parse().command)
}

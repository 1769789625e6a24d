//! The spawner alone, as `stoker spawner STATE_DIR` runs it.

use std::process::ExitCode;

fn main() -> ExitCode {
    stoker_scaler::spawner::main_from_args(std::env::args_os().skip(1))
}

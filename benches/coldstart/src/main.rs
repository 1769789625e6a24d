//! Measures cold starts and prints one sample per line, as JSON.
//!
//! Kinds of samples, taken in turn:
//! - `bare`: a listening socket is made, a request is put into it, the program is executed with
//!   the socket as descriptor 3, and answers. The floor: nothing is between the two.
//! - `fresh`: the function is evicted, then called through the gateway on a new connection.
//! - `kept`: the same on a connection that was used before.
//! - `warm`: each cold call's next request on its connection.
//!
//! A sample is the time until the first byte of the answer.

mod bare;
mod exchange;
mod gateway;
mod options;
mod sample;
mod spawn;

use std::io;
use std::process::ExitCode;

use crate::bare::Bare;
use crate::gateway::Gateway;
use crate::options::Options;

fn main() -> ExitCode {
    match Options::read().and_then(|options| measure(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stoker-bench-coldstart: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> io::Result<()> {
    let mut bare = Bare::new(&options.program, &options.directory)?;
    let mut gateway = options.gateway.as_ref().map(Gateway::new);
    for round in 0..options.count {
        // Each kind follows each other one equally often.
        for turn in 0..3 {
            match ((round + turn) % 3, &mut gateway) {
                (0, _) => bare.sample()?.print(round),
                (1, Some(gateway)) => gateway.fresh()?.print(round),
                (2, Some(gateway)) => gateway.kept()?.print(round),
                _ => {}
            }
        }
    }
    Ok(())
}

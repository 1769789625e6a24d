//! Measures cold starts and prints one sample per line, as JSON.
//!
//! Kinds of samples, taken in turn:
//! - `bare`: a listening socket is made, a request is put into it, the program is executed with
//!   the socket as descriptor 3, and answers. The floor: nothing is between the two.
//! - `CASE-new`: the function of a case is evicted, then called through the gateway on a new
//!   connection.
//! - `CASE-kept`: the same on a connection that was used before.
//! - `CASE-warm`: the next request on the connection of each of these.
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
    let mut gateways: Vec<Gateway<'_>> = options
        .gateway
        .iter()
        .flat_map(|gateway| {
            let cases = gateway.cases.iter();
            cases.map(move |case| Gateway::new(gateway, case))
        })
        .collect();
    let kinds = 1 + 2 * gateways.len();
    for round in 0..options.count {
        // Each round begins with another one, so that none always follows the same work.
        for turn in 0..kinds {
            let samples = match (round + turn) % kinds {
                0 => bare.sample()?,
                kind if kind % 2 == 1 => gateways[(kind - 1) / 2].fresh()?,
                kind => gateways[(kind - 1) / 2].kept()?,
            };
            samples.print(round);
        }
    }
    Ok(())
}

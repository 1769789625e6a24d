//! The real binary, real functions, real clients: what must hold, each shown by a test.

mod abuse;
mod broken;
mod burst;
mod codings;
mod commands;
mod conformance;
mod deadlines;
mod examples;
mod gateway_end;
mod harness;
mod headers;
mod hostile;
mod instance_loss;
mod many;
mod memory;
mod reload;
mod routing;
mod swing;
mod waiting;

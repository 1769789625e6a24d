//! The real binary, real functions, real clients: what must hold, each shown by a test.

mod admission;
mod broken;
mod burst;
mod codings;
mod commands;
mod deadlines;
mod examples;
mod fairness;
mod gateway_end;
mod harness;
mod headers;
mod health;
mod hostile;
mod instance_loss;
mod many;
mod memory;
mod overload;
mod reload;
mod retries;
mod routing;
mod swing;
mod upgrade;
mod waiting;

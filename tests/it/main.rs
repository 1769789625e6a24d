//! The real binary, real functions, real clients: what must hold, each shown by a test.

mod access;
mod broken;
mod burst;
mod codings;
mod commands;
mod deadlines;
mod examples;
mod gateway_end;
mod harness;
mod headers;
mod hostile;
mod instance_loss;
mod jwt;
mod keys;
mod many;
mod memory;
mod proxy_protocol;
mod rates;
mod reload;
mod routing;
mod swing;
mod tls;
mod waiting;

//! The data plane: from a caller's connection to a function's instance and back.
//!
//! The way of a request reads as five steps, `route`, `admit`, `acquire`, `forward` and `record`,
//! in `proxy.rs`.

mod body;
mod caller;
mod drain;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod http2;
mod identity;
mod io;
mod launch;
mod link;
mod metrics;
mod path;
mod phases;
mod problem;
mod proxy;
mod response;
mod router;
mod server;
mod trailers;
mod tunnel;
mod upgrade;
mod upstream;
mod watchdog;

pub use gateway::{Applied, Entry, Gateway, Snapshot};
pub use metrics::Metrics;
pub use server::{BindError, Listeners, Server};
pub use upstream::{Client, Connection, Socket};

/// A revision of a function, with connections of ours.
pub type Function = stoker_scaler::Function<Connection>;
/// The scaler of all functions, with connections of ours.
pub type Scaler = stoker_scaler::Scaler<Connection>;

//! The data plane: from a caller's connection to a function's instance and back.
//!
//! The way of a request reads as five steps, `route`, `admit`, `acquire`, `forward` and `record`,
//! in `proxy.rs`.

mod accept;
mod access;
mod body;
mod budget;
mod caller;
mod client_address;
mod drain;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod health;
mod http2;
mod identity;
mod io;
mod launch;
mod link;
mod listeners;
mod load;
mod metrics;
mod mirror;
mod overload;
mod path;
mod phases;
mod problem;
mod proxy;
mod proxy_protocol;
mod response;
mod retry;
mod router;
mod schedule;
mod server;
mod shadow;
mod share;
mod split;
mod telemetry;
mod tls;
mod trailers;
mod tunnel;
mod upgrade;
mod upstream;
mod watchdog;

pub use access::keys::{KeyError, KeyInfo, KeyScope, KeyStore, NewKey};
pub use budget::BudgetStatus;
pub use gateway::{Applied, Entry, Gateway, Snapshot};
pub use listeners::{BindError, Bound, Listeners};
pub use metrics::{FunctionStats, Latencies, Metrics};
pub use server::Server;
pub use shadow::{Fare, ShadowStatus, Shadows};
pub use telemetry::{Telemetry, TelemetryError};
pub use upstream::{Client, Connection, Socket};

/// A revision of a function, with connections of ours.
pub type Function = stoker_scaler::Function<Connection>;
/// The scaler of all functions, with connections of ours.
pub type Scaler = stoker_scaler::Scaler<Connection>;

//! The management plane: the admin API, the command line that speaks to it, and reloading.

#![forbid(unsafe_code)]

pub mod admin;
pub mod build;
pub mod canary;
pub mod cli;
pub mod client;
mod counterfactual;
pub mod deployments;
mod explain;
mod history;
mod io;
pub mod metering;
mod near;
pub mod policies;
pub mod publish;
pub mod reload;
mod sd_notify;
mod shadow;
mod sockets;
mod span;
pub mod takeover;
pub mod wire;

pub use sd_notify::notify as notify_service_manager;

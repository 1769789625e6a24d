//! What people write: the gateway file and one manifest per function.
//!
//! Reading goes from the raw file to a validated [`Config`], and every error is reported at once,
//! each with its file, line, key, value and what is allowed. One table of keys ([`reference()`]
//! prints it) drives reading, checking, suggestions and the documentation.

#![forbid(unsafe_code)]

mod access;
mod admin;
mod build;
mod certificate;
mod change;
mod draft;
mod error;
mod function;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod isolation;
mod load;
mod page;
mod reference;
mod runtime;
mod schedule;
mod schema;
mod spec;
mod tls;
mod units;

pub use change::{Changes, policies};
pub use error::{ConfigError, Errors};
pub use load::{admin_socket, conflicts, load, load_function, parse_function};
pub use reference::reference;
pub use schema::edit_distance;
pub use spec::*;
pub use units::{format_duration, format_size, parse_duration, parse_size};

/// Name of a function's manifest in its directory.
pub const MANIFEST: &str = "function.toml";

/// Longest path of a Unix socket, in bytes, as the kernel has it.
pub const SOCKET_PATH_MAX: usize = 107;

/// Longest path of a socket below the state directory, its slash not counted: the directory's
/// own path is refused when it leaves less room than this.
pub const SOCKET_NAME_MAX: usize = 36;

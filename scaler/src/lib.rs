//! The tokio shell round the scaling core: it drives the pools, carries out their effects through a
//! driver, and hands leases to whoever has requests.
//!
//! It knows nothing of HTTP, Pingora or Prometheus.

mod clock;
pub mod driver;
mod function;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod handover;
mod history;
mod instance;
mod lease;
pub mod logs;

mod metering;
mod notice;
pub mod pages;
pub mod process;
pub mod record;
mod renewal;
mod scaler;
pub mod spawner;
mod spending;
mod starts;
mod timer;

pub use clock::Clock;
pub use function::{Explained, Function, FunctionView};
pub use history::{FirstAnswer, StartCause, StartRecord};
pub use instance::{Instance, InstanceStatus};
pub use lease::{AcquireError, Lease};
pub use metering::Unheard;
pub use notice::{Notice, Notices};
pub use renewal::Renewal;
pub use scaler::{PressureSettings, Reclaim, Scaler, ScalerSettings};
pub use starts::StartSettings;
pub use stoker_core::{HeldBy, HeldStarts};

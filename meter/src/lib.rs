//! What functions use: counters that outlive the process that counts, and what is made of them.
//!
//! A [`Ledger`] is a file in shared memory with a slot of counters for each revision that is used.
//! Whoever counts adds to them with one instruction; what was added is there after a `kill -9`,
//! for the memory is the kernel's. Whoever keeps the account reads the slots now and then and adds
//! what is new to rows of minutes, hours and days.

#![deny(unsafe_code)]

mod counters;
mod ledger;
#[allow(unsafe_code, reason = "maps memory that processes share")]
mod map;
mod period;
mod price;

pub use counters::{COUNTERS, Counter, Totals};
pub use ledger::{Ledger, Meter, OTHER, Reading, TRIAL};
pub use period::{Period, civil, days, days_of_month, parse_time, show_time};
pub use price::{Cost, GIB_SECOND_KIB_MILLIS, Prices};

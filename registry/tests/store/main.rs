//! The store as its users see it.

mod common;
mod key;
mod life;
mod rows;

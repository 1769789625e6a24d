//! The store as its users see it.

mod common;
mod files;
mod key;
mod life;
mod rows;

//! Stands in for `libz-ng-sys`, whose C sources need cmake to build.
//!
//! pingora-core asks flate2 for zlib-ng although Stoker compresses nothing with it. Plain zlib has
//! the same interface and needs only a C compiler, so the first build works on a machine without
//! cmake and without root.

pub use libz_sys::*;

//! Readers for the fuzz targets; no part of the interface.

use crate::aim::Aim;
use crate::sweep::{Search, Sweep};

/// What a sweep tries at first, as settings.
///
/// # Errors
/// What is wrong with it.
pub fn sweep(text: &str) -> Result<Vec<String>, String> {
    let sweep: Sweep = text.parse()?;
    let points = Search::new(&sweep, 0).next(&[]);
    Ok(points.iter().map(|point| sweep.settings(point)).collect())
}

/// A goal as it is shown.
///
/// # Errors
/// What is wrong with it.
pub fn goal(text: &str) -> Result<String, String> {
    text.parse().map(|aim: Aim| aim.to_string())
}

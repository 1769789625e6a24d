//! How reports are shown: figures as people read them, columns of text, and the parts of a page.

#![forbid(unsafe_code)]

pub mod chart;
pub mod html;
pub mod progress;
pub mod text;

/// The style of all pages.
pub const STYLE: &str = include_str!("style.css");

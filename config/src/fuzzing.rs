//! Readers for the fuzz targets; no part of the interface.

use std::path::Path;

use crate::function::{self, Place};
use crate::{Errors, FunctionSpec, GatewaySpec, gateway};

/// Reads a gateway file.
///
/// # Errors
/// All that is wrong in it.
pub fn gateway(text: &str) -> Result<GatewaySpec, Errors> {
    let (gateway, errors) = gateway::read(Path::new("stoker.toml"), Path::new("/nowhere"), text);
    Errors::check(errors, Vec::new()).map(|_| gateway.spec)
}

/// Reads a manifest.
///
/// # Errors
/// All that is wrong in it.
pub fn manifest(text: &str) -> Result<Option<FunctionSpec>, Errors> {
    let place = Place {
        file: Path::new("function.toml"),
        absolute: Path::new("/nowhere/function/function.toml"),
        name: None,
    };
    let (function, errors) = function::read(place, text);
    Errors::check(errors, Vec::new()).map(|_| function.map(|function| function.spec))
}

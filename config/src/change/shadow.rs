//! What a manifest has to be tried, as settings.

use std::path::Path;

use toml::{Table, Value};

use super::{Change, Changes};
use crate::load::read_text;

impl Changes {
    /// What a manifest says of scaling: its own settings as TOML, without those that are tried, and
    /// the ones that are tried (`[scaling.shadow]`).
    ///
    /// An error is a manifest that cannot be read.
    pub fn of_shadow(manifest: &Path) -> Result<(String, Changes), String> {
        let text = read_text(manifest)
            .map_err(|problem| format!("{} cannot be read: {problem}", manifest.display()))?;
        let table: Table = text
            .parse()
            .map_err(|_| format!("{} is not TOML", manifest.display()))?;
        let mut scaling = match table.get("scaling") {
            Some(Value::Table(scaling)) => scaling.clone(),
            _ => Table::new(),
        };
        let shadow = match scaling.remove("shadow") {
            Some(Value::Table(shadow)) => shadow,
            _ => Table::new(),
        };
        let parts = shadow.into_iter().map(|(key, value)| Change {
            section: "scaling".to_owned(),
            key,
            value,
        });
        let changes = Changes {
            parts: parts.collect(),
        };
        Ok((scaling.to_string(), changes))
    }
}

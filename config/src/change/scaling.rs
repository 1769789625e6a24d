//! Keys of `[scaling]` by themselves, as TOML.

use toml::{Table, Value};

use super::Changes;

impl Changes {
    /// Of keys of `[scaling]` and their values as they stand in a manifest, below the table's head or
    /// without it.
    ///
    /// # Errors
    /// If it is not TOML, or has anything else.
    pub fn of_scaling(text: &str) -> Result<Changes, String> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            format!("line {line} is not TOML: {}", error.message())
        })?;
        let keys = match table.get("scaling") {
            Some(Value::Table(_)) if table.len() > 1 => {
                return Err("there is more than the table [scaling]".to_owned());
            }
            Some(Value::Table(keys)) => keys,
            _ => &table,
        };
        let mut changes = Changes::default();
        for (key, value) in keys {
            if matches!(value, Value::Table(_)) {
                return Err(format!("{key:?} is a table, and no key of [scaling]"));
            }
            changes.set(key, &value.to_string())?;
        }
        Ok(changes)
    }
}

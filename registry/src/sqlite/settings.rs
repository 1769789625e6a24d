//! The settings that the next revision will have.

use rusqlite::{OptionalExtension as _, Transaction};

use super::{functions, revisions, traffic};
use crate::{Author, NewRevision, Revision, Settings, Shift, StoreError};

pub(super) fn get(transaction: &Transaction<'_>, function: &str) -> Result<Settings, StoreError> {
    let sql = "SELECT settings FROM functions WHERE name = ?1";
    let text: Option<String> = transaction
        .query_row(sql, (function,), |row| row.get(0))
        .optional()?;
    text.map_or_else(
        || Ok(Settings::new()),
        |text| Ok(serde_json::from_str(&text)?),
    )
}

/// Only the settings, of a function that is there.
pub(super) fn put(
    transaction: &Transaction<'_>,
    function: &str,
    settings: &Settings,
) -> Result<(), StoreError> {
    let sql = "UPDATE functions SET settings = ?2 WHERE name = ?1";
    transaction.execute(sql, (function, serde_json::to_string(settings)?))?;
    Ok(())
}

/// The settings, and a revision with them that takes the place of the main one.
pub(super) fn set(
    transaction: &Transaction<'_>,
    (function, settings): (&str, &Settings),
    author: &Author,
) -> Result<Option<Revision>, StoreError> {
    functions::make(transaction, function)?;
    put(transaction, function, settings)?;
    let present = traffic::get(transaction, function)?;
    let Some(primary) = present.primary() else {
        return Ok(None);
    };
    let main = revisions::find(transaction, function, primary)?;
    let new = NewRevision {
        function: function.to_owned(),
        package: main.package,
        settings: None,
        manifest: main.manifest,
        author: author.clone(),
        shift: Shift::All,
    };
    let revision = revisions::add(transaction, new)?;
    let replaced = present.replaced(primary, revision.number);
    traffic::set(transaction, (function, &present), &replaced)?;
    revisions::find(transaction, function, revision.number).map(Some)
}

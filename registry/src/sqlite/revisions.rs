//! The table of revisions.

use rusqlite::types::Type;
use rusqlite::{OptionalExtension as _, Row, Transaction};

use super::{functions, now_ms, settings, traffic};
use crate::{ArchiveKind, Digest, NewRevision, Package, Revision, StoreError};

/// So many collected revisions of a function are remembered.
const REMEMBERED: usize = 1000;

const COLUMNS: &str = "function, number, digest, kind, bytes, settings, manifest, message, \
    created_ms, created_by, routed_ms, collected_ms";

pub(super) fn all(
    transaction: &Transaction<'_>,
    function: &str,
) -> Result<Vec<Revision>, StoreError> {
    functions::known(transaction, function)?;
    let sql = format!("SELECT {COLUMNS} FROM revisions WHERE function = ?1 ORDER BY number DESC");
    let mut statement = transaction.prepare(&sql)?;
    let rows = statement.query_map((function,), read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn find(
    transaction: &Transaction<'_>,
    function: &str,
    number: u32,
) -> Result<Revision, StoreError> {
    functions::known(transaction, function)?;
    let sql = format!("SELECT {COLUMNS} FROM revisions WHERE function = ?1 AND number = ?2");
    transaction
        .query_row(&sql, (function, number), read)
        .optional()?
        .ok_or_else(|| StoreError::UnknownRevision(function.to_owned(), number))
}

/// A revision that is not collected.
pub(super) fn kept(
    transaction: &Transaction<'_>,
    function: &str,
    number: u32,
) -> Result<Revision, StoreError> {
    let revision = find(transaction, function, number)?;
    match revision.collected_ms {
        None => Ok(revision),
        Some(_) => Err(StoreError::UnknownRevision(function.to_owned(), number)),
    }
}

pub(super) fn publish(
    transaction: &Transaction<'_>,
    new: NewRevision,
) -> Result<Revision, StoreError> {
    functions::make(transaction, &new.function)?;
    if let Some(settings) = &new.settings {
        settings::put(transaction, &new.function, settings)?;
    }
    let (function, shift) = (new.function.clone(), new.shift);
    let revision = add(transaction, new)?;
    let present = traffic::get(transaction, &function)?;
    let shifted = present.shifted(revision.number, shift).checked()?;
    traffic::set(transaction, (&function, &present), &shifted)?;
    find(transaction, &function, revision.number)
}

/// Adds a row, with the function's present settings.
pub(super) fn add(transaction: &Transaction<'_>, new: NewRevision) -> Result<Revision, StoreError> {
    let sql = "INSERT INTO numbers VALUES (?1, 1) \
        ON CONFLICT DO UPDATE SET latest = latest + 1 RETURNING latest";
    let number: u32 = transaction.query_one(sql, (&new.function,), |row| row.get(0))?;
    let settings = settings::get(transaction, &new.function)?;
    let sql = format!(
        "INSERT INTO revisions ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, NULL, NULL)"
    );
    let values = (
        &new.function,
        number,
        new.package.digest.to_string(),
        new.package.kind.extension(),
        new.package.bytes,
        serde_json::to_string(&settings)?,
        &new.manifest,
        &new.author.message,
        now_ms(),
        &new.author.name,
    );
    transaction.execute(&sql, values)?;
    let sql = "UPDATE functions SET latest = ?2 WHERE name = ?1";
    transaction.execute(sql, (&new.function, number))?;
    find(transaction, &new.function, number)
}

pub(super) fn collect(
    transaction: &Transaction<'_>,
    function: &str,
    number: u32,
) -> Result<(), StoreError> {
    kept(transaction, function, number)?;
    let routed = traffic::get(transaction, function)?
        .revisions()
        .any(|it| it == number);
    let sql = "SELECT count(*) FROM aliases WHERE function = ?1 AND revision = ?2";
    let aliases: u64 = transaction.query_one(sql, (function, number), |row| row.get(0))?;
    if routed || aliases > 0 {
        return Err(StoreError::InUse(function.to_owned(), number));
    }
    let sql = "UPDATE revisions SET collected_ms = ?3 WHERE function = ?1 AND number = ?2";
    transaction.execute(sql, (function, number, now_ms()))?;
    let sql = "DELETE FROM revisions WHERE function = ?1 AND number IN (SELECT number FROM revisions \
        WHERE function = ?1 AND collected_ms IS NOT NULL ORDER BY number DESC LIMIT -1 OFFSET ?2)";
    transaction.execute(sql, (function, REMEMBERED))?;
    Ok(())
}

pub(super) fn packages(transaction: &Transaction<'_>) -> Result<Vec<Digest>, StoreError> {
    let sql = "SELECT DISTINCT digest FROM revisions WHERE collected_ms IS NULL ORDER BY digest";
    let mut statement = transaction.prepare(sql)?;
    let rows = statement.query_map((), |row| parsed(row, 0, |text: &str| text.parse().ok()))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> Result<Revision, rusqlite::Error> {
    Ok(Revision {
        function: row.get(0)?,
        number: row.get(1)?,
        package: Package {
            digest: parsed(row, 2, |text| text.parse().ok())?,
            kind: parsed(row, 3, ArchiveKind::of_extension)?,
            bytes: row.get(4)?,
        },
        settings: parsed(row, 5, |text| serde_json::from_str(text).ok())?,
        manifest: row.get(6)?,
        message: row.get(7)?,
        created_ms: row.get(8)?,
        created_by: row.get(9)?,
        routed_ms: row.get(10)?,
        collected_ms: row.get(11)?,
    })
}

/// A text that means something.
fn parsed<T>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, rusqlite::Error> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| rusqlite::Error::InvalidColumnType(column, text, Type::Text))
}

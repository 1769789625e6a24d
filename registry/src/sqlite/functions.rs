//! The table of functions.

use rusqlite::{OptionalExtension as _, Row, Transaction};

use super::now_ms;
use crate::{Function, StoreError, Traffic};

/// So many functions there may be.
const MOST: usize = 10_000;

pub(super) fn all(transaction: &Transaction<'_>) -> Result<Vec<Function>, StoreError> {
    let sql = "SELECT name, created_ms, latest FROM functions ORDER BY name";
    let mut statement = transaction.prepare(sql)?;
    let rows = statement.query_map((), read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn find(
    transaction: &Transaction<'_>,
    name: &str,
) -> Result<Option<Function>, StoreError> {
    let sql = "SELECT name, created_ms, latest FROM functions WHERE name = ?1";
    Ok(transaction.query_row(sql, (name,), read).optional()?)
}

fn read(row: &Row<'_>) -> Result<Function, rusqlite::Error> {
    Ok(Function {
        name: row.get(0)?,
        created_ms: row.get(1)?,
        latest: row.get(2)?,
    })
}

/// The function, which must be there.
pub(super) fn known(transaction: &Transaction<'_>, name: &str) -> Result<Function, StoreError> {
    find(transaction, name)?.ok_or_else(|| StoreError::UnknownFunction(name.to_owned()))
}

/// The function, which is made if it is not there.
pub(super) fn make(transaction: &Transaction<'_>, name: &str) -> Result<Function, StoreError> {
    if let Some(function) = find(transaction, name)? {
        return Ok(function);
    }
    let count: usize =
        transaction.query_one("SELECT count(*) FROM functions", (), |row| row.get(0))?;
    if count >= MOST {
        return Err(StoreError::Full("published functions", MOST));
    }
    let traffic = serde_json::to_string(&Traffic::default())?;
    let sql = "INSERT INTO functions VALUES (?1, ?2, 0, '{}', ?3)";
    transaction.execute(sql, (name, now_ms(), traffic))?;
    known(transaction, name)
}

pub(super) fn delete(transaction: &Transaction<'_>, name: &str) -> Result<(), StoreError> {
    match transaction.execute("DELETE FROM functions WHERE name = ?1", (name,))? {
        0 => Err(StoreError::UnknownFunction(name.to_owned())),
        _ => Ok(()),
    }
}

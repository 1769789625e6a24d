//! What canaries remember.

use rusqlite::{OptionalExtension as _, Transaction};

use super::functions;
use crate::StoreError;
use crate::names::allow;

/// Of what one remembers.
const STATE_BYTES: usize = 64 << 10;

pub(super) fn get(
    transaction: &Transaction<'_>,
    function: &str,
) -> Result<Option<String>, StoreError> {
    functions::known(transaction, function)?;
    let sql = "SELECT state FROM canaries WHERE function = ?1";
    let state = transaction.query_row(sql, (function,), |row| row.get(0));
    Ok(state.optional()?)
}

pub(super) fn all(transaction: &Transaction<'_>) -> Result<Vec<(String, String)>, StoreError> {
    let mut statement =
        transaction.prepare("SELECT function, state FROM canaries ORDER BY function")?;
    let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn set(
    transaction: &Transaction<'_>,
    function: &str,
    state: Option<&str>,
) -> Result<(), StoreError> {
    functions::known(transaction, function)?;
    let Some(state) = state else {
        transaction.execute("DELETE FROM canaries WHERE function = ?1", (function,))?;
        return Ok(());
    };
    allow(state.len() <= STATE_BYTES, || {
        format!("what a canary remembers is longer than {STATE_BYTES} bytes")
    })?;
    let sql = "INSERT INTO canaries VALUES (?1, ?2) ON CONFLICT DO UPDATE SET state = ?2";
    transaction.execute(sql, (function, state))?;
    Ok(())
}

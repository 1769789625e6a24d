//! The table of pushes.

use rusqlite::{OptionalExtension as _, Row, Transaction};

use crate::names::allow;
use crate::{Push, StoreError};

/// Those that are remembered, the newest; of those that are not over twice as many.
const MOST: i64 = 100;
/// Of what is known of one.
const STATE_BYTES: usize = 1 << 20;

const COLUMNS: &str = "id, function, is_over, state";

pub(super) fn all(transaction: &Transaction<'_>) -> Result<Vec<Push>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM pushes ORDER BY number DESC");
    let mut statement = transaction.prepare(&sql)?;
    let rows = statement.query_map((), read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// By id, or the newest.
pub(super) fn find(
    transaction: &Transaction<'_>,
    id: Option<&str>,
) -> Result<Option<Push>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM pushes WHERE ?1 IS NULL OR id = ?1 ORDER BY number DESC LIMIT 1"
    );
    Ok(transaction.query_row(&sql, (id,), read).optional()?)
}

pub(super) fn add(transaction: &Transaction<'_>, push: &Push) -> Result<(), StoreError> {
    check(push)?;
    let sql = format!("INSERT INTO pushes ({COLUMNS}) VALUES (?1, ?2, ?3, ?4)");
    let values = (&push.id, &push.function, push.is_over, &push.state);
    transaction.execute(&sql, values)?;
    let last = transaction.last_insert_rowid();
    let sql = "DELETE FROM pushes WHERE number <= ?1 AND (is_over OR number <= ?2)";
    transaction.execute(sql, (last - MOST, last - 2 * MOST))?;
    Ok(())
}

/// Whether there was one that is not over.
pub(super) fn set(transaction: &Transaction<'_>, push: &Push) -> Result<bool, StoreError> {
    check(push)?;
    let sql = "UPDATE pushes SET is_over = ?2, state = ?3 WHERE id = ?1 AND NOT is_over";
    let changed = transaction.execute(sql, (&push.id, push.is_over, &push.state))?;
    Ok(changed > 0)
}

fn check(push: &Push) -> Result<(), StoreError> {
    allow(push.state.len() <= STATE_BYTES, || {
        format!("what is known of a push is longer than {STATE_BYTES} bytes")
    })
}

fn read(row: &Row<'_>) -> Result<Push, rusqlite::Error> {
    Ok(Push {
        id: row.get(0)?,
        function: row.get(1)?,
        is_over: row.get(2)?,
        state: row.get(3)?,
    })
}

//! The audit log.

use rusqlite::{Row, Transaction};

use crate::{AuditEntry, AuditRow, StoreError};

/// Of each text in an entry, in bytes: what came with a request is not kept at any length.
const TEXT_BYTES: usize = 1024;

pub(super) fn add(
    transaction: &Transaction<'_>,
    entry: &AuditEntry,
    most: u64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO audit (at_ms, who, role, method, path, status, what) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let values = (
        entry.at_ms,
        cut(&entry.who),
        cut(&entry.role),
        cut(&entry.method),
        cut(&entry.path),
        entry.status,
        cut(&entry.what),
    );
    transaction.execute(sql, values)?;
    let last = transaction.last_insert_rowid();
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    transaction.execute("DELETE FROM audit WHERE id <= ?1", (last - most,))?;
    Ok(())
}

pub(super) fn newest(
    transaction: &Transaction<'_>,
    since_ms: u64,
    limit: usize,
) -> Result<Vec<AuditRow>, StoreError> {
    let sql = "SELECT id, at_ms, who, role, method, path, status, what FROM audit \
        WHERE at_ms >= ?1 ORDER BY id DESC LIMIT ?2";
    let mut statement = transaction.prepare(sql)?;
    let rows = statement.query_map((since_ms, limit), read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> Result<AuditRow, rusqlite::Error> {
    Ok(AuditRow {
        id: row.get(0)?,
        entry: AuditEntry {
            at_ms: row.get(1)?,
            who: row.get(2)?,
            role: row.get(3)?,
            method: row.get(4)?,
            path: row.get(5)?,
            status: row.get(6)?,
            what: row.get(7)?,
        },
    })
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

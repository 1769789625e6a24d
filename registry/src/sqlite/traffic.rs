//! How requests are divided.

use rusqlite::{OptionalExtension as _, Transaction};

use super::{now_ms, revisions};
use crate::{StoreError, Traffic};

pub(super) fn get(transaction: &Transaction<'_>, function: &str) -> Result<Traffic, StoreError> {
    let sql = "SELECT traffic FROM functions WHERE name = ?1";
    let text: Option<String> = transaction
        .query_row(sql, (function,), |row| row.get(0))
        .optional()?;
    let text = text.ok_or_else(|| StoreError::UnknownFunction(function.to_owned()))?;
    Ok(serde_json::from_str(&text)?)
}

/// Replaces what was, and dates the revisions that begin or end to get traffic. The new one must have
/// been checked.
pub(super) fn set(
    transaction: &Transaction<'_>,
    (function, present): (&str, &Traffic),
    traffic: &Traffic,
) -> Result<(), StoreError> {
    for number in traffic.revisions() {
        revisions::kept(transaction, function, number)?;
    }
    let sql = "UPDATE functions SET traffic = ?2 WHERE name = ?1";
    transaction.execute(sql, (function, serde_json::to_string(traffic)?))?;
    let has = |traffic: &Traffic, number| traffic.percent(number) > 0.0;
    let begun = traffic.weights.iter().map(|it| it.revision);
    let begun = begun.filter(|number| !has(present, *number));
    let ended = present.weights.iter().map(|it| it.revision);
    let ended = ended.filter(|number| !has(traffic, *number));
    let sql = "UPDATE revisions SET routed_ms = ?3 WHERE function = ?1 AND number = ?2";
    for number in begun.chain(ended) {
        transaction.execute(sql, (function, number, now_ms()))?;
    }
    Ok(())
}

/// Everything to one revision; what keeps callers with one stays, and nothing is copied any more.
pub(super) fn roll_back(
    transaction: &Transaction<'_>,
    function: &str,
    to: Option<u32>,
) -> Result<u32, StoreError> {
    let present = get(transaction, function)?;
    let to = match to {
        Some(number) => number,
        None => before(transaction, function, present.primary().unwrap_or(0))?,
    };
    let traffic = Traffic {
        sticky: present.sticky.clone(),
        ..Traffic::all_to(to)
    };
    set(transaction, (function, &present), &traffic)?;
    Ok(to)
}

fn before(transaction: &Transaction<'_>, function: &str, number: u32) -> Result<u32, StoreError> {
    let sql = "SELECT max(number) FROM revisions WHERE function = ?1 AND number < ?2 \
        AND routed_ms IS NOT NULL AND collected_ms IS NULL";
    let before: Option<u32> = transaction.query_one(sql, (function, number), |row| row.get(0))?;
    before.ok_or_else(|| StoreError::NothingBefore(function.to_owned()))
}

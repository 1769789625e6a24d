//! Names of revisions.

use rusqlite::Transaction;

use super::{functions, revisions};
use crate::names::allow;
use crate::{StoreError, is_alias};

/// So many a function may have.
const MOST: usize = 64;

pub(super) fn all(
    transaction: &Transaction<'_>,
    function: &str,
) -> Result<Vec<(String, u32)>, StoreError> {
    functions::known(transaction, function)?;
    let sql = "SELECT alias, revision FROM aliases WHERE function = ?1 ORDER BY alias";
    let mut statement = transaction.prepare(sql)?;
    let rows = statement.query_map((function,), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn set(
    transaction: &Transaction<'_>,
    (function, alias): (&str, &str),
    revision: u32,
) -> Result<(), StoreError> {
    allow(is_alias(alias), || {
        format!(
            "an alias cannot be called {alias:?}, but by 1 to 63 lower-case letters, digits and \
             \"-\", beginning with a letter; \"latest\" and \"r1\", \"r2\"... have their meaning"
        )
    })?;
    revisions::kept(transaction, function, revision)?;
    let sql = "INSERT INTO aliases VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET revision = ?3";
    transaction.execute(sql, (function, alias, revision))?;
    let sql = "SELECT count(*) FROM aliases WHERE function = ?1";
    let count: usize = transaction.query_one(sql, (function,), |row| row.get(0))?;
    match count <= MOST {
        true => Ok(()),
        false => Err(StoreError::Full("aliases of the function", MOST)),
    }
}

pub(super) fn delete(
    transaction: &Transaction<'_>,
    function: &str,
    alias: &str,
) -> Result<(), StoreError> {
    functions::known(transaction, function)?;
    let sql = "DELETE FROM aliases WHERE function = ?1 AND alias = ?2";
    match transaction.execute(sql, (function, alias))? {
        0 => Err(StoreError::UnknownAlias(
            function.to_owned(),
            alias.to_owned(),
        )),
        _ => Ok(()),
    }
}

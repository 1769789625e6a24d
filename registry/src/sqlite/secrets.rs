//! The table of secrets, whose values are sealed.

use rusqlite::types::Type;
use rusqlite::{Row, Transaction};

use super::{functions, now_ms};
use crate::{Author, Place, SecretInfo, StoreError};

/// So many a function may have.
const MOST: usize = 128;

const COLUMNS: &str = "key, place, version, updated_ms, updated_by";

pub(super) fn all(
    transaction: &Transaction<'_>,
    function: &str,
) -> Result<Vec<SecretInfo>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM secrets WHERE function = ?1 ORDER BY key");
    let mut statement = transaction.prepare(&sql)?;
    let rows = statement.query_map((function,), read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// With the sealed values.
pub(super) fn sealed(
    transaction: &Transaction<'_>,
    function: &str,
) -> Result<Vec<(SecretInfo, Vec<u8>)>, StoreError> {
    let sql = format!("SELECT {COLUMNS}, sealed FROM secrets WHERE function = ?1 ORDER BY key");
    let mut statement = transaction.prepare(&sql)?;
    let rows = statement.query_map((function,), |row| Ok((read(row)?, row.get(5)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether no function has any.
pub(super) fn none(transaction: &Transaction<'_>) -> Result<bool, StoreError> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM secrets)";
    Ok(transaction.query_one(sql, (), |row| row.get(0))?)
}

pub(super) fn set(
    transaction: &Transaction<'_>,
    (function, key): (&str, &str),
    (place, sealed): (Place, &[u8]),
    author: &Author,
) -> Result<SecretInfo, StoreError> {
    functions::make(transaction, function)?;
    let place = match place {
        Place::Environment => "environment",
        Place::File => "file",
    };
    let sql = format!(
        "INSERT INTO secrets (function, {COLUMNS}, sealed) VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6) \
         ON CONFLICT DO UPDATE SET place = ?3, version = version + 1, updated_ms = ?4, \
         updated_by = ?5, sealed = ?6 RETURNING {COLUMNS}"
    );
    let values = (function, key, place, now_ms(), &author.name, sealed);
    let info = transaction.query_one(&sql, values, read)?;
    let sql = "SELECT count(*) FROM secrets WHERE function = ?1";
    let count: usize = transaction.query_one(sql, (function,), |row| row.get(0))?;
    match count <= MOST {
        true => Ok(info),
        false => Err(StoreError::Full("secrets of the function", MOST)),
    }
}

pub(super) fn delete(
    transaction: &Transaction<'_>,
    function: &str,
    key: &str,
) -> Result<(), StoreError> {
    functions::known(transaction, function)?;
    let sql = "DELETE FROM secrets WHERE function = ?1 AND key = ?2";
    match transaction.execute(sql, (function, key))? {
        0 => Err(StoreError::UnknownSecret(
            function.to_owned(),
            key.to_owned(),
        )),
        _ => Ok(()),
    }
}

fn read(row: &Row<'_>) -> Result<SecretInfo, rusqlite::Error> {
    let place: String = row.get(1)?;
    let place = match place.as_str() {
        "environment" => Place::Environment,
        "file" => Place::File,
        _ => return Err(rusqlite::Error::InvalidColumnType(1, place, Type::Text)),
    };
    Ok(SecretInfo {
        key: row.get(0)?,
        place,
        version: row.get(2)?,
        updated_ms: row.get(3)?,
        updated_by: row.get(4)?,
    })
}

//! The books of usage: rows by minute, hour and day in a SQLite file of their own.
//!
//! What is counted lives in the [`Ledger`](stoker_meter::Ledger); the books take in what is new in it.
//! Each slot of the ledger has a serial, and the books remember how far they have read it, in the
//! same transaction as the rows: so everything is entered once, whoever enters it and whenever that
//! one is killed. The file is apart from that of the registry, since it is written every few seconds
//! and need not wait for the disk (`synchronous = NORMAL`: the loss of the machine may lose the last
//! entries, and never breaks the file).

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params_from_iter};
use stoker_meter::{COUNTERS, Counter, Period, Reading, TRIAL, Totals};

use crate::StoreError;

/// How long one gateway waits for the other's transaction, which takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

const VERSION: i64 = 2;

/// The books, in one file.
#[derive(Debug)]
pub struct Books {
    connection: Mutex<Connection>,
}

/// What one revision used in one part of the calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// When that began, in seconds since 1970.
    pub start: u64,
    /// The function's name.
    pub function: String,
    /// As people know it: the number of a published revision, `trial` for those that were started
    /// before they were published, else its hash.
    pub revision: String,
    /// What it used.
    pub totals: Totals,
}

/// Which rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageQuery {
    /// Of minutes, hours or days. Months are not kept.
    pub by: Period,
    /// The first second; the part that holds it is in.
    pub from: u64,
    /// The first second after.
    pub to: u64,
    /// Of one function only.
    pub function: Option<String>,
}

/// How long rows are kept, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Those of minutes.
    pub minutes: u64,
    /// Those of hours.
    pub hours: u64,
    /// Those of days.
    pub days: u64,
}

impl Books {
    /// Opens the file, which is made if there is none, in a directory that exists.
    ///
    /// # Errors
    /// If it is no database, or one of a newer Stoker.
    pub fn open(file: &Path) -> Result<Books, StoreError> {
        let connection = Connection::open(file)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let books = Books {
            connection: Mutex::new(connection),
        };
        books.write(migrate)?;
        Ok(books)
    }

    /// Enters what is new in these readings of the ledger, as of `now`, in seconds since 1970. The
    /// readings that are final may be released after that.
    ///
    /// # Errors
    /// If the store fails; nothing is entered then.
    pub fn enter(&self, readings: &[Reading], now: u64) -> Result<(), StoreError> {
        self.write(|transaction| {
            for reading in readings {
                let serial = stored(reading.serial);
                let before = read_cursor(transaction, serial)?;
                let delta = reading.totals.since(&before);
                if reading.totals != before {
                    write_cursor(transaction, serial, &reading.totals)?;
                }
                if delta.is_zero() {
                    continue;
                }
                note_number(transaction, reading)?;
                for period in Period::KEPT {
                    let start = stored(period.start(now));
                    let key = (period.number(), start);
                    add_row(
                        transaction,
                        key,
                        (&reading.function, &reading.revision),
                        &delta,
                    )?;
                }
            }
            Ok(())
        })
    }

    /// Rows, by their beginning, function and revision; at most `limit`, the oldest.
    ///
    /// # Errors
    /// If the store fails.
    pub fn rows(&self, query: &UsageQuery, limit: usize) -> Result<Vec<UsageRow>, StoreError> {
        let sums = sums();
        // A revision with other secrets has another hash and the same number.
        let sql = format!(
            "SELECT start, function, CASE WHEN number IS NULL THEN revision WHEN number = {TRIAL} \
             THEN 'trial' ELSE CAST(number AS TEXT) END AS shown, {sums} FROM usage LEFT JOIN numbers \
             USING (function, revision) WHERE period = ?1 AND start >= ?2 AND start < ?3 AND \
             (?4 IS NULL OR function = ?4) GROUP BY start, function, shown ORDER BY start, function, \
             min(number), shown LIMIT ?5"
        );
        let connection = self.lock();
        let mut statement = connection.prepare(&sql)?;
        let from = stored(query.by.start(query.from));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let asked = (
            query.by.number(),
            from,
            stored(query.to),
            query.function.as_deref(),
            limit,
        );
        let rows = statement.query_map(asked, |row| {
            Ok(UsageRow {
                start: read(row.get(0)?),
                function: row.get(1)?,
                revision: row.get(2)?,
                totals: totals(row, 3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What each function used between two beginnings of days, in seconds since 1970, by name.
    ///
    /// # Errors
    /// If the store fails.
    pub fn sums(&self, from: u64, to: u64) -> Result<Vec<(String, Totals)>, StoreError> {
        let sums = sums();
        let sql = format!(
            "SELECT function, {sums} FROM usage WHERE period = ?1 AND start >= ?2 AND start < ?3 GROUP \
             BY function ORDER BY function"
        );
        let connection = self.lock();
        let mut statement = connection.prepare(&sql)?;
        let asked = (Period::Day.number(), stored(from), stored(to));
        let rows = statement.query_map(asked, |row| Ok((row.get(0)?, totals(row, 1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Forgets rows that are older than they are kept, and how far slots were read that are no
    /// longer in the ledger.
    ///
    /// # Errors
    /// If the store fails.
    pub fn prune(&self, keep: Keep, readings: &[Reading], now: u64) -> Result<(), StoreError> {
        let spans = [keep.minutes, keep.hours, keep.days];
        self.write(|transaction| {
            for (period, span) in Period::KEPT.into_iter().zip(spans) {
                let oldest = stored(period.start(now.saturating_sub(span)));
                let sql = "DELETE FROM usage WHERE period = ?1 AND start < ?2";
                transaction.execute(sql, (period.number(), oldest))?;
            }
            let sql = "DELETE FROM numbers WHERE (function, revision) NOT IN \
                       (SELECT function, revision FROM usage)";
            transaction.execute(sql, ())?;
            let mut statement = transaction.prepare("SELECT serial FROM cursors")?;
            let known = statement.query_map((), |row| row.get(0))?;
            let known: Vec<i64> = known.collect::<Result<_, _>>()?;
            let gone = |serial: &i64| !readings.iter().any(|it| stored(it.serial) == *serial);
            for serial in known.into_iter().filter(gone) {
                transaction.execute("DELETE FROM cursors WHERE serial = ?1", (serial,))?;
            }
            Ok(())
        })
    }

    /// The budget of a function that was set apart from its manifest, as text.
    ///
    /// # Errors
    /// If the store fails.
    pub fn budgets(&self) -> Result<Vec<(String, String)>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare("SELECT function, budget FROM budgets")?;
        let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Sets it, or with `None` forgets it.
    ///
    /// # Errors
    /// If the store fails.
    pub fn set_budget(&self, function: &str, budget: Option<&str>) -> Result<(), StoreError> {
        self.write(|transaction| {
            match budget {
                Some(budget) => transaction.execute(
                    "INSERT OR REPLACE INTO budgets (function, budget) VALUES (?1, ?2)",
                    (function, budget),
                )?,
                None => {
                    transaction.execute("DELETE FROM budgets WHERE function = ?1", (function,))?
                }
            };
            Ok(())
        })
    }

    fn write<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.lock();
        let behavior = TransactionBehavior::Immediate;
        let transaction = connection.transaction_with_behavior(behavior)?;
        let done = change(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn migrate(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > VERSION {
        return Err(StoreError::Newer(version, VERSION));
    }
    if version == VERSION {
        return Ok(());
    }
    let column = |counter: &Counter| format!("{} INTEGER NOT NULL DEFAULT 0", counter.name());
    if version == 0 {
        let first: Vec<String> = Counter::ALL[..Counter::FIRST].iter().map(column).collect();
        make(transaction, &first.join(", "))?;
    }
    for counter in &Counter::ALL[Counter::FIRST..] {
        for table in ["usage", "cursors"] {
            let column = column(counter);
            transaction.execute(&format!("ALTER TABLE {table} ADD COLUMN {column}"), ())?;
        }
    }
    transaction.execute_batch(
        "CREATE TABLE numbers (function TEXT NOT NULL, revision TEXT NOT NULL, number INTEGER NOT \
         NULL, PRIMARY KEY (function, revision)) WITHOUT ROWID",
    )?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(())
}

/// The tables as they were first.
fn make(transaction: &Transaction<'_>, columns: &str) -> Result<(), StoreError> {
    transaction.execute_batch(&format!(
        "CREATE TABLE usage (period INTEGER NOT NULL, start INTEGER NOT NULL, function TEXT NOT \
         NULL, revision TEXT NOT NULL, {columns}, PRIMARY KEY (period, start, function, revision)) \
         WITHOUT ROWID;
         CREATE TABLE cursors (serial INTEGER PRIMARY KEY, {columns});
         CREATE TABLE budgets (function TEXT PRIMARY KEY, budget TEXT NOT NULL) WITHOUT ROWID;"
    ))?;
    Ok(())
}

/// By what number people know the revision.
fn note_number(transaction: &Transaction<'_>, reading: &Reading) -> Result<(), StoreError> {
    if let Some(number) = reading.number {
        let sql = "INSERT OR REPLACE INTO numbers (function, revision, number) VALUES (?1, ?2, ?3)";
        let of = (&reading.function, &reading.revision, number);
        transaction.prepare(sql)?.execute(of)?;
    }
    Ok(())
}

fn columns() -> String {
    Counter::ALL.map(Counter::name).join(", ")
}

fn sums() -> String {
    let sums = Counter::ALL.map(|counter| format!("sum({})", counter.name()));
    sums.join(", ")
}

fn read_cursor(transaction: &Transaction<'_>, serial: i64) -> Result<Totals, StoreError> {
    let sql = format!("SELECT {} FROM cursors WHERE serial = ?1", columns());
    let mut statement = transaction.prepare(&sql)?;
    let mut rows = statement.query((serial,))?;
    match rows.next()? {
        Some(row) => Ok(totals(row, 0)?),
        None => Ok(Totals::default()),
    }
}

fn write_cursor(
    transaction: &Transaction<'_>,
    serial: i64,
    totals: &Totals,
) -> Result<(), StoreError> {
    let places = vec!["?"; COUNTERS + 1].join(", ");
    let sql = format!(
        "INSERT OR REPLACE INTO cursors (serial, {}) VALUES ({places})",
        columns()
    );
    let values = totals.0.map(stored);
    let mut statement = transaction.prepare(&sql)?;
    statement.execute(params_from_iter([serial].into_iter().chain(values)))?;
    Ok(())
}

/// Adds to a row, which is made if there is none.
fn add_row(
    transaction: &Transaction<'_>,
    (period, start): (u8, i64),
    (function, revision): (&str, &str),
    delta: &Totals,
) -> Result<(), StoreError> {
    let key = "period = ?1 AND start = ?2 AND function = ?3 AND revision = ?4";
    let make =
        "INSERT OR IGNORE INTO usage (period, start, function, revision) VALUES (?1, ?2, ?3, ?4)";
    let of = (period, start, function, revision);
    transaction.prepare(make)?.execute(of)?;
    let sums: Vec<String> = Counter::ALL
        .iter()
        .enumerate()
        .map(|(place, counter)| format!("{0} = {0} + ?{1}", counter.name(), place + 5))
        .collect();
    let sql = format!("UPDATE usage SET {} WHERE {key}", sums.join(", "));
    let mut statement = transaction.prepare(&sql)?;
    statement.raw_bind_parameter(1, period)?;
    statement.raw_bind_parameter(2, start)?;
    statement.raw_bind_parameter(3, function)?;
    statement.raw_bind_parameter(4, revision)?;
    for (place, value) in delta.0.into_iter().enumerate() {
        statement.raw_bind_parameter(place + 5, stored(value))?;
    }
    statement.raw_execute()?;
    Ok(())
}

fn totals(row: &Row<'_>, first: usize) -> Result<Totals, rusqlite::Error> {
    let mut totals = Totals::default();
    for (place, value) in totals.0.iter_mut().enumerate() {
        *value = read(row.get(first + place)?);
    }
    Ok(totals)
}

/// SQLite's numbers have a sign.
fn stored(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn read(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests;

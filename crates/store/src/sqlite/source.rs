//! The files as they are read for a copy: nothing is changed in them.

use std::ops::Range;
use std::path::{Path, PathBuf};

use chatward_message::KeySlot;
use rusqlite::{Connection, OpenFlags, Row};

use super::schema::{self, Migrations};
use crate::copy::{Column, Table, Values};
use crate::log::{LogSource, TakeLeaf};
use crate::{StoreError, WrappedKey};

/// Rows handed over at once.
const ROWS: u64 = 2000;

/// A file opened to be copied.
pub(crate) struct Source {
    db: Connection,
    path: PathBuf,
}

/// Takes many rows of one tenant: their number, and their columns.
type TakeRows<'a> = &'a mut dyn FnMut(u64, Vec<Values>) -> Result<(), StoreError>;

impl Source {
    pub(crate) fn store(path: &Path) -> Result<Self, StoreError> {
        Self::open(path, schema::STORE)
    }

    pub(crate) fn keyring(path: &Path) -> Result<Self, StoreError> {
        Self::open(path, schema::KEYRING)
    }

    fn open(path: &Path, migrations: Migrations) -> Result<Self, StoreError> {
        let failed = |e: rusqlite::Error| StoreError::sql(path, "open for a copy", &e);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(failed)?;
        let version = "SELECT ifnull(max(version), 0) FROM schema_versions";
        let found: i64 = db.query_row(version, [], |row| row.get(0)).map_err(failed)?;
        let known = i64::try_from(migrations.len()).map_err(StoreError::inside)?;
        if found > known {
            return Err(StoreError::NewerSchema { path: path.to_owned(), found, known });
        }
        if found < known {
            return Err(StoreError::OldFile { path: path.to_owned(), found, known });
        }
        Ok(Self { db, path: path.to_owned() })
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> StoreError + '_ {
        |e| StoreError::sql(&self.path, "read for a copy", &e)
    }

    fn number(&self, sql: &str) -> Result<u64, StoreError> {
        self.db.query_row(sql, [], |row| row.get(0)).map_err(self.failed())
    }

    pub(crate) fn count(&self, table: &Table) -> Result<u64, StoreError> {
        self.number(&format!("SELECT count(*) FROM ({})", table.select))
    }

    /// The number of the turn that comes next.
    pub(crate) fn next_turn(&self) -> Result<u64, StoreError> {
        self.number(
            "SELECT max(ifnull((SELECT max(seq) + 1 FROM turns), 0),
                        ifnull((SELECT value FROM meta WHERE name = 'low_water'), 0))",
        )
    }

    /// Hands over all rows of a table after the first `skip`.
    pub(crate) fn each(&self, table: &Table, skip: u64, take: TakeRows<'_>) -> Result<(), StoreError> {
        let sql = format!("{} LIMIT -1 OFFSET {skip}", table.select);
        let mut ask = self.db.prepare(&sql).map_err(self.failed())?;
        let mut rows = ask.query([]).map_err(self.failed())?;
        let (mut n, mut of, mut values) = (0, None::<String>, empty(table));
        while let Some(row) = rows.next().map_err(self.failed())? {
            let tenant = table.tenant.map(|at| row.get(at)).transpose().map_err(self.failed())?;
            if n > 0 && (n == ROWS || tenant != of) {
                take(n, std::mem::replace(&mut values, empty(table)))?;
                n = 0;
            }
            of = tenant;
            add(row, &mut values).map_err(self.failed())?;
            n += 1;
        }
        if n > 0 { take(n, values) } else { Ok(()) }
    }

    /// All keys, by their slots.
    pub(crate) fn keys(&self) -> Result<Vec<(KeySlot, WrappedKey)>, StoreError> {
        let mut ask =
            self.db.prepare("SELECT slot, epoch, wrapped FROM keys ORDER BY slot").map_err(self.failed())?;
        let key = |row: &Row<'_>| {
            let bytes = row.get::<_, Vec<u8>>(2)?.into();
            Ok((KeySlot::from_bytes(row.get(0)?), WrappedKey { epoch: row.get(1)?, bytes }))
        };
        let rows = ask.query_map([], key).map_err(self.failed())?;
        rows.collect::<Result<_, _>>().map_err(self.failed())
    }

    pub(crate) fn meta(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let mut ask = self.db.prepare("SELECT name, value FROM meta").map_err(self.failed())?;
        let rows = ask.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(self.failed())?;
        rows.collect::<Result<_, _>>().map_err(self.failed())
    }
}

fn empty(table: &Table) -> Vec<Values> {
    let column = |column: &Column| match column {
        Column::Number => Values::Number(Vec::new()),
        Column::Text => Values::Text(Vec::new()),
        Column::Bytes => Values::Bytes(Vec::new()),
    };
    table.columns.iter().map(column).collect()
}

fn add(row: &Row<'_>, values: &mut [Values]) -> rusqlite::Result<()> {
    for (at, column) in values.iter_mut().enumerate() {
        match column {
            Values::Number(all) => all.push(row.get(at)?),
            Values::Text(all) => all.push(row.get(at)?),
            Values::Bytes(all) => all.push(row.get(at)?),
        }
    }
    Ok(())
}

impl LogSource for Source {
    fn size(&self) -> Result<u64, StoreError> {
        self.db.size()
    }

    fn each(&self, range: Range<u64>, take: TakeLeaf<'_>) -> Result<(), StoreError> {
        LogSource::each(&self.db, range, take)
    }
}

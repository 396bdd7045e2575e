//! A database that an embedded store is copied into.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio_postgres::Error;

use super::schema::{self, LOCK_COPY, LOCKS, STORE_SCHEMA};
use super::session::{Param, Postgres, Session, failed, in_time};
use super::writer::SET_TENANT;
use super::{new_runtime, read_leaves};
use crate::StoreError;
use crate::copy::{Table, Values};
use crate::log::{LogSource, TakeLeaf};

/// The target while it is filled. Its lock keeps a second copy away, the note in the table `copying` every gateway.
pub(crate) struct Target {
    runtime: Runtime,
    session: RefCell<Session>,
    label: Arc<str>,
}

impl Target {
    /// Opens an empty database, or the unfinished copy of the store of this name.
    pub(crate) fn open(server: &Postgres, name: &[u8]) -> Result<Self, StoreError> {
        let (runtime, label) = (new_runtime()?, server.label());
        runtime.block_on(in_time(&label, schema::prepare(server, &schema::STORE)))?;
        let session = RefCell::new(runtime.block_on(server.connect(STORE_SCHEMA))?);
        let this = Self { runtime, session, label };
        let begun = this.ask("begin a copy", async |session| {
            let lock = "SELECT pg_try_advisory_lock($1, $2)";
            let free = session.row(lock, &[&LOCKS, &LOCK_COPY]).await?;
            if !free.map_or(Ok(false), |row| row.try_get(0))? {
                return Ok(None);
            }
            // As a writer: nobody else begins meanwhile.
            session.begin("BEGIN", "SELECT size FROM head FOR UPDATE", &[]).await?;
            let known = session.row("SELECT source = $1 FROM copying", &[&name]).await?;
            let ours = match known {
                Some(row) => row.try_get(0)?,
                None => {
                    let empty =
                        "SELECT NOT (EXISTS (SELECT 1 FROM log_entries) OR EXISTS (SELECT 1 FROM tenants)
                        OR EXISTS (SELECT 1 FROM signed) OR EXISTS (SELECT 1 FROM erased))";
                    let empty = session.row(empty, &[]).await?.map_or(Ok(false), |row| row.try_get(0))?;
                    if empty {
                        let note = "INSERT INTO copying (source, step, done) VALUES ($1, 0, 0)";
                        session.run(note, &[&name]).await?;
                    }
                    empty
                }
            };
            session.run_all("COMMIT").await?;
            Ok(Some(ours))
        })?;
        match begun {
            None => Err(StoreError::InUse { path: (*this.label).into(), holder: " (another copy)".into() }),
            Some(false) => Err(StoreError::TargetNotEmpty { server: this.label }),
            Some(true) => Ok(this),
        }
    }

    fn ask<T>(
        &self,
        doing: &'static str,
        ask: impl AsyncFnOnce(&mut Session) -> Result<T, Error>,
    ) -> Result<T, StoreError> {
        let mut session = self.session.borrow_mut();
        self.runtime.block_on(in_time(&self.label, async {
            ask(&mut session).await.map_err(|e| failed(&self.label, doing, &e))
        }))
    }

    /// Which table comes next, and how many of its rows are here.
    pub(crate) fn place(&self) -> Result<(usize, u64), StoreError> {
        let (step, done) = self.ask("look how far a copy is", async |session| {
            let row = session.row("SELECT step, done FROM copying", &[]).await?;
            row.map_or(Ok((0, 0)), |row| Ok((row.try_get::<_, i64>(0)?, row.try_get::<_, i64>(1)?)))
        })?;
        Ok((usize::try_from(step).unwrap_or(0), u64::try_from(done).unwrap_or(0)))
    }

    /// Puts rows in, and notes in the same transaction how many there are now.
    pub(crate) fn put(
        &self,
        step: usize,
        done: u64,
        table: &Table,
        values: &[Values],
    ) -> Result<(), StoreError> {
        let (step, done) = (number(step)?, number(done)?);
        let params: Vec<Param<'_>> = values
            .iter()
            .map(|column| match column {
                Values::Number(all) => all as Param<'_>,
                Values::Text(all) => all as Param<'_>,
                Values::Bytes(all) => all as Param<'_>,
            })
            .collect();
        let tenant = match table.tenant.and_then(|at| values.get(at)) {
            Some(Values::Text(all)) => all.first().cloned().flatten().unwrap_or_default(),
            _ => String::new(),
        };
        self.ask("copy", async |session| {
            session.begin("BEGIN", SET_TENANT, &[&tenant]).await?;
            session
                .run_each(&[
                    (table.insert, &params),
                    ("UPDATE copying SET step = $1, done = $2", &[&step, &done]),
                    ("COMMIT", &[]),
                ])
                .await
                .map(drop)
        })
    }

    pub(crate) fn begin_step(&self, step: usize) -> Result<(), StoreError> {
        let step = number(step)?;
        self.ask("copy", async |session| {
            session.run("UPDATE copying SET step = $1, done = 0", &[&step]).await.map(drop)
        })
    }

    /// Sets the ends of log and turns, and the checkpoint that the source had signed.
    pub(crate) fn close_books(
        &self,
        events: u64,
        turns: u64,
        signed: Option<(u64, &[u8])>,
    ) -> Result<(), StoreError> {
        let (events, turns) = (number(events)?, number(turns)?);
        let signed = signed.map(|(size, bytes)| Ok((number(size)?, bytes))).transpose()?;
        self.ask("end a copy", async |session| {
            session.run("UPDATE head SET size = $1, turns = $2", &[&events, &turns]).await?;
            if let Some((size, bytes)) = signed {
                let keep = "INSERT INTO signed (size, checkpoint) VALUES ($1, $2) ON CONFLICT DO NOTHING";
                session.run(keep, &[&size, &bytes]).await?;
            }
            Ok(())
        })
    }

    /// Rows of a table, over all tenants.
    pub(crate) fn count(&self, table: &Table) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        let count = self.ask("count", async |session| {
            let mut tenants = vec![String::new()];
            if table.tenant.is_some() {
                let rows = session.rows("SELECT name FROM tenants", &[]).await?;
                tenants = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
            }
            let mut all = 0;
            for tenant in tenants {
                session.begin("BEGIN READ ONLY", SET_TENANT, &[&tenant]).await?;
                all += session.count(&sql).await?;
                session.run_all("COMMIT").await?;
            }
            Ok(all)
        })?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// The copy is whole: gateways may use it.
    pub(crate) fn finish(self) -> Result<(), StoreError> {
        self.ask("end a copy", async |session| session.run("DELETE FROM copying", &[]).await.map(drop))
    }
}

fn number(n: impl TryInto<i64, Error = std::num::TryFromIntError>) -> Result<i64, StoreError> {
    n.try_into().map_err(StoreError::inside)
}

impl LogSource for Target {
    fn size(&self) -> Result<u64, StoreError> {
        let size = self.ask("count the log", async |session| session.count("SELECT size FROM head").await)?;
        Ok(u64::try_from(size).unwrap_or(0))
    }

    fn each(&self, range: Range<u64>, take: TakeLeaf<'_>) -> Result<(), StoreError> {
        read_leaves(range, take, |sql, from, to| {
            self.ask("read the log", async |session| session.rows(sql, &[&from, &to]).await)
        })
    }
}

//! The store on a PostgreSQL server (15 or newer), shared by several processes.
//!
//! The same tables and the same named transactions as the embedded store; what differs is that others write too. The writer
//! is a thread of its own, as there: it shares a transaction among the jobs that wait. A second thread publishes the log and
//! closes turns whose processes are gone. Files of the log and the lock stay in each process's own folder.

mod channel;
mod erase;
mod keyring;
mod read;
mod record;
mod schema;
mod session;
mod standing;
mod sweep;
mod target;
mod writer;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_postgres::{Error, Row};

use self::schema::{LOCK_PUBLISHER, LOCKS, STORE_SCHEMA};
use self::session::{failed, in_time};
use self::writer::{Link, Writer};
use crate::log::{Bell, LogSource, Published, Publisher, TakeLeaf};
use crate::queue::{self, Shared};
use crate::store::{Opened, Rows, spawn};
use crate::{StoreError, StoreOptions};

pub(crate) use self::keyring::{HeldLock, Keys};
pub(crate) use self::read::Readers;
pub use self::session::{Encrypt, Encrypting, Postgres, Wire};
pub(crate) use self::target::Target;

/// How often turns of processes that are gone are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// How long a start waits for the server to notice that a process is gone: it does as soon as it is idle.
const NOTICED_WITHIN: Duration = Duration::from_millis(500);

/// Opens the store and starts its threads. On a thread of its own, so that it may be called from anywhere.
pub(crate) fn open(dir: &Path, server: Postgres, options: StoreOptions) -> Result<Opened, StoreError> {
    std::thread::scope(|scope| scope.spawn(|| open_here(dir, server, options)).join())
        .unwrap_or_else(|_| Err(StoreError::inside("opening the store panicked")))
}

fn open_here(dir: &Path, server: Postgres, options: StoreOptions) -> Result<Opened, StoreError> {
    let runtime = new_runtime()?;
    let reachable = Arc::new(AtomicBool::new(true));
    runtime.block_on(in_time(&server.label(), schema::prepare(&server, &schema::STORE)))?;
    runtime.block_on(is_whole(&server))?;
    let gateway = runtime.block_on(new_number(&server))?;
    let mut link = Link::new(server.clone(), Arc::clone(&reachable), Some(gateway));
    runtime.block_on(link.session())?;
    let shared = Arc::new(Shared::new(options.queue, 0));
    let published = Arc::new(Published::default());
    let log = Log {
        runtime: new_runtime()?,
        link: RefCell::new(Link::new(server.clone(), Arc::clone(&reachable), None)),
        signs: Cell::new(false),
        shared: Arc::clone(&shared),
    };
    // Before anything is written: a database that was rolled back must not grow a second past.
    let mut publisher = match options.signer {
        Some(signer) => {
            let (faults, published) = (options.faults.clone(), Arc::clone(&published));
            Some(Publisher::prepare(&dir.join("log"), signer, faults, &log, published)?)
        }
        None => None,
    };
    if let Some(publisher) = &mut publisher {
        publisher.publish(&log)?;
    }
    let interrupted = runtime.block_on(close_lost(&mut link, options.clock.now()))?;
    let log_size = log.size()?;
    let bell = Arc::new(Bell::default());
    let mut threads = Vec::with_capacity(2);
    let (queue, ring, batch) = (Arc::clone(&shared), Arc::clone(&bell), options.batch);
    let tenants = HashSet::new();
    let mut writer = Writer { runtime, link, faults: options.faults, log_size, tenants };
    threads.push(spawn("store-writer", move || {
        queue::work(&mut writer, &queue, batch, &ring);
        writer.finish();
    })?);
    let (ring, every, clock) = (Arc::clone(&bell), options.publish_every, options.clock);
    threads.push(spawn("store-publisher", move || {
        let mut swept = Instant::now();
        let mut go_on = true;
        while go_on {
            go_on = ring.pause(every);
            if let Some(publisher) = &mut publisher {
                publisher.try_publish(&log);
            } else if let Err(error) = log.size() {
                tracing::debug!(%error, "the log's size is not known");
            }
            if go_on && swept.elapsed() >= SWEEP_EVERY {
                swept = Instant::now();
                log.sweep(gateway, clock.now());
            }
        }
    })?);
    let rows = Rows::Server(Readers::new(server, options.readers.max(8), reachable));
    Ok(Opened { shared, bell, published, rows, threads, interrupted })
}

/// Brings the tables of the store to this version, or to the newest.
pub(crate) fn migrate(server: &Postgres, to: Option<usize>) -> Result<(), StoreError> {
    let to = to.unwrap_or(schema::STORE.steps.len());
    let work = || new_runtime()?.block_on(schema::migrate(server, &schema::STORE, to));
    std::thread::scope(|scope| scope.spawn(work).join())
        .unwrap_or_else(|_| Err(StoreError::inside("migrating panicked")))
}

/// A runtime of one thread: a connection of its own moves only while something is asked on it.
fn new_runtime() -> Result<Runtime, StoreError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StoreError::inside)
}

/// A copy that is not finished serves nobody.
async fn is_whole(server: &Postgres) -> Result<(), StoreError> {
    let label = server.label();
    let mut session = server.connect(STORE_SCHEMA).await?;
    let copying = session.count("SELECT count(*) FROM copying").await;
    match copying.map_err(|e| failed(&label, "look for an unfinished copy", &e))? {
        0 => Ok(()),
        _ => Err(StoreError::UnfinishedCopy { server: label }),
    }
}

/// A number for this process, which no process that runs has.
async fn new_number(server: &Postgres) -> Result<i32, StoreError> {
    let label = server.label();
    let failed = |e: Error| failed(&label, "take a number", &e);
    let mut session = server.connect(STORE_SCHEMA).await?;
    let row = session.row("SELECT nextval('gateways')::integer", &[]).await.map_err(failed)?;
    row.map_or(Ok(0), |row| row.try_get(0)).map_err(failed)
}

/// At a start: what the process before left half-made. If turns of others are open, the server may only not have noticed
/// yet that their process is gone.
async fn close_lost(link: &mut Link, at: chatward_message::UnixMillis) -> Result<u64, StoreError> {
    let started = Instant::now();
    let mut closed = 0;
    loop {
        let (more, left) = link.close_lost(at).await?;
        closed += more;
        if !left || started.elapsed() >= NOTICED_WITHIN {
            return Ok(closed);
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// The log in the database, on a connection of its own.
struct Log {
    runtime: Runtime,
    link: RefCell<Link>,
    /// Whether that connection holds the publisher's lock.
    signs: Cell<bool>,
    shared: Arc<Shared>,
}

impl Log {
    /// Asks something; after an error the connection, and with it the publisher's lock, is given up.
    fn ask<T>(
        &self,
        doing: &'static str,
        ask: impl AsyncFnOnce(&mut session::Session) -> Result<T, Error>,
    ) -> Result<T, StoreError> {
        let mut link = self.link.borrow_mut();
        let label = link.label();
        self.runtime.block_on(async {
            let done = in_time(&label, async {
                let session = link.session().await?;
                ask(session).await.map_err(|e| failed(&label, doing, &e))
            })
            .await;
            if done.is_err() {
                self.signs.set(false);
            }
            link.noted(done).await
        })
    }

    /// Closes turns of processes that are gone.
    fn sweep(&self, gateway: i32, at: chatward_message::UnixMillis) {
        let mut link = self.link.borrow_mut();
        let label = link.label();
        let done = self.runtime.block_on(async {
            let done = in_time(&label, link.close_lost_beside(gateway, at)).await;
            if done.is_err() {
                self.signs.set(false);
            }
            link.noted(done).await
        });
        match done {
            Ok((0, _)) => {}
            Ok((closed, _)) => tracing::warn!(closed, "closed turns of a process that is gone"),
            Err(error) => tracing::warn!(%error, "turns of processes that are gone were not looked for"),
        }
    }
}

impl LogSource for Log {
    fn size(&self) -> Result<u64, StoreError> {
        let size = self.ask("count the log", async |session| {
            let row = session.row("SELECT size FROM head", &[]).await?;
            row.map_or(Ok(0), |row| row.try_get::<_, i64>(0))
        })?;
        let size = u64::try_from(size).unwrap_or(0);
        // What others wrote counts, too.
        self.shared.log_size.fetch_max(size, Ordering::AcqRel);
        Ok(size)
    }

    fn each(&self, range: Range<u64>, take: TakeLeaf<'_>) -> Result<(), StoreError> {
        read_leaves(range, take, |sql, from, to| {
            self.ask("read the log", async |session| session.rows(sql, &[&from, &to]).await)
        })
    }

    fn signed_beyond(&self, size: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let size = i64::try_from(size).map_err(StoreError::inside)?;
        self.ask("look for a checkpoint", async |session| {
            let row = session.row("SELECT checkpoint FROM signed WHERE size > $1", &[&size]).await?;
            row.map(|row| row.try_get(0)).transpose()
        })
    }

    fn may_sign(&self) -> Result<bool, StoreError> {
        if self.signs.get() {
            return Ok(true);
        }
        let free = self.ask("ask for the publisher's place", async |session| {
            let row = session.row("SELECT pg_try_advisory_lock($1, $2)", &[&LOCKS, &LOCK_PUBLISHER]).await?;
            row.map_or(Ok(false), |row| row.try_get(0))
        })?;
        self.signs.set(free);
        Ok(free)
    }

    fn announce(&self, size: u64, checkpoint: &[u8]) -> Result<(), StoreError> {
        let size = i64::try_from(size).map_err(StoreError::inside)?;
        let set = "INSERT INTO signed (size, checkpoint) VALUES ($1, $2) ON CONFLICT (only_one)
            DO UPDATE SET size = excluded.size, checkpoint = excluded.checkpoint WHERE signed.size < excluded.size";
        let done =
            self.ask("keep a checkpoint", async |session| session.run(set, &[&size, &checkpoint]).await)?;
        if done == 1 {
            Ok(())
        } else {
            Err(StoreError::inside("another process signed a later checkpoint meanwhile"))
        }
    }
}

/// Gives the leaves of a range, asked for by `ask`.
fn read_leaves(
    range: Range<u64>,
    take: TakeLeaf<'_>,
    ask: impl Fn(&'static str, i64, i64) -> Result<Vec<Row>, StoreError>,
) -> Result<(), StoreError> {
    let from = i64::try_from(range.start).map_err(StoreError::inside)?;
    let to = i64::try_from(range.end).map_err(StoreError::inside)?;
    for row in ask("SELECT idx, data FROM log_entries WHERE idx >= $1 AND idx < $2 ORDER BY idx", from, to)? {
        let read = || Ok((row.try_get::<_, i64>(0)?, row.try_get::<_, &[u8]>(1)?));
        let (index, data) = read().map_err(|e: Error| StoreError::inside(e))?;
        take(u64::try_from(index).unwrap_or(0), data)?;
    }
    Ok(())
}

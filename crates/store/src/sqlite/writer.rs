//! The writer of the embedded store.
//!
//! Jobs check before they write, so that a refused job costs its neighbours nothing. Where a constraint of the database
//! is what refuses (rare: an id used twice), the batch is rolled back and run again with a savepoint per job; jobs
//! therefore have no effect outside the transaction until it has committed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chatward_message::{
    Action, ConversationId, CustomerId, Event, Facts, KeySlot, Subject, TenantId, TurnId, UnixMillis,
};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::schema::{SLOT_OF_CUSTOMER, truncate_wal};
use super::standing::STANDING_REVISION;
use super::still::{MOST_PAGES, Still};
use crate::log::leaf;
use crate::queue::{Batched, Done, Job, Writes};
use crate::rows::{CloseTurn, OpenTurn, Receipt, TurnState};
use crate::{Fault, FaultPoint, Faults, StoreError};

/// The write-ahead log is copied into the database when it has this many pages (of 8 KiB).
/// What is copied at once bounds how long the next commit waits for it.
const CHECKPOINT_PAGES: u64 = 1000;
/// So many conversations are remembered as known, so that their next turns need not look them up.
const KNOWN: usize = 2048;
/// So many history tags are gathered before they go into their index together. They are durable in `closings` before.
const TAGS_GATHERED: usize = 4096;
/// After so many turns the place from which a start looks for open turns is moved up.
const LOW_WATER_STEP: i64 = 4096;

/// A poisoned lock means that a thread panicked between two plain assignments; the data is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A turn that has no closing yet.
#[derive(Debug)]
pub(super) struct OpenRow {
    seq: i64,
    pub(super) conversation: ConversationId,
}

/// What the thread owns.
pub(crate) struct Writer {
    db: Connection,
    path: PathBuf,
    faults: Option<Arc<dyn Faults>>,
    memory: Memory,
    tags: Arc<Tags>,
    pages: Arc<AtomicU64>,
    checkpoint_at: u64,
    still: Arc<Still>,
}

/// What the thread knows of the database without asking it.
#[derive(Default)]
pub(super) struct Memory {
    next_index: i64,
    next_seq: i64,
    /// The place stored in `meta`: no turn before it is open.
    low_water: i64,
    pub(super) open: HashMap<(TenantId, TurnId), OpenRow>,
    /// Conversations that were written or looked up lately, with their owner and that customer's slot.
    pub(super) known: HashMap<ConversationId, (TenantId, CustomerId, KeySlot)>,
    /// History tags of the batch under way.
    pub(super) fresh: Vec<NewTag>,
    /// Whether the fields above may differ from the database.
    stale: bool,
}

pub(super) type NewTag = ([u8; 16], TenantId, ConversationId);
/// Where a tag was seen.
type Seen = (TenantId, ConversationId);

/// Committed history tags that are not in their index yet. A tag falls anywhere in the index, so that each one alone costs
/// a page; many together, in order, share pages. What is here stands in `closings`, and a start reads it from there.
#[derive(Default)]
pub(crate) struct Tags(Mutex<Gathered>);

#[derive(Default)]
struct Gathered {
    seen: HashMap<[u8; 16], Vec<Seen>>,
    /// Over all tags: the conversations that begin with the same words share one.
    count: usize,
}

impl Tags {
    /// The conversations in which this tag was seen lately. Ask here before the database: what leaves this place is in
    /// the index already.
    pub(crate) fn conversations(&self, tenant: &TenantId, tag: [u8; 16]) -> Vec<ConversationId> {
        let tags = lock(&self.0);
        let here = tags.seen.get(&tag).into_iter().flatten();
        here.filter(|(of, _)| of == tenant).map(|(_, conversation)| *conversation).collect()
    }

    fn len(&self) -> usize {
        lock(&self.0).count
    }

    /// Everything, in the order of the index.
    fn sorted(&self) -> Vec<NewTag> {
        let tags = lock(&self.0);
        let mut all: Vec<NewTag> = (tags.seen.iter())
            .flat_map(|(tag, seen)| {
                seen.iter().map(|(tenant, conversation)| (*tag, tenant.clone(), *conversation))
            })
            .collect();
        all.sort_unstable_by(|a, b| (&a.1, a.0, a.2).cmp(&(&b.1, b.0, b.2)));
        all
    }

    fn add(&self, fresh: impl IntoIterator<Item = NewTag>) {
        let mut tags = lock(&self.0);
        for (tag, tenant, conversation) in fresh {
            tags.seen.entry(tag).or_default().push((tenant, conversation));
            tags.count += 1;
        }
    }

    fn clear(&self) {
        *lock(&self.0) = Gathered::default();
    }
}

impl Memory {
    fn know(&mut self, turn: &OpenTurn) {
        if self.known.len() >= KNOWN {
            self.known.clear();
        }
        self.known.insert(turn.conversation, (turn.tenant.clone(), turn.customer, turn.slot));
    }

    fn knows(&self, turn: &OpenTurn) -> bool {
        self.known.get(&turn.conversation).is_some_and(|(tenant, customer, slot)| {
            *customer == turn.customer && *slot == turn.slot && *tenant == turn.tenant
        })
    }
}

/// The statements of turns, looked up once a batch.
pub(super) struct Statements<'db> {
    event: CachedStatement<'db>,
    alone: CachedStatement<'db>,
    conversation: CachedStatement<'db>,
    owner: CachedStatement<'db>,
    customer: CachedStatement<'db>,
    slot: CachedStatement<'db>,
    standing: CachedStatement<'db>,
    turn: CachedStatement<'db>,
    issued: CachedStatement<'db>,
    closing: CachedStatement<'db>,
    pub(super) tag: CachedStatement<'db>,
}

impl<'db> Statements<'db> {
    fn of(db: &'db Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            event: db.prepare_cached("INSERT INTO log_entries VALUES (?1, ?2)")?,
            alone: db.prepare_cached(
                "INSERT OR IGNORE INTO conversations SELECT ?1, ?2, NULL, ?3, ?4, ?5, ?6, ?7, ?8
                 WHERE NOT EXISTS (SELECT 1 FROM customers WHERE tenant = ?1 AND id = ?2)",
            )?,
            conversation: db.prepare_cached(
                "INSERT OR IGNORE INTO conversations VALUES (?1, ?2, ?3, NULL, ?4, ?5, ?6, ?7, ?8)",
            )?,
            owner: db.prepare_cached(
                "SELECT ifnull(customer, id), issued IS NOT NULL FROM conversations WHERE tenant = ?1 AND id = ?2",
            )?,
            customer: db.prepare_cached("INSERT INTO customers VALUES (?1, ?2, ?3)")?,
            slot: db.prepare_cached(SLOT_OF_CUSTOMER)?,
            standing: db.prepare_cached(STANDING_REVISION)?,
            turn: db.prepare_cached("INSERT INTO turns VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")?,
            issued: db.prepare_cached("INSERT INTO issued VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?,
            closing: db.prepare_cached("INSERT INTO closings VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?,
            tag: db.prepare_cached("INSERT OR IGNORE INTO history_tags VALUES (?1, ?2, ?3)")?,
        })
    }
}

/// Why a job did not go through.
pub(super) enum Fail {
    /// It was refused before it wrote anything.
    Refused(StoreError),
    /// The database refused while it was writing.
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Fail {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// Why a batch did not go through.
enum Broken {
    /// A constraint: run again, each job behind a savepoint.
    TryCarefully,
    /// The disk or the file: everybody gets this error.
    All(StoreError),
}

impl Writer {
    pub(crate) fn new(
        mut db: Connection,
        path: &Path,
        faults: Option<Arc<dyn Faults>>,
    ) -> Result<Self, StoreError> {
        let pages = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&pages);
        db.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, n: std::ffi::c_int| {
            seen.store(u64::try_from(n).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))
        .map_err(|e| StoreError::sql(path, "watch the write-ahead log", &e))?;
        let mut writer = Self {
            db,
            path: path.to_owned(),
            faults,
            memory: Memory::default(),
            tags: Arc::default(),
            pages,
            checkpoint_at: CHECKPOINT_PAGES,
            still: Arc::default(),
        };
        writer.reload().map_err(|e| StoreError::sql(path, "look for open turns", &e))?;
        Ok(writer)
    }

    pub(crate) fn db(&self) -> &Connection {
        &self.db
    }

    pub(crate) fn tags(&self) -> Arc<Tags> {
        Arc::clone(&self.tags)
    }

    pub(crate) fn still(&self) -> Arc<Still> {
        Arc::clone(&self.still)
    }

    /// Reads again what is kept in memory.
    fn reload(&mut self) -> rusqlite::Result<()> {
        let Self { db, memory, tags, .. } = self;
        memory.stale = true;
        memory.known.clear();
        memory.fresh.clear();
        let one = |sql: &str| db.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
        memory.next_index = one("SELECT max(idx) FROM log_entries")?.map_or(0, |last| last + 1);
        memory.low_water = one("SELECT max(value) FROM meta WHERE name = 'low_water'")?.unwrap_or(0);
        // Never below the low water mark: a number that an erasure freed must not come again beneath it.
        let next_seq = one("SELECT max(seq) FROM turns")?.map_or(0, |last| last + 1);
        memory.next_seq = next_seq.max(memory.low_water);
        let mut ask = db.prepare_cached(
            "SELECT tenant, id, seq, conversation FROM turns WHERE seq >= ?1
             AND NOT EXISTS (SELECT 1 FROM closings WHERE turn = turns.seq)",
        )?;
        let rows = ask.query_map([memory.low_water], |row| {
            let tenant: String = row.get(0)?;
            Ok((
                tenant,
                TurnId::from_bytes(row.get(1)?),
                row.get(2)?,
                ConversationId::from_bytes(row.get(3)?),
            ))
        })?;
        memory.open.clear();
        for row in rows {
            let (tenant, turn, seq, conversation) = row?;
            if let Ok(tenant) = tenant.parse() {
                memory.open.insert((tenant, turn), OpenRow { seq, conversation });
            }
        }
        let from = one("SELECT max(value) FROM meta WHERE name = 'tags_from'")?.unwrap_or(0);
        let mut ask = db.prepare_cached(
            "SELECT t.tenant, t.conversation, c.tags FROM closings AS c JOIN turns AS t ON t.seq = c.turn
             WHERE c.turn >= ?1 AND length(c.tags) > 0",
        )?;
        let mut rows = ask.query([from])?;
        tags.clear();
        while let Some(row) = rows.next()? {
            let Ok(tenant) = row.get_ref(0)?.as_str()?.parse::<TenantId>() else { continue };
            let conversation = ConversationId::from_bytes(row.get(1)?);
            let (list, _) = row.get_ref(2)?.as_blob()?.as_chunks::<16>();
            tags.add(list.iter().map(|tag| (*tag, tenant.clone(), conversation)));
        }
        memory.stale = false;
        Ok(())
    }

    /// Closes every turn that a crash left half-made, each with an event, all in one transaction.
    pub(crate) fn close_half_made(&mut self, at: UnixMillis) -> Result<u64, StoreError> {
        let failed = |e: rusqlite::Error| StoreError::sql(&self.path, "close interrupted turns", &e);
        if self.memory.open.is_empty() {
            return Ok(0);
        }
        let mut rows: Vec<_> =
            self.memory.open.iter().map(|((tenant, turn), row)| (row.seq, tenant.clone(), *turn)).collect();
        rows.sort_unstable_by_key(|(seq, ..)| *seq);
        let mut index = self.memory.next_index;
        let tx = self.db.unchecked_transaction().map_err(failed)?;
        for (seq, tenant, turn) in &rows {
            let (subject, upstream): (Option<[u8; 16]>, String) = tx
                .query_row("SELECT subject, upstream FROM turns WHERE seq = ?1", [seq], |r| {
                    Ok((r.get(0)?, r.get(1)?))
                })
                .map_err(failed)?;
            let event = Event {
                at,
                tenant: tenant.clone(),
                action: Action::TurnInterrupted,
                turn: Some(*turn),
                subject: subject.map(Subject::from_bytes),
                facts: Facts { upstream: Some(upstream.into()), ..Facts::default() },
            };
            tx.execute("INSERT INTO log_entries VALUES (?1, ?2)", params![index, leaf(&event)?])
                .map_err(failed)?;
            tx.execute(
                "INSERT INTO closings (turn, state, at, log, tags, reply) VALUES (?1, ?2, ?3, ?4, x'', NULL)",
                params![seq, TurnState::Interrupted.code(), time(at), index],
            )
            .map_err(failed)?;
            index += 1;
        }
        tx.execute("INSERT OR REPLACE INTO meta VALUES ('low_water', ?1)", [self.memory.next_seq])
            .map_err(failed)?;
        tx.commit().map_err(failed)?;
        self.memory.next_index = index;
        self.memory.low_water = self.memory.next_seq;
        self.memory.open.clear();
        Ok(rows.len() as u64)
    }

    /// At the end: leaves one file behind, for backups by copy. A reader in the way is no loss: the next start goes on
    /// from there.
    pub(crate) fn finish(self) {
        self.still.break_off();
        if let Err(error) = truncate_wal(&self.db, Duration::from_secs(1)) {
            tracing::warn!(%error, "the write-ahead log was not emptied at the end");
        }
    }

    /// Runs the jobs in one transaction; the time is that of the commit, if there was something to commit.
    fn run_batch(&mut self, jobs: &[Job]) -> Result<Batched, StoreError> {
        if self.memory.stale {
            self.reload().map_err(|e| StoreError::sql(&self.path, "read after a failure", &e))?;
        }
        let mut took = None;
        let mut results = Vec::new();
        if jobs.iter().any(|job| !between(job)) {
            let attempt = match self.attempt(jobs, false) {
                Err(Broken::TryCarefully) => {
                    self.undo();
                    self.attempt(jobs, true)
                }
                other => other,
            };
            match attempt {
                Ok((done, time)) => {
                    results = done;
                    took = Some(time);
                }
                Err(Broken::All(error)) => {
                    self.undo();
                    return Err(error);
                }
                Err(Broken::TryCarefully) => {
                    self.undo();
                    return Err(StoreError::inside("a batch failed behind savepoints"));
                }
            }
        } else {
            results.extend(jobs.iter().map(|_| Ok(Done::Truncated(false))));
        }
        if jobs.iter().any(between) {
            self.empty_log(jobs, &mut results);
        }
        Ok((results, took))
    }

    /// All erasures that wait share this one, and so does a backup that begins. Short, so that a reader in the way does not
    /// stop the writers behind us: whoever asked tries again.
    fn empty_log(&mut self, jobs: &[Job], results: &mut [Result<Done, StoreError>]) {
        let erasing = jobs.iter().any(|job| matches!(job, Job::Truncate));
        // A backup that begins while another one copies waits for nobody: there is only one.
        let truncated = if self.still.is_held() && !(erasing && self.still.yields()) {
            Ok(false)
        } else {
            truncate_wal(&self.db, Duration::from_millis(20))
                .map_err(|e| StoreError::sql(&self.path, "empty the write-ahead log", &e))
        };
        let mut number = None;
        if matches!(truncated, Ok(true)) {
            self.pages.store(0, Ordering::Relaxed);
            self.checkpoint_at = CHECKPOINT_PAGES;
            if jobs.iter().any(|job| matches!(job, Job::Settle)) {
                number = Some(self.still.begin());
            }
        }
        for (job, result) in jobs.iter().zip(results) {
            match job {
                Job::Truncate => *result = truncated.clone().map(Done::Truncated),
                Job::Settle => *result = truncated.clone().map(|_| Done::Settled(number)),
                _ => {}
            }
        }
    }

    /// After a failure: nothing of the batch stays, and memory says again what the file says.
    fn undo(&mut self) {
        if !self.db.is_autocommit()
            && let Err(error) = self.db.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a rollback failed");
        }
        // The commit may have been reported as failed and be there all the same, so the file is asked.
        if let Err(error) = self.reload() {
            tracing::error!(%error, "the database could not be read after a failure");
        }
    }

    fn attempt(
        &mut self,
        jobs: &[Job],
        careful: bool,
    ) -> Result<(Vec<Result<Done, StoreError>>, Duration), Broken> {
        let fatal =
            |path: &Path, doing: &str, e: &rusqlite::Error| Broken::All(StoreError::sql(path, doing, e));
        self.step("BEGIN IMMEDIATE").map_err(|e| fatal(&self.path, "begin", &e))?;
        self.raise_low_water().map_err(|e| fatal(&self.path, "move the low water mark", &e))?;
        let Self { db, path, memory, tags, .. } = self;
        let step = |sql: &'static str, doing| {
            db.prepare_cached(sql).and_then(|mut s| s.execute([])).map_err(|e| fatal(path, doing, &e))
        };
        let with = Statements::of(db).map_err(|e| fatal(path, "prepare", &e))?;
        let mut batch = Batch { db, with, memory };
        // An erasure finds tags by their index.
        let index_tags = tags.len() >= TAGS_GATHERED
            || jobs.iter().any(|job| matches!(job, Job::Delete { .. } | Job::Sweep { .. }));
        if index_tags {
            batch.index_tags(&tags.sorted()).map_err(|e| fatal(path, "index history tags", &e))?;
        }
        let mut results = Vec::with_capacity(jobs.len());
        for job in jobs {
            let (index, seq) = (batch.memory.next_index, batch.memory.next_seq);
            if careful {
                step("SAVEPOINT job", "set a savepoint")?;
            }
            let result = match batch.run(job) {
                Ok(done) => Ok(done),
                Err(Fail::Refused(error)) => Err(error),
                Err(Fail::Sql(e))
                    if e.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) =>
                {
                    if !careful {
                        return Err(Broken::TryCarefully);
                    }
                    step("ROLLBACK TO job", "go back to a savepoint")?;
                    batch.memory.known.clear();
                    Err(match job {
                        Job::Open { .. } => StoreError::Exists {
                            what: "a turn with this id or placeholders with these numbers",
                        },
                        Job::Close { .. } => StoreError::NotOpen,
                        _ => StoreError::sql(path, "write", &e),
                    })
                }
                Err(Fail::Sql(e)) => return Err(fatal(path, "write", &e)),
            };
            if result.is_err() {
                batch.memory.next_index = index;
                batch.memory.next_seq = seq;
            }
            if careful {
                step("RELEASE job", "release a savepoint")?;
            }
            results.push(result);
        }
        drop(batch);
        let started = Instant::now();
        self.commit()?;
        let took = started.elapsed();
        if index_tags {
            self.tags.clear();
        }
        self.tags.add(self.memory.fresh.drain(..));
        Ok((results, took))
    }

    fn commit(&self) -> Result<(), Broken> {
        let injected =
            || Broken::All(StoreError::Io { path: self.path.clone(), detail: "injected by a test".into() });
        let fault = self.faults.as_ref().and_then(|f| f.at(FaultPoint::Commit));
        if fault == Some(Fault::NotPersisted) {
            return Err(injected());
        }
        self.step("COMMIT").map_err(|e| Broken::All(StoreError::sql(&self.path, "commit", &e)))?;
        if fault == Some(Fault::PersistedButReportedFailed) { Err(injected()) } else { Ok(()) }
    }

    fn step(&self, sql: &'static str) -> rusqlite::Result<()> {
        self.db.prepare_cached(sql)?.execute([]).map(|_| ())
    }

    fn raise_low_water(&mut self) -> rusqlite::Result<()> {
        if self.memory.next_seq - self.memory.low_water < LOW_WATER_STEP {
            return Ok(());
        }
        let mark = self.memory.open.values().map(|row| row.seq).min().unwrap_or(self.memory.next_seq);
        if mark > self.memory.low_water {
            self.db
                .prepare_cached("INSERT OR REPLACE INTO meta VALUES ('low_water', ?1)")?
                .execute([mark])?;
            self.memory.low_water = mark;
        }
        Ok(())
    }

    /// Copies the write-ahead log into the database once it is long, after everybody was answered. With no reader in the
    /// way the next commit starts the file from its beginning, so that it stays at its length.
    fn copy_wal_if_long(&mut self) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < self.checkpoint_at {
            return;
        }
        if self.still.is_held() {
            if pages < MOST_PAGES {
                return;
            }
            tracing::warn!("a backup takes long: the write-ahead log cannot wait for it any longer");
            self.still.break_off();
        }
        let copied = self.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        let whole = match copied {
            Ok((busy, pages, done)) => busy == 0 && pages == done,
            Err(error) => {
                tracing::error!(%error, "the write-ahead log could not be copied into the database");
                false
            }
        };
        // With a reader in the way, try again a little later and not after every commit.
        self.checkpoint_at =
            if whole { CHECKPOINT_PAGES } else { self.pages.load(Ordering::Relaxed) + CHECKPOINT_PAGES / 4 };
    }
}

impl Writes for Writer {
    fn batch(&mut self, jobs: &[Job]) -> Result<Batched, StoreError> {
        self.run_batch(jobs)
    }

    fn log_size(&self) -> u64 {
        u64::try_from(self.memory.next_index).unwrap_or(0)
    }

    fn rest(&mut self) {
        self.copy_wal_if_long();
    }
}

/// What is done between two transactions.
fn between(job: &Job) -> bool {
    matches!(job, Job::Truncate | Job::Settle)
}

/// A transaction under way.
pub(super) struct Batch<'a> {
    pub(super) db: &'a Connection,
    pub(super) with: Statements<'a>,
    pub(super) memory: &'a mut Memory,
}

impl Batch<'_> {
    fn run(&mut self, job: &Job) -> Result<Done, Fail> {
        match job {
            Job::Open { turn, leaf } => self.open_turn(turn, leaf),
            Job::Close { turn, leaf } => self.close_turn(turn, leaf),
            Job::Append { leaves } => {
                let mut last = self.memory.next_index;
                for leaf in leaves {
                    last = self.append(leaf)?;
                }
                Ok(receipt(last))
            }
            Job::Change { changes, leaves } => self.change(changes, leaves),
            Job::Delete { tenant, customer, event } => self.delete(tenant, *customer, event),
            Job::DropEnded { tenant, now, most } => self.drop_ended(tenant, *now, *most),
            Job::Sweep { sweep } => self.sweep(sweep),
            Job::Rewrite { rewrite, leaves } => self.rewrite(rewrite, leaves),
            Job::Truncate | Job::Settle => Ok(Done::Truncated(false)),
        }
    }

    /// Puts committed tags into their index, and notes from which turn on a start finds those that are not in it.
    fn index_tags(&mut self, tags: &[NewTag]) -> rusqlite::Result<()> {
        for (tag, tenant, conversation) in tags {
            self.with.tag.execute(params![tenant.as_str(), tag, conversation.as_bytes()])?;
        }
        let from = self.memory.open.values().map(|row| row.seq).min().unwrap_or(self.memory.next_seq);
        let mut mark = self.db.prepare_cached("INSERT OR REPLACE INTO meta VALUES ('tags_from', ?1)")?;
        mark.execute([from]).map(|_| ())
    }

    pub(super) fn append(&mut self, leaf: &[u8]) -> rusqlite::Result<i64> {
        let index = self.memory.next_index;
        self.with.event.execute(params![index, leaf])?;
        self.memory.next_index += 1;
        Ok(index)
    }

    /// Makes sure that the customer has this slot and the conversation is theirs; makes both if they are new, with this
    /// turn as the first one. Says whether the conversation is new. A refusal leaves nothing written.
    fn admit(&mut self, turn: &OpenTurn) -> Result<bool, Fail> {
        if self.memory.knows(turn) {
            return Ok(false);
        }
        let tenant = turn.tenant.as_str();
        let (id, customer, slot) =
            (turn.conversation.as_bytes(), turn.customer.as_bytes(), turn.slot.as_bytes());
        let first = turn.issued.as_ref().filter(|row| row.first == 0);
        let (seq, issued) = (self.memory.next_seq, first.map(|row| row.sealed.as_bytes()));
        let (kept, classes) = (turn.purposes.bits(), first.map_or(0, |row| row.classes.bits()));
        if id == customer
            && self.with.alone.execute(params![
                tenant,
                id,
                slot,
                time(turn.at),
                seq,
                issued,
                kept,
                classes
            ])? == 1
        {
            self.memory.know(turn);
            return Ok(true);
        }
        let made = self.with.conversation.execute(params![
            tenant,
            id,
            customer,
            time(turn.at),
            seq,
            issued,
            kept,
            classes
        ])? == 1;
        if !made {
            let owner: [u8; 16] = self.with.owner.query_row(params![tenant, id], |row| row.get(0))?;
            if owner != *customer {
                return Err(Fail::Refused(StoreError::NotYours));
            }
        }
        let known = self.with.slot.query_row(params![tenant, customer], |row| row.get(0)).optional()?;
        match known.map(KeySlot::from_bytes) {
            None => {
                self.with.customer.execute(params![tenant, customer, slot])?;
            }
            Some(slot) if slot != turn.slot => {
                if made {
                    let mut undo =
                        self.db.prepare_cached("DELETE FROM conversations WHERE tenant = ?1 AND id = ?2")?;
                    undo.execute(params![tenant, id])?;
                }
                return Err(Fail::Refused(StoreError::SlotTaken { slot }));
            }
            Some(_) => {}
        }
        self.memory.know(turn);
        Ok(made)
    }

    fn open_turn(&mut self, turn: &OpenTurn, leaf: &[u8]) -> Result<Done, Fail> {
        let tenant = turn.tenant.as_str();
        let conversation = turn.conversation.as_bytes();
        let which = params![tenant, turn.customer.as_bytes()];
        let standing: Option<u64> = self.with.standing.query_row(which, |row| row.get(0)).optional()?;
        if standing.unwrap_or(0) != turn.standing {
            return Err(Fail::Refused(StoreError::StandingChanged));
        }
        let made = self.admit(turn)?;
        let issued = turn.issued.as_ref().filter(|row| !(made && row.first == 0));
        // The first ones of a conversation may stand in its own row, where no constraint sees a second.
        if issued.is_some_and(|row| row.first == 0)
            && self.with.owner.query_row(params![tenant, conversation], |row| row.get(1))?
        {
            return Err(Fail::Refused(StoreError::Exists { what: "placeholders with these numbers" }));
        }
        // All checks are passed; only the disk or a constraint can stop it now.
        let index = self.append(leaf)?;
        let seq = self.memory.next_seq;
        self.memory.next_seq += 1;
        self.with.turn.execute(params![
            seq,
            tenant,
            turn.turn.as_bytes(),
            conversation,
            turn.event.subject.as_ref().map(Subject::as_bytes),
            &*turn.upstream,
            time(turn.at),
            index,
            turn.received.as_bytes(),
            !made,
            turn.purposes.bits()
        ])?;
        if let Some(row) = issued {
            self.with.issued.execute(params![
                tenant,
                conversation,
                row.first,
                row.sealed.as_bytes(),
                turn.purposes.bits(),
                row.classes.bits(),
                time(turn.at)
            ])?;
        }
        let key = (turn.tenant.clone(), turn.turn);
        self.memory.open.insert(key, OpenRow { seq, conversation: turn.conversation });
        Ok(receipt(index))
    }

    fn close_turn(&mut self, turn: &CloseTurn, leaf: &[u8]) -> Result<Done, Fail> {
        let key = (turn.tenant.clone(), turn.turn);
        let Some(row) = self.memory.open.get(&key) else { return Err(Fail::Refused(StoreError::NotOpen)) };
        let (seq, conversation) = (row.seq, row.conversation);
        let index = self.append(leaf)?;
        self.with.closing.execute(params![
            seq,
            turn.state.code(),
            time(turn.at),
            index,
            turn.history_tags.as_flattened(),
            turn.reply.as_ref().map(chatward_message::Sealed::as_bytes)
        ])?;
        self.memory.fresh.extend(turn.history_tags.iter().map(|tag| (*tag, key.0.clone(), conversation)));
        self.memory.open.remove(&key);
        Ok(receipt(index))
    }
}

fn receipt(index: i64) -> Done {
    Done::Receipt(Receipt::new(u64::try_from(index).unwrap_or(0)))
}

pub(super) fn time(at: UnixMillis) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

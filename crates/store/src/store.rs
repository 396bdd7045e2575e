//! The handle: opening, the named transactions, reading, closing.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chatward_message::{
    Clock, ConversationId, CustomerId, Event, KeySlot, Kind, Sealed, Subject, SystemClock, TenantId, TurnId,
    UnixMillis,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::Semaphore;

use crate::log::{self, Bell, Published, Publisher, Signer};
use crate::schema::{self, Opening, SLOT_OF_CUSTOMER, TURNS_OF_CONVERSATION};
use crate::writer::{Done, Job, Shared, Tags, Writer};
use crate::{
    CloseTurn, Conversation, Deleted, EntryRow, Faults, HistoryMatch, IssuedRow, OpenTurn, Recall, Recalled,
    Receipt, StoreError, StoreStats, TurnRow, TurnState,
};

/// How a store is opened. Start from `StoreOptions::default()`.
#[derive(Clone)]
pub struct StoreOptions {
    /// Who signs checkpoints; without one the log is kept in the database but not published.
    pub signer: Option<Arc<dyn Signer>>,
    /// Where times of the store's own events come from.
    pub clock: Arc<dyn Clock>,
    /// `synchronous=FULL`: each commit is on the disk before it is answered. Off only by an unsafe name.
    pub durable: bool,
    /// Jobs that may wait; more are refused with [`StoreError::Overloaded`].
    pub queue: usize,
    /// Jobs in one commit at most.
    pub batch: usize,
    /// Connections for reading.
    pub readers: usize,
    /// How soon after a commit the log is published.
    pub publish_every: Duration,
    /// How long an erasure may wait for the write-ahead log to be emptied.
    pub truncate_within: Duration,
    /// Failures for tests.
    pub faults: Option<Arc<dyn Faults>>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            signer: None,
            clock: Arc::new(SystemClock),
            durable: true,
            queue: 4096,
            batch: 256,
            readers: 2,
            publish_every: Duration::from_millis(600),
            truncate_within: Duration::from_secs(10),
            faults: None,
        }
    }
}

/// Everything that is kept, save keys. A handle: clones share one database.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    bell: Arc<Bell>,
    published: Arc<Published>,
    readers: Arc<Readers>,
    tags: Arc<Tags>,
    log: PathBuf,
    truncate_within: Duration,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Turns that the last process left half-made and this start closed.
    interrupted: u64,
    // Last: freed after the threads have ended.
    lock: Mutex<Option<File>>,
}

impl Inner {
    /// Does what waits, publishes it, ends the threads, frees the lock. Blocks.
    fn shut(&self) {
        self.shared.close();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        // The writer first: what it still commits is published by the publisher's last round.
        for (n, thread) in threads.drain(..).enumerate() {
            if n == 1 {
                self.bell.stop();
            }
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
        self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shut();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.0.readers.path.display())
    }
}

impl Store {
    /// Opens (or makes) the store in this folder. Turns that a crash left half-made are closed here, each with an event.
    ///
    /// # Errors
    /// The folder is in use, the file is damaged, locked or of a newer program, the published log and the database
    /// disagree, the disk is full, or there is no permission.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        schema::make_folder(dir)?;
        let lock = schema::take_lock(&dir.join("lock"))?;
        let path = dir.join("chatward.db");
        let log = dir.join("log");
        let db = schema::open_writer(&path, Opening { durable: options.durable, migrations: schema::STORE })?;
        let mut writer = Writer::new(db, &path, options.faults.clone())?;
        let published = Arc::new(Published::default());
        // Before anything is written: a database that was rolled back must not grow a second past.
        let publisher = match options.signer {
            Some(signer) => {
                let published = Arc::clone(&published);
                let mut publisher = Publisher::prepare(&log, signer, options.faults, writer.db(), published)?;
                publisher.publish(writer.db())?;
                Some(publisher)
            }
            None => None,
        };
        let interrupted = writer.close_half_made(options.clock.now())?;
        let shared = Arc::new(Shared::new(options.queue, writer.log_size()));
        let bell = Arc::new(Bell::default());
        let publisher = publisher.map(|p| schema::open_reader(&path).map(|db| (p, db))).transpose()?;
        let mut threads = Vec::with_capacity(2);
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let patient = move || {
                wait_for_ones_turn();
                work();
            };
            std::thread::Builder::new().name(name.to_owned()).spawn(patient).map_err(StoreError::inside)
        };
        let tags = writer.tags();
        let (queue, ring) = (Arc::clone(&shared), Arc::clone(&bell));
        let batch = options.batch;
        threads.push(spawn("store-writer", Box::new(move || writer.work(&queue, batch, &ring)))?);
        if let Some((publisher, db)) = publisher {
            let ring = Arc::clone(&bell);
            let every = options.publish_every;
            threads.push(spawn("store-publisher", Box::new(move || publisher.work(&db, &ring, every)))?);
            if interrupted > 0 {
                bell.ring();
            }
        }
        let readers =
            Arc::new(Readers { path, idle: Mutex::default(), turns: Semaphore::new(options.readers.max(1)) });
        Ok(Self(Arc::new(Inner {
            shared,
            bell,
            published,
            readers,
            tags,
            log,
            truncate_within: options.truncate_within,
            threads: Mutex::new(threads),
            interrupted,
            lock: Mutex::new(Some(lock)),
        })))
    }

    /// Commit 1: what the bot may see, its placeholders and the opening event become durable together. The customer and
    /// the conversation are made if they are new.
    ///
    /// # Errors
    /// [`StoreError::SlotTaken`], [`StoreError::NotYours`], [`StoreError::Exists`] and the disk's. After an error of the
    /// disk the turn may be there all the same; it is then closed as interrupted at the next start.
    pub async fn open_turn(&self, turn: OpenTurn) -> Result<Receipt, StoreError> {
        let leaf = log::leaf(&turn.event)?;
        self.receipt(Job::Open { turn: Box::new(turn), leaf }).await
    }

    /// Commit 2: the answer and the closing event become durable together.
    ///
    /// # Errors
    /// [`StoreError::NotOpen`] (closed already, never opened, or its customer was erased meanwhile) and the disk's.
    pub async fn close_turn(&self, turn: CloseTurn) -> Result<Receipt, StoreError> {
        if turn.state == TurnState::Open {
            return Err(StoreError::inside("a turn cannot be closed as open"));
        }
        let leaf = log::leaf(&turn.event)?;
        self.receipt(Job::Close { turn: Box::new(turn), leaf }).await
    }

    /// Events alone, all or none; the receipt names the last. At least one.
    pub async fn append(&self, events: Vec<Event>) -> Result<Receipt, StoreError> {
        if events.is_empty() {
            return Err(StoreError::inside("no event to append"));
        }
        let leaves = events.iter().map(log::leaf).collect::<Result<_, _>>()?;
        self.receipt(Job::Append { leaves }).await
    }

    async fn receipt(&self, job: Job) -> Result<Receipt, StoreError> {
        match self.0.shared.run(job).await? {
            Done::Receipt(receipt) => Ok(receipt),
            other => Err(StoreError::inside(format_args!("unexpected answer {other:?}"))),
        }
    }

    /// Several questions at the start of a turn, answered from one snapshot of the database.
    pub async fn recall(&self, what: Recall) -> Result<Recalled, StoreError> {
        let recent = what.history.map_or(Vec::new(), |tag| self.0.tags.conversations(&what.tenant, tag));
        // A few looks into indexes, on this thread: less work than the way to another one and back.
        self.0.readers.read(|db| {
            let slot = what.customer.map(|id| slot_of(db, &what.tenant, id)).transpose()?.flatten();
            let history = what
                .history
                .map_or(Ok(HistoryMatch::None), |tag| history_of(db, &what.tenant, tag, &recent))?;
            let id = match (what.conversation, history) {
                (Some(id), _) | (None, HistoryMatch::One(id)) => Some(id),
                _ => None,
            };
            let conversation = id.map(|id| conversation_of(db, &what.tenant, id)).transpose()?.flatten();
            Ok(Recalled { slot, conversation, history })
        })
    }

    /// A conversation with its placeholders.
    pub async fn conversation(
        &self,
        tenant: &TenantId,
        id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        let tenant = tenant.clone();
        self.read(move |db| conversation_of(db, &tenant, id)).await
    }

    /// Which conversation has this history.
    pub async fn conversation_by_history(
        &self,
        tenant: &TenantId,
        tag: [u8; 16],
    ) -> Result<HistoryMatch, StoreError> {
        let tenant = tenant.clone();
        let recent = self.0.tags.conversations(&tenant, tag);
        self.read(move |db| history_of(db, &tenant, tag, &recent)).await
    }

    /// A customer's key slot.
    pub async fn customer(&self, tenant: &TenantId, id: CustomerId) -> Result<Option<KeySlot>, StoreError> {
        let tenant = tenant.clone();
        self.read(move |db| slot_of(db, &tenant, id)).await
    }

    /// One turn.
    pub async fn turn(&self, tenant: &TenantId, id: TurnId) -> Result<Option<TurnRow>, StoreError> {
        let tenant = tenant.clone();
        self.read(move |db| {
            db.prepare_cached(&format!("{TURN} WHERE t.tenant = ?1 AND t.id = ?2"))?
                .query_row(params![tenant.as_str(), id.as_bytes()], turn_row)
                .optional()
        })
        .await
    }

    /// All turns of a conversation, oldest first.
    pub async fn turns_of(
        &self,
        tenant: &TenantId,
        conversation: ConversationId,
    ) -> Result<Vec<TurnRow>, StoreError> {
        let tenant = tenant.clone();
        self.read(move |db| {
            db.prepare_cached(&format!("{TURN} WHERE t.seq IN ({TURNS_OF_CONVERSATION}) ORDER BY t.seq"))?
                .query_map(params![tenant.as_str(), conversation.as_bytes()], turn_row)?
                .collect()
        })
        .await
    }

    /// One event of the audit log as it was written (JSON).
    pub async fn event(&self, index: u64) -> Result<Option<Box<str>>, StoreError> {
        self.read(move |db| {
            db.prepare_cached("SELECT data FROM log_entries WHERE idx = ?1")?
                .query_row([index], |row| Ok(text(row.get(0)?)))
                .optional()
        })
        .await
    }

    /// Deletes every row of a customer and writes the event (whose `rows` is set to their number) in one transaction,
    /// then empties the write-ahead log, so that the bytes are gone from the files. The key is the vault's to destroy.
    ///
    /// # Errors
    /// [`StoreError::NoCustomer`]; [`StoreError::NotTruncated`] if readers held the write-ahead log too long: the rows
    /// are deleted then, and [`Store::truncate`] is to be called again.
    pub async fn delete_customer(
        &self,
        tenant: &TenantId,
        id: CustomerId,
        event: Event,
    ) -> Result<Deleted, StoreError> {
        let job = Job::Delete { tenant: tenant.clone(), customer: id, event: Box::new(event) };
        let Done::Deleted(deleted) = self.0.shared.run(job).await? else {
            return Err(StoreError::inside("unexpected answer to an erasure"));
        };
        self.truncate().await?;
        Ok(deleted)
    }

    /// Empties the write-ahead log, trying until readers let it.
    pub async fn truncate(&self) -> Result<(), StoreError> {
        let started = Instant::now();
        loop {
            if let Done::Truncated(true) = self.0.shared.run(Job::Truncate).await? {
                return Ok(());
            }
            if started.elapsed() >= self.0.truncate_within {
                return Err(StoreError::NotTruncated);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Figures of the running store.
    pub fn stats(&self) -> StoreStats {
        let figures = self.0.shared.figures();
        let (commit_median_us, commit_max_us) = figures.times();
        StoreStats {
            commits: figures.commits,
            jobs: figures.jobs,
            failed: figures.failed,
            waiting: self.0.shared.waiting(),
            commit_median_us,
            commit_max_us,
            log_size: self.0.shared.log_size.load(Ordering::Acquire),
            signed_size: self.signed_size(),
            publish_failing: self.0.published.failing.load(Ordering::Acquire),
        }
    }

    /// How many turns this start found half-made and closed.
    pub fn interrupted(&self) -> u64 {
        self.0.interrupted
    }

    /// Events under the newest signed checkpoint.
    pub fn signed_size(&self) -> u64 {
        self.0.published.size.load(Ordering::Acquire)
    }

    /// The newest signed checkpoint, if the log is published.
    pub fn checkpoint(&self) -> Option<Arc<[u8]>> {
        self.0.published.checkpoint()
    }

    /// Proof that an event is under the newest checkpoint; `None` if it is not yet.
    pub async fn proof(&self, index: u64) -> Result<Option<log::Proof>, StoreError> {
        let inner = Arc::clone(&self.0);
        blocking(move || log::prove(&inner.log, &inner.published, index)).await
    }

    /// A file of the published log as it is served under `/log/`: `checkpoint`, `vkey`, `tile/…` (C2SP tlog-tiles). Any
    /// other name gives nothing.
    pub async fn log_file(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let inner = Arc::clone(&self.0);
        let name = name.to_owned();
        blocking(move || log::served(&inner.log, &name)).await
    }

    /// Writes what waits, publishes it, empties the write-ahead log and frees the folder. Other handles get
    /// [`StoreError::Closed`] from then on.
    pub async fn close(self) {
        let inner = Arc::clone(&self.0);
        let _closed = blocking(move || {
            inner.shut();
            Ok(())
        })
        .await;
    }

    async fn read<T, F>(&self, ask: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let readers = Arc::clone(&self.0.readers);
        let _turn = self.0.readers.turns.acquire().await.map_err(|_| StoreError::Closed)?;
        blocking(move || readers.read(ask)).await
    }
}

/// This thread does not interrupt whoever runs when it is woken (`SCHED_BATCH`): on a busy core, those that are about to hand
/// in a job do so first, and share the commit. Where the system does not have that, nothing changes.
fn wait_for_ones_turn() {
    use thread_priority::{
        NormalThreadSchedulePolicy, ThreadPriority, ThreadPriorityOsValue, ThreadSchedulePolicy, unix,
    };
    let batch = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
    // As nice as any other.
    let usual = ThreadPriority::Os(ThreadPriorityOsValue::default());
    let done = unix::set_thread_priority_and_policy(unix::thread_native_id(), usual, batch);
    if let Err(error) = done {
        tracing::debug!(?error, "the thread keeps the usual way of being scheduled");
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|e| Err(StoreError::inside(format_args!("a task ended: {e}"))))
}

/// Connections that only read.
struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    turns: Semaphore,
}

impl Readers {
    fn read<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let db = kept.map_or_else(|| schema::open_reader(&self.path), Ok)?;
        let failed = |e: rusqlite::Error| StoreError::sql(&self.path, "read", &e);
        // One snapshot for all statements; dropped, it ends.
        let snapshot = db.unchecked_transaction().map_err(failed)?;
        let found = ask(&snapshot).map_err(failed);
        drop(snapshot);
        idle().push(db);
        found
    }
}

fn slot_of(db: &Connection, tenant: &TenantId, id: CustomerId) -> rusqlite::Result<Option<KeySlot>> {
    db.prepare_cached(SLOT_OF_CUSTOMER)?
        .query_row(params![tenant.as_str(), id.as_bytes()], |row| row.get(0).map(KeySlot::from_bytes))
        .optional()
}

/// `recent`: where the tag was seen lately, looked up before this snapshot was taken.
fn history_of(
    db: &Connection,
    tenant: &TenantId,
    tag: [u8; 16],
    recent: &[ConversationId],
) -> rusqlite::Result<HistoryMatch> {
    let mut ask =
        db.prepare_cached("SELECT conversation FROM history_tags WHERE tenant = ?1 AND tag = ?2 LIMIT 2")?;
    let mut seen = recent.to_vec();
    for id in
        ask.query_map(params![tenant.as_str(), tag], |row| row.get(0).map(ConversationId::from_bytes))?
    {
        seen.push(id?);
    }
    seen.sort_unstable();
    seen.dedup();
    Ok(match seen.as_slice() {
        [] => HistoryMatch::None,
        [one] => HistoryMatch::One(*one),
        _ => HistoryMatch::Many,
    })
}

fn conversation_of(
    db: &Connection,
    tenant: &TenantId,
    id: ConversationId,
) -> rusqlite::Result<Option<Conversation>> {
    let which = params![tenant.as_str(), id.as_bytes()];
    let head = db
        .prepare_cached(
            "SELECT ifnull(customer, id), slot, opened, issued FROM conversations WHERE tenant = ?1 AND id = ?2",
        )?
        .query_row(which, |row| {
            let customer = CustomerId::from_bytes(row.get(0)?);
            let slot = row.get::<_, Option<[u8; 16]>>(1)?.map(KeySlot::from_bytes);
            Ok((customer, slot, UnixMillis(row.get(2)?), row.get::<_, Option<Vec<u8>>>(3)?))
        })
        .optional()?;
    let Some((customer, slot, opened, first)) = head else { return Ok(None) };
    let slot = match slot {
        Some(slot) => slot,
        None => slot_of(db, tenant, customer)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?,
    };
    let entries = db
        .prepare_cached(
            "SELECT label, kind, value FROM entries WHERE tenant = ?1 AND conversation = ?2 ORDER BY seq",
        )?
        .query_map(which, |row| {
            Ok(EntryRow {
                label: row.get(0)?,
                kind: Kind::new(row.get_ref(1)?.as_str()?),
                value: Sealed::from_bytes(row.get::<_, Vec<u8>>(2)?),
            })
        })?
        .collect::<Result<_, _>>()?;
    let mut issued: Vec<IssuedRow> =
        first.into_iter().map(|bytes| IssuedRow { first: 0, sealed: Sealed::from_bytes(bytes) }).collect();
    let mut ask = db.prepare_cached(
        "SELECT first, sealed FROM issued WHERE tenant = ?1 AND conversation = ?2 ORDER BY first",
    )?;
    for row in ask.query_map(which, |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))? {
        let (first, bytes) = row?;
        issued.push(IssuedRow { first, sealed: Sealed::from_bytes(bytes) });
    }
    Ok(Some(Conversation { id, customer, slot, opened, entries, issued }))
}

const TURN: &str =
    "SELECT t.id, t.conversation, ifnull(v.customer, v.id), coalesce(v.slot, c.slot, a.slot), t.subject, t.upstream, t.at, t.log, t.received,
    e.state, e.at, e.log, e.reply, o.data, f.data
    FROM turns AS t
    JOIN conversations AS v ON v.tenant = t.tenant AND v.id = t.conversation
    LEFT JOIN customers AS c ON c.tenant = v.tenant AND c.id = v.customer
    LEFT JOIN conversations AS a ON a.tenant = v.tenant AND a.id = v.customer AND a.customer IS NULL
    JOIN log_entries AS o ON o.idx = t.log
    LEFT JOIN closings AS e ON e.turn = t.seq
    LEFT JOIN log_entries AS f ON f.idx = e.log";

fn turn_row(row: &Row<'_>) -> rusqlite::Result<TurnRow> {
    let state: i64 = row.get::<_, Option<i64>>(9)?.unwrap_or(TurnState::Open.code());
    Ok(TurnRow {
        id: TurnId::from_bytes(row.get(0)?),
        conversation: ConversationId::from_bytes(row.get(1)?),
        customer: CustomerId::from_bytes(row.get(2)?),
        slot: KeySlot::from_bytes(row.get(3)?),
        subject: row.get::<_, Option<[u8; 16]>>(4)?.map(Subject::from_bytes),
        upstream: row.get(5)?,
        state: TurnState::of_code(state).ok_or(rusqlite::Error::IntegralValueOutOfRange(9, state))?,
        opened: UnixMillis(row.get(6)?),
        closed: row.get::<_, Option<u64>>(10)?.map(UnixMillis),
        received: Sealed::from_bytes(row.get::<_, Vec<u8>>(8)?),
        reply: row.get::<_, Option<Vec<u8>>>(12)?.map(Sealed::from_bytes),
        opened_index: row.get(7)?,
        closed_index: row.get(11)?,
        opened_event: text(row.get(13)?),
        closed_event: row.get::<_, Option<Vec<u8>>>(14)?.map(text),
    })
}

/// Leaves are JSON that we wrote ourselves.
fn text(bytes: Vec<u8>) -> Box<str> {
    String::from_utf8_lossy(&bytes).into()
}

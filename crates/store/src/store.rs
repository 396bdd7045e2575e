//! The handle: opening, the named transactions, reading, closing.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chatward_message::{
    Clock, ConversationId, CustomerId, Event, KeySlot, Purpose, Standing, SystemClock, TenantId, TurnId,
    UnixMillis,
};

use crate::backup::{BackedUp, BackupProgress, Making};
use crate::folder;
use crate::log::{self, Bell, Published, Signer};
use crate::queue::{Done, Job, Shared};
use crate::{
    Changes, CloseTurn, Conversation, ConversationRow, Copied, CustomerRow, Deleted, Faults, Handle,
    HistoryMatch, OpenTurn, Postgres, Progress, Recall, Recalled, Receipt, Record, RecordKind, Rewrite,
    StoreError, StoreStats, Sweep, Swept, Trace, TurnRow, TurnState, TurnSummary, Values, change, copy,
    postgres, sqlite,
};

/// Ended records dropped in one transaction at most: no turn waits long behind them.
const DROPPED_AT_ONCE: u32 = 500;

/// So often a backup looks for what erasures changed meanwhile before it gives up.
const BACKUP_LOOKS: usize = 20;

/// How a store is opened. Start from `StoreOptions::default()`.
#[derive(Clone)]
pub struct StoreOptions {
    /// The database server that holds the rows; without one they are in a file in the folder.
    pub postgres: Option<Postgres>,
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
            postgres: None,
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
    rows: Rows,
    log: PathBuf,
    truncate_within: Duration,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Turns that another process left half-made and this start closed.
    interrupted: u64,
    // Last: freed after the threads have ended.
    lock: Mutex<Option<File>>,
}

/// Where rows are read.
pub(crate) enum Rows {
    Embedded(Arc<sqlite::Readers>),
    Server(postgres::Readers),
}

/// A database that was opened, with its threads: the writer, then the publisher.
pub(crate) struct Opened {
    pub(crate) shared: Arc<Shared>,
    pub(crate) bell: Arc<Bell>,
    pub(crate) published: Arc<Published>,
    pub(crate) rows: Rows,
    pub(crate) threads: Vec<JoinHandle<()>>,
    pub(crate) interrupted: u64,
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
        match &self.rows {
            Rows::Embedded(rows) => rows.close(),
            Rows::Server(rows) => rows.close(),
        }
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
        match &self.0.rows {
            Rows::Embedded(rows) => write!(f, "Store({})", rows.path().display()),
            Rows::Server(rows) => write!(f, "Store({})", rows.server()),
        }
    }
}

impl Store {
    /// Opens (or makes) the store in this folder. Turns that a crash left half-made are closed here, each with an event.
    ///
    /// # Errors
    /// The folder is in use, the database is damaged, locked, away or of a newer program, the published log and the
    /// database disagree, the disk is full, or there is no permission.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        folder::make_folder(dir)?;
        let lock = folder::take_lock(&dir.join("lock"))?;
        let truncate_within = options.truncate_within;
        let opened = match options.postgres.clone() {
            None => sqlite::open(dir, options)?,
            Some(server) => postgres::open(dir, server, options)?,
        };
        let Opened { shared, bell, published, rows, threads, interrupted } = opened;
        Ok(Self(Arc::new(Inner {
            shared,
            bell,
            published,
            rows,
            log: dir.join("log"),
            truncate_within,
            threads: Mutex::new(threads),
            interrupted,
            lock: Mutex::new(Some(lock)),
        })))
    }

    /// Brings the tables to this schema version (without one: the newest), up or down. An embedded store must not be open; on
    /// a server this needs the owner, and older programs that run must be stopped first.
    ///
    /// # Errors
    /// [`StoreError::WouldLose`] if something is kept that the older version has no place for.
    pub fn migrate(dir: &Path, postgres: Option<Postgres>, to: Option<usize>) -> Result<(), StoreError> {
        match postgres {
            Some(server) => postgres::migrate(&server, to),
            None => {
                folder::make_folder(dir)?;
                let _lock = folder::take_lock(&dir.join("lock"))?;
                sqlite::migrate(dir, to)
            }
        }
    }

    /// Copies the embedded store in a folder, which no process may have open, into a database that holds nothing else. It is
    /// only read. Run again after it was stopped, it goes on where it was. Blocks, and calls `progress` now and then.
    ///
    /// # Errors
    /// [`StoreError::TargetNotEmpty`] if the database holds anything but an unfinished copy of this very store;
    /// [`StoreError::CopyDiffers`] if the copy is not what the source is; those of both stores.
    pub fn copy(
        from: &Path,
        to: &Postgres,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Copied, StoreError> {
        std::thread::scope(|scope| scope.spawn(|| copy::store(from, to, progress)).join())
            .unwrap_or_else(|_| Err(StoreError::inside("the copy panicked")))
    }

    /// Where rows are read.
    pub(crate) fn rows(&self) -> &Rows {
        &self.0.rows
    }

    /// Whether other processes write to this store too: then what is remembered of it has to be asked for again.
    pub fn is_shared(&self) -> bool {
        matches!(self.0.rows, Rows::Server(_))
    }

    /// Whether the database could be reached when it was last needed. An embedded one always can.
    pub fn is_reachable(&self) -> bool {
        match &self.0.rows {
            Rows::Embedded(_) => true,
            Rows::Server(rows) => rows.is_reachable(),
        }
    }

    /// Commit 1: what the bot may see, its placeholders and the opening event become durable together. The customer and
    /// the conversation are made if they are new.
    ///
    /// # Errors
    /// [`StoreError::SlotTaken`], [`StoreError::NotYours`], [`StoreError::Exists`], [`StoreError::StandingChanged`],
    /// [`StoreError::NoPurpose`] and the disk's. After an error of the
    /// disk the turn may be there all the same; it is then closed as interrupted at the next start.
    pub async fn open_turn(&self, turn: OpenTurn) -> Result<Receipt, StoreError> {
        if turn.purposes.is_empty() {
            return Err(StoreError::NoPurpose);
        }
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

    /// Records are removed and written, and the events of it become durable with them: all of it or nothing. The receipt names
    /// the last event, if there is any.
    ///
    /// # Errors
    /// [`StoreError::Overtaken`] if a record is not what a [`Put`](crate::Put) was made from, [`StoreError::HandleTaken`],
    /// [`StoreError::SlotErased`], and the disk's. After an error of the disk the change may be there all the same.
    pub async fn change(&self, changes: Changes) -> Result<Option<Receipt>, StoreError> {
        change::is_possible(&changes)?;
        let leaves = changes.events.iter().map(log::leaf).collect::<Result<_, _>>()?;
        match self.0.shared.run(Job::Change { changes: Box::new(changes), leaves }).await? {
            Done::Changed(receipt) => Ok(receipt),
            other => Err(StoreError::inside(format_args!("unexpected answer {other:?}"))),
        }
    }

    /// Events about a customer, all or none; they stand in the customer's trail from then on. The receipt names the last. At
    /// least one.
    pub async fn append_about(
        &self,
        tenant: TenantId,
        customer: CustomerId,
        events: Vec<Event>,
    ) -> Result<Receipt, StoreError> {
        let (removals, puts, standing) = (Vec::new(), Vec::new(), None);
        let changes = Changes { tenant, removals, puts, events, about: Some(customer), standing };
        self.change(changes).await?.ok_or_else(|| StoreError::inside("no event to append"))
    }

    /// One step of a sweep: what is kept for nothing any more is deleted. Call it again while it says that there may be more;
    /// the keys that it names are the vault's to destroy, and [`Store::truncate`] is to be called at the end. Turns are found
    /// by their ids, which have to begin with the time of their making for that.
    pub async fn sweep(&self, sweep: Sweep) -> Result<Swept, StoreError> {
        match self.0.shared.run(Job::Sweep { sweep: Box::new(sweep) }).await? {
            Done::Swept(swept) => Ok(swept),
            other => Err(StoreError::inside(format_args!("unexpected answer {other:?}"))),
        }
    }

    /// Puts values that were sealed anew in the place of those that were read, with the events of it.
    ///
    /// # Errors
    /// [`StoreError::Overtaken`] if they are not what was read any more.
    pub async fn rewrite(&self, rewrite: Rewrite) -> Result<Option<Receipt>, StoreError> {
        let leaves = rewrite.events.iter().map(log::leaf).collect::<Result<_, _>>()?;
        match self.0.shared.run(Job::Rewrite { rewrite: Box::new(rewrite), leaves }).await? {
            Done::Changed(receipt) => Ok(receipt),
            other => Err(StoreError::inside(format_args!("unexpected answer {other:?}"))),
        }
    }

    /// How many turns would have nothing left that they are kept for, once each of these purposes ended for what is older than
    /// its moment. Those on which a hold or a restriction stands now are not counted.
    pub async fn turns_due(
        &self,
        tenant: &TenantId,
        now: UnixMillis,
        ends: &[(Purpose, UnixMillis)],
    ) -> Result<u64, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.turns_due(tenant, now, ends).await,
            Rows::Server(rows) => rows.turns_due(tenant, now, ends).await,
        }
    }

    /// Values of before this moment, in order of their conversations and numbers, from those after `after`: what a sweep looks
    /// at. Those on which a hold or a restriction stands now are not among them.
    pub async fn values_before(
        &self,
        tenant: &TenantId,
        now: UnixMillis,
        before: UnixMillis,
        after: Option<(ConversationId, u32)>,
        limit: usize,
    ) -> Result<Vec<Values>, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.values_before(tenant, (now, before), after, limit).await,
            Rows::Server(rows) => rows.values_before(tenant, (now, before), after, limit).await,
        }
    }

    /// The turns of one conversation, the oldest first, without what is sealed in them.
    pub async fn turns_listed(
        &self,
        tenant: &TenantId,
        conversation: ConversationId,
    ) -> Result<Vec<TurnSummary>, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.turns_listed(tenant, conversation).await,
            Rows::Server(rows) => rows.turns_listed(tenant, conversation).await,
        }
    }

    /// The values of one conversation, in order of their numbers: those of the oldest form (schema version 2) are not among
    /// them.
    pub async fn values_of(
        &self,
        tenant: &TenantId,
        conversation: ConversationId,
    ) -> Result<Vec<Values>, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.values_of(tenant, conversation).await,
            Rows::Server(rows) => rows.values_of(tenant, conversation).await,
        }
    }

    /// Where a customer stands; that of somebody who never said anything if nothing is known.
    pub async fn standing(&self, tenant: &TenantId, customer: CustomerId) -> Result<Standing, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.standing(tenant, customer).await,
            Rows::Server(rows) => rows.standing(tenant, customer).await,
        }
    }

    /// The first turn of a customer that was taken after this event.
    pub async fn first_turn_after(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        index: u64,
    ) -> Result<Option<TurnId>, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.first_turn_after(tenant, customer, index).await,
            Rows::Server(rows) => rows.first_turn_after(tenant, customer, index).await,
        }
    }

    /// Removes the records that ended before this moment, with their handles. Gives their number. No event tells of it.
    pub async fn drop_ended(&self, tenant: &TenantId, now: UnixMillis) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            let job = Job::DropEnded { tenant: tenant.clone(), now, most: DROPPED_AT_ONCE };
            let Done::Dropped(n) = self.0.shared.run(job).await? else {
                return Err(StoreError::inside("unexpected answer to the dropping of records"));
            };
            all += n;
            if n < u64::from(DROPPED_AT_ONCE) {
                return Ok(all);
            }
        }
    }

    async fn receipt(&self, job: Job) -> Result<Receipt, StoreError> {
        match self.0.shared.run(job).await? {
            Done::Receipt(receipt) => Ok(receipt),
            other => Err(StoreError::inside(format_args!("unexpected answer {other:?}"))),
        }
    }

    /// Several questions at the start of a turn, answered from one snapshot of the database.
    pub async fn recall(&self, what: Recall) -> Result<Recalled, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.recall(&what),
            Rows::Server(rows) => rows.recall(&what).await,
        }
    }

    /// A conversation with its placeholders.
    pub async fn conversation(
        &self,
        tenant: &TenantId,
        id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.conversation(tenant, id).await,
            Rows::Server(rows) => rows.conversation(tenant, id).await,
        }
    }

    /// Which conversation has this history.
    pub async fn conversation_by_history(
        &self,
        tenant: &TenantId,
        tag: [u8; 16],
    ) -> Result<HistoryMatch, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.history(tenant, tag).await,
            Rows::Server(rows) => rows.history(tenant, tag).await,
        }
    }

    /// A customer's key slot.
    pub async fn customer(&self, tenant: &TenantId, id: CustomerId) -> Result<Option<KeySlot>, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.customer(tenant, id).await,
            Rows::Server(rows) => rows.customer(tenant, id).await,
        }
    }

    /// One turn.
    pub async fn turn(&self, tenant: &TenantId, id: TurnId) -> Result<Option<TurnRow>, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.turn(tenant, id).await,
            Rows::Server(rows) => rows.turn(tenant, id).await,
        }
    }

    /// All turns of a conversation, oldest first.
    pub async fn turns_of(
        &self,
        tenant: &TenantId,
        conversation: ConversationId,
    ) -> Result<Vec<TurnRow>, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.turns_of(tenant, conversation).await,
            Rows::Server(rows) => rows.turns_of(tenant, conversation).await,
        }
    }

    /// A record, by its id.
    pub async fn record(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        id: &[u8],
    ) -> Result<Option<Record>, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.record(tenant, kind, id).await,
            Rows::Server(rows) => rows.record(tenant, kind, id).await,
        }
    }

    /// The record that has this handle.
    pub async fn record_by(&self, tenant: &TenantId, handle: Handle) -> Result<Option<Record>, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.record_by(tenant, handle).await,
            Rows::Server(rows) => rows.record_by(tenant, handle).await,
        }
    }

    /// Records of a kind in order of their ids, from the one after `after`.
    pub async fn records(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.records(tenant, kind, after, limit).await,
            Rows::Server(rows) => rows.records(tenant, kind, after, limit).await,
        }
    }

    /// A customer's records of a kind, in order of their ids.
    pub async fn records_of(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        customer: CustomerId,
    ) -> Result<Vec<Record>, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.records_of(tenant, kind, customer).await,
            Rows::Server(rows) => rows.records_of(tenant, kind, customer).await,
        }
    }

    /// What the log says about a customer, the newest first, from the event before `before`.
    pub async fn trail(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Trace>, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.trail(tenant, customer, before, limit).await,
            Rows::Server(rows) => rows.trail(tenant, customer, before, limit).await,
        }
    }

    /// A customer's conversations in order of their ids, from the one after `after`; those that were claimed, too.
    pub async fn conversations_of(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationRow>, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.conversations_of(tenant, customer, after, limit).await,
            Rows::Server(rows) => rows.conversations_of(tenant, customer, after, limit).await,
        }
    }

    /// Customers in order of their ids, from the one after `after`. Somebody without a name has the id of their conversation.
    pub async fn customers(
        &self,
        tenant: &TenantId,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Result<Vec<CustomerRow>, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.customers(tenant, after, limit).await,
            Rows::Server(rows) => rows.customers(tenant, after, limit).await,
        }
    }

    /// The slots of all keys that an erasure of this customer would leave without use: see [`Deleted::slots`]. None if nothing
    /// is sealed for them.
    pub async fn slots_of(&self, tenant: &TenantId, id: CustomerId) -> Result<Vec<KeySlot>, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.slots_of(tenant, id).await,
            Rows::Server(rows) => rows.slots_of(tenant, id).await,
        }
    }

    /// One event of the audit log as it was written (JSON).
    pub async fn event(&self, index: u64) -> Result<Option<Box<str>>, StoreError> {
        match &self.0.rows {
            Rows::Embedded(rows) => rows.event(index).await,
            Rows::Server(rows) => rows.event(index).await,
        }
    }

    /// Deletes every row of a customer, also of the conversations that the customer claimed, and writes the event (whose
    /// `rows` is set to their number) in one transaction, then empties the write-ahead log, so that the bytes are gone from
    /// the files. The keys are the vault's to destroy.
    ///
    /// # Errors
    /// [`StoreError::NoCustomer`] if nothing at all is kept under this id; [`StoreError::NotTruncated`] if readers held the write-ahead log too long: the rows
    /// are deleted then, and [`Store::truncate`] is to be called again.
    pub async fn delete_customer(
        &self,
        tenant: &TenantId,
        id: CustomerId,
        event: Event,
    ) -> Result<Deleted, StoreError> {
        let deleted = self.delete_rows(tenant, id, event).await?;
        self.truncate().await?;
        Ok(deleted)
    }

    /// The same without emptying the write-ahead log: for many at once, after which [`Store::truncate`] is to be called.
    pub async fn delete_rows(
        &self,
        tenant: &TenantId,
        id: CustomerId,
        event: Event,
    ) -> Result<Deleted, StoreError> {
        let job = Job::Delete { tenant: tenant.clone(), customer: id, event: Box::new(event) };
        match self.0.shared.run(job).await? {
            Done::Deleted(deleted) => Ok(deleted),
            other => Err(StoreError::inside(format_args!("unexpected answer {other:?}"))),
        }
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

    /// Copies everything into this folder, while work goes on: the database as it was at one moment, and the log under its
    /// newest checkpoint. Run again after an interruption it goes on where it was. An erasure waits for it three seconds at
    /// most; then the backup looks again for what changed. The caller makes sure that there is only one backup at a time, and
    /// that the place is fit ([`fit_place`](crate::fit_place)). `beside` are files of the data folder that go along, if they are there.
    ///
    /// # Errors
    /// [`StoreError::BackupOnServer`], [`StoreError::BackupOvertaken`], [`StoreError::BackupPlace`] and the disk's.
    pub async fn backup(
        &self,
        to: &Path,
        at: UnixMillis,
        beside: &'static [&'static str],
        progress: Arc<BackupProgress>,
    ) -> Result<BackedUp, StoreError> {
        let Rows::Embedded(rows) = &self.0.rows else { return Err(StoreError::BackupOnServer) };
        self.first_checkpoint().await;
        // Before the database: the log may be behind it, never ahead.
        let (checkpoint, events) = (self.checkpoint(), self.signed_size());
        let (to, log) = (to.to_owned(), self.0.log.clone());
        let mut making = blocking(move || {
            let mut making = Making::begin(&to, &log, checkpoint, events)?;
            if let Some(data) = log.parent() {
                making.copy_beside(data, beside)?;
            }
            making.copy_log()?;
            Ok(making)
        })
        .await?;
        for _ in 0..BACKUP_LOOKS {
            let number = self.settle().await?;
            let (rows, looking) = (Arc::clone(rows), Arc::clone(&progress));
            let (back, copied) = blocking(move || {
                let (file, still) = rows.file();
                let copied = making.copy_database(file, still, number, &looking);
                still.end(number);
                Ok((making, copied?))
            })
            .await?;
            making = back;
            if let Some(database) = copied {
                return blocking(move || making.finish(database, at, &progress)).await;
            }
        }
        Err(StoreError::BackupOvertaken)
    }

    /// Waits for the first checkpoint of a log that is a moment old. One that never comes is told by whoever needs it.
    async fn first_checkpoint(&self) {
        let started = Instant::now();
        while self.checkpoint().is_none() && started.elapsed() < self.0.truncate_within {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Empties the write-ahead log and holds the database file still from then on.
    async fn settle(&self) -> Result<u64, StoreError> {
        let started = Instant::now();
        loop {
            if let Done::Settled(Some(number)) = self.0.shared.run(Job::Settle).await? {
                return Ok(number);
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
}

/// Starts a thread of the store.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let patient = move || {
        wait_for_ones_turn();
        work();
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(patient).map_err(StoreError::inside)
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

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|e| Err(StoreError::inside(format_args!("a task ended: {e}"))))
}

//! The embedded store: one SQLite file, one writer thread, a few connections that read.

mod erase;
mod keyring;
mod keyring_file;
mod record;
mod schema;
mod source;
mod standing;
mod still;
mod sweep;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chatward_message::{
    ConversationId, CustomerId, KeySlot, Kind, Sealed, Subject, TenantId, TurnId, UnixMillis,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::Semaphore;

use self::schema::{Opening, SLOT_OF_CUSTOMER, TURNS_OF_CONVERSATION};
use self::standing::standing_of;
pub(crate) use self::still::Still;
use self::writer::{Tags, Writer};
use crate::log::{Bell, LogSource, Published, Publisher, TakeLeaf};
use crate::queue::{self, Shared, Writes as _};
use crate::retention::{classes, purposes};
use crate::store::{Opened, Rows, blocking, spawn};
use crate::{
    Conversation, EntryRow, HistoryMatch, IssuedRow, Recall, Recalled, StoreError, StoreOptions, TurnRow,
    TurnState, TurnSummary,
};

pub(crate) use self::keyring::Keys;
pub use self::keyring_file::KeyringFile;
pub(crate) use self::source::Source;

/// Opens (or makes) the database in this folder and starts its threads.
pub(crate) fn open(dir: &Path, options: StoreOptions) -> Result<Opened, StoreError> {
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
    let (tags, still) = (writer.tags(), writer.still());
    let (queue, ring) = (Arc::clone(&shared), Arc::clone(&bell));
    let batch = options.batch;
    threads.push(spawn("store-writer", move || {
        queue::work(&mut writer, &queue, batch, &ring);
        writer.finish();
    })?);
    if let Some((publisher, db)) = publisher {
        let ring = Arc::clone(&bell);
        let every = options.publish_every;
        threads.push(spawn("store-publisher", move || publisher.work(&db, &ring, every))?);
        if interrupted > 0 {
            bell.ring();
        }
    }
    let idle = Mutex::default();
    let file = File::open(&path).map_err(|e| StoreError::io(&path, &e))?;
    let turns = Semaphore::new(options.readers.max(1));
    let readers = Readers { path, idle, turns, tags, still, file };
    Ok(Opened { shared, bell, published, rows: Rows::Embedded(Arc::new(readers)), threads, interrupted })
}

/// Opens a file that nobody has open, to look at it.
pub(crate) fn open_to_look(path: &Path) -> Result<Connection, StoreError> {
    schema::open_reader(path)
}

/// Brings a file that nobody has open to this version, or to the newest.
pub(crate) fn migrate(dir: &Path, to: Option<usize>) -> Result<(), StoreError> {
    schema::step_back(&dir.join("chatward.db"), to.unwrap_or(usize::MAX), schema::STORE)
}

impl LogSource for Connection {
    fn size(&self) -> Result<u64, StoreError> {
        self.query_row("SELECT max(idx) + 1 FROM log_entries", [], |row| row.get::<_, Option<u64>>(0))
            .map(|n| n.unwrap_or(0))
            .map_err(|e| StoreError::sql(Path::new("chatward.db"), "count the log", &e))
    }

    fn each(&self, range: std::ops::Range<u64>, take: TakeLeaf<'_>) -> Result<(), StoreError> {
        let failed = |e: rusqlite::Error| StoreError::sql(Path::new("chatward.db"), "read the log", &e);
        let mut ask = self
            .prepare_cached("SELECT idx, data FROM log_entries WHERE idx >= ?1 AND idx < ?2 ORDER BY idx")
            .map_err(failed)?;
        let mut rows = ask.query([range.start, range.end]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let index = row.get(0).map_err(failed)?;
            take(index, row.get_ref(1).and_then(|d| Ok(d.as_blob()?)).map_err(failed)?)?;
        }
        Ok(())
    }
}

/// Connections that only read.
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    turns: Semaphore,
    tags: Arc<Tags>,
    still: Arc<Still>,
    /// For backups. Opened once and closed last: closing any handle of a file gives up all locks that this process has on
    /// it (`fcntl`), SQLite's too.
    file: File,
}

impl Readers {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The database file, which only [`Still`] keeps from changing.
    pub(crate) fn file(&self) -> (&File, &Still) {
        (&self.file, &self.still)
    }

    pub(crate) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn recall(&self, what: &Recall) -> Result<Recalled, StoreError> {
        let recent = what.history.map_or(Vec::new(), |tag| self.tags.conversations(&what.tenant, tag));
        // A few looks into indexes, on this thread: less work than the way to another one and back.
        self.read(|db| {
            let slot = what.customer.map(|id| slot_of(db, &what.tenant, id)).transpose()?.flatten();
            let history = what
                .history
                .map_or(Ok(HistoryMatch::None), |tag| history_of(db, &what.tenant, tag, &recent))?;
            let id = match (what.conversation, history) {
                (Some(id), _) | (None, HistoryMatch::One(id)) => Some(id),
                _ => None,
            };
            let conversation = id.map(|id| conversation_of(db, &what.tenant, id)).transpose()?.flatten();
            let customer = conversation.as_ref().map(|known: &Conversation| known.customer).or(what.customer);
            let standing = customer.map(|id| standing_of(db, &what.tenant, id)).transpose()?;
            Ok(Recalled { slot, conversation, history, standing: standing.unwrap_or_default() })
        })
    }

    pub(crate) async fn conversation(
        self: &Arc<Self>,
        tenant: &TenantId,
        id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        let tenant = tenant.clone();
        self.in_turn(move |db| conversation_of(db, &tenant, id)).await
    }

    pub(crate) async fn history(
        self: &Arc<Self>,
        tenant: &TenantId,
        tag: [u8; 16],
    ) -> Result<HistoryMatch, StoreError> {
        let tenant = tenant.clone();
        let recent = self.tags.conversations(&tenant, tag);
        self.in_turn(move |db| history_of(db, &tenant, tag, &recent)).await
    }

    pub(crate) async fn customer(
        self: &Arc<Self>,
        tenant: &TenantId,
        id: CustomerId,
    ) -> Result<Option<KeySlot>, StoreError> {
        let tenant = tenant.clone();
        self.in_turn(move |db| slot_of(db, &tenant, id)).await
    }

    pub(crate) async fn turn(
        self: &Arc<Self>,
        tenant: &TenantId,
        id: TurnId,
    ) -> Result<Option<TurnRow>, StoreError> {
        let tenant = tenant.clone();
        self.in_turn(move |db| {
            db.prepare_cached(&format!("{TURN} WHERE t.tenant = ?1 AND t.id = ?2"))?
                .query_row(params![tenant.as_str(), id.as_bytes()], turn_row)
                .optional()
        })
        .await
    }

    pub(crate) async fn turns_of(
        self: &Arc<Self>,
        tenant: &TenantId,
        conversation: ConversationId,
    ) -> Result<Vec<TurnRow>, StoreError> {
        let tenant = tenant.clone();
        self.in_turn(move |db| {
            db.prepare_cached(&format!("{TURN} WHERE t.seq IN ({TURNS_OF_CONVERSATION}) ORDER BY t.seq"))?
                .query_map(params![tenant.as_str(), conversation.as_bytes()], turn_row)?
                .collect()
        })
        .await
    }

    pub(crate) async fn turns_listed(
        self: &Arc<Self>,
        tenant: &TenantId,
        conversation: ConversationId,
    ) -> Result<Vec<TurnSummary>, StoreError> {
        const LISTED: &str = "SELECT t.id, t.upstream, t.at, t.purposes FROM turns AS t WHERE t.seq IN (";
        let tenant = tenant.clone();
        self.in_turn(move |db| {
            db.prepare_cached(&format!("{LISTED}{TURNS_OF_CONVERSATION}) ORDER BY t.seq"))?
                .query_map(params![tenant.as_str(), conversation.as_bytes()], |row| {
                    Ok(TurnSummary {
                        id: TurnId::from_bytes(row.get(0)?),
                        upstream: row.get(1)?,
                        opened: UnixMillis(row.get(2)?),
                        purposes: purposes(row.get(3)?),
                    })
                })?
                .collect()
        })
        .await
    }

    pub(crate) async fn event(self: &Arc<Self>, index: u64) -> Result<Option<Box<str>>, StoreError> {
        self.in_turn(move |db| {
            db.prepare_cached("SELECT data FROM log_entries WHERE idx = ?1")?
                .query_row([index], |row| Ok(text(row.get(0)?)))
                .optional()
        })
        .await
    }

    async fn in_turn<T, F>(self: &Arc<Self>, ask: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let readers = Arc::clone(self);
        let _turn = self.turns.acquire().await.map_err(|_| StoreError::Closed)?;
        blocking(move || readers.read(ask)).await
    }

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
            "SELECT ifnull(customer, id), slot, opened, issued, classes FROM conversations
             WHERE tenant = ?1 AND id = ?2",
        )?
        .query_row(which, |row| {
            let customer = CustomerId::from_bytes(row.get(0)?);
            let slot = row.get::<_, Option<[u8; 16]>>(1)?.map(KeySlot::from_bytes);
            let first = row.get::<_, Option<Vec<u8>>>(3)?;
            Ok((customer, slot, UnixMillis(row.get(2)?), first, classes(row.get(4)?)))
        })
        .optional()?;
    let Some((customer, slot, opened, first, of)) = head else { return Ok(None) };
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
    let mut issued: Vec<IssuedRow> = (first.into_iter())
        .map(|bytes| IssuedRow { first: 0, classes: of, sealed: Sealed::from_bytes(bytes) })
        .collect();
    let mut ask = db.prepare_cached(
        "SELECT first, sealed, classes FROM issued WHERE tenant = ?1 AND conversation = ?2 ORDER BY first",
    )?;
    for row in ask.query_map(which, issued_row)? {
        issued.push(row?);
    }
    Ok(Some(Conversation { id, customer, slot, opened, entries, issued }))
}

fn issued_row(row: &Row<'_>) -> rusqlite::Result<IssuedRow> {
    let sealed = Sealed::from_bytes(row.get::<_, Vec<u8>>(1)?);
    Ok(IssuedRow { first: row.get(0)?, classes: classes(row.get(2)?), sealed })
}

const TURN: &str =
    "SELECT t.id, t.conversation, ifnull(v.customer, v.id), coalesce(v.slot, c.slot, a.slot), t.subject, t.upstream, t.at, t.log, t.received,
    e.state, e.at, e.log, e.reply, o.data, f.data, t.purposes
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
        purposes: purposes(row.get(15)?),
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

//! What is read on a server: each call one snapshot, in which the rows of one tenant are seen.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chatward_message::{
    ConversationId, CustomerId, KeySlot, Kind, Sealed, Standing, Subject, TenantId, TurnId, UnixMillis,
};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::schema::{SLOT_OF_CUSTOMER, STORE_SCHEMA, turns_of_conversation};
use super::session::{Param, Pool, Postgres, Session, in_time};
use super::standing::standing_of;
use super::writer::SET_TENANT;
use crate::retention::{classes, purposes};
use crate::{
    Conversation, EntryRow, HistoryMatch, IssuedRow, Recall, Recalled, StoreError, TurnRow, TurnState,
    TurnSummary,
};

const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A parameter that is handed over.
pub(super) type Owned = Box<dyn ToSql + Send + Sync>;

/// Connections that only read.
#[derive(Clone)]
pub(crate) struct Readers(Arc<Pool>);

impl Readers {
    pub(super) fn new(server: Postgres, most: usize, reachable: Arc<AtomicBool>) -> Self {
        Self(Arc::new(Pool::new(server, STORE_SCHEMA, most, reachable)))
    }

    pub(crate) fn server(&self) -> &str {
        self.0.server.server()
    }

    pub(crate) fn is_reachable(&self) -> bool {
        self.0.is_reachable()
    }

    pub(crate) fn close(&self) {
        self.0.close();
    }

    pub(crate) async fn recall(&self, what: &Recall) -> Result<Recalled, StoreError> {
        let (this, what) = (self.clone(), what.clone());
        to_its_end(async move { this.recall_now(&what).await }).await
    }

    async fn recall_now(&self, what: &Recall) -> Result<Recalled, StoreError> {
        let look = async |session: &mut Session| {
            let slot = match what.customer {
                Some(id) => slot_of(session, &what.tenant, id).await?,
                None => None,
            };
            let history = match what.history {
                Some(tag) => history_of(session, &what.tenant, tag).await?,
                None => HistoryMatch::None,
            };
            let conversation = match (what.conversation, history) {
                (Some(id), _) | (None, HistoryMatch::One(id)) => {
                    conversation_of(session, &what.tenant, id).await?
                }
                _ => None,
            };
            let customer = conversation.as_ref().map(|known: &Conversation| known.customer).or(what.customer);
            let standing = match customer {
                Some(id) => standing_of(session, &what.tenant, id).await?,
                None => Standing::default(),
            };
            Ok(Recalled { slot, conversation, history, standing })
        };
        in_time(&self.0.server.label(), async {
            let mut taken = self.0.take().await?;
            let found = async {
                begin(&mut taken.session, &what.tenant).await?;
                let found = look(&mut taken.session).await?;
                end(&mut taken.session).await?;
                Ok(found)
            }
            .await;
            self.0.give(taken, found)
        })
        .await
    }

    pub(crate) async fn conversation(
        &self,
        tenant: &TenantId,
        id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        let (customer, history) = (None, None);
        let what = Recall { tenant: tenant.clone(), customer, conversation: Some(id), history };
        Ok(self.recall(&what).await?.conversation)
    }

    pub(crate) async fn history(&self, tenant: &TenantId, tag: [u8; 16]) -> Result<HistoryMatch, StoreError> {
        let (customer, conversation) = (None, None);
        let what = Recall { tenant: tenant.clone(), customer, conversation, history: Some(tag) };
        Ok(self.recall(&what).await?.history)
    }

    pub(crate) async fn customer(
        &self,
        tenant: &TenantId,
        id: CustomerId,
    ) -> Result<Option<KeySlot>, StoreError> {
        let (conversation, history) = (None, None);
        let what = Recall { tenant: tenant.clone(), customer: Some(id), conversation, history };
        Ok(self.recall(&what).await?.slot)
    }

    pub(crate) async fn turn(&self, tenant: &TenantId, id: TurnId) -> Result<Option<TurnRow>, StoreError> {
        let mut rows = self.turns(tenant, TURN_OF_ID, id.as_bytes()).await?;
        Ok(rows.pop())
    }

    pub(crate) async fn turns_of(
        &self,
        tenant: &TenantId,
        conversation: ConversationId,
    ) -> Result<Vec<TurnRow>, StoreError> {
        self.turns(tenant, TURNS, conversation.as_bytes()).await
    }

    pub(crate) async fn turns_listed(
        &self,
        tenant: &TenantId,
        conversation: ConversationId,
    ) -> Result<Vec<TurnSummary>, StoreError> {
        self.look(tenant, LISTED, vec![Box::new(conversation.as_bytes().to_vec())], |row| {
            Ok(Some(TurnSummary {
                id: TurnId::from_bytes(bytes16(row, 0)?),
                upstream: row.try_get::<_, &str>(1)?.into(),
                opened: UnixMillis(u64::try_from(row.try_get::<_, i64>(2)?).unwrap_or(0)),
                purposes: purposes(row.try_get(3)?),
            }))
        })
        .await
    }

    async fn turns(
        &self,
        tenant: &TenantId,
        sql: &'static str,
        id: &[u8; 16],
    ) -> Result<Vec<TurnRow>, StoreError> {
        self.look(tenant, sql, vec![Box::new(id.to_vec())], turn_row).await
    }

    /// The rows that answer a question about one tenant, which is `$1`; `with` is the rest. `read` gives none for a row that
    /// is not what it should be.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        tenant: &TenantId,
        sql: &'static str,
        with: Vec<Owned>,
        read: fn(&Row) -> Result<Option<T>, Error>,
    ) -> Result<Vec<T>, StoreError> {
        let (this, tenant) = (self.clone(), tenant.clone());
        to_its_end(async move { this.look_now(&tenant, sql, &with, read).await }).await
    }

    async fn look_now<T>(
        &self,
        tenant: &TenantId,
        sql: &'static str,
        with: &[Owned],
        read: fn(&Row) -> Result<Option<T>, Error>,
    ) -> Result<Vec<T>, StoreError> {
        let name = tenant.as_str();
        let mut all: Vec<Param<'_>> = Vec::with_capacity(1 + with.len());
        all.push(&name);
        all.extend(with.iter().map(|one| &**one as Param<'_>));
        in_time(&self.0.server.label(), async {
            let mut taken = self.0.take().await?;
            let found = async {
                begin(&mut taken.session, tenant).await?;
                let rows = taken.session.rows(sql, &all).await?;
                end(&mut taken.session).await?;
                rows.iter().map(read).collect::<Result<Vec<_>, _>>()
            }
            .await;
            let found = self.0.give(taken, found)?;
            found
                .into_iter()
                .map(|row| row.ok_or_else(|| StoreError::inside("a row is not what it should be")))
                .collect()
        })
        .await
    }

    /// Does something on a connection, within its time.
    pub(super) async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&mut Session) -> Result<T, Error>,
    ) -> Result<T, StoreError> {
        in_time(&self.0.server.label(), async {
            let mut taken = self.0.take().await?;
            let done = work(&mut taken.session).await;
            self.0.give(taken, done)
        })
        .await
    }

    pub(crate) async fn event(&self, index: u64) -> Result<Option<Box<str>>, StoreError> {
        let index = i64::try_from(index).map_err(StoreError::inside)?;
        in_time(&self.0.server.label(), async {
            let mut taken = self.0.take().await?;
            let found = taken.session.row("SELECT data FROM log_entries WHERE idx = $1", &[&index]).await;
            let found = found.and_then(|row| row.map(|row| row.try_get(0).map(text)).transpose());
            self.0.give(taken, found)
        })
        .await
    }
}

/// Does it on a task of its own: a client that leaves in the middle does not cost the connection that was just asked.
pub(super) async fn to_its_end<T: Send + 'static, E: From<StoreError> + Send + 'static>(
    work: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E> {
    tokio::spawn(work)
        .await
        .unwrap_or_else(|e| Err(StoreError::inside(format_args!("a task ended: {e}")).into()))
}

async fn begin(session: &mut Session, tenant: &TenantId) -> Result<(), Error> {
    session.begin(SNAPSHOT, SET_TENANT, &[&tenant.as_str()]).await.map(drop)
}

async fn end(session: &mut Session) -> Result<(), Error> {
    session.run_all("COMMIT").await
}

/// 16 bytes of a column. Every id we write is as long; should one not be, it is the zero id, which is nobody's.
pub(super) fn bytes16(row: &Row, at: usize) -> Result<[u8; 16], Error> {
    Ok(row.try_get::<_, &[u8]>(at)?.try_into().unwrap_or_default())
}

pub(super) async fn slot_of(
    session: &mut Session,
    tenant: &TenantId,
    id: CustomerId,
) -> Result<Option<KeySlot>, Error> {
    let row = session.row(SLOT_OF_CUSTOMER, &[&tenant.as_str(), &&id.as_bytes()[..]]).await?;
    row.map(|row| bytes16(&row, 0).map(KeySlot::from_bytes)).transpose()
}

async fn history_of(session: &mut Session, tenant: &TenantId, tag: [u8; 16]) -> Result<HistoryMatch, Error> {
    let sql = "SELECT conversation FROM history_tags WHERE tenant = $1 AND tag = $2 LIMIT 2";
    let rows = session.rows(sql, &[&tenant.as_str(), &&tag[..]]).await?;
    Ok(match rows.as_slice() {
        [] => HistoryMatch::None,
        [one] => HistoryMatch::One(ConversationId::from_bytes(bytes16(one, 0)?)),
        _ => HistoryMatch::Many,
    })
}

async fn conversation_of(
    session: &mut Session,
    tenant: &TenantId,
    id: ConversationId,
) -> Result<Option<Conversation>, Error> {
    let (name, key) = (tenant.as_str(), &id.as_bytes()[..]);
    let head = "SELECT coalesce(customer, id), slot, opened, issued, classes FROM conversations WHERE tenant = $1 AND id = $2";
    let Some(head) = session.row(head, &[&name, &key]).await? else { return Ok(None) };
    let customer = CustomerId::from_bytes(bytes16(&head, 0)?);
    let own: Option<&[u8]> = head.try_get(1)?;
    let slot = match own.and_then(|own| own.try_into().ok()) {
        Some(own) => KeySlot::from_bytes(own),
        // Without a key nothing of the conversation can be opened: as good as none.
        None => match slot_of(session, tenant, customer).await? {
            Some(slot) => slot,
            None => return Ok(None),
        },
    };
    let first: Option<Vec<u8>> = head.try_get(3)?;
    let of = classes(head.try_get(4)?);
    let mut issued: Vec<IssuedRow> = (first.into_iter())
        .map(|bytes| IssuedRow { first: 0, classes: of, sealed: Sealed::from_bytes(bytes) })
        .collect();
    let sql =
        "SELECT first, sealed, classes FROM issued WHERE tenant = $1 AND conversation = $2 ORDER BY first";
    for row in session.rows(sql, &[&name, &key]).await? {
        let first = u32::try_from(row.try_get::<_, i64>(0)?).unwrap_or(u32::MAX);
        let sealed = Sealed::from_bytes(row.try_get::<_, Vec<u8>>(1)?);
        issued.push(IssuedRow { first, classes: classes(row.try_get(2)?), sealed });
    }
    let sql = "SELECT label, kind, value FROM entries WHERE tenant = $1 AND conversation = $2 ORDER BY seq";
    let mut entries = Vec::new();
    for row in session.rows(sql, &[&name, &key]).await? {
        entries.push(EntryRow {
            label: row.try_get::<_, &str>(0)?.into(),
            kind: Kind::new(row.try_get::<_, &str>(1)?),
            value: Sealed::from_bytes(row.try_get::<_, Vec<u8>>(2)?),
        });
    }
    let opened = UnixMillis(u64::try_from(head.try_get::<_, i64>(2)?).unwrap_or(0));
    Ok(Some(Conversation { id, customer, slot, opened, entries, issued }))
}

/// SQL: turns with everything that belongs to them.
macro_rules! turn {
    () => {
        "SELECT t.id, t.conversation, coalesce(v.customer, v.id), coalesce(v.slot, c.slot, a.slot), t.subject, t.upstream,
         t.at, t.log, t.received, e.state, e.at, e.log, e.reply, o.data, f.data, t.purposes
         FROM turns AS t
         JOIN conversations AS v ON v.tenant = t.tenant AND v.id = t.conversation
         LEFT JOIN customers AS c ON c.tenant = v.tenant AND c.id = v.customer
         LEFT JOIN conversations AS a ON a.tenant = v.tenant AND a.id = v.customer AND a.customer IS NULL
         JOIN log_entries AS o ON o.idx = t.log
         LEFT JOIN closings AS e ON e.turn = t.seq
         LEFT JOIN log_entries AS f ON f.idx = e.log
         WHERE t.tenant = $1 AND "
    };
}

const TURN_OF_ID: &str = concat!(turn!(), "t.id = $2");
const LISTED: &str = concat!(
    "SELECT t.id, t.upstream, t.at, t.purposes FROM turns AS t WHERE t.seq IN (",
    turns_of_conversation!(),
    ") ORDER BY t.seq"
);
const TURNS: &str = concat!(turn!(), "t.seq IN (", turns_of_conversation!(), ") ORDER BY t.seq");

fn turn_row(row: &Row) -> Result<Option<TurnRow>, Error> {
    let number = |at| row.try_get::<_, i64>(at).map(|n| u64::try_from(n).unwrap_or(0));
    let maybe = |at| row.try_get::<_, Option<i64>>(at).map(|n| n.map(|n| u64::try_from(n).unwrap_or(0)));
    let state = row.try_get::<_, Option<i64>>(9)?.unwrap_or(TurnState::Open.code());
    let Some(state) = TurnState::of_code(state) else { return Ok(None) };
    let subject: Option<&[u8]> = row.try_get(4)?;
    Ok(Some(TurnRow {
        id: TurnId::from_bytes(bytes16(row, 0)?),
        conversation: ConversationId::from_bytes(bytes16(row, 1)?),
        customer: CustomerId::from_bytes(bytes16(row, 2)?),
        slot: KeySlot::from_bytes(bytes16(row, 3)?),
        subject: subject.and_then(|s| s.try_into().ok()).map(Subject::from_bytes),
        upstream: row.try_get::<_, &str>(5)?.into(),
        purposes: purposes(row.try_get(15)?),
        state,
        opened: UnixMillis(number(6)?),
        closed: maybe(10)?.map(UnixMillis),
        received: Sealed::from_bytes(row.try_get::<_, Vec<u8>>(8)?),
        reply: row.try_get::<_, Option<Vec<u8>>>(12)?.map(Sealed::from_bytes),
        opened_index: number(7)?,
        closed_index: maybe(11)?,
        opened_event: text(row.try_get(13)?),
        closed_event: row.try_get::<_, Option<Vec<u8>>>(14)?.map(text),
    }))
}

/// Leaves are JSON that we wrote ourselves.
pub(super) fn text(bytes: Vec<u8>) -> Box<str> {
    String::from_utf8_lossy(&bytes).into()
}

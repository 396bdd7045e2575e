//! Records, handles and trails on a server: how they are changed and read, and the lists.

use chatward_message::{ConversationId, CustomerId, KeySlot, Sealed, TenantId, UnixMillis};
use tokio_postgres::{Error, Row};

use super::read::{Owned, Readers, bytes16, text};
use super::session::Param;
use super::writer::{Fail, Tx, time};
use crate::StoreError;
use crate::change::{self, Found};
use crate::queue::Done;
use crate::record::{
    Changes, ConversationRow, CustomerRow, Handle, HandleKind, Put, Record, RecordKind, Trace,
};
use crate::retention::purposes;
use crate::rows::Receipt;

const REVISIONS: &str =
    "SELECT r.kind, r.id, r.revision FROM unnest($2::bigint[], $3::bytea[]) AS k (kind, id)
    JOIN records AS r ON r.tenant = $1 AND r.kind = k.kind AND r.id = k.id";
const OWNERS: &str = "SELECT h.kind, h.hash, h.record_kind, h.record_id
    FROM unnest($2::bigint[], $3::bytea[]) AS k (kind, hash)
    JOIN handles AS h ON h.tenant = $1 AND h.kind = k.kind AND h.hash = k.hash";
/// Whether a key was destroyed meanwhile: nothing new is kept under it.
const ERASED: &str =
    "SELECT EXISTS (SELECT 1 FROM erased WHERE slot IN (SELECT sha256(s) FROM unnest($1::bytea[]) AS s))";
const FREE: &str = "DELETE FROM handles AS h USING unnest($2::bigint[], $3::bytea[]) AS k (kind, id)
    WHERE h.tenant = $1 AND h.record_kind = k.kind AND h.record_id = k.id";
const REMOVE: &str = "DELETE FROM records AS r USING unnest($2::bigint[], $3::bytea[]) AS k (kind, id)
    WHERE r.tenant = $1 AND r.kind = k.kind AND r.id = k.id";
const PUT: &str = "INSERT INTO records VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (tenant, kind, id) DO UPDATE SET revision = excluded.revision, slot = excluded.slot,
    customer = excluded.customer, until = excluded.until, sealed = excluded.sealed, purposes = excluded.purposes";
const GIVE: &str = "INSERT INTO handles SELECT DISTINCT $1::text, h.kind, h.hash, $2::bigint, $3::bytea
    FROM unnest($4::bigint[], $5::bytea[]) AS h (kind, hash)";
const TRACE: &str = "INSERT INTO trail SELECT $1::text, $2::bytea, log FROM unnest($3::bigint[]) AS log";
const DROP: &str = "
WITH ended AS (
    SELECT kind, id FROM records WHERE tenant = $1 AND until < $2 ORDER BY until LIMIT $3
), freed AS (
    DELETE FROM handles AS h USING ended AS e WHERE h.tenant = $1 AND h.record_kind = e.kind AND h.record_id = e.id
)
DELETE FROM records AS r USING ended AS e WHERE r.tenant = $1 AND r.kind = e.kind AND r.id = e.id";

/// SQL: a record of the table that is called `r`.
macro_rules! record {
    () => {
        "SELECT r.kind, r.id, r.revision, r.slot, r.customer, r.until, r.sealed, r.purposes FROM "
    };
}

const RECORD: &str = concat!(record!(), "records AS r WHERE r.tenant = $1 AND r.kind = $2 AND r.id = $3");
const RECORD_BY: &str = concat!(
    record!(),
    "handles AS h JOIN records AS r ON r.tenant = h.tenant AND r.kind = h.record_kind AND r.id = h.record_id
     WHERE h.tenant = $1 AND h.kind = $2 AND h.hash = $3"
);
const RECORDS: &str = concat!(
    record!(),
    "records AS r WHERE r.tenant = $1 AND r.kind = $2 AND r.id > $3 ORDER BY r.id LIMIT $4"
);
const RECORDS_OF: &str =
    concat!(record!(), "records AS r WHERE r.tenant = $1 AND r.kind = $2 AND r.customer = $3 ORDER BY r.id");
const TRAIL: &str = "SELECT t.log, l.data FROM trail AS t JOIN log_entries AS l ON l.idx = t.log
    WHERE t.tenant = $1 AND t.customer = $2 AND t.log < $3 ORDER BY t.log DESC LIMIT $4";
/// `$5`: [`RecordKind::Claim`].
const CONVERSATIONS_OF: &str = "
WITH who (id) AS (
    SELECT $2::bytea UNION SELECT id FROM records WHERE tenant = $1 AND customer = $2 AND kind = $5
), mine (id) AS (
    SELECT v.id FROM who JOIN conversations AS v ON v.tenant = $1 AND v.customer = who.id
    UNION ALL SELECT v.id FROM who JOIN conversations AS v ON v.tenant = $1 AND v.id = who.id AND v.customer IS NULL
)
SELECT v.id, coalesce(v.customer, v.id), coalesce(v.slot, c.slot, a.slot), v.opened
FROM mine JOIN conversations AS v ON v.tenant = $1 AND v.id = mine.id
LEFT JOIN customers AS c ON c.tenant = v.tenant AND c.id = v.customer
LEFT JOIN conversations AS a ON a.tenant = v.tenant AND a.id = v.customer AND a.customer IS NULL
WHERE v.id > $3 ORDER BY v.id LIMIT $4";
/// Those without a name stand among all other conversations: no further than those with names reach on this page, so that all
/// pages together go through the conversations once.
const CUSTOMERS: &str = "
SELECT id, slot FROM (
    (SELECT id, slot FROM customers WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3::bigint)
    UNION ALL
    (SELECT id, slot FROM conversations WHERE tenant = $1 AND customer IS NULL AND id > $2 AND id <= coalesce(
        (SELECT id FROM customers WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT 1 OFFSET greatest($3 - 1, 0)),
        '\\xffffffffffffffffffffffffffffffff')
     ORDER BY id LIMIT $3)
) AS both_kinds ORDER BY id LIMIT $3";

/// Kinds and ids as two columns.
fn columns<'a>(keys: impl IntoIterator<Item = (RecordKind, &'a [u8])>) -> (Vec<i64>, Vec<&'a [u8]>) {
    keys.into_iter().map(|(kind, id)| (kind.code(), id)).unzip()
}

impl Tx<'_> {
    /// Looks at everything first, then writes.
    pub(super) async fn change(&mut self, changes: &Changes, leaves: &[Vec<u8>]) -> Result<Done, Fail> {
        self.see(&changes.tenant).await?;
        self.found(changes).await?.admit(changes).map_err(Fail::Refused)?;
        let slots: Vec<&[u8]> = changes.puts.iter().map(|put| &put.record.slot.as_bytes()[..]).collect();
        if !slots.is_empty() {
            let erased = self.session.row(ERASED, &[&slots]).await?;
            if erased.map_or(Ok(false), |row| row.try_get(0))? {
                return Err(Fail::Refused(StoreError::SlotErased));
            }
        }
        if let Some(new) = &changes.standing {
            self.stands(&changes.tenant, new).await?;
        }
        let tenant = changes.tenant.as_str();
        if !changes.removals.is_empty() {
            let (kinds, ids) = columns(changes.removals.iter().map(|removal| (removal.kind, &*removal.id)));
            let which: [Param<'_>; 3] = [&tenant, &kinds, &ids];
            self.session.run_each(&[(FREE, &which), (REMOVE, &which)]).await?;
        }
        for put in &changes.puts {
            self.put(tenant, put).await?;
        }
        self.written_about(tenant, changes.about, leaves).await
    }

    /// Writes events, into the trail of whom they are about.
    pub(super) async fn written_about(
        &mut self,
        tenant: &str,
        about: Option<CustomerId>,
        leaves: &[Vec<u8>],
    ) -> Result<Done, Fail> {
        if leaves.is_empty() {
            return Ok(Done::Changed(None));
        }
        let numbers = self.append(leaves).await?;
        if let Some(customer) = about {
            self.session.run(TRACE, &[&tenant, &&customer.as_bytes()[..], &numbers]).await?;
        }
        Ok(Done::Changed(numbers.last().map(|last| Receipt::new(u64::try_from(*last).unwrap_or(0)))))
    }

    async fn found(&mut self, changes: &Changes) -> Result<Found, Fail> {
        let tenant = changes.tenant.as_str();
        let mut found = Found::default();
        let (kinds, ids) = columns(change::keys(changes));
        if !kinds.is_empty() {
            for row in self.session.rows(REVISIONS, &[&tenant, &kinds, &ids]).await? {
                let revision = u64::try_from(row.try_get::<_, i64>(2)?).unwrap_or(0);
                found.revisions.insert(key_of(&row, 0)?, revision);
            }
        }
        let handles: Vec<Handle> = change::handles(changes).into_iter().collect();
        let (kinds, hashes): (Vec<i64>, Vec<&[u8]>) =
            handles.iter().map(|handle| (handle.kind.code(), &handle.hash[..])).unzip();
        if !kinds.is_empty() {
            for row in self.session.rows(OWNERS, &[&tenant, &kinds, &hashes]).await? {
                let kind = HandleKind::of_code(row.try_get(0)?).ok_or_else(unknown)?;
                let hash = row.try_get::<_, &[u8]>(1)?.try_into().map_err(|_| unknown())?;
                found.owners.insert(Handle { kind, hash }, key_of(&row, 2)?);
            }
        }
        Ok(found)
    }

    async fn put(&mut self, tenant: &str, put: &Put) -> Result<(), Error> {
        let record = &put.record;
        let (kind, id, slot) = (record.kind.code(), &*record.id, &record.slot.as_bytes()[..]);
        let revision = i64::try_from(record.revision).unwrap_or(i64::MAX);
        let customer = record.customer.as_ref().map(|customer| &customer.as_bytes()[..]);
        let (until, sealed) = (record.until.map(time), record.sealed.as_bytes());
        let kept = i64::from(record.purposes.bits());
        let row: [Param<'_>; 9] = [&tenant, &kind, &id, &revision, &slot, &customer, &until, &sealed, &kept];
        let Some(handles) = &put.handles else { return self.session.run(PUT, &row).await.map(drop) };
        let (kinds, hashes): (Vec<i64>, Vec<&[u8]>) =
            handles.iter().map(|handle| (handle.kind.code(), &handle.hash[..])).unzip();
        let (of_kind, of_id) = ([kind], [id]);
        let old: [Param<'_>; 3] = [&tenant, &&of_kind[..], &&of_id[..]];
        let new: [Param<'_>; 5] = [&tenant, &kind, &id, &kinds, &hashes];
        self.session.run_each(&[(PUT, &row), (FREE, &old), (GIVE, &new)]).await.map(drop)
    }

    pub(super) async fn drop_ended(
        &mut self,
        tenant: &TenantId,
        now: UnixMillis,
        most: u32,
    ) -> Result<Done, Fail> {
        self.see(tenant).await?;
        let which: [Param<'_>; 3] = [&tenant.as_str(), &time(now), &i64::from(most)];
        Ok(Done::Dropped(self.session.run(DROP, &which).await?))
    }
}

/// A row that was not written by us.
fn unknown() -> Fail {
    Fail::Refused(StoreError::inside("a row is not what it should be"))
}

fn key_of(row: &Row, at: usize) -> Result<change::Key, Fail> {
    let kind = RecordKind::of_code(row.try_get(at)?).ok_or_else(unknown)?;
    Ok((kind, row.try_get::<_, &[u8]>(at + 1)?.into()))
}

impl Readers {
    pub(crate) async fn record(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        id: &[u8],
    ) -> Result<Option<Record>, StoreError> {
        let with: Vec<Owned> = vec![Box::new(kind.code()), Box::new(id.to_vec())];
        Ok(self.look(tenant, RECORD, with, record_row).await?.pop())
    }

    pub(crate) async fn record_by(
        &self,
        tenant: &TenantId,
        handle: Handle,
    ) -> Result<Option<Record>, StoreError> {
        let with: Vec<Owned> = vec![Box::new(handle.kind.code()), Box::new(handle.hash.to_vec())];
        Ok(self.look(tenant, RECORD_BY, with, record_row).await?.pop())
    }

    pub(crate) async fn records(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        // Every id comes after the empty one.
        let after = after.unwrap_or_default().to_vec();
        let with: Vec<Owned> = vec![Box::new(kind.code()), Box::new(after), most(limit)];
        self.look(tenant, RECORDS, with, record_row).await
    }

    pub(crate) async fn records_of(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        customer: CustomerId,
    ) -> Result<Vec<Record>, StoreError> {
        let with: Vec<Owned> = vec![Box::new(kind.code()), Box::new(customer.as_bytes().to_vec())];
        self.look(tenant, RECORDS_OF, with, record_row).await
    }

    pub(crate) async fn trail(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Trace>, StoreError> {
        let before = before.and_then(|index| i64::try_from(index).ok()).unwrap_or(i64::MAX);
        let with: Vec<Owned> = vec![Box::new(customer.as_bytes().to_vec()), Box::new(before), most(limit)];
        self.look(tenant, TRAIL, with, trace_row).await
    }

    pub(crate) async fn conversations_of(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationRow>, StoreError> {
        let after = after.map_or(Vec::new(), |id| id.as_bytes().to_vec());
        let with: Vec<Owned> = vec![
            Box::new(customer.as_bytes().to_vec()),
            Box::new(after),
            most(limit),
            Box::new(RecordKind::Claim.code()),
        ];
        self.look(tenant, CONVERSATIONS_OF, with, conversation_row).await
    }

    pub(crate) async fn customers(
        &self,
        tenant: &TenantId,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Result<Vec<CustomerRow>, StoreError> {
        let after = after.map_or(Vec::new(), |id| id.as_bytes().to_vec());
        let with: Vec<Owned> = vec![Box::new(after), most(limit)];
        self.look(tenant, CUSTOMERS, with, customer_row).await
    }
}

fn most(limit: usize) -> Owned {
    Box::new(i64::try_from(limit).unwrap_or(i64::MAX))
}

fn record_row(row: &Row) -> Result<Option<Record>, Error> {
    let Some(kind) = RecordKind::of_code(row.try_get(0)?) else { return Ok(None) };
    let customer: Option<&[u8]> = row.try_get(4)?;
    let until: Option<i64> = row.try_get(5)?;
    Ok(Some(Record {
        kind,
        id: row.try_get::<_, &[u8]>(1)?.into(),
        revision: u64::try_from(row.try_get::<_, i64>(2)?).unwrap_or(0),
        slot: KeySlot::from_bytes(bytes16(row, 3)?),
        customer: customer.and_then(|id| id.try_into().ok()).map(CustomerId::from_bytes),
        until: until.map(|at| UnixMillis(u64::try_from(at).unwrap_or(0))),
        sealed: Sealed::from_bytes(row.try_get::<_, Vec<u8>>(6)?),
        purposes: purposes(row.try_get(7)?),
    }))
}

fn trace_row(row: &Row) -> Result<Option<Trace>, Error> {
    let index = u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0);
    Ok(Some(Trace { index, event: text(row.try_get(1)?) }))
}

fn conversation_row(row: &Row) -> Result<Option<ConversationRow>, Error> {
    Ok(Some(ConversationRow {
        id: ConversationId::from_bytes(bytes16(row, 0)?),
        customer: CustomerId::from_bytes(bytes16(row, 1)?),
        slot: KeySlot::from_bytes(bytes16(row, 2)?),
        opened: UnixMillis(u64::try_from(row.try_get::<_, i64>(3)?).unwrap_or(0)),
    }))
}

fn customer_row(row: &Row) -> Result<Option<CustomerRow>, Error> {
    let id = CustomerId::from_bytes(bytes16(row, 0)?);
    Ok(Some(CustomerRow { id, slot: KeySlot::from_bytes(bytes16(row, 1)?) }))
}

//! Records, handles and trails in the file: how they are changed and read, and the lists.

use std::collections::BTreeSet;
use std::sync::Arc;

use chatward_message::{ConversationId, CustomerId, KeySlot, Sealed, TenantId, UnixMillis};
use rusqlite::{OptionalExtension, Row, params};

use super::schema::{HANDLES_OF_RECORD_GO, RECORD_GOES};
use super::writer::{Batch, Fail, time};
use super::{Readers, text};
use crate::StoreError;
use crate::change::{self, Found};
use crate::queue::Done;
use crate::record::{Changes, ConversationRow, CustomerRow, Handle, Put, Record, RecordKind, Trace};
use crate::retention::purposes;
use crate::rows::Receipt;

/// SQL: a record of the table that is called `r`.
macro_rules! record {
    () => {
        "SELECT r.kind, r.id, r.revision, r.slot, r.customer, r.until, r.sealed, r.purposes FROM "
    };
}

const REVISION: &str = "SELECT revision FROM records WHERE tenant = ?1 AND kind = ?2 AND id = ?3";
const OWNER: &str =
    "SELECT record_kind, record_id FROM handles WHERE tenant = ?1 AND kind = ?2 AND hash = ?3";
const PUT: &str = "INSERT INTO records VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (tenant, kind, id) DO UPDATE SET revision = excluded.revision, slot = excluded.slot,
    customer = excluded.customer, until = excluded.until, sealed = excluded.sealed, purposes = excluded.purposes";
const GIVE: &str = "INSERT INTO handles VALUES (?1, ?2, ?3, ?4, ?5)";
const TRACE: &str = "INSERT INTO trail VALUES (?1, ?2, ?3)";
const ENDED: &str = "SELECT kind, id FROM records INDEXED BY records_by_end
    WHERE tenant = ?1 AND until < ?2 ORDER BY until LIMIT ?3";

const RECORD: &str = concat!(record!(), "records AS r WHERE r.tenant = ?1 AND r.kind = ?2 AND r.id = ?3");
const RECORD_BY: &str = concat!(
    record!(),
    "handles AS h JOIN records AS r ON r.tenant = h.tenant AND r.kind = h.record_kind AND r.id = h.record_id
     WHERE h.tenant = ?1 AND h.kind = ?2 AND h.hash = ?3"
);
const RECORDS: &str = concat!(
    record!(),
    "records AS r WHERE r.tenant = ?1 AND r.kind = ?2 AND r.id > ?3 ORDER BY r.id LIMIT ?4"
);
const RECORDS_OF: &str = concat!(
    record!(),
    "records AS r INDEXED BY records_of_customer
     WHERE r.tenant = ?1 AND r.kind = ?2 AND r.customer = ?3 ORDER BY r.id"
);
const TRAIL: &str = "SELECT t.log, l.data FROM trail AS t JOIN log_entries AS l ON l.idx = t.log
    WHERE t.tenant = ?1 AND t.customer = ?2 AND t.log < ?3 ORDER BY t.log DESC LIMIT ?4";
/// `?5`: [`RecordKind::Claim`].
const CONVERSATIONS_OF: &str = "
WITH who (id) AS (
    SELECT ?2 UNION SELECT id FROM records WHERE tenant = ?1 AND customer = ?2 AND kind = ?5
), mine (id) AS (
    SELECT v.id FROM who CROSS JOIN conversations AS v ON v.tenant = ?1 AND v.customer = who.id
    UNION ALL SELECT v.id FROM who CROSS JOIN conversations AS v
        ON v.tenant = ?1 AND v.id = who.id AND v.customer IS NULL
)
SELECT v.id, ifnull(v.customer, v.id), coalesce(v.slot, c.slot, a.slot), v.opened
FROM mine CROSS JOIN conversations AS v ON v.tenant = ?1 AND v.id = mine.id
LEFT JOIN customers AS c ON c.tenant = v.tenant AND c.id = v.customer
LEFT JOIN conversations AS a ON a.tenant = v.tenant AND a.id = v.customer AND a.customer IS NULL
WHERE v.id > ?3 ORDER BY v.id LIMIT ?4";
/// Those without a name stand among all other conversations: no further than those with names reach on this page, so that all
/// pages together go through the conversations once.
const CUSTOMERS: &str = "
SELECT id, slot FROM (
    SELECT * FROM (SELECT id, slot FROM customers WHERE tenant = ?1 AND id > ?2 ORDER BY id LIMIT ?3)
    UNION ALL SELECT * FROM (
        SELECT id, slot FROM conversations WHERE tenant = ?1 AND customer IS NULL AND id > ?2 AND id <= ifnull(
            (SELECT id FROM customers WHERE tenant = ?1 AND id > ?2 ORDER BY id LIMIT 1 OFFSET max(?3 - 1, 0)),
            x'ffffffffffffffffffffffffffffffff')
        ORDER BY id LIMIT ?3)
) ORDER BY id LIMIT ?3";

/// All that is asked; a test looks whether indexes answer it.
#[cfg(test)]
pub(super) const READS: &[&str] =
    &[REVISION, OWNER, ENDED, RECORD, RECORD_BY, RECORDS, RECORDS_OF, TRAIL, CONVERSATIONS_OF, CUSTOMERS];

impl Batch<'_> {
    /// Looks at everything first, then writes.
    pub(super) fn change(&mut self, changes: &Changes, leaves: &[Vec<u8>]) -> Result<Done, Fail> {
        self.found(changes)?.admit(changes).map_err(Fail::Refused)?;
        if let Some(new) = &changes.standing {
            self.stands(&changes.tenant, new)?;
        }
        let tenant = changes.tenant.as_str();
        for removal in &changes.removals {
            self.remove(tenant, removal.kind.code(), &removal.id)?;
        }
        for put in &changes.puts {
            self.put(tenant, put)?;
        }
        self.written_about(tenant, changes.about, leaves)
    }

    /// Writes events, into the trail of whom they are about.
    pub(super) fn written_about(
        &mut self,
        tenant: &str,
        about: Option<CustomerId>,
        leaves: &[Vec<u8>],
    ) -> Result<Done, Fail> {
        let mut trace = self.db.prepare_cached(TRACE)?;
        let mut last = None;
        for leaf in leaves {
            let index = self.append(leaf)?;
            if let Some(customer) = about {
                trace.execute(params![tenant, customer.as_bytes(), index])?;
            }
            last = Some(Receipt::new(u64::try_from(index).unwrap_or(0)));
        }
        Ok(Done::Changed(last))
    }

    fn found(&self, changes: &Changes) -> rusqlite::Result<Found> {
        let tenant = changes.tenant.as_str();
        let mut found = Found::default();
        let mut ask = self.db.prepare_cached(REVISION)?;
        for (kind, id) in change::keys(changes) {
            let which = params![tenant, kind.code(), id];
            if let Some(revision) = ask.query_row(which, |row| row.get(0)).optional()? {
                found.revisions.insert((kind, id.into()), revision);
            }
        }
        let mut ask = self.db.prepare_cached(OWNER)?;
        for handle in change::handles(changes) {
            let which = params![tenant, handle.kind.code(), handle.hash];
            let owner = |row: &Row<'_>| Ok((kind_of(row, 0)?, row.get::<_, Vec<u8>>(1)?.into()));
            if let Some(owner) = ask.query_row(which, owner).optional()? {
                found.owners.insert(handle, owner);
            }
        }
        Ok(found)
    }

    fn put(&self, tenant: &str, put: &Put) -> rusqlite::Result<()> {
        let record = &put.record;
        let (kind, id) = (record.kind.code(), &*record.id);
        self.db.prepare_cached(PUT)?.execute(params![
            tenant,
            kind,
            id,
            record.revision,
            record.slot.as_bytes(),
            record.customer.as_ref().map(CustomerId::as_bytes),
            record.until.map(time),
            record.sealed.as_bytes(),
            record.purposes.bits()
        ])?;
        let Some(handles) = &put.handles else { return Ok(()) };
        self.db.prepare_cached(HANDLES_OF_RECORD_GO)?.execute(params![tenant, kind, id])?;
        let mut give = self.db.prepare_cached(GIVE)?;
        for handle in handles.iter().collect::<BTreeSet<_>>() {
            give.execute(params![tenant, handle.kind.code(), handle.hash, kind, id])?;
        }
        Ok(())
    }

    fn remove(&self, tenant: &str, kind: i64, id: &[u8]) -> rusqlite::Result<()> {
        self.db.prepare_cached(HANDLES_OF_RECORD_GO)?.execute(params![tenant, kind, id])?;
        self.db.prepare_cached(RECORD_GOES)?.execute(params![tenant, kind, id]).map(|_| ())
    }

    pub(super) fn drop_ended(&self, tenant: &TenantId, now: UnixMillis, most: u32) -> Result<Done, Fail> {
        let tenant = tenant.as_str();
        let ended: Vec<(i64, Vec<u8>)> = self
            .db
            .prepare_cached(ENDED)?
            .query_map(params![tenant, time(now), most], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (kind, id) in &ended {
            self.remove(tenant, *kind, id)?;
        }
        Ok(Done::Dropped(ended.len() as u64))
    }
}

impl Readers {
    pub(crate) async fn record(
        self: &Arc<Self>,
        tenant: &TenantId,
        kind: RecordKind,
        id: &[u8],
    ) -> Result<Option<Record>, StoreError> {
        let (tenant, id) = (tenant.clone(), id.to_vec());
        self.in_turn(move |db| {
            let which = params![tenant.as_str(), kind.code(), id];
            db.prepare_cached(RECORD)?.query_row(which, record_row).optional()
        })
        .await
    }

    pub(crate) async fn record_by(
        self: &Arc<Self>,
        tenant: &TenantId,
        handle: Handle,
    ) -> Result<Option<Record>, StoreError> {
        let tenant = tenant.clone();
        self.in_turn(move |db| {
            let which = params![tenant.as_str(), handle.kind.code(), handle.hash];
            db.prepare_cached(RECORD_BY)?.query_row(which, record_row).optional()
        })
        .await
    }

    pub(crate) async fn records(
        self: &Arc<Self>,
        tenant: &TenantId,
        kind: RecordKind,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        // Every id comes after the empty one.
        let (tenant, after) = (tenant.clone(), after.unwrap_or_default().to_vec());
        self.in_turn(move |db| {
            let which = params![tenant.as_str(), kind.code(), after, most(limit)];
            db.prepare_cached(RECORDS)?.query_map(which, record_row)?.collect()
        })
        .await
    }

    pub(crate) async fn records_of(
        self: &Arc<Self>,
        tenant: &TenantId,
        kind: RecordKind,
        customer: CustomerId,
    ) -> Result<Vec<Record>, StoreError> {
        let tenant = tenant.clone();
        self.in_turn(move |db| {
            let which = params![tenant.as_str(), kind.code(), customer.as_bytes()];
            db.prepare_cached(RECORDS_OF)?.query_map(which, record_row)?.collect()
        })
        .await
    }

    pub(crate) async fn trail(
        self: &Arc<Self>,
        tenant: &TenantId,
        customer: CustomerId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Trace>, StoreError> {
        let tenant = tenant.clone();
        let before = before.and_then(|index| i64::try_from(index).ok()).unwrap_or(i64::MAX);
        self.in_turn(move |db| {
            db.prepare_cached(TRAIL)?
                .query_map(params![tenant.as_str(), customer.as_bytes(), before, most(limit)], |row| {
                    Ok(Trace { index: row.get(0)?, event: text(row.get(1)?) })
                })?
                .collect()
        })
        .await
    }

    pub(crate) async fn conversations_of(
        self: &Arc<Self>,
        tenant: &TenantId,
        customer: CustomerId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationRow>, StoreError> {
        let tenant = tenant.clone();
        self.in_turn(move |db| {
            let after = after.as_ref().map_or(&[][..], |id| &id.as_bytes()[..]);
            let claim = RecordKind::Claim.code();
            let which = params![tenant.as_str(), customer.as_bytes(), after, most(limit), claim];
            db.prepare_cached(CONVERSATIONS_OF)?
                .query_map(which, |row| {
                    Ok(ConversationRow {
                        id: ConversationId::from_bytes(row.get(0)?),
                        customer: CustomerId::from_bytes(row.get(1)?),
                        slot: KeySlot::from_bytes(row.get(2)?),
                        opened: UnixMillis(row.get(3)?),
                    })
                })?
                .collect()
        })
        .await
    }

    pub(crate) async fn customers(
        self: &Arc<Self>,
        tenant: &TenantId,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Result<Vec<CustomerRow>, StoreError> {
        let tenant = tenant.clone();
        self.in_turn(move |db| {
            let after = after.as_ref().map_or(&[][..], |id| &id.as_bytes()[..]);
            db.prepare_cached(CUSTOMERS)?
                .query_map(params![tenant.as_str(), after, most(limit)], |row| {
                    let id = CustomerId::from_bytes(row.get(0)?);
                    Ok(CustomerRow { id, slot: KeySlot::from_bytes(row.get(1)?) })
                })?
                .collect()
        })
        .await
    }
}

fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn kind_of(row: &Row<'_>, at: usize) -> rusqlite::Result<RecordKind> {
    let code = row.get(at)?;
    RecordKind::of_code(code).ok_or(rusqlite::Error::IntegralValueOutOfRange(at, code))
}

fn record_row(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        kind: kind_of(row, 0)?,
        id: row.get::<_, Vec<u8>>(1)?.into(),
        revision: row.get(2)?,
        slot: KeySlot::from_bytes(row.get(3)?),
        customer: row.get::<_, Option<[u8; 16]>>(4)?.map(CustomerId::from_bytes),
        until: row.get::<_, Option<u64>>(5)?.map(UnixMillis),
        sealed: Sealed::from_bytes(row.get::<_, Vec<u8>>(6)?),
        purposes: purposes(row.get(7)?),
    })
}

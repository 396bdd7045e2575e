//! What was kept long enough goes; values are put in anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use chatward_message::{ConversationId, CustomerId, Purpose, Purposes, Sealed, TenantId, UnixMillis};
use rusqlite::{Connection, OptionalExtension, Rows, params};

use super::erase::Doomed;
use super::schema::TURNS_OF_CONVERSATION;
use super::writer::{Batch, Fail, time};
use super::{Readers, slot_of};
use crate::StoreError;
use crate::log::leaf;
use crate::queue::Done;
use crate::retention::{Rewrite, Sweep, Swept, Values, classes, purposes, time_as_id};
use crate::rows::{IssuedRow, Receipt};

/// SQL: whether nothing stands on customer `owner` (or on whoever claimed their conversation) that forbids to delete; `?2`
/// is now. 7: [`RecordKind::Claim`](crate::RecordKind::Claim).
macro_rules! free {
    ($owner:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM standings AS s WHERE s.tenant = ?1 AND (s.restricted <> 0 OR s.held_until > ?2)
             AND s.customer IN (SELECT ",
            $owner,
            " UNION ALL SELECT r.customer FROM records AS r WHERE r.tenant = ?1 AND r.kind = 7 AND r.id = ",
            $owner,
            "))"
        )
    };
}

/// SQL: the same of a turn `t`, which has to have ended too.
macro_rules! may_go {
    () => {
        concat!(
            "EXISTS (SELECT 1 FROM closings WHERE turn = t.seq) AND ",
            free!(
                "(SELECT ifnull(v.customer, v.id) FROM conversations AS v WHERE v.tenant = t.tenant AND v.id = t.conversation)"
            )
        )
    };
}

/// Turns of before `?4` (ids from `?3` on are younger) that are kept for one of the purposes `?5`.
const OLD: &str = concat!(
    "SELECT t.seq FROM turns AS t INDEXED BY turns_by_id
     WHERE t.tenant = ?1 AND t.id < ?3 AND t.at < ?4 AND t.purposes & ?5 <> 0 AND ",
    may_go!(),
    " LIMIT ?6"
);
const NARROW: &str = "UPDATE turns SET purposes = purposes & ~?2 WHERE seq = ?1";
/// Turns that are kept for nothing.
const ENDED: &str = concat!(
    "SELECT t.seq, t.conversation FROM turns AS t INDEXED BY turns_ended WHERE t.tenant = ?1 AND t.purposes = 0 AND ",
    may_go!(),
    " LIMIT ?3"
);
const HAS_TURNS: &str = "SELECT EXISTS (SELECT 1 FROM turns WHERE seq IN (";
/// What stands in a conversation whose turns are gone. Somebody known by it alone goes as a whole.
const EMPTY: &[&str] = &[
    "DELETE FROM entries WHERE tenant = ?1 AND conversation = ?2",
    "DELETE FROM issued WHERE tenant = ?1 AND conversation = ?2",
    "DELETE FROM conversations WHERE tenant = ?1 AND id = ?2",
];
/// Values of before `?3`, in order, after `?4` and `?5`: those of first turns and those of later ones, each from its own index on.
const VALUES: &str = concat!(
    "SELECT * FROM (
        SELECT v.id AS conversation, ifnull(v.customer, v.id) AS owner, 0 AS first, v.issued AS sealed, v.classes, v.purposes,
            v.opened AS at
        FROM conversations AS v WHERE v.tenant = ?1 AND v.id > ?4 AND v.issued IS NOT NULL AND v.classes <> 0
        AND v.opened < ?3 AND ",
    free!("ifnull(v.customer, v.id)"),
    " ORDER BY v.id LIMIT ?6
     ) UNION ALL SELECT * FROM (
        SELECT i.conversation, ifnull(v.customer, v.id), i.first, i.sealed, i.classes, i.purposes, i.at
        FROM issued AS i CROSS JOIN conversations AS v ON v.tenant = i.tenant AND v.id = i.conversation
        WHERE i.tenant = ?1 AND (i.conversation, i.first) > (?4, ?5) AND i.classes <> 0 AND i.at < ?3 AND ",
    free!("ifnull(v.customer, v.id)"),
    " ORDER BY i.conversation, i.first LIMIT ?6
     ) ORDER BY 1, 3 LIMIT ?6"
);
/// Values of one conversation, in order.
const VALUES_OF: &str = "
SELECT v.id, ifnull(v.customer, v.id), 0 AS first, v.issued, v.classes, v.purposes, v.opened
FROM conversations AS v WHERE v.tenant = ?1 AND v.id = ?2 AND v.issued IS NOT NULL
UNION ALL SELECT i.conversation, ifnull(v.customer, v.id), i.first, i.sealed, i.classes, i.purposes, i.at
FROM issued AS i CROSS JOIN conversations AS v ON v.tenant = i.tenant AND v.id = i.conversation
WHERE i.tenant = ?1 AND i.conversation = ?2 ORDER BY 3";
/// Turns that have no purpose left once those of `?3` (pairs of a bit and a time, as JSON) ended.
const DUE: &str = concat!(
    "SELECT count(*) FROM turns AS t WHERE t.tenant = ?1 AND t.purposes & ~(
        SELECT ifnull(sum(json_extract(e.value, '$[0]')), 0) FROM json_each(?3) AS e WHERE t.at < json_extract(e.value, '$[1]')
     ) = 0 AND ",
    may_go!()
);

/// All that is asked often; a test looks whether indexes answer it.
#[cfg(test)]
pub(super) const READS: &[&str] = &[VALUES, VALUES_OF];

impl Batch<'_> {
    pub(super) fn sweep(&mut self, sweep: &Sweep) -> Result<Done, Fail> {
        let tenant = sweep.tenant.as_str();
        let (now, most) = (time(sweep.now), sweep.most);
        let mut swept = Swept::default();
        for end in &sweep.ends {
            let bit = 1_u32 << end.of.number();
            let (first_young, before) = (time_as_id(end.before), time(end.before));
            let old: Vec<i64> = (self.db.prepare_cached(OLD)?)
                .query_map(params![tenant, now, first_young, before, bit, most], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let mut narrow = self.db.prepare_cached(NARROW)?;
            for seq in &old {
                narrow.execute(params![seq, bit])?;
            }
            swept.narrowed += old.len() as u64;
            swept.more |= old.len() >= most as usize;
        }
        let ended: Vec<(i64, [u8; 16])> = (self.db.prepare_cached(ENDED)?)
            .query_map(params![tenant, now, most], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        swept.more |= ended.len() >= most as usize;
        swept.turns = ended.len() as u64;
        // Those of earlier batches were put into the index when this batch began.
        for (tag, tenant, conversation) in &self.memory.fresh {
            self.with.tag.execute(params![tenant.as_str(), tag, conversation.as_bytes()])?;
        }
        for (seq, conversation) in &ended {
            swept.rows += self.drop_turn(tenant, *seq, conversation)?;
        }
        for conversation in ended.iter().map(|(_, id)| *id).collect::<BTreeSet<_>>() {
            self.drop_if_empty(&sweep.tenant, conversation, &mut swept)?;
        }
        if swept.rows > 0 {
            let mut event = sweep.event.clone();
            event.facts.rows = u32::try_from(swept.rows).unwrap_or(u32::MAX);
            let index = self.append(&leaf(&event).map_err(Fail::Refused)?)?;
            swept.receipt = Some(Receipt::new(u64::try_from(index).unwrap_or(0)));
        }
        Ok(Done::Swept(swept))
    }

    fn drop_turn(&self, tenant: &str, seq: i64, conversation: &[u8; 16]) -> rusqlite::Result<u64> {
        let tags: Option<Vec<u8>> = (self.db.prepare_cached("SELECT tags FROM closings WHERE turn = ?1")?)
            .query_row([seq], |row| row.get(0))
            .optional()?;
        let mut gone = 0;
        let mut forget = self.db.prepare_cached(
            "DELETE FROM history_tags WHERE tenant = ?1 AND tag = ?2 AND conversation = ?3",
        )?;
        for tag in tags.unwrap_or_default().chunks_exact(16) {
            gone += forget.execute(params![tenant, tag, conversation])?;
        }
        gone += self.db.prepare_cached("DELETE FROM closings WHERE turn = ?1")?.execute([seq])?;
        gone += self.db.prepare_cached("DELETE FROM turns WHERE seq = ?1")?.execute([seq])?;
        let first = "UPDATE conversations SET turn = NULL WHERE tenant = ?1 AND id = ?2 AND turn = ?3";
        self.db.prepare_cached(first)?.execute(params![tenant, conversation, seq])?;
        Ok(gone as u64)
    }

    /// A conversation without turns goes, and with it somebody who is known by it alone.
    fn drop_if_empty(&mut self, tenant: &TenantId, id: [u8; 16], swept: &mut Swept) -> Result<(), Fail> {
        let name = tenant.as_str();
        let which = params![name, id];
        let lives: bool = (self.db.prepare_cached(&format!("{HAS_TURNS}{TURNS_OF_CONVERSATION}))"))?)
            .query_row(which, |row| row.get(0))?;
        if lives {
            return Ok(());
        }
        let alone = "SELECT customer IS NULL AND NOT EXISTS
            (SELECT 1 FROM conversations WHERE tenant = ?1 AND customer = ?2) FROM conversations WHERE tenant = ?1 AND id = ?2";
        let alone: Option<bool> =
            self.db.prepare_cached(alone)?.query_row(which, |row| row.get(0)).optional()?;
        self.memory.known.remove(&ConversationId::from_bytes(id));
        match alone {
            Some(true) => {
                let doomed = Doomed::find(self.db, tenant, CustomerId::from_bytes(id))?;
                swept.rows += self.wipe(tenant, &doomed)?.iter().map(|(_, n)| n).sum::<u64>();
                swept.slots.extend(doomed.slots);
            }
            Some(false) => {
                for delete in EMPTY {
                    swept.rows += self.db.prepare_cached(delete)?.execute(which)? as u64;
                }
            }
            None => {}
        }
        Ok(())
    }

    /// Puts values in the place of those that were read, if they are still the same.
    pub(super) fn rewrite(&mut self, rewrite: &Rewrite, leaves: &[Vec<u8>]) -> Result<Done, Fail> {
        let tenant = rewrite.tenant.as_str();
        let (id, first) = (rewrite.conversation.as_bytes(), rewrite.first);
        let to = rewrite.to.as_ref().map(|row| (row.sealed.as_bytes(), row.classes.bits()));
        let (sealed, of) = (to.map(|(sealed, _)| sealed), to.map(|(_, of)| of));
        let (kept, was) = (rewrite.purposes.map(Purposes::bits), rewrite.was.as_bytes());
        let set = "SET %sealed = ifnull(?5, %sealed), classes = ifnull(?6, classes), purposes = ifnull(?7, purposes)";
        let own = format!(
            "UPDATE issued {} WHERE tenant = ?1 AND conversation = ?2 AND first = ?3 AND sealed = ?4",
            set.replace('%', "")
        );
        let mut changed =
            self.db.prepare_cached(&own)?.execute(params![tenant, id, first, was, sealed, of, kept])?;
        if changed == 0 && first == 0 {
            let set = set.replace("%sealed", "issued");
            let with = format!(
                "UPDATE conversations {set} WHERE tenant = ?1 AND id = ?2 AND ?3 = 0 AND issued = ?4"
            );
            changed =
                self.db.prepare_cached(&with)?.execute(params![tenant, id, first, was, sealed, of, kept])?;
        }
        if changed == 0 {
            return Err(Fail::Refused(StoreError::Overtaken));
        }
        self.written_about(tenant, rewrite.about, leaves)
    }
}

impl Readers {
    pub(crate) async fn turns_due(
        self: &Arc<Self>,
        tenant: &TenantId,
        now: UnixMillis,
        ends: &[(Purpose, UnixMillis)],
    ) -> Result<u64, StoreError> {
        let pairs: Vec<String> =
            ends.iter().map(|(of, before)| format!("[{},{}]", 1_u32 << of.number(), time(*before))).collect();
        let (tenant, ends) = (tenant.clone(), format!("[{}]", pairs.join(",")));
        self.in_turn(move |db| {
            db.prepare_cached(DUE)?.query_row(params![tenant.as_str(), time(now), ends], |row| row.get(0))
        })
        .await
    }

    pub(crate) async fn values_before(
        self: &Arc<Self>,
        tenant: &TenantId,
        (now, before): (UnixMillis, UnixMillis),
        after: Option<(ConversationId, u32)>,
        limit: usize,
    ) -> Result<Vec<Values>, StoreError> {
        let tenant = tenant.clone();
        self.in_turn(move |db| {
            let (id, first) = after.map_or((Vec::new(), 0), |(id, first)| (id.as_bytes().to_vec(), first));
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut ask = db.prepare_cached(VALUES)?;
            let rows = ask.query(params![tenant.as_str(), time(now), time(before), id, first, limit])?;
            values(db, &tenant, rows)
        })
        .await
    }

    pub(crate) async fn values_of(
        self: &Arc<Self>,
        tenant: &TenantId,
        conversation: ConversationId,
    ) -> Result<Vec<Values>, StoreError> {
        let tenant = tenant.clone();
        self.in_turn(move |db| {
            let mut ask = db.prepare_cached(VALUES_OF)?;
            let rows = ask.query(params![tenant.as_str(), conversation.as_bytes()])?;
            values(db, &tenant, rows)
        })
        .await
    }
}

fn values(db: &Connection, tenant: &TenantId, mut rows: Rows<'_>) -> rusqlite::Result<Vec<Values>> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let customer = CustomerId::from_bytes(row.get(1)?);
        let Some(slot) = slot_of(db, tenant, customer)? else { continue };
        let sealed = Sealed::from_bytes(row.get::<_, Vec<u8>>(3)?);
        found.push(Values {
            conversation: ConversationId::from_bytes(row.get(0)?),
            customer,
            slot,
            at: UnixMillis(row.get(6)?),
            purposes: purposes(row.get(5)?),
            row: IssuedRow { first: row.get(2)?, classes: classes(row.get(4)?), sealed },
        });
    }
    Ok(found)
}

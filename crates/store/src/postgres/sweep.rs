//! What was kept long enough goes, and values are put in anew, on a server.

use std::collections::BTreeSet;

use chatward_message::{ConversationId, CustomerId, KeySlot, Purpose, Sealed, TenantId, UnixMillis};
use tokio_postgres::{Error, Row};

use super::erase::ERASED;
use super::read::{Owned, Readers, bytes16};
use super::session::Param;
use super::writer::{Fail, LOG, Tx, time};
use crate::StoreError;
use crate::log::leaf;
use crate::queue::Done;
use crate::retention::{Rewrite, Sweep, Swept, Values, classes, purposes, time_as_id};
use crate::rows::{IssuedRow, Receipt};

/// SQL: whether nothing stands on customer `owner` (or on whoever claimed their conversation) that forbids to delete; `$2`
/// is now. 7: [`RecordKind::Claim`](crate::RecordKind::Claim).
macro_rules! free {
    ($owner:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM standings AS s WHERE s.tenant = $1 AND (s.restricted OR s.held_until > $2)
             AND (s.customer = ",
            $owner,
            " OR s.customer IN (SELECT r.customer FROM records AS r WHERE r.tenant = $1 AND r.kind = 7 AND r.id = ",
            $owner,
            ")))"
        )
    };
}

const OLD: &str = concat!(
    "UPDATE turns SET purposes = purposes & ~$4::bigint WHERE seq IN (
        SELECT t.seq FROM turns AS t JOIN conversations AS v ON v.tenant = t.tenant AND v.id = t.conversation
        WHERE t.tenant = $1 AND t.id < $5 AND t.at < $3 AND t.purposes & $4 <> 0
        AND EXISTS (SELECT 1 FROM closings AS c WHERE c.tenant = $1 AND c.turn = t.seq) AND ",
    free!("coalesce(v.customer, v.id)"),
    " LIMIT $6::bigint)"
);
const ENDED: &str = concat!(
    "SELECT t.seq, t.conversation FROM turns AS t JOIN conversations AS v ON v.tenant = t.tenant AND v.id = t.conversation
     WHERE t.tenant = $1 AND t.purposes = 0
     AND EXISTS (SELECT 1 FROM closings AS c WHERE c.tenant = $1 AND c.turn = t.seq) AND ",
    free!("coalesce(v.customer, v.id)"),
    " LIMIT $3::bigint"
);
/// What belongs to turns `$2`.
const TURNS_GO: [&str; 4] = [
    "DELETE FROM history_tags AS h USING closings AS c, turns AS t, unnest(c.tags) AS said (tag)
     WHERE h.tenant = $1 AND c.tenant = $1 AND t.tenant = $1 AND c.turn = ANY($2) AND t.seq = c.turn
     AND h.tag = said.tag AND h.conversation = t.conversation",
    "DELETE FROM closings WHERE tenant = $1 AND turn = ANY($2)",
    "DELETE FROM turns WHERE tenant = $1 AND seq = ANY($2)",
    "UPDATE conversations SET turn = NULL WHERE tenant = $1 AND turn = ANY($2)",
];
/// Conversations of `$2` that have no turn any more, and whether somebody is known by that one alone.
const EMPTY: &str = "
SELECT v.id, v.customer IS NULL AND NOT EXISTS
    (SELECT 1 FROM conversations AS o WHERE o.tenant = $1 AND o.customer = v.id)
FROM conversations AS v WHERE v.tenant = $1 AND v.id = ANY($2) AND v.turn IS NULL
AND NOT EXISTS (SELECT 1 FROM turns AS t WHERE t.tenant = $1 AND t.conversation = v.id)";
/// What stands in a conversation.
const CONVERSATION_GOES: [&str; 3] = [
    "DELETE FROM entries WHERE tenant = $1 AND conversation = $2",
    "DELETE FROM issued WHERE tenant = $1 AND conversation = $2",
    "DELETE FROM conversations WHERE tenant = $1 AND id = $2",
];
const VALUES: &str = concat!(
    "SELECT w.conversation, w.owner, w.first, w.sealed, w.classes, w.purposes, w.at,
        coalesce((SELECT slot FROM customers WHERE tenant = $1 AND id = w.owner),
            (SELECT slot FROM conversations WHERE tenant = $1 AND id = w.owner AND customer IS NULL)) AS slot
     FROM (
        (SELECT v.id AS conversation, coalesce(v.customer, v.id) AS owner, 0::bigint AS first, v.issued AS sealed, v.classes,
            v.purposes, v.opened AS at
         FROM conversations AS v WHERE v.tenant = $1 AND v.id > $4 AND v.issued IS NOT NULL AND v.classes <> 0
         AND v.opened < $3 AND ",
    free!("coalesce(v.customer, v.id)"),
    " ORDER BY v.id LIMIT $6::bigint)
        UNION ALL
        (SELECT i.conversation, coalesce(v.customer, v.id), i.first, i.sealed, i.classes, i.purposes, i.at
         FROM issued AS i JOIN conversations AS v ON v.tenant = i.tenant AND v.id = i.conversation
         WHERE i.tenant = $1 AND (i.conversation, i.first) > ($4, $5::bigint) AND i.classes <> 0 AND i.at < $3 AND ",
    free!("coalesce(v.customer, v.id)"),
    " ORDER BY i.conversation, i.first LIMIT $6::bigint)
     ) AS w ORDER BY w.conversation, w.first LIMIT $6::bigint"
);
const VALUES_OF: &str = "
SELECT w.conversation, w.owner, w.first, w.sealed, w.classes, w.purposes, w.at,
    coalesce((SELECT slot FROM customers WHERE tenant = $1 AND id = w.owner),
        (SELECT slot FROM conversations WHERE tenant = $1 AND id = w.owner AND customer IS NULL)) AS slot
FROM (
    SELECT v.id AS conversation, coalesce(v.customer, v.id) AS owner, 0::bigint AS first, v.issued AS sealed, v.classes,
        v.purposes, v.opened AS at
    FROM conversations AS v WHERE v.tenant = $1 AND v.id = $2 AND v.issued IS NOT NULL
    UNION ALL
    SELECT i.conversation, coalesce(v.customer, v.id), i.first, i.sealed, i.classes, i.purposes, i.at
    FROM issued AS i JOIN conversations AS v ON v.tenant = i.tenant AND v.id = i.conversation
    WHERE i.tenant = $1 AND i.conversation = $2
) AS w ORDER BY w.first";
const REWRITE: &str = "UPDATE issued SET sealed = coalesce($5, sealed), classes = coalesce($6, classes),
    purposes = coalesce($7, purposes) WHERE tenant = $1 AND conversation = $2 AND first = $3 AND sealed = $4";
const REWRITE_FIRST: &str =
    "UPDATE conversations SET issued = coalesce($5, issued), classes = coalesce($6, classes),
    purposes = coalesce($7, purposes) WHERE tenant = $1 AND id = $2 AND $3::bigint = 0 AND issued = $4";

/// Turns that have no purpose left once those of `$3` ended, each at its time in `$4`.
const DUE: &str = concat!(
    "SELECT count(*) FROM turns AS t JOIN conversations AS v ON v.tenant = t.tenant AND v.id = t.conversation
     WHERE t.tenant = $1 AND t.purposes & ~coalesce((
        SELECT bit_or(e.bit) FROM unnest($3::bigint[], $4::bigint[]) AS e (bit, before) WHERE t.at < e.before
     ), 0) = 0 AND EXISTS (SELECT 1 FROM closings AS c WHERE c.tenant = $1 AND c.turn = t.seq) AND ",
    free!("coalesce(v.customer, v.id)")
);

impl Tx<'_> {
    pub(super) async fn sweep(&mut self, sweep: &Sweep) -> Result<Done, Fail> {
        self.see(&sweep.tenant).await?;
        let name = sweep.tenant.as_str();
        let (now, most) = (time(sweep.now), i64::from(sweep.most));
        let mut swept = Swept::default();
        for end in &sweep.ends {
            let (bit, before) = (1_i64 << end.of.number(), time(end.before));
            let first_young = time_as_id(end.before);
            let with: [Param<'_>; 6] = [&name, &now, &before, &bit, &&first_young[..], &most];
            let narrowed = self.session.run(OLD, &with).await?;
            swept.narrowed += narrowed;
            swept.more |= narrowed >= u64::from(sweep.most);
        }
        let (mut seqs, mut ids) = (Vec::new(), BTreeSet::new());
        for row in self.session.rows(ENDED, &[&name, &now, &most]).await? {
            seqs.push(row.try_get::<_, i64>(0)?);
            ids.insert(bytes16(&row, 1)?);
        }
        swept.more |= seqs.len() as u64 >= u64::from(sweep.most);
        swept.turns = seqs.len() as u64;
        if !seqs.is_empty() {
            let which: [Param<'_>; 2] = [&name, &seqs];
            let gone = self.session.run_each(&TURNS_GO.map(|sql| (sql, &which[..]))).await?;
            swept.rows += gone.iter().take(3).sum::<u64>();
            self.drop_empty(name, &ids, &mut swept).await?;
        }
        if swept.rows > 0 {
            let mut event = sweep.event.clone();
            event.facts.rows = u32::try_from(swept.rows).unwrap_or(u32::MAX);
            let leaf = leaf(&event).map_err(Fail::Refused)?;
            let index = self.next_event();
            let dead: Vec<&[u8]> = swept.slots.iter().map(|slot| &slot.as_bytes()[..]).collect();
            self.session.run_each(&[(LOG, &[&index, &leaf]), (ERASED, &[&dead])]).await?;
            swept.receipt = Some(Receipt::new(u64::try_from(index).unwrap_or(0)));
        }
        Ok(Done::Swept(swept))
    }

    /// Conversations without turns go, and with them whoever is known by one alone.
    async fn drop_empty(
        &mut self,
        name: &str,
        ids: &BTreeSet<[u8; 16]>,
        swept: &mut Swept,
    ) -> Result<(), Fail> {
        let ids: Vec<&[u8]> = ids.iter().map(|id| &id[..]).collect();
        for row in self.session.rows(EMPTY, &[&name, &ids]).await? {
            let id: &[u8] = row.try_get(0)?;
            if row.try_get(1)? {
                let slots = self.slots_in_use(name, id).await?;
                swept.slots.extend(slots.into_iter().map(KeySlot::from_bytes));
                swept.rows += self.wipe(name, id).await?.iter().map(|(_, n)| n).sum::<u64>();
            } else {
                let which: [Param<'_>; 2] = [&name, &id];
                let gone = self.session.run_each(&CONVERSATION_GOES.map(|sql| (sql, &which[..]))).await?;
                swept.rows += gone.iter().sum::<u64>();
            }
        }
        Ok(())
    }

    /// Puts values in the place of those that were read, if they are still the same.
    pub(super) async fn rewrite(&mut self, rewrite: &Rewrite, leaves: &[Vec<u8>]) -> Result<Done, Fail> {
        self.see(&rewrite.tenant).await?;
        let name = rewrite.tenant.as_str();
        let (id, first) = (&rewrite.conversation.as_bytes()[..], i64::from(rewrite.first));
        let sealed = rewrite.to.as_ref().map(|row| row.sealed.as_bytes());
        let of = rewrite.to.as_ref().map(|row| i64::from(row.classes.bits()));
        let (kept, was) = (rewrite.purposes.map(|kept| i64::from(kept.bits())), rewrite.was.as_bytes());
        let with: [Param<'_>; 7] = [&name, &id, &first, &was, &sealed, &of, &kept];
        let mut changed = self.session.run(REWRITE, &with).await?;
        if changed == 0 && first == 0 {
            changed = self.session.run(REWRITE_FIRST, &with).await?;
        }
        if changed == 0 {
            return Err(Fail::Refused(StoreError::Overtaken));
        }
        self.written_about(name, rewrite.about, leaves).await
    }
}

impl Readers {
    pub(crate) async fn turns_due(
        &self,
        tenant: &TenantId,
        now: UnixMillis,
        ends: &[(Purpose, UnixMillis)],
    ) -> Result<u64, StoreError> {
        let (bits, before): (Vec<i64>, Vec<i64>) =
            ends.iter().map(|(of, before)| (1_i64 << of.number(), time(*before))).unzip();
        let with: Vec<Owned> = vec![Box::new(time(now)), Box::new(bits), Box::new(before)];
        let count = |row: &Row| row.try_get::<_, i64>(0).map(|n| u64::try_from(n).ok());
        Ok(self.look(tenant, DUE, with, count).await?.into_iter().sum())
    }

    pub(crate) async fn values_before(
        &self,
        tenant: &TenantId,
        (now, before): (UnixMillis, UnixMillis),
        after: Option<(ConversationId, u32)>,
        limit: usize,
    ) -> Result<Vec<Values>, StoreError> {
        let (id, first) = after.map_or((Vec::new(), 0), |(id, first)| (id.as_bytes().to_vec(), first));
        let with: Vec<Owned> = vec![
            Box::new(time(now)),
            Box::new(time(before)),
            Box::new(id),
            Box::new(i64::from(first)),
            Box::new(i64::try_from(limit).unwrap_or(i64::MAX)),
        ];
        self.look(tenant, VALUES, with, values_row).await
    }

    pub(crate) async fn values_of(
        &self,
        tenant: &TenantId,
        conversation: ConversationId,
    ) -> Result<Vec<Values>, StoreError> {
        let with: Vec<Owned> = vec![Box::new(conversation.as_bytes().to_vec())];
        self.look(tenant, VALUES_OF, with, values_row).await
    }
}

fn values_row(row: &Row) -> Result<Option<Values>, Error> {
    let sealed = Sealed::from_bytes(row.try_get::<_, Vec<u8>>(3)?);
    let first = u32::try_from(row.try_get::<_, i64>(2)?).unwrap_or(u32::MAX);
    Ok(Some(Values {
        conversation: ConversationId::from_bytes(bytes16(row, 0)?),
        customer: CustomerId::from_bytes(bytes16(row, 1)?),
        slot: KeySlot::from_bytes(bytes16(row, 7)?),
        at: UnixMillis(u64::try_from(row.try_get::<_, i64>(6)?).unwrap_or(0)),
        purposes: purposes(row.try_get(5)?),
        row: IssuedRow { first, classes: classes(row.try_get(4)?), sealed },
    }))
}

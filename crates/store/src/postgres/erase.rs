//! An erasure on a server: every row of a customer goes, and with them the conversations that the customer claimed.

use chatward_message::{CustomerId, Event, KeySlot, TenantId};
use tokio_postgres::Error;

use super::read::{Owned, Readers, bytes16};
use super::schema::{CLOSE_OF_CUSTOMER, OF_CUSTOMERS};
use super::session::Param;
use super::writer::{Fail, LOG, Tx, time};
use crate::StoreError;
use crate::log::leaf;
use crate::queue::Done;
use crate::record::RecordKind;
use crate::rows::{Deleted, Receipt};

/// SQL: customer `$2`, and everybody without a name whose conversation (`$3`: [`RecordKind::Claim`]) that customer claimed.
macro_rules! who {
    () => {
        "who (id, n) AS (
            SELECT $2::bytea, 0
            UNION ALL SELECT id, 1 FROM records WHERE tenant = $1 AND customer = $2 AND kind = $3 AND id <> $2
         ) "
    };
}

const WHO: &str = concat!("WITH ", who!(), "SELECT id FROM who ORDER BY n, id");
/// The slots of all of them, their own first, each once.
const SLOTS: &str = concat!(
    "WITH ",
    who!(),
    ", kept (slot, n) AS (
        SELECT c.slot, 2 * n FROM who JOIN customers AS c ON c.tenant = $1 AND c.id = who.id
        UNION ALL SELECT v.slot, 2 * n FROM who JOIN conversations AS v
            ON v.tenant = $1 AND v.id = who.id AND v.customer IS NULL
        UNION ALL SELECT r.slot, 2 * n + 1 FROM who JOIN records AS r ON r.tenant = $1 AND r.customer = who.id
     ) SELECT slot FROM kept GROUP BY slot ORDER BY min(n), slot"
);
const HAS_TRAIL: &str = "SELECT EXISTS (SELECT 1 FROM trail WHERE tenant = $1 AND customer = $2)";
/// Whether a legal reason forbids to delete anything of them at time `$4`.
const HELD: &str = concat!(
    "WITH ",
    who!(),
    "SELECT EXISTS (SELECT 1 FROM who JOIN standings AS s ON s.tenant = $1 AND s.customer = who.id WHERE s.held_until > $4)"
);
pub(super) const ERASED: &str =
    "INSERT INTO erased SELECT sha256(s) FROM unnest($1::bytea[]) AS s ON CONFLICT DO NOTHING";

impl Tx<'_> {
    pub(super) async fn delete(
        &mut self,
        tenant: &TenantId,
        customer: CustomerId,
        event: &Event,
    ) -> Result<Done, Fail> {
        self.see(tenant).await?;
        let (name, id, claim) = (tenant.as_str(), &customer.as_bytes()[..], RecordKind::Claim.code());
        let slots = self.slots_in_use(name, id).await?;
        if slots.is_empty() {
            let trail = self.session.row(HAS_TRAIL, &[&name, &id]).await?;
            if !trail.map_or(Ok(false), |row| row.try_get(0))? {
                return Err(Fail::Refused(StoreError::NoCustomer));
            }
        }
        let held = self.session.row(HELD, &[&name, &id, &claim, &time(event.at)]).await?;
        if held.map_or(Ok(false), |row| row.try_get(0))? {
            return Err(Fail::Refused(StoreError::Held));
        }
        let rows = self.wipe(name, id).await?;
        let mut event = event.clone();
        event.facts.rows = u32::try_from(rows.iter().map(|(_, n)| n).sum::<u64>()).unwrap_or(u32::MAX);
        let leaf = leaf(&event).map_err(Fail::Refused)?;
        let index = self.next_event();
        let dead: Vec<&[u8]> = slots.iter().map(|slot| &slot[..]).collect();
        self.session.run_each(&[(LOG, &[&index, &leaf]), (ERASED, &[&dead])]).await?;
        let receipt = Receipt::new(u64::try_from(index).unwrap_or(0));
        let slots = slots.into_iter().map(KeySlot::from_bytes).collect();
        Ok(Done::Deleted(Deleted { receipt, slots, rows }))
    }

    /// The slots of all keys that are of use to this customer alone.
    pub(super) async fn slots_in_use(&mut self, name: &str, id: &[u8]) -> Result<Vec<[u8; 16]>, Error> {
        let slots = self.session.rows(SLOTS, &[&name, &id, &RecordKind::Claim.code()]).await?;
        slots.iter().map(|row| bytes16(row, 0)).collect()
    }

    /// Deletes all rows of a customer, and of whom they claimed.
    pub(super) async fn wipe(&mut self, name: &str, id: &[u8]) -> Result<Vec<(&'static str, u64)>, Error> {
        let claim = RecordKind::Claim.code();
        let mut rows: Vec<(&'static str, u64)> = OF_CUSTOMERS.iter().map(|(table, _)| (*table, 0)).collect();
        for row in self.session.rows(WHO, &[&name, &id, &claim]).await? {
            let id: &[u8] = row.try_get(0)?;
            let one: [Param<'_>; 2] = [&name, &id];
            self.session.run(CLOSE_OF_CUSTOMER, &one).await?;
            let deletes: Vec<(&'static str, &[Param<'_>])> =
                OF_CUSTOMERS.iter().map(|(_, delete)| (*delete, &one[..])).collect();
            let gone = self.session.run_each(&deletes).await?;
            for ((_, all), gone) in rows.iter_mut().zip(gone) {
                *all += gone;
            }
        }
        Ok(rows)
    }
}

impl Readers {
    pub(crate) async fn slots_of(
        &self,
        tenant: &TenantId,
        id: CustomerId,
    ) -> Result<Vec<KeySlot>, StoreError> {
        let with: Vec<Owned> = vec![Box::new(id.as_bytes().to_vec()), Box::new(RecordKind::Claim.code())];
        let slot = |row: &tokio_postgres::Row| bytes16(row, 0).map(KeySlot::from_bytes).map(Some);
        self.look(tenant, SLOTS, with, slot).await
    }
}

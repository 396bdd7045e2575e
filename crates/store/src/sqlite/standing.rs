//! Where customers stand, in the file.

use std::sync::Arc;

use chatward_message::{CustomerId, Standing, TenantId, TurnId, UnixMillis};
use rusqlite::{Connection, OptionalExtension, params};

use super::Readers;
use super::schema::{CONVERSATIONS_OF_CUSTOMER, TURNS_OF_CONVERSATION, TURNS_OF_CUSTOMER};
use super::writer::{Batch, Fail, time};
use crate::StoreError;
use crate::record::{NewStanding, RecordKind};
use crate::retention::{given, purposes, read_given};

/// The revision of the standing of customer `?2`.
pub(super) const STANDING_REVISION: &str =
    "SELECT revision FROM standings WHERE tenant = ?1 AND customer = ?2";
const STANDING: &str = "SELECT revision, given, refused, restricted, held_until FROM standings
    WHERE tenant = ?1 AND customer = ?2";
const STANDS: &str = "INSERT OR REPLACE INTO standings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
/// Everybody without a name whose conversation customer `?2` claimed (`?3`: [`RecordKind::Claim`]).
const CLAIMED: &str = "SELECT id FROM records WHERE tenant = ?1 AND customer = ?2 AND kind = ?3";

/// All that is asked; a test looks whether indexes answer it.
#[cfg(test)]
pub(super) const READS: &[&str] = &[STANDING_REVISION, STANDING, CLAIMED];

pub(super) fn standing_of(
    db: &Connection,
    tenant: &TenantId,
    customer: CustomerId,
) -> rusqlite::Result<Standing> {
    let which = params![tenant.as_str(), customer.as_bytes()];
    let found = db.prepare_cached(STANDING)?.query_row(which, |row| {
        Ok(Standing {
            revision: row.get(0)?,
            given: read_given(row.get_ref(1)?.as_blob()?),
            refused: purposes(row.get(2)?),
            restricted: row.get(3)?,
            held_until: row.get::<_, Option<u64>>(4)?.map(UnixMillis),
        })
    });
    Ok(found.optional()?.unwrap_or_default())
}

impl Batch<'_> {
    /// Writes where a customer stands, and that what is kept of them is not for what they withdrew any more.
    pub(super) fn stands(&self, tenant: &TenantId, new: &NewStanding) -> Result<(), Fail> {
        let name = tenant.as_str();
        let NewStanding { customer, to, withdrawn } = new;
        let which = params![name, customer.as_bytes()];
        let mut ask = self.db.prepare_cached(STANDING_REVISION)?;
        let found: Option<u64> = ask.query_row(which, |row| row.get(0)).optional()?;
        if to.revision.checked_sub(1) != Some(found.unwrap_or(0)) {
            return Err(Fail::Refused(StoreError::Overtaken));
        }
        self.db.prepare_cached(STANDS)?.execute(params![
            name,
            customer.as_bytes(),
            to.revision,
            given(&to.given),
            to.refused.bits(),
            to.restricted,
            to.held_until.map(time)
        ])?;
        if withdrawn.is_empty() {
            return Ok(());
        }
        let mut who = vec![*customer.as_bytes()];
        let mut ask = self.db.prepare_cached(CLAIMED)?;
        for id in
            ask.query_map(params![name, customer.as_bytes(), RecordKind::Claim.code()], |row| row.get(0))?
        {
            who.push(id?);
        }
        let mut ask = self.db.prepare_cached(CONVERSATIONS_OF_CUSTOMER)?;
        let mut turns = self.db.prepare(&format!(
            "UPDATE turns SET purposes = purposes & ~?3 WHERE seq IN ({TURNS_OF_CONVERSATION}) AND purposes & ?3 <> 0"
        ))?;
        let mut issued = self.db.prepare_cached(
            "UPDATE issued SET purposes = purposes & ~?3 WHERE tenant = ?1 AND conversation = ?2",
        )?;
        let mut first = self.db.prepare_cached(
            "UPDATE conversations SET purposes = purposes & ~?3 WHERE tenant = ?1 AND id = ?2",
        )?;
        for id in who {
            let conversations: Vec<[u8; 16]> =
                ask.query_map(params![name, id], |row| row.get(0))?.collect::<Result<_, _>>()?;
            for id in conversations {
                for statement in [&mut turns, &mut *issued, &mut *first] {
                    statement.execute(params![name, id, withdrawn.bits()])?;
                }
            }
        }
        Ok(())
    }
}

impl Readers {
    pub(crate) async fn first_turn_after(
        self: &Arc<Self>,
        tenant: &TenantId,
        customer: CustomerId,
        index: u64,
    ) -> Result<Option<TurnId>, StoreError> {
        let tenant = tenant.clone();
        self.in_turn(move |db| {
            db.prepare_cached(&format!(
                "SELECT id FROM turns WHERE seq IN ({TURNS_OF_CUSTOMER}) AND log > ?3 ORDER BY log LIMIT 1"
            ))?
            .query_row(params![tenant.as_str(), customer.as_bytes(), index], |row| {
                row.get(0).map(TurnId::from_bytes)
            })
            .optional()
        })
        .await
    }

    pub(crate) async fn standing(
        self: &Arc<Self>,
        tenant: &TenantId,
        customer: CustomerId,
    ) -> Result<Standing, StoreError> {
        let tenant = tenant.clone();
        self.in_turn(move |db| standing_of(db, &tenant, customer)).await
    }
}

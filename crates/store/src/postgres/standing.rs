//! Where customers stand, on a server.

use chatward_message::{CustomerId, Standing, TenantId, TurnId, UnixMillis};
use tokio_postgres::{Error, Row};

use super::read::{Owned, Readers, bytes16};
use super::schema::FIRST_TURN_AFTER;
use super::session::{Param, Session};
use super::writer::{Fail, Tx, time};
use crate::StoreError;
use crate::record::{NewStanding, RecordKind};
use crate::retention::{given, purposes, read_given};

const STANDING: &str = "SELECT revision, given, refused, restricted, held_until FROM standings
    WHERE tenant = $1 AND customer = $2";
/// Only in the place of the revision before: changes nothing if somebody else was quicker.
const STANDS: &str = "INSERT INTO standings AS s VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (tenant, customer) DO UPDATE SET revision = excluded.revision, given = excluded.given,
    refused = excluded.refused, restricted = excluded.restricted, held_until = excluded.held_until
    WHERE s.revision = excluded.revision - 1";
const REVISION: &str = "SELECT revision FROM standings WHERE tenant = $1 AND customer = $2";

/// SQL: the conversations of customer `$2`, and of everybody without a name whom (`$4`: [`RecordKind::Claim`]) they claimed.
macro_rules! theirs {
    ($what:literal) => {
        concat!(
            "WITH who (id) AS (
                SELECT $2::bytea UNION SELECT id FROM records WHERE tenant = $1 AND customer = $2 AND kind = $4
             ), mine (id) AS (
                SELECT v.id FROM who JOIN conversations AS v ON v.tenant = $1 AND v.customer = who.id
                UNION SELECT v.id FROM who JOIN conversations AS v ON v.tenant = $1 AND v.id = who.id AND v.customer IS NULL
             ) ",
            $what
        )
    };
}
const WITHDRAWN: [&str; 3] = [
    theirs!(
        "UPDATE turns AS t SET purposes = t.purposes & ~$3::bigint FROM mine
         WHERE t.tenant = $1 AND t.conversation = mine.id AND t.purposes & $3 <> 0"
    ),
    theirs!(
        "UPDATE issued AS i SET purposes = i.purposes & ~$3::bigint FROM mine
         WHERE i.tenant = $1 AND i.conversation = mine.id"
    ),
    theirs!(
        "UPDATE conversations AS c SET purposes = c.purposes & ~$3::bigint FROM mine
         WHERE c.tenant = $1 AND c.id = mine.id"
    ),
];

fn read(row: &Row) -> Result<Standing, Error> {
    let held: Option<i64> = row.try_get(4)?;
    Ok(Standing {
        revision: u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0),
        given: read_given(row.try_get(1)?),
        refused: purposes(row.try_get(2)?),
        restricted: row.try_get(3)?,
        held_until: held.map(|at| UnixMillis(u64::try_from(at).unwrap_or(0))),
    })
}

pub(super) async fn standing_of(
    session: &mut Session,
    tenant: &TenantId,
    customer: CustomerId,
) -> Result<Standing, Error> {
    let row = session.row(STANDING, &[&tenant.as_str(), &&customer.as_bytes()[..]]).await?;
    row.map_or(Ok(Standing::default()), |row| read(&row))
}

impl Tx<'_> {
    /// Writes where a customer stands, and that what is kept of them is not for what they withdrew any more.
    pub(super) async fn stands(&mut self, tenant: &TenantId, new: &NewStanding) -> Result<(), Fail> {
        let NewStanding { customer, to, withdrawn } = new;
        let (name, id) = (tenant.as_str(), &customer.as_bytes()[..]);
        let revision = i64::try_from(to.revision).map_err(|_| Fail::Refused(StoreError::Overtaken))?;
        let found = self.session.row(REVISION, &[&name, &id]).await?;
        let found = found.map_or(Ok(0), |row| row.try_get::<_, i64>(0))?;
        if found != revision - 1 {
            return Err(Fail::Refused(StoreError::Overtaken));
        }
        let (words, refused) = (given(&to.given), i64::from(to.refused.bits()));
        let held = to.held_until.map(time);
        let row: [Param<'_>; 7] = [&name, &id, &revision, &words, &refused, &to.restricted, &held];
        self.session.run(STANDS, &row).await?;
        if !withdrawn.is_empty() {
            let bits = i64::from(withdrawn.bits());
            let with: [Param<'_>; 4] = [&name, &id, &bits, &RecordKind::Claim.code()];
            self.session.run_each(&WITHDRAWN.map(|sql| (sql, &with[..]))).await?;
        }
        Ok(())
    }
}

impl Readers {
    pub(crate) async fn first_turn_after(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        index: u64,
    ) -> Result<Option<TurnId>, StoreError> {
        let index = i64::try_from(index).map_err(StoreError::inside)?;
        let with: Vec<Owned> = vec![Box::new(customer.as_bytes().to_vec()), Box::new(index)];
        let found = self.look(tenant, FIRST_TURN_AFTER, with, |row| bytes16(row, 0).map(Some)).await?;
        Ok(found.into_iter().next().map(TurnId::from_bytes))
    }

    pub(crate) async fn standing(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
    ) -> Result<Standing, StoreError> {
        let with: Vec<Owned> = vec![Box::new(customer.as_bytes().to_vec())];
        let found = self.look(tenant, STANDING, with, |row| read(row).map(Some)).await?;
        Ok(found.into_iter().next().unwrap_or_default())
    }
}

//! What gateways share of the encrypted channel, in tables that are not in the write-ahead log.

use chatward_message::UnixMillis;
use tokio_postgres::{Error, Row};

use super::read::{Readers, to_its_end};
use super::session::Session;
use crate::{ChannelSeed, ChannelSeen, StoreError};

const DROP_SEEDS: &str = "DELETE FROM channel_seeds WHERE ends <= $1";
const DROP_SEEN: &str = "DELETE FROM channel_seen WHERE ends <= $1";
const OFFER: &str = "INSERT INTO channel_seeds VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
const SEEDS: &str = "SELECT number, sealed, made, ends FROM channel_seeds ORDER BY number";
/// The row counts only beside its seed: a server that lost one after a crash lost the other too.
const NOTE: &str = "WITH key AS (SELECT 1 FROM channel_seeds WHERE number = $3 AND made = $4),
    put AS (INSERT INTO channel_seen SELECT $1, $2 FROM key ON CONFLICT DO NOTHING RETURNING 1)
    SELECT EXISTS (SELECT FROM key), EXISTS (SELECT FROM put)";
const NOTE_ALONE: &str = "INSERT INTO channel_seen VALUES ($1, $2) ON CONFLICT DO NOTHING";

impl Readers {
    pub(crate) async fn channel_seeds(
        &self,
        now: UnixMillis,
        offer: Option<ChannelSeed>,
    ) -> Result<Vec<ChannelSeed>, StoreError> {
        let now = signed(now.0)?;
        let offer = match offer {
            Some(ChannelSeed { number, sealed, made, ends }) => {
                Some((signed(number)?, sealed, signed(made.0)?, signed(ends.0)?))
            }
            None => None,
        };
        let work = async move |session: &mut Session| {
            session.run(DROP_SEEDS, &[&now]).await?;
            session.run(DROP_SEEN, &[&now]).await?;
            if let Some((number, sealed, made, ends)) = &offer {
                session.run(OFFER, &[number, sealed, made, ends]).await?;
            }
            session.rows(SEEDS, &[]).await?.iter().map(seed).collect::<Result<Vec<_>, _>>()
        };
        let this = self.clone();
        to_its_end(async move { this.with(work).await }).await
    }

    pub(crate) async fn channel_seen(
        &self,
        key: Option<(u64, UnixMillis)>,
        tag: [u8; 32],
        ends: UnixMillis,
    ) -> Result<ChannelSeen, StoreError> {
        let ends = signed(ends.0)?;
        let key = match key {
            Some((number, made)) => Some((signed(number)?, signed(made.0)?)),
            None => None,
        };
        let work = async move |session: &mut Session| {
            let (there, put) = match &key {
                None => (true, session.run(NOTE_ALONE, &[&&tag[..], &ends]).await? > 0),
                Some((number, made)) => {
                    let row = session.row(NOTE, &[&&tag[..], &ends, number, made]).await?;
                    row.map_or(Ok((false, false)), |row| Ok((row.try_get(0)?, row.try_get(1)?)))?
                }
            };
            Ok(match (there, put) {
                (false, _) => ChannelSeen::NoKey,
                (true, true) => ChannelSeen::New,
                (true, false) => ChannelSeen::Repeated,
            })
        };
        let this = self.clone();
        to_its_end(async move { this.with(work).await }).await
    }
}

fn seed(row: &Row) -> Result<ChannelSeed, Error> {
    let number = |at| row.try_get::<_, i64>(at).map(|n| u64::try_from(n).unwrap_or(0));
    Ok(ChannelSeed {
        number: number(0)?,
        sealed: row.try_get(1)?,
        made: UnixMillis(number(2)?),
        ends: UnixMillis(number(3)?),
    })
}

fn signed(n: u64) -> Result<i64, StoreError> {
    i64::try_from(n).map_err(StoreError::inside)
}

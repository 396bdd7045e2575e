//! The keyring in a database of its own on a server.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chatward_message::KeySlot;
use tokio_postgres::{Error, Row};

use super::read::{bytes16, to_its_end};
use super::schema::{self, KEYS_SCHEMA, LOCKS};
use super::session::{Pool, Postgres, Session, failed, in_time};
use crate::{KeyringError, KeyringNews, Replaced, StoreError, WrappedKey};

/// Connections at once.
const CONNECTIONS: usize = 8;
/// Whoever changes keyring and seal file together holds this lock alone; whoever puts keys in shares it.
const LOCK_KEYS: i32 = 2;
/// Keys in memory at once.
const PAGE: i64 = 4096;

/// A handle: clones share the connections.
#[derive(Clone)]
pub(crate) struct Keys(Arc<Pool>);

/// The lock, held by a connection of its own.
pub(crate) struct HeldLock(#[expect(dead_code, reason = "held until it is dropped")] Session);

/// Why a transaction did not go through.
enum Fail {
    Keyring(KeyringError),
    Sql(Error),
}

impl From<Error> for Fail {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

impl Keys {
    pub(crate) async fn open(server: Postgres) -> Result<Self, KeyringError> {
        in_time(&server.label(), schema::prepare(&server, &schema::KEYS)).await?;
        let reachable = Arc::new(AtomicBool::new(true));
        Ok(Self(Arc::new(Pool::new(server, KEYS_SCHEMA, CONNECTIONS, reachable))))
    }

    pub(crate) fn server(&self) -> &str {
        self.0.server.server()
    }

    pub(crate) fn is_reachable(&self) -> bool {
        self.0.is_reachable()
    }

    /// Does this on a connection. What is left unfinished by an error goes with the connection.
    async fn ask<T>(
        &self,
        ask: impl AsyncFnOnce(&mut Session) -> Result<T, Fail>,
    ) -> Result<T, KeyringError> {
        let mut taken = self.0.take().await?;
        match ask(&mut taken.session).await {
            Ok(done) => Ok(self.0.give(taken, Ok(done))?),
            Err(Fail::Sql(error)) => Ok(self.0.give(taken, Err(error))?),
            Err(Fail::Keyring(error)) => Err(error),
        }
    }

    pub(crate) async fn lock(&self) -> Result<HeldLock, KeyringError> {
        let label = self.0.server.label();
        let failed = |e: Error| failed(&label, "wait for the keyring", &e);
        let mut session = self.0.server.connect(KEYS_SCHEMA).await?;
        // A renewal of many keys takes its time; whoever waits for it waits longer than for anything else.
        let patient = "SET lock_timeout = '120s'; SET statement_timeout = '120s'";
        session.run_all(patient).await.map_err(failed)?;
        session.run("SELECT pg_advisory_lock($1, $2)", &[&LOCKS, &LOCK_KEYS]).await.map_err(failed)?;
        Ok(HeldLock(session))
    }

    pub(crate) async fn news_since(&self, epoch: u64) -> Result<Option<KeyringNews>, KeyringError> {
        let known = i64::try_from(epoch).map_err(StoreError::inside)?;
        self.ask(async |session| {
            let now = epoch_of(session).await?;
            if now == known || now == 0 {
                return Ok(None);
            }
            let rows = session.rows("SELECT slot FROM destroyed WHERE epoch > $1", &[&known]).await?;
            let destroyed = rows.iter().map(|row| bytes16(row, 0).map(KeySlot::from_bytes));
            let destroyed = destroyed.collect::<Result<_, _>>()?;
            Ok(Some(KeyringNews { epoch: u64::try_from(now).unwrap_or(0), destroyed }))
        })
        .await
    }

    pub(crate) async fn get(&self, slot: KeySlot) -> Result<Option<WrappedKey>, KeyringError> {
        let this = self.clone();
        to_its_end(async move { this.get_now(slot).await }).await
    }

    async fn get_now(&self, slot: KeySlot) -> Result<Option<WrappedKey>, KeyringError> {
        self.ask(async |session| {
            let sql = "SELECT epoch, wrapped FROM keys WHERE slot = $1";
            let row = session.row(sql, &[&&slot.as_bytes()[..]]).await?;
            row.map(|row| wrapped(&row, 0)).transpose().map_err(Fail::Sql)
        })
        .await
    }

    pub(crate) async fn insert(&self, keys: Vec<(KeySlot, WrappedKey)>) -> Result<(), KeyringError> {
        let Some(first) = keys.first() else { return Ok(()) };
        let epoch = number(first.1.epoch)?;
        let slots: Vec<&[u8]> = keys.iter().map(|(slot, _)| &slot.as_bytes()[..]).collect();
        let epochs = keys.iter().map(|(_, key)| number(key.epoch)).collect::<Result<Vec<_>, _>>()?;
        let bytes: Vec<&[u8]> = keys.iter().map(|(_, key)| &*key.bytes).collect();
        self.ask(async |session| {
            session.run_all("BEGIN").await?;
            // No renewal runs while this is held: a key put in beside one would stay wrapped under a dead epoch.
            session.run("SELECT pg_advisory_xact_lock_shared($1, $2)", &[&LOCKS, &LOCK_KEYS]).await?;
            session.run("UPDATE state SET epoch = $1 WHERE epoch = 0", &[&epoch]).await?;
            let now = epoch_of(session).await?;
            if epochs.iter().any(|epoch| *epoch != now) {
                return Err(Fail::Keyring(KeyringError::OldEpoch { now: u64::try_from(now).unwrap_or(0) }));
            }
            let put = "INSERT INTO keys (slot, epoch, wrapped)
                SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) ON CONFLICT DO NOTHING RETURNING slot";
            let rows = session.rows(put, &[&slots, &epochs, &bytes]).await?;
            let put: HashSet<&[u8]> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
            if let Some((slot, _)) = keys.iter().find(|(slot, _)| !put.contains(&slot.as_bytes()[..])) {
                return Err(Fail::Keyring(KeyringError::Taken { slot: *slot }));
            }
            Ok(session.run_all("COMMIT").await?)
        })
        .await
    }

    pub(crate) async fn delete(&self, slots: &[KeySlot]) -> Result<u64, KeyringError> {
        let slots: Vec<&[u8]> = slots.iter().map(|slot| &slot.as_bytes()[..]).collect();
        self.ask(async |session| Ok(session.run("DELETE FROM keys WHERE slot = ANY($1)", &[&slots]).await?))
            .await
    }

    pub(crate) async fn replace_all<F>(
        &self,
        remove: &[KeySlot],
        epoch: u64,
        mut wrap: F,
    ) -> Result<Replaced, KeyringError>
    where
        F: FnMut(KeySlot, WrappedKey) -> Option<WrappedKey> + Send + 'static,
    {
        let remove: Vec<&[u8]> = remove.iter().map(|slot| &slot.as_bytes()[..]).collect();
        let to = number(epoch)?;
        self.ask(async |session| {
            session.begin("BEGIN", "SELECT epoch FROM state FOR UPDATE", &[]).await?;
            let deleted = session.run("DELETE FROM keys WHERE slot = ANY($1)", &[&remove]).await?;
            let told = "INSERT INTO destroyed (slot, epoch) SELECT slot, $2 FROM unnest($1::bytea[]) AS slot
                ON CONFLICT (slot) DO UPDATE SET epoch = excluded.epoch, at = excluded.at";
            session.run(told, &[&remove, &to]).await?;
            // Whoever was away for longer has started anew and remembers nothing.
            session.run("DELETE FROM destroyed WHERE at < now() - interval '7 days'", &[]).await?;
            let mut replaced = 0;
            let mut after: Option<[u8; 16]> = None;
            loop {
                let page = "SELECT slot, epoch, wrapped FROM keys WHERE $1::bytea IS NULL OR slot > $1 ORDER BY slot LIMIT $2";
                let from = after.as_ref().map(|slot| &slot[..]);
                let rows = session.rows(page, &[&from, &PAGE]).await?;
                let Some(last) = rows.last() else { break };
                after = Some(bytes16(last, 0)?);
                let (mut slots, mut epochs, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
                for row in &rows {
                    let slot = KeySlot::from_bytes(bytes16(row, 0)?);
                    let Some(new) = wrap(slot, wrapped(row, 1)?) else {
                        return Err(Fail::Keyring(KeyringError::Refused { slot }));
                    };
                    slots.push(slot.as_bytes().to_vec());
                    epochs.push(number(new.epoch).map_err(Fail::Keyring)?);
                    bytes.push(new.bytes.into_vec());
                    replaced += 1;
                }
                let put = "UPDATE keys AS k SET epoch = u.epoch, wrapped = u.wrapped
                    FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) AS u(slot, epoch, wrapped) WHERE k.slot = u.slot";
                session.run(put, &[&slots, &epochs, &bytes]).await?;
            }
            session.run_each(&[("UPDATE state SET epoch = $1", &[&to]), ("COMMIT", &[])]).await?;
            Ok(Replaced { replaced, deleted })
        })
        .await
    }

    /// Every key, by its slot.
    pub(crate) async fn all(&self) -> Result<Vec<(KeySlot, WrappedKey)>, KeyringError> {
        self.ask(async |session| {
            let rows = session.rows("SELECT slot, epoch, wrapped FROM keys ORDER BY slot", &[]).await?;
            let key = |row: &Row| Ok((KeySlot::from_bytes(bytes16(row, 0)?), wrapped(row, 1)?));
            rows.iter().map(key).collect::<Result<_, Error>>().map_err(Fail::Sql)
        })
        .await
    }

    /// Puts in what is missing of these keys, which are all of one epoch.
    pub(crate) async fn put(&self, keys: &[(KeySlot, WrappedKey)]) -> Result<(), KeyringError> {
        let there: HashSet<KeySlot> = self.all().await?.into_iter().map(|(slot, _)| slot).collect();
        let missing: Vec<_> = keys.iter().filter(|(slot, _)| !there.contains(slot)).cloned().collect();
        for some in missing.chunks(4096) {
            self.insert(some.to_vec()).await?;
        }
        Ok(())
    }

    pub(crate) async fn count(&self) -> Result<u64, KeyringError> {
        self.ask(async |session| {
            let row = session.row("SELECT count(*) FROM keys", &[]).await?;
            let count: i64 = row.map_or(Ok(0), |row| row.try_get(0))?;
            Ok(u64::try_from(count).unwrap_or(0))
        })
        .await
    }

    pub(crate) async fn meta(&self, name: &'static str) -> Result<Option<Vec<u8>>, KeyringError> {
        self.ask(async |session| {
            let row = session.row("SELECT value FROM meta WHERE name = $1", &[&name]).await?;
            row.map(|row| row.try_get(0)).transpose().map_err(Fail::Sql)
        })
        .await
    }

    pub(crate) async fn set_meta(&self, name: &str, value: Vec<u8>) -> Result<(), KeyringError> {
        self.ask(async |session| {
            let set =
                "INSERT INTO meta VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            Ok(session.run(set, &[&name, &value]).await.map(drop)?)
        })
        .await
    }
}

async fn epoch_of(session: &mut Session) -> Result<i64, Error> {
    let row = session.row("SELECT epoch FROM state", &[]).await?;
    row.map_or(Ok(0), |row| row.try_get(0))
}

/// The epoch in this column, and the wrapped key in the next.
fn wrapped(row: &Row, at: usize) -> Result<WrappedKey, Error> {
    let epoch = u64::try_from(row.try_get::<_, i64>(at)?).unwrap_or(0);
    Ok(WrappedKey { epoch, bytes: row.try_get::<_, Vec<u8>>(at + 1)?.into() })
}

fn number(epoch: u64) -> Result<i64, KeyringError> {
    i64::try_from(epoch).map_err(|e| StoreError::inside(e).into())
}

//! The writer on a server.
//!
//! It holds the row `head` from the beginning of a batch to its commit, and so does the writer of every other process: what
//! a job looks at cannot change before it writes, and entries of the log get their numbers in one order for all. Nothing is
//! remembered from one batch to the next, because another process may have changed it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use chatward_message::{Action, Event, Facts, KeySlot, Sealed, Subject, TenantId, TurnId, UnixMillis};
use tokio::runtime::Runtime;
use tokio_postgres::{Error, Row};

use super::read::bytes16;
use super::schema::{LOCK_GATEWAYS, STORE_SCHEMA};
use super::session::{Param, Postgres, Session, failed, in_time, is_constraint, is_lost, note};
use crate::log::leaf;
use crate::queue::{Batched, Done, Job, Writes};
use crate::rows::{CloseTurn, OpenTurn, Receipt, TurnState};
use crate::{Fault, FaultPoint, Faults, StoreError};

const BEGIN: &str = "BEGIN";
const HEAD: &str = "SELECT size, turns FROM head FOR UPDATE";
pub(super) const LOG: &str = "INSERT INTO log_entries (idx, data) VALUES ($1, $2)";
const CLOSING: &str = "INSERT INTO closings (turn, tenant, state, at, log, tags, reply) VALUES ($1, $2, $3, $4, $5, '{}', NULL)";
pub(super) const SET_TENANT: &str = "SELECT set_config('chatward.tenant', $1, true)";

/// What the thread owns.
pub(super) struct Writer {
    /// Of this thread alone: the connection moves only while a batch does.
    pub(super) runtime: Runtime,
    pub(super) link: Link,
    pub(super) faults: Option<Arc<dyn Faults>>,
    pub(super) log_size: u64,
    /// Tenants that stand in their table.
    pub(super) tenants: HashSet<TenantId>,
}

/// A connection that is made anew when it is lost, and holds the lock of this process's number.
pub(super) struct Link {
    server: Postgres,
    reachable: Arc<AtomicBool>,
    gateway: Option<i32>,
    session: Option<Session>,
}

/// The end of the log and of the turns.
#[derive(Clone, Copy)]
struct Head {
    size: i64,
    turns: i64,
}

impl Link {
    /// `gateway`: the number whose lock the connection is to hold.
    pub(super) fn new(server: Postgres, reachable: Arc<AtomicBool>, gateway: Option<i32>) -> Self {
        Self { server, reachable, gateway, session: None }
    }

    pub(super) fn label(&self) -> Arc<str> {
        self.server.label()
    }

    /// The connection; made if there is none.
    pub(super) async fn session(&mut self) -> Result<&mut Session, StoreError> {
        if self.session.as_ref().is_none_or(Session::is_closed) {
            let made = self.connect().await;
            note(&self.reachable, &made);
            self.session = Some(made?);
        }
        self.session.as_mut().ok_or(StoreError::Closed)
    }

    async fn connect(&self) -> Result<Session, StoreError> {
        let mut session = self.server.connect(STORE_SCHEMA).await?;
        if let Some(gateway) = self.gateway {
            let locked = session.run("SELECT pg_advisory_lock($1, $2)", &[&LOCK_GATEWAYS, &gateway]).await;
            locked.map_err(|e| failed(&self.label(), "say that this process is here", &e))?;
        }
        Ok(session)
    }

    /// After an error nobody knows what the connection is in the middle of.
    pub(super) async fn cut(&mut self) {
        if let Some(session) = self.session.take() {
            session.cut().await;
        }
    }

    /// Does this on the connection; after an error it is cut.
    pub(super) async fn noted<T>(&mut self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        note(&self.reachable, &done);
        if done.is_err() {
            self.cut().await;
        }
        done
    }

    /// Begins to write: from here to the commit nobody else does. A connection that was lost since it was last used is made
    /// anew: nothing was asked of it yet.
    async fn begin(&mut self) -> Result<Head, StoreError> {
        let label = self.label();
        for again in [true, false] {
            let known = self.session.is_some();
            match self.session().await?.begin(BEGIN, HEAD, &[]).await.and_then(|rows| head(&rows)) {
                Ok(head) => return Ok(head),
                Err(error) if again && known && is_lost(&error) => self.cut().await,
                Err(error) => return Err(failed(&label, "begin", &error)),
            }
        }
        Err(StoreError::Closed)
    }

    /// Closes turns of processes that are gone, each with an event. Gives how many, and whether turns of others stay open
    /// because their processes are there.
    pub(super) async fn close_lost(&mut self, at: UnixMillis) -> Result<(u64, bool), StoreError> {
        self.close_lost_beside(self.gateway.unwrap_or(-1), at).await
    }

    /// The same on a connection that does not hold the number of this process.
    pub(super) async fn close_lost_beside(
        &mut self,
        mine: i32,
        at: UnixMillis,
    ) -> Result<(u64, bool), StoreError> {
        let label = self.label();
        let failed = |e: Error| failed(&label, "look for interrupted turns", &e);
        let others = "SELECT DISTINCT gateway FROM open_turns WHERE gateway <> $1";
        if self.session().await?.rows(others, &[&mine]).await.map_err(failed)?.is_empty() {
            return Ok((0, false));
        }
        let head = self.begin().await?;
        let session = self.session().await?;
        let mut tx = Tx { session, head, gateway: mine, tenant: None };
        let (closed, left) = tx.close_lost(at).await.map_err(|fail| fail.told(&label))?;
        let done = if closed > 0 { tx.commit().await } else { tx.session.run_all("ROLLBACK").await };
        done.map_err(failed)?;
        Ok((closed, left))
    }
}

fn head(rows: &[Row]) -> Result<Head, Error> {
    match rows.first() {
        Some(row) => Ok(Head { size: row.try_get(0)?, turns: row.try_get(1)? }),
        None => Ok(Head { size: 0, turns: 0 }),
    }
}

impl Writes for Writer {
    fn batch(&mut self, jobs: &[Job]) -> Result<Batched, StoreError> {
        // What a deletion leaves behind, the server cleans up in its own time; it was sealed under a key that is gone.
        if jobs.iter().all(|job| matches!(job, Job::Truncate | Job::Settle)) {
            return Ok((jobs.iter().map(|_| Ok(Done::Truncated(true))).collect(), None));
        }
        let Self { runtime, link, faults, log_size, tenants } = self;
        let label = link.label();
        let done = runtime.block_on(in_time(&label, async {
            let mut work = Work { link, faults: faults.as_deref(), tenants };
            match work.attempt(jobs, false).await {
                Err(Broken::TryCarefully) => match work.attempt(jobs, true).await {
                    Err(Broken::TryCarefully) => Err(StoreError::inside("a batch failed behind savepoints")),
                    Err(Broken::All(error)) => Err(error),
                    Ok(done) => Ok(done),
                },
                Err(Broken::All(error)) => Err(error),
                Ok(done) => Ok(done),
            }
        }));
        let (results, took, size) = runtime.block_on(link.noted(done))?;
        *log_size = u64::try_from(size).unwrap_or(0);
        Ok((results, Some(took)))
    }

    fn log_size(&self) -> u64 {
        self.log_size
    }
}

impl Writer {
    /// At the end: the number is given back before the connection ends, so that whoever comes next finds it free.
    pub(super) fn finish(mut self) {
        let Some(mut session) = self.link.session.take() else { return };
        let freed = self.runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(2), session.run_all("SELECT pg_advisory_unlock_all()"))
                .await
        });
        if !matches!(freed, Ok(Ok(()))) {
            tracing::debug!("the server was not told that this process ends");
        }
    }
}

/// Why a batch did not go through.
enum Broken {
    /// A constraint: run again, each job behind a savepoint.
    TryCarefully,
    /// The server: everybody gets this error.
    All(StoreError),
}

/// Why a job did not go through.
pub(super) enum Fail {
    /// It was refused before it wrote anything.
    Refused(StoreError),
    /// The server refused while it was writing.
    Sql(Error),
}

impl From<Error> for Fail {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

impl Fail {
    fn told(self, server: &Arc<str>) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Sql(error) => failed(server, "write", &error),
        }
    }
}

/// A batch under way.
struct Work<'a> {
    link: &'a mut Link,
    faults: Option<&'a dyn Faults>,
    tenants: &'a mut HashSet<TenantId>,
}

impl Work<'_> {
    async fn attempt(
        &mut self,
        jobs: &[Job],
        careful: bool,
    ) -> Result<(Vec<Result<Done, StoreError>>, Duration, i64), Broken> {
        let label = self.link.label();
        let fatal = |doing: &'static str| {
            let label = Arc::clone(&label);
            move |e: Error| Broken::All(failed(&label, doing, &e))
        };
        let head = self.link.begin().await.map_err(Broken::All)?;
        let gateway = self.link.gateway.unwrap_or(-1);
        let session = self.link.session().await.map_err(Broken::All)?;
        let mut tx = Tx { session, head, gateway, tenant: None };
        for job in jobs {
            if let Some(tenant) = job.adds_to()
                && !self.tenants.contains(tenant)
            {
                let name = tenant.as_str();
                let known = "INSERT INTO tenants VALUES ($1) ON CONFLICT DO NOTHING";
                tx.session.run(known, &[&name]).await.map_err(fatal("note a tenant"))?;
            }
        }
        let mut results = Vec::with_capacity(jobs.len());
        for job in jobs {
            let before = tx.head;
            if careful {
                tx.session.run_all("SAVEPOINT job").await.map_err(fatal("set a savepoint"))?;
            }
            let result = match tx.run(job).await {
                Ok(done) => Ok(done),
                Err(Fail::Refused(error)) => Err(error),
                Err(Fail::Sql(error)) if is_constraint(&error) => {
                    if !careful {
                        tx.session.run_all("ROLLBACK").await.map_err(fatal("go back"))?;
                        return Err(Broken::TryCarefully);
                    }
                    tx.session.run_all("ROLLBACK TO job").await.map_err(fatal("go back to a savepoint"))?;
                    // What the transaction knew of its tenant went back, too.
                    tx.tenant = None;
                    Err(match job {
                        Job::Open { .. } => StoreError::Exists {
                            what: "a turn with this id or placeholders with these numbers",
                        },
                        Job::Close { .. } => StoreError::NotOpen,
                        _ => failed(&label, "write", &error),
                    })
                }
                Err(Fail::Sql(error)) => return Err(fatal("write")(error)),
            };
            if result.is_err() {
                tx.head = before;
            }
            if careful {
                tx.session.run_all("RELEASE job").await.map_err(fatal("release a savepoint"))?;
            }
            results.push(result);
        }
        let injected =
            || Broken::All(StoreError::Io { path: (*label).into(), detail: "injected by a test".into() });
        let fault = self.faults.and_then(|f| f.at(FaultPoint::Commit));
        if fault == Some(Fault::NotPersisted) {
            tx.session.run_all("ROLLBACK").await.map_err(fatal("go back"))?;
            return Err(injected());
        }
        let started = Instant::now();
        let size = tx.head.size;
        tx.commit().await.map_err(fatal("commit"))?;
        let took = started.elapsed();
        if fault.is_some() {
            return Err(injected());
        }
        self.tenants.extend(jobs.iter().filter_map(Job::adds_to).cloned());
        Ok((results, took, size))
    }
}

/// A transaction under way that holds the head.
pub(super) struct Tx<'a> {
    pub(super) session: &'a mut Session,
    head: Head,
    gateway: i32,
    /// Whose rows it sees.
    tenant: Option<TenantId>,
}

impl Tx<'_> {
    async fn commit(&mut self) -> Result<(), Error> {
        let Head { size, turns } = self.head;
        self.session
            .run_each(&[("UPDATE head SET size = $1, turns = $2", &[&size, &turns]), ("COMMIT", &[])])
            .await
            .map(drop)
    }

    pub(super) async fn see(&mut self, tenant: &TenantId) -> Result<(), Error> {
        if self.tenant.as_ref() != Some(tenant) {
            self.session.run(SET_TENANT, &[&tenant.as_str()]).await?;
            self.tenant = Some(tenant.clone());
        }
        Ok(())
    }

    /// The number of the next event.
    pub(super) fn next_event(&mut self) -> i64 {
        let index = self.head.size;
        self.head.size += 1;
        index
    }

    async fn run(&mut self, job: &Job) -> Result<Done, Fail> {
        match job {
            Job::Open { turn, leaf } => self.open_turn(turn, leaf).await,
            Job::Close { turn, leaf } => self.close_turn(turn, leaf).await,
            Job::Append { leaves } => {
                let numbers = self.append(leaves).await?;
                Ok(receipt(numbers.last().copied().unwrap_or(self.head.size)))
            }
            Job::Change { changes, leaves } => self.change(changes, leaves).await,
            Job::Delete { tenant, customer, event } => self.delete(tenant, *customer, event).await,
            Job::DropEnded { tenant, now, most } => self.drop_ended(tenant, *now, *most).await,
            Job::Sweep { sweep } => self.sweep(sweep).await,
            Job::Rewrite { rewrite, leaves } => self.rewrite(rewrite, leaves).await,
            Job::Truncate | Job::Settle => Ok(Done::Truncated(true)),
        }
    }

    /// Gives the numbers of the events.
    pub(super) async fn append(&mut self, leaves: &[Vec<u8>]) -> Result<Vec<i64>, Error> {
        let numbers: Vec<i64> = leaves.iter().map(|_| self.next_event()).collect();
        let all = "INSERT INTO log_entries (idx, data) SELECT * FROM unnest($1::bigint[], $2::bytea[])";
        self.session.run(all, &[&numbers, &leaves]).await?;
        Ok(numbers)
    }

    async fn open_turn(&mut self, turn: &OpenTurn, leaf: &[u8]) -> Result<Done, Fail> {
        self.see(&turn.tenant).await?;
        let tenant = turn.tenant.as_str();
        let (id, customer) = (&turn.conversation.as_bytes()[..], &turn.customer.as_bytes()[..]);
        let slot = &turn.slot.as_bytes()[..];
        let found = self.session.row(LOOK, &[&tenant, &id, &customer, &slot]).await?;
        let known = found.map_or(Ok(Known::default()), |row| Known::of(&row))?;
        if known.standing != turn.standing {
            return Err(Fail::Refused(StoreError::StandingChanged));
        }
        if known.owner.is_some_and(|owner| owner != *turn.customer.as_bytes()) {
            return Err(Fail::Refused(StoreError::NotYours));
        }
        let their_slot = known.slot.map(KeySlot::from_bytes);
        if let Some(slot) = their_slot.filter(|slot| *slot != turn.slot) {
            return Err(Fail::Refused(StoreError::SlotTaken { slot }));
        }
        let made = known.owner.is_none();
        if (made || their_slot.is_none()) && known.erased {
            return Err(Fail::Refused(StoreError::SlotErased));
        }
        let in_conversation = turn.issued.as_ref().filter(|row| made && row.first == 0);
        let later = turn.issued.as_ref().filter(|_| in_conversation.is_none());
        // The first ones of a conversation may stand in its own row, where no constraint sees a second.
        if known.has_first && later.is_some_and(|row| row.first == 0) {
            return Err(Fail::Refused(StoreError::Exists { what: "placeholders with these numbers" }));
        }
        // All checks are passed; only the disk or a constraint can stop it now.
        let index = self.next_event();
        let seq = self.head.turns;
        self.head.turns += 1;
        let at = time(turn.at);
        // Who is known by this conversation alone stands in one row with it.
        let alone = made && id == customer && their_slot.is_none();
        let (named, own_slot) = if alone { (None, Some(slot)) } else { (Some(customer), None) };
        let first = in_conversation.map(|row| row.sealed.as_bytes());
        let turn_id = &turn.turn.as_bytes()[..];
        let subject = turn.event.subject.as_ref().map(|subject| &subject.as_bytes()[..]);
        let (upstream, received, is_later) = (&*turn.upstream, turn.received.as_bytes(), !made);
        let number = later.map_or(0, |row| i64::from(row.first));
        let sealed = later.map_or(&[][..], |row| row.sealed.as_bytes());
        let kept = i64::from(turn.purposes.bits());
        let of = turn.issued.as_ref().map_or(0, |row| i64::from(row.classes.bits()));
        let first_of = if in_conversation.is_some() { of } else { 0 };
        let conversation: [Param<'_>; 9] =
            [&tenant, &id, &named, &own_slot, &at, &seq, &first, &kept, &first_of];
        let new_customer: [Param<'_>; 3] = [&tenant, &customer, &slot];
        let event: [Param<'_>; 2] = [&index, &leaf];
        let row: [Param<'_>; 11] =
            [&seq, &tenant, &turn_id, &id, &subject, &upstream, &at, &index, &received, &is_later, &kept];
        let open: [Param<'_>; 2] = [&seq, &self.gateway];
        let issued: [Param<'_>; 7] = [&tenant, &id, &number, &sealed, &kept, &of, &at];
        let mut work: Vec<(&'static str, &[Param<'_>])> = Vec::with_capacity(6);
        if made {
            work.push((
                "INSERT INTO conversations VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                &conversation,
            ));
        }
        if !alone && their_slot.is_none() {
            work.push(("INSERT INTO customers VALUES ($1, $2, $3)", &new_customer));
        }
        work.push((LOG, &event));
        work.push(("INSERT INTO turns VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)", &row));
        work.push(("INSERT INTO open_turns VALUES ($1, $2)", &open));
        if later.is_some() {
            work.push(("INSERT INTO issued VALUES ($1, $2, $3, $4, $5, $6, $7)", &issued));
        }
        self.session.run_each(&work).await?;
        Ok(receipt(index))
    }

    async fn close_turn(&mut self, turn: &CloseTurn, leaf: &[u8]) -> Result<Done, Fail> {
        self.see(&turn.tenant).await?;
        let index = self.head.size;
        let tags: Vec<&[u8]> = turn.history_tags.iter().map(|tag| &tag[..]).collect();
        let reply = turn.reply.as_ref().map(Sealed::as_bytes);
        let closed = self
            .session
            .row(
                CLOSE,
                &[
                    &turn.tenant.as_str(),
                    &&turn.turn.as_bytes()[..],
                    &turn.state.code(),
                    &time(turn.at),
                    &index,
                    &tags,
                    &reply,
                    &leaf,
                ],
            )
            .await?;
        if closed.is_none() {
            return Err(Fail::Refused(StoreError::NotOpen));
        }
        self.head.size += 1;
        Ok(receipt(index))
    }

    async fn close_lost(&mut self, at: UnixMillis) -> Result<(u64, bool), Fail> {
        let others = "SELECT DISTINCT gateway FROM open_turns WHERE gateway <> $1";
        let (mut gone, mut left) = (Vec::new(), false);
        for row in self.session.rows(others, &[&self.gateway]).await? {
            let gateway: i32 = row.try_get(0)?;
            // A process that is there holds its number.
            let free = "SELECT pg_try_advisory_xact_lock($1, $2)";
            let free = self.session.row(free, &[&LOCK_GATEWAYS, &gateway]).await?;
            if free.map_or(Ok(false), |row| row.try_get(0))? {
                gone.push(gateway);
            } else {
                left = true;
            }
        }
        let open = "SELECT seq FROM open_turns WHERE gateway = ANY($1) ORDER BY seq";
        let seqs = self.session.rows(open, &[&gone]).await?;
        let seqs: Vec<i64> = seqs.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        if seqs.is_empty() {
            return Ok((0, left));
        }
        let mut closed = 0;
        for row in self.session.rows("SELECT name FROM tenants ORDER BY name", &[]).await? {
            let name: String = row.try_get(0)?;
            let Ok(tenant) = name.parse::<TenantId>() else { continue };
            self.see(&tenant).await?;
            let theirs = "SELECT seq, id, subject, upstream FROM turns WHERE tenant = $1 AND seq = ANY($2) ORDER BY seq";
            for row in self.session.rows(theirs, &[&name, &seqs]).await? {
                let seq: i64 = row.try_get(0)?;
                let subject: Option<&[u8]> = row.try_get(2)?;
                let upstream: &str = row.try_get(3)?;
                let event = Event {
                    at,
                    tenant: tenant.clone(),
                    action: Action::TurnInterrupted,
                    turn: Some(TurnId::from_bytes(bytes16(&row, 1)?)),
                    subject: subject.and_then(|s| s.try_into().ok()).map(Subject::from_bytes),
                    facts: Facts { upstream: Some(upstream.into()), ..Facts::default() },
                };
                let leaf = leaf(&event).map_err(Fail::Refused)?;
                let index = self.next_event();
                let (state, at) = (TurnState::Interrupted.code(), time(at));
                self.session
                    .run_each(&[(LOG, &[&index, &leaf]), (CLOSING, &[&seq, &name, &state, &at, &index])])
                    .await?;
                closed += 1;
            }
        }
        self.session.run("DELETE FROM open_turns WHERE seq = ANY($1)", &[&seqs]).await?;
        Ok((closed, left))
    }
}

/// Everything that decides whether a turn may be opened, in one question.
const LOOK: &str = "
SELECT (SELECT coalesce(customer, id) FROM conversations WHERE tenant = $1 AND id = $2),
       coalesce((SELECT issued IS NOT NULL FROM conversations WHERE tenant = $1 AND id = $2), false),
       coalesce((SELECT slot FROM customers WHERE tenant = $1 AND id = $3),
                (SELECT slot FROM conversations WHERE tenant = $1 AND id = $3 AND customer IS NULL)),
       EXISTS (SELECT 1 FROM erased WHERE slot = sha256($4)),
       coalesce((SELECT revision FROM standings WHERE tenant = $1 AND customer = $3), 0)";

/// What [`LOOK`] says.
#[derive(Default)]
struct Known {
    owner: Option<[u8; 16]>,
    has_first: bool,
    slot: Option<[u8; 16]>,
    erased: bool,
    standing: u64,
}

impl Known {
    fn of(row: &Row) -> Result<Self, Error> {
        let id = |at| row.try_get::<_, Option<&[u8]>>(at).map(|id| id.and_then(|id| id.try_into().ok()));
        let standing = u64::try_from(row.try_get::<_, i64>(4)?).unwrap_or(0);
        Ok(Self {
            owner: id(0)?,
            has_first: row.try_get(1)?,
            slot: id(2)?,
            erased: row.try_get(3)?,
            standing,
        })
    }
}

/// Everything that closing a turn is, if it is open.
const CLOSE: &str = "
WITH found AS (
    SELECT t.seq, t.conversation FROM turns AS t JOIN open_turns AS o ON o.seq = t.seq WHERE t.tenant = $1 AND t.id = $2
), no_longer AS (
    DELETE FROM open_turns WHERE seq IN (SELECT seq FROM found)
), closing AS (
    INSERT INTO closings (turn, tenant, state, at, log, tags, reply)
    SELECT seq, $1::text, $3::bigint, $4::bigint, $5::bigint, $6::bytea[], $7::bytea FROM found
), tags AS (
    INSERT INTO history_tags (tenant, tag, conversation)
    SELECT DISTINCT $1::text, said.tag, conversation FROM found, unnest($6::bytea[]) AS said (tag) ON CONFLICT DO NOTHING
), event AS (
    INSERT INTO log_entries (idx, data) SELECT $5::bigint, $8::bytea FROM found
)
SELECT seq FROM found";

fn receipt(index: i64) -> Done {
    Done::Receipt(Receipt::new(u64::try_from(index).unwrap_or(0)))
}

pub(super) fn time(at: UnixMillis) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

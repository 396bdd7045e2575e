//! Connections to a server: where it is, how it is reached, what its errors mean.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Error, NoTls, Row, Socket, Statement};

use crate::StoreError;

/// How long the server may take to be reached, and to say that it is still there.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The longest that anything asked of the server may take.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The oldest server that has all we use.
const OLDEST_SERVER: i32 = 150_000;

/// A parameter of a statement.
pub(super) type Param<'a> = &'a (dyn ToSql + Sync);

/// A statement under way, which gives how many rows it changed.
type Changing<'a> = Pin<Box<dyn Future<Output = Result<u64, Error>> + Send + 'a>>;

/// A stream of bytes to the server.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// An [`Encrypt::encrypt`] under way.
pub type Encrypting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Wire>>> + Send>>;

/// Encrypts the way to a server and verifies who is at its end. The gateway implements it; no TLS comes into this room.
pub trait Encrypt: Send + Sync {
    /// Shakes hands with the server of this name.
    fn encrypt(&self, host: &str, plain: Box<dyn Wire>) -> Encrypting;
}

/// Where a database is and who we are there. Holds passwords: it is never shown.
#[derive(Clone)]
pub struct Postgres {
    serving: Config,
    owner: Option<Config>,
    tls: Option<Arc<dyn Encrypt>>,
    server: Arc<str>,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { server, serving: _, owner: _, tls: _ } = self;
        write!(f, "Postgres({server})")
    }
}

impl Postgres {
    /// The database of a URL (`postgres://user:password@host:port/database`) and the role that serves.
    ///
    /// # Errors
    /// [`StoreError::BadAddress`]; the text does not repeat the URL.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        let serving = parsed(url)?;
        let server = named(&serving).into();
        Ok(Self { serving, owner: None, tls: None, server })
    }

    /// The role that owns the tables and brings them up to date, in the same database. It serves nothing.
    ///
    /// # Errors
    /// As [`Postgres::new`], or it is another database, or the same role.
    pub fn with_owner(mut self, url: &str) -> Result<Self, StoreError> {
        let owner = parsed(url)?;
        let bad = |detail: &str| Err(StoreError::BadAddress { detail: detail.into() });
        if owner.get_dbname() != self.serving.get_dbname() {
            return bad("the owner's URL names another database than the URL that serves");
        }
        if owner.get_user() == self.serving.get_user() {
            return bad("the owner of the tables and the role that serves must be two roles");
        }
        self.owner = Some(owner);
        Ok(self)
    }

    /// How the way to a server on another machine is encrypted. Without it only this machine's can be used.
    pub fn with_tls(mut self, tls: Arc<dyn Encrypt>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The server and database, without user and password.
    pub fn server(&self) -> &str {
        &self.server
    }

    pub(crate) fn label(&self) -> Arc<str> {
        Arc::clone(&self.server)
    }

    pub(super) fn has_owner(&self) -> bool {
        self.owner.is_some()
    }

    /// Who serves.
    pub(super) fn role(&self) -> &str {
        self.serving.get_user().unwrap_or_default()
    }

    /// A connection of the role that serves.
    pub(super) async fn connect(&self, schema: &'static str) -> Result<Session, StoreError> {
        self.connect_as(&self.serving, schema).await
    }

    /// A connection of the owner, if one is named.
    pub(super) async fn connect_owner(&self, schema: &'static str) -> Result<Option<Session>, StoreError> {
        match &self.owner {
            Some(owner) => self.connect_as(owner, schema).await.map(Some),
            None => Ok(None),
        }
    }

    async fn connect_as(&self, config: &Config, schema: &'static str) -> Result<Session, StoreError> {
        let failed = |e: Error| failed(&self.server, "connect", &e);
        let connecting = async {
            let here = config.get_hosts().iter().all(is_this_machine)
                && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback);
            if here {
                let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
                return Ok(Session::of(client, tokio::spawn(ended(connection))));
            }
            let Some(tls) = self.tls.clone() else {
                return Err(StoreError::BadAddress {
                    detail: "the server is on another machine, and there is no TLS to reach it".into(),
                });
            };
            let mut config = config.clone();
            config.ssl_mode(SslMode::Require);
            let (client, connection) = config.connect(Encryption(tls)).await.map_err(failed)?;
            Ok(Session::of(client, tokio::spawn(ended(connection))))
        };
        let mut session = in_time(&self.server, connecting).await?;
        let version = session.client.query_one("SHOW server_version_num", &[]).await.map_err(failed)?;
        let version =
            version.try_get::<_, &str>(0).ok().and_then(|text| text.parse::<i32>().ok()).unwrap_or(0);
        if version < OLDEST_SERVER {
            return Err(StoreError::OldServer { server: self.label(), found: version / 10_000 });
        }
        session.run_all(&settings(schema)).await.map_err(failed)?;
        Ok(session)
    }
}

/// A commit is on the disk before it is answered, whatever the server's default is. Nobody waits for ever, and a process that
/// hangs does not keep the others from writing.
fn settings(schema: &str) -> String {
    format!(
        "SET synchronous_commit = on; SET search_path = {schema}; SET client_min_messages = warning;
         SET lock_timeout = '15s'; SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '30s'"
    )
}

fn parsed(url: &str) -> Result<Config, StoreError> {
    let bad = |detail: &str| StoreError::BadAddress { detail: detail.into() };
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(bad("it must begin with postgres://"));
    }
    // What the parser says may repeat parts of the URL.
    let mut config = url.parse::<Config>().map_err(|_| bad("it is not a URL of a database"))?;
    if config.get_hosts().is_empty() {
        return Err(bad("it names no host"));
    }
    if config.get_dbname().is_none() || config.get_user().is_none() {
        return Err(bad("it names no database or no user"));
    }
    config
        .application_name("chatward")
        .connect_timeout(CONNECT_WITHIN)
        .keepalives_idle(Duration::from_secs(15))
        .tcp_user_timeout(Duration::from_secs(15));
    Ok(config)
}

/// `postgres://host:port/database`.
fn named(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        Some(Host::Unix(path)) => path.display().to_string(),
        None => String::new(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    format!("postgres://{host}:{port}/{}", config.get_dbname().unwrap_or_default())
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
    }
}

/// Gives up when the server does not answer.
pub(super) async fn in_time<T>(
    server: &Arc<str>,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(ANSWER_WITHIN, work).await {
        Ok(done) => done,
        Err(_) => Err(StoreError::Away { server: Arc::clone(server), detail: "it does not answer".into() }),
    }
}

/// What ended a connection is told to whoever asks next.
async fn ended(connection: impl Future<Output = Result<(), Error>>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to the database ended");
    }
}

/// One connection, with its prepared statements.
pub(super) struct Session {
    client: Client,
    connection: JoinHandle<()>,
    statements: HashMap<&'static str, Statement>,
}

impl Session {
    fn of(client: Client, connection: JoinHandle<()>) -> Self {
        Self { client, connection, statements: HashMap::new() }
    }

    /// Breaks the connection off: the server forgets what was under way.
    pub(super) async fn cut(self) {
        let Self { client, connection, statements } = self;
        drop((client, statements));
        connection.abort();
        let _ended = connection.await;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// The statement, prepared once a connection.
    pub(super) async fn statement(&mut self, sql: &'static str) -> Result<Statement, Error> {
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        let made = self.client.prepare(sql).await?;
        self.statements.insert(sql, made.clone());
        Ok(made)
    }

    /// Statements without parameters, separated by semicolons.
    pub(super) async fn run_all(&mut self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql).await
    }

    pub(super) async fn rows(&mut self, sql: &'static str, with: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        let statement = self.statement(sql).await?;
        self.client.query(&statement, with).await
    }

    pub(super) async fn row(&mut self, sql: &'static str, with: &[Param<'_>]) -> Result<Option<Row>, Error> {
        let statement = self.statement(sql).await?;
        self.client.query_opt(&statement, with).await
    }

    /// How many rows it changed.
    pub(super) async fn run(&mut self, sql: &'static str, with: &[Param<'_>]) -> Result<u64, Error> {
        let statement = self.statement(sql).await?;
        self.client.execute(&statement, with).await
    }

    /// The one number that a question gives. Asked rarely: it is not prepared.
    pub(super) async fn count(&mut self, sql: &str) -> Result<i64, Error> {
        self.client.query_one(sql, &[]).await?.try_get(0)
    }

    /// Begins a transaction and runs its first question in the same round trip.
    pub(super) async fn begin(
        &mut self,
        how: &'static str,
        sql: &'static str,
        with: &[Param<'_>],
    ) -> Result<Vec<Row>, Error> {
        let statement = self.statement(sql).await?;
        let (begun, rows) = tokio::join!(self.client.batch_execute(how), self.client.query(&statement, with));
        begun?;
        rows
    }

    /// Sends all statements at once, in this order, and waits for all answers: the rows each changed. The error is that of
    /// the first that failed; the transaction does nothing after it.
    pub(super) async fn run_each(
        &mut self,
        work: &[(&'static str, &[Param<'_>])],
    ) -> Result<Vec<u64>, Error> {
        let mut prepared = Vec::with_capacity(work.len());
        for (sql, with) in work {
            prepared.push((self.statement(sql).await?, *with));
        }
        let client = &self.client;
        let mut under_way: Vec<Changing<'_>> = Vec::new();
        for (statement, with) in &prepared {
            under_way.push(Box::pin(client.execute(statement, with)));
        }
        let mut done: Vec<Option<Result<u64, Error>>> = under_way.iter().map(|_| None).collect();
        // Each is sent when it is first asked for, so that asking in order sends in order.
        poll_fn(|cx| {
            let mut waiting = false;
            for (future, done) in under_way.iter_mut().zip(&mut done) {
                if done.is_none() {
                    match future.as_mut().poll(cx) {
                        Poll::Ready(result) => *done = Some(result),
                        Poll::Pending => waiting = true,
                    }
                }
            }
            if waiting { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        done.into_iter().flatten().collect()
    }
}

/// A few connections, each used by one question at a time.
pub(super) struct Pool {
    pub(super) server: Postgres,
    schema: &'static str,
    idle: Mutex<Vec<Session>>,
    turns: Semaphore,
    reachable: Arc<AtomicBool>,
}

/// A connection taken out of the pool. Dropped without being given back, it is closed: nobody gets one that stopped in the
/// middle of something.
pub(super) struct Taken<'a> {
    pub(super) session: Session,
    _turn: SemaphorePermit<'a>,
}

impl Pool {
    pub(super) fn new(
        server: Postgres,
        schema: &'static str,
        most: usize,
        reachable: Arc<AtomicBool>,
    ) -> Self {
        Self { server, schema, idle: Mutex::default(), turns: Semaphore::new(most.max(1)), reachable }
    }

    pub(super) async fn take(&self) -> Result<Taken<'_>, StoreError> {
        let turn = self.turns.acquire().await.map_err(|_| StoreError::Closed)?;
        let kept = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            std::iter::from_fn(|| idle.pop()).find(|session| !session.is_closed())
        };
        let session = match kept {
            Some(session) => session,
            None => self.noted(self.server.connect(self.schema).await)?,
        };
        Ok(Taken { session, _turn: turn })
    }

    /// Gives a connection back after it was used for this.
    pub(super) fn give<T>(&self, taken: Taken<'_>, done: Result<T, Error>) -> Result<T, StoreError> {
        let done = self.noted(done.map_err(|e| failed(&self.server.server, "ask", &e)))?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(taken.session);
        Ok(done)
    }

    fn noted<T>(&self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        note(&self.reachable, &done);
        done
    }

    pub(super) fn is_reachable(&self) -> bool {
        self.reachable.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self) {
        self.turns.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Remembers whether the server was there.
pub(super) fn note<T>(reachable: &AtomicBool, done: &Result<T, StoreError>) {
    match done {
        Ok(_) => reachable.store(true, Ordering::Relaxed),
        Err(StoreError::Away { .. }) => reachable.store(false, Ordering::Relaxed),
        Err(_) => {}
    }
}

/// Whether a constraint refused a row.
pub(super) fn is_constraint(error: &Error) -> bool {
    error.code().is_some_and(|code| code.code().starts_with("23"))
}

/// Whether the connection is gone, or going.
pub(super) fn is_lost(error: &Error) -> bool {
    match error.code() {
        None => true,
        Some(code) => {
            code.code().starts_with("08")
                || [
                    SqlState::ADMIN_SHUTDOWN,
                    SqlState::CRASH_SHUTDOWN,
                    SqlState::CANNOT_CONNECT_NOW,
                    SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                ]
                .contains(code)
        }
    }
}

/// What an error means for us. Only the server's own sentence is repeated: its details can hold values.
pub(super) fn failed(server: &Arc<str>, doing: &str, error: &Error) -> StoreError {
    let server = Arc::clone(server);
    let said = match error.as_db_error() {
        Some(said) => format!("{doing}: {} ({})", said.message(), said.code().code()),
        None => format!("{doing}: {error}"),
    };
    let detail = Arc::from(said);
    let Some(code) = error.code() else {
        return StoreError::Away { server, detail };
    };
    if is_lost(error)
        || [
            SqlState::TOO_MANY_CONNECTIONS,
            // The database takes no connections: somebody works on it.
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::QUERY_CANCELED,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::T_R_SERIALIZATION_FAILURE,
        ]
        .contains(code)
    {
        return StoreError::Away { server, detail };
    }
    match code.code() {
        "53100" => StoreError::DiskFull { path: PathBuf::from(&*server) },
        "25006" | "42501" | "3D000" => StoreError::NoAccess { server, detail },
        other if other.starts_with("28") => StoreError::NoAccess { server, detail },
        other if other.starts_with("XX") => StoreError::Damaged { path: PathBuf::from(&*server), detail },
        _ => StoreError::Inside { detail },
    }
}

/// [`Encrypt`] in the shape the client wants.
struct Encryption(Arc<dyn Encrypt>);

struct Handshake {
    tls: Arc<dyn Encrypt>,
    host: String,
}

impl MakeTlsConnect<Socket> for Encryption {
    type Stream = Channel;
    type TlsConnect = Handshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, domain: &str) -> io::Result<Handshake> {
        Ok(Handshake { tls: Arc::clone(&self.0), host: domain.to_owned() })
    }
}

impl TlsConnect<Socket> for Handshake {
    type Stream = Channel;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Channel>> + Send>>;

    fn connect(self, stream: Socket) -> Self::Future {
        let encrypting = self.tls.encrypt(&self.host, Box::new(stream));
        Box::pin(async { encrypting.await.map(Channel) })
    }
}

struct Channel(Box<dyn Wire>);

impl AsyncRead for Channel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, to)
    }
}

impl AsyncWrite for Channel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl TlsStream for Channel {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_never_shown() {
        let good = Postgres::new("postgres://anna:hunter2@db.example:6000/house").unwrap();
        assert_eq!(good.server(), "postgres://db.example:6000/house");
        assert_eq!(format!("{good:?}"), "Postgres(postgres://db.example:6000/house)");
        for bad in [
            "mysql://a:hunter2@h/d",
            "postgres://",
            "postgres://hunter2@h",
            "postgres://h/d",
            "postgres://a:hunter2@h:port/d",
            "host=hunter2",
        ] {
            let error = Postgres::new(bad).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        let same = good.clone().with_owner("postgres://anna:x@db.example:6000/house");
        assert!(matches!(same, Err(StoreError::BadAddress { .. })));
        let other = good.clone().with_owner("postgres://owner:x@db.example:6000/other");
        assert!(matches!(other, Err(StoreError::BadAddress { .. })));
        good.with_owner("postgres://owner:x@db.example:6000/house").unwrap();
    }

    #[test]
    fn only_this_machine_is_reached_without_encryption() {
        for (url, here) in [
            ("postgres://a@localhost/d", true),
            ("postgres://a@127.0.0.1/d", true),
            ("postgres://a@127.8.0.1/d", true),
            ("postgres://a@%2Frun%2Fpostgresql/d", true),
            ("postgres://a@[::1]/d", true),
            ("postgres://a@db/d", false),
            ("postgres://a@10.0.0.1/d", false),
            ("postgres://a@localhost.example/d", false),
        ] {
            assert_eq!(parsed(url).unwrap().get_hosts().iter().all(is_this_machine), here, "{url}");
        }
    }

    #[tokio::test]
    async fn another_machine_is_not_reached_without_tls() {
        let there = Postgres::new("postgres://a:b@192.0.2.1/d").unwrap();
        let refused = there.connect("chatward").await.err();
        assert!(matches!(refused, Some(StoreError::BadAddress { .. })), "{refused:?}");
    }
}

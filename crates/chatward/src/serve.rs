//! Serving: from a configuration to listeners, and back to a clean stop.
//!
//! First start makes what is missing (data folder, keys folder, operator key, admin token) and says what it did. Then two
//! listeners: the public one for customers and bots' developers, the private one for the operator.

pub(crate) mod backup;
mod feedback;
mod intel;
pub(crate) mod keeper;
pub(crate) mod older;
mod own;
mod page;
mod private;
mod public;
mod rights;
mod start;
mod table;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use futures_util::FutureExt as _;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_service::Service as _;

use crate::channel::Channel;
use crate::cli::{ServeArgs, exit};
use crate::tls;

#[cfg(test)]
pub(crate) use start::force;
pub(crate) use start::server_of;
pub use start::{House, Outside};

/// How long a stop waits for turns under way.
const GRACE: Duration = Duration::from_secs(20);

/// Where a request comes from; put into the extensions of every request that goes through the public router.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Runs the gateway until it is told to stop.
pub fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    // On one core a thread that shares its work with nobody has less to do.
    let mut runtime = match start::workers() {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime
        .enable_all()
        .worker_threads(start::workers())
        .thread_name("chatward")
        .build()
        .context("the runtime does not start")?;
    let code = runtime.block_on(serve(args));
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

async fn serve(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let house = start::open(args, &Outside::default()).await?;
    let (public, private) = bind(&house).await?;
    house.announce(public.local_addr()?, private.local_addr()?);
    serve_on(house, public, private, start::stop_signal()?).await?;
    Ok(ExitCode::from(exit::OK))
}

async fn bind(house: &House) -> anyhow::Result<(TcpListener, TcpListener)> {
    let public = TcpListener::bind(house.listen)
        .await
        .with_context(|| format!("cannot listen on {}", house.listen))?;
    let private = TcpListener::bind(house.private)
        .await
        .with_context(|| format!("cannot listen on {}", house.private))?;
    Ok((public, private))
}

/// A house that serves inside of this process, for tests that need its clock or its rooms: everything else is as in the
/// program, its listeners' sockets too.
#[doc(hidden)]
pub struct Inside {
    /// The address of the public listener.
    pub public: SocketAddr,
    /// The address of the private listener.
    pub private: SocketAddr,
    /// The rooms.
    pub gate: Arc<crate::turn::Gate>,
    /// Accounts and sessions.
    pub directory: crate::directory::Directory,
    stop: tokio::sync::watch::Sender<bool>,
    served: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Inside {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// As the program would fail to start.
    pub async fn start(args: &ServeArgs, outside: &Outside) -> anyhow::Result<Self> {
        let house = start::open(args, outside).await?;
        let (public, private) = bind(&house).await?;
        let (stop, stopped) = start::Stop::new();
        let (at, private_at) = (public.local_addr()?, private.local_addr()?);
        let (gate, directory) = (Arc::clone(&house.gate), house.directory.clone());
        let served = tokio::spawn(serve_on(house, public, private, stopped));
        Ok(Self { public: at, private: private_at, gate, directory, stop, served })
    }

    /// Stops it, and waits until it has.
    ///
    /// # Errors
    ///
    /// If it failed.
    pub async fn stop(self) -> anyhow::Result<()> {
        let _ = self.stop.send(true);
        self.served.await?
    }
}

/// Serves on these listeners until the stop.
async fn serve_on(
    house: House,
    public: TcpListener,
    private: TcpListener,
    stop: start::Stop,
) -> anyhow::Result<()> {
    let (at, private_at) = (public.local_addr()?, private.local_addr()?);
    house.keeper.listening(private_at);
    let limits = Limits::of(&house);
    let channel = Channel::open(&house.gate, house.tls.is_some()).await.context("the encrypted channel")?;
    let turned = house.turns(Arc::clone(&channel), stop.clone());
    let routes = Arc::new(public::Routes::of(&house, at, channel)?);
    let answer = move |request, peer| Arc::clone(&routes).answer(request, peer);
    let public = listen(public, house.tls.clone(), answer, limits, stop.clone());
    let router = private::router(&house, private_at)?;
    let answer = move |request: Request<Incoming>, peer: Peer| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        routed(router.clone(), request)
    };
    let private = listen(private, None, answer, limits, stop.clone());
    let control = house.control(stop.clone())?;
    let reloads = house.reloads(stop.clone());
    let watched = house.watch(stop.clone());
    let tidied = house.tidy(stop.clone());
    let swept = house.sweeps(stop.clone());
    let told = house.tells(stop.clone());
    let followed = house.follows(stop.clone());
    let given = house.gives(stop.clone());
    // Turns that are under way at the stop still raise alerts and are still counted.
    let (ended, after) = start::Stop::new();
    let alerted = house.alerts(after.clone());
    let counted = house.counts(after);
    let inside = async { tokio::join!(swept, told, turned, followed, given) };
    let counts = tokio::spawn(async { tokio::join!(alerted, counted) });
    tokio::join!(public, private, control, reloads, watched, tidied, inside);
    house.gate.running.end().await;
    let _ = ended.send(true);
    counts.await.context("what counts behaviour and tells of it")?;
    house.close().await;
    Ok(())
}

/// Bounds of a listener.
#[derive(Debug, Clone, Copy)]
struct Limits {
    connections: usize,
    headers: Duration,
}

impl Limits {
    fn of(house: &House) -> Self {
        let force = house.gate.force.load();
        let server = &force.config.server;
        Self { connections: server.max_connections, headers: server.header_timeout }
    }
}

/// Asks a router.
async fn routed(mut router: Router, request: Request<Body>) -> Response<Body> {
    let Ok(response) = router.call(request).await;
    response
}

/// Accepts until told to stop, then lets what is under way end.
async fn listen<Answer, Answered>(
    listener: TcpListener,
    tls: Option<Arc<tls::Acceptor>>,
    answer: Answer,
    limits: Limits,
    mut stop: start::Stop,
) where
    Answer: Fn(Request<Incoming>, Peer) -> Answered + Clone + Send + Sync + 'static,
    Answered: Future<Output = Response<Body>> + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.headers).max_buf_size(64 * 1024);
    loop {
        let (socket, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, or a client gone before we looked: neither ends the listener.
                    tracing::warn!(cause = %error.kind(), "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            },
            () = stop.wait() => break,
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            drop(socket);
            continue;
        };
        let _ = socket.set_nodelay(true);
        let answer = answer.clone();
        // `map`, not an `async` block: that would hold the answer twice, and each request copies it.
        let service = service_fn(move |request: Request<Incoming>| {
            answer(request, Peer(peer)).map(Ok::<_, Infallible>)
        });
        let (http, watcher, tls) = (http.clone(), graceful.watcher(), tls.clone());
        tokio::spawn(async move {
            let _place = place;
            match tls {
                None => {
                    let served = watcher.watch(http.serve_connection(TokioIo::new(socket), service)).await;
                    ended(served);
                }
                // A hand-shake is large and short: it does not make every plain connection large.
                Some(tls) => {
                    if let Some(socket) = Box::pin(tls.accept(socket)).await {
                        let served =
                            watcher.watch(http.serve_connection(TokioIo::new(socket), service)).await;
                        ended(served);
                    }
                }
            }
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

/// A connection that ends in the middle is the client's business; it is worth a line for those who look closely.
fn ended(served: Result<(), hyper::Error>) {
    if let Err(error) = served {
        tracing::debug!(cause = %error, "a connection ended early");
    }
}

//! Connections to a bot, each driven by the task that waits for its answer.
//!
//! The usual pooled client gives each connection a task of its own. There every piece of an answer crosses to another
//! task and wakes it, and only one piece at a time: that costs more than reading it. Here whoever polls an answer polls
//! its connection, and takes all that has come in one go.
//!
//! Limits. HTTP/1.1 only. An idle connection is looked at when it is taken; one that the bot closed in between stays a
//! dead socket until then, for as long as idle ones are kept.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::poll_fn;
use futures_util::task::AtomicWaker;
use http::{Request, Response, Uri};
use http_body::{Body as _, Frame};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower_service::Service as _;

use super::UpstreamError;

/// So many connections that nobody uses are kept at most.
const MOST: usize = 512;
/// So often a connection is looked at for one poll; what it still has to do then comes after the others' turn.
const ROUNDS: usize = 4;

type Asked = Request<Full<Bytes>>;
type Connection = http1::Connection<MaybeHttpsStream<TokioIo<TcpStream>>, Full<Bytes>>;

/// Connections that nobody uses, kept for so long.
struct Shelf {
    keep: Duration,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// The one that was used last stands at the end; since when each is idle.
    wires: VecDeque<(Wire, Instant)>,
    /// Whether a task is there that closes what lies here too long.
    swept: bool,
}

/// The connections to one bot.
pub(super) struct Wires {
    pub(super) connector: HttpsConnector<HttpConnector>,
    pub(super) to: Uri,
    shelf: Arc<Shelf>,
}

impl Wires {
    /// Connects to nothing yet.
    pub(super) fn new(connector: HttpsConnector<HttpConnector>, to: Uri, keep: Duration) -> Self {
        Self { connector, to, shelf: Arc::new(Shelf { keep, idle: Mutex::default() }) }
    }

    /// Sends a request over an idle connection or a new one; gives the head of the answer. An idle connection may be
    /// closed by the bot in this very moment: if nothing of the request was sent by then, the next one is tried.
    pub(super) async fn ask(&self, mut request: Asked) -> Result<Reply, UpstreamError> {
        while let Some(mut wire) = self.take() {
            match wire.ask(request).await {
                Ok(response) => return Ok(Reply::new(response, wire)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(UpstreamError::of_hyper(error.error())),
                },
            }
        }
        // Boxed: it is rare, and would make every request's way as large as itself.
        let mut wire = Box::pin(self.connect()).await?;
        match wire.ask(request).await {
            Ok(response) => Ok(Reply::new(response, wire)),
            Err(error) => Err(UpstreamError::of_hyper(error.error())),
        }
    }

    /// The idle connection that was used last, if it still stands.
    fn take(&self) -> Option<Wire> {
        loop {
            let (mut wire, since) = self.shelf.idle().wires.pop_back()?;
            if since.elapsed() < self.shelf.keep && wire.is_ready() {
                return Some(wire);
            }
        }
    }

    async fn connect(&self) -> Result<Wire, UpstreamError> {
        let mut connector = self.connector.clone();
        let failed = |error: &(dyn std::error::Error + 'static)| UpstreamError::of_connect(error);
        poll_fn(|cx| connector.poll_ready(cx)).await.map_err(|error| failed(&*error))?;
        let stream = connector.call(self.to.clone()).await.map_err(|error| failed(&*error))?;
        let (sender, connection) =
            http1::handshake(stream).await.map_err(|error| UpstreamError::of_hyper(&error))?;
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let connection = Some(Box::new(connection));
        Ok(Wire { sender, connection, bell, waker, home: Arc::downgrade(&self.shelf) })
    }
}

/// The head of an answer and, as long as it lives, its connection.
pub(super) struct Reply {
    pub(super) head: http::response::Parts,
    pub(super) body: Incoming,
    pub(super) wire: Wire,
}

impl Reply {
    fn new(response: Response<Incoming>, wire: Wire) -> Self {
        let (head, body) = response.into_parts();
        Self { head, body, wire }
    }
}

/// One connection.
pub(super) struct Wire {
    sender: http1::SendRequest<Full<Bytes>>,
    /// There until it has ended.
    connection: Option<Box<Connection>>,
    bell: Arc<Bell>,
    /// Rings the bell.
    waker: Waker,
    home: Weak<Shelf>,
}

impl Wire {
    async fn ask(&mut self, request: Asked) -> Result<Response<Incoming>, TrySendError<Asked>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        poll_fn(|cx| self.drive(cx, |cx| answer.as_mut().poll(cx))).await
    }

    /// The next piece of the answer that comes over this connection.
    pub(super) fn poll_frame(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.drive(cx, |cx| Pin::new(&mut *body).poll_frame(cx))
    }

    /// Polls what is wanted and the connection that it comes from, until it is there or neither can go on.
    fn drive<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut wanted: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.bell.task.register(cx.waker());
        let within = &mut Context::from_waker(&self.waker);
        for _ in 0..ROUNDS {
            self.bell.begin();
            if let Poll::Ready(here) = wanted(within) {
                return Poll::Ready(here);
            }
            if let Some(connection) = &mut self.connection
                && Pin::new(connection).poll(within).is_ready()
            {
                // Dropped, it tells why to whoever still waits for it.
                self.connection = None;
            }
            if self.bell.end() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether it stands and can take a request. Looks at what has come, without waiting.
    fn is_ready(&mut self) -> bool {
        let silent = &mut Context::from_waker(Waker::noop());
        self.connection.as_mut().is_some_and(|connection| Pin::new(connection).poll(silent).is_pending())
            && self.sender.is_ready()
    }

    /// Nobody needs the answer any more. If it was read up to its end, or the rest of it is small and there, the
    /// connection is kept for the next request; if not, it is closed.
    pub(super) fn give_back(mut self, body: Incoming) {
        drop(body);
        let Some(home) = self.home.upgrade() else { return };
        if !self.is_ready() {
            return;
        }
        let mut idle = home.idle();
        if idle.wires.len() >= MOST {
            return;
        }
        if !idle.swept
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(sweep(Arc::downgrade(&home), home.keep));
            idle.swept = true;
        }
        idle.wires.push_back((self, Instant::now()));
    }
}

impl Shelf {
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections that nobody used for too long; ends when there is none left.
async fn sweep(shelf: Weak<Shelf>, keep: Duration) {
    loop {
        tokio::time::sleep(keep).await;
        let Some(shelf) = shelf.upgrade() else { return };
        let mut idle = shelf.idle();
        while idle.wires.front().is_some_and(|(_, since)| since.elapsed() >= keep) {
            idle.wires.pop_front();
        }
        if idle.wires.is_empty() {
            idle.swept = false;
            return;
        }
    }
}

/// Wakes the task that waits, but not for what a connection and its answer tell each other while that task is at work
/// on both.
#[derive(Default)]
struct Bell {
    state: AtomicU8,
    task: AtomicWaker,
}

/// The task waits: it must be woken.
const WAITS: u8 = 0;
/// It is at work.
const WORKS: u8 = 1;
/// It was rung for: it is woken already, or looks once more before it waits.
const RUNG: u8 = 2;

impl Bell {
    fn begin(&self) {
        self.state.store(WORKS, Ordering::SeqCst);
    }

    /// Whether nobody rang since the beginning; then it wakes the task from now on.
    fn end(&self) -> bool {
        self.state.compare_exchange(WORKS, WAITS, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(RUNG, Ordering::SeqCst) == WAITS {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Count(AtomicU8);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn the_bell_wakes_who_waits_and_nobody_else() {
        let count = Arc::new(Count(AtomicU8::new(0)));
        let bell = Arc::new(Bell::default());
        let ring = Waker::from(Arc::clone(&bell));
        bell.task.register(&Waker::from(Arc::clone(&count)));
        bell.begin();
        ring.wake_by_ref();
        assert!(!bell.end(), "who was rung for while at work looks again");
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
        bell.begin();
        assert!(bell.end());
        ring.wake_by_ref();
        ring.wake_by_ref();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }
}

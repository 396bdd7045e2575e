//! Answers that are being given. Each is read from the bot to its end, whether or not somebody listens, and whoever asks for it
//! again meanwhile hears it from its beginning. Its text is in memory for so long, and no longer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use chatward_message::TurnId;
use futures_util::stream;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt as _;
use tokio::sync::{Notify, watch};

use crate::problem::Code;
use crate::turn::{Arrival, Gate, TurnError, turn_as};

/// Most answers under way at once: each holds its text in memory until it is whole.
const MOST: usize = 4096;

/// How often it is looked whether all have ended, at the end.
const LAST_TRIES: u32 = 40;
/// How long that takes each time.
const LAST_TRY: Duration = Duration::from_millis(50);

/// The answers under way, by their turns.
#[derive(Default)]
pub(crate) struct Running(Mutex<HashMap<TurnId, Arc<Flow>>>);

/// One answer.
struct Flow {
    said: watch::Sender<Said>,
    stop: Notify,
}

/// What has come of it.
#[derive(Default)]
struct Said {
    /// With why it failed, if it did before anything was said.
    head: Option<(StatusCode, HeaderMap, Option<Code>)>,
    pieces: Vec<Bytes>,
    ended: bool,
}

impl Running {
    /// Begins an answer. Should the same be running already, that one is heard.
    pub(super) async fn begin(
        &self,
        gate: &Arc<Gate>,
        id: TurnId,
        arrival: Arrival,
    ) -> Result<Response<Body>, TurnError> {
        let flow = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let full = all.len() >= MOST;
            match all.entry(id) {
                Entry::Occupied(running) => Arc::clone(running.get()),
                Entry::Vacant(_) if full => return Err(TurnError::Told(Code::Busy)),
                Entry::Vacant(place) => {
                    let flow = Arc::new(Flow { said: watch::Sender::default(), stop: Notify::new() });
                    tokio::spawn(drive(Arc::clone(gate), id, arrival, Arc::clone(&flow)));
                    Arc::clone(place.insert(flow))
                }
            }
        };
        flow.heard().await
    }

    /// The answer of this turn from its beginning, if it is under way.
    pub(super) async fn join(&self, id: TurnId) -> Option<Result<Response<Body>, TurnError>> {
        let flow = {
            let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.get(&id).map(Arc::clone)
        }?;
        Some(flow.heard().await)
    }

    /// Ends it, if it is under way.
    pub(super) fn stop(&self, id: TurnId) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flow) = all.get(&id) {
            flow.stop.notify_one();
        }
    }

    /// Ends all of them, so that the turns are closed before the house is. Those whose customers still listen have had their
    /// time.
    pub(crate) async fn end(&self) {
        for _ in 0..LAST_TRIES {
            let left: Vec<Arc<Flow>> = {
                let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                all.values().map(Arc::clone).collect()
            };
            if left.is_empty() {
                return;
            }
            left.iter().for_each(|flow| flow.stop.notify_one());
            tokio::time::sleep(LAST_TRY).await;
        }
    }

    fn forget(&self, id: TurnId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

/// Takes the message through the house and hears its answer out.
async fn drive(gate: Arc<Gate>, id: TurnId, arrival: Arrival, flow: Arc<Flow>) {
    let answer = async {
        let (head, mut body) = turn_as(&gate, id, arrival).await.into_parts();
        let failed = head.extensions.get().copied();
        flow.said.send_modify(|said| said.head = Some((head.status, head.headers, failed)));
        while let Some(Ok(frame)) = body.frame().await {
            if let Ok(piece) = frame.into_data() {
                flow.said.send_modify(|said| said.pieces.push(piece));
            }
        }
    };
    // Dropped in its middle the answer closes its turn as one that nobody wanted to hear out.
    tokio::select! { () = answer => {}, () = flow.stop.notified() => {} }
    gate.running.forget(id);
    flow.said.send_modify(|said| said.ended = true);
}

impl Flow {
    /// What it says, from its beginning.
    async fn heard(&self) -> Result<Response<Body>, TurnError> {
        let mut news = self.said.subscribe();
        // It ends together with its task, which holds the sender.
        let _ = news.wait_for(|said| said.head.is_some() || said.ended).await;
        let head = news.borrow_and_update().head.clone();
        let (status, headers, failed) = head.ok_or(TurnError::Told(Code::ClientGone))?;
        let pieces = stream::unfold((news, 0), |(mut news, at)| async move {
            loop {
                let (piece, ended) = {
                    let said = news.borrow_and_update();
                    (said.pieces.get(at).cloned(), said.ended)
                };
                match piece {
                    Some(piece) => return Some((Ok::<_, std::convert::Infallible>(piece), (news, at + 1))),
                    None if ended => return None,
                    // Should its task be gone, so is its end.
                    None => news.changed().await.ok()?,
                }
            }
        });
        let mut response = Response::new(Body::from_stream(pieces));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        if let Some(code) = failed {
            response.extensions_mut().insert(code);
        }
        response.headers_mut().remove(http::header::CONTENT_LENGTH);
        Ok(response)
    }
}

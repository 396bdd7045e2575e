//! The bot behind the gateway: a server of plain sockets that does what its script says, also what no decent server does.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What the bot does when asked for a model.
#[derive(Clone)]
pub(crate) enum Play {
    /// Repeats the last message of the user, whole or in pieces of three characters.
    Echo,
    /// Says this, whole or in pieces of so many characters.
    Say(String, usize),
    /// Does this on the wire, byte by byte as written, and closes.
    Wire(Vec<Act>),
}

/// One thing done on the wire.
#[derive(Clone)]
pub(crate) enum Act {
    /// Sends these bytes.
    Send(String),
    /// Sends the request's last user message, cut as a JSON string without its quotes.
    SendAsked,
    /// Sends nothing for so long.
    Rest(Duration),
    /// Does nothing more until the other side closes.
    Hang,
    /// Sends these bytes over and over until the other side closes.
    Endless(String),
}

impl Act {
    pub(crate) fn send(text: impl Into<String>) -> Self {
        Self::Send(text.into())
    }

    /// The head of an answer that ends with its connection.
    pub(crate) fn head(status: &str, kind: &str) -> Self {
        Self::Send(format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n"))
    }

    /// One event of a stream that adds this text.
    pub(crate) fn says(text: &str) -> Self {
        Self::Send(event(&json!({"content": text}), None))
    }
}

/// A request that came.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The last message of the user.
    pub(crate) fn asked(&self) -> String {
        let body = self.json();
        let messages = body["messages"].as_array().unwrap();
        let last = messages.iter().rfind(|message| message["role"] == "user").unwrap();
        last["content"].as_str().unwrap_or_default().to_owned()
    }
}

#[derive(Default)]
struct State {
    plays: Mutex<HashMap<String, Play>>,
    seen: Mutex<Vec<Seen>>,
    came: Notify,
    left: Mutex<Vec<Instant>>,
    leaving: Notify,
}

/// The running bot; it ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Bot {
    address: SocketAddr,
    state: Arc<State>,
}

impl Bot {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bot = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let state = Arc::clone(&bot.state);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&state)));
            }
        });
        bot
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Sets what is done for a model; without a script it echoes.
    pub(crate) fn play(&self, model: &str, play: Play) {
        self.state.plays.lock().unwrap().insert(model.to_owned(), play);
    }

    /// Everything that came so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// What came last.
    pub(crate) fn last(&self) -> Seen {
        self.state.seen.lock().unwrap().last().unwrap().clone()
    }

    /// Waits until so many requests have come.
    pub(crate) async fn came(&self, n: usize) {
        super::soon("the bot to be asked", async {
            loop {
                let notified = self.state.came.notified();
                if self.state.seen.lock().unwrap().len() >= n {
                    return;
                }
                notified.await;
            }
        })
        .await;
    }

    /// Forgets who has left so far.
    pub(crate) fn forget_leaving(&self) {
        self.state.left.lock().unwrap().clear();
    }

    /// Waits until the gateway has closed a connection in the middle of an answer, and says when that was.
    pub(crate) async fn left(&self) -> Instant {
        super::soon("the gateway to leave the bot", async {
            loop {
                let notified = self.state.leaving.notified();
                if let Some(at) = self.state.left.lock().unwrap().first() {
                    return *at;
                }
                notified.await;
            }
        })
        .await
    }
}

fn event(delta: &Value, finish: Option<&str>) -> String {
    let choices = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
    let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices});
    format!("data: {chunk}\n\n")
}

async fn serve(socket: TcpStream, state: Arc<State>) {
    let _ = socket.set_nodelay(true);
    let (mut from, mut to) = socket.into_split();
    let mut buffer = Vec::new();
    while let Some(seen) = read(&mut from, &mut buffer).await {
        let asked = seen.clone();
        state.seen.lock().unwrap().push(seen);
        state.came.notify_waiters();
        if !answer(&state, &asked, &mut from, &mut to).await {
            return;
        }
    }
}

async fn read(from: &mut OwnedReadHalf, buffer: &mut Vec<u8>) -> Option<Seen> {
    loop {
        if let Some(end) = memchr::memmem::find(buffer, b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
            });
            let whole = end + 4 + length.unwrap_or(0);
            if buffer.len() >= whole {
                let body = buffer[end + 4..whole].to_vec();
                buffer.drain(..whole);
                return Some(Seen { head, body });
            }
        }
        if from.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// Answers one request. Whether the connection stays open.
async fn answer(state: &State, seen: &Seen, from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf) -> bool {
    if seen.head.starts_with("GET") {
        let list = json!({"object": "list", "data": [{"id": "echo", "object": "model", "created": 1, "owned_by": "bot"}]});
        return whole(to, &list.to_string()).await;
    }
    let body: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
    let model = body["model"].as_str().unwrap_or_default();
    let play = state.plays.lock().unwrap().get(model).cloned().unwrap_or(Play::Echo);
    let (text, size) = match play {
        Play::Echo => (seen.asked(), 3),
        Play::Say(text, size) => (text, size),
        Play::Wire(acts) => {
            let playing = async {
                for act in &acts {
                    match act {
                        Act::Send(text) => drop(to.write_all(text.as_bytes()).await),
                        Act::SendAsked => {
                            let text = json!(seen.asked()).to_string();
                            let _ = to.write_all(text.trim_matches('"').as_bytes()).await;
                        }
                        Act::Rest(time) => tokio::time::sleep(*time).await,
                        Act::Hang => std::future::pending().await,
                        Act::Endless(text) => while to.write_all(text.as_bytes()).await.is_ok() {},
                    }
                }
            };
            let mut rest = [0; 64];
            tokio::select! {
                () = playing => {}
                _ = from.read(&mut rest) => {
                    state.left.lock().unwrap().push(Instant::now());
                    state.leaving.notify_waiters();
                }
            }
            return false;
        }
    };
    if body["stream"] != true {
        let message = json!({"role": "assistant", "content": text, "refusal": null});
        let choices = json!([{"index": 0, "message": message, "finish_reason": "stop"}]);
        let body = json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model, "choices": choices});
        return whole(to, &body.to_string()).await;
    }
    let mut out =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    let chars: Vec<char> = text.chars().collect();
    let mut chunk = |text: &str| {
        out.push_str(&format!("{:x}\r\n{text}\r\n", text.len()));
    };
    for piece in chars.chunks(size) {
        chunk(&event(&json!({"content": piece.iter().collect::<String>()}), None));
    }
    chunk(&event(&json!({}), Some("stop")));
    chunk("data: [DONE]\n\n");
    out.push_str("0\r\n\r\n");
    to.write_all(out.as_bytes()).await.is_ok()
}

async fn whole(to: &mut OwnedWriteHalf, body: &str) -> bool {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    to.write_all((head + body).as_bytes()).await.is_ok()
}

//! The built-in support bot: a small, real bot behind the gateway when no other one is named.
//!
//! It speaks the chat-completions protocol like any upstream, plain and streamed, and answers by rules from the
//! whole conversation ([`skills`]). It sees only what the gateway lets through, so it treats a placeholder as what it
//! is to any bot: a piece of text to repeat. It keeps nothing between two requests, knows no shop and no customer,
//! and never asks for a password or a card code. One choice is given whatever `n` says, and no tool is called.

mod heard;
mod skills;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The name of the bot's only model.
pub const MODEL: &str = "support";

/// The largest request the bot reads. The gateway's own limit is lower; this one guards a bot run on its own.
const LARGEST_REQUEST: usize = 16 << 20;

/// The support bot. A handle: cheap to clone, nothing in it changes.
#[derive(Debug, Clone)]
pub struct Bot {
    word_delay: Duration,
}

impl Default for Bot {
    /// A bot that writes at a pleasant reading speed, 25 ms a word.
    fn default() -> Self {
        Self { word_delay: Duration::from_millis(25) }
    }
}

/// What the bot answers.
pub enum Answer {
    /// One `chat.completion` object, as JSON.
    Whole(Bytes),
    /// `chat.completion.chunk` objects as server-sent events, ending with `data: [DONE]`.
    Stream(Words),
}

/// A request the bot cannot read. The caller's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BotError {
    /// Not a chat-completions request: not JSON, or a field of a wrong type.
    #[error("the body is not a chat-completions request")]
    Malformed,
    /// There is no message of the user to answer.
    #[error("`messages` holds no message of the user")]
    NothingAsked,
}

impl BotError {
    /// The error as the protocol writes it.
    pub fn body(&self) -> Value {
        json!({"error": {
            "message": self.to_string(),
            "type": "invalid_request_error",
            "param": match self { Self::Malformed => None, Self::NothingAsked => Some("messages") },
            "code": null,
        }})
    }
}

impl Bot {
    /// A bot that waits this long between two words of a stream.
    pub const fn with_delay(word_delay: Duration) -> Self {
        Self { word_delay }
    }

    /// Answers a chat-completions request, given as the bytes of its JSON body.
    pub fn answer(&self, request: &[u8]) -> Result<Answer, BotError> {
        let request: Request = serde_json::from_slice(request).map_err(|_| BotError::Malformed)?;
        let turns: Vec<skills::Line> = request.messages.iter().filter_map(Message::line).collect();
        let text = skills::reply(&turns).ok_or(BotError::NothingAsked)?;
        let said = Said {
            id: format!("chatcmpl-{:016x}", fingerprint(&turns)),
            created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            model: request.model.unwrap_or_else(|| MODEL.to_owned()),
            asked_words: turns.iter().map(|line| line.text.split_whitespace().count()).sum(),
            text,
        };
        if request.stream.unwrap_or(false) {
            let usage = request.stream_options.is_some_and(|options| options.include_usage.unwrap_or(false));
            Ok(Answer::Stream(Words::new(said, usage, self.word_delay)))
        } else {
            Ok(Answer::Whole(said.whole()))
        }
    }
}

/// An answer on its way, one event for a word. Dropping it stops the bot at once.
pub struct Words(BoxStream<'static, Bytes>);

impl Words {
    fn new(said: Said, usage: bool, delay: Duration) -> Self {
        let mut events = vec![said.chunk(&json!({"role": "assistant", "content": ""}), None)];
        events.extend(words(&said.text).map(|word| said.chunk(&json!({ "content": word }), None)));
        events.push(said.chunk(&json!({}), Some("stop")));
        if usage {
            events.push(said.usage_chunk());
        }
        events.push(Bytes::from_static(b"data: [DONE]\n\n"));
        // The first event, and whatever follows the last word, come without a pause.
        let last_word = events.len().saturating_sub(if usage { 4 } else { 3 });
        let paced = stream::iter(events.into_iter().enumerate()).then(move |(at, event)| async move {
            if at > 0 && at <= last_word && !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            event
        });
        Self(paced.boxed())
    }
}

impl Stream for Words {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.0.poll_next_unpin(cx)
    }
}

/// The bot as a service of its own: `/v1/chat/completions` and `/v1/models`.
pub fn router(bot: Bot) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(complete))
        .route("/v1/models", get(models))
        .layer(DefaultBodyLimit::max(LARGEST_REQUEST))
        .with_state(Arc::new(bot))
}

/// Runs the bot on this listener (a loopback one: the bot asks nobody who they are) until the task is dropped.
pub async fn serve(listener: TcpListener, bot: Bot) -> io::Result<()> {
    axum::serve(listener, router(bot)).await
}

async fn complete(State(bot): State<Arc<Bot>>, body: Bytes) -> Response {
    match bot.answer(&body) {
        Ok(Answer::Whole(body)) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Ok(Answer::Stream(words)) => (
            [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")],
            Body::from_stream(words.map(Ok::<_, std::convert::Infallible>)),
        )
            .into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, axum::Json(error.body())).into_response(),
    }
}

async fn models() -> axum::Json<Value> {
    axum::Json(json!({
        "object": "list",
        "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "chatward"}],
    }))
}

/// The part of a request that the bot reads; everything else is left alone.
#[derive(Deserialize)]
struct Request {
    model: Option<String>,
    messages: Vec<Message>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    text: Option<String>,
}

impl Message {
    /// The message as a line of the conversation; nothing for instructions and tools.
    fn line(&self) -> Option<skills::Line> {
        let by_customer = match self.role.as_str() {
            "user" => true,
            "assistant" => false,
            _ => return None,
        };
        let text = match self.content.as_ref()? {
            Content::Text(text) => text.clone(),
            Content::Parts(parts) => {
                parts.iter().filter_map(|part| part.text.as_deref()).collect::<Vec<_>>().join("\n")
            }
        };
        Some(skills::Line { by_customer, text })
    }
}

/// An answer before it takes the form the caller asked for.
struct Said {
    id: String,
    created: u64,
    model: String,
    asked_words: usize,
    text: String,
}

impl Said {
    fn whole(&self) -> Bytes {
        let body = json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": self.text, "refusal": null},
                "logprobs": null,
                "finish_reason": "stop",
            }],
            "usage": self.usage(),
        });
        Bytes::from(body.to_string())
    }

    fn chunk(&self, delta: &Value, finish: Option<&str>) -> Bytes {
        event(&json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}],
        }))
    }

    fn usage_chunk(&self) -> Bytes {
        event(&json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": [],
            "usage": self.usage(),
        }))
    }

    /// The bot has no tokens; it counts words.
    fn usage(&self) -> Value {
        let said = words(&self.text).count();
        json!({
            "prompt_tokens": self.asked_words,
            "completion_tokens": said,
            "total_tokens": self.asked_words + said,
        })
    }
}

fn event(body: &Value) -> Bytes {
    Bytes::from(format!("data: {body}\n\n"))
}

/// The words of a text, each with the white space that follows it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(char::is_whitespace)
}

/// A number that stands for the conversation: the same one gives the same number.
fn fingerprint(turns: &[skills::Line]) -> u64 {
    turns.iter().fold(skills::FNV_START, |hash, line| skills::fnv(hash, &line.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    fn body(stream: bool, text: &str) -> Vec<u8> {
        json!({"model": "m", "stream": stream, "messages": [
            {"role": "system", "content": "Be kind. Order 99999."},
            {"role": "user", "content": text},
        ]})
        .to_string()
        .into_bytes()
    }

    fn whole(bot: &Bot, request: &[u8]) -> Value {
        match bot.answer(request).unwrap() {
            Answer::Whole(body) => serde_json::from_slice(&body).unwrap(),
            Answer::Stream(_) => panic!("streamed without being asked to"),
        }
    }

    fn streamed(bot: &Bot, request: &[u8]) -> Vec<String> {
        let Answer::Stream(words) = bot.answer(request).unwrap() else { panic!("not streamed") };
        let events = runtime().block_on(words.collect::<Vec<_>>());
        events.iter().map(|event| String::from_utf8(event.to_vec()).unwrap()).collect()
    }

    fn content(events: &[String]) -> String {
        let mut text = String::new();
        for event in events {
            let data = event.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
            if data != "[DONE]" {
                let chunk: Value = serde_json::from_str(data).unwrap();
                text.push_str(chunk["choices"][0]["delta"]["content"].as_str().unwrap_or(""));
            }
        }
        text
    }

    #[test]
    fn plain_and_stream_say_the_same_word_by_word() {
        let bot = Bot::with_delay(Duration::ZERO);
        for text in ["Hello", "I am [PERSON_1], my card is [CARD_1 ending 1111].", "zażółć gęślą jaźń", ""]
        {
            let plain = whole(&bot, &body(false, text));
            let said = plain["choices"][0]["message"]["content"].as_str().unwrap();
            let events = streamed(&bot, &body(true, text));
            assert_eq!(content(&events), said);
            assert_eq!(events.len(), words(said).count() + 3, "role, words, end, done");
            assert_eq!(events.last().unwrap(), "data: [DONE]\n\n");
        }
    }

    #[test]
    fn a_system_message_is_not_the_customer_speaking() {
        let plain = whole(&Bot::default(), &body(false, "Where is my parcel?"));
        assert!(!plain["choices"][0]["message"]["content"].as_str().unwrap().contains("99999"));
    }

    #[test]
    fn content_parts_are_read_like_text() {
        let request =
            |content: Value| json!({"messages": [{"role": "user", "content": content}]}).to_string();
        let bot = Bot::default();
        let parts = json!([{"type": "text", "text": "My name is [PERSON_1]"}, {"type": "image_url", "image_url": {}}]);
        let from_parts = whole(&bot, request(parts).as_bytes());
        let from_text = whole(&bot, request(json!("My name is [PERSON_1]")).as_bytes());
        assert_eq!(from_parts["choices"], from_text["choices"]);
    }

    #[test]
    fn usage_comes_with_a_stream_only_when_asked_for() {
        let asked = json!({"stream": true, "stream_options": {"include_usage": true},
            "messages": [{"role": "user", "content": "Hello there"}]});
        let events = streamed(&Bot::with_delay(Duration::ZERO), asked.to_string().as_bytes());
        let usage: Value =
            serde_json::from_str(events[events.len() - 2].strip_prefix("data: ").unwrap().trim()).unwrap();
        assert_eq!(usage["usage"]["prompt_tokens"], 2);
        assert!(usage["choices"].as_array().unwrap().is_empty());
        let without = streamed(&Bot::with_delay(Duration::ZERO), &body(true, "Hello"));
        assert!(without.iter().all(|event| !event.contains("usage")));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let bot = Bot::default();
        for bad in [&b""[..], b"{", b"[]", b"{}", br#"{"messages": 1}"#, b"\xff\xfe"] {
            assert_eq!(bot.answer(bad).err(), Some(BotError::Malformed));
        }
        for empty in [r#"{"messages": []}"#, r#"{"messages": [{"role": "system", "content": "x"}]}"#] {
            assert_eq!(bot.answer(empty.as_bytes()).err(), Some(BotError::NothingAsked));
        }
    }

    #[test]
    fn serves_like_any_upstream() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        runtime().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(serve(listener, Bot::with_delay(Duration::from_millis(1))));
            let ask = async |body: &[u8]| {
                let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
                let head = format!(
                    "POST /v1/chat/completions HTTP/1.1\r\nhost: bot\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                socket.write_all(head.as_bytes()).await.unwrap();
                socket.write_all(body).await.unwrap();
                let mut answer = String::new();
                socket.read_to_string(&mut answer).await.unwrap();
                answer
            };
            let streamed = ask(&body(true, "Hello")).await;
            assert!(streamed.contains("text/event-stream") && streamed.contains("data: [DONE]"), "{streamed}");
            assert!(ask(&body(false, "Hello")).await.contains("\"chat.completion\""));
            assert!(ask(b"{").await.starts_with("HTTP/1.1 400"));
        });
    }

    #[test]
    fn the_delay_lies_between_words() {
        let bot = Bot::with_delay(Duration::from_millis(5));
        let Answer::Stream(mut words) = bot.answer(&body(true, "Hello")).unwrap() else { panic!() };
        runtime().block_on(async {
            let start = std::time::Instant::now();
            words.next().await.unwrap();
            assert!(start.elapsed() < Duration::from_millis(5), "the opening event waits for nothing");
            for _ in 0..4 {
                words.next().await.unwrap();
            }
            assert!(start.elapsed() >= Duration::from_millis(20));
        });
    }
}

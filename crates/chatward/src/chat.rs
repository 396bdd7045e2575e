//! The chat page's own conversation: one per browser, kept on the server.
//!
//! The page sends only the new message. What was said before is taken from the store: the last turn holds the whole
//! conversation as the bot saw it, which is restored for its own customer and sent through the same [`turn`](crate::turn) as
//! any other request. No clear text is kept between messages.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use chatward_message::{Place, Plain};
use chatward_vault::{Mode, ReplyText, Scope};
use http::{HeaderMap, HeaderValue, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::caller::{CONVERSATION_HEADER, Caller};
use crate::problem::Code;
use crate::turn::{Arrival, Gate, TurnError, turn};

/// The name of the page's conversation inside its browser.
const CONVERSATION: &str = "page";
/// The model name of the built-in bot.
pub(crate) const MODEL: &str = "chatward-demo";
/// Messages of the past that go along; older ones are left behind.
const PAST: usize = 40;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    text: String,
}

#[derive(Serialize, Deserialize, Clone)]
struct Message {
    role: String,
    content: String,
}

/// Answers one message of the page, as a stream.
pub(crate) async fn message(
    gate: &Arc<Gate>,
    caller: Caller,
    body: &[u8],
) -> Result<Response<Body>, TurnError> {
    let sent: Sent = serde_json::from_slice(body).map_err(|_| TurnError::Told(Code::BadJson))?;
    let text = Plain::new(sent.text);
    let mut messages = past(gate, &caller).await?;
    messages.push(Message { role: "user".to_owned(), content: text.expose().to_owned() });
    let from = messages.len().saturating_sub(PAST);
    let request = Request { model: MODEL, stream: true, messages: messages.get(from..).unwrap_or_default() };
    let body =
        serde_json::to_vec(&request).map_err(|_| TurnError::Internal("a request cannot be written"))?;
    let mut headers = HeaderMap::new();
    headers.insert(CONVERSATION_HEADER, HeaderValue::from_static(CONVERSATION));
    Ok(turn(gate, Arrival { caller, headers, body: Bytes::from(body) }).await)
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    stream: bool,
    messages: &'a [Message],
}

#[derive(Deserialize)]
struct Received<'a> {
    #[serde(borrow)]
    messages: &'a RawValue,
}

#[derive(Deserialize)]
struct Kept {
    choice: u32,
    channel: String,
    text: String,
}

/// What was said so far, restored for the customer who said it.
async fn past(gate: &Arc<Gate>, caller: &Caller) -> Result<Vec<Message>, TurnError> {
    let Some((last, state)) = gate.last_turn(caller, CONVERSATION).await? else { return Ok(Vec::new()) };
    let place = |column| Place { tenant: &gate.tenant, table: "turns", column, row: last.id.as_bytes() };
    let received = gate.vault.open_sealed(&state.key, place("received"), &last.received)?;
    let mut messages: Vec<Message> = serde_json::from_slice::<Received<'_>>(&received)
        .ok()
        .and_then(|received| serde_json::from_str(received.messages.get()).ok())
        .unwrap_or_default();
    if let Some(reply) = &last.reply {
        let kept = gate.vault.open_sealed(&state.key, place("reply"), reply)?;
        let kept: Vec<Kept> = serde_json::from_slice(&kept).unwrap_or_default();
        let content: String =
            kept.into_iter().filter(|k| k.choice == 0 && k.channel == "content").map(|k| k.text).collect();
        if !content.is_empty() {
            messages.push(Message { role: "assistant".to_owned(), content });
        }
    }
    let restorer = state.table.restorer(Scope::Conversation, |_| true);
    let force = gate.force.load();
    for message in &mut messages {
        let (restorer, table) = (Arc::clone(&restorer), Arc::clone(&force.table));
        let mut text = ReplyText::new(restorer, force.answer_window(), table, Mode::Text);
        let mut restored = String::with_capacity(message.content.len());
        text.push(&message.content, &mut restored);
        text.finish(&mut restored);
        message.content = restored;
    }
    Ok(messages)
}

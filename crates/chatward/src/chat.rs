//! The chat page's own conversation: one per browser (or per customer who is signed in), kept on the server.
//!
//! The page sends only the new message. What was said before is taken from the store: the last turn holds the whole
//! conversation as the bot saw it, which is restored for its own customer and sent through the same [`turn`](crate::turn) as
//! any other request. No clear text is kept between messages.
//!
//! Each message has a [`Key`] that the page made, and the turn's id is made of it: a message that comes once more, because its
//! answer was cut off, finds its own turn, running ([`Running`]) or stored ([`again`]), and never goes to the bot twice.

mod again;
pub(crate) mod file;
pub(crate) mod flag;
mod history;
pub(crate) mod person;
mod running;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use chatward_message::{Plain, UnixMillis};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use serde::{Deserialize, Serialize};

use crate::caller::{CONVERSATION_HEADER, Caller, random};
use crate::problem::Code;
use crate::rights::RightsError;
use crate::turn::{Arrival, Gate, To, TurnError, turn_of_key};

pub(crate) use history::{Page, page};
pub(crate) use person::state;
pub(crate) use running::Running;

/// The name of the page's conversation inside its browser.
const CONVERSATION: &str = "page";
/// The model name of the built-in bot.
pub(crate) const MODEL: &str = "chatward-demo";
/// Messages of the past that go along; older ones are left behind.
const PAST: usize = 40;
/// The header with the message's key (draft-ietf-httpapi-idempotency-key-header).
const KEY_HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Who answers, on every answer to a message.
pub(crate) const ANSWERS_HEADER: HeaderName = HeaderName::from_static("chatward-answers");

/// What names a message: a UUID of version 7 (RFC 9562) that the page makes before it sends it for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key([u8; 16]);

/// So far ahead of ours may a page's clock be, in milliseconds.
const AHEAD: u64 = 5 * 60_000;

impl Key {
    /// Reads `018f…-…-7…-…-…`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let right = parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]);
        let digits: String = parts.concat();
        if !right
            || digits.as_bytes().get(12) != Some(&b'7')
            || !digits.bytes().all(|b| b.is_ascii_hexdigit())
        {
            return None;
        }
        let number = u128::from_str_radix(&digits, 16).ok()?;
        Some(Self(number.to_be_bytes()))
    }

    /// The key of a request. One of the future is refused: the time stands in the turn's id, and by that it is found when it has
    /// been kept long enough.
    fn of(headers: &HeaderMap, now: UnixMillis) -> Result<Self, Code> {
        let mut values = headers.get_all(&KEY_HEADER).iter();
        let one = values.next().filter(|_| values.next().is_none());
        let key = one.and_then(|value| value.to_str().ok()).and_then(Self::parse).ok_or(Code::BadHeader)?;
        if key.time() > now.0.saturating_add(AHEAD) { Err(Code::BadHeader) } else { Ok(key) }
    }

    /// The key of a message that is sent. One without a key is never the same as another.
    fn of_message(headers: &HeaderMap, now: UnixMillis) -> Result<Self, Code> {
        if headers.contains_key(&KEY_HEADER) {
            return Self::of(headers, now);
        }
        let mut bytes = random::<16>().map_err(|_| Code::Internal)?;
        let [_, _, time @ ..] = now.0.to_be_bytes();
        bytes.iter_mut().zip(time).for_each(|(to, from)| *to = from);
        Ok(Self(bytes))
    }

    /// Its 128 bits.
    pub(crate) const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// When it was made by the page's clock, in milliseconds since 1970.
    const fn time(&self) -> u64 {
        let [a, b, c, d, e, f, ..] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// The time for the turn's id: the same whenever the message comes, and never later than the message.
    pub(crate) const fn time_of_turn(&self) -> [u8; 6] {
        let [_, _, a, b, c, d, e, f] = self.time().saturating_sub(AHEAD).to_be_bytes();
        [a, b, c, d, e, f]
    }
}

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

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    stream: bool,
    messages: &'a [Message],
}

/// A message of the page, as it is sent.
pub(crate) fn text_of(body: &[u8]) -> Result<Plain, TurnError> {
    let sent: Sent = serde_json::from_slice(body).map_err(|_| TurnError::Told(Code::BadJson))?;
    Ok(Plain::new(sent.text))
}

/// Answers one message of the page, as a stream; the same message once more with the same answer.
pub(crate) async fn message(
    gate: &Arc<Gate>,
    caller: Caller,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
    text: impl Future<Output = Result<Plain, TurnError>>,
) -> Result<Response<Body>, TurnError> {
    let key = Key::of_message(headers, gate.clock.now()).map_err(TurnError::Told)?;
    let id = turn_of_key(gate, &caller, &key);
    if let Some(response) = again::answer(gate, id, &caller).await? {
        return Ok(response);
    }
    let text = text.await?;
    let (mut arrival, to) = arrival(gate, caller, headers, &text).await?;
    arrival.peer = peer;
    let mut response = gate.running.begin(gate, id, arrival).await?;
    say_who(response.headers_mut(), to);
    Ok(response)
}

/// Ends the answer to a message that its customer does not want to hear out.
pub(crate) fn stop(gate: &Gate, caller: &Caller, headers: &HeaderMap) -> Result<(), Code> {
    let key = Key::of(headers, gate.clock.now())?;
    gate.running.stop(turn_of_key(gate, caller, &key));
    Ok(())
}

fn say_who(headers: &mut HeaderMap, to: To) {
    // A turn that was handed over says so itself.
    headers.entry(ANSWERS_HEADER).or_insert(HeaderValue::from_static(to.name()));
}

/// The request that a message becomes: with what was said before, for the bot; alone, for a person.
async fn arrival(
    gate: &Gate,
    caller: Caller,
    headers: &HeaderMap,
    text: &Plain,
) -> Result<(Arrival, To), TurnError> {
    let to = gate.answers(&caller, CONVERSATION).await?;
    let mut messages = match to {
        To::Bot => history::past(gate, &caller).await?,
        To::Person => Vec::new(),
    };
    messages.push(Message { role: "user".to_owned(), content: text.expose().to_owned() });
    let from = messages.len().saturating_sub(PAST);
    let force = gate.force.load_full();
    let model = force.config.widget.model.as_deref().unwrap_or(MODEL);
    let request = Request { model, stream: true, messages: messages.get(from..).unwrap_or_default() };
    let body =
        serde_json::to_vec(&request).map_err(|_| TurnError::Internal("a request cannot be written"))?;
    let mut kept = HeaderMap::new();
    kept.insert(CONVERSATION_HEADER, HeaderValue::from_static(CONVERSATION));
    // What the browser says about selling and sharing counts for the message.
    let signal = HeaderName::from_static("sec-gpc");
    if let Some(value) = headers.get(&signal) {
        kept.insert(signal, value.clone());
    }
    Ok((Arrival { caller, headers: kept, body: Bytes::from(body), to, peer: None }, to))
}

/// What went wrong with a record, as a turn would say it.
impl From<RightsError> for TurnError {
    fn from(error: RightsError) -> Self {
        match error {
            RightsError::Told(code) => Self::Told(code),
            RightsError::Store(error) => Self::Store(error),
            RightsError::Vault(error) => Self::Vault(error),
            RightsError::Directory(_) | RightsError::Inside(_) => Self::Internal("a record cannot be used"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_uuid_of_version_7_and_nothing_else() {
        let key = Key::parse("018f3c9e-5d7a-7b1c-8a2d-0123456789ab").unwrap();
        assert_eq!(key, Key::parse("018F3C9E-5D7A-7B1C-8A2D-0123456789AB").unwrap());
        assert_eq!(key.bytes()[..2], [0x01, 0x8f]);
        assert_eq!(key.time(), 0x018f_3c9e_5d7a);
        for bad in [
            "",
            "018f3c9e5d7a7b1c8a2d0123456789ab",
            "018f3c9e-5d7a-4b1c-8a2d-0123456789ab",
            "018f3c9e-5d7a-7b1c-8a2d-0123456789a",
            "018f3c9e-5d7a-7b1c-8a2d-0123456789a+",
            "018f3c9e-5d7a-7b1c-8a2d-0123456789ab-",
            "+18f3c9e-5d7a-7b1c-8a2d-0123456789ab",
        ] {
            assert_eq!(Key::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn no_turn_is_younger_than_its_message() {
        let sent = |now: u64| {
            let mut headers = HeaderMap::new();
            headers.insert(KEY_HEADER, HeaderValue::from_static("018f3c9e-5d7a-7b1c-8a2d-0123456789ab"));
            Key::of_message(&headers, UnixMillis(now))
        };
        let made = 0x018f_3c9e_5d7a;
        assert_eq!(sent(made - AHEAD - 1), Err(Code::BadHeader));
        let [first, later] = [sent(made - AHEAD).unwrap(), sent(made + 9_000_000).unwrap()];
        assert_eq!(first.time_of_turn(), later.time_of_turn());
        assert_eq!(first.time_of_turn(), (made - AHEAD).to_be_bytes()[2..]);
        let none = Key::of_message(&HeaderMap::new(), UnixMillis(made)).unwrap();
        assert_eq!(none.time(), made);
    }
}

//! What the bot received in one message, to read.

use askama::Template;
use chatward_message::TurnId;
use chatward_policy::access::{Record, act};
use serde::Deserialize;

use super::look::{Frame, show};
use super::reader::Reader;
use super::{Answered, page};
use crate::api::call::Nothing;
use crate::api::me::{OfTurn, received_by};
use crate::api::{Api, Asks, Call, Noted, Who};
use crate::problem::{Code, Problem};

/// A message as the bots' protocol has it.
#[derive(Deserialize)]
struct Said {
    role: String,
    #[serde(default)]
    content: serde_json::Value,
}

#[derive(Deserialize)]
struct Received {
    messages: Vec<Said>,
}

/// One text.
struct Part {
    own: bool,
    text: String,
}

#[derive(Template)]
#[template(path = "centre/message.html")]
struct MessagePage<'a> {
    f: Frame<'a>,
    parts: Vec<Part>,
    /// All of it, byte for byte.
    whole: String,
    id: String,
}

page! {
    /// `GET /privacy/messages/{id}`
    Message: GET "/privacy/messages/{id}", "What the bot received in a message of one's own", Nothing, in OfTurn, back "/privacy/data"
}

impl Asks for Message {
    type Act = act::ReadReceived;

    async fn target(api: &Api, who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        received_by(api, who, &call.path.id).await
    }

    async fn answer(api: &Api, noted: Noted<Self::Act>, _: Who, call: Call<Self>) -> Answered {
        let turn: TurnId = call.path.id.parse().map_err(|_| Problem::new(Code::TurnNotFound))?;
        let received = api.gate.received(turn, &noted).await?;
        let whole = String::from_utf8_lossy(&received).into_owned();
        let said: Vec<Said> = serde_json::from_slice::<Received>(&received)
            .map(|received| received.messages)
            .unwrap_or_default();
        let text = |content: serde_json::Value| match content {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        let parts = said.into_iter().map(|one| Part { own: one.role == "user", text: text(one.content) });
        let reader = Reader::of(api, &call.headers).await?;
        let f = Frame::of(api, reader.as_ref(), "/privacy/data");
        show(&MessagePage { f, parts: parts.collect(), whole, id: turn.to_string() }, None)
    }
}

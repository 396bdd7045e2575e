//! What was said on the page so far, read from the store for the customer who said it.

use std::sync::Arc;

use chatward_message::{Place, Plain};
use chatward_store::{TurnRow, TurnState};
use chatward_vault::{Mode, ReplyText, Restorer, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{CONVERSATION, Message};
use crate::caller::Caller;
use crate::turn::{Force, Gate, PERSON, To, TurnError, WholeConversation};

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

/// A conversation as its page shows it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Page {
    /// Who answers the next message.
    pub(crate) answers: To,
    /// Messages and their answers, the oldest first.
    pub(crate) turns: Vec<Said>,
    /// What people of the house wrote.
    pub(crate) said: Vec<super::person::Shown>,
}

/// A message and its answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Said {
    /// `turn_…`
    turn: String,
    /// When, in milliseconds since 1970.
    at: u64,
    /// Who was asked.
    to: To,
    /// How it ended: `closed`, `failed`, `abandoned`, `refused`, `interrupted`, or `open`.
    state: &'static str,
    /// What the customer wrote, as it can be restored. Nothing if it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    you: Option<String>,
    /// The same as the bot got it.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
    /// The answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
}

/// The page's conversation after this moment (milliseconds since 1970), or all of it.
pub(crate) async fn page(gate: &Gate, caller: &Caller, after: u64) -> Result<Page, TurnError> {
    let answers = gate.answers(caller, CONVERSATION).await?;
    let said = gate.said_to(caller, CONVERSATION, after).await?;
    let Some(whole) = gate.whole_conversation(caller, CONVERSATION).await? else {
        return Ok(Page { answers, turns: Vec::new(), said });
    };
    let reader = Reader::of(gate, &whole);
    let turns = whole.turns.iter().filter(|row| row.opened.0 > after).map(|row| reader.turn(row));
    let turns = turns.collect::<Result<_, _>>()?;
    Ok(Page { answers, turns, said })
}

/// What was said between the customer and the bot so far, restored. What was written to a person is not in it.
pub(super) async fn past(gate: &Gate, caller: &Caller) -> Result<Vec<Message>, TurnError> {
    let Some(whole) = gate.whole_conversation(caller, CONVERSATION).await? else { return Ok(Vec::new()) };
    let reader = Reader::of(gate, &whole);
    let told = |row: &&TurnRow| &*row.upstream != PERSON && row.state != TurnState::Refused;
    let Some(last) = whole.turns.iter().rfind(told) else { return Ok(Vec::new()) };
    let mut messages = reader.messages(last)?;
    if let Some(content) = reader.reply(last)?.filter(|content| !content.is_empty()) {
        messages.push(Message { role: "assistant".to_owned(), content });
    }
    for message in &mut messages {
        message.content = reader.restored(&message.content);
    }
    Ok(messages)
}

/// The answer of a turn, restored; nothing if none came.
pub(super) fn answer(
    gate: &Gate,
    whole: &WholeConversation,
    row: &TurnRow,
) -> Result<Option<String>, TurnError> {
    let reader = Reader::of(gate, whole);
    Ok(reader.reply(row)?.map(|kept| reader.restored(&kept)))
}

/// Opens what is kept of one conversation.
struct Reader<'a> {
    gate: &'a Gate,
    whole: &'a WholeConversation,
    force: Arc<Force>,
    restorer: Arc<Restorer>,
}

impl<'a> Reader<'a> {
    fn of(gate: &'a Gate, whole: &'a WholeConversation) -> Self {
        let restorer = whole.state.table.restorer(Scope::Conversation, |_| true);
        Self { gate, whole, force: gate.force.load_full(), restorer }
    }

    fn open(&self, row: &TurnRow, column: &'static str) -> Result<Option<Plain>, TurnError> {
        let sealed = match column {
            "received" => Some(&row.received),
            _ => row.reply.as_ref(),
        };
        let Some(sealed) = sealed else { return Ok(None) };
        let place = Place { tenant: &self.gate.tenant, table: "turns", column, row: row.id.as_bytes() };
        let bytes = self.gate.vault.open_sealed(&self.whole.state.key, place, sealed)?;
        Ok(std::str::from_utf8(&bytes).ok().map(|text| Plain::new(text.to_owned())))
    }

    /// The messages as they went out.
    fn messages(&self, row: &TurnRow) -> Result<Vec<Message>, TurnError> {
        let Some(received) = self.open(row, "received")? else { return Ok(Vec::new()) };
        let read = serde_json::from_str::<Received<'_>>(received.expose()).ok();
        Ok(read.and_then(|read| serde_json::from_str(read.messages.get()).ok()).unwrap_or_default())
    }

    /// The text of the answer as the bot gave it.
    fn reply(&self, row: &TurnRow) -> Result<Option<String>, TurnError> {
        let Some(kept) = self.open(row, "reply")? else { return Ok(None) };
        let kept: Vec<Kept> = serde_json::from_str(kept.expose()).unwrap_or_default();
        let shown = |k: &Kept| k.choice == 0 && (k.channel == "content" || k.channel == "refusal");
        Ok(Some(kept.into_iter().filter(shown).map(|k| k.text).collect()))
    }

    fn restored(&self, text: &str) -> String {
        let (restorer, table) = (Arc::clone(&self.restorer), Arc::clone(&self.force.table));
        let mut reply = ReplyText::new(restorer, self.force.answer_window(), table, Mode::Text);
        let mut restored = String::with_capacity(text.len());
        reply.push(text, &mut restored);
        reply.finish(&mut restored);
        restored
    }

    fn turn(&self, row: &TurnRow) -> Result<Said, TurnError> {
        let last = self.messages(row)?.into_iter().rfind(|message| message.role == "user");
        let seen = last.map(|message| message.content);
        let to = if &*row.upstream == PERSON { To::Person } else { To::Bot };
        let reply = self.reply(row)?.filter(|text| !text.is_empty() && to == To::Bot);
        Ok(Said {
            turn: row.id.to_string(),
            at: row.opened.0,
            to,
            state: state(row.state),
            you: seen.as_deref().map(|seen| self.restored(seen)),
            seen,
            answer: reply.map(|reply| self.restored(&reply)),
        })
    }
}

const fn state(state: TurnState) -> &'static str {
    match state {
        TurnState::Open => "open",
        TurnState::Closed => "closed",
        TurnState::Refused => "refused",
        TurnState::Failed => "failed",
        TurnState::Abandoned => "abandoned",
        TurnState::Interrupted => "interrupted",
    }
}

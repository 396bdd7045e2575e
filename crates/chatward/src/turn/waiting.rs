//! Messages that wait until one of the staff lets them go on (`response = "hold"`).
//!
//! Nothing of such a message goes to the bot. What the bot would have received is kept, sealed under the customer's key, for who
//! decides. Let go, the same message goes on when it is sent once more; kept back, it is refused as an attack is. The same is what
//! the same caller sends in the same conversation with the same words, known by a keyed hash.

use aws_lc_rs::digest;
use chatward_message::{
    AccountId, Action, ConversationId, CustomerId, Purposes, Recognised, Response, TurnId, UnixMillis,
};
use chatward_store::record::{Put, Record, RecordKind};
use chatward_vault::Masked;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::whose::Names;
use super::{Gate, TurnError};
use crate::caller::{Caller, KeyedHash as _};
use crate::openai::Field;
use crate::problem::Code;
use crate::rights::RightsError;
use crate::threats;

/// How long a message may go on after it was let go, in milliseconds: a week.
const LET_GO_FOR: u64 = 7 * 24 * 3600 * 1000;
/// Most messages of one customer that wait or were decided about. What comes then is refused.
const MOST: usize = 50;
/// Longest words of the staff about a decision, in characters.
const LONGEST: usize = 1000;

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "WaitingState")]
pub(crate) enum State {
    /// Nobody decided yet.
    Waiting,
    /// It goes on when it is sent again.
    LetGo,
    /// It does not.
    KeptBack,
}

impl State {
    /// Its word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::LetGo => "let-go",
            Self::KeptBack => "kept-back",
        }
    }
}

/// What speaks against the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WaitingSign")]
pub(crate) struct Against {
    /// What it was taken for: `jailbreak`, `scam`, …
    threat: String,
    /// Where it was: `customer` or `document`.
    channel: String,
    /// By which sign.
    sign: String,
    /// How sure, from 0 to 100.
    score: u8,
}

impl From<&Recognised> for Against {
    fn from(one: &Recognised) -> Self {
        let (threat, channel) = (one.threat.name().to_owned(), one.channel.name().to_owned());
        Self { threat, channel, sign: one.sign.to_string(), score: one.score }
    }
}

/// Who decided, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WaitingDecision")]
pub(crate) struct Decided {
    /// The account of staff; none if the operator did, with the admin token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// When, in milliseconds since 1970.
    at: u64,
}

/// A message that waits, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Waiting {
    pub(crate) turn: String,
    pub(crate) conversation: String,
    pub(crate) bot: String,
    /// Milliseconds since 1970.
    pub(crate) at: u64,
    pub(crate) state: State,
    pub(crate) against: Vec<Against>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) decided: Option<Decided>,
    /// What the bot would have received.
    pub(crate) text: String,
}

/// One with its id and its customer.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) id: Box<[u8]>,
    pub(crate) customer: CustomerId,
    pub(crate) waiting: Waiting,
    revision: u64,
}

/// What was asked for in a turn: names the record of it.
pub(super) struct Name([u8; 16]);

impl Name {
    /// The name of what is new in this request.
    pub(super) fn of(
        gate: &Gate,
        (caller, names): (&Caller, &Names),
        id: ConversationId,
        fields: &[Field],
    ) -> Self {
        let mut words = digest::Context::new(&digest::SHA256);
        for at in threats::new_fields(fields) {
            let text = fields.get(at).map_or("", |field| field.text.expose());
            words.update(&(text.len() as u64).to_be_bytes());
            words.update(text.as_bytes());
        }
        let words = words.finish();
        // A conversation that is known by its history alone is another one each time that it begins.
        let whose = if names.by_history() { &caller.identity()[..] } else { &id.as_bytes()[..] };
        Self(gate.keyed().hash(&gate.tenant, "waiting", &[whose, words.as_ref()]))
    }
}

/// What is kept of a message that has to wait.
pub(super) struct Holding {
    name: Name,
    text: String,
    against: Vec<Against>,
}

/// What is to be done about a message that is to wait: it may have been decided about.
pub(super) enum Stand {
    /// It was let go.
    LetGo,
    /// It was kept back.
    KeptBack,
    /// It waits already.
    Waits,
    /// It is new.
    New(Name),
}

impl Stand {
    /// What is done, where `hold` was to be.
    pub(super) const fn response(&self) -> Response {
        match self {
            Self::LetGo => Response::Flag,
            Self::KeptBack => Response::Block,
            Self::Waits | Self::New(_) => Response::Hold,
        }
    }

    /// What has to be kept of it, if it was not there before.
    pub(super) fn holding(self, masked: &Masked, new: &[usize], found: &[Recognised]) -> Option<Holding> {
        let Self::New(name) = self else { return None };
        let texts = new.iter().filter_map(|at| masked.texts().get(*at)).map(String::as_str);
        let text = texts.collect::<Vec<_>>().join("\n\n");
        Some(Holding { name, text, against: found.iter().map(Against::from).collect() })
    }
}

impl Gate {
    /// How a message stands that is to wait.
    pub(super) async fn stand_of(&self, name: Name) -> Result<Stand, TurnError> {
        let kept = self.store.record(&self.tenant, RecordKind::Waiting, &name.0).await?;
        let Some(record) = kept else { return Ok(Stand::New(name)) };
        if record.until.is_some_and(|until| until <= self.clock.now()) {
            // It ended, and was not taken away yet: what was decided counts no longer.
            return Ok(Stand::Waits);
        }
        Ok(match self.read_record::<Waiting>(&record).await?.state {
            State::Waiting => Stand::Waits,
            State::LetGo => Stand::LetGo,
            State::KeptBack => Stand::KeptBack,
        })
    }

    /// Keeps a message that was refused because it has to wait.
    pub(super) async fn hold_back(
        &self,
        (turn, bot): (TurnId, &str),
        (conversation, customer): (ConversationId, CustomerId),
        holding: Holding,
    ) -> Result<(), RightsError> {
        if self.store.records_of(&self.tenant, RecordKind::Waiting, customer).await?.len() >= MOST {
            return Err(RightsError::Told(Code::RateLimited));
        }
        let (slot, key) = self.key_of(customer).await?;
        let at = self.clock.now();
        let Holding { name, text, against } = holding;
        let waiting = Waiting {
            turn: turn.to_string(),
            conversation: conversation.to_string(),
            bot: bot.to_owned(),
            at: at.0,
            state: State::Waiting,
            against,
            decided: None,
            text,
        };
        let record = Record {
            kind: RecordKind::Waiting,
            id: name.0.into(),
            revision: 1,
            slot,
            customer: Some(customer),
            until: self.end_of_conversation(at),
            purposes: Purposes::SERVICE,
            sealed: self.sealed_record(&key, (RecordKind::Waiting, &name.0), &waiting)?,
        };
        let mut event = self.about_a_message(&key, Action::MessageWaits, State::Waiting.name())?;
        event.turn = Some(turn);
        self.put_about(customer, Put { record, was: None, handles: None }, event).await
    }

    /// Messages that stand so, in the order of their ids.
    pub(crate) async fn waiting(
        &self,
        after: Option<&[u8]>,
        limit: usize,
        state: State,
    ) -> Result<Vec<Kept>, RightsError> {
        const PAGE: usize = 200;
        let (mut found, mut after) = (Vec::new(), after.map(Box::<[u8]>::from));
        loop {
            let page = self.store.records(&self.tenant, RecordKind::Waiting, after.as_deref(), PAGE).await?;
            for record in &page {
                let Some(kept) = self.kept_waiting(record).await? else { continue };
                if kept.waiting.state == state {
                    found.push(kept);
                }
                if found.len() == limit {
                    return Ok(found);
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.id.clone()),
                _ => return Ok(found),
            }
        }
    }

    /// One message that waits, or was decided about.
    ///
    /// # Errors
    /// [`Code::NotFound`] if there is none.
    pub(crate) async fn waiting_one(&self, id: &[u8]) -> Result<Kept, RightsError> {
        let record = self.store.record(&self.tenant, RecordKind::Waiting, id).await?;
        let kept = match record {
            Some(record) => self.kept_waiting(&record).await?,
            None => None,
        };
        kept.ok_or(RightsError::Told(Code::NotFound))
    }

    /// None if its customer was erased at this moment.
    async fn kept_waiting(&self, record: &Record) -> Result<Option<Kept>, RightsError> {
        let Some(customer) = record.customer else { return Ok(None) };
        let waiting = match self.read_record::<Waiting>(record).await {
            Ok(waiting) => waiting,
            Err(RightsError::Vault(chatward_vault::VaultError::NoKey { .. })) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Kept { id: record.id.clone(), customer, waiting, revision: record.revision }))
    }

    /// Lets a message go on or keeps it back, and says so to its customer where there are words for them.
    ///
    /// # Errors
    /// [`Code::NotNow`] if it was decided about; [`Code::BadRequest`] if the words are too many; [`Code::Busy`] if somebody else decided at
    /// the same moment.
    pub(crate) async fn decide_waiting(
        &self,
        mut kept: Kept,
        state: State,
        by: Option<AccountId>,
        words: Option<&str>,
    ) -> Result<Kept, RightsError> {
        if kept.waiting.state != State::Waiting {
            return Err(RightsError::Told(Code::NotNow));
        }
        let words = words.map(str::trim).filter(|words| !words.is_empty());
        if words.is_some_and(|words| words.chars().count() > LONGEST) {
            return Err(RightsError::Told(Code::BadRequest));
        }
        let turn = kept.waiting.turn.parse().map_err(|_| RightsError::Inside("a record cannot be read"))?;
        let conversation =
            kept.waiting.conversation.parse().map_err(|_| RightsError::Inside("a record cannot be read"))?;
        let (slot, key) = self.key_of(kept.customer).await?;
        let at = self.clock.now();
        kept.waiting.state = state;
        kept.waiting.decided = Some(Decided { by: by.map(|by| by.to_string()), at: at.0 });
        let (was, next) = (kept.revision, kept.revision.saturating_add(1));
        kept.revision = next;
        let week = UnixMillis(at.0.saturating_add(LET_GO_FOR));
        let until = self.end_of_conversation(at).map_or(week, |end| end.min(week));
        let record = Record {
            kind: RecordKind::Waiting,
            id: kept.id.clone(),
            revision: next,
            slot,
            customer: Some(kept.customer),
            until: Some(until),
            purposes: Purposes::SERVICE,
            sealed: self.sealed_record(&key, (RecordKind::Waiting, &kept.id), &kept.waiting)?,
        };
        let mut puts = vec![Put { record, was: Some(was), handles: None }];
        let mut event = self.about_a_message(&key, Action::MessageDecided, state.name())?;
        event.turn = Some(turn);
        let mut events = vec![event];
        if let Some(words) = words {
            let (put, event) = self.persons_message(kept.customer, (slot, &key), conversation, words)?;
            puts.push(put);
            events.push(event);
        }
        self.put_all_about(kept.customer, puts, events).await?;
        Ok(kept)
    }
}

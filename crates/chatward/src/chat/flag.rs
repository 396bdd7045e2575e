//! Messages that customers call wrong.

use chatward_message::{Action, CustomerId, Purposes, TurnId};
use chatward_store::record::{Put, Record, RecordKind};
use chatward_vault::{VaultError, random_id};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::Code;
use crate::rights::RightsError;
use crate::rights::consent::hex;
use crate::seeing::FeedbackOutcome;
use crate::turn::Gate;

/// Longest words of a customer about it, in characters.
const LONGEST: usize = 1000;
/// Most flags that are kept of one customer at once.
const MOST: usize = 200;

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "FlagReason")]
pub(crate) enum Reason {
    /// The answer is not true.
    Untrue,
    /// It hurts, or is dangerous.
    Harmful,
    /// It shows what should have been hidden.
    NotHidden,
    /// It hides what need not be hidden.
    HiddenNeedlessly,
    /// It looks like a fraud.
    Fraud,
    /// Something else.
    Other,
}

impl Reason {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Untrue => "untrue",
            Self::Harmful => "harmful",
            Self::NotHidden => "not-hidden",
            Self::HiddenNeedlessly => "hidden-needlessly",
            Self::Fraud => "fraud",
            Self::Other => "other",
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "FlagStatus")]
pub(crate) enum Status {
    /// It is there; nobody has looked at it yet.
    Received,
    /// A person looked at it and says that it was right.
    Confirmed,
    /// A person looked at it and sees no fault.
    Refused,
}

impl Status {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Confirmed => "confirmed",
            Self::Refused => "refused",
        }
    }
}

/// A flag, as it is kept and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Flag")]
pub(crate) struct Flag {
    /// The message's turn.
    pub(crate) turn: String,
    /// What is wrong with it.
    pub(crate) reason: Reason,
    /// The customer's own words about it.
    pub(crate) words: String,
    /// When, in milliseconds since 1970.
    pub(crate) at: u64,
    /// What became of it.
    pub(crate) status: Status,
    /// When that was decided, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) decided: Option<u64>,
    /// What the house says about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<String>,
}

/// A flag with its id.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "FlagShown")]
pub(crate) struct Kept {
    /// Its id.
    pub(crate) id: String,
    /// What it says.
    pub(crate) flag: Flag,
}

impl Gate {
    /// Keeps a customer's word that a message of theirs was wrong.
    ///
    /// # Errors
    /// [`Code::TurnNotFound`] for a message of somebody else; [`Code::BadRequest`] if the words are too many; [`Code::RateLimited`]
    /// if there are too many flags.
    pub(crate) async fn flag(
        &self,
        customer: CustomerId,
        turn: TurnId,
        reason: Reason,
        words: &str,
    ) -> Result<Kept, RightsError> {
        let unknown = || RightsError::Told(Code::TurnNotFound);
        let row = self.store.turn(&self.tenant, turn).await?.ok_or_else(unknown)?;
        if row.customer != customer && self.claimed_by(row.customer).await? != Some(customer) {
            return Err(unknown());
        }
        let words = words.trim();
        if words.chars().count() > LONGEST {
            return Err(RightsError::Told(Code::BadRequest));
        }
        if self.store.records_of(&self.tenant, RecordKind::Flag, customer).await?.len() >= MOST {
            return Err(RightsError::Told(Code::RateLimited));
        }
        let (slot, key) = self.key_of(customer).await?;
        let at = self.clock.now();
        let (turn_id, words, status) = (turn.to_string(), words.to_owned(), Status::Received);
        let flag = Flag { turn: turn_id, reason, words, at: at.0, status, decided: None, answer: None };
        let id: [u8; 16] = random_id().map_err(VaultError::from)?;
        let record = Record {
            kind: RecordKind::Flag,
            id: id.into(),
            revision: 1,
            slot,
            customer: Some(customer),
            until: self.end_of_conversation(at),
            purposes: Purposes::SERVICE,
            sealed: self.sealed_record(&key, (RecordKind::Flag, &id), &flag)?,
        };
        let mut event = self.about_a_message(&key, Action::MessageFlagged, reason.name())?;
        event.turn = Some(turn);
        self.put_about(customer, Put { record, was: None, handles: None }, event).await?;
        self.metrics.feedback(FeedbackOutcome::Received);
        Ok(Kept { id: hex(&id), flag })
    }

    /// A customer's flags, the newest first; also those from before they signed in.
    pub(crate) async fn flags(&self, customer: CustomerId) -> Result<Vec<Kept>, RightsError> {
        let mut all = Vec::new();
        for customer in self.selves(customer).await? {
            for record in self.store.records_of(&self.tenant, RecordKind::Flag, customer).await? {
                all.push(Kept { id: hex(&record.id), flag: self.read_record(&record).await? });
            }
        }
        all.sort_by_key(|kept| std::cmp::Reverse(kept.flag.at));
        Ok(all)
    }
}

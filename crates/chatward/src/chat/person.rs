//! When a person takes over: who answers in a conversation, and what people of the house write in it.

use chatward_message::{
    Action, Class, ConversationId, CustomerId, Event, Facts, KeySlot, Purpose, Purposes, UnixMillis,
};
use chatward_store::StoreError;
use chatward_store::record::{Changes, Put, Record, RecordKind};
use chatward_vault::{CustomerKey, VaultError, random_id};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::problem::Code;
use crate::rights::RightsError;
use crate::turn::{Gate, To, TurnError};

/// Longest text that a person writes at once, in characters.
const LONGEST: usize = 4000;

/// Who answers, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Handover {
    to: To,
    since: UnixMillis,
}

/// What a person wrote, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    conversation: String,
    at: UnixMillis,
    text: String,
}

/// What a person wrote, as the customer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PersonsMessage")]
pub(crate) struct Shown {
    /// Its id.
    id: String,
    /// When, in milliseconds since 1970.
    at: u64,
    /// The text.
    text: String,
}

/// Who answers, and when somebody of the house wrote last.
#[derive(Debug, Serialize)]
pub(crate) struct Answers {
    answers: To,
    /// Milliseconds since 1970; 0 if nobody ever did.
    wrote: u64,
}

/// How the page's conversation stands.
pub(crate) async fn state(gate: &Gate, caller: &Caller) -> Result<Answers, TurnError> {
    let answers = gate.answers(caller, super::CONVERSATION).await?;
    let said = gate.said_to(caller, super::CONVERSATION, 0).await?;
    Ok(Answers { answers, wrote: said.last().map_or(0, |said| said.at) })
}

impl Gate {
    /// Who answers in the conversation that this caller names.
    pub(crate) async fn answers(&self, caller: &Caller, name: &str) -> Result<To, TurnError> {
        let (id, _) = self.conversation_named(caller, name)?;
        let record = self.store.record(&self.tenant, RecordKind::Handover, id.as_bytes()).await?;
        let Some(record) = record else { return Ok(To::Bot) };
        Ok(self.read_record::<Handover>(&record).await?.to)
    }

    /// What people of the house wrote in it after this moment, the oldest first.
    pub(crate) async fn said_to(
        &self,
        caller: &Caller,
        name: &str,
        after: u64,
    ) -> Result<Vec<Shown>, TurnError> {
        let (id, customer) = self.conversation_named(caller, name)?;
        let Some(customer) = customer else { return Ok(Vec::new()) };
        let mut all = Vec::new();
        for record in self.store.records_of(&self.tenant, RecordKind::Written, customer).await? {
            let written: Written = self.read_record(&record).await?;
            if written.at.0 > after && written.conversation == id.to_string() {
                let id = crate::rights::consent::hex(&record.id);
                all.push(Shown { id, at: written.at.0, text: written.text });
            }
        }
        all.sort_by_key(|shown| shown.at);
        Ok(all)
    }

    /// Whose conversation this is, for staff.
    ///
    /// # Errors
    /// [`Code::NotFound`] if there is none.
    pub(crate) async fn customer_of(&self, id: ConversationId) -> Result<CustomerId, RightsError> {
        let known = self.store.conversation(&self.tenant, id).await?;
        known.map(|known| known.customer).ok_or(RightsError::Told(Code::NotFound))
    }

    /// Lets somebody else answer in a conversation from the next message on.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::Busy`] if somebody else did so at the same moment.
    pub(crate) async fn hand_over(&self, id: ConversationId, to: To) -> Result<(), RightsError> {
        let customer = self.customer_of(id).await?;
        let was = self.store.record(&self.tenant, RecordKind::Handover, id.as_bytes()).await?;
        let (slot, key) = self.key_of(customer).await?;
        let at = self.clock.now();
        let handover = Handover { to, since: at };
        let sealed = self.sealed_record(&key, (RecordKind::Handover, id.as_bytes()), &handover)?;
        let was = was.map(|record| record.revision);
        let record = Record {
            kind: RecordKind::Handover,
            id: id.as_bytes().to_vec().into(),
            revision: was.map_or(1, |revision| revision.saturating_add(1)),
            slot,
            customer: Some(customer),
            until: self.end_of_conversation(at),
            purposes: Purposes::SERVICE,
            sealed,
        };
        let event = self.about_a_message(&key, Action::HandedOver, to.name())?;
        self.put_about(customer, Put { record, was, handles: None }, event).await
    }

    /// Keeps what somebody of the house writes to a customer.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::BadRequest`] if it is empty or too long; [`Code::NotNow`] where the bot answers.
    pub(crate) async fn write_to(&self, id: ConversationId, text: &str) -> Result<String, RightsError> {
        let customer = self.customer_of(id).await?;
        let text = text.trim();
        if text.is_empty() || text.chars().count() > LONGEST {
            return Err(RightsError::Told(Code::BadRequest));
        }
        let record = self.store.record(&self.tenant, RecordKind::Handover, id.as_bytes()).await?;
        let to = match record {
            Some(record) => self.read_record::<Handover>(&record).await?.to,
            None => To::Bot,
        };
        if to == To::Bot {
            return Err(RightsError::Told(Code::NotNow));
        }
        let (slot, key) = self.key_of(customer).await?;
        let (put, event) = self.persons_message(customer, (slot, &key), id, text)?;
        let new = crate::rights::consent::hex(&put.record.id);
        self.put_about(customer, put, event).await?;
        Ok(new)
    }

    /// What somebody of the house writes, as it is kept, and the event of it.
    pub(crate) fn persons_message(
        &self,
        customer: CustomerId,
        (slot, key): (KeySlot, &CustomerKey),
        conversation: ConversationId,
        text: &str,
    ) -> Result<(Put, Event), RightsError> {
        let at = self.clock.now();
        let written = Written { conversation: conversation.to_string(), at, text: text.to_owned() };
        let new: [u8; 16] = random_id().map_err(VaultError::from)?;
        let record = Record {
            kind: RecordKind::Written,
            id: new.into(),
            revision: 1,
            slot,
            customer: Some(customer),
            until: self.end_of_conversation(at),
            purposes: Purposes::SERVICE,
            sealed: self.sealed_record(key, (RecordKind::Written, &new), &written)?,
        };
        let event = self.about_a_message(key, Action::PersonWrote, To::Person.name())?;
        Ok((Put { record, was: None, handles: None }, event))
    }

    /// When what is said now has been kept long enough.
    pub(crate) fn end_of_conversation(&self, now: UnixMillis) -> Option<UnixMillis> {
        let force = self.force.load();
        let terms = force.config.purposes.iter().find(|terms| terms.purpose == Purpose::SERVICE)?;
        Some(UnixMillis(now.0.saturating_add(terms.kept(Class::Interaction)?)))
    }

    pub(crate) fn about_a_message(
        &self,
        key: &CustomerKey,
        action: Action,
        word: &'static str,
    ) -> Result<Event, RightsError> {
        Ok(Event {
            at: self.clock.now(),
            tenant: self.tenant.clone(),
            action,
            turn: None,
            subject: Some(self.vault.subject(key)?),
            facts: Facts { reason: Some(word), ..Facts::default() },
        })
    }

    /// Writes a record about a customer, and the event of it.
    ///
    /// # Errors
    /// [`Code::Busy`] if somebody else changed it at the same moment.
    pub(crate) async fn put_about(
        &self,
        customer: CustomerId,
        put: Put,
        event: Event,
    ) -> Result<(), RightsError> {
        self.put_all_about(customer, vec![put], vec![event]).await
    }

    /// The same for several, all or none.
    ///
    /// # Errors
    /// As [`put_about`](Self::put_about).
    pub(crate) async fn put_all_about(
        &self,
        customer: CustomerId,
        puts: Vec<Put>,
        events: Vec<Event>,
    ) -> Result<(), RightsError> {
        let (tenant, removals, about) = (self.tenant.clone(), Vec::new(), Some(customer));
        let changes = Changes { tenant, removals, puts, events, about, standing: None };
        match self.store.change(changes).await {
            Ok(_) => Ok(()),
            Err(StoreError::Overtaken) => Err(RightsError::Told(Code::Busy)),
            Err(error) => Err(error.into()),
        }
    }
}

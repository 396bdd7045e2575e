//! Reviewing what customers flagged: who looked stands in the audit log and in the customer's trail before anything is opened.

use chatward_message::{Access, Action, CustomerId, Event, Facts, Place, Sealed, Subject, TurnId};
use chatward_store::record::{Put, Record, RecordKind};
use chatward_vault::VaultError;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::chat::flag::{Flag, Status};
use crate::problem::Code;
use crate::rights::RightsError;
use crate::turn::Gate;

/// Flags read at once.
const PAGE: usize = 200;

/// A look at a flagged message that is durable in the audit log. Only [`Gate::noted_review`] makes one.
#[must_use = "nothing was opened yet"]
pub(crate) struct Reviewing(());

/// What was said in a turn, as the bot had it: what was found then is behind placeholders.
#[derive(Default)]
pub(crate) struct Words {
    /// What the bot had said before.
    pub(crate) before: Option<Zeroizing<String>>,
    /// What the customer wrote.
    pub(crate) customer: Option<Zeroizing<String>>,
    /// What the bot answered.
    pub(crate) bot: Option<Zeroizing<String>>,
}

/// A customer's flag with the record it stands in.
pub(crate) struct Flagged {
    pub(crate) record: Record,
    pub(crate) flag: Flag,
}

#[derive(Deserialize)]
struct Received {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    #[serde(default)]
    content: Value,
}

impl Message {
    /// Its text; that of its parts, if it has several.
    fn text(&self) -> Option<String> {
        match &self.content {
            Value::String(text) => Some(text.clone()),
            Value::Array(parts) => {
                let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text")?.as_str()).collect();
                (!texts.is_empty()).then(|| texts.join("\n"))
            }
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct Said {
    choice: u32,
    channel: String,
    text: String,
}

impl Gate {
    /// All flags of all customers, the oldest first. Those of customers who are being erased are left out.
    pub(crate) async fn all_flags(&self) -> Result<Vec<Flagged>, RightsError> {
        let (mut all, mut from): (Vec<Flagged>, Option<Box<[u8]>>) = (Vec::new(), None);
        loop {
            let page = self.store.records(&self.tenant, RecordKind::Flag, from.as_deref(), PAGE).await?;
            let last = page.len() < PAGE;
            from = page.last().map(|record| record.id.clone());
            for record in page {
                match self.read_record(&record).await {
                    Ok(flag) => all.push(Flagged { record, flag }),
                    Err(RightsError::Vault(VaultError::NoKey { .. })) => {}
                    Err(error) => return Err(error),
                }
            }
            if last {
                break;
            }
        }
        all.sort_by_key(|one| one.flag.at);
        Ok(all)
    }

    /// The flag of this id.
    pub(crate) async fn flagged(&self, id: &[u8]) -> Result<Option<Flagged>, RightsError> {
        let Some(record) = self.store.record(&self.tenant, RecordKind::Flag, id).await? else {
            return Ok(None);
        };
        let flag = self.read_record(&record).await?;
        Ok(Some(Flagged { record, flag }))
    }

    /// Writes down that the operator looks at a flagged message, for the customer to see as well.
    ///
    /// # Errors
    /// [`Code::NotAllowed`] if the customer froze their data: nobody may look then.
    pub(crate) async fn noted_review(&self, flagged: &Flagged) -> Result<Reviewing, RightsError> {
        let customer = self.not_frozen(flagged).await?;
        let access = Access {
            action: "review",
            by: "staff",
            purpose: Some("security"),
            class: None,
            kind: None,
            reasoned: false,
            ticket: false,
            policies: std::sync::Arc::clone(self.force.load().config.access.rules.hash()),
        };
        let facts = Facts { access: Some(access), actor: Some(self.operator()?), ..Facts::default() };
        let event = self.about_flag(Action::AccessAllowed, flagged, facts).await?;
        self.store.append_about(self.tenant.clone(), customer, vec![event]).await?;
        Ok(Reviewing(()))
    }

    /// What was said in the turn of a flag; nothing if it is kept no more.
    pub(crate) async fn words_of(&self, _noted: Reviewing, flag: &Flag) -> Result<Words, RightsError> {
        let turn: TurnId = flag.turn.parse().map_err(|_| RightsError::Inside("a flag names no turn"))?;
        let Some(row) = self.store.turn(&self.tenant, turn).await? else { return Ok(Words::default()) };
        let key = self.vault.customer_key(row.slot).await?;
        let open = |column: &'static str, sealed: &Sealed| {
            let place = Place { tenant: &self.tenant, table: "turns", column, row: row.id.as_bytes() };
            self.vault.open_sealed(&key, place, sealed)
        };
        let received = open("received", &row.received)?;
        let mut words = heard(&received);
        if let Some(reply) = &row.reply {
            words.bot = answered(&open("reply", reply)?);
        }
        Ok(words)
    }

    /// Keeps what became of a flag, with the event of it: the customer finds both.
    ///
    /// # Errors
    /// [`Code::Busy`] if somebody else decided meanwhile, [`Code::RequestClosed`] if it is decided already.
    pub(crate) async fn decide_flag(
        &self,
        flagged: Flagged,
        status: Status,
        answer: Option<String>,
        word: &'static str,
    ) -> Result<(), RightsError> {
        if flagged.flag.status != Status::Received {
            return Err(RightsError::Told(Code::RequestClosed));
        }
        let customer = self.not_frozen(&flagged).await?;
        let action = if status == Status::Confirmed { Action::FlagConfirmed } else { Action::FlagRefused };
        let facts = Facts { reason: Some(word), actor: Some(self.operator()?), ..Facts::default() };
        let event = self.about_flag(action, &flagged, facts).await?;
        let Flagged { mut record, mut flag } = flagged;
        (flag.status, flag.decided, flag.answer) = (status, Some(self.clock.now().0), answer);
        let key = self.vault.customer_key(record.slot).await?;
        record.sealed = self.sealed_record(&key, (RecordKind::Flag, &record.id), &flag)?;
        let was = Some(record.revision);
        record.revision = record.revision.saturating_add(1);
        self.put_about(customer, Put { record, was, handles: None }, event).await
    }

    /// Writes down that the operator did something with an analyst's flag: it is about no customer.
    pub(crate) async fn note_feedback(&self, action: Action, word: &'static str) -> Result<(), RightsError> {
        let facts = Facts { reason: Some(word), actor: Some(self.operator()?), ..Facts::default() };
        let (at, tenant) = (self.clock.now(), self.tenant.clone());
        self.store.append(vec![Event { at, tenant, action, turn: None, subject: None, facts }]).await?;
        Ok(())
    }

    async fn not_frozen(&self, flagged: &Flagged) -> Result<CustomerId, RightsError> {
        let customer = flagged.record.customer.ok_or(RightsError::Inside("a flag is nobody's"))?;
        if self.target(customer).await?.restricted {
            return Err(RightsError::Told(Code::NotAllowed));
        }
        Ok(customer)
    }

    fn operator(&self) -> Result<Subject, RightsError> {
        Ok(Subject::from_bytes(self.vault.name_key(&self.tenant, "operator", &[])?))
    }

    async fn about_flag(
        &self,
        action: Action,
        flagged: &Flagged,
        facts: Facts,
    ) -> Result<Event, RightsError> {
        let key = self.vault.customer_key(flagged.record.slot).await?;
        Ok(Event {
            at: self.clock.now(),
            tenant: self.tenant.clone(),
            action,
            turn: flagged.flag.turn.parse().ok(),
            subject: Some(self.vault.subject(&key)?),
            facts,
        })
    }
}

/// What the customer wrote last in a request, and what the bot had said before.
fn heard(received: &[u8]) -> Words {
    let Ok(read) = serde_json::from_slice::<Received>(received) else { return Words::default() };
    let at = read.messages.iter().rposition(|message| message.role == "user");
    let (earlier, last) = read.messages.split_at(at.unwrap_or(read.messages.len()));
    let before = earlier.iter().rfind(|message| message.role == "assistant").and_then(Message::text);
    let customer = last.first().and_then(Message::text);
    Words { before: before.map(Zeroizing::new), customer: customer.map(Zeroizing::new), bot: None }
}

/// What the bot answered.
fn answered(reply: &[u8]) -> Option<Zeroizing<String>> {
    let said: Vec<Said> = serde_json::from_slice(reply).ok()?;
    let shown = |said: &Said| said.choice == 0 && (said.channel == "content" || said.channel == "refusal");
    let text: String = said.into_iter().filter(shown).map(|said| said.text).collect();
    (!text.is_empty()).then(|| Zeroizing::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_both_are_found_in_what_is_kept() {
        let received = br#"{"model":"m","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Your code?"},
            {"role":"user","content":[{"type":"text","text":"It is"},{"type":"text","text":"[CODE_1]"}]}]}"#;
        let words = heard(received);
        assert_eq!(words.before.unwrap().as_str(), "Your code?");
        assert_eq!(words.customer.unwrap().as_str(), "It is\n[CODE_1]");
        let reply =
            br#"[{"choice":0,"channel":"content","text":"Th"},{"choice":1,"channel":"content","text":"x"},
            {"choice":0,"channel":"content","text":"anks"}]"#;
        assert_eq!(answered(reply).unwrap().as_str(), "Thanks");
        for rubbish in [&b""[..], b"{}", b"[]", b"{\"messages\":[]}"] {
            assert!(heard(rubbish).customer.is_none() && answered(rubbish).is_none());
        }
    }
}

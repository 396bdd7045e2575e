//! Records of what is done with personal data, made from the configuration in force and from the audit log: nobody keeps them by
//! hand, so they cannot say what is no longer so.
//!
//! - [`processing`]: the record of processing activities (GDPR article 30);
//! - [`inventory`]: every table, record and file, what is in it and how it is sealed;
//! - [`pci`]: where card data goes, and where it does not (PCI DSS 4.0.1);
//! - [`breach`]: who is concerned by an incident, and with what, since when (GDPR articles 33 and 34);
//! - [`threats`]: what was taken for attacks, and whom stricter rows would have concerned.
//!
//! Each is text for people (Markdown) or JSON-LD in words of the Data Privacy Vocabulary. They name nobody: customers are the
//! pseudonyms of the log.

mod breach;
pub(crate) mod inventory;
mod page;
mod pci;
mod processing;
mod threats;

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::directory::Failed;
use crate::problem::{Code, Problem};
use crate::turn::Gate;

pub(crate) use page::Page;

/// Which record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "RecordName")]
pub enum Name {
    /// The record of processing activities.
    Processing,
    /// The data inventory.
    Inventory,
    /// The scope of PCI DSS.
    PciScope,
    /// The file about an incident.
    Breach,
    /// What was taken for attacks.
    Threats,
}

impl Name {
    /// Every one.
    pub const ALL: [Self; 5] =
        [Self::Processing, Self::Inventory, Self::PciScope, Self::Breach, Self::Threats];

    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Inventory => "inventory",
            Self::PciScope => "pci-scope",
            Self::Breach => "breach",
            Self::Threats => "threats",
        }
    }

    /// The one with this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.name() == word)
    }
}

/// In what form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Markdown, for people.
    Md,
    /// JSON-LD, for programs.
    #[default]
    Json,
}

impl Form {
    /// The one with this word.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "md" => Some(Self::Md),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Which record.
    pub name: Name,
    /// In what form.
    pub form: Form,
    /// An incident, attacks: since when (milliseconds since 1970).
    pub since: Option<u64>,
    /// An incident, attacks: until when.
    pub until: Option<u64>,
}

/// Why there is no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A field of the question is missing or wrong.
    #[error("`{0}` is missing or does not fit")]
    Question(&'static str),
    /// What is kept cannot be read.
    #[error(transparent)]
    Failed(#[from] Failed),
}

impl RecordError {
    /// Its code.
    pub fn code(&self) -> Code {
        match self {
            Self::Question(_) => Code::BadRequest,
            Self::Failed(_) => Code::StoreUnavailable,
        }
    }
}

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Question(field) => Self::new(Code::BadRequest).at(field),
            RecordError::Failed(failed) => failed.into(),
        }
    }
}

/// A record: for people and for programs.
pub(crate) struct Record {
    pub(crate) page: Page,
    pub(crate) json: Value,
}

/// Makes a record, as text in the form asked for.
///
/// # Errors
/// [`RecordError`]
pub async fn make(gate: &Gate, asked: &Asked) -> Result<String, RecordError> {
    let force = gate.force.load_full();
    let record = match asked.name {
        Name::Processing => processing::record(&force, gate.clock.now()),
        Name::Inventory => inventory::record(&force, gate.clock.now()),
        Name::PciScope => pci::record(&force, gate.clock.now()),
        Name::Breach => {
            let since = asked.since.ok_or(RecordError::Question("since"))?;
            let until = asked.until.unwrap_or(gate.clock.now().0.saturating_add(1));
            if since >= until {
                return Err(RecordError::Question("until"));
            }
            breach::record(gate, since..until).await?
        }
        Name::Threats => {
            let until = asked.until.unwrap_or(gate.clock.now().0.saturating_add(1));
            let since = asked.since.unwrap_or(until.saturating_sub(WEEK));
            if since >= until {
                return Err(RecordError::Question("until"));
            }
            threats::record(gate, since..until).await?
        }
    };
    Ok(match asked.form {
        Form::Md => record.page.to_markdown(),
        Form::Json => serde_json::to_string_pretty(&record.json).unwrap_or_default() + "\n",
    })
}

/// A week, in milliseconds.
const WEEK: u64 = 7 * 24 * 60 * 60 * 1000;

/// What every event has.
#[derive(Deserialize)]
struct When {
    at: u64,
    tenant: Box<str>,
}

/// Shows the events of the log in this time, the newest first.
async fn walk(gate: &Gate, time: &Range<u64>, mut see: impl FnMut(&str)) -> Result<(), RecordError> {
    // The log goes forward; times may be a little out of order where several wrote. From its end, until well before the time.
    let slack = 60_000;
    let mut at = gate.store.stats().log_size;
    // On a database that several gateways share, others may have written since.
    while gate.store.event(at).await.map_err(Failed::from)?.is_some() {
        at += 1;
    }
    while at > 0 {
        at -= 1;
        let Some(text) = gate.store.event(at).await.map_err(Failed::from)? else { continue };
        let Ok(event) = serde_json::from_str::<When>(&text) else { continue };
        if event.at.saturating_add(slack) < time.start {
            break;
        }
        if time.contains(&event.at) && *event.tenant == *gate.tenant.as_str() {
            see(&text);
        }
    }
    Ok(())
}

//! How customers behave over several messages: who counts it, and what follows from it.
//!
//! [`chatward_detect::behaviour`] counts; here it is told who writes what, under hashes with keys of the house, and what the
//! counts were before the last stop. They stand in the data folder, sealed.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chatward_detect::behaviour::{
    Behaviour, Facts, Incident, Limits, Observation, Patterns, Reader, Scope, Seen, Signal, Signals, Sketch,
    ValueKind, references,
};
use chatward_message::{Channel, ConversationId, CustomerId, Finding, UnixMillis};
use chatward_vault::Vault;
use tokio::sync::watch;

use crate::alerts;
use crate::caller::KeyedHash as _;
use crate::intel::replace;
use crate::turn::Gate;

/// How often the counts are written down, if there are new ones.
const EVERY: Duration = Duration::from_secs(60);
/// So many pieces of a text that look like numbers of orders are looked at.
const REFERENCES: usize = 512;
/// The file they stand in, in the data folder.
const FILE: &str = "behaviour.sealed";

/// The counts of this gateway.
pub struct Conduct {
    counts: Mutex<Behaviour>,
    reader: Reader,
    /// Of sketches of texts.
    key: u64,
    folder: PathBuf,
    changed: AtomicBool,
    /// One writes at a time: what is older never comes after what is newer.
    writing: Mutex<()>,
}

/// Whose message it is, as the counts know them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who {
    conversation: u64,
    account: Option<u64>,
    network: Option<u64>,
}

impl Who {
    /// Of a conversation; `customer` if they are known by more than it, `peer` if the customer's own address is known.
    pub(crate) fn of(
        gate: &Gate,
        conversation: ConversationId,
        customer: Option<CustomerId>,
        peer: Option<IpAddr>,
    ) -> Self {
        Self {
            conversation: alerts::about(gate, conversation).1,
            account: customer.map(|customer| account(gate, customer)),
            network: peer.map(|peer| network(gate, peer)),
        }
    }
}

/// By what the counts know a customer.
fn account(gate: &Gate, customer: CustomerId) -> u64 {
    hash(gate, "account", customer.as_bytes())
}

/// By what they know a network: an address of the fourth version, a /64 of the sixth.
fn network(gate: &Gate, peer: IpAddr) -> u64 {
    match peer.to_canonical() {
        IpAddr::V4(v4) => hash(gate, "network", &v4.octets()),
        IpAddr::V6(v6) => hash(gate, "network", v6.octets().get(..8).unwrap_or_default()),
    }
}

fn hash(gate: &Gate, purpose: &'static str, part: &[u8]) -> u64 {
    number(gate.keyed().hash(&gate.tenant, purpose, &[part]))
}

fn number(hash: [u8; 16]) -> u64 {
    hash.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

impl Conduct {
    /// Nothing counted yet. The key is that of sketches.
    ///
    /// # Errors
    /// If the program was built with damaged rules.
    pub(crate) fn new(folder: &Path, key: [u8; 16]) -> anyhow::Result<Self> {
        let (patterns, reader) = (Patterns::builtin()?, Reader::builtin()?);
        let counts = Mutex::new(Behaviour::new(patterns, Limits::default()));
        let (folder, changed) = (folder.to_owned(), AtomicBool::new(false));
        Ok(Self { counts, reader, key: number(key), folder, changed, writing: Mutex::new(()) })
    }

    fn counts(&self) -> MutexGuard<'_, Behaviour> {
        self.changed.store(true, Ordering::Relaxed);
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what was counted before the last stop. What cannot be read is told and left behind.
    pub(crate) fn load(&self, vault: &Vault) {
        let sealed = match std::fs::read(self.folder.join(FILE)) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => return tracing::warn!(%error, "what was counted of behaviour cannot be read"),
        };
        match vault.open_counts(&sealed).map(|plain| self.counts().load(&plain)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "what was counted of behaviour is left behind"),
            Err(error) => {
                tracing::warn!(%error, "what was counted of behaviour does not open, and is left behind")
            }
        }
    }

    /// Writes the counts down, if there are new ones; what no pattern can count any more is dropped.
    ///
    /// # Errors
    /// Of the disk or the keys. What was written before stays.
    pub(crate) fn save(&self, vault: &Vault, now: UnixMillis) -> anyhow::Result<()> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.changed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let written = || {
            let plain = {
                let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
                counts.expire(now);
                counts.save()
            };
            let sealed = vault.seal_counts(&plain)?;
            Ok(replace(&self.folder, FILE, |file| file.write_all(&sealed))?)
        };
        let done: anyhow::Result<()> = written();
        if done.is_err() {
            self.changed.store(true, Ordering::Relaxed);
        }
        done
    }

    /// What customers wrote in one request: each text with what was found in it. `suspicion` is what is thought of the words
    /// alone, from 0 to 1.
    pub(crate) fn asked<'a>(
        &self,
        gate: &Gate,
        who: Who,
        texts: impl Iterator<Item = (&'a str, &'a [Finding])>,
        suspicion: f32,
    ) -> Vec<Incident> {
        let at = gate.clock.now();
        let mut incidents = Vec::new();
        for (text, found) in texts {
            let said = self.reader.read(text, Channel::Customer);
            let values = values(gate, text, found);
            let facts = Facts {
                signals: said.signals,
                persona: said.persona,
                values: &values,
                sketch: Some(Sketch::of(text, self.key)),
                length: u32::try_from(text.len()).unwrap_or(u32::MAX),
                suspicion,
                ..Facts::default()
            };
            incidents.extend(self.counts().observe(&seen(at, who, Channel::Customer, facts)));
        }
        incidents
    }

    /// What the bot answered, as it wrote it.
    pub(crate) fn answered(&self, at: UnixMillis, who: Who, text: &str) -> Vec<Incident> {
        let said = self.reader.read(text, Channel::Bot);
        let facts = Facts { signals: said.signals, records: records(text), ..Facts::default() };
        self.counts().observe(&seen(at, who, Channel::Bot, facts))
    }

    /// Something that happened with an account outside of a conversation.
    pub(crate) fn happened(&self, gate: &Gate, customer: CustomerId, signals: Signals) -> Vec<Incident> {
        self.counts().observe(&Observation {
            at: gate.clock.now(),
            conversation: None,
            account: Some(account(gate, customer)),
            network: None,
            channel: Channel::Document,
            facts: Facts { signals, ..Facts::default() },
        })
    }

    /// A try to sign in from this address failed, made with this name.
    pub(crate) fn failed_from(&self, gate: &Gate, peer: IpAddr, whom: &[u8]) -> Vec<Incident> {
        let whom = Seen { kind: ValueKind::Customer, key: hash(gate, "behaviour sign-in", whom) };
        self.counts().observe(&Observation {
            at: gate.clock.now(),
            conversation: None,
            account: None,
            network: Some(network(gate, peer)),
            channel: Channel::Customer,
            facts: Facts {
                signals: Signals::NONE.with(Signal::FailedFactor),
                values: &[whom],
                ..Facts::default()
            },
        })
    }

    /// Forgets what was counted of a customer and their conversations. It has to be written down before it can be said that it is gone
    /// ([`Conduct::save`]).
    pub(crate) fn forget(&self, gate: &Gate, customer: CustomerId, conversations: &[ConversationId]) {
        let mut counts = self.counts();
        counts.forget(Scope::Account, account(gate, customer));
        for id in conversations {
            counts.forget(Scope::Conversation, alerts::about(gate, *id).1);
        }
    }

    /// Writes the counts down from time to time, until the stop, and then once more.
    pub(crate) async fn keep_for_ever(gate: Arc<Gate>, mut stop: watch::Receiver<bool>) {
        loop {
            let stopped = tokio::time::timeout(EVERY, stop.wait_for(|stop| *stop)).await.is_ok();
            let gate = Arc::clone(&gate);
            let saved =
                tokio::task::spawn_blocking(move || gate.conduct.save(&gate.vault, gate.clock.now())).await;
            if let Ok(Err(error)) = saved {
                tracing::warn!(cause = %error, "what was counted of behaviour is not written down");
            }
            if stopped {
                return;
            }
        }
    }
}

impl fmt::Debug for Conduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conduct").field("folder", &self.folder).finish_non_exhaustive()
    }
}

fn seen(at: UnixMillis, who: Who, channel: Channel, facts: Facts<'_>) -> Observation<'_> {
    let Who { conversation, account, network } = who;
    Observation { at, conversation: Some(conversation), account, network, channel, facts }
}

/// The values in a text that are counted, under keyed hashes.
fn values(gate: &Gate, text: &str, found: &[Finding]) -> Vec<Seen> {
    let seen = |kind: ValueKind, value: &str| {
        let bare: String = value.chars().filter(|c| c.is_alphanumeric() || *c == '@').collect();
        let parts = [kind.name().as_bytes(), &*bare.to_lowercase().into_bytes()];
        Seen { kind, key: number(gate.keyed().hash(&gate.tenant, "behaviour value", &parts)) }
    };
    let mut values: Vec<Seen> = found
        .iter()
        .filter_map(|finding| {
            let kind = ValueKind::of(&finding.rule.entity, finding.rule.kind.as_str())?;
            Some(seen(kind, finding.span.of(text)?))
        })
        .collect();
    let free = references(text).take(REFERENCES);
    let free = free.filter(|span| found.iter().all(|finding| !finding.span.overlaps(*span)));
    values.extend(free.filter_map(|span| Some(seen(ValueKind::Order, span.of(text)?))));
    values
}

/// How many records an answer holds: rows of a table and entries of a list that hold a value.
fn records(text: &str) -> u16 {
    let is_entry = |line: &&str| {
        let line = line.trim_start();
        let numbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let listed = line.starts_with(['|', '-', '*', '\u{2022}'])
            || (numbered.len() < line.len() && numbered.starts_with(['.', ')']));
        // A placeholder, an address, or a number.
        let digits = line.chars().filter(char::is_ascii_digit).count();
        listed && (line.contains(['@', '[']) || digits >= 4)
    };
    u16::try_from(text.lines().filter(is_entry).count()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_rows_that_hold_something() {
        assert_eq!(
            records("Here they are:\n- [PERSON_1], [EMAIL_1]\n- [PERSON_2], x@y.example\n- and so on"),
            2
        );
        assert_eq!(records("| name | order |\n|---|---|\n| Ann | 99120433 |\n| Bea | 99120434 |"), 2);
        assert_eq!(records("1. Open the page\n2. Press the button"), 0, "steps are no records");
        assert_eq!(records("1) 4711-0815\n2) 4711-0816"), 2);
    }
}

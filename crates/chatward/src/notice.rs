//! The privacy notice: written from the configuration in force, published with its hash, and held against what is really done.
//!
//! A notice is a list of entries, in no language: who answers for it, each purpose, bot, recipient and class of data, with all
//! that is said of it. The pages make sentences of them. Every start and reload publishes the notice of the configuration in
//! force: it is kept under its hash, and its event is in the log. Each turn is held against the published one; a class that is
//! kept or a bot that is asked though it names neither is an event of its own, once, and counted each time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use chatward_detect::Detector;
use chatward_message::{
    Action, Class, Classes, Destination, Event, Facts, KeySlot, Kind, Operator, Purposes, Sealed, UnixMillis,
};
use chatward_policy::HandlingTable;
use chatward_store::StoreError;
use chatward_store::record::{Changes, Put, Record, RecordKind};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::rights::consent::basis_name;
use crate::rights::erasure::unhex;
use crate::turn::{Force, Gate};

/// What an entry is about. The order is that of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sort {
    /// Who answers for it.
    Controller,
    /// What data is used for.
    Purpose,
    /// A bot that personal data goes to.
    Bot,
    /// Somebody who is told what became of data.
    Recipient,
    /// A class of data.
    Class,
    /// The audit log.
    Log,
}

/// One thing that is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// What it is about.
    pub(crate) sort: Sort,
    /// Its name, unique in its sort.
    pub(crate) name: String,
    /// What is said of it.
    pub(crate) says: BTreeMap<String, String>,
}

impl Entry {
    fn new(sort: Sort, name: &str) -> Self {
        Self { sort, name: name.to_owned(), says: BTreeMap::new() }
    }

    fn saying(mut self, what: impl Into<String>, how: impl Into<String>) -> Self {
        self.says.insert(what.into(), how.into());
        self
    }

    fn maybe(self, what: &str, how: Option<&String>) -> Self {
        match how {
            Some(how) => self.saying(what, how),
            None => self,
        }
    }

    /// What is said of this; nothing if nothing is.
    pub(crate) fn get(&self, what: &str) -> &str {
        self.says.get(what).map(String::as_str).unwrap_or_default()
    }

    /// For how long each class is kept for a purpose, in milliseconds.
    pub(crate) fn keep(&self) -> Vec<(Class, u64)> {
        let kept =
            |class: &Class| Some((*class, self.says.get(&format!("keep {}", class.name()))?.parse().ok()?));
        Class::ALL.iter().filter_map(kept).collect()
    }
}

/// A notice.
#[derive(Debug)]
pub struct Notice {
    entries: Vec<Entry>,
    hash: Arc<str>,
    kept: Classes,
    bots: BTreeSet<Arc<str>>,
    /// The differences that were told already.
    told: Mutex<(Classes, BTreeSet<Arc<str>>)>,
}

impl Notice {
    /// That of a configuration.
    pub fn of(config: &Config, detector: &Detector) -> Self {
        let mut kinds: BTreeMap<Class, BTreeSet<Kind>> = BTreeMap::new();
        for rule in detector.rules() {
            kinds.entry(rule.class).or_default().insert(rule.kind.clone());
        }
        let controller = &config.controller;
        let mut entries = vec![
            Entry::new(Sort::Controller, "controller")
                .maybe("name", controller.name.as_ref())
                .maybe("address", controller.address.as_ref())
                .maybe("contact", controller.contact.as_ref())
                .maybe("representative", controller.representative.as_ref())
                .maybe("dpo", controller.dpo.as_ref()),
        ];
        entries.extend(config.purposes.iter().map(|terms| {
            let mut entry = Entry::new(Sort::Purpose, &terms.name)
                .saying("basis", basis_name(terms.basis))
                .saying("version", &*terms.version)
                .saying("wording", crate::rights::consent::hex(&terms.wording));
            if terms.sold_or_shared {
                entry = entry.saying("sold-or-shared", "yes");
            }
            if let Some(ground) = terms.special {
                entry = entry.saying("special", ground.name());
            }
            for (class, time) in &terms.keep {
                entry = entry.saying(format!("keep {}", class.name()), time.to_string());
            }
            entry
        }));
        entries.extend(config.upstreams.iter().map(|bot| {
            Entry::new(Sort::Bot, &bot.name)
                .saying("host", bot.url.host().unwrap_or_default())
                .saying("basis", basis_name(bot.basis))
        }));
        entries.extend(config.recipients.iter().map(|one| {
            let told: Vec<&str> = one.tell.iter().map(|tell| tell.name()).collect();
            Entry::new(Sort::Recipient, &one.name)
                .saying("host", one.url.host().unwrap_or_default())
                .saying("told", told.join(" "))
        }));
        let special = config.purposes.iter().any(|terms| terms.kept(Class::Special).is_some());
        let table = if special { config.handling.clone() } else { config.handling.without_special() };
        let (mut kept, nothing) = (Classes::NONE.with(Class::Interaction), BTreeSet::new());
        for class in Class::ALL {
            let kinds = kinds.get(&class).unwrap_or(&nothing);
            entries.push(of_class(&table, class, kinds));
            if stays(&table, class, kinds) {
                kept = kept.with(class);
            }
        }
        entries.push(Entry::new(Sort::Log, "log"));
        let bots = config.upstreams.iter().map(|bot| Arc::clone(&bot.name)).collect();
        Self { hash: hash_of(&entries), entries, kept, bots, told: Mutex::default() }
    }

    /// What it says.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The first half of its SHA-256, in hex.
    pub(crate) fn hash(&self) -> &Arc<str> {
        &self.hash
    }

    /// What it does not say of a turn: classes that are kept, and the bot.
    pub(crate) fn missing(&self, kept: Classes, bot: &str) -> (Classes, bool) {
        (Classes::from_bits(kept.bits() & !self.kept.bits()), !self.bots.contains(bot))
    }

    /// Those of these differences that are told for the first time.
    fn news(&self, classes: Classes, bot: Option<&Arc<str>>) -> (Classes, bool) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Classes::from_bits(classes.bits() & !told.0.bits());
        told.0 = Classes::from_bits(told.0.bits() | classes.bits());
        (new, bot.is_some_and(|bot| told.1.insert(Arc::clone(bot))))
    }
}

/// What is done with a class on its way to the bot and into the store, and with kinds that are handled otherwise.
fn of_class(table: &HandlingTable, class: Class, kinds: &BTreeSet<Kind>) -> Entry {
    let mut entry = Entry::new(Sort::Class, class.name());
    for to in [Destination::Bot, Destination::Kept] {
        // Asked as a kind that no rule has: what holds for the class as a whole.
        let usual = table.operator(&Kind::new(""), class, to);
        entry = entry.saying(to.name(), usual.name());
        for kind in kinds {
            let operator = table.operator(kind, class, to);
            if operator != usual {
                entry = entry.saying(format!("{} {}", to.name(), kind.as_str()), operator.name());
            }
        }
    }
    entry
}

/// Whether something of a class is kept: in the text itself, or as the value behind a placeholder.
fn stays(table: &HandlingTable, class: Class, kinds: &BTreeSet<Kind>) -> bool {
    let usual = Kind::new("");
    kinds.iter().chain([&usual]).any(|kind| {
        let operator = |to| table.operator(kind, class, to);
        let gone = |operator| matches!(operator, Operator::Drop | Operator::Block);
        match operator(Destination::Bot) {
            to_bot if to_bot.reversible() => !gone(operator(Destination::Kept)),
            to_bot => !gone(to_bot),
        }
    })
}

fn hash_of(entries: &[Entry]) -> Arc<str> {
    // Of strings only: its canonical form (RFC 8785) is always there.
    let bytes = serde_jcs::to_vec(&entries).unwrap_or_default();
    let hash = digest(&SHA256, &bytes);
    crate::rights::consent::hex(hash.as_ref().get(..16).unwrap_or_default()).into()
}

/// What changed from one notice to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is new.
    New(Entry),
    /// It is gone.
    Gone(Entry),
    /// Something else is said of it now.
    Changed {
        /// Before.
        was: Entry,
        /// Now.
        is: Entry,
    },
}

/// What changed, in the order of the page.
pub(crate) fn changes(before: &[Entry], now: &[Entry]) -> Vec<Change> {
    let key = |entry: &Entry| (entry.sort, entry.name.clone());
    let old: BTreeMap<_, _> = before.iter().map(|entry| (key(entry), entry)).collect();
    let new: BTreeMap<_, _> = now.iter().map(|entry| (key(entry), entry)).collect();
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let change = |key| match (old.get(key), new.get(key)) {
        (None, Some(is)) => Some(Change::New((*is).clone())),
        (Some(was), None) => Some(Change::Gone((*was).clone())),
        (Some(was), Some(is)) if was != is => {
            Some(Change::Changed { was: (*was).clone(), is: (*is).clone() })
        }
        _ => None,
    };
    keys.into_iter().filter_map(change).collect()
}

/// A notice as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    at: UnixMillis,
    entries: Vec<Entry>,
}

impl Gate {
    /// Publishes the notice of a configuration that is, or is about to come, in force.
    pub(crate) async fn publish_notice(&self, force: &Force) -> Result<(), StoreError> {
        let notice = Notice::of(&force.config, &force.detector);
        let at = self.clock.now();
        let mut puts = Vec::new();
        if let Some(id) = unhex(&notice.hash)
            && self.store.record(&self.tenant, RecordKind::Published, &id).await?.is_none()
        {
            let kept = Kept { at, entries: notice.entries.clone() };
            let record = Record {
                kind: RecordKind::Published,
                id: id.into(),
                revision: 1,
                // Not sealed: it is public.
                slot: KeySlot::from_bytes([0; 16]),
                customer: None,
                until: None,
                purposes: Purposes::SERVICE,
                sealed: Sealed::from_bytes(serde_json::to_vec(&kept).unwrap_or_default()),
            };
            puts.push(Put { record, was: None, handles: None });
        }
        let facts = Facts {
            notice: Some(Arc::clone(&notice.hash)),
            config: Some(Arc::clone(force.config.hash())),
            ..Facts::default()
        };
        let event = self.event_of_notice(Action::NoticePublished, facts);
        let changes = Changes {
            tenant: self.tenant.clone(),
            removals: Vec::new(),
            puts,
            events: vec![event],
            about: None,
            standing: None,
        };
        match self.store.change(changes).await {
            // Another gateway published the same one in this moment.
            Ok(_) | Err(StoreError::Overtaken) => {}
            Err(error) => return Err(error),
        }
        self.published.store(Arc::new(notice));
        Ok(())
    }

    /// What a notice said that was published once.
    pub(crate) async fn published_before(&self, hash: &str) -> Result<Option<Vec<Entry>>, StoreError> {
        let Some(id) = unhex(hash) else { return Ok(None) };
        let record = self.store.record(&self.tenant, RecordKind::Published, &id).await?;
        let kept = record.and_then(|record| serde_json::from_slice::<Kept>(record.sealed.as_bytes()).ok());
        Ok(kept.map(|kept| kept.entries))
    }

    /// Holds a turn against the published notice.
    pub(crate) fn hold_against_notice(self: &Arc<Self>, kept: Classes, bot: &Arc<str>) {
        let notice = self.published.load();
        let (classes, unnamed) = notice.missing(kept, bot);
        if classes.is_empty() && !unnamed {
            return;
        }
        self.metrics.notice_differs(classes.iter().count() as u64 + u64::from(unnamed));
        let (classes, unnamed) = notice.news(classes, unnamed.then_some(bot));
        let facts = |class| Facts {
            notice: Some(Arc::clone(&notice.hash)),
            class,
            upstream: Some(Arc::clone(bot)),
            ..Facts::default()
        };
        let of_classes = classes.iter().map(|class| facts(Some(class)));
        let events: Vec<Event> = of_classes
            .chain(unnamed.then(|| facts(None)))
            .map(|facts| self.event_of_notice(Action::NoticeDiffers, facts))
            .collect();
        if events.is_empty() {
            return;
        }
        tracing::error!(notice = %notice.hash, "what is done is not what the privacy notice says: see the audit log");
        let gate = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = gate.store.append(events).await {
                tracing::error!(cause = %error, "a difference from the notice cannot be written down");
            }
        });
    }

    fn event_of_notice(&self, action: Action, facts: Facts) -> Event {
        let (at, tenant) = (self.clock.now(), self.tenant.clone());
        Event { at, tenant, action, turn: None, subject: None, facts }
    }
}

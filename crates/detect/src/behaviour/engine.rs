//! Counting observations, and the incidents that follow.

use std::fmt;
use std::sync::Arc;

use chatward_message::{Channel, SignInfo, UnixMillis};
use serde::{Deserialize, Serialize};

use super::pattern::{Holding, Patterns};
use super::signal::{Persona, Signal, Signals, ValueKind};
use super::sketch::Sketch;
use super::subject::{Asked, ONE, Recent, Seconds};
use super::table::Table;

/// Of the values of one message that were not seen before so many of each kind count: a list is one act, not many tries.
const LISTED: u32 = 3;
/// Of the values of one message so many are looked at.
const VALUES: usize = 256;
/// A text of fewer words is written by many, in much the same words.
const LONG_TEXT: u16 = 12;
/// Nearly every message raises a little suspicion, and many of them are no attack: what is below counts for nothing.
const HARMLESS: f32 = 0.3;
/// From so many records on, an answer may be one of a growing row.
const ROW: u16 = 5;

/// Whose behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// A conversation.
    Conversation,
    /// An account: a customer.
    Account,
    /// A network: a prefix of addresses.
    Network,
    /// A text, whoever sends it.
    Text,
}

impl Scope {
    /// How many there are.
    pub const COUNT: usize = 4;

    /// All of them.
    pub const ALL: [Self; Self::COUNT] = [Self::Conversation, Self::Account, Self::Network, Self::Text];

    /// Its name in rules and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::Account => "account",
            Self::Network => "network",
            Self::Text => "text",
        }
    }
}

/// How many subjects are counted at the same time, per scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Conversations.
    pub conversations: usize,
    /// Accounts.
    pub accounts: usize,
    /// Networks.
    pub networks: usize,
    /// Texts.
    pub texts: usize,
}

impl Default for Limits {
    /// About 17 MiB when all of it is full.
    fn default() -> Self {
        Self { conversations: 8192, accounts: 8192, networks: 2048, texts: 512 }
    }
}

impl Limits {
    /// Tables that take at most so many bytes together, in the proportions of the default ones; never less than eight
    /// subjects each.
    pub fn within(bytes: usize) -> Self {
        let mut parts = 1 << 14;
        let of = |parts: usize| Self {
            conversations: (parts / 2).max(8),
            accounts: (parts / 2).max(8),
            networks: (parts / 8).max(8),
            texts: (parts / 32).clamp(8, 1024),
        };
        while of(parts).bytes() <= bytes && parts < 1 << 24 {
            parts *= 2;
        }
        while of(parts).bytes() > bytes && parts > 8 {
            parts -= (parts / 8).max(1);
        }
        of(parts)
    }

    /// The most bytes that the tables take.
    pub fn bytes(&self) -> usize {
        [self.conversations, self.accounts, self.networks, self.texts].map(Table::bound).iter().sum()
    }
}

/// A value that was seen in a message: its kind and a keyed hash, never the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// What sort of value.
    pub kind: ValueKind,
    /// A keyed hash of its normal form.
    pub key: u64,
}

/// What is known of one message.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// What it does: [`super::Said::signals`], and what the caller knows of devices and factors.
    pub signals: Signals,
    /// Whom its writer claims to be: [`super::Said::persona`].
    pub persona: Persona,
    /// Values in it, of messages of customers. The first 256 are looked at.
    pub values: &'a [Seen],
    /// Its sketch; nothing for what has no words of its own.
    pub sketch: Option<Sketch>,
    /// Whether the customer chose a text that the house wrote (a button): it says nothing that many send it.
    pub prepared: bool,
    /// Its length in bytes.
    pub length: u32,
    /// How many records an answer holds: rows of a table, results of a tool, or different people named.
    pub records: u16,
    /// What other detection thinks of it, from 0 to 1, where it was not sure enough.
    pub suspicion: f32,
}

/// One message, or something that happened with an account (then with no sketch and no length). Subjects are keyed
/// hashes, under a key that only the house has.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// When.
    pub at: UnixMillis,
    /// In which conversation; nothing for what happens outside of one, such as signing in.
    pub conversation: Option<u64>,
    /// Of which account, if that is known.
    pub account: Option<u64>,
    /// From which network, if that is known. An answer of the bot has that of the customer.
    pub network: Option<u64>,
    /// Who wrote it.
    pub channel: Channel,
    /// What is known of it.
    pub facts: Facts<'a>,
}

/// On what an incident rests: counts and times, nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What was counted, and how often. Names are those of [`Signal`] and [`ValueKind`].
    pub counts: Vec<(&'static str, u32)>,
    /// When the earliest of it was seen, to the second.
    pub since: UnixMillis,
}

impl Evidence {
    pub(crate) fn new(now: Seconds) -> Self {
        Self { counts: Vec::new(), since: UnixMillis(u64::from(now) * 1000) }
    }

    pub(crate) fn add(&mut self, name: &'static str, count: u32) {
        if count != 0 && self.counts.iter().all(|(known, _)| *known != name) {
            self.counts.push((name, count));
        }
    }

    pub(crate) fn begin(&mut self, since: Seconds) {
        self.since = self.since.min(UnixMillis(u64::from(since) * 1000));
    }
}

/// A pattern that holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Which one.
    pub info: Arc<SignInfo>,
    /// For what.
    pub scope: Scope,
    /// Its keyed hash; of a text, its sketch.
    pub subject: u64,
    /// When.
    pub at: UnixMillis,
    /// How sure, from 0 to 1.
    pub score: f32,
    /// On what grounds.
    pub evidence: Evidence,
    /// It held for this subject a short time before, within the time for which its pattern is quiet: nobody needs to be told once more,
    /// and what is done about it is done again.
    pub again: bool,
}

/// The counts of all subjects.
pub struct Behaviour {
    pub(crate) patterns: Patterns,
    pub(crate) tables: [Table; Scope::COUNT],
    limits: Limits,
}

impl Behaviour {
    /// Nothing counted yet.
    pub fn new(patterns: Patterns, limits: Limits) -> Self {
        let places = [limits.conversations, limits.accounts, limits.networks, limits.texts];
        let mut scopes = Scope::ALL.into_iter();
        let tables = places.map(|places| {
            let scope = scopes.next().unwrap_or(Scope::Text);
            Table::new(places, patterns.half_life(scope))
        });
        Self { patterns, tables, limits }
    }

    /// The patterns that are looked for.
    pub const fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    /// The bytes that the tables take now.
    pub fn memory(&self) -> usize {
        self.tables.iter().map(Table::memory).sum()
    }

    /// The most bytes that they ever take.
    pub fn bound(&self) -> usize {
        self.limits.bytes()
    }

    /// How many subjects of this scope are counted.
    pub fn subjects(&self, scope: Scope) -> usize {
        self.table(scope).map_or(0, |table| table.subjects().len())
    }

    /// Forgets a conversation, an account or a network, as an erasure wants it. Hashes of values of an erased customer
    /// that stand in the counts of a network are gone within the time that patterns name.
    pub fn forget(&mut self, scope: Scope, key: u64) {
        if let Some(table) = self.tables.get_mut(scope as usize) {
            table.forget(key);
        }
    }

    /// Drops what no pattern can count any more: subjects that were not touched for so long, and old values of the others.
    pub fn expire(&mut self, now: UnixMillis) {
        let now = seconds(now);
        for (scope, table) in Scope::ALL.into_iter().zip(&mut self.tables) {
            let memory = self.patterns.memory(scope);
            table.expire(now.saturating_sub(memory.subject), now.saturating_sub(memory.value));
        }
    }

    /// Counts a message, and says what it completes; usually nothing. Messages of one conversation come in their order.
    pub fn observe(&mut self, seen: &Observation<'_>) -> Vec<Incident> {
        let now = seconds(seen.at);
        let mut incidents = Vec::new();
        let mut count = Counting::of(seen, now);
        if let Some(key) = seen.conversation {
            self.tell(key, seen, now, &mut count);
            self.count(Scope::Conversation, key, &count, None, now, &mut incidents);
        }
        if let Some(key) = seen.account {
            let from = seen.network.map(|network| Recent::new(ValueKind::Network, network, now));
            self.count(Scope::Account, key, &count, from, now, &mut incidents);
        }
        let who = seen.account.or(seen.conversation);
        let who = who.map(|who| Recent::new(ValueKind::Customer, who, now));
        if let Some(key) = seen.network {
            self.count(Scope::Network, key, &count, who, now, &mut incidents);
        }
        if let (Some(text), Some(who)) = (repeated(seen), who) {
            let key = self.text(text);
            let alone = Counting { signals: Signals::NONE, ..Counting::default() };
            self.count(Scope::Text, key, &alone, Some(who), now, &mut incidents);
        }
        incidents
    }

    fn table(&self, scope: Scope) -> Option<&Table> {
        self.tables.get(scope as usize)
    }

    /// What only the course of the conversation tells: repeated requests, growing claims, growing answers.
    fn tell(&mut self, key: u64, seen: &Observation<'_>, now: Seconds, count: &mut Counting) {
        let Some(table) = self.tables.get_mut(Scope::Conversation as usize) else { return };
        let Some(subject) = table.touch(key, now) else { return };
        let facts = &seen.facts;
        match seen.channel {
            Channel::Customer => {
                if facts.persona > subject.persona {
                    subject.persona = facts.persona;
                    count.put(Signal::PersonaRaised);
                }
                if let Some(sketch) = facts.sketch {
                    let wanted = count.signals.sensitive().bits();
                    let asked = Asked { at: now, bits: sketch.bits, words: sketch.words, wanted };
                    if subject.was_refused(&asked) {
                        count.put(Signal::Rephrase);
                    }
                    subject.asked = asked;
                }
            }
            Channel::Bot => {
                if count.signals.contains(Signal::Refusal) {
                    subject.refuse();
                }
                if facts.records >= ROW {
                    // A third more than ever.
                    if subject.records >= ROW
                        && facts.records > subject.records.saturating_add(subject.records / 3)
                    {
                        count.put(Signal::RecordsGrown);
                    }
                    subject.records = subject.records.max(facts.records);
                }
            }
            Channel::Document => {}
        }
    }

    fn count(
        &mut self,
        scope: Scope,
        key: u64,
        count: &Counting,
        more: Option<Recent>,
        now: Seconds,
        incidents: &mut Vec<Incident>,
    ) {
        let Some(table) = self.tables.get_mut(scope as usize) else { return };
        let Some(subject) = table.touch(key, now) else { return };
        for signal in count.signals.iter() {
            subject.add(signal, count.much(signal), now);
        }
        let mut kinds = count.kinds;
        let mut listed = [0; 16];
        for value in &count.values {
            let Some(new) = listed.get_mut(value.kind()) else { continue };
            if subject.knows(*value) || *new < LISTED {
                *new += u32::from(!subject.knows(*value));
                subject.remember(*value);
            }
        }
        if let Some(more) = more {
            subject.remember(more);
        }
        if let Some(more) = more {
            kinds |= 1 << more.kind();
        }
        let at = UnixMillis(u64::from(now) * 1000);
        self.patterns.holding(scope, subject, (count.signals, kinds), now, |pattern| {
            let Holding { info, score, evidence, again } = pattern;
            let info = Arc::clone(info);
            incidents.push(Incident { info, scope, subject: key, at, score, evidence, again });
        });
    }

    /// The key of a text: that of its copies, if they are known.
    fn text(&self, sketch: Sketch) -> u64 {
        let known = self.table(Scope::Text).map_or(&[][..], Table::keys);
        let same = known.iter().find(|bits| Sketch { bits: **bits, words: sketch.words }.is_copy(sketch));
        same.copied().unwrap_or(sketch.bits)
    }
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Behaviour");
        for scope in Scope::ALL {
            shown.field(scope.name(), &self.subjects(scope));
        }
        shown.finish_non_exhaustive()
    }
}

/// What one message adds to the counts.
#[derive(Debug, Default)]
struct Counting {
    signals: Signals,
    values: Vec<Recent>,
    /// The kinds among the values, as bits.
    kinds: u16,
    length: u32,
    records: u16,
    suspicion: f32,
}

impl Counting {
    fn of(seen: &Observation<'_>, now: Seconds) -> Self {
        let facts = &seen.facts;
        let mut count = Self { signals: facts.signals, suspicion: facts.suspicion, ..Self::default() };
        if facts.suspicion < HARMLESS {
            count.suspicion = 0.0;
        } else {
            count.put(Signal::Suspicion);
        }
        match seen.channel {
            Channel::Customer => {
                if facts.length > 0 {
                    count.length = facts.length;
                    count.put(Signal::Message);
                    count.put(Signal::Kibibyte);
                }
                count.take(facts.values, now);
            }
            Channel::Bot if facts.records > 0 => {
                count.records = facts.records;
                count.put(Signal::Record);
            }
            Channel::Bot | Channel::Document => {}
        }
        count
    }

    fn take(&mut self, values: &[Seen], now: Seconds) {
        for value in values.iter().take(VALUES) {
            let recent = Recent::new(value.kind, value.key, now);
            if !self.values.contains(&recent) {
                self.values.push(recent);
                self.kinds |= 1 << value.kind as u16;
            }
        }
        let has = |kind: ValueKind| self.kinds >> kind as u16 & 1 == 1;
        let (code, account) = (has(ValueKind::Code), has(ValueKind::Account));
        if code {
            self.put(Signal::CodeGiven);
        }
        if account && self.signals.contains(Signal::Refund) {
            self.put(Signal::Payout);
        }
    }

    const fn put(&mut self, signal: Signal) {
        self.signals = self.signals.with(signal);
    }

    /// How much of a signal, in 65,536ths.
    fn much(&self, signal: Signal) -> u32 {
        match signal {
            Signal::Kibibyte => self.length.saturating_mul(ONE / 1024),
            Signal::Record => u32::from(self.records).saturating_mul(ONE),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 65536")]
            Signal::Suspicion => (f64::from(self.suspicion.clamp(0.0, 1.0)) * f64::from(ONE)) as u32,
            _ => ONE,
        }
    }
}

/// The sketch of a text that says something if many send it.
fn repeated(seen: &Observation<'_>) -> Option<Sketch> {
    let sketch = seen.facts.sketch?;
    (seen.channel == Channel::Customer && !seen.facts.prepared && sketch.words >= LONG_TEXT).then_some(sketch)
}

/// A time as the counts keep it; the first second for anything before.
pub(crate) fn seconds(at: UnixMillis) -> Seconds {
    Seconds::try_from(at.0 / 1000).unwrap_or(Seconds::MAX).max(1)
}

//! Feeds of any form, entry by entry.

use std::collections::BTreeMap;
use std::io::Read;

use chatward_detect::indicator::{Indicator, Record, Tlp, Value, ValueFault};

use crate::csaf::Advisory;
use crate::fault::{Fault, FormFault, Limits, Skipped, What};
use crate::pattern::Pattern;
use crate::{csaf, csv, lines, misp, stix};

/// The forms of feeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// A STIX 2.1 bundle, or a TAXII 2.1 envelope (OASIS).
    Stix,
    /// MISP JSON: an event, or the answer of `events/restSearch` or `attributes/restSearch`. The manifest of a MISP feed is
    /// read by [`misp::manifest`].
    Misp,
    /// CSV as abuse.ch exports it: the names of the columns in the last line of the comment that stands first.
    AbuseCsv,
    /// A CSAF 2.0 advisory (OASIS).
    Csaf,
    /// One thing a line: domain, URL, address, hash or e-mail address, defanged or not.
    Lines,
    /// A hosts file: an address and names.
    Hosts,
    /// A list for ad blockers, of which rules for whole hosts and places count.
    Adblock,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Stix, Self::Misp, Self::AbuseCsv, Self::Csaf, Self::Lines, Self::Hosts, Self::Adblock];

    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stix => "stix",
            Self::Misp => "misp",
            Self::AbuseCsv => "abuse-csv",
            Self::Csaf => "csaf",
            Self::Lines => "lines",
            Self::Hosts => "hosts",
            Self::Adblock => "adblock",
        }
    }
}

/// What an entry of a feed comes to.
#[derive(Debug)]
pub enum Item {
    /// An indicator.
    Indicator(Indicator),
    /// An indicator of which the feed says that it is none any more.
    Withdrawn(Value),
    /// A pattern that is more than values.
    Pattern(Box<Pattern>),
    /// An advisory about faults in products.
    Advisory(Box<Advisory>),
}

/// How a feed is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// How much of it.
    pub limits: Limits,
    /// What counts where an entry does not say itself: confidence, TLP, threat, validity.
    pub defaults: Record,
}

/// What a feed came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Entries, of any sort.
    pub entries: u64,
    /// Indicators that were handed out.
    pub indicators: u64,
    /// Indicators that are taken back.
    pub withdrawn: u64,
    /// Patterns that were handed out.
    pub patterns: u64,
    /// Entries that make no indicator, by reason.
    pub skipped: BTreeMap<Skipped, u64>,
    /// Entries that are malformed.
    pub malformed: u64,
    /// The first of what is wrong.
    pub faults: Vec<Fault>,
    /// Bytes that were read.
    pub bytes: u64,
    /// TAXII: more is to be asked for.
    pub more: bool,
    /// TAXII: by what the next page is named. At most 1,024 bytes.
    pub next: Option<Box<str>>,
}

impl Summary {
    /// Adds what another part of the same feed came to: the next page, the next event.
    pub fn join(&mut self, other: Self, faults: usize) {
        let Self {
            entries,
            indicators,
            withdrawn,
            patterns,
            skipped,
            malformed,
            faults: named,
            bytes,
            more,
            next,
        } = other;
        self.entries += entries;
        self.indicators += indicators;
        self.withdrawn += withdrawn;
        self.patterns += patterns;
        for (why, many) in skipped {
            *self.skipped.entry(why).or_default() += many;
        }
        self.malformed += malformed;
        let room = faults.saturating_sub(self.faults.len());
        self.faults.extend(named.into_iter().take(room));
        self.bytes += bytes;
        self.more = more;
        self.next = next;
    }
}

/// Reads a feed of this form to its end and hands out what it comes to.
///
/// # Errors
/// [`FormFault`] if it is not of this form, breaks off, or is larger than the limits. What was handed out until then is of
/// no use: the rest of the feed is not known.
pub fn read(
    form: Form,
    from: &mut dyn Read,
    options: &Options,
    take: &mut dyn FnMut(Item),
) -> Result<Summary, FormFault> {
    let mut taker = Taker { options: *options, summary: Summary::default(), take };
    match form {
        Form::Stix => stix::read(from, &mut taker)?,
        Form::Misp => misp::read(from, &mut taker)?,
        Form::AbuseCsv => csv::read(from, &mut taker)?,
        Form::Csaf => csaf::read(from, &mut taker)?,
        Form::Lines => lines::plain(from, &mut taker)?,
        Form::Hosts => lines::hosts(from, &mut taker)?,
        Form::Adblock => lines::adblock(from, &mut taker)?,
    }
    Ok(taker.summary)
}

/// A URL as a feed writes it. One without a host (`http:///payload`) is malformed: browsers would take its path for one.
pub(crate) fn url(text: &str) -> Result<Value, ValueFault> {
    if text.contains(":///") { Err(ValueFault::Url) } else { Value::url(text) }
}

/// Whatever it is, as a feed writes it.
pub(crate) fn guess(text: &str) -> Result<Value, ValueFault> {
    if text.contains("://") { url(text) } else { Value::guess(text) }
}

/// Where readers put what they find.
pub(crate) struct Taker<'a> {
    pub(crate) options: Options,
    pub(crate) summary: Summary,
    take: &'a mut dyn FnMut(Item),
}

impl Taker<'_> {
    pub(crate) fn limits(&self) -> Limits {
        self.options.limits
    }

    /// Another entry.
    pub(crate) fn entry(&mut self) -> Result<(), FormFault> {
        self.summary.entries += 1;
        let most = self.limits().entries;
        if self.summary.entries > most { Err(FormFault::Entries(most)) } else { Ok(()) }
    }

    /// The entry is malformed.
    pub(crate) fn fault(&mut self, byte: u64, what: impl Into<What>) {
        self.summary.malformed += 1;
        if self.summary.faults.len() < self.limits().faults {
            let entry = self.summary.entries;
            self.summary.faults.push(Fault { entry, byte, what: what.into() });
        }
    }

    pub(crate) fn skip(&mut self, why: Skipped) {
        *self.summary.skipped.entry(why).or_default() += 1;
    }

    /// What an entry says, and of what it does not say what the feed's settings do.
    fn filled(&self, record: Record) -> Record {
        let defaults = &self.options.defaults;
        Record {
            from: record.from.or(defaults.from),
            until: record.until.or(defaults.until),
            confidence: record.confidence.or(defaults.confidence),
            tlp: if record.tlp == Tlp::Unmarked { defaults.tlp } else { record.tlp },
            threat: record.threat.or(defaults.threat),
        }
    }

    pub(crate) fn indicator(&mut self, value: Value, record: Record) {
        let record = self.filled(record);
        self.summary.indicators += 1;
        (self.take)(Item::Indicator(Indicator { value, record }));
    }

    pub(crate) fn withdrawn(&mut self, value: Value) {
        self.summary.withdrawn += 1;
        (self.take)(Item::Withdrawn(value));
    }

    /// Hands out a pattern, if there is room for one.
    pub(crate) fn pattern(&mut self, mut pattern: Pattern) {
        pattern.record = self.filled(pattern.record);
        if self.summary.patterns >= self.limits().patterns {
            self.skip(Skipped::NotEnforced);
            return;
        }
        self.summary.patterns += 1;
        (self.take)(Item::Pattern(Box::new(pattern)));
    }

    pub(crate) fn advisory(&mut self, advisory: Advisory) {
        (self.take)(Item::Advisory(Box::new(advisory)));
    }
}

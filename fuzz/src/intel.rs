//! Feeds of threat intelligence: read or refused, the same however they come in, and never a protected name taken.

use std::io::Read;
use std::sync::LazyLock;

use chatward_detect::indicator::{Batch, FileFault, IndicatorSet, Key, Record, Source, Value, WarningLists};
use chatward_intel::pattern::{Fact, Observation, Property, parse};
use chatward_intel::{Form, FormFault, Item, Limits, Options, Summary, misp, read, shipped_warnings};
use chatward_message::UnixMillis;

use super::Dice;

static WARNINGS: LazyLock<WarningLists> = LazyLock::new(shipped_warnings);

/// Bytes that come a few at a time.
struct Drip<'a> {
    bytes: &'a [u8],
    dice: Dice,
}

impl Read for Drip<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let many = (1 + self.dice.throw(7)).min(self.bytes.len()).min(to.len());
        let (now, later) = self.bytes.split_at(many);
        to[..many].copy_from_slice(now);
        self.bytes = later;
        Ok(many)
    }
}

fn options() -> Options {
    let limits = Limits { bytes: 1 << 20, entries: 2000, line: 512, entry: 64 * 1024, ..Limits::default() };
    Options { limits, ..Options::default() }
}

/// What a feed comes to, in words.
fn took(form: Form, from: &mut dyn Read) -> Result<(Summary, Vec<String>), FormFault> {
    let mut words = Vec::new();
    let mut batch = Batch::whole(Key::new([9; 16]), Source::default(), &WARNINGS);
    let summary = read(form, from, &options(), &mut |item| match item {
        Item::Indicator(indicator) => {
            let text = indicator.value.to_string();
            // What is handed out is in its one form, and nothing protected gets past the lists.
            assert_eq!(Value::guess(&text).as_ref(), Ok(&indicator.value), "{text}");
            if batch.add(&indicator).is_ok() {
                assert_eq!(WARNINGS.judge(&indicator.value), Ok(()));
            }
            words.push(text);
        }
        Item::Withdrawn(value) => words.push(format!("- {value}")),
        Item::Pattern(pattern) => {
            let facts = [Fact::new(Property::Url, "http://evil.example/login")];
            let seen = Observation { at: UnixMillis(0), facts: &facts };
            words.push(format!("pattern {}", pattern.matches(&[seen, seen])));
        }
        Item::Advisory(advisory) => words.push(format!("{advisory:?}")),
    })?;
    assert!(summary.faults.len() <= options().limits.faults);
    IndicatorSet::empty(Key::new([9; 16])).merged(batch);
    Ok((summary, words))
}

fn same_however_it_comes(form: Form, bytes: &[u8]) {
    let whole = took(form, &mut &*bytes);
    let pieces = took(form, &mut Drip { bytes, dice: Dice::of(bytes) });
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces),
        (Err(whole), Err(pieces)) => assert_eq!(whole.to_string(), pieces.to_string()),
        (whole, pieces) => unreachable!("{whole:?} and {pieces:?}"),
    }
}

/// STIX: bundles and envelopes; a text that is no JSON is also read as a pattern.
pub fn intel_stix(bytes: &[u8]) {
    same_however_it_comes(Form::Stix, bytes);
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(parsed) = parse(text)
    {
        let _ = parsed.exact();
        let facts = [Fact::new(Property::Domain, "evil.example"), Fact::new(Property::Ipv4, "198.51.100.7")];
        let seen: Vec<Observation<'_>> =
            (0..70).map(|n| Observation { at: UnixMillis(n * 500), facts: &facts }).collect();
        let _ = parsed.compile(Record::default()).map(|pattern| pattern.matches(&seen));
    }
}

/// MISP: events, answers, manifests, lists of hashes; and CSAF, which is walked through alike.
pub fn intel_misp(bytes: &[u8]) {
    same_however_it_comes(Form::Misp, bytes);
    same_however_it_comes(Form::Csaf, bytes);
    if let Ok(events) = misp::manifest(&mut &*bytes, &options().limits) {
        // A name of an event becomes a name of a file.
        assert!(events.iter().all(|e| e.uuid.len() == 36 && !e.uuid.contains(['/', '.', '\\'])));
    }
    let _ = misp::hashes(&mut &*bytes, &[], &options().limits);
}

/// Feeds of lines, and files of sets.
pub fn intel_lines(bytes: &[u8]) {
    for form in [Form::Lines, Form::Hosts, Form::Adblock, Form::AbuseCsv] {
        same_however_it_comes(form, bytes);
    }
    match IndicatorSet::read(&mut &*bytes, Key::new([9; 16])) {
        Ok(set) => {
            let mut again = Vec::new();
            set.write(&mut again).unwrap();
            assert_eq!(again, bytes);
        }
        Err(FileFault::Io(error)) => unreachable!("{error}"),
        Err(_) => {}
    }
}

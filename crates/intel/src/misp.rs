//! MISP: events, answers of its search, and the manifest and hashes of a feed.

use std::io::Read;

use chatward_detect::indicator::{Record, Tlp, Value, ValueFault};
use chatward_message::Threat;
use serde::Deserialize;

use crate::fault::{FormFault, Limits, Skipped, What};
use crate::feed::{self, Taker};
use crate::json::{Begins, Walk};
use crate::loose::{Few, Loose};
use crate::source::Source;
use crate::stix::threat;

/// So long entries of a manifest and of a list of hashes may be, in bytes.
const LONGEST_ENTRY: usize = 256 * 1024;

#[derive(Deserialize)]
struct Attribute<'a> {
    #[serde(borrow, default, rename = "type")]
    sort: Loose<'a>,
    #[serde(borrow, default)]
    value: Loose<'a>,
    #[serde(borrow, default)]
    category: Loose<'a>,
    #[serde(borrow, default)]
    to_ids: Loose<'a>,
    #[serde(borrow, default)]
    deleted: Loose<'a>,
    #[serde(borrow, default, rename = "Tag")]
    tags: Few<Tag<'a>>,
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow, default)]
    name: Loose<'a>,
}

/// What an event says of all its attributes.
#[derive(Debug, Clone, Copy, Default)]
struct Of {
    tlp: Tlp,
    threat: Option<Threat>,
    confidence: Option<u8>,
}

impl Of {
    fn tags(&mut self, tags: &[Tag<'_>]) {
        for tag in tags.iter().filter_map(|tag| tag.name.text()) {
            let lower = tag.to_ascii_lowercase();
            if lower.starts_with("tlp:") {
                // A colour that is unknown may say anything.
                self.tlp = self.tlp.max(Tlp::read(&lower).unwrap_or(Tlp::AmberStrict));
            } else if let Some(level) = lower.strip_prefix("misp:confidence-level=") {
                self.confidence = confidence(level.trim_matches('"')).or(self.confidence);
            } else {
                self.threat = self.threat.or_else(|| threat(&lower));
            }
        }
    }
}

/// The levels of MISP's taxonomy as numbers, as the taxonomy itself has them.
fn confidence(level: &str) -> Option<u8> {
    Some(match level {
        "completely-confident" => 100,
        "usually-confident" => 75,
        "fairly-confident" => 50,
        "rarely-confident" => 25,
        "unconfident" => 0,
        _ => return None,
    })
}

pub(crate) fn read(from: &mut dyn Read, taker: &mut Taker<'_>) -> Result<(), FormFault> {
    let limits = taker.limits();
    let mut walk = Walk::new(from, limits.bytes, limits.depth)?;
    let mut reader = Reader { raw: Vec::new(), found: false, waiting: Vec::new() };
    reader.any(&mut walk, taker, Of::default())?;
    walk.end()?;
    reader.hand_out(taker);
    taker.summary.bytes = walk.at();
    if reader.found { Ok(()) } else { Err(FormFault::Form("it has neither events nor attributes")) }
}

struct Reader {
    raw: Vec<u8>,
    found: bool,
    /// Attributes whose event may still be marked by tags that stand behind them, and whether they are deleted.
    waiting: Vec<(Value, Record, bool)>,
}

/// So many attributes wait for the tags of their event.
const WAITING: usize = 100_000;

impl Reader {
    /// An event, a list of them, an answer, an object of an event: what attributes stand in.
    fn any<R: Read>(&mut self, walk: &mut Walk<R>, taker: &mut Taker<'_>, of: Of) -> Result<(), FormFault> {
        match walk.begins()? {
            Begins::Array => walk.array(&mut |walk| self.any(walk, taker, of)),
            Begins::Object => self.inside(walk, taker, of),
            Begins::Other => walk.skip(),
        }
    }

    fn inside<R: Read>(
        &mut self,
        walk: &mut Walk<R>,
        taker: &mut Taker<'_>,
        mut of: Of,
    ) -> Result<(), FormFault> {
        let start = self.waiting.len();
        walk.object(&mut |walk, key| match key {
            "response" => self.any(walk, taker, of),
            "Event" | "Object" => {
                self.found |= key == "Event";
                self.any(walk, taker, of)
            }
            "Attribute" => {
                self.found = true;
                if walk.begins()? != Begins::Array {
                    return Err(FormFault::Form("Attribute is a list"));
                }
                walk.array(&mut |walk| self.entry(walk, taker, of))
            }
            "Tag" => {
                if walk.raw(&mut self.raw, LONGEST_ENTRY)? {
                    let tags: Few<Tag<'_>> = serde_json::from_slice(&self.raw).unwrap_or_default();
                    of.tags(&tags.0);
                }
                Ok(())
            }
            "info" => {
                if walk.raw(&mut self.raw, LONGEST_ENTRY)? {
                    let info: Loose<'_> = serde_json::from_slice(&self.raw).unwrap_or_default();
                    of.threat = of.threat.or_else(|| info.text().and_then(threat));
                }
                Ok(())
            }
            _ => walk.skip(),
        })?;
        for (_, record, _) in self.waiting.iter_mut().skip(start) {
            record.tlp = record.tlp.max(of.tlp);
            record.confidence = record.confidence.or(of.confidence);
            record.threat = record.threat.or(of.threat);
        }
        Ok(())
    }

    fn hand_out(&mut self, taker: &mut Taker<'_>) {
        for (value, record, deleted) in self.waiting.drain(..) {
            if deleted {
                taker.withdrawn(value);
            } else {
                taker.indicator(value, record);
            }
        }
    }

    fn entry<R: Read>(&mut self, walk: &mut Walk<R>, taker: &mut Taker<'_>, of: Of) -> Result<(), FormFault> {
        taker.entry()?;
        let at = walk.at();
        if !walk.raw(&mut self.raw, taker.limits().entry)? {
            taker.fault(at, What::Long);
        } else if let Ok(attribute) = serde_json::from_slice::<Attribute<'_>>(&self.raw) {
            if let Err(what) = take(&attribute, taker, of, &mut self.waiting) {
                taker.fault(at, what);
            }
        } else {
            taker.fault(at, What::Object);
        }
        if self.waiting.len() >= WAITING {
            self.hand_out(taker);
        }
        Ok(())
    }
}

fn take(
    attribute: &Attribute<'_>,
    taker: &mut Taker<'_>,
    mut of: Of,
    waiting: &mut Vec<(Value, Record, bool)>,
) -> Result<(), What> {
    let flag = |field: &Loose<'_>, name, missing| match field {
        Loose::Missing => Ok(missing),
        field => field.flag().ok_or(What::Field(name)),
    };
    let sort = attribute.sort.text().ok_or(What::Field("type"))?;
    let deleted = flag(&attribute.deleted, "deleted", false)?;
    if !flag(&attribute.to_ids, "to_ids", true)? && !deleted {
        taker.skip(Skipped::NotForDetection);
        return Ok(());
    }
    let Some(read) = Reading::of(sort) else {
        taker.skip(Skipped::OtherType);
        return Ok(());
    };
    let values = read.values(attribute.value.text().ok_or(What::Field("value"))?)?;
    of.tags(&attribute.tags.0);
    let by_category = attribute.category.text().and_then(threat);
    let record = Record {
        confidence: of.confidence,
        tlp: of.tlp,
        threat: of.threat.or(by_category),
        ..Record::default()
    };
    waiting.extend(values.into_iter().flatten().map(|value| (value, record, deleted)));
    Ok(())
}

type Read1 = fn(&str) -> Result<Value, ValueFault>;

/// How the value of a type is read: one thing, or two with a `|` between them of which one or both count.
#[derive(Clone, Copy)]
enum Reading {
    One(Read1),
    First(Read1),
    Last(Read1),
    Both(Read1, Read1),
}

impl Reading {
    fn of(sort: &str) -> Option<Self> {
        Some(match sort {
            "domain" | "hostname" => Self::One(Value::domain),
            "url" | "uri" | "link" => Self::One(feed::url),
            "ip-src" | "ip-dst" => Self::One(Value::network),
            "ip-src|port" | "ip-dst|port" => Self::First(Value::network),
            "hostname|port" => Self::First(Value::domain),
            "domain|ip" => Self::Both(Value::domain, Value::network),
            "md5" | "sha1" | "sha256" => Self::One(Value::file),
            "filename|md5" | "filename|sha1" | "filename|sha256" | "malware-sample" => {
                Self::Last(Value::file)
            }
            "email" | "email-src" | "email-dst" | "email-reply-to" => Self::One(Value::email),
            _ => return None,
        })
    }

    fn values(self, text: &str) -> Result<[Option<Value>; 2], What> {
        let two = |last: bool| {
            let split = if last { text.rsplit_once('|') } else { text.split_once('|') };
            split.ok_or(What::Field("value"))
        };
        Ok(match self {
            Self::One(read) => [Some(read(text)?), None],
            Self::First(read) => [Some(read(two(false)?.0)?), None],
            Self::Last(read) => [Some(read(two(true)?.1)?), None],
            Self::Both(first, last) => {
                let (left, right) = two(false)?;
                [Some(first(left)?), Some(last(right)?)]
            }
        })
    }
}

/// An event that a manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its UUID in small letters: the name of its file, `UUID.json`.
    pub uuid: Box<str>,
    /// When it was changed, in Unix seconds; 0 if the manifest does not say.
    pub timestamp: u64,
}

/// Reads `manifest.json` of a MISP feed: the events that there are. Entries whose name is no UUID are left out, for names
/// of files are made of them.
///
/// # Errors
/// [`FormFault`] as [`crate::read`] has it.
pub fn manifest(from: &mut dyn Read, limits: &Limits) -> Result<Vec<Named>, FormFault> {
    #[derive(Deserialize)]
    struct Entry<'a> {
        #[serde(borrow, default)]
        timestamp: Loose<'a>,
    }
    let mut walk = Walk::new(from, limits.bytes, limits.depth)?;
    let (mut events, mut raw) = (Vec::new(), Vec::new());
    walk.object(&mut |walk, key| {
        if events.len() as u64 >= limits.entries {
            return Err(FormFault::Entries(limits.entries));
        }
        let fits = walk.raw(&mut raw, LONGEST_ENTRY)?;
        let (Some(uuid), true) = (uuid(key), fits) else { return Ok(()) };
        let timestamp =
            serde_json::from_slice::<Entry<'_>>(&raw).ok().and_then(|entry| match entry.timestamp {
                Loose::Text(text) => text.parse().ok(),
                Loose::Number(n) => Some(n as u64),
                _ => None,
            });
        events.push(Named { uuid, timestamp: timestamp.unwrap_or(0) });
        Ok(())
    })?;
    walk.end()?;
    Ok(events)
}

/// Reads `hashes.csv` of a MISP feed: for each line the MD5 of a value and the event it stands in. Gives how many lines name
/// an event of this list, and how many are malformed.
///
/// # Errors
/// [`FormFault`] as [`crate::read`] has it.
pub fn hashes(from: &mut dyn Read, events: &[Named], limits: &Limits) -> Result<(u64, u64), FormFault> {
    let known: std::collections::HashSet<&str> = events.iter().map(|event| &*event.uuid).collect();
    let mut source = Source::new(from, limits.bytes);
    let (mut line, mut named, mut malformed, mut lines) = (Vec::new(), 0, 0, 0);
    while let Some(whole) = source.line(&mut line, limits.line)? {
        lines += 1;
        if lines > limits.entries {
            return Err(FormFault::Entries(limits.entries));
        }
        let text = std::str::from_utf8(&line).ok().filter(|_| whole).map(str::trim);
        let read = text.and_then(|text| {
            let (hash, event) = text.split_once(',')?;
            Value::file(hash).ok()?;
            uuid(event)
        });
        match read {
            Some(event) => named += u64::from(known.contains(&*event)),
            None => malformed += u64::from(text != Some("")),
        }
    }
    Ok((named, malformed))
}

/// A UUID in its usual form, in small letters.
fn uuid(text: &str) -> Option<Box<str>> {
    let fits = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    (text.len() == 36 && text.bytes().enumerate().all(fits)).then(|| text.to_ascii_lowercase().into())
}

//! STIX 2.1 bundles and TAXII 2.1 envelopes.

use std::collections::HashMap;
use std::io::Read;

use chatward_detect::indicator::{Record, Tlp};
use chatward_message::Threat;
use serde::Deserialize;

use crate::fault::{FormFault, Skipped, What};
use crate::feed::Taker;
use crate::json::{Begins, Walk};
use crate::loose::{Few, Loose};
use crate::pattern;

/// The markings that the standard itself defines: TLP 1.0 in its text, TLP 2.0 by an extension of FIRST.
const MARKINGS: &[(&str, Tlp)] = &[
    ("marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9", Tlp::Clear),
    ("marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da", Tlp::Green),
    ("marking-definition--f88d31f6-486f-44da-b317-01333bde0b82", Tlp::Amber),
    ("marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed", Tlp::Red),
    ("marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487", Tlp::Clear),
    ("marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb", Tlp::Green),
    ("marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421", Tlp::Amber),
    ("marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003", Tlp::AmberStrict),
    ("marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1", Tlp::Red),
];
/// So many markings of a feed's own are remembered.
const OWN_MARKINGS: usize = 1000;
/// The longest name of a next page.
const LONGEST_NEXT: usize = 1024;

/// The id of the marking for this TLP; nothing if nobody said.
pub(crate) fn marking(tlp: Tlp) -> Option<&'static str> {
    // The last are those of TLP 2.0.
    MARKINGS.iter().rev().find(|(_, t)| *t == tlp).map(|(id, _)| *id)
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow, default, rename = "type")]
    sort: Loose<'a>,
    #[serde(borrow, default)]
    id: Loose<'a>,
    #[serde(borrow, default)]
    pattern: Loose<'a>,
    #[serde(borrow, default)]
    pattern_type: Loose<'a>,
    #[serde(borrow, default)]
    valid_from: Loose<'a>,
    #[serde(borrow, default)]
    valid_until: Loose<'a>,
    #[serde(borrow, default)]
    revoked: Loose<'a>,
    #[serde(borrow, default)]
    confidence: Loose<'a>,
    #[serde(borrow, default)]
    name: Loose<'a>,
    #[serde(borrow, default)]
    indicator_types: Few<Loose<'a>>,
    #[serde(borrow, default)]
    labels: Few<Loose<'a>>,
    #[serde(borrow, default)]
    object_marking_refs: Few<Loose<'a>>,
    #[serde(borrow, default)]
    definition: Option<Definition<'a>>,
}

#[derive(Deserialize)]
struct Definition<'a> {
    #[serde(borrow, default)]
    tlp: Loose<'a>,
}

pub(crate) fn read(from: &mut dyn Read, taker: &mut Taker<'_>) -> Result<(), FormFault> {
    let limits = taker.limits();
    let mut walk = Walk::new(from, limits.bytes, limits.depth)?;
    if walk.begins()? != Begins::Object {
        return Err(FormFault::Form("a bundle or an envelope is an object"));
    }
    let mut reader = Reader { markings: HashMap::new(), raw: Vec::new() };
    let mut known = true;
    walk.object(&mut |walk, key| match key {
        "objects" => {
            if walk.begins()? != Begins::Array {
                return Err(FormFault::Form("objects is a list"));
            }
            walk.array(&mut |walk| reader.entry(walk, taker))
        }
        "type" | "more" | "next" => {
            let fits = walk.raw(&mut reader.raw, LONGEST_NEXT + 2)?;
            let value: Loose<'_> =
                if fits { serde_json::from_slice(&reader.raw).unwrap_or_default() } else { Loose::Odd };
            match key {
                "type" if value.text() != Some("bundle") => {
                    return Err(FormFault::Form("type is not bundle"));
                }
                "more" => taker.summary.more = value.flag().unwrap_or(false),
                "next" => taker.summary.next = value.text().map(Into::into),
                _ => {}
            }
            Ok(())
        }
        other => {
            known &= matches!(other, "id" | "spec_version");
            walk.skip()
        }
    })?;
    walk.end()?;
    taker.summary.bytes = walk.at();
    if taker.summary.entries == 0 && !known {
        return Err(FormFault::Form("it has no objects"));
    }
    Ok(())
}

struct Reader {
    /// Markings that the feed defines itself.
    markings: HashMap<Box<str>, Tlp>,
    raw: Vec<u8>,
}

impl Reader {
    fn entry<R: Read>(&mut self, walk: &mut Walk<R>, taker: &mut Taker<'_>) -> Result<(), FormFault> {
        taker.entry()?;
        let at = walk.at();
        let mut raw = std::mem::take(&mut self.raw);
        if !walk.raw(&mut raw, taker.limits().entry)? {
            taker.fault(at, What::Long);
        } else if let Ok(object) = serde_json::from_slice::<Object<'_>>(&raw) {
            if let Err(what) = self.object(&object, taker) {
                taker.fault(at, what);
            }
        } else {
            taker.fault(at, What::Object);
        }
        self.raw = raw;
        Ok(())
    }

    fn object(&mut self, object: &Object<'_>, taker: &mut Taker<'_>) -> Result<(), What> {
        match object.sort.text() {
            None => Err(What::Field("type")),
            Some("indicator") => self.indicator(object, taker),
            Some("marking-definition") => {
                let tlp = object.definition.as_ref().and_then(|d| d.tlp.text()).or(object.name.text());
                if let (Some(id), Some(tlp)) = (object.id.text(), tlp.and_then(Tlp::read))
                    && self.markings.len() < OWN_MARKINGS
                {
                    self.markings.insert(id.into(), tlp);
                }
                taker.skip(Skipped::Context);
                Ok(())
            }
            Some(_) => {
                taker.skip(Skipped::Context);
                Ok(())
            }
        }
    }

    fn indicator(&self, object: &Object<'_>, taker: &mut Taker<'_>) -> Result<(), What> {
        // STIX 2.0 knows one language only, and does not name it.
        if object.pattern_type != Loose::Missing && object.pattern_type.text() != Some("stix") {
            taker.skip(Skipped::OtherLanguage);
            return Ok(());
        }
        let text = object.pattern.text().ok_or(What::Field("pattern"))?;
        let record = self.record(object)?;
        let parsed = pattern::parse(text)?;
        let exact = parsed.exact()?;
        let revoked = match &object.revoked {
            Loose::Missing => false,
            other => other.flag().ok_or(What::Field("revoked"))?,
        };
        if revoked {
            exact.values.into_iter().for_each(|value| taker.withdrawn(value));
            return Ok(());
        }
        let some = !exact.values.is_empty();
        for value in exact.values {
            taker.indicator(value, record);
        }
        if exact.rest {
            match parsed.compile(record) {
                Some(pattern) => taker.pattern(pattern),
                None if some => {}
                None => taker.skip(Skipped::NotEnforced),
            }
        }
        Ok(())
    }

    fn record(&self, object: &Object<'_>) -> Result<Record, What> {
        let from = object.valid_from.time().map_err(|()| What::Field("valid_from"))?;
        // An end before the start, which the standard forbids, is an indicator that never counts.
        let until = object.valid_until.time().map_err(|()| What::Field("valid_until"))?;
        let confidence = match object.confidence {
            Loose::Missing => None,
            Loose::Number(n) if (0.0..=100.0).contains(&n) => Some(n as u8),
            _ => return Err(What::Field("confidence")),
        };
        let refs = object.object_marking_refs.0.iter().filter_map(Loose::text);
        let tlp = refs.map(|id| self.tlp(id)).max().unwrap_or_default();
        let words = object.indicator_types.0.iter().chain(&object.labels.0).chain([&object.name]);
        let threat = words.filter_map(Loose::text).find_map(threat);
        Ok(Record { from, until, confidence, tlp, threat })
    }

    /// A marking that nobody defined may say anything: kept within the house.
    fn tlp(&self, id: &str) -> Tlp {
        let defined = MARKINGS.iter().find(|(known, _)| *known == id).map(|(_, tlp)| *tlp);
        defined.or_else(|| self.markings.get(id).copied()).unwrap_or(Tlp::AmberStrict)
    }
}

/// What a word of a feed says of the threat, if it says so.
pub(crate) fn threat(word: &str) -> Option<Threat> {
    let word = word.to_ascii_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| word.contains(part));
    if says(&["phish", "smish"]) {
        Some(Threat::Phishing)
    } else if says(&["malware", "ransom", "trojan", "botnet", "command-and-control", "payload", "exploit"]) {
        Some(Threat::Malware)
    } else if says(&["scam", "fraud"]) {
        Some(Threat::Scam)
    } else {
        None
    }
}

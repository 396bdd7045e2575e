//! Sharing back: own indicators and sightings, as STIX 2.1 and as MISP events.
//!
//! Nothing of a customer can get in by type: what is shared is an indicator that a feed named or that an analyst wrote
//! ([`Shared`]), a number, and times rounded to the hour. Ids are UUIDs of version 5 (RFC 9562) under an id of the house,
//! so that the same thing shared twice is one thing.

use std::collections::BTreeMap;

use chatward_detect::indicator::{FileHash, Indicator, Network, Record, Tlp, Value, ValueFault};
use chatward_message::UnixMillis;
use serde_json::{Value as Json, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::stix::marking;

const HOUR: u64 = 3_600_000;

/// Since when something exists of which nobody noted that: 2020-01-01.
pub const UNKNOWN: UnixMillis = UnixMillis(1_577_836_800_000);

/// Who shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct House {
    /// What its ids are made under: 16 random bytes, kept.
    pub id: [u8; 16],
    /// Its name, as others see it.
    pub name: Box<str>,
}

/// An indicator that may be shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    value: Value,
    record: Record,
    /// Since when it is as it is: times that stay, so that the same thing shared again is the same version of it.
    made: UnixMillis,
    changed: UnixMillis,
    /// How often it was taken back before and made anew: what is revoked is revoked for good, so that the next one has an id of its own.
    generation: u32,
    /// When it was taken back.
    revoked: Option<UnixMillis>,
}

impl Shared {
    /// One that a feed named: for sightings of it. What its marking keeps within the house (TLP amber and above, or none)
    /// is not shared.
    pub fn of_feed(indicator: &Indicator, since: UnixMillis) -> Option<Self> {
        let Indicator { value, record } = indicator;
        let (made, changed, generation, revoked) = (since, hour_of(since), 0, None);
        let shared = || Self { value: value.clone(), record: *record, made, changed, generation, revoked };
        matches!(record.tlp, Tlp::Clear | Tlp::Green).then(shared)
    }

    /// One that an analyst wrote, with the times when it was made and last changed.
    ///
    /// # Errors
    /// If it names nothing that can be looked for.
    pub fn of_analyst(
        text: &str,
        record: Record,
        (made, changed): (UnixMillis, UnixMillis),
    ) -> Result<Self, ValueFault> {
        let (value, changed) = (Value::guess(text)?, hour_of(changed.max(made)));
        Ok(Self { value, record, made, changed, generation: 0, revoked: None })
    }

    /// The same, changed so often: times are of the hour, and each of these is another version.
    #[must_use]
    pub fn revised(self, revision: u32) -> Self {
        let seconds = u64::from(revision).min(HOUR / 1000 - 1);
        Self { changed: UnixMillis(self.changed.0 + seconds * 1000), ..self }
    }

    /// The same for those who may have no stricter marking than this: taken back, if its own is stricter.
    #[must_use]
    pub fn upto(mut self, most: Tlp) -> Self {
        if self.record.tlp > most {
            self.revoked = self.revoked.or(Some(self.changed));
            self.record.tlp = most;
        }
        self
    }

    /// The same, made anew after it was taken back so often.
    #[must_use]
    pub fn of_generation(self, generation: u32) -> Self {
        Self { generation, ..self }
    }

    /// The same, taken back then: what others were given is to count no more (STIX 2.1, 3.2, `revoked`).
    #[must_use]
    pub fn taken_back(self, at: UnixMillis) -> Self {
        Self { revoked: Some(at), ..self }
    }

    /// Whether it was taken back.
    pub const fn is_revoked(&self) -> bool {
        self.revoked.is_some()
    }

    /// When it was taken back, as others see it: times are of the hour, and this is another version all the same.
    fn revocation(&self, at: UnixMillis) -> UnixMillis {
        UnixMillis(hour_of(at).0.max(self.changed.0 + 1000))
    }

    /// What its id is made of.
    fn named(&self) -> String {
        match self.generation {
            0 => self.pattern(),
            n => format!("{} {n}", self.pattern()),
        }
    }

    /// What it names.
    pub const fn value(&self) -> &Value {
        &self.value
    }

    /// With whom it may be shared.
    pub const fn tlp(&self) -> Tlp {
        self.record.tlp
    }

    fn pattern(&self) -> String {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
        match &self.value {
            Value::Domain(name) => format!("[domain-name:value = '{}']", quoted(name)),
            Value::Url(_) => format!("[url:value = '{}']", quoted(&self.value.to_string())),
            Value::Network(network) => pattern_of(*network),
            Value::File(hash) => {
                let name = match hash {
                    FileHash::Md5(_) => "MD5",
                    FileHash::Sha1(_) => "'SHA-1'",
                    FileHash::Sha256(_) => "'SHA-256'",
                };
                format!("[file:hashes.{name} = '{hash}']")
            }
            Value::Email(address) => format!("[email-addr:value = '{}']", quoted(address)),
        }
    }

    const fn misp_type(&self) -> (&'static str, &'static str) {
        match &self.value {
            Value::Domain(_) => ("domain", "Network activity"),
            Value::Url(_) => ("url", "Network activity"),
            Value::Network(_) => ("ip-dst", "Network activity"),
            Value::File(FileHash::Md5(_)) => ("md5", "Payload delivery"),
            Value::File(FileHash::Sha1(_)) => ("sha1", "Payload delivery"),
            Value::File(FileHash::Sha256(_)) => ("sha256", "Payload delivery"),
            Value::Email(_) => ("email-src", "Payload delivery"),
        }
    }
}

fn pattern_of(network: Network) -> String {
    let sort = if network.address().is_ipv4() { "ipv4-addr" } else { "ipv6-addr" };
    let operator = if network.is_one() { "=" } else { "ISSUBSET" };
    format!("[{sort}:value {operator} '{network}']")
}

/// That an indicator was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Which one.
    pub of: Shared,
    /// How often.
    pub count: u32,
    /// The first time.
    pub first: UnixMillis,
    /// The last time.
    pub last: UnixMillis,
}

/// A STIX 2.1 bundle: the house, its indicators, and its sightings with the indicators they are of. `objects` of it is what
/// a TAXII server takes.
pub fn stix(house: &House, indicators: &[Shared], sightings: &[Sighting], now: UnixMillis) -> Json {
    let (identity, mut objects) = (id(house, "identity", "house"), Vec::new());
    objects.push(json!({
        "type": "identity", "spec_version": "2.1", "id": identity, "created": rounded(UNKNOWN), "modified": rounded(UNKNOWN),
        "name": house.name, "identity_class": "organization",
    }));
    // Which object a sighting is of: never one that was taken back.
    let mut live: BTreeMap<String, String> = BTreeMap::new();
    let mut next: BTreeMap<String, u32> = BTreeMap::new();
    for shared in indicators {
        let id = id(house, "indicator", &shared.named());
        objects.push(indicator(shared, id.clone(), &identity));
        if shared.is_revoked() {
            let next = next.entry(shared.pattern()).or_default();
            *next = shared.generation.saturating_add(1).max(*next);
        } else {
            live.insert(shared.pattern(), id);
        }
    }
    for sighting in sightings {
        let pattern = sighting.of.pattern();
        let next = next.get(&pattern).copied().unwrap_or(sighting.of.generation);
        let of = live.entry(pattern).or_insert_with(|| {
            let shared = sighting.of.clone().of_generation(next);
            let id = id(house, "indicator", &shared.named());
            objects.push(indicator(&shared, id.clone(), &identity));
            id
        });
        let (first, last) = (rounded(sighting.first), rounded(sighting.last.max(sighting.first)));
        objects.push(json!({
            "type": "sighting", "spec_version": "2.1", "id": id(house, "sighting", &format!("{of} {first}")),
            "created_by_ref": identity, "created": first, "modified": last,
            "first_seen": first, "last_seen": last, "count": sighting.count.clamp(1, 999_999_999),
            "sighting_of_ref": of, "where_sighted_refs": [identity],
        }));
    }
    json!({ "type": "bundle", "id": id(house, "bundle", &rounded(now)), "objects": objects })
}

fn indicator(shared: &Shared, id: String, identity: &str) -> Json {
    let record = &shared.record;
    let from = record.from.unwrap_or(shared.made);
    let mut object = json!({
        "type": "indicator", "spec_version": "2.1", "id": id, "created_by_ref": identity,
        "created": rounded(shared.made), "modified": written(shared.changed), "indicator_types": ["malicious-activity"],
        "pattern": shared.pattern(), "pattern_type": "stix", "pattern_version": "2.1", "valid_from": rounded(from),
    });
    if let Some(fields) = object.as_object_mut() {
        if let Some(until) = record.until.filter(|until| until.0 / HOUR > from.0 / HOUR) {
            fields.insert("valid_until".into(), rounded(until).into());
        }
        if let Some(confidence) = record.confidence {
            fields.insert("confidence".into(), confidence.into());
        }
        if let Some(marking) = marking(record.tlp) {
            fields.insert("object_marking_refs".into(), json!([marking]));
        }
        if let Some(threat) = record.threat {
            fields.insert("labels".into(), json!([threat.name()]));
        }
        if let Some(at) = shared.revoked {
            fields.insert("revoked".into(), true.into());
            fields.insert("modified".into(), written(shared.revocation(at)).into());
        }
    }
    object
}

/// A MISP event with the house's indicators that count, and with sightings at those that were seen.
pub fn misp(
    house: &House,
    title: &str,
    indicators: &[Shared],
    sightings: &[Sighting],
    now: UnixMillis,
) -> Json {
    let of = indicators.iter().filter(|shared| !shared.is_revoked()).chain(sightings.iter().map(|s| &s.of));
    let strictest = of.clone().map(|shared| shared.record.tlp).max().unwrap_or(Tlp::Green).max(Tlp::Clear);
    let mut all: Vec<&Shared> = Vec::new();
    for shared in of {
        if !all.iter().any(|known| known.value == shared.value) {
            all.push(shared);
        }
    }
    let attributes: Vec<Json> = all
        .into_iter()
        .map(|shared| {
            let mut attribute = attribute(house, shared, hour(now));
            let seen: Vec<Json> = sightings
                .iter()
                .filter(|sighting| sighting.of.value == shared.value)
                .map(|sighting| json!({ "type": "0", "date_sighting": hour(sighting.last), "source": house.name }))
                .collect();
            if let Some(fields) = attribute.as_object_mut() {
                fields.insert("Sighting".into(), seen.into());
            }
            attribute
        })
        .collect();
    let tlp = strictest.name().unwrap_or("green");
    json!({ "Event": {
        "uuid": uuid(house, &format!("event {title} {}", rounded(now))), "info": title,
        "date": rounded(now).get(..10).unwrap_or_default(), "timestamp": hour(now), "threat_level_id": "2", "analysis": "2",
        "published": false, "Orgc": { "name": house.name, "uuid": uuid(house, "house") },
        "Tag": [{ "name": format!("tlp:{tlp}") }], "Attribute": attributes,
    } })
}

/// An indicator as an attribute of a MISP event: deleted if it was taken back.
fn attribute(house: &House, shared: &Shared, timestamp: String) -> Json {
    let (sort, category) = shared.misp_type();
    json!({
        "uuid": uuid(house, &format!("attribute {}", shared.named())), "type": sort, "category": category,
        "value": shared.value.to_string(), "to_ids": true, "deleted": shared.is_revoked(), "comment": "",
        "timestamp": timestamp, "disable_correlation": false,
    })
}

/// The house's indicators as attributes of its event ([`misp_event`]), each with its marking, and with the time since when it is as it is.
/// What is deleted comes first: a server takes no second attribute of one value.
pub fn misp_attributes(house: &House, indicators: &[Shared]) -> Vec<Json> {
    let marked = |shared: &Shared| {
        // What somebody changed there since would count more than the hour.
        let at = shared.revoked.map_or(shared.changed, |at| at.max(shared.revocation(at)));
        let mut attribute = attribute(house, shared, (at.0 / 1000).to_string());
        if let (Some(fields), Some(tlp)) = (attribute.as_object_mut(), shared.record.tlp.name()) {
            fields.insert("Tag".into(), json!([{ "name": format!("tlp:{tlp}") }]));
        }
        attribute
    };
    let (gone, live): (Vec<&Shared>, Vec<&Shared>) =
        indicators.iter().partition(|shared| shared.is_revoked());
    gone.into_iter().chain(live).map(marked).collect()
}

/// The event of a house at a MISP server: one for all time, to which attributes are added, or in which they are changed. What is not among
/// these stays there as it is. The server says when that was.
pub fn misp_event(house: &House, attributes: Vec<Json>) -> Json {
    json!({ "Event": {
        "uuid": uuid(house, "event of the house"), "info": format!("Indicators of {}", house.name), "threat_level_id": "2",
        "analysis": "2", "Attribute": attributes,
    } })
}

/// What a MISP server takes at `sightings/add`: counts for each attribute with this value.
pub fn misp_sighting(sighting: &Sighting) -> Json {
    json!({ "values": [sighting.of.value.to_string()], "timestamp": hour(sighting.last), "type": "0" })
}

fn id(house: &House, sort: &str, of: &str) -> String {
    format!("{sort}--{}", uuid(house, &format!("{sort} {of}")))
}

fn uuid(house: &House, of: &str) -> String {
    Uuid::new_v5(&Uuid::from_bytes(house.id), of.as_bytes()).to_string()
}

const fn hour_of(at: UnixMillis) -> UnixMillis {
    UnixMillis(at.0 / HOUR * HOUR)
}

/// The hour, in Unix seconds, as MISP writes times.
fn hour(at: UnixMillis) -> String {
    (hour_of(at).0 / 1000).to_string()
}

/// The hour, as STIX writes times.
fn rounded(at: UnixMillis) -> String {
    written(hour_of(at))
}

/// The second, as STIX writes times.
fn written(at: UnixMillis) -> String {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(0);
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    // A time of whole seconds can always be written.
    at.format(&Rfc3339).unwrap_or_default().replace('Z', ".000Z")
}

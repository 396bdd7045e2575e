//! Plays benign conversations of several turns and counts incidents, and measures the time a message takes.
//!
//! `cargo run --profile proof -p chatward-detect --example behaviour -- FILE.jsonl…` with rows
//! `{"id","text"[,"role"]}`, where the conversation is the id up to its last `-` or `:`; a role `assistant` or `agent` is the
//! bot. Values are what the recognisers of the house find. All conversations come from one account and network each.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a measurement, for people")]

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use chatward_detect::behaviour::{
    Behaviour, Facts, Limits, Observation, Patterns, Reader, Seen, Sketch, ValueKind, references,
};
use chatward_detect::{Context, Detector};
use chatward_message::{Channel, UnixMillis};
use serde::Deserialize;

#[derive(Deserialize)]
struct Row {
    id: String,
    text: String,
    role: Option<String>,
}

struct Message {
    channel: Channel,
    text: String,
    values: Vec<Seen>,
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

fn values(detector: &Detector, text: &str, before: Option<&str>) -> Vec<Seen> {
    let context = Context { previous: before, ..Context::default() };
    let found = detector.find(text, context);
    let mut values: Vec<Seen> = found
        .iter()
        .filter_map(|finding| {
            let kind = ValueKind::of(&finding.rule.entity, finding.rule.kind.as_str())?;
            Some(Seen { kind, key: hash(&finding.span.of(text)?.to_lowercase()) })
        })
        .collect();
    let free = references(text).filter(|span| found.iter().all(|finding| !finding.span.overlaps(*span)));
    values.extend(
        free.filter_map(|span| {
            Some(Seen { kind: ValueKind::Order, key: hash(&span.of(text)?.to_lowercase()) })
        }),
    );
    values
}

fn conversations(path: &str, detector: &Detector) -> BTreeMap<String, Vec<Message>> {
    let mut all: BTreeMap<String, Vec<Message>> = BTreeMap::new();
    let text = std::fs::read_to_string(path).expect("a readable file");
    for line in text.lines() {
        let row: Row = serde_json::from_str(line).expect("a row of JSON");
        let end = row.id.rfind(['-', ':']).unwrap_or(row.id.len());
        let conversation = all.entry(row.id.get(..end).unwrap_or_default().to_owned()).or_default();
        let bot = matches!(row.role.as_deref(), Some("assistant" | "agent"));
        let before = conversation.last().map(|message| message.text.clone());
        let values = values(detector, &row.text, before.as_deref());
        let channel = if bot { Channel::Bot } else { Channel::Customer };
        conversation.push(Message { channel, text: row.text, values });
    }
    all
}

fn main() {
    let detector = Detector::builtin().expect("rules");
    let (reader, patterns) = (Reader::builtin().expect("phrases"), Patterns::builtin().expect("patterns"));
    for path in std::env::args().skip(1) {
        let all = conversations(&path, &detector);
        let mut behaviour = Behaviour::new(patterns.clone(), Limits::default());
        let (mut incidents, mut signals) = (HashMap::<String, usize>::new(), HashMap::<&str, usize>::new());
        let (mut with, mut messages, mut bytes) = (0, 0, 0);
        let began = Instant::now();
        for (number, (id, conversation)) in all.iter().enumerate() {
            let mut raised = false;
            for (turn, message) in conversation.iter().enumerate() {
                let said = reader.read(&message.text, message.channel);
                for signal in said.signals.iter() {
                    *signals.entry(signal.name()).or_default() += 1;
                }
                let key = hash(id);
                let found = behaviour.observe(&Observation {
                    at: UnixMillis(1_790_000_000_000 + number as u64 * 60_000 + turn as u64 * 20_000),
                    conversation: Some(key),
                    account: Some(key ^ 1),
                    network: Some(key ^ 2),
                    channel: message.channel,
                    facts: Facts {
                        signals: said.signals,
                        persona: said.persona,
                        values: &message.values,
                        sketch: Some(Sketch::of(&message.text, 42)),
                        length: u32::try_from(message.text.len()).unwrap_or(u32::MAX),
                        ..Facts::default()
                    },
                });
                messages += 1;
                bytes += message.text.len();
                for incident in found {
                    raised = true;
                    let name = format!("{} ({})", incident.info.id, incident.scope.name());
                    *incidents.entry(name).or_default() += 1;
                    println!("  {id} at {turn}: {} {:?}", incident.info.id, incident.evidence.counts);
                }
            }
            with += usize::from(raised);
        }
        let each = began.elapsed().as_secs_f64() * 1e6 / f64::from(messages).max(1.0);
        let rate = 1000.0 * f64::from(u32::try_from(with).unwrap_or(u32::MAX)) / all.len().max(1) as f64;
        println!(
            "{path}: {} conversations, {messages} messages of {} bytes on average",
            all.len(),
            bytes / messages.max(1) as usize
        );
        println!("  with an incident: {with} ({rate:.2} in 1,000) {incidents:?}");
        println!(
            "  {each:.2} µs a message; tables {} of at most {} bytes",
            behaviour.memory(),
            behaviour.bound()
        );
        println!("  signals: {signals:?}");
    }
}

//! What was taken for an attack in a time, and whom stricter rows of `[[threats.responses]]` would have concerned.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use chatward_message::UnixMillis;
use chatward_policy::numbers::coarse::moment;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Page, Record, RecordError};
use crate::dpv;
use crate::turn::Gate;

/// Scores from which a row might count, in hundredths.
const MARKS: [u8; 5] = [50, 80, 90, 95, 99];

#[derive(Deserialize)]
struct Event {
    action: Box<str>,
    turn: Option<Box<str>>,
    #[serde(default)]
    threats: Vec<Recognised>,
}

#[derive(Deserialize)]
struct Recognised {
    threat: Box<str>,
    channel: Box<str>,
    sign: Box<str>,
    score: u8,
    response: Box<str>,
}

/// What there was of one threat in one channel.
#[derive(Default)]
struct Seen {
    /// The turns, each with its highest score.
    turns: BTreeMap<Box<str>, u8>,
    signs: BTreeMap<Box<str>, u64>,
    done: BTreeMap<Box<str>, u64>,
}

#[derive(Default)]
struct Facts {
    turns: u64,
    with: BTreeSet<Box<str>>,
    seen: BTreeMap<(Box<str>, Box<str>), Seen>,
}

/// Makes it.
pub(super) async fn record(gate: &Gate, time: Range<u64>) -> Result<Record, RecordError> {
    let mut facts = Facts::default();
    super::walk(gate, &time, |text| {
        if let Ok(event) = serde_json::from_str::<Event>(text) {
            facts.add(event);
        }
    })
    .await?;
    let now = gate.clock.now();
    Ok(Record { page: facts.page(&time, now), json: facts.json(&time, now) })
}

impl Facts {
    fn add(&mut self, event: Event) {
        self.turns += u64::from(&*event.action == "turn-opened");
        let Some(turn) = event.turn else { return };
        for Recognised { threat, channel, sign, score, response } in event.threats {
            self.with.insert(turn.clone());
            let seen = self.seen.entry((threat, channel)).or_default();
            let highest = seen.turns.entry(turn.clone()).or_default();
            *highest = (*highest).max(score);
            *seen.signs.entry(sign).or_default() += 1;
            *seen.done.entry(response).or_default() += 1;
        }
    }

    fn page(&self, time: &Range<u64>, now: UnixMillis) -> Page {
        let day = |at: u64| moment(UnixMillis(at));
        let told = |counts: &BTreeMap<Box<str>, u64>| {
            let mut all: Vec<(&Box<str>, &u64)> = counts.iter().collect();
            all.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
            all.iter().map(|(name, n)| format!("{name}: {n}")).collect::<Vec<_>>().join(", ")
        };
        let what = |(threat, channel): &(Box<str>, Box<str>)| vec![threat.to_string(), channel.to_string()];
        let reached = self.seen.iter().map(|(of, seen)| {
            let counts = seen.reached().map(|n| n.to_string());
            [what(of), counts.to_vec()].concat()
        });
        let done =
            self.seen.iter().map(|(of, seen)| [what(of), vec![told(&seen.done), told(&seen.signs)]].concat());
        let mut columns = vec!["threat".to_owned(), "channel".to_owned()];
        columns.extend(MARKS.map(|mark| format!("at 0.{mark}")));
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        Page::new("What was taken for attacks")
            .text(format!("From {} to {}, made on {}, from the audit log.", day(time.start), day(time.end), moment(now)))
            .text(format!("{} turns, in {} of which something was noted.", self.turns, self.with.len()))
            .heading("Whom a row would have concerned")
            .text("Turns in which the score was reached: so many a row of [[threats.responses]] with this threat, channel and `at` would have blocked, masked or handed over. Below 0.9 only what a row of yours names is noted.")
            .table(&columns, reached.collect())
            .heading("What was done, and by which sign")
            .table(&["threat", "channel", "done", "signs"], done.collect())
    }

    fn json(&self, time: &Range<u64>, now: UnixMillis) -> Value {
        let day = |at: u64| moment(UnixMillis(at));
        let seen: Vec<Value> = (self.seen.iter())
            .map(|((threat, channel), seen)| {
                let reached: Vec<Value> = (MARKS.iter().zip(seen.reached()))
                    .map(|(mark, n)| json!({ "chatward:at": f64::from(*mark) / 100.0, "chatward:turns": n }))
                    .collect();
                let counted = |counts: &BTreeMap<Box<str>, u64>| -> Vec<Value> {
                    let count = |(name, n)| json!({ "chatward:name": name, "chatward:times": n });
                    counts.iter().map(count).collect()
                };
                json!({
                    "chatward:threat": threat,
                    "chatward:channel": channel,
                    "chatward:reached": reached,
                    "chatward:signs": counted(&seen.signs),
                    "chatward:done": counted(&seen.done),
                })
            })
            .collect();
        json!({
            "@context": dpv::context(),
            "dct:title": "What was taken for attacks",
            "dct:created": moment(now),
            "chatward:from": day(time.start),
            "chatward:before": day(time.end),
            "chatward:turns": self.turns,
            "chatward:turnsWithSomething": self.with.len(),
            "chatward:threats": seen,
        })
    }
}

impl Seen {
    /// In how many turns each mark was reached.
    fn reached(&self) -> [usize; MARKS.len()] {
        MARKS.map(|mark| self.turns.values().filter(|score| **score >= mark).count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: &str = include_str!("../../../../vectors/dpv/terms.tsv");

    #[test]
    fn turns_are_counted_once_by_their_highest_score() {
        let found = |sign: &str, score: u8, response: &str| json!({ "threat": "jailbreak", "channel": "customer", "sign": sign, "view": "plain", "score": score, "response": response });
        let mut facts = Facts::default();
        for event in [
            json!({ "action": "turn-opened", "turn": "a", "threats": [found("model", 96, "observe"), found("rule", 91, "observe")] }),
            json!({ "action": "turn-opened", "turn": "b", "threats": [found("model", 92, "flag")] }),
            json!({ "action": "turn-opened", "turn": "c" }),
            json!({ "action": "turn-closed", "turn": "c", "threats": [
                { "threat": "leak", "channel": "bot", "sign": "leak.canary", "view": "plain", "score": 100, "response": "block" }] }),
            json!({ "action": "access-refused" }),
        ] {
            facts.add(serde_json::from_value(event).unwrap());
        }
        let json = facts.json(&(0..10), UnixMillis(11));
        assert_eq!(dpv::faults(&json, TERMS), Vec::<String>::new());
        assert_eq!((&json["chatward:turns"], &json["chatward:turnsWithSomething"]), (&json!(3), &json!(3)));
        let jailbreaks = &json["chatward:threats"][0];
        let reached: Vec<&Value> = jailbreaks["chatward:reached"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| &row["chatward:turns"])
            .collect();
        assert_eq!(reached, [2, 2, 2, 1, 0]);
        assert_eq!(jailbreaks["chatward:done"][1], json!({"chatward:name": "observe", "chatward:times": 2}));
        let text = facts.page(&(0..10), UnixMillis(11)).to_markdown();
        assert!(text.contains("| jailbreak | customer | 2 | 2 | 2 | 1 | 0 |"), "{text}");
        assert!(text.contains("| leak | bot | block: 1 | leak.canary: 1 |"), "{text}");
    }
}

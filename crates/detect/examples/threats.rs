//! Measures what attacks in texts cost on one core: `cargo run --profile proof -p chatward-detect --example threats -- FILE.jsonl…`
//!
//! The texts of the files, put together to messages of some 300 bytes, go through forms, models, rules and addresses, as in a
//! turn. Prints messages a second of processor time, and how long single ones took.

#![expect(clippy::print_stdout, reason = "figures for whoever runs it")]

use std::hint::black_box;

use chatward_detect::link::{Judge, Settings};
use chatward_detect::threat::rules::ThreatRules;
use chatward_detect::threat::{Reader, Reading};
use chatward_message::Channel;
use rustix::time::{ClockId, clock_gettime};

/// A name, and what is done with each message.
type Work<'a> = (&'a str, &'a dyn Fn(&str));

/// Bytes of a message.
const LENGTH: usize = 300;

/// Nanoseconds this thread spent on a processor.
fn spent() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec));
    seconds.unwrap_or_default() * 1_000_000_000 + nanos.unwrap_or_default()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut messages, mut message) = (Vec::new(), String::new());
    for path in std::env::args().skip(1) {
        for line in std::fs::read_to_string(path)?.lines() {
            let row: serde_json::Value = serde_json::from_str(line)?;
            message.push_str(row.get("text").and_then(serde_json::Value::as_str).unwrap_or_default());
            message.push(' ');
            if message.len() >= LENGTH {
                message.truncate(message.floor_char_boundary(LENGTH));
                messages.push(std::mem::take(&mut message));
            }
        }
    }
    let reader = Reader::new()?;
    let rules = ThreatRules::new(&[], reader.words()).map_err(|faults| format!("{faults:?}"))?;
    let judge = Judge::new(&Settings::default())?;
    let look = |text: &str| {
        let (mut reading, mut signs) = (Reading::default(), Vec::new());
        reader.forms(text, &mut |form| {
            reader.add(form, &mut reading);
            rules.add(form, Channel::Customer, reader.words(), &mut signs);
        });
        let verdict = reader.judge(&reading, Channel::Customer);
        black_box((verdict, signs, judge.text(text, Channel::Customer, &[])));
    };
    let models = |text: &str| {
        black_box(reader.read(text));
    };
    let forms = |text: &str| reader.forms(text, &mut |form| _ = black_box(form));
    let with_rules = |text: &str| {
        let mut signs = Vec::new();
        let see = &mut |form: &_| rules.add(form, Channel::Customer, reader.words(), &mut signs);
        reader.forms(text, see);
        black_box(signs);
    };
    let links = |text: &str| _ = black_box(judge.text(text, Channel::Customer, &[]));
    let works: [Work<'_>; 5] = [
        ("forms", &forms),
        ("forms and models", &models),
        ("forms and rules", &with_rules),
        ("addresses", &links),
        ("all", &look),
    ];
    for (name, work) in works {
        messages.iter().take(1_000).for_each(|message| work(message));
        let begin = spent();
        messages.iter().for_each(|message| work(message));
        let all = spent().saturating_sub(begin).max(1);
        let one = |message: &String| {
            let begin = spent();
            work(message);
            spent().saturating_sub(begin)
        };
        let mut took: Vec<u64> = messages.iter().map(one).collect();
        took.sort_unstable();
        let at = |share: usize| took.get(took.len() * share / 1000).copied().unwrap_or_default() / 1000;
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let rate = messages.len() as f64 * 1e9 / all as f64;
        println!(
            "{name}: {} messages, {rate:.0}/s, median {} µs, p99 {} µs",
            messages.len(),
            at(500),
            at(990)
        );
    }
    Ok(())
}

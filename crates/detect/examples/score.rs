//! Finds values in JSON lines for the scorer: `cargo run --release -p chatward-detect --example score < IN.jsonl > OUT.jsonl`
//!
//! Reads `{"id","text"[,"previous"]}` lines, writes `{"id","spans":[{"start","end","type","score","rule"}]}` with offsets
//! in Unicode code points. `--model FILE` takes another model of names. With `--rules` it checks the built-in rules instead and prints every fault.

use std::io::{BufRead, BufWriter, Write};

use chatward_detect::{Context, Detector, Options, rules_check};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    if std::env::args().any(|a| a == "--rules") {
        for report in rules_check(&Detector::builtin_sources()) {
            for fault in &report.faults {
                writeln!(out, "{fault:?}")?;
            }
        }
        return Ok(());
    }
    let mut args = std::env::args().skip_while(|a| a != "--model").skip(1);
    let detector = match args.next() {
        // It lives as long as the program.
        Some(file) => Detector::compile_with(
            &Detector::builtin_sources(),
            &Options::default(),
            std::fs::read(file)?.leak(),
        )?,
        None => Detector::builtin()?,
    };
    for line in std::io::stdin().lock().lines() {
        let document: Value = serde_json::from_str(&line?)?;
        let text = document["text"].as_str().unwrap_or_default();
        let context = Context { previous: document["previous"].as_str(), ..Context::default() };
        let points = |bytes: usize| text.get(..bytes).map_or(0, |head| head.chars().count());
        let spans: Vec<Value> = detector
            .find(text, context)
            .iter()
            .map(|f| {
                json!({ "start": points(f.span.start), "end": points(f.span.end), "type": &*f.rule.entity,
                        "score": f.score, "rule": &*f.rule.id })
            })
            .collect();
        writeln!(out, "{}", json!({ "id": document["id"], "spans": spans }))?;
    }
    Ok(())
}

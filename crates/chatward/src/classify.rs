//! `chatward classify`: verdicts on texts and addresses in files, one JSON object a line.
//!
//! | in | out |
//! | --- | --- |
//! | `{"id","text"[,"channel"]}` | `{"id","score","label"}` |
//! | `{"id","url"}` | `{"id","score","label"}` |
//!
//! `score` is from 0 to 1, higher is worse: 0.5 is what one in a hundred harmless messages reaches, 0.9 what one in a thousand
//! does. It does not depend on the channel (`customer` or `user`, `document`, `bot`); from which score a text is called by a
//! threat's name does. Lines that cannot be read are reported with their place and left out; the rest is done.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use chatward_detect::threat::{Head, Reader, Verdict};
use chatward_message::Channel;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::{ClassifyArgs, exit};
use crate::feedback::models;

/// A longer line is no message; it is left out.
const LONGEST: u64 = 64 << 20;
/// From this risk a text is called a threat.
const THREAT: f32 = 0.5;
/// Words that explain a verdict.
const REASONS: usize = 5;

#[derive(Debug, Deserialize)]
struct Row {
    id: Value,
    text: Option<String>,
    url: Option<String>,
    channel: Option<String>,
}

/// `chatward classify`: writes a verdict for every line.
///
/// # Errors
/// When the models are damaged or the output cannot be written. Input that cannot be read is reported on stderr and shows in
/// the exit code.
pub fn run(args: &ClassifyArgs) -> anyhow::Result<ExitCode> {
    let (loaded, data) = args.own.loaded()?;
    let reader = models::told(loaded.own_models(), &data)?;
    let mut out: Box<dyn Write> = match &args.output {
        Some(path) => {
            Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?)
        }
        None => Box::new(io::stdout().lock()),
    };
    let mut out = BufWriter::with_capacity(1 << 16, &mut out);
    let inputs = if args.paths.is_empty() { &[PathBuf::from("-")][..] } else { &args.paths };
    let mut faults = 0;
    for path in inputs {
        let mut job = Job { reader: &reader, explain: args.explain, name: path, faults: 0 };
        match job.file(&mut out) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
            Err(e) => return Err(e).context("cannot write the output"),
        }
        faults += job.faults;
    }
    match out.flush() {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(e) => Err(e).context("cannot write the output"),
        Ok(()) if faults > 0 => Ok(ExitCode::from(exit::IO)),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

struct Job<'a> {
    reader: &'a Reader,
    explain: bool,
    name: &'a Path,
    faults: usize,
}

impl Job<'_> {
    #[expect(clippy::print_stderr, reason = "what is left out is told to the person who runs it")]
    fn fault(&mut self, line: usize, what: &dyn std::fmt::Display) {
        self.faults += 1;
        let place = if line == 0 { String::new() } else { format!(":{line}") };
        eprintln!("chatward: {}{place}: {what}", self.name.display());
    }

    /// All lines of a file. What cannot be read is noted; only writing fails.
    fn file(&mut self, out: &mut impl Write) -> io::Result<()> {
        let source: Box<dyn Read> = if self.name.as_os_str() == "-" {
            Box::new(io::stdin().lock())
        } else {
            match File::open(self.name) {
                Ok(file) => Box::new(file),
                Err(e) => {
                    self.fault(0, &e);
                    return Ok(());
                }
            }
        };
        let mut source = BufReader::with_capacity(1 << 16, source);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            match source.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
                Ok(0) => return Ok(()),
                Ok(n) if n as u64 == LONGEST => {
                    self.fault(number, &"longer than 64 MiB; it and the rest of the file are left out");
                    return Ok(());
                }
                Ok(_) if line.trim_ascii().is_empty() => {}
                Ok(_) => self.line(number, &line, out)?,
                Err(e) => {
                    self.fault(number, &e);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn line(&mut self, number: usize, line: &[u8], out: &mut impl Write) -> io::Result<()> {
        let verdict = match serde_json::from_slice::<Row>(line) {
            Ok(row) => self.verdict(&row).map(|verdict| (row.id, verdict)),
            Err(e) => Err(e.to_string()),
        };
        match verdict {
            Ok((id, mut verdict)) => {
                if let Some(verdict) = verdict.as_object_mut() {
                    verdict.insert("id".to_owned(), id);
                }
                serde_json::to_writer(&mut *out, &verdict)?;
                out.write_all(b"\n")
            }
            Err(what) => {
                self.fault(number, &what);
                Ok(())
            }
        }
    }

    fn verdict(&self, row: &Row) -> Result<Value, String> {
        let channel = match row.channel.as_deref() {
            None | Some("customer" | "user") => Channel::Customer,
            Some("document") => Channel::Document,
            Some("bot") => Channel::Bot,
            Some(other) => return Err(format!("no channel is called {other:?}: customer, document or bot")),
        };
        match (&row.text, &row.url) {
            (Some(text), None) => Ok(self.text(text, channel)),
            (None, Some(url)) => address(url),
            _ => Err("a line has either \"text\" or \"url\"".to_owned()),
        }
    }

    fn text(&self, text: &str, channel: Channel) -> Value {
        let reading = self.reader.read(text);
        let common = self.reader.judge(&reading, Channel::Customer);
        let here = self.reader.judge(&reading, channel);
        let mut verdict = json!({ "score": common.risk, "label": label(&here) });
        if self.explain {
            let head = if common.threat.is_prompt_attack() { Head::Prompt } else { Head::People };
            let words: Vec<Value> = self
                .reader
                .reasons(text, head, REASONS)
                .into_iter()
                .map(|r| json!({ "seen": r.seen, "start": r.span.start, "end": r.span.end, "weight": r.weight }))
                .collect();
            verdict["why"] = json!({
                "view": common.view.name(), "start": common.span.start, "end": common.span.end, "words": words,
            });
        }
        verdict
    }
}

/// The threat's name as data sets spell it.
fn label(verdict: &Verdict) -> String {
    if verdict.risk < THREAT {
        return "benign".to_owned();
    }
    verdict.threat.name().replace('-', "_")
}

/// The verdict on an address.
fn address(url: &str) -> Result<Value, String> {
    let model = chatward_detect::link::model::built_in().ok_or("this program has no model of addresses")?;
    let score = model.risk(url);
    Ok(json!({ "score": score, "label": if score >= THREAT { "phishing" } else { "benign" } }))
}

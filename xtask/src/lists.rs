//! `lists`: what a list of millions of phrases costs to load, to keep and to look for.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process::{build_chatward, command, shown};
use crate::server::Scratch;
use crate::{results, tools};

/// What a list of five million lines may take, in MiB over a run without it, and seconds of processor time.
const MOST_MIB: f64 = 200.0;
const MOST_SECONDS: f64 = 10.0;
/// Syllables of invented names.
const SYLLABLES: [&str; 32] = [
    "ba", "ri", "to", "lan", "mi", "ka", "ve", "so", "ner", "du", "pha", "li", "gor", "es", "ni", "wal",
    "tu", "ra", "bel", "jo", "sta", "ker", "fin", "ha", "zu", "mor", "ti", "lo", "den", "ya", "cor", "mak",
];

/// Invented given and family names in no order, `lines` of them, all different.
fn generate(lines: u64, file: &Path) -> Result<()> {
    let mut out =
        BufWriter::new(File::create(file).with_context(|| format!("cannot write {}", file.display()))?);
    for n in 0..lines {
        // A step of full period scatters the numbers, and each number is written differently.
        let mut rest = n.wrapping_mul(0x9E37_79B1) % (1 << 30);
        let mut syllable = || {
            let at = usize::try_from(rest % 32).unwrap_or_default();
            rest /= 32;
            SYLLABLES.get(at).copied().unwrap_or_default()
        };
        let (a, b, c, d, e, f) = (syllable(), syllable(), syllable(), syllable(), syllable(), syllable());
        writeln!(out, "{a}{b}{c} {d}{e}{f}")?;
    }
    Ok(out.flush()?)
}

pub(crate) fn run(millions: u64) -> Result<()> {
    tools::system_package("time", "time")?;
    let program = build_chatward()?;
    let scratch = Scratch::new("lists")?;
    let (list, text) = (scratch.path().join("list.txt"), scratch.path().join("in.txt"));
    generate(millions * 1_000_000, &list)?;
    let bytes = std::fs::metadata(&list)?.len();
    std::fs::write(&text, "hello there, baribari tototo, how are you today\n".repeat(20_000))?;
    let config = scratch.path().join("chatward.toml");
    let mut figures = Vec::new();
    for with in [false, true] {
        let denied = format!(
            "[[detection.denied]]\nkind = \"person_name\"\nfile = {:?}\n",
            list.display().to_string()
        );
        std::fs::write(&config, if with { denied.as_str() } else { "" })?;
        let mut scan = command("time");
        scan.args(["-f", "%U %S %e %M"]).arg(&program).args(["scan", "--quiet", "--jobs", "1", "--config"]);
        scan.arg(&config).arg("--output").arg(scratch.path().join("out.jsonl")).arg(&text);
        let output = scan.output().with_context(|| shown(&scan))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            bail!("{} failed: {said}", shown(&scan));
        }
        let of: Vec<f64> =
            said.lines().next_back().unwrap_or_default().split(' ').filter_map(|n| n.parse().ok()).collect();
        let [user, system, _, kib] = of[..] else { bail!("cannot read the times: {said}") };
        figures.push((user + system, kib / 1024.0));
    }
    let [(before, without), (after, with)] = figures[..] else { bail!("two runs") };
    let (seconds, mib) = (after - before, with - without);
    let report = format!(
        "| phrases | file | processor time | peak memory | wanted |\n| --: | --: | --: | --: | --- |\n\
         | {millions} M | {} MB | {seconds:.1} s | {mib:.0} MiB | ≤ {MOST_SECONDS} s, ≤ {MOST_MIB} MiB for 5 M |\n\n\
         Over the same scan without the list ({before:.1} s, {without:.0} MiB): one megabyte of text, names on, one thread.\n",
        bytes / 1_000_000
    );
    println!("{report}");
    results::write("word-lists", &format!("lists {millions}"), &report)?;
    if millions > 5 || (seconds <= MOST_SECONDS && mib <= MOST_MIB) { Ok(()) } else { bail!("above the bar") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phrases_are_different() {
        let file = std::env::temp_dir().join(format!("chatward-lists-{}", std::process::id()));
        generate(20_000, &file).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let _ = std::fs::remove_file(&file);
        let all: std::collections::BTreeSet<&str> = text.lines().collect();
        assert!(all.len() > 19_900, "{}", all.len());
    }
}

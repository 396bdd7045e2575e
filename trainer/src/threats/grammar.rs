//! Texts made of small grammars (`trainer/threats/*.txt`): `name = one | another`, `$name` stands for one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::chance::Chance;

/// A made-up text and what it is.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) label: String,
    pub(crate) text: String,
}

/// Deepest nesting of names.
const DEPTH: usize = 12;

/// Texts of a grammar, each once: `count` for each unit of weight that its lines give.
pub(crate) fn texts(file: &Path, count: usize, chance: &mut Chance) -> Result<Vec<Made>> {
    let source = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let (mut parts, mut tops) = (BTreeMap::new(), Vec::new());
    for line in source.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let (name, ways) = line.split_once(" =").with_context(|| format!("no ` =` in: {line}"))?;
        let ways: Vec<&str> = ways.split(" |").map(str::trim).collect();
        match name.strip_prefix("> ") {
            Some(top) => {
                let (label, weight) = top.split_once(' ').with_context(|| format!("no weight in: {line}"))?;
                tops.push((label.to_owned(), weight.trim().parse::<usize>()?, ways));
            }
            None => {
                parts.insert(name.trim().to_owned(), ways);
            }
        }
    }
    let mut made = Vec::new();
    for (label, weight, ways) in &tops {
        let mut known = BTreeSet::new();
        for _ in 0..weight * count {
            let way = chance.one(ways).copied().unwrap_or_default();
            let mut text = String::new();
            expand(way, &parts, chance, 0, &mut text)?;
            let text = tidy(&text, chance);
            if !text.is_empty() && known.insert(text.to_lowercase()) {
                made.push(Made { label: label.clone(), text });
            }
        }
    }
    Ok(made)
}

fn expand(
    way: &str,
    parts: &BTreeMap<String, Vec<&str>>,
    chance: &mut Chance,
    depth: usize,
    out: &mut String,
) -> Result<()> {
    if depth > DEPTH {
        bail!("a grammar goes round in circles at: {way}");
    }
    let mut rest = way;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        let (name, left) = after.split_at(end);
        match parts.get(name) {
            Some(ways) => {
                expand(chance.one(ways).copied().unwrap_or_default(), parts, chance, depth + 1, out)?
            }
            // An amount of money.
            None if name.starts_with(|c: char| c.is_ascii_digit()) => {
                out.push('$');
                out.push_str(name);
            }
            None => bail!("nothing is called ${name}"),
        }
        rest = left;
    }
    out.push_str(rest);
    Ok(())
}

/// One blank between words, none before marks; some in lower case, a few in capitals.
fn tidy(text: &str, chance: &mut Chance) -> String {
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for mark in [".", ",", "?", ";"] {
        text = text.replace(&format!(" {mark}"), mark);
    }
    match chance.share() {
        x if x < 0.25 => text.to_lowercase(),
        x if x < 0.29 => text.to_uppercase(),
        _ => text,
    }
}

//! The model of addresses: how likely it is, by how an address is written, that it is an attacker's.
//!
//! What it finds is measured twice: of the same sources by domains it has not seen, and of sources it has not seen at all.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use aws_lc_rs::digest::{SHA256, digest};
use chatward_detect::link::model::Model;
use chatward_detect::link::model::training::{COLUMNS, Head, NUMBERS, Part, Tree, seen, total};

use super::boost::{self, Example};
use super::linear::{self, Lesson, Linear, logistic};
use crate::corpus::unpacked;

const LINEAR: linear::Manner = linear::Manner { bits: 18, passes: 4, rate: 0.25, decay: 1e-5, hidden: 0.3 };
const TREES: boost::Manner =
    boost::Manner { trees: 320, rate: 0.1, calm: 1.0, least: 1.0, rows: 0.7, columns: 0.5 };
/// The linear part is the middle of so many, learnt in different orders.
const LINEARS: u64 = 3;
/// Domains are sorted into so many folds, for measuring.
const FOLDS: u64 = 3;
/// And into at least so many for learning, so that the trees see sums of addresses that the linear part has not seen.
const INNER: usize = 4;

struct Row {
    source: usize,
    attack: bool,
    hashes: Vec<(Part, u32)>,
    numbers: [f32; NUMBERS],
    domain: u64,
    weight: f32,
    /// Made of another row: learnt from, but nothing is measured by it.
    made: bool,
}

/// Where ordinary sites have what attackers like to show too. The lists of harmless sites name hosts alone, so that a model
/// learns from them that an address with such a path is an attacker's, wherever it is.
const ORDINARY: [&str; 40] = [
    "login",
    "login/",
    "signin",
    "sign-in",
    "account",
    "account/login",
    "accounts/login",
    "user/login",
    "auth/login",
    "secure/login",
    "customer/login",
    "my-account",
    "myaccount/",
    "account/verify-email",
    "password/reset",
    "forgot-password",
    "register",
    "support",
    "help",
    "contact",
    "about",
    "en/",
    "en/login",
    "de/anmelden",
    "fr/connexion",
    "es/acceso",
    "it/accesso",
    "online-banking",
    "personal/accounts",
    "personal/online-banking/login",
    "business/payments",
    "security/update",
    "update",
    "download",
    "billing/invoice",
    "orders/track",
    "index.html",
    "index.php",
    "login.php",
    "news/2024/05/annual-report.html",
];

struct Pool {
    rows: Vec<Row>,
    sources: Vec<Source>,
}

struct Source {
    name: String,
    attack: bool,
    /// Harmless, but made to look otherwise: no threshold is set by it.
    hard: bool,
}

/// Makes `addresses.bin` and its card in `out` of the development data in `data` (the folder with `urls_dev.jsonl.gz`).
pub(crate) fn address(data: &Path, out: &Path) -> Result<()> {
    let pool = read(data)?;
    let scored = cross(&pool, None);
    let (slope, offset) = calibrate(&scored);
    let at = |share| logistic(slope * threshold(&pool, &scored, share, None) + offset);
    let trained = learn(&pool.rows.iter().collect::<Vec<_>>(), 4711);
    let (weights, scale) = trained.linear.in_bytes();
    let head = Head {
        scale,
        bias: trained.linear.bias,
        slope,
        offset,
        one_percent: at(0.01),
        one_per_mille: at(0.001),
    };
    let file = Model::file(&weights, &head, &trained.trees);
    let place = out.join("addresses.bin");
    std::fs::write(&place, &file).with_context(|| format!("cannot write {}", place.display()))?;
    println!("{}: {} bytes, {head:?}", place.display(), file.len());
    let tables = tables(&pool, &scored);
    println!("{tables}");
    let hash: String = digest(&SHA256, &file).as_ref().iter().map(|b| format!("{b:02x}")).collect();
    let card = format!("{CARD}\n`addresses.bin`, {} bytes, SHA-256 `{hash}`.\n\n{tables}", file.len());
    let place = out.join("addresses.md");
    std::fs::write(&place, card).with_context(|| format!("cannot write {}", place.display()))
}

fn hash(text: &str) -> u64 {
    let hash = |h: u64, b: u8| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3);
    let mixed = text.bytes().fold(0xcbf2_9ce4_8422_2325, hash);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 16
}

fn read(data: &Path) -> Result<Pool> {
    let text = unpacked(&data.join("urls_dev.jsonl.gz"))?;
    let mut pool = Pool { rows: Vec::new(), sources: Vec::new() };
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line)?;
        let field =
            |name: &str| row.get(name).and_then(serde_json::Value::as_str).context("a row without a field");
        let (name, attack) = (field("source")?, field("label")? != "benign");
        let known = pool.sources.iter().position(|source| source.name == name && source.attack == attack);
        let source = known.unwrap_or_else(|| {
            let hard = name.starts_with("hn_");
            pool.sources.push(Source { name: name.to_owned(), attack, hard });
            pool.sources.len() - 1
        });
        let mut add = |url: &str, made| {
            let (hashes, numbers, domain) = seen(url);
            pool.rows.push(Row { source, attack, hashes, numbers, domain: hash(&domain), weight: 1.0, made });
        };
        let url = field("url")?;
        add(url, false);
        if !attack && !url.contains('/') {
            let path = ORDINARY.get((hash(url) >> 7) as usize % ORDINARY.len()).unwrap_or(&"");
            add(&format!("{url}/{path}"), true);
        }
    }
    weigh(&mut pool);
    Ok(pool)
}

/// Rows of one domain count less each, and large sources less than small ones; both sides count the same.
#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn weigh(pool: &mut Pool) {
    let mut domains: HashMap<(usize, u64), usize> = HashMap::new();
    for row in &pool.rows {
        *domains.entry((row.source, row.domain)).or_default() += 1;
    }
    let mut sums = vec![0.0_f32; pool.sources.len()];
    for row in &mut pool.rows {
        let same = domains.get(&(row.source, row.domain)).copied().unwrap_or(1);
        row.weight = 1.0 / (same as f32).sqrt();
        if let Some(sum) = sums.get_mut(row.source) {
            *sum += row.weight;
        }
    }
    let (mut attacks, mut harmless) = (0.0, 0.0);
    for row in &mut pool.rows {
        row.weight /= sums.get(row.source).copied().unwrap_or(1.0).sqrt();
        *(if row.attack { &mut attacks } else { &mut harmless }) += row.weight;
    }
    let half = pool.rows.len() as f32 / 2.0;
    for row in &mut pool.rows {
        row.weight *= half / if row.attack { attacks } else { harmless };
    }
}

struct Trained {
    linear: Linear,
    trees: Vec<Tree>,
}

fn columns(linear: &Linear, row: &Row) -> [f32; COLUMNS] {
    let (host, path) = linear.sums(&row.hashes).normal();
    let mut out = [0.0; COLUMNS];
    let values = [host, path, linear.bias + host + path].into_iter().chain(row.numbers);
    out.iter_mut().zip(values).for_each(|(slot, value)| *slot = value);
    out
}

/// Learns the linear part of the rows that are kept.
fn linear(rows: &[&Row], keep: impl Fn(&Row) -> bool, seed: u64) -> Linear {
    let lessons: Vec<Lesson<'_>> = rows
        .iter()
        .filter(|row| keep(row))
        .map(|row| Lesson { hashes: &row.hashes, attack: row.attack, weight: row.weight })
        .collect();
    let all: Vec<Linear> = (0..LINEARS).map(|n| Linear::learn(&lessons, LINEAR, seed + 1000 * n)).collect();
    Linear::middle(&all)
}

/// What trees learn from: the rows with the sums of linear parts that have seen nothing of their domains. `apart` are sources
/// of attacks: half of what their rows weigh goes to sums of a linear part that has seen nothing of their source, so that
/// trees learn how far such sums are to be trusted of attacks from elsewhere.
fn examples(rows: &[&Row], apart: &[usize], seed: u64) -> Vec<Example> {
    let parts = apart.len().max(INNER) as u64;
    let mut examples = Vec::with_capacity(2 * rows.len());
    for (part, seed) in (0..parts).zip(seed..) {
        let source = usize::try_from(part).ok().and_then(|part| apart.get(part));
        let is_apart = |row: &Row| row.attack && source == Some(&row.source);
        let in_part = |row: &Row| (row.domain >> 8) % parts == part;
        let linear = linear(rows, |row| !in_part(row) && !is_apart(row), seed);
        examples.extend(rows.iter().filter(|row| in_part(row) || is_apart(row)).map(|row| {
            let share = if row.attack && apart.contains(&row.source) { 0.5 } else { 1.0 };
            Example { columns: columns(&linear, row), attack: row.attack, weight: row.weight * share }
        }));
    }
    examples
}

/// The linear part, and the middle of two lots of trees: one for attacks like those that are known, one for attacks from elsewhere.
fn learn(rows: &[&Row], seed: u64) -> Trained {
    let mut attackers: Vec<usize> = rows.iter().filter(|row| row.attack).map(|row| row.source).collect();
    attackers.sort_unstable();
    attackers.dedup();
    let mut trees: Vec<Tree> = Vec::with_capacity(2 * TREES.trees);
    for apart in [&[][..], &attackers] {
        trees.extend(boost::learn(&examples(rows, apart, seed), TREES, seed));
    }
    trees.iter_mut().flat_map(|tree| &mut tree.answers).for_each(|answer| *answer *= 0.5);
    Trained { linear: linear(rows, |_| true, seed + 99), trees }
}

/// A row's source, whether it is an attack, and the sum of its trees.
type Scored = (usize, bool, f32);

/// Scores each row by a model that has seen nothing of its domain, and nothing of the source that is left out. Of the attacks
/// only those of that source are scored then.
fn cross(pool: &Pool, without: Option<usize>) -> Vec<Scored> {
    let one = |part: u64| {
        let learnt = |row: &&Row| row.domain % FOLDS != part && Some(row.source) != without;
        let lessons: Vec<&Row> = pool.rows.iter().filter(learnt).collect();
        let trained = learn(&lessons, part * 1000);
        let asked = |row: &&Row| {
            row.domain % FOLDS == part
                && !row.made
                && (!row.attack || without.is_none_or(|w| w == row.source))
        };
        let score =
            |row: &Row| (row.source, row.attack, total(&trained.trees, &columns(&trained.linear, row)));
        pool.rows.iter().filter(asked).map(score).collect::<Vec<Scored>>()
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..FOLDS).map(|part| scope.spawn(move || one(part))).collect();
        parts.into_iter().filter_map(|part| part.join().ok()).flatten().collect()
    })
}

/// Slope and offset that make probabilities of sums, both sides counting the same (Platt).
fn calibrate(scored: &[Scored]) -> (f32, f32) {
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let side = |side: bool| scored.iter().filter(|(_, attack, _)| *attack == side).count().max(1) as f64;
    let (harmless, attacks) = (side(false), side(true));
    let (mut slope, mut offset) = (1.0_f64, 0.0_f64);
    for _ in 0..2000 {
        let (mut by_slope, mut by_offset) = (0.0, 0.0);
        for (_, attack, sum) in scored {
            let p = 1.0 / (1.0 + (-(slope * f64::from(*sum) + offset)).exp());
            let wrong = (p - f64::from(u8::from(*attack))) / if *attack { attacks } else { harmless };
            by_slope += wrong * f64::from(*sum);
            by_offset += wrong;
        }
        slope -= 0.05 * by_slope;
        offset -= 0.5 * by_offset;
    }
    #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
    (slope as f32, offset as f32)
}

/// The sum above which at most this share of the harmless rows are; hard negatives do not count, nor does one source.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share"
)]
fn threshold(pool: &Pool, scored: &[Scored], share: f64, without: Option<usize>) -> f32 {
    let counts = |source: usize| Some(source) != without && pool.sources.get(source).is_some_and(|s| !s.hard);
    let mut harmless: Vec<f32> =
        scored.iter().filter(|(s, attack, _)| !attack && counts(*s)).map(|(_, _, sum)| *sum).collect();
    harmless.sort_by(f32::total_cmp);
    let may = (share * harmless.len() as f64) as usize;
    harmless.get(harmless.len().saturating_sub(1 + may)).copied().unwrap_or(f32::INFINITY)
}

/// How many rows of a source there are, and the share of them above two thresholds.
type Found = (usize, [f64; 2]);

#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn found(scored: &[Scored], source: usize, from: [f32; 2]) -> Found {
    let of: Vec<f32> = scored.iter().filter(|(s, _, _)| *s == source).map(|(_, _, sum)| *sum).collect();
    (of.len(), from.map(|from| of.iter().filter(|sum| **sum > from).count() as f64 / of.len().max(1) as f64))
}

/// What is found of each source: known but for the domains, and not known at all.
fn tables(pool: &Pool, scored: &[Scored]) -> String {
    let mut out = String::from(
        "Share of rows found, where one in a hundred and one in a thousand harmless rows are taken for attacks:\n\n\
         | source | rows | other domains: 1 % | 0.1 % | left out: 1 % | 0.1 % | ± at 1 % |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for order in [true, false] {
        for (at, source) in pool.sources.iter().enumerate().filter(|(_, source)| source.attack == order) {
            let from =
                |scored: &[Scored], without| [0.01, 0.001].map(|s| threshold(pool, scored, s, without));
            let first = found(scored, at, from(scored, None));
            let apart = cross(pool, Some(at));
            let second = found(&apart, at, from(&apart, (!source.attack).then_some(at)));
            row(&mut out, source, first, second);
            if source.attack {
                known.push(first);
                unknown.push(second);
            }
        }
    }
    for (name, mean) in [("all rows", mean as fn(&[Found], usize) -> f64), ("mean of sources", each)] {
        let share = |of: &[Found], at| 100.0 * mean(of, at);
        let _ = writeln!(
            out,
            "| **attacks, {name}** | | {:.1} | {:.1} | {:.1} | {:.1} | |",
            share(&known, 0),
            share(&known, 1),
            share(&unknown, 0),
            share(&unknown, 1)
        );
    }
    out
}

fn row(out: &mut String, source: &Source, (rows, known): Found, (_, unknown): Found) {
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let spread = |share: f64| 196.0 * (share * (1.0 - share) / rows.max(1) as f64).sqrt();
    let sort = if source.attack { "attacks" } else { "harmless, wrongly found" };
    let [a, b] = known.map(|share| 100.0 * share);
    let [c, d] = unknown.map(|share| 100.0 * share);
    let _ = writeln!(
        out,
        "| {} ({sort}) | {rows} | {a:.1} | {b:.1} | {c:.1} | {d:.1} | {:.1} |",
        source.name,
        spread(unknown.first().copied().unwrap_or_default())
    );
}

#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn mean(of: &[Found], at: usize) -> f64 {
    let rows: usize = of.iter().map(|(rows, _)| rows).sum();
    of.iter().map(|(rows, shares)| *rows as f64 * shares.get(at).unwrap_or(&0.0)).sum::<f64>()
        / rows.max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "a handful")]
fn each(of: &[Found], at: usize) -> f64 {
    of.iter().filter_map(|(_, shares)| shares.get(at)).sum::<f64>() / of.len().max(1) as f64
}

/// The head of the card.
const CARD: &str = "# The model of addresses

Made by `cargo xtask train-threats`; do not edit. It says how likely it is that an address is an attacker's, by how it is written; it
opens nothing and knows no list of domains. Scheme and a leading `www.` are left out, so that bare hosts and whole addresses are
judged alike.

A linear part over hashed runs of two to five letters, words and shapes of host and path, one byte a weight; then small trees over
its sums and over numbers: lengths, digits, disorder, the sort of suffix (public suffix list), how near a name comes to a brand,
words that lure, kinds of files. Half of the trees learn from sums of linear parts that know all sources of attacks, half from
sums that do not know the source of the attack, as it is of attacks from elsewhere. A host of a brand's owner scores lower by a fixed amount. The score is a probability if attackers'
addresses are as frequent as harmless ones; the threshold in the file is that of one in a hundred harmless addresses.

## What it cannot do

An attacker's page on a harmless site that was broken into looks harmless by its host alone. Short links and names without a
meaning say little. Lists of attackers' domains hold names that were harmless before. Judge it with the other signs.

## Data

`urls_dev.jsonl.gz`: Phishing.Database (MIT), discord-phishing-links (MIT), Hannousse and Yahiouche 2021 (CC-BY-4.0), maltrail (MIT),
Tranco and Majestic lists by way of the MISP warning lists (CC0; Majestic Million CC-BY-3.0), universities of the MISP warning
lists (CC0), links of public documentation. The model holds numbers, not addresses. The lists of
harmless sites name hosts alone; the model learns from each also with one of forty ordinary pages behind it (`login`,
`contact`), by which nothing is measured.

## What it finds

Measured by models that have seen nothing of a row's registrable domain, and, `left out`, nothing of its source either. `hn_` sources
set no threshold; of a harmless source that is left out the others set it.
";

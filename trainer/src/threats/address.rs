//! The model of addresses: how likely it is, by how an address is written, that it is an attacker's.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use chatward_detect::link::model::Model;
use chatward_detect::link::model::training::{Head, COLUMNS, NUMBERS, Part, Tree, seen, total};

use super::boost::{self, Example};
use super::linear::{self, Lesson, Linear, logistic};
use crate::corpus::unpacked;

fn opt(name: &str, default: f32) -> f32 { std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default) }
fn lin() -> linear::Manner { linear::Manner { bits: opt("BITS", 18.0) as u32, passes: opt("PASSES", 4.0) as usize, rate: opt("LRATE",0.25), decay: opt("DECAY", 1e-5), hidden: f64::from(opt("HIDDEN", 0.0)) } }
fn tre() -> boost::Manner { boost::Manner { trees: opt("TREES", 160.0) as usize, rate: opt("TRATE",0.1), calm: opt("CALM",5.0), least: opt("LEAST",4.0), rows: 0.7, columns: f64::from(opt("COLS",0.5)) } }
/// Domains are sorted into so many folds.
const FOLDS: u64 = 3;
/// And those that are learnt from once more, so that the trees see sums of addresses that the linear part has not seen.
const INNER: u64 = 4;

struct Row {
    source: usize,
    attack: bool,
    hashes: Vec<(Part, u32)>,
    numbers: [f32; NUMBERS],
    domain: u64,
    weight: f32,
    url: String,
}

struct Pool {
    rows: Vec<Row>,
    /// Names of sources, with `+` behind those of attacks.
    sources: Vec<String>,
}

/// Makes `addresses.bin` in `out` of the development data in `data` (the folder with `urls_dev.jsonl.gz`).
pub(crate) fn address(data: &Path, out: &Path) -> Result<()> {
    let pool = read(data)?;
    if opt("EVAL", 1.0) > 0.0 {
        evaluate(&pool);
        return Ok(());
    }
    let scored = cross(&pool, None);
    let (slope, offset) = calibrate(&scored);
    let at = |share| logistic(slope * threshold(&pool, &scored, share, None) + offset);
    let trained = learn(&pool.rows.iter().collect::<Vec<_>>(), 4711);
    let (weights, scale) = trained.linear.in_bytes();
    let head = Head { scale, bias: trained.linear.bias, slope, offset, one_percent: at(0.01), one_per_mille: at(0.001) };
    let file = Model::file(&weights, &head, &trained.trees);
    let place = out.join("addresses.bin");
    std::fs::write(&place, &file).with_context(|| format!("cannot write {}", place.display()))?;
    println!("{}: {} bytes {head:?}", place.display(), file.len());
    Ok(())
}

/// Slope and offset that make probabilities of sums, both sides counting the same (Platt).
fn calibrate(scored: &[Scored]) -> (f32, f32) {
    let sides = [false, true].map(|side| scored.iter().filter(|(_, attack, _)| *attack == side).count().max(1));
    let (mut slope, mut offset) = (1.0_f64, 0.0_f64);
    for _ in 0..2000 {
        let (mut by_slope, mut by_offset) = (0.0, 0.0);
        for (_, attack, sum) in scored {
            let sum = f64::from(*sum);
            let p = 1.0 / (1.0 + (-(slope * sum + offset)).exp());
            #[expect(clippy::cast_precision_loss, reason = "thousands")]
            let wrong = (p - f64::from(u8::from(*attack))) / sides[usize::from(*attack)] as f64;
            by_slope += wrong * sum;
            by_offset += wrong;
        }
        slope -= 0.05 * by_slope;
        offset -= 0.5 * by_offset;
    }
    #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
    (slope as f32, offset as f32)
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
        let field = |name: &str| row.get(name).and_then(serde_json::Value::as_str).context("a row without a field");
        let attack = field("label")? != "benign";
        let name = format!("{}{}", field("source")?, if attack { "+" } else { "" });
        let source = pool.sources.iter().position(|s| *s == name).unwrap_or_else(|| {
            pool.sources.push(name);
            pool.sources.len() - 1
        });
        let (hashes, numbers, domain) = seen(field("url")?);
        pool.rows.push(Row { source, attack, hashes, numbers, domain: hash(&domain), weight: 1.0, url: field("url")?.to_owned() });
    }
    weigh(&mut pool);
    Ok(pool)
}

/// Rows of one domain count less each, and large sources less than small ones.
#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn weigh(pool: &mut Pool) {
    let mut domains: HashMap<(usize, u64), usize> = HashMap::new();
    for row in &pool.rows {
        *domains.entry((row.source, row.domain)).or_default() += 1;
    }
    for row in &mut pool.rows {
        let same = domains.get(&(row.source, row.domain)).copied().unwrap_or(1);
        row.weight = (same as f32).powf(-opt("DOMW",0.5));
    }
    let mut sums = vec![0.0_f32; pool.sources.len()];
    for row in &pool.rows {
        if let Some(sum) = sums.get_mut(row.source) {
            *sum += row.weight;
        }
    }
    let (mut attacks, mut harmless) = (0.0, 0.0);
    for row in &mut pool.rows {
        let sum = sums.get(row.source).copied().unwrap_or(1.0);
        row.weight *= (3000.0 / sum).powf(opt("SRCW",0.5));
        *(if row.attack { &mut attacks } else { &mut harmless }) += row.weight;
    }
    let half = pool.rows.len() as f32 / 2.0;
    for row in &mut pool.rows {
        row.weight *= half / if row.attack { attacks } else { harmless };
    }
}

/// Harmless hosts with the paths of other harmless addresses, so that a path alone speaks of nothing.
fn augment(rows: &[&Row], sources: &[String]) -> Vec<Row> {
    let mut chance = crate::chance::Chance::new(7);
    let mut out = Vec::new();
    let rate = f64::from(opt("AUG", 0.0));
    let rate2 = f64::from(opt("AUG2", 0.0));
    if rate == 0.0 && rate2 == 0.0 { return out; }
    let split = |url: &str| { let rest = url.split_once("://").map_or(url, |(_, r)| r); let at = rest.find('/').unwrap_or(rest.len()); (rest[..at].to_owned(), rest[at..].to_owned()) };
    let paths = |attack: bool| rows.iter().filter(|r| r.attack == attack).map(|r| split(&r.url).1).filter(|p| p.len() > 1).collect::<Vec<_>>();
    let (good, _bad) = (paths(false), paths(true));
    for row in rows {
        let (host, path) = split(&row.url);
        if path.len() > 1 { continue; }
        let r = if row.attack { rate2 } else { rate };
        if !chance.says(r) { continue; }
        let Some(path) = chance.one(&good) else { continue };
        let url = format!("{host}{path}");
        let (hashes, numbers, domain) = seen(&url);
        out.push(Row { source: row.source, attack: row.attack, hashes, numbers, domain: hash(&domain), weight: row.weight * opt("AUGW", 0.5), url });
    }
    let _ = sources;
    out
}

struct Trained {
    linear: Linear,
    trees: Vec<Tree>,
}

impl Trained {
    fn sum(&self, row: &Row) -> f32 {
        let columns = columns(&self.linear, row);
        total(&self.trees, &columns) + opt("LINW", 0.0) * columns_of(&self.linear, row)
    }
}

fn columns_of(linear: &Linear, row: &Row) -> f32 {
    let (host, path) = linear.sums(&row.hashes).normal();
    linear.bias + host + path
}

fn columns(linear: &Linear, row: &Row) -> [f32; COLUMNS] {
    let (host, path) = linear.sums(&row.hashes).normal();
    let mut out = [0.0; COLUMNS];
    let values = [host, path, linear.bias + host + path].into_iter().chain(row.numbers);
    out.iter_mut().zip(values).for_each(|(slot, value)| *slot = value);
    if opt("NOLIN", 0.0) > 0.0 { out[0] = 0.0; out[1] = 0.0; out[2] = 0.0; }
    out
}

fn learn(rows: &[&Row], seed: u64) -> Trained {
    let fit = |keep: &dyn Fn(&Row) -> bool, seed: u64| {
        let lessons: Vec<Lesson<'_>> = rows
            .iter()
            .filter(|row| keep(row))
            .map(|row| Lesson { hashes: &row.hashes, attack: row.attack, weight: row.weight })
            .collect();
        Linear::learn(&lessons, lin(), seed)
    };
    let bysource = opt("BYSRC", 0.0) > 0.0;
    let fold = |row: &Row| (row.domain >> 8) % INNER;
    let mut examples = Vec::with_capacity(rows.len());
    let mut take = |linear: &Linear, keep: &dyn Fn(&Row) -> bool| {
        examples.extend(rows.iter().filter(|row| keep(row)).map(|row| Example {
            columns: columns(linear, row),
            attack: row.attack,
            weight: row.weight,
        }));
    };
    for part in 0..INNER {
        let linear = fit(&|row| fold(row) != part, seed + part);
        take(&linear, &|row| fold(row) == part && !(bysource && row.attack));
    }
    if bysource {
        for source in 0..12 {
            if !rows.iter().any(|row| row.attack && row.source == source) { continue; }
            let linear = fit(&|row| row.source != source, seed + 50 + source as u64);
            take(&linear, &|row| row.source == source && row.attack);
        }
    }
    let trees = boost::learn(&examples, tre(), seed);
    Trained { linear: fit(&|_| true, seed + 99), trees }
}

/// Scores of a row: its source, whether an attack, score.
type Scored = (usize, bool, f32);


/// Scores what one model each has not seen: rows of other domains; of one source nothing at all, if it is left out.
fn cross(pool: &Pool, without: Option<usize>) -> Vec<Scored> {
    let parts: Vec<u64> = (0..opt("PARTS", 1.0) as u64).collect();
    let one = |part: u64| {
        let also = std::env::var("ALSO").unwrap_or_default();
        let mut lessons: Vec<&Row> =
            pool.rows.iter().filter(|row| row.domain % FOLDS != part && Some(row.source) != without && pool.sources[row.source] != also).collect();
        let extra = augment(&lessons, &pool.sources);
        lessons.extend(&extra);
        let trained = learn(&lessons, part * 1000);
        let tested = pool.rows.iter().filter(|row| row.domain % FOLDS == part);
        if opt("SHOW", 0.0) > 0.0 {
            let mut all: Vec<(f32, &str, &str, [f32; 3])> = pool.rows.iter().filter(|row| row.domain % FOLDS == part && !row.attack && !pool.sources[row.source].starts_with("hn_")).map(|r| { let c = columns(&trained.linear, r); (trained.sum(r), r.url.as_str(), pool.sources[r.source].as_str(), [c[0], c[1], c[2]]) }).collect();
            all.sort_by(|a, b| b.0.total_cmp(&a.0));
            for (score, url, source, c) in all.iter().take(90) { eprintln!("{score:.2} {c:.1?} {source} {}", url.chars().take(120).collect::<String>()); }
        }
        let scored: Vec<Scored> = tested
            .filter(|row| !row.attack || without.is_none() || Some(row.source) == without || without.is_some_and(|w| !is_attack(pool, w)))
            .map(|row| (row.source, row.attack, trained.sum(row)))
            .collect();
        scored
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = parts.iter().map(|part| scope.spawn(move || one(*part))).collect();
        all.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect()
    })
}

fn is_attack(pool: &Pool, source: usize) -> bool {
    pool.sources.get(source).is_some_and(|name| name.ends_with('+'))
}

/// The score that at most this share of the harmless rows reach (hard negatives do not count).
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share")]
fn threshold(pool: &Pool, scored: &[Scored], share: f64, without: Option<usize>) -> f32 {
    let counts = |source: usize| {
        Some(source) != without && pool.sources.get(source).is_some_and(|name| !name.starts_with("hn_"))
    };
    let mut harmless: Vec<f32> = scored.iter().filter(|(s, a, _)| !a && counts(*s)).map(|(_, _, score)| *score).collect();
    harmless.sort_by(f32::total_cmp);
    let may = (share * harmless.len() as f64) as usize;
    harmless.get(harmless.len().saturating_sub(1 + may)).copied().unwrap_or(f32::INFINITY)
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn above(scored: &[Scored], source: usize, from: f32) -> (usize, f64) {
    let of: Vec<f32> = scored.iter().filter(|(s, _, _)| *s == source).map(|(_, _, score)| *score).collect();
    (of.len(), of.iter().filter(|score| **score > from).count() as f64 / of.len().max(1) as f64)
}

fn evaluate(pool: &Pool) {
    if opt("SAME", 0.0) > 0.0 {
    println!("\nsame sources, other domains");
    let scored = cross(pool, None);
    report(pool, &scored, None);
    }
    println!("\nsource left out");
    let mut all = Vec::new();
    for source in 0..pool.sources.len() {
        if opt("ALL", 0.0) < 1.0 && !is_attack(pool, source) { continue; }
        let scored = cross(pool, Some(source));
        all.push(report(pool, &scored, Some(source)));
    }
    let attacks: Vec<_> = all.iter().flatten().filter(|(attack, ..)| *attack).collect();
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let micro = |of: fn(&(bool, usize, f64, f64)) -> f64| {
        let rows: usize = attacks.iter().map(|(_, n, _, _)| n).sum();
        attacks.iter().map(|a| of(a) * a.1 as f64).sum::<f64>() / rows.max(1) as f64
    };
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let macro_ = |of: fn(&(bool, usize, f64, f64)) -> f64| {
        attacks.iter().map(|a| of(a)).sum::<f64>() / attacks.len().max(1) as f64
    };
    println!("LOSO micro {:.4} {:.4}  macro {:.4} {:.4}", micro(|a| a.2), micro(|a| a.3), macro_(|a| a.2), macro_(|a| a.3));
}

fn report(pool: &Pool, scored: &[Scored], only: Option<usize>) -> Option<(bool, usize, f64, f64)> {
    let without = only.filter(|source| !is_attack(pool, *source));
    let at = (threshold(pool, scored, 0.01, without), threshold(pool, scored, 0.001, without));
    let mut last = None;
    for (source, name) in pool.sources.iter().enumerate().filter(|(s, _)| only.is_none_or(|only| only == *s)) {
        let ((n, hundred), (_, thousand)) = (above(scored, source, at.0), above(scored, source, at.1));
        println!("{name:32} {n:6} {hundred:.4} {thousand:.4}");
        last = Some((is_attack(pool, source), n, hundred, thousand));
    }
    last
}

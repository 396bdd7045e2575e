//! Makes `models/threats.bin`: `cargo xtask train-threats` calls it. One thread, one seed: the same texts give the same file.
//!
//! Everything that is reported comes from models that did not see the text: five folds by text, and every source of attacks left
//! out in turn.

#[cfg(feature = "larger")]
pub(super) mod larger;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use aws_lc_rs::digest::{SHA256, digest};
use chatward_detect::threat::linear::{self, HEADS, KINDS, Linear, MAIN, Scale};
use chatward_detect::threat::training::{self, Example, Features, Learnt, Maker};
use chatward_detect::threat::{Families, Head, Reader, Words, grams};
use chatward_message::Threat;
use serde_json::Value;

use super::disguise::Disguise;
use super::grammar;
use crate::chance::Chance;
use crate::corpus;

/// How much an error on a text of the sources counts.
const COST: f32 = 8.0;
/// The same for made-up attacks, for hard negatives, and for plain texts of other corpora, in parts of it.
const MADE: f32 = 0.3;
const HARD: f32 = 3.0;
const PLAIN: f32 = 0.1;
/// Made-up texts for each unit of weight in a grammar.
const COUNT: usize = 60;
/// Passes over the examples.
const PASSES: usize = 15;
/// Folds of the cross-validation.
const FOLDS: u64 = 5;
/// A source is left out in turn if it has so many attacks.
const SOURCE: usize = 50;
/// Ordinary words that are kept.
const WORDS: usize = 12_000;
/// Plain texts of each other corpus.
const EACH: usize = 500;

/// What a text is to the models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Harmless,
    Attack(Threat),
}

impl Kind {
    fn of(label: &str) -> Result<Self> {
        Ok(match label {
            "benign" => Self::Harmless,
            "prompt_injection" => Self::Attack(Threat::PromptInjection),
            "jailbreak" => Self::Attack(Threat::Jailbreak),
            "phishing" => Self::Attack(Threat::Phishing),
            "social_engineering" => Self::Attack(Threat::SocialEngineering),
            "scam" => Self::Attack(Threat::Scam),
            other => anyhow::bail!("no label is called {other}"),
        })
    }

    fn is(self, head: Head) -> bool {
        match (self, head) {
            (Self::Harmless, _) => false,
            (Self::Attack(threat), Head::Prompt) => threat.is_prompt_attack(),
            (Self::Attack(threat), Head::People) => !threat.is_prompt_attack(),
            (Self::Attack(threat), Head::Of(one)) => threat == one,
        }
    }
}

/// Where a text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A source of the development data.
    Source,
    /// One of its hard negatives.
    Hard,
    /// A grammar of ours.
    Made,
    /// A plain text of another corpus, to learn from.
    Plain,
    /// A passage of another corpus, to set thresholds for documents by, and never learnt from.
    Passage,
}

#[derive(Debug)]
struct Row {
    id: String,
    source: String,
    origin: Origin,
    kind: Kind,
    text: String,
    features: Features,
    // Harmless texts are learnt window by window too.
    windows: Vec<Features>,
}

impl Row {
    fn fold(&self) -> u64 {
        self.id.bytes().fold(17_u64, |h, b| h.wrapping_mul(0x0100_0000_01B3) ^ u64::from(b)) >> 20
    }
}

/// Trains, measures, writes the file and the measured figures.
pub(crate) fn text(shared: &Path, models: &Path, figures: bool) -> Result<()> {
    let begin = Instant::now();
    let (rows, list) = prepared(shared)?;
    println!("{} texts, {} s", rows.len(), begin.elapsed().as_secs());
    let study = Study { rows: &rows, list: &list };

    let crossed = study.crossed()?;
    let scales = study.scales(&crossed);
    let mut told = study.told("five folds by text", &crossed, |_| true);
    println!("{told}");
    if figures {
        let more = study.disguised(&crossed)? + &study.left_out()?;
        println!("{more}");
        told += &more;
    }
    let file = study.model(|_| true, Some(scales));
    std::fs::write(models.join("threats.bin"), &file).context("cannot write the models")?;
    let hash: String = digest(&SHA256, &file).as_ref().iter().take(6).map(|b| format!("{b:02x}")).collect();
    let card = format!("{}```text\n{}\n```\n", include_str!("../../threats/card.md"), told.trim_end());
    std::fs::write(models.join("threats.md"), card).context("cannot write the card")?;
    println!("models/threats.bin {hash}, {} s", begin.elapsed().as_secs());
    Ok(())
}

/// All texts with their features, and the list of ordinary words.
fn prepared(shared: &Path) -> Result<(Vec<Row>, String)> {
    let mut rows = read(&shared.join("data"))?;
    let ordinary = ordinary(&rows);
    let words = Words::with(ordinary.iter().map(String::as_str), Families::of_the_house());
    let maker = Maker::new(&words);
    for row in &mut rows {
        prepare(row, &maker);
    }
    Ok((rows, ordinary.join("\n")))
}

fn read(data: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for line in corpus::unpacked(&data.join("threats/texts_dev.jsonl.gz"))?.lines() {
        let row: Value = serde_json::from_str(line)?;
        let field =
            |name: &str| row[name].as_str().map(str::to_owned).with_context(|| format!("no {name}: {line}"));
        let source = field("source")?;
        let origin = if source.starts_with("hn_") { Origin::Hard } else { Origin::Source };
        rows.push(bare(field("id")?, source, origin, Kind::of(&field("label")?)?, field("text")?));
    }
    let mut chance = Chance::new(20_261_126);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("threats");
    for name in ["attacks", "attacks_other", "harmless", "fraud"] {
        for (n, made) in
            grammar::texts(&folder.join(format!("{name}.txt")), COUNT, &mut chance)?.into_iter().enumerate()
        {
            rows.push(bare(
                format!("{name}-{n}"),
                name.into(),
                Origin::Made,
                Kind::of(&made.label)?,
                made.text,
            ));
        }
    }
    plain(data, &mut rows)?;
    Ok(rows)
}

const fn bare(id: String, source: String, origin: Origin, kind: Kind, text: String) -> Row {
    Row { id, source, origin, kind, text, features: Vec::new(), windows: Vec::new() }
}

/// Sentences and passages of the corpora for names: harmless texts in seven languages.
fn plain(data: &Path, rows: &mut Vec<Row>) -> Result<()> {
    for corpus in corpus::read(&data.join("ner"))? {
        let texts: Vec<String> = corpus.sentences.iter().map(|s| s.text.clone()).collect();
        let passages = !["snips", "nlu", "sgd", "restaurant", "synth", "btc", "wnut", "tweebank"]
            .iter()
            .any(|chatty| corpus.name.starts_with(chatty));
        let step = (texts.len() / EACH).max(1);
        for (n, group) in texts.chunks(step.max(4)).enumerate() {
            let size = if passages { 2 + n % 5 } else { 1 };
            let text = group.iter().take(size).map(String::as_str).collect::<Vec<_>>().join(" ");
            let origin = if passages && n % 2 == 0 { Origin::Passage } else { Origin::Plain };
            rows.push(bare(
                format!("{}-{n}", corpus.name),
                corpus.name.to_owned(),
                origin,
                Kind::Harmless,
                text,
            ));
        }
    }
    Ok(())
}

/// The most frequent words of what is learnt from, without those of single sources.
fn ordinary(rows: &[Row]) -> Vec<String> {
    let mut counts: BTreeMap<String, (usize, BTreeSet<&str>)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.origin != Origin::Passage) {
        for word in row.text.split(|c: char| !c.is_alphabetic()).filter(|w| (2..=18).contains(&w.len())) {
            if word.is_ascii() {
                let entry = counts.entry(word.to_ascii_lowercase()).or_default();
                entry.0 += 1;
                entry.1.insert(&row.source);
            }
        }
    }
    let mut words: Vec<(usize, String)> = counts
        .into_iter()
        .filter(|(_, (n, of))| *n >= 4 && of.len() >= 2)
        .map(|(word, (n, _))| (n, word))
        .collect();
    words.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    words.truncate(WORDS);
    words.into_iter().map(|(_, word)| word).collect()
}

fn prepare(row: &mut Row, maker: &Maker<'_>) {
    let Some(form) = maker.forms(&row.text).into_iter().next() else { return };
    row.features = maker.features(&form);
    if row.kind == Kind::Harmless && row.origin != Origin::Passage {
        row.windows = maker.windows(&form);
    }
}

struct Study<'a> {
    rows: &'a [Row],
    list: &'a str,
}

/// What models say of every row that did not see it: the sums of the main heads, and the kind it was taken for.
type Sums = Vec<[f32; MAIN]>;

impl Study<'_> {
    /// The file of models learnt from the rows that `keep` keeps.
    fn model(&self, keep: impl Fn(&Row) -> bool, scales: Option<[Scale; MAIN]>) -> Vec<u8> {
        let mut heads: Vec<(Scale, Vec<f32>)> = Vec::new();
        for (place, head) in linear::ORDER.iter().enumerate() {
            let learnt = self.head(*head, &keep);
            let mut scale = scales.and_then(|s| s.get(place).copied()).unwrap_or_default();
            scale.offset = learnt.offset;
            heads.push((scale, learnt.weights));
        }
        heads.truncate(MAIN + KINDS);
        debug_assert!(heads.len() <= HEADS);
        linear::file(self.list, &heads, |rest| {
            let mut hash = [0; 32];
            hash.copy_from_slice(digest(&SHA256, rest).as_ref());
            hash
        })
    }

    fn head(&self, head: Head, keep: &impl Fn(&Row) -> bool) -> Learnt {
        let main = !matches!(head, Head::Of(_));
        // A head that tells kinds apart learns from its own side only.
        let beside = |row: &Row| match (head, row.kind) {
            (Head::Of(one), Kind::Attack(threat)) => threat.is_prompt_attack() == one.is_prompt_attack(),
            (Head::Of(_), Kind::Harmless) => false,
            _ => true,
        };
        let kept: Vec<&Row> =
            self.rows.iter().filter(|r| r.origin != Origin::Passage && keep(r) && beside(r)).collect();
        let short: Vec<Features> =
            if main { Vec::new() } else { kept.iter().map(|r| training::short(&r.features)).collect() };
        let counts = counts(&kept, head);
        let mut examples = Vec::new();
        for (n, row) in kept.iter().enumerate() {
            let attack = row.kind.is(head);
            let part = part(row, attack, &counts);
            let features = if main { &row.features } else { short.get(n).unwrap_or(&row.features) };
            examples.push(Example { features, attack, weight: COST * part });
            if main {
                let windows = row.windows.iter();
                examples.extend(windows.map(|features| Example {
                    features,
                    attack: false,
                    weight: COST * part,
                }));
            }
        }
        let bits = if main { grams::BITS } else { training::SHORT_BITS };
        training::learn(Learnt::nothing(bits), &examples, PASSES)
    }

    fn reader(&self, keep: impl Fn(&Row) -> bool) -> Result<Reader> {
        let file: &'static [u8] = Box::leak(self.main_model(keep).into_boxed_slice());
        Ok(Reader::of(Linear::new(file)?)?)
    }

    /// As [`Self::model`], with the main heads alone.
    fn main_model(&self, keep: impl Fn(&Row) -> bool) -> Vec<u8> {
        let heads: Vec<(Scale, Vec<f32>)> = linear::ORDER
            .iter()
            .take(MAIN)
            .map(|head| {
                let learnt = self.head(*head, &keep);
                (Scale { offset: learnt.offset, ..Scale::default() }, learnt.weights)
            })
            .collect();
        linear::file(self.list, &heads, |_| [0; 32])
    }

    fn crossed(&self) -> Result<Sums> {
        let mut sums = vec![[f32::MIN; MAIN]; self.rows.len()];
        for fold in 0..FOLDS {
            let reader = self.reader(|row| row.fold() % FOLDS != fold)?;
            for (row, sum) in self.rows.iter().zip(&mut sums) {
                if row.fold() % FOLDS == fold
                    && matches!(row.origin, Origin::Source | Origin::Hard | Origin::Passage)
                {
                    *sum = sums_of(&reader, &row.text);
                }
            }
        }
        Ok(sums)
    }

    /// Sums of the harmless texts that thresholds are set by.
    fn pool(&self, sums: &Sums, head: usize, origin: Origin) -> Vec<f32> {
        let mut pool: Vec<f32> = self
            .rows
            .iter()
            .zip(sums)
            .filter(|(row, _)| row.kind == Kind::Harmless && row.origin == origin)
            .filter_map(|(_, sum)| sum.get(head).copied())
            .collect();
        pool.sort_by(f32::total_cmp);
        pool
    }

    fn scales(&self, sums: &Sums) -> [Scale; MAIN] {
        std::array::from_fn(|head| {
            let messages = self.pool(sums, head, Origin::Source);
            let passages = self.pool(sums, head, Origin::Passage);
            let reached = |pool: &[f32]| [exceeded_by(pool, 0.01), exceeded_by(pool, 0.001)];
            println!(
                "head {head}: messages {:?} of {}, passages {:?} of {}",
                reached(&messages),
                messages.len(),
                reached(&passages),
                passages.len()
            );
            Scale {
                reached: [reached(&messages), reached(&passages), reached(&messages)],
                ..Scale::default()
            }
        })
    }

    /// What the sums find at the thresholds of the messages.
    fn told(&self, what: &str, sums: &Sums, of: impl Fn(&Row) -> bool) -> String {
        let mut told = String::new();
        for (head, name) in ["prompt", "people"].into_iter().enumerate() {
            let pool = self.pool(sums, head, Origin::Source);
            let at = [exceeded_by(&pool, 0.01), exceeded_by(&pool, 0.001)];
            let on = if head == 0 { Head::Prompt } else { Head::People };
            let attacks: Vec<f32> =
                self.chosen(sums, head, |row| row.origin == Origin::Source && row.kind.is(on) && of(row));
            let _ = write!(told, "{what}, {name}: {} attacks", attacks.len());
            for threshold in at {
                let _ = write!(told, " {}", share(&attacks, threshold));
            }
            told.push_str("; hard negatives");
            let all = self.chosen(sums, head, |row| row.origin == Origin::Hard);
            let _ = write!(told, " {}", share(&all, at[0]));
            for source in ["hn_customer_service_dev", "hn_mitre_frr", "hn_xstest_safe", "hn_prompts_chat"] {
                let hard = self.chosen(sums, head, |row| row.source == source);
                let _ = write!(told, " {source} {}", share(&hard, at[0]));
            }
            told.push('\n');
        }
        let pool = self.pool(sums, 0, Origin::Passage);
        let at = [exceeded_by(&pool, 0.01), exceeded_by(&pool, 0.001)];
        let inside = self.chosen(sums, 0, |row| row.source == "tasktracker_injections");
        let _ = writeln!(told, "{what}, in documents: {} {}", share(&inside, at[0]), share(&inside, at[1]));
        told
    }

    fn chosen(&self, sums: &Sums, head: usize, of: impl Fn(&Row) -> bool) -> Vec<f32> {
        let rows = self.rows.iter().zip(sums).filter(|(row, _)| of(row));
        rows.filter_map(|(_, sum)| sum.get(head).copied()).collect()
    }

    /// Attacks of one fold in each disguise.
    fn disguised(&self, crossed: &Sums) -> Result<String> {
        let at = exceeded_by(&self.pool(crossed, 0, Origin::Source), 0.01);
        let reader = self.reader(|row| row.fold() % FOLDS != 0)?;
        let mut chance = Chance::new(7);
        let harmless = |row: &&Row| {
            row.origin == Origin::Source && row.kind == Kind::Harmless && row.fold().is_multiple_of(FOLDS)
        };
        let around: Vec<&str> = self
            .rows
            .iter()
            .filter(harmless)
            .map(|r| r.text.as_str())
            .filter(|t| t.len() > 20 && t.is_ascii())
            .collect();
        let attacks: Vec<&Row> = self
            .rows
            .iter()
            .filter(|r| {
                r.origin == Origin::Source && r.kind.is(Head::Prompt) && r.fold().is_multiple_of(FOLDS)
            })
            .filter(|r| (30..400).contains(&r.text.len()))
            .collect();
        let mut told = String::new();
        for disguise in Disguise::ALL {
            let sums: Vec<f32> = attacks
                .iter()
                .map(|row| sums_of(&reader, &disguise.put_on(&row.text, &around, &mut chance))[0])
                .collect();
            let _ = writeln!(told, "disguise {disguise:?}: {}", share(&sums, at));
        }
        Ok(told)
    }

    /// Each source of attacks left out in turn.
    fn left_out(&self) -> Result<String> {
        let mut told = String::new();
        for (head, on) in [(0, Head::Prompt), (1, Head::People)] {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for row in self.rows.iter().filter(|r| r.origin == Origin::Source && r.kind.is(on)) {
                *counts.entry(&row.source).or_default() += 1;
            }
            let (mut means, mut micro, mut sources) = ([0.0; 2], [0.0; 2], 0.0);
            for source in counts.into_iter().filter(|(_, n)| *n >= SOURCE).map(|(source, _)| source) {
                let found = self.without(source, head, on)?;
                let _ = writeln!(told, "without {source}: {} {}", found[0], found[1]);
                for (n, share) in found.iter().enumerate() {
                    means[n] += share.share();
                    micro[n] += share.hits as f64;
                }
                sources += 1.0;
            }
            let all: f64 = self
                .rows
                .iter()
                .filter(|r| r.origin == Origin::Source && r.kind.is(on))
                .fold(BTreeMap::<&str, usize>::new(), |mut counts, row| {
                    *counts.entry(&row.source).or_default() += 1;
                    counts
                })
                .into_values()
                .filter(|n| *n >= SOURCE)
                .sum::<usize>() as f64;
            let _ = writeln!(
                told,
                "left out in turn, {on:?}: mean of {sources} sources {:.1} {:.1} %, of all their attacks {:.1} {:.1} %",
                100.0 * means[0] / sources,
                100.0 * means[1] / sources,
                100.0 * micro[0] / all,
                100.0 * micro[1] / all
            );
        }
        Ok(told)
    }

    /// What is found of a source by models that saw nothing of it; thresholds by harmless texts they did not see either.
    fn without(&self, source: &str, head: usize, on: Head) -> Result<[Share; 2]> {
        const HALVES: u64 = 2;
        let mut pool = Vec::new();
        let mut attacks = vec![0.0_f32; 0];
        for half in 0..HALVES {
            let reader = self.reader(|row| row.source != source && row.fold() % HALVES != half)?;
            let mut found = Vec::new();
            for row in self.rows.iter().filter(|r| r.origin == Origin::Source) {
                if row.kind == Kind::Harmless && row.fold() % HALVES == half {
                    pool.push(sums_of(&reader, &row.text)[head]);
                } else if row.source == source && row.kind.is(on) {
                    found.push(sums_of(&reader, &row.text)[head] / HALVES as f32);
                }
            }
            if attacks.is_empty() {
                attacks = found;
            } else {
                attacks.iter_mut().zip(found).for_each(|(sum, more)| *sum += more);
            }
        }
        pool.sort_by(f32::total_cmp);
        Ok([0.01, 0.001].map(|f| share(&attacks, exceeded_by(&pool, f))))
    }
}

/// How many texts each source has on either side of a head.
type Counts<'a> = BTreeMap<(&'a str, bool), usize>;

fn counts<'a>(kept: &[&'a Row], head: Head) -> Counts<'a> {
    let mut counts = Counts::new();
    for row in kept {
        *counts.entry((&row.source, row.kind.is(head))).or_default() += 1;
    }
    counts
}

/// How much an error on a text counts, in parts of [`COST`].
fn part(row: &Row, attack: bool, counts: &Counts<'_>) -> f32 {
    let count = counts.get(&(row.source.as_str(), attack)).copied().unwrap_or(1);
    match (row.origin, attack) {
        // A large source is not all there is.
        (Origin::Source, true) => (100.0 / count.max(20) as f32).sqrt(),
        (Origin::Made, true) => MADE,
        (Origin::Hard, _) => HARD,
        (Origin::Plain, _) => PLAIN,
        _ => 1.0,
    }
}

fn sums_of(reader: &Reader, text: &str) -> [f32; MAIN] {
    let reading = reader.read(text);
    [reading.prompt.sum, reading.people.sum]
}

/// The lowest value that at most this share of a sorted pool exceeds, as the scorer sets it.
fn exceeded_by(pool: &[f32], share: f64) -> f32 {
    let over = (share * pool.len() as f64 + 1e-9) as usize;
    pool.len().checked_sub(1 + over).and_then(|at| pool.get(at)).copied().unwrap_or(f32::MIN)
}

/// So many of so many.
#[derive(Debug, Clone, Copy)]
struct Share {
    hits: usize,
    of: usize,
}

impl Share {
    fn share(self) -> f64 {
        self.hits as f64 / self.of.max(1) as f64
    }
}

/// With the 95 % interval of Wilson.
impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (p, n, z) = (self.share(), self.of.max(1) as f64, 1.96_f64);
        let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
        let wide = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / (1.0 + z * z / n);
        write!(f, "{:.1} % [{:.1}, {:.1}]", 100.0 * p, 100.0 * (middle - wide), 100.0 * (middle + wide))
    }
}

fn share(sums: &[f32], over: f32) -> Share {
    Share { hits: sums.iter().filter(|sum| **sum > over).count(), of: sums.len() }
}

//! Makes `models/threats-minilm.json`: the head that makes a sentence model (all-MiniLM-L6-v2) a second opinion on attacks.
//!
//! It learns from the same texts as the small models, weighted and folded alike, and what is reported comes from heads and models
//! that did not see the text. Numbers of texts are kept in a folder, as are the sums of the small models: both take
//! minutes, and depend on nothing that is tried here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use aws_lc_rs::digest::{Context as Hashing, SHA256, digest};
use chatward_detect::larger::{Embedder, Head as File, HeadLabel, OnnxFiles, OnnxOptions, Probe};
use chatward_detect::threat::Head;
use chatward_detect::threat::linear::MAIN;
use chatward_detect::threat::training::{self, Example, Features, Learnt};

use super::{
    COST, FOLDS, Kind, Origin, Row, SOURCE, Share, Study, Sums, counts, exceeded_by, part, prepared, share,
    sums_of,
};

/// Passes over the examples.
const PASSES: usize = 60;
/// Room for the numbers of a text.
const BITS: u32 = 9;
/// Longest stretch, in tokens.
const TOKENS: usize = 256;
/// Texts that go to the model at once.
const AT_ONCE: usize = 256;
/// By this text a head knows its model.
const PROBE: &str = "Hello! I ordered two pairs of shoes last week, and my parcel still has not arrived. Could you tell me where it is?";
/// Where bands are tried to begin. They end where a text is noted anyway.
const BANDS: [f32; 4] = [0.05, 0.1, 0.2, 0.3];
/// What a turn does.
const SHIPPED: &str = "mean from 0.2";
/// Where they end.
const NOTED: f32 = 0.9;
/// Halves of the harmless texts, where a source is left out.
const HALVES: u64 = 2;
/// The heads, and what they are called.
const HEADS: [(Head, &str, &str); MAIN] =
    [(Head::Prompt, "prompt", "prompt-attack"), (Head::People, "people", "people-attack")];

/// Where things are.
pub(crate) struct Wish<'a> {
    pub(crate) shared: &'a Path,
    pub(crate) models: &'a Path,
    /// The folder with `model.onnx`, `tokenizer.json` and `config.json`.
    pub(crate) minilm: &'a Path,
    /// Where numbers and sums are kept.
    pub(crate) kept: &'a Path,
    /// Whether sources are left out in turn.
    pub(crate) figures: bool,
}

/// Trains, measures, writes the head and its card.
pub(crate) fn larger(wish: &Wish<'_>) -> Result<()> {
    let begin = Instant::now();
    let (rows, list) = prepared(wish.shared)?;
    let study = Study { rows: &rows, list: &list };
    let file = |name: &str| std::fs::read(wish.minilm.join(name)).with_context(|| name.to_owned());
    let files = OnnxFiles {
        model: file("model.onnx")?,
        tokenizer: file("tokenizer.json")?,
        config: file("config.json")?,
    };
    let made_with = hex(digest(&SHA256, &files.model).as_ref());
    let options = OnnxOptions { batch: 16, max_tokens: TOKENS };
    let model = Embedder::open(files, options).map_err(|e| anyhow::anyhow!("{e}"))?;
    std::fs::create_dir_all(wish.kept)?;
    let kept = Kept::of(wish.kept, &rows);
    let numbers = numbers(&rows, &model, &wish.kept.join(format!("numbers-{}", &made_with[..12])))?;
    println!("{} texts as numbers, {} s", rows.len(), begin.elapsed().as_secs());
    let this = Larger { study, numbers: &numbers, kept };

    let (mut told, scales) = this.crossed()?;
    if wish.figures {
        told += &this.left_out()?;
    }
    println!("{told}{} s", begin.elapsed().as_secs());
    println!("{}", quickness(&rows, &model)?);
    let probed = model.numbers(&[PROBE]).map_err(anyhow::Error::msg)?.into_iter().flatten().next();
    let mut labels = Vec::new();
    for ((head, _, name), [messages, documents]) in HEADS.into_iter().zip(scales) {
        let learnt = this.head(head, &|_| true);
        let weights = learnt.weights.get(..width(&numbers)).unwrap_or_default().to_vec();
        labels.push(HeadLabel { name: name.to_owned(), offset: learnt.offset, messages, documents, weights });
    }
    let probe = Probe { text: PROBE.to_owned(), numbers: probed.context("the model reads no probe")? };
    let mut file = serde_json::to_vec(&File { made_with, probe, labels })?;
    file.push(b'\n');
    std::fs::write(wish.models.join("threats-minilm.json"), &file).context("cannot write the head")?;
    if wish.figures {
        let card = format!("{}```text\n{}\n```\n", include_str!("../../../larger/card.md"), told.trim_end());
        std::fs::write(wish.models.join("threats-minilm.md"), card).context("cannot write the card")?;
    }
    println!("models/threats-minilm.json {}", &hex(digest(&SHA256, &file).as_ref())[..12]);
    Ok(())
}

/// The numbers of each row, of one stretch after the other.
type Numbers = Vec<Vec<Vec<f32>>>;

fn width(numbers: &Numbers) -> usize {
    numbers.iter().flatten().map(Vec::len).next().unwrap_or(0)
}

/// How long the model takes for one message alone, with all cores of the machine.
fn quickness(rows: &[Row], model: &Embedder) -> Result<String> {
    let messages = rows.iter().filter(|row| row.origin == Origin::Source).step_by(29);
    let mut took = Vec::new();
    for row in messages {
        let begin = Instant::now();
        model.numbers(&[&row.text]).map_err(anyhow::Error::msg)?;
        took.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took.get((took.len() as f64 * share) as usize).copied().unwrap_or_default();
    let (half, most, worst) = (at(0.5), at(0.9), at(0.99));
    Ok(format!(
        "{} messages one by one: {half:.1} ms (median), {most:.1} (p90), {worst:.1} (p99)",
        took.len()
    ))
}

/// Of each text once; short ones first, so that those side by side are alike.
fn numbers(rows: &[Row], model: &Embedder, kept: &Path) -> Result<Numbers> {
    let mut known: BTreeMap<String, Vec<Vec<f32>>> = match std::fs::read(kept) {
        Ok(file) => serde_json::from_slice(&file)?,
        Err(_) => BTreeMap::new(),
    };
    let key = |text: &str| hex(&digest(&SHA256, text.as_bytes()).as_ref()[..12]);
    let mut new: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    new.sort_unstable_by_key(|text| (text.len(), *text));
    new.dedup();
    new.retain(|text| !known.contains_key(&key(text)));
    let (begin, all) = (Instant::now(), new.len());
    for (done, some) in new.chunks(AT_ONCE).enumerate() {
        let given = model.numbers(some).map_err(anyhow::Error::msg)?;
        known.extend(some.iter().map(|text| key(text)).zip(given));
        if done % 10 == 0 {
            println!("{} of {all}, {} s", done * AT_ONCE, begin.elapsed().as_secs());
        }
    }
    if all > 0 {
        std::fs::write(kept, serde_json::to_vec(&known)?)?;
        println!("{:.1} ms a text", 1000.0 * begin.elapsed().as_secs_f64() / all as f64);
    }
    Ok(rows.iter().map(|row| known.get(&key(&row.text)).cloned().unwrap_or_default()).collect())
}

/// Sums that were made before, by the texts and the small models they depend on.
struct Kept<'a> {
    folder: &'a Path,
    name: String,
}

impl<'a> Kept<'a> {
    fn of(folder: &'a Path, rows: &[Row]) -> Self {
        let mut all = Hashing::new(&SHA256);
        for row in rows {
            all.update(row.id.as_bytes());
            all.update(&(row.features.len() as u64).to_le_bytes());
            row.features.iter().for_each(|(feature, _)| all.update(&feature.to_le_bytes()));
        }
        Self { folder, name: hex(&all.finish().as_ref()[..6]) }
    }

    fn get<T>(&self, what: &str, make: impl FnOnce() -> Result<T>) -> Result<T>
    where
        T: serde::Serialize + serde::de::DeserializeOwned,
    {
        let path = self.folder.join(format!("sums-{}-{what}", self.name));
        if let Ok(file) = std::fs::read(&path) {
            return Ok(serde_json::from_slice(&file)?);
        }
        let made = make()?;
        std::fs::write(&path, serde_json::to_vec(&made)?)?;
        Ok(made)
    }
}

struct Larger<'a> {
    study: Study<'a>,
    numbers: &'a Numbers,
    kept: Kept<'a>,
}

/// What the small models and the head say of a text.
#[derive(Debug, Clone, Copy)]
struct Pair {
    text: f32,
    head: f32,
}

/// The sums that one in a hundred and one in a thousand harmless messages, and documents, reach.
type Reached = [[f32; 2]; 2];

impl Larger<'_> {
    /// Learnt as the small models are: the same sides, the same weights. Of an attack every stretch is learnt as a part of it.
    fn head(&self, head: Head, keep: &impl Fn(&Row) -> bool) -> Learnt {
        let kept: Vec<(usize, &Row)> = self
            .study
            .rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.origin != Origin::Passage && keep(row))
            .collect();
        let rows: Vec<&Row> = kept.iter().map(|(_, row)| *row).collect();
        let counts = counts(&rows, head);
        let mut learnt_from: Vec<(Features, bool, f32)> = Vec::new();
        for (at, row) in kept {
            let attack = row.kind.is(head);
            let stretches = self.numbers.get(at).map(Vec::as_slice).unwrap_or_default();
            let shares = if attack { stretches.len() as f32 } else { 1.0 };
            let weight = COST * part(row, attack, &counts) / shares;
            let features = |stretch: &Vec<f32>| (0..).zip(stretch.iter().copied()).collect();
            learnt_from.extend(stretches.iter().map(|stretch| (features(stretch), attack, weight)));
        }
        let examples: Vec<Example<'_>> = learnt_from
            .iter()
            .map(|(features, attack, weight)| Example { features, attack: *attack, weight: *weight })
            .collect();
        training::learn(Learnt::nothing(BITS), &examples, PASSES)
    }

    /// The sum of a row: its most suspicious stretch.
    fn sum(&self, learnt: &Learnt, at: usize) -> f32 {
        let of = |stretch: &Vec<f32>| {
            stretch.iter().zip(&learnt.weights).fold(learnt.offset, |sum, (n, w)| sum + n * w)
        };
        self.numbers.get(at).into_iter().flatten().map(of).fold(f32::MIN, f32::max)
    }

    /// Five folds by text.
    fn crossed(&self) -> Result<(String, Vec<Reached>)> {
        let rows = self.study.rows;
        let sums: Sums = self.kept.get("crossed", || self.study.crossed())?;
        let (mut told, mut scales) = (String::new(), Vec::new());
        for (place, (head, name, _)) in HEADS.into_iter().enumerate() {
            let mut pairs: Vec<Option<Pair>> = vec![None; rows.len()];
            for fold in 0..FOLDS {
                let learnt = self.head(head, &|row| row.fold() % FOLDS != fold);
                for (at, row) in rows.iter().enumerate() {
                    let asked = matches!(row.origin, Origin::Source | Origin::Hard | Origin::Passage);
                    if row.fold() % FOLDS == fold && asked {
                        let text = sums.get(at).and_then(|sums| sums.get(place)).copied();
                        let head = self.sum(&learnt, at);
                        pairs[at] = text.map(|text| Pair { text, head });
                    }
                }
            }
            let chosen = |of: &dyn Fn(&Row) -> bool| -> Vec<Pair> {
                rows.iter().zip(&pairs).filter(|(row, _)| of(row)).filter_map(|(_, pair)| *pair).collect()
            };
            let harmless = |row: &Row, origin| row.kind == Kind::Harmless && row.origin == origin;
            let messages = chosen(&|row| harmless(row, Origin::Source));
            let passages = chosen(&|row| harmless(row, Origin::Passage));
            let attacks = chosen(&|row| row.origin == Origin::Source && row.kind.is(head));
            let hard = chosen(&|row| row.origin == Origin::Hard);
            let ways = Ways::of(&messages);
            let _ = writeln!(
                told,
                "five folds by text, {name}: {} attacks, {} harmless, {} hard negatives",
                attacks.len(),
                messages.len(),
                hard.len()
            );
            ways.tell(&mut told, &messages, &[("attacks", &attacks)], &[("hard negatives", &hard)]);
            if head == Head::Prompt {
                let inside = chosen(&|row| row.source == "tasktracker_injections");
                let of_passages = Ways::of(&passages);
                let _ = writeln!(told, "five folds by text, in documents: {} attacks", inside.len());
                of_passages.tell(&mut told, &passages, &[("attacks", &inside)], &[]);
            }
            scales.push([Ways::of(&messages).head, Ways::of(&passages).head]);
        }
        Ok((told, scales))
    }

    /// Each source of attacks left out in turn.
    fn left_out(&self) -> Result<String> {
        let (rows, mut told) = (self.study.rows, String::new());
        for (place, (head, name, _)) in HEADS.into_iter().enumerate() {
            let mut sources: BTreeMap<&str, usize> = BTreeMap::new();
            for row in rows.iter().filter(|r| r.origin == Origin::Source && r.kind.is(head)) {
                *sources.entry(&row.source).or_default() += 1;
            }
            sources.retain(|_, count| *count >= SOURCE);
            let mut found: Vec<Vec<[Share; 2]>> = Vec::new();
            for source in sources.keys() {
                let (pool, attacks) = self.without(source, place, head)?;
                let ways = Ways::of(&pool);
                let shares = ways.shares(&pool, &attacks);
                let shown = |way: &str| ["text models", "head", SHIPPED].contains(&way);
                for (way, [hundred, thousand]) in
                    ways.names().iter().zip(&shares).filter(|(way, _)| shown(way))
                {
                    let _ = writeln!(told, "without {source}, {way}: {hundred} {thousand}");
                }
                found.push(shares);
            }
            let count = found.len() as f64;
            for (way, name_of_way) in Ways::of(&[]).names().iter().enumerate() {
                let _ = write!(told, "left out in turn, {name}, {name_of_way}: mean of {count} sources");
                let of =
                    |at: usize| found.iter().filter_map(move |one| one.get(way).map(|shares| shares[at]));
                for at in [0, 1] {
                    let _ = write!(told, " {:.1}", 100.0 * of(at).map(Share::share).sum::<f64>() / count);
                }
                told.push_str(" %, of all their attacks");
                for at in [0, 1] {
                    let (hits, all) =
                        of(at).fold((0, 0), |(hits, all), share| (hits + share.hits, all + share.of));
                    let _ = write!(told, " {:.1}", 100.0 * Share { hits, of: all }.share());
                }
                told.push_str(" %\n");
            }
        }
        Ok(told)
    }

    /// Harmless texts, and the attacks of a source, as models and heads see them that saw neither.
    fn without(&self, source: &str, place: usize, head: Head) -> Result<(Vec<Pair>, Vec<Pair>)> {
        let rows = self.study.rows;
        let asked = |row: &Row, half: u64| {
            let harmless = row.kind == Kind::Harmless && row.fold() % HALVES == half;
            row.origin == Origin::Source && (harmless || (row.source == source && row.kind.is(head)))
        };
        let (mut pool, mut attacks): (Vec<Pair>, BTreeMap<usize, Pair>) = Default::default();
        for half in 0..HALVES {
            let keep = |row: &Row| row.source != source && row.fold() % HALVES != half;
            let texts: BTreeMap<usize, f32> =
                self.kept.get(&format!("without-{source}-{place}-{half}"), || {
                    let reader = self.study.reader(keep)?;
                    let of = rows.iter().enumerate().filter(|(_, row)| asked(row, half));
                    Ok(of.map(|(at, row)| (at, sums_of(&reader, &row.text)[place])).collect())
                })?;
            let learnt = self.head(head, &keep);
            for (at, text) in texts {
                let pair = Pair { text, head: self.sum(&learnt, at) };
                if rows.get(at).is_some_and(|row| row.kind == Kind::Harmless) {
                    pool.push(pair);
                } else {
                    let mean = attacks.entry(at).or_insert(Pair { text: 0.0, head: 0.0 });
                    mean.text += pair.text / HALVES as f32;
                    mean.head += pair.head / HALVES as f32;
                }
            }
        }
        Ok((pool, attacks.into_values().collect()))
    }
}

/// The ways to a risk that are put side by side.
struct Ways {
    text: [f32; 2],
    head: [f32; 2],
}

/// Steps from what one in a hundred harmless texts reaches to what one in a thousand does; a risk is made of them.
fn steps(reached: [f32; 2], sum: f32) -> f32 {
    (sum - reached[0]) / (reached[1] - reached[0]).max(1e-3)
}

fn risk(steps: f32) -> f32 {
    1.0 / (1.0 + (-2.197_224_6 * steps).exp())
}

impl Ways {
    /// Set by these harmless texts.
    fn of(pool: &[Pair]) -> Self {
        let reached = |of: &dyn Fn(&Pair) -> f32| {
            let mut sums: Vec<f32> = pool.iter().map(of).collect();
            sums.sort_by(f32::total_cmp);
            [exceeded_by(&sums, 0.01), exceeded_by(&sums, 0.001)]
        };
        Self { text: reached(&|pair| pair.text), head: reached(&|pair| pair.head) }
    }

    fn names(&self) -> Vec<String> {
        let mut names = vec!["text models".to_owned(), "head".to_owned(), "mean, all asked".to_owned()];
        for band in BANDS {
            names.push(format!("head from {band}"));
            names.push(format!("mean from {band}"));
        }
        names
    }

    /// The risks of a text, in the order of the names.
    fn risks(&self, pair: &Pair) -> Vec<f32> {
        let (text, head) = (steps(self.text, pair.text), steps(self.head, pair.head));
        let mean = risk((text + head) / 2.0);
        let (text, head) = (risk(text), risk(head));
        let mut risks = vec![text, head, mean];
        for band in BANDS {
            let asked = (band..NOTED).contains(&text);
            risks.push(if asked { head } else { text });
            risks.push(if asked { mean } else { text });
        }
        risks
    }

    fn columns(&self, pairs: &[Pair]) -> Vec<Vec<f32>> {
        let mut columns = vec![Vec::new(); self.names().len()];
        for pair in pairs {
            columns.iter_mut().zip(self.risks(pair)).for_each(|(column, risk)| column.push(risk));
        }
        columns
    }

    /// The shares that are found where one in a hundred, and one in a thousand, of the pool is, by each way.
    fn shares(&self, pool: &[Pair], of: &[Pair]) -> Vec<[Share; 2]> {
        let both = self.columns(pool).into_iter().zip(self.columns(of));
        both.map(|(mut pool, of)| {
            pool.sort_by(f32::total_cmp);
            [0.01, 0.001].map(|one_in| share(&of, exceeded_by(&pool, one_in)))
        })
        .collect()
    }

    /// Each way in a line.
    fn tell(
        &self,
        told: &mut String,
        pool: &[Pair],
        attacks: &[(&str, &[Pair])],
        harmless: &[(&str, &[Pair])],
    ) {
        for band in BANDS {
            let asked = |pair: &&Pair| (band..NOTED).contains(&risk(steps(self.text, pair.text)));
            let _ = write!(told, "  asked from {band}:");
            for (what, of) in [("harmless", pool)].into_iter().chain(attacks.iter().copied()) {
                let asked = Share { hits: of.iter().filter(asked).count(), of: of.len() };
                let _ = write!(told, " {:.1} % of {what}", 100.0 * asked.share());
            }
            told.push('\n');
        }
        for (at, name) in self.names().iter().enumerate() {
            let _ = write!(told, "  {name}:");
            for (what, of) in attacks {
                let _ = write!(told, " {what}");
                self.shares(pool, of)
                    .get(at)
                    .into_iter()
                    .flatten()
                    .for_each(|share| _ = write!(told, " {share}"));
            }
            for (what, of) in harmless {
                let shares = self.shares(pool, of);
                shares.get(at).into_iter().for_each(|share| _ = write!(told, "; {what} {}", share[0]));
            }
            // What a house meets that leaves the thresholds where they are.
            let noted = |of: &[Pair]| {
                let column = self.columns(of).swap_remove(at);
                [0.5, NOTED].map(|from| Share {
                    hits: column.iter().filter(|r| **r >= from).count(),
                    of: column.len(),
                })
            };
            told.push_str("; from 0.5 and 0.9 on:");
            for (what, of) in attacks.iter().copied().chain([("harmless", pool)]) {
                let [half, nine] = noted(of).map(|share| 100.0 * share.share());
                let _ = write!(told, " {what} {half:.2} {nine:.2} %");
            }
            told.push('\n');
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

//! Models that say what a stretch of a text is as a whole.
//!
//! Either the model has labels of its own ([`Sort::Classifier`]), or it gives numbers for a text and a [`Head`], a small file,
//! makes scores of them. A text that is longer than the model takes is read in stretches that overlap, and each of them has a
//! score for every label: whoever asks takes the most suspicious.

use std::fmt;

use chatward_message::Span;
use serde::{Deserialize, Serialize};

use super::super::{Mention, Read, Reader, Unread};
use super::{
    Config, Core, OnnxError, OnnxFiles, OnnxOptions, Reading, Scoring, Sort, Tokens, count, hash, parts,
    softmax, tried, windows,
};

/// How alike the numbers of the probe have to be, of 1: another export of the same weights is, other weights are not.
const ALIKE: f32 = 0.999;

/// What makes scores of the numbers that a sentence model gives: one sum for each label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// SHA-256 of the ONNX file it was made with, in hexadecimal. Any file whose numbers are the same will do.
    pub made_with: String,
    /// By this it knows its model.
    pub probe: Probe,
    /// What it tells.
    pub labels: Vec<HeadLabel>,
}

/// A text and what the model makes of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The text.
    pub text: String,
    /// Its numbers.
    pub numbers: Vec<f32>,
}

/// A label of a head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadLabel {
    /// Its name.
    pub name: String,
    /// Added to every sum.
    pub offset: f32,
    /// The sums that one in a hundred and one in a thousand harmless messages reach.
    pub messages: [f32; 2],
    /// The same of documents.
    pub documents: [f32; 2],
    /// What each number weighs.
    pub weights: Vec<f32>,
}

impl Head {
    /// Reads its file.
    pub fn of(file: &[u8]) -> Result<Self, OnnxError> {
        let head: Self = serde_json::from_slice(file).map_err(|e| OnnxError::Head(e.to_string().into()))?;
        let width = head.probe.numbers.len();
        let wrong = |what: &str| Err(OnnxError::Head(what.into()));
        if head.labels.is_empty() || width == 0 {
            return wrong("it has no labels or no probe");
        }
        if head.labels.iter().any(|label| label.weights.len() != width) {
            return wrong("a label has more or fewer weights than its probe has numbers");
        }
        Ok(head)
    }

    /// The sums of a stretch.
    pub fn sums(&self, numbers: &[f32]) -> impl Iterator<Item = f32> {
        self.labels.iter().map(move |label| {
            label
                .weights
                .iter()
                .zip(numbers)
                .fold(label.offset, |sum, (weight, number)| sum + weight * number)
        })
    }
}

/// A sum as a score from 0 to 1.
fn logistic(sum: f32) -> f32 {
    1.0 / (1.0 + (-sum).exp())
}

/// A sentence model: a text as some hundred numbers, of length one together.
pub struct Embedder {
    core: Core,
}

impl Embedder {
    /// Opens the model and tries it once. Of the labels in `config.json` nothing is asked.
    pub fn open(files: OnnxFiles, options: OnnxOptions) -> Result<Self, OnnxError> {
        let config = Config::of(&files.config)?;
        let core = Core::open(Sort::Embedding, files.model, &files.tokenizer, &config, options)?;
        let numbers = |stretches: &[&[i32]]| numbers(&core, stretches);
        let wrong = |what| OnnxError::Shape(Sort::Embedding, what);
        let tokens = core.cut("Hello.").map_err(wrong)?;
        numbers(&[tokens.ids.as_slice()]).map_err(wrong)?;
        Ok(Self { core })
    }

    /// The numbers of each text, of one stretch after the other. Texts of a like length side by side cost the least.
    pub fn numbers(&self, texts: &[&str]) -> Result<Vec<Vec<Vec<f32>>>, Box<str>> {
        let mut all = vec![Vec::new(); texts.len()];
        let mut waiting: Vec<(usize, Vec<i32>)> = Vec::new();
        for (number, text) in texts.iter().enumerate() {
            let tokens = whole(&self.core, text, &|| true)?.unwrap_or_default();
            for window in windows(tokens.ids.len(), self.core.most) {
                waiting.push((number, tokens.some(window.all).ids));
            }
        }
        for batch in waiting.chunks(self.core.batch) {
            let stretches: Vec<&[i32]> = batch.iter().map(|(_, ids)| ids.as_slice()).collect();
            for ((number, _), given) in batch.iter().zip(numbers(&self.core, &stretches)?) {
                if let Some(of_text) = all.get_mut(*number) {
                    of_text.push(given);
                }
            }
        }
        Ok(all)
    }
}

impl fmt::Debug for Embedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedder").field("most", &self.core.most).finish_non_exhaustive()
    }
}

/// The numbers of these stretches: the mean over their tokens, if the model has not made it, brought to length one.
fn numbers(core: &Core, stretches: &[&[i32]]) -> Result<Vec<Vec<f32>>, Box<str>> {
    let (longest, special) = (core.longest(stretches), core.around.0.len() + core.around.1.len());
    let output = core.run(stretches)?;
    let mut all: Vec<Vec<f32>> = match *output.shape.as_slice() {
        [_, width] if width > 0 => {
            let rows = output.of_form(&[stretches.len(), width])?;
            rows.chunks(width).map(<[f32]>::to_vec).collect()
        }
        [_, _, width] if width > 0 => {
            let rows = output.of_form(&[stretches.len(), longest, width])?;
            let mean = |(row, stretch): (&[f32], &&[i32])| {
                let seen = stretch.len() + special;
                let mut sums = vec![0.0_f32; width];
                for token in row.chunks(width).take(seen) {
                    sums.iter_mut().zip(token).for_each(|(sum, number)| *sum += number);
                }
                sums.iter_mut().for_each(|sum| *sum /= count(seen));
                sums
            };
            rows.chunks(longest * width).zip(stretches).map(mean).collect()
        }
        ref given => return Err(format!("it gives numbers of the form {given:?}").into()),
    };
    for row in &mut all {
        let length = row.iter().map(|n| n * n).sum::<f32>().sqrt();
        if !length.is_finite() {
            return Err("it gives numbers that are none".into());
        }
        row.iter_mut().for_each(|n| *n /= length.max(1e-12));
    }
    Ok(all)
}

/// The tokens of a whole text, as long as `go_on` says so; nothing if it ended before.
fn whole(core: &Core, text: &str, go_on: &dyn Fn() -> bool) -> Result<Option<Tokens>, Box<str>> {
    let mut tokens = Tokens::default();
    for (at, part) in parts(text) {
        if !go_on() {
            return Ok(None);
        }
        tokens.extend(core.cut(part)?, at);
    }
    Ok(Some(tokens))
}

/// What makes scores.
enum By {
    /// The model's own labels: one of them holds, or each by itself.
    Labels {
        one: bool,
    },
    Head(Head),
}

/// A model that says what a stretch is, ready.
pub struct OnnxWhole {
    core: Core,
    by: By,
    labels: Box<[Box<str>]>,
    hash: [u8; 32],
}

impl OnnxWhole {
    /// Opens a text classifier, whose labels `config.json` names (`id2label`), and tries it once.
    pub fn classifier(files: OnnxFiles, options: OnnxOptions) -> Result<Self, OnnxError> {
        let OnnxFiles { model, tokenizer, config } = files;
        let hash = hash(&[&model, &tokenizer, &config]);
        let config = Config::of(&config)?;
        let labels: Box<[Box<str>]> = config.names()?.into_iter().map(Box::from).collect();
        if labels.is_empty() {
            return Err(OnnxError::Config("it has no id2label; a model without labels needs a head".into()));
        }
        let one = labels.len() > 1 && config.problem_type.as_deref() != Some("multi_label_classification");
        let core = Core::open(Sort::Classifier, model, &tokenizer, &config, options)?;
        let reader = Self { core, by: By::Labels { one }, labels, hash };
        tried(&reader)?;
        Ok(reader)
    }

    /// Opens a sentence model with a head, and holds it against the probe of that.
    pub fn with_head(files: OnnxFiles, head: &[u8], options: OnnxOptions) -> Result<Self, OnnxError> {
        let hash = hash(&[&files.model, &files.tokenizer, &files.config, head]);
        let head = Head::of(head)?;
        let labels = head.labels.iter().map(|label| label.name.as_str().into()).collect();
        let embedder = Embedder::open(files, options)?;
        let probed = embedder.numbers(&[head.probe.text.as_str()]).map_err(OnnxError::Head)?;
        let probed = probed.into_iter().flatten().next().unwrap_or_default();
        let alike: f32 = probed.iter().zip(&head.probe.numbers).map(|(a, b)| a * b).sum();
        if probed.len() != head.probe.numbers.len() || alike.is_nan() || alike < ALIKE {
            let what = "it was made for other weights or another tokenizer: the model gives other numbers for its probe";
            return Err(OnnxError::Head(what.into()));
        }
        let reader = Self { core: embedder.core, by: By::Head(head), labels, hash };
        tried(&reader)?;
        Ok(reader)
    }

    /// The head, if it has one.
    pub const fn head(&self) -> Option<&Head> {
        match &self.by {
            By::Head(head) => Some(head),
            By::Labels { .. } => None,
        }
    }
}

impl Scoring for OnnxWhole {
    fn core(&self) -> &Core {
        &self.core
    }

    /// One row for the stretch: a score for each label.
    fn scores(&self, stretches: &[&[i32]]) -> Result<Vec<Vec<Vec<f32>>>, Box<str>> {
        let rows: Vec<Vec<f32>> = match &self.by {
            By::Labels { one } => {
                let scores = self.core.run(stretches)?.of_form(&[stretches.len(), self.labels.len()])?;
                let of = |row: &[f32]| {
                    if *one { softmax(row) } else { row.iter().copied().map(logistic).collect() }
                };
                scores.chunks(self.labels.len()).map(of).collect()
            }
            By::Head(head) => {
                let given = numbers(&self.core, stretches)?;
                given.iter().map(|row| head.sums(row).map(logistic).collect()).collect()
            }
        };
        Ok(rows.into_iter().map(|row| vec![row]).collect())
    }

    fn mentions(&self, tokens: &Tokens, scores: &[Vec<f32>]) -> Vec<Mention> {
        let (Some((start, _)), Some((_, end))) = (tokens.places.first(), tokens.places.last()) else {
            return Vec::new();
        };
        let span = Span::new(*start, (*end).max(*start));
        let scores = scores.first().into_iter().flatten().enumerate();
        scores.map(|(label, score)| Mention { span, label, score: *score }).collect()
    }
}

impl Reader for OnnxWhole {
    fn labels(&self) -> &[Box<str>] {
        &self.labels
    }

    fn hash(&self) -> [u8; 32] {
        self.hash
    }

    fn read(&self, texts: &[&str], go_on: &dyn Fn() -> bool) -> Vec<Read> {
        let mut reading = Reading::new(self, texts.len());
        for (number, text) in texts.iter().enumerate() {
            match whole(&self.core, text, go_on) {
                Ok(Some(tokens)) => {
                    for window in windows(tokens.ids.len(), self.core.most) {
                        reading.take(number, 0, tokens.some(window.all), go_on);
                    }
                }
                Ok(None) => {
                    reading.end_before(number);
                    return reading.texts;
                }
                Err(cause) => reading.fail(number, Unread::Failed(cause)),
            }
        }
        reading.run(go_on);
        reading.texts
    }
}

impl fmt::Debug for OnnxWhole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.core.most;
        f.debug_struct("OnnxWhole").field("labels", &self.labels).field("most", &most).finish_non_exhaustive()
    }
}

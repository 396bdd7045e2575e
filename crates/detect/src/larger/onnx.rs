//! Models in ONNX form, run in this process.
//!
//! A text is cut into tokens by the model's own tokenizer, and the tokens into stretches that the model can take and that
//! overlap, so that each token is read with words on both sides. Stretches go to the model in batches; before each of them the
//! caller is asked whether to go on. What is made of the output is another matter: [`Onnx`] names words, [`OnnxWhole`] says what
//! a stretch is as a whole. Places are bytes of the text as it came: the tokenizer keeps count of what its normalising did.

mod tokens;
mod whole;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use aws_lc_rs::digest;
use rten::{Model, NodeId};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};
use serde::Deserialize;
use serde_json::{Value, json};
use tokenizers::Tokenizer;

use super::{Mention, Read, Unread};

pub use tokens::Onnx;
pub use whole::{Embedder, Head, HeadLabel, OnnxWhole, Probe};

/// Texts are given to the tokenizer in parts of at most so many bytes, so that time is looked at in between.
const PART: usize = 4096;
/// How many tokens two stretches have in common, if they are long enough.
const OVERLAP: usize = 48;
/// A batch has no more tokens than this, filled up ones included, so that time is looked at often enough.
const BATCH_TOKENS: usize = 1024;

/// The files of a model, as they are.
pub struct OnnxFiles {
    /// The ONNX file.
    pub model: Vec<u8>,
    /// `tokenizer.json`, or `vocab.txt` of a BERT model.
    pub tokenizer: Vec<u8>,
    /// `config.json`, which names the labels (`id2label`).
    pub config: Vec<u8>,
}

/// How it is run.
#[derive(Debug, Clone, Copy)]
pub struct OnnxOptions {
    /// Most stretches at once.
    pub batch: usize,
    /// Longest stretch, in tokens, the special ones included. Never more than the model can take.
    pub max_tokens: usize,
}

/// Why a model cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OnnxError {
    /// The ONNX file.
    #[error("not an ONNX model that can be run here: {0}")]
    Model(Box<str>),
    /// The model is none that fits its other files and what is wanted of it.
    #[error("not a {0} of this form: {1}")]
    Shape(Sort, Box<str>),
    /// The tokenizer's file.
    #[error("not a tokenizer that can be used: {0}")]
    Tokenizer(Box<str>),
    /// `config.json`.
    #[error("not a config.json that names labels: {0}")]
    Config(Box<str>),
    /// The file of a head.
    #[error("not a head for this model: {0}")]
    Head(Box<str>),
}

/// What a model does with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// It says of each token what it is.
    Tokens,
    /// It says of a whole stretch what it is.
    Classifier,
    /// It gives numbers that a head reads.
    Embedding,
}

impl Sort {
    /// The names that its output goes by. Whatever the name, one that is alone is taken.
    const fn outputs(self) -> &'static [&'static str] {
        match self {
            Self::Tokens | Self::Classifier => &["logits"],
            Self::Embedding => &["last_hidden_state", "token_embeddings", "sentence_embedding"],
        }
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tokens => "token classifier",
            Self::Classifier => "text classifier",
            Self::Embedding => "sentence model",
        })
    }
}

/// What is wanted of `config.json`.
#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    id2label: BTreeMap<String, String>,
    problem_type: Option<String>,
    max_position_embeddings: Option<usize>,
    pad_token_id: Option<i32>,
}

impl Config {
    fn of(file: &[u8]) -> Result<Self, OnnxError> {
        serde_json::from_slice(file).map_err(|e| OnnxError::Config(e.to_string().into()))
    }

    /// What each output stands for, in their order.
    fn names(&self) -> Result<Vec<&str>, OnnxError> {
        let wrong = |what: &str| OnnxError::Config(what.into());
        let mut all: Vec<Option<&str>> = vec![None; self.id2label.len()];
        for (number, name) in &self.id2label {
            let place = number.parse::<usize>().ok().and_then(|number| all.get_mut(number));
            *place.ok_or_else(|| wrong("id2label does not count from 0 without a gap"))? = Some(name);
        }
        all.into_iter().collect::<Option<_>>().ok_or_else(|| wrong("id2label names a number twice"))
    }
}

struct Inputs {
    ids: NodeId,
    mask: Option<NodeId>,
    types: Option<NodeId>,
}

impl Inputs {
    fn of(model: &Model) -> Result<Self, Box<str>> {
        let (mut ids, mut mask, mut types) = (None, None, None);
        for id in model.input_ids() {
            let name = model.node_info(*id).and_then(|node| node.name()).unwrap_or_default();
            match name {
                "input_ids" => ids = Some(*id),
                "attention_mask" => mask = Some(*id),
                "token_type_ids" => types = Some(*id),
                other => {
                    let what =
                        format!("it asks for `{other}`; known are input_ids, attention_mask, token_type_ids");
                    return Err(what.into());
                }
            }
        }
        let ids = ids.ok_or("it does not ask for `input_ids`")?;
        Ok(Self { ids, mask, types })
    }
}

/// Where it gives what is wanted: the first output of these names, or the only one.
fn output(model: &Model, names: &[&str]) -> Result<NodeId, Box<str>> {
    let all = model.output_ids();
    let is = |id: &&NodeId, name: &str| model.node_info(**id).and_then(|node| node.name()) == Some(name);
    let named = names.iter().find_map(|name| all.iter().find(|id| is(id, name)));
    match (named, all) {
        (Some(id), _) | (None, [id]) => Ok(*id),
        _ => Err(format!("it has several outputs and none named `{}`", names.join("` or `")).into()),
    }
}

/// A model with its tokenizer, whatever is made of its output.
struct Core {
    sort: Sort,
    model: Model,
    inputs: Inputs,
    output: NodeId,
    tokenizer: Tokenizer,
    /// The special tokens before and behind each stretch.
    around: (Vec<i32>, Vec<i32>),
    padding: i32,
    /// Most tokens of a text in a stretch.
    most: usize,
    batch: usize,
}

/// What a model gives for a batch.
struct Output {
    shape: Vec<usize>,
    numbers: Vec<f32>,
}

impl Core {
    fn open(
        sort: Sort,
        model: Vec<u8>,
        tokenizer: &[u8],
        config: &Config,
        options: OnnxOptions,
    ) -> Result<Self, OnnxError> {
        let tokenizer = read_tokenizer(tokenizer)?;
        let around = around(&tokenizer)?;
        let longest = options.max_tokens.min(config.max_position_embeddings.unwrap_or(usize::MAX));
        let most = longest.saturating_sub(around.0.len() + around.1.len());
        let wrong = |what: Box<str>| OnnxError::Shape(sort, what);
        if most < 2 {
            return Err(wrong(format!("a stretch of {longest} tokens leaves no room for text").into()));
        }
        let model = Model::load(model).map_err(|e| OnnxError::Model(e.to_string().into()))?;
        let inputs = Inputs::of(&model).map_err(wrong)?;
        let output = output(&model, sort.outputs()).map_err(wrong)?;
        let (padding, batch) = (config.pad_token_id.unwrap_or(0), options.batch.max(1));
        Ok(Self { sort, model, inputs, output, tokenizer, around, padding, most, batch })
    }

    /// The tokens of a part of a text.
    fn cut(&self, part: &str) -> Result<Tokens, Box<str>> {
        // Its own messages might repeat the text.
        let encoded = self.tokenizer.encode(part, false).map_err(|_| "its tokenizer cannot read a text")?;
        let ids = encoded.get_ids().iter().map(|id| i32::try_from(*id).unwrap_or_default()).collect();
        Ok(Tokens { ids, places: encoded.get_offsets().to_vec(), words: encoded.get_word_ids().to_vec() })
    }

    /// How many tokens these stretches have with the special ones, filled up to the longest.
    fn longest(&self, stretches: &[&[i32]]) -> usize {
        let special = self.around.0.len() + self.around.1.len();
        stretches.iter().map(|s| s.len() + special).max().unwrap_or(0)
    }

    /// What the model gives for these stretches.
    fn run(&self, stretches: &[&[i32]]) -> Result<Output, Box<str>> {
        let (before, behind) = (&self.around.0, &self.around.1);
        let longest = self.longest(stretches);
        if longest == 0 {
            return Err("its tokenizer makes nothing of a text".into());
        }
        let shape = [stretches.len(), longest];
        let mut ids = vec![self.padding; stretches.len() * longest];
        let mut mask = vec![0i32; stretches.len() * longest];
        for ((stretch, ids), mask) in
            stretches.iter().zip(ids.chunks_mut(longest)).zip(mask.chunks_mut(longest))
        {
            let tokens = before.iter().chain(*stretch).chain(behind);
            for ((token, id), seen) in tokens.zip(ids).zip(mask) {
                (*id, *seen) = (*token, 1);
            }
        }
        let types = NdTensor::<i32, 2>::zeros(shape);
        let (ids, mask) = (NdTensor::from_data(shape, ids), NdTensor::from_data(shape, mask));
        let mut inputs = vec![(self.inputs.ids, ids.view().into())];
        inputs.extend(self.inputs.mask.map(|id| (id, mask.view().into())));
        inputs.extend(self.inputs.types.map(|id| (id, types.view().into())));
        let ran = catch_unwind(AssertUnwindSafe(|| self.model.run(inputs, &[self.output], None)));
        let mut outputs = ran.map_err(|_| "it panicked")?.map_err(|e| e.to_string())?;
        let given = outputs.pop().ok_or("it gave nothing")?;
        let given: Tensor<f32> = given.try_into().map_err(|_| "it gives no scores")?;
        Ok(Output { shape: given.shape().to_vec(), numbers: given.to_vec() })
    }
}

impl Output {
    /// The numbers, if they are of the form that was expected.
    fn of_form(self, wanted: &[usize]) -> Result<Vec<f32>, Box<str>> {
        if self.shape != wanted {
            let given = self.shape;
            return Err(format!("it gives scores of the form {given:?} where {wanted:?} was expected").into());
        }
        Ok(self.numbers)
    }
}

/// What makes scores and mentions of what a model gives.
trait Scoring {
    fn core(&self) -> &Core;

    /// The scores of these stretches: of each a row for every token, or one for it as a whole.
    fn scores(&self, stretches: &[&[i32]]) -> Result<Vec<Vec<Vec<f32>>>, Box<str>>;

    /// What is mentioned in tokens that were read to the end.
    fn mentions(&self, tokens: &Tokens, scores: &[Vec<f32>]) -> Vec<Mention>;
}

/// Reads a sentence of our own, so that what does not fit together is known at the start.
fn tried(scoring: &impl Scoring) -> Result<(), OnnxError> {
    let core = scoring.core();
    let wrong = |what: Box<str>| OnnxError::Shape(core.sort, what);
    let parts = core.cut("Hello, this is a text.").map_err(wrong)?;
    let stretch = parts.ids.get(..parts.ids.len().min(core.most)).unwrap_or_default();
    let [first, ..] = stretch else {
        return Err(wrong("its tokenizer makes nothing of a text".into()));
    };
    // Of different lengths, as they come.
    scoring.scores(&[stretch, &[*first]]).map(|_| ()).map_err(wrong)
}

/// The tokens of a part of a text.
#[derive(Default)]
struct Tokens {
    ids: Vec<i32>,
    /// Where each stands in the part, in bytes.
    places: Vec<(usize, usize)>,
    /// Of which word each is.
    words: Vec<Option<u32>>,
}

impl Tokens {
    /// Adds those of the next part of the text, which begins there.
    fn extend(&mut self, more: Self, at: usize) {
        self.ids.extend(more.ids);
        self.places.extend(more.places.into_iter().map(|(from, to)| (from + at, to + at)));
        self.words.extend(more.words);
    }

    /// Some of them.
    fn some(&self, range: Range<usize>) -> Self {
        let ids = self.ids.get(range.clone()).unwrap_or_default().to_vec();
        let places = self.places.get(range.clone()).unwrap_or_default().to_vec();
        Self { ids, places, words: self.words.get(range).unwrap_or_default().to_vec() }
    }
}

/// A stretch of tokens, and which of them are read in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Window {
    all: Range<usize>,
    read: Range<usize>,
}

/// Stretches of at most `most` tokens that overlap. Each token is read in one of them: where two overlap, the first half
/// in the earlier one.
fn windows(count: usize, most: usize) -> Vec<Window> {
    let overlap = OVERLAP.min(most / 4);
    let mut all = Vec::new();
    let (mut from, mut read) = (0, 0);
    while from < count {
        let to = count.min(from + most);
        let upto = if to == count { count } else { to - overlap / 2 };
        all.push(Window { all: from..to, read: read..upto });
        if to == count {
            break;
        }
        (from, read) = (to - overlap, upto);
    }
    all
}

/// Texts that are being read.
struct Reading<'a, S> {
    by: &'a S,
    texts: Vec<Read>,
    /// Parts of which stretches wait.
    parts: Vec<Part>,
    /// Stretches that wait: of which part, and which.
    waiting: Vec<(usize, Window)>,
}

/// A part of a text.
struct Part {
    text: usize,
    /// Where it begins in the text.
    at: usize,
    tokens: Tokens,
    /// By token; empty until it is read.
    scores: Vec<Vec<f32>>,
    /// How many of its stretches wait.
    waiting: usize,
}

impl<'a, S: Scoring> Reading<'a, S> {
    fn new(by: &'a S, texts: usize) -> Self {
        Self { by, texts: vec![Read::default(); texts], parts: Vec::new(), waiting: Vec::new() }
    }

    /// Takes tokens of a text, which begin there; reads what makes a batch.
    fn take(&mut self, text: usize, at: usize, tokens: Tokens, go_on: &dyn Fn() -> bool) {
        let windows = windows(tokens.ids.len(), self.by.core().most);
        let number = self.parts.len();
        let scores = vec![Vec::new(); tokens.ids.len()];
        self.parts.push(Part { text, at, tokens, scores, waiting: windows.len() });
        for window in windows {
            let longest = self.waiting.iter().map(|(_, other)| other.all.len()).max().unwrap_or(0);
            let tokens = longest.max(window.all.len()) * (self.waiting.len() + 1);
            if !self.waiting.is_empty()
                && (tokens > BATCH_TOKENS || self.waiting.len() >= self.by.core().batch)
            {
                self.run(go_on);
            }
            self.waiting.push((number, window));
        }
    }

    /// Reads the stretches that wait.
    fn run(&mut self, go_on: &dyn Fn() -> bool) {
        if self.waiting.is_empty() {
            return;
        }
        if !go_on() {
            self.give_up();
            return;
        }
        let waiting = std::mem::take(&mut self.waiting);
        let stretch = |(part, window): &(usize, Window)| {
            self.parts.get(*part).and_then(|part| part.tokens.ids.get(window.all.clone())).unwrap_or_default()
        };
        let stretches: Vec<&[i32]> = waiting.iter().map(stretch).collect();
        match self.by.scores(&stretches) {
            Ok(scores) => {
                for ((part, window), scores) in waiting.into_iter().zip(scores) {
                    self.note(part, &window, scores);
                }
            }
            Err(cause) => {
                for (part, _) in waiting {
                    let Some(text) = self.parts.get(part).map(|part| part.text) else { continue };
                    self.fail(text, Unread::Failed(cause.clone()));
                }
            }
        }
    }

    /// Takes the scores of a stretch; a part that was read as a whole gives its mentions.
    fn note(&mut self, number: usize, window: &Window, scores: Vec<Vec<f32>>) {
        let Some(part) = self.parts.get_mut(number) else { return };
        let read = scores.into_iter().skip(window.read.start - window.all.start);
        for (to, scores) in part.scores.get_mut(window.read.clone()).into_iter().flatten().zip(read) {
            *to = scores;
        }
        part.waiting -= 1;
        if part.waiting > 0 {
            return;
        }
        let mentions = self.by.mentions(&part.tokens, &part.scores);
        let shifted = mentions.into_iter().map(|m| Mention { span: m.span.shifted(part.at), ..m });
        if let Some(read) = self.texts.get_mut(part.text) {
            read.mentions.extend(shifted);
        }
        part.scores = Vec::new();
        part.tokens = Tokens::default();
    }

    /// Time ran out: what waits is not read.
    fn give_up(&mut self) {
        for (part, _) in std::mem::take(&mut self.waiting) {
            let Some(text) = self.parts.get(part).map(|part| part.text) else { continue };
            self.fail(text, Unread::Late);
        }
    }

    /// Time ran out before this text and those behind it were read.
    fn end_before(&mut self, text: usize) {
        self.give_up();
        self.texts.iter_mut().skip(text).for_each(|read| read.unread = Some(Unread::Late));
    }

    fn fail(&mut self, text: usize, why: Unread) {
        if let Some(read) = self.texts.get_mut(text) {
            read.unread.get_or_insert(why);
        }
    }
}

/// A text in parts of at most [`PART`] bytes that end behind a line or a space, and where each begins.
fn parts(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = text.get(from..).filter(|rest| !rest.is_empty())?;
        let most = rest.floor_char_boundary(PART);
        let head = rest.get(..most)?;
        let by = if most == rest.len() {
            most
        } else {
            // A part without any space is cut where it must be.
            let space =
                head.rfind('\n').filter(|at| *at > PART / 2).or_else(|| head.rfind(char::is_whitespace));
            let end = |at| at + head.get(at..).and_then(|t| t.chars().next()).map_or(1, char::len_utf8);
            space.map_or(most, end)
        };
        let at = from;
        from += by;
        Some((at, rest.get(..by)?))
    })
}

#[expect(clippy::cast_precision_loss, reason = "a handful of words or tokens")]
fn count(n: usize) -> f32 {
    n.max(1) as f32
}

fn softmax(row: &[f32]) -> Vec<f32> {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut all: Vec<f32> = row.iter().map(|score| (score - most).exp()).collect();
    let sum: f32 = all.iter().sum();
    all.iter_mut().for_each(|score| *score = if sum > 0.0 { *score / sum } else { 0.0 });
    all
}

fn hash(files: &[&[u8]]) -> [u8; 32] {
    let mut all = digest::Context::new(&digest::SHA256);
    for file in files {
        all.update(&(file.len() as u64).to_be_bytes());
        all.update(file);
    }
    all.finish().as_ref().first_chunk().copied().unwrap_or_default()
}

/// A tokenizer from `tokenizer.json`, or from the `vocab.txt` of a BERT model: one token a line.
fn read_tokenizer(file: &[u8]) -> Result<Tokenizer, OnnxError> {
    let wrong = |e: &dyn fmt::Display| OnnxError::Tokenizer(e.to_string().into());
    let mut tokenizer = if file.trim_ascii_start().starts_with(b"{") {
        Tokenizer::from_bytes(file).map_err(|e| wrong(&e))?
    } else {
        let text = std::str::from_utf8(file).map_err(|e| wrong(&e))?;
        let json = of_vocabulary(text).map_err(|e| wrong(&e))?.to_string();
        Tokenizer::from_bytes(json).map_err(|e| wrong(&e))?
    };
    // Stretches are cut and filled up here.
    tokenizer.with_truncation(None).map_err(|e| wrong(&e))?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

/// The `tokenizer.json` that says what every BERT model does with its vocabulary.
fn of_vocabulary(text: &str) -> Result<Value, String> {
    let vocabulary: HashMap<&str, u32> = text.lines().zip(0..).collect();
    let special = |token: &str| {
        let id = vocabulary.get(token).copied();
        id.map(|id| json!([token, id])).ok_or_else(|| format!("a vocabulary without {token}"))
    };
    let (cls, sep, _) = (special("[CLS]")?, special("[SEP]")?, special("[UNK]")?);
    // A vocabulary without capitals was made of texts in small letters.
    let small = !vocabulary.keys().any(|t| !t.starts_with('[') && t.chars().any(char::is_uppercase));
    Ok(json!({
        "version": "1.0", "added_tokens": [],
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
            "lowercase": small,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "cls": cls, "sep": sep},
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary,
        },
    }))
}

/// The special tokens that the tokenizer puts before and behind a text.
fn around(tokenizer: &Tokenizer) -> Result<(Vec<i32>, Vec<i32>), OnnxError> {
    let wrong = |_| OnnxError::Tokenizer("it cannot read a text".into());
    let with = tokenizer.encode("a", true).map_err(wrong)?;
    let without = tokenizer.encode("a", false).map_err(wrong)?;
    let ids = |encoded: &tokenizers::Encoding| -> Vec<i32> {
        encoded.get_ids().iter().map(|id| i32::try_from(*id).unwrap_or_default()).collect()
    };
    let (with, without) = (ids(&with), ids(&without));
    let before = with.windows(without.len().max(1)).position(|w| w == without).unwrap_or(0);
    let behind = with.get(before + without.len()..).unwrap_or_default().to_vec();
    Ok((with.get(..before).unwrap_or_default().to_vec(), behind))
}

#[cfg(test)]
mod tests;

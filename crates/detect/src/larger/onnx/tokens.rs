//! Any token classifier: words with a label.
//!
//! The scores of a word's tokens are put together, so that no word is named in part, and words with one label become a mention.

use std::fmt;

use chatward_message::Span;

use super::super::{Mention, Read, Reader, Unread, bare_label};
use super::{
    Config, Core, OnnxError, OnnxFiles, OnnxOptions, Reading, Scoring, Sort, Tokens, count, hash, parts,
    softmax, tried,
};

/// The label of what is nothing.
const OUTSIDE: &str = "O";

/// What one output of the model stands for.
#[derive(Debug, Clone, Copy)]
struct Tag {
    /// An index into the labels; nothing for what is nothing.
    label: Option<usize>,
    /// Whether a stretch begins here even after one with the same label.
    begins: bool,
}

/// A token classifier that is ready.
pub struct Onnx {
    core: Core,
    labels: Box<[Box<str>]>,
    tags: Box<[Tag]>,
    hash: [u8; 32],
}

impl Onnx {
    /// Opens the model and tries it once, so that what does not fit together is known at the start.
    pub fn open(files: OnnxFiles, options: OnnxOptions) -> Result<Self, OnnxError> {
        let OnnxFiles { model, tokenizer, config } = files;
        let hash = hash(&[&model, &tokenizer, &config]);
        let config = Config::of(&config)?;
        let (labels, tags) = tags(&config)?;
        let core = Core::open(Sort::Tokens, model, &tokenizer, &config, options)?;
        let reader = Self { core, labels, tags, hash };
        tried(&reader)?;
        Ok(reader)
    }
}

impl Scoring for Onnx {
    fn core(&self) -> &Core {
        &self.core
    }

    /// For each token one for each tag, summing up to one.
    fn scores(&self, stretches: &[&[i32]]) -> Result<Vec<Vec<Vec<f32>>>, Box<str>> {
        let (longest, before) = (self.core.longest(stretches), self.core.around.0.len());
        let wanted = [stretches.len(), longest, self.tags.len()];
        let scores = self.core.run(stretches)?.of_form(&wanted)?;
        let of = |(row, stretch): (&[f32], &&[i32])| {
            row.chunks(self.tags.len()).skip(before).take(stretch.len()).map(softmax).collect()
        };
        Ok(scores.chunks(longest * self.tags.len()).zip(stretches).map(of).collect())
    }

    fn mentions(&self, tokens: &Tokens, scores: &[Vec<f32>]) -> Vec<Mention> {
        mentions(&self.tags, tokens, scores)
    }
}

impl Reader for Onnx {
    fn labels(&self) -> &[Box<str>] {
        &self.labels
    }

    fn hash(&self) -> [u8; 32] {
        self.hash
    }

    fn read(&self, texts: &[&str], go_on: &dyn Fn() -> bool) -> Vec<Read> {
        let mut reading = Reading::new(self, texts.len());
        for (number, text) in texts.iter().enumerate() {
            for (at, part) in parts(text) {
                if !go_on() {
                    reading.end_before(number);
                    return reading.texts;
                }
                match self.core.cut(part) {
                    Ok(tokens) => reading.take(number, at, tokens, go_on),
                    Err(cause) => reading.fail(number, Unread::Failed(cause)),
                }
            }
        }
        reading.run(go_on);
        reading.texts
    }
}

/// Words with their labels, joined: a word has one label, by the scores of all its tokens.
fn mentions(tags: &[Tag], tokens: &Tokens, scores: &[Vec<f32>]) -> Vec<Mention> {
    let mut all: Vec<Mention> = Vec::new();
    let mut open: Option<(usize, f32)> = None;
    let mut at = 0;
    while at < tokens.ids.len() {
        let word = tokens.words.get(at).copied().flatten();
        let same = |i: &usize| word.is_some() && tokens.words.get(*i).copied().flatten() == word;
        let end = (at + 1..tokens.ids.len()).find(|i| !same(i)).unwrap_or(tokens.ids.len());
        let of_word = scores.get(at..end).unwrap_or_default();
        let place = tokens.places.get(at..end).and_then(|places| {
            let (start, end) = (places.first()?.0, places.last()?.1);
            (start < end).then(|| Span::new(start, end))
        });
        at = end;
        let Some((tag, score)) = best(tags, of_word) else { continue };
        let (Some(label), Some(span)) = (tag.label, place) else {
            open = None;
            continue;
        };
        match (all.last_mut(), &mut open) {
            (Some(last), Some((words, sum))) if last.label == label && !tag.begins => {
                (*words, *sum) = (*words + 1, *sum + score);
                last.span.end = span.end;
                last.score = *sum / count(*words);
            }
            _ => {
                all.push(Mention { span, label, score });
                open = Some((1, score));
            }
        }
    }
    all
}

/// The tag that the tokens of a word have together, and how sure it is.
fn best(tags: &[Tag], tokens: &[Vec<f32>]) -> Option<(Tag, f32)> {
    let of =
        |tag: usize| tokens.iter().filter_map(|scores| scores.get(tag)).sum::<f32>() / count(tokens.len());
    // Whether it begins or goes on is asked of the first token alone; how sure the label is, of both.
    let label_of = |label: Option<usize>| {
        tags.iter().enumerate().filter(|(_, t)| t.label == label).map(|(i, _)| of(i)).sum::<f32>()
    };
    let (_, best) =
        tags.iter().map(|tag| (label_of(tag.label), tag.label)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    let first = tokens.first()?;
    let tag = tags.iter().enumerate().filter(|(_, tag)| tag.label == best);
    let score = |i: usize| first.get(i).copied().unwrap_or_default();
    let (_, tag) = tag.max_by(|a, b| score(a.0).total_cmp(&score(b.0)))?;
    Some((*tag, label_of(best).min(1.0)))
}

/// The labels of a model, and what each of its outputs stands for.
type Named = (Box<[Box<str>]>, Box<[Tag]>);

/// The labels of a model without the letters before them, and what each of its outputs stands for.
fn tags(config: &Config) -> Result<Named, OnnxError> {
    let mut labels: Vec<Box<str>> = Vec::new();
    let tag = |name: &str| {
        let bare = bare_label(name);
        let label = (name != OUTSIDE).then(|| {
            labels.iter().position(|label| **label == *bare).unwrap_or_else(|| {
                labels.push(bare.into());
                labels.len() - 1
            })
        });
        Tag { label, begins: bare.len() < name.len() && name.starts_with(['B', 'S', 'U']) }
    };
    let tags: Box<[Tag]> = config.names()?.into_iter().map(tag).collect();
    if labels.is_empty() {
        return Err(OnnxError::Config("id2label names nothing but O".into()));
    }
    Ok((labels.into(), tags))
}

impl fmt::Debug for Onnx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.core.most;
        f.debug_struct("Onnx").field("labels", &self.labels).field("most", &most).finish_non_exhaustive()
    }
}

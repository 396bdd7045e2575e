//! What the trainer shares with the tagger, so that both see a text alike.

pub use super::decode::What;
use super::decode::{self, around, sees};
use super::features::{self, Asked, Features};
use super::lexicon::Lexicon;
pub use super::lexicon::{list, phrase_hash, slots};
use super::model::Model;
pub use super::model::{LABELS, TYPES, Trained, may_follow, row};
pub use super::token::{Token, word_hash};
use super::{Damaged, token};
use crate::engine::{Mark, View};
use crate::normal;

/// Lists, as slots.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Slots of lists.
    pub lists: Vec<u8>,
}

/// The tokens of a text; spans in bytes of the text.
pub fn tokens(words: &Words, text: &str) -> Vec<Token> {
    let (seen, marks) = folded(text);
    let view = View { seen: &seen, marks: Some(&marks), at: text.len(), ends: true };
    let lexicon = Lexicon::new(&words.lists);
    let mut cutter = token::Cutter::default();
    std::iter::from_fn(|| cutter.next(&lexicon, &view)).collect()
}

/// Hands out the features of each token in turn.
pub fn each_features(words: &Words, tokens: &mut [Token], asked: Asked, mut take: impl FnMut(&Features)) {
    let lexicon = Lexicon::new(&words.lists);
    let mut course = features::Course::default();
    let mut features = Features::default();
    for at in 0..tokens.len() {
        let sees = sees(tokens, at);
        lexicon.phrases(tokens.get_mut(at..at + sees).unwrap_or_default());
        features::features(&around(tokens, at, sees, &course, asked), &mut features);
        take(&features);
        if let Some(token) = tokens.get(at) {
            course.pass(token);
        }
    }
}

/// A model at work.
#[derive(Debug)]
pub struct Tagger(Model);

impl Tagger {
    /// The model in these bytes.
    pub fn new(file: &'static [u8]) -> Result<Self, Damaged> {
        Model::new(file).map(Self)
    }

    /// What it finds in a text: what, where (in bytes), how sure.
    pub fn find(&self, text: &str, asked: Asked) -> Vec<(What, usize, usize, f32)> {
        let (seen, marks) = folded(text);
        let view = View { seen: &seen, marks: Some(&marks), at: text.len(), ends: true };
        let mut course = decode::Course::default();
        course.advance(&self.0, &view, asked).map(|n| (n.what, n.start, n.end, n.score)).collect()
    }
}

/// What a previous text asks for.
pub fn asked(previous: &str) -> Asked {
    super::asked(previous)
}

fn folded(text: &str) -> (Vec<u8>, Vec<Mark>) {
    let seen = text
        .char_indices()
        .filter_map(|(start, c)| Some((normal::fold(c)?, Mark { start, end: start + c.len_utf8() })));
    seen.unzip()
}

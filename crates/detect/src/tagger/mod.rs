//! Names, places, addresses and firms in chat text, found by a trained model.
//!
//! A linear chain over hashed features (`docs/decisions/0005-names-tagger.md`). The text is cut into tokens, each token gets
//! a score for each label, and the best way through the labels is taken. Ways far below the best are given up, so that
//! mostly only one is left: "outside". There a stretch ends and is settled. A stretch that grows too long is settled by
//! force. All of this is a function of positions in the text: a stream gives what the whole text gives.

use std::sync::Arc;

use chatward_message::{Class, Kind, RuleInfo};

use crate::rule::Rule;

mod asked;
mod decode;
mod features;
mod lexicon;
mod model;
mod token;
pub mod training;

pub(crate) use asked::asked;
use decode::What;
pub(crate) use decode::{Course, Name};
pub use features::Asked;
pub use model::Damaged;
pub(crate) use model::Model;

/// What the tagger finds, in the form in which rules are known.
struct Known {
    what: What,
    id: &'static str,
    kind: &'static str,
    entity: &'static str,
    class: Class,
    label: &'static str,
    /// Score from which it is reported.
    threshold: f32,
}

const KNOWN: [Known; 5] = [
    Known {
        what: What::Person,
        id: "names-person",
        kind: "person_name",
        entity: "PERSON",
        class: Class::Identity,
        label: "NAME",
        threshold: 0.31,
    },
    Known {
        what: What::Place,
        id: "names-place",
        kind: "location",
        entity: "LOCATION",
        class: Class::Interaction,
        label: "PLACE",
        threshold: 0.31,
    },
    Known {
        what: What::Firm,
        id: "names-organisation",
        kind: "organisation",
        entity: "ORG",
        class: Class::Interaction,
        label: "ORGANISATION",
        threshold: 0.31,
    },
    Known {
        what: What::Address,
        id: "names-address",
        kind: "street_address",
        entity: "ADDRESS",
        class: Class::Identity,
        label: "ADDRESS",
        threshold: 0.31,
    },
    Known {
        what: What::Postcode,
        id: "names-postcode",
        kind: "postcode",
        entity: "ADDRESS",
        class: Class::Identity,
        label: "POSTCODE",
        threshold: 0.31,
    },
];

/// What the tagger finds, as rules.
pub(crate) fn rules() -> impl Iterator<Item = Rule> {
    KNOWN.iter().map(|known| {
        let info = RuleInfo {
            id: known.id.into(),
            kind: Kind::new(known.kind),
            entity: known.entity.into(),
            class: known.class,
            label: known.label.into(),
            last_four: false,
        };
        Rule::bare(Arc::new(info), known.threshold)
    })
}

/// Whether an id is one of these.
pub(crate) fn is_taken(id: &str) -> bool {
    KNOWN.iter().any(|known| known.id == id)
}

/// Families of words that are used alike, as the model of names knows them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Families(lexicon::Lexicon<'static>);

impl Families {
    /// Those that come with the program; none where the model of names is damaged.
    pub fn of_the_house() -> Self {
        Model::new(crate::detector::NAMES).map_or_else(|_| Self::default(), |model| Self(model.lexicon))
    }

    /// The family of a word in lower case; 0 where none is known.
    pub(crate) fn of(self, word: &[u8]) -> u8 {
        if word.len() > LONGEST || !word.is_ascii() {
            return 0;
        }
        self.0.lists(token::word_hash(word)).1
    }
}

/// Bytes of a word that may belong to a family.
const LONGEST: usize = 32;

/// A model, and the rules by which what it finds is reported.
#[derive(Debug)]
pub(crate) struct Names {
    pub model: Model,
    rules: Box<[(What, usize)]>,
}

impl Names {
    /// The names that these rules report.
    pub(crate) fn new(model: Model, rules: &[Rule]) -> Self {
        let place = |known: &Known| {
            let at = rules.iter().position(|rule| *rule.info.id == *known.id)?;
            Some((known.what, at))
        };
        Self { model, rules: KNOWN.iter().filter_map(place).collect() }
    }

    /// The rule that reports it.
    pub(crate) fn rule(&self, what: What) -> Option<usize> {
        self.rules.iter().find(|(known, _)| *known == what).map(|(_, rule)| *rule)
    }
}

//! What was found in a file, and what could not be looked into.

use chatward_message::{Plain, Sign};

use crate::hash::Hashes;
use crate::kind::Kind;

/// A sign, and at which file it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// What was seen.
    pub sign: Sign,
    /// Where: an index into [`Verdict::inside`].
    pub at: usize,
}

/// A file: the one that was sent, or one that was found in it.
#[derive(Debug)]
pub struct Inside {
    /// Its name, behind the names of all that it lies in, apart by `/`. It is a stranger's text: not for a log.
    pub path: Plain,
    /// What it is, by its content.
    pub kind: Kind,
    /// Its hashes.
    pub hashes: Hashes,
    /// Its size in bytes; less than it would have if it was not unpacked to its end.
    pub size: usize,
}

/// Why something was not looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// It needs a password.
    Encrypted,
    /// It is broken, or made by other rules.
    Broken,
    /// A kind of archive or a way of packing that is recognised, but not opened.
    Unsupported,
    /// More bytes than are unpacked.
    TooLarge,
    /// More entries than are looked at.
    TooMany,
    /// Deeper than is looked.
    TooDeep,
    /// More work than one file may make.
    TooMuchWork,
    /// A reader of somebody else fell over it.
    ReaderFailed,
    /// The operator's rules did not come to an end in their time.
    RulesTooSlow,
}

impl Why {
    /// Its name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Encrypted => "encrypted",
            Self::Broken => "broken",
            Self::Unsupported => "unsupported",
            Self::TooLarge => "too-large",
            Self::TooMany => "too-many",
            Self::TooDeep => "too-deep",
            Self::TooMuchWork => "too-much-work",
            Self::ReaderFailed => "reader-failed",
            Self::RulesTooSlow => "rules-too-slow",
        }
    }
}

/// Something that was not looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NotLooked {
    /// Why.
    pub why: Why,
    /// At which file: an index into [`Verdict::inside`].
    pub at: usize,
}

/// A text or an address that a file holds.
#[derive(Debug)]
pub struct Passage {
    /// In which file: an index into [`Verdict::inside`].
    pub at: usize,
    /// The text itself.
    pub text: Plain,
}

/// What was found in a file.
///
/// It is whole only if [`Verdict::not_looked`] is empty; whether an attachment that could not be looked into goes on is for the
/// caller to say.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What is wrong with it. Each sign once for each file.
    pub signs: Vec<Found>,
    /// The file itself, first, and all that were found in it.
    pub inside: Vec<Inside>,
    /// Texts that it holds, for whoever reads texts.
    pub texts: Vec<Passage>,
    /// Addresses that it leads to other than by its text.
    pub links: Vec<Passage>,
    /// What was not looked into.
    pub not_looked: Vec<NotLooked>,
    /// How much work it made, in bytes that were looked at, each time that they were.
    pub work: u64,
}

impl Verdict {
    /// The worst of its signs, if there are any.
    pub fn worst(&self) -> Option<&Found> {
        self.signs.iter().max_by_key(|found| found.sign.info.severity)
    }

    /// Whether a sign with this id was seen.
    pub fn has(&self, id: &str) -> bool {
        self.signs.iter().any(|found| found.sign.info.id.as_ref() == id)
    }

    /// What the file itself is.
    pub fn kind(&self) -> Kind {
        self.inside.first().map_or(Kind::Other, |file| file.kind)
    }
}

//! What can be wrong with a feed, and how much of it is read.

use chatward_detect::indicator::ValueFault;

use crate::pattern::PatternFault;

/// How much of a feed is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole feed.
    pub bytes: u64,
    /// Entries of it: objects, attributes, lines.
    pub entries: u64,
    /// Bytes of one entry of a JSON form. A longer one is malformed.
    pub entry: usize,
    /// Bytes of one line. A longer one is malformed.
    pub line: usize,
    /// How deep JSON may be nested.
    pub depth: usize,
    /// Patterns that are more than values.
    pub patterns: u64,
    /// Faults that are named; the others are only counted.
    pub faults: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 1 << 30,
            entries: 20_000_000,
            entry: 1 << 20,
            line: 8 * 1024,
            depth: 64,
            patterns: 1000,
            faults: 20,
        }
    }
}

/// Why a feed is not read at all, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum FormFault {
    /// It is of another form.
    #[error("is not of this form: {0}")]
    Form(&'static str),
    /// It breaks off.
    #[error("breaks off at byte {0}")]
    Cut(u64),
    /// JSON that is none.
    #[error("is not JSON at byte {0}")]
    Json(u64),
    /// Nested too deep.
    #[error("is nested too deep at byte {0}")]
    Deep(u64),
    /// Longer than allowed.
    #[error("is longer than {0} bytes")]
    Long(u64),
    /// More entries than allowed.
    #[error("has more than {0} entries")]
    Entries(u64),
    /// It cannot be read.
    #[error("{0}")]
    Read(#[from] std::io::Error),
}

/// Something is wrong with one entry. Holds nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Which entry, from 1: the object, the attribute, the line.
    pub entry: u64,
    /// At which byte of the feed it begins.
    pub byte: u64,
    /// What is wrong.
    pub what: What,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "entry {} (byte {}): {}", self.entry, self.byte, self.what)
    }
}

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum What {
    /// Longer than allowed.
    #[error("is too long")]
    Long,
    /// Not UTF-8.
    #[error("is not UTF-8")]
    Utf8,
    /// Not a JSON object.
    #[error("is not a JSON object")]
    Object,
    /// A field is missing, or not of the type it must have.
    #[error("{0} is missing or not what it must be")]
    Field(&'static str),
    /// Quotes or columns of a line do not fit.
    #[error("has other columns than its head says")]
    Columns,
    /// A value is not of its kind.
    #[error("a value {0}")]
    Value(#[from] ValueFault),
    /// A pattern cannot be read.
    #[error("pattern: {0}")]
    Pattern(#[from] PatternFault),
}

/// Why an entry that is not wrong makes no indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Skipped {
    /// It is about something else: who made it, what it belongs to.
    Context,
    /// Its maker says it is not for detection.
    NotForDetection,
    /// Of a type that is not seen in a chat.
    OtherType,
    /// A pattern in another language.
    OtherLanguage,
    /// A pattern of which nothing is seen in a chat, or one too many.
    NotEnforced,
    /// A name of the machine itself, an exception, a rule about parts of pages.
    NotAListing,
}

impl Skipped {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::NotForDetection => "not-for-detection",
            Self::OtherType => "other-type",
            Self::OtherLanguage => "other-language",
            Self::NotEnforced => "not-enforced",
            Self::NotAListing => "not-a-listing",
        }
    }
}

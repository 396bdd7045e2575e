//! Text in clear.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Text in clear: what a customer wrote, or what is about to be shown to one.
///
/// It is wiped when dropped, prints only its length, and cannot be serialised. Whoever needs the words says so with
/// [`Plain::expose`], which is easy to search for.
#[derive(Clone, Default, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Plain(String);

impl Plain {
    /// Takes the text over; the caller keeps no copy.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The words. Never pass them to a log, an error or a metric.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Plain {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_hidden) = self;
        write!(f, "Plain({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_text() {
        assert_eq!(format!("{:?}", Plain::from("4111 1111 1111 1111")), "Plain(19 bytes)");
    }
}

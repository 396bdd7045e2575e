//! Whether a feed may take the place of what it said before.

use chatward_detect::indicator::Difference;

use crate::feed::Summary;

/// What a feed must be like to be taken. All shares are of 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acceptance {
    /// At most this share of the entries is malformed.
    pub malformed: u8,
    /// At most this share of the indicators is stopped by warning lists.
    pub stopped: u8,
    /// At most this share of what was there before is gone.
    pub lost: u8,
    /// Of what was there before and is gone, so many never count: small feeds change quickly.
    pub few: u64,
}

impl Default for Acceptance {
    fn default() -> Self {
        Self { malformed: 40, stopped: 20, lost: 50, few: 100 }
    }
}

/// Why a feed is not taken. What it said before goes on counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too much of it cannot be read: damaged, or another form.
    #[error("{malformed} of {entries} entries are malformed")]
    Malformed {
        /// So many.
        malformed: u64,
        /// Of so many.
        entries: u64,
    },
    /// Too much of it is what everybody uses: poisoned.
    #[error("{stopped} of {indicators} indicators name what warning lists protect")]
    Poisoned {
        /// So many.
        stopped: u64,
        /// Of so many.
        indicators: u64,
    },
    /// Too much of what it said is gone: cut, or emptied.
    #[error("{removed} of {before} indicators are gone")]
    Lost {
        /// So many.
        removed: u64,
        /// Of so many.
        before: u64,
    },
}

impl Acceptance {
    /// Judges a feed by what it came to, how many indicators warning lists stopped, and how it differs from before.
    ///
    /// # Errors
    /// The first reason not to take it.
    pub fn judge(&self, summary: &Summary, stopped: u64, difference: &Difference) -> Result<(), Refusal> {
        let Summary { entries, malformed, indicators, .. } = summary;
        let more =
            |part: u64, of: u64, share: u8| u128::from(part) * 100 > u128::from(of) * u128::from(share);
        if more(*malformed, *entries, self.malformed) {
            return Err(Refusal::Malformed { malformed: *malformed, entries: *entries });
        }
        if more(stopped, *indicators, self.stopped) && stopped > 3 {
            return Err(Refusal::Poisoned { stopped, indicators: *indicators });
        }
        let (removed, before) = (difference.removed, difference.before());
        // One that says nothing at all any more is never taken, however small it was.
        let emptied = before > 0 && difference.after() == 0;
        if emptied || removed > self.few && more(removed, before, self.lost) {
            return Err(Refusal::Lost { removed, before });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_held() {
        let judge = |malformed, entries, stopped, indicators, removed, kept| {
            let summary = Summary { entries, malformed, indicators, ..Summary::default() };
            Acceptance::default().judge(
                &summary,
                stopped,
                &Difference { removed, kept, ..Difference::default() },
            )
        };
        assert_eq!(judge(40, 100, 12, 60, 0, 60), Ok(()));
        assert!(matches!(judge(41, 100, 0, 59, 0, 59), Err(Refusal::Malformed { .. })));
        assert!(matches!(judge(0, 100, 21, 100, 0, 79), Err(Refusal::Poisoned { .. })));
        assert!(matches!(judge(0, 100, 0, 100, 5100, 4900), Err(Refusal::Lost { .. })));
        assert_eq!(judge(0, 100, 0, 100, 100, 90), Ok(()));
        assert!(matches!(judge(0, 0, 0, 0, 1, 0), Err(Refusal::Lost { .. })));
        assert_eq!(judge(0, 0, 0, 0, 0, 0), Ok(()));
    }
}

//! Keeping the database file as it is while it is copied.
//!
//! With a write-ahead log, commits change the database file only when the log is copied into it, and that is the writer's
//! decision alone. So a backup needs no snapshot: it asks the writer to empty the log once, and while it holds the file
//! still, what is committed waits in the log. Whoever has a reason to empty the log sooner (an erasure, or a log that got too
//! long) ends the stillness; the backup notices, and looks for what changed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So long an erasure waits for a backup at most.
pub(crate) const ERASURE_WAITS: Duration = Duration::from_secs(3);
/// So many pages (of 8 KiB) may wait in the log for a backup: 512 MiB.
pub(crate) const MOST_PAGES: u64 = 1 << 16;

/// Whether the file is held still, and for whom.
#[derive(Default)]
pub(crate) struct Still(Mutex<State>);

#[derive(Default)]
struct State {
    /// The number of the one who holds it.
    held: Option<u64>,
    last: u64,
    /// Since when an erasure waits.
    asked: Option<Instant>,
}

impl Still {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins; the writer calls it when the log is empty. Gives the number to ask with.
    pub(crate) fn begin(&self) -> u64 {
        let mut state = self.state();
        state.last += 1;
        state.held = Some(state.last);
        state.asked = None;
        state.last
    }

    /// Whether the file has been still since this number was given.
    pub(crate) fn holds(&self, number: u64) -> bool {
        self.state().held == Some(number)
    }

    /// Whether anybody holds it.
    pub(crate) fn is_held(&self) -> bool {
        self.state().held.is_some()
    }

    /// Ends it for this one.
    pub(crate) fn end(&self, number: u64) {
        let mut state = self.state();
        if state.held == Some(number) {
            *state = State { last: state.last, ..State::default() };
        }
    }

    /// Ends it for everybody.
    pub(crate) fn break_off(&self) {
        let mut state = self.state();
        *state = State { last: state.last, ..State::default() };
    }

    /// Whether an erasure may change the file now; it may after it waited long enough, and that ends the stillness.
    pub(crate) fn yields(&self) -> bool {
        let mut state = self.state();
        if state.held.is_none() {
            return true;
        }
        let asked = *state.asked.get_or_insert_with(Instant::now);
        if asked.elapsed() < ERASURE_WAITS {
            return false;
        }
        *state = State { last: state.last, ..State::default() };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_holds_it_learns_that_it_ended() {
        let still = Still::default();
        assert!(still.yields() && !still.is_held());
        let first = still.begin();
        assert!(still.holds(first) && !still.yields());
        let second = still.begin();
        assert!(!still.holds(first) && still.holds(second));
        still.end(first);
        assert!(still.holds(second));
        still.break_off();
        assert!(!still.holds(second) && still.yields());
        assert!(still.begin() > second);
    }

    #[test]
    fn an_erasure_waits_so_long_and_no_longer() {
        let still = Still::default();
        let number = still.begin();
        still.state().asked = Instant::now().checked_sub(ERASURE_WAITS);
        assert!(still.yields());
        assert!(!still.holds(number));
    }
}

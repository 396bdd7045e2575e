//! The last step of a text that somebody watches: it waits here until they have settled it.

use std::collections::VecDeque;
use std::ops::Range;

use super::Desk;

/// What a customer reads in place of what was taken out.
const TAKEN_OUT: &str = "[removed]";

/// Watches the bot's words as they pass, placeholders and all, and says what may go out. Places are bytes from the start of
/// the text.
pub trait Watch: Send {
    /// After how many more bytes it looks at what came: no more are given to it at once, unless one placeholder is longer.
    fn step(&self) -> usize;

    /// Takes the next words, and settles what they settle.
    fn push(&mut self, words: &str);

    /// What is settled went out. Looks at what came, if so much came since it last did, and may stop the whole; never anywhere
    /// else, so that it ends at the same place for every cutting.
    fn look(&mut self);

    /// Nothing came for a while: what need not wait for more is settled.
    fn pause(&mut self);

    /// No more words come: everything is settled, and looked at once more before it goes out.
    fn finish(&mut self);

    /// Up to where it is settled what is taken out. Never goes back, and is never more than 192 bytes behind.
    fn settled(&self) -> u64;

    /// The first part that is taken out and ends behind this place. The end of one that is not known yet is the highest number.
    fn taken_out(&self, from: u64) -> Option<Range<u64>>;

    /// Whether nothing more may go out.
    fn is_stopped(&self) -> bool;
}

/// A run of text in its three forms.
struct Run {
    /// Bytes of what the bot wrote.
    length: usize,
    /// What the customer reads.
    shown: String,
    /// What is kept; nothing if it is what is shown, and both what the bot wrote. Such a run can be cut anywhere.
    kept: Option<String>,
}

/// Holds runs until they are settled.
pub(super) struct Outlet {
    watch: Box<dyn Watch>,
    runs: VecDeque<Run>,
    /// Where the first run begins.
    at: u64,
    /// How much was given to who watches.
    seen: u64,
    /// The start of the part that was taken out last: it is told once.
    told: Option<u64>,
}

impl Outlet {
    pub(super) fn new(watch: Box<dyn Watch>) -> Self {
        Self { watch, runs: VecDeque::new(), at: 0, seen: 0, told: None }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.watch.is_stopped()
    }

    /// Bytes that were seen and have not gone out.
    pub(super) fn held(&self) -> usize {
        usize::try_from(self.seen.saturating_sub(self.at)).unwrap_or(usize::MAX)
    }

    /// Shows the next words to who watches, up to where they look; gives these, and leaves the rest. Nothing once it is stopped.
    pub(super) fn step<'a>(&mut self, words: &mut &'a str) -> Option<&'a str> {
        if words.is_empty() || self.watch.is_stopped() {
            return None;
        }
        let mut end = self.watch.step().clamp(1, words.len());
        while !words.is_char_boundary(end) {
            end += 1;
        }
        let (step, rest) = words.split_at_checked(end)?;
        *words = rest;
        self.see(step);
        Some(step)
    }

    /// Shows words to who watches.
    pub(super) fn see(&mut self, words: &str) {
        self.watch.push(words);
        self.seen += words.len() as u64;
    }

    /// What was shown is settled as far as it can be: it goes out, and then is looked at.
    pub(super) fn look(&mut self, desk: &mut Desk, out: &mut String) {
        self.release(desk, out);
        self.watch.look();
        if self.watch.is_stopped() {
            self.runs.clear();
            self.at = self.seen;
        }
    }

    /// Words that stay as they are.
    pub(super) fn pass(&mut self, words: &str) {
        if words.is_empty() {
            return;
        }
        if let Some(Run { length, shown, kept: None }) = self.runs.back_mut() {
            shown.push_str(words);
            *length += words.len();
            return;
        }
        self.runs.push_back(Run { length: words.len(), shown: words.to_owned(), kept: None });
    }

    /// What stands in place of so many bytes of the bot's words.
    pub(super) fn put(&mut self, length: usize, shown: &str, kept: &str) {
        if length == 0 {
            return;
        }
        self.runs.push_back(Run { length, shown: shown.to_owned(), kept: Some(kept.to_owned()) });
    }

    pub(super) fn pause(&mut self, desk: &mut Desk, out: &mut String) {
        self.watch.pause();
        self.release(desk, out);
    }

    pub(super) fn finish(&mut self, desk: &mut Desk, out: &mut String) {
        if !self.watch.is_stopped() {
            self.watch.finish();
        }
        self.release(desk, out);
    }

    /// Lets out what is settled.
    fn release(&mut self, desk: &mut Desk, out: &mut String) {
        if self.watch.is_stopped() {
            self.runs.clear();
            self.at = self.seen;
            return;
        }
        let settled = self.watch.settled();
        while let Some(run) = self.runs.front_mut() {
            let end = self.at + run.length as u64;
            let taken = self.watch.taken_out(self.at).filter(|taken| taken.start < end.min(settled));
            if run.kept.is_some() && end > settled {
                return;
            }
            // Up to where the same happens with all of the run.
            let (stop, taken) = match (&taken, &run.kept) {
                (None, _) => (end.min(settled), None),
                (Some(_), Some(_)) => (end, taken),
                (Some(part), None) if part.start > self.at => (part.start, None),
                (Some(part), None) => (end.min(settled).min(part.end), taken),
            };
            let Some(length) = usize::try_from(stop.saturating_sub(self.at)).ok().filter(|n| *n > 0) else {
                return;
            };
            let (shown, kept) = match &run.kept {
                Some(kept) => (run.shown.as_str(), kept.as_str()),
                None => {
                    let words = run.shown.get(..length).unwrap_or_default();
                    (words, words)
                }
            };
            match taken {
                None => {
                    out.push_str(shown);
                    desk.keep(kept);
                }
                Some(part) if self.told != Some(part.start) => {
                    self.told = Some(part.start);
                    out.push_str(TAKEN_OUT);
                    desk.keep(TAKEN_OUT);
                }
                Some(_) => {}
            }
            self.at = stop;
            if length < run.length {
                run.length -= length;
                run.shown.drain(..length);
            } else {
                self.runs.pop_front();
            }
        }
    }
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outlet({} bytes held)", self.held())
    }
}

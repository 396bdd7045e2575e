//! An answer on its way to the customer.
//!
//! Each text channel of an answer (the content of a choice, a refusal, the arguments of a tool call) is one
//! [`ReplyText`]. Pieces go through three stages, each of which holds back only what it must: placeholders are cut out
//! (64 bytes at most), the bot's own words go through the detection window (192 bytes at most), and what is found in them
//! is handled as the table says for the customer. Values are put back last: they never pass through detection. A second
//! text comes out of the same pass: what may be kept of the answer. Somebody else may watch the bot's words beside that
//! ([`Watch`]), have some of them taken out, or the whole stopped.

mod outlet;

use std::collections::VecDeque;
use std::sync::Arc;

use chatward_detect::{Heeded, Out, Window};
use chatward_message::{Class, Count, Destination, Finding, Operator, RuleInfo};
use chatward_policy::HandlingTable;

use crate::json::{Decoder, Mark, Piece, escape};
use crate::mask::count;
use crate::operate;
use crate::split::{Cut, Splitter};
use crate::table::Restorer;

use outlet::Outlet;
pub use outlet::Watch;

/// What kind of text a channel carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Words.
    Text,
    /// JSON (the arguments of a tool call): its words are inspected, values are put in JSON-escaped.
    Json,
}

/// Of an answer no more than this is kept, in bytes per channel, so that an endless stream takes no memory.
pub const KEPT_MAX: usize = 1 << 20;

/// What happened in a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplyReport {
    /// Placeholders restored.
    pub restored: u32,
    /// Things that looked like placeholders but were not issued here, or may not be seen.
    pub missed: u32,
    /// What was found in the bot's own words, and what was done with it.
    pub counts: Vec<Count>,
    /// Whether the answer was longer than [`KEPT_MAX`] and only its beginning is kept.
    pub kept_cut: bool,
}

/// One text channel of an answer: pieces in, text for the customer out. The output is the same for every cutting and every
/// pause.
#[derive(Debug)]
pub struct ReplyText {
    decoder: Option<Decoder>,
    splitter: Splitter,
    window: Window,
    desk: Desk,
}

impl ReplyText {
    /// A channel. `window` is fresh from the detector; `table` says what is done with what the bot invents or leaks.
    pub fn new(restorer: Arc<Restorer>, window: Window, table: Arc<HandlingTable>, mode: Mode) -> Self {
        let decoder = (mode == Mode::Json).then(Decoder::default);
        let desk = Desk {
            table,
            json: mode == Mode::Json,
            marks: VecDeque::new(),
            at: 0,
            in_string: false,
            long: None,
            outlet: None,
            kept: String::new(),
            report: ReplyReport::default(),
        };
        Self { decoder, splitter: Splitter::new(restorer), window, desk }
    }

    /// The same channel, its words watched as the bot writes them, before values are put back. JSON is not watched.
    #[must_use]
    pub fn watched(mut self, watch: Box<dyn Watch>) -> Self {
        self.desk.outlet = (!self.desk.json).then(|| Outlet::new(watch));
        self
    }

    /// Whether who watches says that nothing more may go out. What comes after is swallowed.
    pub fn is_stopped(&self) -> bool {
        self.desk.outlet.as_ref().is_some_and(Outlet::is_stopped)
    }

    /// Takes the next piece; appends to `out` what may be sent now.
    pub fn push(&mut self, piece: &str, out: &mut String) {
        let Self { decoder, splitter, window, desk } = self;
        match decoder {
            None => splitter.push(piece, &mut |cut, from| desk.take(cut, from, window, out)),
            Some(decoder) => decoder.push(piece, &mut |piece| {
                let words = desk.note(piece);
                splitter.push(words, &mut |cut, from| desk.take(cut, from, window, out));
            }),
        }
    }

    /// Nothing came for a while: appends what is held back only because of findings that would change nothing. `heeded`
    /// are the rules by whose findings an answer changes ([`changes_answers`]). What may begin a placeholder stays: half of
    /// one could not be restored.
    pub fn pause(&mut self, heeded: &Heeded, out: &mut String) {
        let Self { window, desk, .. } = self;
        window.pause(heeded, &mut |found| desk.settle(found, out));
        desk.outlet(|outlet, desk| outlet.pause(desk, out));
    }

    /// The channel ends (also on errors): appends the rest.
    pub fn finish(&mut self, out: &mut String) {
        let Self { decoder, splitter, window, desk } = self;
        if let Some(decoder) = decoder {
            decoder.finish(&mut |piece| {
                let words = desk.note(piece);
                splitter.push(words, &mut |cut, from| desk.take(cut, from, window, out));
            });
        }
        splitter.finish(&mut |cut, from| desk.take(cut, from, window, out));
        window.finish(&mut |found| desk.settle(found, out));
        desk.outlet(|outlet, desk| outlet.finish(desk, out));
    }

    /// Bytes of original text held back now; never above 256 (of words, in JSON).
    pub fn held(&self) -> usize {
        let words = self.desk.outlet.as_ref().map_or_else(|| self.window.held(), Outlet::held);
        self.splitter.held() + words + self.decoder.as_ref().map_or(0, Decoder::held)
    }

    /// What happened so far.
    pub fn report(&self) -> &ReplyReport {
        &self.desk.report
    }

    /// The text to keep: the bot's own words with placeholders in place of values, findings handled for the store (secrets
    /// removed, payment data masked). Complete after [`ReplyText::finish`]. Seal it.
    pub fn kept(&self) -> &str {
        &self.desk.kept
    }
}

/// Where the pieces come together and both texts are written.
struct Desk {
    table: Arc<HandlingTable>,
    json: bool,
    /// What the written form of the words between here and the decoder looks like.
    marks: VecDeque<Mark>,
    /// How many bytes of words were written.
    at: u64,
    in_string: bool,
    /// A value without a known end that is being written or swallowed: what is done with it in the two texts.
    long: Option<(Operator, Operator)>,
    /// Through which texts leave that somebody watches.
    outlet: Option<Outlet>,
    kept: String,
    report: ReplyReport,
}

impl Desk {
    /// Keeps the mark of a piece and gives its words.
    fn note<'a>(&mut self, piece: Piece<'a>) -> &'a str {
        match piece {
            Piece::Words(words) => words,
            Piece::Marked(mark, words) => {
                self.marks.push_back(mark);
                words
            }
        }
    }

    fn take(&mut self, cut: Cut<'_>, from: &Restorer, window: &mut Window, out: &mut String) {
        match cut {
            Cut::Words(words) if self.outlet.is_none() => {
                window.push(words, &mut |found| self.settle(found, out));
            }
            Cut::Words(mut words) => {
                // In steps of who watches: what they see is the same for every cutting.
                while let Some(step) = self.outlet.as_mut().and_then(|outlet| outlet.step(&mut words)) {
                    window.push(step, &mut |found| self.settle(found, out));
                    self.outlet(|outlet, desk| outlet.look(desk, out));
                }
            }
            Cut::Missed => self.report.missed = self.report.missed.saturating_add(1),
            Cut::Placeholder { raw, at, plural } => {
                if let Some(outlet) = &mut self.outlet {
                    if outlet.is_stopped() {
                        return;
                    }
                    outlet.see(raw);
                }
                window.barrier(&mut |found| self.settle(found, out));
                self.report.restored = self.report.restored.saturating_add(1);
                self.restore(raw, from.value(at), if plural { "s" } else { "" }, out);
            }
        }
    }

    fn restore(&mut self, raw: &str, value: &str, tail: &str, out: &mut String) {
        if self.json {
            self.drop_marks(raw.len());
            // Where the bot forgot the quotation marks, the value brings its own.
            let quote = if self.in_string { "" } else { "\"" };
            out.push_str(quote);
            escape(value, out);
            out.push_str(tail);
            out.push_str(quote);
        } else if let Some(outlet) = &mut self.outlet {
            outlet.put(raw.len(), &[value, tail].concat(), raw);
            self.outlet(|outlet, desk| outlet.look(desk, out));
            return;
        } else {
            out.push_str(value);
            out.push_str(tail);
        }
        self.at += raw.len() as u64;
        self.keep(raw);
    }

    /// Does something with the outlet, if there is one.
    fn outlet(&mut self, act: impl FnOnce(&mut Outlet, &mut Self)) {
        if let Some(mut outlet) = self.outlet.take() {
            act(&mut outlet, self);
            self.outlet = Some(outlet);
        }
    }

    fn settle(&mut self, found: Out<'_>, out: &mut String) {
        match found {
            Out::Text(words) => self.write(words, true, true, out),
            Out::Found(finding, words) => {
                let (shown, kept) = self.decide(&finding.rule);
                self.replace(finding, words, shown, kept, out);
            }
            Out::LongStart(finding, words) => {
                let (shown, kept) = self.decide(&finding.rule);
                self.long = Some((shown, kept));
                // Nothing of a long value is known but its head: it is hidden as a whole or not at all.
                let whole = |o: Operator| if o == Operator::Pass { o } else { Operator::Drop };
                self.replace(finding, words, whole(shown), whole(kept), out);
            }
            Out::LongMore(words) => {
                let (shown, kept) = self.long.unwrap_or((Operator::Drop, Operator::Drop));
                self.write(words, shown == Operator::Pass, kept == Operator::Pass, out);
            }
            Out::LongEnd(_) => self.long = None,
        }
    }

    /// What is done with a finding in the answer and in what is kept of it.
    fn decide(&mut self, rule: &RuleInfo) -> (Operator, Operator) {
        let shown = self.table.operator(&rule.kind, rule.class, Destination::Customer);
        count(&mut self.report.counts, rule, shown);
        (shown, self.table.operator(&rule.kind, rule.class, Destination::Kept))
    }

    /// Writes a finding as the two operators say.
    fn replace(&mut self, finding: &Finding, words: &str, shown: Operator, kept: Operator, out: &mut String) {
        let for_customer = for_customer(&finding.rule, words, shown);
        let for_store = for_store(&finding.rule, words, kept);
        if let Some(outlet) = &mut self.outlet {
            let (shown, kept) = (for_customer.as_deref(), for_store.as_deref());
            return outlet.put(words.len(), shown.unwrap_or(words), kept.unwrap_or(words));
        }
        if !self.json {
            out.push_str(for_customer.as_deref().unwrap_or(words));
            self.keep(for_store.as_deref().unwrap_or(words));
            self.at += words.len() as u64;
            return;
        }
        let mut for_keeping = String::new();
        self.write_json(words, for_customer.as_deref(), out);
        self.write_json(words, for_store.as_deref(), &mut for_keeping);
        self.keep(&for_keeping);
        self.pass_marks(words.len());
    }

    /// Writes words as they were written; to the customer, to what is kept, or both.
    fn write(&mut self, words: &str, shown: bool, kept: bool, out: &mut String) {
        if let Some(outlet) = &mut self.outlet {
            let of = |stays: bool| if stays { words } else { "" };
            return if shown && kept {
                outlet.pass(words)
            } else {
                outlet.put(words.len(), of(shown), of(kept))
            };
        }
        let end = self.at + words.len() as u64;
        if self.marks.front().is_none_or(|mark| mark.at >= end) {
            if shown {
                out.push_str(words);
            }
            if kept {
                self.keep(words);
            }
            self.at = end;
            return;
        }
        let written = self.written(words);
        // The quotation marks of a swallowed value stay, or the JSON would break.
        let quotes =
            || self.marks.iter().take_while(|m| m.at < end).filter(|m| m.quote).map(|_| '"').collect();
        let rest: String = if shown && kept { String::new() } else { quotes() };
        out.push_str(if shown { &written } else { &rest });
        self.keep(if kept { &written } else { &rest });
        self.pass_marks(words.len());
    }

    /// The written form of the words that come next.
    fn written(&self, words: &str) -> String {
        let mut text = String::with_capacity(words.len() + 8);
        let mut from = 0;
        for mark in self.marks.iter() {
            let Some(at) = usize::try_from(mark.at - self.at).ok().filter(|at| *at < words.len()) else {
                break;
            };
            text.push_str(words.get(from..at).unwrap_or_default());
            text.push_str(&mark.raw);
            from = at + mark.len;
        }
        text.push_str(words.get(from..).unwrap_or_default());
        text
    }

    /// Writes the words that come next as JSON, or what stands for them.
    fn write_json(&self, words: &str, instead: Option<&str>, to: &mut String) {
        let Some(instead) = instead else {
            to.push_str(&self.written(words));
            return;
        };
        let end = self.at + words.len() as u64;
        let quotes: Vec<usize> = (self.marks.iter())
            .take_while(|m| m.at < end)
            .filter(|m| m.quote)
            .filter_map(|m| usize::try_from(m.at - self.at).ok())
            .collect();
        if quotes.is_empty() && !self.in_string {
            // A bare number: what stands for it is a string.
            to.push('"');
            escape(instead, to);
            to.push('"');
            return;
        }
        // A finding that reaches over the ends of strings: the first string of it says what was done, the others are
        // empty, numbers between them become zero, and the marks stay, so that it is still JSON.
        let (mut inside, mut from, mut said) = (self.in_string, 0, false);
        for stop in quotes.into_iter().chain([words.len()]) {
            if inside && !said {
                escape(instead, to);
                said = true;
            } else if !inside {
                let mut number = false;
                for c in words.get(from..stop).unwrap_or_default().chars() {
                    let of_number = c.is_alphanumeric() || matches!(c, '.' | '+' | '-');
                    match (of_number, number) {
                        (true, false) => to.push('0'),
                        (true, true) => {}
                        (false, _) => to.push(c),
                    }
                    number = of_number;
                }
            }
            if stop < words.len() {
                to.push('"');
                inside = !inside;
            }
            from = stop + 1;
        }
    }

    /// Forgets the marks of the words that were just written.
    fn pass_marks(&mut self, words: usize) {
        self.drop_marks(words);
        self.at += words as u64;
    }

    fn drop_marks(&mut self, words: usize) {
        let end = self.at + words as u64;
        while let Some(mark) = self.marks.front().filter(|m| m.at < end) {
            self.in_string ^= mark.quote;
            self.marks.pop_front();
        }
    }

    fn keep(&mut self, words: &str) {
        let room = KEPT_MAX.saturating_sub(self.kept.len());
        if words.len() <= room && !self.report.kept_cut {
            self.kept.push_str(words);
            return;
        }
        if !self.report.kept_cut {
            // The same cut for every cutting: by bytes of the whole text.
            let mut end = room;
            while !words.is_char_boundary(end) {
                end -= 1;
            }
            self.kept.push_str(words.get(..end).unwrap_or_default());
            self.report.kept_cut = true;
        }
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Desk({} bytes written)", self.at)
    }
}

/// Whether an answer, as it is shown or as it is kept, is other than the bot wrote it because of what this rule finds.
pub fn changes_answers(table: &HandlingTable, rule: &RuleInfo) -> bool {
    let shown = table.operator(&rule.kind, rule.class, Destination::Customer);
    let kept = table.operator(&rule.kind, rule.class, Destination::Kept);
    shown != Operator::Pass || !stays_in_store(rule, kept)
}

/// Whether what is kept of an answer holds this finding as the bot wrote it. It is sealed under the customer's key as a
/// whole, so that a value which would be a sealed token stays in it; payment data is masked all the same.
fn stays_in_store(rule: &RuleInfo, operator: Operator) -> bool {
    match operator {
        Operator::Pass => true,
        Operator::Token | Operator::Surrogate => rule.class != Class::Payment,
        _ => false,
    }
}

/// What a customer reads in place of a finding in the bot's own words; nothing if it stays.
fn for_customer(rule: &RuleInfo, words: &str, operator: Operator) -> Option<String> {
    Some(match operator {
        Operator::Pass => return None,
        Operator::Generalise => operate::generalised(&rule.kind, words),
        // The table refuses placeholders towards a customer, and a hash would say nothing to one.
        Operator::Mask | Operator::Hash | Operator::Token | Operator::Surrogate => {
            operate::masked(words, rule.last_four)
        }
        Operator::Drop | Operator::Block => operate::note(&rule.kind),
    })
}

/// What is kept in place of a finding in the bot's own words; nothing if it stays.
fn for_store(rule: &RuleInfo, words: &str, operator: Operator) -> Option<String> {
    if stays_in_store(rule, operator) {
        return None;
    }
    Some(match operator {
        Operator::Pass => return None,
        Operator::Generalise => operate::generalised(&rule.kind, words),
        Operator::Mask | Operator::Hash | Operator::Token | Operator::Surrogate => {
            operate::masked(words, rule.last_four)
        }
        Operator::Drop | Operator::Block => operate::note(&rule.kind),
    })
}

#[cfg(test)]
mod tests;

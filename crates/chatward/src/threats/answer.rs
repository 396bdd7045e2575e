//! Attacks in an answer: what the bot says is watched while it streams.
//!
//! Addresses are settled word by word ([`LinkWindow`]); models, rules and instructions that are given away are looked for in
//! the last [`LOOK_BACK`] bytes, each time that [`STEP`] more came. Both happen at places of the text, not of its pieces, so the
//! outcome is the same however the answer is cut. Everything is looked at as the bot wrote it, before values are put back.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use chatward_detect::link::{Known, Link, LinkOut, LinkWindow};
use chatward_detect::threat::leak::{Instructions, Watching};
use chatward_message::{Channel, Class, Count, Response, Sign, View};
use chatward_vault::Watch;
use zeroize::Zeroize;

use super::{Look, Watched, listed};
use crate::openai::{Field, FieldKind, Role};
use crate::turn::{Force, Gate};

/// How many bytes of an answer come before it is looked at again.
const STEP: usize = 128;
/// How many of its last bytes are looked at then.
const LOOK_BACK: usize = 512;

/// What all texts of one answer are watched with.
pub(crate) struct Sight {
    gate: Arc<Gate>,
    force: Arc<Force>,
    instructions: Instructions,
    found: Mutex<Watched>,
}

impl Sight {
    /// For the answer to this request; nothing if attacks are not looked for.
    pub(crate) fn new(gate: &Arc<Gate>, force: &Arc<Force>, fields: &[Field]) -> Option<Arc<Self>> {
        let told = |field: &&Field| {
            matches!(field.role, Role::System | Role::Developer)
                && matches!(field.kind, FieldKind::Content | FieldKind::Part(_))
        };
        if !force.config.threats.enabled {
            return None;
        }
        let instructions = Instructions::new(fields.iter().filter(told).map(|field| field.text.expose()));
        let (gate, force) = (Arc::clone(gate), Arc::clone(force));
        Some(Arc::new(Self { gate, force, instructions, found: Mutex::default() }))
    }

    /// One text of the answer.
    pub(crate) fn watch(self: &Arc<Self>) -> Box<dyn Watch> {
        let links = Arc::clone(&self.force.threats.links);
        let sight = Arc::clone(self);
        let known: Known = Box::new(move |link, text| sight.known(link, text));
        Box::new(AnswerWatch {
            sight: Arc::clone(self),
            links: LinkWindow::new(links, Channel::Bot, &[]).asking(known),
            given: 0,
            taken: VecDeque::new(),
            long: false,
            watching: Watching::default(),
            recent: String::new(),
            at: 0,
            next: STEP as u64,
            ending: false,
            stopped: false,
        })
    }

    pub(crate) fn look(&self) -> Look<'_> {
        Look { wish: &self.force.config.threats, intel: &self.gate.intel, now: self.gate.clock.now() }
    }

    /// That an address of the answer is listed.
    fn known(&self, link: &Link, text: &str) -> Option<Sign> {
        let (look, threats) = (self.look(), &self.force.threats);
        let Some(seen) = listed::seen(look, text, link) else {
            return threats.patterned_alone(look, text, link);
        };
        let sign = threats.sign(&seen.listed, Some(link));
        self.found.lock().unwrap_or_else(PoisonError::into_inner).saw(seen);
        sign
    }

    /// Notes a sign; says what is done about it, if anything.
    fn note(&self, sign: Sign) -> Option<Response> {
        let response = self.look().wish.response_to(&sign, Channel::Bot)?;
        self.found.lock().unwrap_or_else(PoisonError::into_inner).once(sign, Channel::Bot, response);
        Some(response)
    }

    /// What was found in all texts of the answer, and that the bot said such values of its own.
    pub(crate) fn watched(&self, own: &[Count]) -> Watched {
        let never = |count: &&Count| {
            matches!(count.class, Class::Payment | Class::PaymentNeverKept | Class::Secret) && count.n > 0
        };
        if own.iter().any(|count| never(&count)) {
            let info = Arc::clone(&self.force.threats.leaks.data);
            self.note(Sign { info, score: 0.9, span: None, view: View::Plain });
        }
        std::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Watches one text of an answer.
struct AnswerWatch {
    sight: Arc<Sight>,
    links: LinkWindow,
    /// How much of the text has no address any more that is not settled.
    given: u64,
    /// What is taken out; what an address was found in last may be open.
    taken: VecDeque<Range<u64>>,
    long: bool,
    watching: Watching,
    /// The last bytes.
    recent: String,
    at: u64,
    /// Where it is looked at next.
    next: u64,
    /// Nothing more is shown, and at the next look it is stopped.
    ending: bool,
    stopped: bool,
}

impl AnswerWatch {
    /// Does something with the window of addresses, and takes note of what it gives out.
    fn settle(&mut self, act: impl FnOnce(&mut LinkWindow, &mut dyn FnMut(LinkOut<'_>))) {
        let Self { sight, links, given, taken, long, ending, .. } = self;
        // What is done about an address: whether it is taken out, and how far that goes.
        let over = Cell::new(*ending);
        let note = |signs: &[Sign]| {
            let done = signs.iter().filter_map(|sign| sight.note(sign.clone())).max();
            over.set(over.get() || done > Some(Response::Mask));
            (done >= Some(Response::Mask)).then_some(done > Some(Response::Mask))
        };
        act(links, &mut |out| match out {
            LinkOut::Text(text) | LinkOut::LongMore(text) => *given += text.len() as u64,
            LinkOut::Found(judged, text) => {
                let end = *given + text.len() as u64;
                if let Some(all) = note(&judged.signs) {
                    taken.push_back(*given..if all { u64::MAX } else { end });
                }
                *given = end;
            }
            LinkOut::LongStart(judged, text) => {
                if let Some(all) = note(&judged.signs) {
                    taken.push_back(*given..u64::MAX);
                    *long = !all;
                }
                *given += text.len() as u64;
            }
            LinkOut::LongEnd => {
                // The last that was found: only addresses are found while one is open.
                if std::mem::take(long)
                    && let Some(last) = taken.back_mut().filter(|_| !over.get())
                {
                    last.end = *given;
                }
            }
        });
        *ending = over.get();
    }

    /// Looks at the last bytes: whether it may go on.
    fn judge(&mut self) {
        self.stopped |= self.ending;
        let mut from = self.recent.len().saturating_sub(LOOK_BACK);
        while !self.recent.is_char_boundary(from) {
            from += 1;
        }
        self.recent.drain(..from);
        self.next = self.at + STEP as u64;
        let signs =
            self.sight.force.threats.answered(self.sight.look(), &self.recent, &self.sight.instructions);
        for sign in signs {
            // Words that were said cannot be taken back, or wait for anybody: it ends here.
            self.stopped |= self.sight.note(sign).is_some_and(|done| done >= Response::Mask);
        }
    }
}

impl Watch for AnswerWatch {
    fn step(&self) -> usize {
        usize::try_from(self.next.saturating_sub(self.at)).unwrap_or(STEP)
    }

    fn push(&mut self, words: &str) {
        self.at += words.len() as u64;
        self.recent.push_str(words);
        let canaries = &self.sight.force.config.threats.canaries;
        if let Some(place) = canaries.push(&mut self.watching, words) {
            let info = Arc::clone(&self.sight.force.threats.leaks.canary);
            let sign = Sign { info, score: 1.0, span: None, view: View::Plain };
            if self.sight.note(sign).is_some_and(|done| done >= Response::Mask) {
                self.taken.push_back(place..u64::MAX);
                self.ending = true;
            }
        }
        self.settle(|links, sink| links.push(words, &mut |out| sink(out)));
    }

    fn look(&mut self) {
        if self.at >= self.next {
            self.judge();
        }
    }

    fn pause(&mut self) {
        self.settle(|links, sink| links.pause(&mut |out| sink(out)));
    }

    fn finish(&mut self) {
        self.watching = Watching::default();
        self.settle(|links, sink| links.finish(&mut |out| sink(out)));
        self.judge();
    }

    fn settled(&self) -> u64 {
        self.given.min(self.at - self.watching.open() as u64)
    }

    fn taken_out(&self, from: u64) -> Option<Range<u64>> {
        self.taken.iter().filter(|part| part.end > from).min_by_key(|part| part.start).cloned()
    }

    fn is_stopped(&self) -> bool {
        self.stopped
    }
}

impl Drop for AnswerWatch {
    fn drop(&mut self) {
        self.recent.zeroize();
    }
}

//! The best way through the labels of a text that may come in pieces.

use super::features::{self, Around, Asked, Case, Features};
use super::lexicon::list;
use super::model::{LABELS, Model, NEVER, Scores};
use super::token::{Cutter, Shape, Token};
use crate::engine::View;
use crate::explain::By;

/// A stretch that is not settled is never longer, in bytes of original text.
const STRETCH: usize = 80;
/// Ways this far below the best one are given up, in whole scores.
const GIVE_UP: i32 = 7;
/// Doubt about a name in small letters where there are capitals.
const SMALL: f32 = 2.0;
/// Doubt about a person whose name stands in no list.
const UNKNOWN: f32 = 1.0;
/// Doubt about a name with digits in a word.
const CODE: f32 = 3.0;
/// For a place of one or two small letters that stands by itself: "ok" is more often a word than a state.
const SHORT: f32 = 6.0;
/// Doubt about an address of a word or two without a word for a street.
const FEW: f32 = 2.5;
/// Score of a name that is beyond doubt: what a rule has found by its form or by a check is surer.
const SUREST: f32 = 0.59;
/// Tokens that a token sees, itself with those after it.
const AHEAD: usize = 3;
/// What stands outside the text.
static PAD: Token = Token::pad();
/// For an address that goes on in the next line, in whole scores.
const NEXT_LINE: i32 = 4;
/// The label of what goes on with an address.
const MORE_ADDRESS: usize = 8;
/// Passed tokens that still count as context.
const KEPT: usize = 3;
/// Passed tokens are dropped when there are so many.
const MANY: usize = 64;

/// What a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// A person.
    Person,
    /// A place.
    Place,
    /// A firm or another organisation.
    Firm,
    /// The street part of an address.
    Address,
    /// A postcode.
    Postcode,
}

/// A name that was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name {
    pub what: What,
    /// Where, in the original text.
    pub start: usize,
    pub end: usize,
    /// Where, in what matching sees.
    pub seen: usize,
    pub seen_end: usize,
    /// Position in the original text from which it is certain.
    pub ready: usize,
    /// How sure, 0 to 1.
    pub score: f32,
    /// How much worse the best way is that has a token of it outside, in whole scores.
    pub margin: f32,
    /// What is taken off, each by its place in [`DOUBTS`].
    pub doubts: Doubts,
}

/// What is taken off a name, in whole scores.
pub(crate) type Doubts = [f32; DOUBTS.len()];

/// Why something is taken off, in words.
pub(crate) const DOUBTS: [&str; 6] = [
    "in small letters where there are capitals",
    "in no list of names",
    "a single word, or all in capitals",
    "capitals and digits like a code",
    "a place of one or two letters",
    "few words and none for a street",
];

impl Name {
    /// For those who wonder.
    pub(crate) fn by(&self) -> By {
        let label = match self.what {
            What::Person => "person",
            What::Place => "place",
            What::Firm => "organisation",
            What::Address => "address",
            What::Postcode => "postcode",
        };
        let doubts = DOUBTS.into_iter().zip(self.doubts).filter(|(_, off)| *off > 0.0).collect();
        By::Tagger { label, margin: self.margin, doubts }
    }
}

/// What is known of a token by itself.
#[derive(Debug, Clone, Copy)]
struct Own {
    scores: Scores,
    /// Whether the text so far has capitals as in books.
    book: bool,
    /// Whether it is the end of a line.
    line: bool,
}

/// One token on the way.
#[derive(Debug, Clone, Copy)]
struct Step {
    own: Own,
    /// Best score of a way that ends here with this label.
    best: [i32; LABELS],
    /// The label before, on that way.
    back: [u8; LABELS],
}

/// A text being tagged.
#[derive(Debug, Default)]
pub(crate) struct Course {
    cutter: Cutter,
    tokens: Vec<Token>,
    /// First token of the stretch that is not settled.
    first: usize,
    steps: Vec<Step>,
    /// Best scores before the stretch.
    before: Option<[i32; LABELS]>,
    course: features::Course,
    /// Position from which nothing is settled, in the original text.
    open: usize,
    /// Position in the original text from which the last step was certain.
    ready: usize,
    features: Features,
    labels: Vec<u8>,
    names: Vec<Name>,
}

const START: [i32; LABELS] = {
    let mut start = [NEVER; LABELS];
    start[0] = 0;
    start
};

impl Course {
    /// Looks at what came new; what was found is handed out in the order of the text.
    pub(crate) fn advance(
        &mut self,
        model: &Model,
        view: &View<'_>,
        asked: Asked,
    ) -> std::vec::Drain<'_, Name> {
        loop {
            while self.step_is_certain() {
                self.step(model, asked, view);
            }
            match self.cutter.next(&model.lexicon, view) {
                Some(token) => {
                    self.settle_overdue(model, token.start);
                    self.tokens.push(token);
                }
                None if view.ends && self.first + self.steps.len() < self.tokens.len() => {
                    self.step(model, asked, view);
                }
                None => break,
            }
        }
        if view.ends {
            self.settle(model, true);
        } else {
            self.settle_overdue(model, self.cutter.open(view));
        }
        self.open = match self.tokens.get(self.first) {
            Some(token) => token.start,
            None => self.cutter.open(view),
        };
        self.names.drain(..)
    }

    /// Settles a stretch that waits for its next token when that one, or nothing yet, begins only at `next`: an address may
    /// go on in the next line, but not anywhere.
    fn settle_overdue(&mut self, model: &Model, next: usize) {
        while self.first + self.steps.len() == self.tokens.len()
            && let Some(start) = self.tokens.get(self.first).map(|t| t.start)
            && next > start + STRETCH
        {
            self.ready = self.ready.max(start + STRETCH + 1);
            self.settle(model, false);
        }
    }

    /// Position in the original text from which names may still be found.
    pub(crate) const fn open_from(&self) -> usize {
        self.open
    }

    /// What of the text that matching sees is still needed, from here on.
    pub(crate) fn needs(&self) -> usize {
        self.tokens.get(self.first).map_or(self.cutter.at, |t| t.seen.min(self.cutter.at))
    }

    /// The first `by` bytes of it were dropped.
    pub(crate) fn shift(&mut self, by: usize) {
        self.cutter.shift(by);
        for token in &mut self.tokens {
            token.seen = token.seen.saturating_sub(by);
            token.seen_end = token.seen_end.saturating_sub(by);
        }
    }

    /// Nothing before this place joins what comes after.
    pub(crate) fn skip(&mut self, to: usize) {
        self.clear();
        self.cutter.at = to;
    }

    /// Makes it ready for another text.
    pub(crate) fn clear(&mut self) {
        let Self { cutter, tokens, first, steps, before, course, open, ready, features: _, labels, names } =
            self;
        *cutter = Cutter::default();
        tokens.clear();
        *first = 0;
        steps.clear();
        *before = None;
        *course = features::Course::default();
        // Of nothing, nothing is open.
        (*open, *ready) = (usize::MAX, 0);
        labels.clear();
        names.clear();
    }

    /// Whether all that the next step looks at is there.
    fn step_is_certain(&self) -> bool {
        let at = self.first + self.steps.len();
        let shape = |ahead: usize| self.tokens.get(at + ahead).map(|t| t.shape);
        match (shape(0), shape(1), shape(2)) {
            (Some(Shape::Break), ..) | (Some(_), Some(Shape::Break), _) => true,
            (Some(_), Some(_), next) => next.is_some(),
            _ => false,
        }
    }

    /// Scores the next token and looks whether the stretch ends with it.
    fn step(&mut self, model: &Model, asked: Asked, view: &View<'_>) {
        let at = self.first + self.steps.len();
        let (ready, mut scores) = self.look(model, at, asked, view);
        self.ready = self.ready.max(ready);
        let before = self.steps.last().map_or(self.before.unwrap_or(START), |s| s.best);
        let Some(token) = self.tokens.get(at) else { return };
        let book = self.course.case() == Case::Book;
        let line = token.shape == Shape::Break;
        if let (true, Some(more)) = (line, scores.get_mut(MORE_ADDRESS)) {
            // An address is more likely to go on in the next line than another one is to begin there.
            *more = more.saturating_add(i16::try_from(NEXT_LINE * model.unit).unwrap_or_default());
        }
        let step = walk(model, &before, Own { scores, book, line });
        self.course.pass(token);
        self.steps.push(step);
        if step.best.iter().skip(1).all(|score| *score == NEVER) {
            self.settle(model, true);
            return;
        }
        let start = self.tokens.get(self.first).map_or(0, |t| t.start);
        if self.tokens.get(at + 1).is_some_and(|next| next.end > start + STRETCH) {
            self.settle(model, false);
        }
    }

    /// The scores of a token, and from where on they are certain.
    fn look(&mut self, model: &Model, at: usize, asked: Asked, view: &View<'_>) -> (usize, Scores) {
        let sees = sees(&self.tokens, at);
        let ahead = self.tokens.get_mut(at..at + sees).unwrap_or_default();
        let sure = sees == AHEAD || ahead.last().is_some_and(|t| t.shape == Shape::Break);
        let ready = if sure { ahead.iter().map(|t| t.known).max().unwrap_or_default() } else { view.at };
        model.lexicon.phrases(ahead);
        let around = around(&self.tokens, at, sees, &self.course, asked);
        features::features(&around, &mut self.features);
        let own = around.tokens[3].shape;
        let small = own == Shape::Lower || own.is_number() || own == Shape::DigitWord;
        let plain = small && matches!(around.case, Case::Lower | Case::Unknown);
        (ready, model.scores(&self.features, plain))
    }

    /// Settles the stretch: all of it, or as much as is fair when it grew too long.
    fn settle(&mut self, model: &Model, all: bool) {
        let Some(last) = self.steps.last() else { return };
        let (mut label, best) = top(&last.best);
        self.labels.clear();
        self.labels.resize(self.steps.len(), 0);
        for (slot, step) in self.labels.iter_mut().zip(&self.steps).rev() {
            *slot = u8::try_from(label).unwrap_or_default();
            label = step.back.get(label).map_or(0, |b| usize::from(*b));
        }
        let mut upto = self.steps.len();
        self.before = None;
        if !all {
            // Behind the last token outside, if most of the stretch lies before it; else in the middle of a name.
            match self.labels.iter().rposition(|l| *l == 0) {
                Some(outside) if 2 * outside >= upto => upto = outside + 1,
                _ => {
                    let mut carried = [NEVER; LABELS];
                    let last = self.labels.last().map_or(0, |l| usize::from(*l));
                    if let Some(slot) = carried.get_mut(last) {
                        *slot = 0;
                    }
                    self.before = Some(carried);
                }
            }
        }
        if self.labels.iter().take(upto).any(|l| *l != 0) {
            self.name(model, upto, best);
        }
        // What was looked at behind that place is walked again from there.
        self.first += upto;
        self.steps.drain(..upto);
        let mut before = START;
        for step in &mut self.steps {
            *step = walk(model, &before, step.own);
            before = step.best;
        }
        if self.steps.is_empty() {
            self.ready = 0;
        }
        if self.first > MANY {
            self.tokens.drain(..self.first - KEPT);
            self.first = KEPT;
        }
    }

    /// Makes names of the labels up to this one.
    fn name(&mut self, model: &Model, upto: usize, best: i32) {
        let mut rest = [0; LABELS];
        let mut margins = vec![0; self.steps.len()];
        for (i, step) in self.steps.iter().enumerate().rev() {
            // The best way that has this token outside.
            let outside = step.best.first().map_or(NEVER, |b| b.saturating_add(rest[0]));
            if let Some(margin) = margins.get_mut(i) {
                *margin = best.saturating_sub(outside).min(GIVE_UP * 2 * model.unit);
            }
            rest = back(model, &rest, step);
        }
        let mut at = 0;
        while at < upto {
            let label = self.labels.get(at).copied().unwrap_or_default();
            let mut to = at + 1;
            let inside = label + label % 2;
            while to < upto && label != 0 && self.labels.get(to) == Some(&inside) {
                to += 1;
            }
            let tokens = trimmed(self.tokens.get(self.first + at..self.first + to).unwrap_or_default());
            let margin = margins.get(at..to).and_then(|m| m.iter().min()).copied().unwrap_or_default();
            if let (Some(what), Some(first), Some(last)) =
                (what(label, tokens), tokens.first(), tokens.last())
            {
                #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
                let margin = margin as f32 / model.unit as f32;
                let book = self.steps.get(at).is_some_and(|s| s.own.book);
                let doubts = doubts(what, tokens, book);
                let sure = margin - doubts.iter().sum::<f32>();
                self.names.push(Name {
                    what,
                    start: first.start,
                    end: last.end,
                    seen: first.seen,
                    seen_end: last.seen_end,
                    ready: self.ready,
                    score: SUREST / (1.0 + (-sure).exp()),
                    margin,
                    doubts,
                });
            }
            at = to;
        }
    }
}

/// How many tokens the one at `at` sees, itself with those after it: none beyond a line end.
pub(crate) fn sees(tokens: &[Token], at: usize) -> usize {
    let ahead = tokens.iter().skip(at).take(AHEAD);
    let line = ahead.clone().position(|t| t.shape == Shape::Break);
    line.map_or(ahead.len(), |i| i + 1)
}

/// A token among its neighbours.
pub(crate) fn around<'a>(
    tokens: &'a [Token],
    at: usize,
    sees: usize,
    course: &features::Course,
    asked: Asked,
) -> Around<'a> {
    let before = |by: usize| at.checked_sub(by).and_then(|i| tokens.get(i)).unwrap_or(&PAD);
    let after = |by: usize| tokens.get(at + by).filter(|_| by < sees).unwrap_or(&PAD);
    Around {
        tokens: [before(3), before(2), before(1), after(0), after(1), after(2)],
        asked,
        before: course.before(),
        case: course.case(),
        known: course.known(),
    }
}

/// One step from these best scores, with these scores of the token.
fn walk(model: &Model, before: &[i32; LABELS], own: Own) -> Step {
    let mut step = Step { own, best: [NEVER; LABELS], back: [0; LABELS] };
    for (from, (sofar, moves)) in before.iter().zip(&model.moves).enumerate() {
        if *sofar == NEVER {
            continue;
        }
        for (to, (best, move_to)) in step.best.iter_mut().zip(moves).enumerate() {
            let score = sofar + move_to;
            if score > *best {
                *best = score;
                if let Some(back) = step.back.get_mut(to) {
                    *back = u8::try_from(from).unwrap_or_default();
                }
            }
        }
    }
    for (best, score) in step.best.iter_mut().zip(own.scores) {
        *best = if *best <= NEVER / 2 { NEVER } else { *best + i32::from(score) };
    }
    if own.line {
        // Only an address goes on in the next line.
        let others =
            step.best.iter_mut().enumerate().filter(|(label, _)| *label != 0 && *label != MORE_ADDRESS);
        others.for_each(|(_, best)| *best = NEVER);
    }
    let least = top(&step.best).1 - GIVE_UP * model.unit;
    step.best.iter_mut().filter(|best| **best < least).for_each(|best| *best = NEVER);
    step
}

/// Best scores from before this step to the end, by the label before it.
fn back(model: &Model, rest: &[i32; LABELS], step: &Step) -> [i32; LABELS] {
    let mut before = [NEVER; LABELS];
    for (best, moves) in before.iter_mut().zip(&model.moves) {
        for (((move_to, score), rest), alive) in moves.iter().zip(step.own.scores).zip(rest).zip(&step.best) {
            if *move_to > NEVER && *alive > NEVER && *rest > NEVER {
                *best = (*best).max(move_to + i32::from(score) + rest);
            }
        }
    }
    before
}

/// The best label and its score.
fn top(best: &[i32; LABELS]) -> (usize, i32) {
    let mut top = (0, best[0]);
    for (label, score) in best.iter().enumerate() {
        if *score > top.1 {
            top = (label, *score);
        }
    }
    top
}

/// What a label of these tokens names; nothing for what is not reported.
fn what(label: u8, tokens: &[Token]) -> Option<What> {
    match label {
        1 | 2 => Some(What::Person),
        3 | 4 => Some(What::Place),
        5 | 6 => Some(What::Firm),
        7 | 8 if is_postcode(tokens) => Some(What::Postcode),
        7 | 8 => Some(What::Address),
        _ => None,
    }
}

/// How much surer a name must be that is not written like one: where others have capitals it has none, it stands in no
/// list, or it looks like a code.
fn doubts(what: What, tokens: &[Token], book: bool) -> Doubts {
    let none = [0.0; DOUBTS.len()];
    let words = || tokens.iter().filter(|t| t.shape.is_word());
    let small = words().all(|t| t.shape == Shape::Lower);
    let codes = words().any(|t| matches!(t.shape, Shape::WordDigit | Shape::Digits));
    if matches!(what, What::Address) {
        let street = words().any(|t| t.lists & list::STREET != 0);
        let few = words().count() < 2 || words().count() == 2 && words().any(|t| t.shape == Shape::Lower);
        return match (street, few, small_only(tokens)) {
            (false, true, _) => [0.0, 0.0, 0.0, 0.0, 0.0, FEW],
            (false, false, true) => [0.0, UNKNOWN, 0.0, 0.0, 0.0, 0.0],
            _ => none,
        };
    }
    if matches!(what, What::Postcode) {
        return none;
    }
    let named = list::GIVEN | list::GIVEN_RARE | list::FAMILY | list::FAMILY_RARE;
    let unknown = what == What::Person && (book || !small) && words().all(|t| t.lists & named == 0);
    let odd = unknown
        && (words().count() == 1
            || words().all(|t| matches!(t.shape, Shape::Upper | Shape::Mixed | Shape::Letter)));
    let short = what == What::Place && small && matches!(tokens, [only] if only.seen_end - only.seen <= 2);
    let of = |is: bool, doubt: f32| if is { doubt } else { 0.0 };
    [of(small && book, SMALL), of(unknown, UNKNOWN), of(odd, UNKNOWN), of(codes, CODE), of(short, SHORT), 0.0]
}

fn small_only(tokens: &[Token]) -> bool {
    tokens.iter().all(|t| !matches!(t.shape, Shape::Title | Shape::Upper | Shape::Mixed | Shape::Letter))
}

/// Without the marks and line ends around it and without an 's; the full stop of a single letter belongs to it.
fn trimmed(mut tokens: &[Token]) -> &[Token] {
    if let [rest @ .., mark, last] = tokens
        && mark.shape == Shape::Mark
        && last.glued
        && last.shape == Shape::Lower
        && last.seen_end - last.seen == 1
        && !rest.is_empty()
    {
        tokens = rest;
    }
    while let [first, rest @ ..] = tokens
        && matches!(first.shape, Shape::Mark | Shape::Break)
    {
        tokens = rest;
    }
    while let [rest @ .., before, last] = tokens
        && matches!(last.shape, Shape::Mark | Shape::Break)
        && !(last.glued && before.shape == Shape::Letter)
    {
        tokens = tokens.get(..rest.len() + 1).unwrap_or_default();
    }
    tokens
}

/// Numbers only, or the two halves of a British or Canadian postcode.
fn is_postcode(tokens: &[Token]) -> bool {
    let long = |t: &Token| matches!(t.shape, Shape::Four | Shape::Five | Shape::Six | Shape::Digits);
    match tokens {
        [only] => long(only),
        [one, two] => {
            matches!(one.shape, Shape::WordDigit) && matches!(two.shape, Shape::DigitWord)
                || long(one) && matches!(two.shape, Shape::Upper | Shape::Lower)
        }
        [one, mark, two] => long(one) && mark.shape == Shape::Mark && two.shape.is_number(),
        _ => false,
    }
}

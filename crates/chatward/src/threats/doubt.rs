//! Doubt about a text, and who is asked then.
//!
//! The small models judge each text of a request. Where the risk they name leaves room for doubt, a larger model is asked, if the
//! house has one ([`Second`]), and the verdict is that of both. It reads on the threads for work that blocks and within a time
//! limit. What it has not read by then, the small models have judged: their verdict stands, and that is counted, logged and
//! shown as degraded, never silent.

use std::sync::Arc;

use chatward_detect::larger::Unread;
use chatward_detect::larger::second::{Asked, First, Second};
use chatward_detect::threat::Verdict;
use chatward_message::{Channel, Plain, TurnId};

use super::{Look, Watched};
use crate::larger;
use crate::openai::Field;
use crate::seeing::{Fallback, Part};
use crate::turn::{Force, Gate, TurnError};

/// A text that the small models are not sure of.
#[derive(Debug)]
pub(super) struct Doubt {
    text: Plain,
    channel: Channel,
    first: First,
}

/// What was asked and is known, and what is to be asked.
#[derive(Default)]
pub(super) struct Doubts<'a> {
    second: Option<&'a Second>,
    known: &'a [(Doubt, Verdict)],
    open: Vec<Doubt>,
}

/// Who speaks for the models about a text.
pub(super) enum Word {
    /// The small models.
    First(Verdict),
    /// The larger one, which was asked.
    Second(Verdict),
}

impl Doubts<'_> {
    /// The verdict on a text that the small models judge so. Where there is doubt, it is theirs until the larger model was asked.
    pub(super) fn word(&mut self, text: &str, channel: Channel, first: First) -> Word {
        let same = |doubt: &Doubt| doubt.channel == channel && doubt.text.expose() == text;
        if let Some((_, verdict)) = self.known.iter().find(|(doubt, _)| same(doubt)) {
            return Word::Second(*verdict);
        }
        if self.second.is_some_and(|second| second.asks(&first.verdict)) && !self.open.iter().any(same) {
            self.open.push(Doubt { text: Plain::new(text.to_owned()), channel, first });
        }
        Word::First(first.verdict)
    }
}

/// Looks at the texts of a request, and has those read again that leave room for doubt.
pub(crate) async fn watch(
    gate: &Gate,
    force: &Arc<Force>,
    turn: TurnId,
    look: Look<'_>,
    fields: &[Field],
) -> Result<Watched, TurnError> {
    let threats = &force.threats;
    let mut doubts = Doubts { second: threats.second.as_ref(), ..Doubts::default() };
    let watched = threats.watch(look, fields, &mut doubts);
    let open = doubts.open;
    let (Some(wish), false) = (&look.wish.model, open.is_empty()) else { return Ok(watched) };
    gate.metrics.doubted(open.len());
    let reading = {
        let force = Arc::clone(force);
        larger::read(gate, wish.time_limit, move |go_on| asked(&force, open, go_on))
    };
    let answered = reading.await.map_err(|_| TurnError::Internal("the second look was stopped"))?;
    tell(gate, turn, &answered);
    if answered.known.is_empty() {
        return Ok(watched);
    }
    Ok(threats.watch(look, fields, &mut Doubts { known: &answered.known, ..Doubts::default() }))
}

/// What came of asking.
#[derive(Default)]
struct Answered {
    known: Vec<(Doubt, Verdict)>,
    late: usize,
    failed: usize,
    /// Why it failed, without words of the text.
    cause: Option<Box<str>>,
}

/// Asks about these texts, the last one first: it is the newest.
fn asked(force: &Force, mut open: Vec<Doubt>, go_on: &dyn Fn() -> bool) -> Answered {
    let mut answered = Answered::default();
    let Some(second) = &force.threats.second else { return answered };
    open.reverse();
    let form = |doubt: &Doubt| Asked::of(&force.threats.reader, doubt.text.expose(), &doubt.first.verdict);
    let asked: Vec<_> = if go_on() { open.iter().map(form).collect() } else { Vec::new() };
    let texts: Vec<&str> = asked.iter().map(|asked| asked.text.expose()).collect();
    let mut read =
        if texts.is_empty() { Vec::new() } else { second.reader().read(&texts, go_on) }.into_iter();
    let mut asked = asked.iter();
    for doubt in open {
        let (asked, read) = (asked.next(), read.next());
        let (Some(asked), Some(read)) = (asked, read) else {
            answered.late += 1;
            continue;
        };
        match second.verdict(&doubt.first, asked, &read, doubt.channel) {
            Some(verdict) => answered.known.push((doubt, verdict)),
            None => match read.unread {
                Some(Unread::Late) => answered.late += 1,
                Some(Unread::Failed(cause)) => {
                    answered.failed += 1;
                    answered.cause.get_or_insert(cause);
                }
                // It read the text, and has nothing to say of it.
                None => {
                    answered.failed += 1;
                    answered.cause.get_or_insert_with(|| "it gave no score".into());
                }
            },
        }
    }
    answered
}

/// What was left to the small models is counted, logged and shown until all that was asked was read again.
fn tell(gate: &Gate, turn: TurnId, answered: &Answered) {
    let Answered { late, failed, cause, .. } = answered;
    let why = match (failed, late) {
        (1.., _) => Some(Fallback::Failed),
        (_, 1..) => Some(Fallback::Time),
        _ => None,
    };
    gate.health.set_degraded(Part::Threats, why);
    let Some(why) = why else { return };
    gate.metrics.fallback(Part::Threats, why, late + failed);
    tracing::warn!(
        turn = %turn,
        reason = why.name(),
        late,
        failed,
        cause = cause.as_deref(),
        "the larger model of attacks did not read every text it was asked about: the verdicts of the small ones stand"
    );
}

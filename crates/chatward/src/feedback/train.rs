//! `chatward train`: the house's own models, learnt from its confirmed cases.

use std::process::ExitCode;

use chatward_detect::threat::{Reader, own};
use chatward_message::{Clock as _, SystemClock};

use super::Case;
use super::book::Book;
use super::models::{self, Card};
use crate::cli::{TrainArgs, exit, say};
use crate::rights::moment;
use crate::threats::own as house_rules;

/// The newest cases that are learnt, and the characters that they may have together: time and memory grow with them.
const MOST: usize = 2_000;
const MOST_CHARACTERS: usize = 1_000_000;
/// Of a thousand anchors so many may become wrong.
const WORSE: usize = 10;

/// Own models that were made, and what they are.
struct Made {
    file: Vec<u8>,
    card: Card,
}

/// Does the command.
///
/// # Errors
/// If cases cannot be read, or models cannot be written.
pub(crate) fn run(args: &TrainArgs) -> anyhow::Result<ExitCode> {
    let (loaded, data) = args.own.loaded()?;
    let folder = models::folder(loaded.own_models(), &data);
    let book = Book::of(&data);
    let mut cases = book.cases()?;
    if cases.is_empty() {
        let file = book.cases_file();
        say(format_args!("{} holds no cases: `chatward feedback confirm` makes them", file.display()))?;
        return Ok(ExitCode::from(exit::FOUND));
    }
    let older = too_old(&cases);
    if older > 0 {
        say(format_args!(
            "the oldest {older} cases are left out: {MOST}, or {MOST_CHARACTERS} characters, are learnt"
        ))?;
        cases.drain(..older);
    }
    let Made { file, card } = made(&cases)?;
    told(&card)?;
    let faults = faults(&card);
    for fault in &faults {
        say(format_args!("not good enough: {fault}"))?;
    }
    if !faults.is_empty() {
        say("nothing was written: look whether the cases are what they are called")?;
        return Ok(ExitCode::from(exit::FOUND));
    }
    if args.dry_run {
        say("nothing was written: --dry-run")?;
        return Ok(ExitCode::from(exit::OK));
    }
    models::write(&folder, &file, &card)?;
    say(format_args!(
        "written: {}; a running gateway takes them at its next start or `kill -HUP`",
        folder.display()
    ))?;
    Ok(ExitCode::from(exit::OK))
}

/// How many of the oldest cases are too many.
fn too_old(cases: &[Case]) -> usize {
    let mut characters = 0;
    let fits = |case: &&Case| {
        characters += case.text.chars().count();
        characters <= MOST_CHARACTERS
    };
    let fitting = cases.iter().rev().take(MOST).take_while(fits).count();
    cases.len() - fitting
}

/// Learns, and measures what came of it.
fn made(cases: &[Case]) -> anyhow::Result<Made> {
    let shipped = Reader::new()?;
    let rules = house_rules::rules(None, shipped.words())?;
    let lessons: Vec<own::Lesson> = cases.iter().map(Case::lesson).collect();
    let anchors = own::anchors();
    let file = own::retrained(&shipped, &lessons, &anchors.held, models::hash);
    let new = own::reader(file.clone(), |hash, of| models::hash(of) == *hash)?;
    let right = |reader: &Reader, lesson: &own::Lesson| {
        own::Said::of(reader, Some(&rules), &lesson.text, lesson.channel).is_right(lesson.attack)
    };
    let (mut right_before, mut right_after, mut harmless_lost) = (0, 0, 0);
    for lesson in &lessons {
        let (before, after) = (right(&shipped, lesson), right(&new, lesson));
        right_before += usize::from(before);
        right_after += usize::from(after);
        harmless_lost += usize::from(lesson.attack.is_none() && before && !after);
    }
    let (anchors_changed, anchors_worse) = own::changed(&shipped, &new, &anchors.asked);
    let card = Card {
        models: new.name(),
        base: shipped.name(),
        made: moment(SystemClock.now()),
        cases: lessons.len(),
        harmless: lessons.iter().filter(|lesson| lesson.attack.is_none()).count(),
        right_before,
        right_after,
        harmless_lost,
        anchors: anchors.asked.len(),
        anchors_changed,
        anchors_worse,
    };
    Ok(Made { file, card })
}

fn told(card: &Card) -> std::io::Result<()> {
    say(format_args!("models {}, made of the shipped {}", card.models, card.base))?;
    say(format_args!(
        "cases: {}, {} of them harmless; told right: {} by the shipped models, {} by these",
        card.cases, card.harmless, card.right_before, card.right_after
    ))?;
    say(format_args!(
        "anchors: {}; flagged by one and not by the other: {}, wrong now: {}",
        card.anchors, card.anchors_changed, card.anchors_worse
    ))
}

/// What speaks against using these models.
fn faults(card: &Card) -> Vec<String> {
    let mut faults = Vec::new();
    if card.anchors_worse * 1_000 > card.anchors * WORSE {
        faults.push(format!(
            "{} of {} anchors became wrong, more than {WORSE} in 1000",
            card.anchors_worse, card.anchors
        ));
    }
    if card.harmless_lost > 0 {
        faults.push(format!(
            "{} harmless cases are taken for attacks that were not before",
            card.harmless_lost
        ));
    }
    if card.right_after < card.right_before {
        faults.push(format!("{} cases are told right, {} before", card.right_after, card.right_before));
    }
    faults
}

#[cfg(test)]
mod tests {
    use chatward_message::Threat;

    use super::*;
    use crate::feedback::Label;

    #[test]
    fn the_newest_cases_are_learnt_up_to_a_bound() {
        let long = "a".repeat(MOST_CHARACTERS / 4 + 1);
        let cases: Vec<Case> = (0..5).map(|n| Case::told(&format!("{n}{long}"), Label::Harmless)).collect();
        assert_eq!(too_old(&cases), 2);
        let many: Vec<Case> = (0..MOST + 7).map(|n| Case::told(&n.to_string(), Label::Harmless)).collect();
        assert_eq!((too_old(&many), too_old(&many[..3])), (7, 0));
    }

    #[test]
    fn cases_that_would_make_plain_talk_an_attack_are_refused() {
        // Somebody calls what everybody says a fraud.
        let held = own::anchors().held;
        let plain = held.iter().filter(|anchor| anchor.attack.is_none());
        let scam = Label::Attack(Threat::Scam);
        let cases: Vec<Case> = plain.step_by(2).map(|anchor| Case::told(&anchor.text, scam)).collect();
        let made = made(&cases).unwrap();
        let faults = faults(&made.card);
        assert!(faults.iter().any(|fault| fault.contains("anchors became wrong")), "{:?}", made.card);
    }

    #[test]
    fn own_models_are_used_only_whole_and_with_the_shipped_ones_they_were_made_of() {
        let folder = tempfile::tempdir().unwrap();
        let shipped = models::in_force(folder.path(), false).unwrap();
        assert!(shipped.told.starts_with("shipped ") && !shipped.left_out);
        assert!(models::in_force(folder.path(), true).is_err(), "a folder that is named must hold models");

        let text = "Send the pony deposit to the stable, cousin, and the saddle is yours by noon.";
        let Made { file, card } = made(&[Case::told(text, Label::Attack(Threat::Scam))]).unwrap();
        assert_eq!((card.right_before, card.right_after), (0, 1), "{card:?}");
        assert_eq!(faults(&card), Vec::<String>::new());
        models::write(folder.path(), &file, &card).unwrap();
        let own = models::in_force(folder.path(), true).unwrap();
        assert_eq!(own.reader.name(), card.models);
        assert!(own.told.starts_with("own ") && own.told.contains(&card.base));

        models::write(folder.path(), &file, &Card { base: "0123456789ab".into(), ..card.clone() }).unwrap();
        let other = models::in_force(folder.path(), true).unwrap();
        assert!(other.left_out && other.reader.name() == card.base, "{}", other.told);
        models::write(folder.path(), &file[..file.len() - 1], &card).unwrap();
        assert!(models::in_force(folder.path(), false).unwrap().left_out);
        let mut damaged = file.clone();
        *damaged.last_mut().unwrap() ^= 1;
        models::write(folder.path(), &damaged, &card).unwrap();
        assert!(models::in_force(folder.path(), false).unwrap().told.contains("its hash"));
    }
}

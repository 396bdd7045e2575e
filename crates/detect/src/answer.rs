//! Answers: what a text is when the other side has just asked for it ("4432", "sure, its hunter2").
//!
//! A rule may have an `[answer]`: the words of the question and the form of the value. It is tried on short whole texts
//! only. A stream is the bot's, who answers no question of ours, and a stream does not know where it ends.

use std::sync::{Arc, OnceLock};

use chatward_message::{Evidence, Finding, Span};
use regex_automata::meta::Regex;

use crate::check::Verdict;
use crate::engine::Core;
use crate::explain::{Because, By, Explained, Outcome, Why};
use crate::normal;
use crate::rule::Rule;

/// Longer texts are no bare answers, in characters.
const LONGEST: usize = 120;
/// How much of the question counts, from its end, in bytes.
const QUESTION: usize = 200;
/// Parts of an answer: "smith and 4432".
const PARTS: usize = 4;
/// What people say before the value.
const BEFORE: &str = "sure|yes|yeah|yep|yup|ok|okay|oke|well|so|um|uh|oh|hi|hello|right|fine|alright|of course|certainly|absolutely\
    |no problem|np|here (?:it is|you go|you are|is)|here's|it is|it's|its|it was|that is|that's|thats|that would be|it would be\
    |this is|i think|i believe|my|mine is|the|number|numbers|is|was|answer|try|use|sorry|oops|i meant|correct|actually\
    |ja|klar|gern|gerne|naturlich|es ist|das ist|sie lautet|er lautet|meine|mein|oui|bien sur|d'accord|c'est|voici|mon|ma\
    |si|claro|por supuesto|es|mi|certo|ecco|e|il mio|la mia|zeker|natuurlijk|het is|mijn|sim|com certeza|meu|minha|tak|to";
/// What they say after it.
const AFTER: &str = "thanks|thank you|thx|ty|please|pls|i think|i believe|i guess|sir|madam|ma'am|ok|okay|is (?:it|mine|the number)\
    |that's it|bitte|danke|merci|s'il vous plait|gracias|por favor|grazie|per favore|dank je|alstublieft|obrigad[oa]";

/// How a value stands alone.
#[derive(Debug)]
pub(crate) struct Answer {
    pub asked: Box<[Box<[u8]>]>,
    pub regex: Box<str>,
    pub score: f32,
    pub checked: f32,
    compiled: OnceLock<Option<Regex>>,
}

impl Answer {
    /// An answer of this form; nothing if the form is no regular expression.
    pub(crate) fn new(asked: Box<[Box<[u8]>]>, regex: &str, score: f32, checked: f32) -> Self {
        Self { asked, regex: regex.into(), score, checked, compiled: OnceLock::new() }
    }

    /// The form with what people say around it.
    pub(crate) fn pattern(regex: &str) -> String {
        format!(
            r"(?i)\A[\s.,]{{0,3}}(?:(?:{BEFORE})[\s,.:;!-]{{1,3}}){{0,6}}(?P<value>{regex})[\s.,!]{{0,3}}(?:(?:{AFTER})[\s.,!]{{0,3}}){{0,2}}\z"
        )
    }

    fn value(&self, text: &[u8]) -> Option<(usize, usize)> {
        let compiled = self.compiled.get_or_init(|| {
            let hir = crate::rule::syntax(&Self::pattern(&self.regex)).ok()?;
            Regex::builder().build_from_hir(&hir).ok()
        });
        let regex = compiled.as_ref()?;
        let mut groups = regex.create_captures();
        regex.captures(text, &mut groups);
        groups.get_group_by_name("value").filter(|g| g.start < g.end).map(|g| (g.start, g.end))
    }
}

/// Adds what the text answers to the question, where nothing better was found.
pub(crate) fn add(core: &Core, text: &str, previous: &str, found: &mut Vec<Finding>) {
    let answers = proposals(core, text, previous);
    if answers.is_empty() {
        return;
    }
    for answer in answers.into_iter().filter(|a| a.outcome == Outcome::Reported).map(|a| a.finding) {
        let overlaps = |f: &Finding| f.span.overlaps(answer.span);
        if found.iter().filter(|f| overlaps(f)).all(|f| f.evidence.raw() < answer.evidence.raw()) {
            found.retain(|f| !overlaps(f));
            found.push(answer);
        }
    }
    found.sort_by_key(|f| f.span.start);
}

/// The same for those who wonder.
pub(crate) fn explain(core: &Core, text: &str, previous: &str, all: &mut Vec<Explained>) {
    for mut answer in proposals(core, text, previous) {
        let (score, span) = (answer.finding.evidence.raw(), answer.finding.span);
        let rivals = |e: &&mut Explained| e.outcome == Outcome::Reported && e.finding.span.overlaps(span);
        if answer.outcome == Outcome::Reported {
            let better = all.iter_mut().filter(rivals).find(|e| e.finding.evidence.raw() >= score);
            if let Some(better) = better {
                answer.outcome = Outcome::LostTo(better.finding.rule.id.clone(), Because::Score);
            } else {
                for rival in all.iter_mut().filter(rivals) {
                    rival.outcome = Outcome::LostTo(answer.finding.rule.id.clone(), Because::Score);
                }
            }
        }
        all.push(answer);
    }
}

/// What the parts of a text may be as answers to the question; of each part one is reported, if any.
fn proposals(core: &Core, text: &str, previous: &str) -> Vec<Explained> {
    let mut all: Vec<Explained> = Vec::new();
    if !core.answers || text.trim().is_empty() || text.chars().nth(LONGEST).is_some() {
        return all;
    }
    let asked = core.words.in_previous(question(previous));
    if asked.is_empty() {
        return all;
    }
    // What matching sees, and where each byte of it stands.
    let (seen, marks): (Vec<u8>, Vec<usize>) =
        text.char_indices().filter_map(|(at, c)| Some((normal::fold(c)?, at))).unzip();
    let parts = parts(&seen);
    let place = |i: usize| marks.get(i).copied().unwrap_or(text.len());
    for &(from, to) in parts.iter().take(PARTS) {
        let Some(part) = seen.get(from..to) else { continue };
        let first = all.len();
        let mut best: Option<usize> = None;
        for rule in
            core.rules.iter().enumerate().filter(|(at, _)| core.words.asks(*at, &asked)).map(|(_, r)| r)
        {
            let Some((mut answer, (start, end))) = tried(core, rule, part, parts.len() > 1) else { continue };
            answer.finding.span = Span::new(place(from + start), place(from + end));
            if answer.outcome == Outcome::Reported {
                let score = |at: usize| all.get(at).map_or(0.0, |e: &Explained| e.finding.evidence.raw());
                if best.is_none_or(|at| answer.finding.evidence.raw() >= score(at)) {
                    best = Some(all.len());
                }
            }
            all.push(answer);
        }
        let winner = best.and_then(|at| all.get(at)).map(|e| e.finding.rule.id.clone());
        for (at, answer) in all.iter_mut().enumerate().skip(first) {
            if let (Outcome::Reported, true, Some(winner)) = (&answer.outcome, Some(at) != best, &winner) {
                answer.outcome = Outcome::LostTo(winner.clone(), Because::Score);
            }
        }
    }
    all
}

/// What the rule says of one part, and where in it the value stands; nothing if the part has not its form.
fn tried(core: &Core, rule: &Rule, part: &[u8], several: bool) -> Option<(Explained, (usize, usize))> {
    let answer = rule.answer.as_ref()?;
    let (start, end) = answer.value(part)?;
    let bytes = part.get(start..end)?;
    let value: String = bytes.iter().copied().map(char::from).collect();
    let verdict = rule.verdict(&value);
    // Of several things only one is the value: a word that might be anything is not enough.
    if several && verdict == Verdict::Unsure {
        return None;
    }
    let holds = verdict == Verdict::Holds && !rule.checks.is_empty();
    let score = if holds { answer.checked } else { answer.score };
    let outcome = if verdict == Verdict::Fails && rule.check_required {
        Outcome::CheckFailed
    } else if core.allow.holds(rule.info.kind.as_str(), &bytes.to_ascii_lowercase()) {
        Outcome::Allowed
    } else if score < rule.threshold {
        Outcome::BelowThreshold
    } else {
        Outcome::Reported
    };
    let finding = Finding {
        span: Span::new(start, end),
        rule: Arc::clone(&rule.info),
        score: rule.calibration.of(score),
        evidence: Evidence { pattern: score, checked: holds, context: 0.0 },
    };
    let why = Why {
        by: By::Answer,
        checks: rule.check_names.clone(),
        verdict: (!rule.checks.is_empty()).then_some(verdict),
        ..Why::default()
    };
    Some((Explained { finding, threshold: rule.threshold, outcome, why }, (start, end)))
}

/// The last question of a turn, or, where nothing is asked with a question mark, its end.
fn question(previous: &str) -> &str {
    let tail = |text: &'_ str| text.ceil_char_boundary(text.len().saturating_sub(QUESTION));
    let mut last = None;
    let mut from = 0;
    for (at, c) in previous.char_indices() {
        let next = at + c.len_utf8();
        match c {
            '?' | '？' => last = Some((from, next)),
            '!' | '\n' => from = next,
            '.' if previous.get(next..).is_some_and(|rest| rest.starts_with(' ')) => from = next,
            _ => {}
        }
        if matches!(c, '?' | '？') {
            from = next;
        }
    }
    let question = last.and_then(|(from, to)| previous.get(from..to)).unwrap_or(previous);
    question.get(tail(question)..).unwrap_or_default()
}

/// The parts of an answer: between commas, line ends, and "and".
fn parts(seen: &[u8]) -> Vec<(usize, usize)> {
    let mut parts = Vec::new();
    let (mut from, mut at) = (0, 0);
    while at < seen.len() {
        let rest = seen.get(at..).unwrap_or_default();
        let ends = |word: &[u8]| rest.get(..word.len()).is_some_and(|r| r.eq_ignore_ascii_case(word));
        let length = if ends(b", ") {
            2
        } else if ends(b"\n") {
            1
        } else if ends(b" and ") {
            5
        } else {
            at += 1;
            continue;
        };
        parts.push((from, at));
        at += length;
        from = at;
    }
    parts.push((from, seen.len()));
    parts.retain(|(from, to)| from < to);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_question_counts() {
        assert_eq!(question("What is your name? Thanks. And your pin?"), " And your pin?");
        assert_eq!(question("Your password was changed. Anything else?"), " Anything else?");
        assert_eq!(question("Your pin? I will look."), "Your pin?");
        assert_eq!(question("Please tell me your pin. Thanks!"), "Please tell me your pin. Thanks!");
        assert_eq!(question(""), "");
        let long = format!("{} your pin?", "é".repeat(900));
        assert!(question(&long).ends_with("your pin?") && question(&long).len() <= QUESTION);
    }

    #[test]
    fn an_answer_has_parts() {
        assert_eq!(parts(b"smith and 4432"), [(0, 5), (10, 14)]);
        assert_eq!(parts(b"4432"), [(0, 4)]);
        assert_eq!(parts(b"a, b\nc"), [(0, 1), (3, 4), (5, 6)]);
        assert!(parts(b"").is_empty());
    }

    #[test]
    fn what_is_said_around_a_value_is_not_part_of_it() {
        let answer = Answer::new(Box::default(), r"\d{4}", 0.9, 0.9);
        let of =
            |text: &str| answer.value(text.as_bytes()).and_then(|(a, b)| text.get(a..b).map(str::to_owned));
        for good in
            ["4432", "sure, it's 4432.", "Yes my number is 4432 thanks", "ja klar, 4432 bitte", "its 4432!"]
        {
            assert_eq!(of(good).as_deref(), Some("4432"), "{good}");
        }
        for bad in ["44321", "about 4432", "4432 people", "in 2019"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}

//! Findings explained: as lines for people and as JSON for programs. The words here are the rules' own; the value that
//! was found stands only in what `rules explain` shows to the person who typed it.

use std::fmt::Write as _;

use chatward_detect::check::Verdict;
use chatward_detect::{By, Context, Detector, Explained, Outcome, Place, guess_language};
use chatward_message::{Finding, Span};
use serde_json::{Value, json};

/// More rivals of one finding are not listed.
const MOST_RIVALS: usize = 12;

/// What became of every candidate of one text.
#[derive(Debug, Default)]
pub(crate) struct Reasons(Vec<Explained>);

impl Reasons {
    /// Of this text.
    pub(crate) fn of(detector: &Detector, text: &str, context: Context<'_>) -> Self {
        Self(detector.explain(text, context))
    }

    /// Of one finding.
    fn finding(&self, finding: &Finding) -> Option<&Explained> {
        let same = |e: &&Explained| e.finding.span == finding.span && e.finding.rule == finding.rule;
        self.0.iter().filter(|e| e.outcome == Outcome::Reported).find(same)
    }

    /// What else was thought of this stretch of the text, the likeliest first.
    fn rivals(&self, span: Span) -> Vec<&Explained> {
        let mut rivals: Vec<&Explained> = self
            .0
            .iter()
            .filter(|e| e.outcome != Outcome::Reported && e.finding.span.overlaps(span))
            .collect();
        rivals.sort_by(|a, b| b.finding.evidence.raw().total_cmp(&a.finding.evidence.raw()));
        rivals.truncate(MOST_RIVALS);
        rivals
    }

    /// The object that stands beside a finding in JSON; `place` turns bytes of the text into the places the file is told in.
    pub(crate) fn json(&self, finding: &Finding, place: impl Fn(usize) -> u64) -> Value {
        let Some(explained) = self.finding(finding) else { return Value::Null };
        let mut object = object(explained);
        let rivals: Vec<Value> = self
            .rivals(finding.span)
            .into_iter()
            .map(|rival| {
                let mut object = json!({
                    "rule": &*rival.finding.rule.id,
                    "kind": rival.finding.rule.kind.as_str(),
                    "start": place(rival.finding.span.start),
                    "end": place(rival.finding.span.end),
                    "raw": rounded(rival.finding.evidence.raw()),
                    "threshold": rounded(rival.threshold),
                    "outcome": rival.outcome.name(),
                });
                if let Outcome::LostTo(to, because) = &rival.outcome {
                    object["to"] = json!(&**to);
                    object["because"] = json!(because.name());
                }
                object
            })
            .collect();
        object["rivals"] = json!(rivals);
        object
    }

    /// The lines that stand below a finding in a table.
    pub(crate) fn lines(&self, finding: &Finding) -> Vec<String> {
        let Some(explained) = self.finding(finding) else { return Vec::new() };
        let mut lines = parts(explained);
        for rival in self.rivals(finding.span) {
            lines.push(format!("{}: {}", rival.finding.rule.id, outcome(rival)));
        }
        lines
    }
}

/// Everything about a text, for the person who typed it: each candidate with its words and what became of it.
pub(crate) fn text(detector: &Detector, text: &str, context: Context<'_>) -> Vec<String> {
    let all = detector.explain(text, context);
    let lang = context.lang.map(|lang| format!("{} (given)", lang.code()));
    let guessed =
        || guess_language(text).map_or("none is clear".to_owned(), |l| format!("{} (guessed)", l.code()));
    let mut lines = vec![format!("language: {}", lang.unwrap_or_else(guessed))];
    for explained in &all {
        let finding = &explained.finding;
        let words = finding.span.of(text).unwrap_or_default();
        let rule = &finding.rule;
        lines.push(format!(
            "{}..{} {words:?}  {} {}  {}",
            finding.span.start,
            finding.span.end,
            rule.entity,
            rule.kind.as_str(),
            outcome(explained)
        ));
        lines.extend(parts(explained).into_iter().map(|line| format!("    {line}")));
    }
    if all.is_empty() {
        lines.push("nothing here looks like anything a rule knows".to_owned());
    }
    lines
}

/// What became of a candidate, in words.
fn outcome(explained: &Explained) -> String {
    let score = explained.finding.evidence.raw();
    match &explained.outcome {
        Outcome::Reported => format!("reported with {:.2}", explained.finding.score),
        Outcome::CheckFailed => "not reported: the check failed".to_owned(),
        Outcome::NoContext => "not reported: no word near it names it".to_owned(),
        Outcome::BelowThreshold => {
            format!("not reported: {score:.2} is below its threshold {:.2}", explained.threshold)
        }
        Outcome::Allowed => "not reported: it stands on a list of allowed values".to_owned(),
        Outcome::LostTo(to, because) => format!("with {score:.2} lost to {to}: {}", because.name()),
    }
}

/// What a candidate's score is made of, a line for each step.
fn parts(explained: &Explained) -> Vec<String> {
    let Explained { finding, threshold, why, .. } = explained;
    let evidence = finding.evidence;
    let mut first = format!("rule {}, ", finding.rule.id);
    match &why.by {
        By::Pattern(index) => _ = write!(first, "pattern {}", index + 1),
        By::List => first.push_str("list of phrases"),
        By::Tagger { label, .. } => _ = write!(first, "tagger: {label}"),
        By::Answer => first.push_str("answers the question before it"),
        By::Larger => first.push_str("larger model"),
    }
    if let Some(verdict) = why.verdict {
        let _ = write!(first, ", check {} {}", why.checks.join(" and "), verdict_name(verdict));
    }
    let mut lines = vec![first];
    let mut sum = format!("base {:.2}", evidence.pattern);
    if let By::Tagger { margin, doubts, .. } = &why.by {
        lines.push(format!("margin {margin:.1} over being no name"));
        lines.extend(doubts.iter().map(|(why, off)| format!("less {off:.1}: {why}")));
    }
    for heard in &why.words {
        let side = match heard.place {
            Place::Before => "before it",
            Place::After => "after it",
            Place::Previous => "in the previous turn",
        };
        let says = if heard.speaks_for { "for" } else { "against" };
        lines.push(format!("\"{}\" {side} speaks {says} it", heard.word));
    }
    if why.words.iter().any(|w| w.speaks_for) {
        let _ = write!(sum, " + {:.2}", why.boost);
    }
    if why.words.iter().any(|w| !w.speaks_for) {
        let _ = write!(sum, " - {:.2}", why.penalty);
    }
    if why.words.is_empty() {
        sum = format!("own score {:.2}", evidence.raw());
    } else {
        let _ = write!(sum, " = own score {:.2}", evidence.raw());
    }
    let _ = write!(sum, ", threshold {threshold:.2}, probability {:.2}", finding.score);
    lines.push(sum);
    lines
}

fn object(explained: &Explained) -> Value {
    let Explained { finding, threshold, why, .. } = explained;
    let evidence = finding.evidence;
    let mut object = json!({
        "rule": &*finding.rule.id,
        "base": rounded(evidence.pattern),
        "context": rounded(evidence.context),
        "raw": rounded(evidence.raw()),
        "threshold": rounded(*threshold),
        "calibrated": rounded(finding.score),
    });
    match &why.by {
        By::Pattern(index) => object["pattern"] = json!(index + 1),
        By::List => object["by"] = json!("list"),
        By::Answer => object["by"] = json!("answer"),
        By::Larger => object["by"] = json!("larger-model"),
        By::Tagger { label, margin, doubts } => {
            object["by"] = json!("tagger");
            object["label"] = json!(label);
            object["margin"] = rounded(*margin);
            let doubts = doubts.iter().map(|(why, off)| json!({"why": why, "less": rounded(*off)}));
            object["doubts"] = Value::Array(doubts.collect());
        }
    }
    if let Some(verdict) = why.verdict {
        object["checks"] = json!(why.checks);
        object["check"] = json!(verdict_name(verdict));
    }
    if !why.words.is_empty() {
        let words = why.words.iter().map(|heard| {
            let by = if heard.speaks_for { why.boost } else { -why.penalty };
            json!({"word": &*heard.word, "where": heard.place.name(), "by": rounded(by)})
        });
        object["words"] = Value::Array(words.collect());
    }
    object
}

const fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Fails => "fails",
        Verdict::Unsure => "has nothing to say",
    }
}

/// Four digits are enough, and 0.9 is not 0.8999999761581421.
fn rounded(score: f32) -> Value {
    json!((f64::from(score) * 10_000.0).round() / 10_000.0)
}

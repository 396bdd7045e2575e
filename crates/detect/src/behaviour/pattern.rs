//! The patterns of behaviour, as data (`rules/behaviour/patterns.toml`), read and checked.

use std::sync::Arc;

use chatward_message::{Severity, SignInfo, Threat};
use serde::Deserialize;

use super::engine::{Evidence, Scope};
use super::signal::{Signal, Signals, ValueKind};
use super::subject::{HalfLife, ONE, RECENT, RULES, Seconds, Subject};
use crate::{RuleFault, RulesError};

/// The file that comes with the program.
const BUILTIN: &str = include_str!("../../../../rules/behaviour/patterns.toml");
/// How long a pattern is quiet for a subject after it held, if it does not say.
const QUIET: Seconds = 3600;
/// The longest time a file may name.
const LONGEST: u64 = 90 * 24 * 3600;

/// A checked set of patterns.
#[derive(Debug, Clone)]
pub struct Patterns {
    patterns: Box<[Pattern]>,
    half_life: [HalfLife; Scope::COUNT],
}

#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    info: Arc<SignInfo>,
    description: Box<str>,
    scopes: u8,
    on: Signals,
    on_values: Box<[ValueKind]>,
    count: Box<[Count]>,
    distinct: Box<[Distinct]>,
    after: Box<[Earlier]>,
    unless: Box<[Earlier]>,
    quiet: Seconds,
    score: f32,
}

#[derive(Debug, Clone)]
struct Count {
    of: Signals,
    /// In 65,536ths.
    at_least: u32,
}

#[derive(Debug, Clone)]
struct Distinct {
    of: Box<[ValueKind]>,
    at_least: u32,
    within: Seconds,
}

#[derive(Debug, Clone)]
struct Earlier {
    of: Signals,
    within: Seconds,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    half_life: RawHalfLife,
    pattern: Vec<RawPattern>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHalfLife {
    conversation: String,
    account: String,
    network: String,
    text: String,
    quick: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPattern {
    id: String,
    description: String,
    threat: Threat,
    severity: Severity,
    #[serde(default)]
    tags: Vec<String>,
    scope: Vec<Scope>,
    score: f32,
    quiet: Option<String>,
    #[serde(default)]
    on: Vec<Signal>,
    #[serde(default)]
    count: Vec<RawCount>,
    #[serde(default)]
    distinct: Vec<RawDistinct>,
    #[serde(default)]
    after: Vec<RawEarlier>,
    #[serde(default)]
    unless: Vec<RawEarlier>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCount {
    of: Vec<Signal>,
    at_least: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDistinct {
    of: Vec<ValueKind>,
    at_least: u32,
    within: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEarlier {
    of: Vec<Signal>,
    within: String,
}

impl Patterns {
    /// The patterns that come with the program.
    ///
    /// # Errors
    /// Never, as a test shows: the file is part of the program.
    pub fn builtin() -> Result<Self, RulesError> {
        Self::new("patterns.toml", BUILTIN)
    }

    /// The patterns of this file.
    ///
    /// # Errors
    /// All faults of the file: unknown keys, ids that are there twice, conditions that can never hold.
    pub fn new(file: &str, text: &str) -> Result<Self, RulesError> {
        let fault = |path: String, what: String| RuleFault {
            file: file.into(),
            path: path.into(),
            what: what.into(),
        };
        let raw: RawFile = toml::from_str(text)
            .map_err(|e| RulesError::Faults(vec![fault(".".to_owned(), e.to_string())]))?;
        let mut faults = Vec::new();
        let mut patterns: Vec<Pattern> = Vec::new();
        for (number, raw) in raw.pattern.into_iter().enumerate() {
            let path = format!("pattern[{number}]");
            match checked(raw) {
                Ok(pattern) if patterns.iter().any(|other| other.info.id == pattern.info.id) => {
                    faults.push(fault(path, format!("id {} is there twice", pattern.info.id)));
                }
                Ok(pattern) => patterns.push(pattern),
                Err(what) => faults.push(fault(path, what)),
            }
        }
        if patterns.len() > RULES {
            faults.push(fault(".".to_owned(), format!("more than {RULES} patterns")));
        }
        match half_lives(&raw.half_life) {
            Ok(half_life) if faults.is_empty() => Ok(Self { patterns: patterns.into(), half_life }),
            Ok(_) => Err(RulesError::Faults(faults)),
            Err(what) => {
                faults.push(fault("half_life".to_owned(), what));
                Err(RulesError::Faults(faults))
            }
        }
    }

    /// Each pattern and what it means, in the order of the file.
    pub fn list(&self) -> impl Iterator<Item = (&Arc<SignInfo>, &str)> {
        self.patterns.iter().map(|pattern| (&pattern.info, &*pattern.description))
    }

    /// The ids, which say what places in saved states mean.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().map(|pattern| &*pattern.info.id)
    }

    pub(crate) fn half_life(&self, scope: Scope) -> HalfLife {
        self.half_life.get(scope as usize).copied().unwrap_or(HalfLife { slow: 3600, quick: 60 })
    }

    /// For how long a subject of this scope, and a value seen of it, can still be part of a pattern.
    pub(crate) fn memory(&self, scope: Scope) -> Memory {
        let mine = || self.patterns.iter().filter(move |pattern| pattern.scopes & 1 << scope as u8 != 0);
        let value =
            mine().flat_map(|pattern| pattern.distinct.iter().map(|condition| condition.within)).max();
        let earlier =
            mine().flat_map(|pattern| pattern.after.iter().chain(&pattern.unless)).map(|one| one.within);
        let quiet = mine().map(|pattern| pattern.quiet);
        let longest = earlier.chain(quiet).chain(value).max().unwrap_or_default();
        // After sixteen half-lives nothing that can be counted is left of a count.
        let subject = longest.max(self.half_life(scope).slow.saturating_mul(16));
        Memory { subject, value: value.unwrap_or_default() }
    }

    /// Patterns that hold for a subject now; it remembers which. `brought` are the signals and kinds of values that came now.
    pub(crate) fn holding(
        &self,
        scope: Scope,
        subject: &mut Subject,
        (brought, values): (Signals, u16),
        now: Seconds,
        mut each: impl FnMut(Holding<'_>),
    ) {
        for (place, pattern) in self.patterns.iter().enumerate() {
            if pattern.scopes & 1 << scope as u8 == 0 || !pattern.is_asked(brought, values) {
                continue;
            }
            let Some((score, evidence)) = pattern.holds(subject, now) else { continue };
            let Some(raised) = subject.raised.get_mut(place) else { continue };
            let again = *raised != 0 && now.saturating_sub(*raised) < pattern.quiet;
            if !again {
                *raised = now;
            }
            each(Holding { info: &pattern.info, score, evidence, again });
        }
    }
}

/// For how long what was seen can matter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// A subject that is not touched.
    pub subject: Seconds,
    /// A value.
    pub value: Seconds,
}

/// A pattern that holds for a subject.
pub(crate) struct Holding<'a> {
    pub info: &'a Arc<SignInfo>,
    pub score: f32,
    pub evidence: Evidence,
    /// It held a short time before.
    pub again: bool,
}

impl Pattern {
    fn is_asked(&self, brought: Signals, values: u16) -> bool {
        !self.on.and(brought).is_empty() || self.on_values.iter().any(|kind| values & 1 << *kind as u16 != 0)
    }

    /// How sure, and on what grounds.
    fn holds(&self, subject: &Subject, now: Seconds) -> Option<(f32, Evidence)> {
        let mut evidence = Evidence::new(now);
        // How far the weakest condition is exceeded.
        let mut excess = f32::INFINITY;
        let much = |has: u32, least: u32| {
            #[expect(clippy::cast_precision_loss, reason = "a ratio")]
            let ratio = has as f32 / least.max(1) as f32;
            ratio
        };
        for condition in &self.count {
            let has = subject.count(condition.of);
            if has < condition.at_least {
                return None;
            }
            excess = excess.min(much(has, condition.at_least));
            for signal in condition.of.iter() {
                let count = subject.count(Signals::NONE.with(signal)).saturating_add(ONE / 2) / ONE;
                evidence.add(signal.name(), count);
            }
        }
        for condition in &self.distinct {
            let (has, since) = subject.distinct(&condition.of, condition.within, now);
            if has < condition.at_least {
                return None;
            }
            excess = excess.min(much(has, condition.at_least));
            evidence.begin(since);
            for kind in &condition.of {
                evidence.add(kind.name(), subject.distinct(&[*kind], condition.within, now).0);
            }
        }
        for condition in &self.after {
            let since = subject.last(condition.of, condition.within, now)?;
            evidence.begin(since);
            for signal in condition.of.iter() {
                evidence.add(signal.name(), subject.count(Signals::NONE.with(signal)).div_ceil(ONE));
            }
        }
        if self.unless.iter().any(|condition| subject.last(condition.of, condition.within, now).is_some()) {
            return None;
        }
        let excess = if excess.is_finite() { excess.max(1.0) } else { 1.0 };
        // At the threshold what the pattern says, and nearer to certain the further beyond.
        Some((1.0 - (1.0 - self.score) / excess, evidence))
    }
}

fn checked(raw: RawPattern) -> Result<Pattern, String> {
    if !raw.id.starts_with("behaviour.") || raw.id.len() > 64 {
        return Err(format!("id {}: `behaviour.` and a name", raw.id));
    }
    if !(0.0..=1.0).contains(&raw.score) {
        return Err("`score`: between 0 and 1".to_owned());
    }
    if raw.scope.is_empty() {
        return Err("no `scope`".to_owned());
    }
    let count: Box<[Count]> = raw.count.iter().map(count).collect::<Result<_, String>>()?;
    let distinct: Box<[Distinct]> = raw.distinct.iter().map(distinct).collect::<Result<_, String>>()?;
    let mut on: Signals = raw.on.iter().copied().collect();
    let mut on_values = Vec::new();
    if on.is_empty() {
        on = count.iter().fold(Signals::NONE, |all, condition| all.or(condition.of));
        on_values = distinct.iter().flat_map(|condition| condition.of.iter().copied()).collect();
    }
    if on.is_empty() && on_values.is_empty() {
        return Err("nothing that would have it looked at: no `on`, `count` or `distinct`".to_owned());
    }
    let quiet = raw.quiet.as_deref().map_or(Ok(QUIET), duration)?;
    Ok(Pattern {
        info: Arc::new(SignInfo {
            id: raw.id.into(),
            threat: raw.threat,
            severity: raw.severity,
            tags: raw.tags.into_iter().map(Into::into).collect(),
        }),
        description: raw.description.into(),
        scopes: raw.scope.iter().fold(0, |all, scope| all | 1 << *scope as u8),
        on,
        on_values: on_values.into(),
        count,
        distinct,
        after: earlier(&raw.after)?,
        unless: earlier(&raw.unless)?,
        quiet,
        score: raw.score,
    })
}

fn count(raw: &RawCount) -> Result<Count, String> {
    if raw.of.is_empty() || !(0.01..=60_000.0).contains(&raw.at_least) {
        return Err("`count`: signals, and from 0.01 up to 60000".to_owned());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 60000 times 65536")]
    let at_least = (raw.at_least * f64::from(ONE)) as u32;
    Ok(Count { of: raw.of.iter().copied().collect(), at_least })
}

fn distinct(raw: &RawDistinct) -> Result<Distinct, String> {
    let most = u32::try_from(RECENT / 2).unwrap_or(u32::MAX);
    if raw.of.is_empty() || !(2..=most).contains(&raw.at_least) {
        return Err(format!("`distinct`: kinds, and from 2 up to {most}: no more are remembered for sure"));
    }
    Ok(Distinct { of: raw.of.clone().into(), at_least: raw.at_least, within: duration(&raw.within)? })
}

fn earlier(raw: &[RawEarlier]) -> Result<Box<[Earlier]>, String> {
    raw.iter()
        .map(|raw| {
            if raw.of.is_empty() {
                return Err("`after`, `unless`: name signals".to_owned());
            }
            Ok(Earlier { of: raw.of.iter().copied().collect(), within: duration(&raw.within)? })
        })
        .collect()
}

fn half_lives(raw: &RawHalfLife) -> Result<[HalfLife; Scope::COUNT], String> {
    let quick = duration(&raw.quick)?;
    let one = |slow: &str| duration(slow).map(|slow| HalfLife { slow, quick });
    Ok([one(&raw.conversation)?, one(&raw.account)?, one(&raw.network)?, one(&raw.text)?])
}

/// `90s`, `10m`, `1h`, `2d`, as seconds.
fn duration(text: &str) -> Result<Seconds, String> {
    let wrong = || format!("`{text}`: a time such as 90s, 10m, 1h, 2d, up to 90d");
    let unit = match text.as_bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3600,
        Some(b'd') => 24 * 3600,
        _ => return Err(wrong()),
    };
    let number: u32 = text.get(..text.len() - 1).and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
    let seconds = u64::from(number) * unit;
    if !(1..=LONGEST).contains(&seconds) {
        return Err(wrong());
    }
    Seconds::try_from(seconds).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_file_is_read() {
        let patterns = Patterns::builtin().unwrap();
        assert!(patterns.list().count() >= 25);
        assert!(patterns.list().all(|(info, description)| !info.id.is_empty() && !description.is_empty()));
    }

    #[test]
    fn faults_are_named() {
        let with = |line: &str| {
            let head = "[half_life]\nconversation = \"1h\"\naccount = \"1h\"\nnetwork = \"1h\"\ntext = \"1h\"\nquick = \"1m\"\n";
            let text = format!(
                "{head}[[pattern]]\nid = \"behaviour.x\"\ndescription = \"x\"\nthreat = \"leak\"\nseverity = \"low\"\nscope = [\"account\"]\nscore = 0.5\n{line}\n"
            );
            Patterns::new("p.toml", &text).map(drop).map_err(|e| e.to_string())
        };
        assert_eq!(with("count = [{ of = [\"refusal\"], at_least = 2 }]"), Ok(()));
        for (line, said) in [
            ("", "nothing that would have it looked at"),
            ("count = [{ of = [], at_least = 2 }]", "`count`"),
            ("distinct = [{ of = [\"email\"], at_least = 17, within = \"1h\" }]", "no more are remembered"),
            ("distinct = [{ of = [\"email\"], at_least = 4, within = \"an hour\" }]", "a time such as"),
            ("on = [\"nonsense\"]", "unknown variant"),
            ("quite = \"1h\"", "unknown field"),
        ] {
            let fault = with(line).unwrap_err();
            assert!(fault.contains(said), "{line}: {fault}");
        }
    }
}

//! Rules in Sigma (specification 2.0, SigmaHQ), as far as they speak of texts.
//!
//! Sigma rules look for words in the fields of log entries. Those whose fields are a message's text (`message`, `text`, `content`,
//! `prompt`, `body`) or that have keywords alone become rules for attacks: what `condition` joins with `and` are verb, target and
//! context of a rule, what stands behind `not` is what must not be there. Everything must stand within the farthest distance of a
//! rule. Limits: no expressions (`re`), no wildcards inside of a word, no parentheses, at most three parts.

use std::collections::BTreeMap;

use chatward_message::{Channel, Severity, Threat};
use serde::Deserialize;

use super::rules::{FARTHEST, RuleFile};

/// Fields of a log entry that are a message's text.
const TEXTS: [&str; 8] = ["message", "msg", "text", "content", "prompt", "body", "input", "question"];

/// A Sigma rule, as far as it is read. What else stands in one says nothing about texts.
#[derive(Debug, Deserialize)]
struct Sigma {
    title: String,
    #[serde(default)]
    level: Level,
    #[serde(default)]
    tags: Vec<String>,
    detection: BTreeMap<String, Search>,
    /// What only we read: Sigma lets tools add fields of their own.
    chatward: Option<Own>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Informational,
    Low,
    #[default]
    Medium,
    High,
    Critical,
}

/// What Sigma has no words for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Own {
    threat: Option<Threat>,
    channels: Vec<Channel>,
    examples: Vec<String>,
    near_misses: Vec<String>,
}

/// One entry of `detection`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Search {
    Condition(String),
    Keywords(Vec<Value>),
    Fields(BTreeMap<String, Values>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Number(i64),
    Fields(BTreeMap<String, Values>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Values {
    One(Scalar),
    Many(Vec<Scalar>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(i64),
}

/// Phrases of which one must be there.
type Any = Vec<String>;

/// Whether a file is a Sigma rule: it has a `detection`, which no rule of ours has.
pub(super) fn is_sigma(text: &str) -> bool {
    text.lines().any(|line| line.trim_end() == "detection:")
}

/// A Sigma rule as one of ours.
///
/// # Errors
/// What cannot be asked of a text, in words for whoever wrote the rule.
pub(super) fn read(text: &str) -> Result<RuleFile, String> {
    let sigma: Sigma = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let own = sigma.chatward.unwrap_or_default();
    let threat = own.threat.or_else(|| threat_of(&sigma.tags)).ok_or(
        "no tag says which threat this is: add `chatward:` with `threat: phishing` (or another) to the rule",
    )?;
    let mut searches = BTreeMap::new();
    let mut condition = None;
    for (name, search) in sigma.detection {
        match search {
            Search::Condition(text) if name == "condition" => condition = Some(text),
            Search::Condition(_) => return Err(format!("detection.{name} is neither a list nor fields")),
            Search::Keywords(values) => {
                searches.insert(name, listed(values)?);
            }
            Search::Fields(fields) => {
                searches.insert(name, all_of(fields)?);
            }
        }
    }
    let condition = condition.ok_or("detection.condition is missing")?;
    let (parts, without) = joined(&condition, &searches)?;
    let mut parts = parts.into_iter();
    let verb = parts.next().ok_or("the condition asks for nothing")?;
    // One part alone stands for both.
    let target = parts.next().unwrap_or_else(|| verb.clone());
    let context = parts.next().unwrap_or_default();
    if parts.next().is_some() {
        return Err("more than three parts must be there together".into());
    }
    let first = [verb.first(), target.first().filter(|first| verb.first() != Some(first)), context.first()];
    let example = first.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ");
    let (severity, score) = match sigma.level {
        Level::Informational => (Severity::Info, 0.5),
        Level::Low => (Severity::Low, 0.6),
        Level::Medium => (Severity::Medium, 0.8),
        Level::High => (Severity::High, 0.9),
        Level::Critical => (Severity::Critical, 0.95),
    };
    Ok(RuleFile {
        id: format!("sigma-{}", slug(&sigma.title)),
        title: sigma.title,
        threat,
        severity,
        tags: sigma.tags,
        channels: own.channels,
        score,
        verb,
        target,
        context,
        without,
        within: FARTHEST,
        examples: if own.examples.is_empty() { vec![example] } else { own.examples },
        // Sigma has none; a text that says nothing is one.
        near_misses: if own.near_misses.is_empty() { vec!["Good morning.".into()] } else { own.near_misses },
    })
}

/// Which threat the tags of MITRE ATT&CK and ATLAS name.
fn threat_of(tags: &[String]) -> Option<Threat> {
    tags.iter().find_map(|tag| {
        let tag = tag.to_ascii_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| tag.contains(part));
        Some(match () {
            () if has(&["aml.t0051"]) => Threat::PromptInjection,
            () if has(&["aml.t0054"]) => Threat::Jailbreak,
            () if has(&["aml.t0057"]) => Threat::Leak,
            () if has(&["t1566", "t1598", "aml.t0052"]) => Threat::Phishing,
            () if has(&["exfiltration", "t1041", "t1567", "aml.t0077"]) => Threat::Exfiltration,
            () if has(&["t1656", "t1684"]) => Threat::SocialEngineering,
            () if has(&["t1657"]) => Threat::Scam,
            () => return None,
        })
    })
}

fn slug(title: &str) -> String {
    let plain: String =
        title.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    plain.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// Keywords, or lists of fields, of which one must be there.
fn listed(values: Vec<Value>) -> Result<Vec<Any>, String> {
    let mut any = Any::new();
    for value in values {
        match value {
            Value::Text(text) => any.push(phrase(&text)?),
            Value::Number(number) => any.push(number.to_string()),
            Value::Fields(fields) => {
                let mut all = all_of(fields)?;
                match (all.pop(), all.is_empty()) {
                    (Some(one), true) => any.extend(one),
                    _ => {
                        return Err(
                            "a list of several fields each, of which one must fit, cannot be asked".into()
                        );
                    }
                }
            }
        }
    }
    Ok(vec![any])
}

/// Fields, all of which must fit.
fn all_of(fields: BTreeMap<String, Values>) -> Result<Vec<Any>, String> {
    let mut all = Vec::new();
    for (name, values) in fields {
        let mut parts = name.split('|');
        let field = parts.next().unwrap_or_default();
        if !TEXTS.contains(&field.to_ascii_lowercase().as_str()) {
            return Err(format!("the field `{field}` is nothing that a message has: {}", TEXTS.join(", ")));
        }
        let mut each = false;
        for modifier in parts {
            match modifier {
                "contains" | "startswith" | "endswith" | "windash" => {}
                "all" => each = true,
                other => return Err(format!("the modifier `{other}` cannot be asked of a text")),
            }
        }
        let values = match values {
            Values::One(one) => vec![one],
            Values::Many(many) => many,
        };
        let phrases = values
            .into_iter()
            .map(|value| match value {
                Scalar::Text(text) => phrase(&text),
                Scalar::Number(number) => Ok(number.to_string()),
            })
            .collect::<Result<Any, String>>()?;
        if each {
            all.extend(phrases.into_iter().map(|phrase| vec![phrase]));
        } else {
            all.push(phrases);
        }
    }
    Ok(all)
}

/// A value without the wildcards around it: a text holds it anywhere.
fn phrase(text: &str) -> Result<String, String> {
    let bare = text.trim_matches('*').trim();
    if bare.contains(['*', '?']) && !bare.ends_with('?') {
        return Err(format!("{text:?} has a wildcard inside"));
    }
    let bare = bare.trim_end_matches('?');
    if bare.is_empty() { Err(format!("{text:?} says nothing")) } else { Ok(bare.to_owned()) }
}

/// What a condition wants: parts that must be there together, and what must not.
fn joined(condition: &str, searches: &BTreeMap<String, Vec<Any>>) -> Result<(Vec<Any>, Any), String> {
    if condition.contains(['(', ')', '|']) {
        return Err(format!("the condition {condition:?} has more than `and`, `or`, `not` and `of`"));
    }
    let words: Vec<&str> = condition.split_whitespace().collect();
    // `not` binds tighter than `and`, and that tighter than `or`: what stands beside an `or` is no part of what must be there together.
    let has = |word: &str| words.iter().any(|one| one.eq_ignore_ascii_case(word));
    if has("or") && (has("and") || has("not")) {
        return Err(format!(
            "the condition {condition:?} has `or` beside `and` or `not`: give what may stand for each other names that begin alike, and \
             write `1 of` them"
        ));
    }
    let (mut all, mut without): (Vec<Any>, Any) = (Vec::new(), Any::new());
    for part in words.split(|word| word.eq_ignore_ascii_case("and")) {
        let (not, part) = match part {
            [first, rest @ ..] if first.eq_ignore_ascii_case("not") => (true, rest),
            part => (false, part),
        };
        let mut options: Vec<Vec<Any>> = Vec::new();
        for option in part.split(|word| word.eq_ignore_ascii_case("or")) {
            options.push(named(option, searches)?);
        }
        let single = options.len() == 1;
        if let (true, Some(only)) = (single && !not, options.first()) {
            all.extend(only.iter().cloned());
            continue;
        }
        // Of several only those can be one list that are one list each.
        let mut any = Any::new();
        for option in options {
            match <[Any; 1]>::try_from(option) {
                Ok([one]) => any.extend(one),
                Err(_) => {
                    return Err(format!(
                        "in {condition:?} several parts together stand beside `or` or `not`"
                    ));
                }
            }
        }
        if not { without.extend(any) } else { all.push(any) }
    }
    Ok((all, without))
}

/// What one name, `1 of NAMES` or `all of NAMES` stands for.
fn named(words: &[&str], searches: &BTreeMap<String, Vec<Any>>) -> Result<Vec<Any>, String> {
    let unknown = |name: &str| format!("detection has no `{name}`");
    let (all, pattern) = match words {
        [name] => return searches.get(*name).cloned().ok_or_else(|| unknown(name)),
        [n, of, pattern] if of.eq_ignore_ascii_case("of") && matches!(*n, "1" | "any") => (false, *pattern),
        [n, of, pattern] if of.eq_ignore_ascii_case("of") && n.eq_ignore_ascii_case("all") => {
            (true, *pattern)
        }
        other => return Err(format!("`{}` is no part of a condition that is known", other.join(" "))),
    };
    let head = pattern.strip_suffix('*');
    let fits = |name: &str| pattern == "them" || head.map_or(name == pattern, |head| name.starts_with(head));
    let found: Vec<&Vec<Any>> =
        searches.iter().filter(|(name, _)| fits(name)).map(|(_, parts)| parts).collect();
    if found.is_empty() {
        return Err(unknown(pattern));
    }
    if all {
        return Ok(found.into_iter().flatten().cloned().collect());
    }
    let mut any = Any::new();
    for parts in found {
        match parts.as_slice() {
            [one] => any.extend(one.iter().cloned()),
            _ => return Err(format!("`1 of {pattern}` stands for several parts together")),
        }
    }
    Ok(vec![any])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threat::Words;
    use crate::threat::rules::{ThreatRules, check};

    const RULE: &str = "title: Callback phishing\nid: 2b3c6b0e-4a55-4c11-9a0f-4f1d1c0f9a55\nstatus: test\nlevel: high\n\
        tags: [attack.initial-access, attack.t1566]\nlogsource:\n  category: application\ndetection:\n  order:\n    \
        message|contains: ['*subscription*', renewal]\n  call:\n    message|contains|all:\n      - call us\n      - refund\n  \
        known:\n    - order number\n  condition: order and call and not known\n";

    #[test]
    fn a_sigma_rule_is_one_of_ours() {
        let words = Words::new([]);
        let rules = ThreatRules::new(&[("x.yaml", RULE)], &words).unwrap();
        assert_eq!(check(&[("x.yaml", RULE)], &words), []);
        let signs = |text: &str| {
            let signs = rules.signs(text, Channel::Customer, &words);
            signs.iter().map(|sign| (sign.info.id.to_string(), sign.info.threat)).collect::<Vec<_>>()
        };
        let attack = "Your subscription was charged. To get a refund, call us within 24 hours.";
        assert_eq!(signs(attack), [("rule.sigma-callback-phishing".to_owned(), Threat::Phishing)]);
        assert_eq!(signs(&format!("{attack} Have your order number ready.")), []);
        assert_eq!(signs("I want to end my subscription, can I call us a cab?"), [], "no refund");
    }

    #[test]
    fn conditions_of_one_part_and_of_several_are_understood() {
        let with =
            |detection: &str| read(&format!("title: T\nchatward: {{threat: scam}}\ndetection:\n{detection}"));
        let one = with("  keywords: [gift cards, 4711]\n  condition: keywords\n").unwrap();
        assert_eq!(
            (one.verb.as_slice(), one.target.as_slice()),
            (&["gift cards".into(), "4711".to_owned()][..], one.verb.as_slice())
        );
        let any = with("  sel_a: [a1]\n  sel_b: [b1]\n  condition: 1 of sel_*\n").unwrap();
        assert_eq!(any.verb, ["a1", "b1"]);
        let all = with("  sel_a: [a1]\n  sel_b: [b1]\n  condition: all of them\n").unwrap();
        assert_eq!((all.verb, all.target), (vec!["a1".to_owned()], vec!["b1".to_owned()]));
        let or = with("  a: [a1]\n  b: [b1]\n  condition: a or b\n").unwrap();
        assert_eq!(or.verb, ["a1", "b1"]);
        let both = with("  a_1: [a1]\n  a_2: [a2]\n  b: [b1]\n  condition: 1 of a_* and b\n").unwrap();
        assert_eq!((both.verb, both.target), (vec!["a1".to_owned(), "a2".into()], vec!["b1".to_owned()]));
    }

    #[test]
    fn what_cannot_be_asked_of_a_text_is_told() {
        for (detection, why) in [
            ("  s: {Image|endswith: cmd.exe}\n  condition: s\n", "nothing that a message has"),
            ("  s: {message|re: 'a.b'}\n  condition: s\n", "modifier"),
            ("  s: ['a*b']\n  condition: s\n", "wildcard"),
            ("  s: [a]\n  condition: (s)\n", "more than"),
            ("  s: [a]\n  condition: t\n", "has no `t`"),
            ("  a: [a1]\n  b: [b1]\n  c: [c1]\n  condition: a or b and c\n", "beside `and`"),
            ("  a: [a1]\n  b: [b1]\n  condition: not a or b\n", "beside `and`"),
            ("  s: [a]\n", "condition is missing"),
            ("  s: [a]\n  condition: 2 of s*\n", "no part of a condition"),
            ("  s: {message|contains|all: [a, b, c, d]}\n  condition: s\n", "more than three"),
            ("  s: [a]\n  t: {message|contains|all: [b, c]}\n  condition: s and not t\n", "several parts"),
        ] {
            let said = read(&format!("title: T\nchatward: {{threat: scam}}\ndetection:\n{detection}"));
            assert!(said.as_ref().is_err_and(|said| said.contains(why)), "{detection}: {said:?}");
        }
        let nameless = read("title: T\ndetection:\n  s: [a]\n  condition: s\n");
        assert!(nameless.is_err_and(|said| said.contains("threat")));
    }
}

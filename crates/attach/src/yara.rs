//! Rules of an operator in YARA, run by YARA-X (feature `yara`).

use std::sync::Arc;
use std::time::Duration;

use chatward_message::{Severity, Sign, SignInfo, Threat, View};
use yara_x::{Compiler, MetaValue, Scanner, SourceCode};

use crate::verdict::Why;

/// Most rule text that is compiled, in bytes, all files together.
const TEXT_MAX: usize = 32 << 20;
/// Most faults that are told, and the longest text of one, in bytes.
const FAULTS_MAX: usize = 20;
const FAULT_MAX: usize = 2_000;
/// Most matches of one pattern that are looked for: whether there is one is what counts.
const MATCHES: usize = 100;
/// Most tags that a sign takes over from its rule, and the longest tag, in bytes.
const TAGS: usize = 16;
const TAG_MAX: usize = 64;
/// Most rules that are told of one file.
const FOUND_MAX: usize = 100;

/// One file of rules.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// What it is called in faults.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// What is wrong with a file of rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// Which file.
    pub name: String,
    /// Which line, from 1; nothing if it has no place.
    pub line: Option<usize>,
    /// Which column, from 1.
    pub column: Option<usize>,
    /// What is wrong, in several lines that show the place.
    pub message: String,
}

/// Compiled rules. A copy is cheap: what was compiled is shared.
#[derive(Clone)]
pub struct Rules {
    rules: Arc<yara_x::Rules>,
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rules").field("count", &self.count()).finish()
    }
}

impl Rules {
    /// Compiles rules. Each file is a namespace of its own; `include` is refused.
    ///
    /// # Errors
    /// The first faults of each file, with their places.
    pub fn compile(sources: &[Source<'_>]) -> Result<Self, Vec<Fault>> {
        let all: usize = sources.iter().map(|source| source.text.len()).sum();
        if all > TEXT_MAX {
            let message = format!("{all} bytes of rules; at most {TEXT_MAX} are compiled");
            return Err(vec![Fault { name: String::new(), line: None, column: None, message }]);
        }
        let mut compiler = Compiler::new();
        compiler.enable_includes(false);
        let mut faults = Vec::new();
        for source in sources {
            compiler.new_namespace(source.name);
            if let Err(e) = compiler.add_source(SourceCode::from(source.text).with_origin(source.name)) {
                faults.push(fault(source.name, &e.to_string()));
            }
            if faults.len() >= FAULTS_MAX {
                break;
            }
        }
        if faults.is_empty() { Ok(Self { rules: Arc::new(compiler.build()) }) } else { Err(faults) }
    }

    /// How many rules there are.
    pub fn count(&self) -> usize {
        self.rules.iter().count()
    }

    /// The rules that match. It takes no longer than it may, give or take a second.
    pub(crate) fn scan(&self, bytes: &[u8], patience: Duration) -> Result<Vec<Sign>, Why> {
        let mut scanner = Scanner::new(&self.rules);
        scanner.set_timeout(patience).max_matches_per_pattern(MATCHES);
        match scanner.scan(bytes) {
            Ok(results) => Ok(results.matching_rules().take(FOUND_MAX).map(|rule| sign(&rule)).collect()),
            Err(yara_x::ScanError::Timeout) => Err(Why::RulesTooSlow),
            Err(_) => Err(Why::ReaderFailed),
        }
    }
}

/// A fault, with the place that its report names (`--> NAME:LINE:COLUMN`).
fn fault(name: &str, report: &str) -> Fault {
    let place = report.lines().find_map(|line| line.trim_start().strip_prefix("--> "));
    let mut numbers = place.unwrap_or_default().rsplit(':').map(|number| number.trim().parse().ok());
    let (column, line) = (numbers.next().flatten(), numbers.next().flatten());
    let cut = report.floor_char_boundary(FAULT_MAX);
    Fault { name: name.to_owned(), line, column, message: report.get(..cut).unwrap_or_default().to_owned() }
}

fn sign(rule: &yara_x::Rule<'_, '_>) -> Sign {
    let short = |text: &str| text.get(..text.floor_char_boundary(TAG_MAX)).unwrap_or_default().into();
    let tags: Vec<Box<str>> = rule.tags().take(TAGS).map(|tag| short(tag.identifier())).collect();
    let info = SignInfo {
        id: format!("yara.{}", rule.identifier()).into(),
        threat: Threat::Malware,
        severity: severity(rule),
        tags: tags.into(),
    };
    Sign { info: Arc::new(info), score: 1.0, span: None, view: View::Plain }
}

/// By the rule's own word, `severity` or `threat_level` as a word, or `score` from 0 to 100; high if it says nothing.
fn severity(rule: &yara_x::Rule<'_, '_>) -> Severity {
    rule.metadata().find_map(|(name, value)| said(name, &value)).unwrap_or(Severity::High)
}

fn said(name: &str, value: &MetaValue<'_>) -> Option<Severity> {
    match (name.to_ascii_lowercase().as_str(), value) {
        ("severity" | "threat_level", MetaValue::String(word)) => {
            Some(match word.to_ascii_lowercase().as_str() {
                "critical" => Severity::Critical,
                "high" => Severity::High,
                "medium" => Severity::Medium,
                "low" => Severity::Low,
                "info" | "informational" | "none" => Severity::Info,
                _ => return None,
            })
        }
        ("score" | "severity", MetaValue::Integer(score)) => Some(match score {
            90.. => Severity::Critical,
            70..90 => Severity::High,
            50..70 => Severity::Medium,
            20..50 => Severity::Low,
            _ => Severity::Info,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Rules {
        Rules::compile(&[Source { name: "own.yar", text }]).unwrap()
    }

    #[test]
    fn a_rule_becomes_a_sign_with_its_own_words() {
        let rules = rules(
            r#"rule planted: dropper T1204 { meta: severity = "critical" strings: $a = "needle-4711" condition: $a }
               rule scored { meta: score = 55 strings: $a = "needle" condition: $a }
               private rule hidden { condition: true }"#,
        );
        assert_eq!(rules.count(), 3);
        let found = rules.scan(b"hay needle-4711 hay", Duration::from_secs(5)).unwrap();
        let said: Vec<(&str, Severity)> =
            found.iter().map(|sign| (&*sign.info.id, sign.info.severity)).collect();
        assert_eq!(said, [("yara.planted", Severity::Critical), ("yara.scored", Severity::Medium)]);
        assert_eq!(*found[0].info.tags, ["dropper".into(), "T1204".into()]);
        assert!(rules.scan(b"hay", Duration::from_secs(5)).unwrap().is_empty());
    }

    #[test]
    fn faults_name_their_place() {
        let faults = Rules::compile(&[
            Source { name: "good.yar", text: "rule a { condition: true }" },
            Source { name: "bad.yar", text: "rule b {\n  condition: nothing_like_it\n}" },
            Source { name: "reads.yar", text: "include \"/etc/passwd\"" },
        ])
        .unwrap_err();
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert_eq!(
            (faults[0].name.as_str(), faults[0].line, faults[0].column),
            ("bad.yar", Some(2), Some(14))
        );
        assert_eq!(faults[1].name, "reads.yar");
        let large = " ".repeat(TEXT_MAX + 1);
        assert!(Rules::compile(&[Source { name: "large.yar", text: &large }]).is_err());
    }

    #[test]
    fn the_same_name_may_stand_in_two_files() {
        let text = "rule same { condition: true }";
        let both = [Source { name: "a.yar", text }, Source { name: "b.yar", text }];
        assert_eq!(Rules::compile(&both).unwrap().count(), 2);
    }

    #[test]
    fn rules_that_never_end_are_ended() {
        let rules = rules(
            "rule slow { condition: for all i in (0..100000000000): (for all j in (0..1000000): (uint8(i % filesize) + j >= 0)) }",
        );
        assert_eq!(rules.scan(b"x", Duration::from_millis(50)).unwrap_err(), Why::RulesTooSlow);
    }
}

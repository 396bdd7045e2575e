//! Asking patterns of what was seen.

use std::collections::BTreeSet;

use chatward_detect::indicator::{Network, Value};
use chatward_message::UnixMillis;
use regex_automata::meta::Regex;

use super::{Comparison, Inner, Operator, Outer, Property, address, expression, network};

/// So many observations and so many ways to match are followed.
const MANY: usize = 64;
/// The longest text that is compared, and the longest constant of LIKE, in bytes.
const LONGEST: usize = 4096;
const LONGEST_LIKE: usize = 512;

/// Something that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact<'a> {
    property: Property,
    text: &'a str,
    /// In the form in which equal things are equal.
    normal: String,
}

impl<'a> Fact<'a> {
    /// What it is, and as it was written.
    pub fn new(property: Property, text: &'a str) -> Self {
        Self { property, text, normal: normal(property, text) }
    }
}

/// What was seen at one time: in one message, or one file.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// When.
    pub at: UnixMillis,
    /// What.
    pub facts: &'a [Fact<'a>],
}

/// A pattern with its expressions compiled.
pub(super) enum Node {
    One(Test),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Then(Box<Node>, Box<Node>),
    Within(Box<Node>, u64),
    Repeats(Box<Node>, u32),
    Between(Box<Node>, UnixMillis, UnixMillis),
}

/// What one observation must hold.
pub(super) enum Test {
    /// About something that is not seen in a chat.
    Never,
    Fact {
        property: Property,
        not: bool,
        by: By,
    },
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
}

pub(super) enum By {
    Exists,
    Same(BTreeSet<String>),
    Order(Operator, String),
    Like(String),
    Matches(Box<Regex>),
    Subset(Network),
    Superset(Network),
}

/// Ready to be asked; nothing if it can never match.
pub(super) fn outer(tree: Outer) -> Option<Node> {
    Some(match tree {
        Outer::One(tree) => match inner(tree)? {
            Test::Never => return None,
            test => Node::One(test),
        },
        Outer::And(left, right) => Node::And(outer(*left)?.into(), outer(*right)?.into()),
        Outer::Then(left, right) => Node::Then(outer(*left)?.into(), outer(*right)?.into()),
        Outer::Or(left, right) => match (outer(*left), outer(*right)) {
            (Some(left), Some(right)) => Node::Or(left.into(), right.into()),
            (left, right) => left.or(right)?,
        },
        Outer::Within(tree, seconds) => Node::Within(outer(*tree)?.into(), seconds),
        Outer::Repeats(tree, times) => Node::Repeats(outer(*tree)?.into(), times),
        Outer::Between(tree, start, stop) => Node::Between(outer(*tree)?.into(), start, stop),
    })
}

/// Nothing if an expression in it cannot be used.
fn inner(tree: Inner) -> Option<Test> {
    Some(match tree {
        Inner::One(comparison) => test(comparison)?,
        Inner::And(left, right) => match (inner(*left)?, inner(*right)?) {
            (Test::Never, _) | (_, Test::Never) => Test::Never,
            (left, right) => Test::And(left.into(), right.into()),
        },
        Inner::Or(left, right) => match (inner(*left)?, inner(*right)?) {
            (Test::Never, other) | (other, Test::Never) => other,
            (left, right) => Test::Or(left.into(), right.into()),
        },
    })
}

fn test(comparison: Comparison) -> Option<Test> {
    let Comparison { property, not, operator, mut constants } = comparison;
    let Some(property) = property else { return Some(Test::Never) };
    let normal = |text: String| normal(property, &text);
    let by = match operator {
        Operator::Exists => By::Exists,
        Operator::In => By::Same(constants.into_iter().map(normal).collect()),
        _ => {
            let constant = constants.pop()?;
            match operator {
                Operator::Equal | Operator::NotEqual => By::Same([normal(constant)].into()),
                Operator::Like if constant.len() > LONGEST_LIKE => return None,
                Operator::Like => By::Like(constant),
                Operator::Matches => By::Matches(expression(&constant)?.into()),
                Operator::Subset => By::Subset(network(&constant)?),
                Operator::Superset => By::Superset(network(&constant)?),
                other => By::Order(other, constant),
            }
        }
    };
    // What is not equal is equal to nothing of what is named.
    Some(Test::Fact { property, not: not != (operator == Operator::NotEqual), by })
}

/// One form for what is equal.
fn normal(property: Property, text: &str) -> String {
    match property.value(text) {
        Some(Ok(value)) => value.to_string(),
        _ => text.to_owned(),
    }
}

/// One way to match: when, and by which observations (one bit each).
#[derive(Clone, Copy, PartialEq)]
struct Way {
    first: UnixMillis,
    last: UnixMillis,
    used: u64,
}

impl Way {
    fn join(self, other: Self) -> Option<Self> {
        (self.used & other.used == 0).then(|| Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
            used: self.used | other.used,
        })
    }
}

impl Node {
    pub(super) fn matches(&self, seen: &[Observation<'_>]) -> bool {
        let seen = seen.get(seen.len().saturating_sub(MANY)..).unwrap_or_default();
        !self.ways(seen).is_empty()
    }

    fn ways(&self, seen: &[Observation<'_>]) -> Vec<Way> {
        match self {
            Self::One(test) => seen
                .iter()
                .enumerate()
                .filter(|(_, observation)| test.holds(observation.facts))
                .map(|(n, observation)| Way { first: observation.at, last: observation.at, used: 1 << n })
                .collect(),
            Self::Or(left, right) => {
                let mut ways = left.ways(seen);
                ways.extend(right.ways(seen));
                ways.truncate(MANY);
                ways
            }
            Self::And(left, right) => pairs(&left.ways(seen), &right.ways(seen), false),
            Self::Then(left, right) => pairs(&left.ways(seen), &right.ways(seen), true),
            Self::Within(node, seconds) => {
                let mut ways = node.ways(seen);
                ways.retain(|way| way.last.0 - way.first.0 <= seconds.saturating_mul(1000));
                ways
            }
            Self::Between(node, start, stop) => {
                let mut ways = node.ways(seen);
                ways.retain(|way| *start <= way.first && way.last < *stop);
                ways
            }
            Self::Repeats(node, times) => repeats(node.ways(seen), *times),
        }
    }
}

fn pairs(left: &[Way], right: &[Way], in_order: bool) -> Vec<Way> {
    let both = left.iter().flat_map(|l| right.iter().map(move |r| (l, r)));
    let joined = both.filter(|(l, r)| !in_order || l.last <= r.first).filter_map(|(l, r)| l.join(*r));
    joined.take(MANY).collect()
}

/// From each way on, the next ones that use nothing twice.
fn repeats(mut ways: Vec<Way>, times: u32) -> Vec<Way> {
    ways.sort_by_key(|way| (way.first, way.last));
    let from = |start: usize| {
        let mut all: Option<Way> = None;
        let mut left = times;
        for way in ways.iter().skip(start) {
            let joined = all.map_or(Some(*way), |all| all.join(*way));
            if joined.is_some() {
                all = joined;
                left -= 1;
            }
            if left == 0 {
                return all;
            }
        }
        None
    };
    (0..ways.len()).filter_map(from).collect()
}

impl Test {
    fn holds(&self, facts: &[Fact<'_>]) -> bool {
        match self {
            Self::Never => false,
            Self::And(left, right) => left.holds(facts) && right.holds(facts),
            Self::Or(left, right) => left.holds(facts) || right.holds(facts),
            Self::Fact { property, not, by } => {
                let mut of =
                    facts.iter().filter(|fact| fact.property == *property && fact.text.len() <= LONGEST);
                of.any(|fact| by.holds(fact) != *not)
            }
        }
    }
}

impl By {
    fn holds(&self, fact: &Fact<'_>) -> bool {
        let text = fact.text;
        match self {
            Self::Exists => true,
            Self::Same(constants) => constants.contains(&fact.normal),
            Self::Order(operator, constant) => match operator {
                Operator::Greater => text > constant.as_str(),
                Operator::GreaterOrEqual => text >= constant.as_str(),
                Operator::Less => text < constant.as_str(),
                _ => text <= constant.as_str(),
            },
            Self::Like(constant) => like(text, constant),
            Self::Matches(regex) => regex.is_match(text),
            Self::Subset(of) => {
                matches!(Value::network(text), Ok(Value::Network(network)) if of.holds(network))
            }
            Self::Superset(of) => address(text).is_some_and(|a| Network::one(a).holds(*of)),
        }
    }
}

/// `%` stands for any characters, `_` for one, as in SQL.
fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut t, mut p) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while let Some(c) = text.get(t) {
        match pattern.get(p) {
            Some('%') => {
                back = Some((t, p));
                p += 1;
            }
            Some(own) if *own == '_' || own == c => (t, p) = (t + 1, p + 1),
            _ => match back {
                // The last `%` stands for one more.
                Some((start, star)) => {
                    (t, p) = (start + 1, star + 1);
                    back = Some((start + 1, star));
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == '%')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use chatward_detect::indicator::Record;

    use super::super::parse;
    use super::*;

    fn fact(property: Property, text: &str) -> Fact<'_> {
        Fact::new(property, text)
    }

    /// What was seen at each second.
    fn holds(pattern: &str, seen: &[&[Fact<'_>]]) -> bool {
        let seconds = |n: usize| UnixMillis(1_788_220_800_000 + 1000 * n as u64);
        let seen: Vec<Observation<'_>> =
            seen.iter().enumerate().map(|(n, facts)| Observation { at: seconds(n), facts }).collect();
        parse(pattern).unwrap().compile(Record::default()).is_some_and(|p| p.matches(&seen))
    }

    const DOMAIN: Property = Property::Domain;

    #[test]
    fn comparisons_mean_what_the_standard_says() {
        let facts = [
            fact(DOMAIN, "a.kit.example"),
            fact(Property::Url, "http://x.kit.example/login/2"),
            fact(Property::Ipv4, "198.51.100.7"),
            fact(Property::Md5, "44d88612fea8a8f36de82e1278abb02f"),
            fact(Property::FileName, "invoice.pdf"),
        ];
        for (pattern, wanted) in [
            ("[domain-name:value = 'A.kit.example.']", true),
            ("[domain-name:value != 'a.kit.example']", false),
            ("[domain-name:value NOT = 'other.example']", true),
            ("[domain-name:value IN ('x.example', 'a.kit.example')]", true),
            ("[domain-name:value NOT IN ('x.example', 'a.kit.example')]", false),
            ("[url:value LIKE 'http://%.kit.example/login%']", true),
            ("[url:value LIKE 'http://_.kit.example/login/_']", true),
            ("[url:value LIKE 'http://%.kit.example/']", false),
            (r"[url:value MATCHES '^https?://x\\.kit\\.example/(login|verify)']", true),
            (r"[url:value MATCHES '(?<=a)b']", false),
            ("[ipv4-addr:value ISSUBSET '198.51.100.0/24']", true),
            ("[ipv4-addr:value ISSUBSET '198.51.101.0/24']", false),
            ("[network-traffic:dst_ref.value = '198.51.100.7']", true),
            ("[file:hashes.MD5 = '44D88612FEA8A8F36DE82E1278ABB02F' AND file:name = 'invoice.pdf']", true),
            ("[file:hashes.'SHA-256' = 'x' OR (file:name LIKE '%.pdf' AND EXISTS domain-name:value)]", true),
            ("[process:name = 'x']", false),
            ("[process:name = 'x' OR file:name = 'invoice.pdf']", true),
            ("[process:name = 'x' AND file:name = 'invoice.pdf']", false),
            ("[file:name > 'inv' AND file:name < 'j']", true),
        ] {
            assert_eq!(holds(pattern, &[&facts]), wanted, "{pattern}");
        }
    }

    #[test]
    fn observations_are_counted_and_ordered() {
        let (a, b, c) =
            ([fact(DOMAIN, "a.example")], [fact(DOMAIN, "b.example")], [fact(DOMAIN, "c.example")]);
        let both = [fact(DOMAIN, "a.example"), fact(DOMAIN, "b.example")];
        let (is_a, is_b) = ("[domain-name:value = 'a.example']", "[domain-name:value = 'b.example']");
        for (pattern, seen, wanted) in [
            (format!("{is_a} AND {is_b}"), vec![&b[..], &a[..]], true),
            (format!("{is_a} AND {is_b}"), vec![&both[..]], false),
            (format!("{is_a} FOLLOWEDBY {is_b}"), vec![&a[..], &c[..], &b[..]], true),
            (format!("{is_a} FOLLOWEDBY {is_b}"), vec![&b[..], &a[..]], false),
            (format!("({is_a} FOLLOWEDBY {is_b}) WITHIN 1 SECONDS"), vec![&a[..], &c[..], &b[..]], false),
            (format!("({is_a} FOLLOWEDBY {is_b}) WITHIN 2 SECONDS"), vec![&a[..], &c[..], &b[..]], true),
            (format!("{is_a} REPEATS 2 TIMES"), vec![&a[..], &c[..], &both[..]], true),
            (format!("{is_a} REPEATS 3 TIMES"), vec![&a[..], &c[..], &both[..]], false),
            (format!("{is_a} REPEATS 2 TIMES WITHIN 1 SECONDS"), vec![&a[..], &c[..], &a[..]], false),
            (
                format!("{is_a} START t'2026-09-01T00:00:00Z' STOP t'2026-09-01T00:00:01Z'"),
                vec![&a[..]],
                true,
            ),
            (
                format!("{is_a} START t'2026-09-01T00:00:00Z' STOP t'2026-09-01T00:00:01Z'"),
                vec![&c[..], &a[..]],
                false,
            ),
            (format!("{is_b} OR {is_a}"), vec![&a[..]], true),
        ] {
            assert_eq!(holds(&pattern, &seen), wanted, "{pattern}");
        }
    }

    #[test]
    fn single_values_are_told_apart_from_the_rest() {
        for (pattern, values, rest) in [
            ("[domain-name:value = 'a.example']", 1, false),
            ("[domain-name:value = 'a.example' OR url:value = 'http://b.example/x']", 2, false),
            ("[domain-name:value = 'a.example'] OR [ipv4-addr:value IN ('192.0.2.1','192.0.2.2')]", 3, false),
            ("[ipv4-addr:value ISSUBSET '198.51.100.0/24']", 1, false),
            ("[domain-name:value = 'a.example' AND url:value = 'http://b.example/x']", 0, true),
            ("[domain-name:value = 'a.example'] AND [domain-name:value = 'b.example']", 0, true),
            ("[domain-name:value = 'a.example'] REPEATS 3 TIMES", 0, true),
            ("[domain-name:value NOT = 'a.example']", 0, true),
            ("[domain-name:value = 'a.example' OR url:value LIKE '%x']", 1, true),
        ] {
            let exact = parse(pattern).unwrap().exact().unwrap();
            assert_eq!((exact.values.len(), exact.rest), (values, rest), "{pattern}");
        }
        assert!(parse("[domain-name:value = 'not a domain']").unwrap().exact().is_err());
    }

    #[test]
    fn what_the_grammar_does_not_allow_is_refused() {
        for bad in [
            "",
            "[",
            "[]",
            "domain-name:value = 'a'",
            "[domain-name:value = 'a]",
            "[domain-name = 'a']",
            "[domain-name:value = 'a'] x",
            "[domain-name:value 'a']",
            "[a:b IN ()]",
            "[a:b = 'x'] WITHIN SECONDS",
            "[a:b = 'x'] REPEATS 0 TIMES",
            "[a:b[x] = 'x']",
            r"[a:b = '\n']",
            "[a:b = nothing]",
            "([a:b = 'x']",
            "[a:b = 'x'] START t'yesterday' STOP t'today'",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let deep = format!("{}[a:b = 1]{}", "(".repeat(100), ")".repeat(100));
        assert!(matches!(parse(&deep), Err(super::super::PatternFault::Deep)));
        let long = format!("[a:b IN ({}1)]", "1,".repeat(10_000));
        assert!(matches!(parse(&long), Err(super::super::PatternFault::Long)));
    }

    /// `LIKE`, written as plainly as it is said.
    fn plainly(text: &[char], pattern: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('%', rest)) => (0..=text.len()).any(|n| plainly(&text[n..], rest)),
            Some((c, rest)) => {
                text.split_first().is_some_and(|(t, after)| (*c == '_' || c == t) && plainly(after, rest))
            }
        }
    }

    proptest! {
        #[test]
        fn like_is_what_it_says(text in "[ab]{0,8}", pattern in "[ab%_]{0,8}") {
            let chars = |s: &str| s.chars().collect::<Vec<_>>();
            prop_assert_eq!(like(&text, &pattern), plainly(&chars(&text), &chars(&pattern)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in r"[\[\]()a-z:.'= \\A-Z0-9]{0,80}") {
            let _ = parse(&text).map(|p| p.compile(Record::default()));
        }
    }
}

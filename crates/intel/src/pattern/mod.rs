//! STIX patterns (STIX 2.1, part 9): read whole, turned into indicators where single values say it all, and otherwise
//! kept and asked of what was seen.
//!
//! What is seen in a chat is a [`Fact`]: a domain, an address of the web, an IP address, an e-mail address, a hash or the
//! name of a file. One message, or one file, is one [`Observation`].
//!
//! Limits. Within one observation, all facts count as one object's. `MATCHES` takes expressions in linear time only: one
//! with look-around or back references is not enforced. Of an observation expression at most 64 ways to match are
//! followed, over at most 64 observations.

mod eval;
mod parse;

use std::fmt;
use std::net::IpAddr;

use chatward_detect::indicator::{Network, Record, Value, ValueFault};
use chatward_message::UnixMillis;
use regex_automata::meta::Regex;

use crate::feed;

pub use eval::{Fact, Observation};
pub use parse::parse;

/// The longest pattern, in bytes.
pub const LONGEST: usize = 32 * 1024;
/// The most comparisons and operators of one.
const NODES: usize = 4096;
/// How deep its brackets may be nested.
const DEPTH: usize = 32;
/// Memory for one compiled expression, in bytes.
const EXPRESSION: usize = 256 * 1024;

/// Why a pattern cannot be read. Holds nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternFault {
    /// Longer than [`LONGEST`], or made of too many parts.
    #[error("is too long")]
    Long,
    /// Too many brackets in one another.
    #[error("is nested too deep")]
    Deep,
    /// The grammar does not allow what stands at this byte.
    #[error("cannot be read at byte {0}")]
    Syntax(usize),
    /// A value is not of the kind that its property says.
    #[error("a value {0}")]
    Value(ValueFault),
}

/// Which property of which object, of those that are seen in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Property {
    /// `domain-name:value`
    Domain,
    /// `url:value`
    Url,
    /// `ipv4-addr:value`, and where a reference leads to one.
    Ipv4,
    /// `ipv6-addr:value`
    Ipv6,
    /// `email-addr:value`
    Email,
    /// `file:hashes.MD5`
    Md5,
    /// `file:hashes.'SHA-1'`
    Sha1,
    /// `file:hashes.'SHA-256'`
    Sha256,
    /// `file:name`
    FileName,
}

impl Property {
    fn value(self, text: &str) -> Option<Result<Value, ValueFault>> {
        Some(match self {
            Self::Domain => Value::domain(text),
            Self::Url => feed::url(text),
            Self::Ipv4 | Self::Ipv6 => Value::network(text),
            Self::Email => Value::email(text),
            Self::Md5 | Self::Sha1 | Self::Sha256 => Value::file(text),
            Self::FileName => return None,
        })
    }
}

/// An operator between a property and a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    In,
    Like,
    Matches,
    Subset,
    Superset,
    Exists,
}

#[derive(Debug)]
struct Comparison {
    /// Nothing for what is not seen in a chat.
    property: Option<Property>,
    not: bool,
    operator: Operator,
    /// The constant; several for `IN`. Numbers, times and bytes as they are written.
    constants: Vec<String>,
}

#[derive(Debug)]
enum Inner {
    One(Comparison),
    And(Box<Inner>, Box<Inner>),
    Or(Box<Inner>, Box<Inner>),
}

#[derive(Debug)]
enum Outer {
    One(Inner),
    And(Box<Outer>, Box<Outer>),
    Or(Box<Outer>, Box<Outer>),
    Then(Box<Outer>, Box<Outer>),
    Within(Box<Outer>, u64),
    Repeats(Box<Outer>, u32),
    Between(Box<Outer>, UnixMillis, UnixMillis),
}

/// A pattern that was read.
#[derive(Debug)]
pub struct Parsed {
    tree: Outer,
}

/// What of a pattern single values say.
#[derive(Debug, Default)]
pub struct Exact {
    /// Each of them makes the pattern match.
    pub values: Vec<Value>,
    /// Whether there is more to it.
    pub rest: bool,
}

impl Parsed {
    /// What of it single values say: equalities that stand alone or in alternatives.
    ///
    /// # Errors
    /// [`PatternFault::Value`] if a value is not of its kind.
    pub fn exact(&self) -> Result<Exact, PatternFault> {
        let mut exact = Exact::default();
        outer_exact(&self.tree, &mut exact)?;
        Ok(exact)
    }

    /// The pattern, ready to be asked. Nothing if it is about nothing that is seen in a chat, or an expression in it
    /// cannot be used.
    pub fn compile(self, record: Record) -> Option<Pattern> {
        let tree = eval::outer(self.tree)?;
        Some(Pattern { tree, record })
    }
}

/// A pattern that is asked of what was seen.
pub struct Pattern {
    tree: eval::Node,
    /// What is known of it.
    pub record: Record,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern").field("record", &self.record).finish_non_exhaustive()
    }
}

impl Pattern {
    /// Whether what was seen, in the order of time, is what it describes.
    pub fn matches(&self, seen: &[Observation<'_>]) -> bool {
        self.tree.matches(seen)
    }
}

fn outer_exact(tree: &Outer, exact: &mut Exact) -> Result<(), PatternFault> {
    match tree {
        Outer::One(inner) => inner_exact(inner, exact),
        Outer::Or(left, right) => {
            outer_exact(left, exact)?;
            outer_exact(right, exact)
        }
        // All of one observation is within any time.
        Outer::Within(inner, _) if matches!(**inner, Outer::One(_)) => outer_exact(inner, exact),
        Outer::Repeats(inner, 1) => outer_exact(inner, exact),
        Outer::And(..) | Outer::Then(..) | Outer::Within(..) | Outer::Repeats(..) | Outer::Between(..) => {
            exact.rest = true;
            Ok(())
        }
    }
}

fn inner_exact(tree: &Inner, exact: &mut Exact) -> Result<(), PatternFault> {
    match tree {
        Inner::Or(left, right) => {
            inner_exact(left, exact)?;
            inner_exact(right, exact)
        }
        Inner::One(Comparison {
            property: Some(property),
            not: false,
            operator: operator @ (Operator::Equal | Operator::In | Operator::Subset),
            constants,
        }) => {
            let address = matches!(property, Property::Ipv4 | Property::Ipv6);
            if *operator == Operator::Subset && !address {
                exact.rest = true;
                return Ok(());
            }
            for constant in constants {
                match property.value(constant) {
                    Some(value) => exact.values.push(value.map_err(PatternFault::Value)?),
                    None => exact.rest = true,
                }
            }
            Ok(())
        }
        Inner::One(_) | Inner::And(..) => {
            exact.rest = true;
            Ok(())
        }
    }
}

/// An expression in linear time and bounded memory; nothing if there is none.
fn expression(text: &str) -> Option<Regex> {
    let config = Regex::config()
        .nfa_size_limit(Some(EXPRESSION))
        .onepass(false)
        .dfa(false)
        .hybrid_cache_capacity(EXPRESSION);
    let syntax = regex_automata::util::syntax::Config::new().nest_limit(50);
    Regex::builder().configure(config).syntax(syntax).build(text).ok()
}

fn network(text: &str) -> Option<Network> {
    match Value::network(text) {
        Ok(Value::Network(network)) => Some(network),
        _ => None,
    }
}

fn address(text: &str) -> Option<IpAddr> {
    network(text).map(Network::address)
}

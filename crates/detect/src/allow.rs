//! Values that are never reported: the house's own help line, its own addresses, its public figures.

use std::collections::HashSet;
use std::sync::Arc;

use regex_automata::meta::Regex;

use crate::normal;
use crate::phrases::Phrases;
use crate::rule::Rule;
use crate::{Options, RulesError};

/// Values that are never reported, of one kind or of all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Allowed {
    /// The kind; nothing for every kind.
    pub kind: Option<String>,
    /// The values, in any case.
    pub values: Option<Arc<Phrases>>,
    /// Regular expressions that must match the whole value, in any case.
    pub patterns: Vec<String>,
}

/// All of them, ready to be asked.
#[derive(Debug, Default)]
pub(crate) struct Allow {
    /// Of every kind, folded and in lower case.
    any: HashSet<Vec<u8>>,
    lists: Vec<List>,
}

#[derive(Debug)]
struct List {
    kind: Option<String>,
    values: Option<Arc<Phrases>>,
    patterns: Vec<Regex>,
}

impl Allow {
    /// What these wishes allow, of the kinds that these rules find.
    pub(crate) fn new(options: &Options, rules: &[Rule]) -> Result<Self, RulesError> {
        let wish = |what: String| RulesError::Wish(what.into());
        let mut lists = Vec::new();
        for allowed in &options.allowed {
            if let Some(kind) = &allowed.kind
                && !rules.iter().any(|r| r.info.kind.as_str() == kind)
            {
                return Err(wish(format!("there is no kind {kind} to allow values of")));
            }
            let mut patterns = Vec::new();
            for pattern in &allowed.patterns {
                let whole = format!(r"(?i)\A(?:{pattern})\z");
                let hir = crate::rule::syntax(&whole).map_err(|e| wish(format!("allowed pattern: {e}")))?;
                let regex = Regex::builder().build_from_hir(&hir);
                patterns.push(regex.map_err(|e| wish(format!("allowed pattern {pattern}: {e}")))?);
            }
            lists.push(List { kind: allowed.kind.clone(), values: allowed.values.clone(), patterns });
        }
        let any = options.allow.iter().map(|value| normal::folded_lower(value.trim())).collect();
        Ok(Self { any, lists })
    }

    /// Whether nothing is allowed.
    pub(crate) fn is_empty(&self) -> bool {
        self.any.is_empty() && self.lists.is_empty()
    }

    /// Whether a value of this kind, folded and in lower case, is allowed.
    pub(crate) fn holds(&self, kind: &str, value: &[u8]) -> bool {
        self.any.contains(value)
            || self.lists.iter().filter(|list| list.kind.as_ref().is_none_or(|of| of == kind)).any(|list| {
                list.values.as_ref().is_some_and(|values| values.holds(value))
                    || list.patterns.iter().any(|pattern| pattern.is_match(value))
            })
    }
}

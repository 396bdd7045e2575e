//! Policy texts: those that are shipped, and where each policy of a text stands.

use std::sync::Arc;

use cedar_policy::{Policy, PolicySet};
use miette::Diagnostic;

/// A file of policies. The name is for messages.
#[derive(Debug, Clone, Copy)]
pub struct PolicySource<'a> {
    /// The file's name.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// What policies may speak of.
pub(crate) const SCHEMA: &str = include_str!("../../../../policies/schema.cedarschema");

const SHIPPED: &[PolicySource<'static>] = &[
    PolicySource { name: "guards.cedar", text: include_str!("../../../../policies/guards.cedar") },
    PolicySource { name: "staff.cedar", text: include_str!("../../../../policies/staff.cedar") },
    PolicySource { name: "customers.cedar", text: include_str!("../../../../policies/customers.cedar") },
    PolicySource { name: "services.cedar", text: include_str!("../../../../policies/services.cedar") },
];

const SHIPPED_CASES: &[PolicySource<'static>] = &[
    PolicySource { name: "roles.toml", text: include_str!("../../../../policies/tests/roles.toml") },
    PolicySource { name: "guards.toml", text: include_str!("../../../../policies/tests/guards.toml") },
];

/// The policies that are always in force.
pub fn shipped() -> &'static [PolicySource<'static>] {
    SHIPPED
}

/// The table tests of the shipped policies.
pub fn shipped_cases() -> &'static [PolicySource<'static>] {
    SHIPPED_CASES
}

/// A policy, and where it begins.
pub(crate) struct Placed {
    pub policy: Policy,
    pub file: Arc<str>,
    pub line: usize,
}

/// A text that cannot be read, and where.
pub(crate) struct Unread {
    pub line: usize,
    pub message: String,
}

/// How deeply the parts of a policy may lie in each other, and how many operators it may have. Cedar's parser and checks call
/// themselves for each: what goes deeper would end the process, with no fault to tell. Half of a thread's stack is left.
const DEEPEST: usize = 48;
const OPERATORS: usize = 400;

/// Where a policy goes too deep, if one does.
fn too_deep(text: &str) -> Option<Unread> {
    let (mut open, mut prefixes, mut ifs, mut operators) = (0usize, 0usize, 0usize, 0usize);
    let mut rest = text;
    let mut word_before = false;
    while let Some(c) = rest.chars().next() {
        let at = text.len() - rest.len();
        let is_word = c.is_alphanumeric() || c == '_';
        let length = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '"' => end_of_string(rest),
            _ => c.len_utf8(),
        };
        match c {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            '!' | '-' => prefixes += 1,
            'i' if !word_before && rest.starts_with("if") => ifs += 1,
            '&' | '|' | '.' | '+' | '*' | '<' | '>' | '=' => operators += 1,
            ';' if open == 0 => (ifs, operators) = (0, 0),
            _ => {}
        }
        if !matches!(c, '!' | '-') && !c.is_whitespace() && length == c.len_utf8() {
            prefixes = 0;
        }
        word_before = is_word;
        if open + prefixes + ifs > DEEPEST || operators > OPERATORS {
            let message = format!(
                "a policy may be {DEEPEST} brackets deep and have {OPERATORS} operators: make several of it"
            );
            return Some(Unread { line: line_of(text, at), message });
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    None
}

/// The length of the string with which a text begins.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The policies of a text, in its order.
pub(crate) fn read(source: PolicySource<'_>) -> Result<Vec<Placed>, Vec<Unread>> {
    if let Some(unread) = too_deep(source.text) {
        return Err(vec![unread]);
    }
    let set: PolicySet = source.text.parse().map_err(|errors: cedar_policy::ParseErrors| {
        errors.iter().map(|error| unread(source.text, error)).collect::<Vec<_>>()
    })?;
    let templates = set.templates().map(|template| Unread {
        line: line_of(source.text, source.text.find(template.to_string().trim()).unwrap_or_default()),
        message: "a template (`?principal`, `?resource`) belongs to nobody here: name the role instead"
            .to_owned(),
    });
    let templates: Vec<_> = templates.collect();
    if !templates.is_empty() {
        return Err(templates);
    }
    let file: Arc<str> = source.name.into();
    let mut placed: Vec<(usize, Policy)> = Vec::new();
    for policy in set.policies() {
        placed.push((number(policy.id()), policy.clone()));
    }
    placed.sort_by_key(|(number, _)| *number);
    let mut from = 0;
    let with_lines = placed.into_iter().map(|(_, policy)| {
        // Cedar keeps the text of what it read: it stands in the file, after the one before.
        let text = policy.to_string();
        let begins = source.text.get(from..).and_then(|rest| rest.find(text.trim())).map(|at| from + at);
        from = begins.map_or(from, |at| at + text.trim().len());
        Placed { policy, file: Arc::clone(&file), line: line_of(source.text, begins.unwrap_or(from)) }
    });
    Ok(with_lines.collect())
}

/// Cedar numbers what it reads: `policy0`, `policy1`, …
fn number(id: &cedar_policy::PolicyId) -> usize {
    let id: &str = id.as_ref();
    id.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(usize::MAX)
}

fn unread(text: &str, error: &cedar_policy::ParseError) -> Unread {
    let offset = error.labels().and_then(|mut labels| labels.next()).map_or(0, |label| label.offset());
    let help = error.help().map(|help| format!(" ({help})")).unwrap_or_default();
    Unread { line: line_of(text, offset), message: format!("{error}{help}") }
}

/// The line, counted from 1, in which this byte stands.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

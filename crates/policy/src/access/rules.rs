//! A set of policies, ready to be asked.
//!
//! The shipped policies are always in it; those of the house come on top. Everything is read, held against the schema
//! (strictly) and looked through for mistakes when it is loaded; a set with an error is not used at all. The hash over
//! all texts and the schema names the set in every decision.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use cedar_policy::{
    Effect, EntityUid, Policy, PolicyId, PolicySet, Schema, ValidationMode, ValidationWarning, Validator,
};
use miette::Diagnostic as _;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::engine::{Sort, Words};
use super::facts::Facts;
use super::lean::Lean;
use super::lint::{self, Lint, Severity};
use super::reason::Code;
use super::slice::{Slice, Whom};
use super::source::{self, PolicySource, SCHEMA};
use super::space::entity;
use super::words::{Action, Role, Scope};

/// Something that is wrong, or odd, about a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file.
    pub file: Arc<str>,
    /// The line in which the policy (or the mistake) begins; 0 if it concerns no line.
    pub line: usize,
    /// What was looked for.
    pub lint: Lint,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, lint, message } = self;
        write!(f, "{file}:{line}: {}: {message} [{}]", lint.severity().name(), lint.name())
    }
}

/// What is known of the house beyond its policies.
#[derive(Default, Clone, Copy)]
pub struct Known<'a> {
    /// Whether some recogniser finds this kind; without it kinds are not looked at.
    pub kind: Option<&'a dyn Fn(&str) -> bool>,
}

/// A set that was loaded, or not, and everything that was found.
#[derive(Debug)]
pub struct Loading {
    /// The set, if there is no error.
    pub rules: Option<Rules>,
    /// Errors and warnings, by file and line.
    pub faults: Vec<Fault>,
}

/// One policy of the set.
#[derive(Debug)]
pub(crate) struct Rule {
    pub id: Arc<str>,
    pub permit: bool,
    pub reason: Option<Code>,
    /// The policy as JSON, for looking at its parts.
    pub json: Value,
    pub file: Arc<str>,
    pub line: usize,
    pub shipped: bool,
    /// As it was written.
    pub policy: Policy,
    /// For whom it is.
    pub whom: Whom,
    /// Its conditions by themselves; none where its head has to be asked too.
    pub lean: Option<Lean>,
}

/// The policies in force.
#[derive(Debug)]
pub struct Rules {
    pub(crate) words: Words,
    pub(crate) all: Vec<Rule>,
    pub(crate) hash: Arc<str>,
    by_id: HashMap<PolicyId, usize>,
    /// By action (in the order of [`Action::ALL`]): its own name and those of its groups.
    names: Vec<HashSet<String>>,
    /// By action (in the order of [`Action::ALL`]) and sort of actor; none where the schema knows no such question.
    slices: Vec<Option<Slice>>,
}

impl Rules {
    /// The shipped policies and nothing else.
    pub fn shipped() -> Loading {
        Self::load(&[], Known::default())
    }

    /// The shipped policies and these of the house.
    pub fn load(own: &[PolicySource<'_>], known: Known<'_>) -> Loading {
        load(SCHEMA, source::shipped(), own, known)
    }

    /// Puts policies that were read aside for the questions of this schema.
    pub(crate) fn of(
        schema: &Schema,
        words: Words,
        all: Vec<Rule>,
        by_id: HashMap<PolicyId, usize>,
        hash: Arc<str>,
    ) -> Result<Self, String> {
        let names = names(schema)?;
        let slices = slices(schema, &all, &names);
        Ok(Self { words, all, hash, by_id, names, slices })
    }

    /// The hash of the set: the first 16 hex digits of SHA-256 over schema, names and texts.
    pub fn hash(&self) -> &Arc<str> {
        &self.hash
    }

    /// How many policies there are, and how many of them are the house's own.
    pub fn count(&self) -> (usize, usize) {
        (self.all.len(), self.all.iter().filter(|rule| !rule.shipped).count())
    }

    pub(crate) fn rule(&self, id: &PolicyId) -> Option<&Rule> {
        self.all.get(*self.by_id.get(id)?)
    }

    /// What is asked for this action of this actor; none where the schema knows no such question.
    pub(crate) fn slice(&self, facts: &Facts) -> Option<&Slice> {
        self.slices.get(place(facts.action, facts.actor.sort()))?.as_ref()
    }

    /// Whether this policy leaves room for this action.
    pub(crate) fn concerned(&self, rule: &Rule, action: Action) -> bool {
        let names = self.names.get(action as usize);
        names.is_some_and(|names| Sort::ALL.iter().any(|sort| rule.concerns(action, names, *sort)))
    }

    /// Whether the schema knows a question of this sort of actor for this action.
    pub(crate) fn asks(&self, action: Action, sort: Sort) -> bool {
        self.slices.get(place(action, sort)).is_some_and(Option::is_some)
    }
}

fn place(action: Action, sort: Sort) -> usize {
    action as usize * Sort::ALL.len() + sort as usize
}

/// Loads a set. Everything that is wrong is said at once.
pub(crate) fn load(
    schema: &str,
    shipped: &[PolicySource<'_>],
    own: &[PolicySource<'_>],
    known: Known<'_>,
) -> Loading {
    let mut faults = Vec::new();
    // The hash must not depend on the order in which a folder was listed.
    let mut own = own.to_vec();
    own.sort_by_key(|source| source.name);
    let inside =
        |message: String| Fault { file: "schema.cedarschema".into(), line: 0, lint: Lint::Internal, message };
    let parsed = match Schema::from_cedarschema_str(schema) {
        Ok((parsed, _)) => parsed,
        Err(error) => return Loading { rules: None, faults: vec![inside(error.to_string())] },
    };
    let mut all = Vec::new();
    for (sources, is_shipped) in [(shipped, true), (own.as_slice(), false)] {
        for source in sources {
            read(*source, is_shipped, &mut all, &mut faults);
        }
    }
    let (policies, by_id) = match gather(&all) {
        Ok(gathered) => gathered,
        Err(message) => return Loading { rules: None, faults: vec![inside(message)] },
    };
    validate(&parsed, &policies, &all, &by_id, &mut faults);
    for rule in all.iter().filter(|rule| !rule.shipped) {
        lint::look(rule, known, &mut faults);
    }
    let words = match Words::new(&parsed) {
        Ok(words) => words,
        Err(message) => {
            faults.push(inside(message));
            return Loading { rules: None, faults };
        }
    };
    let errors = |faults: &[Fault]| faults.iter().any(|fault| fault.lint.severity() == Severity::Error);
    let mut rules = None;
    if !errors(&faults) {
        let hash = hash(schema, shipped.iter().chain(&own));
        match Rules::of(&parsed, words, all, by_id, hash) {
            Ok(set) => {
                lint::try_out(&set, &mut faults);
                rules = (!errors(&faults)).then_some(set);
            }
            Err(message) => faults.push(inside(message)),
        }
    }
    faults.sort();
    faults.dedup();
    Loading { rules, faults }
}

/// Reads one file: each policy with its id, its reason and its place.
pub(crate) fn read(source: PolicySource<'_>, shipped: bool, all: &mut Vec<Rule>, faults: &mut Vec<Fault>) {
    let file: Arc<str> = source.name.into();
    let placed = match source::read(source) {
        Ok(placed) => placed,
        Err(unread) => {
            faults.extend(unread.into_iter().map(|unread| Fault {
                file: Arc::clone(&file),
                line: unread.line,
                lint: Lint::Syntax,
                message: unread.message,
            }));
            return;
        }
    };
    for source::Placed { policy, file, line } in placed {
        let mut say = |lint: Lint, message: String| {
            faults.push(Fault { file: Arc::clone(&file), line, lint, message });
        };
        let permit = policy.effect() == Effect::Permit;
        let id = policy.annotation("id").unwrap_or_default().trim();
        if id.is_empty() {
            say(
                Lint::NoId,
                "the policy has no name: write @id(\"a-short-name\") before it; decisions name it by that"
                    .to_owned(),
            );
        } else if !plain(id) {
            say(Lint::NoId, format!("`{id}` cannot name a policy: take 1 to 63 of a-z 0-9 -"));
        } else if let Some(other) = all.iter().find(|rule: &&Rule| &*rule.id == id) {
            let whose = if other.shipped && !shipped { "a shipped policy has" } else { "another policy has" };
            say(
                Lint::SameId,
                format!("`{id}`: {whose} this name ({}:{}); choose another", other.file, other.line),
            );
        }
        let reason = reason(&policy, permit, &mut say);
        let json = policy.to_json().unwrap_or_default();
        let id: Arc<str> = if id.is_empty() { format!("{file}:{line}").into() } else { id.into() };
        // Within the set it is known by its number, so that two of one name are both looked at.
        let policy = policy.new_id(PolicyId::new(all.len().to_string()));
        let whom = whom(&json);
        let known = whom != Whom::Unsaid && names_actions(&json);
        let lean = if known { Lean::of(&policy, &json) } else { None };
        let file = Arc::clone(&file);
        all.push(Rule { id, permit, reason, json, file, line, shipped, policy, whom, lean });
    }
}

fn plain(id: &str) -> bool {
    (1..=63).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn reason(policy: &Policy, permit: bool, say: &mut impl FnMut(Lint, String)) -> Option<Code> {
    let word = policy.annotation("reason");
    match (permit, word) {
        (true, None) => None,
        (true, Some(_)) => {
            say(Lint::Reason, "a permit gives no reason: leave @reason out (a comment says why)".to_owned());
            None
        }
        (false, None) => {
            let todo = "the policy does not say why it refuses: write @reason(\"house_rule\"), or another code of docs/access.md";
            say(Lint::Reason, todo.to_owned());
            None
        }
        (false, Some(word)) => {
            let code = Code::named(word);
            if code.is_none() {
                let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
                say(
                    Lint::Reason,
                    format!("there is no reason `{word}`; the reasons are {}", codes.join(", ")),
                );
            }
            code
        }
    }
}

pub(crate) fn gather(all: &[Rule]) -> Result<(PolicySet, HashMap<PolicyId, usize>), String> {
    let mut set = PolicySet::new();
    let mut by_id = HashMap::new();
    for (at, rule) in all.iter().enumerate() {
        set.add(rule.policy.clone()).map_err(|error| error.to_string())?;
        by_id.insert(rule.policy.id().clone(), at);
    }
    Ok((set, by_id))
}

/// Holds the policies against the schema, strictly.
fn validate(
    schema: &Schema,
    policies: &PolicySet,
    all: &[Rule],
    by_id: &HashMap<PolicyId, usize>,
    faults: &mut Vec<Fault>,
) {
    let result = Validator::new(schema.clone()).validate(policies, ValidationMode::Strict);
    let mut say = |id: &PolicyId, lint: Lint, message: String| {
        if let Some(rule) = by_id.get(id).and_then(|at| all.get(*at)) {
            faults.push(Fault { file: Arc::clone(&rule.file), line: rule.line, lint, message });
        }
    };
    for error in result.validation_errors() {
        let help = error.help().map(|help| format!(" ({help})")).unwrap_or_default();
        let number = format!("for policy `{}`, ", error.policy_id());
        say(error.policy_id(), Lint::Schema, format!("{}{help}", error.to_string().replacen(&number, "", 1)));
    }
    for warning in result.validation_warnings() {
        let number = format!("for policy `{}`, ", warning.policy_id());
        let text = warning.to_string().replacen(&number, "", 1);
        let impossible = matches!(
            warning,
            ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_)
        );
        let lint = if impossible { Lint::NeverApplies } else { Lint::Odd };
        let todo = if impossible {
            ": no question fits its head and conditions together; mend it or take it out"
        } else {
            ""
        };
        say(warning.policy_id(), lint, format!("{text}{todo}"));
    }
}

/// By action: its own name and those of its groups.
fn names(schema: &Schema) -> Result<Vec<HashSet<String>>, String> {
    let entities = schema.action_entities().map_err(|error| error.to_string())?;
    let of = |action: &Action| {
        let uid: EntityUid = format!("Action::\"{}\"", action.name()).parse().map_err(|e| format!("{e}"))?;
        let groups = entities.ancestors(&uid).into_iter().flatten();
        Ok(groups.chain([&uid]).map(|group| group.id().unescaped().to_owned()).collect())
    };
    Action::ALL.iter().map(of).collect()
}

/// The policies that can matter, by action and sort of actor.
fn slices(schema: &Schema, all: &[Rule], names: &[HashSet<String>]) -> Vec<Option<Slice>> {
    let asked: HashSet<(String, String)> = schema
        .request_envs()
        .map(|env| (env.action().id().unescaped().to_owned(), env.principal().to_string()))
        .collect();
    let mut slices = Vec::new();
    for (action, names) in Action::ALL.iter().zip(names) {
        for sort in Sort::ALL {
            if !asked.contains(&(action.name().to_owned(), sort.name().to_owned())) {
                slices.push(None);
                continue;
            }
            let concerned = all.iter().enumerate().filter(|(_, rule)| rule.concerns(*action, names, sort));
            slices.push(Some(Slice::new(concerned.map(|(at, _)| at).collect())));
        }
    }
    slices
}

impl Rule {
    /// Whether the heads of the policy leave room for this action (by its own name and those of its groups) and this sort
    /// of actor. In doubt it does.
    fn concerns(&self, action: Action, names: &HashSet<String>, sort: Sort) -> bool {
        let head = self.head("action");
        let named: Vec<&str> = match (head.get("entity"), head.get("entities").and_then(Value::as_array)) {
            (Some(one), _) => one.get("id").and_then(Value::as_str).into_iter().collect(),
            (None, Some(several)) => several.iter().filter_map(|e| e.get("id")?.as_str()).collect(),
            (None, None) => return self.principal_fits(sort),
        };
        // `==` means the action itself: one is in a group, and never the group.
        let exactly = head.get("op").and_then(Value::as_str) == Some("==");
        let fits = |name: &str| if exactly { name == action.name() } else { names.contains(name) };
        named.iter().any(|name| fits(name)) && self.principal_fits(sort)
    }

    fn principal_fits(&self, sort: Sort) -> bool {
        let principal = self.head("principal");
        let kind = principal.get("entity_type").or_else(|| principal.get("entity")?.get("type"));
        match kind.and_then(Value::as_str) {
            Some("Role") => sort == Sort::Staff,
            Some("Scope") => sort == Sort::Service,
            Some(kind @ ("Staff" | "Service" | "Customer")) => sort.name() == kind,
            _ => true,
        }
    }

    /// The `principal`, `action` or `resource` of the policy's head.
    pub(crate) fn head(&self, part: &str) -> &Value {
        self.json.get(part).unwrap_or(&Value::Null)
    }
}

/// For whom a policy is, as its head says, for questions of the sort of actor that it concerns.
fn whom(json: &Value) -> Whom {
    let Some(head) = json.get("principal") else { return Whom::Unsaid };
    let entity = head.get("entity");
    let of = |key: &str| entity.and_then(|e| e.get(key)).and_then(Value::as_str).unwrap_or_default();
    let kind = head.get("entity_type").and_then(Value::as_str).unwrap_or_default();
    match head.get("op").and_then(Value::as_str) {
        Some("All") => Whom::Anyone,
        Some("is") if head.get("in").is_none() && Sort::ALL.iter().any(|sort| *sort.name() == *kind) => {
            Whom::Anyone
        }
        Some("in") if of("type") == "Role" => Role::named(of("id")).map_or(Whom::Unsaid, Whom::Role),
        Some("in") if of("type") == "Scope" => Scope::named(of("id")).map_or(Whom::Unsaid, Whom::Scope),
        _ => Whom::Unsaid,
    }
}

/// Whether the head's actions are in a form that [`Rule::concerns`] reads.
fn names_actions(json: &Value) -> bool {
    let head = json.get("action").unwrap_or(&Value::Null);
    let named = entity(head);
    let all = head.get("op").and_then(Value::as_str) == Some("All");
    all || !named.is_empty() && named.iter().all(|(kind, _)| *kind == "Action")
}

fn hash<'a>(schema: &str, sources: impl Iterator<Item = &'a PolicySource<'a>>) -> Arc<str> {
    let mut digest = Sha256::new();
    let mut part = |text: &str| {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    };
    part(schema);
    for source in sources {
        part(source.name);
        part(source.text);
    }
    digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

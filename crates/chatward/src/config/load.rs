//! Defaults, file, environment and flags, put together.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_path_to_error::Segment;
use toml::{Table, Value};

use super::raw::Raw;
use super::{Fault, FaultSort, Faults};

/// Where a value comes from. The later ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The file.
    File,
    /// `CHATWARD__SECTION__KEY`.
    Environment,
    /// The command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Flag => "flag",
        })
    }
}

/// What the command line may say.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--keys`
    pub keys: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<SocketAddr>,
    /// `--private`
    pub private_listen: Option<SocketAddr>,
    /// `--upstream`: becomes `upstreams.main`, which serves every model that no other upstream names.
    pub upstream: Option<String>,
    /// `--unsafe-plain-http`
    pub unsafe_plain_http: bool,
    /// The model of the built-in bot, where that one answers: then the chat page asks it.
    pub built_in_model: Option<&'static str>,
}

/// One effective value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Where it stands.
    pub path: String,
    /// Its value as JSON; secrets hidden.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// The configuration as it was put together: right in shape, not checked yet.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub(super) raw: Raw,
    origins: BTreeMap<String, Origin>,
}

/// Prefix of environment variables that override a value.
const PREFIX: &str = "CHATWARD__";
/// More faults than this are not listed.
const MOST_FAULTS: usize = 100;

impl Loaded {
    /// Puts everything together. `env` are the variables of the process; those that do not begin with `CHATWARD__` are
    /// ignored.
    pub fn read(file: Option<&Path>, env: &[(String, String)], flags: &Flags) -> Result<Self, Faults> {
        let text = match file {
            None => String::new(),
            Some(path) => {
                std::fs::read_to_string(path).map_err(|e| Faults(vec![unreadable("", path, &e)]))?
            }
        };
        Self::from_text(&text, env, flags)
    }

    /// The same from the text of a file.
    pub fn from_text(text: &str, env: &[(String, String)], flags: &Flags) -> Result<Self, Faults> {
        let mut table: Table = text.parse().map_err(|e: toml::de::Error| one("", e.to_string()))?;
        let mut origins = BTreeMap::new();
        mark(&table, "", Origin::File, &mut origins);

        let mut faults = Vec::new();
        let mut literal = BTreeMap::new();
        for (name, value) in env {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            let keys: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
            let path = keys.join(".");
            if put(&mut table, &keys, value_of(value)) {
                origins.insert(path.clone(), Origin::Environment);
                literal.insert(path, value.clone());
            } else {
                faults.push(fault(&path, format!("the variable {name} names no place in the configuration")));
            }
        }
        for (path, value) in flagged(flags) {
            let keys: Vec<String> = path.split('.').map(str::to_owned).collect();
            if put(&mut table, &keys, value) {
                origins.insert(path.to_owned(), Origin::Flag);
            }
        }

        let raw = shape(table, &literal, &mut faults);
        match raw {
            Some(raw) if faults.is_empty() => Ok(Self { raw, origins }),
            _ => Err(Faults(faults)),
        }
    }

    /// Every effective value and where it comes from; secrets hidden.
    pub fn explain(&self) -> Vec<Explained> {
        let mut all = Vec::new();
        if let Ok(value) = serde_json::to_value(&self.raw) {
            self.leaves(&value, String::new(), Origin::Default, &mut all);
        }
        all
    }

    fn leaves(&self, value: &serde_json::Value, path: String, above: Origin, all: &mut Vec<Explained>) {
        use serde_json::Value as Json;
        let origin = self.origins.get(&path).copied().unwrap_or(above);
        match value {
            Json::Object(members) if !members.is_empty() => {
                for (name, value) in members {
                    self.leaves(value, join(&path, name), origin, all);
                }
            }
            Json::Array(items) if items.iter().any(Json::is_object) => {
                for (index, value) in items.iter().enumerate() {
                    self.leaves(value, format!("{path}[{index}]"), origin, all);
                }
            }
            _ => {
                let hidden = path.ends_with(".key_hash") && !value.is_null();
                let value = if hidden { "(hidden)".to_owned() } else { value.to_string() };
                all.push(Explained { path, value, origin });
            }
        }
    }
}

pub(super) fn fault(path: &str, message: impl Into<String>) -> Fault {
    Fault { path: path.to_owned(), message: message.into(), sort: FaultSort::Wrong }
}

/// A file that is named at this place cannot be read.
pub(super) fn unreadable(path: &str, file: &Path, error: &std::io::Error) -> Fault {
    let message = format!("{} cannot be read: {error}", file.display());
    Fault { sort: FaultSort::Unreadable, ..fault(path, message) }
}

fn one(path: &str, message: String) -> Faults {
    Faults(vec![fault(path, message)])
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn mark(table: &Table, path: &str, origin: Origin, origins: &mut BTreeMap<String, Origin>) {
    for (name, value) in table {
        let path = join(path, name);
        match value {
            Value::Table(inner) => mark(inner, &path, origin, origins),
            Value::Array(items) if items.iter().any(Value::is_table) => {
                for (index, item) in items.iter().enumerate() {
                    if let Value::Table(inner) = item {
                        mark(inner, &format!("{path}[{index}]"), origin, origins);
                    }
                }
            }
            _ => {
                origins.insert(path, origin);
            }
        }
    }
}

/// A value of the environment: TOML where it reads as such (`8`, `true`, `["a"]`), else the text itself.
fn value_of(text: &str) -> Value {
    let line = format!("v = {text}");
    let parsed = line.parse::<Table>().ok().filter(|table| table.len() == 1);
    parsed.and_then(|mut table| table.remove("v")).unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Puts a value at a place, making the tables on the way. False if something else than a table is in the way.
fn put(table: &mut Table, keys: &[String], value: Value) -> bool {
    match keys {
        [] => false,
        [key, ..] if key.is_empty() => false,
        [key] => {
            table.insert(key.clone(), value);
            true
        }
        [key, rest @ ..] => match table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new())) {
            Value::Table(inner) => put(inner, rest, value),
            _ => false,
        },
    }
}

fn flagged(flags: &Flags) -> Vec<(&'static str, Value)> {
    let Flags { data, keys, listen, private_listen, upstream, unsafe_plain_http, built_in_model } = flags;
    let path = |path: &PathBuf| Value::String(path.to_string_lossy().into_owned());
    let address = |address: &SocketAddr| Value::String(address.to_string());
    let mut all: Vec<(&'static str, Value)> = Vec::new();
    all.extend(data.as_ref().map(|v| ("server.data", path(v))));
    all.extend(keys.as_ref().map(|v| ("server.keys", path(v))));
    all.extend(listen.as_ref().map(|v| ("server.listen", address(v))));
    all.extend(private_listen.as_ref().map(|v| ("server.private_listen", address(v))));
    if let Some(url) = upstream {
        all.push(("upstreams.main.url", Value::String(url.clone())));
        all.push(("upstreams.main.default", Value::Boolean(true)));
    }
    all.extend(built_in_model.map(|model| ("widget.model", Value::String(model.to_owned()))));
    if *unsafe_plain_http {
        all.push(("server.unsafe_plain_http", Value::Boolean(true)));
    }
    all
}

/// Gives the table its shape. Serde stops at the first fault; to find all, the faulty value is noted, taken out, and the
/// rest tried again.
fn shape(mut table: Table, literal: &BTreeMap<String, String>, faults: &mut Vec<Fault>) -> Option<Raw> {
    let mut retried = Vec::new();
    for _ in 0..MOST_FAULTS {
        let error = match serde_path_to_error::deserialize::<_, Raw>(Value::Table(table.clone())) {
            Ok(raw) => return Some(raw),
            Err(error) => error,
        };
        let mut steps: Vec<Step> = error.path().iter().filter_map(Step::new).collect();
        let message = error.inner().message().trim().to_owned();
        if let Some(unknown) = message.strip_prefix("unknown field `").and_then(|m| m.split('`').next())
            && !matches!(steps.last(), Some(Step::Key(key)) if key == unknown)
        {
            steps.push(Step::Key(unknown.to_owned()));
        }
        let path = steps.iter().fold(String::new(), |path, step| match step {
            Step::Key(key) => join(&path, key),
            Step::Index(index) => format!("{path}[{index}]"),
        });
        let mut place = Value::Table(std::mem::take(&mut table));
        // A number in the environment may have been meant as a text.
        let again = literal.get(&path).filter(|_| !retried.contains(&path)).cloned();
        let done = if let Some(text) = again {
            retried.push(path.clone());
            replace(&mut place, &steps, Some(Value::String(text)))
        } else {
            faults.push(fault(&path, message));
            replace(&mut place, &steps, None)
        };
        match place {
            Value::Table(rest) if done => table = rest,
            _ => return None,
        }
    }
    None
}

enum Step {
    Key(String),
    Index(usize),
}

impl Step {
    fn new(segment: &Segment) -> Option<Self> {
        match segment {
            Segment::Map { key } => Some(Self::Key(key.clone())),
            Segment::Seq { index } => Some(Self::Index(*index)),
            Segment::Enum { .. } | Segment::Unknown => None,
        }
    }
}

/// Puts something else at a place, or takes out what is there. An array item is replaced by nothing only together with
/// its whole array, so that the numbers of the others stay right.
fn replace(place: &mut Value, steps: &[Step], with: Option<Value>) -> bool {
    match (steps, place) {
        ([Step::Key(key)], Value::Table(table)) => match with {
            Some(value) => table.insert(key.clone(), value).is_some(),
            None => table.remove(key).is_some(),
        },
        ([Step::Key(key), Step::Index(_)], Value::Table(table)) => table.remove(key).is_some(),
        ([Step::Key(key), rest @ ..], Value::Table(table)) => {
            table.get_mut(key).is_some_and(|inner| replace(inner, rest, with))
        }
        ([Step::Index(index), rest @ ..], Value::Array(items)) => {
            items.get_mut(*index).is_some_and(|inner| replace(inner, rest, with))
        }
        _ => false,
    }
}

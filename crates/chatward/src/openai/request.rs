//! A request for a chat completion: its texts out, its texts in.

mod files;
mod leaves;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use chatward_message::{Plain, Span};

use super::Problem;
use super::json::{self, Cursor, Shape};
use super::splice::{Broken, Cuts, Mismatch, Surrogates};
use crate::files::Inline;
use crate::problem::Code;

use files::FileAt;

/// How much a request may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole body.
    pub body: usize,
    /// Messages.
    pub messages: usize,
    /// Texts to be inspected, over all messages.
    pub texts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 8 << 20, messages: 2048, texts: 16_384 }
    }
}

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Instructions (new name).
    Developer,
    /// Instructions.
    System,
    /// The customer.
    User,
    /// The bot.
    Assistant,
    /// The result of a tool.
    Tool,
    /// The result of a function (old form).
    Function,
    /// One that this protocol does not know; inspected like any other.
    Other,
}

/// What a text is within its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// `content` as a string.
    Content,
    /// `content[n]`, its text or refusal.
    Part(usize),
    /// The name of a file in `content[n]`.
    FileName(usize),
    /// `name`: who exactly speaks.
    Name,
    /// `refusal`.
    Refusal,
    /// `reasoning` or `reasoning_content`, as several servers call it.
    Reasoning,
    /// `audio.transcript`.
    Transcript,
    /// `tool_calls[n].function.name` or `tool_calls[n].custom.name`.
    ToolName(usize),
    /// A key, string or long number inside the JSON of `tool_calls[n].function.arguments`; keys come right before
    /// their values.
    ToolArguments(usize),
    /// `tool_calls[n].custom.input`.
    ToolInput(usize),
    /// `function_call.name`.
    FunctionName,
    /// A key, string or long number inside the JSON of `function_call.arguments`.
    FunctionArguments,
    /// `prediction.content`, which is not in any message.
    Prediction,
}

/// One text to be inspected.
#[derive(Debug)]
pub struct Field {
    /// The number of its message; nothing for a prediction.
    pub message: Option<usize>,
    /// Who speaks there.
    pub role: Role,
    /// What it is there.
    pub kind: FieldKind,
    /// Its words; empty once taken.
    pub text: Plain,
}

/// A request for a chat completion, opened.
///
/// Texts are taken from `messages[]`: `content` (string or parts: `text`, `refusal`, a file's `filename`, and every string of what
/// this protocol does not know, for servers that do), `name`,
/// `refusal`, `reasoning`, `reasoning_content`, `audio.transcript`, `tool_calls[]`, `function_call`; and from
/// `prediction.content`. Identifiers (`user`, `safety_identifier`, `prompt_cache_key`, every value of `metadata`) are
/// taken apart from them. Everything else stays as it is, byte for byte.
///
/// Refused are keys of ours that come twice, and keys that differ from ours only in case: servers disagree about what
/// those mean, and one of them might read what was not inspected.
pub struct Request {
    cuts: Cuts,
    fields: Vec<Field>,
    model: Box<str>,
    stream: bool,
    include_usage: bool,
    files: Vec<FileAt>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cuts: _hidden, fields, model: _, stream, include_usage, files } = self;
        f.debug_struct("Request")
            .field("fields", &fields.len())
            .field("stream", stream)
            .field("include_usage", include_usage)
            .field("files", &files.len())
            .finish_non_exhaustive()
    }
}

impl Request {
    /// Opens a body.
    ///
    /// # Errors
    ///
    /// A [`Problem`] of status 400 or 413 that names the field at fault; the caller's fault, always.
    pub fn parse(body: Bytes, limits: &Limits) -> Result<Self, Problem> {
        if body.len() > limits.body {
            return Err(Problem::too_big(limits.body));
        }
        let Ok(text) = std::str::from_utf8(&body) else {
            return Err(Problem::invalid("invalid_utf8", "The body is not UTF-8.", ""));
        };
        if let Err(error) = json::check(text) {
            // Line and column only: the parser's own message could name what stands there.
            let (line, column) = (error.line(), error.column());
            return Err(Problem::invalid(
                "invalid_json",
                format!("The body is not JSON (line {line}, column {column})."),
                "",
            ));
        }
        let mut opening = Opening {
            text,
            limits,
            cuts: Cuts::new(body.clone()),
            fields: Vec::with_capacity(16),
            model: None,
            stream: false,
            include_usage: false,
            files: Vec::new(),
            messages: None,
        };
        opening.root()?;
        let Opening { cuts, fields, model, stream, include_usage, files, messages, .. } = opening;
        match messages {
            None => return Err(Problem::invalid("missing", "`messages` is required.", "messages")),
            Some(0) => return Err(Problem::invalid("empty", "`messages` must not be empty.", "messages")),
            Some(_) => {}
        }
        let model = model.ok_or_else(|| Problem::invalid("missing", "`model` is required.", "model"))?;
        Ok(Self { cuts, fields, model, stream, include_usage, files })
    }

    /// The texts to be inspected, in the order of the body.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Puts something else in the place of parts of a text, of which some may overlap.
    pub fn cut(&mut self, field: usize, mut parts: Vec<Span>, instead: &str) {
        let Some(field) = self.fields.get_mut(field) else { return };
        parts.sort_by_key(|part| (part.start, part.end));
        let (text, mut kept, mut at) = (field.text.expose(), String::new(), 0);
        for part in parts {
            if let Some(before) = text.get(at..part.start) {
                kept.push_str(before);
                kept.push_str(instead);
            }
            at = at.max(part.end);
        }
        kept.push_str(text.get(at..).unwrap_or_default());
        field.text = Plain::new(kept);
    }

    /// Takes the texts out, leaving empty ones; as many as [`Request::fill`] wants back, in the same order.
    pub fn take_texts(&mut self) -> Vec<Plain> {
        self.fields.iter_mut().map(|field| std::mem::take(&mut field.text)).collect()
    }

    /// The body as it may go on: `texts` in place of those taken out, and each identifier as `hash(key, value)` makes
    /// it, where a key is `user` or `metadata.customer_id`. One pass; all other bytes are those that came.
    ///
    /// # Errors
    ///
    /// If the texts are not as many as there are fields.
    pub fn fill<T: AsRef<str>>(
        &self,
        texts: &[T],
        hash: impl Fn(&str, &str) -> String,
    ) -> Result<Bytes, Mismatch> {
        self.cuts.fill(texts, hash)
    }

    /// The files that stand in it, in the order of the body: a `file` part with `file_data`, `image_url` and its like, `input_audio`,
    /// and what holds bytes in parts that this protocol does not know.
    pub fn files(&self) -> impl ExactSizeIterator<Item = Inline<'_>> {
        let body = std::str::from_utf8(self.cuts.body()).unwrap_or_default();
        self.files.iter().map(move |file| file.inline(body))
    }

    /// The model asked for.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether the answer is to be streamed.
    pub fn stream(&self) -> bool {
        self.stream
    }

    /// Whether the stream is to end with a usage chunk.
    pub fn include_usage(&self) -> bool {
        self.include_usage
    }

    /// `user`.
    pub fn user(&self) -> Option<&str> {
        self.cuts.find_id(|id| id == "user")
    }

    /// `safety_identifier`.
    pub fn safety_identifier(&self) -> Option<&str> {
        self.cuts.find_id(|id| id == "safety_identifier")
    }

    /// A value of `metadata`.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.cuts.find_id(|id| id.strip_prefix("metadata.") == Some(key))
    }
}

const ROOT: &[&str] = &[
    "model",
    "messages",
    "stream",
    "stream_options",
    "n",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "metadata",
    "logprobs",
    "prediction",
];
const MESSAGE: &[&str] = &[
    "role",
    "content",
    "name",
    "refusal",
    "tool_calls",
    "function_call",
    "tool_call_id",
    "audio",
    "reasoning",
    "reasoning_content",
];
const PART: &[&str] =
    &["type", "text", "refusal", "file", "image_url", "video_url", "audio_url", "input_audio"];
const CALL: &[&str] = &["id", "type", "index", "function", "custom"];
const FUNCTION: &[&str] = &["name", "arguments"];
const CUSTOM: &[&str] = &["name", "input"];
const AUDIO: &[&str] = &["id", "transcript"];
const PREDICTION: &[&str] = &["type", "content"];
const STREAM_OPTIONS: &[&str] = &["include_usage"];

/// Which of the names we handle an object had so far.
#[derive(Default)]
struct Seen(u32);

impl Seen {
    /// The name, if it is one of ours; refuses a second one, and a look-alike.
    fn know(
        &mut self,
        names: &[&'static str],
        key: &str,
        path: impl Fn() -> String,
    ) -> Result<Option<&'static str>, Problem> {
        for (bit, &name) in names.iter().enumerate() {
            if name == key {
                let bit = 1 << bit;
                if self.0 & bit != 0 {
                    return Err(Problem::invalid(
                        "duplicate_key",
                        format!("The key `{name}` stands twice."),
                        join(&path(), name),
                    ));
                }
                self.0 |= bit;
                return Ok(Some(name));
            }
        }
        // Some servers match keys without regard to case (Go's encoding/json, which also folds U+017F and U+212A).
        let folded: Cow<'_, str> = if key.is_ascii() {
            Cow::Borrowed(key)
        } else {
            Cow::Owned(key.replace('\u{17F}', "s").replace('\u{212A}', "k"))
        };
        if let Some(name) = names.iter().find(|name| name.eq_ignore_ascii_case(&folded)) {
            return Err(Problem::invalid(
                "ambiguous_key",
                format!("A key is spelt almost like `{name}`."),
                join(&path(), name),
            ));
        }
        Ok(None)
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn wrong(what: &str, param: String) -> Problem {
    Problem::invalid("wrong_type", format!("`{param}` must be {what}."), param)
}

/// Where a text stands, for errors and for its field.
#[derive(Clone, Copy)]
struct Here {
    message: Option<usize>,
    kind: FieldKind,
}

impl Here {
    fn path(self) -> String {
        let Self { message, kind } = self;
        let inside = match kind {
            FieldKind::Content => "content".to_owned(),
            FieldKind::Part(part) => format!("content[{part}]"),
            FieldKind::FileName(part) => format!("content[{part}].file.filename"),
            FieldKind::Name => "name".to_owned(),
            FieldKind::Refusal => "refusal".to_owned(),
            FieldKind::Reasoning => "reasoning".to_owned(),
            FieldKind::Transcript => "audio.transcript".to_owned(),
            FieldKind::ToolName(call) => format!("tool_calls[{call}].function.name"),
            FieldKind::ToolArguments(call) => format!("tool_calls[{call}].function.arguments"),
            FieldKind::ToolInput(call) => format!("tool_calls[{call}].custom.input"),
            FieldKind::FunctionName => "function_call.name".to_owned(),
            FieldKind::FunctionArguments => "function_call.arguments".to_owned(),
            FieldKind::Prediction => return "prediction.content".to_owned(),
        };
        match message {
            Some(message) => format!("messages[{message}].{inside}"),
            None => inside,
        }
    }
}

struct Opening<'a> {
    text: &'a str,
    limits: &'a Limits,
    cuts: Cuts,
    fields: Vec<Field>,
    model: Option<Box<str>>,
    stream: bool,
    include_usage: bool,
    files: Vec<FileAt>,
    messages: Option<usize>,
}

impl<'a> Opening<'a> {
    fn root(&mut self) -> Result<(), Problem> {
        let mut cursor = Cursor::new(self.text);
        if cursor.shape() != Shape::Object {
            return Err(Problem::invalid("wrong_type", "The body must be a JSON object.", ""));
        }
        cursor.enter();
        let mut seen = Seen::default();
        while let Some(key) = cursor.key() {
            match seen.know(ROOT, &key, String::new)? {
                None => cursor.pass(),
                Some("messages") => self.messages(&mut cursor)?,
                Some("model") => match self.string(&mut cursor) {
                    Some(model) => self.model = Some(model.into()),
                    None => return Err(wrong("a string", "model".to_owned())),
                },
                Some("stream") => self.stream = flag(&mut cursor, "stream")?,
                Some("logprobs") => flag(&mut cursor, "logprobs").map(drop)?,
                Some("stream_options") => self.stream_options(&mut cursor)?,
                Some("n") => self.count(&mut cursor)?,
                Some("metadata") => self.metadata(&mut cursor)?,
                Some("prediction") => self.prediction(&mut cursor)?,
                Some(id) => self.id(&mut cursor, id.to_owned(), false)?,
            }
        }
        Ok(())
    }

    fn messages(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Problem> {
        if cursor.shape() != Shape::Array {
            return Err(wrong("an array", "messages".to_owned()));
        }
        cursor.enter();
        let mut count = 0;
        while cursor.element() {
            if count == self.limits.messages {
                return Err(Problem::from_code(Code::TooManyMessages));
            }
            self.message(cursor, count)?;
            count += 1;
        }
        self.messages = Some(count);
        Ok(())
    }

    fn message(&mut self, cursor: &mut Cursor<'a>, number: usize) -> Result<(), Problem> {
        let path = || format!("messages[{number}]");
        if cursor.shape() != Shape::Object {
            return Err(wrong("an object", path()));
        }
        cursor.enter();
        let first = self.fields.len();
        let mut role = None;
        let mut seen = Seen::default();
        while let Some(key) = cursor.key() {
            let here = |kind| Here { message: Some(number), kind };
            match seen.know(MESSAGE, &key, path)? {
                Some("role") => match self.string(cursor) {
                    Some(name) => role = Some(role_of(&name)),
                    None => return Err(wrong("a string", join(&path(), "role"))),
                },
                Some("content") => self.content(cursor, here(FieldKind::Content))?,
                Some("name") => self.one_text(cursor, here(FieldKind::Name))?,
                Some("refusal") => self.one_text(cursor, here(FieldKind::Refusal))?,
                Some("reasoning" | "reasoning_content") => {
                    self.one_text(cursor, here(FieldKind::Reasoning))?
                }
                Some("audio") => {
                    self.object(cursor, AUDIO, join(&path(), "audio"), |this, cursor, name| match name {
                        "transcript" => this.one_text(cursor, here(FieldKind::Transcript)),
                        _ => {
                            cursor.pass();
                            Ok(())
                        }
                    })?
                }
                Some("function_call") => {
                    let kinds = (FieldKind::FunctionName, FieldKind::FunctionArguments);
                    self.function(cursor, number, kinds, join(&path(), "function_call"))?;
                }
                Some("tool_calls") => self.tool_calls(cursor, number)?,
                _ => cursor.pass(),
            }
        }
        let Some(role) = role else {
            let param = join(&path(), "role");
            return Err(Problem::invalid("missing", format!("`{param}` is required."), param));
        };
        for field in self.fields.iter_mut().skip(first) {
            field.role = role;
        }
        Ok(())
    }

    /// A string, an array of parts, or null.
    fn content(&mut self, cursor: &mut Cursor<'a>, here: Here) -> Result<(), Problem> {
        match cursor.shape() {
            Shape::String | Shape::Null => self.one_text(cursor, here),
            Shape::Array => {
                cursor.enter();
                let mut number = 0;
                while cursor.element() {
                    let kind =
                        if here.kind == FieldKind::Prediction { here.kind } else { FieldKind::Part(number) };
                    self.part(cursor, Here { kind, ..here }, number)?;
                    number += 1;
                }
                Ok(())
            }
            _ => Err(wrong("a string or an array of parts", here.path())),
        }
    }

    fn part(&mut self, cursor: &mut Cursor<'a>, here: Here, number: usize) -> Result<(), Problem> {
        match cursor.shape() {
            Shape::String => self.one_text(cursor, here),
            Shape::Object => {
                cursor.enter();
                let mut seen = Seen::default();
                while let Some(key) = cursor.key() {
                    match seen.know(PART, &key, || here.path())? {
                        Some("type") => cursor.pass(),
                        Some("file") => self.file(cursor, here, number)?,
                        Some("input_audio") => self.sound(cursor, here)?,
                        Some(name @ ("image_url" | "video_url" | "audio_url")) => {
                            self.address(cursor, here, name)?
                        }
                        Some(_) => self.one_text(cursor, here)?,
                        None => self.leaves(cursor, here, &key)?,
                    }
                }
                Ok(())
            }
            _ => Err(wrong("an object", here.path())),
        }
    }

    fn tool_calls(&mut self, cursor: &mut Cursor<'a>, message: usize) -> Result<(), Problem> {
        let path = || format!("messages[{message}].tool_calls");
        match cursor.shape() {
            Shape::Null => {
                cursor.pass();
                return Ok(());
            }
            Shape::Array => cursor.enter(),
            _ => return Err(wrong("an array", path())),
        }
        let mut number = 0;
        while cursor.element() {
            let path = format!("{}[{number}]", path());
            self.object(cursor, CALL, path.clone(), |this, cursor, name| match name {
                "function" => {
                    let kinds = (FieldKind::ToolName(number), FieldKind::ToolArguments(number));
                    this.function(cursor, message, kinds, join(&path, name))
                }
                "custom" => this.object(cursor, CUSTOM, join(&path, name), |this, cursor, name| {
                    let kind = match name {
                        "name" => FieldKind::ToolName(number),
                        _ => FieldKind::ToolInput(number),
                    };
                    this.one_text(cursor, Here { message: Some(message), kind })
                }),
                _ => {
                    cursor.pass();
                    Ok(())
                }
            })?;
            number += 1;
        }
        Ok(())
    }

    fn function(
        &mut self,
        cursor: &mut Cursor<'a>,
        message: usize,
        (name_kind, arguments_kind): (FieldKind, FieldKind),
        path: String,
    ) -> Result<(), Problem> {
        self.object(cursor, FUNCTION, path, |this, cursor, name| match name {
            "name" => this.one_text(cursor, Here { message: Some(message), kind: name_kind }),
            _ => this.arguments(cursor, Here { message: Some(message), kind: arguments_kind }),
        })
    }

    /// An object or null; calls back for each name we handle.
    fn object(
        &mut self,
        cursor: &mut Cursor<'a>,
        names: &[&'static str],
        path: String,
        mut each: impl FnMut(&mut Self, &mut Cursor<'a>, &'static str) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        match cursor.shape() {
            Shape::Null => {
                cursor.pass();
                return Ok(());
            }
            Shape::Object => cursor.enter(),
            _ => return Err(wrong("an object", path)),
        }
        let mut seen = Seen::default();
        while let Some(key) = cursor.key() {
            match seen.know(names, &key, || path.clone())? {
                Some(name) => each(self, cursor, name)?,
                None => cursor.pass(),
            }
        }
        Ok(())
    }

    /// A string or null.
    fn one_text(&mut self, cursor: &mut Cursor<'a>, here: Here) -> Result<(), Problem> {
        let Some((raw, at)) =
            nullable_string(self.text, cursor).map_err(|()| wrong("a string", here.path()))?
        else {
            return Ok(());
        };
        let text = self.cuts.text(raw, at, Surrogates::Refuse).map_err(|broken| lone(&broken, here))?;
        if let Some(text) = text {
            self.fields.push(Field { message: here.message, role: Role::Other, kind: here.kind, text });
        }
        self.bounded()
    }

    fn arguments(&mut self, cursor: &mut Cursor<'a>, here: Here) -> Result<(), Problem> {
        let Some((raw, at)) =
            nullable_string(self.text, cursor).map_err(|()| wrong("a string", here.path()))?
        else {
            return Ok(());
        };
        let fields = &mut self.fields;
        self.cuts
            .arguments(raw, at, Surrogates::Refuse, |text| {
                fields.push(Field { message: here.message, role: Role::Other, kind: here.kind, text });
            })
            .map_err(|broken| lone(&broken, here))?;
        self.bounded()
    }

    fn bounded(&self) -> Result<(), Problem> {
        let limit = self.limits.texts;
        if self.cuts.taken() > limit {
            return Err(Problem::invalid(
                "too_many_texts",
                format!("There are more than {limit} texts."),
                "messages",
            ));
        }
        Ok(())
    }

    fn string(&self, cursor: &mut Cursor<'a>) -> Option<String> {
        if cursor.shape() != Shape::String {
            return None;
        }
        let raw = self.text.get(cursor.value()).and_then(json::quoted)?;
        json::unescape(raw).map(Cow::into_owned)
    }

    fn prediction(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Problem> {
        let here = Here { message: None, kind: FieldKind::Prediction };
        let first = self.fields.len();
        self.object(cursor, PREDICTION, "prediction".to_owned(), |this, cursor, name| match name {
            "content" => this.content(cursor, here),
            _ => {
                cursor.pass();
                Ok(())
            }
        })?;
        for field in self.fields.iter_mut().skip(first) {
            field.role = Role::Assistant;
        }
        Ok(())
    }

    fn stream_options(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Problem> {
        self.object(cursor, STREAM_OPTIONS, "stream_options".to_owned(), |this, cursor, _| {
            this.include_usage = flag(cursor, "stream_options.include_usage")?;
            Ok(())
        })
    }

    fn count(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Problem> {
        if cursor.shape() == Shape::Null {
            cursor.pass();
            return Ok(());
        }
        let raw = self.text.get(cursor.value()).unwrap_or_default();
        if raw.parse::<u32>().is_ok_and(|count| (1..=128).contains(&count)) {
            return Ok(());
        }
        Err(Problem::invalid("out_of_range", "`n` must be a whole number from 1 to 128.", "n"))
    }

    fn metadata(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Problem> {
        match cursor.shape() {
            Shape::Null => {
                cursor.pass();
                return Ok(());
            }
            Shape::Object => cursor.enter(),
            _ => return Err(wrong("an object", "metadata".to_owned())),
        }
        let mut keys: Vec<String> = Vec::new();
        while let Some(key) = cursor.key() {
            let path = format!("metadata.{key}");
            if keys.contains(&path) {
                return Err(Problem::invalid(
                    "duplicate_key",
                    "A key of `metadata` stands twice.",
                    "metadata",
                ));
            }
            if keys.len() == 128 {
                return Err(Problem::invalid(
                    "too_many_keys",
                    "`metadata` has more than 128 keys.",
                    "metadata",
                ));
            }
            keys.push(path.clone());
            self.id(cursor, path, true)?;
        }
        Ok(())
    }

    /// An identifier: a string by its words; anything else but null and flags by its raw JSON, where `any` allows it
    /// to be more than a number.
    fn id(&mut self, cursor: &mut Cursor<'a>, key: String, any: bool) -> Result<(), Problem> {
        let shape = cursor.shape();
        let at = cursor.value();
        let raw = self.text.get(at.clone()).unwrap_or_default();
        match shape {
            Shape::Null | Shape::Bool(_) if any || shape == Shape::Null => {}
            Shape::String => {
                let Some(value) = json::quoted(raw).and_then(json::unescape) else {
                    let message = "An identifier holds half a surrogate pair, which is no text.";
                    return Err(Problem::invalid("invalid_unicode", message, key_path(&key)));
                };
                self.cuts.id(at, key, value.into_owned());
            }
            Shape::Number => self.cuts.id(at, key, raw.to_owned()),
            Shape::Object | Shape::Array if any => self.cuts.id(at, key, raw.to_owned()),
            _ => return Err(wrong("a string", key)),
        }
        Ok(())
    }
}

/// The path of an identifier for an error: the keys of `metadata` are the caller's own words and are not repeated.
fn key_path(key: &str) -> &str {
    if key.starts_with("metadata.") { "metadata" } else { key }
}

fn lone(_: &Broken, here: Here) -> Problem {
    let param = here.path();
    Problem::invalid(
        "invalid_unicode",
        format!("`{param}` holds half a surrogate pair, which is no text."),
        param,
    )
}

fn flag(cursor: &mut Cursor<'_>, name: &str) -> Result<bool, Problem> {
    let shape = cursor.shape();
    cursor.value();
    match shape {
        Shape::Bool(value) => Ok(value),
        Shape::Null => Ok(false),
        _ => Err(wrong("true or false", name.to_owned())),
    }
}

/// The raw string that stands here, nothing for null, an error for anything else.
fn nullable_string<'a>(
    text: &'a str,
    cursor: &mut Cursor<'_>,
) -> Result<Option<(&'a str, Range<usize>)>, ()> {
    let shape = cursor.shape();
    let at = cursor.value();
    match shape {
        Shape::Null => Ok(None),
        Shape::String => Ok(text.get(at.clone()).map(|raw| (raw, at))),
        _ => Err(()),
    }
}

fn role_of(name: &str) -> Role {
    match name {
        "developer" => Role::Developer,
        "system" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        "function" => Role::Function,
        _ => Role::Other,
    }
}

#[cfg(test)]
mod tests;

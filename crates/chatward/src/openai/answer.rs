//! Where the texts of an answer stand, plain or as a chunk of a stream.

use std::ops::Range;

use super::json::{self, Cursor, Shape};

/// One run of text within one choice of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// `content`, a string or the text of its parts.
    Content,
    /// `refusal`.
    Refusal,
    /// `reasoning` or `reasoning_content`, as several servers call it.
    Reasoning,
    /// `audio.transcript`.
    Transcript,
    /// `tool_calls[index].function.name` (or `.custom.name`).
    ToolName(u32),
    /// The strings inside `tool_calls[index].function.arguments`, each a text of its own, escapes undone.
    ToolArguments(u32),
    /// `tool_calls[index].custom.input`.
    ToolInput(u32),
    /// `function_call.name`, the old form.
    FunctionName,
    /// The strings inside `function_call.arguments`, the old form.
    FunctionArguments,
    /// The message of an error; it belongs to no choice (its index is 0).
    Error,
}

impl Channel {
    /// Whether its text is JSON.
    pub(super) fn is_json(self) -> bool {
        matches!(self, Self::ToolArguments(_) | Self::FunctionArguments)
    }

    /// Whether it comes in one piece: clients take a name from the first chunk that has it.
    pub(super) fn is_whole(self) -> bool {
        matches!(self, Self::ToolName(_) | Self::FunctionName | Self::Error)
    }
}

/// What came is not an answer in this protocol: the bot's fault. Holds no word of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAnswer {
    /// Not UTF-8.
    #[error("the answer is not UTF-8")]
    NotUtf8,
    /// Not JSON: an HTML page, a truncated body.
    #[error("the answer is not JSON")]
    NotJson,
    /// JSON without `choices`.
    #[error("the answer has no choices")]
    NoChoices,
    /// A field of ours has a type that it cannot have.
    #[error("`{0}` in the answer has the wrong type")]
    WrongType(&'static str),
}

/// Which of the two an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One body with `message`s.
    Whole,
    /// One event of a stream, with `delta`s.
    Chunk,
}

/// One string to be rewritten, or one value to become `null` (no channel).
#[derive(Debug, Clone)]
pub(super) struct Hit {
    pub(super) at: Range<usize>,
    /// The place of its choice in [`Found::choices`].
    pub(super) choice: usize,
    pub(super) channel: Option<Channel>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    pub(super) index: u32,
    pub(super) finished: bool,
}

/// What was found; reused from event to event.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In the order of the text.
    pub(super) hits: Vec<Hit>,
    pub(super) choices: Vec<Choice>,
    pub(super) has_choices: bool,
    pub(super) error: bool,
    pub(super) usage: bool,
    /// `id`, `created`, `model`, `system_fingerprint`, `service_tier`, as far as they are there.
    pub(super) envelope: [Option<Range<usize>>; 5],
}

/// The envelope's members, in the order of [`Found::envelope`].
pub(super) const ENVELOPE: [&str; 5] = ["id", "created", "model", "system_fingerprint", "service_tier"];

impl Found {
    pub(super) fn clear(&mut self) {
        let Self { hits, choices, has_choices, error, usage, envelope } = self;
        hits.clear();
        choices.clear();
        (*has_choices, *error, *usage) = (false, false, false);
        *envelope = [const { None }; 5];
    }

    /// Finds everything in one JSON text, which is checked here.
    pub(super) fn search(&mut self, text: &str, form: Form) -> Result<(), NotAnAnswer> {
        self.clear();
        json::check(text).map_err(|_| NotAnAnswer::NotJson)?;
        let mut cursor = Cursor::new(text);
        if cursor.shape() != Shape::Object {
            return Err(NotAnAnswer::WrongType("answer"));
        }
        cursor.enter();
        while let Some(key) = cursor.key() {
            match key.as_ref() {
                "choices" => self.choices(text, &mut cursor, form)?,
                "error" => self.error(&mut cursor)?,
                "usage" => {
                    self.usage |= cursor.shape() == Shape::Object;
                    cursor.value();
                }
                other => {
                    let at = cursor.value();
                    for (name, place) in ENVELOPE.iter().zip(&mut self.envelope) {
                        if *name == other {
                            *place = Some(at);
                            break;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn choices(&mut self, text: &str, cursor: &mut Cursor<'_>, form: Form) -> Result<(), NotAnAnswer> {
        match cursor.shape() {
            Shape::Null => {
                cursor.pass();
                return Ok(());
            }
            Shape::Array => cursor.enter(),
            _ => return Err(NotAnAnswer::WrongType("choices")),
        }
        self.has_choices = true;
        while cursor.element() {
            if cursor.shape() != Shape::Object {
                return Err(NotAnAnswer::WrongType("choices[]"));
            }
            cursor.enter();
            let choice = self.choices.len();
            let mut seen = Choice { index: u32::try_from(choice).unwrap_or(u32::MAX), finished: false };
            self.choices.push(seen);
            while let Some(key) = cursor.key() {
                match (key.as_ref(), form) {
                    ("delta", Form::Chunk) | ("message", Form::Whole) => {
                        self.message(text, cursor, choice)?
                    }
                    // Never both: the other would repeat the text where nobody looks at it.
                    ("delta" | "message" | "text" | "logprobs", _) => {
                        let shape = cursor.shape();
                        let at = cursor.value();
                        if shape != Shape::Null {
                            self.hits.push(Hit { at, choice, channel: None });
                        }
                    }
                    ("index", _) => seen.index = number(text, cursor).unwrap_or(seen.index),
                    ("finish_reason", _) => {
                        // Some servers write "" for "not yet".
                        let shape = cursor.shape();
                        seen.finished = cursor.value().len() > 2 && shape == Shape::String;
                    }
                    _ => cursor.pass(),
                }
            }
            if let Some(choice) = self.choices.get_mut(choice) {
                *choice = seen;
            }
        }
        Ok(())
    }

    fn message(&mut self, text: &str, cursor: &mut Cursor<'_>, choice: usize) -> Result<(), NotAnAnswer> {
        object(cursor, "message", |cursor, key| match key {
            "content" => self.content(cursor, choice),
            "refusal" => self.text(cursor, choice, Channel::Refusal, "refusal"),
            "reasoning" | "reasoning_content" => self.text(cursor, choice, Channel::Reasoning, "reasoning"),
            "tool_calls" => self.tool_calls(text, cursor, choice),
            "function_call" => object(cursor, "function_call", |cursor, key| match key {
                "name" => self.text(cursor, choice, Channel::FunctionName, "function_call.name"),
                "arguments" => {
                    self.text(cursor, choice, Channel::FunctionArguments, "function_call.arguments")
                }
                _ => {
                    cursor.pass();
                    Ok(())
                }
            }),
            "audio" => object(cursor, "audio", |cursor, key| match key {
                "transcript" => self.text(cursor, choice, Channel::Transcript, "audio.transcript"),
                _ => {
                    cursor.pass();
                    Ok(())
                }
            }),
            _ => {
                cursor.pass();
                Ok(())
            }
        })
    }

    fn content(&mut self, cursor: &mut Cursor<'_>, choice: usize) -> Result<(), NotAnAnswer> {
        if cursor.shape() != Shape::Array {
            return self.text(cursor, choice, Channel::Content, "content");
        }
        cursor.enter();
        while cursor.element() {
            object(cursor, "content[]", |cursor, key| match key {
                "text" | "refusal" => self.text(cursor, choice, Channel::Content, "content[].text"),
                _ => {
                    cursor.pass();
                    Ok(())
                }
            })?;
        }
        Ok(())
    }

    fn tool_calls(&mut self, text: &str, cursor: &mut Cursor<'_>, choice: usize) -> Result<(), NotAnAnswer> {
        match cursor.shape() {
            Shape::Null => {
                cursor.pass();
                return Ok(());
            }
            Shape::Array => cursor.enter(),
            _ => return Err(NotAnAnswer::WrongType("tool_calls")),
        }
        let mut position = 0;
        while cursor.element() {
            let first = self.hits.len();
            let mut index = position;
            object(cursor, "tool_calls[]", |cursor, key| match key {
                "index" => {
                    index = number(text, cursor).unwrap_or(index);
                    Ok(())
                }
                "function" => object(cursor, "function", |cursor, key| match key {
                    "name" => self.text(cursor, choice, Channel::ToolName(0), "function.name"),
                    "arguments" => self.text(cursor, choice, Channel::ToolArguments(0), "function.arguments"),
                    _ => {
                        cursor.pass();
                        Ok(())
                    }
                }),
                "custom" => object(cursor, "custom", |cursor, key| match key {
                    "name" => self.text(cursor, choice, Channel::ToolName(0), "custom.name"),
                    "input" => self.text(cursor, choice, Channel::ToolInput(0), "custom.input"),
                    _ => {
                        cursor.pass();
                        Ok(())
                    }
                }),
                _ => {
                    cursor.pass();
                    Ok(())
                }
            })?;
            // The index may come behind the texts.
            for hit in self.hits.iter_mut().skip(first) {
                hit.channel = hit.channel.map(|channel| match channel {
                    Channel::ToolName(_) => Channel::ToolName(index),
                    Channel::ToolArguments(_) => Channel::ToolArguments(index),
                    Channel::ToolInput(_) => Channel::ToolInput(index),
                    other => other,
                });
            }
            position += 1;
        }
        Ok(())
    }

    fn error(&mut self, cursor: &mut Cursor<'_>) -> Result<(), NotAnAnswer> {
        match cursor.shape() {
            Shape::Null => cursor.pass(),
            Shape::Object => {
                self.error = true;
                object(cursor, "error", |cursor, key| match key {
                    "message" => self.text(cursor, 0, Channel::Error, "error.message"),
                    _ => {
                        cursor.pass();
                        Ok(())
                    }
                })?;
            }
            _ => {
                self.error = true;
                self.text(cursor, 0, Channel::Error, "error")?;
            }
        }
        Ok(())
    }

    fn text(
        &mut self,
        cursor: &mut Cursor<'_>,
        choice: usize,
        channel: Channel,
        name: &'static str,
    ) -> Result<(), NotAnAnswer> {
        let shape = cursor.shape();
        let at = cursor.value();
        match shape {
            Shape::Null => Ok(()),
            Shape::String => {
                self.hits.push(Hit { at, choice, channel: Some(channel) });
                Ok(())
            }
            _ => Err(NotAnAnswer::WrongType(name)),
        }
    }
}

/// An object or null; calls back at every value.
fn object<'a>(
    cursor: &mut Cursor<'a>,
    name: &'static str,
    mut each: impl FnMut(&mut Cursor<'a>, &str) -> Result<(), NotAnAnswer>,
) -> Result<(), NotAnAnswer> {
    match cursor.shape() {
        Shape::Null => {
            cursor.pass();
            return Ok(());
        }
        Shape::Object => cursor.enter(),
        _ => return Err(NotAnAnswer::WrongType(name)),
    }
    while let Some(key) = cursor.key() {
        each(cursor, &key)?;
    }
    Ok(())
}

fn number(text: &str, cursor: &mut Cursor<'_>) -> Option<u32> {
    let at = cursor.value();
    text.get(at)?.parse().ok()
}

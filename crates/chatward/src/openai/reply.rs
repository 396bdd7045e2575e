//! A whole answer: its texts out, its texts in.

use std::fmt;

use bytes::Bytes;
use chatward_message::Plain;

use super::answer::{Channel, Form, Found, NotAnAnswer};
use super::splice::{Cuts, Mismatch, Surrogates};

/// One text of an answer.
#[derive(Debug)]
pub struct ReplyField {
    /// The `index` of its choice.
    pub choice: u32,
    /// Where in the choice. Of tool arguments every key, string and long number is a field of its own.
    pub channel: Channel,
    /// Its words; empty once taken.
    pub text: Plain,
}

/// An answer, opened. `logprobs` become `null`; all other bytes stay.
pub struct Reply {
    cuts: Cuts,
    fields: Vec<ReplyField>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cuts: _hidden, fields } = self;
        f.debug_struct("Reply").field("fields", &fields.len()).finish_non_exhaustive()
    }
}

impl Reply {
    /// Opens the body of a 2xx answer.
    ///
    /// # Errors
    ///
    /// If it is not a chat completion: to be told as 502.
    pub fn parse(body: Bytes) -> Result<Self, NotAnAnswer> {
        Self::open(body, |found| found.has_choices)
    }

    /// Opens the body of an error of the bot. Its message may repeat placeholders, so it is a field like any other.
    ///
    /// # Errors
    ///
    /// If it is not in this protocol's shape: to be told with
    /// [`Problem::from_upstream`](super::Problem::from_upstream), and not a byte of it.
    pub fn parse_error(body: Bytes) -> Result<Self, NotAnAnswer> {
        Self::open(body, |found| found.error)
    }

    fn open(body: Bytes, holds: impl Fn(&Found) -> bool) -> Result<Self, NotAnAnswer> {
        let text = std::str::from_utf8(&body).map_err(|_| NotAnAnswer::NotUtf8)?;
        let mut found = Found::default();
        found.search(text, Form::Whole)?;
        if !holds(&found) {
            return Err(NotAnAnswer::NoChoices);
        }
        let mut cuts = Cuts::new(body.clone());
        let mut fields = Vec::with_capacity(found.hits.len());
        let wrong = NotAnAnswer::WrongType("text");
        for hit in &found.hits {
            let choice = found.choices.get(hit.choice).map_or(0, |choice| choice.index);
            let raw = text.get(hit.at.clone()).unwrap_or_default();
            match hit.channel {
                None => cuts.null(hit.at.clone()),
                Some(channel) if channel.is_json() => cuts
                    .arguments(raw, hit.at.clone(), Surrogates::Replace, |text| {
                        fields.push(ReplyField { choice, channel, text });
                    })
                    .map_err(|_| wrong)?,
                Some(channel) => {
                    if let Some(text) =
                        cuts.text(raw, hit.at.clone(), Surrogates::Replace).map_err(|_| wrong)?
                    {
                        fields.push(ReplyField { choice, channel, text });
                    }
                }
            }
        }
        Ok(Self { cuts, fields })
    }

    /// The texts, in the order of the body.
    pub fn fields(&self) -> &[ReplyField] {
        &self.fields
    }

    /// Takes the texts out, leaving empty ones; as many as [`Reply::fill`] wants back, in the same order.
    pub fn take_texts(&mut self) -> Vec<Plain> {
        self.fields.iter_mut().map(|field| std::mem::take(&mut field.text)).collect()
    }

    /// The body with the given texts in place.
    ///
    /// # Errors
    ///
    /// If the texts are not as many as there are fields.
    pub fn fill<T: AsRef<str>>(&self, texts: &[T]) -> Result<Bytes, Mismatch> {
        self.cuts.fill(texts, |_, value| value.to_owned())
    }
}

#[cfg(test)]
mod tests;

//! Files that customers attach: their text is taken out, and goes the way of every message.

use bytes::Bytes;
use chatward_message::Plain;

use crate::problem::Code;
use crate::turn::TurnError;

/// A file's name.
pub(crate) struct Name(String);

/// Reads it.
pub(crate) fn name_of(_text: &str) -> Option<Name> {
    None
}

/// The message.
pub(crate) async fn message(_name: Name, _body: Bytes) -> Result<Plain, TurnError> {
    Err(TurnError::Told(Code::BadRequest))
}

//! What stands in content parts that this protocol does not know, as other servers have them: `input_file`, `document_url`, `source`,
//! `thinking`. The bot's server may read all of it, so words are read as words and bytes as files, wherever they stand.

use std::borrow::Cow;

use super::{Cursor, Here, Opening, Problem, Shape, join, json};
use crate::files::decoded;

/// Strings by which servers tell what a part is, as far as they are short and one token; words for people do not stand there.
const TECHNICAL: &[&str] = &[
    "type",
    "id",
    "file_id",
    "format",
    "media_type",
    "mime_type",
    "mimeType",
    "detail",
    "ttl",
    "tool_use_id",
];
/// So long they are at most.
const SHORT: usize = 128;
/// What only the server that wrote it can read. It would take nothing else back.
const SEALED: &[&str] = &["signature", "encrypted_content", "thought_signature"];
/// Strings of so many characters of base64 hold bytes; where bytes are said to be, shorter ones do.
const LONG: usize = 80;
const NAMED: (&[&str], usize) = (&["file_data", "data", "bytes", "b64_json", "base64"], 12);
/// Objects in objects.
const DEEP: usize = 24;

impl<'a> Opening<'a> {
    /// Everything below this key of a content part.
    pub(super) fn leaves(&mut self, cursor: &mut Cursor<'a>, here: Here, key: &str) -> Result<(), Problem> {
        self.below(cursor, here, key, DEEP)
    }

    fn below(&mut self, cursor: &mut Cursor<'a>, here: Here, key: &str, deep: usize) -> Result<(), Problem> {
        let Some(left) = deep.checked_sub(1) else {
            let path = here.path();
            let message = format!("`{path}` is nested deeper than {DEEP} levels.");
            return Err(Problem::invalid("too_deep", message, path));
        };
        match cursor.shape() {
            Shape::Object => {
                cursor.enter();
                while let Some(key) = cursor.key() {
                    self.below(cursor, here, &key, left)?;
                }
                Ok(())
            }
            Shape::Array => {
                cursor.enter();
                while cursor.element() {
                    self.below(cursor, here, key, left)?;
                }
                Ok(())
            }
            Shape::String => self.leaf(cursor, here, key),
            _ => {
                cursor.pass();
                Ok(())
            }
        }
    }

    fn leaf(&mut self, cursor: &mut Cursor<'a>, here: Here, key: &str) -> Result<(), Problem> {
        let at = cursor.clone().value();
        let words =
            self.text.get(at.clone()).and_then(json::quoted).map_or(Cow::Borrowed(""), json::unescape_lossy);
        if SEALED.contains(&key) || TECHNICAL.contains(&key) && is_token(&words) {
            cursor.pass();
            return Ok(());
        }
        if holds_bytes(key, &words) {
            cursor.pass();
            self.found(Some(at), (None, None), false, join(&here.path(), key));
            return Ok(());
        }
        self.one_text(cursor, here)
    }
}

/// Whether it is a name, a number, a media type.
fn is_token(words: &str) -> bool {
    words.len() <= SHORT
        && words.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./+:;=*".contains(&byte))
}

/// Whether a string is a `data:` URL with bytes, or base64 of some length.
fn holds_bytes(key: &str, words: &str) -> bool {
    let words = words.trim();
    if let Some((scheme, rest)) = words.split_once(':')
        && scheme.trim().eq_ignore_ascii_case("data")
    {
        let head = rest.split(',').next().unwrap_or_default();
        return head.len() < rest.len() && (head.contains(';') || head.contains('/'));
    }
    let (names, short) = NAMED;
    let least = if names.contains(&key) { short } else { LONG };
    // A long number, or a hash as most write it, is none; nor is a line of dashes.
    let letters = words.bytes().filter(u8::is_ascii_alphabetic).count();
    letters * 4 >= words.len()
        && words.len() >= least
        && !words.bytes().all(|byte| byte.is_ascii_hexdigit())
        && decoded(words).is_ok()
}

//! Files inside of a request: where their bytes stand.

use std::borrow::Cow;
use std::ops::Range;

use super::{Cursor, FieldKind, Here, Opening, Problem, Shape, join, json, nullable_string, wrong};
use crate::files::Inline;

const FILE: &[&str] = &["filename", "file_data", "file_id"];
const URL: &[&str] = &["url", "detail"];
const SOUND: &[&str] = &["data", "format"];

/// Where a file stands in the body. Ranges are those of JSON strings, with their quotes.
#[derive(Debug)]
pub(super) struct FileAt {
    data: Range<usize>,
    name: Option<Range<usize>>,
    /// The format of a sound.
    format: Option<Range<usize>>,
    /// Whether addresses stand there.
    of_addresses: bool,
    path: String,
}

impl FileAt {
    pub(super) fn inline<'a>(&self, body: &'a str) -> Inline<'a> {
        let words = |at: &Range<usize>| {
            let raw = body.get(at.clone()).and_then(json::quoted).unwrap_or_default();
            json::unescape_lossy(raw)
        };
        Inline {
            name: self.name.as_ref().map(words),
            media_type: self.format.as_ref().map(|at| Cow::Owned(format!("audio/{}", words(at)))),
            text: words(&self.data),
            of_addresses: self.of_addresses,
            path: self.path.clone(),
        }
    }
}

impl<'a> Opening<'a> {
    /// `file`: its name is a text like others, its bytes are not.
    pub(super) fn file(&mut self, cursor: &mut Cursor<'a>, here: Here, number: usize) -> Result<(), Problem> {
        let named = Here { kind: FieldKind::FileName(number), ..here };
        let path = join(&here.path(), "file");
        let (mut data, mut name) = (None, None);
        self.object(cursor, FILE, path.clone(), |this, cursor, key| {
            match key {
                "filename" => {
                    let from = cursor.clone().value();
                    this.one_text(cursor, named)?;
                    name = Some(from);
                }
                "file_data" => data = string(this.text, cursor, &path, key)?,
                _ => cursor.pass(),
            }
            Ok(())
        })?;
        self.found(data, (name, None), false, join(&path, "file_data"));
        Ok(())
    }

    /// `image_url` and its like: an address, or an object with one. In it may be the picture itself.
    pub(super) fn address(&mut self, cursor: &mut Cursor<'a>, here: Here, key: &str) -> Result<(), Problem> {
        let path = join(&here.path(), key);
        if cursor.shape() == Shape::String {
            let data = string(self.text, cursor, &here.path(), key)?;
            self.found(data, (None, None), true, path);
            return Ok(());
        }
        let mut data = None;
        self.object(cursor, URL, path.clone(), |this, cursor, key| {
            match key {
                "url" => data = string(this.text, cursor, &path, key)?,
                _ => cursor.pass(),
            }
            Ok(())
        })?;
        self.found(data, (None, None), true, join(&path, "url"));
        Ok(())
    }

    /// `input_audio`: bytes and their format.
    pub(super) fn sound(&mut self, cursor: &mut Cursor<'a>, here: Here) -> Result<(), Problem> {
        let path = join(&here.path(), "input_audio");
        let (mut data, mut format) = (None, None);
        self.object(cursor, SOUND, path.clone(), |this, cursor, key| {
            let value = string(this.text, cursor, &path, key)?;
            if key == "data" {
                data = value
            } else {
                format = value
            }
            Ok(())
        })?;
        self.found(data, (None, format), false, join(&path, "data"));
        Ok(())
    }

    /// Notes a file.
    pub(super) fn found(
        &mut self,
        data: Option<Range<usize>>,
        (name, format): (Option<Range<usize>>, Option<Range<usize>>),
        of_addresses: bool,
        path: String,
    ) {
        if let Some(data) = data {
            self.files.push(FileAt { data, name, format, of_addresses, path });
        }
    }
}

/// Where a string stands; nothing for null.
fn string(
    text: &str,
    cursor: &mut Cursor<'_>,
    path: &str,
    key: &str,
) -> Result<Option<Range<usize>>, Problem> {
    let found = nullable_string(text, cursor).map_err(|()| wrong("a string", join(path, key)))?;
    Ok(found.map(|(_, at)| at))
}

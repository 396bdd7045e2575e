//! `DIR/feedback`: cases and analysts' flags, one JSON object a line. Files are written whole beside the old ones and put in
//! their place, so that a crash leaves one or the other.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Case, Label, Noticed};

/// Most cases, and most flags of analysts, that are kept.
const MOST: usize = 10_000;
/// A longer file is none of ours.
const LARGEST: u64 = 512 << 20;

/// Why the book cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BookError {
    /// The system says no.
    #[error("{}: {cause}", .file.display())]
    Io {
        /// Which file.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A line is none of ours. Its text is not told.
    #[error("{}: line {line} is not a line of this file", .file.display())]
    Line {
        /// Which file.
        file: PathBuf,
        /// Which line.
        line: usize,
    },
    /// There are too many.
    #[error("there are {MOST} already: take some out of {}", .0.display())]
    Full(PathBuf),
    /// Somebody said something else of this text.
    #[error("this text is case {id} already, and was called {}", .label.name())]
    CalledOtherwise {
        /// The case.
        id: String,
        /// What it was called.
        label: Label,
    },
}

/// The files of the folder.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    folder: PathBuf,
}

impl Book {
    /// In this data folder.
    pub(crate) fn of(data: &Path) -> Self {
        Self { folder: data.join("feedback") }
    }

    /// Where the cases are.
    pub(crate) fn cases_file(&self) -> PathBuf {
        self.folder.join("cases.jsonl")
    }

    fn flags_file(&self) -> PathBuf {
        self.folder.join("flags.jsonl")
    }

    /// All cases, in the order in which they were confirmed.
    pub(crate) fn cases(&self) -> Result<Vec<Case>, BookError> {
        lines(&self.cases_file())
    }

    /// Keeps a case. The same one again changes nothing.
    ///
    /// # Errors
    /// [`BookError::CalledOtherwise`] if the same text was called something else; what the files say.
    pub(crate) fn keep(&self, case: Case) -> Result<(), BookError> {
        let mut all = self.cases()?;
        if let Some(known) = all.iter().find(|known| known.id == case.id) {
            return if known.label == case.label {
                Ok(())
            } else {
                Err(BookError::CalledOtherwise { id: case.id, label: known.label })
            };
        }
        all.push(case);
        self.write(&self.cases_file(), &all)
    }

    /// All flags of analysts, the oldest first.
    pub(crate) fn flags(&self) -> Result<Vec<Noticed>, BookError> {
        lines(&self.flags_file())
    }

    /// Puts a flag in the place of the one of the same id, or at the end.
    pub(crate) fn put(&self, flag: Noticed) -> Result<(), BookError> {
        let mut all = self.flags()?;
        match all.iter_mut().find(|known| known.id == flag.id) {
            Some(known) => *known = flag,
            None => all.push(flag),
        }
        self.write(&self.flags_file(), &all)
    }

    fn write<T: Serialize>(&self, file: &Path, all: &[T]) -> Result<(), BookError> {
        if all.len() > MOST {
            return Err(BookError::Full(file.to_owned()));
        }
        let failed = |cause| BookError::Io { file: file.to_owned(), cause };
        let mut text = Vec::new();
        for one in all {
            serde_json::to_writer(&mut text, one).map_err(|e| failed(e.into()))?;
            text.push(b'\n');
        }
        put_in_place(file, &text).map_err(failed)
    }
}

/// Writes a file of its owner's alone, whole or not at all, and its folder if that is missing.
pub(crate) fn put_in_place(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let mut new =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    new.write_all(bytes)?;
    new.sync_all()?;
    std::fs::rename(&beside, file)?;
    std::fs::File::open(folder)?.sync_all()
}

fn lines<T: DeserializeOwned>(file: &Path) -> Result<Vec<T>, BookError> {
    let failed = |cause| BookError::Io { file: file.to_owned(), cause };
    let bytes = match std::fs::metadata(file) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Ok(there) if there.len() > LARGEST => return Err(failed(io::ErrorKind::FileTooLarge.into())),
        _ => std::fs::read(file).map_err(failed)?,
    };
    let told = bytes.split(|b| *b == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
    told.map(|(n, line)| {
        serde_json::from_slice(line).map_err(|_| BookError::Line { file: file.to_owned(), line: n + 1 })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use chatward_message::{Channel, Threat};

    use super::*;
    use crate::feedback::Source;

    fn case(text: &str, label: Label) -> Case {
        Case {
            id: Case::id_of(Channel::Customer, text),
            label,
            channel: Channel::Customer,
            from: Source::Customer,
            day: "2026-11-26".to_owned(),
            note: String::new(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn cases_are_kept_once_and_not_under_two_names() {
        let folder = tempfile::tempdir().unwrap();
        let book = Book::of(folder.path());
        assert_eq!(book.cases().unwrap(), []);
        let scam = Label::Attack(Threat::Scam);
        book.keep(case("wire it", scam)).unwrap();
        book.keep(case("wire it", scam)).unwrap();
        book.keep(case("where is it?", Label::Harmless)).unwrap();
        assert_eq!(book.cases().unwrap(), [case("wire it", scam), case("where is it?", Label::Harmless)]);
        let otherwise = book.keep(case("wire it", Label::Harmless));
        assert!(matches!(otherwise, Err(BookError::CalledOtherwise { label, .. }) if label == scam));
        assert_eq!(book.cases().unwrap().len(), 2);
    }

    #[test]
    fn a_line_that_is_none_is_named_and_its_text_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let book = Book::of(folder.path());
        book.keep(case("wire it", Label::Harmless)).unwrap();
        let text = std::fs::read_to_string(book.cases_file()).unwrap();
        std::fs::write(book.cases_file(), format!("{text}\n{{\"id\":\"secret words\"}}\n")).unwrap();
        let told = book.cases().unwrap_err().to_string();
        assert!(told.contains("line 3") && !told.contains("secret"), "{told}");
    }
}

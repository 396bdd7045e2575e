//! Files that customers attach: their text is taken out, and goes the way of every message.
//!
//! Only what text can be taken out of is taken: plain text, PDF, and the office files of OOXML and OpenDocument. What a file is
//! called must be what it is. How much it may unpack to, how much text it may hold and how long that may take is bounded; it is
//! read on a thread of its own.

mod office;

use std::time::Duration;

use bytes::Bytes;
use chatward_message::{CustomerId, Plain, Subject};
use lopdf::{Document, LoadOptions};
use tokio::sync::Semaphore;

use super::CONVERSATION;
use crate::caller::Caller;
use crate::files;
use crate::problem::Code;
use crate::turn::{Gate, TurnError};

/// Longest name, in characters.
const NAME_MAX: usize = 200;
/// Most text that a file may hold, in bytes.
const TEXT_MAX: usize = 200_000;
/// Most that it may unpack to, in bytes.
const UNPACKED_MAX: usize = 32 << 20;
/// Most pages of a PDF file.
const PAGES_MAX: usize = 500;
/// How long it may take to read.
const PATIENCE: Duration = Duration::from_secs(10);
/// Files read at once: reading takes a processor, and turns want theirs.
static READING: Semaphore = Semaphore::const_new(2);

/// What stands before a file's name in the message that it becomes; the page knows it too.
const MARK: &str = "\u{1F4CE} ";

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Pdf,
    Word,
    Excel,
    PowerPoint,
    OpenDocument,
}

/// Why no message comes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// Not of a kind that is read, or not what its name says.
    Kind,
    /// More than may be.
    Large,
    /// Broken, locked, or without text.
    Unreadable,
}

impl From<Refusal> for Code {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Kind => Self::FileKind,
            Refusal::Large => Self::BodyTooLarge,
            Refusal::Unreadable => Self::FileUnreadable,
        }
    }
}

/// A file's name, as its owner called it.
pub(crate) struct Name(String);

/// Reads a name that was percent-encoded.
pub(crate) fn name_of(header: &str) -> Option<Name> {
    let pair = format!("name={header}");
    let (_, name) = form_urlencoded::parse(pair.as_bytes()).next()?;
    // Without the folders that some browsers put before it.
    let name = name.rsplit(['/', '\\']).next()?.trim();
    let fits = (1..=NAME_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    fits.then(|| Name(name.to_owned()))
}

/// The message that a file becomes, once it was looked into: its name, and its text.
pub(crate) async fn message(
    gate: &Gate,
    caller: &Caller,
    name: Name,
    file: Bytes,
) -> Result<Plain, TurnError> {
    let told = |refusal: Refusal| TurnError::Told(refusal.into());
    let decision = files::of_page(gate, &name.0, &file).await;
    let (conversation, customer) = gate.conversation_named(caller, CONVERSATION)?;
    let sender = if decision.is_worth_noting() { sender(gate, customer).await? } else { None };
    let decided = files::tell(gate, None, (sender, conversation), &[decision]).await;
    // What is not taken anyway is told as that, which says what is.
    let kind = kind(&name.0, &file).ok_or(Refusal::Kind).map_err(told)?;
    decided?;
    let place = READING.acquire().await.map_err(|_| TurnError::Internal("no place to read a file"))?;
    let reading = tokio::task::spawn_blocking(move || {
        // Held to the end, also when nobody waits any more.
        let _place = place;
        text(kind, &file)
    });
    let read = match tokio::time::timeout(PATIENCE, reading).await {
        Ok(Ok(read)) => read,
        // It took too long, or the reader fell over what was in it.
        Ok(Err(_)) | Err(_) => Err(Refusal::Unreadable),
    };
    let text = Plain::new(read.map_err(told)?);
    Ok(Plain::new(format!("{MARK}{}\n\n{}", name.0, text.expose())))
}

/// Who sends it, as the log knows them; nothing for who never wrote before.
async fn sender(gate: &Gate, customer: Option<CustomerId>) -> Result<Option<Subject>, TurnError> {
    let Some(customer) = customer else { return Ok(None) };
    let Some(slot) = gate.store.customer(&gate.tenant, customer).await? else { return Ok(None) };
    let key = gate.vault.customer_key(slot).await?;
    Ok(Some(gate.vault.subject(&key)?))
}

/// What a file is, by its name and by its first bytes; both have to say the same.
fn kind(name: &str, file: &[u8]) -> Option<Kind> {
    let (_, ending) = name.rsplit_once('.')?;
    let zip = file.starts_with(b"PK\x03\x04");
    let pdf =
        file.get(..file.len().min(1024)).is_some_and(|head| memchr::memmem::find(head, b"%PDF-").is_some());
    let (kind, right) = match ending.to_ascii_lowercase().as_str() {
        "txt" | "md" | "csv" | "log" => (Kind::Text, !zip && !pdf && !file.contains(&0)),
        "pdf" => (Kind::Pdf, pdf),
        "docx" => (Kind::Word, zip),
        "xlsx" => (Kind::Excel, zip),
        "pptx" => (Kind::PowerPoint, zip),
        "odt" => (Kind::OpenDocument, zip),
        _ => return None,
    };
    right.then_some(kind)
}

fn text(kind: Kind, file: &[u8]) -> Result<String, Refusal> {
    let text = match kind {
        Kind::Text => std::str::from_utf8(file)
            .map_err(|_| Refusal::Unreadable)?
            .trim_start_matches('\u{feff}')
            .to_owned(),
        Kind::Pdf => pdf(file)?,
        _ => office::text(kind, file)?,
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(Refusal::Unreadable);
    }
    if text.len() > TEXT_MAX { Err(Refusal::Large) } else { Ok(text.to_owned()) }
}

/// The text of a PDF file that is not locked. Scanned pages have none.
fn pdf(file: &[u8]) -> Result<String, Refusal> {
    let options = LoadOptions { max_decompressed_size: Some(UNPACKED_MAX / 2), ..LoadOptions::default() };
    let document = Document::load_mem_with_options(file, options).map_err(|_| Refusal::Unreadable)?;
    if document.is_encrypted() || document.was_encrypted() {
        return Err(Refusal::Unreadable);
    }
    let pages: Vec<u32> =
        document.page_iter().take(PAGES_MAX + 1).zip(1..).map(|(_, number)| number).collect();
    if pages.len() > PAGES_MAX {
        return Err(Refusal::Large);
    }
    let mut text = String::new();
    for piece in document.extract_text_chunks_with_limit(&pages, UNPACKED_MAX / 2) {
        // A part that cannot be read would be missing unseen: what the bot answers would be about half a file.
        text.push_str(&piece.map_err(|_| Refusal::Unreadable)?);
        text.push('\n');
        if text.len() > TEXT_MAX {
            return Err(Refusal::Large);
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_what_is_in_a_file_say_the_same() {
        let zip = b"PK\x03\x04rest";
        for (name, file, found) in [
            ("a.txt", &b"hello"[..], Some(Kind::Text)),
            ("a.TXT", b"hello", Some(Kind::Text)),
            ("a.txt", zip, None),
            ("a.txt", b"%PDF-1.7", None),
            ("a.txt", b"MZ\0\0", None),
            ("a.pdf", b"%PDF-1.7", Some(Kind::Pdf)),
            ("a.pdf", b"hello", None),
            ("a.docx", zip, Some(Kind::Word)),
            ("a.docx", b"%PDF-1.7", None),
            ("a.exe", b"MZ", None),
            ("a.zip", zip, None),
            ("a.svg", b"<svg/>", None),
            ("txt", b"hello", None),
        ] {
            assert_eq!(kind(name, file), found, "{name}");
        }
    }

    #[test]
    fn a_name_is_short_and_has_no_folders() {
        let name = |header: &str| name_of(header).map(|name| name.0);
        assert_eq!(name("Z%C3%BCrich%20%26%20co%2B.txt").as_deref(), Some("Zürich & co+.txt"));
        assert_eq!(name("C%3A%5Cfakepath%5Ca.txt").as_deref(), Some("a.txt"));
        assert_eq!(name("..%2F..%2Fetc%2Fpasswd").as_deref(), Some("passwd"));
        for bad in ["", "%0A", "a%00.txt", &"a".repeat(201)] {
            assert_eq!(name(bad), None, "{bad}");
        }
    }

    #[test]
    fn too_much_text_and_none_are_refused() {
        assert_eq!(text(Kind::Text, b" \n "), Err(Refusal::Unreadable));
        assert_eq!(text(Kind::Text, &[0xff, 0xfe]), Err(Refusal::Unreadable));
        assert_eq!(text(Kind::Text, &vec![b'a'; TEXT_MAX + 1]), Err(Refusal::Large));
        assert_eq!(text(Kind::Text, "\u{feff}hi".as_bytes()), Ok("hi".to_owned()));
        assert_eq!(text(Kind::Pdf, b"%PDF-1.7 and nothing more"), Err(Refusal::Unreadable));
    }
}

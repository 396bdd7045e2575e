//! Rich text (RTF 1.9.1): objects that it holds, templates that it fetches.

use crate::office;
use crate::ole;
use crate::signs::Mark;
use crate::text;
use crate::verdict::Why;
use crate::walk::{Member, Place, Walk};

/// Deepest groups whose destination is remembered; what lies deeper belongs to the last one.
const GROUPS: usize = 500;
/// Most objects that are kept.
const OBJECTS: usize = 1_000;
/// Longest text, field or class that is kept, in bytes.
const WORDS: usize = 2 << 20;
const COMPOUND: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// Where text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Text,
    Nowhere,
    Object,
    Template,
    Field,
    Class,
}

struct Reading<'b> {
    bytes: &'b [u8],
    at: usize,
    groups: Vec<To>,
    /// Groups beyond those that are remembered.
    beyond: usize,
    to: To,
    /// Whether the next word names a destination that may be left out.
    optional: bool,
    text: Vec<u8>,
    field: Vec<u8>,
    class: Vec<u8>,
    template: Vec<u8>,
    /// Half bytes of an object.
    digits: Vec<u8>,
    objects: Vec<Vec<u8>>,
    /// Whether there were more of them.
    more: bool,
}

/// Looks into rich text.
pub(crate) fn open(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8]) {
    let mut reading = Reading::new(bytes);
    reading.read();
    walk.took(reading.objects.iter().map(Vec::len).sum());
    let template = String::from_utf8_lossy(&reading.template).into_owned();
    if text::is_remote(&template) {
        walk.sign(place, Mark::RemoteTemplate);
        walk.link(place, &template);
    }
    if office::is_dde(&String::from_utf8_lossy(&reading.field)) {
        walk.sign(place, Mark::Dde);
    }
    if is_equation(&reading.class) {
        walk.sign(place, Mark::EquationObject);
    }
    if reading.more {
        walk.not_looked(place, Why::TooMany);
    }
    for object in &reading.objects {
        self::object(walk, place, path, object);
    }
    walk.text(place, &String::from_utf8_lossy(&reading.text));
}

fn is_equation(bytes: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    memchr::memmem::find(&lower, b"equation.").is_some()
}

/// An object as OLE 1.0 keeps it (MS-OLEDS 2.2.5): what matters is the file in it.
fn object(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8]) {
    walk.sign(place, Mark::EmbeddedObject);
    if is_equation(bytes.get(..256).unwrap_or(bytes)) {
        walk.sign(place, Mark::EquationObject);
    }
    let path = format!("{path}/object");
    if let Some(at) = memchr::memmem::find(bytes, COMPOUND) {
        let bytes = bytes.get(at..).unwrap_or_default();
        walk.file(&Member { path, media_type: None, bytes, depth: place.depth + 1 });
        return;
    }
    // Version and form, then class, topic and item with their lengths, then the length of the data.
    let mut rest = bytes.get(8..);
    for _ in 0..3 {
        let len = rest.and_then(|rest| rest.first_chunk::<4>()).map(|len| u32::from_le_bytes(*len));
        let len = len.and_then(|len| usize::try_from(len).ok()).and_then(|len| len.checked_add(4));
        rest = rest.zip(len).and_then(|(rest, len)| rest.get(len..));
    }
    match rest {
        Some(data) => ole::native(walk, place, &path, data),
        None => {
            walk.file(&Member { path, media_type: None, bytes, depth: place.depth + 1 });
        }
    }
}

impl<'b> Reading<'b> {
    fn new(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            groups: Vec::new(),
            beyond: 0,
            to: To::Text,
            optional: false,
            text: Vec::new(),
            field: Vec::new(),
            class: Vec::new(),
            template: Vec::new(),
            digits: Vec::new(),
            objects: Vec::new(),
            more: false,
        }
    }

    fn read(&mut self) {
        while let Some(byte) = self.next() {
            match byte {
                b'{' => self.group(),
                b'}' => self.group_ends(),
                b'\\' => self.control(),
                b'\r' | b'\n' => {}
                other => self.put(other),
            }
        }
        self.object_ends();
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    fn group(&mut self) {
        if self.groups.len() < GROUPS { self.groups.push(self.to) } else { self.beyond += 1 }
    }

    fn group_ends(&mut self) {
        if self.beyond > 0 {
            self.beyond -= 1;
            return;
        }
        let before = self.groups.pop().unwrap_or(To::Text);
        if self.to == To::Object && before != To::Object {
            self.object_ends();
        }
        if self.to == To::Field && before != To::Field {
            self.field.push(b'\n');
        }
        self.to = before;
    }

    fn object_ends(&mut self) {
        if self.digits.is_empty() {
            return;
        }
        if self.objects.len() >= OBJECTS {
            self.more = true;
            self.digits.clear();
            return;
        }
        let value = |digit: u8| {
            char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0)
        };
        let bytes = self.digits.chunks_exact(2).map(|pair| match pair {
            [high, low] => value(*high) << 4 | value(*low),
            _ => 0,
        });
        self.objects.push(bytes.collect());
        self.digits.clear();
    }

    fn put(&mut self, byte: u8) {
        let out = match self.to {
            To::Nowhere => return,
            // Anything but digits between them is passed over by readers, and put there to hide them.
            To::Object if byte.is_ascii_hexdigit() => return self.digits.push(byte),
            To::Object => return,
            To::Text => &mut self.text,
            To::Template => &mut self.template,
            To::Field => &mut self.field,
            To::Class => &mut self.class,
        };
        if out.len() < WORDS {
            out.push(byte);
        }
    }

    fn control(&mut self) {
        let Some(first) = self.bytes.get(self.at).copied() else { return };
        if !first.is_ascii_alphabetic() {
            self.at += 1;
            self.symbol(first);
            return;
        }
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(len);
        let digits =
            behind.iter().position(|byte| !(byte.is_ascii_digit() || *byte == b'-')).unwrap_or(behind.len());
        let number =
            behind.get(..digits).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<i64>().ok());
        self.at += len + digits;
        if self.bytes.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        self.word(word, number);
    }

    fn symbol(&mut self, symbol: u8) {
        match symbol {
            b'*' => self.optional = true,
            b'\'' => {
                let hex = self.bytes.get(self.at..self.at + 2).and_then(|hex| std::str::from_utf8(hex).ok());
                if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                    self.at += 2;
                    // In an object it counts for nothing.
                    if self.to != To::Object {
                        self.put(byte);
                    }
                }
            }
            b'\\' | b'{' | b'}' => self.put(symbol),
            b'~' => self.put(b' '),
            b'\r' | b'\n' => self.put(b'\n'),
            _ => {}
        }
    }

    fn word(&mut self, word: &[u8], number: Option<i64>) {
        let optional = std::mem::take(&mut self.optional);
        match word {
            b"objdata" => self.to = To::Object,
            b"template" => self.to = To::Template,
            b"fldinst" => self.to = To::Field,
            b"objclass" => self.to = To::Class,
            b"fonttbl" | b"colortbl" | b"stylesheet" | b"info" | b"pict" | b"themedata" | b"datastore" => {
                self.to = To::Nowhere
            }
            b"par" | b"line" | b"row" | b"page" => self.put(b'\n'),
            b"tab" | b"cell" => self.put(b'\t'),
            b"bin" => {
                let len = number.and_then(|len| usize::try_from(len).ok()).unwrap_or(0);
                let raw = self.bytes.get(self.at..).unwrap_or_default();
                let raw = raw.get(..len).unwrap_or(raw);
                self.at += raw.len();
                if self.to == To::Object {
                    let digits = raw.iter().flat_map(|byte| [byte >> 4, byte & 15]);
                    self.digits.extend(
                        digits
                            .map(|half| b"0123456789abcdef".get(usize::from(half)).copied().unwrap_or(b'0')),
                    );
                }
            }
            b"u" => self.unicode(number),
            _ if optional && self.to == To::Text => self.to = To::Nowhere,
            _ => {}
        }
    }

    fn unicode(&mut self, number: Option<i64>) {
        let code = number.map(|number| if number < 0 { number + 0x1_0000 } else { number });
        let letter = code.and_then(|code| u32::try_from(code).ok()).and_then(char::from_u32);
        let mut room = [0; 4];
        for byte in letter.map(|letter| letter.encode_utf8(&mut room).as_bytes()).unwrap_or_default() {
            self.put(*byte);
        }
        // The sign for readers that know no Unicode.
        if self.bytes.get(self.at).is_some_and(|byte| !matches!(byte, b'\\' | b'{' | b'}')) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_objects_are_told_apart() {
        let rtf = br"{\rtf1{\fonttbl Arial;}{\*\generator x}Hello \u252?\'21\par {\object{\*\objclass Equation.3}{\*\objdata 01 0{\nop}5 0g0}}end}";
        let mut reading = Reading::new(rtf);
        reading.read();
        assert_eq!(String::from_utf8_lossy(&reading.text), "Hello \u{fc}!\nend");
        assert_eq!(reading.objects, [vec![1, 5, 0]]);
        assert!(is_equation(&reading.class));
    }

    #[test]
    fn groups_without_end_are_survived() {
        let mut reading = Reading::new(&[b'{'; 100_000]);
        reading.read();
        assert_eq!(reading.groups.len(), GROUPS);
    }
}

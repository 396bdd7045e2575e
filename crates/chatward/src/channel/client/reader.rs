//! Reads an answer as it comes: Binary HTTP of indeterminate length (RFC 9292, 3.2).
//!
//! `bhttp` reads whole messages, or waits for ever where a length is cut in two, so this is read here.

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// The longest head.
const LONGEST_HEAD: usize = 1 << 16;

/// What is read of an answer.
#[derive(Debug)]
pub(super) enum Part {
    /// Status and fields.
    Head(StatusCode, HeaderMap),
    /// Some of the content.
    Content(Bytes),
}

/// The answer is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// The framing indicator, which stands before all heads.
    Start,
    Head,
    /// This much of a piece is missing; nothing: its length comes next.
    Content(usize),
    Trailer,
    Padding,
    /// All of the content is here.
    Last,
}

/// Where it is in an answer.
#[derive(Debug)]
pub(super) struct Reader {
    at: At,
    bytes: BytesMut,
}

impl Default for Reader {
    fn default() -> Self {
        Self { at: At::Start, bytes: BytesMut::new() }
    }
}

impl Reader {
    /// Of an answer whose body was read already, and is read once more.
    pub(super) fn whole(body: Vec<u8>) -> Self {
        let at = if body.is_empty() { At::Padding } else { At::Last };
        Self { at, bytes: BytesMut::from(&body[..]) }
    }

    /// Takes what came.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next part, if it is there already.
    pub(super) fn next(&mut self) -> Result<Option<Part>, Malformed> {
        loop {
            match self.at {
                At::Start => {
                    let Some(framing) = self.bytes.first() else { return Ok(None) };
                    if *framing != 3 {
                        return Err(Malformed);
                    }
                    self.bytes.advance(1);
                    self.at = At::Head;
                }
                At::Head => {
                    let mut rest = &self.bytes[..];
                    let Some((status, fields)) = head(&mut rest)? else {
                        return if self.bytes.len() > LONGEST_HEAD { Err(Malformed) } else { Ok(None) };
                    };
                    let read = self.bytes.len() - rest.len();
                    self.bytes.advance(read);
                    // Answers that announce another one (1xx) tell us nothing.
                    if !status.is_informational() {
                        self.at = At::Content(0);
                        return Ok(Some(Part::Head(status, fields)));
                    }
                }
                At::Content(0) => {
                    let mut rest = &self.bytes[..];
                    let Some(length) = varint(&mut rest) else { return Ok(None) };
                    let read = self.bytes.len() - rest.len();
                    self.bytes.advance(read);
                    let length = usize::try_from(length).map_err(|_| Malformed)?;
                    self.at = if length == 0 { At::Trailer } else { At::Content(length) };
                }
                At::Content(missing) => {
                    if self.bytes.is_empty() {
                        return Ok(None);
                    }
                    let piece = self.bytes.split_to(missing.min(self.bytes.len())).freeze();
                    self.at = At::Content(missing - piece.len());
                    return Ok(Some(Part::Content(piece)));
                }
                At::Last => {
                    self.at = At::Padding;
                    return Ok(Some(Part::Content(self.bytes.split().freeze())));
                }
                At::Trailer => {
                    let mut rest = &self.bytes[..];
                    if fields(&mut rest)?.is_none() {
                        return Ok(None);
                    }
                    let read = self.bytes.len() - rest.len();
                    self.bytes.advance(read);
                    self.at = At::Padding;
                }
                At::Padding => {
                    let zeros = self.bytes.iter().all(|byte| *byte == 0);
                    self.bytes.clear();
                    return if zeros { Ok(None) } else { Err(Malformed) };
                }
            }
        }
    }

    /// Whether the message has come to its end.
    pub(super) fn is_whole(&self) -> bool {
        self.at == At::Padding
    }
}

/// Status and fields, once all of it is there.
fn head(rest: &mut &[u8]) -> Result<Option<(StatusCode, HeaderMap)>, Malformed> {
    let Some(status) = varint(rest) else { return Ok(None) };
    let status = u16::try_from(status).ok().and_then(|n| StatusCode::from_u16(n).ok()).ok_or(Malformed)?;
    Ok(fields(rest)?.map(|fields| (status, fields)))
}

/// Fields up to their end.
fn fields(rest: &mut &[u8]) -> Result<Option<HeaderMap>, Malformed> {
    let mut all = HeaderMap::new();
    loop {
        let Some(name) = part(rest)? else { return Ok(None) };
        if name.is_empty() {
            return Ok(Some(all));
        }
        let Some(value) = part(rest)? else { return Ok(None) };
        let name = HeaderName::from_lowercase(name).map_err(|_| Malformed)?;
        all.append(name, HeaderValue::from_bytes(value).map_err(|_| Malformed)?);
    }
}

fn part<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
    let Some(length) = varint(rest) else { return Ok(None) };
    let length = usize::try_from(length).ok().filter(|n| *n <= LONGEST_HEAD).ok_or(Malformed)?;
    let Some((part, after)) = rest.split_at_checked(length) else { return Ok(None) };
    *rest = after;
    Ok(Some(part))
}

/// A number as RFC 9000 writes it (16).
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let first = *rest.first()?;
    let (bytes, after) = rest.split_at_checked(1 << (first >> 6))?;
    *rest = after;
    let number = bytes.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    Some(number & (u64::MAX >> (2 + 64 - 8 * bytes.len())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(content: &[&[u8]]) -> Vec<u8> {
        let mut text = vec![3, 0x40, 200];
        for field in [&b"content-type"[..], b"text/plain"] {
            text.push(u8::try_from(field.len()).unwrap());
            text.extend_from_slice(field);
        }
        text.push(0);
        for piece in content {
            text.extend_from_slice(&(u16::try_from(piece.len()).unwrap() | 1 << 14).to_be_bytes());
            text.extend_from_slice(piece);
        }
        text.extend_from_slice(&[0, 0, 0, 0, 0]);
        text
    }

    proptest! {
        /// However an answer is cut into pieces, what is read is the same, and it is whole only at its end.
        #[test]
        fn an_answer_is_the_same_however_it_is_cut(cuts in proptest::collection::vec(1usize..40, 1..60)) {
            let text = message(&[&[b'a'; 100], b"b", &[0; 70]]);
            let (mut reader, mut rest, mut content) = (Reader::default(), &text[..], Vec::new());
            let mut status = None;
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                rest = later;
                prop_assert!(!reader.is_whole() || now.iter().all(|byte| *byte == 0));
                reader.feed(now);
                while let Some(part) = reader.next().unwrap() {
                    match part {
                        Part::Head(code, fields) => {
                            prop_assert_eq!(&fields["content-type"], "text/plain");
                            status = Some(code);
                        }
                        Part::Content(piece) => content.extend_from_slice(&piece),
                    }
                }
            }
            prop_assert_eq!(status, Some(StatusCode::OK));
            prop_assert_eq!(content, [&[b'a'; 100][..], b"b", &[0; 70]].concat());
            prop_assert!(reader.is_whole());
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bad in
            [&[2, 0x40, 200, 0][..], &[3, 5, 0], &[3, 0x40, 200, 1, b'A', 0], &[3, 0x40, 200, 0, 0, 0, 1]]
        {
            let mut reader = Reader::default();
            reader.feed(bad);
            let mut read = reader.next();
            while matches!(read, Ok(Some(_))) {
                read = reader.next();
            }
            assert!(read.is_err(), "{bad:?}");
        }
    }
}

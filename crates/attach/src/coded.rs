//! Bytes that are written as letters: what messages and documents in XML do with files. Readers of them pass over much that should
//! not be there, and so do these.

/// What base64 (RFC 4648, 4) stands for. Anything between its letters is passed over, and what ends is followed by more, if there is
/// more.
pub(crate) fn base64(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    // Letters of a group of four that were read, what they are together, and signs of its end.
    let (mut letters, mut bits, mut ends) = (0_u32, 0_u32, 0_u32);
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' if letters >= 2 && letters + ends >= 3 => {
                (letters, bits, ends) = (0, 0, 0);
                continue;
            }
            b'=' if letters >= 2 => {
                ends += 1;
                continue;
            }
            _ => continue,
        };
        (letters, bits, ends) = (letters + 1, bits << 6 | u32::from(value), 0);
        // The second letter, the third and the fourth each make a byte whole.
        match letters {
            2 => out.push((bits >> 4).to_be_bytes()[3]),
            3 => out.push((bits >> 2).to_be_bytes()[3]),
            4 => {
                out.push(bits.to_be_bytes()[3]);
                (letters, bits) = (0, 0);
            }
            _ => {}
        }
    }
    out
}

/// What quoted-printable (RFC 2045, 6.7) stands for.
pub(crate) fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'=', rest) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + 1..).unwrap_or_default();
        if let Some((value, behind)) = hex(rest) {
            out.push(value);
            rest = behind;
            continue;
        }
        // A line that goes on: blanks may stand before its end.
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match rest.get(blanks..) {
            Some([b'\r', b'\n', behind @ ..] | [b'\n', behind @ ..]) => rest = behind,
            _ => out.push(b'='),
        }
    }
    out.extend_from_slice(rest);
    out
}

/// Longest word in a header that is written as other letters, in bytes. The rules allow 75.
const WORD: usize = 2_000;

/// A header's text with its encoded words (RFC 2047) as what they stand for.
pub(crate) fn words(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut behind_word = false;
    while let Some(at) = rest.find("=?") {
        let (before, from) = rest.split_at(at);
        let Some((word, behind)) = word(from) else {
            out.push_str(before);
            out.push_str("=?");
            rest = from.get(2..).unwrap_or_default();
            behind_word = false;
            continue;
        };
        // Blanks between two of them are none.
        if !(behind_word && before.trim().is_empty()) {
            out.push_str(before);
        }
        out.push_str(&word);
        rest = behind;
        behind_word = true;
    }
    out.push_str(rest);
    out
}

/// The encoded word at the beginning, and what stands behind it.
fn word(text: &str) -> Option<(String, &str)> {
    let near = text.get(2..text.floor_char_boundary(WORD))?;
    let (_set, near) = near.split_once('?')?;
    let (way, near) = near.split_once('?')?;
    let (coded, near) = near.split_once("?=")?;
    let bytes = match way {
        "B" | "b" => base64(coded.as_bytes()),
        "Q" | "q" => quoted_printable(coded.replace('_', " ").as_bytes()),
        _ => return None,
    };
    let all = text.len().min(text.floor_char_boundary(WORD));
    let behind = text.get(all - near.len()..)?;
    Some((String::from_utf8_lossy(&bytes).into_owned(), behind))
}

fn hex(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = bytes.split_first_chunk::<2>()?;
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((value(digits[0])? << 4 | value(digits[1])?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stand_for_bytes() {
        for (text, expected) in [
            ("", &b""[..]),
            ("aGVsbG8=", b"hello"),
            ("aGVs\r\n bG8", b"hello"),
            ("aG!V*sb.G8==", b"hello"),
            ("aA==aQ==", b"hi"),
            ("aG-V_sbG8", b"hello"),
            ("aG=VsbG8", b"hello"),
            ("+/8=", b"\xfb\xff"),
            ("a", b""),
        ] {
            assert_eq!(base64(text.as_bytes()), expected, "{text}");
        }
        for (text, expected) in [
            ("a=3Db=\r\nc= \nd", "a=bcd"),
            ("=", "="),
            ("=4", "=4"),
            ("=xy=41", "=xyA"),
            ("=c3=bc", "\u{fc}"),
        ] {
            assert_eq!(quoted_printable(text.as_bytes()), expected.as_bytes(), "{text}");
        }
    }

    #[test]
    fn names_in_headers_are_read() {
        for (text, expected) in [
            ("plain =? a", "plain =? a"),
            ("=?utf-8?B?cnVuLnZicw==?=", "run.vbs"),
            ("a =?UTF-8?Q?ru=6E_a?= \t=?utf-8?q?.vbs?= b", "a run a.vbs b"),
            ("=?x?y?z?=", "=?x?y?z?="),
            ("=?utf-8?B?", "=?utf-8?B?"),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }
}

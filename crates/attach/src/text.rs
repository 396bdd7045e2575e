//! Text as text: its encoding, and what short texts do that programs read.

use std::borrow::Cow;

use crate::kind::Kind;
use crate::name;
use crate::office;
use crate::signs::Mark;
use crate::walk::{Place, Walk};

/// Bytes as text: UTF-8, or UTF-16 if its mark stands first. What is neither is replaced.
pub(crate) fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).filter_map(|pair| <[u8; 2]>::try_from(pair).ok().map(unit));
        Cow::Owned(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest),
        _ => String::from_utf8_lossy(bytes),
    }
}

/// Words of scripts; several of them in one text make it one.
const SCRIPT_WORDS: &[&str] = &[
    "wscript.shell",
    "activexobject",
    "createobject(",
    "invoke-expression",
    "iex(",
    "downloadstring(",
    "-encodedcommand",
    "frombase64string(",
    "invoke-webrequest",
    "start-process",
    "set-executionpolicy",
    "adodb.stream",
    "shell.application",
    "certutil -decode",
    "bitsadmin /transfer",
    "regsvr32 /s",
    "mshta http",
    "msxml2.xmlhttp",
    "eval(atob(",
];
/// How many different ones it takes.
const SCRIPT_WORDS_MIN: usize = 2;

/// Looks at a text.
pub(crate) fn open(walk: &mut Walk<'_>, place: Place, path: &str, kind: Kind, bytes: &[u8]) {
    let text = decoded(bytes);
    if kind == Kind::InternetShortcut {
        shortcut(walk, place, &text);
    }
    let ending = name::ending(path);
    if matches!(ending.as_deref(), Some("csv" | "tsv" | "slk" | "iqy" | "dif"))
        && text.lines().any(is_formula_line)
    {
        walk.sign(place, Mark::Dde);
    }
    let lower = text.to_lowercase();
    if SCRIPT_WORDS.iter().filter(|word| lower.contains(**word)).count() >= SCRIPT_WORDS_MIN {
        walk.sign(place, Mark::ScriptText);
    }
    walk.text(place, &text);
}

/// Whether a row of a table holds a formula that starts another program.
fn is_formula_line(line: &str) -> bool {
    line.split([',', ';', '\t']).any(|cell| {
        let cell = cell.trim().trim_matches('"').trim_start();
        cell.starts_with(['=', '+', '-', '@']) && office::is_dde_formula(cell)
    })
}

fn shortcut(walk: &mut Walk<'_>, place: Place, text: &str) {
    for line in text.lines() {
        let Some((key, value)) = line.split_once('=') else { continue };
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        if matches!(key.as_str(), "url" | "iconfile" | "workingdirectory" | "baseurl") {
            walk.link(place, value);
            let lower = value.to_ascii_lowercase();
            if lower.starts_with("file:") || lower.starts_with("\\\\") || lower.starts_with("search-ms:") {
                walk.sign(place, Mark::RemoteShortcut);
            }
        }
    }
}

/// Whether an address leads to another computer.
pub(crate) fn is_remote(address: &str) -> bool {
    let lower = address.trim().to_ascii_lowercase();
    let schemes = ["http:", "https:", "ftp:", "mhtml:", "ms-", "search-ms:", "\\\\", "//"];
    // `file:///C:/…` is a file of one's own; `file://server/…` is not.
    let server = lower.strip_prefix("file:").map(|rest| rest.trim_start_matches(['/', '\\']));
    let unc = lower.starts_with("file:") && !lower.starts_with("file:///") || lower.starts_with("file://///");
    schemes.iter().any(|scheme| lower.starts_with(scheme))
        || (unc && server.is_some_and(|server| server.get(1..2) != Some(":")))
}

/// What a reference stands for: one of the five names of XML, or a number (without `&` and `;`).
pub(crate) fn entity(of: &str) -> String {
    let number = of.strip_prefix('#').and_then(|number| match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => number.parse().ok(),
    });
    match of {
        "amp" => "&".to_owned(),
        "lt" => "<".to_owned(),
        "gt" => ">".to_owned(),
        "quot" => "\"".to_owned(),
        "apos" => "'".to_owned(),
        "colon" => ":".to_owned(),
        "Tab" | "NewLine" => " ".to_owned(),
        "nbsp" => "\u{a0}".to_owned(),
        _ => number.and_then(char::from_u32).map_or_else(String::new, String::from),
    }
}

/// Longest reference, without its signs.
const ENTITY_MAX: usize = 12;

/// A text in which references are what they stand for; also those without a semicolon, which browsers read.
pub(crate) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let name: &str = from.get(1..).unwrap_or_default();
        let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '#')).unwrap_or(name.len());
        let value = name.get(..end).filter(|name| name.len() <= ENTITY_MAX).map(entity).unwrap_or_default();
        let behind = name.get(end..).unwrap_or_default();
        if value.is_empty() {
            out.push('&');
            rest = name;
        } else {
            out.push_str(&value);
            rest = behind.strip_prefix(';').unwrap_or(behind);
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_read() {
        assert_eq!(decoded(b"\xff\xfeh\0i\0"), "hi");
        assert_eq!(decoded(b"\xfe\xff\0h\0i"), "hi");
        assert_eq!(decoded(b"\xef\xbb\xbfhi"), "hi");
        assert_eq!(decoded(b"\xff\xfeh"), "");
        assert_eq!(decoded(b"h\xffi"), "h\u{fffd}i");
    }

    #[test]
    fn references_are_read_as_browsers_do() {
        assert_eq!(
            unescaped("java&#115;cript&colon;a&b&amp;&#x41 &unheard;&"),
            "javascript:a&b&A &unheard;&"
        );
    }

    #[test]
    fn addresses_elsewhere_are_told_from_files_of_ones_own() {
        for far in [
            "http://a",
            "HTTPS://a",
            "\\\\server\\x",
            "file://server/x",
            "file://///server/x",
            "mhtml:http://a",
        ] {
            assert!(is_remote(far), "{far}");
        }
        for near in ["file:///C:/Users/a.dotm", "media/image1.png", "mailto:a@b", "#here", "C:\\a"] {
            assert!(!is_remote(near), "{near}");
        }
    }

    #[test]
    fn a_table_with_a_command_is_seen() {
        assert!(is_formula_line("a,\"=cmd|' /C calc'!A0\",b"));
        assert!(is_formula_line("@SUM(1)*cmd|'/c calc'!A0"));
        assert!(!is_formula_line("a|'b'!,=1+2,-5"));
    }
}

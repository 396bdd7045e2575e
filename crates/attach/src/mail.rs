//! Messages (RFC 5322) and what MIME (RFC 2045, 2046) makes of them: files that were attached, and pages that were saved as one file.

use percent_encoding::percent_decode_str;

use crate::coded;
use crate::name;
use crate::signs::Mark;
use crate::verdict::Why;
use crate::walk::{Member, Place, Walk};

/// Deepest parts in parts.
const NESTED: usize = 10;
/// Longest head of a part that is read, in bytes, and most fields of it.
const HEAD: usize = 256 << 10;
const FIELDS: usize = 1_000;
/// Longest name of a field, in bytes.
const FIELD: usize = 76;
/// Most parameters of one field.
const PARAMETERS: usize = 100;
/// Fields that say how a part is read.
const MEANT: &[&str] = &["mime-version", "content-type", "content-transfer-encoding"];
/// Fields that people read.
const READ: &[&str] = &["subject", "from", "to", "cc", "reply-to"];

/// Whether a text is a message with parts that are written as letters.
pub(crate) fn is_mail(bytes: &[u8]) -> bool {
    let head = Head::of(bytes);
    let value = |name| head.value(name).unwrap_or_default().to_ascii_lowercase();
    head.value("mime-version").is_some()
        || value("content-type").starts_with("multipart/") && value("content-type").contains("boundary")
        || head.value("content-type").is_some() && head.value("content-transfer-encoding").is_some()
}

/// Looks into a message, or into a box of them. Says whether it was one.
pub(crate) fn open(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8]) -> bool {
    let mut rest = bytes.trim_ascii_start();
    let mut any = false;
    loop {
        // In a box, each begins with such a line.
        let is_box = rest.starts_with(b"From ");
        let end = memchr::memmem::find(rest, b"\nFrom ").filter(|_| is_box);
        let message = end.and_then(|end| rest.get(..=end)).unwrap_or(rest);
        any |= !Head::of(message).fields.is_empty();
        entity(walk, place, path, message, 0);
        rest = rest.get(message.len()..).unwrap_or_default();
        if rest.is_empty() {
            return any;
        }
        if is_full(walk, place) {
            return any;
        }
    }
}

/// Whether no more files are looked at.
fn is_full(walk: &mut Walk<'_>, place: Place) -> bool {
    let full = walk.verdict.inside.len() > walk.limits.entries;
    if full {
        walk.not_looked(place, Why::TooMany);
    }
    full
}

/// A message or a part of one.
fn entity(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8], depth: usize) {
    if !walk.work(place, bytes.len(), 1) {
        return;
    }
    let head = Head::of(bytes);
    if ["content-type", "content-transfer-encoding"].iter().any(|name| head.is_twice(name)) {
        // Some readers go by the first of them, others by the last.
        walk.sign(place, Mark::LyingHeaders);
        walk.not_looked(place, Why::Broken);
    }
    if head.cut {
        walk.not_looked(place, Why::TooLarge);
    }
    if depth == 0 {
        for (_, value) in head.fields.iter().filter(|(name, _)| READ.contains(&name.as_str())) {
            walk.text(place, &coded::words(value));
        }
    }
    let (kind, parameters) = parameters(head.value("content-type").unwrap_or_default());
    if kind == "multipart/encrypted" {
        walk.sign(place, Mark::Encrypted);
        walk.not_looked(place, Why::Encrypted);
    }
    if kind.starts_with("multipart/") {
        if depth >= NESTED {
            walk.sign(place, Mark::TooDeep);
            walk.not_looked(place, Why::TooDeep);
            return;
        }
        let boundary = named(&parameters, "boundary").into_iter().next().unwrap_or_default();
        let parts = Parts::of(head.body, boundary.as_bytes(), walk.limits.entries.saturating_mul(2));
        if parts.odd {
            walk.not_looked(place, Why::Broken);
        }
        for part in &parts.all {
            if is_full(walk, place) {
                return;
            }
            entity(walk, place, path, part, depth + 1);
        }
        if !parts.all.is_empty() {
            return;
        }
        walk.not_looked(place, Why::Broken);
    }
    leaf(walk, place, path, &head, &kind, &parameters);
}

/// A part that holds a file, under each name that it is given.
fn leaf(
    walk: &mut Walk<'_>,
    place: Place,
    path: &str,
    head: &Head<'_>,
    kind: &str,
    parameters: &[(String, String)],
) {
    let room = walk.left();
    let encoding = head.value("content-transfer-encoding").unwrap_or_default();
    let (encoding, _) = self::parameters(encoding);
    let decoded = match encoding.as_str() {
        "base64" | "quoted-printable" if head.body.len() / 4 * 3 > room => {
            walk.not_looked(place, Why::TooLarge);
            return;
        }
        "base64" => Some(coded::base64(head.body)),
        "quoted-printable" if head.body.len() > room => {
            walk.not_looked(place, Why::TooLarge);
            return;
        }
        "quoted-printable" => Some(coded::quoted_printable(head.body)),
        "" | "7bit" | "8bit" | "binary" => None,
        _ => {
            walk.not_looked(place, Why::Unsupported);
            None
        }
    };
    if let Some(decoded) = &decoded {
        walk.took(decoded.len());
    }
    let bytes = decoded.as_deref().unwrap_or(head.body);
    if bytes.trim_ascii().is_empty() {
        return;
    }
    if kind == "message/external-body" || kind == "message/partial" {
        walk.not_looked(place, Why::Unsupported);
    }
    let (_, disposed) = self::parameters(head.value("content-disposition").unwrap_or_default());
    let mut names = named(&disposed, "filename");
    names.extend(named(parameters, "name"));
    if names.iter().any(|name| name::is_outside(name)) {
        walk.sign(place, Mark::NameOutside);
    }
    if let Some(address) = head.value("content-location").filter(|_| names.is_empty()) {
        let address = address.split(['?', '#']).next().unwrap_or_default();
        names.push(name::last(address.trim()).to_owned());
    }
    names.retain(|name| !name.trim().is_empty());
    if names.is_empty() {
        names.push("part".to_owned());
    }
    names.dedup();
    for name in names.iter().take(PARAMETERS) {
        let path = format!("{path}/{}", name::cut(name));
        let media_type = Some(kind).filter(|kind| !kind.is_empty());
        walk.file(&Member { path, media_type, bytes, depth: place.depth + 1 });
    }
}

/// The fields of a part, and what stands behind them.
struct Head<'b> {
    /// Names in lower case.
    fields: Vec<(String, String)>,
    body: &'b [u8],
    /// Whether there was more of it than is read.
    cut: bool,
}

impl<'b> Head<'b> {
    fn of(bytes: &'b [u8]) -> Self {
        let mut rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut head = Self { fields: Vec::new(), body: rest, cut: false };
        let mut read = 0;
        // Where a line stands that belongs to no head, and how many fields there were before. Some readers end the head there, others
        // pass over it: what counts is whether a field behind it says how the part is read.
        let mut odd: Option<(&[u8], usize)> = None;
        loop {
            let end = memchr::memchr(b'\n', rest.get(..HEAD).unwrap_or(rest));
            let line = rest.get(..end.map_or(rest.len().min(HEAD), |end| end + 1)).unwrap_or_default();
            let behind = rest.get(line.len()..).unwrap_or_default();
            let bare = line.strip_suffix(b"\n").unwrap_or(line);
            let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
            read += line.len();
            let full = read > HEAD || head.fields.len() >= FIELDS;
            if bare.is_empty() || full {
                head.body = if full { rest } else { behind };
                head.cut = full;
                break;
            }
            if !head.line(bare) {
                odd.get_or_insert((rest, head.fields.len()));
            }
            rest = behind;
        }
        if let Some((from, before)) = odd
            && !head
                .fields
                .get(before..)
                .is_some_and(|more| more.iter().any(|(name, _)| MEANT.contains(&name.as_str())))
        {
            head.body = from;
            head.fields.truncate(before);
            head.cut = false;
        }
        head
    }

    /// Takes a line; not one that belongs to no head.
    fn line(&mut self, line: &[u8]) -> bool {
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if let Some((_, value)) = self.fields.last_mut() {
                value.push(' ');
                value.push_str(String::from_utf8_lossy(line).trim());
                return true;
            }
            return false;
        }
        // The first line of a message in a box.
        if self.fields.is_empty() && (line.starts_with(b"From ") || line.starts_with(b">From ")) {
            return true;
        }
        let colon = line.iter().take(FIELD + 1).position(|byte| *byte == b':');
        let Some((name, value)) = colon.and_then(|at| line.split_at_checked(at)) else { return false };
        let name = name.trim_ascii_end();
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return false;
        }
        let value = String::from_utf8_lossy(value.get(1..).unwrap_or_default());
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        self.fields.push((name, value.trim().to_owned()));
        true
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    fn is_twice(&self, name: &str) -> bool {
        self.fields.iter().filter(|(one, _)| one == name).count() > 1
    }
}

/// What a field says, in lower case, and its parameters (RFC 2045, 5.1), without comments.
fn parameters(value: &str) -> (String, Vec<(String, String)>) {
    let mut pieces = vec![String::new()];
    let (mut quoted, mut escaped, mut comments) = (false, false, 0_usize);
    for c in value.chars() {
        let escape = std::mem::take(&mut escaped);
        match c {
            '\\' if !escape && (quoted || comments > 0) => escaped = true,
            '"' if !escape && comments == 0 => quoted = !quoted,
            '(' if !escape && !quoted => comments += 1,
            ')' if !escape && comments > 0 => comments -= 1,
            _ if comments > 0 => {}
            ';' if !quoted => {
                if pieces.len() > PARAMETERS {
                    break;
                }
                pieces.push(String::new());
            }
            other => {
                if let Some(piece) = pieces.last_mut() {
                    piece.push(other);
                }
            }
        }
    }
    let mut pieces = pieces.into_iter();
    let kind = pieces.next().unwrap_or_default().trim().to_ascii_lowercase();
    let parameters = pieces.filter_map(|piece| {
        let (name, value) = piece.split_once('=')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    });
    (kind, parameters.collect())
}

/// What a parameter says: as it stands, and in the pieces of RFC 2231. Readers go by the one or the other.
fn named(parameters: &[(String, String)], name: &str) -> Vec<String> {
    let mut pieces: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut all = Vec::new();
    for (one, value) in parameters {
        let Some(rest) = one.strip_prefix(name) else { continue };
        let coded = rest.ends_with('*');
        let number = rest.trim_matches('*');
        if rest.is_empty() {
            all.push(coded::words(value));
        } else if rest.starts_with('*') && number.bytes().all(|byte| byte.is_ascii_digit()) {
            let number = number.parse().unwrap_or(0);
            // The first piece begins with a set of letters and a language.
            let value = match value.splitn(3, '\'').collect::<Vec<_>>().as_slice() {
                [_, _, value] if coded && number == 0 => (*value).to_owned(),
                _ => value.clone(),
            };
            pieces.push((
                number,
                if coded { percent_decode_str(&value).collect() } else { value.into_bytes() },
            ));
        }
    }
    pieces.sort_by_key(|(number, _)| *number);
    let whole: Vec<u8> = pieces.into_iter().flat_map(|(_, piece)| piece).collect();
    let whole = String::from_utf8_lossy(&whole).into_owned();
    if !whole.is_empty() && !all.contains(&whole) {
        all.push(whole);
    }
    all
}

/// The parts between lines that begin with two dashes and the boundary (RFC 2046, 5.1.1).
struct Parts<'b> {
    all: Vec<&'b [u8]>,
    /// Whether readers may find other parts.
    odd: bool,
}

impl<'b> Parts<'b> {
    fn of(body: &'b [u8], boundary: &[u8], most: usize) -> Self {
        let mut parts = Self { all: Vec::new(), odd: false };
        if boundary.is_empty() {
            return parts;
        }
        let line = [b"--", boundary].concat();
        let mut begun = None;
        for at in memchr::memmem::find_iter(body, &line) {
            // Before its line is read to the end: one long line may hold very many.
            if at > 0 && body.get(at - 1) != Some(&b'\n') {
                continue;
            }
            let behind = body.get(at + line.len()..).unwrap_or_default();
            let end = memchr::memchr(b'\n', behind).map_or(behind.len(), |end| end + 1);
            let rest = behind.get(..end).unwrap_or_default().trim_ascii();
            if !(rest.is_empty() || rest.starts_with(b"--")) {
                parts.odd = true;
                continue;
            }
            parts.add(body, begun.take(), at);
            if parts.all.len() >= most {
                parts.odd = true;
                return parts;
            }
            begun = rest.is_empty().then_some(at + line.len() + end);
        }
        // The last one was not ended.
        parts.add(body, begun, body.len());
        parts
    }

    fn add(&mut self, body: &'b [u8], from: Option<usize>, to: usize) {
        let Some(part) = from.and_then(|from| body.get(from..to)) else { return };
        // The end of the line before a boundary belongs to the boundary: with it, a file would have other hashes.
        let part = part.strip_suffix(b"\n").unwrap_or(part);
        let part = part.strip_suffix(b"\r").unwrap_or(part);
        if !part.is_empty() {
            self.all.push(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_where_it_ends() {
        let head = Head::of(b"Subject: a\r\n b\r\nMIME-version : 1.0\r\n\r\nbody: x");
        assert_eq!(head.value("subject"), Some("a b"));
        assert_eq!((head.value("mime-version"), head.body), (Some("1.0"), &b"body: x"[..]));
        let none = Head::of(b"no head: at all");
        assert!(none.fields.is_empty() && none.body == b"no head: at all");
        assert_eq!(Head::of(b"A: b\nwords\nC: d").body, b"words\nC: d");
        // An odd line, which some readers pass over.
        let odd = Head::of(b"A: b\nwords\nContent-Type: x/y\n\nbody");
        assert_eq!((odd.value("content-type"), odd.body), (Some("x/y"), &b"body"[..]));
        assert!(
            Head::of(&b"a: b\n".repeat(FIELDS + 1)).cut && Head::of(&vec![b'a'; HEAD * 2]).fields.is_empty()
        );
    }

    #[test]
    fn parameters_are_read_in_all_their_forms() {
        let (kind, all) = parameters(
            "Multipart/MIXED (a;b=c); Boundary=\"x ;\\\"y\" ; name*0*=UTF-8'en'r%75; name*1=\"n.vbs\"",
        );
        assert_eq!((kind.as_str(), named(&all, "boundary")), ("multipart/mixed", vec!["x ;\"y".to_owned()]));
        assert_eq!(named(&all, "name"), ["run.vbs"]);
        let (_, all) = parameters("a; filename=a.txt; filename*=utf-8''b.vbs; filenames=c");
        assert_eq!(named(&all, "filename"), ["a.txt", "b.vbs"]);
    }

    #[test]
    fn parts_stand_between_their_lines() {
        let parts = |body: &'static str| Parts::of(body.as_bytes(), b"x", 10);
        assert_eq!(parts("before\n--x\none\n--x \r\ntwo\n--x--\nafter").all, [b"one", b"two"]);
        assert_eq!(parts("--x\nnot --x\n--xy\n").all, [b"not --x\n--xy"]);
        assert!(parts("--x\n--xy\n").odd && !parts("--x\na\n").odd);
        assert!(parts("").all.is_empty() && Parts::of(b"--\na", b"", 10).all.is_empty());
    }
}

//! Pages and drawings: what in them acts, asks or leads on. Tags are read as browsers read them, which is not strictly.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use crate::kind::Kind;
use crate::signs::Mark;
use crate::text;
use crate::verdict::Why;
use crate::walk::{Place, Walk};

/// What has no business in a picture, whatever its case.
static IN_PICTURES: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder().ascii_case_insensitive(true).build(["<script", "<?php", "<html"]).ok()
});

/// Words by which a page puts a file together; two different ones make it so.
const BUILDS: &[&str] = &[
    "createobjecturl",
    "mssaveoropenblob",
    "mssaveblob",
    "new blob",
    "atob(",
    "uint8array",
    "fromcharcode",
    ".click()",
];
const BUILDS_MIN: usize = 3;

/// Whether there is a script or a page in a picture.
pub(crate) fn holds_script(bytes: &[u8]) -> bool {
    IN_PICTURES.as_ref().is_some_and(|words| words.is_match(bytes))
}

/// Looks at a page, a drawing or other XML, and hands out its text.
pub(crate) fn open(walk: &mut Walk<'_>, place: Place, kind: Kind, bytes: &[u8]) {
    let text = signs(walk, place, kind, &decoded(bytes));
    walk.text(place, &text::unescaped(&text));
}

/// A page as text. Zeros mean nothing in it: browsers replace them, or pass over them.
pub(crate) fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    let page = text::decoded(bytes);
    if page.contains('\0') { Cow::Owned(page.replace('\0', "")) } else { page }
}

/// What is wrong with a page, a drawing or other XML. What stands between its tags is given.
pub(crate) fn signs(walk: &mut Walk<'_>, place: Place, kind: Kind, page: &str) -> String {
    let mut tags = Tags::new(page);
    while let Some(tag) = tags.next_tag() {
        self::tag(walk, place, kind, &tag);
        if tag.more {
            walk.not_looked(place, Why::TooMany);
        }
        if tag.name == "script" && !tag.closed {
            let script = tags.raw("</script");
            builds(walk, place, script);
        }
    }
    tags.text
}

struct Tag {
    /// In lower case, without a prefix.
    name: String,
    /// Names in lower case, values as they are meant.
    attributes: Vec<(String, String)>,
    /// Whether it had more of them than are read.
    more: bool,
    /// Whether it ends itself, which counts in drawings.
    closed: bool,
}

/// Most attributes of one tag that are read.
const ATTRIBUTES: usize = 100;

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }
}

fn tag(walk: &mut Walk<'_>, place: Place, kind: Kind, tag: &Tag) {
    for (name, value) in &tag.attributes {
        attribute(walk, place, tag, name, value);
    }
    match tag.name.as_str() {
        "script" => walk.sign(place, Mark::PageScript),
        "application" | "hta:application" => walk.sign(place, Mark::Script),
        "meta" if tag.get("http-equiv").is_some_and(|what| what.trim().eq_ignore_ascii_case("refresh")) => {
            let content = tag.get("content").unwrap_or_default().to_owned();
            if let Some(at) = content.to_ascii_lowercase().find("url") {
                let target = content.get(at + 3..).unwrap_or_default();
                let target =
                    target.trim_start_matches([' ', '=', '\'', '"']).trim_end_matches(['\'', '"', ' ']);
                walk.sign(place, Mark::PageForwards);
                walk.link(place, target);
            }
        }
        "form" if tag.get("action").is_some_and(|action| !action.trim().is_empty()) => {
            walk.sign(place, Mark::PageForm)
        }
        "input" if tag.get("type").is_some_and(|what| what.trim().eq_ignore_ascii_case("password")) => {
            walk.sign(place, Mark::PageAsks);
        }
        "iframe" | "frame" | "embed" | "object" | "applet" => walk.sign(place, Mark::PageFrames),
        "foreignobject" if kind == Kind::Svg => walk.sign(place, Mark::PageFrames),
        _ => {}
    }
}

fn attribute(walk: &mut Walk<'_>, place: Place, tag: &Tag, name: &str, value: &str) {
    // `onclick` and its like.
    if name.len() > 3 && name.starts_with("on") && name.bytes().all(|byte| byte.is_ascii_lowercase()) {
        walk.sign(place, Mark::PageScript);
    }
    let local = name.rsplit(':').next().unwrap_or(name);
    if !matches!(
        local,
        "href" | "src" | "action" | "formaction" | "data" | "srcdoc" | "to" | "values" | "from"
    ) {
        return;
    }
    // Browsers pass over these in the name of a scheme.
    let bare: String = value.chars().filter(|c| !c.is_whitespace() && !c.is_control()).take(64).collect();
    let bare = bare.to_ascii_lowercase();
    if bare.starts_with("javascript:") || bare.starts_with("vbscript:") || bare.starts_with("data:text/html")
    {
        walk.sign(place, Mark::PageScript);
    } else if bare.starts_with("data:") && tag.get("download").is_some() {
        walk.sign(place, Mark::PageBuilds);
    } else if local == "srcdoc" {
        walk.sign(place, Mark::PageFrames);
    } else if text::is_remote(value) && name != "xmlns" {
        walk.link(place, value);
    }
}

fn builds(walk: &mut Walk<'_>, place: Place, script: &str) {
    let lower = script.to_ascii_lowercase();
    if BUILDS.iter().filter(|word| lower.contains(**word)).count() >= BUILDS_MIN {
        walk.sign(place, Mark::PageBuilds);
    }
}

/// A page, tag by tag; what stands between is its text.
struct Tags<'p> {
    rest: &'p str,
    text: String,
    /// How much is left where the tag ends in which there are only letters, if one is open.
    letters: usize,
    /// Whether that is no text to read.
    mute: bool,
}

/// Tags in which there are no comments and no other tags, only letters.
const LETTERS: &[&str] = &["style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "noscript"];

impl<'p> Tags<'p> {
    const fn new(page: &'p str) -> Self {
        Self { rest: page, text: String::new(), letters: usize::MAX, mute: false }
    }

    fn next_tag(&mut self) -> Option<Tag> {
        loop {
            let at = self.rest.find('<')?;
            self.push(self.rest.get(..at)?);
            self.rest = self.rest.get(at + 1..)?;
            if self.rest.len() < self.letters {
                (self.letters, self.mute) = (usize::MAX, false);
            }
            // Where only letters stand, nothing opens a comment; tags are read there all the same, for not all readers agree.
            if let Some(comment) = self.rest.strip_prefix("!--").filter(|_| self.letters == usize::MAX) {
                self.rest = behind_comment(comment);
            } else if let Some(data) = self.rest.strip_prefix("![CDATA[") {
                self.rest = data;
            } else if self.rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
                self.text.push(' ');
                let tag = self.tag();
                // A drawing's style is read like the rest of it, so tags in there count.
                let letters = LETTERS.contains(&tag.name.as_str()) && !tag.closed;
                if letters && self.letters == usize::MAX {
                    self.mute = tag.name == "style";
                    self.letters = self.rest.len() - self.before(&format!("</{}", tag.name)).len();
                }
                return Some(tag);
            } else if self.rest.starts_with(['/', '!', '?']) {
                self.rest = self.rest.find('>').and_then(|end| self.rest.get(end + 1..)).unwrap_or_default();
                self.text.push(' ');
            } else {
                self.push("<");
            }
        }
    }

    fn push(&mut self, text: &str) {
        if !self.mute {
            self.text.push_str(text);
        }
    }

    fn tag(&mut self) -> Tag {
        let name = self.take(|c| c.is_whitespace() || matches!(c, '/' | '>'));
        let lower = name.to_ascii_lowercase();
        let local = lower.rsplit(':').next().unwrap_or_default().to_owned();
        let mut tag = Tag { name: local, attributes: Vec::new(), more: false, closed: false };
        loop {
            let between = self.take(|c| !(c.is_whitespace() || c == '/'));
            tag.closed = between.ends_with('/');
            if self.rest.is_empty() {
                return tag;
            }
            if let Some(behind) = self.rest.strip_prefix('>') {
                self.rest = behind;
                return tag;
            }
            let attribute = self.attribute();
            if tag.attributes.len() < ATTRIBUTES {
                tag.attributes.push(attribute);
            } else {
                tag.more = true;
            }
        }
    }

    fn attribute(&mut self) -> (String, String) {
        // An equals sign at the very beginning belongs to the name.
        let first = self.rest.chars().next().map_or(0, char::len_utf8);
        let (head, rest) = self.rest.split_at(first);
        self.rest = rest;
        let name = format!("{head}{}", self.take(|c| c.is_whitespace() || matches!(c, '/' | '>' | '=')))
            .to_ascii_lowercase();
        self.take(|c| !c.is_whitespace());
        let Some(behind) = self.rest.strip_prefix('=') else { return (name, String::new()) };
        self.rest = behind;
        self.take(|c| !c.is_whitespace());
        let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let value = match quote {
            Some(quote) => {
                self.rest = self.rest.get(1..).unwrap_or_default();
                let value = self.take(|c| c == quote);
                self.rest = self.rest.get(1..).unwrap_or_default();
                value
            }
            None => self.take(|c| c.is_whitespace() || c == '>'),
        };
        (name, text::unescaped(value))
    }

    /// What comes before the first letter for which something holds.
    fn take(&mut self, until: impl Fn(char) -> bool) -> &'p str {
        let end = self.rest.find(until).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// What comes before a closing tag, in whatever case it is written.
    fn raw(&mut self, closing: &str) -> &'p str {
        let raw = self.before(closing);
        self.rest = self.rest.get(raw.len()..).unwrap_or_default();
        raw
    }

    fn before(&self, closing: &str) -> &'p str {
        let mut from = 0;
        while let Some(at) = self.rest.get(from..).and_then(|rest| rest.find("</")) {
            let at = from + at;
            let here = self.rest.get(at..at + closing.len());
            if here.is_some_and(|here| here.eq_ignore_ascii_case(closing)) {
                return self.rest.get(..at).unwrap_or_default();
            }
            from = at + 2;
        }
        self.rest
    }
}

/// What stands behind a comment, whose beginning was read: also behind one that ends at once, and one that ends as it should not.
fn behind_comment(comment: &str) -> &str {
    if let Some(rest) = comment.strip_prefix('>').or_else(|| comment.strip_prefix("->")) {
        return rest;
    }
    let ends = ["-->", "--!>"].map(|end| comment.find(end).map(|at| at + end.len()));
    let end = ends.into_iter().flatten().min();
    end.and_then(|end| comment.get(end..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_browsers_do() {
        let mut tags =
            Tags::new("a<!-- <b> --><A HREF = 'x&amp;y' download/onClick=go()>t</a><1<svg:Script src=z");
        let tag = tags.next_tag().unwrap();
        assert_eq!(tag.name, "a");
        assert_eq!(tag.get("href"), Some("x&y"));
        assert_eq!((tag.get("download"), tag.get("onclick")), (Some(""), Some("go()")));
        let tag = tags.next_tag().unwrap();
        assert_eq!((tag.name.as_str(), tag.get("src")), ("script", Some("z")));
        assert!(tags.next_tag().is_none());
        assert_eq!(tags.text, "a t <1 ");
    }

    #[test]
    fn comments_end_where_browsers_end_them() {
        for page in [
            "<!--><p>",
            "<!---><p>",
            "<!-- a --!><p>",
            "<title><!--</title><p>",
            "<TEXTAREA><!--</TextArea ><p>",
            "<!-- <title> --><p>",
            "<svg><style/><p>",
            "<svg><style><p></style>",
            "<style><!--</style><p>",
        ] {
            let mut tags = Tags::new(page);
            let names: Vec<String> = std::iter::from_fn(|| tags.next_tag()).map(|tag| tag.name).collect();
            assert_eq!(names.last().map(String::as_str), Some("p"), "{page}");
        }
    }

    #[test]
    fn pictures_hold_no_scripts() {
        assert!(holds_script(b"GIF89a<ScRiPt>") && !holds_script(b"GIF89a<scr"));
    }
}

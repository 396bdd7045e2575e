//! Whether a text is a page, or has something of one. A browser asks for no head and no body: any tag makes a page.

use std::collections::HashMap;

/// The tags of HTML that are known (HTML Living Standard, and older ones that browsers still read), in order.
const TAGS: &[&str] = &[
    "a",
    "abbr",
    "address",
    "applet",
    "area",
    "article",
    "aside",
    "audio",
    "b",
    "base",
    "bdo",
    "big",
    "blink",
    "blockquote",
    "body",
    "br",
    "button",
    "canvas",
    "caption",
    "center",
    "cite",
    "code",
    "col",
    "dd",
    "del",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "dt",
    "em",
    "embed",
    "fieldset",
    "figure",
    "font",
    "footer",
    "form",
    "frame",
    "frameset",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "i",
    "iframe",
    "img",
    "input",
    "ins",
    "kbd",
    "label",
    "layer",
    "legend",
    "li",
    "link",
    "main",
    "map",
    "marquee",
    "math",
    "menu",
    "meta",
    "nav",
    "nobr",
    "noembed",
    "noframes",
    "noscript",
    "object",
    "ol",
    "optgroup",
    "option",
    "output",
    "p",
    "param",
    "picture",
    "plaintext",
    "pre",
    "progress",
    "q",
    "s",
    "samp",
    "script",
    "section",
    "select",
    "slot",
    "small",
    "source",
    "span",
    "strike",
    "strong",
    "style",
    "sub",
    "summary",
    "sup",
    "svg",
    "table",
    "tbody",
    "td",
    "template",
    "textarea",
    "tfoot",
    "th",
    "thead",
    "time",
    "title",
    "tr",
    "track",
    "tt",
    "u",
    "ul",
    "var",
    "video",
    "wbr",
    "xmp",
];
/// Longest of them.
const LONGEST: usize = 10;
/// How far behind a tag's name its first value is looked for, in bytes.
const ATTRIBUTE: usize = 256;

/// How much of a page a text is, from less to more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Page {
    /// Not at all.
    No,
    /// A tag is named in it. Who asks about one does that as well.
    Named,
    /// It holds a tag with a value, or several.
    Holds,
    /// It begins with one, behind whatever a browser passes over.
    Begins,
}

/// How much of a page a text is.
pub(crate) fn of(text: &str) -> Page {
    if text.get(first(text)..).is_some_and(|text| tag(text).is_some()) {
        return Page::Begins;
    }
    let (mut page, mut from) = (Page::No, 0);
    while let Some(at) = text.get(from..).and_then(|rest| rest.find('<')) {
        from += at + 1;
        match text.get(from - 1..).and_then(tag) {
            None => {}
            Some(false) if page == Page::No => page = Page::Named,
            Some(_) => return Page::Holds,
        }
    }
    page
}

/// Where a text begins, behind blanks, comments and declarations.
fn first(text: &str) -> usize {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}');
        let end = if rest.starts_with("<!--") {
            "-->"
        } else if rest.starts_with("<!")
            && rest
                .find(['[', '>'])
                .is_some_and(|at| rest.get(at..).is_some_and(|rest| rest.starts_with('[')))
        {
            // A grammar of its own.
            "]>"
        } else if rest.starts_with("<!") || rest.starts_with("<?") {
            ">"
        } else {
            return text.len() - rest.len();
        };
        let Some(at) = rest.find(end) else { return text.len() };
        rest = rest.get(at + end.len()..).unwrap_or_default();
    }
}

/// Whether a known tag stands at the beginning, and if so, whether it has a value.
fn tag(text: &str) -> Option<bool> {
    let bytes = text.as_bytes().strip_prefix(b"<")?;
    let len = bytes.iter().take(LONGEST + 1).position(|byte| !byte.is_ascii_alphanumeric())?;
    let (name, rest) = bytes.split_at_checked(len)?;
    if !rest.first().is_some_and(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>')) {
        return None;
    }
    let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
    TAGS.binary_search(&name.as_str()).ok()?;
    let sign = rest.iter().take(ATTRIBUTE).find(|byte| matches!(byte, b'=' | b'<' | b'>'));
    Some(sign == Some(&b'='))
}

/// What of a text in Markdown is no code (CommonMark 0.31, 4.4, 4.5 and 6.1): only there a tag is a tag.
pub(crate) fn without_code(text: &str) -> String {
    let mut out = String::new();
    let mut paragraph = String::new();
    let mut fence: Option<Fence> = None;
    for line in text.split_inclusive('\n') {
        if let Some(open) = &fence {
            let leaves = open.quoted && !line.starts_with('>');
            if leaves || Fence::of(line).is_some_and(|close| open.is_closed_by(&close, line)) {
                fence = None;
            }
            if !leaves {
                continue;
            }
        }
        fence = Fence::of(line);
        let indented = line.starts_with("    ") || line.starts_with('\t');
        if fence.is_some() || line.trim().is_empty() {
            spans_removed(&paragraph, &mut out);
            paragraph.clear();
        } else if !(indented && paragraph.is_empty()) {
            paragraph.push_str(line);
        }
    }
    spans_removed(&paragraph, &mut out);
    out
}

/// A line that opens a block of code, or closes it.
struct Fence {
    sign: char,
    len: usize,
    quoted: bool,
}

impl Fence {
    fn of(line: &str) -> Option<Self> {
        let quoted = line.starts_with('>');
        let bare = if quoted { line.trim_start_matches(['>', ' ']) } else { line.trim_start_matches(' ') };
        if !quoted && line.len() - bare.len() > 3 {
            return None;
        }
        let sign = bare.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let behind = bare.trim_start_matches(sign);
        let len = bare.len() - behind.len();
        (len >= 3 && !(sign == '`' && behind.contains('`'))).then_some(Self { sign, len, quoted })
    }

    fn is_closed_by(&self, close: &Self, line: &str) -> bool {
        close.sign == self.sign && close.len >= self.len && line.trim_end().ends_with(self.sign)
    }
}

/// Adds a paragraph without its spans of code.
fn spans_removed(paragraph: &str, out: &mut String) {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, _) in paragraph.match_indices('`') {
        match runs.last_mut() {
            Some((from, len)) if *from + *len == at => *len += 1,
            _ => runs.push((at, 1)),
        }
    }
    // A span ends with as many of them as it begins with. Where each number stands last: so none is looked for in vain.
    let last: HashMap<usize, usize> = runs.iter().map(|(at, len)| (*len, *at)).collect();
    let (mut from, mut runs) = (0, runs.into_iter());
    while let Some((at, len)) = runs.next() {
        if last.get(&len).is_some_and(|last| *last > at)
            && let Some((end, _)) = runs.by_ref().find(|(_, other)| *other == len)
        {
            out.push_str(paragraph.get(from..at).unwrap_or_default());
            from = end + len;
        }
    }
    out.push_str(paragraph.get(from..).unwrap_or_default());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_tags_is_in_order() {
        assert!(TAGS.is_sorted() && TAGS.iter().all(|tag| tag.len() <= LONGEST));
    }

    #[test]
    fn a_page_is_told_from_a_text_that_names_a_tag() {
        for (text, page) in [
            ("", Page::No),
            ("a < b, Vec<T>, <not-a-tag>, <abbreviation>, <3", Page::No),
            ("What does <script> do?", Page::Named),
            ("What do <script> and <IMG/> do?", Page::Holds),
            ("words <img src=x>", Page::Holds),
            ("words <img\nsrc=x>", Page::Holds),
            ("<div>", Page::Begins),
            (" \n\u{feff}<!-- a --> <?x y?><!doctype a><H1 >", Page::Begins),
            ("<!DOCTYPE a [<!ATTLIST b c CDATA #FIXED 'd'>]><a>", Page::Begins),
            ("<!-- <div>", Page::Named),
            ("<a", Page::No),
        ] {
            assert_eq!(of(text), page, "{text}");
        }
    }

    #[test]
    fn code_in_markdown_holds_no_tags() {
        for text in [
            "Write `<input type=password>` there.",
            "Write ``<a `b` onclick=c>`` there,\nor `<p\nonclick=x>`.",
            "```html\n<script>x</script>\n```\n",
            "~~~~\n<script>\n~~~\n</script>\n~~~~",
            "> ```\n> <script>\n> ```\nend",
            "words\n\n    <script>\n    x\n\nend",
            "```\n<script>",
        ] {
            assert_eq!(of(&without_code(text)), Page::No, "{text}");
        }
        for text in [
            "words <img src=x onerror=y>",
            "a ` b <script>",
            "```\ncode\n```\n<script>",
            "> ```\n> code\n<script>",
            "`a` <script> `b`",
            "    ```\n\n<script>",
            "``` a ` b\n<script>",
        ] {
            assert_ne!(of(&without_code(text)), Page::No, "{text}");
        }
    }
}

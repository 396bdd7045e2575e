//! A long address in a text that arrives in pieces: its beginning was judged and given out, and what comes is judged with it.
//!
//! What comes is held in stretches that overlap, each judged as if it stood right behind the host. So what is no longer than
//! the overlap is seen whole, and a coded word that is longer is decoded stretch by stretch.

use chatward_message::{Channel, Sign, Span};
use zeroize::Zeroize;

use super::find::{How, Link};
use super::judge::{Judge, JudgedLink};
use super::parsed::Parsed;

/// So much of a stretch is judged again with the next.
const OVERLAP: usize = 96;
/// A coded word is cut at multiples of this: four letters of Base64 are three bytes, two digits one.
const CODED: usize = 4;

/// The address that goes on.
pub(super) struct Further {
    link: Link,
    /// Scheme, user, host and port.
    stem: String,
    allowed: bool,
    part: Part,
    /// How long the query is, of what was given out.
    query: usize,
    /// In a destination of Markdown: how many brackets are open in it.
    bracketed: Option<usize>,
    escaped: bool,
    /// What was said of it: ids and scores.
    told: Vec<(Box<str>, f32)>,
    /// Since something was against it, it is given out as found.
    pub(super) long: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Query,
    Fragment,
}

impl Further {
    /// Behind this beginning, which goes on. `text` is it, as it stands there; nothing of it was passed yet.
    /// `bracketed` says whether it ends at a `)`.
    pub(super) fn new(
        judge: &Judge,
        judged: &JudgedLink,
        text: &str,
        against: bool,
        bracketed: bool,
    ) -> Self {
        let whole = judged.link.url.as_str();
        let mail = judged.link.how == How::Mail;
        let host = whole.find("://").map(|at| at + 3);
        let end = host.map_or_else(
            || whole.find(':').map_or(whole.len(), |at| at + 1),
            |from| {
                let rest = whole.get(from..).unwrap_or_default();
                from + rest.find(['/', '?', '#']).unwrap_or(rest.len())
            },
        );
        let mut this = Self {
            stem: whole.get(..end).unwrap_or_default().to_owned(),
            allowed: judged.allowed,
            // Behind what looks like the domain of an e-mail address a path may follow.
            link: Link { how: if mail { How::Bare } else { judged.link.how }, ..judged.link.clone() },
            part: Part::Path,
            query: 0,
            bracketed: bracketed.then_some(0),
            escaped: false,
            told: Vec::new(),
            long: against,
        };
        if host.is_some() && !has_path(text) {
            // The host itself may go on, and be another.
            this.stem.push_str(".invalid");
            this.allowed = Parsed::of(&this.stem).is_some_and(|url| judge.is_allowed(&url));
        }
        if against {
            this.tell(&judged.signs);
        }
        text.chars().for_each(|c| {
            this.ends(c);
        });
        this
    }

    /// One character further: whether its bracket ends before that.
    pub(super) fn ends(&mut self, c: char) -> bool {
        let escaped = self.escaped;
        self.escaped = c == '\\' && !escaped;
        match (&mut self.bracketed, c) {
            _ if escaped => false,
            (Some(depth), '(') => {
                *depth += 1;
                false
            }
            (Some(0), ')') => true,
            (Some(depth), ')') => {
                *depth -= 1;
                false
            }
            _ => false,
        }
    }

    /// Notes what is said of it.
    pub(super) fn tell(&mut self, signs: &[Sign]) {
        self.told.extend(signs.iter().map(|sign| (sign.info.id.clone(), sign.score)));
    }

    /// What speaks against a stretch of it that was not said before.
    pub(super) fn judged(
        &self,
        judge: &Judge,
        channel: Channel,
        values: &[&str],
        text: &str,
        at: Span,
    ) -> JudgedLink {
        let mut whole = self.stem.clone();
        whole.push_str(match self.part {
            Part::Path if self.stem.contains("://") => "/",
            Part::Path => "",
            // A stretch may begin within a value.
            Part::Query => "/?d=",
            Part::Fragment => "/#",
        });
        whole.push_str(text);
        let climbs = || {
            let lower = text.to_ascii_lowercase();
            ["/..", "\\..", "/%2e", "/.%2e"].iter().any(|up| lower.contains(up))
        };
        let allowed = self.allowed && !climbs();
        let url = Parsed::of(&whole).unwrap_or_else(|| self.link.url.clone());
        whole.zeroize();
        let link = Link { span: at, target: at, url, ..self.link.clone() };
        let signs = judge.further(&link, channel, values, allowed, self.length(text));
        JudgedLink { link, signs, allowed }
    }

    /// Whether this was said of it.
    pub(super) fn is_told(&self, sign: &Sign) -> bool {
        self.told.iter().any(|(id, score)| *id == sign.info.id && *score + f32::EPSILON >= sign.score)
    }

    /// Where a stretch is cut: what is before is given out.
    pub(super) fn cut(text: &str) -> usize {
        let least = text.len().saturating_sub(OVERLAP);
        let coded = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '_' | '%');
        let head = text.get(..floor(text, least)).unwrap_or_default();
        let word = head
            .rfind(|c| !coded(c))
            .map_or(0, |at| at + head.get(at..).and_then(|r| r.chars().next()).map_or(1, char::len_utf8));
        let within = head.len() - word;
        if word > 0 && within < CODED {
            return word;
        }
        head.len() - within % CODED
    }

    /// So much of it is given out.
    pub(super) fn pass(&mut self, text: &str) {
        for c in text.chars() {
            match (c, self.part) {
                ('#', _) => self.part = Part::Fragment,
                ('?', Part::Path) => self.part = Part::Query,
                (c, Part::Query) => self.query += width(c),
                _ => {}
            }
        }
    }

    /// How long the query is up to the end of this stretch.
    fn length(&self, text: &str) -> usize {
        let (mut part, mut length) = (self.part, self.query);
        for c in text.chars() {
            match (c, part) {
                ('#', _) => part = Part::Fragment,
                ('?', Part::Path) => part = Part::Query,
                (c, Part::Query) => length += width(c),
                _ => {}
            }
        }
        length
    }
}

/// How long a character is in an address.
const fn width(c: char) -> usize {
    if c.is_ascii() { 1 } else { 3 * c.len_utf8() }
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Whether something stands behind the host.
fn has_path(text: &str) -> bool {
    let slashes = text.find(['/', '\\']).filter(|at| {
        let head = text.get(..*at).unwrap_or_default();
        head.len() < 24 && (head.is_empty() || head.ends_with([':', '[', ']', '(', ')']))
    });
    let rest = text.get(slashes.unwrap_or(0)..).unwrap_or_default();
    rest.trim_start_matches(['/', '\\', ']', '[', ')', '(']).contains(['/', '\\', '?', '#'])
}

impl Drop for Further {
    fn drop(&mut self) {
        self.stem.zeroize();
    }
}

//! Names that a host borrows: brands and the house's own domains, as they are, misspelt, or joined with other words.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// Shorter names are only known as a whole word.
const LONG: usize = 5;
/// From this length on a name may differ in two letters.
const TWO: usize = 9;
/// More of a label is not looked at: DNS allows no more.
const LABEL: usize = 63;

/// How a host borrows a name. The order is that of how bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Likeness {
    /// The name itself under another suffix: `paypal.example`.
    Elsewhere,
    /// The name before somebody else's domain: `paypal.example.com`.
    Subdomain,
    /// The name joined with other words: `paypal-login.com`.
    Joined,
    /// A letter more, less, exchanged or moved: `payapl.com`.
    Misspelt,
    /// Other letters that look the same: `paypa1.com`, `раураl.com`.
    LookAlike,
    /// The whole domain before somebody else's: `paypal.com.example.net`.
    Whole,
}

/// Names that are protected.
#[derive(Debug)]
pub(super) struct Brands {
    names: Vec<Box<str>>,
    /// Names by what they look like.
    looks: HashMap<Box<str>, usize>,
    /// Names by what is left of them without one letter.
    shortened: HashMap<Box<str>, Vec<usize>>,
    /// The longest names, with which letters they have.
    long: Vec<(usize, u32, usize)>,
    /// Domains of their owners.
    domains: HashSet<Box<str>>,
    /// Names that are long enough to be told inside of a word.
    inside: Option<AhoCorasick>,
    of_inside: Vec<usize>,
    /// Which of the longer names have a pair of letters, and how many pairs each name has.
    pairs: HashMap<[u8; 2], Vec<u16>>,
    lengths: Vec<u16>,
}

impl Brands {
    /// Names, each with the domains of its owner.
    pub(super) fn new<'a>(all: impl Iterator<Item = (&'a str, Vec<&'a str>)>) -> Self {
        let mut this = Self {
            names: Vec::new(),
            looks: HashMap::new(),
            shortened: HashMap::new(),
            long: Vec::new(),
            domains: HashSet::new(),
            inside: None,
            of_inside: Vec::new(),
            pairs: HashMap::new(),
            lengths: Vec::new(),
        };
        for (name, domains) in all {
            this.domains.extend(domains.into_iter().map(Into::into));
            let at = this.names.len();
            let look = look(name).into_owned();
            if look.len() < 3 {
                continue;
            }
            if look.len() >= LONG {
                for left in without_one(&look) {
                    this.shortened.entry(left.into()).or_default().push(at);
                }
                this.of_inside.push(at);
                this.note_pairs(&look);
            }
            if look.len() >= TWO {
                this.long.push((at, letters(&look), look.len()));
            }
            this.looks.entry(look.into()).or_insert(at);
            this.names.push(name.into());
        }
        let long = this.of_inside.iter().filter_map(|at| this.names.get(*at));
        this.inside = AhoCorasick::new(long.map(|name| name.as_bytes())).ok();
        this
    }

    /// Reads `name domain domain` lines.
    pub(super) fn lines(text: &'static str) -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
        text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.collect()))
        })
    }

    fn note_pairs(&mut self, look: &str) {
        let Ok(number) = u16::try_from(self.lengths.len()) else { return };
        let mut count = 0;
        for pair in look.as_bytes().windows(2) {
            if let [a, b] = *pair {
                let names = self.pairs.entry([a, b]).or_default();
                if names.last() != Some(&number) {
                    names.push(number);
                    count += 1;
                }
            }
        }
        self.lengths.push(count);
    }

    /// How close a label comes to one of the longer names: the share of pairs of letters that both have (Dice), and the
    /// share of the name's that are found in the label.
    pub(super) fn closeness(&self, label: &str) -> (f32, f32) {
        let look = look(head(label));
        let mut hits = vec![0_u16; self.lengths.len()];
        let mut seen: Vec<[u8; 2]> =
            look.as_bytes().windows(2).filter_map(|w| <[u8; 2]>::try_from(w).ok()).collect();
        seen.sort_unstable();
        seen.dedup();
        for name in seen.iter().filter_map(|pair| self.pairs.get(pair)).flatten() {
            if let Some(hit) = hits.get_mut(usize::from(*name)) {
                *hit += 1;
            }
        }
        let all = u16::try_from(seen.len()).unwrap_or(u16::MAX);
        hits.iter().zip(&self.lengths).filter(|(hit, _)| **hit > 1).fold(
            (0.0, 0.0),
            |(dice, held), (hit, length)| {
                let (hit, length) = (f32::from(*hit), f32::from(*length));
                (dice.max(2.0 * hit / (length + f32::from(all))), held.max(hit / length))
            },
        )
    }

    pub(super) fn name(&self, at: usize) -> &str {
        self.names.get(at).map_or("", |name| name)
    }

    /// Whether a host belongs to the owner of a name.
    pub(super) fn is_official(&self, host: &str) -> bool {
        let mut rest = host;
        loop {
            if self.domains.contains(rest) {
                return true;
            }
            match rest.split_once('.') {
                Some((_, shorter)) => rest = shorter,
                None => return false,
            }
        }
    }

    /// The worst way in which a host borrows a name, and which name. `label` is the first label of the registrable name
    /// and `subdomain` what stands before it, both in Unicode.
    pub(super) fn borrowed(&self, label: &str, subdomain: &str) -> Option<(Likeness, usize)> {
        let label = head(label);
        let own = self.label(label);
        let before = subdomain.split('.').rev().take(8).filter_map(|part| self.label(head(part))).map(
            |(likeness, at)| (if likeness < Likeness::Misspelt { Likeness::Subdomain } else { likeness }, at),
        );
        let whole = self.whole(subdomain, label);
        own.into_iter().chain(before).chain(whole).max_by_key(|(likeness, _)| *likeness)
    }

    /// The domain of an owner, as it is, at the end of what stands before the registrable name: `paypal.com.x.net`, or
    /// with a hyphen for the dot (`paypal-com.x.net`).
    fn whole(&self, subdomain: &str, label: &str) -> Option<(Likeness, usize)> {
        let mut rest = subdomain.get(subdomain.len().saturating_sub(253)..).unwrap_or_default();
        while !rest.is_empty() {
            let named = |domain: &str| self.looks.get(&*look(domain.split('.').next()?)).copied();
            if rest.contains('.') && self.domains.contains(rest) {
                return Some((Likeness::Whole, named(rest)?));
            }
            let joined = format!("{rest}.{}", label.split('-').next()?);
            if label.contains('-') && self.domains.contains(joined.as_str()) {
                return Some((Likeness::Whole, named(&joined)?));
            }
            rest = rest.split_once('.').map_or("", |(_, shorter)| shorter);
        }
        None
    }

    /// How one label borrows a name.
    fn label(&self, label: &str) -> Option<(Likeness, usize)> {
        if label.len() < 3 {
            return None;
        }
        let look = look(label);
        if let Some(at) = self.looks.get(&*look) {
            let same = self.name(*at) == label;
            return Some((if same { Likeness::Elsewhere } else { Likeness::LookAlike }, *at));
        }
        if look.len() >= LONG
            && let Some(at) = self.misspelt(&look)
        {
            return Some((Likeness::Misspelt, at));
        }
        self.joined(label)
    }

    fn misspelt(&self, look: &str) -> Option<usize> {
        let near = |at: &usize| {
            let name = self::look(self.name(*at));
            let allowed = match name.len() {
                13.. => 3,
                TWO.. => 2,
                _ => 1,
            };
            // A letter more at either end of a short name is another word: `apples`, `windowsx`.
            let longer = name.len() < 8 && look.len() > name.len() && look.contains(&*name);
            let first = name.len() < 7 && name.as_bytes().first() != look.as_bytes().first();
            name.len() > LONG && !longer && !first && distance(look.as_bytes(), name.as_bytes(), allowed)
        };
        let direct = self.shortened.get(look).into_iter().flatten().find(|at| near(at));
        let one = direct.copied().or_else(|| {
            without_one(look).find_map(|left| {
                let long = self.looks.get(left.as_str()).filter(|at| near(at));
                long.or_else(|| self.shortened.get(left.as_str())?.iter().find(|at| near(at))).copied()
            })
        });
        one.or_else(|| {
            // A letter exchanged makes two differences in the letters there are, at most.
            let mine = letters(look);
            let may = |(_, theirs, length): &&(usize, u32, usize)| {
                let allowed = if *length >= 13 { 3 } else { 2 };
                (mine ^ theirs).count_ones() <= 2 * allowed && length.abs_diff(look.len()) <= 3
            };
            self.long.iter().filter(may).map(|(at, _, _)| at).find(|at| near(at)).copied()
        })
    }

    /// The name as a word among others, or at one end of a longer word.
    fn joined(&self, label: &str) -> Option<(Likeness, usize)> {
        let words =
            || label.split(|c: char| c == '-' || c == '_' || c.is_ascii_digit()).filter(|w| !w.is_empty());
        let several = words().nth(1).is_some() || label.contains('-');
        for word in words().take(16) {
            if let Some(at) = self.looks.get(&*look(word))
                && (word.len() >= LONG || (several && words().any(is_lure)))
            {
                return Some((Likeness::Joined, *at));
            }
            if several
                && word.len() > LONG
                && let Some(at) = self.misspelt(&look(word))
            {
                return Some((Likeness::Misspelt, at));
            }
        }
        let found = self.inside.as_ref()?.find_iter(label.as_bytes()).find(|found| {
            let rest = (
                label.get(..found.start()).unwrap_or_default(),
                label.get(found.end()..).unwrap_or_default(),
            );
            let long = found.end() - found.start() >= 8;
            let beside =
                |word: &str| is_lure(word.trim_matches('-')) || LURES.iter().any(|l| word.contains(l));
            let apart = |word: &str, edge: Option<char>| word.is_empty() || edge == Some('-');
            let at_edge = apart(rest.0, rest.0.chars().last()) || apart(rest.1, rest.1.chars().next());
            (long && at_edge) || beside(rest.0) || beside(rest.1)
        })?;
        let at = self.of_inside.get(found.pattern().as_usize())?;
        Some((Likeness::Joined, *at))
    }

    /// Whether a text holds one of the longer names.
    pub(super) fn is_inside(&self, text: &[u8]) -> bool {
        self.inside.as_ref().is_some_and(|inside| inside.is_match(text))
    }
}

fn head(label: &str) -> &str {
    let end = label.char_indices().nth(LABEL).map_or(label.len(), |(at, _)| at);
    label.get(..end).unwrap_or_default()
}

/// Words that stand beside a borrowed name.
const LURES: &[&str] = &[
    "login", "logon", "signin", "secure", "securi", "verif", "update", "account", "support", "service",
    "online", "confirm", "wallet", "recover", "unlock", "alert", "billing", "payment", "auth", "valid",
    "claim", "bonus", "gift", "reward", "refund", "connect", "customer", "client", "banking", "helpdesk",
    "suspend", "activ", "password", "invoice",
];

fn is_lure(word: &str) -> bool {
    LURES.contains(&word)
        || [
            "help", "bank", "pay", "id", "my", "web", "mail", "app", "info", "team", "center", "centre",
            "care", "safe", "track", "parcel", "delivery", "fee", "tax", "card", "user", "cloud", "drop",
            "air", "free", "nitro", "code",
        ]
        .contains(&word)
}

/// Whether a word is one that stands beside borrowed names.
pub(super) fn is_lure_part(word: &str) -> bool {
    LURES.iter().any(|lure| word.contains(lure))
}

/// What a label looks like: UTS 39 skeletons, then digits and pairs of letters that pass for others.
pub(super) fn look(label: &str) -> Cow<'_, str> {
    let plain = label.bytes().all(|b| b.is_ascii_lowercase() && b != b'i')
        && !label.contains("rn")
        && !label.contains("vv");
    if plain {
        return Cow::Borrowed(label);
    }
    let skeleton: Cow<'_, str> = if label.is_ascii() {
        Cow::Borrowed(label)
    } else {
        let lower = label.to_lowercase();
        Cow::Owned(unicode_security::skeleton(&lower).filter(|c| !is_mark(*c)).collect())
    };
    let mut out = String::with_capacity(skeleton.len());
    for c in skeleton.chars().flat_map(char::to_lowercase) {
        let c = match c {
            '0' => 'o',
            '1' | 'i' | '|' | '!' => 'l',
            '3' => 'e',
            '4' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            '8' => 'b',
            '-' => continue,
            c => c,
        };
        match (c, out.chars().last()) {
            ('n', Some('r')) => {
                out.pop();
                out.push('m');
            }
            ('v', Some('v')) => {
                out.pop();
                out.push('w');
            }
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

const fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}')
}

/// Which letters a word has.
fn letters(word: &str) -> u32 {
    word.bytes().filter(u8::is_ascii_lowercase).fold(0, |all, b| all | 1 << (b - b'a'))
}

fn without_one(word: &str) -> impl Iterator<Item = String> {
    word.char_indices().map(|(at, c)| {
        let mut left = String::with_capacity(word.len());
        left.push_str(word.get(..at).unwrap_or_default());
        left.push_str(word.get(at + c.len_utf8()..).unwrap_or_default());
        left
    })
}

/// Whether two words differ by at most so many letters added, left out, exchanged, or swapped with their neighbour (optimal
/// string alignment).
fn distance(a: &[u8], b: &[u8], most: usize) -> bool {
    if a.len().abs_diff(b.len()) > most || a.len() > LABEL * 4 {
        return false;
    }
    let mut rows = [vec![0; b.len() + 1], (0..=b.len()).collect::<Vec<usize>>(), vec![0; b.len() + 1]];
    for (i, x) in a.iter().enumerate() {
        // Rows: the one before the last, the last, this one.
        let [before, last, row] = &mut rows;
        let get = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, y) in b.iter().enumerate() {
            let mut least =
                (get(last, j) + usize::from(x != y)).min(get(last, j + 1) + 1).min(get(row, j) + 1);
            if i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x) {
                least = least.min(get(before, j - 1) + 1);
            }
            if let Some(slot) = row.get_mut(j + 1) {
                *slot = least;
            }
        }
        rows.rotate_left(1);
    }
    let [_, last, _] = &rows;
    last.get(b.len()).is_some_and(|d| *d <= most)
}

/// Hosts under which anybody may put a page or a file.
pub(super) static SHARED: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| include_str!("lists/shared.txt").lines().collect());

/// Whether a host is one of these or under one. `hosts` is sorted by bytes.
pub(super) fn stands_in(hosts: &[&str], host: &str) -> bool {
    let mut rest = host;
    loop {
        if hosts.binary_search(&rest).is_ok() {
            return true;
        }
        match rest.split_once('.') {
            Some((_, shorter)) => rest = shorter,
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brands() -> Brands {
        Brands::new(Brands::lines(include_str!("lists/brands.txt")))
    }

    #[test]
    fn borrowed_names_are_told() {
        let brands = brands();
        let borrowed = |label: &str, subdomain: &str| {
            brands.borrowed(label, subdomain).map(|(likeness, at)| (likeness, brands.name(at).to_owned()))
        };
        for (label, subdomain, likeness, name) in [
            ("paypal", "", Likeness::Elsewhere, "paypal"),
            ("paypa1", "", Likeness::LookAlike, "paypal"),
            ("раураl", "", Likeness::LookAlike, "paypal"),
            ("pay-pal", "", Likeness::LookAlike, "paypal"),
            ("arnazon", "", Likeness::LookAlike, "amazon"),
            ("rnicrosoft", "", Likeness::LookAlike, "microsoft"),
            ("payapl", "", Likeness::Misspelt, "paypal"),
            ("steancommumity", "", Likeness::Misspelt, "steamcommunity"),
            ("paypal-login", "", Likeness::Joined, "paypal"),
            ("securepaypal", "", Likeness::Joined, "paypal"),
            ("dhl-parcel", "", Likeness::Joined, "dhl"),
            ("example", "paypal", Likeness::Subdomain, "paypal"),
            ("example", "paypal.com", Likeness::Whole, "paypal"),
            ("com-x", "www.paypal", Likeness::Whole, "paypal"),
            ("login", "www.amazon.co.uk", Likeness::Whole, "amazon"),
        ] {
            assert_eq!(borrowed(label, subdomain), Some((likeness, name.to_owned())), "{subdomain} {label}");
        }
        for (label, subdomain) in [
            ("example", "www"),
            ("apples", ""),
            ("ample", ""),
            ("amazing", ""),
            ("shipping", ""),
            ("upside", ""),
            ("boring", ""),
            ("stream", ""),
            ("windowsill", ""),
            ("purchase", ""),
            ("orangery", ""),
            ("university", ""),
            ("wisdom", ""),
            ("king", ""),
            ("visage", ""),
            ("freedom", ""),
            ("bookings", ""),
            ("master", ""),
        ] {
            assert_eq!(borrowed(label, subdomain), None, "{subdomain} {label}");
        }
        assert!(brands.is_official("www.paypal.com") && !brands.is_official("paypal.com.evil.net"));
    }

    #[test]
    fn distances_are_those_of_optimal_string_alignment() {
        assert!(
            distance(b"paypal", b"payapl", 1)
                && distance(b"paypal", b"paypl", 1)
                && distance(b"paypal", b"paypxl", 1)
        );
        assert!(
            !distance(b"paypal", b"paxpxl", 1)
                && distance(b"paypal", b"paxpxl", 2)
                && !distance(b"abc", b"abcdef", 2)
        );
    }

    #[test]
    fn lists_are_sorted() {
        for list in [include_str!("lists/shorteners.txt"), include_str!("lists/shared.txt")] {
            let hosts: Vec<&str> = list.lines().collect();
            assert!(hosts.is_sorted() && !hosts.is_empty());
        }
    }
}

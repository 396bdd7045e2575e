//! What the model sees of an address. Scheme and a leading `www.` are not among it: lists differ in them, threats do not.

use chatward_suffix::{self as suffix, divide};

use super::brand::{Brands, Likeness, SHARED, is_lure_part, stands_in};
use super::parsed::is_under;

/// So many numbers describe an address.
pub const NUMBERS: usize = 60;
/// Longer addresses are cut: hosts are no longer, and paths say enough by then.
const LONGEST: usize = 512;
/// Runs of letters of these lengths are looked at.
const SHORTEST_RUN: usize = 2;
const LONGEST_RUN: usize = 5;

/// Which of the numbers says that the host belongs to the owner of a brand and nobody else can put anything there.
pub(super) const OWNERS: usize = 20;

/// Where in an address something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// In the host.
    Host,
    /// Behind it.
    Path,
}

/// An address, cut into the parts that are looked at.
pub(super) struct Parts {
    /// In lower case, without `www.`.
    text: String,
    host: usize,
    port: bool,
    user: bool,
    upper: usize,
    raw_length: usize,
    suffix: usize,
    registrable: usize,
    private: bool,
    is_ip: bool,
}

impl Parts {
    /// Cuts an address; scheme, user and a leading `www.` are left out.
    pub(super) fn of(url: &str) -> Self {
        let url = url.trim();
        let rest =
            url.split_once("://").filter(|(scheme, _)| scheme.len() < 20 && !scheme.contains(['.', '/']));
        let rest = rest.map_or(url, |(_, rest)| rest);
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, host) =
            authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
                (host, !matches!(port, "" | "80" | "443"))
            }
            _ => (host, false),
        };
        let mut text = host.trim_end_matches('.').to_lowercase();
        if text.starts_with("www.") && text.len() > 6 {
            text.drain(..4);
        }
        cut(&mut text, 253);
        let host = text.len();
        let bare = path.trim_end_matches(['/', '?', '#']);
        let upper = bare.bytes().filter(u8::is_ascii_uppercase).count();
        text.push_str(&bare.to_ascii_lowercase());
        let raw_length = text.len();
        cut(&mut text, LONGEST);
        let mut this = Self {
            host: host.min(text.len()),
            port,
            user: user.is_some(),
            upper,
            raw_length,
            suffix: 0,
            registrable: 0,
            private: false,
            is_ip: false,
            text,
        };
        this.divide();
        this
    }

    fn divide(&mut self) {
        let host = self.text.get(..self.host).unwrap_or_default();
        self.is_ip = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
        if self.is_ip {
            (self.suffix, self.registrable) = (self.host, 0);
            return;
        }
        let division = divide(host);
        self.private = division.is_some_and(|of| of.kind == suffix::Kind::Private);
        self.suffix = division.map_or(self.host, |of| of.suffix);
        self.registrable = division.and_then(|of| of.registered).unwrap_or_default();
    }

    pub(super) fn host(&self) -> &str {
        self.text.get(..self.host).unwrap_or_default()
    }

    fn path(&self) -> &str {
        self.text.get(self.host..).unwrap_or_default()
    }

    fn suffix(&self) -> &str {
        self.text.get(self.suffix..self.host).unwrap_or_default()
    }

    fn label(&self) -> &str {
        self.text.get(self.registrable..self.suffix).unwrap_or_default().trim_end_matches('.')
    }

    /// The name that somebody registered; the host if nobody did.
    pub(super) fn registrable(&self) -> &str {
        self.text.get(self.registrable..self.host).unwrap_or_default()
    }

    fn subdomain(&self) -> &str {
        self.text.get(..self.registrable).unwrap_or_default().trim_end_matches('.')
    }
}

fn cut(text: &mut String, longest: usize) {
    let mut end = text.len().min(longest);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}

/// Hands out the hash of everything that the linear part of the model knows of an address.
pub(super) fn each_hash(parts: &Parts, take: &mut impl FnMut(Part, u32)) {
    let host = parts.host();
    if !parts.is_ip {
        runs(1, parts.label().as_bytes(), &mut |hash| take(Part::Host, hash));
        if !parts.subdomain().is_empty() {
            runs(2, parts.subdomain().as_bytes(), &mut |hash| take(Part::Host, hash));
        }
        words(3, host, &mut |hash| take(Part::Host, hash));
        take(Part::Host, whole(4, parts.suffix().as_bytes()));
        let last = parts.suffix().rsplit('.').next().unwrap_or_default();
        take(Part::Host, whole(5, last.as_bytes()));
        take(Part::Host, whole(6, &shape(parts.label())));
    }
    let path = parts.path();
    if !path.is_empty() {
        runs(7, path.as_bytes(), &mut |hash| take(Part::Path, hash));
        words(8, path, &mut |hash| take(Part::Path, hash));
        for part in path.split(['/', '?', '&', '=', '#']).filter(|part| !part.is_empty()).take(24) {
            take(Part::Path, whole(9, part.as_bytes()));
            take(Part::Path, whole(10, &shape(part)));
        }
    }
}

/// FNV-1a with a last stir.
const fn step(hash: u32, b: u8) -> u32 {
    (hash ^ b as u32).wrapping_mul(0x0100_0193)
}

const fn stir(hash: u32) -> u32 {
    let hash = (hash ^ (hash >> 15)).wrapping_mul(0x2C1B_3C6D);
    hash ^ (hash >> 13)
}

fn seed(field: u8) -> u32 {
    step(0x811C_9DC5, field)
}

fn runs(field: u8, text: &[u8], take: &mut impl FnMut(u32)) {
    let at = |i: usize| match i {
        0 => b'^',
        i => text.get(i - 1).copied().unwrap_or(b'$'),
    };
    let length = text.len() + 2;
    for start in 0..length - 1 {
        let mut hash = seed(field);
        for (n, i) in (start..length.min(start + LONGEST_RUN)).enumerate() {
            hash = step(hash, at(i));
            if n + 1 >= SHORTEST_RUN {
                take(stir(hash));
            }
        }
    }
}

fn whole(field: u8, text: &[u8]) -> u32 {
    stir(text.iter().fold(seed(field), |hash, b| step(hash, *b)))
}

fn words(field: u8, text: &str, take: &mut impl FnMut(u32)) {
    let letters = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.len() >= 3);
    for word in letters.take(48) {
        take(whole(field, word.as_bytes()));
    }
}

/// Kinds of characters and how long their runs are.
fn shape(text: &str) -> Vec<u8> {
    let kind = |b: &u8| match b {
        b'a'..=b'z' => b'a',
        b'0'..=b'9' => b'9',
        b => *b,
    };
    let mut out = Vec::with_capacity(16);
    for run in text.as_bytes().chunk_by(|a, b| kind(a) == kind(b)).take(12) {
        let length = match run.len() {
            n @ 0..=3 => n,
            4..=5 => 4,
            6..=8 => 5,
            9..=12 => 6,
            13..=20 => 7,
            21..=32 => 8,
            _ => 9,
        };
        out.extend(run.first().map(kind));
        out.push(b'0' + u8::try_from(length).unwrap_or(9));
    }
    out
}

/// Names of the numbers, in their order.
pub const NAMES: [&str; NUMBERS] = [
    "length of the host",
    "labels",
    "length of the subdomain",
    "length of the name",
    "length of the suffix",
    "digits in the host",
    "share of digits in the name",
    "hyphens in the host",
    "hyphens in the name",
    "longest label",
    "disorder of the name",
    "share of vowels in the name",
    "longest run without a vowel",
    "turns between digits and letters",
    "kind of suffix",
    "suffix of a company",
    "IP address",
    "port",
    "user",
    "punycode",
    "owner's own domain",
    "borrowed name",
    "name of a brand inside the host",
    "name of a brand inside the path",
    "words that lure in the host",
    "words that lure in the path",
    "length of the path",
    "depth of the path",
    "length of the query",
    "pairs in the query",
    "digits in the path",
    "capitals in the path",
    "percent signs",
    "longest run of hex digits",
    "longest word in the path",
    "kind of file",
    "slashes in a row",
    "folder of WordPress",
    "dots in the path",
    "hyphens in the path",
    "address in the path",
    "mail address in the path",
    "disorder of the path",
    "whole length",
    "words of a home page",
    "numbers in the subdomain",
    "first label is www-like",
    "name repeats letters",
    "rarest pair in the name",
    "mean pair in the name",
    "rarest pair in the subdomain",
    "mean pair in the subdomain",
    "tilde",
    "words of education",
    "words of banks",
    "language of the suffix",
    "closeness of the name to a brand",
    "share of a brand in the name",
    "closeness of the subdomain to a brand",
    "words that promise",
];

#[expect(clippy::cast_precision_loss, reason = "counts within an address")]
fn number(n: usize) -> f32 {
    n as f32
}

fn count(text: &str, what: impl Fn(u8) -> bool) -> f32 {
    number(text.bytes().filter(|b| what(*b)).count())
}

fn longest(text: &str, what: impl Fn(u8) -> bool) -> f32 {
    let (mut most, mut now) = (0, 0);
    for b in text.bytes() {
        now = if what(b) { now + 1 } else { 0 };
        most = most.max(now);
    }
    number(most)
}

fn share(part: f32, whole: usize) -> f32 {
    if whole == 0 { 0.0 } else { part / number(whole) }
}

/// Shannon's entropy of the characters, in bits.
pub(super) fn disorder(text: &str) -> f32 {
    let mut counts = [0_u16; 256];
    for b in text.bytes() {
        if let Some(slot) = counts.get_mut(usize::from(b)) {
            *slot = slot.saturating_add(1);
        }
    }
    let all = number(text.len());
    counts.iter().filter(|n| **n > 0).map(|n| f32::from(*n) / all).map(|p| -p * p.log2()).sum()
}

const fn is_vowel(b: u8) -> bool {
    matches!(b, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

/// The numbers that describe an address.
pub(super) fn numbers(parts: &Parts, brands: &Brands) -> [f32; NUMBERS] {
    let mut out = [0.0; NUMBERS];
    let values = host_numbers(parts)
        .into_iter()
        .chain(name_numbers(parts, brands))
        .chain(path_numbers(parts))
        .chain(last_numbers(parts));
    for (slot, value) in out.iter_mut().zip(values.chain(close_numbers(parts, brands))) {
        *slot = value;
    }
    out
}

fn host_numbers(parts: &Parts) -> [f32; 20] {
    let (host, label, sub) = (parts.host(), parts.label(), parts.subdomain());
    let digit = |b: u8| b.is_ascii_digit();
    let turns = label.as_bytes().windows(2).filter(|w| matches!(w, [a, b] if digit(*a) != digit(*b))).count();
    [
        number(host.len()),
        number(host.split('.').count()),
        number(sub.len()),
        number(label.len()),
        number(parts.suffix().len()),
        count(host, digit),
        share(count(label, digit), label.len()),
        count(host, |b| b == b'-'),
        count(label, |b| b == b'-'),
        number(host.split('.').map(str::len).max().unwrap_or_default()),
        disorder(label),
        share(count(label, is_vowel), label.len()),
        longest(label, |b| b.is_ascii_alphabetic() && !is_vowel(b)),
        number(turns),
        suffix_kind(parts.suffix()),
        f32::from(u8::from(parts.private)),
        f32::from(u8::from(parts.is_ip)),
        f32::from(u8::from(parts.port)),
        f32::from(u8::from(parts.user)),
        f32::from(u8::from(host.contains("xn--") || !host.is_ascii())),
    ]
}

/// Sorts of suffixes: old and general, of a country, schools and states, given away, cheap, of companies, other.
fn suffix_kind(suffix: &str) -> f32 {
    let last = suffix.rsplit('.').next().unwrap_or_default();
    let first = suffix.split('.').next().unwrap_or_default();
    if matches!(last, "edu" | "gov" | "mil" | "int")
        || matches!(first, "edu" | "ac" | "gov" | "gouv" | "gob" | "go" | "sch" | "mil")
    {
        return 0.0;
    }
    match last {
        "com" => 1.0,
        "net" | "org" => 2.0,
        "tk" | "ml" | "ga" | "cf" | "gq" => 7.0,
        "xyz" | "top" | "club" | "site" | "online" | "icu" | "buzz" | "live" | "shop" | "store" | "vip"
        | "win" | "bid" | "click" | "link" | "work" | "fun" | "cyou" | "sbs" | "bond" | "monster"
        | "rest" | "cfd" | "quest" | "website" | "space" | "loan" | "stream" | "gift" | "gdn" | "world"
        | "today" | "life" | "pro" | "info" | "biz" | "cc" | "ws" | "pw" => 6.0,
        _ if last.len() == 2 && suffix.len() > 2 => 4.0,
        _ if last.len() == 2 => 3.0,
        _ => 5.0,
    }
}

fn name_numbers(parts: &Parts, brands: &Brands) -> [f32; 6] {
    let (host, path) = (parts.host(), parts.path());
    let official = brands.is_official(host);
    let owners = official && !parts.private && !stands_in(&SHARED, host);
    let borrowed = if official { None } else { brands.borrowed(parts.label(), parts.subdomain()) };
    let lures = |text: &str| {
        number(
            text.split(|c: char| !c.is_ascii_alphabetic()).filter(|w| w.len() > 3 && is_lure_part(w)).count(),
        )
    };
    [
        f32::from(u8::from(owners)),
        borrowed.map_or(0.0, |(likeness, _)| match likeness {
            Likeness::Elsewhere => 1.0,
            Likeness::Subdomain => 2.0,
            Likeness::Joined => 3.0,
            Likeness::Misspelt => 4.0,
            Likeness::LookAlike => 5.0,
            Likeness::Whole => 6.0,
        }),
        f32::from(u8::from(!official && brands.is_inside(host.as_bytes()))),
        f32::from(u8::from(!official && brands.is_inside(path.as_bytes()))),
        lures(host),
        lures(path),
    ]
}

fn path_numbers(parts: &Parts) -> [f32; 20] {
    let path = parts.path();
    let (before, query) = path.split_once('?').unwrap_or((path, ""));
    let file = before.rsplit('/').next().unwrap_or_default();
    let known = ["wp-content", "wp-includes", "wp-admin", "/wp-"];
    [
        number(path.len()),
        count(before, |b| b == b'/'),
        number(query.len()),
        number(query.split('&').filter(|pair| !pair.is_empty()).count()),
        count(path, |b| b.is_ascii_digit()),
        number(parts.upper),
        count(path, |b| b == b'%'),
        longest(path, |b| b.is_ascii_hexdigit()),
        longest(path, |b| b.is_ascii_alphanumeric()),
        file_kind(file),
        f32::from(u8::from(path.contains("//"))),
        f32::from(u8::from(known.iter().any(|folder| path.contains(folder)))),
        count(path, |b| b == b'.'),
        count(path, |b| b == b'-'),
        f32::from(u8::from(path.contains("http") || path.contains("www.") || path.contains(".com"))),
        f32::from(u8::from(path.contains('@') || path.contains("%40"))),
        disorder(path),
        number(parts.raw_length),
        f32::from(u8::from(["index.", "home", "default."].iter().any(|word| file.starts_with(word)))),
        count(parts.subdomain(), |b| b.is_ascii_digit()),
    ]
}

fn file_kind(file: &str) -> f32 {
    let Some((_, ending)) = file.rsplit_once('.') else { return 0.0 };
    match ending {
        "html" | "htm" | "xhtml" | "shtml" => 1.0,
        "php" | "php3" | "php5" => 2.0,
        "asp" | "aspx" | "jsp" | "do" | "cgi" => 3.0,
        "exe" | "msi" | "apk" | "scr" | "bat" | "cmd" | "js" | "vbs" | "jar" | "ps1" | "dll" | "sh"
        | "bin" | "lnk" => 4.0,
        "zip" | "rar" | "7z" | "gz" | "iso" | "img" | "tar" => 5.0,
        "pdf" | "doc" | "docx" | "xls" | "xlsx" | "ppt" | "txt" | "md" => 6.0,
        "png" | "jpg" | "jpeg" | "gif" | "svg" | "css" | "ico" => 7.0,
        _ => 8.0,
    }
}

fn last_numbers(parts: &Parts) -> [f32; 10] {
    let (label, sub) = (parts.label(), parts.subdomain());
    let first = parts.host().split('.').next().unwrap_or_default();
    let doubled = label.as_bytes().windows(2).filter(|w| matches!(w, [a, b] if a == b)).count();
    let (rare, mean) = pairs(label);
    let (rare_before, mean_before) = pairs(sub);
    let has = |words: &[&str]| f32::from(u8::from(words.iter().any(|word| parts.host().contains(word))));
    [
        f32::from(u8::from(["ww", "web", "m", "mail"].iter().any(|w| first.starts_with(w)))),
        number(doubled),
        rare,
        mean,
        rare_before,
        mean_before,
        count(parts.path(), |b| b == b'~'),
        has(&["univ", "college", "school", "institut", "academ", "campus", "edu"]),
        has(&["bank", "banc", "credit", "kasse", "finan", "trust", "saving"]),
        f32::from(u8::from(is_under(parts.suffix(), "com") || is_under(parts.suffix(), "org"))),
    ]
}

fn close_numbers(parts: &Parts, brands: &Brands) -> [f32; 4] {
    let host = parts.host();
    if brands.is_official(host) {
        return [0.0; 4];
    }
    let (dice, held) = brands.closeness(parts.label());
    let before = parts.subdomain().split('.').map(|part| brands.closeness(part).0).fold(0.0, f32::max);
    let promises = [
        "airdrop", "nitro", "gift", "bonus", "promo", "drop", "skin", "trade", "mint", "nft", "swap", "defi",
        "dapp", "token", "reward", "claim", "event", "givea", "free", "win", "prize", "crypto", "coin",
        "invest",
    ];
    [dice, held, before, number(promises.iter().filter(|word| host.contains(**word)).count())]
}

/// How common pairs of letters in the text are: the rarest and the mean, in steps of the table of English letter pairs.
fn pairs(text: &str) -> (f32, f32) {
    let (mut least, mut sum, mut all) = (9.0_f32, 0.0, 0_usize);
    for pair in text.as_bytes().windows(2) {
        if let [a, b] = pair
            && a.is_ascii_lowercase()
            && b.is_ascii_lowercase()
        {
            let value = PAIRS
                .get(usize::from(a - b'a') * 26 + usize::from(b - b'a'))
                .map_or(0.0, |digit| f32::from(digit.saturating_sub(b'0')));
            least = least.min(value);
            sum += value;
            all += 1;
        }
    }
    if all == 0 { (9.0, 9.0) } else { (least, share(sum, all)) }
}

/// How common each pair of letters is in everyday words, from 0 to 9: the pair `ab` at 26 × a + b (`lists/README.md`).
const PAIRS: &[u8; 676] = include_bytes!("lists/pairs.txt");

//! What an indicator names, and the one form in which such things are compared.
//!
//! Feeds and customers write the same address in many ways. Both sides go through the constructors here, so that what is
//! equal is equal byte by byte: names in lower case and in the form of IDNA (UTS 46), addresses as WHATWG reads them,
//! paths with percent signs undone and `.`, `..` and doubled slashes resolved (as Safe Browsing's canonicalisation has it).

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Url;

/// The longest value that is read, in bytes.
pub const LONGEST: usize = 4096;
/// The longest domain name (RFC 1035), in bytes.
const LONGEST_NAME: usize = 253;

/// What an indicator names, in the form in which it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// A name, and everything below it.
    Domain(Box<str>),
    /// A place on a host: a path or a query. An address that names neither is its host.
    Url(Place),
    /// One IP address, or a block of them.
    Network(Network),
    /// A file.
    File(FileHash),
    /// An e-mail address.
    Email(Box<str>),
}

/// A text is not of the form that it is taken for. Holds none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum ValueFault {
    /// Nothing is there.
    #[error("is empty")]
    Empty,
    /// Longer than [`LONGEST`].
    #[error("is longer than {LONGEST} bytes")]
    TooLong,
    /// Not a domain name with at least two labels.
    #[error("is not a domain name")]
    Domain,
    /// Not an address that a browser opens (http, https, ftp, ws, wss).
    #[error("is not a URL of the web")]
    Url,
    /// Not an IP address, or a block of them.
    #[error("is not an IP address or a block of them")]
    Network,
    /// Not MD5, SHA-1 or SHA-256 in hexadecimal.
    #[error("is not an MD5, SHA-1 or SHA-256 in hexadecimal")]
    File,
    /// Not an e-mail address.
    #[error("is not an e-mail address")]
    Email,
    /// None of the forms that are told by themselves.
    #[error("is none of the things that can be looked for")]
    Unknown,
}

impl Value {
    /// A domain name: `evil.example`, `*.evil.example`, `evil.example.`, in any script.
    ///
    /// # Errors
    /// [`ValueFault::Domain`] if it is none, or has one label only.
    pub fn domain(text: &str) -> Result<Self, ValueFault> {
        let text = bounded(text)?;
        let text = text.strip_prefix("*.").or_else(|| text.strip_prefix('.')).unwrap_or(text);
        Ok(Self::Domain(name(text)?.into()))
    }

    /// A URL, with or without its scheme. What has neither path nor query is its host: a domain or an address.
    ///
    /// # Errors
    /// [`ValueFault::Url`] if a browser would not open it.
    pub fn url(text: &str) -> Result<Self, ValueFault> {
        let place = Place::parse(bounded(text)?)?;
        if !place.is_root() {
            return Ok(Self::Url(place));
        }
        Ok(match place.host {
            Host::Name(name) => Self::Domain(name),
            Host::Address(address) => Self::Network(Network::one(address)),
        })
    }

    /// An IP address (`192.0.2.7`, `2001:db8::7`) or a block of them (`192.0.2.0/24`).
    ///
    /// # Errors
    /// [`ValueFault::Network`].
    pub fn network(text: &str) -> Result<Self, ValueFault> {
        Ok(Self::Network(Network::parse(bounded(text)?)?))
    }

    /// A file by its MD5, SHA-1 or SHA-256, told by the length.
    ///
    /// # Errors
    /// [`ValueFault::File`].
    pub fn file(text: &str) -> Result<Self, ValueFault> {
        Ok(Self::File(FileHash::parse(bounded(text)?)?))
    }

    /// An e-mail address.
    ///
    /// # Errors
    /// [`ValueFault::Email`].
    pub fn email(text: &str) -> Result<Self, ValueFault> {
        let text = bounded(text)?;
        let text = text.strip_prefix("mailto:").unwrap_or(text);
        let (local, domain) = text.rsplit_once('@').ok_or(ValueFault::Email)?;
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '@' | '/');
        if local.is_empty() || local.len() > 64 || local.contains(odd) {
            return Err(ValueFault::Email);
        }
        let domain = name(domain).map_err(|_| ValueFault::Email)?;
        Ok(Self::Email(format!("{}@{domain}", local.to_lowercase()).into()))
    }

    /// Whatever it is: hash, address, URL, e-mail address or domain name.
    ///
    /// # Errors
    /// [`ValueFault::Unknown`] if it is none of them.
    pub fn guess(text: &str) -> Result<Self, ValueFault> {
        let text = bounded(text)?;
        if let Ok(hash) = FileHash::parse(text) {
            return Ok(Self::File(hash));
        }
        if let Ok(network) = Network::parse(text) {
            return Ok(Self::Network(network));
        }
        if text.contains("://") {
            return Self::url(text);
        }
        if text.contains('@') && !text.contains('/') {
            return Self::email(text);
        }
        if text.contains(['/', '?', ':']) {
            return Self::url(text).map_err(|_| ValueFault::Unknown);
        }
        Self::domain(text).map_err(|_| ValueFault::Unknown)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(text) | Self::Email(text) => f.write_str(text),
            Self::Url(place) => write!(f, "http://{}", place.text()),
            Self::Network(network) => network.fmt(f),
            Self::File(hash) => hash.fmt(f),
        }
    }
}

/// Whose a place is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A name, in the form of [`Value::Domain`].
    Name(Box<str>),
    /// An address.
    Address(IpAddr),
}

/// A host with a path and a query: no scheme, no port, no user, no fragment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    host: Host,
    /// Host, path (without a slash at its end) and query (with its `?`), one after the other.
    text: Box<str>,
    host_ends: usize,
    path_ends: usize,
}

impl Place {
    fn parse(text: &str) -> Result<Self, ValueFault> {
        let with_scheme = match text.find("://") {
            Some(at) if at <= 8 => Cow::Borrowed(text),
            _ => Cow::Owned(format!("http://{text}")),
        };
        let url = Url::parse(&with_scheme).map_err(|_| ValueFault::Url)?;
        if !matches!(url.scheme(), "http" | "https" | "ftp" | "ws" | "wss") {
            return Err(ValueFault::Url);
        }
        let host = match url.host().ok_or(ValueFault::Url)? {
            url::Host::Domain(domain) => Host::Name(name(domain).map_err(|_| ValueFault::Url)?.into()),
            url::Host::Ipv4(address) => Host::Address(address.into()),
            url::Host::Ipv6(address) => Host::Address(plain(address.into())),
        };
        let mut text = match &host {
            Host::Name(name) => name.to_string(),
            Host::Address(address) => address.to_string(),
        };
        let host_ends = text.len();
        path(url.path(), &mut text);
        let path_ends = text.len();
        if let Some(query) = url.query().filter(|query| !query.is_empty()) {
            text.push('?');
            escape(&unescape(query.as_bytes()), false, &mut text);
        }
        Ok(Self { host, text: text.into(), host_ends, path_ends })
    }

    /// Whose it is.
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Whether it names neither path nor query.
    pub fn is_root(&self) -> bool {
        self.host_ends == self.text.len()
    }

    /// What stands in [`Place::text`] from here, where a label of the host begins, to there, which is behind the host.
    pub(super) fn part(&self, start: usize, end: usize) -> Option<Self> {
        let host = match &self.host {
            Host::Name(_) => Host::Name(self.text.get(start..self.host_ends)?.into()),
            Host::Address(address) => Host::Address(*address),
        };
        Some(Self {
            host,
            text: self.text.get(start..end)?.into(),
            host_ends: self.host_ends.checked_sub(start)?,
            path_ends: self.path_ends.min(end).checked_sub(start)?,
        })
    }

    /// Whether it names a query.
    pub(crate) fn has_query(&self) -> bool {
        self.path_ends < self.text.len()
    }

    /// Host, path and query.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Host and path.
    pub(crate) fn without_query(&self) -> &str {
        self.text.get(..self.path_ends).unwrap_or_default()
    }

    /// Where the host ends in [`Place::text`].
    pub(crate) const fn host_ends(&self) -> usize {
        self.host_ends
    }
}

/// One address, or a block of them (CIDR, RFC 4632, RFC 4291).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    address: IpAddr,
    length: u8,
}

impl Network {
    /// One address. What is IPv4 in an IPv6 form (`::ffff:192.0.2.7`) is IPv4.
    pub fn one(address: IpAddr) -> Self {
        let address = plain(address);
        Self { address, length: bits(address) }
    }

    fn parse(text: &str) -> Result<Self, ValueFault> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address = address.trim_start_matches('[').trim_end_matches(']');
        let read: IpAddr = address.parse().map_err(|_| ValueFault::Network)?;
        let one = Self::one(read);
        let Some(length) = length else { return Ok(one) };
        if length.is_empty() || length.len() > 3 || !length.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ValueFault::Network);
        }
        let length: u8 = length.parse().map_err(|_| ValueFault::Network)?;
        // The bits that an IPv4 address has in front of it in its IPv6 form.
        let length = match (read.is_ipv6(), one.address.is_ipv4()) {
            (true, true) => length.checked_sub(96).ok_or(ValueFault::Network)?,
            _ => length,
        };
        one.block(length).ok_or(ValueFault::Network)
    }

    /// The block of this many leading bits around its address; nothing if an address has not so many.
    pub fn block(self, length: u8) -> Option<Self> {
        if length > bits(self.address) {
            return None;
        }
        let address = match self.address {
            IpAddr::V4(a) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                Ipv4Addr::from(u32::from(a) & mask).into()
            }
            IpAddr::V6(a) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                Ipv6Addr::from(u128::from(a) & mask).into()
            }
        };
        Some(Self { address, length })
    }

    /// The first address.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// How many leading bits all of it has in common.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Whether it is one address.
    pub fn is_one(self) -> bool {
        self.length == bits(self.address)
    }

    /// Whether all of `other` is in it.
    pub fn holds(self, other: Self) -> bool {
        self.length <= other.length && other.block(self.length) == Some(self)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_one() { self.address.fmt(f) } else { write!(f, "{}/{}", self.address, self.length) }
    }
}

/// A file by the hash of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileHash {
    /// MD5 (RFC 1321).
    Md5([u8; 16]),
    /// SHA-1.
    Sha1([u8; 20]),
    /// SHA-256.
    Sha256([u8; 32]),
}

impl FileHash {
    fn parse(text: &str) -> Result<Self, ValueFault> {
        match text.len() {
            32 => hex(text).map(Self::Md5),
            40 => hex(text).map(Self::Sha1),
            64 => hex(text).map(Self::Sha256),
            _ => None,
        }
        .ok_or(ValueFault::File)
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8] {
        match self {
            Self::Md5(bytes) => bytes,
            Self::Sha1(bytes) => bytes,
            Self::Sha256(bytes) => bytes,
        }
    }
}

impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    for (to, pair) in out.iter_mut().zip(text.as_bytes().chunks(2)) {
        let [high, low] = pair else { return None };
        let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        *to = digit(high)? << 4 | digit(low)?;
    }
    Some(out)
}

fn bounded(text: &str) -> Result<&str, ValueFault> {
    let text = text.trim();
    match text.len() {
        0 => Err(ValueFault::Empty),
        1..=LONGEST => Ok(text),
        _ => Err(ValueFault::TooLong),
    }
}

/// An address in IPv6 form that stands for one of IPv4 is that one.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(a) => a.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

const fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// A domain name of at least two labels, in lower case and ASCII.
fn name(text: &str) -> Result<Cow<'_, str>, ValueFault> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let name = if text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_".contains(&b)) {
        Cow::Borrowed(text)
    } else if text.is_ascii() {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        match url::Host::parse(text) {
            Ok(url::Host::Domain(domain)) => Cow::Owned(domain),
            _ => return Err(ValueFault::Domain),
        }
    };
    let fits = |label: &str| {
        matches!(label.len(), 1..=63)
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|b| b.is_ascii_digit());
    if name.len() > LONGEST_NAME || !name.contains('.') || numeric || !name.split('.').all(fits) {
        return Err(ValueFault::Domain);
    }
    Ok(name)
}

/// Appends the path in its one form, without a slash at its end.
fn path(text: &str, out: &mut String) {
    let bytes = unescape(text.as_bytes());
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in bytes.split(|b| matches!(b, b'/' | b'\\')) {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    for part in parts {
        out.push('/');
        escape(part, true, out);
    }
}

/// Percent signs undone until nothing is left to undo, in one pass: what is undone may complete what stands before it.
fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        out.push(byte);
        while let [.., b'%', high, low] = *out.as_slice() {
            let Some(undone) = byte_of(high, low) else { break };
            out.truncate(out.len() - 3);
            out.push(undone);
        }
    }
    Cow::Owned(out)
}

fn byte_of(high: u8, low: u8) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// Appends the bytes with everything escaped that is not a visible character of ASCII.
fn escape(bytes: &[u8], in_path: bool, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        let special = matches!(byte, b'#' | b'%') || in_path && byte == b'?';
        if byte > b' ' && byte < 0x7f && !special {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from(DIGITS.get(usize::from(digit)).copied().unwrap_or(b'0')));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(text: &str) -> String {
        Value::url(text).unwrap().to_string()
    }

    #[test]
    fn one_place_has_one_form() {
        // After the test cases of Safe Browsing's documentation on canonical URLs.
        for (written, form) in [
            ("http://host.com/%25%32%35", "http://host.com/%25"),
            ("http://host.com/%25%32%35%25%32%35", "http://host.com/%25%25"),
            ("http://host.com/%2525252525252525", "http://host.com/%25"),
            ("http://www.google.com/blah/..", "www.google.com"),
            ("www.google.com/", "www.google.com"),
            ("http://www.evil.com/blah#frag", "http://www.evil.com/blah"),
            ("http://www.GOOgle.com/", "www.google.com"),
            ("http://www.google.com.../", ""),
            ("http://www.google.com/foo\tbar\rbaz\n2", "http://www.google.com/foobarbaz2"),
            ("http://evil.com/foo;bar", "http://evil.com/foo;bar"),
            ("http://host.com//twoslashes?more//slashes", "http://host.com/twoslashes?more//slashes"),
            ("http://3279880203/blah", "http://195.127.0.11/blah"),
            ("http://user:word@evil.com:8080/a%2Fb/", "http://evil.com/a/b"),
            ("hTTp://bÜcher.example/A", "http://xn--bcher-kva.example/A"),
            ("http://[::ffff:192.0.2.7]/x", "http://192.0.2.7/x"),
            ("http://evil.com?q", "http://evil.com?q"),
        ] {
            assert_eq!(Value::url(written).map(|v| v.to_string()).unwrap_or_default(), form, "{written}");
        }
    }

    #[test]
    fn what_is_a_host_alone_is_its_host() {
        assert_eq!(Value::url("https://evil.example:8443/"), Value::domain("EVIL.example."));
        assert_eq!(Value::url("http://192.0.2.7"), Value::network("192.0.2.7"));
        assert!(matches!(Value::url("http://evil.example/x"), Ok(Value::Url(_))));
    }

    #[test]
    fn kinds_are_told_by_their_form() {
        assert!(matches!(
            Value::guess("44d88612fea8a8f36de82e1278abb02f"),
            Ok(Value::File(FileHash::Md5(_)))
        ));
        assert!(matches!(Value::guess("2001:db8::/48"), Ok(Value::Network(_))));
        assert!(matches!(Value::guess("a@evil.example"), Ok(Value::Email(_))));
        assert!(matches!(Value::guess("evil.example/a@b"), Ok(Value::Url(_))));
        assert!(matches!(Value::guess("evil.example"), Ok(Value::Domain(_))));
        for odd in
            ["", "localhost", "a b.example", "javascript:alert(1)", "1.2.3", "..", "a..b", "mailto:x", "-"]
        {
            assert!(Value::guess(odd).is_err(), "{odd}");
        }
        assert_eq!(Value::guess(&"a".repeat(LONGEST + 1)), Err(ValueFault::TooLong));
    }

    #[test]
    fn blocks_hold_what_is_in_them() {
        let network = |text: &str| match Value::network(text).unwrap() {
            Value::Network(network) => network,
            other => panic!("{other:?}"),
        };
        assert!(network("198.51.100.0/24").holds(network("198.51.100.77")));
        assert!(!network("198.51.100.0/24").holds(network("198.51.101.1")));
        assert!(!network("198.51.100.0/24").holds(network("198.51.0.0/16")));
        assert!(network("2001:db8::/32").holds(network("2001:db8:1::/48")));
        assert_eq!(network("::ffff:198.51.100.9/120"), network("198.51.100.0/24"));
        assert_eq!(network("0.0.0.0/0").length(), 0);
        for odd in ["198.51.100.0/33", "1.2.3.4/", "1.2.3.4/+8", "::/129", "01.2.3.4.5"] {
            assert!(Value::network(odd).is_err(), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn the_form_of_a_form_is_itself(text in "\\PC{0,60}") {
            if let Ok(value) = Value::guess(&text) {
                prop_assert_eq!(Value::guess(&value.to_string()), Ok(value));
            }
        }

        #[test]
        fn the_form_of_a_url_is_itself(path in "[ -~]{0,40}") {
            let form = url(&format!("http://evil.example/x{path}"));
            prop_assert_eq!(url(&form), form.clone());
        }
    }
}

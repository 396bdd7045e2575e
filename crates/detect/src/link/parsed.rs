//! An address taken apart as a browser takes it apart.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use chatward_suffix::{self as suffix, Division, divide};
use url::{Host, ParseError, Url};

/// Stands in for the page an address without a host is relative to.
const NOWHERE: &str = "https://nowhere.invalid/";
/// Longer addresses are cut before they are read: no browser takes them.
const LONGEST: usize = 16 * 1024;

/// An address, read by the rules of the WHATWG URL standard: hosts in lower case and ASCII (UTS 46), numbers for hosts in
/// whatever notation as IP addresses, percent-encoded hosts decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Parsed {
    url: Url,
    /// Where in the host its public suffix begins, and the registrable name; nothing for IP addresses.
    suffix: Option<usize>,
    registrable: Option<usize>,
    private: bool,
    known: bool,
    disguised: bool,
}

/// What a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKind {
    /// A name.
    Name,
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
    /// None: `data:`, `javascript:`.
    None,
}

impl Parsed {
    /// Reads an address. Without a scheme it is taken for `http`; what is relative to a page is none.
    pub fn of(text: &str) -> Option<Self> {
        let text = cut(text.trim());
        match Url::parse(text) {
            // `example.com:8080/x`: a host and a port look like a scheme.
            Ok(url) if url.cannot_be_a_base() && is_host_and_port(text) => Self::bare(text),
            Ok(url) => Self::taken_apart(url, text),
            Err(ParseError::RelativeUrlWithoutBase) => Self::relative(text),
            Err(_) => is_host_and_port(text).then(|| Self::bare(text)).flatten(),
        }
    }

    /// Reads what stands where a page names an address: `//host/path` names a host, `path` and `#part` do not.
    pub fn of_target(text: &str) -> Option<Self> {
        let text = cut(text.trim());
        match Url::parse(text) {
            Err(ParseError::RelativeUrlWithoutBase) => {
                let url = Url::parse(NOWHERE).ok()?.join(text).ok()?;
                if url.host_str() == Some("nowhere.invalid") { None } else { Self::taken_apart(url, text) }
            }
            Ok(url) => Self::taken_apart(url, text),
            Err(_) => None,
        }
    }

    fn relative(text: &str) -> Option<Self> {
        if text.starts_with("//") || text.starts_with("\\\\") {
            return Self::of_target(text);
        }
        Self::bare(text)
    }

    fn bare(text: &str) -> Option<Self> {
        let mut whole = String::with_capacity(text.len() + 7);
        whole.push_str("http://");
        whole.push_str(text);
        Self::taken_apart(Url::parse(&whole).ok()?, &whole)
    }

    fn taken_apart(url: Url, written: &str) -> Option<Self> {
        let mut this =
            Self { url, suffix: None, registrable: None, private: false, known: false, disguised: false };
        match this.url.host() {
            Some(Host::Domain(name)) => {
                let trimmed = name.trim_end_matches('.');
                if trimmed.is_empty() || trimmed.len() > 253 {
                    return None;
                }
                if let Some(Division { suffix, registered, kind }) = divide(trimmed) {
                    this.suffix = Some(suffix);
                    this.registrable = registered;
                    this.private = kind == suffix::Kind::Private;
                    this.known = kind != suffix::Kind::Unlisted;
                }
            }
            Some(Host::Ipv4(address)) => this.disguised = !written.contains(&address.to_string()),
            Some(Host::Ipv6(_)) | None => {}
        }
        Some(this)
    }

    /// The scheme, in lower case: `http` when none was written.
    pub fn scheme(&self) -> &str {
        self.url.scheme()
    }

    /// The host in ASCII, without a last dot: a name (`xn--…` for other scripts), an IPv4 address, an IPv6 address in
    /// brackets; empty if there is none.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default().trim_end_matches('.')
    }

    /// What the host is.
    pub fn host_kind(&self) -> HostKind {
        match self.url.host() {
            Some(Host::Domain(_)) => HostKind::Name,
            Some(Host::Ipv4(address)) => HostKind::V4(address),
            Some(Host::Ipv6(address)) => HostKind::V6(address),
            None => HostKind::None,
        }
    }

    /// The name that somebody registered, by the public suffix list: `example.co.uk`, `user.github.io`.
    pub fn registrable(&self) -> Option<&str> {
        self.host().get(self.registrable?..)
    }

    /// The first label of the registrable name: `example`.
    pub fn label(&self) -> Option<&str> {
        self.registrable()?.split('.').next()
    }

    /// What stands before the registrable name, without the dot: `www.shop`.
    pub fn subdomain(&self) -> &str {
        let end = self.registrable.unwrap_or_default().saturating_sub(1);
        self.host().get(..end).unwrap_or_default()
    }

    /// The public suffix: `co.uk`, `github.io`.
    pub fn suffix(&self) -> Option<&str> {
        self.host().get(self.suffix?..)
    }

    /// Whether the suffix stands in the public suffix list.
    pub const fn is_suffix_known(&self) -> bool {
        self.known
    }

    /// Whether the suffix belongs to a company that lets anybody have a name under it (`github.io`, `web.app`).
    pub const fn is_suffix_private(&self) -> bool {
        self.private
    }

    /// The port, if it is not the scheme's own.
    pub fn port(&self) -> Option<u16> {
        self.url.port()
    }

    /// The path, percent-encoded; of addresses without a host everything behind the scheme.
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// What stands behind the `?`.
    pub fn query(&self) -> Option<&str> {
        self.url.query()
    }

    /// What stands behind the `#`.
    pub fn fragment(&self) -> Option<&str> {
        self.url.fragment()
    }

    /// What stands before an `@` in front of the host.
    pub fn userinfo(&self) -> Option<&str> {
        let (name, secret) = (self.url.username(), self.url.password());
        if name.is_empty() && secret.is_none() {
            return None;
        }
        let start = self.url.scheme().len() + 3;
        self.url.as_str().get(start..)?.split('@').next()
    }

    /// Names and values of the query, decoded.
    pub fn pairs(&self) -> impl Iterator<Item = (String, String)> {
        self.url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned()))
    }

    /// Whether the host is an IPv4 address that is not written as four numbers with dots (`0x7f000001`, `2130706433`).
    pub const fn is_disguised(&self) -> bool {
        self.disguised
    }

    /// Whether the host is `domain` or a name under it. `domain` is in ASCII and lower case.
    pub fn is_under(&self, domain: &str) -> bool {
        is_under(self.host(), domain)
    }

    /// The whole address, as it is compared and kept.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }
}

impl fmt::Debug for Parsed {
    /// Only scheme and host: paths may hold anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parsed")
            .field("scheme", &self.scheme())
            .field("host", &self.host())
            .finish_non_exhaustive()
    }
}

/// Whether `host` is `domain` or a name under it.
pub(super) fn is_under(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// Whether the name ends in a suffix of the list and has something before it. `host` is in lower case.
pub(super) fn is_public_name(host: &str) -> bool {
    divide(host).is_some_and(|of| of.kind != suffix::Kind::Unlisted && of.registered.is_some())
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

fn is_host_and_port(text: &str) -> bool {
    text.split_once(':').is_some_and(|(host, rest)| {
        host.contains('.')
            && rest.bytes().next().is_some_and(|b| b.is_ascii_digit())
            && rest.bytes().take_while(u8::is_ascii_digit).count() <= 5
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> String {
        Parsed::of(text).map(|parsed| parsed.host().to_owned()).unwrap_or_default()
    }

    #[test]
    fn hosts_are_read_as_browsers_read_them() {
        assert_eq!(host("HTTP://Example.COM./x"), "example.com");
        assert_eq!(host("http://3232235777/"), "192.168.1.1");
        assert_eq!(host("http://0xC0.0xA8.1.1"), "192.168.1.1");
        assert_eq!(host("http://0300.0250.1.1"), "192.168.1.1");
        assert_eq!(host("http://[::ffff:1.2.3.4]:80/"), "[::ffff:102:304]");
        assert_eq!(host("http://%65vil.com/"), "evil.com");
        assert_eq!(host("http://раураl.com/"), "xn--l-7sba6dbr.com");
        assert_eq!(host("http://paypal.com@evil.com/"), "evil.com");
        assert_eq!(host("example.com:8080/x"), "example.com");
        assert_eq!(host("user:pw@example.com/x"), "");
        assert_eq!(host("https:\\\\evil.com\\x"), "evil.com");
        assert!(Parsed::of("http://3232235777/").unwrap().is_disguised());
        assert!(!Parsed::of("http://192.168.1.1/").unwrap().is_disguised());
    }

    #[test]
    fn names_are_taken_apart_at_the_public_suffix() {
        let parsed = Parsed::of("https://a.b.example.co.uk/").unwrap();
        assert_eq!(parsed.registrable(), Some("example.co.uk"));
        assert_eq!(
            (parsed.suffix(), parsed.label(), parsed.subdomain()),
            (Some("co.uk"), Some("example"), "a.b")
        );
        let parsed = Parsed::of("user.github.io").unwrap();
        assert_eq!(parsed.registrable(), Some("user.github.io"));
        assert!(parsed.is_suffix_private());
        assert_eq!(Parsed::of("http://10.0.0.1/").unwrap().registrable(), None);
    }

    #[test]
    fn targets_of_pages_need_a_host() {
        assert!(Parsed::of_target("/path").is_none() && Parsed::of_target("#part").is_none());
        assert_eq!(Parsed::of_target("//evil.com/x").unwrap().host(), "evil.com");
        assert_eq!(Parsed::of_target("\\\\evil.com\\x").unwrap().host(), "evil.com");
        assert_eq!(Parsed::of_target("java\nscript:alert(1)").unwrap().scheme(), "javascript");
    }

    #[test]
    fn what_stands_before_the_host_is_known() {
        assert_eq!(Parsed::of("http://paypal.com@evil.com/").unwrap().userinfo(), Some("paypal.com"));
        assert_eq!(Parsed::of("http://a:b@evil.com/").unwrap().userinfo(), Some("a:b"));
        assert_eq!(Parsed::of("http://evil.com/@x").unwrap().userinfo(), None);
    }
}

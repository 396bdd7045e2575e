//! Who calls, and what the ids a caller gives are worth.
//!
//! A [`Caller`] is made only here: from one of the house's own API keys, from the credential that is passed on to the
//! bot, from the cookie of `/chat`, or as the one anonymous caller there is. Ids count only inside the caller: what is
//! stored is an HMAC over tenant, caller and the given id, so nobody can name another's conversation or customer.
//!
//! Limit: callers without any credential (no own keys configured, none sent) are one and the same caller to us.

mod rate;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chatward_message::{ConversationId, CustomerId, TenantId};
use http::{HeaderMap, HeaderValue, header};
use zeroize::{Zeroize, Zeroizing};

pub use rate::{Limited, Quota, RateKey, RateLimiter, Standing};

use crate::problem::Code;

/// Header that names the conversation.
pub const CONVERSATION_HEADER: &str = "chatward-conversation";
/// Header that names the customer; taken only from a trusted caller.
pub const CUSTOMER_HEADER: &str = "chatward-customer";
/// The longest id a caller may give, in bytes.
pub const GIVEN_ID_MAX: usize = 256;

/// How a caller showed who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// One of the house's own API keys.
    OwnKey {
        /// The caller's name in the configuration.
        name: Arc<str>,
        /// Whether it may name customers.
        trusted: bool,
    },
    /// A credential that is passed on to the bot; we only know its hash.
    PassedOn,
    /// The cookie that `/chat` set.
    Page,
    /// Nothing at all.
    Anonymous,
}

/// Who speaks. The only source of a trusted tenant and customer id.
#[derive(Clone, PartialEq, Eq)]
pub struct Caller {
    tenant: TenantId,
    origin: Origin,
    /// SHA-256 over what makes this caller this caller; the input of every HMAC over its ids.
    identity: [u8; 32],
    upstreams: Option<Arc<[Box<str>]>>,
    quota: Option<Quota>,
    /// Who is signed in on the page.
    signed_in: Option<CustomerId>,
}

impl Caller {
    /// From a credential that is passed on to the bot, or the anonymous caller if there is none. Only for a house
    /// without own keys: with own keys [`Callers::authenticate`] decides.
    fn passed_on(credential: Option<&[u8]>) -> Self {
        let (origin, identity) = match credential {
            Some(credential) => (Origin::PassedOn, identity("passed-on", credential)),
            None => (Origin::Anonymous, identity("anonymous", b"")),
        };
        Self {
            tenant: TenantId::default_tenant(),
            origin,
            identity,
            upstreams: None,
            quota: None,
            signed_in: None,
        }
    }

    /// In whose house.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// How the caller showed who it is.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether the caller may name customers with `Chatward-Customer`.
    pub fn trusted(&self) -> bool {
        matches!(self.origin, Origin::OwnKey { trusted: true, .. })
    }

    /// The caller's own request rate, if the configuration gives it one.
    pub fn quota(&self) -> Option<Quota> {
        self.quota
    }

    /// Under which key its requests are counted.
    pub fn rate_key(&self) -> RateKey {
        RateKey::caller(&self.identity)
    }

    /// Whether the caller may use this upstream.
    pub fn may_use(&self, upstream: &str) -> bool {
        self.upstreams.as_ref().is_none_or(|allowed| allowed.iter().any(|name| &**name == upstream))
    }

    /// The conversation the caller means by an id of its own.
    pub fn conversation(&self, id: &GivenId, keyed: impl KeyedHash) -> ConversationId {
        let parts: [&[u8]; 3] = [&self.identity, id.source.name(), id.bytes()];
        ConversationId::from_bytes(keyed.hash(&self.tenant, "conversation", &parts))
    }

    /// The customer the caller means by an id of its own. From the header it is taken only from a trusted caller.
    pub fn customer(&self, id: &GivenId, keyed: impl KeyedHash) -> Result<CustomerId, Code> {
        if id.source == IdSource::Header && !self.trusted() {
            return Err(Code::NotTrusted);
        }
        let parts: [&[u8]; 3] = [&self.identity, id.source.name(), id.bytes()];
        Ok(CustomerId::from_bytes(keyed.hash(&self.tenant, "customer", &parts)))
    }

    /// The page's browser, with this customer signed in to it. Whoever says so has seen the session.
    pub(crate) fn with_customer(self, customer: CustomerId) -> Self {
        let signed_in = (self.origin == Origin::Page).then_some(customer);
        Self { signed_in, ..self }
    }

    /// The customer behind the `/chat` page: whoever is signed in there, else the browser that holds the cookie. Nothing for
    /// other callers.
    pub fn page_customer(&self, keyed: impl KeyedHash) -> Option<CustomerId> {
        if self.signed_in.is_some() {
            return self.signed_in;
        }
        (self.origin == Origin::Page).then(|| {
            let parts: [&[u8]; 2] = [&self.identity, b"page"];
            CustomerId::from_bytes(keyed.hash(&self.tenant, "customer", &parts))
        })
    }

    /// A tag over the caller for look-ups that must stay inside it (a conversation recognised by its history).
    pub fn identity(&self) -> &[u8; 32] {
        &self.identity
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tenant, origin, identity: _hidden, upstreams, quota, signed_in: _ } = self;
        f.debug_struct("Caller")
            .field("tenant", tenant)
            .field("origin", origin)
            .field("upstreams", upstreams)
            .field("quota", quota)
            .finish_non_exhaustive()
    }
}

/// A keyed hash under the tenant's pepper, parts length-prefixed: `|tenant, purpose, parts| vault.name_key(…)`.
pub trait KeyedHash {
    /// The hash.
    fn hash(&self, tenant: &TenantId, purpose: &'static str, parts: &[&[u8]]) -> [u8; 16];
}

impl<F: Fn(&TenantId, &'static str, &[&[u8]]) -> [u8; 16]> KeyedHash for F {
    fn hash(&self, tenant: &TenantId, purpose: &'static str, parts: &[&[u8]]) -> [u8; 16] {
        self(tenant, purpose, parts)
    }
}

fn identity(kind: &str, value: &[u8]) -> [u8; 32] {
    // The kind is one of our own words without a zero byte, so the two parts cannot run into each other.
    let mut text = Zeroizing::new(Vec::with_capacity(kind.len() + value.len() + 1));
    text.extend_from_slice(kind.as_bytes());
    text.push(0);
    text.extend_from_slice(value);
    sha256(&text)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(nibble.into(), 16).unwrap_or('0'));
        }
    }
}

/// Where a caller gave an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdSource {
    /// In one of our headers.
    Header,
    /// In a field of the request (`metadata`, `safety_identifier`, `user`).
    Body,
}

impl IdSource {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Header => b"header",
            Self::Body => b"body",
        }
    }
}

/// An id as the caller wrote it. It may be an e-mail address: hidden from Debug, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct GivenId {
    text: Zeroizing<Box<str>>,
    source: IdSource,
}

impl GivenId {
    /// From a header: 1 to 256 bytes of UTF-8 without control characters, spaces around it taken off.
    pub fn from_header(headers: &HeaderMap, name: &'static str) -> Result<Option<Self>, Code> {
        let mut values = headers.get_all(name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            // Two programs on the way might each believe another one.
            return Err(Code::BadHeader);
        }
        let text = std::str::from_utf8(value.as_bytes()).map_err(|_| Code::BadHeader)?;
        Self::check(text, IdSource::Header).ok_or(Code::BadHeader).map(Some)
    }

    /// From a field of the request, under the same rule.
    pub fn from_body(text: &str) -> Result<Self, Code> {
        Self::check(text, IdSource::Body).ok_or(Code::BadRequest)
    }

    /// An id as the operator types it: it may have come in a header or in a body.
    pub(crate) fn named(text: &str) -> Result<[Self; 2], Code> {
        let from = |source| Self::check(text, source).ok_or(Code::CustomerNotFound);
        Ok([from(IdSource::Header)?, from(IdSource::Body)?])
    }

    fn check(text: &str, source: IdSource) -> Option<Self> {
        let text = text.trim_matches([' ', '\t']);
        let fits = (1..=GIVEN_ID_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        fits.then(|| Self { text: Zeroizing::new(text.into()), source })
    }

    /// Whether this is how it was written.
    pub(crate) fn is(&self, text: &str) -> bool {
        &**self.text == text.trim_matches([' ', '\t'])
    }

    fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl fmt::Debug for GivenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, source } = self;
        write!(f, "GivenId({source:?}, {} bytes)", text.len())
    }
}

/// One of the house's own callers, as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerEntry {
    /// Its name.
    pub name: Arc<str>,
    /// SHA-256 of its key.
    pub key_hash: KeyHash,
    /// Whether it may name customers.
    pub trusted: bool,
    /// Its own request rate.
    pub quota: Option<Quota>,
    /// The upstreams it may use; nothing means all.
    pub upstreams: Option<Arc<[Box<str>]>>,
}

/// SHA-256 of an API key. A key is 256 random bits, so a fast hash is enough.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of this key.
    pub fn of(key: &str) -> Self {
        Self(sha256(key.as_bytes()))
    }

    /// Reads `sha256:` and 64 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:")?.as_bytes();
        let mut hash = [0u8; 32];
        if hex.len() != 64 {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(hex.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok());
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Some(Self(hash))
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        push_hex(&mut text, &self.0);
        f.write_str(&text)
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_hidden) = self;
        f.write_str("KeyHash(..)")
    }
}

/// The system's random source failed. Nothing can be made safely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandom;

pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}

/// Makes an API key: `cw_` and 256 random bits. It is shown once; only its hash is kept.
pub fn new_key() -> Result<(Zeroizing<String>, KeyHash), NoRandom> {
    let mut bytes = random::<32>()?;
    let key = Zeroizing::new(format!("cw_{}", URL_SAFE_NO_PAD.encode(bytes)));
    bytes.zeroize();
    let hash = KeyHash::of(&key);
    Ok((key, hash))
}

/// The house's own callers, ready for look-up.
#[derive(Debug, Default)]
pub struct Callers {
    /// By the first half of the hash of the key; the other half is compared in constant time. Whoever could steer the
    /// first half could already invert SHA-256.
    by_hash: HashMap<[u8; 16], (KeyHash, Caller)>,
}

impl Callers {
    /// From the configuration.
    pub fn new(entries: impl IntoIterator<Item = CallerEntry>) -> Self {
        let by_hash = entries.into_iter().map(|entry| {
            let CallerEntry { name, key_hash, trusted, quota, upstreams } = entry;
            let caller = Caller {
                tenant: TenantId::default_tenant(),
                // The name, not the key: a caller that gets a new key keeps its conversations.
                identity: identity("own-key", name.as_bytes()),
                origin: Origin::OwnKey { name, trusted },
                upstreams,
                quota,
                signed_in: None,
            };
            (first_half(&key_hash), (key_hash, caller))
        });
        Self { by_hash: by_hash.collect() }
    }

    /// All of them, for the operator's commands.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Caller> {
        self.by_hash.values().map(|(_, caller)| caller)
    }

    /// Whether callers need one of the house's own keys.
    pub fn required(&self) -> bool {
        !self.by_hash.is_empty()
    }

    /// Who sends this request on a protocol route. With own keys configured, one of them is needed; else the credential
    /// is the bot's affair, and its hash is who the caller is.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Code> {
        let credential = credential(headers)?;
        if !self.required() {
            return Ok(Caller::passed_on(credential));
        }
        let key = credential.ok_or(Code::MissingKey)?;
        let hash = KeyHash(sha256(key));
        let (known, caller) = self.by_hash.get(&first_half(&hash)).ok_or(Code::UnknownKey)?;
        verify_slices_are_equal(&known.0, &hash.0).map_err(|_| Code::UnknownKey)?;
        Ok(caller.clone())
    }
}

fn first_half(hash: &KeyHash) -> [u8; 16] {
    let mut half = [0; 16];
    half.iter_mut().zip(hash.0).for_each(|(to, from)| *to = from);
    half
}

/// The credential of a request: the bearer token, or what stands in `x-api-key` or `api-key`.
fn credential(headers: &HeaderMap) -> Result<Option<&[u8]>, Code> {
    let mut found = headers.get_all(header::AUTHORIZATION).iter();
    if let Some(value) = found.next() {
        if found.next().is_some() {
            return Err(Code::BadHeader);
        }
        return Ok(Some(bearer(value).unwrap_or(value.as_bytes())));
    }
    Ok(["x-api-key", "api-key"].iter().find_map(|name| headers.get(*name)).map(HeaderValue::as_bytes))
}

/// The token behind `Bearer` (RFC 6750, 2.1; the word in any case).
pub(crate) fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (word, token) = value.as_bytes().split_at_checked(7)?;
    word.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

const COOKIE_RANDOM: usize = 24;
const COOKIE_MAC: usize = 16;

/// The cookie that says which browser speaks on `/chat`: 192 random bits and a MAC, so that only what we set counts.
pub struct PageCookie;

impl PageCookie {
    /// The cookie's name. Over TLS the `__Host-` prefix lets nobody else set it (RFC 6265bis, 4.1.3.2).
    pub const fn name(tls: bool) -> &'static str {
        if tls { "__Host-chatward" } else { "chatward" }
    }

    /// Who speaks, if the request carries a cookie that we set.
    pub fn caller(headers: &HeaderMap, tls: bool, keyed: impl KeyedHash) -> Option<Caller> {
        Self::browser(headers, tls, &keyed).map(|browser| browser.caller())
    }

    /// The browser that a request comes from, if it carries a cookie that we set.
    pub(crate) fn browser(headers: &HeaderMap, tls: bool, keyed: &impl KeyedHash) -> Option<BrowserId> {
        let name = Self::name(tls);
        let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let value = pairs.flat_map(|line| line.split(';')).find_map(|pair| {
            let (found, value) = pair.split_once('=')?;
            (found.trim() == name).then(|| value.trim())
        })?;
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(value).ok()?);
        let (id, mac) = bytes.split_at_checked(COOKIE_RANDOM)?;
        verify_slices_are_equal(&Self::mac(id, keyed), mac).ok()?;
        BrowserId::from_bytes(id)
    }

    /// A new browser: who it is, and the `Set-Cookie` that says so (one year, out of reach of scripts, never sent from
    /// another site). Inside of another site's page (`framed`) it must be sent there, and is kept apart for each such site
    /// (CHIPS); that takes TLS.
    pub fn issue(tls: bool, framed: bool, keyed: impl KeyedHash) -> Result<(Caller, HeaderValue), NoRandom> {
        let id = BrowserId(Zeroizing::new(random::<COOKIE_RANDOM>()?));
        Ok((id.caller(), Self::of(&id, tls, framed, keyed)?))
    }

    /// The `Set-Cookie` that makes a browser this one.
    pub(crate) fn of(
        id: &BrowserId,
        tls: bool,
        framed: bool,
        keyed: impl KeyedHash,
    ) -> Result<HeaderValue, NoRandom> {
        let mac = Self::mac(id.as_bytes(), &keyed);
        let mut bytes = Zeroizing::new([0; COOKIE_RANDOM + COOKIE_MAC]);
        bytes.iter_mut().zip(id.as_bytes().iter().copied().chain(mac)).for_each(|(to, from)| *to = from);
        let text = format!(
            "{}={}; Path=/; Max-Age=31536000; HttpOnly; {}",
            Self::name(tls),
            URL_SAFE_NO_PAD.encode(&bytes[..]),
            match (tls, framed) {
                (true, true) => "SameSite=None; Secure; Partitioned",
                (true, false) => "SameSite=Strict; Secure",
                (false, _) => "SameSite=Strict",
            }
        );
        let mut value = HeaderValue::from_str(&text).map_err(|_| NoRandom)?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn mac(id: &[u8], keyed: &impl KeyedHash) -> [u8; COOKIE_MAC] {
        keyed.hash(&TenantId::default_tenant(), "page-cookie", &[id])
    }
}

/// Which browser speaks on the chat page: the random part of its cookie.
#[derive(Clone)]
pub(crate) struct BrowserId(Zeroizing<[u8; COOKIE_RANDOM]>);

impl BrowserId {
    /// From its bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// Its bytes: with our key a cookie can be made of them.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &*self.0
    }

    /// Who speaks from it.
    pub(crate) fn caller(&self) -> Caller {
        Caller {
            tenant: TenantId::default_tenant(),
            origin: Origin::Page,
            identity: identity("page", self.as_bytes()),
            upstreams: None,
            quota: None,
            signed_in: None,
        }
    }
}

/// The part of an address that is counted: a whole IPv4 address, the /64 of an IPv6 one (one household, one machine).
pub fn address_key(address: IpAddr) -> RateKey {
    match address.to_canonical() {
        IpAddr::V4(v4) => RateKey::address(&v4.octets()),
        IpAddr::V6(v6) => RateKey::address(v6.octets().first_chunk::<8>().map_or(&[][..], |c| c.as_slice())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(tenant: &TenantId, purpose: &'static str, parts: &[&[u8]]) -> [u8; 16] {
        let mut all = format!("{tenant}|{purpose}").into_bytes();
        for part in parts {
            all.extend((part.len() as u64).to_be_bytes());
            all.extend(*part);
        }
        sha256(&all)[..16].try_into().unwrap()
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        map
    }

    fn own(trusted: bool) -> (Zeroizing<String>, Callers) {
        let (key, key_hash) = new_key().unwrap();
        let upstreams = Some(Arc::from([Box::from("main")]));
        let entry = CallerEntry { name: "shop".into(), key_hash, trusted, quota: None, upstreams };
        (key, Callers::new([entry]))
    }

    #[test]
    fn own_keys_are_needed_once_there_are_some() {
        let (key, callers) = own(true);
        assert!(key.starts_with("cw_") && key.len() == 46);
        let caller =
            callers.authenticate(&headers(&[("authorization", &format!("bearer {}", *key))])).unwrap();
        assert!(caller.trusted() && caller.may_use("main") && !caller.may_use("other"));
        assert_eq!(callers.authenticate(&headers(&[])).unwrap_err(), Code::MissingKey);
        assert_eq!(
            callers.authenticate(&headers(&[("authorization", "Bearer cw_x")])).unwrap_err(),
            Code::UnknownKey
        );
    }

    #[test]
    fn only_a_trusted_own_key_names_customers_by_header() {
        let id = |headers: &HeaderMap| GivenId::from_header(headers, CUSTOMER_HEADER).unwrap().unwrap();
        for (trusted, fits) in [(true, true), (false, false)] {
            let (key, callers) = own(trusted);
            let map = headers(&[("authorization", &format!("Bearer {}", *key)), (CUSTOMER_HEADER, "42")]);
            assert_eq!(callers.authenticate(&map).unwrap().customer(&id(&map), keyed).is_ok(), fits);
        }
        let map = headers(&[("authorization", "Bearer sk-1"), (CUSTOMER_HEADER, "42")]);
        let caller = Callers::default().authenticate(&map).unwrap();
        assert_eq!(caller.customer(&id(&map), keyed), Err(Code::NotTrusted));
    }

    #[test]
    fn the_same_id_from_two_callers_is_two_conversations() {
        let one = Callers::default().authenticate(&headers(&[("authorization", "Bearer sk-1")])).unwrap();
        let two = Callers::default().authenticate(&headers(&[("x-api-key", "sk-2")])).unwrap();
        let id = GivenId::from_body("c1").unwrap();
        assert_ne!(one.conversation(&id, keyed), two.conversation(&id, keyed));
        assert_eq!(one.conversation(&id, keyed), one.clone().conversation(&id, keyed));
        assert_ne!(one.customer(&id, keyed).unwrap(), two.customer(&id, keyed).unwrap());
        // The same word in a header and in the body are two ids: the body may be written by the customer.
        let map = headers(&[(CONVERSATION_HEADER, "c1")]);
        let by_header = GivenId::from_header(&map, CONVERSATION_HEADER).unwrap().unwrap();
        assert_ne!(one.conversation(&id, keyed), one.conversation(&by_header, keyed));
    }

    #[test]
    fn given_ids_are_short_and_printable() {
        for bad in ["", "  ", "a\u{7}", "a\nb", &"x".repeat(257)] {
            assert!(GivenId::from_body(bad).is_err(), "{bad:?}");
        }
        assert!(GivenId::from_body(&"x".repeat(256)).is_ok());
        assert!(GivenId::from_body("Zoë 1").is_ok());
        assert_eq!(format!("{:?}", GivenId::from_body("a@b.example").unwrap()), "GivenId(Body, 11 bytes)");
        let twice = headers(&[(CONVERSATION_HEADER, "a"), (CONVERSATION_HEADER, "b")]);
        assert_eq!(GivenId::from_header(&twice, CONVERSATION_HEADER), Err(Code::BadHeader));
    }

    #[test]
    fn only_cookies_that_we_set_count() {
        for tls in [false, true] {
            let (caller, set) = PageCookie::issue(tls, false, keyed).unwrap();
            let set = set.to_str().unwrap();
            assert!(
                set.contains("HttpOnly") && set.contains("SameSite=Strict") && set.contains("Secure") == tls
            );
            let pair = set.split(';').next().unwrap();
            let line = format!("x=1; {pair}; y=2");
            assert_eq!(PageCookie::caller(&headers(&[("cookie", &line)]), tls, keyed), Some(caller));
            let (_, framed) = PageCookie::issue(tls, true, keyed).unwrap();
            let framed = framed.to_str().unwrap();
            assert_eq!(framed.ends_with("SameSite=None; Secure; Partitioned"), tls, "{framed}");
            // Every changed character is refused; the last one carries spare bits, which base64 refuses itself.
            let (name, value) = pair.split_once('=').unwrap();
            for at in 0..value.len() {
                let mut forged = value.as_bytes().to_vec();
                forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
                let line = format!("{name}={}", String::from_utf8(forged).unwrap());
                assert_eq!(PageCookie::caller(&headers(&[("cookie", &line)]), tls, keyed), None);
            }
        }
    }

    #[test]
    fn key_hashes_read_back_and_hide() {
        let (_, hash) = new_key().unwrap();
        assert_eq!(KeyHash::parse(&hash.to_string()), Some(hash));
        assert_eq!(KeyHash::parse("sha256:00"), None);
        assert_eq!(KeyHash::parse(&hash.to_string().replace("sha256", "md5")), None);
        assert!(!format!("{hash:?}").contains(&hash.to_string()[7..15]));
    }

    #[test]
    fn addresses_of_one_household_count_together() {
        let key = |text: &str| address_key(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::2"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    }
}

//! Proof of possession: a token alone is worth nothing.
//!
//! A page makes a key pair whose private half no script can read, registers the public half, and gets a token that is bound to it, to
//! the browser's cookie, and to an end. From then on each request in the channel carries the token, a counter, and a signature over
//! method, path, query, body, token and counter, in the form of RFC 9421. A counter counts once.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chatward_message::{TenantId, UnixMillis};
use chatward_store::Store;
use http::{HeaderMap, Method, Uri};
use lru::LruCache;
use serde::{Deserialize, Serialize};

use super::seen;
use crate::caller::{KeyedHash, NoRandom, random};
use crate::problem::Code;

/// How long a token is good. A page registers its key again before that.
pub(crate) const LIFE: u64 = 3_600_000;
/// Sessions that are remembered; the one that was quiet longest is forgotten, and registers again.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();
/// How far behind the highest a counter may be: requests that were sent at once come in any order.
const WINDOW: u64 = 64;

/// Carries the token.
pub(crate) const TOKEN: &str = "chatward-session";
/// Carries the counter.
pub(crate) const COUNTER: &str = "chatward-counter";
/// What is signed (RFC 9421, 2.5), the same for every request.
pub(crate) const PARAMETERS: &str = "(\"@method\" \"@path\" \"@query\" \"content-digest\" \"chatward-session\" \
    \"chatward-counter\");alg=\"ed25519\"";
/// The signature's label.
const LABEL: &str = "chatward=";

const VERSION: u8 = 1;
const ID: usize = 16;
const KEY: usize = 32;
const MAC: usize = 16;

/// `POST /chat/v1/session`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Register {
    /// The public key, 32 bytes in base64url.
    pub(crate) key: String,
}

/// What that answers.
#[derive(Serialize, Deserialize)]
pub(crate) struct Registered {
    /// To be sent with each request.
    pub(crate) token: String,
    /// When it ends, in milliseconds since 1970.
    pub(crate) until: u64,
}

/// Which counters a session has used: the highest, and a bit for each of those just below.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    highest: u64,
    below: u64,
}

impl Window {
    /// False if it was used, or is too far behind to know.
    fn take(&mut self, counter: u64) -> bool {
        if counter > self.highest {
            let step = counter - self.highest;
            // The old highest becomes one of those below.
            self.below = match step {
                1..WINDOW => self.below << step | 1 << (step - 1),
                WINDOW => 1 << (WINDOW - 1),
                _ => 0,
            };
            self.highest = counter;
            return true;
        }
        let back = self.highest - counter;
        if counter == 0 || back == 0 || back > WINDOW {
            return false;
        }
        let bit = 1 << (back - 1);
        let free = self.below & bit == 0;
        self.below |= bit;
        free
    }
}

/// The sessions of this process.
pub(crate) struct Sessions(Mutex<LruCache<[u8; ID], Window>>);

impl Default for Sessions {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED)))
    }
}

/// A token that was looked at.
struct Token {
    id: [u8; ID],
    key: [u8; KEY],
    until: UnixMillis,
}

impl Sessions {
    /// A token for this public key and this owner.
    pub(super) fn register(
        &self,
        key: &str,
        owner: &[u8],
        now: UnixMillis,
        keyed: impl KeyedHash,
    ) -> Result<Registered, Code> {
        let key: [u8; KEY] =
            URL_SAFE_NO_PAD.decode(key).ok().and_then(|key| key.try_into().ok()).ok_or(Code::BadRequest)?;
        let id = random::<ID>().map_err(|NoRandom| Code::Internal)?;
        let until = UnixMillis(now.0.saturating_add(LIFE));
        let token = Token { id, key, until }.write(owner, keyed);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(id, Window::default());
        Ok(Registered { token, until: until.0 })
    }

    /// Whether a request proves that its sender holds the key of its token. Whatever is missing or wrong, there is one answer.
    pub(super) async fn check(
        &self,
        request: &Signed<'_>,
        owner: &[u8],
        now: UnixMillis,
        keyed: impl KeyedHash,
        shared: Option<&Store>,
    ) -> Result<(), Code> {
        let fields = Fields::of(request.headers).ok_or(Code::ChannelSession)?;
        let token = Token::read(fields.token, owner, keyed).ok_or(Code::ChannelSession)?;
        if now >= token.until || fields.digest != content_digest(request.body) {
            return Err(Code::ChannelSession);
        }
        let base = base(request.method, request.uri, &fields);
        let signature = STANDARD.decode(fields.signature).map_err(|_| Code::ChannelSession)?;
        UnparsedPublicKey::new(&ED25519, token.key)
            .verify(base.as_bytes(), &signature)
            .map_err(|_| Code::ChannelSession)?;
        match shared {
            None => {
                // Known in this process, or not at all: after a restart nobody could tell which counters were used.
                let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                let window = known.get_mut(&token.id).ok_or(Code::ChannelSession)?;
                if window.take(fields.counter) { Ok(()) } else { Err(Code::ChannelSession) }
            }
            Some(store) => {
                let used = [&token.id[..], &fields.counter.to_be_bytes()].concat();
                let tag = digest::digest(&digest::SHA256, &used);
                let tag = tag.as_ref().try_into().map_err(|_| Code::Internal)?;
                match seen::counter(store, &tag, token.until).await {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(Code::ChannelSession),
                    Err(error) => Err(Code::from(&error)),
                }
            }
        }
    }
}

impl Token {
    fn write(&self, owner: &[u8], keyed: impl KeyedHash) -> String {
        let mut bytes = Vec::with_capacity(1 + 8 + ID + KEY + MAC);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.until.0.to_be_bytes());
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&self.key);
        let mac = mac(&bytes, owner, keyed);
        bytes.extend_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn read(text: &str, owner: &[u8], keyed: impl KeyedHash) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (said, tag) = bytes.split_at_checked(1 + 8 + ID + KEY)?;
        verify_slices_are_equal(&mac(said, owner, keyed), tag).ok()?;
        let (&version, rest) = said.split_first()?;
        let (until, rest) = rest.split_first_chunk::<8>()?;
        let (id, key) = rest.split_first_chunk::<ID>()?;
        let until = UnixMillis(u64::from_be_bytes(*until));
        (version == VERSION).then_some(Self { id: *id, key: key.try_into().ok()?, until })
    }
}

fn mac(said: &[u8], owner: &[u8], keyed: impl KeyedHash) -> [u8; MAC] {
    keyed.hash(&TenantId::default_tenant(), "channel-session", &[said, owner])
}

/// What is signed.
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// The headers of a signed request.
pub(crate) struct Fields<'a> {
    pub(crate) token: &'a str,
    pub(crate) counter: u64,
    pub(crate) digest: &'a str,
    signature: &'a str,
}

impl<'a> Fields<'a> {
    fn of(headers: &'a HeaderMap) -> Option<Self> {
        let one = |name: &str| {
            let mut all = headers.get_all(name).iter();
            let value = all.next()?.to_str().ok()?;
            all.next().is_none().then_some(value)
        };
        let input = one("signature-input")?.strip_prefix(LABEL)?;
        let signature = one("signature")?.strip_prefix(LABEL)?.strip_prefix(':')?.strip_suffix(':')?;
        let counter = one(COUNTER)?;
        let number: u64 = counter.parse().ok()?;
        // One way to write it: the number is what is signed.
        (input == PARAMETERS && number.to_string() == counter).then_some(())?;
        Some(Self { token: one(TOKEN)?, counter: number, digest: one("content-digest")?, signature })
    }
}

/// `Content-Digest` of a body (RFC 9530).
pub(crate) fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(digest::digest(&digest::SHA256, body)))
}

/// The bytes that are signed (RFC 9421, 2.5).
pub(crate) fn signature_base(method: &Method, uri: &Uri, digest: &str, token: &str, counter: u64) -> String {
    format!(
        "\"@method\": {method}\n\"@path\": {}\n\"@query\": ?{}\n\"content-digest\": {digest}\n\"chatward-session\": \
         {token}\n\"chatward-counter\": {counter}\n\"@signature-params\": {PARAMETERS}",
        uri.path(),
        uri.query().unwrap_or_default(),
    )
}

fn base(method: &Method, uri: &Uri, fields: &Fields<'_>) -> String {
    signature_base(method, uri, fields.digest, fields.token, fields.counter)
}

/// The headers that sign a request: names and values.
pub(crate) fn signature_headers(signature: &[u8]) -> [(&'static str, String); 2] {
    [
        ("signature-input", format!("{LABEL}{PARAMETERS}")),
        ("signature", format!("{LABEL}:{}:", STANDARD.encode(signature))),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use proptest::prelude::*;

    use super::*;

    fn keyed(tenant: &TenantId, purpose: &'static str, parts: &[&[u8]]) -> [u8; 16] {
        let all = format!("{tenant}|{purpose}|{parts:?}");
        digest::digest(&digest::SHA256, all.as_bytes()).as_ref()[..16].try_into().unwrap()
    }

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    struct Page {
        pair: Ed25519KeyPair,
        token: String,
    }

    impl Page {
        fn new(sessions: &Sessions, owner: &[u8]) -> Self {
            let pair = Ed25519KeyPair::generate().unwrap();
            let key = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
            Self { token: sessions.register(&key, owner, NOW, keyed).unwrap().token, pair }
        }

        fn headers(&self, uri: &Uri, body: &[u8], counter: u64) -> HeaderMap {
            let digest = content_digest(body);
            let base = signature_base(&Method::POST, uri, &digest, &self.token, counter);
            let mut headers = HeaderMap::new();
            let mut put = |name: &'static str, value: String| headers.insert(name, value.parse().unwrap());
            put(TOKEN, self.token.clone());
            put(COUNTER, counter.to_string());
            put("content-digest", digest);
            for (name, value) in signature_headers(self.pair.sign(base.as_bytes()).as_ref()) {
                put(name, value);
            }
            headers
        }
    }

    async fn check(
        sessions: &Sessions,
        headers: &HeaderMap,
        uri: &Uri,
        body: &[u8],
        owner: &[u8],
        now: UnixMillis,
    ) -> bool {
        let request = Signed { method: &Method::POST, uri, headers, body };
        sessions.check(&request, owner, now, keyed, None).await.is_ok()
    }

    #[tokio::test]
    async fn a_stolen_token_is_useless_without_its_key() {
        let sessions = Sessions::default();
        let uri = Uri::from_static("/chat/v1/messages?a=1");
        let page = Page::new(&sessions, b"anna");
        let good = page.headers(&uri, b"hello", 1);
        assert!(check(&sessions, &good, &uri, b"hello", b"anna", NOW).await);
        assert!(!check(&sessions, &good, &uri, b"hello", b"anna", NOW).await, "a counter counts once");
        // The thief has the token, the cookie, and a key of their own.
        let thief = Page { token: page.token.clone(), pair: Ed25519KeyPair::generate().unwrap() };
        let stolen = thief.headers(&uri, b"hello", 2);
        assert!(!check(&sessions, &stolen, &uri, b"hello", b"anna", NOW).await);
        // Or somebody else's cookie, or one request of the page that they would change.
        let next = page.headers(&uri, b"hello", 2);
        assert!(!check(&sessions, &next, &uri, b"hello", b"bert", NOW).await);
        assert!(!check(&sessions, &next, &uri, b"other", b"anna", NOW).await);
        assert!(
            !check(&sessions, &next, &Uri::from_static("/chat/v1/messages?a=2"), b"hello", b"anna", NOW)
                .await
        );
        assert!(
            !check(&sessions, &next, &uri, b"hello", b"anna", UnixMillis(NOW.0 + LIFE)).await,
            "it has ended"
        );
        for name in [TOKEN, COUNTER, "content-digest", "signature-input", "signature"] {
            let mut less = next.clone();
            less.remove(name);
            assert!(!check(&sessions, &less, &uri, b"hello", b"anna", NOW).await, "without {name}");
            let mut twice = next.clone();
            twice.append(name, next[name].clone());
            assert!(!check(&sessions, &twice, &uri, b"hello", b"anna", NOW).await, "{name} twice");
        }
        assert!(check(&sessions, &next, &uri, b"hello", b"anna", NOW).await, "none of that used it up");
        // After a restart nobody knows which counters were used.
        assert!(!check(&Sessions::default(), &page.headers(&uri, b"", 9), &uri, b"", b"anna", NOW).await);
    }

    proptest! {
        /// Against a set that remembers everything: no counter counts twice, and one that is less than the window behind counts.
        #[test]
        fn a_counter_counts_once(counters in proptest::collection::vec(1u64..300, 1..200)) {
            let (mut window, mut used, mut highest) = (Window::default(), HashSet::new(), 0);
            for counter in counters {
                let fits = window.take(counter);
                let fresh = !used.contains(&counter);
                prop_assert!(fresh || !fits);
                if fresh && counter + WINDOW > highest {
                    prop_assert!(fits, "{counter} after {highest}");
                }
                if fits {
                    used.insert(counter);
                }
                highest = highest.max(counter);
            }
        }
    }
}

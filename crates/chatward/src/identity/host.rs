//! The host site's word for who its customer is: a signed token (JWT), or a plain HMAC.
//!
//! Either names the customer inside the tenant and the caller, and nothing else: what a token says about algorithms and
//! keys is only ever held against what was agreed. Keys come as an argument; whoever fetches them does that elsewhere.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chatward_message::{Action, CustomerId, Factor, UnixMillis};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::account::Account;
use super::outcome::{Change, Draft, Next, Refused, Why};
use super::rules::With;
use super::secret::SecretText;
use super::session::{Arrival, Session, Shown, SignedIn};
use crate::caller::{Caller, GIVEN_ID_MAX, KeyedHash};

/// No token is longer, in bytes.
pub const TOKEN_MAX: usize = 4096;
/// No set of keys has more.
const KEYS_MAX: usize = 32;
/// How far two clocks may be apart, in seconds.
const SKEW: u64 = 60;
/// How long a plain token counts, in seconds.
const PLAIN_LIFE: u64 = 5 * 60;
/// RSA keys, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Who the host site says its customer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCustomer {
    issuer: SecretText,
    id: SecretText,
}

impl HostCustomer {
    /// The customer inside the tenant and the caller, through which the token came: nobody else's token names the same.
    pub fn customer(&self, caller: &Caller, keyed: impl KeyedHash) -> CustomerId {
        let parts: [&[u8]; 4] =
            [caller.identity(), b"host", self.issuer.expose().as_bytes(), self.id.expose().as_bytes()];
        CustomerId::from_bytes(keyed.hash(caller.tenant(), "customer", &parts))
    }

    /// For the page's greeting, and nothing else.
    pub fn id(&self) -> &SecretText {
        &self.id
    }
}

/// What was agreed with a host site about its signed tokens.
#[derive(Debug, Clone)]
pub struct HostSite {
    /// Who issues them (`iss`).
    pub issuer: String,
    /// Whom they are for (`aud`).
    pub audience: String,
    /// How long one may count, in seconds (`exp` less `iat`).
    pub lifetime: u64,
}

/// The host site's keys, as it publishes them.
#[derive(Debug, Clone, Default)]
pub struct HostKeys {
    keys: Vec<Known>,
}

#[derive(Debug, Clone)]
struct Known {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl HostKeys {
    /// Reads a JSON Web Key Set. Keys that are not for signatures, or of a kind that was not agreed, are passed over.
    ///
    /// # Errors
    ///
    /// [`Why::TokenKey`] if it is not such a set, or holds no key that can be used.
    pub fn parse(json: &[u8]) -> Result<Self, Refused> {
        let none = || no(Why::TokenKey);
        let set: JwkSet = serde_json::from_slice(json).map_err(|_| none())?;
        let keys: Vec<Known> = set.keys.iter().take(KEYS_MAX).filter_map(Known::of).collect();
        if keys.is_empty() { Err(none()) } else { Ok(Self { keys }) }
    }

    /// The one key that a header means.
    fn find(&self, header: &Header) -> Result<&Known, Refused> {
        let mut fit = self.keys.iter().filter(|known| match &header.kid {
            Some(kid) => known.id.as_deref() == Some(kid.as_str()),
            // Without a name it is clear only where there is one.
            None => self.keys.len() == 1,
        });
        match (fit.next(), fit.next()) {
            (Some(known), None) => Ok(known),
            _ => Err(no(Why::TokenKey)),
        }
    }
}

impl Known {
    /// The key itself says which algorithm it is for, never the token.
    fn of(jwk: &Jwk) -> Option<Self> {
        let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(rsa) => {
                let modulus = URL_SAFE_NO_PAD.decode(&rsa.n).ok()?;
                let leading = modulus.first()?.leading_zeros() as usize;
                RSA_BITS.contains(&(modulus.len() * 8).checked_sub(leading)?).then_some(Algorithm::RS256)?
            }
            AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => Algorithm::ES256,
            AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
            _ => return None,
        };
        let named = jwk.common.key_algorithm.map(|named| named.to_string());
        let agrees = named.is_none_or(|named| named == format!("{algorithm:?}"));
        let key = DecodingKey::from_jwk(jwk).ok()?;
        (signs && agrees).then(|| Self { id: jwk.common.key_id.clone(), algorithm, key })
    }
}

impl Account {
    /// Signs in the customer whom the host site names, through this caller.
    pub fn sign_in_from_host(
        self,
        host: &HostCustomer,
        caller: &Caller,
        keyed: impl KeyedHash,
        arrival: &Arrival,
        with: &mut With<'_>,
    ) -> Change<SignedIn> {
        Draft::run(self, with.now, |draft| {
            let named = (caller.tenant(), Some(host.customer(caller, keyed)));
            if (&draft.account.tenant, draft.account.customer()) != named {
                return Err(draft.failed(Factor::HostSite, no(Why::OtherPerson)));
            }
            draft.account.open_for_sign_in().map_err(|no| draft.failed(Factor::HostSite, no))?;
            let signed_in = Session::begin(draft, Shown::first(Factor::HostSite, with.now), arrival, with)?;
            draft.note_factor(Action::SignedIn, Factor::HostSite);
            Ok(signed_in)
        })
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<serde_json::Value>,
    b64: Option<serde_json::Value>,
    zip: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: OneOrMore,
    sub: String,
    exp: u64,
    iat: u64,
    nbf: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl HostSite {
    /// Whom this token names, now.
    ///
    /// # Errors
    ///
    /// [`Refused`] for the first thing about it that is wrong.
    pub fn verify(&self, token: &str, keys: &HostKeys, now: UnixMillis) -> Result<HostCustomer, Refused> {
        if token.len() > TOKEN_MAX {
            return Err(no(Why::TokenSize));
        }
        let header = header(token)?;
        let known = keys.find(&header)?;
        if header.alg != format!("{:?}", known.algorithm) {
            return Err(no(Why::TokenAlgorithm));
        }
        let mut checks = Validation::new(known.algorithm);
        // The library would look at a clock of its own: claims are checked below.
        checks.required_spec_claims.clear();
        checks.validate_exp = false;
        checks.validate_nbf = false;
        checks.validate_aud = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &known.key, &checks).map_err(|fault| {
            use jsonwebtoken::errors::ErrorKind;
            no(match fault.kind() {
                ErrorKind::InvalidSignature => Why::TokenSignature,
                ErrorKind::InvalidAlgorithm => Why::TokenAlgorithm,
                ErrorKind::InvalidKeyFormat | ErrorKind::InvalidEcdsaKey | ErrorKind::InvalidRsaKey(_) => {
                    Why::TokenKey
                }
                _ => Why::TokenForm,
            })
        })?;
        self.check(claims.claims, now.0 / 1000)
    }

    fn check(&self, claims: Claims, now: u64) -> Result<HostCustomer, Refused> {
        let Claims { iss, aud, sub, exp, iat, nbf } = claims;
        let meant = match &aud {
            OneOrMore::One(one) => *one == self.audience,
            OneOrMore::More(more) => more.contains(&self.audience),
        };
        let late = |then: u64| then > now.saturating_add(SKEW);
        let fault = if iss != self.issuer {
            Some(Why::TokenIssuer)
        } else if !meant {
            Some(Why::TokenAudience)
        } else if exp <= iat || exp - iat > self.lifetime {
            Some(Why::TokenLifetime)
        } else if now >= exp.saturating_add(SKEW) {
            Some(Why::TokenExpired)
        } else if late(iat) || nbf.is_some_and(late) {
            Some(Why::TokenEarly)
        } else {
            None
        };
        if let Some(why) = fault {
            return Err(no(why));
        }
        named(iss, sub)
    }
}

fn header(token: &str) -> Result<Header, Refused> {
    let form = || no(Why::TokenForm);
    let mut parts = token.split('.');
    let (first, dots) = (parts.next().ok_or_else(form)?, parts.count());
    if dots != 2 {
        return Err(form());
    }
    let json = URL_SAFE_NO_PAD.decode(first).map_err(|_| form())?;
    let header: Header = serde_json::from_slice(&json).map_err(|_| form())?;
    // Nothing that changes what the signature means (RFC 7515, 4.1.11; RFC 7797).
    let plain = header.crit.is_none() && header.b64.is_none() && header.zip.is_none();
    let jwt = header.typ.as_deref().is_none_or(|typ| typ.eq_ignore_ascii_case("jwt"));
    if plain && jwt { Ok(header) } else { Err(form()) }
}

/// The host site's secret for plain tokens: the present one, and the one before it while it is being changed.
pub struct HostSecrets(Vec<hmac::Key>);

/// A secret that is too short to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the host site's secret must have 32 bytes at least")]
pub struct ShortSecret;

impl HostSecrets {
    /// From these secrets, none of which may be short.
    ///
    /// # Errors
    ///
    /// [`ShortSecret`] if one is, or if there is none.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, ShortSecret> {
        let mut keys = Vec::new();
        for secret in secrets {
            if secret.len() < 32 {
                return Err(ShortSecret);
            }
            keys.push(hmac::Key::new(hmac::HMAC_SHA256, secret));
        }
        if keys.is_empty() { Err(ShortSecret) } else { Ok(Self(keys)) }
    }

    /// Whom a plain token names, now: `customer.time.mac`, the time in whole seconds since 1970, the MAC in hex, over
    /// everything before its dot.
    ///
    /// # Errors
    ///
    /// [`Refused`] for the first thing about it that is wrong.
    pub fn verify(&self, token: &str, now: UnixMillis) -> Result<HostCustomer, Refused> {
        if token.len() > TOKEN_MAX {
            return Err(no(Why::TokenSize));
        }
        let form = || no(Why::TokenForm);
        // From the right: the customer's own id may hold dots, time and MAC cannot.
        let (signed, mac) = token.rsplit_once('.').ok_or_else(form)?;
        let (customer, time) = signed.rsplit_once('.').ok_or_else(form)?;
        let mac = unhex(mac).ok_or_else(form)?;
        if time.is_empty() || time.len() > 12 || !time.bytes().all(|b| b.is_ascii_digit()) {
            return Err(form());
        }
        let time: u64 = time.parse().map_err(|_| form())?;
        let mut right = false;
        for key in &self.0 {
            right |= hmac::verify(key, signed.as_bytes(), &mac).is_ok();
        }
        if !right {
            return Err(no(Why::TokenSignature));
        }
        let now = now.0 / 1000;
        if time > now.saturating_add(SKEW) {
            return Err(no(Why::TokenEarly));
        }
        if now >= time.saturating_add(PLAIN_LIFE) {
            return Err(no(Why::TokenExpired));
        }
        named(String::new(), customer.to_owned())
    }
}

impl std::fmt::Debug for HostSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HostSecrets({})", self.0.len())
    }
}

/// The rule of every id that a caller gives: 1 to 256 bytes without control characters, no spaces around it.
fn named(issuer: String, id: String) -> Result<HostCustomer, Refused> {
    let id = Zeroizing::new(id);
    let fits = (1..=GIVEN_ID_MAX).contains(&id.len())
        && !id.chars().any(char::is_control)
        && id.trim() == id.as_str();
    if !fits {
        return Err(no(Why::TokenSubject));
    }
    Ok(HostCustomer { issuer: SecretText::new(issuer), id: SecretText::new(id.as_str()) })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok());
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

fn no(why: Why) -> Refused {
    Refused::new(why, Next::AskHostSite)
}

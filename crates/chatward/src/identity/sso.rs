//! Single sign-on of staff at the house's own identity provider: OpenID Connect, authorization code with PKCE.
//!
//! The trip to the provider is a ceremony: state, nonce and the code's verifier travel sealed, bound to the browser. What
//! comes back is checked here with `openidconnect` and some rules of ours; the exchange of the code over the network is
//! somebody else's. An account is known by issuer and subject, never by a name or an address.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use chatward_message::{Action, Factor, TenantId, UnixMillis};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet,
    CoreJwsSigningAlgorithm, CoreProviderMetadata,
};
use openidconnect::{
    AccessToken, AuthorizationCode, ClaimsVerificationError, ClientId, CsrfToken, IssuerUrl, Nonce,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope as OidcScope, SignatureVerificationError,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::account::Account;
use super::ceremony::{Bound, CeremonyId, CeremonyKey, Opened, Purpose, SealedCeremony};
use super::choices::{Audience, for_anyone};
use super::outcome::{Change, Draft, Next, Refused, Why};
use super::rules::With;
use super::secret::{Secret, SecretText, TokenHash};
use super::session::{Arrival, Session, Shown, SignedIn};

/// No ID token is longer, in bytes.
const ID_TOKEN_MAX: usize = 16 * 1024;
/// How far two clocks may be apart, in seconds.
const SKEW: u64 = 60;
/// An ID token is fetched the moment it is issued: it is no older than this, in seconds.
const AGE: u64 = 10 * 60;
/// What a provider may sign with.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 3] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Who somebody is at the identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SsoLink {
    issuer: SecretText,
    subject: SecretText,
}

impl SsoLink {
    /// What storage keeps unique, in the same transaction: issuer and subject.
    pub fn key_parts(&self) -> [&[u8]; 2] {
        [self.issuer.expose().as_bytes(), self.subject.expose().as_bytes()]
    }
}

/// The identity provider, as the configuration and its own description say.
#[derive(Debug, Clone)]
pub struct Provider {
    metadata: CoreProviderMetadata,
    keys: CoreJsonWebKeySet,
    client: ClientId,
    redirect: RedirectUrl,
    /// What the provider says (`acr`) when it asked for a second factor itself. Nothing, unless the operator trusts it.
    second_factor: Vec<String>,
}

/// A fault of the configuration, or of what the provider says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// Not a description of a provider.
    #[error("the provider's description cannot be read")]
    Description,
    /// The description is another provider's.
    #[error("the provider's description names another issuer")]
    Issuer,
    /// Not a set of keys.
    #[error("the provider's keys cannot be read")]
    Keys,
    /// Not an address, or not over TLS.
    #[error("the provider's and our own addresses must be `https://`")]
    Address,
}

/// On the way to the provider.
#[derive(Debug)]
pub struct Departure {
    /// Where to send the browser.
    pub url: String,
    /// To be brought back.
    pub sealed: SealedCeremony,
}

/// What the provider sent the browser back with.
#[derive(Debug, Clone, Copy)]
pub struct Callback<'a> {
    /// `code`.
    pub code: Option<&'a str>,
    /// `state`.
    pub state: &'a str,
    /// `iss` (RFC 9207), where the provider sends it.
    pub issuer: Option<&'a str>,
    /// `error`.
    pub error: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct Trip {
    state: Secret<32>,
    nonce: Secret<32>,
    verifier: Secret<32>,
}

/// A code to be exchanged at the provider, and what to hold its answer against.
pub struct Exchange {
    /// The code.
    pub code: AuthorizationCode,
    /// What proves that the code was asked for by us.
    pub verifier: PkceCodeVerifier,
    trip: CeremonyId,
    until: UnixMillis,
    nonce: Nonce,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exchange(..)")
    }
}

/// Somebody whom the provider vouches for.
#[derive(Debug)]
pub struct Vouched {
    link: SsoLink,
    trip: CeremonyId,
    until: UnixMillis,
    second_factor: bool,
}

impl Vouched {
    /// Under which storage finds the account: its issuer and subject.
    pub fn link(&self) -> &SsoLink {
        &self.link
    }
}

impl Provider {
    /// From the provider's description and keys, both as it publishes them.
    ///
    /// # Errors
    ///
    /// [`ProviderError`] if anything does not fit.
    pub fn new(
        issuer: &str,
        description: &[u8],
        keys: &[u8],
        client: &str,
        redirect: &str,
        second_factor: Vec<String>,
    ) -> Result<Self, ProviderError> {
        let metadata: CoreProviderMetadata =
            serde_json::from_slice(description).map_err(|_| ProviderError::Description)?;
        let issuer = IssuerUrl::new(issuer.to_owned()).map_err(|_| ProviderError::Address)?;
        if *metadata.issuer() != issuer {
            return Err(ProviderError::Issuer);
        }
        let secure = |url: &openidconnect::url::Url| {
            let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
            url.scheme() == "https" || (url.scheme() == "http" && local)
        };
        let redirect = RedirectUrl::new(redirect.to_owned()).map_err(|_| ProviderError::Address)?;
        let mut addresses = vec![issuer.url(), metadata.authorization_endpoint().url(), redirect.url()];
        addresses.extend(metadata.token_endpoint().map(|endpoint| endpoint.url()));
        if !addresses.into_iter().all(secure) {
            return Err(ProviderError::Address);
        }
        let keys: CoreJsonWebKeySet = serde_json::from_slice(keys).map_err(|_| ProviderError::Keys)?;
        let client = ClientId::new(client.to_owned());
        Ok(Self { metadata, keys, client, redirect, second_factor })
    }

    /// The provider's description, for whoever exchanges the code.
    pub fn metadata(&self) -> &CoreProviderMetadata {
        &self.metadata
    }

    /// What the provider knows us as.
    pub fn client(&self) -> &ClientId {
        &self.client
    }

    /// Where it sends browsers back to.
    pub fn redirect(&self) -> &RedirectUrl {
        &self.redirect
    }

    /// Sends a browser to the provider.
    ///
    /// # Errors
    ///
    /// [`Refused`] if something on our side does not work.
    pub fn depart(
        &self,
        tenant: &TenantId,
        pre_session: &TokenHash,
        key: &CeremonyKey,
        with: &mut With<'_>,
    ) -> Result<Departure, Refused> {
        let trip = Trip {
            state: Secret::random(with.random)?,
            nonce: Secret::random(with.random)?,
            verifier: Secret::random(with.random)?,
        };
        let challenge =
            PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(word(&trip.verifier)));
        let (state, nonce) = (CsrfToken::new(word(&trip.state)), Nonce::new(word(&trip.nonce)));
        let client = CoreClient::from_provider_metadata(self.metadata.clone(), self.client.clone(), None)
            .set_redirect_uri(self.redirect.clone());
        let (url, ..) = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, || state, || nonce)
            .set_pkce_challenge(challenge)
            .add_scope(OidcScope::new("openid".to_owned()))
            .url();
        let bound = Bound { purpose: Purpose::Provider, tenant, browser: pre_session, account: None };
        let sealed = key.seal(bound, &trip, with.now, with.random)?;
        Ok(Departure { url: url.into(), sealed })
    }

    /// Takes a browser back from the provider.
    ///
    /// # Errors
    ///
    /// [`Refused`] if it is not the one that was sent, or the provider refused.
    pub fn arrive(
        &self,
        callback: Callback<'_>,
        sealed: &SealedCeremony,
        tenant: &TenantId,
        pre_session: &TokenHash,
        key: &CeremonyKey,
        now: UnixMillis,
    ) -> Result<Exchange, Refused> {
        let bound = Bound { purpose: Purpose::Provider, tenant, browser: pre_session, account: None };
        let Opened { id, until, state: trip } = key.open::<Trip>(bound, sealed, now)?;
        let expected = Zeroizing::new(word(&trip.state));
        if verify_slices_are_equal(expected.as_bytes(), callback.state.as_bytes()).is_err() {
            return Err(Refused::new(Why::OtherCeremony, Next::StartOver));
        }
        // Another provider's answer to our question (RFC 9207).
        if callback.issuer.is_some_and(|issuer| issuer != self.metadata.issuer().as_str()) {
            return Err(Refused::new(Why::TokenIssuer, Next::StartOver));
        }
        let code = callback.code.filter(|_| callback.error.is_none());
        let code = code.ok_or_else(|| Refused::new(Why::ProviderRefused, Next::StartOver))?;
        Ok(Exchange {
            code: AuthorizationCode::new(code.to_owned()),
            verifier: PkceCodeVerifier::new(word(&trip.verifier)),
            trip: id,
            until,
            nonce: Nonce::new(word(&trip.nonce)),
        })
    }

    /// Checks the ID token that the code was exchanged for.
    ///
    /// # Errors
    ///
    /// [`Refused`] for the first thing about it that is wrong.
    pub fn vouch(
        &self,
        exchange: Exchange,
        id_token: &str,
        access_token: Option<&str>,
        now: UnixMillis,
    ) -> Result<Vouched, Refused> {
        let Exchange { trip, until, nonce, .. } = exchange;
        if id_token.len() > ID_TOKEN_MAX {
            return Err(no(Why::TokenSize));
        }
        let token: CoreIdToken = id_token.parse().map_err(|_| no(Why::TokenForm))?;
        let seconds = now.0 / 1000;
        let read = clock(seconds.saturating_sub(SKEW))?;
        let (oldest, newest) = (clock(seconds.saturating_sub(AGE))?, clock(seconds.saturating_add(SKEW))?);
        // A public client's verifier takes no HMAC: our secret at the provider is never a key.
        let issuer = self.metadata.issuer().clone();
        let verifier = CoreIdTokenVerifier::new_public_client(self.client.clone(), issuer, self.keys.clone())
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || read);
        let claims = token.claims(&verifier, &nonce).map_err(|fault| no(reason(&fault)))?;
        if claims.issue_time() > newest {
            return Err(no(Why::TokenEarly));
        }
        if claims.issue_time() < oldest {
            return Err(no(Why::TokenExpired));
        }
        // The library leaves this one to us (OpenID Connect Core, 3.1.3.7, steps 4 and 5).
        let party = claims.authorized_party();
        let ours = party.is_none_or(|party| *party == self.client);
        if !ours || (claims.audiences().len() > 1 && party.is_none()) {
            return Err(no(Why::TokenAudience));
        }
        if let (Some(hash), Some(access)) = (claims.access_token_hash(), access_token) {
            let bound = token.signing_alg().ok().zip(token.signing_key(&verifier).ok());
            let (alg, key) = bound.ok_or_else(|| no(Why::TokenSignature))?;
            let access = AccessToken::new(access.to_owned());
            let made = openidconnect::AccessTokenHash::from_token(&access, alg, key);
            if !made.is_ok_and(|made| made == *hash) {
                return Err(no(Why::TokenSignature));
            }
        }
        let subject = claims.subject().as_str();
        if subject.is_empty() || subject.len() > 255 || subject.chars().any(char::is_control) {
            return Err(no(Why::TokenSubject));
        }
        let level = claims.auth_context_ref().map(|acr| acr.as_str());
        Ok(Vouched {
            link: SsoLink {
                issuer: SecretText::new(claims.issuer().as_str()),
                subject: SecretText::new(subject),
            },
            trip,
            until,
            second_factor: level.is_some_and(|acr| self.second_factor.iter().any(|known| known == acr)),
        })
    }
}

impl Account {
    /// Signs in somebody whom the identity provider vouches for.
    pub fn sign_in_with_provider(
        self,
        vouched: &Vouched,
        arrival: &Arrival,
        with: &mut With<'_>,
    ) -> Change<SignedIn> {
        Draft::run(self, with.now, |draft| {
            let factor = Factor::SingleSignOn;
            if draft.account.sso.as_ref() != Some(&vouched.link) {
                let next = Next::Show(for_anyone(Audience::Staff, with.rules));
                return Err(draft.failed(factor, Refused::new(Why::OtherPerson, next)));
            }
            draft.account.use_up(vouched.trip, vouched.until).map_err(|no| draft.failed(factor, no))?;
            draft.account.open_for_sign_in().map_err(|no| draft.failed(factor, no))?;
            let trusted = vouched.second_factor;
            let shown = Shown { factor, at: with.now, trusted, device_bound: false };
            let signed_in = Session::begin(draft, shown, arrival, with)?;
            draft.note_factor(Action::SignedIn, factor);
            Ok(signed_in)
        })
    }

    /// Links the account to somebody at the identity provider, in a session in which factors may be set up. Storage makes
    /// sure that no other account has the link.
    pub fn link_provider(self, vouched: &Vouched, session: &Session, with: &mut With<'_>) -> Change<()> {
        Draft::run(self, with.now, |draft| {
            draft.account.may_add_factor(session, with)?;
            if !draft.account.is_staff() {
                return Err(Refused::new(Why::NotStaff, Next::StartOver));
            }
            if draft.account.sso.is_some() || session.recovered {
                return Err(Refused::new(Why::AlreadySetUp, Next::AskAdministrator));
            }
            draft.account.use_up(vouched.trip, vouched.until)?;
            draft.account.sso = Some(vouched.link.clone());
            draft.note_factor(Action::FactorAdded, Factor::SingleSignOn);
            super::staff::set_up_at_last(draft);
            Ok(())
        })
    }
}

fn reason(fault: &ClaimsVerificationError) -> Why {
    match fault {
        ClaimsVerificationError::Expired(_) => Why::TokenExpired,
        ClaimsVerificationError::InvalidAudience(_) => Why::TokenAudience,
        ClaimsVerificationError::InvalidIssuer(_) => Why::TokenIssuer,
        ClaimsVerificationError::InvalidNonce(_) => Why::TokenNonce,
        ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::DisallowedAlg(_)
            | SignatureVerificationError::UnsupportedAlg(_)
            | SignatureVerificationError::NoSignature,
        ) => Why::TokenAlgorithm,
        ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::NoMatchingKey | SignatureVerificationError::AmbiguousKeyId(_),
        ) => Why::TokenKey,
        ClaimsVerificationError::SignatureVerification(_) => Why::TokenSignature,
        _ => Why::TokenForm,
    }
}

fn word(secret: &Secret<32>) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(secret.expose())
}

fn clock(seconds: u64) -> Result<chrono::DateTime<chrono::Utc>, Refused> {
    let seconds = i64::try_from(seconds).ok();
    seconds
        .and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0))
        .ok_or_else(|| no(Why::Unavailable))
}

fn no(why: Why) -> Refused {
    Refused::new(why, Next::StartOver)
}

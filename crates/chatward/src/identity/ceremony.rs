//! What was begun and is to be finished within five minutes: a challenge for a passkey, a trip to the identity provider.
//!
//! The state is sealed (AES-256-GCM, under a key of the vault's) and bound to its purpose, its house, and the browser or
//! session that began it. So it may be kept anywhere, also by the browser: nobody reads or changes it, it is of no use in
//! another browser, and an account remembers which ones it finished, so that none counts twice.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chatward_message::{AccountId, TenantId, UnixMillis};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::outcome::{Next, Refused, Why};
use super::rules::after;
use super::secret::{Random, Secret, TokenHash, id};
use crate::caller::NoRandom;

/// How long there is to finish what was begun.
pub const CEREMONY_LIFE: u64 = 5 * 60_000;
/// No sealed state is longer, in bytes of text.
const SEALED_MAX: usize = 16 * 1024;

/// What tells one ceremony from another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CeremonyId([u8; 16]);

/// What was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Setting up a passkey.
    Register,
    /// Signing in with a passkey.
    SignIn,
    /// Showing a passkey within a session.
    StepUp,
    /// Signing in at the identity provider.
    Provider,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::SignIn => "sign-in",
            Self::StepUp => "step-up",
            Self::Provider => "provider",
        }
    }
}

/// A state that only we can open, as text.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedCeremony(String);

impl SealedCeremony {
    /// The text, for a field of a form or a cookie.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What came back from where it was kept.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for SealedCeremony {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedCeremony({} bytes)", self.0.len())
    }
}

/// Which ceremony this is: part of what the seal is bound to.
#[derive(Clone, Copy)]
pub(super) struct Bound<'a> {
    pub(super) purpose: Purpose,
    pub(super) tenant: &'a TenantId,
    /// Of the session, or of the browser's pre-session.
    pub(super) browser: &'a TokenHash,
    pub(super) account: Option<AccountId>,
}

impl Bound<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut all = b"chatward ceremony v1".to_vec();
        let account = self.account.map(|account| *account.as_bytes()).unwrap_or_default();
        let parts: [&[u8]; 4] = [
            self.purpose.name().as_bytes(),
            self.tenant.as_str().as_bytes(),
            self.browser.as_bytes(),
            &account,
        ];
        for part in parts {
            all.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            all.extend_from_slice(part);
        }
        all
    }
}

/// A ceremony that was opened.
pub(super) struct Opened<T> {
    pub(super) id: CeremonyId,
    pub(super) until: UnixMillis,
    pub(super) state: T,
}

#[derive(Serialize)]
struct Out<'a, T> {
    id: CeremonyId,
    until: UnixMillis,
    state: &'a T,
}

#[derive(Deserialize)]
struct In<T> {
    id: CeremonyId,
    until: UnixMillis,
    state: T,
}

/// The key under which ceremonies are sealed: made anew whenever the program starts, or derived by the vault.
pub struct CeremonyKey(LessSafeKey);

impl CeremonyKey {
    /// From 32 secret random bytes.
    ///
    /// # Errors
    ///
    /// [`NoRandom`] if the cipher library refuses the key, which it does not.
    pub fn new(secret: &Secret<32>) -> Result<Self, NoRandom> {
        let key = UnboundKey::new(&AES_256_GCM, &secret.expose()[..]).map_err(|_| NoRandom)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    pub(super) fn seal<T: Serialize>(
        &self,
        bound: Bound<'_>,
        state: &T,
        now: UnixMillis,
        random: &mut dyn Random,
    ) -> Result<SealedCeremony, NoRandom> {
        let out = Out { id: CeremonyId(id(random)?), until: after(now, CEREMONY_LIFE), state };
        let mut body = Zeroizing::new(serde_json::to_vec(&out).map_err(|_| NoRandom)?);
        let nonce: [u8; NONCE_LEN] = id(random)?;
        let aad = Aad::from(bound.bytes());
        let tag = self
            .0
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body)
            .map_err(|_| NoRandom)?;
        let mut sealed = nonce.to_vec();
        sealed.extend_from_slice(&body);
        sealed.extend_from_slice(tag.as_ref());
        Ok(SealedCeremony(URL_SAFE_NO_PAD.encode(sealed)))
    }

    pub(super) fn open<T: DeserializeOwned>(
        &self,
        bound: Bound<'_>,
        sealed: &SealedCeremony,
        now: UnixMillis,
    ) -> Result<Opened<T>, Refused> {
        let other = || Refused::new(Why::OtherCeremony, Next::StartOver);
        if sealed.0.len() > SEALED_MAX {
            return Err(other());
        }
        let bytes = URL_SAFE_NO_PAD.decode(&sealed.0).map_err(|_| other())?;
        let (nonce, body) = bytes.split_first_chunk::<NONCE_LEN>().ok_or_else(other)?;
        let mut body = Zeroizing::new(body.to_vec());
        let opened = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(bound.bytes()), &mut body)
            .map_err(|_| other())?;
        let In { id, until, state } = serde_json::from_slice(opened).map_err(|_| other())?;
        if now > until {
            return Err(Refused::new(Why::CeremonyExpired, Next::StartOver));
        }
        Ok(Opened { id, until, state })
    }
}

impl fmt::Debug for CeremonyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CeremonyKey")
    }
}

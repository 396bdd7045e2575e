//! Secrets of people and browsers: hidden from Debug, wiped when dropped, compared in constant time.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::caller::NoRandom;

/// Where random numbers come from: an argument, so that what is done with them can be shown by a test.
pub trait Random {
    /// Fills the bytes, all of them.
    ///
    /// # Errors
    ///
    /// [`NoRandom`] if there is no source to be trusted.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandom>;
}

/// The system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandom> {
        rand::fill(bytes).map_err(|_| NoRandom)
    }
}

/// Random bytes that are no secret: ids.
pub(super) fn id<const N: usize>(random: &mut dyn Random) -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    random.fill(&mut bytes)?;
    Ok(bytes)
}

/// A secret of N bytes. Boxed, so that moves leave no copies behind.
pub struct Secret<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Secret<N> {
    /// Fresh random bytes.
    pub(super) fn random(random: &mut dyn Random) -> Result<Self, NoRandom> {
        let mut secret = Self(Box::new([0; N]));
        random.fill(&mut secret.0[..])?;
        Ok(secret)
    }

    /// Copies the bytes; whoever gives them wipes its own.
    pub fn copy_of(bytes: &[u8; N]) -> Self {
        Self(Box::new(*bytes))
    }

    /// The bytes. Never pass them to a log, an error or a metric.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> Clone for Secret<N> {
    fn clone(&self) -> Self {
        Self::copy_of(&self.0)
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0[..], &other.0[..]).is_ok()
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_hidden) = self;
        write!(f, "Secret({N} bytes)")
    }
}

impl<const N: usize> Serialize for Secret<N> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Zeroizing::new(URL_SAFE_NO_PAD.encode(&self.0[..])))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Secret<N> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(from)?);
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(&*text).map_err(|_| wrong::<D::Error>())?);
        let bytes: &[u8; N] = bytes.as_slice().try_into().map_err(|_| wrong::<D::Error>())?;
        Ok(Self::copy_of(bytes))
    }
}

/// Says nothing about the value.
fn wrong<E: serde::de::Error>() -> E {
    E::custom("not what was written here")
}

/// Text that must not be seen: a name to sign in with, the hash of a password, a label.
#[derive(Clone, Default)]
pub struct SecretText(Zeroizing<Box<str>>);

impl SecretText {
    /// Takes the text.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text. Never pass it to a log, an error or a metric.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), other.0.as_bytes()).is_ok()
    }
}

impl Eq for SecretText {}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretText({} bytes)", self.0.len())
    }
}

impl Serialize for SecretText {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self::new(String::deserialize(from)?))
    }
}

/// What a token is for. It is hashed with the token, so that one cannot stand for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A session's cookie.
    Session,
    /// The cookie of a browser that is about to sign in.
    PreSession,
    /// The link of an invitation.
    Invitation,
    /// The key of a service account.
    Service,
}

impl TokenKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "cwu_",
            Self::PreSession => "cwp_",
            Self::Invitation => "cwi_",
            Self::Service => "cws_",
        }
    }
}

/// A bearer's secret as it is given out, once: a prefix that says what it is, and 256 random bits.
pub struct Token(Zeroizing<String>);

impl Token {
    /// A fresh one, and the hash that is kept of it.
    pub(super) fn new(kind: TokenKind, random: &mut dyn Random) -> Result<(Self, TokenHash), NoRandom> {
        let secret = Secret::<32>::random(random)?;
        let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(&secret.expose()[..]));
        let mut text = Zeroizing::new(String::with_capacity(4 + encoded.len()));
        text.push_str(kind.prefix());
        text.push_str(&encoded);
        let hash = TokenHash::of(kind, &text);
        Ok((Self(text), hash))
    }

    /// The token's text: for the one who gets it, and for nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_hidden) = self;
        f.write_str("Token(..)")
    }
}

/// What is kept of a token: SHA-256 over what it is for and its text. A token is 256 random bits, so a fast hash is
/// enough, and looking it up by its hash tells nobody anything.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of this token, whoever brought it.
    pub fn of(kind: TokenKind, token: &str) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        // No prefix is the beginning of another, so the two parts cannot run into each other.
        hash.update(kind.prefix().as_bytes());
        hash.update(token.as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash.finish().as_ref());
        Self(bytes)
    }

    /// The bytes, for the key of a row.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for TokenHash {}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_hidden) = self;
        f.write_str("TokenHash(..)")
    }
}

impl Serialize for TokenHash {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for TokenHash {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(*Secret::<32>::deserialize(from)?.expose()))
    }
}

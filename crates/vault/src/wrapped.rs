//! The operator's key in a file of its own, wrapped by something that the operator knows or a service keeps.
//!
//! The file (`operator.wrapped`, 0600) is text: a header, the kind of seal, the check value of the key, what the wrapper needs to
//! know, and base64 of the wrapped key. A wrapper that can, binds the first lines to it.

use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::key::{Secret, open_under, seal_under};
use crate::seal::{OperatorKey, Seal, SealError, read_private, replace};

const HEADER: &str = "chatward-wrapped-key v1";
/// Argon2id: the least memory in KiB, the least passes. What a new file gets, and what an old one must have.
const MEMORY: u32 = 64 << 10;
const PASSES: u32 = 3;
/// More than this is a damaged or hostile file.
const MEMORY_MOST: u32 = 4 << 20;
const PASSES_MOST: u32 = 64;

/// Wraps the operator's key: a passphrase, or a service that keeps a key of its own.
pub trait Wrapper: Send + Sync {
    /// The word for it in the configuration and in the file.
    fn kind(&self) -> &'static str;

    /// Wraps a key. `about` is bound to it where the wrapper can do so. Gives one line of what is needed to unwrap (no secret, no
    /// line end), and the wrapped key.
    ///
    /// # Errors
    /// The service refuses, or is away.
    fn wrap(&self, key: &[u8; 32], about: &str) -> Result<(String, Vec<u8>), SealError>;

    /// Unwraps it.
    ///
    /// # Errors
    /// It is another's, was altered, or the service refuses or is away.
    fn unwrap(&self, with: &str, about: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError>;
}

/// A seal whose key lies wrapped in a file.
pub struct WrappedSeal {
    path: PathBuf,
    wrapper: Box<dyn Wrapper>,
}

impl std::fmt::Debug for WrappedSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WrappedSeal({}, {})", self.path.display(), self.wrapper.kind())
    }
}

impl WrappedSeal {
    /// The seal in this file, which must exist when it is used.
    pub fn new(path: &Path, wrapper: Box<dyn Wrapper>) -> Self {
        Self { path: path.to_owned(), wrapper }
    }

    /// Wraps this key into the file; one that is there is replaced as a whole.
    ///
    /// # Errors
    /// The wrapper's, and the disk's.
    pub fn store(&self, key: &OperatorKey) -> Result<(), SealError> {
        let about = self.about(&key.root()?.check_value()?);
        let (with, wrapped) = self.wrapper.wrap(key.bytes(), &about)?;
        replace(&self.path, format!("{about}{with}\n{}\n", STANDARD.encode(wrapped)).as_bytes())
    }

    /// Whether there is such a file.
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    fn about(&self, check_value: &str) -> String {
        format!("{HEADER}\n{}\n{check_value}\n", self.wrapper.kind())
    }
}

impl Seal for WrappedSeal {
    fn operator_key(&self) -> Result<OperatorKey, SealError> {
        let text = read_private(&self.path)?.ok_or_else(|| SealError::Missing { path: self.path.clone() })?;
        let wrong = |why| SealError::NotAKey { path: self.path.clone(), why };
        let text = std::str::from_utf8(&text).map_err(|_| wrong("it is not text"))?;
        let lines: Vec<&str> = text.lines().collect();
        let [HEADER, kind, check_value, with, wrapped] = lines.as_slice() else {
            return Err(wrong("it is not a wrapped key of this version"));
        };
        if *kind != self.wrapper.kind() {
            return Err(wrong(
                "it is wrapped by another kind of seal than the configuration names (`seal.kind`)",
            ));
        }
        let wrapped = STANDARD.decode(wrapped).map_err(|_| wrong("the key is not base64"))?;
        let key = self.wrapper.unwrap(with, &self.about(check_value), &wrapped)?;
        let key = Secret::from_slice(&key).ok_or_else(|| wrong("the key is not 32 bytes long"))?;
        let key = OperatorKey::of(key);
        if key.root()?.check_value()? != *check_value {
            return Err(wrong("the key in it is not the one that it names"));
        }
        Ok(key)
    }
}

/// A passphrase of the operator: Argon2id (RFC 9106) makes the key that wraps, at 64 MiB and three passes; cost and salt stand in
/// the file and are bound to the wrapped key, and a file with less is refused.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_hidden) = self;
        f.write_str("Passphrase")
    }
}

impl Passphrase {
    /// This one. The end of the line does not belong to it.
    ///
    /// # Errors
    /// It is shorter than 12 characters.
    pub fn new(text: &str) -> Result<Self, SealError> {
        let text = text.trim_end_matches(['\n', '\r']);
        if text.chars().count() < 12 {
            return Err(SealError::Passphrase { why: "it has less than 12 characters" });
        }
        Ok(Self(Zeroizing::new(text.as_bytes().to_vec())))
    }

    fn key(&self, salt: &[u8], memory: u32, passes: u32) -> Result<Secret, SealError> {
        let dear = |_| SealError::Passphrase { why: "there is not enough memory for it" };
        let params = Params::new(memory, passes, 1, Some(32)).map_err(dear)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(&self.0, salt, &mut key[..])
            .map_err(dear)?;
        Ok(Secret::copy_of(&key))
    }
}

impl Wrapper for Passphrase {
    fn kind(&self) -> &'static str {
        "passphrase"
    }

    fn wrap(&self, key: &[u8; 32], about: &str) -> Result<(String, Vec<u8>), SealError> {
        let mut salt = [0; 16];
        rand::fill(&mut salt).map_err(crate::CipherError::from)?;
        let with = format!("argon2id {MEMORY} {PASSES} {}", STANDARD.encode(salt));
        let wrapping = self.key(&salt, MEMORY, PASSES)?;
        let wrapped = seal_under(&wrapping, format!("{about}{with}\n").as_bytes(), key)?;
        Ok((with, wrapped))
    }

    fn unwrap(&self, with: &str, about: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let damaged =
            || SealError::Passphrase { why: "its cost or salt in the file of the wrapped key is damaged" };
        let words: Vec<&str> = with.split(' ').collect();
        let ["argon2id", memory, passes, salt] = words.as_slice() else { return Err(damaged()) };
        let (Ok(memory), Ok(passes)) = (memory.parse::<u32>(), passes.parse::<u32>()) else {
            return Err(damaged());
        };
        let salt = STANDARD.decode(salt).map_err(|_| damaged())?;
        if !(MEMORY..=MEMORY_MOST).contains(&memory)
            || !(PASSES..=PASSES_MOST).contains(&passes)
            || salt.len() < 16
        {
            return Err(SealError::Passphrase { why: "the file asks for another cost than it may have" });
        }
        let wrapping = self.key(&salt, memory, passes)?;
        open_under(&wrapping, format!("{about}{with}\n").as_bytes(), wrapped).map_err(|_| {
            SealError::Passphrase {
                why: "it does not open the wrapped operator key, or the file was altered",
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(dir: &Path, words: &str) -> WrappedSeal {
        WrappedSeal::new(&dir.join("operator.wrapped"), Box::new(Passphrase::new(words).unwrap()))
    }

    #[test]
    fn a_passphrase_opens_what_it_closed_and_nothing_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let right = seal(dir.path(), "correct horse battery\n");
        assert!(matches!(right.operator_key(), Err(SealError::Missing { .. })));
        let key = OperatorKey::from_bytes(&[7; 32]);
        right.store(&key).unwrap();
        assert_eq!(right.operator_key().unwrap().bytes(), key.bytes());
        let wrong = seal(dir.path(), "correct horse batterz");
        assert!(matches!(wrong.operator_key(), Err(SealError::Passphrase { .. })));
        // A changed line does not open, and a cheaper cost is refused before anything is tried.
        let path = dir.path().join("operator.wrapped");
        let good = std::fs::read_to_string(&path).unwrap();
        for (from, to) in [
            ("65536", "8"),
            ("65536", "65537"),
            (" 3 ", " 1 "),
            (" 3 ", " 4 "),
            ("passphrase", "transit"),
            ("v1", "v2"),
            ("argon2id", "argon2i"),
        ] {
            std::fs::write(&path, good.replace(from, to)).unwrap();
            assert!(right.operator_key().is_err(), "{from} → {to}");
        }
        let check_value = good.lines().nth(2).unwrap();
        std::fs::write(&path, good.replace(check_value, "0123456789abcdef")).unwrap();
        assert!(right.operator_key().is_err());
        std::fs::write(&path, &good).unwrap();
        assert!(right.operator_key().is_ok());
        assert!(Passphrase::new("too short").is_err());
    }

    #[test]
    fn nothing_is_shown_in_debug() {
        let dir = tempfile::tempdir().unwrap();
        assert!(
            !format!(
                "{:?} {:?}",
                seal(dir.path(), "secret words here"),
                Passphrase::new("secret words here")
            )
            .contains("secret")
        );
    }
}

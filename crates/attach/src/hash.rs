//! Hashes under which known bad files are listed.

use md5::Md5;
use sha1::Sha1;
use sha1::digest::Digest as _;
use sha2::Digest as _;
use sha2::Sha256;

/// The hashes of one file. MD5 and SHA-1 prove nothing; lists of known files use them all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hashes {
    /// MD5 (RFC 1321).
    pub md5: [u8; 16],
    /// SHA-1 (FIPS 180-4).
    pub sha1: [u8; 20],
    /// SHA-256 (FIPS 180-4).
    pub sha256: [u8; 32],
}

impl Hashes {
    /// The hashes of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            md5: Md5::digest(bytes).into(),
            sha1: Sha1::digest(bytes).into(),
            sha256: Sha256::digest(bytes).into(),
        }
    }
}

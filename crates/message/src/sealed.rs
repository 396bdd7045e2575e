//! The shape of sealed data.

use std::fmt;

use crate::TenantId;

/// Ciphertext with its header: made and opened by the vault, opaque to everybody else.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sealed(Box<[u8]>);

impl Sealed {
    /// Wraps bytes that the vault made, or that the store read back.
    pub fn from_bytes(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes as they are stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// Where a sealed value lives. It is the associated data of the cipher: moved elsewhere, the value does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// Whose installation.
    pub tenant: &'a TenantId,
    /// Which table.
    pub table: &'static str,
    /// Which column.
    pub column: &'static str,
    /// Which row: its key, as bytes.
    pub row: &'a [u8],
}

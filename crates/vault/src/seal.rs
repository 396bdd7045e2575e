//! The operator's seal: where the root key comes from.

use std::path::{Path, PathBuf};

use crate::key::Secret;

/// The root of all keys. In memory only.
#[derive(Debug)]
pub struct RootKey(#[expect(dead_code, reason = "skeleton")] Secret);

/// A failure of the operator's seal.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key file is not there.
    #[error("there is no operator key at {}", .path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
}

/// Where the root key comes from.
pub trait Seal: Send + Sync {
    /// The root key.
    fn root(&self) -> Result<RootKey, SealError>;
}

/// A seal in a file of the operator.
#[derive(Debug)]
pub struct FileSeal {
    path: PathBuf,
}

impl FileSeal {
    /// The seal in this file; it must exist.
    pub fn open(path: &Path) -> Result<Self, SealError> {
        Ok(Self { path: path.to_owned() })
    }

    /// The seal in this file, which is made (0600) if it does not exist and `keys_dir` holds no keys yet.
    /// The flag says whether it was made now.
    pub fn open_or_create(path: &Path, keys_dir: &Path) -> Result<(Self, bool), SealError> {
        let _ = keys_dir;
        Ok((Self::open(path)?, false))
    }
}

impl Seal for FileSeal {
    fn root(&self) -> Result<RootKey, SealError> {
        Err(SealError::Missing { path: self.path.clone() })
    }
}

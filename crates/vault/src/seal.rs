//! The operator's seal: where the root key comes from.
//!
//! Only the key file is here; passphrases, transit engines and hardware come as further [`Seal`]s.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::CipherError;
use crate::key::Secret;

/// First line of an operator key file.
const HEADER: &str = "chatward-operator-key v1";
/// A key file is 70 bytes; what is longer is something else.
const MAX_FILE: u64 = 4096;

/// What the operator keeps: 32 random bytes, from which the root key comes. In memory only; wiped when dropped.
pub struct OperatorKey(Secret);

impl OperatorKey {
    /// A new one.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn random() -> Result<Self, SealError> {
        Ok(Self(Secret::random()?))
    }

    /// The one of these bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::copy_of(bytes))
    }

    pub(crate) fn of(secret: Secret) -> Self {
        Self(secret)
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.0
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        self.0.bytes()
    }

    /// The root key that comes from it.
    ///
    /// # Errors
    /// The cipher library's.
    pub fn root(&self) -> Result<RootKey, SealError> {
        RootKey::from_operator_key(self.bytes())
    }
}

impl std::fmt::Debug for OperatorKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_hidden) = self;
        f.write_str("OperatorKey")
    }
}

/// The root of all keys. In memory only; wiped when dropped.
#[derive(Debug)]
pub struct RootKey(Secret);

impl RootKey {
    /// The root key that comes from 32 uniformly random bytes which the operator keeps.
    pub fn from_operator_key(bytes: &[u8; 32]) -> Result<Self, SealError> {
        let operator = Secret::copy_of(bytes);
        Ok(Self(operator.derive(&[b"chatward", b"root", b"v1"])?))
    }

    /// The key of the seal file.
    pub(crate) fn file_key(&self) -> Result<Secret, CipherError> {
        self.0.derive(&[b"chatward", b"seal file", b"v1"])
    }

    /// Tells one root key from another without saying anything of it: 8 bytes in hex.
    pub(crate) fn check_value(&self) -> Result<String, CipherError> {
        let value = self.0.derive(&[b"chatward", b"check value", b"v1"])?;
        Ok(value.bytes().iter().take(8).map(|b| format!("{b:02x}")).collect())
    }
}

/// A failure of the operator's seal or of the seal file. All of them are for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key file is not there.
    #[error(
        "there is no operator key at {}; without it nothing can be opened: put it back from your safe copy",
        .path.display()
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Others may read or change the file.
    #[error("{} may be read or changed by others (mode {mode:04o}); run `chmod 600` on it", .path.display())]
    TooOpen {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not an operator key, or was cut or altered.
    #[error("{} is not an operator key file: {why}", .path.display())]
    NotAKey {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A key, but not the one these keys were sealed with.
    #[error(
        "{} was sealed under another operator key (check value {wanted}, the key given has {given})",
        .path.display()
    )]
    WrongKey {
        /// The seal file.
        path: PathBuf,
        /// Check value of the key it was sealed under.
        wanted: String,
        /// Check value of the key that was given.
        given: String,
    },
    /// The seal file was cut or altered.
    #[error("the seal file {} is damaged: {why}; restore it together with its keyring", .path.display())]
    Damaged {
        /// The seal file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There are customer keys, but no seal file to open them with.
    #[error("{} is missing although the keyring holds keys; restore both from the same copy", .path.display())]
    SealFileMissing {
        /// The seal file.
        path: PathBuf,
    },
    /// The key is there in the form of another seal.
    #[error("{} is there, and the configuration names another seal: run `chatward keys reseal --to {kind}` first", .path.display())]
    OtherForm {
        /// The file that is there.
        path: PathBuf,
        /// The seal that the configuration names.
        kind: &'static str,
    },
    /// The passphrase does not do.
    #[error("the passphrase: {why}")]
    Passphrase {
        /// Why.
        why: &'static str,
    },
    /// The service that keeps the seal's key refuses, or is away.
    #[error("the {kind} seal: {why}")]
    Service {
        /// Which kind of seal.
        kind: &'static str,
        /// What it said; no secret.
        why: String,
    },
    /// The disk or the system.
    #[error("{what} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The cipher library.
    #[error(transparent)]
    Cipher(#[from] CipherError),
}

impl SealError {
    /// What somebody outside may be told.
    pub fn outside(&self) -> &'static str {
        "the keys of this service are not available"
    }

    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }
}

/// Where the root key comes from.
pub trait Seal: Send + Sync {
    /// The operator's key.
    ///
    /// # Errors
    /// All of them are for the operator to mend.
    fn operator_key(&self) -> Result<OperatorKey, SealError>;

    /// The root key. Called once at every start.
    ///
    /// # Errors
    /// As [`Seal::operator_key`].
    fn root(&self) -> Result<RootKey, SealError> {
        self.operator_key()?.root()
    }
}

/// A seal in a file of the operator: a header line and the base64 of 32 random bytes, for its owner's eyes only.
#[derive(Debug)]
pub struct FileSeal {
    path: PathBuf,
}

impl FileSeal {
    /// The seal in this file, which must exist and be well kept.
    pub fn open(path: &Path) -> Result<Self, SealError> {
        read(path)?;
        Ok(Self { path: path.to_owned() })
    }

    /// Makes a new key in a file that must not exist yet.
    pub fn create(path: &Path) -> Result<Self, SealError> {
        Self::create_with(path, &OperatorKey::random()?)
    }

    /// Writes this key into a file that must not exist yet.
    ///
    /// # Errors
    /// The file exists, or the disk's.
    pub fn create_with(path: &Path, key: &OperatorKey) -> Result<Self, SealError> {
        let text = Zeroizing::new(format!("{HEADER}\n{}\n", STANDARD.encode(key.bytes())));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(SealError::io("cannot make", path))?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(SealError::io("cannot write", path))?;
        sync_folder(path)?;
        Ok(Self { path: path.to_owned() })
    }

    /// The seal in this file; made now if it does not exist and `keys_dir` holds no keys yet. A missing key beside
    /// existing keys is an error: a new one would open nothing. The flag says whether it was made now.
    pub fn open_or_create(path: &Path, keys_dir: &Path) -> Result<(Self, bool), SealError> {
        match Self::open(path) {
            Err(SealError::Missing { .. }) if !holds_keys(keys_dir)? => Ok((Self::create(path)?, true)),
            opened => Ok((opened?, false)),
        }
    }

    /// Where the key is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Seal for FileSeal {
    fn operator_key(&self) -> Result<OperatorKey, SealError> {
        Ok(OperatorKey(read(&self.path)?))
    }
}

/// Whether a folder holds keys, which a new operator key would not open.
///
/// # Errors
/// The disk's.
pub fn holds_keys(keys_dir: &Path) -> Result<bool, SealError> {
    for name in [crate::keep::FILE, "keyring.db"] {
        let path = keys_dir.join(name);
        if path.try_exists().map_err(SealError::io("cannot look at", &path))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read(path: &Path) -> Result<Secret, SealError> {
    let text = read_private(path)?.ok_or_else(|| SealError::Missing { path: path.to_owned() })?;
    let wrong = |why| SealError::NotAKey { path: path.to_owned(), why };
    let text = std::str::from_utf8(&text).map_err(|_| wrong("it is not text"))?;
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err(wrong("its first line is not that of an operator key"));
    }
    let line = lines.next().ok_or_else(|| wrong("the key is missing"))?;
    if lines.any(|l| !l.trim().is_empty()) {
        return Err(wrong("something stands after the key"));
    }
    let bytes = Zeroizing::new(STANDARD.decode(line.trim()).map_err(|_| wrong("the key is not base64"))?);
    Secret::from_slice(&bytes).ok_or_else(|| wrong("the key is not 32 bytes long"))
}

/// Reads a file that must be its owner's alone; nothing if it does not exist.
pub(crate) fn read_private(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, SealError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(SealError::io("cannot open", path)(e)),
    };
    let meta = file.metadata().map_err(SealError::io("cannot look at", path))?;
    let mode = meta.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SealError::TooOpen { path: path.to_owned(), mode });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(256));
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(SealError::io("cannot read", path))?;
    Ok(Some(bytes))
}

/// Makes a new or renamed name in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> Result<(), SealError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|f| f.sync_all()).map_err(SealError::io("cannot sync", folder))
}

/// Replaces a file as a whole: after a crash the old or the new one is there, never a mixture.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), SealError> {
    let fresh = path.with_extension("new");
    match fs::remove_file(&fresh) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            return Err(SealError::io("cannot remove", &fresh)(e));
        }
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(SealError::io("cannot make", &fresh))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(SealError::io("cannot write", &fresh))?;
    fs::rename(&fresh, path).map_err(SealError::io("cannot replace", path))?;
    sync_folder(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_made_key_is_private_and_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("operator.key");
        let made = FileSeal::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let again = FileSeal::open(&path).unwrap();
        assert_eq!(made.root().unwrap().check_value().unwrap(), again.root().unwrap().check_value().unwrap());
        assert!(matches!(FileSeal::create(&path), Err(SealError::Io { .. })), "never overwritten");
    }

    #[test]
    fn looser_permissions_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("operator.key");
        FileSeal::create(&path).unwrap();
        for mode in [0o640, 0o604, 0o644, 0o660, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(
                matches!(FileSeal::open(&path), Err(SealError::TooOpen { mode: m, .. }) if m == mode),
                "{mode:o}"
            );
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(FileSeal::open(&path).is_ok());
    }

    #[test]
    fn other_files_are_not_keys() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("operator.key");
        let good = format!("{HEADER}\n{}\n", STANDARD.encode([7; 32]));
        for bad in [
            String::new(),
            "hello".into(),
            HEADER.into(),
            format!("{HEADER}\n\n"),
            format!("{HEADER}\n{}\n", STANDARD.encode([7; 31])),
            format!("{HEADER}\n!!!!\n"),
            format!("{good}more\n"),
            good.replace("v1", "v2"),
        ] {
            fs::write(&path, &bad).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(FileSeal::open(&path), Err(SealError::NotAKey { .. })), "{bad:?}");
        }
        fs::write(&path, good).unwrap();
        assert!(FileSeal::open(&path).is_ok());
    }

    #[test]
    fn a_key_is_made_only_where_no_keys_are() {
        let dir = tempfile::tempdir().unwrap();
        let (keys, path) = (dir.path().join("keys"), dir.path().join("operator.key"));
        fs::create_dir(&keys).unwrap();
        for name in [crate::keep::FILE, "keyring.db"] {
            fs::write(keys.join(name), b"x").unwrap();
            assert!(matches!(FileSeal::open_or_create(&path, &keys), Err(SealError::Missing { .. })));
            fs::remove_file(keys.join(name)).unwrap();
        }
        assert!(FileSeal::open_or_create(&path, &keys).unwrap().1);
        assert!(!FileSeal::open_or_create(&path, &keys).unwrap().1);
    }

    #[test]
    fn debug_shows_no_key() {
        let root = RootKey::from_operator_key(&[7; 32]).unwrap();
        assert_eq!(format!("{root:?}"), "RootKey(Secret)");
    }
}

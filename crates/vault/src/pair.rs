//! Keyring and seal file as a pair, in a folder outside of the folder of keys: a backup of them, or their live mirror.
//!
//! A pair lies in a folder of its own (`pair-…`), and the file `keyring-pair` says which one counts. That file is replaced as a
//! whole, so that there is always one whole pair: the one before or the one after. The operator's key is not in it.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use chatward_store::{KEYRING_BEGUN, KEYRING_MARK, Keyring, KeyringFile};

use crate::random::random_id;
use crate::seal::{SealError, replace, sync_folder};
use crate::vault::VaultError;

const HEADER: &str = "chatward-keyring-pair v1";
pub(crate) const KEYRING: &str = "keyring.db";
/// Beside a keyring that was being written to.
const JOURNAL: &str = "keyring.db-journal";

/// What a pair is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It stays as it is: its files have hashes.
    Backup,
    /// New keys are added to it.
    Mirror,
}

/// The file that says which pair counts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pointer {
    kind: Kind,
    /// Name of the pair's folder.
    pair: String,
    /// SHA-256 of the seal file, in hex.
    seal: String,
    /// SHA-256 of the keyring; none of a mirror's.
    keyring: Option<String>,
}

impl Pointer {
    fn text(&self) -> String {
        let kind = match self.kind {
            Kind::Backup => "backup",
            Kind::Mirror => "mirror",
        };
        let keyring = self.keyring.as_deref().unwrap_or("-");
        let body = format!("{HEADER}\n{kind}\n{}\n{}\n{keyring}\n", self.pair, self.seal);
        format!("{body}{}\n", hex(&Context::new(&SHA256), body.as_bytes()))
    }

    fn read(dir: &Path) -> Result<Self, VaultError> {
        let path = dir.join(KEYRING_MARK);
        let bad = |why| VaultError::BadPair { path: path.clone(), why };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(bad(if dir.join(KEYRING_BEGUN).exists() {
                    "the copy was not finished: run `chatward backup --keyring` with the same folder again"
                } else {
                    "there is no copy of a keyring here"
                }));
            }
            Err(e) if e.kind() == io::ErrorKind::InvalidData => return Err(bad("it was altered")),
            Err(e) => return Err(SealError::io("cannot read", &path)(e).into()),
        };
        let lines: Vec<&str> = text.lines().collect();
        let [HEADER, kind, pair, seal, keyring, _] = lines.as_slice() else {
            return Err(bad("it was altered"));
        };
        let kind = if *kind == "mirror" { Kind::Mirror } else { Kind::Backup };
        let keyring = (*keyring != "-").then(|| (*keyring).to_owned());
        let read = Self { kind, pair: (*pair).to_owned(), seal: (*seal).to_owned(), keyring };
        let inside =
            pair.starts_with("pair-") && pair.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if read.text() != text || !inside || (kind == Kind::Backup) != read.keyring.is_some() {
            return Err(bad("it was altered"));
        }
        Ok(read)
    }
}

/// The folder of the pair that counts.
pub(crate) fn current(dir: &Path) -> Result<PathBuf, VaultError> {
    Ok(dir.join(Pointer::read(dir)?.pair))
}

/// Writes a new pair and lets it count; all others are gone on return. The caller makes sure that keyring and seal file belong
/// together all the while.
pub(crate) async fn write(
    dir: &Path,
    kind: Kind,
    keyring: &Keyring,
    seal: &Path,
) -> Result<PathBuf, VaultError> {
    let id: [u8; 16] = random_id()?;
    let name: String = id.iter().take(8).map(|b| format!("{b:02x}")).collect();
    let name = format!("pair-{name}");
    let pair = dir.join(&name);
    let (made, folder) = (pair.clone(), dir.to_owned());
    blocking(move || begin(&folder, &made)).await?;
    keyring.copy_file(&pair.join(KEYRING)).await?;
    let (made, folder, seal) = (pair.clone(), dir.to_owned(), seal.to_owned());
    blocking(move || {
        copy(&seal, &made.join(crate::keep::FILE))?;
        sync_folder(&made.join(KEYRING))?;
        sync_folder(&made)?;
        let keyring = match kind {
            Kind::Backup => Some(hash_of(&made.join(KEYRING))?),
            Kind::Mirror => None,
        };
        let pointer = Pointer { kind, pair: name, seal: hash_of(&made.join(crate::keep::FILE))?, keyring };
        replace(&folder.join(KEYRING_MARK), pointer.text().as_bytes())?;
        drop_others(&folder, &pointer.pair)
    })
    .await?;
    Ok(pair)
}

fn begin(dir: &Path, pair: &Path) -> Result<(), SealError> {
    let make = |dir: &Path| {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(SealError::io("cannot make", dir))
    };
    make(dir)?;
    if !dir.join(KEYRING_MARK).exists() {
        replace(&dir.join(KEYRING_BEGUN), b"")?;
    }
    make(pair)
}

/// Removes what does not count any more.
fn drop_others(dir: &Path, pair: &str) -> Result<(), SealError> {
    for entry in fs::read_dir(dir).map_err(SealError::io("cannot list", dir))? {
        let entry = entry.map_err(SealError::io("cannot list", dir))?;
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        if name.starts_with("pair-") && name != pair {
            fs::remove_dir_all(&path).map_err(SealError::io("cannot remove", &path))?;
        } else if name == KEYRING_BEGUN {
            fs::remove_file(&path).map_err(SealError::io("cannot remove", &path))?;
        }
    }
    sync_folder(&dir.join(KEYRING_MARK))
}

/// Makes a folder of keys from a copy of keyring and seal file: all of it or nothing. The operator's key has to be put beside
/// them. Gives the number of keys. Blocks.
///
/// # Errors
/// [`VaultError::BadPair`] if the copy was altered or is not whole; those of the disk.
pub fn restore_keyring(from: &Path, to: &Path) -> Result<u64, VaultError> {
    let pointer = Pointer::read(from)?;
    let pair = from.join(&pointer.pair);
    let part = chatward_store::fresh_part(to).map_err(chatward_store::KeyringError::from)?;
    let names: &[&str] = match pointer.kind {
        Kind::Backup => &[KEYRING, crate::keep::FILE],
        Kind::Mirror => &[KEYRING, crate::keep::FILE, JOURNAL],
    };
    for name in names {
        match copy(&pair.join(name), &part.join(name)) {
            Err(SealError::Io { source, .. })
                if *name == JOURNAL && source.kind() == io::ErrorKind::NotFound => {}
            copied => copied?,
        }
    }
    for (name, wanted) in [(crate::keep::FILE, Some(&pointer.seal)), (KEYRING, pointer.keyring.as_ref())] {
        if let Some(wanted) = wanted
            && hash_of(&part.join(name))? != *wanted
        {
            let path = pair.join(name);
            return Err(VaultError::BadPair {
                path,
                why: "it is not what was backed up: nothing was restored",
            });
        }
    }
    let keys = KeyringFile::open(&part.join(KEYRING))?.count()?;
    sync_folder(&part.join(KEYRING))?;
    fs::rename(&part, to).map_err(SealError::io("cannot rename to", to))?;
    sync_folder(to)?;
    Ok(keys)
}

/// Copies a file, for its owner only, and onto the disk.
fn copy(from: &Path, to: &Path) -> Result<(), SealError> {
    let mut read = fs::File::open(from).map_err(SealError::io("cannot read", from))?;
    let write = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let mut write = write.map_err(SealError::io("cannot make", to))?;
    io::copy(&mut read, &mut write).map_err(SealError::io("cannot copy", from))?;
    write.sync_all().map_err(SealError::io("cannot write", to))
}

fn hash_of(path: &Path) -> Result<String, SealError> {
    let mut context = Context::new(&SHA256);
    let mut file = fs::File::open(path).map_err(SealError::io("cannot read", path))?;
    let mut piece = vec![0; 1 << 16];
    loop {
        let n = io::Read::read(&mut file, &mut piece).map_err(SealError::io("cannot read", path))?;
        if n == 0 {
            return Ok(hex(&context, &[]));
        }
        context.update(piece.get(..n).unwrap_or_default());
    }
}

/// The hash of what was fed, and of this after it, in hex.
fn hex(context: &Context, rest: &[u8]) -> String {
    let mut context = context.clone();
    context.update(rest);
    context.finish().as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SealError> + Send + 'static,
) -> Result<T, VaultError> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(|_| VaultError::Closing)??)
}

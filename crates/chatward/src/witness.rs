//! The data's witness of the keys.
//!
//! Every erasure renews the keys, so that no older copy of the keyring opens. But an older keyring that is put back together with
//! the seal file of its time opens, and nothing in the two says that there were newer ones: what was erased since is back. So the
//! data remembers the newest keys that it was used with, from before a renewal is answered, and a start with older ones is refused
//! before anything is changed. Whoever puts back data, keyring and seal file of one time together has a house of that time; only
//! a checkpoint of the log that was kept elsewhere shows it.

use std::path::PathBuf;

use chatward_message::{KeySlot, Purposes, Sealed, TenantId, UnixMillis};
use chatward_store::record::{Changes, Put, Record, RecordKind};
use chatward_store::{Store, StoreError};
use chatward_vault::{EpochMark, Forgotten, Rotation};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::rights::consent::hex;
use crate::rights::erasure::unhex;
use crate::turn::{Gate, TurnError};

/// The id of the one record.
const ID: [u8; 16] = [0; 16];
/// How often writing begins anew because another process wrote at the same moment.
const TRIES: usize = 64;

/// What the data knows of its keys.
pub(crate) struct Witness {
    store: Store,
    tenant: TenantId,
    /// What was noted last, so that erasures which shared a renewal note it once.
    noted: Mutex<Option<EpochMark>>,
}

/// Why keys are not used with this data.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WitnessError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is kept is of another version, or was altered.
    #[error("what the data says of its keys cannot be read: it was altered, or written by a newer version")]
    Damaged,
    /// Newer keys were in use.
    #[error(
        "the keys in {} are older than this data: they are of epoch {found}, and epoch {newest} was in use. An old keyring was put \
         back together with its old seal file, and with it the keys of customers who were erased since. Nothing was changed. Put \
         back the newest pair, {} (`chatward restore --keyring`). If there is none any more: `chatward keys accept-older`, see \
         docs/backup.md", .keys.display(), from(.mirror.as_ref())
    )]
    Older {
        /// The folder of keys.
        keys: PathBuf,
        /// Their mirror, if there is one.
        mirror: Option<PathBuf>,
        /// What they are.
        found: u64,
        /// What was in use.
        newest: u64,
    },
    /// As new as those that were in use, but not the same.
    #[error(
        "the keys in {} are not those of this data: both were renewed {epoch} times, but apart from each other. An old keyring was \
         put back with its old seal file and used elsewhere since, or this is the folder of another house. Nothing was changed. \
         Put back the newest pair of this house, {} (`chatward restore --keyring`). If there is none any more: `chatward keys \
         accept-older`, see docs/backup.md", .keys.display(), from(.mirror.as_ref())
    )]
    Other {
        /// The folder of keys.
        keys: PathBuf,
        /// Their mirror, if there is one.
        mirror: Option<PathBuf>,
        /// How often both were renewed.
        epoch: u64,
    },
}

fn from(mirror: Option<&PathBuf>) -> String {
    match mirror {
        Some(mirror) => format!("from the mirror {} or the newest backup of the keys", mirror.display()),
        None => "from the newest backup of the keys".to_owned(),
    }
}

impl From<WitnessError> for TurnError {
    fn from(error: WitnessError) -> Self {
        match error {
            WitnessError::Store(error) => Self::Store(error),
            _ => Self::Internal("what the data says of its keys does not fit them"),
        }
    }
}

/// The record, as it is kept. Not sealed: it says nothing of anybody, and has to be read before keys are used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    epoch: u64,
    mark: String,
    at: UnixMillis,
}

impl Witness {
    pub(crate) fn new(store: Store, tenant: TenantId) -> Self {
        Self { store, tenant, noted: Mutex::default() }
    }

    /// The newest keys that this data was used with.
    ///
    /// # Errors
    /// The store's; [`WitnessError::Damaged`].
    pub(crate) async fn newest(&self) -> Result<Option<EpochMark>, WitnessError> {
        Ok(self.read().await?.map(|(mark, _)| mark))
    }

    async fn read(&self) -> Result<Option<(EpochMark, u64)>, WitnessError> {
        let Some(record) = self.store.record(&self.tenant, RecordKind::Keys, &ID).await? else {
            return Ok(None);
        };
        let kept: Kept =
            serde_json::from_slice(record.sealed.as_bytes()).map_err(|_| WitnessError::Damaged)?;
        let hash = unhex(&kept.mark).ok_or(WitnessError::Damaged)?;
        Ok(Some((EpochMark { number: kept.epoch, hash }, record.revision)))
    }

    /// Notes that these keys are in use; durable on return. Older ones than are known change nothing: another process was
    /// quicker.
    ///
    /// # Errors
    /// The store's; [`WitnessError::Damaged`].
    pub(crate) async fn note(&self, mark: EpochMark, at: UnixMillis) -> Result<(), WitnessError> {
        let mut noted = self.noted.lock().await;
        if noted.is_some_and(|noted| noted.number >= mark.number) {
            return Ok(());
        }
        for _ in 0..TRIES {
            let known = self.read().await?;
            if let Some((known, _)) = known
                && known.number >= mark.number
            {
                *noted = Some(known);
                return Ok(());
            }
            match self.store.change(self.change(mark, at, known.map(|(_, revision)| revision))?).await {
                Ok(_) => {
                    *noted = Some(mark);
                    return Ok(());
                }
                Err(StoreError::Overtaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Overtaken.into())
    }

    fn change(&self, mark: EpochMark, at: UnixMillis, was: Option<u64>) -> Result<Changes, WitnessError> {
        let kept = Kept { epoch: mark.number, mark: hex(&mark.hash), at };
        let record = Record {
            kind: RecordKind::Keys,
            id: ID.into(),
            revision: was.unwrap_or(0).saturating_add(1),
            slot: KeySlot::from_bytes([0; 16]),
            customer: None,
            until: None,
            purposes: Purposes::SERVICE,
            sealed: Sealed::from_bytes(serde_json::to_vec(&kept).map_err(|_| WitnessError::Damaged)?),
        };
        let puts = vec![Put { record, was, handles: None }];
        let (removals, events, about, standing) = (Vec::new(), Vec::new(), None, None);
        Ok(Changes { tenant: self.tenant.clone(), removals, puts, events, about, standing })
    }
}

/// Where keys are looked for.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) keys: PathBuf,
    pub(crate) mirror: Option<PathBuf>,
}

/// Whether these keys may be used with data that knows those.
///
/// # Errors
/// [`WitnessError::Older`] and [`WitnessError::Other`].
pub(crate) fn judge(
    newest: Option<EpochMark>,
    found: EpochMark,
    places: &Places,
) -> Result<(), WitnessError> {
    let Places { keys, mirror } = places.clone();
    match newest {
        Some(newest) if found.number < newest.number => {
            Err(WitnessError::Older { keys, mirror, found: found.number, newest: newest.number })
        }
        Some(newest) if found.number == newest.number && found.hash != newest.hash => {
            Err(WitnessError::Other { keys, mirror, epoch: found.number })
        }
        _ => Ok(()),
    }
}

impl Gate {
    /// Destroys keys. The data knows of the renewal before this returns: no older copy of the keys is taken from then on.
    pub(crate) async fn forget_keys(&self, slots: &[KeySlot]) -> Result<Forgotten, TurnError> {
        let forgotten = self.vault.forget(slots).await?;
        self.witness.note(self.vault.mark()?, self.clock.now()).await?;
        Ok(forgotten)
    }

    /// Renews the keys, to an epoch after the one with this number; the data knows of it before this returns.
    pub(crate) async fn renew_keys(&self, past: u64) -> Result<Rotation, TurnError> {
        let rotation = self.vault.rotate_past(past).await?;
        self.witness.note(self.vault.mark()?, self.clock.now()).await?;
        Ok(rotation)
    }
}

#[cfg(test)]
mod tests {
    use chatward_store::StoreOptions;

    use super::*;

    fn mark(number: u64, hash: u8) -> EpochMark {
        EpochMark { number, hash: [hash; 16] }
    }

    fn places() -> Places {
        Places { keys: "keys".into(), mirror: Some("elsewhere".into()) }
    }

    #[test]
    fn only_keys_that_are_as_new_are_taken() {
        let judged = |newest, found| judge(newest, found, &places());
        judged(None, mark(1, 1)).unwrap();
        judged(Some(mark(3, 3)), mark(3, 3)).unwrap();
        judged(Some(mark(3, 3)), mark(4, 4)).unwrap();
        let older = judged(Some(mark(3, 3)), mark(2, 2)).unwrap_err();
        assert!(matches!(older, WitnessError::Older { found: 2, newest: 3, .. }));
        let said = older.to_string();
        for word in ["epoch 2", "epoch 3", "elsewhere", "restore --keyring", "accept-older"] {
            assert!(said.contains(word), "{said}");
        }
        assert!(matches!(judged(Some(mark(3, 3)), mark(3, 4)), Err(WitnessError::Other { epoch: 3, .. })));
    }

    #[tokio::test]
    async fn what_is_noted_never_goes_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let witness = || Witness::new(store.clone(), TenantId::default_tenant());
        let (one, other) = (witness(), witness());
        assert_eq!(one.newest().await.unwrap(), None);
        for (by, noted, newest) in [
            (&one, mark(1, 1), mark(1, 1)),
            (&other, mark(3, 3), mark(3, 3)),
            // This one does not know of the other's.
            (&one, mark(2, 2), mark(3, 3)),
            (&one, mark(3, 4), mark(3, 3)),
            (&one, mark(9, 9), mark(9, 9)),
        ] {
            by.note(noted, UnixMillis(7)).await.unwrap();
            assert_eq!(witness().newest().await.unwrap(), Some(newest));
        }
        // All at once.
        let notes = (10..40u8).map(|n| {
            let by = if n % 2 == 0 { &one } else { &other };
            by.note(mark(n.into(), n), UnixMillis(7))
        });
        for done in futures_util::future::join_all(notes).await {
            done.unwrap();
        }
        assert_eq!(one.newest().await.unwrap(), Some(mark(39, 39)));
        store.close().await;
    }
}

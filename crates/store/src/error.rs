//! What can go wrong, whose fault it is, and what to do next.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chatward_message::KeySlot;

/// A failure of the store. The text is for the operator's log; [`StoreError::outside`] is what a caller may see.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another process has this data folder open.
    #[error("{path} is held by another running process{holder}: stop it, or use its control socket", path = .path.display())]
    InUse {
        /// The lock file.
        path: PathBuf,
        /// Who, as far as the lock file says: ` (process 123)`.
        holder: String,
    },
    /// The database file was written by a newer version of this program.
    #[error(
        "{path} has schema version {found}, this program knows up to {known}: run the newer program",
        path = .path.display()
    )]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// The tables on the server are of an older version, and the owner's URL is not given.
    #[error(
        "{server} has schema version {found}, this program needs {known}: run `chatward store migrate` with \
         `store.owner_url_file` set, or give it to `serve`"
    )]
    OlderSchema {
        /// Where.
        server: Arc<str>,
        /// Its version.
        found: i64,
        /// The version this program needs.
        known: i64,
    },
    /// The file is of an older version, and is only read.
    #[error("{path} has schema version {found}, this program needs {known}: start the program on it once", path = .path.display())]
    OldFile {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The version this program needs.
        known: i64,
    },
    /// The target of a copy holds something else.
    #[error("{server} is not empty and no unfinished copy of this store: choose an empty database")]
    TargetNotEmpty {
        /// Where.
        server: Arc<str>,
    },
    /// A copy that was not finished cannot be served from.
    #[error("{server} is an unfinished copy: run `chatward store copy` again, it goes on where it stopped")]
    UnfinishedCopy {
        /// Where.
        server: Arc<str>,
    },
    /// A copy is not what its source is.
    #[error("the copy is not what the source is ({detail}): it is not finished, the source is unchanged")]
    CopyDiffers {
        /// What differs.
        detail: Arc<str>,
    },
    /// A step back would lose what is kept.
    #[error("going back from schema version {from} to {to} would lose what is kept: nothing was changed")]
    WouldLose {
        /// The version now.
        from: i64,
        /// The version that was asked for.
        to: i64,
    },
    /// The server is older than what this program was made for.
    #[error("{server} is PostgreSQL {found}: version 15 or newer is needed")]
    OldServer {
        /// Where.
        server: Arc<str>,
        /// Its main version.
        found: i32,
    },
    /// The database server cannot be reached, does not answer in time, or is too busy.
    #[error("{server} is away ({detail}): nothing acknowledged was lost and writes resume by themselves")]
    Away {
        /// Where.
        server: Arc<str>,
        /// What came back; no content.
        detail: Arc<str>,
    },
    /// The server does not let us do this.
    #[error("{server} refuses ({detail}): look at the role, its password and its rights")]
    NoAccess {
        /// Where.
        server: Arc<str>,
        /// What it said.
        detail: Arc<str>,
    },
    /// The role that serves could get round row-level security.
    #[error(
        "the role that serves at {server} may do too much: {why}. Serve with a role of its own (docs/postgresql.md)"
    )]
    RoleTooStrong {
        /// Where.
        server: Arc<str>,
        /// What it may do.
        why: &'static str,
    },
    /// The URL of a database cannot be used. It is not repeated: it may hold a password.
    #[error("the URL of the database cannot be used: {detail}")]
    BadAddress {
        /// Why.
        detail: Arc<str>,
    },
    /// The database file is damaged or is not a database.
    #[error(
        "{path} is damaged ({detail}): keep a copy of it for inquiry, restore the newest backup, then run `chatward doctor`",
        path = .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the check said; no content.
        detail: Arc<str>,
    },
    /// Somebody outside this program holds a lock on the database file.
    #[error("{path} is locked by another program (a shell, a backup tool): close it and try again", path = .path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// No space is left.
    #[error("no space is left for {path}: free some; nothing acknowledged was lost and writes resume by themselves", path = .path.display())]
    DiskFull {
        /// The file or folder.
        path: PathBuf,
    },
    /// The operating system refuses access.
    #[error("no permission for {path}: the folder and its files must belong to the user this program runs as", path = .path.display())]
    Permission {
        /// The file or folder.
        path: PathBuf,
    },
    /// Reading or writing failed.
    #[error("input/output error at {path} ({detail}): check the disk and its mount", path = .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        detail: Arc<str>,
    },
    /// Too much is waiting to be written.
    #[error("too many writes are waiting: the disk is slower than the load")]
    Overloaded,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The customer already has another key slot: seal with that key and try again. Two first turns of one customer ran
    /// at the same time.
    #[error("the customer already has key slot {slot}: the caller must seal with that key")]
    SlotTaken {
        /// The slot the customer has.
        slot: KeySlot,
    },
    /// The key in this slot was destroyed by another process meanwhile: begin anew with another slot.
    #[error("the key in this slot was destroyed meanwhile: the caller must begin anew")]
    SlotErased,
    /// The conversation belongs to another customer.
    #[error("the conversation belongs to another customer of this tenant")]
    NotYours,
    /// A turn with this id, or an entry with this label, exists already.
    #[error("{what} exists already")]
    Exists {
        /// What.
        what: &'static str,
    },
    /// There is no such turn, or it is not open.
    #[error("there is no open turn with this id")]
    NotOpen,
    /// There is no such customer.
    #[error("there is no such customer")]
    NoCustomer,
    /// The record is not what the change was made from: another revision, gone, or there already where it had to be new.
    #[error("the record was changed by somebody else meanwhile: the caller must read it again")]
    Overtaken,
    /// Nothing is kept without a purpose.
    #[error("an item without a purpose was to be kept: this is a mistake of the program, please report it")]
    NoPurpose,
    /// The customer agreed to something, or no longer does, since the message was taken: begin anew with that.
    #[error("where the customer stands changed meanwhile: the caller must begin anew")]
    StandingChanged,
    /// A legal reason forbids to delete anything of this customer now.
    #[error("nothing of this customer may be deleted for now: a hold stands")]
    Held,
    /// The handle belongs to another record.
    #[error("a handle of the record belongs to another record of this tenant")]
    HandleTaken,
    /// An event is longer than a leaf of the log may be (65,535 bytes).
    #[error("an event of {length} bytes does not fit into a leaf of the log")]
    EventTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Rows were deleted, but readers kept the write-ahead log from being emptied in time. The deletion is durable; the
    /// old bytes are not gone yet. Try again.
    #[error(
        "the write-ahead log could not be emptied in time: a reader holds it; deleted bytes are still in it"
    )]
    NotTruncated,
    /// The published log is ahead of the database, or differs from it: the database was rolled back or changed.
    #[error(
        "the published log in {path} and the database disagree ({detail}): the database was restored from an older copy or was \
         changed. Restore the database that belongs to this log; or, to go on with the older one, move the log folder \
         away and keep it as evidence: docs/errors.md, `log-disagrees`",
        path = .path.display()
    )]
    LogDisagrees {
        /// The log folder.
        path: PathBuf,
        /// What differs.
        detail: Arc<str>,
    },
    /// The published log cannot be read or its checkpoint is not signed by this installation's key.
    #[error("the published log in {path} cannot be used ({detail}): `chatward log verify` says more", path = .path.display())]
    LogUnusable {
        /// The log folder.
        path: PathBuf,
        /// Why.
        detail: Arc<str>,
    },
    /// A folder cannot take a backup, or be restored from or to.
    #[error("{}: {why}", .path.display())]
    BackupPlace {
        /// Which folder.
        path: PathBuf,
        /// Why.
        why: Arc<str>,
    },
    /// A file of a backup is not what was backed up.
    #[error("{} is not what was backed up ({detail}): nothing was restored; use another copy of the backup", .path.display())]
    BackupDamaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: Arc<str>,
    },
    /// Erasures changed the database faster than a backup could copy it.
    #[error(
        "the database was changed by erasures again and again while it was copied: run the backup again when there are fewer, it \
         goes on where it stopped"
    )]
    BackupOvertaken,
    /// What is on a server is backed up there.
    #[error(
        "data and keys are on a PostgreSQL server: back them up there, with two `pg_dump`s into two places \
         (docs/postgresql.md says how)"
    )]
    BackupOnServer,
    /// A mistake of this program.
    #[error("the store failed inside ({detail}): this is a mistake of the program, please report it")]
    Inside {
        /// What was being done, and what came back; no content.
        detail: Arc<str>,
    },
}

impl StoreError {
    /// What a caller may be told: nothing of our insides.
    pub fn outside(&self) -> &'static str {
        match self {
            Self::Overloaded
            | Self::DiskFull { .. }
            | Self::Locked { .. }
            | Self::Io { .. }
            | Self::Away { .. }
            | Self::Closed => {
                "The service cannot keep a record of this right now, so nothing was sent. Please try again."
            }
            Self::NotYours | Self::NoCustomer | Self::NotOpen => "There is nothing here under this name.",
            Self::Exists { .. } | Self::SlotTaken { .. } | Self::SlotErased | Self::StandingChanged => {
                "This was already received. Please try again."
            }
            Self::Overtaken => {
                "Somebody else changed this at the same moment, so nothing was changed. Please look again and try again."
            }
            Self::Held => "There is a legal reason to keep this for now, so nothing was deleted.",
            Self::HandleTaken => "This is taken already, so nothing was changed. Please choose another.",
            _ => "The service failed inside, so nothing was sent.",
        }
    }

    /// Whether the same call may work a little later without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Overloaded
                | Self::Locked { .. }
                | Self::Away { .. }
                | Self::SlotTaken { .. }
                | Self::SlotErased
                | Self::StandingChanged
                | Self::NotTruncated
        )
    }

    /// Whether somebody else was quicker: looked at anew, the same may go through.
    pub fn was_overtaken(&self) -> bool {
        matches!(
            self,
            Self::SlotTaken { .. }
                | Self::SlotErased
                | Self::Exists { .. }
                | Self::Overtaken
                | Self::StandingChanged
        )
    }

    pub(crate) fn sql(path: &Path, doing: &str, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let path = path.to_owned();
        let detail = || Arc::from(format!("{doing}: {error}"));
        match error.sqlite_error_code() {
            Some(Code::DiskFull) => Self::DiskFull { path },
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => Self::Damaged { path, detail: detail() },
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => Self::Locked { path },
            Some(
                Code::PermissionDenied
                | Code::ReadOnly
                | Code::CannotOpen
                | Code::AuthorizationForStatementDenied,
            ) => Self::Permission { path },
            Some(Code::SystemIoFailure) => Self::Io { path, detail: detail() },
            _ => Self::Inside { detail: detail() },
        }
    }

    pub(crate) fn io(path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        let path = path.to_owned();
        match error.kind() {
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Self::Permission { path },
            Kind::StorageFull | Kind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Io { path, detail: Arc::from(error.to_string()) },
        }
    }

    pub(crate) fn inside(detail: impl std::fmt::Display) -> Self {
        Self::Inside { detail: Arc::from(detail.to_string()) }
    }
}

/// A failure of the keyring.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeyringError {
    /// As in the store: the file, the disk, the lock.
    #[error("keyring: {0}")]
    Store(#[from] StoreError),
    /// The closure refused to wrap a key anew; nothing was changed.
    #[error("the key in {slot} could not be wrapped anew; nothing was changed")]
    Refused {
        /// Whose key.
        slot: KeySlot,
    },
    /// The keys are wrapped under another epoch than those of the keyring: another process renewed it.
    #[error("the keyring is at epoch {now}: these keys were wrapped under another one")]
    OldEpoch {
        /// The epoch of the keyring.
        now: u64,
    },
    /// The slot holds a key already.
    #[error("{slot} holds a key already")]
    Taken {
        /// Which.
        slot: KeySlot,
    },
}

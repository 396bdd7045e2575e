//! Keys, seals, placeholders, restoring, shredding.
//!
//! This room turns what detection found into what policy allows and the store keeps. [`Vault`] holds the keys: a seal
//! outside every backup, an epoch key in the seal file, customer keys in a keyring of their own, field keys that are
//! never stored. [`mask`](Vault::mask) turns an inspected request into [`Masked`] text, with one placeholder per value
//! per conversation ([`Placeholders`]). [`ReplyText`] watches an answer as it streams by, and puts values back.
//! [`Vault::forget`] destroys a customer's key, after which nothing of that customer can be opened, not even from an
//! older backup.
//!
//! No HTTP and no SQL. Files are touched only for the operator's key and the seal file.

mod cache;
mod drill;
mod form;
mod json;
mod keep;
mod key;
mod mask;
mod mirror;
mod operate;
mod pair;
mod random;
mod recovery;
mod reply;
mod seal;
mod split;
mod table;
mod vault;
mod wrapped;

pub use drill::{Drilled, drill, fits};
pub use key::{CipherError, CustomerKey};
pub use mask::{Masked, Warning};
pub use pair::restore_keyring;
pub use random::random_id;
pub use recovery::{KitError, RecoveryKit};
pub use reply::{KEPT_MAX, Mode, ReplyReport, ReplyText, Watch, changes_answers};
pub use seal::{FileSeal, OperatorKey, RootKey, Seal, SealError, holds_keys};
pub use table::{Labels, Placeholders, Restorer, Scope};
pub use vault::{EpochMark, Forgotten, Revision, Rotation, Unlocked, Vault, VaultError};
pub use wrapped::{Passphrase, WrappedSeal, Wrapper};

//! The audit log as a Merkle tree in files (C2SP tlog-tiles), and its verifier.
//!
//! Each event is one leaf: its compact JSON, fields in a fixed order, written in the same transaction as what it
//! describes. After the commit the publisher copies new leaves from the database into `DIR/log/` and signs a
//! checkpoint over them. [`verify`] checks those files offline and shares no tree code with the publisher.

mod included;
mod paths;
mod publish;
mod tree;
pub mod verify;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use chatward_message::Event;

pub use included::included;
pub(crate) use paths::files_under;
pub use publish::Proof;
pub(crate) use publish::{LogSource, Published, Publisher, TakeLeaf, prove, root_of, served};

use crate::StoreError;

/// Signs checkpoints. The vault implements it; no private key comes into this room.
pub trait Signer: Send + Sync {
    /// The name of the log: the first line of every checkpoint and the key's name (C2SP signed-note: not empty, no
    /// space, no plus).
    fn name(&self) -> &str;
    /// The Ed25519 public key.
    fn public_key(&self) -> [u8; 32];
    /// The Ed25519 signature of the message.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// The public key of a signer as C2SP signed-note writes it: what [`verify::Vkey`] is read from.
pub fn vkey(signer: &dyn Signer) -> String {
    publish::vkey(signer)
}

/// The longest leaf: an entry bundle gives its length in two bytes (C2SP tlog-tiles, "Log Entries").
const LONGEST_LEAF: usize = 65_535;

/// The event as it stands in the log.
pub(crate) fn leaf(event: &Event) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(256);
    serde_json::to_writer(&mut bytes, event).map_err(StoreError::inside)?;
    if bytes.len() > LONGEST_LEAF { Err(StoreError::EventTooLong { length: bytes.len() }) } else { Ok(bytes) }
}

/// Tells the publisher that there is something new, and when to stop.
#[derive(Default)]
pub(crate) struct Bell {
    rung: AtomicBool,
    stop: Mutex<bool>,
    wake: Condvar,
}

impl Bell {
    /// Cheap while the publisher knows already.
    pub(crate) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            let _held = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
            self.wake.notify_all();
        }
    }

    pub(crate) fn stop(&self) {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_all();
    }

    /// Waits this long, rung or not. `false` at the end.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        let (stop, _) =
            self.wake.wait_timeout_while(stop, time, |stop| !*stop).unwrap_or_else(PoisonError::into_inner);
        self.rung.store(false, Ordering::Release);
        !*stop
    }

    /// Waits until it is rung, then lets more gather for `gather`. `false` at the end.
    fn wait(&self, gather: Duration) -> bool {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        let stop = self
            .wake
            .wait_while(stop, |stop| !*stop && !self.rung.load(Ordering::Acquire))
            .unwrap_or_else(PoisonError::into_inner);
        let (stop, _) =
            self.wake.wait_timeout_while(stop, gather, |stop| !*stop).unwrap_or_else(PoisonError::into_inner);
        self.rung.store(false, Ordering::Release);
        !*stop
    }
}

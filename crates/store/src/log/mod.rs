//! The audit log as a Merkle tree in files (C2SP tlog-tiles), and its verifier.

pub mod verify;

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

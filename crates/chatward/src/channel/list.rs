//! The list of keys, signed: how a browser knows that a key is the guard's and not somebody's in between.
//!
//! The signing key is derived from the seal file, so it is the same after every start; its public half is what the widget and the
//! command line are told to expect. The hash of each list is an event of the audit log before the list is handed out, and the answer
//! carries the proof of that as soon as there is one.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use chatward_message::UnixMillis;
use chatward_store::log::{Proof, Signer};
use serde::{Deserialize, Serialize};

use super::keys::{Key, SUITE};

/// Stands before what is signed, so that a signature means this and nothing else.
const CONTEXT: &str = "chatward channel key list v1\n";

/// One key of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListedKey {
    /// Its configuration (RFC 9458, 3.1), base64url.
    config: String,
    /// From when it is handed out, milliseconds since 1970.
    from: u64,
    /// Until when requests are encrypted to it.
    until: u64,
}

/// What is signed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    keys: Vec<ListedKey>,
}

/// `GET /channel/v1/keys`
#[derive(Serialize, Deserialize)]
struct Envelope {
    /// The list, JSON as it was signed.
    list: String,
    /// The signature over [`CONTEXT`] and the list, base64url.
    signature: String,
    /// The public key that made it, base64url. Believed by nobody who has a pin.
    by: String,
    /// The proof that the list's hash stands in the audit log.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    log: Option<Logged>,
}

#[derive(Serialize, Deserialize)]
struct Logged {
    /// The event's place.
    index: u64,
    /// The event, as it stands in the log.
    event: String,
    /// Hashes from the leaf's neighbour up to the root, base64url.
    path: Vec<String>,
    /// The signed checkpoint.
    checkpoint: String,
}

/// A list that is handed out.
pub(super) struct Listed {
    /// The number of its key, and since when it is handed out: a number is used again where its first key was lost.
    of: (u64, UnixMillis),
    /// The answer to `GET /channel/v1/keys`.
    pub(super) signed: Bytes,
    /// The answer to `GET /.well-known/ohttp-gateway`: `application/ohttp-keys`.
    pub(super) plain: Bytes,
    /// Where the event of it stands.
    pub(super) index: u64,
    /// Whether the proof of that is in the answer.
    pub(super) proven: bool,
    list: String,
}

/// A list, not yet noted in the log.
pub(super) struct Draft {
    of: (u64, UnixMillis),
    list: String,
    plain: Bytes,
}

impl Draft {
    pub(super) fn of(key: &Key) -> Self {
        let listed =
            ListedKey { config: URL_SAFE_NO_PAD.encode(&key.config), from: key.from.0, until: key.until.0 };
        let list = serde_json::to_string(&List { keys: vec![listed] }).unwrap_or_default();
        let length = u16::try_from(key.config.len()).unwrap_or_default().to_be_bytes();
        Self { of: (key.number, key.from), list, plain: [&length[..], &key.config].concat().into() }
    }

    /// SHA-256 of the list, in hex: what the log holds.
    pub(super) fn hash(&self) -> Box<str> {
        digest(&SHA256, self.list.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Signed, once its event stands at this place.
    pub(super) fn noted(self, index: u64, signer: &dyn Signer) -> Listed {
        let signed = envelope(&self.list, signer, None);
        Listed { of: self.of, signed, plain: self.plain, index, proven: false, list: self.list }
    }
}

impl Listed {
    /// Whether it is the list of this very key.
    pub(super) fn is_of(&self, key: &Key) -> bool {
        self.of == (key.number, key.from)
    }

    /// With the proof that it stands in the log.
    pub(super) fn proven(&self, event: &str, proof: &Proof, signer: &dyn Signer) -> Self {
        let logged = Logged {
            index: proof.index,
            event: event.to_owned(),
            path: proof.path.iter().map(|hash| URL_SAFE_NO_PAD.encode(hash)).collect(),
            checkpoint: String::from_utf8_lossy(&proof.checkpoint).into_owned(),
        };
        let signed = envelope(&self.list, signer, Some(logged));
        Self { signed, proven: true, plain: self.plain.clone(), list: self.list.clone(), ..*self }
    }
}

fn envelope(list: &str, signer: &dyn Signer, log: Option<Logged>) -> Bytes {
    let signature = signer.sign(&[CONTEXT.as_bytes(), list.as_bytes()].concat());
    let envelope = Envelope {
        list: list.to_owned(),
        signature: URL_SAFE_NO_PAD.encode(signature),
        by: URL_SAFE_NO_PAD.encode(signer.public_key()),
        log,
    };
    serde_json::to_vec(&envelope).unwrap_or_default().into()
}

/// What is wrong with a list that was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// It has another form.
    #[error("the list of keys has not the form of one")]
    Form,
    /// Another key signed it, or nobody.
    #[error("the list of keys is not signed by the key that was expected")]
    Signature,
    /// None of its keys is for now, or of the one suite.
    #[error("the list has no key that can be used now")]
    NoKey,
}

/// A key of a list that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trusted {
    /// Its configuration.
    pub(crate) config: Vec<u8>,
    /// Until when requests are encrypted to it.
    pub(crate) until: UnixMillis,
    /// The public key that signed the list.
    pub(crate) by: [u8; 32],
}

/// Checks a list that was fetched. Without a pin the key that the list names is believed.
pub(crate) fn check(fetched: &[u8], pin: Option<&[u8; 32]>, now: UnixMillis) -> Result<Trusted, ListError> {
    let envelope: Envelope = serde_json::from_slice(fetched).map_err(|_| ListError::Form)?;
    let named = URL_SAFE_NO_PAD.decode(&envelope.by).ok().and_then(|by| <[u8; 32]>::try_from(by).ok());
    let by = pin.copied().or(named).ok_or(ListError::Form)?;
    let signature = URL_SAFE_NO_PAD.decode(&envelope.signature).map_err(|_| ListError::Form)?;
    UnparsedPublicKey::new(&ED25519, by)
        .verify(&[CONTEXT.as_bytes(), envelope.list.as_bytes()].concat(), &signature)
        .map_err(|_| ListError::Signature)?;
    let list: List = serde_json::from_str(&envelope.list).map_err(|_| ListError::Form)?;
    let fits = |key: &ListedKey| {
        let config = URL_SAFE_NO_PAD.decode(&key.config).ok().filter(|config| has_suite(config))?;
        (now.0 < key.until).then_some(Trusted { config, until: UnixMillis(key.until), by })
    };
    list.keys.iter().rev().find_map(fits).ok_or(ListError::NoKey)
}

/// Whether a configuration is for X-Wing and offers the one suite first.
fn has_suite(config: &[u8]) -> bool {
    let kem = SUITE.get(..2);
    let rest = config.get(3 + 1216..);
    config.get(1..3) == kem && rest.and_then(|rest| rest.get(2..6)) == SUITE.get(2..)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

    use super::super::keys::Keys;
    use super::*;

    struct Pen(Ed25519KeyPair);

    impl Signer for Pen {
        fn name(&self) -> &str {
            "pen"
        }
        fn public_key(&self) -> [u8; 32] {
            self.0.public_key().as_ref().try_into().unwrap()
        }
        fn sign(&self, message: &[u8]) -> [u8; 64] {
            self.0.sign(message).as_ref().try_into().unwrap()
        }
    }

    #[tokio::test]
    async fn a_list_counts_only_under_its_pin_and_in_its_hour() {
        let (keys, now) = (Keys::new(), UnixMillis(1_800_000_000_000));
        keys.turn(now, None).await.unwrap();
        let key = keys.newest(now).unwrap();
        let (pen, other) =
            (Pen(Ed25519KeyPair::generate().unwrap()), Pen(Ed25519KeyPair::generate().unwrap()));
        let listed = Draft::of(&key).noted(3, &pen);
        let pin = pen.public_key();
        let trusted = check(&listed.signed, Some(&pin), now).unwrap();
        assert_eq!((trusted.config, trusted.by), (key.config.clone(), pin));
        assert_eq!(
            check(&listed.signed, None, now).unwrap().by,
            pin,
            "without a pin it says itself who signed"
        );
        assert_eq!(check(&listed.signed, Some(&other.public_key()), now), Err(ListError::Signature));
        assert_eq!(check(&listed.signed, Some(&pin), key.until), Err(ListError::NoKey));
        // Every changed byte of list or signature is found.
        let text = std::str::from_utf8(&listed.signed).unwrap();
        for (from, to) in [("\"until\\\":1", "\"until\\\":2"), ("config\\\":\\\"", "config\\\":\\\"A")] {
            let forged = text.replacen(from.trim_start_matches('"'), to.trim_start_matches('"'), 1);
            assert_ne!(forged, text, "{from}");
            assert!(check(forged.as_bytes(), Some(&pin), now).is_err(), "{from}");
        }
        assert_eq!(KeyConfigs::first(&listed.plain), key.config);
    }

    /// The list of RFC 9458, 3.2: lengths and configurations.
    struct KeyConfigs;

    impl KeyConfigs {
        fn first(list: &[u8]) -> Vec<u8> {
            assert_eq!(ohttp::KeyConfig::decode_list(list).unwrap().len(), 1);
            list[2..].to_vec()
        }
    }
}

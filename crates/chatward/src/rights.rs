//! What customers decide about their data, and what the law gives them: consents, requests, copies to take along, corrections,
//! restrictions, erasures with proof; and what goes by itself because it was kept long enough.
//!
//! Everything that proves something to somebody outside (receipts, certificates) is a JSON-LD document in words of the Data
//! Privacy Vocabulary, in its canonical form (RFC 8785) signed with the key of the audit log, and names nobody.

pub(crate) mod consent;
pub(crate) mod copy;
pub mod erasure;
pub(crate) mod request;
pub(crate) mod retention;
pub(crate) mod standing;
pub mod telling;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chatward_message::{CustomerId, Place, Subject, UnixMillis};
use chatward_store::StoreError;
use chatward_store::log::Signer;
use chatward_store::log::verify::Vkey;
use chatward_store::record::{Record, RecordKind};
use chatward_vault::VaultError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::directory::Failed;
use crate::problem::{Code, Problem};
use crate::turn::{Gate, TurnError};

/// What stands before a document when it is signed: a signature of it is one of nothing else.
const DOMAIN: &[u8] = b"chatward document v1\n";
/// Where the signature stands in it.
const PROOF: &str = "chatward:proof";

/// Why something about a customer's rights could not be done.
#[derive(Debug, thiserror::Error)]
pub enum RightsError {
    /// It may not be done, or there is nothing of that name.
    #[error("{0}")]
    Told(Code),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The accounts.
    #[error(transparent)]
    Directory(#[from] Failed),
    /// What is kept cannot be read, or a document cannot be made.
    #[error("{0}")]
    Inside(&'static str),
}

impl From<TurnError> for RightsError {
    fn from(error: TurnError) -> Self {
        match error {
            TurnError::Store(error) => Self::Store(error),
            TurnError::Vault(error) => Self::Vault(error),
            other => Self::Told(other.code()),
        }
    }
}

impl RightsError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Told(code) => *code,
            Self::Store(error) => Code::from(error),
            Self::Vault(_) => Code::KeysUnavailable,
            Self::Directory(_) | Self::Inside(_) => Code::Internal,
        }
    }
}

impl From<RightsError> for Problem {
    fn from(error: RightsError) -> Self {
        match error {
            RightsError::Directory(failed) => failed.into(),
            other => {
                if matches!(other, RightsError::Inside(_) | RightsError::Vault(_)) {
                    tracing::error!(cause = %other, "a customer's right cannot be served");
                }
                other.code().into()
            }
        }
    }
}

/// A moment as people and programs read it: `2026-11-26T00:47:19Z`.
pub(crate) fn moment(at: UnixMillis) -> String {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    let time = time::OffsetDateTime::from_unix_timestamp(seconds).ok();
    let text = time.and_then(|time| time.format(&time::format_description::well_known::Rfc3339).ok());
    text.unwrap_or_else(|| at.0.to_string())
}

/// A document with its signature.
pub(crate) fn signed(document: Value, signer: &dyn Signer) -> Result<Value, RightsError> {
    let bytes = canonical(&document)?;
    let signature = signer.sign(&[DOMAIN, &bytes].concat());
    let mut document = document;
    let proof = proof_of(&signer.public_key(), &signature);
    let fields = document.as_object_mut().ok_or(RightsError::Inside("a document is no object"))?;
    fields.insert(PROOF.to_owned(), proof);
    Ok(document)
}

fn proof_of(key: &[u8; 32], signature: &[u8]) -> Value {
    json!({
        "chatward:algorithm": "Ed25519 over RFC 8785",
        "chatward:key": STANDARD.encode(key),
        "chatward:signature": STANDARD.encode(signature),
    })
}

/// A document with its signature, and a record as it would be kept again if these bytes are one of this sort (of four). Hidden:
/// they are there for the fuzz targets, which must reach what lies behind a signature or a seal.
#[doc(hidden)]
pub mod inside {
    use super::{Serialize, Signer, UnixMillis, Value, consent, erasure, request, standing};

    /// [`signed`](super::signed)
    pub fn signed(document: Value, signer: &dyn Signer) -> Option<Value> {
        super::signed(document, signer).ok()
    }

    /// Reads a record and writes it again.
    pub fn record(sort: u8, bytes: &[u8]) -> Option<Vec<u8>> {
        fn again<T: Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<Vec<u8>> {
            serde_json::to_vec(&serde_json::from_slice::<T>(bytes).ok()?).ok()
        }
        match sort {
            0 => again::<consent::Kept>(bytes),
            1 => {
                let read: request::Request = serde_json::from_slice(bytes).ok()?;
                for now in [0, 1_795_654_039_123, u64::MAX] {
                    read.urgency(UnixMillis(now));
                    for from in [request::From::House, request::From::Customer] {
                        let _ = read.clone().after(&request::Step::Say(from, "x".into()), UnixMillis(now));
                    }
                    let _ = read.clone().after(&request::Step::Extend("x".into()), UnixMillis(now));
                }
                serde_json::to_vec(&read).ok()
            }
            2 => again::<standing::Hold>(bytes),
            _ => again::<erasure::Begun>(bytes),
        }
    }
}

/// Whether a document carries a signature of this key, over all the rest of it. What stands beside the signature is not signed: it
/// must be what is always written there.
pub(crate) fn is_signed(document: &Value, key: &Vkey) -> bool {
    let mut rest = document.clone();
    let Some(proof) = rest.as_object_mut().and_then(|fields| fields.remove(PROOF)) else { return false };
    let signature = proof.get("chatward:signature").and_then(Value::as_str);
    let signature = signature.and_then(|text| STANDARD.decode(text).ok());
    let bytes = canonical(&rest).ok();
    match (signature, bytes) {
        (Some(signature), Some(bytes)) => {
            proof == proof_of(key.public_key(), &signature)
                && key.signed(&[DOMAIN, &bytes].concat(), &signature)
        }
        _ => false,
    }
}

fn canonical(document: &Value) -> Result<Vec<u8>, RightsError> {
    serde_jcs::to_vec(document).map_err(|_| RightsError::Inside("a document has no canonical form"))
}

/// A pseudonym of the log, as it stands there.
pub(crate) fn pseudonym(subject: Subject) -> String {
    subject.to_string()
}

/// A customer's records: sealed under their key, in their own place.
impl Gate {
    /// A value, sealed as a record of this kind and id.
    pub(crate) fn sealed_record<T: Serialize>(
        &self,
        key: &chatward_vault::CustomerKey,
        (kind, id): (RecordKind, &[u8]),
        value: &T,
    ) -> Result<chatward_message::Sealed, RightsError> {
        let plain = serde_json::to_vec(value).map_err(|_| RightsError::Inside("a record has no form"))?;
        let plain = zeroize::Zeroizing::new(plain);
        let place = Place { tenant: &self.tenant, table: "records", column: kind.name(), row: id };
        Ok(self.vault.seal(key, place, &plain)?)
    }

    /// What a record says.
    pub(crate) async fn read_record<T: DeserializeOwned>(&self, record: &Record) -> Result<T, RightsError> {
        let key = self.vault.customer_key(record.slot).await?;
        let place =
            Place { tenant: &self.tenant, table: "records", column: record.kind.name(), row: &record.id };
        let plain = self.vault.open_sealed(&key, place, &record.sealed)?;
        serde_json::from_slice(&plain).map_err(|_| RightsError::Inside("a record cannot be read"))
    }

    /// A customer, and who they were before they signed in.
    pub(crate) async fn selves(&self, customer: CustomerId) -> Result<Vec<CustomerId>, StoreError> {
        let claims = self.store.records_of(&self.tenant, RecordKind::Claim, customer).await?;
        let nameless = claims.iter().filter_map(|claim| <[u8; 16]>::try_from(&*claim.id).ok());
        Ok(std::iter::once(customer).chain(nameless.map(CustomerId::from_bytes)).collect())
    }

    /// The customer whose the conversations of somebody without a name are now, if they were taken over.
    pub(crate) async fn claimed_by(&self, nameless: CustomerId) -> Result<Option<CustomerId>, RightsError> {
        let claim = self.store.record(&self.tenant, RecordKind::Claim, nameless.as_bytes()).await?;
        Ok(claim.and_then(|record| record.customer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_by_people_and_programs() {
        assert_eq!(moment(UnixMillis(1_795_654_039_123)), "2026-11-26T00:47:19Z");
        assert_eq!(moment(UnixMillis(0)), "1970-01-01T00:00:00Z");
    }
}

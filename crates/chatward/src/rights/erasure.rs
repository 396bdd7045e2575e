//! Erasing with proof.
//!
//! An erasure is noted before anything is destroyed, and finished by the next start should this one end in its middle. At its end
//! stands a certificate: what was deleted and where, which key was destroyed, where the log says so, with the proof that the event
//! stands under a signed checkpoint. Whoever holds it can check it offline ([`check`]); it names nobody.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chatward_message::{Action, CustomerId, Event, Facts, KeySlot, Purposes, Sealed, Subject, UnixMillis};
use chatward_store::log::verify::{Checkpoint, Vkey};
use chatward_store::log::{Proof, included};
use chatward_store::record::{Put, Record, RecordKind, Removal};
use chatward_store::{Deleted, StoreError};
use chatward_vault::{VaultError, random_id};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::consent::hex;
use super::telling::{self, News, ToTell};
use super::{RightsError, is_signed, moment, signed};
use crate::dpv::{self, Term};
use crate::problem::Code;
use crate::turn::Gate;

/// How long it is waited for the event to stand under a checkpoint; one comes within a second of a commit.
const PROVEN_WITHIN: Duration = Duration::from_secs(30);
/// Erasures of a batch under way at once.
const AT_ONCE: usize = 128;
/// How long a certificate can be fetched: three years.
const KEPT: u64 = 3 * 365 * 24 * 3600 * 1000;

/// Where data of a customer can be beside the tables of the store, and what an erasure does there.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "keyring",
        "the key is destroyed, and every older copy of the keyring with it: the epoch key it was wrapped under is gone",
    ),
    (
        "memory of the running program",
        "tables, keys and recognised texts are dropped before the call returns",
    ),
    ("write-ahead log", "emptied"),
    ("audit log", "holds no personal data; its pseudonyms of this customer mean nothing without the key"),
    ("backups", "what is in them was sealed under the destroyed key and cannot be opened"),
];

/// What an erasure did.
#[derive(Debug)]
pub(crate) struct Erased {
    /// Rows deleted, per table, and where the event stands.
    pub(crate) deleted: Deleted,
    /// The epoch of the keys now.
    pub(crate) epoch: u64,
}

/// What a certificate says of an erasure that is over.
#[derive(Clone, Copy)]
struct Done<'a> {
    /// The rows, where this process deleted them.
    deleted: Option<&'a Deleted>,
    told: &'a [ToTell],
    /// The epoch of the keys now.
    epoch: u64,
}

/// What is noted before an erasure: enough to finish it, and of the customer only the hashes by which recipients know them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Begun {
    at: UnixMillis,
    subject: Option<Subject>,
    key: Option<Box<str>>,
    epoch: u64,
    /// The events before it: its own stands at this place or later.
    log: u64,
    /// The names by which recipients know the customer: who they were before signing in goes with the rows.
    #[serde(default)]
    names: Vec<String>,
}

/// A certificate, with its id: whoever knows that may fetch it.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    /// 32 hex digits.
    pub(crate) id: String,
    /// The document.
    pub(crate) document: Value,
    /// Rows deleted.
    pub(crate) rows: u64,
}

impl Gate {
    /// Erases a customer and makes out the proof of it.
    ///
    /// # Errors
    /// [`Code::CustomerNotFound`], [`Code::Held`].
    pub(crate) async fn erase_with_proof(
        &self,
        customer: CustomerId,
        slot: KeySlot,
    ) -> Result<Certificate, RightsError> {
        self.may_be_erased(customer).await?;
        let begun = self.begin_erasure(customer, slot).await?;
        let erased = self.erase(customer, &begun).await?;
        let told = self.tell_now(self.note_notices(News::Erased, &begun.names).await?).await;
        let done = Done { deleted: Some(&erased.deleted), told: &told, epoch: erased.epoch };
        self.certify(customer, &begun, erased.deleted.receipt.index(), done).await
    }

    /// Erases many customers at once: their keys go in one renewal of the keyring, the write-ahead log is emptied once. A
    /// certificate for each. Those on whom a hold stands are left out.
    pub(crate) async fn erase_many(
        &self,
        customers: &[(CustomerId, KeySlot)],
    ) -> Result<Vec<Certificate>, RightsError> {
        let mut begun: Vec<(CustomerId, Begun)> = Vec::with_capacity(customers.len());
        for some in customers.chunks(AT_ONCE) {
            let these = some.iter().map(|(customer, slot)| self.begin_if_free(*customer, *slot));
            begun.extend(try_join_all(these).await?.into_iter().flatten());
        }
        let all: Vec<CustomerId> = begun.iter().map(|(customer, _)| *customer).collect();
        self.drop_from_memory(&all).await;
        self.forget_behaviour(&all).await?;
        let mut slots = Vec::with_capacity(all.len());
        for some in all.chunks(AT_ONCE) {
            let these = some.iter().map(|customer| self.store.slots_of(&self.tenant, *customer));
            slots.extend(try_join_all(these).await?.into_iter().flatten());
        }
        let forgotten = self.forget_keys(&slots).await?;
        let mut deleted = Vec::with_capacity(all.len());
        for some in begun.chunks(AT_ONCE) {
            let these = some.iter().map(|(customer, begun)| {
                self.store.delete_rows(&self.tenant, *customer, self.erased_event(begun, forgotten.epoch))
            });
            deleted.extend(try_join_all(these).await?);
        }
        self.drop_from_memory(&all).await;
        self.store.truncate().await?;
        let done: Vec<(&(CustomerId, Begun), &Deleted)> = begun.iter().zip(&deleted).collect();
        let mut certificates = Vec::with_capacity(all.len());
        for some in done.chunks(telling::AT_ONCE) {
            let names: Vec<String> = some.iter().flat_map(|((_, begun), _)| begun.names.clone()).collect();
            let told = self.note_notices(News::Erased, &names).await?;
            for some in some.chunks(AT_ONCE) {
                let these = some.iter().map(|((customer, begun), deleted)| {
                    let done = Done { deleted: Some(deleted), told: &told, epoch: forgotten.epoch };
                    self.certify(*customer, begun, deleted.receipt.index(), done)
                });
                certificates.extend(try_join_all(these).await?);
            }
        }
        Ok(certificates)
    }

    /// Notes an erasure, unless a hold stands.
    async fn begin_if_free(
        &self,
        customer: CustomerId,
        slot: KeySlot,
    ) -> Result<Option<(CustomerId, Begun)>, RightsError> {
        match self.may_be_erased(customer).await {
            Ok(()) => Ok(Some((customer, self.begin_erasure(customer, slot).await?))),
            Err(RightsError::Told(Code::Held)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The event of an erasure that was begun.
    pub(crate) fn erased_event(&self, begun: &Begun, epoch: u64) -> Event {
        Event {
            at: self.clock.now(),
            tenant: self.tenant.clone(),
            action: Action::CustomerErased,
            turn: None,
            subject: begun.subject,
            facts: Facts { key: begun.key.clone(), epoch, ..Facts::default() },
        }
    }

    /// # Errors
    /// [`Code::Held`] if a legal reason stands against it, here or on a conversation that they took over.
    pub(crate) async fn may_be_erased(&self, customer: CustomerId) -> Result<(), RightsError> {
        let now = self.clock.now();
        for id in self.selves(customer).await? {
            if self.store.standing(&self.tenant, id).await?.is_held(now) {
                return Err(RightsError::Told(Code::Held));
            }
        }
        Ok(())
    }

    async fn begin_erasure(&self, customer: CustomerId, slot: KeySlot) -> Result<Begun, RightsError> {
        let known = self.store.record(&self.tenant, RecordKind::Erasing, customer.as_bytes()).await?;
        if let Some(record) = known {
            return read_begun(&record);
        }
        let (subject, key) = match self.vault.customer_key(slot).await {
            Ok(key) => (Some(self.vault.subject(&key)?), Some(self.vault.fingerprint(&key)?)),
            Err(VaultError::NoKey { .. }) => (None, None),
            Err(error) => return Err(error.into()),
        };
        let log = self.store.stats().log_size;
        let names = self.names_outside(customer).await?;
        let begun = Begun { at: self.clock.now(), subject, key, epoch: self.vault.epoch().0, log, names };
        let plain = serde_json::to_vec(&begun).map_err(|_| RightsError::Inside("an erasure has no form"))?;
        let record = Record {
            kind: RecordKind::Erasing,
            id: customer.as_bytes().to_vec().into(),
            revision: 1,
            slot,
            customer: None,
            until: None,
            purposes: Purposes::SERVICE,
            // Not sealed: no key of it would be left, and it names nobody.
            sealed: Sealed::from_bytes(plain),
        };
        let changes = self.quiet(vec![Put { record, was: None, handles: None }], Vec::new(), Vec::new());
        match self.store.change(changes).await {
            Ok(_) => Ok(begun),
            // Two at once: both finish the same one.
            Err(StoreError::Overtaken) => Ok(begun),
            Err(error) => Err(error.into()),
        }
    }

    /// Finishes erasures that a crash left in their middle. Younger ones than this age are taken to be under way.
    pub(crate) async fn finish_erasures(&self, age: Duration) -> Result<(), RightsError> {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let mut after: Option<Box<[u8]>> = None;
        loop {
            let page = self.store.records(&self.tenant, RecordKind::Erasing, after.as_deref(), 100).await?;
            for record in &page {
                after = Some(record.id.clone());
                let Ok(id) = <[u8; 16]>::try_from(&*record.id) else { continue };
                let (customer, begun) = (CustomerId::from_bytes(id), read_begun(record)?);
                if self.clock.now().0.saturating_sub(begun.at.0) < age {
                    continue;
                }
                match self.erase(customer, &begun).await {
                    Ok(erased) => {
                        let told = self.note_notices(News::Erased, &begun.names).await?;
                        let done = Done { deleted: Some(&erased.deleted), told: &told, epoch: erased.epoch };
                        self.certify(customer, &begun, erased.deleted.receipt.index(), done).await?;
                    }
                    // The rows went before the crash: the log says where.
                    Err(crate::turn::TurnError::Store(StoreError::NoCustomer)) => {
                        let Some(index) = self.erased_at(&begun).await? else { continue };
                        // Whether recipients were told is not known any more: they are, perhaps once more.
                        let told = self.note_notices(News::Erased, &begun.names).await?;
                        let done = Done { deleted: None, told: &told, epoch: self.vault.epoch().0 };
                        self.certify(customer, &begun, index, done).await?;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            if page.len() < 100 {
                return Ok(());
            }
        }
    }

    /// Where the event of an erasure stands.
    async fn erased_at(&self, begun: &Begun) -> Result<Option<u64>, RightsError> {
        let size = self.store.stats().log_size;
        for index in begun.log..size {
            let Some(event) = self.store.event(index).await? else { continue };
            let event: Written =
                serde_json::from_str(&event).map_err(|_| RightsError::Inside("an event cannot be read"))?;
            if event.action == "customer-erased" && event.key.as_deref() == begun.key.as_deref() {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    async fn certify(
        &self,
        customer: CustomerId,
        begun: &Begun,
        index: u64,
        done: Done<'_>,
    ) -> Result<Certificate, RightsError> {
        let proof = self.proof_of(index).await?;
        let event =
            self.store.event(index).await?.ok_or(RightsError::Inside("an event is not in the log"))?;
        let id: [u8; 16] = random_id().map_err(VaultError::from)?;
        let document = self.certificate(&id, begun, done, &event, &proof)?;
        let (slot, key) = self.vault.fresh_customer().await?;
        let now = self.clock.now();
        let record = Record {
            kind: RecordKind::Certificate,
            id: id.into(),
            revision: 1,
            slot,
            customer: None,
            until: Some(UnixMillis(now.0 + KEPT)),
            purposes: Purposes::SERVICE,
            sealed: self.sealed_record(&key, (RecordKind::Certificate, &id), &document)?,
        };
        let facts = Facts { key: begun.key.clone(), ..Facts::default() };
        let issued = Event {
            at: now,
            tenant: self.tenant.clone(),
            action: Action::CertificateIssued,
            turn: None,
            subject: begun.subject,
            facts,
        };
        let removal = Removal { kind: RecordKind::Erasing, id: customer.as_bytes().to_vec().into() };
        let put = Put { record, was: None, handles: None };
        let changes = self.quiet(vec![put], vec![removal], vec![issued]);
        self.store.change(changes).await?;
        let rows = done.deleted.map_or(0, |deleted| deleted.rows.iter().map(|(_, n)| n).sum());
        Ok(Certificate { id: hex(&id), document, rows })
    }

    /// The proof of an event; waits until it stands under a checkpoint.
    async fn proof_of(&self, index: u64) -> Result<Proof, RightsError> {
        let asked = tokio::time::Instant::now();
        loop {
            if let Some(proof) = self.store.proof(index).await? {
                return Ok(proof);
            }
            if asked.elapsed() > PROVEN_WITHIN {
                return Err(RightsError::Inside("the log is not published: see its warnings"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn certificate(
        &self,
        id: &[u8],
        begun: &Begun,
        done: Done<'_>,
        event: &str,
        proof: &Proof,
    ) -> Result<Value, RightsError> {
        let force = self.force.load_full();
        let tables = done.deleted.map_or(Vec::new(), |deleted| {
            let row = |(table, n): &(&str, u64)| json!({ "dct:title": table, "dct:extent": n });
            deleted.rows.iter().map(row).collect::<Vec<_>>()
        });
        let elsewhere: Vec<Value> = ELSEWHERE
            .iter()
            .map(|(place, what)| json!({ "dct:title": place, "dct:description": what }))
            .collect();
        let bots = force.config.upstreams.iter().map(|bot| {
            json!({
                "@type": "dpv:Recipient",
                "dpv:hasName": &*bot.name,
                "dct:description": "received texts in which values were replaced by placeholders",
            })
        });
        let told = done.told.iter().map(|one| {
            let description = if one.told.is_some() { "was told to erase" } else { "is being told to erase" };
            json!({
                "@type": "dpv:Recipient",
                "dpv:hasName": &*one.recipient,
                "dct:description": description,
                "chatward:message": one.message(),
                "chatward:toldAt": one.told.map(moment),
            })
        });
        let recipients: Vec<Value> = bots.chain(told).collect();
        let controller = &force.config.controller;
        let path: Vec<String> = proof.path.iter().map(|hash| STANDARD.encode(hash)).collect();
        let checkpoint = String::from_utf8_lossy(&proof.checkpoint);
        let document = json!({
            "@context": dpv::context(),
            "@type": "dpv:RightExerciseRecord",
            "dct:identifier": hex(id),
            "dct:title": "Certificate of erasure",
            "dct:issued": moment(self.clock.now()),
            "dpv:hasRight": Term::RightToErasure.node(),
            "dpv:hasDataController": {
                "@type": "dpv:DataController",
                "dpv:hasName": controller.name,
                "dpv:hasContact": controller.contact,
            },
            "dpv:hasDataSubject": {
                "@type": "dpv:DataSubject",
                "dpv:hasIdentifier": begun.subject.map(super::pseudonym),
            },
            "dpv:hasRecipient": recipients,
            "chatward:tables": tables,
            "chatward:elsewhere": elsewhere,
            "chatward:keyDestroyed": begun.key,
            "chatward:epochBefore": begun.epoch,
            "chatward:epochAfter": done.epoch,
            "chatward:log": {
                "chatward:index": proof.index,
                "chatward:event": event,
                "chatward:path": path,
                "chatward:checkpoint": checkpoint,
            },
        });
        signed(document, &*self.vault.signer())
    }

    /// A certificate that was made out here.
    pub(crate) async fn fetch_certificate(&self, id: &str) -> Result<Value, RightsError> {
        let unknown = RightsError::Told(Code::NotFound);
        let Some(id) = unhex(id) else { return Err(unknown) };
        match self.store.record(&self.tenant, RecordKind::Certificate, &id).await? {
            Some(record) => self.read_record(&record).await,
            None => Err(unknown),
        }
    }
}

fn read_begun(record: &Record) -> Result<Begun, RightsError> {
    serde_json::from_slice(record.sealed.as_bytes())
        .map_err(|_| RightsError::Inside("an erasure that was begun cannot be read"))
}

pub(crate) fn unhex(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    if text.len() != 32 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// An event, as far as a certificate speaks of it.
#[derive(Debug, Deserialize)]
struct Written {
    action: String,
    #[serde(default)]
    key: Option<Box<str>>,
    #[serde(default)]
    rows: u64,
    #[serde(default)]
    subject: Option<String>,
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// Something is missing, or in another form.
    #[error("this is no certificate of an erasure")]
    Form,
    /// Its signature does not hold: it was altered, or made out by somebody else.
    #[error("its signature does not hold for this key: it was altered, or another house made it out")]
    Signature,
    /// The checkpoint in it is not signed with that key.
    #[error("the checkpoint in it is not signed with this key")]
    Checkpoint,
    /// The event does not stand under the checkpoint.
    #[error("the event in it does not stand under its checkpoint")]
    Proof,
    /// The event says something else than the certificate.
    #[error("the event in the log says something else than the certificate")]
    Event,
}

/// Checks a certificate with nothing but the key of the house's log.
pub fn check(document: &Value, key: &Vkey) -> Result<(), CertificateFault> {
    use CertificateFault as Fault;
    let text = |at: &str| document.pointer(at).and_then(Value::as_str);
    if text("/@type") != Some("dpv:RightExerciseRecord")
        || text("/dct:title") != Some("Certificate of erasure")
    {
        return Err(Fault::Form);
    }
    if !is_signed(document, key) {
        return Err(Fault::Signature);
    }
    let log = "/chatward:log/chatward:";
    let event = text(&format!("{log}event")).ok_or(Fault::Form)?;
    let checkpoint = text(&format!("{log}checkpoint")).ok_or(Fault::Form)?;
    let index = document.pointer(&format!("{log}index")).and_then(Value::as_u64).ok_or(Fault::Form)?;
    let path = document.pointer(&format!("{log}path")).and_then(Value::as_array).ok_or(Fault::Form)?;
    let path: Vec<[u8; 32]> = (path.iter())
        .map(|hash| STANDARD.decode(hash.as_str()?).ok()?.try_into().ok())
        .collect::<Option<_>>()
        .ok_or(Fault::Form)?;
    let checkpoint = Checkpoint::open(checkpoint.as_bytes(), key).map_err(|_| Fault::Checkpoint)?;
    if !included(&checkpoint, event.as_bytes(), index, &path) {
        return Err(Fault::Proof);
    }
    let event: Written = serde_json::from_str(event).map_err(|_| Fault::Form)?;
    let rows = document.pointer("/chatward:tables").and_then(Value::as_array).ok_or(Fault::Form)?;
    let counted = rows.iter().filter_map(|row| row.get("dct:extent").and_then(Value::as_u64));
    let counted: u128 = counted.map(u128::from).sum();
    let said = event.action == "customer-erased"
        && event.key.as_deref() == text("/chatward:keyDestroyed")
        && event.subject.as_deref() == text("/dpv:hasDataSubject/dpv:hasIdentifier")
        && (rows.is_empty() || counted == u128::from(event.rows));
    if said { Ok(()) } else { Err(Fault::Event) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling_in_lower_case() {
        let id = "00ff".repeat(8);
        assert_eq!(unhex(&id), Some([0, 255].repeat(8).try_into().unwrap()));
        for wrong in [id.replacen("00", "+0", 1), id.replacen("00", " 0", 1), "0".repeat(31), "é".repeat(16)]
        {
            assert_eq!(unhex(&wrong), None, "{wrong}");
        }
    }
}

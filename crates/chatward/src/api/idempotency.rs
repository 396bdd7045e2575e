//! Doing something once, however often it is sent (draft-ietf-httpapi-idempotency-key-header).
//!
//! The answer is kept for a day, sealed, under a keyed hash of who asked, where, and the key; with a hash of what was
//! sent, so that the same key with another request is refused. Where each time counts (a reveal), keys are not taken.

use aws_lc_rs::digest::{SHA256, digest};
use axum::response::Response;
use chatward_message::{Place, Purposes, UnixMillis};
use chatward_store::StoreError;
use chatward_store::record::{Changes, Put, Record, RecordKind};
use http::request::Parts;
use http::{HeaderName, header};
use serde::{Deserialize, Serialize};

use super::call::{Answer, single};
use super::{Api, Terms, Who};
use crate::directory::Failed;
use crate::problem::{Code, Problem};

/// How long an answer is kept.
const KEPT_FOR: u64 = 24 * 60 * 60_000;
/// The longest key.
const KEY_MAX: usize = 128;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// The key of a request, and a hash of what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    text: String,
    sent: [u8; 32],
}

impl Key {
    pub(super) fn of(terms: &Terms, parts: &Parts, body: &[u8]) -> Result<Option<Self>, Problem> {
        if !parts.headers.contains_key(&HEADER) {
            return Ok(None);
        }
        let text = single(&parts.headers, HEADER)
            .filter(|key| (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()));
        let Some(text) = text.filter(|_| terms.repeats) else {
            return Err(Problem::new(Code::BadRequest).at("Idempotency-Key"));
        };
        let mut sent = parts.uri.to_string().into_bytes();
        sent.push(0);
        sent.extend_from_slice(body);
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &sent).as_ref());
        Ok(Some(Self { text: text.to_owned(), sent: hash }))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    sent: [u8; 32],
    answer: String,
    tag: Option<String>,
}

fn id(terms: &Terms, api: &Api, who: &Who, key: &Key) -> Result<[u8; 16], Problem> {
    let (method, mark) = (terms.method.as_str().as_bytes(), who.mark());
    let parts: [&[u8]; 4] = [method, terms.path.as_bytes(), &mark, key.text.as_bytes()];
    let (vault, tenant) = (&api.gate.vault, &api.gate.tenant);
    Ok(vault.name_key(tenant, "idempotency", &parts).map_err(Failed::from)?)
}

/// The answer that was given before under this key.
pub(super) async fn given_before(
    terms: &Terms,
    api: &Api,
    who: &Who,
    key: Option<&Key>,
) -> Result<Option<Response>, Problem> {
    let Some(key) = key else { return Ok(None) };
    let (gate, id) = (&api.gate, id(terms, api, who, key)?);
    let found = gate.store.record(&gate.tenant, RecordKind::Answer, &id).await.map_err(Failed::from)?;
    let Some(record) = found.filter(|record| record.until.is_none_or(|until| until > gate.clock.now()))
    else {
        return Ok(None);
    };
    let opened = gate.vault.customer_key(record.slot).await.map_err(Failed::from)?;
    let plain = gate.vault.open_sealed(&opened, place(api, &id), &record.sealed).map_err(Failed::from)?;
    let answered: Answered = serde_json::from_slice(&plain).map_err(|_| Problem::new(Code::Internal))?;
    if answered.sent != key.sent {
        return Err(Code::KeyReused.into());
    }
    let mut answer = Answer::raw_json(zeroize::Zeroizing::new(answered.answer.into_bytes()));
    if let Some(tag) = &answered.tag {
        answer.add_header(header::ETAG, tag);
    }
    answer.into_response(terms.status).map(Some)
}

/// Keeps an answer for the same key.
pub(super) async fn keep(
    terms: &Terms,
    api: &Api,
    who: &Who,
    key: Option<Key>,
    answer: &Answer,
) -> Result<(), Problem> {
    let (Some(key), Some(json)) = (key, answer.to_keep()) else { return Ok(()) };
    let (gate, id) = (&api.gate, id(terms, api, who, &key)?);
    let sealing = api.directory.house_key().await?;
    let answered =
        Answered { sent: key.sent, answer: String::from_utf8_lossy(json).into_owned(), tag: answer.tag() };
    let plain =
        zeroize::Zeroizing::new(serde_json::to_vec(&answered).map_err(|_| Problem::new(Code::Internal))?);
    let sealed = gate.vault.seal(&sealing, place(api, &id), &plain).map_err(Failed::from)?;
    let now = gate.clock.now();
    let until = Some(UnixMillis(now.0.saturating_add(KEPT_FOR)));
    let record = Record {
        kind: RecordKind::Answer,
        id: id.to_vec().into(),
        revision: 1,
        slot: sealing.slot(),
        customer: None,
        until,
        purposes: Purposes::SERVICE,
        sealed,
    };
    let changes = Changes {
        tenant: gate.tenant.clone(),
        removals: Vec::new(),
        puts: vec![Put { record, was: None, handles: None }],
        events: Vec::new(),
        about: None,
        standing: None,
    };
    match gate.store.change(changes).await {
        // The same request came twice at once, and both did it: what they did is guarded by revisions.
        Ok(_) | Err(StoreError::Overtaken) => Ok(()),
        Err(error) => Err(Failed::from(error).into()),
    }
}

fn place<'a>(api: &'a Api, id: &'a [u8; 16]) -> Place<'a> {
    Place { tenant: &api.gate.tenant, table: "records", column: RecordKind::Answer.name(), row: id }
}

//! Verify: holds a receipt or a certificate against the key of the house's log. With JavaScript that happens in the page, and
//! nothing is sent; without, what was pasted is checked here and kept nowhere.

use askama::Template;
use chatward_store::log::verify::Vkey;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::look::{Frame, show};
use super::reader::Reader;
use super::{Answered, page};
use crate::api::call::Nothing;
use crate::api::{Api, Browser, Call, Open};
use crate::problem::{Code, Problem};
use crate::rights::erasure::{CertificateFault, check};
use crate::rights::is_signed;
use crate::turn::Gate;

const HERE: &str = "/privacy/verify";

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checked {
    /// Whether all of it holds.
    pub(super) good: bool,
    /// The message that says what.
    pub(super) says: &'static str,
}

/// Checks a document, or a list of them.
pub(super) fn checked(document: &Value, key: &Vkey) -> Checked {
    let bad = |says| Checked { good: false, says };
    if let Value::Array(all) = document {
        if all.is_empty() {
            return bad("verify-form");
        }
        let first = all.iter().map(|one| checked(one, key)).find(|one| !one.good);
        return first.unwrap_or(Checked { good: true, says: "verify-receipts" });
    }
    if document.get("@type").and_then(Value::as_str) == Some("chatward:ConsentRecord") {
        let good = is_signed(document, key);
        return Checked { good, says: if good { "verify-receipt" } else { "verify-signature" } };
    }
    match check(document, key) {
        Ok(()) => Checked { good: true, says: "verify-certificate" },
        Err(CertificateFault::Form) => bad("verify-form"),
        Err(CertificateFault::Signature) => bad("verify-signature"),
        Err(CertificateFault::Checkpoint) => bad("verify-checkpoint"),
        Err(CertificateFault::Proof) => bad("verify-proof"),
        Err(CertificateFault::Event) => bad("verify-event"),
    }
}

impl Gate {
    /// The key of the log, with its text.
    pub(super) fn vkey(&self) -> Option<(Vkey, String)> {
        let text = chatward_store::log::vkey(&*self.vault.signer());
        Some((text.parse().ok()?, text))
    }
}

#[derive(Template)]
#[template(path = "centre/verify.html")]
struct VerifyPage<'a> {
    f: Frame<'a>,
    vkey: String,
    checked: Option<Checked>,
}

page! {
    /// `GET /privacy/verify`
    Verify: GET "/privacy/verify", "Checks a receipt or a certificate in the page itself", Nothing
}

impl Open for Verify {
    const WHY: &'static str = "who was erased has no account, and the key is public.";

    async fn answer(api: &Api, _: Browser, call: Call<Self>) -> Answered {
        let reader = Reader::of(api, &call.headers).await?;
        let (_, vkey) = api.gate.vkey().ok_or_else(|| Problem::new(Code::Internal))?;
        let f = Frame::of(api, reader.as_ref(), HERE);
        show(&VerifyPage { f, vkey, checked: None }, None)
    }
}

/// A document to check.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    /// Its text.
    document: String,
}

page! {
    /// `POST /privacy/verify`
    Check: POST "/privacy/verify", "Checks a receipt or a certificate that was pasted; it is kept nowhere", Document
}

impl Open for Check {
    const WHY: &'static str = "who was erased has no account, and the key is public.";

    async fn answer(api: &Api, _: Browser, call: Call<Self>) -> Answered {
        let (key, vkey) = api.gate.vkey().ok_or_else(|| Problem::new(Code::Internal))?;
        let document = serde_json::from_str(&call.body.document).unwrap_or(Value::Null);
        let f = Frame::of(api, None, HERE);
        show(&VerifyPage { f, vkey, checked: Some(checked(&document, &key)) }, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(name: &str) -> String {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/proofs");
        std::fs::read_to_string(folder.join(name)).unwrap()
    }

    /// Puts something else into every place, one after the other.
    fn places(document: &Value, at: &str, all: &mut Vec<String>) {
        all.push(at.to_owned());
        match document {
            Value::Object(fields) => {
                for (name, field) in fields {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    places(field, &format!("{at}/{name}"), all);
                }
            }
            Value::Array(list) => {
                for (n, one) in list.iter().enumerate() {
                    places(one, &format!("{at}/{n}"), all);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn vectors_hold_and_no_altered_field_is_taken() {
        let key: Vkey = vector("vkey").parse().unwrap();
        for (name, says) in [
            ("certificate", "verify-certificate"),
            ("receipt", "verify-receipt"),
            ("receipts", "verify-receipts"),
        ] {
            let document: Value = serde_json::from_str(&vector(&format!("{name}.json"))).unwrap();
            assert_eq!(checked(&document, &key), Checked { good: true, says });
            let mut all = Vec::new();
            places(&document, "", &mut all);
            for at in &all {
                let mut other = document.clone();
                let place = other.pointer_mut(at).unwrap();
                *place = if *place == Value::Null { Value::Bool(true) } else { Value::Null };
                assert!(!checked(&other, &key).good, "{name}: {at}");
            }
            assert!(all.len() > 20);
        }
    }
}

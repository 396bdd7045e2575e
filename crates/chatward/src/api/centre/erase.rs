//! Delete everything: what that means, the question, and the certificate on the same page.

use askama::Template;
use chatward_policy::access::{Record, act};
use serde_json::Value;

use super::look::{Frame, show, when};
use super::reader::Reader;
use super::verify::{Checked, checked};
use super::{Answered, page};
use crate::api::account::When;
use crate::api::call::{Nothing, Reply};
use crate::api::{Api, Asks, Browser, Call, Noted, Open, Who, me};
use crate::directory::Failed;
use crate::problem::{Code, Problem};

const HERE: &str = "/privacy/data";

#[derive(Template)]
#[template(path = "centre/erase.html")]
struct AskPage<'a> {
    f: Frame<'a>,
    held: Option<When>,
    unclaimed: bool,
}

page! {
    /// `GET /privacy/erase`
    Ask: GET "/privacy/erase", "What deleting everything means, and the question", Nothing, back "/privacy/erase"
}

impl Open for Ask {
    const WHY: &'static str = "it says what deleting means; deleting asks the policies.";

    async fn answer(api: &Api, _: Browser, call: Call<Self>) -> Answered {
        let reader = Reader::of(api, &call.headers).await?;
        let f = Frame::of(api, reader.as_ref(), HERE);
        let Some(reader) = reader else { return show(&AskPage { f, held: None, unclaimed: false }, None) };
        let gate = &api.gate;
        let standing = gate.store.standing(&gate.tenant, reader.customer()).await.map_err(Failed::from)?;
        let held = standing.held_until.filter(|until| *until > gate.clock.now()).map(when);
        let unclaimed = reader.has_unclaimed(api, &call.headers).await?;
        show(&AskPage { f, held, unclaimed }, None)
    }
}

/// What a certificate says, for people.
struct Says {
    tables: Vec<(String, u64)>,
    elsewhere: Vec<(String, String)>,
    recipients: Vec<(String, String)>,
    key: String,
}

impl Says {
    fn of(document: &Value) -> Self {
        let list = |at: &str| document.pointer(at).and_then(Value::as_array).cloned().unwrap_or_default();
        let text =
            |one: &Value, key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let count = |one: &Value| one.get("dct:extent").and_then(Value::as_u64).unwrap_or(0);
        Self {
            tables: list("/chatward:tables").iter().map(|one| (text(one, "dct:title"), count(one))).collect(),
            elsewhere: (list("/chatward:elsewhere").iter())
                .map(|one| (text(one, "dct:title"), text(one, "dct:description")))
                .collect(),
            recipients: (list("/dpv:hasRecipient").iter())
                .map(|one| (text(one, "dpv:hasName"), text(one, "dct:description")))
                .collect(),
            key: text(document, "chatward:keyDestroyed"),
        }
    }
}

#[derive(Template)]
#[template(path = "centre/erased.html")]
struct ErasedPage<'a> {
    f: Frame<'a>,
    says: Says,
    checked: Checked,
    /// Where it can be fetched.
    id: String,
    /// The document itself.
    document: String,
    vkey: String,
}

page! {
    /// `POST /privacy/erase`
    Erase: POST "/privacy/erase", "Destroys one's key, deletes all that is kept of one, and shows the certificate", Nothing, back "/privacy/erase"
}

impl Asks for Erase {
    type Act = act::Erase;

    async fn target(api: &Api, who: &mut Who, _: &Call<Self>) -> Result<Record, Problem> {
        me::own(api, who)
    }

    async fn answer(api: &Api, noted: Noted<Self::Act>, _: Who, _: Call<Self>) -> Answered {
        let customer = noted.target().customer;
        let slot = api.directory.slot_of(customer).await?.ok_or(Code::CustomerNotFound)?;
        let certificate = api.gate.erase_with_proof(customer, slot).await?;
        // The session went with its account.
        let f = Frame::of(api, None, HERE);
        let (key, vkey) = api.gate.vkey().ok_or_else(|| Problem::new(Code::Internal))?;
        let page = ErasedPage {
            f,
            says: Says::of(&certificate.document),
            checked: checked(&certificate.document, &key),
            id: certificate.id,
            document: serde_json::to_string_pretty(&certificate.document)
                .map_err(|_| Problem::new(Code::Internal))?,
            vkey,
        };
        let reply: Reply<Nothing> = show(&page, None)?;
        Ok(reply.left(api))
    }
}

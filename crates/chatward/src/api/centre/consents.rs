//! Consents: one switch for each purpose, what was decided so far, and the receipts.

use askama::Template;
use chatward_message::Standing;
use chatward_policy::access::{Record, act};
use chatward_policy::{Basis, Terms};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::look::{Frame, file, show, when};
use super::reader::Reader;
use super::{Answered, page};
use crate::api::account::When;
use crate::api::call::{Nothing, Reply};
use crate::api::{Api, Asks, Browser, Call, Noted, Open, Who, me};
use crate::directory::Failed;
use crate::problem::{Code, Problem};
use crate::rights::consent::{Decision, Stand, Way, basis_name, words};
use crate::turn::opted_out;

const HERE: &str = "/privacy/consents";

/// A purpose on the page.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) version: String,
    /// The words one is asked in, if the house has written some.
    pub(super) text: Option<String>,
    /// The language they are in, where it is another than the page's.
    pub(super) language: Option<String>,
    pub(super) basis: &'static str,
    pub(super) stand: &'static str,
    /// Whether it counts now.
    pub(super) on: bool,
    /// Whether one can say no to it.
    pub(super) optional: bool,
    /// Whether the browser's signal turns it off.
    pub(super) signal: bool,
    /// The longest that anything is kept for it, in milliseconds.
    pub(super) longest: u64,
}

impl Row {
    /// A purpose, as a customer stands to it.
    pub(super) fn of(api: &Api, terms: &Terms, basis: Basis, standing: &Standing) -> Self {
        let stand = Stand::of(terms, basis, standing);
        let page = api.look.words.language().tag();
        let (language, text) = words(terms, Some(page));
        let service = &*terms.name == "service";
        Self {
            name: terms.name.to_string(),
            version: terms.version.to_string(),
            text: (!text.is_empty()).then(|| text.to_string()),
            language: (*language != *page && !language.is_empty()).then(|| language.to_string()),
            basis: basis_name(basis),
            stand: stand.name(),
            on: matches!(stand, Stand::Needed | Stand::Counts | Stand::Agreed),
            optional: basis != Basis::Contract,
            signal: !service && (terms.sold_or_shared || basis == Basis::LegitimateInterest),
            longest: terms.keep.iter().map(|(_, time)| *time).max().unwrap_or(0),
        }
    }

    /// All purposes of the house.
    pub(super) async fn all(api: &Api, reader: Option<&Reader>) -> Result<Vec<Self>, Problem> {
        let gate = &api.gate;
        let standing = match reader {
            Some(reader) => {
                gate.store.standing(&gate.tenant, reader.customer()).await.map_err(Failed::from)?
            }
            None => Standing::default(),
        };
        let force = gate.force.load_full();
        let row = |terms| Self::of(api, terms, force.basis_for(terms), &standing);
        Ok(force.config.purposes.iter().map(row).collect())
    }
}

/// One decision in the history.
struct Past {
    id: String,
    at: String,
    exact: String,
    purpose: String,
    agreed: bool,
    version: String,
    /// The first message that was taken under it.
    first: Option<String>,
}

impl Past {
    fn of(receipt: &Value) -> Self {
        let text = |at: &str| receipt.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let exact = text("/dct:issued");
        Self {
            id: text("/dct:identifier"),
            at: exact.replace('T', " ").replace('Z', " UTC"),
            exact,
            purpose: text("/dpv:hasProcess/dpv:hasPurpose/dct:title"),
            agreed: text("/dpv:hasConsentStatus/@id").ends_with("ConsentGiven"),
            version: text("/dpv:hasNotice/dct:hasVersion"),
            first: receipt.pointer("/chatward:firstMessage").and_then(Value::as_str).map(str::to_owned),
        }
    }
}

#[derive(Template)]
#[template(path = "centre/consents.html")]
struct ConsentsPage<'a> {
    f: Frame<'a>,
    rows: Vec<Row>,
    history: Vec<Past>,
    /// Whether the browser says that nothing may be sold or shared.
    gpc: bool,
    frozen: bool,
    held: Option<When>,
}

impl ConsentsPage<'_> {
    /// Where one stands, as a message.
    #[expect(clippy::unused_self, reason = "the template asks the page")]
    fn stand_words(&self, row: &Row) -> &'static str {
        match row.stand {
            "needed" => "stand-needed",
            "counts" => "stand-counts",
            "agreed" => "stand-agreed",
            "other-words" => "stand-other-words",
            "refused" => "stand-refused",
            _ => "stand-not-asked",
        }
    }
}

page! {
    /// `GET /privacy/consents`
    Consents: GET "/privacy/consents", "What one's data may be used for, with a switch for each", Nothing
}

impl Open for Consents {
    const WHY: &'static str =
        "the purposes are the house's, and public; where one stands is shown to oneself.";

    async fn answer(api: &Api, _: Browser, call: Call<Self>) -> Answered {
        let reader = Reader::of(api, &call.headers).await?;
        let reader = reader.as_ref();
        let f = Frame::of(api, reader, HERE);
        let (mut history, mut standing) = (Vec::new(), Standing::default());
        if let Some(reader) = reader {
            let gate = &api.gate;
            standing = gate.store.standing(&gate.tenant, reader.customer()).await.map_err(Failed::from)?;
            history = gate.receipts(reader.customer()).await?.iter().map(Past::of).collect();
            history.reverse();
        }
        let rows = Row::all(api, reader).await?;
        let held = standing.held_until.filter(|until| *until > api.gate.clock.now()).map(when);
        let (gpc, frozen) = (opted_out(&call.headers), standing.restricted);
        show(&ConsentsPage { f, rows, history, gpc, frozen, held }, None)
    }
}

/// A press of a switch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Switch {
    /// The purpose's name.
    purpose: String,
    /// `yes` or `no`.
    agreed: YesNo,
}

/// Yes or no, as a form says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum YesNo {
    /// Yes.
    Yes,
    /// No.
    No,
}

page! {
    /// `POST /privacy/consents`
    Decide: POST "/privacy/consents", "Says yes or no to a purpose", Switch, back "/privacy/consents"
}

impl Asks for Decide {
    type Act = act::Consent;

    async fn target(api: &Api, who: &mut Who, _: &Call<Self>) -> Result<Record, Problem> {
        me::own(api, who)
    }

    async fn answer(api: &Api, noted: Noted<Self::Act>, _: Who, call: Call<Self>) -> Answered {
        let decision = Decision {
            purpose: &call.body.purpose,
            agreed: call.body.agreed == YesNo::Yes,
            language: Some(api.look.words.language().tag()),
            way: Way::Customer,
        };
        api.gate.decide(noted.target().customer, decision).await?;
        Ok(Reply::see_other(HERE))
    }
}

page! {
    /// `GET /privacy/receipts`
    Receipts: GET "/privacy/receipts", "The signed receipts of all one ever decided, in one file", Nothing, back "/privacy/consents"
}

impl Asks for Receipts {
    type Act = act::List;

    async fn target(api: &Api, who: &mut Who, _: &Call<Self>) -> Result<Record, Problem> {
        me::own(api, who)
    }

    async fn answer(api: &Api, noted: Noted<Self::Act>, _: Who, _: Call<Self>) -> Answered {
        let all = api.gate.receipts(noted.target().customer).await?;
        file(&Value::Array(all), "my-receipts.json")
    }
}

/// A receipt in a path.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct OfReceipt {
    /// Its id.
    id: String,
}

page! {
    /// `GET /privacy/receipts/{id}`
    OneReceipt: GET "/privacy/receipts/{id}", "The signed receipt of one decision, as a file", Nothing, in OfReceipt, back "/privacy/consents"
}

impl Asks for OneReceipt {
    type Act = act::List;

    async fn target(api: &Api, who: &mut Who, _: &Call<Self>) -> Result<Record, Problem> {
        me::own(api, who)
    }

    async fn answer(api: &Api, noted: Noted<Self::Act>, _: Who, call: Call<Self>) -> Answered {
        let all = api.gate.receipts(noted.target().customer).await?;
        let is_it = |receipt: &&Value| receipt["dct:identifier"].as_str() == Some(&call.path.id);
        let found = all.iter().find(is_it).ok_or_else(|| Problem::new(Code::NotFound))?;
        file(found, "receipt.json")
    }
}

//! `POST /admin/v1/reveals`: one value in clear, for a minute.

use chatward_message::{BreakGlassId, ConversationId, CustomerId};
use chatward_policy::access::{Purpose, Value, act};
use chatward_store::Conversation;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{record, word, written};
use crate::api::call::{Nothing, Stated};
use crate::api::{Api, Asks, Call, Reply, Revealing, Route, Routes, Who};
use crate::directory::Failed;
use crate::identity::secret::SecretText;
use crate::problem::{Code, Problem};

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.asks::<Reveal>()
}

/// How long a value may be shown, in milliseconds.
const SHOWN_FOR: u64 = 60_000;

/// Which value, and why.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RevealQuestion")]
struct Wanted {
    /// `cust_…`
    customer: String,
    /// `conv_…`
    conversation: String,
    /// The value's placeholder: `CARD_1`.
    label: String,
    /// `support`, `security`, `privacy-request`, `training`, `audit` or `operation`.
    #[serde(default)]
    #[schemars(schema_with = "super::words::purpose")]
    purpose: Option<String>,
    /// Why, in words. The customer can read it.
    #[serde(default)]
    reason: Option<String>,
    /// The number of a request or an incident.
    #[serde(default)]
    ticket: Option<String>,
    /// The request to break the glass that somebody else approved: `glass_…`
    #[serde(default)]
    break_glass: Option<String>,
}

/// One value.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RevealedValue")]
struct Shown {
    /// The value, in clear.
    #[schemars(with = "String")]
    value: SecretText,
    /// Its kind.
    kind: String,
    /// Its class.
    class: &'static str,
    /// Until when it may be shown, in milliseconds since 1970. It is kept nowhere; whoever needs it longer asks again.
    until: u64,
    /// Where the event stands in the audit log.
    event: u64,
}

/// `POST /admin/v1/reveals`
struct Reveal;

impl Route for Reveal {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/admin/v1/reveals";
    const WHAT: &'static str = "One value in clear, for a minute; the customer sees who looked and why";
    type Path = Nothing;
    type Query = Nothing;
    type Body = Wanted;
    type Answer = Shown;
}

impl Wanted {
    /// The conversation, if it is this customer's: their own, or one they took over.
    async fn conversation(&self, api: &Api) -> Result<(Conversation, CustomerId), Problem> {
        let unknown = || Problem::new(Code::NotFound);
        let (store, tenant) = (&api.gate.store, &api.gate.tenant);
        let customer: CustomerId = self.customer.parse().map_err(|_| unknown())?;
        let id: ConversationId = self.conversation.parse().map_err(|_| unknown())?;
        let known = store.conversation(tenant, id).await.map_err(Failed::from)?.ok_or_else(unknown)?;
        if known.customer != customer && api.gate.claimed_by(known.customer).await? != Some(customer) {
            return Err(unknown());
        }
        Ok((known, customer))
    }
}

impl Asks for Reveal {
    type Act = act::Reveal;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<Value, Problem> {
        let (known, customer) = call.body.conversation(api).await?;
        // What the value is decides whether it may be seen. The table is opened for that, and dropped at once.
        let listed = api.gate.listed(&known).await?;
        let (_, class, kind) = listed
            .into_iter()
            .find(|(label, ..)| *label == call.body.label)
            .ok_or_else(|| Problem::new(Code::NotFound))?;
        Ok(Value { of: record(api, customer).await?, class, kind: Some(kind) })
    }

    async fn given(api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        let Wanted { purpose, reason, ticket, break_glass, .. } = &call.body;
        let purpose = word(purpose.as_deref(), "purpose", Purpose::named)?;
        let break_glass = match break_glass {
            None => None,
            Some(id) => {
                let unknown = || Problem::new(Code::NotFound);
                let id: BreakGlassId = id.parse().map_err(|_| unknown())?;
                let kept = api.directory.glass(id).await?;
                // It was approved for this customer and this purpose, and for nothing else.
                let kept = kept.filter(|kept| kept.glass.customer.to_string() == call.body.customer);
                let kept = kept.ok_or_else(unknown)?;
                if purpose != Some(kept.glass.purpose) {
                    return Err(Problem::new(Code::BadRequest).at("purpose"));
                }
                Some(kept.glass.facts(api.directory.now()))
            }
        };
        let (reason, ticket) = (written(reason.as_ref()), written(ticket.as_ref()));
        Ok(Stated { purpose, reason, ticket, break_glass })
    }

    async fn answer(
        api: &Api,
        noted: Revealing,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let (known, _) = call.body.conversation(api).await?;
        let (class, kind, event) = (noted.target().class, noted.target().kind.clone(), noted.index());
        let value = api.gate.reveal(&known, &call.body.label, noted).await?;
        Ok(Reply::json(Shown {
            value: SecretText::new(value.as_str()),
            kind: kind.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
            class: class.name(),
            until: api.directory.now().0.saturating_add(SHOWN_FOR),
            event,
        }))
    }
}

//! `/admin/v1/conversations`: taking a conversation over from the bot, writing in it, giving it back.

use chatward_message::ConversationId;
use chatward_policy::access::{Purpose, Record, act};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::call::{Nothing, Stated};
use super::super::{Api, Asks, Call, Noted, Reply, Route, Routes, Who};
use super::{record, word, written};
use crate::problem::{Code, Problem};
use crate::turn::To;

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.asks::<HandOver>().asks::<Write>()
}

/// A conversation in a path.
#[derive(Debug, Deserialize, JsonSchema)]
struct OfConversation {
    /// `conv_…`
    id: String,
}

impl OfConversation {
    fn id(&self) -> Result<ConversationId, Problem> {
        self.id.parse().map_err(|_| Problem::new(Code::NotFound))
    }

    async fn target(&self, api: &Api) -> Result<Record, Problem> {
        let customer = api.gate.customer_of(self.id()?).await?;
        record(api, customer).await
    }
}

fn stated(purpose: Option<&str>, reason: Option<&String>) -> Result<Stated, Problem> {
    let purpose = word(purpose, "purpose", Purpose::named)?;
    Ok(Stated { purpose, reason: written(reason), ..Stated::default() })
}

/// Who is to answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HandOver")]
struct Over {
    /// `person` takes the conversation over, `bot` gives it back.
    to: To,
    /// `support` or `security`
    #[serde(default)]
    #[schemars(schema_with = "super::words::purpose")]
    purpose: Option<String>,
    /// Why, in words. The customer can read it.
    #[serde(default)]
    reason: Option<String>,
}

/// Who answers from now on.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HandedOver")]
struct Answers {
    /// Who.
    answers: To,
}

/// `POST /admin/v1/conversations/{id}/handover`
struct HandOver;

impl Route for HandOver {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/admin/v1/conversations/{id}/handover";
    const WHAT: &'static str =
        "Let a person answer instead of the bot, or the bot again; the customer is told at once";
    type Path = OfConversation;
    type Query = Nothing;
    type Body = Over;
    type Answer = Answers;
}

impl Asks for HandOver {
    type Act = act::HandOver;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        call.path.target(api).await
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        stated(call.body.purpose.as_deref(), call.body.reason.as_ref())
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        api.gate.hand_over(call.path.id()?, call.body.to).await?;
        Ok(Reply::json(Answers { answers: call.body.to }))
    }
}

/// What a person writes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewPersonsMessage")]
struct Text {
    /// At most 4000 characters.
    text: String,
    /// `support` or `security`
    #[serde(default)]
    #[schemars(schema_with = "super::words::purpose")]
    purpose: Option<String>,
    /// Why, in words. The customer can read it.
    #[serde(default)]
    reason: Option<String>,
}

/// A message that a person wrote.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PersonWrote")]
struct Wrote {
    /// Its id.
    id: String,
}

/// `POST /admin/v1/conversations/{id}/messages`
struct Write;

impl Route for Write {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/admin/v1/conversations/{id}/messages";
    const WHAT: &'static str = "Write to a customer in a conversation that a person has taken over";
    const STATUS: u16 = 201;
    const REPEATS: bool = true;
    type Path = OfConversation;
    type Query = Nothing;
    type Body = Text;
    type Answer = Wrote;
}

impl Asks for Write {
    type Act = act::HandOver;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        call.path.target(api).await
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        stated(call.body.purpose.as_deref(), call.body.reason.as_ref())
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        Ok(Reply::json(Wrote { id: api.gate.write_to(call.path.id()?, &call.body.text).await? }))
    }
}

//! `/admin/v1/waiting`: messages that wait until somebody of the staff lets them go on.

use chatward_message::AccountId;
use chatward_policy::access::{House, Purpose, Record, act};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{For, Wanted, house, record, record_id, word, written};
use crate::api::call::{Nothing, Page, Stated};
use crate::api::{Api, Asks, Call, Noted, Reply, Route, Routes, Who};
use crate::problem::{Code, Problem};
use crate::rights::consent::hex;
use crate::turn::waiting::{Against, Decided, Kept, State};

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.asks::<All>().asks::<One>().asks::<Decide>()
}

/// A message that waits, without what it says.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WaitingMessage")]
struct Shown {
    /// Its id.
    id: String,
    /// How it stands.
    state: State,
    /// `turn_…`
    turn: String,
    /// `conv_…`
    conversation: String,
    /// `cust_…`
    customer: String,
    /// For which bot it was.
    bot: String,
    /// When it came, in milliseconds since 1970.
    at: u64,
    /// What speaks against it.
    against: Vec<Against>,
    /// Who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<Decided>,
}

impl Shown {
    fn of(kept: &Kept) -> Self {
        let waiting = &kept.waiting;
        Self {
            id: hex(&kept.id),
            state: waiting.state,
            turn: waiting.turn.clone(),
            conversation: waiting.conversation.clone(),
            customer: kept.customer.to_string(),
            bot: waiting.bot.clone(),
            at: waiting.at,
            against: waiting.against.clone(),
            decided: waiting.decided.clone(),
        }
    }
}

/// `GET /admin/v1/waiting`
struct All;

impl Route for All {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/waiting";
    const WHAT: &'static str =
        "Messages that wait for a decision, or were decided about if `state` says so, without what they say";
    type Path = Nothing;
    type Query = Wanted<State>;
    type Body = Nothing;
    type Answer = Page<Shown>;
}

impl Asks for All {
    type Act = act::IncidentRead;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<House, Problem> {
        call.query.limit()?;
        call.query.after()?;
        Ok(house(api))
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let (limit, after) = (call.query.limit()?, call.query.after()?);
        let state = call.query.state.unwrap_or(State::Waiting);
        let after = after.as_ref().map(|id| &id[..]);
        let found = api.gate.waiting(after, limit.saturating_add(1), state).await?;
        let items = found.iter().map(Shown::of).collect();
        Ok(Reply::json(Page::cut(items, limit, |message: &Shown| message.id.clone())))
    }
}

/// A message that waits, in a path.
#[derive(Debug, Deserialize, JsonSchema)]
struct OfMessage {
    /// 32 hexadecimal digits.
    id: String,
}

impl OfMessage {
    async fn kept(&self, api: &Api) -> Result<Kept, Problem> {
        let id = record_id(&self.id).ok_or_else(|| Problem::new(Code::NotFound))?;
        Ok(api.gate.waiting_one(&id).await?)
    }

    async fn target(&self, api: &Api) -> Result<Record, Problem> {
        record(api, self.kept(api).await?.customer).await
    }
}

/// What it says.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WaitingText")]
struct Says {
    /// The message.
    #[serde(flatten)]
    message: Shown,
    /// What the bot would have received of it: personal data is replaced.
    text: String,
}

/// `GET /admin/v1/waiting/{id}`
struct One;

impl Route for One {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/waiting/{id}";
    const WHAT: &'static str = "A message that waits for a decision, as the bot would have received it";
    type Path = OfMessage;
    type Query = For;
    type Body = Nothing;
    type Answer = Says;
}

impl Asks for One {
    type Act = act::ReadReceived;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        call.path.target(api).await
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        call.query.stated()
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let kept = call.path.kept(api).await?;
        Ok(Reply::json(Says { message: Shown::of(&kept), text: kept.waiting.text }))
    }
}

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "WaitingVerdict")]
enum Verdict {
    /// It goes on when it is sent again, for a week.
    LetGo,
    /// It does not.
    KeepBack,
}

/// A decision.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewWaitingDecision")]
struct Decision {
    /// `let-go` or `keep-back`
    decision: Verdict,
    /// `support` or `security`
    #[serde(default)]
    #[schemars(schema_with = "super::words::purpose")]
    purpose: Option<String>,
    /// Why, in words. The customer can read it.
    #[serde(default)]
    reason: Option<String>,
    /// Words to the customer, in the conversation: at most 1000 characters.
    #[serde(default)]
    words: Option<String>,
}

/// `POST /admin/v1/waiting/{id}/decision`
struct Decide;

impl Route for Decide {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/admin/v1/waiting/{id}/decision";
    const WHAT: &'static str = "Let a message that waits go on, or keep it back";
    type Path = OfMessage;
    type Query = Nothing;
    type Body = Decision;
    type Answer = Shown;
}

impl Asks for Decide {
    type Act = act::HandOver;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        call.path.target(api).await
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        let purpose = word(call.body.purpose.as_deref(), "purpose", Purpose::named)?;
        Ok(Stated { purpose, reason: written(call.body.reason.as_ref()), ..Stated::default() })
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let state = match call.body.decision {
            Verdict::LetGo => State::LetGo,
            Verdict::KeepBack => State::KeptBack,
        };
        let by = who.account_bytes().map(AccountId::from_bytes);
        let kept = call.path.kept(api).await?;
        let kept = api.gate.decide_waiting(kept, state, by, call.body.words.as_deref()).await?;
        Ok(Reply::json(Shown::of(&kept)))
    }
}

//! `/me/v1/flags`: messages that one called wrong.

use chatward_message::TurnId;
use chatward_policy::access::{Record, act};
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::call::Nothing;
use super::super::{Api, Asks, Call, Noted, Reply, Route, Routes, Who};
use super::own;
use crate::chat::flag::{Kept, Reason};
use crate::problem::{Code, Problem};

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.asks::<Flag>().asks::<Flags>()
}

/// What is wrong with which message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewFlag")]
struct New {
    /// The message's turn: `turn_…`, from the header `Chatward-Turn`.
    turn: String,
    /// What is wrong with it.
    reason: Reason,
    /// One's own words about it, at most 1000 characters.
    #[serde(default)]
    words: String,
}

/// `POST /me/v1/flags`
struct Flag;

impl Route for Flag {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/me/v1/flags";
    const WHAT: &'static str = "Tell the house that a message of one's own conversation was wrong";
    const STATUS: u16 = 201;
    const REPEATS: bool = true;
    type Path = Nothing;
    type Query = Nothing;
    type Body = New;
    type Answer = Kept;
}

impl Asks for Flag {
    type Act = act::Request;

    async fn target(api: &Api, who: &mut Who, _call: &Call<Self>) -> Result<Record, Problem> {
        own(api, who)
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let New { turn, reason, words } = &call.body;
        let turn: TurnId = turn.parse().map_err(|_| Problem::new(Code::TurnNotFound))?;
        Ok(Reply::json(api.gate.flag(noted.target().customer, turn, *reason, words).await?))
    }
}

/// `GET /me/v1/flags`
struct Flags;

impl Route for Flags {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/me/v1/flags";
    const WHAT: &'static str = "The messages that one called wrong, and what became of it; the newest first";
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Vec<Kept>;
}

impl Asks for Flags {
    type Act = act::List;

    async fn target(api: &Api, who: &mut Who, _call: &Call<Self>) -> Result<Record, Problem> {
        own(api, who)
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        _call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        Ok(Reply::json(api.gate.flags(noted.target().customer).await?))
    }
}

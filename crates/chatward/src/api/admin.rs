//! `/admin/v1`: what staff and programs of the house do.

use chatward_message::TurnId;
use chatward_policy::access::{Purpose, Record, act};
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::call::{Nothing, Stated};
use super::me::OfTurn;
use super::{Api, Asks, Call, Noted, Reply, Route, Routes, Who};
use crate::directory::Failed;
use crate::problem::{Code, Problem};

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.asks::<Received>()
}

/// What a look is for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct For {
    /// `support`, `security`, `privacy-request`, `training`, `audit` or `operation`.
    purpose: Option<String>,
    /// The number of a request or an incident.
    ticket: Option<String>,
}

impl For {
    fn stated(&self) -> Result<Stated, Problem> {
        let purpose = self
            .purpose
            .as_deref()
            .map(|word| Purpose::named(word).ok_or_else(|| Problem::new(Code::BadRequest).at("purpose")));
        Ok(Stated { purpose: purpose.transpose()?, ticket: self.ticket.clone(), ..Stated::default() })
    }
}

/// `GET /admin/v1/turns/{id}/received`
struct Received;

impl Route for Received {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/turns/{id}/received";
    const WHAT: &'static str = "What the bot received in a turn, byte for byte";
    type Path = OfTurn;
    type Query = For;
    type Body = Nothing;
    type Answer = serde_json::Value;
}

impl Asks for Received {
    type Act = act::ReadReceived;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        let unknown = || Problem::new(Code::TurnNotFound);
        let gate = &api.gate;
        let turn: TurnId = call.path.id.parse().map_err(|_| unknown())?;
        let row = gate.store.turn(&gate.tenant, turn).await.map_err(Failed::from)?.ok_or_else(unknown)?;
        Ok(Record { tenant: gate.tenant.clone(), customer: row.customer, restricted: false })
    }

    async fn given(api: &Api, who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        let _ = api;
        let mut stated = call.query.stated()?;
        // Whoever holds the file on the machine looks into how it runs.
        if matches!(who, Who::Bootstrap) {
            stated.purpose = stated.purpose.or(Some(Purpose::Security));
        }
        Ok(stated)
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let turn: TurnId = call.path.id.parse().map_err(|_| Problem::new(Code::TurnNotFound))?;
        Ok(Reply::raw_json(api.gate.received(turn, &noted).await?))
    }
}

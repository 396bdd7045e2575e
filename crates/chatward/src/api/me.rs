//! `/me/v1`: what customers see of what is kept of them.

use chatward_message::TurnId;
use chatward_policy::access::{Record, act};
use chatward_store::record::RecordKind;
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::call::Nothing;
use super::{Api, Asks, Call, Noted, Reply, Route, Routes, Who};
use crate::directory::Failed;
use crate::problem::{Code, Problem};
use crate::turn;

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.asks::<Received>()
}

/// A turn in a path.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct OfTurn {
    /// `turn_…`, from the header `Chatward-Turn`.
    pub(super) id: String,
}

/// `GET /me/v1/turns/{id}/received`: own turns only; a stranger's is as unknown as one that never was.
struct Received;

impl Route for Received {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/me/v1/turns/{id}/received";
    const WHAT: &'static str = "What the bot received in a turn of one's own, byte for byte";
    type Path = OfTurn;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = serde_json::Value;
}

impl Asks for Received {
    type Act = act::ReadReceived;

    async fn target(api: &Api, who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        let unknown = || Problem::new(Code::TurnNotFound);
        let gate = &api.gate;
        let turn: TurnId = call.path.id.parse().map_err(|_| unknown())?;
        let row = gate.store.turn(&gate.tenant, turn).await.map_err(Failed::from)?.ok_or_else(unknown)?;
        let mut of = row.customer;
        match who {
            Who::Nameless { caller, customer } if turn::owns(gate, caller, turn) => *customer = Some(of),
            Who::Customer(present) => {
                let own = present.account.customer().ok_or_else(unknown)?;
                if own != of {
                    let claim = gate.store.record(&gate.tenant, RecordKind::Claim, of.as_bytes()).await;
                    let claim = claim.map_err(Failed::from)?.and_then(|record| record.customer);
                    // What was taken over is the customer's like the rest.
                    of = claim.filter(|by| *by == own).ok_or_else(unknown)?;
                }
            }
            _ => return Err(unknown()),
        }
        Ok(Record { tenant: gate.tenant.clone(), customer: of, restricted: false })
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

//! The private listener's own routes, behind the admin token.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use chatward_message::TurnId;

use super::House;
use crate::problem::{Code, Problem};
use crate::seeing::{Live, private_router};
use crate::turn::{Gate, TurnError};

pub(super) fn router(house: &House) -> anyhow::Result<Router> {
    let gate = &house.gate;
    let admin =
        Router::new().route("/admin/v1/turns/{id}/received", get(received)).with_state(Arc::clone(gate));
    let counted = Arc::clone(gate);
    let live = move || Live {
        audit_queue_length: counted.store.stats().waiting as u64,
        turns_open: counted.open.load(Ordering::Relaxed),
    };
    let without_token = gate.force.load().config.server.metrics_without_token;
    Ok(private_router(
        house.private,
        house.token.clone(),
        Arc::clone(&gate.health),
        Arc::clone(&gate.metrics),
        without_token,
        live,
        admin,
    )?)
}

/// `GET /admin/v1/turns/{id}/received`
async fn received(State(gate): State<Arc<Gate>>, Path(id): Path<String>) -> Response {
    let shown = async {
        let turn: TurnId = id.parse().map_err(|_| TurnError::Told(Code::TurnNotFound))?;
        gate.received(turn).await
    };
    match shown.await {
        Ok(body) => super::public::shown(Bytes::copy_from_slice(&body)),
        Err(error) => Problem::from(error.code()).into_response(),
    }
}

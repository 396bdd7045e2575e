//! The answer to a message that was sent before: the one that is being given, or the one that is stored.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use chatward_message::TurnId;
use chatward_store::{TurnRow, TurnState};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::{ANSWERS_HEADER, CONVERSATION, history};
use crate::caller::Caller;
use crate::openai;
use crate::problem::Code;
use crate::turn::{self, Gate, PERSON, To, TurnError};

/// On an answer that is given once more: how the turn ended.
const STATE_HEADER: HeaderName = HeaderName::from_static("chatward-state");
/// How long is waited for an answer that another process is giving.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked whether it is whole.
const BEAT: Duration = Duration::from_millis(250);

/// The answer of this turn, if there is such a turn.
pub(super) async fn answer(
    gate: &Gate,
    id: TurnId,
    caller: &Caller,
) -> Result<Option<Response<Body>>, TurnError> {
    let waited = tokio::time::Instant::now();
    loop {
        if let Some(running) = gate.running.join(id).await {
            return running.map(Some);
        }
        let Some(row) = gate.store.turn(&gate.tenant, id).await? else { return Ok(None) };
        if row.state != TurnState::Open {
            return stored(gate, caller, &row).await.map(Some);
        }
        if waited.elapsed() > PATIENCE {
            return Err(TurnError::Told(Code::Busy));
        }
        tokio::time::sleep(BEAT).await;
    }
}

async fn stored(gate: &Gate, caller: &Caller, row: &TurnRow) -> Result<Response<Body>, TurnError> {
    if row.state == TurnState::Refused {
        return Err(TurnError::Told(refusal(row)));
    }
    let whole = gate.whole_conversation(caller, CONVERSATION).await?;
    // Whoever signed in meanwhile has another conversation now; this one is the browser's.
    let whole =
        whole.filter(|whole| whole.id == row.conversation).ok_or(TurnError::Told(Code::TurnNotFound))?;
    let text = history::answer(gate, &whole, row)?.unwrap_or_default();
    let mut out = Vec::new();
    let choice =
        json!([{ "index": 0, "delta": { "role": "assistant", "content": text }, "finish_reason": null }]);
    let chunk = json!({
        "id": format!("chatcmpl-{}", row.id), "object": "chat.completion.chunk", "created": row.opened.0 / 1000,
        "model": &*row.upstream, "choices": choice,
    });
    out.extend_from_slice(format!("data: {chunk}\n\n").as_bytes());
    let state = match row.state {
        TurnState::Closed => "closed",
        TurnState::Abandoned => "abandoned",
        _ => "failed",
    };
    match row.state {
        TurnState::Closed | TurnState::Abandoned => out.extend_from_slice(b"data: [DONE]\n\n"),
        _ => out.extend_from_slice(&turn::edge_problem(Code::UpstreamCut).event()),
    }
    let mut response = Response::new(Body::from(Bytes::from(out)));
    *response.status_mut() = StatusCode::OK;
    for (name, value) in openai::stream::HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let to = if &*row.upstream == PERSON { To::Person } else { To::Bot };
    response.headers_mut().insert(ANSWERS_HEADER, HeaderValue::from_static(to.name()));
    response.headers_mut().insert(STATE_HEADER, HeaderValue::from_static(state));
    turn::name(&mut response, row.id);
    Ok(response)
}

/// Why a message was refused: the event that closed it says so.
fn refusal(row: &TurnRow) -> Code {
    #[derive(Deserialize)]
    struct Ended {
        reason: String,
    }
    let ended = row.closed_event.as_deref().and_then(|event| serde_json::from_str::<Ended>(event).ok());
    let named = ended.and_then(|ended| Code::ALL.iter().find(|code| code.as_str() == ended.reason));
    named.copied().unwrap_or(Code::BlockedContent)
}

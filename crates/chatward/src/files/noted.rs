//! What is decided about files, on the ways they come: written down, and told.

use std::sync::Arc;

use bytes::Bytes;
use chatward_message::{Action, Channel, ConversationId, Event, Facts, Response, Subject, TurnId};

use super::readers::House;
use super::{Decision, OnItsWay};
use crate::alerts::{self, Alert};
use crate::openai::{Problem, Request};
use crate::problem::Code;
use crate::turn::{Force, Gate, TurnError};

/// Most files inside of one request.
const FILES_MAX: usize = 50;

/// Looks into the files of a request, one after the other, and stops at the first that goes no further. What is worth noting of them
/// is given, in their order.
pub(crate) async fn of_request(
    gate: &Gate,
    force: &Arc<Force>,
    request: &Request,
) -> Result<Vec<Arc<Decision>>, Problem> {
    let files = request.files();
    if !force.files.is_on() || files.len() == 0 {
        return Ok(Vec::new());
    }
    if files.len() > FILES_MAX {
        let message = format!("There are more than {FILES_MAX} files.");
        return Err(Problem::invalid("too_many_files", message, "messages"));
    }
    let (mut noted, readers) = (Vec::new(), House::of(gate, force));
    for file in files {
        let opened = file.open().map_err(|_| {
            let message = format!("`{}` holds neither base64 nor an address.", file.path);
            Problem::invalid("invalid_base64", message, file.path.as_str())
        })?;
        let Some((media_type, bytes)) = opened else { continue };
        let name = file.name.unwrap_or_default().into_owned();
        let decision = force.files.look(OnItsWay { name, media_type, bytes }, readers.clone()).await;
        gate.metrics.file(decision.outcome());
        let blocked = decision.response == Response::Block;
        if decision.is_worth_noting() {
            noted.push(decision);
        }
        if blocked {
            break;
        }
    }
    Ok(noted)
}

/// Looks into a file of the chat page.
pub(crate) async fn of_page(gate: &Gate, name: &str, bytes: &Bytes) -> Arc<Decision> {
    let force = gate.force.load_full();
    let sent = OnItsWay { name: name.to_owned(), media_type: None, bytes: bytes.clone() };
    let decision = force.files.look(sent, House::of(gate, &force)).await;
    if force.files.is_on() {
        gate.metrics.file(decision.outcome());
    }
    decision
}

/// Writes down what was decided, and then says it: an error if one of the files goes no further.
pub(crate) async fn tell(
    gate: &Gate,
    turn: Option<TurnId>,
    (subject, conversation): (Option<Subject>, ConversationId),
    decisions: &[Arc<Decision>],
) -> Result<(), TurnError> {
    let worth: Vec<&Arc<Decision>> = decisions.iter().filter(|decision| decision.is_worth_noting()).collect();
    if worth.is_empty() {
        return Ok(());
    }
    let events = worth.iter().map(|decision| event(gate, turn, subject, decision)).collect();
    gate.store.append(events).await?;
    let refusal = worth.iter().find_map(|decision| decision.refusal);
    for decision in worth {
        raise(gate, turn, conversation, decision);
        tracing::warn!(
            turn = turn.map(|turn| turn.to_string()),
            done = decision.response.name(),
            signs = ?ids(decision),
            not_looked = ?decision.not_looked,
            "a file was looked into"
        );
    }
    match refusal {
        Some(code) => {
            gate.metrics.blocked(code);
            Err(TurnError::Told(code))
        }
        None => Ok(()),
    }
}

fn ids(decision: &Decision) -> Vec<Box<str>> {
    decision.signs.iter().map(|sign| sign.info.id.clone()).collect()
}

/// Tells the staff of the worst of its signs.
fn raise(gate: &Gate, turn: Option<TurnId>, conversation: ConversationId, decision: &Decision) {
    let Some(sign) = decision.signs.first() else { return };
    let about = alerts::about(gate, conversation);
    let alert = Alert::of_sign(sign, gate.clock.now(), about, Channel::Document, decision.response);
    gate.alerts.raise(match turn {
        Some(turn) => alert.in_turn(turn),
        None => alert,
    });
}

fn event(gate: &Gate, turn: Option<TurnId>, subject: Option<Subject>, decision: &Decision) -> Event {
    let action = if decision.refusal.is_some() { Action::FileRefused } else { Action::FileFlagged };
    let facts = Facts {
        reason: decision.refusal.map(Code::as_str).or(decision.not_looked.first().copied()),
        signs: ids(decision),
        ..Facts::default()
    };
    Event { at: gate.clock.now(), tenant: gate.tenant.clone(), action, turn, subject, facts }
}

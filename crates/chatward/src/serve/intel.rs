//! What the operator asks about threat intelligence.

use std::sync::Arc;
use std::time::Duration;

use chatward_detect::indicator::{Tlp, Value};
use chatward_intel::share;
use chatward_intel::share::House;
use chatward_message::{Action, Event, Facts, Subject};

use super::start::Stop;
use crate::control::{Answer, Request, ShareForm, Tested};
use crate::intel::{Intel, Listed, OwnEntry};
use crate::problem::Code;
use crate::turn::Gate;

/// How often it is looked whether something is due to be given.
const TICK: Duration = Duration::from_secs(1);
/// So many values are tested at once.
const MOST: usize = 1000;

pub(super) async fn answer(gate: &Gate, request: Request) -> Answer {
    let intel = Arc::clone(&gate.intel);
    let loaded = tokio::task::spawn_blocking(move || intel.load()).await;
    if loaded.is_err() {
        return Answer::refused(Code::Internal, "threat intelligence cannot be loaded");
    }
    let intel = &gate.intel;
    match request {
        Request::IntelPull { feed } => match intel.pull(feed.as_deref()).await {
            Some(()) => Answer::Intel { feeds: intel.status(), shares: intel.given() },
            None => Answer::refused(Code::BadRequest, "the configuration has no feed of this name"),
        },
        Request::IntelTest { values } if values.len() > MOST => {
            Answer::refused(Code::BadRequest, format!("at most {MOST} at once"))
        }
        Request::IntelTest { values } => {
            let now = gate.clock.now();
            let test = |value: String| match Value::guess(&value) {
                Ok(what) => {
                    let by = intel.lookup_all(&what, now).iter().map(said).collect();
                    Tested { value, fault: None, by }
                }
                Err(fault) => Tested { value, fault: Some(fault.to_string()), by: Vec::new() },
            };
            Answer::IntelTested { tested: values.into_iter().map(test).collect() }
        }
        Request::IntelOwn { entries, remove } => change_own(gate, entries, remove).await,
        Request::IntelShare { form } => match shared(gate, intel, form) {
            Ok(text) => Answer::Record { text },
            Err(error) => Answer::refused(Code::Internal, error.to_string()),
        },
        Request::IntelGive { to } => {
            let Some(place) = intel.places().into_iter().find(|place| *place.place.name == *to) else {
                return Answer::refused(
                    Code::BadRequest,
                    "`intel.share` of the configuration has no place of this name",
                );
            };
            match intel.give(&place, &house(gate)).await {
                Ok(objects) => Answer::IntelGiven { objects, fault: None },
                Err(error) => Answer::IntelGiven { objects: 0, fault: Some(error.to_string()) },
            }
        }
        _ => Answer::Intel { feeds: intel.status(), shares: intel.given() },
    }
}

/// Changes the house's own list, once the log says so.
async fn change_own(gate: &Gate, entries: Vec<OwnEntry>, remove: bool) -> Answer {
    let turn = gate.intel.own_turn();
    let _turn = turn.lock().await;
    let internal = |why: String| Answer::refused(Code::Internal, why);
    let intel = Arc::clone(&gate.intel);
    let change = match tokio::task::spawn_blocking(move || intel.prepare_own(entries, remove)).await {
        Ok(Ok(change)) => change,
        Ok(Err(error)) => return internal(error.to_string()),
        Err(_) => return internal("the list cannot be changed".to_owned()),
    };
    let (done, refused) = (change.done, change.refused.clone());
    if done == 0 {
        return Answer::IntelOwn { done, refused };
    }
    // Under a key: everybody reads the log, and a short list can be guessed.
    let named = |purpose, parts: &[&[u8]]| gate.vault.name_key(&gate.tenant, purpose, parts);
    let (Ok(actor), Ok(list)) = (named("operator", &[]), named("own indicators", &[change.text()])) else {
        return internal("the log cannot say who changes the list".to_owned());
    };
    let event = Event {
        at: gate.clock.now(),
        tenant: gate.tenant.clone(),
        action: if remove { Action::IndicatorsUnlisted } else { Action::IndicatorsListed },
        turn: None,
        subject: None,
        facts: Facts {
            rows: u32::try_from(done).unwrap_or(u32::MAX),
            key: Some(list.iter().map(|byte| format!("{byte:02x}")).collect()),
            actor: Some(Subject::from_bytes(actor)),
            ..Facts::default()
        },
    };
    if let Err(error) = gate.store.append(vec![event]).await {
        return internal(error.to_string());
    }
    let intel = Arc::clone(&gate.intel);
    match tokio::task::spawn_blocking(move || intel.keep_own(&change)).await {
        Ok(Ok(())) => Answer::IntelOwn { done, refused },
        Ok(Err(error)) => internal(error.to_string()),
        Err(_) => internal("the list cannot be changed".to_owned()),
    }
}

/// Gives what is due to be given, until the stop.
pub(super) async fn give_for_ever(gate: Arc<Gate>, mut stop: Stop) {
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.wait() => return,
        }
        for place in gate.intel.places().into_iter().filter(|place| gate.intel.is_due(place)) {
            let house = house(&gate);
            let given = gate.intel.give(&place, &house);
            // What came of it is noted by who gives.
            tokio::select! { _ = given => {}, () = stop.wait() => return }
        }
    }
}

fn house(gate: &Gate) -> House {
    let id = gate.vault.name_key(&gate.tenant, "shared indicators", &[]).unwrap_or_default();
    House { id, name: gate.force.load().config.identity.name.as_str().into() }
}

fn said(listed: &Listed) -> String {
    let record = &listed.record;
    let mut words = vec![listed.feed.to_string()];
    words.extend(listed.matched.map(|matched| format!("by {}", matched.name())));
    words.extend(record.threat.map(|threat| threat.name().to_owned()));
    words.extend(record.confidence.map(|confidence| format!("confidence {confidence}")));
    words.extend(record.tlp.name().map(|tlp| format!("tlp:{tlp}")));
    words.join(", ")
}

/// All that the operator may pass on: their own list whatever its markings, and what was seen.
fn shared(gate: &Gate, intel: &Intel, form: ShareForm) -> std::io::Result<String> {
    let (house, now) = (house(gate), gate.clock.now());
    let (indicators, sightings) = (intel.shared(Tlp::Red)?, intel.sightings(Tlp::Red)?);
    let json = match form {
        ShareForm::Stix => share::stix(&house, &indicators, &sightings, now),
        ShareForm::Misp => share::misp(&house, "Indicators of the house", &indicators, &sightings, now),
    };
    Ok(serde_json::to_string_pretty(&json).unwrap_or_default())
}

//! What the operator asks about threat intelligence.

use std::sync::Arc;
use std::time::Duration;

use chatward_detect::indicator::{Tlp, Value};
use chatward_intel::share;
use chatward_intel::share::House;

use super::start::Stop;
use crate::control::{Answer, Request, ShareForm, Tested};
use crate::intel::{Intel, Listed};
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
        Request::IntelOwn { entries, remove } => {
            let intel = Arc::clone(intel);
            let changed = tokio::task::spawn_blocking(move || intel.change_own(entries, remove)).await;
            match changed {
                Ok(Ok(refused)) => Answer::IntelOwn { refused },
                Ok(Err(error)) => Answer::refused(Code::Internal, error.to_string()),
                Err(_) => Answer::refused(Code::Internal, "the list cannot be changed"),
            }
        }
        Request::IntelShare { form } => Answer::Record { text: shared(gate, intel, form) },
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
fn shared(gate: &Gate, intel: &Intel, form: ShareForm) -> String {
    let (house, now) = (house(gate), gate.clock.now());
    let (indicators, sightings) = (intel.shared(Tlp::Red), intel.sightings(Tlp::Red));
    let json = match form {
        ShareForm::Stix => share::stix(&house, &indicators, &sightings, now),
        ShareForm::Misp => share::misp(&house, "Indicators of the house", &indicators, &sightings, now),
    };
    serde_json::to_string_pretty(&json).unwrap_or_default()
}

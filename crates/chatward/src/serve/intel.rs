//! What the operator asks about threat intelligence.

use std::sync::Arc;

use chatward_detect::indicator::Value;
use chatward_intel::share;
use chatward_intel::share::{House, Shared};

use crate::control::{Answer, Request, ShareForm, Tested};
use crate::intel::{Intel, Listed};
use crate::problem::Code;
use crate::turn::Gate;

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
            Some(()) => Answer::Intel { feeds: intel.status() },
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
        _ => Answer::Intel { feeds: intel.status() },
    }
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

fn shared(gate: &Gate, intel: &Intel, form: ShareForm) -> String {
    let force = gate.force.load();
    let id = gate.vault.name_key(&gate.tenant, "shared indicators", &[]).unwrap_or_default();
    let house = House { id, name: force.config.identity.name.as_str().into() };
    let own = intel.own();
    let indicators: Vec<Shared> =
        own.iter().filter_map(|i| Shared::of_analyst(&i.value.to_string(), i.record).ok()).collect();
    let now = gate.clock.now();
    let json = match form {
        ShareForm::Stix => share::stix(&house, &indicators, &[], now),
        ShareForm::Misp => share::misp(&house, "Indicators of the house", &indicators, &[], now),
    };
    serde_json::to_string_pretty(&json).unwrap_or_default()
}

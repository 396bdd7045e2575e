//! What would leak: what a thief of the database could read about this customer, derived from the inventory of stores.

use askama::Template;
use chatward_store::record::RecordKind;

use super::look::{Frame, show, when};
use super::reader::Reader;
use super::{Answered, page};
use crate::api::account::When;
use crate::api::call::Nothing;
use crate::api::{Api, Browser, Call, Open};
use crate::directory::Failed;
use crate::problem::Problem;
use crate::records::inventory::{Place, Sealed, THINGS, Thing};

/// Conversations that are counted.
const LOOKED_AT: usize = 50;

/// What a thing that is about customers is called on the page: all of the inventory but what is about the program alone.
fn words(thing: &Thing) -> Option<&'static str> {
    Some(match (thing.place, thing.name) {
        (Place::Table, "customers") => "leak-customers",
        (Place::Table, "conversations") => "leak-conversations",
        (Place::Table, "turns") => "leak-turns",
        (Place::Table, "closings") => "leak-closings",
        (Place::Table, "issued" | "entries") => "leak-issued",
        (Place::Table, "history_tags") => "leak-history-tags",
        (Place::Table, "handles") => "leak-handles",
        (Place::Table, "trail") => "leak-trail",
        (Place::Table, "log_entries") => "leak-log",
        (Place::Table, "standings") => "leak-standings",
        (Place::KeyringTable, "keys") => "leak-keys",
        (Place::Record, "account") => "leak-account",
        (Place::Record, "session") => "leak-session",
        (Place::Record, "claim") => "leak-claim",
        (Place::Record, "look") => "leak-look",
        (Place::Record, "consent") => "leak-consent",
        (Place::Record, "request") => "leak-request",
        (Place::Record, "hold") => "leak-hold",
        (Place::Record, "answer") => "leak-answer",
        (Place::Record, "certificate") => "leak-certificate",
        (Place::Record, "notice") => "leak-notice",
        (Place::Record, "flag") => "leak-flag",
        (Place::Record, "incident") => "leak-incident",
        (Place::Record, "handover") => "leak-handover",
        (Place::Record, "written") => "leak-written",
        (Place::Record, "waiting") => "leak-waiting",
        _ => return None,
    })
}

/// A thing on the page.
struct Row {
    name: &'static str,
    what: &'static str,
    /// How it is sealed, as a message.
    how: &'static str,
    sealed: bool,
    /// How much of it there is of the reader.
    count: Option<u64>,
}

const fn how(sealed: Sealed) -> (&'static str, bool) {
    match sealed {
        Sealed::Customer => ("sealed-customer", true),
        Sealed::Own => ("sealed-own", true),
        Sealed::House => ("sealed-house", true),
        Sealed::Wrapped => ("sealed-wrapped", true),
        Sealed::NoNeed => ("sealed-not", false),
        Sealed::FileMode => ("sealed-file", false),
    }
}

/// What stands there in clear about somebody.
struct Clear {
    conversations: u64,
    messages: u64,
    more: bool,
    first: Option<When>,
    last: Option<When>,
    bots: Vec<String>,
    decisions: u64,
}

#[derive(Template)]
#[template(path = "centre/leak.html")]
struct LeakPage<'a> {
    f: Frame<'a>,
    rows: Vec<Row>,
    clear: Option<Clear>,
}

page! {
    /// `GET /privacy/leak`
    Leak: GET "/privacy/leak", "What a thief of the database could read about one", Nothing
}

impl Open for Leak {
    const WHY: &'static str =
        "how things are sealed is public; how much there is of one is shown to oneself.";

    async fn answer(api: &Api, _: Browser, call: Call<Self>) -> Answered {
        let reader = Reader::of(api, &call.headers).await?;
        let f = Frame::of(api, reader.as_ref(), "/privacy/data");
        let mut counts = Vec::new();
        let mut clear = None;
        if let Some(reader) = &reader {
            counts = records(api, reader).await?;
            clear = Some(in_clear(api, reader).await?);
        }
        let of = |name: &str| match (name, &clear) {
            ("conversations", Some(clear)) => Some(clear.conversations),
            ("turns" | "closings", Some(clear)) => Some(clear.messages),
            _ => counts.iter().find(|(kind, _)| kind.name() == name).map(|(_, n)| *n),
        };
        let row = |thing: &Thing| {
            let ((how, sealed), what) = (how(thing.sealed), words(thing)?);
            Some(Row { name: thing.name, what, how, sealed, count: of(thing.name).filter(|n| *n > 0) })
        };
        let mut rows: Vec<Row> = THINGS.iter().filter_map(row).collect();
        // What can be read comes first.
        rows.sort_by_key(|row| row.sealed);
        show(&LeakPage { f, rows, clear }, None)
    }
}

/// How many records of each kind there are.
async fn records(api: &Api, reader: &Reader) -> Result<Vec<(RecordKind, u64)>, Problem> {
    let gate = &api.gate;
    let mut all = Vec::new();
    for kind in RecordKind::ALL {
        let found =
            gate.store.records_of(&gate.tenant, *kind, reader.customer()).await.map_err(Failed::from)?;
        all.push((*kind, found.len() as u64));
    }
    Ok(all)
}

async fn in_clear(api: &Api, reader: &Reader) -> Result<Clear, Problem> {
    let (gate, customer) = (&api.gate, reader.customer());
    let found = gate.store.conversations_of(&gate.tenant, customer, None, LOOKED_AT + 1).await;
    let mut rows = found.map_err(Failed::from)?;
    let more = rows.len() > LOOKED_AT;
    rows.truncate(LOOKED_AT);
    let (mut messages, mut times, mut bots) = (0, Vec::new(), std::collections::BTreeSet::new());
    for row in &rows {
        let turns = gate.store.turns_listed(&gate.tenant, row.id).await.map_err(Failed::from)?;
        messages += turns.len() as u64;
        times.extend(turns.iter().map(|turn| turn.opened));
        bots.extend(turns.iter().map(|turn| turn.upstream.to_string()));
    }
    let standing = gate.store.standing(&gate.tenant, customer).await.map_err(Failed::from)?;
    Ok(Clear {
        conversations: rows.len() as u64,
        messages,
        more,
        first: times.iter().min().copied().map(when),
        last: times.iter().max().copied().map(when),
        bots: bots.into_iter().collect(),
        decisions: standing.revision,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is about customers is on the page: whatever goes with its customer, or holds personal data.
    #[test]
    fn nothing_about_customers_is_left_out() {
        for thing in THINGS {
            let of_staff = matches!(thing.name, "break-glass");
            let of_customers = (!thing.classes.is_empty() || thing.ends.contains("with its customer"))
                && matches!(thing.place, Place::Table | Place::KeyringTable | Place::Record);
            assert!(!of_customers || of_staff || words(thing).is_some(), "{}", thing.name);
        }
    }
}

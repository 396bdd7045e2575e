//! Who looked: what others did with a customer's data, who, when, what for and why.

use askama::Template;
use chatward_message::UnixMillis;
use schemars::JsonSchema;
use serde::Deserialize;

use super::look::{Frame, show, when};
use super::reader::Reader;
use super::{Answered, page};
use crate::api::account::When;
use crate::api::call::Nothing;
use crate::api::me::{Seen, seen_by_others};
use crate::api::{Api, Browser, Call, Open};
use crate::identity::Holder;
use crate::problem::{Code, Problem};

/// Lines on one page.
const LINES: usize = 50;

/// Whether an event is a look by somebody else, and not something that the customer did.
pub(super) fn is_look(seen: &Seen) -> bool {
    seen.action.is_some()
}

/// One line.
struct Line {
    at: When,
    index: u64,
    /// The message that says who it was, and the roles of a member of staff.
    by: &'static str,
    roles: Vec<&'static str>,
    what: &'static str,
    class: Option<chatward_message::Class>,
    purpose: Option<&'static str>,
    reason: Option<String>,
    ticket: Option<String>,
    refused: bool,
}

fn what(action: &str) -> &'static str {
    match action {
        "list" => "look-list",
        "read-received" => "look-received",
        "reveal" => "look-reveal",
        "export" => "look-export",
        "correct" => "look-correct",
        "restrict" => "look-restrict",
        "erase" => "look-erase",
        "hold" => "look-hold",
        "consent" => "look-consent",
        "request" => "look-request",
        "review" => "look-review",
        _ => "look-other",
    }
}

fn purpose(word: &str) -> Option<&'static str> {
    Some(match word {
        "support" => "look-for-support",
        "security" => "look-for-security",
        "privacy-request" => "look-for-request",
        "training" => "look-for-training",
        "audit" => "look-for-audit",
        "operation" => "look-for-operation",
        _ => return None,
    })
}

fn role(word: &str) -> &'static str {
    match word {
        "analyst" => "role-analyst",
        "privacy-officer" => "role-privacy-officer",
        "trainer" => "role-trainer",
        "auditor" => "role-auditor",
        "admin" => "role-admin",
        _ => "role-other",
    }
}

async fn line(api: &Api, seen: Seen) -> Result<Line, Problem> {
    let held = match seen.account {
        Some(id) => api.directory.account(id).await?,
        None => None,
    };
    let roles = match held.as_ref().map(|held| held.account.holder()) {
        Some(Holder::Staff { roles, .. }) => roles.iter().map(|one| role(one.name())).collect(),
        _ => Vec::new(),
    };
    let class = chatward_message::Class::ALL.into_iter().find(|of| Some(of.name()) == seen.class.as_deref());
    Ok(Line {
        at: when(UnixMillis(seen.at)),
        index: seen.index,
        by: match seen.by.as_deref() {
            Some("service") => "by-program",
            Some("customer") => "by-yourself",
            _ => "by-staff",
        },
        roles,
        what: what(seen.action.as_deref().unwrap_or_default()),
        class,
        purpose: seen.purpose.as_deref().and_then(purpose),
        reason: seen.reason,
        ticket: seen.ticket,
        refused: seen.event == "access-refused",
    })
}

/// Which page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    /// The place in the log of the last line of the page before.
    #[serde(default)]
    after: Option<String>,
}

#[derive(Template)]
#[template(path = "centre/looks.html")]
struct LooksPage<'a> {
    f: Frame<'a>,
    lines: Vec<Line>,
    next: Option<u64>,
}

page! {
    /// `GET /privacy/looks`
    Looks: GET "/privacy/looks", "Who looked at one's data, when, what for and why", Nothing, asked From
}

impl Open for Looks {
    const WHY: &'static str = "who is known sees who looked at their own data; others read how it works.";

    async fn answer(api: &Api, _: Browser, call: Call<Self>) -> Answered {
        let before = call.query.after.as_deref().map(str::parse::<u64>);
        let before = before.transpose().map_err(|_| Problem::new(Code::NotFound))?;
        let reader = Reader::of(api, &call.headers).await?;
        let (mut lines, mut next) = (Vec::new(), None);
        if let Some(reader) = &reader {
            let mut seen = seen_by_others(api, reader.customer(), before, LINES + 1).await?;
            let further = seen.len() > LINES;
            seen.truncate(LINES);
            next = seen.last().filter(|_| further).map(|one| one.index);
            for one in seen.into_iter().filter(is_look) {
                lines.push(line(api, one).await?);
            }
        }
        let f = Frame::of(api, reader.as_ref(), "/privacy/looks");
        show(&LooksPage { f, lines, next }, None)
    }
}

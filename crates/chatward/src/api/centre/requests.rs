//! Requests: asking the house for what the law gives, and what became of it; and of messages that were called wrong.

use askama::Template;
use chatward_message::UnixMillis;
use chatward_policy::access::{Record, act};
use schemars::JsonSchema;
use serde::Deserialize;

use super::look::{Frame, show, when};
use super::reader::Reader;
use super::{Answered, page};
use crate::api::account::When;
use crate::api::call::{Nothing, Reply};
use crate::api::me::rights::{OfRequest, filed_by, identified};
use crate::api::{Api, Asks, Browser, Call, Noted, Open, Who, me};
use crate::chat::flag::{Kept, Reason, Status};
use crate::problem::Problem;
use crate::rights::request::{Filed, From, Law, Request, Right, State, Step, Urgency};

const HERE: &str = "/privacy/requests";

/// The rights, and the messages that name them.
const RIGHTS: [(Right, &str); 6] = [
    (Right::Access, "right-access"),
    (Right::Portability, "right-portability"),
    (Right::Rectify, "right-rectify"),
    (Right::Restrict, "right-restrict"),
    (Right::Object, "right-object"),
    (Right::Erase, "right-erase"),
];

/// A step in the timeline.
struct Mark {
    name: &'static str,
    /// Whether it is reached.
    reached: bool,
    /// Whether it is where the request is.
    here: bool,
    at: Option<When>,
}

/// Something that was written.
struct Line {
    at: When,
    own: bool,
    text: String,
}

/// A request on the page.
struct Row {
    id: String,
    right: &'static str,
    received: When,
    due: When,
    extended: bool,
    urgency: Option<&'static str>,
    closed: bool,
    marks: Vec<Mark>,
    lines: Vec<Line>,
}

impl Row {
    fn of(filed: &Filed, now: UnixMillis) -> Self {
        let request = &filed.request;
        let right = RIGHTS.iter().find(|(right, _)| *right == request.right);
        let order = |state| match state {
            State::Received => 0,
            State::Identified => 1,
            State::InWork => 2,
            State::Done | State::Refused => 3,
        };
        let end = if request.state == State::Refused { "state-refused" } else { "state-done" };
        let times = [Some(request.received), None, None, request.closed];
        let names = ["state-received", "state-identified", "state-in-work", end];
        let is = order(request.state);
        let marks = names.into_iter().zip(times).enumerate().map(|(n, (name, at))| Mark {
            name,
            reached: n <= is,
            here: n == is,
            at: at.filter(|_| n <= is).map(UnixMillis).map(when),
        });
        Self {
            id: crate::rights::consent::hex(&filed.id),
            right: right.map_or("right-access", |(_, name)| name),
            received: when(UnixMillis(request.received)),
            due: when(UnixMillis(request.due)),
            extended: request.extended,
            urgency: match request.urgency(now) {
                Urgency::None => None,
                Urgency::Soon => Some("due-soon"),
                Urgency::Overdue => Some("due-over"),
            },
            closed: request.state.is_closed(),
            marks: marks.collect(),
            lines: (request.messages.iter())
                .map(|one| Line {
                    at: when(UnixMillis(one.at)),
                    own: one.from == From::Customer,
                    text: one.text.clone(),
                })
                .collect(),
        }
    }
}

/// A message that was called wrong, and what became of it.
struct Report {
    id: String,
    reason: &'static str,
    sent: When,
    status: &'static str,
    decided: Option<When>,
    /// What the house says about it.
    answer: Option<String>,
}

impl Report {
    fn of(kept: Kept) -> Self {
        let Kept { id, flag } = kept;
        Self {
            id,
            reason: match flag.reason {
                Reason::Untrue => "flag-untrue",
                Reason::Harmful => "flag-harmful",
                Reason::NotHidden => "flag-not-hidden",
                Reason::HiddenNeedlessly => "flag-hidden-needlessly",
                Reason::Fraud => "flag-fraud",
                Reason::Other => "flag-other",
            },
            sent: when(UnixMillis(flag.at)),
            status: match flag.status {
                Status::Received => "reports-open",
                Status::Confirmed => "reports-confirmed",
                Status::Refused => "reports-refused",
            },
            decided: flag.decided.map(UnixMillis).map(when),
            answer: flag.answer,
        }
    }
}

#[derive(Template)]
#[template(path = "centre/requests.html")]
struct RequestsPage<'a> {
    f: Frame<'a>,
    rows: Vec<Row>,
    reports: Vec<Report>,
    rights: &'static [(Right, &'static str)],
    contact: Option<String>,
}

page! {
    /// `GET /privacy/requests`
    Requests: GET "/privacy/requests", "What one asked the house for, and what became of it", Nothing
}

impl Open for Requests {
    const WHY: &'static str = "it says what one can ask for; to whoever is known, what they asked.";

    async fn answer(api: &Api, _: Browser, call: Call<Self>) -> Answered {
        let reader = Reader::of(api, &call.headers).await?;
        let (mut rows, mut reports) = (Vec::new(), Vec::new());
        if let Some(reader) = &reader {
            reports = api.gate.flags(reader.customer()).await?.into_iter().map(Report::of).collect();
            let (all, now) = (api.gate.requests_of(reader.customer()).await?, api.gate.clock.now());
            rows = all.iter().rev().map(|filed| Row::of(filed, now)).collect();
        }
        let contact = api.gate.force.load().config.controller.contact.clone();
        let f = Frame::of(api, reader.as_ref(), HERE);
        show(&RequestsPage { f, rows, reports, rights: &RIGHTS, contact }, None)
    }
}

/// What one asks for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Which right.
    right: Right,
    /// Whose dates count.
    #[serde(default)]
    law: Law,
    /// What it is about, in one's own words.
    #[serde(default)]
    text: String,
}

page! {
    /// `POST /privacy/requests`
    File: POST "/privacy/requests", "Asks the house for what the law gives", Wanted, back "/privacy/requests"
}

impl Asks for File {
    type Act = act::Request;

    async fn target(api: &Api, who: &mut Who, _: &Call<Self>) -> Result<Record, Problem> {
        me::own(api, who)
    }

    async fn answer(api: &Api, noted: Noted<Self::Act>, who: Who, call: Call<Self>) -> Answered {
        let Wanted { right, law, text } = &call.body;
        let request = Request::new(*right, *law, text, identified(api, &who), api.gate.clock.now());
        api.gate.file(noted.target().customer, request.map_err(Problem::new)?).await?;
        Ok(Reply::see_other(HERE))
    }
}

/// Something to write about a request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct More {
    /// At most 4000 characters.
    text: String,
}

page! {
    /// `POST /privacy/requests/{id}`
    Say: POST "/privacy/requests/{id}", "Writes something about a request of one's own", More, in OfRequest, back "/privacy/requests"
}

impl Asks for Say {
    type Act = act::Request;

    async fn target(api: &Api, who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        filed_by(api, who, &call.path).await
    }

    async fn answer(api: &Api, _: Noted<Self::Act>, _: Who, call: Call<Self>) -> Answered {
        let filed = call.path.filed(api).await?;
        api.gate.step(filed, &Step::Say(From::Customer, call.body.text.clone())).await?;
        Ok(Reply::see_other(HERE))
    }
}

//! The notice: short first, then all of it, written from the configuration in force; what was collected of this customer; and
//! what changed since they last agreed.

use std::collections::BTreeMap;

use askama::Template;
use chatward_message::Class;

use super::data::items;
use super::look::{Frame, show};
use super::reader::Reader;
use super::say::sentences;
use super::{Answered, page};
use crate::api::call::{Nothing, Reply};
use crate::api::{Api, Browser, Call, Open};
use crate::directory::Failed;
use crate::notice::{Change, Entry, Sort, changes};
use crate::pages::{TextError, Words};
use crate::problem::{Code, Problem};

/// Conversations that are looked at for what was collected.
const LOOKED_AT: usize = 50;

/// A sentence, and more for those who read on.
struct Said {
    first: String,
    more: Vec<String>,
}

impl Said {
    fn of(w: &Words, entry: &Entry) -> Result<Self, TextError> {
        let (first, more) = sentences(w, entry)?;
        Ok(Self { first, more })
    }
}

/// A change since one agreed.
struct Changed {
    /// The message that says what sort of change it is.
    what: &'static str,
    was: Option<Said>,
    is: Option<Said>,
}

impl Changed {
    fn of(w: &Words, change: &Change) -> Result<Self, TextError> {
        Ok(match change {
            Change::New(is) => Self { what: "change-new", was: None, is: Some(Said::of(w, is)?) },
            Change::Gone(was) => Self { what: "change-gone", was: Some(Said::of(w, was)?), is: None },
            Change::Changed { was, is } => {
                Self { what: "change-other", was: Some(Said::of(w, was)?), is: Some(Said::of(w, is)?) }
            }
        })
    }
}

/// What was collected of a customer.
pub(super) struct Collected {
    pub(super) conversations: u64,
    /// Whether there are more than were looked at.
    pub(super) more: bool,
    /// Values, by class.
    pub(super) values: Vec<(Class, u64)>,
    /// When the first of it goes, and the last, as days.
    pub(super) goes: Option<(String, String)>,
}

impl Collected {
    /// By this customer, so far.
    pub(super) async fn of(api: &Api, reader: &Reader) -> Result<Self, Problem> {
        let gate = &api.gate;
        let found = gate.store.conversations_of(&gate.tenant, reader.customer(), None, LOOKED_AT + 1).await;
        let mut rows = found.map_err(Failed::from)?;
        let more = rows.len() > LOOKED_AT;
        rows.truncate(LOOKED_AT);
        let mut by: BTreeMap<Class, u64> = BTreeMap::new();
        let mut days = Vec::new();
        for row in &rows {
            for item in items(gate, row, &[]).await? {
                *by.entry(item.class).or_default() += 1;
                days.extend(item.goes.map(|goes| goes.day));
            }
            days.extend(super::data::last_goes(gate, row).await?.map(|goes| goes.day));
        }
        days.sort_unstable();
        let goes = days.first().cloned().zip(days.last().cloned());
        Ok(Self { conversations: rows.len() as u64, more, values: by.into_iter().collect(), goes })
    }
}

#[derive(Template)]
#[template(path = "centre/notice.html")]
struct NoticePage<'a> {
    f: Frame<'a>,
    hash: String,
    who: Vec<Said>,
    purposes: Vec<Said>,
    recipients: Vec<Said>,
    classes: Vec<Said>,
    log: Vec<Said>,
    collected: Option<Collected>,
    /// What changed since one last agreed; nothing if one never did.
    changes: Option<Vec<Changed>>,
}

page! {
    /// `GET /privacy/notice`
    Notice: GET "/privacy/notice", "What is done with personal data, written from the configuration in force", Nothing
}

impl Open for Notice {
    const WHY: &'static str = "a notice is for everybody.";

    async fn answer(api: &Api, _: Browser, call: Call<Self>) -> Answered {
        let reader = Reader::of(api, &call.headers).await?;
        let f = Frame::of(api, reader.as_ref(), "/privacy/notice");
        let notice = api.gate.published.load_full();
        let w = f.w;
        let text = |error: TextError| {
            tracing::error!(cause = %error, "the notice cannot be written");
            Problem::new(Code::Internal)
        };
        let of = |sorts: &[Sort]| {
            let these = notice.entries().iter().filter(|entry| sorts.contains(&entry.sort));
            these.map(|entry| Said::of(w, entry)).collect::<Result<Vec<_>, _>>().map_err(text)
        };
        let mut since = None;
        let mut collected = None;
        if let Some(reader) = &reader {
            collected = Some(Collected::of(api, reader).await?);
            if let Some(hash) = api.gate.notice_agreed(reader.customer()).await?
                && let Some(before) = api.gate.published_before(&hash).await.map_err(Failed::from)?
            {
                let all = changes(&before, notice.entries());
                since =
                    Some(all.iter().map(|one| Changed::of(w, one)).collect::<Result<_, _>>().map_err(text)?);
            }
        }
        let page = NoticePage {
            hash: notice.hash().to_string(),
            who: of(&[Sort::Controller])?,
            purposes: of(&[Sort::Purpose])?,
            recipients: of(&[Sort::Bot, Sort::Recipient])?,
            classes: of(&[Sort::Class])?,
            log: of(&[Sort::Log])?,
            collected,
            changes: since,
            f,
        };
        show(&page, None)
    }
}

page! {
    /// `GET /.well-known/gpc.json` (Global Privacy Control)
    Gpc: GET "/.well-known/gpc.json", "That a browser's signal against selling and sharing is honoured here", Nothing
}

impl Open for Gpc {
    const WHY: &'static str = "it says something of the house, to everybody.";

    async fn answer(_: &Api, _: Browser, _: Call<Self>) -> Answered {
        let said = zeroize::Zeroizing::new(br#"{"gpc":true,"lastUpdate":"2026-11-26"}"#.to_vec());
        Ok(Reply::raw_json(said))
    }
}

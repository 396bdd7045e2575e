//! The overview: what, why, who, how long – for this customer, today.

use askama::Template;

use super::consents::Row;
use super::look::{Frame, show};
use super::notice::Collected;
use super::reader::Reader;
use super::{Answered, page};
use crate::api::call::Nothing;
use crate::api::{Api, Browser, Call, Open, me};

/// Events of others that are counted.
const LOOKS: usize = 100;

#[derive(Template)]
#[template(path = "centre/overview.html")]
struct OverviewPage<'a> {
    f: Frame<'a>,
    collected: Option<Collected>,
    /// The purposes, as the reader stands to them.
    rows: Vec<Row>,
    controller: Option<String>,
    contact: Option<String>,
    bots: Vec<String>,
    recipients: Vec<String>,
    /// How often others looked.
    looks: u64,
    /// The longest that anything is kept, in milliseconds.
    longest: u64,
    unclaimed: bool,
}

impl OverviewPage<'_> {
    /// When the first and the last of what is kept goes.
    fn own_goes(&self) -> Option<&(String, String)> {
        self.collected.as_ref()?.goes.as_ref()
    }
}

page! {
    /// `GET /privacy`
    Overview: GET "/privacy", "What is kept, why, who gets it, for how long", Nothing
}

impl Open for Overview {
    const WHY: &'static str = "it says in general words what is done; to whoever is known, in particular.";

    async fn answer(api: &Api, _: Browser, call: Call<Self>) -> Answered {
        let reader = Reader::of(api, &call.headers).await?;
        let reader = reader.as_ref();
        let (mut collected, mut looks, mut unclaimed) = (None, 0, false);
        if let Some(reader) = reader {
            collected = Some(Collected::of(api, reader).await?);
            let seen = me::seen_by_others(api, reader.customer(), None, LOOKS).await?;
            looks = seen.iter().filter(|one| super::looks::is_look(one)).count() as u64;
            unclaimed = reader.has_unclaimed(api, &call.headers).await?;
        }
        let rows = Row::all(api, reader).await?;
        let force = api.gate.force.load_full();
        let config = &force.config;
        let page = OverviewPage {
            f: Frame::of(api, reader, "/privacy"),
            collected,
            longest: rows.iter().map(|row| row.longest).max().unwrap_or(0),
            rows,
            controller: config.controller.name.clone(),
            contact: config.controller.contact.clone(),
            bots: config.upstreams.iter().map(|bot| bot.name.to_string()).collect(),
            recipients: config.recipients.iter().map(|one| one.name.to_string()).collect(),
            looks,
            unclaimed,
        };
        show(&page, None)
    }
}

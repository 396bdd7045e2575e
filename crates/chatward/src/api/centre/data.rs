//! My data: what is kept of a customer, by kind and by conversation, and until when; correcting, taking along, freezing it.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use chatward_message::{Class, ConversationId, Purposes, UnixMillis};
use chatward_policy::Register;
use chatward_policy::access::{Record, Value, act};
use chatward_store::record::ConversationRow;
use http::header;
use schemars::JsonSchema;
use serde::Deserialize;

use super::consents::YesNo;
use super::look::{Frame, show, when};
use super::reader::{Known, Reader};
use super::{Answered, page};
use crate::api::account::{When, claimed};
use crate::api::call::{Nothing, Reply, Stated};
use crate::api::me::rights::{correctable, exported};
use crate::api::noted::note;
use crate::api::{Api, Asks, Browser, Call, Noted, Open, Own, Who, me};
use crate::directory::{Failed, Present};
use crate::identity::secret::SecretText;
use crate::identity::session::Need;
use crate::pages::kind_words;
use crate::problem::{Code, Problem};
use crate::rights::standing::Change;
use crate::turn::Gate;

const HERE: &str = "/privacy/data";
/// Conversations on one page.
const CONVERSATIONS: usize = 10;
/// Messages of one conversation on the page; the copy has all of them.
const MESSAGES: usize = 50;
/// The classes of values of which there can be some in clear.
const SHOWN: [Class; 4] = [Class::Interaction, Class::Identity, Class::Special, Class::Payment];

/// One value.
pub(super) struct Item {
    pub(super) label: String,
    pub(super) kind: &'static str,
    pub(super) class: Class,
    /// In clear, for whoever showed a second factor just now.
    pub(super) value: Option<String>,
    /// When it goes; nothing if it goes with the next tidying up, or a legal reason keeps it.
    pub(super) goes: Option<When>,
}

/// One message.
struct Line {
    id: String,
    at: When,
    bot: String,
    goes: Option<When>,
}

/// One conversation.
struct Talk {
    id: String,
    began: When,
    taken_over: bool,
    items: Vec<Item>,
    lines: Vec<Line>,
    /// How many messages there are.
    all: u64,
    /// Messages that are not shown.
    more: u64,
}

/// A kind of data, over the conversations that are shown.
struct Sort {
    kind: &'static str,
    count: u64,
    first: Option<String>,
    last: Option<String>,
}

/// When things of a conversation go.
struct Ends {
    register: Arc<Register>,
    /// Its customer, or who took it over, is frozen or held: no sweep deletes anything of it.
    stays: bool,
}

impl Ends {
    async fn of(gate: &Gate, row: &ConversationRow) -> Result<Self, Problem> {
        let now = gate.clock.now();
        let owner = gate.claimed_by(row.customer).await?;
        let mut stays = false;
        for customer in std::iter::once(row.customer).chain(owner) {
            let standing = gate.store.standing(&gate.tenant, customer).await.map_err(Failed::from)?;
            stays |= standing.restricted || standing.is_held(now);
        }
        Ok(Self { register: gate.force.load().config.purposes.clone(), stays })
    }

    /// When something of this class goes that is kept for these purposes since then.
    fn at(&self, class: Class, purposes: Purposes, since: UnixMillis) -> Option<UnixMillis> {
        let counts = self.register.iter().filter(|terms| purposes.contains(terms.purpose));
        let kept = counts.filter_map(|terms| terms.kept(class)).max().filter(|_| !self.stays);
        kept.map(|time| UnixMillis(since.0.saturating_add(time)))
    }
}

/// The values of a conversation. Those of classes that were noted are shown in clear.
pub(super) async fn items(
    gate: &Gate,
    row: &ConversationRow,
    noted: &[Noted<act::Reveal>],
) -> Result<Vec<Item>, Problem> {
    let Some(known) = gate.store.conversation(&gate.tenant, row.id).await.map_err(Failed::from)? else {
        return Ok(Vec::new());
    };
    let ends = Ends::of(gate, row).await?;
    let stored = gate.store.values_of(&gate.tenant, row.id).await.map_err(Failed::from)?;
    let shown = gate.shown_to_owner(&known, noted).await?;
    let item = |one: crate::turn::Placed| {
        let of = stored
            .iter()
            .rev()
            .find(|values| usize::try_from(values.row.first).is_ok_and(|n| n <= one.place));
        let until = of.and_then(|values| ends.at(one.class, values.purposes, values.at));
        Item {
            kind: kind_words(&one.label),
            label: one.label,
            class: one.class,
            value: one.value.map(|value| value.to_string()),
            goes: until.map(when),
        }
    };
    Ok(shown.into_iter().map(item).collect())
}

/// When the last message of a conversation goes.
pub(super) async fn last_goes(gate: &Gate, row: &ConversationRow) -> Result<Option<When>, Problem> {
    let turns = gate.store.turns_listed(&gate.tenant, row.id).await.map_err(Failed::from)?;
    let ends = Ends::of(gate, row).await?;
    let goes = turns.iter().filter_map(|turn| ends.at(Class::Interaction, turn.purposes, turn.opened));
    Ok(goes.max().map(when))
}

async fn talk(
    gate: &Gate,
    row: &ConversationRow,
    own: bool,
    noted: &[Noted<act::Reveal>],
) -> Result<Talk, Problem> {
    let items = items(gate, row, noted).await?;
    let turns = gate.store.turns_listed(&gate.tenant, row.id).await.map_err(Failed::from)?;
    let ends = Ends::of(gate, row).await?;
    let more = turns.len().saturating_sub(MESSAGES);
    let line = |turn: &chatward_store::TurnSummary| Line {
        id: turn.id.to_string(),
        at: when(turn.opened),
        bot: turn.upstream.to_string(),
        goes: ends.at(Class::Interaction, turn.purposes, turn.opened).map(when),
    };
    Ok(Talk {
        id: row.id.to_string(),
        began: when(row.opened),
        taken_over: !own,
        items,
        lines: turns.iter().skip(more).map(line).collect(),
        all: turns.len() as u64,
        more: more as u64,
    })
}

fn sorts(talks: &[Talk]) -> Vec<Sort> {
    let mut by: BTreeMap<&'static str, Sort> = BTreeMap::new();
    for item in talks.iter().flat_map(|talk| &talk.items) {
        let sort = by.entry(item.kind).or_insert(Sort { kind: item.kind, count: 0, first: None, last: None });
        sort.count += 1;
        let Some(goes) = &item.goes else { continue };
        let earlier = sort.first.as_ref().is_none_or(|first| goes.day < *first);
        let later = sort.last.as_ref().is_none_or(|last| goes.day > *last);
        if earlier {
            sort.first = Some(goes.day.clone());
        }
        if later {
            sort.last = Some(goes.day.clone());
        }
    }
    by.into_values().collect()
}

/// Which page of conversations.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    /// The last conversation of the page before.
    #[serde(default)]
    after: Option<String>,
}

#[derive(Template)]
#[template(path = "centre/data.html")]
struct DataPage<'a> {
    f: Frame<'a>,
    talks: Vec<Talk>,
    sorts: Vec<Sort>,
    next: Option<String>,
    /// Whether values are shown in clear.
    clear: bool,
    frozen: bool,
    held: Option<When>,
    /// Whether this browser holds a chat that can be taken over.
    unclaimed: bool,
}

page! {
    /// `GET /privacy/data`
    Data: GET "/privacy/data", "What is kept of one, and until when", Nothing, asked From, back "/privacy/data"
}

impl Open for Data {
    const WHY: &'static str =
        "who is known sees their own data; the policies are asked first. Others are told how to get there.";

    async fn answer(api: &Api, _: Browser, call: Call<Self>) -> Answered {
        let reader = Reader::of(api, &call.headers).await?;
        let f = Frame::of(api, reader.as_ref(), HERE);
        let empty = |f| DataPage {
            f,
            talks: Vec::new(),
            sorts: Vec::new(),
            next: None,
            clear: false,
            frozen: false,
            held: None,
            unclaimed: false,
        };
        let Some(reader) = reader else { return show(&empty(f), None) };
        let after = call.query.after.as_deref().map(str::parse::<ConversationId>);
        let after = after.transpose().map_err(|_| Problem::new(Code::NotFound))?;
        let gate = &api.gate;
        let clear = reader.known() == Known::SignedIn && reader.is_fresh(api);
        let mut noted = Vec::new();
        for class in SHOWN.into_iter().filter(|_| clear) {
            let value = Value { of: reader.record().clone(), class, kind: None };
            noted.push(note::<act::Reveal>(api, &reader.who, value, Stated::default()).await?);
        }
        let customer = reader.customer();
        let mut rows = gate
            .store
            .conversations_of(&gate.tenant, customer, after, CONVERSATIONS + 1)
            .await
            .map_err(Failed::from)?;
        let further = rows.len() > CONVERSATIONS;
        rows.truncate(CONVERSATIONS);
        let next = rows.last().filter(|_| further).map(|row| row.id.to_string());
        // Pages are in the order of ids; on a page the newest stands first.
        rows.sort_by_key(|row| std::cmp::Reverse(row.opened));
        let mut talks = Vec::with_capacity(rows.len());
        for row in &rows {
            talks.push(talk(gate, row, row.customer == customer, &noted).await?);
        }
        let standing = gate.store.standing(&gate.tenant, customer).await.map_err(Failed::from)?;
        let page = DataPage {
            sorts: sorts(&talks),
            talks,
            next,
            clear,
            frozen: standing.restricted,
            held: standing.held_until.filter(|until| *until > gate.clock.now()).map(when),
            unclaimed: reader.has_unclaimed(api, &call.headers).await?,
            ..empty(f)
        };
        show(&page, None)
    }
}

/// What a value really is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Right {
    /// `conv_…`
    conversation: String,
    /// Its placeholder.
    label: String,
    /// The right value.
    #[schemars(with = "String", length(min = 1, max = 500))]
    value: SecretText,
}

page! {
    /// `POST /privacy/data/correct`
    Correct: POST "/privacy/data/correct", "Puts the right value in place of a wrong one", Right, back "/privacy/data"
}

impl Asks for Correct {
    type Act = act::Correct;

    async fn target(api: &Api, who: &mut Who, call: &Call<Self>) -> Result<Value, Problem> {
        correctable(api, who, &call.body.conversation, &call.body.label).await
    }

    async fn answer(api: &Api, noted: Noted<Self::Act>, _: Who, call: Call<Self>) -> Answered {
        let id = call.body.conversation.parse().map_err(|_| Problem::new(Code::NotFound))?;
        let customer = noted.target().of.customer;
        api.gate.correct(customer, id, &call.body.label, call.body.value.expose()).await?;
        Ok(Reply::see_other(HERE))
    }
}

page! {
    /// `GET /privacy/data/download`
    Download: GET "/privacy/data/download", "Everything that is kept of one, readable and for programs, as a zip", Nothing, back "/privacy/data"
}

impl Asks for Download {
    type Act = act::Export;

    async fn target(api: &Api, who: &mut Who, _: &Call<Self>) -> Result<Value, Problem> {
        Ok(Value { of: me::own(api, who)?, class: Class::Identity, kind: None })
    }

    async fn answer(api: &Api, noted: Noted<Self::Act>, who: Who, _: Call<Self>) -> Answered {
        exported(api, &noted, &who).await
    }
}

/// Whether one's data is to be frozen.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Freeze {
    /// `yes` or `no`.
    frozen: YesNo,
}

page! {
    /// `POST /privacy/data/freeze`
    Restrict: POST "/privacy/data/freeze", "Freezes one's data, so that nobody of the house may look at it, or ends that", Freeze, back "/privacy/data"
}

impl Asks for Restrict {
    type Act = act::Restrict;

    async fn target(api: &Api, who: &mut Who, _: &Call<Self>) -> Result<Record, Problem> {
        me::own(api, who)
    }

    async fn answer(api: &Api, noted: Noted<Self::Act>, _: Who, call: Call<Self>) -> Answered {
        let change = Change::Restrict(call.body.frozen == YesNo::Yes);
        api.gate.restand(noted.target().customer, &change).await?;
        Ok(Reply::see_other(HERE))
    }
}

page! {
    /// `POST /privacy/data/claim`
    Claim: POST "/privacy/data/claim", "Takes over what was written in this browser without a name", Nothing, back "/privacy/data"
}

impl Own for Claim {
    const NEED: Need = Need::Pages;

    async fn answer(api: &Api, present: Present, call: Call<Self>) -> Answered {
        let reply = Reply::see_other(HERE);
        Ok(match claimed(api, &present, &call.headers).await? {
            Some(cookie) => reply.header(header::SET_COOKIE, &cookie),
            None => reply,
        })
    }
}

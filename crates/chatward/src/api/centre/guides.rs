//! Guides: short texts about privacy and safety, and a place to try what would be hidden from the bot.

use askama::Template;
use chatward_detect::{self as detect, Before};
use chatward_message::{Destination, Finding, Operator, Plain};
use schemars::JsonSchema;
use serde::Deserialize;

use super::look::{Frame, show};
use super::reader::Reader;
use super::{Answered, page};
use crate::api::call::Nothing;
use crate::api::{Api, Browser, Call, Open};
use crate::identity::secret::SecretText;
use crate::larger;
use crate::pages::{Guide as Text, TRYING, kind_words};
use crate::problem::{Code, Problem};
use crate::turn::{self, Force};

const HERE: &str = "/privacy/guides";
/// Longest text to try, in characters.
const LONGEST: usize = 2000;

#[derive(Template)]
#[template(path = "centre/guides.html")]
struct GuidesPage<'a> {
    f: Frame<'a>,
    guides: Vec<&'a Text>,
}

page! {
    /// `GET /privacy/guides`
    Guides: GET "/privacy/guides", "Short texts about privacy and safety", Nothing
}

impl Open for Guides {
    const WHY: &'static str = "guides are for everybody.";

    async fn answer(api: &Api, _: Browser, call: Call<Self>) -> Answered {
        let reader = Reader::of(api, &call.headers).await?;
        let f = Frame::of(api, reader.as_ref(), HERE);
        show(&GuidesPage { guides: api.guides.all(f.w.language()), f }, None)
    }
}

/// A stretch of a text that was tried.
struct Piece {
    text: String,
    /// What it is, and what the bot gets in its place; nothing if it stays as it is.
    hidden: Option<(&'static str, Option<String>)>,
}

/// What would become of a text.
struct Tried {
    text: String,
    pieces: Vec<Piece>,
    hidden: u64,
}

#[derive(Template)]
#[template(path = "centre/guide.html")]
struct GuidePage<'a> {
    f: Frame<'a>,
    guide: &'a Text,
    /// Whether there is something to try on the page.
    trying: bool,
    tried: Option<Tried>,
}

/// A guide in a path.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Named {
    /// Its name.
    guide: String,
}

page! {
    /// `GET /privacy/guides/{guide}`
    Guide: GET "/privacy/guides/{guide}", "One of the short texts", Nothing, in Named
}

impl Open for Guide {
    const WHY: &'static str = "guides are for everybody.";

    async fn answer(api: &Api, _: Browser, call: Call<Self>) -> Answered {
        let reader = Reader::of(api, &call.headers).await?;
        let f = Frame::of(api, reader.as_ref(), HERE);
        let guide = api.guides.get(&call.path.guide, f.w.language());
        let guide = guide.ok_or_else(|| Problem::new(Code::NotFound))?;
        show(&GuidePage { f, guide, trying: guide.name == TRYING, tried: None }, None)
    }
}

/// A text to try.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Trial {
    /// At most 2000 characters. It is kept nowhere, and goes to no bot.
    #[schemars(with = "String")]
    text: SecretText,
}

page! {
    /// `POST /privacy/guides/try`
    Try: POST "/privacy/guides/try", "Shows what the bot would get of a text; the text is kept nowhere and goes to no bot", Trial
}

impl Open for Try {
    const WHY: &'static str = "anybody may try what would be hidden; nothing of it stays.";

    async fn answer(api: &Api, _: Browser, call: Call<Self>) -> Answered {
        let text = call.body.text.expose();
        if text.chars().count() > LONGEST {
            return Err(Problem::new(Code::BadRequest).at("text"));
        }
        let f = Frame::of(api, None, HERE);
        let guide = api.guides.get(TRYING, f.w.language()).ok_or_else(|| Problem::new(Code::NotFound))?;
        let (gate, force) = (&api.gate, api.gate.force.load_full());
        let sent = vec![detect::Text { text: Plain::new(text.to_owned()), before: Before::Nothing }];
        let inspected = larger::inspect(gate, &force, turn::stray_id(), sent).await?;
        let tried = inspected.texts().next().map(|(text, found)| tried(&force, text.expose(), found));
        show(&GuidePage { f, guide, trying: true, tried }, None)
    }
}

/// What the bot would get, as for somebody who agreed to nothing.
fn tried(force: &Force, text: &str, found: &[Finding]) -> Tried {
    let table = force.table_for(false);
    let (mut pieces, mut at, mut hidden) = (Vec::new(), 0, 0);
    for finding in found {
        let operator = table.operator(&finding.rule.kind, finding.rule.class, Destination::Bot);
        let Some(value) = finding.span.of(text) else { continue };
        if operator == Operator::Pass || finding.span.start < at {
            continue;
        }
        hidden += 1;
        let before = text.get(at..finding.span.start).unwrap_or_default();
        pieces.push(Piece { text: before.to_owned(), hidden: None });
        let placeholder = operator.reversible().then(|| format!("[{}_{hidden}]", finding.rule.label));
        pieces.push(Piece {
            text: value.to_owned(),
            hidden: Some((kind_words(&finding.rule.label), placeholder)),
        });
        at = finding.span.end;
    }
    pieces.push(Piece { text: text.get(at..).unwrap_or_default().to_owned(), hidden: None });
    pieces.retain(|piece| !piece.text.is_empty());
    Tried { text: text.to_owned(), pieces, hidden }
}

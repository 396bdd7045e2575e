//! From the chat inside another site into the centre: a browser becomes in a window of its own the one that it is there.

use askama::Template;
use http::header;
use schemars::JsonSchema;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::consents::YesNo;
use super::look::{Frame, show};
use super::{Answered, page, way};
use crate::api::call::Reply;
use crate::api::{Api, Browser, Call, Open};
use crate::caller::{BrowserId, PageCookie};
use crate::directory::Failed;
use crate::problem::{Code, Problem};

const HERE: &str = "/privacy";

/// A code from the chat.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Coming {
    /// The code.
    #[schemars(with = "String")]
    code: Zeroizing<String>,
    /// The word of the page to show.
    to: String,
    /// Whether this window may leave the conversation that it had before.
    leave: Option<YesNo>,
}

#[derive(Template)]
#[template(path = "centre/passage.html")]
struct PassagePage<'a> {
    f: Frame<'a>,
    /// A code that still counts; none if the one that came does not.
    code: Option<Zeroizing<String>>,
    to: String,
}

page! {
    /// `POST /privacy/open`
    Enter: POST "/privacy/open", "Comes from the chat inside another site, by a code that counts once", Coming
}

impl Open for Enter {
    const WHY: &'static str = "the code says whose browser it is, and only our own pages send one.";

    async fn answer(api: &Api, _: Browser, call: Call<Self>) -> Answered {
        let Coming { code, to, leave } = call.body;
        let there = way::page_of(&to).ok_or_else(|| Problem::new(Code::NotFound))?;
        let page = |code| PassagePage { f: Frame::of(api, None, HERE), code, to: to.clone() };
        let Some(browser) = api.directory.end_passage(&code).await? else {
            return show(&page(None), Some(&Code::NotFound.into()));
        };
        let keyed = api.gate.keyed();
        let before = PageCookie::browser(&call.headers, api.tls, &keyed);
        let other = before.filter(|before| before.as_bytes() != browser.as_bytes());
        if leave != Some(YesNo::Yes)
            && let Some(other) = other
            && wrote(api, &other).await?
        {
            let next = api.directory.begin_passage(&browser).await?;
            return show(&page(Some(next)), None);
        }
        let cookie = PageCookie::of(&browser, api.tls, false, keyed).map_err(Failed::from)?;
        let cookie = cookie.to_str().map_err(|_| Problem::new(Code::Internal))?;
        Ok(Reply::see_other(there).header(header::SET_COOKIE, cookie))
    }
}

/// Whether somebody wrote in this browser and has no account: who leaves that finds no way back to it.
async fn wrote(api: &Api, browser: &BrowserId) -> Result<bool, Problem> {
    let gate = &api.gate;
    let Some(customer) = browser.caller().page_customer(gate.keyed()) else { return Ok(false) };
    let kept = gate.store.customer(&gate.tenant, customer).await.map_err(Failed::from)?;
    Ok(kept.is_some() && gate.claimed_by(customer).await?.is_none())
}

//! The way back: whoever has to sign in or show a second factor comes back to the page where they were.
//!
//! A cookie of a quarter of an hour remembers which page that is, one of a closed list; it is sent to the pages for signing in only.

use http::HeaderMap;
use serde::Deserialize;

use super::{Answered, page};
use crate::api::call::{Nothing, Reply};
use crate::api::{Api, Browser, Call, Open, Who, cookie, who};
use crate::problem::{Code, Problem};

/// The cookie.
pub(in crate::api) const THEN_COOKIE: &str = "chatward-then";

/// Pages that one may come back to, by the word in the cookie and in the address.
const BACK: [(&str, &str); 7] = [
    ("overview", "/privacy"),
    ("notice", "/privacy/notice"),
    ("consents", "/privacy/consents"),
    ("data", "/privacy/data"),
    ("erase", "/privacy/erase"),
    ("requests", "/privacy/requests"),
    ("looks", "/privacy/looks"),
];

/// The word of a page; where one does not come back to it, that of the first.
pub(super) fn word(path: &str) -> &'static str {
    BACK.iter().find(|(_, known)| *known == path).map_or("overview", |(word, _)| word)
}

/// The page with this word.
pub(super) fn page_of(word: &str) -> Option<&'static str> {
    BACK.iter().find(|(known, _)| *known == word).map(|(_, path)| *path)
}

/// The `Set-Cookie` that remembers a page of the centre.
pub(in crate::api) fn back_cookie(path: &str) -> Option<String> {
    let (word, _) = BACK.iter().find(|(_, known)| *known == path)?;
    Some(format!("{THEN_COOKIE}={word}; Path=/account; Max-Age=900; Secure; HttpOnly; SameSite=Lax"))
}

/// The page that was remembered, and the `Set-Cookie` that forgets it.
pub(in crate::api) fn taken(headers: &HeaderMap) -> Option<(&'static str, String)> {
    let word = cookie(headers, THEN_COOKIE)?;
    let (_, path) = BACK.iter().find(|(known, _)| *known == word)?;
    Some((path, format!("{THEN_COOKIE}=; Path=/account; Max-Age=0; Secure; HttpOnly; SameSite=Lax")))
}

/// A page in a path.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub(super) struct To {
    /// Its word.
    page: String,
}

page! {
    /// `GET /privacy/enter/{page}`
    Enter: GET "/privacy/enter/{page}", "Leads to where one shows who one is, and back to this page", Nothing, in To
}

impl Open for Enter {
    const WHY: &'static str = "it leads to where one signs in.";

    async fn answer(api: &Api, _: Browser, call: Call<Self>) -> Answered {
        let path = page_of(&call.path.page).ok_or_else(|| Problem::new(Code::NotFound))?;
        let signed_in = matches!(who::who(api, &call.headers).await, Ok(Who::Customer(_)));
        let there = Reply::see_other(if signed_in { "/account/step-up" } else { "/account/sign-in" });
        Ok(there.header(http::header::SET_COOKIE, &back_cookie(path).unwrap_or_default()))
    }
}

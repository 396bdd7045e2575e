//! The pages that are looked at.

use super::doing;
use super::look::{
    HelpPage, InvitationPage, SecurityPage, SetUpPage, SignInPage, SignUpPage, StepUpPage, show,
};
use super::{look, page};
use crate::api::call::{Nothing, Reply};
use crate::api::centre::way_back;
use crate::api::{Api, Browser, Call, Open, Own, Route};
use crate::directory::Present;
use crate::identity::outcome::Next;
use crate::identity::session::Need;
use crate::identity::{State, choices::Choice};
use crate::problem::Problem;

page! {
    /// `GET sign-in`
    SignIn: GET "sign-in", "Where one signs in", Nothing
}

impl<const STAFF: bool> Open for SignIn<STAFF> {
    const WHY: &'static str = "nobody is known before signing in.";

    async fn answer(api: &Api, browser: Browser, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let (_, cookie) = doing::before(&browser)?;
        Ok(show(&SignInPage::of(api, None), None)?.before(cookie.as_ref()))
    }
}

page! {
    /// `GET sign-up`
    SignUp: GET "sign-up", "Where a customer opens an account", Nothing
}

impl<const STAFF: bool> Open for SignUp<STAFF> {
    const WHY: &'static str = "a new customer has nothing to show yet.";

    async fn answer(api: &Api, browser: Browser, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let (_, cookie) = doing::before(&browser)?;
        Ok(show(&SignUpPage { f: look::Frame::of(api) }, None)?.before(cookie.as_ref()))
    }
}

page! {
    /// `GET help`
    Help: GET "help", "What to do when nothing signs in", Nothing
}

impl<const STAFF: bool> Open for Help<STAFF> {
    const WHY: &'static str = "help is for whoever cannot sign in.";

    async fn answer(api: &Api, _: Browser, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        show(&HelpPage { f: look::Frame::of(api) }, None)
    }
}

page! {
    /// `GET invitation`: the token is in the address's fragment, which browsers keep to themselves.
    Invitation: GET "invitation", "Where an invitation leads", Nothing
}

impl<const STAFF: bool> Open for Invitation<STAFF> {
    const WHY: &'static str = "the invitation says who it is.";

    async fn answer(api: &Api, browser: Browser, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let (_, cookie) = doing::before(&browser)?;
        Ok(show(&InvitationPage { f: look::Frame::of(api) }, None)?.before(cookie.as_ref()))
    }
}

page! {
    /// `GET step-up`
    StepUp: GET "step-up", "Where a further factor is shown", Nothing
}

impl<const STAFF: bool> Own for StepUp<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        step_up(api, &present, None)
    }
}

/// The page for a further factor, or the one to go to where there is nothing to show.
pub(super) fn step_up(
    api: &Api,
    present: &Present,
    error: Option<&Problem>,
) -> Result<Reply<Nothing>, Problem> {
    let Present { account, session } = present;
    let base = look::Frame::of(api).base;
    if matches!(account.state(), State::Invited { .. }) {
        return Ok(Reply::see_other(&format!("{base}/set-up")));
    }
    let refused = session.meets(Need::Fresh, account, api.directory.rules(), api.directory.now());
    let (choices, wait): (Vec<Choice>, _) = match refused.map_err(|refused| refused.next) {
        Ok(()) => return Ok(Reply::see_other(&format!("{base}/done"))),
        Err(Next::SetUpSecondFactor) => return Ok(Reply::see_other(&format!("{base}/set-up"))),
        Err(Next::Show(choices)) => (choices, None),
        Err(Next::Wait { until, meanwhile }) => (meanwhile, Some(until)),
        Err(_) => (Vec::new(), None),
    };
    show(&StepUpPage::of(api, present, &choices, wait, error), error)
}

page! {
    /// `GET set-up`
    SetUp: GET "set-up", "Where the first passkey is set up", Nothing
}

impl<const STAFF: bool> Own for SetUp<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        if present.account.is_complete(api.directory.now()) && present.account.has_second_factor() {
            return Ok(Reply::see_other(&format!("{}/security", look::Frame::of(api).base)));
        }
        show(&SetUpPage::of(api, &present, None), None)
    }
}

page! {
    /// `GET security`
    Security: GET "security", "What one signs in with, and where one is signed in", Nothing
}

impl<const STAFF: bool> Own for Security<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        security(api, &present, None)
    }
}

/// The page of one's own account. Staff who have shown a first factor alone are shown where to go on.
pub(super) fn security(
    api: &Api,
    present: &Present,
    error: Option<&Problem>,
) -> Result<Reply<Nothing>, Problem> {
    let Present { account, session } = present;
    let (rules, now) = (api.directory.rules(), api.directory.now());
    let base = look::Frame::of(api).base;
    if matches!(account.state(), State::Invited { .. }) {
        return Ok(Reply::see_other(&format!("{base}/set-up")));
    }
    if !session.is_recovered()
        && let Err(refused) = session.meets(Need::Pages, account, rules, now)
    {
        let to = if refused.next == Next::SetUpSecondFactor { "set-up" } else { "step-up" };
        return Ok(Reply::see_other(&format!("{base}/{to}")));
    }
    show(&SecurityPage::of(api, present, error), error)
}

page! {
    /// `GET done`
    Done: GET "done", "Where one goes on after showing who one is: back to where one was", Nothing
}

impl<const STAFF: bool> Own for Done<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, _: Present, call: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let own = format!("{}/security", look::Frame::of(api).base);
        Ok(match way_back(&call.headers).filter(|_| !STAFF) {
            Some((path, forget)) => Reply::see_other(path).header(http::header::SET_COOKIE, &forget),
            None => Reply::see_other(&own),
        })
    }
}

/// `GET /account` or `/staff`
pub(super) struct Home<const STAFF: bool>;

impl<const STAFF: bool> Route for Home<STAFF> {
    const METHOD: http::Method = http::Method::GET;
    const PATH: &'static str = if STAFF { "/staff" } else { "/account" };
    const WHAT: &'static str = "Where one begins: leads to the own account";
    const PAGE: bool = true;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Nothing;
}

impl<const STAFF: bool> Own for Home<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, _: Present, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        Ok(Reply::see_other(&format!("{}/security", look::Frame::of(api).base)))
    }
}

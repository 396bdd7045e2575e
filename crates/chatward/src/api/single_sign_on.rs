//! Staff sign in with the house's own identity provider (OpenID Connect, authorization code with PKCE).
//!
//! [`identity::sso`](crate::identity::sso) says what is asked and how the answer is checked; here is what goes over the wire:
//! the provider's description and keys, read when they are first needed and kept for some minutes, and the exchange of a
//! code. Browsers come back by a plain link from another site, so what was begun is in a cookie that such a link carries.

mod talk;

use chatward_message::TenantId;
use http::{Method, header};
use schemars::JsonSchema;
use serde::Deserialize;

use super::call::Nothing;
use super::who::cookie;
use super::{Api, Browser, Call, Open, Own, Reply, Route, Routes};
use crate::directory::Present;
use crate::identity::ceremony::SealedCeremony;
use crate::identity::outcome::{Next, Refused, Why};
use crate::identity::secret::TokenHash;
use crate::identity::session::{
    self, Need, PRE_SESSION_COOKIE, STAFF_SESSION_COOKIE, drop_cookie, pre_session, set_cookie,
};
use crate::identity::sso::{Callback, Vouched};
use crate::problem::{Code, Problem};

pub(crate) use talk::SingleSignOn;

/// Where the provider sends browsers back to, below the origin.
pub(crate) const BACK: &str = "/staff/sign-in/provider/back";
/// What was begun; as long-lived as it may take.
const TRIP_COOKIE: &str = "__Host-chatward-trip";
/// Where somebody goes who has signed in.
const HOME: &str = "/staff";

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.open::<Depart>().open::<Back>().own::<Link>()
}

fn single_sign_on(api: &Api) -> Result<&SingleSignOn, Problem> {
    api.single_sign_on.as_deref().ok_or_else(|| Code::NotFound.into())
}

/// `GET /staff/sign-in/provider`
struct Depart;

impl Route for Depart {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/staff/sign-in/provider";
    const WHAT: &'static str = "Sends a browser to the identity provider";
    const PAGE: bool = true;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Nothing;
}

impl Open for Depart {
    const WHY: &'static str = "signing in begins here";

    async fn answer(api: &Api, browser: Browser, _call: Call<Self>) -> Result<Reply<Nothing>, Problem> {
        depart(api, browser.before()).await
    }
}

/// `GET /staff/security/provider`: links the account with one at the provider.
struct Link;

impl Route for Link {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/staff/security/provider";
    const WHAT: &'static str =
        "Sends a browser to the identity provider, to link an account there with this one";
    const PAGE: bool = true;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Nothing;
}

impl Own for Link {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, _present: Present, call: Call<Self>) -> Result<Reply<Nothing>, Problem> {
        let before = cookie(&call.headers, PRE_SESSION_COOKIE);
        depart(api, before.map(session::pre_session_hash)).await
    }
}

async fn depart(api: &Api, before: Option<TokenHash>) -> Result<Reply<Nothing>, Problem> {
    let provider = single_sign_on(api)?.provider().await?;
    let fresh = match before {
        Some(_) => None,
        None => Some(api.directory.with(|with| pre_session(with.random)).map_err(Refused::from)?),
    };
    let before = before.or(fresh.as_ref().map(|(_, hash)| *hash)).ok_or(Code::Internal)?;
    let tenant: &TenantId = api.directory.tenant();
    let key = api.directory.ceremonies();
    let departure = api.directory.with(|with| provider.depart(tenant, &before, key, with))?;
    let trip = format!(
        "{TRIP_COOKIE}={}; Path=/; Max-Age=300; Secure; HttpOnly; SameSite=Lax",
        departure.sealed.as_str()
    );
    let mut reply = Reply::see_other(&departure.url).header(header::SET_COOKIE, &trip);
    if let Some((token, _)) = &fresh {
        reply = reply.header(header::SET_COOKIE, &set_cookie(PRE_SESSION_COOKIE, token));
    }
    Ok(reply)
}

/// What the provider has a browser say.
#[derive(Deserialize, JsonSchema)]
struct Said {
    #[serde(default)]
    code: Option<String>,
    state: String,
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    error: Option<String>,
}

/// `GET /staff/sign-in/provider/back`
struct Back;

impl Route for Back {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = BACK;
    const WHAT: &'static str = "Takes a browser back from the identity provider";
    const PAGE: bool = true;
    type Path = Nothing;
    type Query = Said;
    type Body = Nothing;
    type Answer = Nothing;
}

impl Open for Back {
    const WHY: &'static str = "signing in ends here";

    async fn answer(api: &Api, browser: Browser, call: Call<Self>) -> Result<Reply<Nothing>, Problem> {
        let vouched = vouched(api, &browser, &call).await?;
        let done = match api.directory.linked(vouched.link()).await? {
            Some(held) => {
                let arrival = browser.arrival()?;
                let id = held.account.id();
                let (_, signed_in) = api
                    .directory
                    .change(id, |account, _, with| account.sign_in_with_provider(&vouched, &arrival, with))
                    .await?;
                Reply::see_other(HOME)
                    .header(header::SET_COOKIE, &set_cookie(STAFF_SESSION_COOKIE, &signed_in.token))
            }
            None => {
                link(api, &call, &vouched).await?;
                Reply::see_other(HOME)
            }
        };
        Ok(done.header(header::SET_COOKIE, &drop_cookie(TRIP_COOKIE)))
    }
}

async fn vouched(api: &Api, browser: &Browser, call: &Call<Back>) -> Result<Vouched, Problem> {
    let single_sign_on = single_sign_on(api)?;
    let provider = single_sign_on.provider().await?;
    let trip = cookie(&call.headers, TRIP_COOKIE);
    let trip = SealedCeremony::from_text(trip.ok_or_else(|| Problem::new(Code::StartOver))?);
    let before = browser.before().ok_or_else(|| Problem::new(Code::StartOver))?;
    let Said { code, state, iss, error } = &call.query;
    let callback = Callback { code: code.as_deref(), state, issuer: iss.as_deref(), error: error.as_deref() };
    let (tenant, now) = (api.directory.tenant(), api.directory.now());
    let exchange = provider.arrive(callback, &trip, tenant, &before, api.directory.ceremonies(), now)?;
    let tokens = single_sign_on.exchange(&provider, &exchange).await?;
    let checked =
        provider.vouch(exchange, &tokens.id, tokens.access.as_ref().map(|access| access.as_str()), now);
    if checked.is_err() {
        // Its keys may be newer than those we know: the next one asks again.
        single_sign_on.forget().await;
    }
    Ok(checked?)
}

/// Nobody is linked with that account yet: whoever is signed in here sets it up as a factor of theirs. Somebody who is not
/// signed in is told what anybody is told: whether there is such an account is nobody's business.
async fn link(api: &Api, call: &Call<Back>, vouched: &Vouched) -> Result<(), Problem> {
    let unknown = || Refused::new(Why::UnknownName, Next::SignIn);
    let token = cookie(&call.headers, STAFF_SESSION_COOKIE).ok_or_else(unknown)?;
    let present = api.directory.session(token).await.map_err(|_| unknown())?;
    let session = present.session;
    api.directory
        .change(present.account.id(), |account, _, with| account.link_provider(vouched, &session, with))
        .await?;
    Ok(())
}

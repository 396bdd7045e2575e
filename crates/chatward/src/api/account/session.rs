//! Who is signed in, with what, and where.

use chatward_message::DeviceId;
use http::{HeaderMap, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::doing;
use super::route;
use crate::api::call::{Nothing, Reply};
use crate::api::{Api, Call, Own, Route};
use crate::caller::PageCookie;
use crate::directory::{Failed, Present};
use crate::identity::session::Need;
use crate::identity::{Account, Holder, Session, SignedIn, State, choices};
use crate::problem::{Code, Problem};

/// Who is signed in.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WhoIsSignedIn {
    /// The account's id.
    account: String,
    /// The name to sign in with.
    name: String,
    /// The roles, of staff.
    roles: Vec<&'static str>,
    /// `invited` until everything is set up that the account must have, then `active`.
    state: &'static str,
    /// Since when, in milliseconds since 1970.
    since: u64,
    /// When the session ends at the latest.
    until: u64,
    /// When a second factor was last shown in this session.
    second_factor_at: Option<u64>,
    /// Whether that is fresh enough for what touches stored personal data.
    fresh: bool,
    /// What can be shown now to make it so, the best first: `passkey`, `app`, `recovery-code`.
    step_up: Vec<&'static str>,
    /// What is set up.
    set_up: SetUp,
    /// Whether everything is set up that the account must have.
    complete: bool,
    /// The token of this session's forms: for the header `Chatward-Form` of everything that changes something.
    form: String,
}

/// What is set up to sign in with.
#[derive(Debug, Serialize, JsonSchema)]
struct SetUp {
    passkeys: usize,
    app: bool,
    /// How many recovery codes are left; nothing if none were made.
    recovery_codes: Option<usize>,
    password: bool,
}

impl WhoIsSignedIn {
    pub(super) fn of(api: &Api, account: &Account, session: &Session) -> Self {
        let (rules, now) = (api.directory.rules(), api.directory.now());
        let roles = match account.holder() {
            Holder::Staff { roles, .. } => roles.iter().map(|role| role.name()).collect(),
            Holder::Customer { .. } => Vec::new(),
        };
        let step_up = choices::to_step_up(account, session, rules, now);
        Self {
            account: account.id().to_string(),
            name: account.name().expose().to_owned(),
            roles,
            state: if matches!(account.state(), State::Invited { .. }) { "invited" } else { "active" },
            since: session.begun().0,
            until: session.ends_at(rules).0,
            second_factor_at: session.second_factor_at().map(|at| at.0),
            fresh: session.second_factor_since(rules, now).is_some(),
            step_up: step_up.into_iter().map(choices::Choice::name).collect(),
            set_up: SetUp {
                passkeys: account.passkeys().len(),
                app: account.app().is_some(),
                recovery_codes: account.recovery_codes_left(),
                password: account.has_password(),
            },
            complete: account.is_complete(now),
            form: session.form_token(),
        }
    }
}

/// The answer to a sign-in or a step-up.
pub(super) fn entered(api: &Api, account: &Account, signed_in: &SignedIn) -> Reply<WhoIsSignedIn> {
    Reply::json(WhoIsSignedIn::of(api, account, &signed_in.session)).entered(signed_in)
}

route! {
    /// `GET session`
    Show: GET "session", "Who is signed in, with what, and what can be shown now", Nothing => WhoIsSignedIn
}

impl<const STAFF: bool> Own for Show<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        Ok(Reply::json(WhoIsSignedIn::of(api, &present.account, &present.session)))
    }
}

route! {
    /// `POST session/sign-out`
    SignOut: POST "session/sign-out", "Ends this session", Nothing => Nothing, status 204
}

impl<const STAFF: bool> Own for SignOut<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        doing::sign_out(api, &present, present.session.device()).await?;
        Ok(Reply::json(Nothing {}).left(api))
    }
}

route! {
    /// `POST session/sign-out-everywhere`
    SignOutEverywhere: POST "session/sign-out-everywhere", "Ends every session of the account", Nothing => Nothing, status 204
}

impl<const STAFF: bool> Own for SignOutEverywhere<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        doing::sign_out_everywhere(api, &present).await?;
        Ok(Reply::json(Nothing {}).left(api))
    }
}

/// The browsers that are signed in.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DeviceList {
    items: Vec<OneDevice>,
}

/// A browser that is signed in.
#[derive(Debug, Serialize, JsonSchema)]
struct OneDevice {
    id: String,
    browser: &'static str,
    system: &'static str,
    first_seen: u64,
    /// When it last showed something.
    last_seen: u64,
    /// Whether it is the one that asks.
    this: bool,
}

route! {
    /// `GET devices`
    Devices: GET "devices", "The browsers that are signed in to one's account", Nothing => DeviceList
}

impl<const STAFF: bool> Own for Devices<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(_: &Api, present: Present, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let one = |device: &crate::identity::session::Device| OneDevice {
            id: device.id.to_string(),
            browser: device.name.browser.name(),
            system: device.name.system.name(),
            first_seen: device.first_seen.0,
            last_seen: device.last_seen.0,
            this: device.id == present.session.device(),
        };
        Ok(Reply::json(DeviceList { items: present.account.devices().iter().map(one).collect() }))
    }
}

/// A thing of one's own in a path.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct OwnThing {
    /// As the list names it.
    pub(super) id: String,
}

route! {
    /// `DELETE devices/{id}`
    SignOutDevice: DELETE "devices/{id}", "Signs another browser out", Nothing => Nothing, in OwnThing, status 204
}

impl<const STAFF: bool> Own for SignOutDevice<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, call: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let device: DeviceId = call.path.id.parse().map_err(|_| Problem::new(Code::NotFound))?;
        let this = doing::sign_out(api, &present, device).await?;
        let reply = Reply::json(Nothing {});
        Ok(if this { reply.left(api) } else { reply })
    }
}

/// `POST /me/v1/claim`
pub(super) struct Claim;

impl Route for Claim {
    const METHOD: http::Method = http::Method::POST;
    const PATH: &'static str = "/me/v1/claim";
    const WHAT: &'static str = "Takes over what was written in this browser without a name";
    const STATUS: u16 = 204;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Nothing;
}

impl Own for Claim {
    const NEED: Need = Need::Pages;

    async fn answer(api: &Api, present: Present, call: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        Ok(match claimed(api, &present, &call.headers).await? {
            Some(cookie) => Reply::json(Nothing {}).header(header::SET_COOKIE, &cookie),
            None => Reply::json(Nothing {}),
        })
    }
}

/// Takes over what was written in this browser. Whoever sits here next does not read on: if there was something, the browser gets
/// another cookie.
pub(in crate::api) async fn claimed(
    api: &Api,
    present: &Present,
    headers: &HeaderMap,
) -> Result<Option<String>, Problem> {
    let keyed = api.gate.keyed();
    let cookie = PageCookie::caller(headers, api.tls, keyed);
    if !api.directory.claim(present, cookie.as_ref()).await? {
        return Ok(None);
    }
    let (_, cookie) = PageCookie::issue(api.tls, false, keyed).map_err(Failed::from)?;
    Ok(Some(cookie.to_str().unwrap_or_default().to_owned()))
}

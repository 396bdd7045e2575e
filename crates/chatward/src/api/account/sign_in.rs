//! Signing in, and showing a further factor within a session.

use schemars::JsonSchema;
use serde::Deserialize;

use super::doing::{self, Answer, Challenge};
use super::route;
use super::session::{WhoIsSignedIn, entered};
use crate::api::call::{Nothing, Reply};
use crate::api::{Api, Browser, Call, Open, Own, Route};
use crate::directory::Present;
use crate::identity::secret::SecretText;
use crate::identity::session::Need;
use crate::problem::Problem;

route! {
    /// `POST sign-in/passkey/begin`
    BeginPasskey: POST "sign-in/passkey/begin", "Begins to sign in with a passkey", Nothing => Challenge
}

impl<const STAFF: bool> Open for BeginPasskey<STAFF> {
    const WHY: &'static str = "nobody is known before the passkey was shown.";

    async fn answer(api: &Api, browser: Browser, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let (challenge, cookie) = doing::begin_sign_in(api, &browser)?;
        Ok(Reply::json(challenge).before(cookie.as_ref()))
    }
}

route! {
    /// `POST sign-in/passkey`
    WithPasskey: POST "sign-in/passkey", "Signs in with a passkey", Answer => WhoIsSignedIn
}

impl<const STAFF: bool> Open for WithPasskey<STAFF> {
    const WHY: &'static str = "the passkey says who it is.";

    async fn answer(api: &Api, browser: Browser, call: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let (account, signed_in) = doing::with_passkey::<STAFF>(api, &browser, &call.body).await?;
        Ok(entered(api, &account, &signed_in))
    }
}

/// Name and password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NameAndPassword {
    /// The name to sign in with.
    #[schemars(with = "String")]
    pub(super) name: SecretText,
    #[schemars(with = "String")]
    pub(super) password: SecretText,
}

route! {
    /// `POST sign-in/password`
    WithPassword: POST "sign-in/password", "Signs in with name and password; a second factor is shown after that",
        NameAndPassword => WhoIsSignedIn
}

impl<const STAFF: bool> Open for WithPassword<STAFF> {
    const WHY: &'static str = "nobody is known before the password was shown.";

    async fn answer(api: &Api, browser: Browser, call: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let NameAndPassword { name, password } = &call.body;
        let (account, signed_in) = doing::with_password(api, &browser, name.expose(), password).await?;
        Ok(entered(api, &account, &signed_in))
    }
}

/// Name and recovery code.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NameAndCode {
    /// The name to sign in with.
    #[schemars(with = "String")]
    pub(super) name: SecretText,
    /// One of the codes; dashes, spaces and capitals do not matter.
    #[schemars(with = "String")]
    pub(super) code: SecretText,
}

route! {
    /// `POST sign-in/recovery-code`
    WithRecoveryCode: POST "sign-in/recovery-code", "Comes in with a name and a recovery code", NameAndCode => WhoIsSignedIn
}

impl<const STAFF: bool> Open for WithRecoveryCode<STAFF> {
    const WHY: &'static str = "nobody is known before the code was shown.";

    async fn answer(api: &Api, browser: Browser, call: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let NameAndCode { name, code } = &call.body;
        let (account, signed_in) =
            doing::with_recovery_code::<STAFF>(api, &browser, name.expose(), code).await?;
        Ok(entered(api, &account, &signed_in))
    }
}

/// A token.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OneToken {
    #[schemars(with = "String")]
    pub(super) token: SecretText,
}

/// `POST /me/v1/sign-in/host`
pub(super) struct FromHost;

impl Route for FromHost {
    const METHOD: http::Method = http::Method::POST;
    const PATH: &'static str = "/me/v1/sign-in/host";
    const WHAT: &'static str = "Signs in the customer whom the host site's token names";
    type Path = Nothing;
    type Query = Nothing;
    type Body = OneToken;
    type Answer = WhoIsSignedIn;
}

impl Open for FromHost {
    const WHY: &'static str = "the host site's token says who it is.";

    async fn answer(api: &Api, browser: Browser, call: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let (account, signed_in) = doing::from_host(api, &browser, &call.body.token).await?;
        Ok(entered(api, &account, &signed_in))
    }
}

/// A name to sign in with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewName {
    /// 1 to 64 characters; capitals do not matter.
    #[schemars(with = "String", length(min = 1, max = 64))]
    pub(super) name: SecretText,
}

/// `POST /me/v1/account`
pub(super) struct SignUp;

impl Route for SignUp {
    const METHOD: http::Method = http::Method::POST;
    const PATH: &'static str = "/me/v1/account";
    const WHAT: &'static str = "Opens an account and signs in to it; a passkey is set up next";
    const STATUS: u16 = 201;
    type Path = Nothing;
    type Query = Nothing;
    type Body = NewName;
    type Answer = WhoIsSignedIn;
}

impl Open for SignUp {
    const WHY: &'static str = "a new customer has nothing to show yet.";

    async fn answer(api: &Api, browser: Browser, call: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let (account, signed_in) = doing::sign_up(api, &browser, &call.body.name).await?;
        Ok(entered(api, &account, &signed_in))
    }
}

route! {
    /// `POST invitation`
    Invitation: POST "invitation", "Follows an invitation, once: to a session in which a second factor is set up",
        OneToken => WhoIsSignedIn
}

impl<const STAFF: bool> Open for Invitation<STAFF> {
    const WHY: &'static str = "the invitation says who it is.";

    async fn answer(api: &Api, browser: Browser, call: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let (account, signed_in) = doing::invited(api, &browser, &call.body.token).await?;
        Ok(entered(api, &account, &signed_in))
    }
}

route! {
    /// `POST step-up/passkey/begin`
    BeginStepUp: POST "step-up/passkey/begin", "Begins to show a passkey within a session", Nothing => Challenge
}

impl<const STAFF: bool> Own for BeginStepUp<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        Ok(Reply::json(doing::begin_step_up(api, &present)?))
    }
}

route! {
    /// `POST step-up/passkey`
    StepUpPasskey: POST "step-up/passkey", "Shows a passkey within a session", Answer => WhoIsSignedIn
}

impl<const STAFF: bool> Own for StepUpPasskey<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, call: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let (account, signed_in) = doing::step_up_passkey(api, &present, &call.body).await?;
        Ok(entered(api, &account, &signed_in))
    }
}

/// A code.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OneCode {
    #[schemars(with = "String")]
    pub(super) code: SecretText,
}

route! {
    /// `POST step-up/app`
    StepUpApp: POST "step-up/app", "Shows a code of the authenticator app within a session", OneCode => WhoIsSignedIn
}

impl<const STAFF: bool> Own for StepUpApp<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, call: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let (account, signed_in) = doing::step_up_app(api, &present, &call.body.code).await?;
        Ok(entered(api, &account, &signed_in))
    }
}

route! {
    /// `POST step-up/recovery-code`
    StepUpRecoveryCode: POST "step-up/recovery-code",
        "Shows a recovery code in the place of a second factor that is lost: a new one can be set up then",
        OneCode => WhoIsSignedIn
}

impl<const STAFF: bool> Own for StepUpRecoveryCode<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, call: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let (account, signed_in) = doing::step_up_recovery_code(api, &present, &call.body.code).await?;
        Ok(entered(api, &account, &signed_in))
    }
}

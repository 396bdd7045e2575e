//! What one signs in with: set up, listed, removed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::doing::{self, Answer, Challenge};
use super::route;
use super::session::{OwnThing, WhoIsSignedIn};
use super::sign_in::OneCode;
use crate::api::call::{Nothing, Reply};
use crate::api::{Api, Call, Own};
use crate::directory::Present;
use crate::identity::passkey::PasskeyEntry;
use crate::identity::secret::SecretText;
use crate::identity::session::Need;
use crate::problem::Problem;

route! {
    /// `POST passkeys/begin`
    BeginPasskey: POST "passkeys/begin", "Begins to set up a passkey", Nothing => Challenge
}

impl<const STAFF: bool> Own for BeginPasskey<STAFF> {
    // With a fresh second factor where there is one; the first is set up without: `Account::may_add_factor`.
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        Ok(Reply::json(doing::begin_passkey(api, &present)?))
    }
}

/// A new passkey.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPasskey {
    /// What came with the options.
    state: String,
    /// What the browser's `PublicKeyCredential.toJSON()` gives.
    answer: serde_json::Value,
    /// What its owner calls it; by default after the browser.
    #[schemars(with = "Option<String>")]
    label: Option<SecretText>,
}

/// A passkey in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct OnePasskey {
    id: String,
    label: String,
    added: u64,
    last_used: Option<u64>,
    /// Whether it cannot leave its device.
    device_bound: bool,
    /// Found to be copied: it signs in no more.
    cloned: bool,
    /// `now`; `from` then, as it was set up after a recovery; `unconfirmed` by an administrator.
    counts: &'static str,
    /// From when on it counts as a second factor, where it waits.
    from: Option<u64>,
}

impl OnePasskey {
    fn of(entry: &PasskeyEntry) -> Self {
        use crate::identity::account::Trust;
        let (counts, from) = match entry.trust() {
            Trust::Now => ("now", None),
            Trust::From(then) => ("from", Some(then.0)),
            Trust::Unconfirmed => ("unconfirmed", None),
        };
        Self {
            id: URL_SAFE_NO_PAD.encode(entry.id().as_slice()),
            label: entry.label().expose().to_owned(),
            added: entry.added().0,
            last_used: entry.last_used().map(|at| at.0),
            device_bound: entry.is_device_bound(),
            cloned: entry.is_cloned(),
            counts,
            from,
        }
    }
}

route! {
    /// `POST passkeys`
    AddPasskey: POST "passkeys", "Sets up a passkey", NewPasskey => OnePasskey, status 201
}

impl<const STAFF: bool> Own for AddPasskey<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, call: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let NewPasskey { state, answer, label } = call.body;
        let given = Answer { state, answer };
        let (account, id) = doing::add_passkey(api, &present, &given, label.as_ref(), &call.headers).await?;
        let added = account.passkeys().iter().find(|entry| entry.id().as_slice() == id);
        Ok(Reply::json(OnePasskey::of(added.ok_or(crate::problem::Code::Internal)?)))
    }
}

/// The passkeys.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PasskeyList {
    items: Vec<OnePasskey>,
}

route! {
    /// `GET passkeys`
    Passkeys: GET "passkeys", "One's passkeys", Nothing => PasskeyList
}

impl<const STAFF: bool> Own for Passkeys<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(_: &Api, present: Present, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let items = present.account.passkeys().iter().map(OnePasskey::of).collect();
        Ok(Reply::json(PasskeyList { items }))
    }
}

route! {
    /// `DELETE passkeys/{id}`
    RemovePasskey: DELETE "passkeys/{id}", "Removes a passkey", Nothing => Nothing, in OwnThing, status 204
}

impl<const STAFF: bool> Own for RemovePasskey<STAFF> {
    const NEED: Need = Need::Fresh;

    async fn answer(api: &Api, present: Present, call: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        doing::remove_passkey(api, &present, &call.path.id).await?;
        Ok(Reply::json(Nothing {}))
    }
}

/// What an authenticator app needs to know: shown once.
#[derive(Serialize, JsonSchema)]
pub(super) struct NewApp {
    /// For a QR code or a link.
    uri: String,
    /// For typing.
    secret: String,
}

impl std::fmt::Debug for NewApp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewApp(..)")
    }
}

route! {
    /// `POST app/begin`
    BeginApp: POST "app/begin", "Makes a secret for an authenticator app; it counts once a code of it was sent",
        Nothing => NewApp
}

impl<const STAFF: bool> Own for BeginApp<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let setup = doing::begin_app(api, &present).await?;
        Ok(Reply::json(NewApp { uri: setup.uri.to_string(), secret: setup.secret.to_string() }))
    }
}

route! {
    /// `POST app`
    ConfirmApp: POST "app", "Sets up the authenticator app with its first code", OneCode => WhoIsSignedIn
}

impl<const STAFF: bool> Own for ConfirmApp<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, call: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let account = doing::confirm_app(api, &present, &call.body.code).await?;
        Ok(Reply::json(WhoIsSignedIn::of(api, &account, &present.session)))
    }
}

route! {
    /// `DELETE app`
    RemoveApp: DELETE "app", "Removes the authenticator app", Nothing => Nothing, status 204
}

impl<const STAFF: bool> Own for RemoveApp<STAFF> {
    const NEED: Need = Need::Fresh;

    async fn answer(api: &Api, present: Present, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        doing::remove_app(api, &present).await?;
        Ok(Reply::json(Nothing {}))
    }
}

/// Recovery codes: shown once.
#[derive(Serialize, JsonSchema)]
pub(super) struct NewCodes {
    codes: Vec<String>,
}

impl std::fmt::Debug for NewCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewCodes({})", self.codes.len())
    }
}

route! {
    /// `POST recovery-codes`
    RecoveryCodes: POST "recovery-codes", "Makes ten recovery codes; those before are gone", Nothing => NewCodes, status 201
}

impl<const STAFF: bool> Own for RecoveryCodes<STAFF> {
    const NEED: Need = Need::Fresh;

    async fn answer(api: &Api, present: Present, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        let made = doing::make_codes(api, &present).await?;
        Ok(Reply::json(NewCodes { codes: made.expose().map(str::to_owned).collect() }))
    }
}

/// A new password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    /// 12 to 256 characters.
    #[schemars(with = "String")]
    pub(super) password: SecretText,
}

route! {
    /// `PUT password`
    SetPassword: PUT "password", "Sets the password, beside an authenticator app; other sessions end",
        NewPassword => Nothing, status 204
}

impl<const STAFF: bool> Own for SetPassword<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, call: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        doing::set_password(api, &present, &call.body.password).await?;
        Ok(Reply::json(Nothing {}))
    }
}

route! {
    /// `DELETE password`
    RemovePassword: DELETE "password", "Removes the password", Nothing => Nothing, status 204
}

impl<const STAFF: bool> Own for RemovePassword<STAFF> {
    const NEED: Need = Need::Fresh;

    async fn answer(api: &Api, present: Present, _: Call<Self>) -> Result<Reply<Self::Answer>, Problem> {
        doing::remove_password(api, &present).await?;
        Ok(Reply::json(Nothing {}))
    }
}

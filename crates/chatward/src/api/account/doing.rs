//! What is done with an account, for programs' routes and pages alike.

use chatward_message::{DeviceId, Factor};
use chatward_vault::VaultError;
use http::HeaderMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::api::call::single;
use crate::api::{Api, Browser, Reply, Side};
use crate::directory::{Failed, Held, Outcome, Present};
use crate::identity::app::AppSetup;
use crate::identity::ceremony::SealedCeremony;
use crate::identity::outcome::{Change, Next, Refused, Why};
use crate::identity::passkey::{Answered, Assertion, Attestation};
use crate::identity::password::{self, Argon2id, BreachList, Checked, HashList, ShippedList};
use crate::identity::recovery::{self, ShownCodes};
use crate::identity::secret::{SecretText, Token};
use crate::identity::session::{
    Arrival, DeviceName, PRE_SESSION_COOKIE, drop_cookie, pre_session, session_cookie, set_cookie,
};
use crate::identity::{Account, SignedIn, With};
use crate::problem::{Code, Problem};

/// What came of signing in, or of a further factor.
pub(super) type Entered = Result<(Account, SignedIn), Problem>;

/// A browser's answer to a challenge, and the state that came with the challenge.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    /// What came with the options.
    pub(super) state: String,
    /// What the browser's `PublicKeyCredential.toJSON()` gives.
    pub(super) answer: serde_json::Value,
}

/// A challenge for a passkey.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Challenge {
    /// For `navigator.credentials`.
    pub(super) options: serde_json::Value,
    /// To be sent back with the browser's answer, within five minutes.
    pub(super) state: String,
}

impl Challenge {
    fn of<T: Serialize>(begun: &crate::identity::passkey::Begun<T>) -> Result<Self, Problem> {
        let options = serde_json::to_value(&begun.options).map_err(|_| Problem::new(Code::Internal))?;
        Ok(Self { options, state: begun.sealed.as_str().to_owned() })
    }
}

/// So many passwords are checked at once: each takes 19 MiB and a core.
static CHECKED_AT_ONCE: Semaphore = Semaphore::const_new(4);
/// A name to sign in with is not longer, in characters.
pub(super) const NAME_MAX: usize = 64;

/// The browser as identity knows it, where nothing that was begun has to be found again.
fn arrival(browser: &Browser) -> Result<Arrival, Problem> {
    match browser.before() {
        Some(_) => browser.arrival(),
        None => Ok(browser
            .arriving_with(pre_session(&mut crate::identity::secret::SystemRandom).map_err(Failed::from)?.1)),
    }
}

/// An account that may be there. One whose customer was erased is not.
fn found(held: Result<Option<Held>, Failed>) -> Result<Option<Account>, Problem> {
    match held {
        Ok(held) => Ok(held.map(|held| held.account)),
        Err(Failed::Vault(VaultError::NoKey { .. })) => Ok(None),
        Err(failed) => Err(failed.into()),
    }
}

/// Counts a try that failed for the network that it came from.
fn counted(api: &Api, browser: &Browser, whom: &[u8], entered: Entered) -> Entered {
    if let (Some(peer), Err(problem)) = (browser.peer(), &entered)
        && problem.code() == Code::SignInFailed
    {
        api.directory.failed_from(peer, whom);
    }
    entered
}

/// The refusal of what there is not, once it is in the log like any other try.
async fn nobody(api: &Api, factor: Factor, refused: Refused) -> Problem {
    match api.directory.nobody(factor).await {
        Ok(()) => refused.into(),
        Err(failed) => failed.into(),
    }
}

// Signing in.

/// Begins to sign in with a passkey. The cookie is to be set where the browser had none.
pub(super) fn begin_sign_in(api: &Api, browser: &Browser) -> Result<(Challenge, Option<Token>), Problem> {
    let (bound, cookie) = before(browser)?;
    let (tenant, key) = (api.directory.tenant(), api.directory.ceremonies());
    let begun = api.directory.with(|with| api.passkeys.begin_sign_in(tenant, &bound, key, with))?;
    Ok((Challenge::of(&begun)?, cookie))
}

/// What a browser's beginnings are bound to, and the cookie to set where it had none.
pub(super) fn before(
    browser: &Browser,
) -> Result<(crate::identity::secret::TokenHash, Option<Token>), Problem> {
    if let Some(bound) = browser.before() {
        return Ok((bound, None));
    }
    let (token, bound) = pre_session(&mut crate::identity::secret::SystemRandom).map_err(Failed::from)?;
    Ok((bound, Some(token)))
}

/// Signs in with a passkey.
pub(super) async fn with_passkey<const STAFF: bool>(api: &Api, browser: &Browser, given: &Answer) -> Entered {
    let entered = by_passkey::<STAFF>(api, browser, given).await;
    counted(api, browser, b"passkey", entered)
}

async fn by_passkey<const STAFF: bool>(api: &Api, browser: &Browser, given: &Answer) -> Entered {
    let arrival = browser.arrival()?;
    let answer = Assertion::parse(given.answer.to_string().as_bytes())?;
    let sealed = SealedCeremony::from_text(given.state.as_str());
    let unknown = || Refused::new(Why::PasskeyUnknown, Next::StartOver);
    let Some(account) =
        found(api.directory.account(answer.whose()?).await)?.filter(|a| a.is_staff() == STAFF)
    else {
        return Err(nobody(api, Factor::Passkey, unknown()).await);
    };
    let key = api.directory.ceremonies();
    let answered = Answered { answer: &answer, sealed: &sealed };
    let work = |account: Account, with: &mut With<'_>| {
        account.sign_in_with_passkey(&api.passkeys, answered, &arrival, key, with)
    };
    Ok(api.directory.change(account.id(), |account, _, with| work(account, with)).await?)
}

/// Signs in with name and password: one call of Argon2, whoever has the name and whether anybody has.
pub(super) async fn with_password(api: &Api, browser: &Browser, name: &str, typed: &SecretText) -> Entered {
    let entered = by_password(api, browser, name, typed).await;
    counted(api, browser, name.trim().to_lowercase().as_bytes(), entered)
}

async fn by_password(api: &Api, browser: &Browser, name: &str, typed: &SecretText) -> Entered {
    let rules = api.directory.rules();
    if !rules.passwords() {
        return Err(Refused::new(Why::PasswordsOff, Next::SignIn).into());
    }
    let arrival = arrival(browser)?;
    let account = found(api.directory.staff_named(name).await)?;
    let checked = check(account.clone(), typed.clone()).await?;
    let Some(account) = account else {
        return Err(nobody(api, Factor::Password, password::unknown_name(checked, rules)).await);
    };
    let work = |account: Account, with: &mut With<'_>| {
        account.sign_in_with_password(checked.clone(), &arrival, with)
    };
    Ok(api.directory.change(account.id(), |account, _, with| work(account, with)).await?)
}

async fn check(account: Option<Account>, typed: SecretText) -> Result<Checked, Problem> {
    let _place = CHECKED_AT_ONCE.acquire().await.map_err(|_| Problem::new(Code::ShuttingDown))?;
    let work = move || password::check(account.as_ref(), typed.expose(), &Argon2id);
    let checked = tokio::task::spawn_blocking(work).await.map_err(|_| Problem::new(Code::Internal))?;
    Ok(checked?)
}

/// Comes in with a name and a recovery code.
pub(super) async fn with_recovery_code<const STAFF: bool>(
    api: &Api,
    browser: &Browser,
    name: &str,
    code: &SecretText,
) -> Entered {
    let entered = by_recovery_code::<STAFF>(api, browser, name, code).await;
    counted(api, browser, name.trim().to_lowercase().as_bytes(), entered)
}

async fn by_recovery_code<const STAFF: bool>(
    api: &Api,
    browser: &Browser,
    name: &str,
    code: &SecretText,
) -> Entered {
    let arrival = arrival(browser)?;
    let held =
        if STAFF { api.directory.staff_named(name).await } else { api.directory.customer_named(name).await };
    let Some(account) = found(held)? else {
        return Err(nobody(api, Factor::RecoveryCode, recovery::unknown_name()).await);
    };
    let keyed = api.gate.keyed();
    let work = |account: Account, with: &mut With<'_>| {
        account.sign_in_with_recovery_code(code.expose(), &arrival, keyed, with)
    };
    Ok(api.directory.change(account.id(), |account, _, with| work(account, with)).await?)
}

/// Signs in the customer whom the host site names.
pub(super) async fn from_host(api: &Api, browser: &Browser, token: &SecretText) -> Entered {
    let config = std::sync::Arc::clone(&api.gate.force.load().config);
    let door = api.host.as_ref().and_then(|door| door.now(&config)).ok_or(Code::NotFound)?;
    let (customer, caller) = door.named(api, token.expose())?;
    Ok(api.directory.sign_in_from_host(&customer, &caller, &arrival(browser)?).await?)
}

/// Opens a customer's account.
pub(super) async fn sign_up(api: &Api, browser: &Browser, name: &SecretText) -> Entered {
    let name = name.expose().trim();
    let fits = (1..=NAME_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if !fits {
        return Err(Problem::new(Code::NotAccepted).at("name"));
    }
    Ok(api.directory.sign_up(name, &arrival(browser)?).await?)
}

/// Follows an invitation.
pub(super) async fn invited(api: &Api, browser: &Browser, token: &SecretText) -> Entered {
    let (arrival, token) = (arrival(browser)?, token.expose().trim());
    let Some(account) = found(api.directory.invited(token).await)? else {
        let unknown = Refused::new(Why::InvitationUnknown, Next::AskAdministrator);
        return Err(nobody(api, Factor::Invitation, unknown).await);
    };
    let work = |account: Account, with: &mut With<'_>| account.accept_invitation(token, &arrival, with);
    Ok(api.directory.change(account.id(), |account, _, with| work(account, with)).await?)
}

// Within a session.

async fn on<T: Outcome>(
    api: &Api,
    present: &Present,
    mut work: impl FnMut(Account, &mut With<'_>) -> Change<T>,
) -> Result<(Account, T), Problem> {
    Ok(api.directory.change(present.account.id(), |account, _, with| work(account, with)).await?)
}

/// Begins to show a passkey again.
pub(super) fn begin_step_up(api: &Api, present: &Present) -> Result<Challenge, Problem> {
    let key = api.directory.ceremonies();
    let begun = api
        .directory
        .with(|with| api.passkeys.begin_step_up(&present.account, &present.session, key, with))?;
    Challenge::of(&begun)
}

/// Shows a passkey again.
pub(super) async fn step_up_passkey(api: &Api, present: &Present, given: &Answer) -> Entered {
    let answer = Assertion::parse(given.answer.to_string().as_bytes())?;
    let sealed = SealedCeremony::from_text(given.state.as_str());
    let (key, answered) = (api.directory.ceremonies(), Answered { answer: &answer, sealed: &sealed });
    on(api, present, |account, with| {
        account.step_up_with_passkey(&api.passkeys, answered, &present.session, key, with)
    })
    .await
}

/// Shows a code of the app.
pub(super) async fn step_up_app(api: &Api, present: &Present, code: &SecretText) -> Entered {
    on(api, present, |account, with| account.step_up_with_app(code.expose(), &present.session, with)).await
}

/// Shows a recovery code in the place of a second factor that is lost.
pub(super) async fn step_up_recovery_code(api: &Api, present: &Present, code: &SecretText) -> Entered {
    let keyed = api.gate.keyed();
    on(api, present, |account, with| account.recover(code.expose(), &present.session, keyed, with)).await
}

/// Begins to set up a passkey.
pub(super) fn begin_passkey(api: &Api, present: &Present) -> Result<Challenge, Problem> {
    let key = api.directory.ceremonies();
    let begun = api
        .directory
        .with(|with| api.passkeys.begin_registration(&present.account, &present.session, key, with))?;
    Challenge::of(&begun)
}

/// Sets up a passkey. Without a label it is called after the browser.
pub(super) async fn add_passkey(
    api: &Api,
    present: &Present,
    given: &Answer,
    label: Option<&SecretText>,
    headers: &HeaderMap,
) -> Result<(Account, Vec<u8>), Problem> {
    let answer = Attestation::parse(given.answer.to_string().as_bytes())?;
    let sealed = SealedCeremony::from_text(given.state.as_str());
    let (key, answered) = (api.directory.ceremonies(), Answered { answer: &answer, sealed: &sealed });
    let browser = device_words(DeviceName::of(single(headers, http::header::USER_AGENT).unwrap_or_default()));
    let given = label.map(|label| label.expose().trim()).filter(|label| !label.is_empty());
    let label = given.unwrap_or(&browser);
    let (account, id) = on(api, present, |account, with| {
        account.finish_registration(&api.passkeys, answered, label, &present.session, key, with)
    })
    .await?;
    Ok((account, id.as_slice().to_vec()))
}

/// A browser in words.
pub(super) fn device_words(name: DeviceName) -> String {
    format!("{}, {}", name.browser.name(), name.system.name())
}

/// Removes a passkey.
pub(super) async fn remove_passkey(api: &Api, present: &Present, id: &str) -> Result<(), Problem> {
    use base64::Engine as _;
    let id = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(id);
    let id = id.map_err(|_| Problem::new(Code::NotFound))?;
    on(api, present, |account, with| account.remove_passkey(&id, &present.session, with)).await.map(drop)
}

/// Makes a secret for an authenticator app.
pub(super) async fn begin_app(api: &Api, present: &Present) -> Result<AppSetup, Problem> {
    let config = std::sync::Arc::clone(&api.gate.force.load().config);
    let made =
        on(api, present, |account, with| account.begin_app(&config.identity.name, &present.session, with));
    Ok(made.await?.1)
}

/// Sets up the app with its first code.
pub(super) async fn confirm_app(api: &Api, present: &Present, code: &SecretText) -> Result<Account, Problem> {
    let done = on(api, present, |account, with| account.confirm_app(code.expose(), &present.session, with));
    Ok(done.await?.0)
}

/// Removes the app.
pub(super) async fn remove_app(api: &Api, present: &Present) -> Result<(), Problem> {
    on(api, present, |account, with| account.remove_app(&present.session, with)).await.map(drop)
}

/// Makes recovery codes.
pub(super) async fn make_codes(api: &Api, present: &Present) -> Result<ShownCodes, Problem> {
    let keyed = api.gate.keyed();
    let made = on(api, present, |account, with| account.make_recovery_codes(&present.session, keyed, with));
    Ok(made.await?.1)
}

/// Sets the password.
pub(super) async fn set_password(api: &Api, present: &Present, new: &SecretText) -> Result<Account, Problem> {
    let file = api.gate.force.load().config.identity.breached_passwords.clone();
    let unavailable = |error: std::io::Error| {
        tracing::error!(cause = %error, "the list of breached passwords cannot be read");
        Problem::new(Code::Internal)
    };
    let mut list: Box<dyn BreachList + Send> = match file {
        Some(file) => {
            let file = std::fs::File::open(file).map_err(unavailable)?;
            Box::new(HashList::new(file).map_err(unavailable)?)
        }
        None => Box::new(ShippedList),
    };
    let done = on(api, present, |account, with| {
        account.set_password(new.expose(), &present.session, &Argon2id, &mut *list, with)
    });
    Ok(done.await?.0)
}

/// Removes the password.
pub(super) async fn remove_password(api: &Api, present: &Present) -> Result<(), Problem> {
    on(api, present, |account, with| account.remove_password(&present.session, with)).await.map(drop)
}

/// Signs a browser out. True if it was this one.
pub(super) async fn sign_out(api: &Api, present: &Present, device: DeviceId) -> Result<bool, Problem> {
    let (rules, now) = (api.directory.rules(), api.directory.now());
    on(api, present, |account, _| account.sign_out(&present.session, device, rules, now)).await?;
    let this = device == present.session.device();
    if this {
        api.directory.forget_session(&present.session).await?;
    }
    Ok(this)
}

/// Signs every browser out.
pub(super) async fn sign_out_everywhere(api: &Api, present: &Present) -> Result<(), Problem> {
    let (rules, now) = (api.directory.rules(), api.directory.now());
    on(api, present, |account, _| account.sign_out_everywhere(&present.session, rules, now)).await?;
    Ok(api.directory.forget_session(&present.session).await?)
}

// Cookies.

impl<T: Serialize> Reply<T> {
    /// With the cookie of the session that was begun.
    pub(super) fn entered(self, signed_in: &SignedIn) -> Self {
        self.header(
            http::header::SET_COOKIE,
            &set_cookie(session_cookie(signed_in.session.is_staff()), &signed_in.token),
        )
    }

    /// With the cookie of the session taken away.
    pub(in crate::api) fn left(self, api: &Api) -> Self {
        self.header(http::header::SET_COOKIE, &drop_cookie(session_cookie(api.side == Side::Private)))
    }

    /// With the cookie that what is begun is bound to, where the browser had none.
    pub(super) fn before(self, token: Option<&Token>) -> Self {
        match token {
            Some(token) => self.header(http::header::SET_COOKIE, &set_cookie(PRE_SESSION_COOKIE, token)),
            None => self,
        }
    }
}

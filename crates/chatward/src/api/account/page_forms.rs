//! What the pages' forms do. What was wrong is shown on the page it was sent from; what worked leads on.

use super::doing::{self, Entered};
use super::factors::NewPassword;
use super::look::{
    AppPage, CodesPage, Frame, HelpPage, InvitationPage, SetUpPage, SignInPage, SignUpPage, about_input,
    in_fours, show,
};
use super::page;
use super::pages::{security, step_up};
use super::session::OwnThing;
use super::sign_in::{NameAndCode, NameAndPassword, NewName, OneCode, OneToken};
use crate::api::call::{Nothing, Reply};
use crate::api::{Api, Browser, Call, Open, Own, refusal};
use crate::directory::Present;
use crate::identity::session::Need;
use crate::problem::{Code, Problem};

type Answered = Result<Reply<Nothing>, Problem>;

/// Goes on to another page.
fn on_to(api: &Api, page: &str) -> Reply<Nothing> {
    Reply::see_other(&format!("{}/{page}", Frame::of(api).base))
}

/// Into the session that was begun, or back to the page with what was wrong.
fn enter(api: &Api, entered: Entered, page: &str, again: impl FnOnce(&Problem) -> Answered) -> Answered {
    match entered {
        Ok((_, signed_in)) => Ok(on_to(api, page).entered(&signed_in)),
        // As it may be told to somebody who has shown nothing yet.
        Err(problem) => retry(refusal::outward(api, problem), again),
    }
}

fn retry(problem: Problem, again: impl FnOnce(&Problem) -> Answered) -> Answered {
    if about_input(&problem) { again(&problem) } else { Err(problem) }
}

page! {
    /// `POST sign-in`
    WithPassword: POST "sign-in", "Signs in with name and password", NameAndPassword
}

impl<const STAFF: bool> Open for WithPassword<STAFF> {
    const WHY: &'static str = "nobody is known before the password was shown.";

    async fn answer(api: &Api, browser: Browser, call: Call<Self>) -> Answered {
        let NameAndPassword { name, password } = &call.body;
        let entered = doing::with_password(api, &browser, name.expose(), password).await;
        enter(api, entered, "done", |why| show(&SignInPage::of(api, Some(why)), Some(why)))
    }
}

page! {
    /// `POST help`
    WithRecoveryCode: POST "help", "Comes in with a name and a recovery code", NameAndCode
}

impl<const STAFF: bool> Open for WithRecoveryCode<STAFF> {
    const WHY: &'static str = "nobody is known before the code was shown.";

    async fn answer(api: &Api, browser: Browser, call: Call<Self>) -> Answered {
        let NameAndCode { name, code } = &call.body;
        let entered = doing::with_recovery_code::<STAFF>(api, &browser, name.expose(), code).await;
        enter(api, entered, "security", |why| {
            show(&HelpPage { f: Frame::of(api).with(Some(why)) }, Some(why))
        })
    }
}

page! {
    /// `POST sign-up`
    SignUp: POST "sign-up", "Opens a customer's account", NewName
}

impl<const STAFF: bool> Open for SignUp<STAFF> {
    const WHY: &'static str = "a new customer has nothing to show yet.";

    async fn answer(api: &Api, browser: Browser, call: Call<Self>) -> Answered {
        let entered = doing::sign_up(api, &browser, &call.body.name).await;
        let again = |why: &Problem| {
            // The two things that can be wrong with a name.
            let taken = why.reason().is_some();
            let shown =
                Problem::new(Code::NotAccepted).because(if taken { "name-taken" } else { "name-form" });
            show(&SignUpPage { f: Frame::of(api).with(Some(&shown)) }, Some(why))
        };
        enter(api, entered, "set-up", again)
    }
}

page! {
    /// `POST invitation`
    Invitation: POST "invitation", "Follows an invitation", OneToken
}

impl<const STAFF: bool> Open for Invitation<STAFF> {
    const WHY: &'static str = "the invitation says who it is.";

    async fn answer(api: &Api, browser: Browser, call: Call<Self>) -> Answered {
        let entered = doing::invited(api, &browser, &call.body.token).await;
        enter(api, entered, "set-up", |why| {
            show(&InvitationPage { f: Frame::of(api).with(Some(why)) }, Some(why))
        })
    }
}

page! {
    /// `POST step-up/app`
    StepUpApp: POST "step-up/app", "Shows a code of the authenticator app", OneCode
}

impl<const STAFF: bool> Own for StepUpApp<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, call: Call<Self>) -> Answered {
        match doing::step_up_app(api, &present, &call.body.code).await {
            Ok((_, signed_in)) => Ok(on_to(api, "done").entered(&signed_in)),
            Err(problem) => retry(problem, |why| step_up(api, &present, Some(why))),
        }
    }
}

page! {
    /// `POST step-up/recovery-code`
    StepUpRecoveryCode: POST "step-up/recovery-code", "Shows a recovery code in a lost factor's place", OneCode
}

impl<const STAFF: bool> Own for StepUpRecoveryCode<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, call: Call<Self>) -> Answered {
        match doing::step_up_recovery_code(api, &present, &call.body.code).await {
            Ok((_, signed_in)) => Ok(on_to(api, "security").entered(&signed_in)),
            Err(problem) => retry(problem, |why| step_up(api, &present, Some(why))),
        }
    }
}

page! {
    /// `POST app`: the secret is on the answer, once.
    BeginApp: POST "app", "Makes a secret for an authenticator app, and shows it once", Nothing
}

impl<const STAFF: bool> Own for BeginApp<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, _: Call<Self>) -> Answered {
        let setup = match doing::begin_app(api, &present).await {
            Ok(setup) => setup,
            Err(problem) => return retry(problem, |why| security(api, &present, Some(why))),
        };
        let shown = Some((setup.uri.to_string(), in_fours(&setup.secret)));
        show(&AppPage { f: Frame::within(api, &present), shown }, None)
    }
}

page! {
    /// `POST app/confirm`
    ConfirmApp: POST "app/confirm", "Sets up the authenticator app with its first code", OneCode
}

impl<const STAFF: bool> Own for ConfirmApp<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, call: Call<Self>) -> Answered {
        match doing::confirm_app(api, &present, &call.body.code).await {
            Ok(_) => Ok(on_to(api, "security")),
            Err(problem) => retry(problem, |why| {
                show(&AppPage { f: Frame::within(api, &present).with(Some(why)), shown: None }, Some(why))
            }),
        }
    }
}

/// Does something with one's own account, and shows it again.
async fn changed(
    api: &Api,
    present: &Present,
    done: impl Future<Output = Result<(), Problem>> + Send,
) -> Answered {
    match done.await {
        Ok(()) => Ok(on_to(api, "security")),
        Err(problem) => retry(problem, |why| security(api, present, Some(why))),
    }
}

page! {
    /// `POST app/remove`
    RemoveApp: POST "app/remove", "Removes the authenticator app", Nothing
}

impl<const STAFF: bool> Own for RemoveApp<STAFF> {
    const NEED: Need = Need::Fresh;

    async fn answer(api: &Api, present: Present, _: Call<Self>) -> Answered {
        changed(api, &present, doing::remove_app(api, &present)).await
    }
}

page! {
    /// `POST passkeys/remove`
    RemovePasskey: POST "passkeys/remove", "Removes a passkey", OwnThing
}

impl<const STAFF: bool> Own for RemovePasskey<STAFF> {
    const NEED: Need = Need::Fresh;

    async fn answer(api: &Api, present: Present, call: Call<Self>) -> Answered {
        changed(api, &present, doing::remove_passkey(api, &present, &call.body.id)).await
    }
}

page! {
    /// `POST recovery-codes`: the codes are on the answer, once.
    RecoveryCodes: POST "recovery-codes", "Makes recovery codes, and shows them once", Nothing
}

impl<const STAFF: bool> Own for RecoveryCodes<STAFF> {
    const NEED: Need = Need::Fresh;

    async fn answer(api: &Api, present: Present, _: Call<Self>) -> Answered {
        let made = doing::make_codes(api, &present).await?;
        let codes = made.expose().map(str::to_owned).collect();
        show(&CodesPage { f: Frame::within(api, &present), codes }, None)
    }
}

page! {
    /// `POST password`
    SetPassword: POST "password", "Sets the password", NewPassword
}

impl<const STAFF: bool> Own for SetPassword<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, call: Call<Self>) -> Answered {
        match doing::set_password(api, &present, &call.body.password).await {
            Ok(_) => Ok(on_to(api, "security")),
            Err(problem) if present.account.is_complete(api.directory.now()) => {
                retry(problem, |why| security(api, &present, Some(why)))
            }
            Err(problem) => retry(problem, |why| show(&SetUpPage::of(api, &present, Some(why)), Some(why))),
        }
    }
}

page! {
    /// `POST password/remove`
    RemovePassword: POST "password/remove", "Removes the password", Nothing
}

impl<const STAFF: bool> Own for RemovePassword<STAFF> {
    const NEED: Need = Need::Fresh;

    async fn answer(api: &Api, present: Present, _: Call<Self>) -> Answered {
        changed(api, &present, doing::remove_password(api, &present)).await
    }
}

page! {
    /// `POST devices/sign-out`
    SignOutDevice: POST "devices/sign-out", "Signs another browser out", OwnThing
}

impl<const STAFF: bool> Own for SignOutDevice<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, call: Call<Self>) -> Answered {
        let device = call.body.id.parse().map_err(|_| Problem::new(Code::NotFound))?;
        if doing::sign_out(api, &present, device).await? {
            return Ok(on_to(api, "sign-in").left(api));
        }
        Ok(on_to(api, "security"))
    }
}

page! {
    /// `POST sign-out`
    SignOut: POST "sign-out", "Ends this session", Nothing
}

impl<const STAFF: bool> Own for SignOut<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, _: Call<Self>) -> Answered {
        doing::sign_out(api, &present, present.session.device()).await?;
        Ok(on_to(api, "sign-in").left(api))
    }
}

page! {
    /// `POST sign-out-everywhere`
    SignOutEverywhere: POST "sign-out-everywhere", "Ends every session of the account", Nothing
}

impl<const STAFF: bool> Own for SignOutEverywhere<STAFF> {
    const NEED: Need = Need::Security;

    async fn answer(api: &Api, present: Present, _: Call<Self>) -> Answered {
        doing::sign_out_everywhere(api, &present).await?;
        Ok(on_to(api, "sign-in").left(api))
    }
}

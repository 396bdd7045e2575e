//! How the pages look: templates, filled with words and facts.

use std::fmt::Write as _;
use std::sync::Arc;

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use chatward_message::UnixMillis;
use chrono::{DateTime, SecondsFormat, Utc};
use http::{HeaderValue, StatusCode, header};

use super::doing;
use crate::api::call::{Answer, Nothing, Reply};
use crate::api::centre::{Link, PAGES, back_cookie};
use crate::api::{Api, Side};
use crate::directory::Present;
use crate::identity::Account;
use crate::identity::account::Trust;
use crate::identity::choices::{self, Audience, Choice};
use crate::identity::outcome::Next;
use crate::identity::session::{drop_cookie, session_cookie};
use crate::pages::{Language, PagesError, Words, assets};
use crate::problem::{Code, Problem};

/// What the pages are made of.
#[derive(Clone)]
pub(crate) struct Look {
    /// The words.
    pub(in crate::api) words: &'static Words,
    /// Where the files are.
    pub(in crate::api) assets: Arc<str>,
}

impl Look {
    /// Reads the texts.
    ///
    /// # Errors
    ///
    /// If the texts are unsound: a fault of ours.
    pub(crate) fn new() -> Result<Self, PagesError> {
        for language in Language::ALL {
            Words::of(language)?;
        }
        Ok(Self { words: Words::of(Language::English)?, assets: assets().into() })
    }

    /// The same in another language.
    pub(crate) fn spoken(&self, language: Language) -> Self {
        // All of them were read at the start.
        let words = Words::of(language).unwrap_or(self.words);
        Self { words, assets: Arc::clone(&self.assets) }
    }
}

/// What every page has.
pub(super) struct Frame<'a> {
    /// The words.
    pub(super) w: &'a Words,
    /// Where the files are.
    pub(super) assets: &'a str,
    /// What the house is called.
    pub(super) house: String,
    /// Where the pages are: `/account` or `/staff`.
    pub(super) base: &'static str,
    /// Where the routes are that the pages' script talks to.
    pub(super) routes: &'static str,
    /// Whether they are for staff.
    pub(super) staff: bool,
    /// The page of the navigation that they belong to.
    pub(super) here: &'static str,
    /// What went wrong with what was sent a moment ago.
    pub(super) error: Option<String>,
    /// The token of the session's forms, within a session.
    pub(super) form: String,
}

/// A moment, for people and for programs.
pub(in crate::api) struct When {
    /// `2026-11-25 22:15 UTC`
    pub(in crate::api) plain: String,
    /// `2026-11-25`
    pub(in crate::api) day: String,
    /// RFC 3339.
    pub(in crate::api) exact: String,
}

impl When {
    pub(in crate::api) fn of(at: UnixMillis) -> Self {
        let at =
            i64::try_from(at.0).ok().and_then(DateTime::<Utc>::from_timestamp_millis).unwrap_or_default();
        Self {
            plain: at.format("%Y-%m-%d %H:%M UTC").to_string(),
            day: at.format("%Y-%m-%d").to_string(),
            exact: at.to_rfc3339_opts(SecondsFormat::Secs, true),
        }
    }
}

impl<'a> Frame<'a> {
    /// Outside a session.
    pub(super) fn of(api: &'a Api) -> Self {
        let staff = api.side == Side::Private;
        Self {
            w: api.look.words,
            assets: &api.look.assets,
            house: api.gate.force.load().config.identity.name.clone(),
            base: if staff { "/staff" } else { "/account" },
            routes: if staff { "/admin/v1" } else { "/me/v1" },
            staff,
            here: "/account/security",
            error: None,
            form: String::new(),
        }
    }

    /// Within a session.
    pub(super) fn within(api: &'a Api, present: &Present) -> Self {
        Self { form: present.session.form_token(), ..Self::of(api) }
    }

    /// The navigation of what customers have.
    #[expect(clippy::unused_self, reason = "templates ask the frame")]
    fn pages(&self) -> &'static [Link] {
        &PAGES
    }

    /// The languages to choose from.
    #[expect(clippy::unused_self, reason = "templates ask the frame")]
    fn languages(&self) -> &'static [Language] {
        &Language::OFFERED
    }

    /// With what went wrong.
    pub(super) fn with(self, error: Option<&Problem>) -> Self {
        let error = error.map(|problem| self.says(problem));
        Self { error, ..self }
    }

    /// A problem in words for people.
    fn says(&self, problem: &Problem) -> String {
        let of = |code: &str| self.w.maybe(&format!("why-{code}"));
        let found = problem.reason().and_then(of).or_else(|| of(problem.code().as_str()));
        found.or_else(|| of("internal")).unwrap_or_default().to_owned()
    }
}

/// A page as an answer.
pub(in crate::api) fn show(page: &impl Template, error: Option<&Problem>) -> Result<Reply<Nothing>, Problem> {
    let reply = Reply::page(rendered(page)?);
    Ok(match error {
        // Not 401 and its like: those speak of the page, this of what was typed into it.
        Some(problem) if problem.code().status_number() < 500 => {
            reply.status(StatusCode::UNPROCESSABLE_ENTITY)
        }
        Some(problem) => reply.status(problem.code().status()),
        None => reply,
    })
}

fn rendered(page: &impl Template) -> Result<String, Problem> {
    page.render().map_err(|error| {
        tracing::error!(cause = %error, "a page cannot be shown");
        Code::Internal.into()
    })
}

/// The problems that are about what was typed: the form is shown again with them.
pub(super) fn about_input(problem: &Problem) -> bool {
    matches!(
        problem.code(),
        Code::SignInFailed | Code::NotAccepted | Code::NotNow | Code::InvitationOver | Code::StartOver
    )
}

/// A problem as a page of its own.
pub(in crate::api) fn problem_page(
    api: &Api,
    problem: &Problem,
    back: &'static str,
) -> Result<Response, Problem> {
    let frame = Frame::of(api);
    let no_session = matches!(problem.code(), Code::SignInNeeded | Code::MissingToken);
    let to = match problem.next() {
        _ if no_session => Some("sign-in"),
        Some(Next::SetUpSecondFactor) => Some("set-up"),
        _ if problem.code() == Code::SecondFactorNeeded => Some("step-up"),
        _ => None,
    };
    if let Some(to) = to {
        let mut there = Answer::see_other(&format!("{}/{to}", frame.base));
        if no_session {
            // The cookie of a session that is over would be in the way of the next.
            there.add_header(header::SET_COOKIE, &drop_cookie(session_cookie(frame.staff)));
        }
        if let Some(cookie) = back_cookie(back) {
            there.add_header(header::SET_COOKIE, &cookie);
        }
        return there.into_response(303);
    }
    let says = frame.says(problem);
    let page = ProblemPage { says, code: problem.code().as_str(), back, f: frame };
    let mut response = rendered(&page)?.into_response();
    *response.status_mut() = problem.code().status();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Some(wait) = problem.wait_seconds() {
        response.headers_mut().insert(header::RETRY_AFTER, wait.into());
    }
    Ok(response)
}

#[derive(Template)]
#[template(path = "account/problem.html")]
struct ProblemPage<'a> {
    f: Frame<'a>,
    says: String,
    code: &'static str,
    /// The page of the Privacy Centre that it belongs to.
    back: &'static str,
}

#[derive(Template)]
#[template(path = "account/sign_in.html")]
pub(super) struct SignInPage<'a> {
    pub(super) f: Frame<'a>,
    pub(super) password: bool,
    pub(super) provider: bool,
}

impl<'a> SignInPage<'a> {
    pub(super) fn of(api: &'a Api, error: Option<&Problem>) -> Self {
        let f = Frame::of(api).with(error);
        let audience = if f.staff { Audience::Staff } else { Audience::Customers };
        let offered = choices::for_anyone(audience, api.directory.rules());
        Self {
            f,
            password: offered.contains(&Choice::Password),
            provider: offered.contains(&Choice::SingleSignOn),
        }
    }
}

#[derive(Template)]
#[template(path = "account/sign_up.html")]
pub(super) struct SignUpPage<'a> {
    pub(super) f: Frame<'a>,
}

#[derive(Template)]
#[template(path = "account/help.html")]
pub(super) struct HelpPage<'a> {
    pub(super) f: Frame<'a>,
}

#[derive(Template)]
#[template(path = "account/invitation.html")]
pub(super) struct InvitationPage<'a> {
    pub(super) f: Frame<'a>,
}

#[derive(Template)]
#[template(path = "account/set_up.html")]
pub(super) struct SetUpPage<'a> {
    pub(super) f: Frame<'a>,
    pub(super) app: bool,
    pub(super) password: bool,
    pub(super) passwords: bool,
}

impl<'a> SetUpPage<'a> {
    pub(super) fn of(api: &'a Api, present: &Present, error: Option<&Problem>) -> Self {
        let f = Frame::within(api, present).with(error);
        Self {
            app: present.account.app().is_some(),
            password: present.account.has_password(),
            passwords: f.staff && api.directory.rules().passwords(),
            f,
        }
    }
}

#[derive(Template)]
#[template(path = "account/step_up.html")]
pub(super) struct StepUpPage<'a> {
    pub(super) f: Frame<'a>,
    /// What can be shown, the best first: `passkey`, `app`, `recovery-code`.
    pub(super) choices: Vec<&'static str>,
    /// When something that was set up after a recovery begins to count.
    pub(super) wait: Option<When>,
}

impl<'a> StepUpPage<'a> {
    pub(super) fn of(
        api: &'a Api,
        present: &Present,
        choices: &[Choice],
        wait: Option<UnixMillis>,
        error: Option<&Problem>,
    ) -> Self {
        let f = Frame::within(api, present).with(error);
        Self { f, choices: choices.iter().map(|choice| choice.name()).collect(), wait: wait.map(When::of) }
    }
}

#[derive(Template)]
#[template(path = "account/app.html")]
pub(super) struct AppPage<'a> {
    pub(super) f: Frame<'a>,
    /// For a link, and for typing, in groups of four; shown once.
    pub(super) shown: Option<(String, String)>,
}

/// In groups of four, as people type it.
pub(super) fn in_fours(secret: &str) -> String {
    let mut text = String::with_capacity(secret.len() + secret.len() / 4);
    for (n, letter) in secret.chars().enumerate() {
        if n > 0 && n % 4 == 0 {
            text.push(' ');
        }
        let _ = text.write_char(letter);
    }
    text
}

#[derive(Template)]
#[template(path = "account/codes.html")]
pub(super) struct CodesPage<'a> {
    pub(super) f: Frame<'a>,
    pub(super) codes: Vec<String>,
}

/// A passkey in the list.
pub(super) struct PasskeyRow {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) added: When,
    pub(super) used: Option<When>,
    pub(super) cloned: bool,
    /// From when on it counts, if it waits.
    pub(super) from: Option<When>,
    pub(super) unconfirmed: bool,
}

/// A browser in the list.
pub(super) struct DeviceRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) since: When,
    pub(super) seen: When,
    pub(super) this: bool,
}

#[derive(Template)]
#[template(path = "account/security.html")]
pub(super) struct SecurityPage<'a> {
    pub(super) f: Frame<'a>,
    pub(super) name: String,
    pub(super) passkeys: Vec<PasskeyRow>,
    pub(super) app: Option<When>,
    pub(super) codes: Option<usize>,
    pub(super) passwords: bool,
    pub(super) password: bool,
    pub(super) devices: Vec<DeviceRow>,
    /// Whether a second factor was shown a moment ago, or there is none to show.
    pub(super) may_change: bool,
    /// Whether nothing is set up that is a second factor.
    pub(super) bare: bool,
}

impl<'a> SecurityPage<'a> {
    pub(super) fn of(api: &'a Api, present: &Present, error: Option<&Problem>) -> Self {
        let Present { account, session } = present;
        let (rules, now) = (api.directory.rules(), api.directory.now());
        let f = Frame::within(api, present).with(error);
        let bare = !account.has_second_factor();
        let devices = account.devices().iter().map(|device| DeviceRow {
            id: device.id.to_string(),
            name: doing::device_words(device.name),
            since: When::of(device.first_seen),
            seen: When::of(device.last_seen),
            this: device.id == session.device(),
        });
        Self {
            name: account.name().expose().to_owned(),
            passkeys: passkey_rows(account, now),
            app: account.app().map(|app| When::of(app.added())),
            codes: account.recovery_codes_left(),
            passwords: f.staff && rules.passwords(),
            password: account.has_password(),
            devices: devices.collect(),
            may_change: bare || session.is_recovered() || session.second_factor_since(rules, now).is_some(),
            bare,
            f,
        }
    }
}

fn passkey_rows(account: &Account, now: UnixMillis) -> Vec<PasskeyRow> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let row = |entry: &crate::identity::passkey::PasskeyEntry| PasskeyRow {
        id: URL_SAFE_NO_PAD.encode(entry.id().as_slice()),
        label: entry.label().expose().to_owned(),
        added: When::of(entry.added()),
        used: entry.last_used().map(When::of),
        cloned: entry.is_cloned(),
        from: match entry.trust() {
            Trust::From(then) if then > now => Some(When::of(then)),
            _ => None,
        },
        unconfirmed: entry.trust() == Trust::Unconfirmed,
    };
    account.passkeys().iter().map(row).collect()
}

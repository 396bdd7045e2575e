//! Codes of an authenticator app: time-based one-time passwords (RFC 6238: SHA-1, six digits, thirty seconds).
//!
//! A code counts for its own step and one to either side, and once: the last step that was accepted is kept, and nothing
//! at or before it is accepted again.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use chatward_message::{Action, Factor, UnixMillis};
use serde::{Deserialize, Serialize};
use totp_rs::{Algorithm, Builder, Totp};
use zeroize::Zeroizing;

use super::account::{Account, Trust};
use super::outcome::{Change, Draft, Next, Refused, Why};
use super::rules::{With, after};
use super::secret::Secret;
use super::session::{Need, Session, Shown, SignedIn};
use super::staff::set_up_at_last;
use super::tries::Brought;

/// Seconds of one step.
const STEP: u64 = 30;
/// Digits of a code.
const DIGITS: usize = 6;
/// How long a secret waits for its first code.
const PENDING: u64 = 15 * 60_000;

/// The authenticator app of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    secret: Secret<20>,
    /// The step of the code that was accepted last.
    last_step: u64,
    added: UnixMillis,
    pub(super) trust: Trust,
}

impl App {
    /// Since when.
    pub fn added(&self) -> UnixMillis {
        self.added
    }

    /// From when on its codes count as a second factor.
    pub fn trust(&self) -> Trust {
        self.trust
    }
}

/// A secret that was shown; nothing says yet that an app has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingApp {
    secret: Secret<20>,
    until: UnixMillis,
    trust: Trust,
}

/// What an app needs to know: shown once.
pub struct AppSetup {
    /// For a QR code.
    pub uri: Zeroizing<String>,
    /// For typing: base32.
    pub secret: Zeroizing<String>,
}

impl std::fmt::Debug for AppSetup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AppSetup(..)")
    }
}

impl Account {
    /// Makes a secret for an authenticator app. It counts once a code of it was typed.
    pub fn begin_app(self, issuer: &str, session: &Session, with: &mut With<'_>) -> Change<AppSetup> {
        Draft::run(self, with.now, |draft| {
            draft.account.may_add_factor(session, with)?;
            if draft.account.app.is_some() && session.recovered {
                // Who came in with a recovery code alone must not put a new app in the place of the old one.
                return Err(Refused::new(Why::AlreadySetUp, Next::AskAdministrator));
            }
            let secret = Secret::random(with.random)?;
            let totp = totp(&secret, issuer, draft.account.name.expose())?;
            let setup = AppSetup {
                uri: Zeroizing::new(totp.to_url().map_err(|_| unavailable())?),
                secret: Zeroizing::new(totp.secret().to_base32()),
            };
            let trust = draft.account.trust_of_new(session, with);
            draft.account.pending_app = Some(PendingApp { secret, until: after(with.now, PENDING), trust });
            Ok(setup)
        })
    }

    /// Sets up the app with its first code.
    pub fn confirm_app(self, code: &str, session: &Session, with: &mut With<'_>) -> Change<()> {
        Draft::run(self, with.now, |draft| {
            draft.account.may_add_factor(session, with)?;
            let pending = draft.account.pending_app.clone().filter(|pending| pending.until >= with.now);
            let Some(PendingApp { secret, trust, .. }) = pending else {
                return Err(Refused::new(Why::NotSetUp, Next::StartOver));
            };
            // Whoever sits here has just seen the secret: nothing can be guessed, so nothing is counted.
            let last_step = matching_step(&secret, code, with.now, None)
                .map_err(|why| Refused::new(why, Next::TryAgain))?;
            draft.account.app = Some(App { secret, last_step, added: with.now, trust });
            draft.account.pending_app = None;
            draft.account.tries.forget(Factor::App);
            draft.note_factor(Action::FactorAdded, Factor::App);
            set_up_at_last(draft);
            Ok(())
        })
    }

    /// Shows a code within a session.
    pub fn step_up_with_app(self, code: &str, session: &Session, with: &mut With<'_>) -> Change<SignedIn> {
        Draft::run(self, with.now, |draft| {
            session.meets(Need::Security, &draft.account, with.rules, with.now)?;
            if draft.account.app.is_none() {
                return Err(draft.account.nothing_set_up(session, with));
            }
            draft.account.may_guess(with.rules, with.now).map_err(|no| draft.failed(Factor::App, no))?;
            let Some(app) = &mut draft.account.app else { return Err(unavailable()) };
            let step = match matching_step(&app.secret, code, with.now, Some(app.last_step)) {
                Ok(step) => step,
                Err(why) => return Err(draft.wrong(Factor::App, why)),
            };
            app.last_step = step;
            let trusted = app.trust.holds(with.now);
            draft.keep();
            let shown = Shown { factor: Factor::App, at: with.now, trusted, device_bound: false };
            let stepped = session.step_up(draft, shown, with)?;
            draft.account.forgive(&stepped.session);
            draft.note_factor(Action::SteppedUp, Factor::App);
            Ok(stepped)
        })
    }

    /// Removes the app.
    pub fn remove_app(self, session: &Session, with: &mut With<'_>) -> Change<()> {
        Draft::run(self, with.now, |draft| {
            session.meets(Need::Fresh, &draft.account, with.rules, with.now)?;
            if draft.account.app.take().is_none() {
                return Err(Refused::new(Why::NotSetUp, Next::StartOver));
            }
            draft.account.still_complete(with.now)?;
            draft.note_factor(Action::FactorRemoved, Factor::App);
            Ok(())
        })
    }
}

impl Draft {
    /// Counts a failed try, writes down what came of it, and says what to do next.
    pub(super) fn wrong(&mut self, factor: Factor, why: Why) -> Refused {
        let brought = self.account.tries.fail(factor, self.now);
        self.keep();
        let refused = self.failed(factor, Refused::new(why, Next::TryAgain));
        match brought {
            Brought::Nothing => {}
            Brought::Pause => self.note_factor(Action::TriesPaused, factor),
            Brought::End => self.note_factor(Action::TriesUsedUp, factor),
        }
        refused
    }
}

/// The step whose code this is. All three are computed and compared, whatever the outcome.
fn matching_step(secret: &Secret<20>, code: &str, now: UnixMillis, last: Option<u64>) -> Result<u64, Why> {
    let digits: Zeroizing<String> =
        Zeroizing::new(code.chars().filter(|c| !c.is_whitespace()).take(DIGITS + 1).collect());
    if digits.len() != DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Why::WrongCode);
    }
    let totp = totp(secret, "x", "x").map_err(|_| Why::Unavailable)?;
    let step = now.0 / 1000 / STEP;
    let mut matching = None;
    for step in [step.saturating_sub(1), step, step.saturating_add(1)] {
        let expected = Zeroizing::new(totp.generate(step.saturating_mul(STEP)).to_string());
        if verify_slices_are_equal(expected.as_bytes(), digits.as_bytes()).is_ok() {
            matching = Some(step);
        }
    }
    match (matching, last) {
        (None, _) => Err(Why::WrongCode),
        (Some(step), Some(last)) if step <= last => Err(Why::CodeUsed),
        (Some(step), _) => Ok(step),
    }
}

fn totp(secret: &Secret<20>, issuer: &str, name: &str) -> Result<Totp, Refused> {
    // A colon parts issuer and name in the address (it is not allowed in either).
    let plain = |text: &str| text.replace(':', " ");
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(1)
        .with_step_duration(STEP)
        .with_secret(secret.expose().to_vec())
        .with_issuer(Some(plain(issuer)))
        .with_account_name(plain(name))
        .build()
        .map_err(|_| unavailable())
}

fn unavailable() -> Refused {
    Refused::new(Why::Unavailable, Next::TryLater)
}

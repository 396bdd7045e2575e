//! What an operation gives: the changed account, what came of it, and the events to write with it.

use chatward_message::{Action, Event, Factor, Facts, UnixMillis};

use super::account::Account;
use super::choices::Choice;
use crate::caller::NoRandom;

/// What an operation gives. Whatever came of it, account and events are written together, in one transaction that fails
/// if the account is no longer at the revision it was read at; only then is the outcome told.
#[derive(Debug)]
#[must_use]
pub struct Change<T> {
    /// The account as it is now. Its revision is one higher than before if there is anything to write.
    pub account: Account,
    /// What came of it.
    pub outcome: Result<T, Refused>,
    /// What to write to the audit log.
    pub events: Vec<Event>,
}

/// An operation on its way. A refusal undoes what was changed since the last [`keep`](Draft::keep).
pub(super) struct Draft {
    pub(super) account: Account,
    pub(super) now: UnixMillis,
    kept: Account,
    events: Vec<Event>,
}

impl Draft {
    /// Does the work on the account and closes the books.
    pub(super) fn run<T>(
        account: Account,
        now: UnixMillis,
        work: impl FnOnce(&mut Self) -> Result<T, Refused>,
    ) -> Change<T> {
        let mut draft = Self { kept: account.clone(), account, now, events: Vec::new() };
        draft.account.forget_used(now);
        let outcome = work(&mut draft);
        let Self { mut account, kept, events, .. } = draft;
        if outcome.is_err() {
            account = kept;
        }
        if outcome.is_ok() || !events.is_empty() {
            account.revision = account.revision.saturating_add(1);
        }
        Change { account, outcome, events }
    }

    /// What has changed so far stays, also if the operation is refused: a failed try, a passkey that was copied.
    pub(super) fn keep(&mut self) {
        self.kept = self.account.clone();
    }

    /// Writes an event about the account.
    pub(super) fn note(&mut self, action: Action, facts: Facts) {
        self.events.push(self.account.event(self.now, action, facts));
    }

    /// Writes an event about something that signs in.
    pub(super) fn note_factor(&mut self, action: Action, factor: Factor) {
        self.note(action, Facts { factor: Some(factor), ..Facts::default() });
    }

    /// Refuses a sign-in or a second factor, and writes down why.
    pub(super) fn failed(&mut self, factor: Factor, refused: Refused) -> Refused {
        let reason = Some(refused.why.code());
        self.note(Action::SignInFailed, Facts { factor: Some(factor), reason, ..Facts::default() });
        refused
    }
}

/// A refusal: why, and what to do next. There is no refusal without a next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why, exactly. What may be told of it is [`Why::outward`].
    pub why: Why,
    /// What whoever was refused can do.
    pub next: Next,
}

impl Refused {
    pub(crate) fn new(why: Why, next: Next) -> Self {
        Self { why, next }
    }
}

impl Refused {
    /// What is told to a browser that has not shown anything yet: the same code and the same next steps whether or not
    /// somebody has this name. `anyone` is [`for_anyone`](super::choices::for_anyone).
    pub fn outward(&self, anyone: &[Choice]) -> (&'static str, Next) {
        let code = self.why.outward();
        let next = if code == self.why.code() { self.next.clone() } else { Next::Show(anyone.to_vec()) };
        (code, next)
    }
}

impl From<NoRandom> for Refused {
    fn from(_: NoRandom) -> Self {
        Self::new(Why::Unavailable, Next::TryLater)
    }
}

/// What to do after a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Look at what was typed, and try again.
    TryAgain,
    /// Try again later: the fault is ours.
    TryLater,
    /// Wait until then; meanwhile one of these works (none of them may be there).
    Wait {
        /// Until when.
        until: UnixMillis,
        /// What works now.
        meanwhile: Vec<Choice>,
    },
    /// Show one of these, the first is the best.
    Show(Vec<Choice>),
    /// Go back to the page where this began: it begins anew.
    StartOver,
    /// Sign in.
    SignIn,
    /// Set up a passkey or an authenticator app.
    SetUpSecondFactor,
    /// Set up another one first.
    AddAnother,
    /// Remove one first.
    RemoveOne,
    /// Choose another password.
    ChooseAnother,
    /// Ask an administrator of the house.
    AskAdministrator,
    /// Ask another administrator: nobody does this to the own account.
    AskAnotherAdministrator,
    /// Ask the site that sent you here.
    AskHostSite,
    /// Ask whoever made the key for a new one.
    AskForKey,
}

impl Next {
    /// The word for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TryAgain => "try-again",
            Self::TryLater => "try-later",
            Self::Wait { .. } => "wait",
            Self::Show(_) => "show",
            Self::StartOver => "start-over",
            Self::SignIn => "sign-in",
            Self::SetUpSecondFactor => "set-up-second-factor",
            Self::AddAnother => "add-another",
            Self::RemoveOne => "remove-one",
            Self::ChooseAnother => "choose-another",
            Self::AskAdministrator => "ask-administrator",
            Self::AskAnotherAdministrator => "ask-another-administrator",
            Self::AskHostSite => "ask-host-site",
            Self::AskForKey => "ask-for-key",
        }
    }
}

macro_rules! whys {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)+) => {
        /// Why something was refused. The codes are stable; they stand in the audit log and in `docs/identity.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Why { $($(#[$doc])* $name,)+ }

        impl Why {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable code, for the audit log and for people who are signed in.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }
        }
    };
}

whys! {
    /// Nobody has this name. Told like a wrong password.
    UnknownName = "unknown-name",
    /// The account has no password. Told like a wrong password.
    NoPassword = "no-password",
    /// A wrong password.
    WrongPassword = "wrong-password",
    /// Not the code of this moment.
    WrongCode = "wrong-code",
    /// A code that was accepted before, or one older than that.
    CodeUsed = "code-used",
    /// Not one of the recovery codes that are left.
    WrongRecoveryCode = "wrong-recovery-code",
    /// Ten tries failed in a row.
    Paused = "tries-paused",
    /// A hundred tries failed in all.
    TriesUsedUp = "tries-used-up",
    /// The account is locked.
    Locked = "account-locked",
    /// The account was closed.
    Closed = "account-closed",
    /// The account is not set up yet.
    NotActive = "account-not-active",
    /// What was begun is not of this browser, this account or this house.
    OtherCeremony = "ceremony-of-another",
    /// What was begun more than five minutes ago.
    CeremonyExpired = "ceremony-expired",
    /// What was begun has been finished before.
    CeremonyUsed = "ceremony-used",
    /// Not the answer of a browser.
    BadAnswer = "bad-answer",
    /// A passkey of another origin.
    PasskeyOrigin = "passkey-wrong-origin",
    /// A passkey of another site.
    PasskeySite = "passkey-wrong-site",
    /// The device did not check its user.
    PasskeyUnverified = "passkey-user-not-verified",
    /// No passkey of this account.
    PasskeyUnknown = "passkey-unknown",
    /// The signature or anything else about it is wrong.
    PasskeyForged = "passkey-wrong",
    /// Its counter shows that there are two of it.
    PasskeyCloned = "passkey-cloned",
    /// This passkey is set up already.
    PasskeyKnown = "passkey-known",
    /// Says that it is bound to its device and was not before, or the other way round.
    PasskeyChanged = "passkey-changed",
    /// No session belongs to this cookie.
    NoSession = "session-unknown",
    /// The session was not used for too long.
    SessionIdle = "session-idle",
    /// The session is as old as a session may be.
    SessionOver = "session-over",
    /// The session was ended: signed out, or signed out everywhere.
    SessionEnded = "session-ended",
    /// A second factor is needed.
    NeedSecondFactor = "second-factor-needed",
    /// A second factor is needed that was shown a moment ago.
    NeedFreshFactor = "second-factor-stale",
    /// A passkey is needed that cannot leave its device.
    NeedDeviceBound = "device-bound-passkey-needed",
    /// What was set up after a recovery has to wait.
    FactorWaits = "factor-waits",
    /// What was set up after a recovery has to be confirmed by somebody else.
    FactorUnconfirmed = "factor-unconfirmed",
    /// The account could not do without this.
    LastSecondFactor = "last-second-factor",
    /// Nothing of the kind is set up.
    NotSetUp = "not-set-up",
    /// It is set up already.
    AlreadySetUp = "already-set-up",
    /// There are as many as there may be.
    TooMany = "too-many",
    /// Only an administrator does this.
    NotAdministrator = "not-administrator",
    /// Nobody does this to the own account.
    OwnAccount = "own-account",
    /// Somebody has to be left who can do this.
    LastAdministrator = "last-administrator",
    /// Of another house. Told as if there were nothing.
    OtherTenant = "other-tenant",
    /// Only for members of staff.
    NotStaff = "not-staff",
    /// The invitation is used, withdrawn or made up.
    InvitationUnknown = "invitation-unknown",
    /// The invitation is too old.
    InvitationExpired = "invitation-expired",
    /// Fewer than twelve characters.
    PasswordShort = "password-short",
    /// More than 256 characters.
    PasswordLong = "password-long",
    /// Known from a breach.
    PasswordBreached = "password-breached",
    /// It holds the name it belongs to, or ours.
    PasswordName = "password-holds-name",
    /// Passwords are switched off here.
    PasswordsOff = "passwords-off",
    /// The request came from another site.
    CrossSite = "cross-site",
    /// The form's token is not that of this session.
    FormToken = "form-token",
    /// Not a token of the agreed form.
    TokenForm = "token-form",
    /// The token is longer than any real one.
    TokenSize = "token-size",
    /// The token's algorithm is not one of those agreed, or not that of the key.
    TokenAlgorithm = "token-algorithm",
    /// No key fits the token.
    TokenKey = "token-key",
    /// The signature is wrong.
    TokenSignature = "token-signature",
    /// Issued by somebody else.
    TokenIssuer = "token-issuer",
    /// Meant for somebody else.
    TokenAudience = "token-audience",
    /// Too old.
    TokenExpired = "token-expired",
    /// Not valid yet.
    TokenEarly = "token-early",
    /// Valid for longer than agreed.
    TokenLifetime = "token-lifetime",
    /// It names nobody, or in a form that is not allowed.
    TokenSubject = "token-subject",
    /// It is not of the sign-in that was begun.
    TokenNonce = "token-nonce",
    /// The identity provider refused.
    ProviderRefused = "provider-refused",
    /// Not the person this account belongs to.
    OtherPerson = "other-person",
    /// The conversation is not this browser's, or somebody else's already.
    NotYourConversation = "not-your-conversation",
    /// No service account has this key.
    ServiceKeyUnknown = "service-key-unknown",
    /// The key has expired.
    ServiceKeyExpired = "service-key-expired",
    /// The key was not made for this.
    ServiceScope = "service-scope",
    /// Longer than a key may live, or without an end.
    ServiceLifetime = "service-key-lifetime",
    /// Something on our side did not work.
    Unavailable = "unavailable",
}

impl Why {
    /// What may be told to somebody who has not shown anything yet: whether a name is known, has a password, or waits,
    /// is told to nobody.
    pub const fn outward(self) -> &'static str {
        match self {
            Self::UnknownName
            | Self::NoPassword
            | Self::WrongPassword
            | Self::WrongRecoveryCode
            | Self::Paused
            | Self::TriesUsedUp
            | Self::Locked
            | Self::Closed
            | Self::NotActive
            | Self::PasskeyUnknown
            | Self::OtherTenant => "sign-in-failed",
            _ => self.code(),
        }
    }
}

//! What to offer somebody who wants to sign in, the best first.
//!
//! A passkey comes first and is enough by itself. A code of the app is asked for before a recovery code, and a recovery
//! code is offered only where codes were made and some are left.

use chatward_message::{Factor, UnixMillis};

use super::account::Account;
use super::rules::Rules;
use super::session::Session;
use super::tries::Standing;

/// One way on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Show a passkey.
    Passkey,
    /// Sign in with the identity provider.
    SingleSignOn,
    /// Type name and password.
    Password,
    /// Type a code of the authenticator app.
    App,
    /// Type a recovery code.
    RecoveryCode,
    /// Read what to do when nothing of this works: where a name and a recovery code are taken, and whom to ask.
    Help,
}

impl Choice {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::SingleSignOn => "single-sign-on",
            Self::Password => "password",
            Self::App => "app",
            Self::RecoveryCode => "recovery-code",
            Self::Help => "help",
        }
    }

    /// The factor that is shown.
    pub const fn factor(self) -> Option<Factor> {
        Some(match self {
            Self::Passkey => Factor::Passkey,
            Self::SingleSignOn => Factor::SingleSignOn,
            Self::Password => Factor::Password,
            Self::App => Factor::App,
            Self::RecoveryCode => Factor::RecoveryCode,
            Self::Help => return None,
        })
    }
}

/// Who is to sign in where nobody is known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Customers.
    Customers,
    /// Members of staff.
    Staff,
}

/// What a sign-in page offers to anyone: it depends on the house, never on a name.
pub fn for_anyone(audience: Audience, rules: &Rules) -> Vec<Choice> {
    let mut choices = vec![Choice::Passkey];
    if audience == Audience::Staff {
        if rules.single_sign_on {
            choices.push(Choice::SingleSignOn);
        }
        if rules.passwords {
            choices.push(Choice::Password);
        }
    }
    choices.push(Choice::Help);
    choices
}

/// What signs in to this account, for somebody whom the account is known of.
pub fn to_sign_in(account: &Account, rules: &Rules, now: UnixMillis) -> Vec<Choice> {
    let guess = account.tries.standing(now) == Standing::Open;
    let mut choices = Vec::new();
    let mut offer = |choice, there| {
        if there {
            choices.push(choice);
        }
    };
    offer(Choice::Passkey, account.passkeys.iter().any(|entry| entry.works()));
    offer(Choice::SingleSignOn, account.sso.is_some() && rules.single_sign_on);
    offer(Choice::Password, account.password.is_some() && rules.passwords && guess);
    offer(Choice::RecoveryCode, account.recovery_codes_left().is_some_and(|left| left > 0) && guess);
    choices
}

/// What is still to be shown in this session for a second factor that is fresh; nothing if there is one: whoever came
/// in with a passkey a moment ago is not asked for anything else.
pub fn to_step_up(account: &Account, session: &Session, rules: &Rules, now: UnixMillis) -> Vec<Choice> {
    if session.second_factor_since(rules, now).is_some() {
        return Vec::new();
    }
    let guess = account.tries.standing(now) == Standing::Open;
    let mut choices = Vec::new();
    let mut offer = |choice, there| {
        if there {
            choices.push(choice);
        }
    };
    offer(Choice::Passkey, account.passkeys.iter().any(|entry| entry.works()));
    offer(Choice::App, account.app.is_some() && guess && session.has_first_factor());
    let codes = account.recovery_codes_left().is_some_and(|left| left > 0);
    offer(Choice::RecoveryCode, codes && guess && !session.recovered);
    choices
}

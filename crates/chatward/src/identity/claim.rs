//! Whose an anonymous conversation becomes.
//!
//! A conversation that began without a name is known by the cookie that we set in its browser. Its customer may take it
//! over after signing in, in that browser; nobody else can, and it is taken over once.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use chatward_message::{Action, CustomerId, Event, Facts, TenantId, UnixMillis};

use super::account::Account;
use super::outcome::{Next, Refused, Why};
use super::rules::Rules;
use super::session::{Need, Session};
use crate::caller::{Caller, Origin};

/// What is stored of the conversation's beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// In whose house.
    pub tenant: TenantId,
    /// The identity of the caller that began it: the hash of our cookie.
    pub caller: [u8; 32],
    /// Who took it over, if anybody did.
    pub claimed: Option<CustomerId>,
}

/// A conversation that is its customer's now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The customer.
    pub customer: CustomerId,
    /// What to write with it; nothing if it was the customer's already.
    pub event: Option<Event>,
    /// The browser gets a new cookie: whoever sits there next does not read on.
    pub new_cookie: bool,
}

/// Whether who is signed in here takes over this conversation: with the cookie that began it, and a session of a
/// customer's account, both of this request.
///
/// # Errors
///
/// [`Refused`] if not; every other's conversation is answered as if there were none.
pub fn claim(
    begun: &Begun,
    cookie: Option<&Caller>,
    account: &Account,
    session: &Session,
    rules: &Rules,
    now: UnixMillis,
) -> Result<Claimed, Refused> {
    session.meets(Need::Pages, account, rules, now)?;
    let no = || Refused::new(Why::NotYourConversation, Next::StartOver);
    // Who came in with a recovery code alone may not be the one who wrote here.
    let customer = account.customer().filter(|_| !session.recovered).ok_or_else(no)?;
    if begun.tenant != account.tenant {
        return Err(no());
    }
    if begun.claimed == Some(customer) {
        return Ok(Claimed { customer, event: None, new_cookie: false });
    }
    let cookie = cookie.filter(|caller| *caller.origin() == Origin::Page && *caller.tenant() == begun.tenant);
    let cookie = cookie.ok_or_else(no)?;
    let same = verify_slices_are_equal(cookie.identity(), &begun.caller).is_ok();
    if !same || begun.claimed.is_some() {
        return Err(no());
    }
    let event = Some(account.event(now, Action::ConversationClaimed, Facts::default()));
    Ok(Claimed { customer, event, new_cookie: true })
}

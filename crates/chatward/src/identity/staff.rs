//! Members of staff: invited, given roles, locked, seen off.
//!
//! Only an [`Administrator`] does any of it, with a second factor shown a moment ago, never to the own account, and each
//! act is an event with both of them in it.

use std::collections::BTreeSet;

use chatward_message::{AccountId, Action, Event, Factor, Facts, Subject, TenantId, UnixMillis};

use super::account::{Account, Holder, Newcomer, Role, State, Trust};
use super::outcome::{Change, Draft, Next, Refused, Why};
use super::rules::{Rules, With, after};
use super::secret::{Token, TokenHash, TokenKind};
use super::session::{Arrival, Need, Session, Shown, SignedIn};

/// How long an invitation counts.
pub const INVITATION_LIFE: u64 = 72 * 60 * 60_000;

/// Somebody who may manage the accounts of others, and showed a second factor a moment ago. Made only by
/// [`Administrator::of`], and by the operator's own command on the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Administrator {
    tenant: TenantId,
    account: Option<AccountId>,
    subject: Subject,
}

impl Administrator {
    /// Whoever is signed in to this account in this session, if that is an administrator.
    ///
    /// # Errors
    ///
    /// [`Refused`], with what is missing.
    pub fn of(account: &Account, session: &Session, rules: &Rules, now: UnixMillis) -> Result<Self, Refused> {
        session.meets(Need::Fresh, account, rules, now)?;
        if !account.has_role(Role::Admin) {
            return Err(Refused::new(Why::NotAdministrator, Next::AskAdministrator));
        }
        Ok(Self { tenant: account.tenant.clone(), account: Some(account.id), subject: account.subject })
    }

    /// The operator, through a file on the machine that nobody else can read: for the first account of a house, and for
    /// a house whose last administrator lost everything.
    pub fn operator(tenant: TenantId, subject: Subject) -> Self {
        Self { tenant, account: None, subject }
    }

    /// Refuses another house's account, and the own.
    fn over(&self, account: &Account) -> Result<(), Refused> {
        if self.tenant != account.tenant {
            return Err(Refused::new(Why::OtherTenant, Next::StartOver));
        }
        if self.account == Some(account.id) {
            return Err(Refused::new(Why::OwnAccount, Next::AskAnotherAdministrator));
        }
        Ok(())
    }

    pub(super) fn facts(&self) -> Facts {
        Facts { actor: Some(self.subject), ..Facts::default() }
    }

    pub(super) fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    pub(super) fn subject(&self) -> Subject {
        self.subject
    }

    /// Invites somebody to an account with these roles. The token goes into the link; the account holds its hash.
    ///
    /// # Errors
    ///
    /// [`Refused`] if it is to another house.
    pub fn invite(
        &self,
        newcomer: Newcomer,
        roles: BTreeSet<Role>,
        with: &mut With<'_>,
    ) -> Result<(Account, Token, Event), Refused> {
        if self.tenant != newcomer.tenant {
            return Err(Refused::new(Why::OtherTenant, Next::StartOver));
        }
        let (token, hash) = Token::new(TokenKind::Invitation, with.random)?;
        let state = State::Invited { token: Some(hash), until: after(with.now, INVITATION_LIFE) };
        let words = roles.iter().map(|role| role.name()).collect();
        let holder = Holder::Staff { roles, custodian: false };
        let account = Account::new(newcomer, holder, state, with.random, with.now)?;
        let facts = Facts { roles: words, ..self.facts() };
        let event = account.event(with.now, Action::AccountInvited, facts);
        Ok((account, token, event))
    }
}

impl Account {
    /// Invites the same person anew: an invitation was lost, or everything that signed in. What is set up is wiped, all
    /// sessions end.
    pub fn invite_again(self, by: &Administrator, with: &mut With<'_>) -> Change<Token> {
        Draft::run(self, with.now, |draft| {
            by.over(&draft.account)?;
            draft.account.staff_only()?;
            if draft.account.state == State::Closed {
                return Err(Refused::new(Why::Closed, Next::StartOver));
            }
            let (token, hash) = Token::new(TokenKind::Invitation, with.random)?;
            draft.account.wipe_factors();
            draft.account.end_sessions();
            if let Holder::Staff { custodian, .. } = &mut draft.account.holder {
                *custodian = false;
            }
            draft.account.tries = super::tries::Tries::default();
            let until = after(with.now, INVITATION_LIFE);
            draft.account.state = State::Invited { token: Some(hash), until };
            draft.note(Action::AccountInvited, by.facts());
            Ok(token)
        })
    }

    /// Follows the link of an invitation, once: to a session in which a second factor is set up, and nothing else is done.
    pub fn accept_invitation(self, token: &str, arrival: &Arrival, with: &mut With<'_>) -> Change<SignedIn> {
        Draft::run(self, with.now, |draft| {
            let no = |why| Refused::new(why, Next::AskAdministrator);
            let State::Invited { token: open, until } = &mut draft.account.state else {
                return Err(draft.failed(Factor::Invitation, no(Why::InvitationUnknown)));
            };
            let expired = with.now > *until;
            if !open.is_some_and(|open| open == TokenHash::of(TokenKind::Invitation, token)) {
                return Err(draft.failed(Factor::Invitation, no(Why::InvitationUnknown)));
            }
            if expired {
                return Err(draft.failed(Factor::Invitation, no(Why::InvitationExpired)));
            }
            *open = None;
            let shown = Shown::first(Factor::Invitation, with.now);
            let signed_in = Session::begin(draft, shown, arrival, with)?;
            draft.note_factor(Action::SignedIn, Factor::Invitation);
            Ok(signed_in)
        })
    }

    /// Gives other roles. Sessions end: what somebody may do is never older than the sign-in.
    pub fn give_roles(
        self,
        roles: BTreeSet<Role>,
        by: &Administrator,
        others: Others,
        now: UnixMillis,
    ) -> Change<()> {
        Draft::run(self, now, |draft| {
            by.over(&draft.account)?;
            draft.account.staff_only()?;
            if draft.account.has_role(Role::Admin) && !roles.contains(&Role::Admin) {
                others.someone_left()?;
            }
            let words = roles.iter().map(|role| role.name()).collect();
            if let Holder::Staff { roles: had, .. } = &mut draft.account.holder {
                *had = roles;
            }
            draft.account.end_sessions();
            draft.note(Action::RolesChanged, Facts { roles: words, ..by.facts() });
            Ok(())
        })
    }

    /// Makes somebody a keeper of keys: for that a passkey must be there that cannot leave its device.
    pub fn make_custodian(self, by: &Administrator, now: UnixMillis) -> Change<()> {
        Draft::run(self, now, |draft| {
            by.over(&draft.account)?;
            draft.account.staff_only()?;
            draft.account.open_for_sign_in()?;
            if let Holder::Staff { custodian, .. } = &mut draft.account.holder {
                *custodian = true;
            }
            if !draft.account.is_complete(now) {
                return Err(Refused::new(Why::NeedDeviceBound, Next::AddAnother));
            }
            draft.note(Action::RolesChanged, Facts { roles: vec!["custodian"], ..by.facts() });
            Ok(())
        })
    }

    /// Locks the account: sessions end, nothing signs in.
    pub fn lock(self, by: &Administrator, others: Others, now: UnixMillis) -> Change<()> {
        Draft::run(self, now, |draft| {
            by.over(&draft.account)?;
            match draft.account.state {
                State::Active => {}
                State::Locked => return Err(Refused::new(Why::Locked, Next::StartOver)),
                State::Closed => return Err(Refused::new(Why::Closed, Next::StartOver)),
                State::Invited { .. } => return Err(Refused::new(Why::NotActive, Next::StartOver)),
            }
            if draft.account.has_role(Role::Admin) {
                others.someone_left()?;
            }
            draft.account.state = State::Locked;
            draft.account.end_sessions();
            draft.note(Action::AccountLocked, by.facts());
            Ok(())
        })
    }

    /// Opens a locked account again, and lets it try again.
    pub fn unlock(self, by: &Administrator, now: UnixMillis) -> Change<()> {
        Draft::run(self, now, |draft| {
            by.over(&draft.account)?;
            match draft.account.state {
                State::Locked => draft.account.state = State::Active,
                State::Active => {}
                State::Closed => return Err(Refused::new(Why::Closed, Next::StartOver)),
                State::Invited { .. } => return Err(Refused::new(Why::NotActive, Next::StartOver)),
            }
            draft.account.tries = super::tries::Tries::default();
            draft.note(Action::AccountUnlocked, by.facts());
            Ok(())
        })
    }

    /// The person leaves: everything that signs in is wiped, sessions end. There is no way back.
    pub fn close(self, by: &Administrator, others: Others, now: UnixMillis) -> Change<()> {
        Draft::run(self, now, |draft| {
            by.over(&draft.account)?;
            draft.account.staff_only()?;
            if draft.account.state == State::Closed {
                return Err(Refused::new(Why::Closed, Next::StartOver));
            }
            if draft.account.has_role(Role::Admin) && draft.account.state == State::Active {
                others.someone_left()?;
            }
            draft.account.wipe_factors();
            draft.account.end_sessions();
            if let Holder::Staff { roles, custodian } = &mut draft.account.holder {
                roles.clear();
                *custodian = false;
            }
            draft.account.state = State::Closed;
            draft.note(Action::AccountClosed, by.facts());
            Ok(())
        })
    }

    /// Somebody else confirms what was set up after a recovery: they have spoken, and it is the same person.
    pub fn confirm_factors(self, by: &Administrator, now: UnixMillis) -> Change<()> {
        Draft::run(self, now, |draft| {
            by.over(&draft.account)?;
            draft.account.staff_only()?;
            let mut confirmed = Vec::new();
            for entry in draft.account.passkeys.iter_mut().filter(|entry| entry.trust == Trust::Unconfirmed) {
                entry.trust = Trust::Now;
                confirmed.push(Factor::Passkey);
            }
            if let Some(app) = draft.account.app.as_mut().filter(|app| app.trust == Trust::Unconfirmed) {
                app.trust = Trust::Now;
                confirmed.push(Factor::App);
            }
            if confirmed.is_empty() {
                return Err(Refused::new(Why::NotSetUp, Next::StartOver));
            }
            for factor in confirmed {
                draft.note(Action::FactorConfirmed, Facts { factor: Some(factor), ..by.facts() });
            }
            Ok(())
        })
    }

    fn staff_only(&self) -> Result<(), Refused> {
        if self.is_staff() { Ok(()) } else { Err(Refused::new(Why::NotStaff, Next::StartOver)) }
    }
}

/// How many other administrators of the house can sign in: storage counts them in the same transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Others(pub u32);

impl Others {
    fn someone_left(self) -> Result<(), Refused> {
        if self.0 > 0 { Ok(()) } else { Err(Refused::new(Why::LastAdministrator, Next::AddAnother)) }
    }
}

/// An invited account is in use as soon as all is set up that it must have.
pub(super) fn set_up_at_last(draft: &mut Draft) {
    if matches!(draft.account.state, State::Invited { .. }) && draft.account.is_complete(draft.now) {
        draft.account.state = State::Active;
        draft.note(Action::AccountActivated, Facts::default());
    }
}

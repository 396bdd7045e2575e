//! Members of staff and service accounts.

use std::collections::BTreeSet;

use chatward::identity::secret::{SecretText, TokenHash, TokenKind};
use chatward::identity::service::{KEY_LIFE_MAX, Scope, Service};
use chatward::identity::session::Need;
use chatward::identity::staff::{Administrator, Others};
use chatward::identity::{Next, Role, State, Why};
use chatward_message::{Action, Subject, TenantId};

use crate::codes::staff_with_password_and_app;
use crate::common::*;

const DAY: u64 = 24 * HOUR;

fn roles(all: &[Role]) -> BTreeSet<Role> {
    all.iter().copied().collect()
}

#[test]
fn an_invitation_leads_to_a_second_factor_and_nowhere_else() {
    let mut house = House::new();
    let (account, invited) = house.invited(&[Role::Analyst]);
    for need in [Need::Pages, Need::Fresh, Need::DeviceBound] {
        assert_eq!(house.meets(&invited.session, need, &account), Err(Why::NotActive));
    }
    let (answer, sealed) = house.registration(&account, &invited.session, &mut Phone::new());
    let change = house.finish_registration(account, &answer, &sealed, &invited.session);
    assert_eq!(actions(&change.events), [Action::FactorAdded, Action::AccountActivated]);
    let (account, _) = ok(change);
    assert_eq!(*account.state(), State::Active);
    // Setting a passkey up is not showing it.
    assert_eq!(house.meets(&invited.session, Need::Pages, &account), Err(Why::NeedSecondFactor));
}

#[test]
fn an_invitation_counts_once_for_three_days_and_for_its_own_token() {
    let mut house = House::new();
    let operator = house.operator();
    let newcomer = house.newcomer("robin@house.example");
    let (account, token, event) =
        operator.invite(newcomer, roles(&[Role::Analyst, Role::Auditor]), &mut house.with()).unwrap();
    assert_eq!(event.action, Action::AccountInvited);
    assert_eq!(
        (event.facts.roles, event.facts.actor),
        (vec!["analyst", "auditor"], Some(Subject::from_bytes([9; 16])))
    );
    let arrival = house.browser();
    for wrong in ["", "cwi_", &token.expose()[..46], &token.expose().replace("cwi_", "cwu_")] {
        let change = account.clone().accept_invitation(wrong, &arrival, &mut house.with());
        assert_eq!(no(change).1, Why::InvitationUnknown);
    }
    house.wait(3 * DAY + 1);
    let late = account.clone().accept_invitation(token.expose(), &arrival, &mut house.with());
    assert_eq!(no(late).1, Why::InvitationExpired);
    house.now.0 -= 1;
    let (account, _) = ok(account.accept_invitation(token.expose(), &arrival, &mut house.with()));
    let again = account.accept_invitation(token.expose(), &arrival, &mut house.with());
    assert_eq!(no(again).1, Why::InvitationUnknown);
}

#[test]
fn a_lost_invitation_is_replaced_and_the_old_one_ends() {
    let mut house = House::new();
    let operator = house.operator();
    let newcomer = house.newcomer("robin@house.example");
    let (account, old, _) = operator.invite(newcomer, roles(&[Role::Analyst]), &mut house.with()).unwrap();
    let (account, new) = ok(account.invite_again(&operator, &mut house.with()));
    let arrival = house.browser();
    let change = account.accept_invitation(old.expose(), &arrival, &mut house.with());
    let (account, why) = no(change);
    assert_eq!(why, Why::InvitationUnknown);
    ok(account.accept_invitation(new.expose(), &arrival, &mut house.with()));
}

#[test]
fn who_lost_everything_begins_anew_and_nothing_old_signs_in() {
    let mut house = House::new();
    let (account, mut phone, signed_in) = house.staff(&[Role::Analyst]);
    let (account, codes) = house.recovery(account, &signed_in.session);
    let operator = house.operator();
    let (account, _) = ok(account.invite_again(&operator, &mut house.with()));
    assert_eq!(house.meets(&signed_in.session, Need::Security, &account), Err(Why::SessionEnded));
    let (account, why) = no(house.try_sign_in(account, &mut phone));
    assert_eq!(why, Why::PasskeyUnknown);
    let arrival = house.browser();
    let change = account.sign_in_with_recovery_code(&codes[0], &arrival, keyed, &mut house.with());
    assert_eq!(no(change).1, Why::WrongRecoveryCode);
}

#[test]
fn only_administrators_with_a_fresh_second_factor_manage_accounts() {
    let mut house = House::new();
    for role in Role::ALL.iter().copied() {
        let (account, _, signed_in) = house.staff(&[role]);
        let administrator = Administrator::of(&account, &signed_in.session, &house.rules, house.now);
        assert_eq!(administrator.is_ok(), role == Role::Admin, "{role:?}");
    }
    let (account, _, signed_in) = house.staff(&[Role::Admin]);
    house.wait(10 * MINUTE);
    let stale = Administrator::of(&account, &signed_in.session, &house.rules, house.now);
    assert_eq!(stale.unwrap_err().why, Why::NeedFreshFactor);
    let (customer, _, his) = house.customer_with_passkey();
    let refused = Administrator::of(&customer, &his.session, &house.rules, house.now);
    assert_eq!(refused.unwrap_err().why, Why::NotAdministrator);
}

#[test]
fn nobody_changes_the_own_account() {
    let mut house = House::new();
    let (account, _, signed_in) = house.staff(&[Role::Admin]);
    let me = house.administrator(&account, &signed_in.session);
    let (account, why) = no(account.give_roles(roles(Role::ALL), &me, OTHERS, house.now));
    assert_eq!((why, account.has_role(Role::PrivacyOfficer)), (Why::OwnAccount, false));
    assert_eq!(no(account.clone().make_custodian(&me, house.now)).1, Why::OwnAccount);
    assert_eq!(no(account.clone().confirm_factors(&me, house.now)).1, Why::OwnAccount);
    assert_eq!(no(account.clone().unlock(&me, house.now)).1, Why::OwnAccount);
    assert_eq!(no(account.clone().close(&me, OTHERS, house.now)).1, Why::OwnAccount);
    assert_eq!(no(account.invite_again(&me, &mut house.with())).1, Why::OwnAccount);
}

#[test]
fn nobody_touches_another_house() {
    let mut house = House::new();
    let (account, ..) = house.staff(&[Role::Analyst]);
    let stranger =
        Administrator::operator("other".parse::<TenantId>().unwrap(), Subject::from_bytes([3; 16]));
    let newcomer = house.newcomer("x");
    let invite = stranger.invite(newcomer, roles(&[Role::Admin]), &mut house.with());
    assert_eq!(invite.unwrap_err().why, Why::OtherTenant);
    let give = account.clone().give_roles(roles(&[Role::Admin]), &stranger, OTHERS, house.now);
    assert_eq!(no(give).1, Why::OtherTenant);
    assert_eq!(no(account.clone().lock(&stranger, OTHERS, house.now)).1, Why::OtherTenant);
    assert_eq!(no(account.clone().close(&stranger, OTHERS, house.now)).1, Why::OtherTenant);
    assert_eq!(no(account.confirm_factors(&stranger, house.now)).1, Why::OtherTenant);
    let (service, _) = Service::new(SecretText::new("export"), &house.operator(), &mut house.with()).unwrap();
    let key = service.make_key([Scope::List].into(), DAY, &stranger, &mut house.with());
    assert_eq!(key.unwrap_err().why, Why::OtherTenant);
}

#[test]
fn new_roles_are_seen_and_end_the_sessions() {
    let mut house = House::new();
    let (account, _, signed_in) = house.staff(&[Role::Analyst]);
    let (admin, _, hers) = house.staff(&[Role::Admin]);
    let by = house.administrator(&admin, &hers.session);
    let change = account.give_roles(roles(&[Role::PrivacyOfficer]), &by, OTHERS, house.now);
    let facts = &change.events[0].facts;
    assert_eq!((facts.roles.as_slice(), facts.actor), (&["privacy-officer"][..], Some(admin.subject())));
    assert_eq!(change.events[0].subject, Some(change.account.subject()));
    let (account, ()) = ok(change);
    assert!(account.has_role(Role::PrivacyOfficer) && !account.has_role(Role::Analyst));
    assert_eq!(house.meets(&signed_in.session, Need::Security, &account), Err(Why::SessionEnded));
}

#[test]
fn the_last_administrator_stays() {
    let mut house = House::new();
    let (account, ..) = house.staff(&[Role::Admin]);
    let operator = house.operator();
    let none = Others(0);
    let give = account.clone().give_roles(roles(&[Role::Analyst]), &operator, none, house.now);
    assert_eq!(no(give).1, Why::LastAdministrator);
    assert_eq!(no(account.clone().lock(&operator, none, house.now)).1, Why::LastAdministrator);
    assert_eq!(no(account.clone().close(&operator, none, house.now)).1, Why::LastAdministrator);
    ok(account.close(&operator, OTHERS, house.now));
}

#[test]
fn who_left_has_nothing_left() {
    let mut house = House::new();
    let (account, codes) = staff_with_password_and_app(&mut house);
    let (account, ()) = ok(account.close(&house.operator(), OTHERS, house.now));
    assert!(!account.has_password() && !account.has_second_factor());
    assert_eq!(account.recovery_codes_left(), None);
    assert!(Role::ALL.iter().all(|role| !account.has_role(*role)));
    let arrival = house.browser();
    let change = account.sign_in_with_recovery_code(&codes[0], &arrival, keyed, &mut house.with());
    let (account, why) = no(change);
    assert_eq!(why, Why::WrongRecoveryCode);
    assert_eq!(no(account.clone().unlock(&house.operator(), house.now)).1, Why::Closed);
    assert_eq!(no(account.invite_again(&house.operator(), &mut house.with())).1, Why::Closed);
}

#[test]
fn the_last_second_factor_of_staff_cannot_be_removed() {
    let mut house = House::new();
    let (account, _, signed_in) = house.staff(&[Role::Trainer]);
    let id = account.passkeys()[0].id().as_slice().to_vec();
    let change = account.remove_passkey(&id, &signed_in.session, &mut house.with());
    let refused = change.outcome.unwrap_err();
    assert_eq!((refused.why, refused.next), (Why::LastSecondFactor, Next::AddAnother));
    // An app alone is no way in: it takes something beside it.
    let (account, codes) = house.app(change.account, &signed_in.session);
    let (account, why) = no(account.remove_passkey(&id, &signed_in.session, &mut house.with()));
    assert_eq!((why, account.passkeys().len()), (Why::LastSecondFactor, 1));
    let (account, ()) = ok(account.remove_app(&signed_in.session, &mut house.with()));
    assert!(account.app().is_none() && codes.at(house.now).len() == 6);
    // A customer may do without.
    let (customer, _, his) = house.customer_with_passkey();
    let id = customer.passkeys()[0].id().as_slice().to_vec();
    ok(customer.remove_passkey(&id, &his.session, &mut house.with()));
}

#[test]
fn the_password_beside_the_app_cannot_be_removed() {
    let mut house = House::new();
    let (account, _) = staff_with_password_and_app(&mut house);
    let arrival = house.browser();
    let change = crate::codes::sign_in_with_password(&mut house, account, crate::codes::PASSWORD, &arrival);
    let (account, first) = ok(change);
    let (account, stepped) = crate::codes::step_up_with_any_code(&mut house, account, &first.session);
    let (account, why) = no(account.remove_password(&stepped.session, &mut house.with()));
    assert_eq!((why, account.has_password()), (Why::LastSecondFactor, true));
    assert_eq!(no(account.remove_app(&stepped.session, &mut house.with())).1, Why::LastSecondFactor);
}

#[test]
fn a_service_key_is_scoped_and_expires() {
    let mut house = House::new();
    let operator = house.operator();
    let (service, made) = Service::new(SecretText::new("export"), &operator, &mut house.with()).unwrap();
    assert_eq!(made.action, Action::ServiceMade);
    for life in [0, KEY_LIFE_MAX + 1, u64::MAX] {
        let key = service.clone().make_key([Scope::List].into(), life, &operator, &mut house.with());
        assert_eq!(key.unwrap_err().why, Why::ServiceLifetime);
    }
    let (service, key, event) =
        service.make_key([Scope::AuditRead].into(), 30 * DAY, &operator, &mut house.with()).unwrap();
    assert_eq!(event.action, Action::ServiceKeyMade);
    assert!(key.expose().starts_with("cws_"));
    assert_eq!(*service.keys()[0].hash(), TokenHash::of(TokenKind::Service, key.expose()));
    let caller = service.caller(key.expose(), house.now).unwrap();
    assert_eq!(caller.may(Scope::AuditRead), Ok(()));
    for scope in [Scope::List, Scope::AccessReview, Scope::PolicyRead] {
        assert_eq!(caller.may(scope).unwrap_err().why, Why::ServiceScope);
    }
    for wrong in ["", "cws_", &key.expose()[..46], &key.expose().to_uppercase()] {
        assert_eq!(service.caller(wrong, house.now).unwrap_err().why, Why::ServiceKeyUnknown);
    }
    let stored = serde_json::to_string(&service).unwrap();
    assert!(!stored.contains(&key.expose()[4..]) && !format!("{service:?}").contains("export"));
    house.wait(30 * DAY);
    assert_eq!(service.caller(key.expose(), house.now).unwrap_err().why, Why::ServiceKeyExpired);
}

#[test]
fn a_withdrawn_service_key_is_none() {
    let mut house = House::new();
    let operator = house.operator();
    let (service, _) = Service::new(SecretText::new("export"), &operator, &mut house.with()).unwrap();
    let (service, one, _) =
        service.make_key([Scope::List].into(), DAY, &operator, &mut house.with()).unwrap();
    let (service, two, _) =
        service.make_key([Scope::List].into(), DAY, &operator, &mut house.with()).unwrap();
    let hash = TokenHash::of(TokenKind::Service, one.expose());
    let (service, event) = service.revoke(Some(&hash), &operator, house.now).unwrap();
    assert_eq!(event.action, Action::ServiceKeyRevoked);
    assert_eq!(service.caller(one.expose(), house.now).unwrap_err().why, Why::ServiceKeyUnknown);
    assert!(service.caller(two.expose(), house.now).is_ok());
    let (service, _) = service.revoke(None, &operator, house.now).unwrap();
    assert_eq!(service.caller(two.expose(), house.now).unwrap_err().why, Why::ServiceKeyUnknown);
}

//! What holds whatever somebody does, and in which order.

use chatward::identity::account::Holder;
use chatward::identity::session::Need;
use chatward::identity::tries::{IN_A_ROW_MAX, Standing, TRIES_MAX};
use chatward::identity::{Account, Change, Role, Session, SignedIn, State, Why};
use chatward_message::{Factor, UnixMillis};
use proptest::prelude::*;

use crate::common::*;

/// Something that a person, a thief or an administrator does.
#[derive(Debug, Clone)]
enum Act {
    Wait(u64),
    SignIn(usize),
    Recover(usize),
    RecoverWrongly,
    StepUp(usize),
    Code(i64),
    WrongCode,
    Register,
    RemovePasskey(usize),
    SetUpApp,
    RemoveApp,
    MakeCodes,
    SetPassword,
    RemovePassword,
    SignOutEverywhere,
    Lock,
    Unlock,
    Roles(u8),
    Confirm,
    Invite,
    Accept,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => (0u64..20 * MINUTE).prop_map(Act::Wait),
        1 => (0u64..80 * HOUR).prop_map(Act::Wait),
        4 => (0usize..4).prop_map(Act::SignIn),
        3 => (0usize..10).prop_map(Act::Recover),
        1 => Just(Act::RecoverWrongly),
        3 => (0usize..4).prop_map(Act::StepUp),
        4 => (-2i64..=2).prop_map(Act::Code),
        1 => Just(Act::WrongCode),
        3 => Just(Act::Register),
        4 => (0usize..4).prop_map(Act::RemovePasskey),
        2 => Just(Act::SetUpApp),
        3 => Just(Act::RemoveApp),
        2 => Just(Act::MakeCodes),
        1 => Just(Act::SetPassword),
        2 => Just(Act::RemovePassword),
        1 => Just(Act::SignOutEverywhere),
        1 => Just(Act::Lock),
        2 => Just(Act::Unlock),
        1 => (0u8..32).prop_map(Act::Roles),
        1 => Just(Act::Confirm),
        1 => Just(Act::Invite),
        2 => Just(Act::Accept),
    ];
    proptest::collection::vec(act, 1..60)
}

/// One account, and everything that somebody around it holds.
struct Life {
    house: House,
    account: Account,
    session: Session,
    phones: Vec<Phone>,
    app: Option<AppCodes>,
    codes: Vec<String>,
    invitation: Option<String>,
    /// Codes of the app that were accepted, with the secret that they belong to.
    accepted: Vec<(String, u64)>,
    apps: u64,
}

impl Life {
    fn new(staff: bool) -> Self {
        let mut house = House::new();
        let (account, phone, signed_in) =
            if staff { house.staff(&[Role::Analyst]) } else { house.customer_with_passkey() };
        Self {
            house,
            account,
            session: signed_in.session,
            phones: vec![phone],
            app: None,
            codes: Vec::new(),
            invitation: None,
            accepted: Vec::new(),
            apps: 0,
        }
    }

    fn took(&mut self, change: Change<SignedIn>) -> bool {
        self.account = change.account;
        if let Ok(signed_in) = change.outcome {
            self.session = signed_in.session;
            return true;
        }
        false
    }

    fn keep<T>(&mut self, change: Change<T>) -> Option<T> {
        self.account = change.account;
        change.outcome.ok()
    }

    fn act(&mut self, act: &Act) {
        let (account, session, now) = (self.account.clone(), self.session.clone(), self.house.now);
        let operator = self.house.operator();
        let browser = self.house.browser();
        match act {
            Act::Wait(millis) => self.house.wait(*millis),
            Act::SignIn(n) => {
                let n = n % self.phones.len();
                let change = self.house.try_sign_in(account, &mut self.phones[n]);
                self.took(change);
            }
            Act::Recover(n) => {
                let Some(code) = self.codes.get(*n).cloned() else { return };
                let change =
                    account.sign_in_with_recovery_code(&code, &browser, keyed, &mut self.house.with());
                self.took(change);
            }
            Act::RecoverWrongly => {
                let change =
                    account.sign_in_with_recovery_code("no", &browser, keyed, &mut self.house.with());
                self.took(change);
            }
            Act::StepUp(n) => {
                let n = n % self.phones.len();
                let id = self.phones[n].stored.as_ref().map(|key| key.credential_id.to_vec());
                let there = account.passkeys().iter().any(|entry| Some(entry.id().to_vec()) == id);
                if there && session.lives(&account, &self.house.rules, now).is_ok() {
                    let change = self.house.step_up(account, &session, &mut self.phones[n]);
                    self.took(change);
                }
            }
            Act::Code(steps) => {
                let Some(app) = self.app.clone() else { return };
                let code = app.at(UnixMillis(now.0.saturating_add_signed(steps * 30_000)));
                let change = account.step_up_with_app(&code, &session, &mut self.house.with());
                if self.took(change) {
                    self.accepted.push((code, self.apps));
                }
            }
            Act::WrongCode => {
                let change = account.step_up_with_app("123", &session, &mut self.house.with());
                self.took(change);
            }
            Act::Register => self.register(account, &session),
            Act::RemovePasskey(n) => {
                let Some(id) = account.passkeys().get(*n).map(|entry| entry.id().to_vec()) else { return };
                let change = account.remove_passkey(&id, &session, &mut self.house.with());
                self.keep(change);
            }
            Act::SetUpApp => {
                let change = account.begin_app("House", &session, &mut self.house.with());
                let Some(setup) = self.keep(change) else { return };
                let app = AppCodes::of(&setup);
                let change = self.account.clone().confirm_app(&app.at(now), &session, &mut self.house.with());
                if self.keep(change).is_some() {
                    self.apps += 1;
                    self.accepted.push((app.at(now), self.apps));
                    self.app = Some(app);
                }
            }
            Act::RemoveApp => {
                let change = account.remove_app(&session, &mut self.house.with());
                self.keep(change);
            }
            Act::MakeCodes => {
                let change = account.make_recovery_codes(&session, keyed, &mut self.house.with());
                if let Some(codes) = self.keep(change) {
                    self.codes = texts(&codes);
                }
            }
            Act::SetPassword | Act::RemovePassword => self.password(act, account, &session),
            Act::SignOutEverywhere => {
                let change = account.sign_out_everywhere(&session, &self.house.rules, now);
                self.keep(change);
            }
            Act::Lock => drop(self.keep_with(account.lock(&operator, OTHERS, now))),
            Act::Unlock => drop(self.keep_with(account.unlock(&operator, now))),
            Act::Roles(bits) => {
                let roles = Role::ALL.iter().copied().enumerate().filter(|(n, _)| bits >> n & 1 == 1);
                let roles = roles.map(|(_, role)| role).collect();
                self.keep(account.give_roles(roles, &operator, OTHERS, now));
            }
            Act::Confirm => drop(self.keep_with(account.confirm_factors(&operator, now))),
            Act::Invite => {
                let change = account.invite_again(&operator, &mut self.house.with());
                if let Some(token) = self.keep(change) {
                    self.invitation = Some(token.expose().to_owned());
                }
            }
            Act::Accept => {
                let Some(token) = self.invitation.clone() else { return };
                let change = account.accept_invitation(&token, &browser, &mut self.house.with());
                self.took(change);
            }
        }
    }

    fn keep_with(&mut self, change: Change<()>) -> Option<()> {
        self.keep(change)
    }

    fn register(&mut self, account: Account, session: &Session) {
        let mut phone = Phone::new();
        let mut with = chatward::identity::With {
            now: self.house.now,
            rules: &self.house.rules,
            random: &mut *self.house.random,
        };
        let Ok(begun) = self.house.site.begin_registration(&account, session, &self.house.key, &mut with)
        else {
            return;
        };
        let answer = phone.register(&serde_json::to_value(&begun.options).unwrap());
        let change = self.house.finish_registration(account, &answer, &begun.sealed, session);
        if self.keep(change).is_some() {
            self.phones.push(phone);
        }
    }

    fn password(&mut self, act: &Act, account: Account, session: &Session) {
        use chatward::identity::password::ShippedList;
        let mut with = self.house.with();
        let change = if matches!(act, Act::SetPassword) {
            account.set_password("correct horse battery", session, &Cheap, &mut ShippedList, &mut with)
        } else {
            account.remove_password(session, &mut with)
        };
        self.keep(change);
    }
}

/// No hash at all: what is proven here does not depend on it.
struct Cheap;

impl chatward::identity::password::Hasher for Cheap {
    fn hash(
        &self,
        _: &[u8],
        _: &[u8; 16],
        _: chatward::identity::password::Cost,
    ) -> Result<chatward::identity::secret::Secret<32>, chatward::caller::NoRandom> {
        Ok(chatward::identity::secret::Secret::copy_of(&[1; 32]))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Nobody who may be given rights to reveal is ever without a second factor, and none of their sessions opens
    /// anything without one that was shown and counts.
    #[test]
    fn who_may_reveal_never_goes_without_a_second_factor(acts in acts()) {
        let mut life = Life::new(true);
        for act in &acts {
            life.act(act);
            let Life { account, session, house, .. } = &life;
            let active = *account.state() == State::Active;
            prop_assert!(!active || account.has_second_factor(), "{act:?}");
            prop_assert!(!active || account.is_complete(house.now), "{act:?}");
            if house.meets(session, Need::Pages, account).is_ok() {
                let shown: Vec<Factor> = session.factors().collect();
                prop_assert!(shown.contains(&Factor::Passkey) || shown.contains(&Factor::App), "{act:?}: {shown:?}");
            }
        }
    }

    /// The same for customers' stored data; and a recovery code alone never opens it.
    #[test]
    fn stored_data_never_opens_without_a_second_factor(acts in acts()) {
        let mut life = Life::new(false);
        for act in &acts {
            life.act(act);
            let Life { account, session, house, .. } = &life;
            if house.meets(session, Need::Fresh, account).is_ok() {
                let shown: Vec<Factor> = session.factors().collect();
                prop_assert!(shown.contains(&Factor::Passkey) || shown.contains(&Factor::App), "{act:?}: {shown:?}");
                let since = session.second_factor_since(&house.rules, house.now).unwrap();
                prop_assert!(house.now.0 - since.0 < 10 * MINUTE);
            }
        }
    }

    /// A code is accepted once, whatever happens in between.
    #[test]
    fn a_code_is_never_accepted_twice(acts in acts(), staff: bool) {
        let mut life = Life::new(staff);
        life.act(&Act::SetUpApp);
        for act in &acts {
            life.act(act);
        }
        // The same digits may belong to two steps (one in a million); then the proof would say so by chance.
        let unlike: std::collections::HashSet<_> = life.accepted.iter().collect();
        prop_assert_eq!(unlike.len(), life.accepted.len());
    }

    /// A session is over when it is as old as it may be, whatever was shown in it.
    #[test]
    fn a_session_never_outlives_its_limit(acts in acts(), staff: bool) {
        let mut life = Life::new(staff);
        let limit = if staff { 8 * HOUR } else { 12 * HOUR };
        let mut begun = life.house.now;
        for act in &acts {
            let device = life.session.device();
            life.act(act);
            if life.session.device() != device {
                begun = life.house.now;
            }
            if let Ok(used) = life.session.used(&life.account, &life.house.rules, life.house.now) {
                life.session = used;
                prop_assert!(life.house.now.0 - begun.0 < limit);
            }
            prop_assert_eq!(life.session.ends_at(&life.house.rules).0, begun.0 + limit);
        }
    }

    /// However somebody guesses, ten failures in a row are followed by a pause, and a hundred are the end.
    #[test]
    fn tries_never_exceed_a_hundred(
        guesses in proptest::collection::vec((0u8..3, prop_oneof![4 => 0u64..1000, 1 => 0u64..40 * MINUTE]), 1..400),
    ) {
        let mut life = Life::new(true);
        life.act(&Act::SetPassword);
        life.act(&Act::SetUpApp);
        life.act(&Act::MakeCodes);
        let (mut failed, mut window) = (0u16, Vec::<u64>::new());
        for (what, wait) in guesses {
            life.house.wait(wait);
            // The session is kept alive, as a thief with a stolen one would.
            if let Ok(used) = life.session.used(&life.account, &life.house.rules, life.house.now) {
                life.session = used;
            } else {
                life.act(&Act::SignIn(0));
            }
            let before = life.account.tries().in_all();
            let (account, session, browser) = (life.account.clone(), life.session.clone(), life.house.browser());
            let change = match what {
                0 => account.sign_in_with_recovery_code("wrong", &browser, keyed, &mut life.house.with()),
                1 => account.step_up_with_app("abc", &session, &mut life.house.with()),
                _ => {
                    let checked = chatward::identity::password::check(Some(&account), "x", &Wrong).unwrap();
                    account.sign_in_with_password(checked, &browser, &mut life.house.with())
                }
            };
            let (account, why) = no(change);
            life.account = account;
            let counted = !matches!(why, Why::Paused | Why::TriesUsedUp);
            prop_assert_eq!(life.account.tries().in_all(), before + u16::from(counted));
            failed += u16::from(counted);
            if counted {
                window.push(life.house.now.0);
                let recent = window.iter().filter(|at| life.house.now.0 - **at < 30 * MINUTE).count();
                prop_assert!(recent <= usize::from(IN_A_ROW_MAX));
            }
            prop_assert!(life.account.tries().in_all() <= TRIES_MAX && failed <= TRIES_MAX);
            if failed == TRIES_MAX {
                prop_assert_eq!(life.account.tries().standing(life.house.now), Standing::UsedUp);
            }
        }
    }

    /// What is stored reads back as it was, at any point of a life.
    #[test]
    fn an_account_reads_back_as_it_was(acts in acts(), staff: bool) {
        let mut life = Life::new(staff);
        for act in &acts {
            life.act(act);
        }
        let bytes = life.account.to_bytes().unwrap();
        prop_assert_eq!(Account::from_bytes(&bytes, &life.house.tenant).unwrap(), life.account.clone());
        let staff_now = matches!(life.account.holder(), Holder::Staff { .. });
        prop_assert_eq!(staff_now, staff);
    }
}

/// A hash that never fits.
struct Wrong;

impl chatward::identity::password::Hasher for Wrong {
    fn hash(
        &self,
        _: &[u8],
        _: &[u8; 16],
        _: chatward::identity::password::Cost,
    ) -> Result<chatward::identity::secret::Secret<32>, chatward::caller::NoRandom> {
        Ok(chatward::identity::secret::Secret::copy_of(&[2; 32]))
    }
}

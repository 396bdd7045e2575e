//! A house with a clock of its own, people, and the devices they hold.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom as Entropy;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chatward::caller::{Caller, CallerEntry, Callers, NoRandom, new_key};
use chatward::identity::app::AppSetup;
use chatward::identity::ceremony::{CeremonyKey, SealedCeremony};
use chatward::identity::host::{HostCustomer, HostSecrets};
use chatward::identity::passkey::{Answered, Assertion, Attestation, Passkeys};
use chatward::identity::recovery::ShownCodes;
use chatward::identity::secret::{Random, Secret, SecretText, SystemRandom, TokenHash};
use chatward::identity::session::{Arrival, DeviceName, Need, pre_session};
use chatward::identity::staff::{Administrator, Others};
use chatward::identity::{
    Account, Change, Newcomer, Refused, Role, Rules, Session, Settings, SignedIn, State, Why, With,
};
use chatward_message::{Action, Event, Subject, TenantId, UnixMillis};
use serde_json::{Value, json};

#[path = "../common/phone.rs"]
mod phone;

pub(crate) use phone::Phone;

pub(crate) const SITE: &str = "shop.example";
pub(crate) const ORIGIN: &str = "https://chat.shop.example";
pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const HOUR: u64 = 60 * MINUTE;
/// A step of an authenticator app.
pub(crate) const STEP: u64 = 30_000;

/// A house: its rules, its keys, and its clock, which stands still until it is moved.
pub(crate) struct House {
    pub(crate) now: UnixMillis,
    pub(crate) rules: Rules,
    pub(crate) site: Passkeys,
    pub(crate) key: CeremonyKey,
    pub(crate) tenant: TenantId,
    pub(crate) random: Box<dyn Random>,
}

impl House {
    pub(crate) fn new() -> Self {
        let settings = Settings { passwords: true, single_sign_on: true, ..Settings::default() };
        Self {
            now: UnixMillis(1_790_000_010_000),
            rules: Rules::new(&settings).unwrap(),
            site: Passkeys::new(SITE, ORIGIN, "Shop").unwrap(),
            key: CeremonyKey::new(&Secret::copy_of(&[7; 32])).unwrap(),
            tenant: TenantId::default_tenant(),
            random: Box::new(SystemRandom),
        }
    }

    pub(crate) fn wait(&mut self, millis: u64) {
        self.now = UnixMillis(self.now.0 + millis);
    }

    pub(crate) fn with(&mut self) -> With<'_> {
        With { now: self.now, rules: &self.rules, random: &mut *self.random }
    }

    /// A browser on its way in.
    pub(crate) fn browser(&self) -> Arrival {
        let (_, pre_session) = pre_session(&mut SystemRandom).unwrap();
        Arrival { pre_session, session: None, device: DeviceName::of("Firefox/140 (X11; Linux)") }
    }

    pub(crate) fn newcomer(&self, name: &str) -> Newcomer {
        Newcomer {
            tenant: self.tenant.clone(),
            subject: Subject::from_bytes(random_bytes()),
            name: SecretText::new(name),
        }
    }

    /// A customer without anything set up, and what the host site says of them.
    pub(crate) fn customer(&mut self) -> (Account, HostCustomer) {
        let host = host_customer(&format!("customer-{}", u64::from_be_bytes(random_bytes())), self.now);
        let newcomer = self.newcomer("ann@example.org");
        let customer = host.customer(&caller("shop"), keyed);
        (Account::open(newcomer, customer, &mut SystemRandom, self.now).unwrap().0, host)
    }

    /// The operator on the machine.
    pub(crate) fn operator(&self) -> Administrator {
        Administrator::operator(self.tenant.clone(), Subject::from_bytes([9; 16]))
    }

    /// A member of staff who was invited and is in the middle of setting up.
    pub(crate) fn invited(&mut self, roles: &[Role]) -> (Account, SignedIn) {
        let newcomer = self.newcomer("robin@house.example");
        let roles: BTreeSet<Role> = roles.iter().copied().collect();
        let operator = self.operator();
        let (account, token, _) = operator.invite(newcomer, roles, &mut self.with()).unwrap();
        let arrival = self.browser();
        ok(account.accept_invitation(token.expose(), &arrival, &mut self.with()))
    }

    /// A member of staff with a passkey in software, signed in with it a moment ago.
    pub(crate) fn staff(&mut self, roles: &[Role]) -> (Account, Phone, SignedIn) {
        let (account, invited) = self.invited(roles);
        let mut phone = Phone::new();
        let account = self.register(account, &invited.session, &mut phone);
        assert_eq!(*account.state(), State::Active);
        let (account, signed_in) = self.sign_in(account, &mut phone);
        (account, phone, signed_in)
    }

    /// A customer with a passkey in software, signed in with it a moment ago.
    pub(crate) fn customer_with_passkey(&mut self) -> (Account, Phone, SignedIn) {
        let (account, first) = self.customer_from_host();
        let mut phone = Phone::new();
        let account = self.register(account, &first.session, &mut phone);
        let (account, signed_in) = self.sign_in(account, &mut phone);
        (account, phone, signed_in)
    }

    /// A customer whom the host site vouches for.
    pub(crate) fn customer_from_host(&mut self) -> (Account, SignedIn) {
        let (account, host) = self.customer();
        let arrival = self.browser();
        ok(account.sign_in_from_host(&host, &caller("shop"), keyed, &arrival, &mut self.with()))
    }

    pub(crate) fn register(&mut self, account: Account, session: &Session, phone: &mut Phone) -> Account {
        let (answer, sealed) = self.registration(&account, session, phone);
        let change = self.finish_registration(account, &answer, &sealed, session);
        ok(change).0
    }

    pub(crate) fn registration(
        &mut self,
        account: &Account,
        session: &Session,
        phone: &mut Phone,
    ) -> (Attestation, SealedCeremony) {
        let mut with = With { now: self.now, rules: &self.rules, random: &mut *self.random };
        let begun = self.site.begin_registration(account, session, &self.key, &mut with).unwrap();
        (phone.register(&serde_json::to_value(&begun.options).unwrap()), begun.sealed)
    }

    pub(crate) fn finish_registration(
        &mut self,
        account: Account,
        answer: &Attestation,
        sealed: &SealedCeremony,
        session: &Session,
    ) -> Change<webauthn_rs::prelude::CredentialID> {
        let mut with = With { now: self.now, rules: &self.rules, random: &mut *self.random };
        let answered = Answered { answer, sealed };
        account.finish_registration(&self.site, answered, "phone", session, &self.key, &mut with)
    }

    /// The options of a sign-in in this browser, and its sealed state.
    pub(crate) fn challenge(&mut self, arrival: &Arrival) -> (Value, SealedCeremony) {
        let mut with = With { now: self.now, rules: &self.rules, random: &mut *self.random };
        let begun =
            self.site.begin_sign_in(&self.tenant, &arrival.pre_session, &self.key, &mut with).unwrap();
        (serde_json::to_value(&begun.options).unwrap(), begun.sealed)
    }

    pub(crate) fn answer(
        &mut self,
        account: Account,
        answer: &Assertion,
        sealed: &SealedCeremony,
        arrival: &Arrival,
    ) -> Change<SignedIn> {
        let mut with = With { now: self.now, rules: &self.rules, random: &mut *self.random };
        let answered = Answered { answer, sealed };
        account.sign_in_with_passkey(&self.site, answered, arrival, &self.key, &mut with)
    }

    /// A whole sign-in with a passkey.
    pub(crate) fn try_sign_in(&mut self, account: Account, device: &mut dyn Device) -> Change<SignedIn> {
        let arrival = self.browser();
        let (options, sealed) = self.challenge(&arrival);
        let answer = device.show(&options);
        self.answer(account, &answer, &sealed, &arrival)
    }

    pub(crate) fn sign_in(&mut self, account: Account, device: &mut dyn Device) -> (Account, SignedIn) {
        ok(self.try_sign_in(account, device))
    }

    /// Shows a passkey within a session.
    pub(crate) fn step_up(
        &mut self,
        account: Account,
        session: &Session,
        device: &mut dyn Device,
    ) -> Change<SignedIn> {
        let (options, sealed) = self.step_up_challenge(&account, session);
        let answer = device.show(&options);
        let mut with = With { now: self.now, rules: &self.rules, random: &mut *self.random };
        let answered = Answered { answer: &answer, sealed: &sealed };
        account.step_up_with_passkey(&self.site, answered, session, &self.key, &mut with)
    }

    pub(crate) fn step_up_challenge(
        &mut self,
        account: &Account,
        session: &Session,
    ) -> (Value, SealedCeremony) {
        let mut with = With { now: self.now, rules: &self.rules, random: &mut *self.random };
        let begun = self.site.begin_step_up(account, session, &self.key, &mut with).unwrap();
        (serde_json::to_value(&begun.options).unwrap(), begun.sealed)
    }

    /// Sets up an authenticator app, and gives its codes.
    pub(crate) fn app(&mut self, account: Account, session: &Session) -> (Account, AppCodes) {
        let (account, setup) = ok(account.begin_app("Shop", session, &mut self.with()));
        let codes = AppCodes::of(&setup);
        let code = codes.at(self.now);
        let (account, ()) = ok(account.confirm_app(&code, session, &mut self.with()));
        (account, codes)
    }

    /// Makes recovery codes.
    pub(crate) fn recovery(&mut self, account: Account, session: &Session) -> (Account, Vec<String>) {
        let (account, codes) = ok(account.make_recovery_codes(session, keyed, &mut self.with()));
        (account, texts(&codes))
    }

    pub(crate) fn meets(&self, session: &Session, need: Need, account: &Account) -> Result<(), Why> {
        session.meets(need, account, &self.rules, self.now).map_err(|no| no.why)
    }

    pub(crate) fn administrator(&self, account: &Account, session: &Session) -> Administrator {
        Administrator::of(account, session, &self.rules, self.now).unwrap()
    }
}

pub(crate) const OTHERS: Others = Others(1);

pub(crate) fn texts(codes: &ShownCodes) -> Vec<String> {
    codes.expose().map(str::to_owned).collect()
}

/// A keyed hash as the vault has one, for tests: over everything, with the lengths.
pub(crate) fn keyed(tenant: &TenantId, purpose: &'static str, parts: &[&[u8]]) -> [u8; 16] {
    let mut all = format!("{tenant}|{purpose}").into_bytes();
    for part in parts {
        all.extend((part.len() as u64).to_be_bytes());
        all.extend(*part);
    }
    digest(&SHA256, &all).as_ref()[..16].try_into().unwrap()
}

pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom.fill(&mut bytes).unwrap();
    bytes
}

pub(crate) const HOST_SECRET: [u8; 32] = [5; 32];

/// A plain token of the host site's.
pub(crate) fn plain_token(secret: &[u8], customer: &str, seconds: u64) -> String {
    let signed = format!("{customer}.{seconds}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mac: String =
        hmac::sign(&key, signed.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("{signed}.{mac}")
}

pub(crate) fn host_customer(customer: &str, now: UnixMillis) -> HostCustomer {
    let secrets = HostSecrets::new([&HOST_SECRET[..]]).unwrap();
    secrets.verify(&plain_token(&HOST_SECRET, customer, now.0 / 1000), now).unwrap()
}

/// One of the house's own callers.
pub(crate) fn caller(name: &str) -> Caller {
    let (key, key_hash) = new_key().unwrap();
    let entry = CallerEntry { name: name.into(), key_hash, trusted: true, quota: None, upstreams: None };
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", format!("Bearer {}", *key).parse().unwrap());
    Callers::new([entry]).authenticate(&headers).unwrap()
}

/// The account and the value of something that went well.
#[track_caller]
pub(crate) fn ok<T>(change: Change<T>) -> (Account, T) {
    match change.outcome {
        Ok(value) => (change.account, value),
        Err(refused) => panic!("{refused:?}"),
    }
}

/// The account and the reason of something that was refused.
#[track_caller]
pub(crate) fn no<T>(change: Change<T>) -> (Account, Why) {
    match change.outcome {
        Ok(_) => panic!("not refused"),
        Err(Refused { why, .. }) => (change.account, why),
    }
}

pub(crate) fn actions(events: &[Event]) -> Vec<Action> {
    events.iter().map(|event| event.action).collect()
}

/// Random numbers that are known.
pub(crate) struct Known(pub(crate) Vec<u8>);

impl Random for Known {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandom> {
        for (to, from) in bytes.iter_mut().zip(self.0.iter().cycle()) {
            *to = *from;
        }
        Ok(())
    }
}

/// An authenticator app.
#[derive(Clone)]
pub(crate) struct AppCodes(totp_rs::Totp);

impl AppCodes {
    pub(crate) fn of(setup: &AppSetup) -> Self {
        Self(totp_rs::Totp::from_url(setup.uri.as_str()).unwrap())
    }

    pub(crate) fn at(&self, now: UnixMillis) -> String {
        self.0.generate(now.0 / 1000).to_string()
    }

    pub(crate) fn wrong(&self, now: UnixMillis) -> String {
        let near: Vec<String> = (0..5).map(|n| self.at(UnixMillis(now.0 - 2 * STEP + n * STEP))).collect();
        (0..).map(|n: u32| format!("{n:06}")).find(|code| !near.contains(code)).unwrap()
    }
}

/// Something that answers a challenge.
pub(crate) trait Device {
    fn show(&mut self, options: &Value) -> Assertion;
}

impl Phone {
    pub(crate) fn new() -> Self {
        Self::at(ORIGIN)
    }

    pub(crate) fn counting() -> Self {
        Self { counts: true, ..Self::new() }
    }

    pub(crate) fn register(&mut self, options: &Value) -> Attestation {
        Attestation::parse(self.register_json(options).to_string().as_bytes()).unwrap()
    }
}

impl Device for Phone {
    fn show(&mut self, options: &Value) -> Assertion {
        Assertion::parse(self.show_json(options).to_string().as_bytes()).unwrap()
    }
}

/// A security key made by hand, byte by byte: it can say of itself whatever it likes.
pub(crate) struct HandMade {
    pair: EcdsaKeyPair,
    pub(crate) id: Vec<u8>,
    pub(crate) user: Vec<u8>,
    /// User present 1, user verified 4, may be copied 8, is copied 16.
    pub(crate) flags: u8,
    pub(crate) counter: u32,
    pub(crate) site: String,
    pub(crate) origin: String,
    pub(crate) kind: &'static str,
}

pub(crate) const PRESENT: u8 = 1;
pub(crate) const VERIFIED: u8 = 4;
pub(crate) const MAY_BE_COPIED: u8 = 8;

impl HandMade {
    pub(crate) fn new(account: &Account) -> Self {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &Entropy::new()).unwrap();
        Self {
            pair: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref()).unwrap(),
            id: random_bytes::<32>().to_vec(),
            user: account.id().as_bytes().to_vec(),
            flags: PRESENT | VERIFIED,
            counter: 0,
            site: SITE.to_owned(),
            origin: ORIGIN.to_owned(),
            kind: "webauthn.get",
        }
    }

    fn head(&self, flags: u8) -> Vec<u8> {
        let mut bytes = digest(&SHA256, self.site.as_bytes()).as_ref().to_vec();
        bytes.push(flags);
        bytes.extend(self.counter.to_be_bytes());
        bytes
    }

    fn client(&self, kind: &str, options: &Value) -> Vec<u8> {
        let challenge = options["publicKey"]["challenge"].as_str().unwrap();
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false })
            .to_string()
            .into_bytes()
    }

    pub(crate) fn register(&self, options: &Value) -> Attestation {
        let mut data = self.head(self.flags | 64);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        let point = self.pair.public_key().as_ref();
        // {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y}
        data.extend([0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32]);
        data.extend(&point[1..33]);
        data.extend([0x22, 0x58, 32]);
        data.extend(&point[33..]);
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59".to_vec();
        object.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        object.extend(data);
        let id = URL_SAFE_NO_PAD.encode(&self.id);
        let answer = json!({
            "id": id, "rawId": id, "type": "public-key", "extensions": {},
            "response": {
                "attestationObject": URL_SAFE_NO_PAD.encode(object),
                "clientDataJSON": URL_SAFE_NO_PAD.encode(self.client("webauthn.create", options)),
            },
        });
        Attestation::parse(answer.to_string().as_bytes()).unwrap()
    }

    pub(crate) fn show_json(&mut self, options: &Value) -> Value {
        self.counter += u32::from(self.counter > 0);
        let data = self.head(self.flags);
        let client = self.client(self.kind, options);
        let mut signed = data.clone();
        signed.extend(digest(&SHA256, &client).as_ref());
        let signature = self.pair.sign(&Entropy::new(), &signed).unwrap();
        let id = URL_SAFE_NO_PAD.encode(&self.id);
        json!({
            "id": id, "rawId": id, "type": "public-key", "extensions": {},
            "response": {
                "authenticatorData": URL_SAFE_NO_PAD.encode(data),
                "clientDataJSON": URL_SAFE_NO_PAD.encode(client),
                "signature": URL_SAFE_NO_PAD.encode(signature.as_ref()),
                "userHandle": URL_SAFE_NO_PAD.encode(&self.user),
            },
        })
    }
}

impl Device for HandMade {
    fn show(&mut self, options: &Value) -> Assertion {
        Assertion::parse(self.show_json(options).to_string().as_bytes()).unwrap()
    }
}

/// Some other browser's token hash.
pub(crate) fn other_browser() -> TokenHash {
    pre_session(&mut SystemRandom).unwrap().1
}

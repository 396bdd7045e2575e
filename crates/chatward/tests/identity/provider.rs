//! Single sign-on: the trip to the identity provider and back.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use chatward::identity::ceremony::SealedCeremony;
use chatward::identity::session::{Arrival, Need};
use chatward::identity::sso::{Callback, Provider, ProviderError, Vouched};
use chatward::identity::{Account, Role, Why};
use serde_json::{Value, json};
use std::collections::HashMap;

use crate::common::*;
use crate::host::Keys;

const ISSUER: &str = "https://id.house.example";
const CLIENT: &str = "chatward-console";
const REDIRECT: &str = "https://console.house.example/sign-in/back";

fn description() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://id.house.example/authorize",
        "token_endpoint": "https://id.house.example/token",
        "jwks_uri": "https://id.house.example/keys",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    })
}

fn provider(keys: &Keys) -> Provider {
    let (description, set) = (description().to_string(), keys.set().to_string());
    let trusted = vec!["two-factors".to_owned()];
    Provider::new(ISSUER, description.as_bytes(), set.as_bytes(), CLIENT, REDIRECT, trusted).unwrap()
}

/// A browser that was sent to the provider.
struct Trip {
    keys: Keys,
    provider: Provider,
    arrival: Arrival,
    sealed: SealedCeremony,
    query: HashMap<String, String>,
}

impl Trip {
    fn new(house: &mut House) -> Self {
        let keys = Keys::new();
        let provider = provider(&keys);
        let arrival = house.browser();
        Self::again(house, keys, provider, arrival)
    }

    fn again(house: &mut House, keys: Keys, provider: Provider, arrival: Arrival) -> Self {
        let tenant = house.tenant.clone();
        let mut with =
            chatward::identity::With { now: house.now, rules: &house.rules, random: &mut *house.random };
        let gone = provider.depart(&tenant, &arrival.pre_session, &house.key, &mut with).unwrap();
        let url: webauthn_rs::prelude::Url = gone.url.parse().unwrap();
        let query = url.query_pairs().into_owned().collect();
        Self { keys, provider, arrival, sealed: gone.sealed, query }
    }

    fn callback(&self) -> Callback<'_> {
        Callback { code: Some("the-code"), state: &self.query["state"], issuer: Some(ISSUER), error: None }
    }

    fn claims(&self, house: &House) -> Value {
        let now = house.now.0 / 1000;
        json!({
            "iss": ISSUER, "aud": CLIENT, "sub": "robin", "nonce": self.query["nonce"],
            "iat": now, "exp": now + 300,
        })
    }

    fn vouch(&self, house: &House, header: &Value, claims: &Value) -> Result<Vouched, Why> {
        let callback = self.callback();
        let browser = &self.arrival.pre_session;
        let exchange = self
            .provider
            .arrive(callback, &self.sealed, &house.tenant, browser, &house.key, house.now)
            .unwrap();
        let token = self.keys.sign(header, claims);
        self.provider.vouch(exchange, &token, Some("access"), house.now).map_err(|no| no.why)
    }

    fn with_claim(&self, house: &House, name: &str, value: Value) -> Result<(), Why> {
        let mut claims = self.claims(house);
        claims[name] = value;
        self.vouch(house, &json!({ "alg": "RS256", "kid": "r" }), &claims).map(|_| ())
    }
}

/// A member of staff who is linked to `robin` at the provider.
fn linked(house: &mut House) -> (Account, Trip) {
    let (account, invited) = house.invited(&[Role::Analyst]);
    let trip = Trip::new(house);
    let vouched = trip.vouch(house, &json!({ "alg": "ES256", "kid": "e" }), &trip.claims(house)).unwrap();
    let (account, ()) = ok(account.link_provider(&vouched, &invited.session, &mut house.with()));
    let account = house.register(account, &invited.session, &mut Phone::new());
    let trip = Trip::again(house, trip.keys, trip.provider, house.browser());
    (account, trip)
}

#[test]
fn the_trip_asks_for_a_code_with_state_nonce_and_a_challenge() {
    let mut house = House::new();
    let trip = Trip::new(&mut house);
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", REDIRECT),
        ("scope", "openid"),
        ("code_challenge_method", "S256"),
    ] {
        assert!(trip.query[name].split(' ').any(|word| word == value), "{name}: {}", trip.query[name]);
    }
    let browser = &trip.arrival.pre_session;
    let exchange = trip
        .provider
        .arrive(trip.callback(), &trip.sealed, &house.tenant, browser, &house.key, house.now)
        .unwrap();
    let challenge = B64.encode(digest(&SHA256, exchange.verifier.secret().as_bytes()));
    assert_eq!(trip.query["code_challenge"], challenge);
    assert_eq!(exchange.code.secret(), "the-code");
    // 256 random bits each, and nothing of them in the sealed state.
    assert!(["state", "nonce"].iter().all(|name| trip.query[*name].len() == 43));
    assert!(!trip.sealed.as_str().contains(&trip.query["state"]));
}

#[test]
fn who_the_provider_vouches_for_signs_in_and_shows_a_second_factor() {
    let mut house = House::new();
    let (account, trip) = linked(&mut house);
    let vouched = trip.vouch(&house, &json!({ "alg": "RS256", "kid": "r" }), &trip.claims(&house)).unwrap();
    let (account, signed_in) = ok(account.sign_in_with_provider(&vouched, &trip.arrival, &mut house.with()));
    assert_eq!(house.meets(&signed_in.session, Need::Pages, &account), Err(Why::NeedSecondFactor));
}

#[test]
fn a_second_factor_at_the_provider_counts_only_in_the_words_that_were_agreed() {
    let mut house = House::new();
    let (account, trip) = linked(&mut house);
    for (acr, counts) in [("two-factors", true), ("one-factor", false), ("", false)] {
        let mut claims = trip.claims(&house);
        claims["acr"] = json!(acr);
        let vouched = trip.vouch(&house, &json!({ "alg": "RS256", "kid": "r" }), &claims).unwrap();
        let change = account.clone().sign_in_with_provider(&vouched, &trip.arrival, &mut house.with());
        let (account, signed_in) = ok(change);
        assert_eq!(house.meets(&signed_in.session, Need::Fresh, &account).is_ok(), counts, "{acr}");
    }
}

#[test]
fn a_sign_in_at_the_provider_counts_once() {
    let mut house = House::new();
    let (account, trip) = linked(&mut house);
    let header = json!({ "alg": "RS256", "kid": "r" });
    let vouched = trip.vouch(&house, &header, &trip.claims(&house)).unwrap();
    let (account, _) = ok(account.sign_in_with_provider(&vouched, &trip.arrival, &mut house.with()));
    let again = trip.vouch(&house, &header, &trip.claims(&house)).unwrap();
    let change = account.sign_in_with_provider(&again, &trip.arrival, &mut house.with());
    assert_eq!(no(change).1, Why::CeremonyUsed);
}

#[test]
fn an_answer_with_another_state_or_for_another_browser_is_refused() {
    let mut house = House::new();
    let trip = Trip::new(&mut house);
    let arrive = |callback, browser: &_, tenant: &str, now| {
        let tenant = tenant.parse().unwrap();
        trip.provider
            .arrive(callback, &trip.sealed, &tenant, browser, &house.key, now)
            .map(|_| ())
            .map_err(|no| no.why)
    };
    let (here, there) = (trip.arrival.pre_session, other_browser());
    let right = trip.callback();
    for state in ["", "x", &trip.query["state"][1..], &trip.query["nonce"]] {
        assert_eq!(arrive(Callback { state, ..right }, &here, "default", house.now), Err(Why::OtherCeremony));
    }
    assert_eq!(arrive(right, &there, "default", house.now), Err(Why::OtherCeremony));
    assert_eq!(arrive(right, &here, "other", house.now), Err(Why::OtherCeremony));
    let late = chatward_message::UnixMillis(house.now.0 + 5 * MINUTE + 1);
    assert_eq!(arrive(right, &here, "default", late), Err(Why::CeremonyExpired));
    // Another provider's answer (RFC 9207), a refusal, nothing at all.
    let mixed_up = Callback { issuer: Some("https://evil.test"), ..right };
    assert_eq!(arrive(mixed_up, &here, "default", house.now), Err(Why::TokenIssuer));
    let refused = Callback { error: Some("access_denied"), ..right };
    assert_eq!(arrive(refused, &here, "default", house.now), Err(Why::ProviderRefused));
    let empty = Callback { code: None, ..right };
    assert_eq!(arrive(empty, &here, "default", house.now), Err(Why::ProviderRefused));
    assert_eq!(arrive(right, &here, "default", house.now), Ok(()));
}

#[test]
fn a_token_of_another_sign_in_is_refused() {
    let mut house = House::new();
    let (one, other) = (Trip::new(&mut house), Trip::new(&mut house));
    let nonce = json!(other.query["nonce"]);
    assert_eq!(one.with_claim(&house, "nonce", nonce), Err(Why::TokenNonce));
    assert_eq!(one.with_claim(&house, "nonce", Value::Null), Err(Why::TokenNonce));
}

#[test]
fn a_token_of_another_provider_or_for_another_client_is_refused() {
    let mut house = House::new();
    let trip = Trip::new(&mut house);
    let claim = |name, value| trip.with_claim(&house, name, value);
    assert_eq!(claim("iss", json!("https://evil.test")), Err(Why::TokenIssuer));
    assert_eq!(claim("aud", json!("other")), Err(Why::TokenAudience));
    assert_eq!(claim("aud", json!(["other"])), Err(Why::TokenAudience));
    // Several audiences, or another authorized party: it was given out to somebody else.
    assert_eq!(claim("aud", json!([CLIENT, "other"])), Err(Why::TokenAudience));
    assert_eq!(claim("azp", json!("other")), Err(Why::TokenAudience));
    assert_eq!(claim("azp", json!(CLIENT)), Ok(()));
}

#[test]
fn a_token_of_another_time_is_refused() {
    let mut house = House::new();
    let trip = Trip::new(&mut house);
    let now = house.now.0 / 1000;
    let claim = |name, value: u64| trip.with_claim(&house, name, json!(value));
    assert_eq!(claim("exp", now - 61), Err(Why::TokenExpired));
    assert_eq!(claim("iat", now + 61), Err(Why::TokenEarly));
    assert_eq!(claim("iat", now - 601), Err(Why::TokenExpired));
    assert_eq!(claim("iat", now - 600), Ok(()));
}

#[test]
fn a_forged_token_of_the_provider_is_refused() {
    let mut house = House::new();
    let trip = Trip::new(&mut house);
    let claims = trip.claims(&house);
    let try_header = |header: Value| trip.vouch(&house, &header, &claims).map(|_| ());
    for alg in ["none", "HS256"] {
        let why = try_header(json!({ "alg": alg, "kid": "r" })).unwrap_err();
        assert!(matches!(why, Why::TokenAlgorithm | Why::TokenForm), "{alg}: {why:?}");
    }
    assert_eq!(try_header(json!({ "alg": "RS256", "kid": "x" })), Err(Why::TokenKey));
    // Signed by somebody else under the provider's key id.
    let forger = Keys::new();
    let browser = &trip.arrival.pre_session;
    let exchange = trip
        .provider
        .arrive(trip.callback(), &trip.sealed, &house.tenant, browser, &house.key, house.now)
        .unwrap();
    let token = forger.sign(&json!({ "alg": "RS256", "kid": "r" }), &claims);
    let refused = trip.provider.vouch(exchange, &token, None, house.now).unwrap_err();
    assert_eq!(refused.why, Why::TokenSignature);
}

#[test]
fn an_access_token_that_does_not_belong_to_the_id_token_is_refused() {
    let mut house = House::new();
    let trip = Trip::new(&mut house);
    let half = |text: &str| B64.encode(&digest(&SHA256, text.as_bytes()).as_ref()[..16]);
    assert_eq!(trip.with_claim(&house, "at_hash", json!(half("access"))), Ok(()));
    assert_eq!(trip.with_claim(&house, "at_hash", json!(half("another"))), Err(Why::TokenSignature));
}

#[test]
fn somebody_else_at_the_same_provider_does_not_sign_in_here() {
    let mut house = House::new();
    let (account, trip) = linked(&mut house);
    let mut claims = trip.claims(&house);
    claims["sub"] = json!("somebody");
    // An address proves nothing: it is not looked at.
    claims["email"] = json!("robin@house.example");
    let vouched = trip.vouch(&house, &json!({ "alg": "RS256", "kid": "r" }), &claims).unwrap();
    let change = account.sign_in_with_provider(&vouched, &trip.arrival, &mut house.with());
    assert_eq!(no(change).1, Why::OtherPerson);
}

#[test]
fn a_recovered_session_links_no_other_provider_account() {
    let mut house = House::new();
    let (account, _, signed_in) = house.staff(&[Role::Analyst]);
    let (account, codes) = house.recovery(account, &signed_in.session);
    let arrival = house.browser();
    let change = account.sign_in_with_recovery_code(&codes[0], &arrival, keyed, &mut house.with());
    let (account, recovered) = ok(change);
    let trip = Trip::new(&mut house);
    let mut claims = trip.claims(&house);
    claims["acr"] = json!("two-factors");
    let vouched = trip.vouch(&house, &json!({ "alg": "RS256", "kid": "r" }), &claims).unwrap();
    let change = account.link_provider(&vouched, &recovered.session, &mut house.with());
    assert_eq!(no(change).1, Why::AlreadySetUp);
}

#[test]
fn a_description_that_does_not_fit_is_refused() {
    let keys = Keys::new().set().to_string();
    let make = |issuer: &str, description: Value, redirect: &str| {
        let text = description.to_string();
        Provider::new(issuer, text.as_bytes(), keys.as_bytes(), CLIENT, redirect, Vec::new()).map(|_| ())
    };
    assert_eq!(make(ISSUER, description(), REDIRECT), Ok(()));
    assert_eq!(make("https://evil.test", description(), REDIRECT), Err(ProviderError::Issuer));
    assert_eq!(make(ISSUER, json!({}), REDIRECT), Err(ProviderError::Description));
    assert_eq!(make(ISSUER, description(), "http://console.house.example"), Err(ProviderError::Address));
    for name in ["authorization_endpoint", "token_endpoint"] {
        let mut plain = description();
        plain[name] = json!("http://id.house.example/x");
        assert_eq!(make(ISSUER, plain, REDIRECT), Err(ProviderError::Address), "{name}");
    }
}

//! What a host site says, and what others say in its name.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use chatward::identity::Why;
use chatward::identity::host::{HostKeys, HostSecrets, HostSite, TOKEN_MAX};
use chatward_message::UnixMillis;
use serde_json::{Value, json};

use crate::common::*;

/// Keys of a host site or a provider, one of each kind.
pub(crate) struct Keys {
    rsa: KeyPair,
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Self {
            rsa: KeyPair::generate(KeySize::Rsa2048).unwrap(),
            ec: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap(),
            ed: Ed25519KeyPair::generate().unwrap(),
        }
    }

    /// The modulus, out of the DER of a public key of 2048 bits.
    fn modulus(&self) -> Vec<u8> {
        self.rsa.public_key().as_ref()[9..265].to_vec()
    }

    pub(crate) fn set(&self) -> Value {
        let point = self.ec.public_key().as_ref();
        json!({ "keys": [
            { "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "r", "e": "AQAB", "n": B64.encode(self.modulus()) },
            { "kty": "EC", "use": "sig", "alg": "ES256", "kid": "e", "crv": "P-256",
              "x": B64.encode(&point[1..33]), "y": B64.encode(&point[33..]) },
            { "kty": "OKP", "use": "sig", "alg": "EdDSA", "kid": "d", "crv": "Ed25519",
              "x": B64.encode(self.ed.public_key().as_ref()) },
        ]})
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()));
        let message = signed.as_bytes();
        let random = SystemRandom::new();
        let signature = match header["alg"].as_str().unwrap() {
            "RS256" => {
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            "ES256" => self.ec.sign(&random, message).unwrap().as_ref().to_vec(),
            "EdDSA" => self.ed.sign(message).as_ref().to_vec(),
            _ => Vec::new(),
        };
        format!("{signed}.{}", B64.encode(signature))
    }
}

const NOW: u64 = 1_790_000_010;

fn site() -> HostSite {
    HostSite { issuer: "https://shop.example".to_owned(), audience: "chatward".to_owned(), lifetime: 600 }
}

fn claims() -> Value {
    json!({
        "iss": "https://shop.example", "aud": "chatward", "sub": "customer-42",
        "iat": NOW, "exp": NOW + 300,
    })
}

fn verify(keys: &Keys, token: &str) -> Result<String, Why> {
    let known = HostKeys::parse(keys.set().to_string().as_bytes()).unwrap();
    let now = UnixMillis(NOW * 1000);
    site().verify(token, &known, now).map(|host| host.id().expose().to_owned()).map_err(|no| no.why)
}

fn with_claim(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

#[test]
fn tokens_of_the_agreed_kinds_name_their_customer() {
    let keys = Keys::new();
    for (alg, kid) in [("RS256", "r"), ("ES256", "e"), ("EdDSA", "d")] {
        let token = keys.sign(&json!({ "alg": alg, "kid": kid, "typ": "JWT" }), &claims());
        assert_eq!(verify(&keys, &token).as_deref(), Ok("customer-42"), "{alg}");
    }
    let many = with_claim("aud", json!(["other", "chatward"]));
    let token = keys.sign(&json!({ "alg": "ES256", "kid": "e" }), &many);
    assert!(verify(&keys, &token).is_ok());
}

#[test]
fn a_token_without_a_signature_is_refused() {
    let keys = Keys::new();
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let token = keys.sign(&json!({ "alg": alg, "kid": "e" }), &claims());
        assert_eq!(verify(&keys, &token), Err(Why::TokenAlgorithm), "{alg}");
        let cut = token.rsplit_once('.').unwrap().0;
        assert_eq!(verify(&keys, &format!("{cut}.")), Err(Why::TokenAlgorithm));
        assert_eq!(verify(&keys, cut), Err(Why::TokenForm));
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let keys = Keys::new();
    // Signed with HMAC, under everything that is public of the RSA key.
    let der = keys.rsa.public_key().as_ref().to_vec();
    let text = keys.set()["keys"][0].to_string().into_bytes();
    for secret in [der, keys.modulus(), text] {
        let header = B64.encode(json!({ "alg": "HS256", "kid": "r" }).to_string());
        let signed = format!("{header}.{}", B64.encode(claims().to_string()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let token = format!("{signed}.{}", B64.encode(hmac::sign(&key, signed.as_bytes())));
        assert_eq!(verify(&keys, &token), Err(Why::TokenAlgorithm));
    }
    // Nor does a set of keys make one.
    let set = json!({ "keys": [{ "kty": "oct", "kid": "s", "alg": "HS256", "k": B64.encode([1; 32]) }] });
    assert_eq!(HostKeys::parse(set.to_string().as_bytes()).unwrap_err().why, Why::TokenKey);
}

#[test]
fn the_algorithm_is_the_keys_never_the_tokens() {
    let keys = Keys::new();
    for (alg, kid) in [("ES256", "r"), ("RS256", "e"), ("EdDSA", "e"), ("RS256", "d")] {
        let token = keys.sign(&json!({ "alg": alg, "kid": kid }), &claims());
        assert_eq!(verify(&keys, &token), Err(Why::TokenAlgorithm), "{alg} {kid}");
    }
    for alg in ["RS384", "RS512", "PS256", "ES384", "ES512", "ES256K", "HS512"] {
        let token = keys.sign(&json!({ "alg": alg, "kid": "r" }), &claims());
        assert_eq!(verify(&keys, &token), Err(Why::TokenAlgorithm), "{alg}");
    }
}

#[test]
fn a_key_that_is_not_known_is_refused() {
    let keys = Keys::new();
    for header in [
        json!({ "alg": "ES256", "kid": "x" }),
        json!({ "alg": "ES256" }),
        json!({ "alg": "ES256", "kid": "" }),
    ] {
        assert_eq!(verify(&keys, &keys.sign(&header, &claims())), Err(Why::TokenKey), "{header}");
    }
    // Nor one that the token brings along.
    let forger = Keys::new();
    let own = forger.set()["keys"][1].clone();
    let header = json!({ "alg": "ES256", "kid": "e", "jwk": own, "jku": "https://evil.test/keys" });
    assert_eq!(verify(&keys, &forger.sign(&header, &claims())), Err(Why::TokenSignature));
}

#[test]
fn somebody_elses_signature_is_refused() {
    let (keys, forger) = (Keys::new(), Keys::new());
    for (alg, kid) in [("RS256", "r"), ("ES256", "e"), ("EdDSA", "d")] {
        let token = forger.sign(&json!({ "alg": alg, "kid": kid }), &claims());
        assert_eq!(verify(&keys, &token), Err(Why::TokenSignature), "{alg}");
    }
}

#[test]
fn altered_claims_are_refused() {
    let keys = Keys::new();
    let token = keys.sign(&json!({ "alg": "ES256", "kid": "e" }), &claims());
    let mut parts: Vec<&str> = token.split('.').collect();
    let other = B64.encode(with_claim("sub", json!("customer-1")).to_string());
    parts[1] = &other;
    assert_eq!(verify(&keys, &parts.join(".")), Err(Why::TokenSignature));
}

#[test]
fn a_token_of_another_issuer_or_for_another_audience_is_refused() {
    let keys = Keys::new();
    let check = |name: &str, value: Value, why| {
        let token = keys.sign(&json!({ "alg": "ES256", "kid": "e" }), &with_claim(name, value.clone()));
        assert_eq!(verify(&keys, &token), Err(why), "{name} {value}");
    };
    check("iss", json!("https://evil.test"), Why::TokenIssuer);
    check("iss", json!("https://shop.example/"), Why::TokenIssuer);
    check("iss", Value::Null, Why::TokenForm);
    check("iss", json!(["https://shop.example"]), Why::TokenForm);
    check("aud", json!("other"), Why::TokenAudience);
    check("aud", json!(["other"]), Why::TokenAudience);
    check("aud", json!([]), Why::TokenAudience);
    check("aud", Value::Null, Why::TokenForm);
}

#[test]
fn a_token_counts_for_its_time_and_no_longer() {
    let keys = Keys::new();
    let at = |iat: u64, exp: u64, nbf: Option<u64>| {
        let mut claims = claims();
        claims["iat"] = json!(iat);
        claims["exp"] = json!(exp);
        if let Some(nbf) = nbf {
            claims["nbf"] = json!(nbf);
        }
        verify(&keys, &keys.sign(&json!({ "alg": "ES256", "kid": "e" }), &claims)).map(|_| ())
    };
    assert_eq!(at(NOW - 400, NOW - 60, None), Err(Why::TokenExpired));
    assert_eq!(at(NOW - 400, NOW - 59, None), Ok(()));
    assert_eq!(at(NOW + 61, NOW + 100, None), Err(Why::TokenEarly));
    assert_eq!(at(NOW + 60, NOW + 100, None), Ok(()));
    assert_eq!(at(NOW, NOW + 100, Some(NOW + 61)), Err(Why::TokenEarly));
    assert_eq!(at(NOW, NOW + 100, Some(NOW + 60)), Ok(()));
    // A token that counts for days is as good as a password in the page.
    assert_eq!(at(NOW, NOW + 600, None), Ok(()));
    assert_eq!(at(NOW, NOW + 601, None), Err(Why::TokenLifetime));
    assert_eq!(at(NOW, u64::MAX, None), Err(Why::TokenLifetime));
    assert_eq!(at(NOW, NOW, None), Err(Why::TokenLifetime));
    assert_eq!(at(NOW + 10, NOW, None), Err(Why::TokenLifetime));
    for name in ["exp", "iat", "sub"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        let token = keys.sign(&json!({ "alg": "ES256", "kid": "e" }), &claims);
        assert_eq!(verify(&keys, &token), Err(Why::TokenForm), "{name}");
    }
    for value in [json!("1790000310"), json!(-1), json!(1e300)] {
        let token = keys.sign(&json!({ "alg": "ES256", "kid": "e" }), &with_claim("exp", value));
        assert_eq!(verify(&keys, &token), Err(Why::TokenForm));
    }
}

#[test]
fn a_token_names_somebody_in_a_form_that_is_allowed() {
    let keys = Keys::new();
    for name in ["", " ", "a\nb", "a\u{0}b", " a", &"x".repeat(257)] {
        let token = keys.sign(&json!({ "alg": "ES256", "kid": "e" }), &with_claim("sub", json!(name)));
        assert_eq!(verify(&keys, &token), Err(Why::TokenSubject), "{name:?}");
    }
}

#[test]
fn a_token_that_changes_its_own_rules_is_refused() {
    let keys = Keys::new();
    let headers = [
        json!({ "alg": "ES256", "kid": "e", "crit": ["b64"], "b64": false }),
        json!({ "alg": "ES256", "kid": "e", "crit": [] }),
        json!({ "alg": "ES256", "kid": "e", "zip": "DEF" }),
        json!({ "alg": "ES256", "kid": "e", "typ": "at+jwt" }),
    ];
    for header in headers {
        assert_eq!(verify(&keys, &keys.sign(&header, &claims())), Err(Why::TokenForm), "{header}");
    }
    // The same word twice: two readers may read two values.
    let twice = B64.encode(r#"{"alg":"none","alg":"ES256","kid":"e"}"#);
    let token = keys.sign(&json!({ "alg": "ES256", "kid": "e" }), &claims());
    let rest = token.split_once('.').unwrap().1;
    assert_eq!(verify(&keys, &format!("{twice}.{rest}")), Err(Why::TokenForm));
}

#[test]
fn a_huge_token_and_garbage_are_refused() {
    let keys = Keys::new();
    let big =
        keys.sign(&json!({ "alg": "ES256", "kid": "e" }), &with_claim("x", json!("y".repeat(TOKEN_MAX))));
    assert_eq!(verify(&keys, &big), Err(Why::TokenSize));
    for token in ["", ".", "..", "...", "a.b.c", "a.b.c.d", "é.é.é", "e30.e30.e30"] {
        assert!(verify(&keys, token).is_err(), "{token}");
    }
}

#[test]
fn weak_keys_and_keys_for_other_uses_are_no_keys() {
    let keys = Keys::new();
    let fits = |change: &dyn Fn(&mut Value)| {
        let mut key = keys.set()["keys"][0].clone();
        change(&mut key);
        HostKeys::parse(json!({ "keys": [key] }).to_string().as_bytes()).is_ok()
    };
    assert!(fits(&|_| ()));
    assert!(!fits(&|key| key["use"] = json!("enc")));
    assert!(!fits(&|key| key["alg"] = json!("RS512")));
    assert!(!fits(&|key| key["n"] = json!(B64.encode([0xff; 128]))));
    let mut short = vec![0; 128];
    short.extend([0xff; 128]);
    assert!(!fits(&|key| key["n"] = json!(B64.encode(&short))), "leading zeros are no bits");
    assert!(!fits(&|key| key["n"] = json!(B64.encode([0xff; 1025]))));
    assert!(HostKeys::parse(b"{}").is_err() && HostKeys::parse(br#"{"keys":[]}"#).is_err());
}

#[test]
fn a_plain_token_names_its_customer() {
    let secrets = HostSecrets::new([&HOST_SECRET[..]]).unwrap();
    let now = UnixMillis(NOW * 1000);
    let read = |token: &str| secrets.verify(token, now).map(|host| host.id().expose().to_owned());
    for customer in ["42", "ann@example.org", "a.b.c", "Ü 1"] {
        assert_eq!(read(&plain_token(&HOST_SECRET, customer, NOW)).as_deref(), Ok(customer));
    }
    // While the secret is being changed both count.
    let both = HostSecrets::new([&[6; 32][..], &HOST_SECRET[..]]).unwrap();
    assert!(both.verify(&plain_token(&HOST_SECRET, "42", NOW), now).is_ok());
}

#[test]
fn a_forged_or_old_plain_token_is_refused() {
    let secrets = HostSecrets::new([&HOST_SECRET[..]]).unwrap();
    let now = UnixMillis(NOW * 1000);
    let why = |token: &str| secrets.verify(token, now).unwrap_err().why;
    let right = plain_token(&HOST_SECRET, "42", NOW);
    assert_eq!(why(&right.replacen("42", "43", 1)), Why::TokenSignature);
    assert_eq!(why(&right.replacen("42", "4", 1)), Why::TokenSignature);
    assert_eq!(why(&plain_token(&[6; 32], "42", NOW)), Why::TokenSignature);
    // A dot moved from the time into the customer.
    let moved = right.replacen("42.1790000010", "42.1790.000010", 1);
    assert_eq!(why(&moved), Why::TokenSignature);
    assert_eq!(why(&plain_token(&HOST_SECRET, "42", NOW - 300)), Why::TokenExpired);
    assert_eq!(why(&plain_token(&HOST_SECRET, "42", NOW + 61)), Why::TokenEarly);
    assert_eq!(why(&plain_token(&HOST_SECRET, "42", u64::MAX)), Why::TokenForm);
    assert_eq!(why(&plain_token(&HOST_SECRET, "", NOW)), Why::TokenSubject);
    assert_eq!(why(&plain_token(&HOST_SECRET, &"x".repeat(5000), NOW)), Why::TokenSize);
    for token in ["", ".", "..", "42", "42.1", &right[..right.len() - 1], &format!("{right}0"), "42.+1.aa"] {
        assert_eq!(why(token), Why::TokenForm, "{token}");
    }
    for short in [&b""[..], &[1; 31]] {
        assert!(HostSecrets::new([short]).is_err());
    }
    assert!(HostSecrets::new([]).is_err());
    assert_eq!(format!("{secrets:?}"), "HostSecrets(1)");
}

#[test]
fn the_same_name_through_another_caller_or_issuer_is_somebody_else() {
    let now = UnixMillis(NOW * 1000);
    let host = host_customer("42", now);
    let here = host.customer(&caller("shop"), keyed);
    assert_eq!(host_customer("42", now).customer(&caller("shop"), keyed), here);
    assert_ne!(host.customer(&caller("other"), keyed), here);
    assert_ne!(host_customer("43", now).customer(&caller("shop"), keyed), here);
    let keys = Keys::new();
    let known = HostKeys::parse(keys.set().to_string().as_bytes()).unwrap();
    let token = keys.sign(&json!({ "alg": "ES256", "kid": "e" }), &with_claim("sub", json!("42")));
    let signed = site().verify(&token, &known, now).unwrap();
    assert_ne!(signed.customer(&caller("shop"), keyed), here);
}

#[test]
fn a_token_for_somebody_else_does_not_sign_in_here() {
    let mut house = House::new();
    let (account, host) = house.customer();
    let arrival = house.browser();
    let other = host_customer("somebody else", house.now);
    let change = account.sign_in_from_host(&other, &caller("shop"), keyed, &arrival, &mut house.with());
    let (account, why) = no(change);
    assert_eq!(why, Why::OtherPerson);
    let change = account.sign_in_from_host(&host, &caller("other"), keyed, &arrival, &mut house.with());
    let (account, why) = no(change);
    assert_eq!(why, Why::OtherPerson);
    ok(account.sign_in_from_host(&host, &caller("shop"), keyed, &arrival, &mut house.with()));
}

//! The software authenticator of the `passkey` crate, as a phone in somebody's hand.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use passkey::authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod};
use passkey::client::{Client, DefaultClientData};
use passkey::crypto::aws_lc_rs::AwsLcRsBackend;
use passkey::types::Passkey;
use passkey::types::ctap2::{Aaguid, Ctap2Error};
use serde_json::{Value, json};

/// A phone: the software authenticator of the `passkey` crate behind a browser at some origin.
pub(crate) struct Phone {
    pub(crate) stored: Option<Passkey>,
    pub(crate) verifies: bool,
    pub(crate) counts: bool,
    pub(crate) origin: String,
}

struct User(bool);

#[async_trait::async_trait]
impl UserValidationMethod for User {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(
        &self,
        _: UiHint<'a, Passkey>,
        presence: bool,
        _: bool,
    ) -> Result<UserCheck, Ctap2Error> {
        Ok(UserCheck { presence, verification: self.0 })
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }
}

impl Phone {
    /// A new one, behind a browser that shows a page of this origin.
    pub(crate) fn at(origin: &str) -> Self {
        Self { stored: None, verifies: true, counts: false, origin: origin.to_owned() }
    }

    /// A copy of everything that is in it.
    pub(crate) fn copy(&self) -> Self {
        Self { stored: self.stored.clone(), origin: self.origin.clone(), ..*self }
    }

    fn authenticator(&self) -> Authenticator<Option<Passkey>, User, AwsLcRsBackend> {
        let (aaguid, user) = (Aaguid::new_empty(), User(self.verifies));
        let mut authenticator = Authenticator::new(aaguid, self.stored.clone(), user, AwsLcRsBackend);
        authenticator.set_make_credentials_with_signature_counter(self.counts);
        authenticator
    }

    pub(crate) fn register_json(&mut self, options: &Value) -> Value {
        let mut client = Client::new(self.authenticator()).allows_insecure_localhost(true);
        let request = serde_json::from_value(options.clone()).unwrap();
        let origin = passkey_url(&self.origin);
        let made = block_on(client.register(&origin, request, DefaultClientData)).unwrap();
        self.stored = client.authenticator().store().clone();
        as_browsers_write(serde_json::to_value(made).unwrap())
    }

    pub(crate) fn show_json(&mut self, options: &Value) -> Value {
        let mut client = Client::new(self.authenticator()).allows_insecure_localhost(true);
        let mut options = options.clone();
        // An empty list says "any": the software takes it for "none of these".
        if options["publicKey"]["allowCredentials"].as_array().is_some_and(Vec::is_empty) {
            options["publicKey"]["allowCredentials"] = Value::Null;
        }
        let request = serde_json::from_value(options).unwrap();
        let origin = passkey_url(&self.origin);
        let shown = block_on(client.authenticate(&origin, request, DefaultClientData)).unwrap();
        self.stored = client.authenticator().store().clone();
        as_browsers_write(serde_json::to_value(shown).unwrap())
    }
}

/// The software writes bytes as lists of numbers; browsers (`PublicKeyCredential.toJSON`) as base64url.
fn as_browsers_write(mut value: Value) -> Value {
    match &mut value {
        Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_u64) => {
            let bytes: Vec<u8> =
                list.iter().filter_map(Value::as_u64).filter_map(|n| n.try_into().ok()).collect();
            return json!(URL_SAFE_NO_PAD.encode(bytes));
        }
        Value::Object(map) => map.values_mut().for_each(|inner| *inner = as_browsers_write(inner.take())),
        _ => {}
    }
    value
}

fn passkey_url(origin: &str) -> webauthn_rs::prelude::Url {
    origin.parse().unwrap()
}

/// The software never waits for anybody, so nothing has to wake it.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

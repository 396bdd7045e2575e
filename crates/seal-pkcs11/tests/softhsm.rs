//! With SoftHSM (Debian: `softhsm2`): `cargo test -p chatward-seal-pkcs11 -- --ignored softhsm`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests fail as tests do")]

use std::path::{Path, PathBuf};
use std::process::Command;

use chatward_seal_pkcs11::{Settings, Token};
use chatward_vault::{OperatorKey, Seal as _, SealError, WrappedSeal};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

/// Where the tokens of the inner test are.
const FOLDER: &str = "CHATWARD_TEST_TOKENS";

fn module() -> PathBuf {
    let places = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("SoftHSM is missing: apt-get install softhsm2"))
}

/// The module reads its configuration from the environment, so that the test runs in a process of its own.
#[test]
#[ignore = "needs SoftHSM (apt-get install softhsm2)"]
fn softhsm_seals() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = dir.path().join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let conf = dir.path().join("softhsm2.conf");
    std::fs::write(
        &conf,
        format!("directories.tokendir = {}\nobjectstore.backend = file\n", tokens.display()),
    )
    .unwrap();
    for label in ["house", "other"] {
        let args = ["--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", "1234"];
        let done = Command::new("softhsm2-util").args(args).env("SOFTHSM2_CONF", &conf).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    let mut inner = Command::new(std::env::current_exe().unwrap());
    inner
        .args(["--exact", "inner", "--ignored", "--nocapture"])
        .env("SOFTHSM2_CONF", &conf)
        .env(FOLDER, dir.path());
    let done = inner.output().unwrap();
    assert!(
        done.status.success(),
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(String::from_utf8_lossy(&done.stdout).contains("1 passed"));
}

fn make_key(token: &str, label: &str) {
    let library = Pkcs11::new(module()).unwrap();
    library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let slots = library.get_slots_with_initialized_token().unwrap();
    let is_it =
        |slot: &cryptoki::slot::Slot| library.get_token_info(*slot).unwrap().label().trim_end() == token;
    let slot = slots.into_iter().find(is_it).unwrap();
    {
        let session = library.open_rw_session(slot).unwrap();
        session.login(UserType::User, Some(&AuthPin::from("1234"))).unwrap();
        let template = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::ValueLen(32.into()),
            Attribute::Label(label.as_bytes().to_vec()),
        ];
        session.generate_key(&Mechanism::AesKeyGen, &template).unwrap();
    }
    library.finalize().unwrap();
}

fn seal(dir: &Path, token: &str, key: &str, pin: &str) -> WrappedSeal {
    let settings = Settings { module: module(), token: token.into(), key: key.into() };
    let token = Token::new(settings, Zeroizing::new(pin.to_owned()));
    assert!(!format!("{token:?}").contains(pin));
    WrappedSeal::new(&dir.join("operator.wrapped"), Box::new(token))
}

#[test]
#[ignore = "the other test runs it"]
fn inner() {
    // Without its surroundings there is nothing to do.
    let Some(dir) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    for (token, key) in [("house", "chatward"), ("house", "second"), ("other", "chatward")] {
        make_key(token, key);
    }
    let right = seal(&dir, "house", "chatward", "1234");
    let key = OperatorKey::random().unwrap();
    right.store(&key).unwrap();
    let kit = |key: &OperatorKey| key.kit().unwrap().groups().to_vec();
    assert_eq!(kit(&right.operator_key().unwrap()), kit(&key));
    for (token, label, pin) in [
        ("house", "chatward", "9999"),
        ("house", "second", "1234"),
        ("other", "chatward", "1234"),
        ("nobody", "chatward", "1234"),
        ("house", "nothing", "1234"),
    ] {
        let refused = seal(&dir, token, label, pin).operator_key();
        assert!(matches!(refused, Err(SealError::Service { .. })), "{token} {label} {pin}");
        assert!(!refused.unwrap_err().to_string().contains(pin));
    }
    // Bound to the lines above it.
    let path = dir.join("operator.wrapped");
    let good = std::fs::read_to_string(&path).unwrap();
    let check_value = good.lines().nth(2).unwrap();
    std::fs::write(&path, good.replace(check_value, "0123456789abcdef")).unwrap();
    assert!(right.operator_key().is_err());
    std::fs::write(&path, good).unwrap();
    assert!(right.operator_key().is_ok());
}

//! Which seal the configuration names, and how it is opened.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use chatward_vault::{FileSeal, OperatorKey, Passphrase, Seal, SealError, WrappedSeal, Wrapper, holds_keys};
use zeroize::Zeroizing;

#[cfg(feature = "seal-pkcs11")]
use crate::config::Pkcs11;
use crate::config::{SealKind, Sealing, Told};

/// The operator key's name in the keys folder.
pub(crate) const OPERATOR_KEY: &str = "operator.key";
/// The name of one that is wrapped.
pub(crate) const WRAPPED_KEY: &str = "operator.wrapped";

/// Opens the seal that is configured; makes the operator's key if there are no keys yet, and says so.
pub(crate) fn open_or_make(sealing: &Sealing, keys: &Path) -> anyhow::Result<(Box<dyn Seal>, bool)> {
    if sealing.kind == SealKind::File {
        let (seal, made) = FileSeal::open_or_create(&keys.join(OPERATOR_KEY), keys)?;
        return Ok((Box::new(seal), made));
    }
    let seal = WrappedSeal::new(&keys.join(WRAPPED_KEY), wrapper(sealing, sealing.kind)?);
    let make = !seal.exists() && !holds_keys(keys)?;
    if make {
        seal.store(&OperatorKey::random()?)?;
    } else if !seal.exists() && keys.join(OPERATOR_KEY).exists() {
        return Err(SealError::OtherForm { path: keys.join(OPERATOR_KEY), kind: sealing.kind.name() }.into());
    }
    Ok((Box::new(seal), make))
}

/// Opens the seal that is configured, which must be there.
pub(crate) fn open(sealing: &Sealing, keys: &Path) -> anyhow::Result<Box<dyn Seal>> {
    Ok(match sealing.kind {
        SealKind::File => Box::new(FileSeal::open(&keys.join(OPERATOR_KEY))?),
        kind => Box::new(WrappedSeal::new(&keys.join(WRAPPED_KEY), wrapper(sealing, kind)?)),
    })
}

/// What wraps the operator's key under this kind of seal.
pub(crate) fn wrapper(sealing: &Sealing, kind: SealKind) -> anyhow::Result<Box<dyn Wrapper>> {
    match kind {
        SealKind::Passphrase => {
            let text = told(sealing.passphrase.as_ref(), "Passphrase of the operator's key: ")?;
            Ok(Box::new(Passphrase::new(&text)?))
        }
        #[cfg(feature = "seal-pkcs11")]
        SealKind::Pkcs11 => {
            let Pkcs11 { module, token, key } =
                sealing.pkcs11.clone().context("`seal.module`, `seal.token` or `seal.key` is missing")?;
            let settings = chatward_seal_pkcs11::Settings { module, token, key };
            let pin = told(sealing.pin.as_ref(), "PIN of the token: ")?;
            Ok(Box::new(chatward_seal_pkcs11::Token::new(settings, pin)))
        }
        #[cfg(feature = "seal-transit")]
        SealKind::Transit => {
            let crate::config::Transit { url, mount, key } =
                sealing.transit.clone().context("`seal.url` or `seal.key` is missing")?;
            let settings = chatward_seal_transit::Settings { url, mount, key };
            let token = told(sealing.vault_token.as_ref(), "Token of the transit engine: ")?;
            Ok(Box::new(chatward_seal_transit::Transit::new(settings, token)?))
        }
        #[cfg(feature = "seal-kms")]
        SealKind::AwsKms => {
            let crate::config::AwsKms { region, key, endpoint } =
                sealing.aws_kms.clone().context("`seal.region` or `seal.key` is missing")?;
            let settings = chatward_seal_kms::Settings { region, key, endpoint };
            let access = aws_access(&sealing.aws_access)?;
            Ok(Box::new(chatward_seal_kms::Kms::new(settings, access)?))
        }
        // The configuration refuses the others in a build that lacks them.
        other => anyhow::bail!("this build has no seal of the kind {}", other.name()),
    }
}

/// The access key that the configuration names; what it leaves out comes from the variables that AWS's own programs read. A
/// session token belongs to the secret beside it, and is never taken from elsewhere.
#[cfg(feature = "seal-kms")]
fn aws_access(access: &crate::config::AwsAccess) -> anyhow::Result<chatward_seal_kms::Access> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let variable = |name: &str| set(name).then(|| Told::Variable(name.to_owned()));
    let crate::config::AwsAccess { id, secret, session_token } = access;
    let id = match id.clone().map_or_else(|| std::env::var("AWS_ACCESS_KEY_ID"), Ok) {
        Ok(id) => id,
        Err(_) => anyhow::bail!("no access key for AWS KMS: set `seal.access_key_id` or AWS_ACCESS_KEY_ID"),
    };
    let (secret, session_token) = match secret {
        Some(secret) => (Some(secret.clone()), session_token.clone()),
        None => (variable("AWS_SECRET_ACCESS_KEY"), variable("AWS_SESSION_TOKEN")),
    };
    let ask = "Secret access key for AWS KMS: ";
    Ok(chatward_seal_kms::Access {
        id,
        secret: told(secret.as_ref(), ask)?,
        session_token: session_token.as_ref().map(|from| told(Some(from), ask)).transpose()?,
    })
}

/// A secret from its file or variable, or asked for at the terminal.
pub(crate) fn told(from: Option<&Told>, prompt: &str) -> anyhow::Result<Zeroizing<String>> {
    let text = match from {
        Some(Told::File(file)) => {
            Zeroizing::new(std::fs::read_to_string(file).with_context(|| file.display().to_string())?)
        }
        Some(Told::Variable(name)) => {
            Zeroizing::new(std::env::var(name).with_context(|| format!("the variable {name}"))?)
        }
        None => asked(prompt)?,
    };
    Ok(Zeroizing::new(text.trim_end_matches(['\n', '\r']).to_owned()))
}

/// Asks at the terminal, without showing what is typed.
fn asked(prompt: &str) -> anyhow::Result<Zeroizing<String>> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        anyhow::bail!(
            "a secret is needed, and nobody can be asked: name a file or a variable that holds it in `[seal]`"
        );
    }
    let usual = tcgetattr(&stdin)?;
    let mut silent = usual.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    write!(io::stderr(), "{prompt}")?;
    tcsetattr(&stdin, OptionalActions::Flush, &silent)?;
    let mut line = Zeroizing::new(String::with_capacity(256));
    let read = stdin.lock().read_line(&mut line);
    // Whatever came of it, the terminal shows again what is typed.
    tcsetattr(&stdin, OptionalActions::Flush, &usual)?;
    writeln!(io::stderr())?;
    read?;
    Ok(line)
}

//! `[keys]` and `[seal]`: as written, and checked.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::load::fault;
use super::raw::Raw;
use super::{
    AwsAccess, AwsKms, Fault, FaultSort, Faults, Keys, Loaded, Pkcs11, SealKind, Sealing, Told, Transit,
};

/// `[keys]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawKeys {
    /// Folder, best on another disk, that always holds a copy of keyring and seal file. Never in the data folder or the keys
    /// folder. Without it a lost disk takes the keys along, and all data with them.
    pub mirror: Option<PathBuf>,
}

/// `seal.kind`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawSealKind {
    /// The operator's key lies in a file, `operator.key` in the keys folder, for its owner's eyes only.
    #[default]
    File,
    /// It lies there wrapped under a passphrase.
    Passphrase,
    /// Wrapped by the transit engine of Vault or OpenBao; only in a build with the feature `seal-transit`.
    Transit,
    /// Wrapped by a key in AWS KMS; only in a build with the feature `seal-kms`.
    AwsKms,
    /// Wrapped by a key in hardware (PKCS#11); only in a build with the feature `seal-pkcs11`.
    Pkcs11,
}

/// `[seal]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawSeal {
    /// Where the operator's key is.
    pub kind: RawSealKind,
    /// With `passphrase`: the file that holds it. With neither file nor variable it is asked for at the terminal.
    pub passphrase_file: Option<PathBuf>,
    /// With `passphrase`: the environment variable that holds it.
    pub passphrase_env: Option<String>,
    /// With `pkcs11`: the library of the token's maker.
    pub module: Option<PathBuf>,
    /// With `pkcs11`: the label of the token.
    pub token: Option<String>,
    /// With `pkcs11`: the label of the AES key on it. With `transit`: the name of the key. With `aws-kms`: its
    /// id, its ARN, or an alias, `alias/chatward`.
    pub key: Option<String>,
    /// With `transit`: where the service is, `https://vault.example:8200`.
    pub url: Option<String>,
    /// With `transit`: where the engine is mounted. Default: `transit`.
    pub mount: Option<String>,
    /// With `transit`: the file with the token for it.
    pub vault_token_file: Option<PathBuf>,
    /// With `transit`: the environment variable with the token.
    pub vault_token_env: Option<String>,
    /// With `aws-kms`: the region of the key, `eu-central-1`.
    pub region: Option<String>,
    /// With `aws-kms`: where the service is, if not at the region's own address (an endpoint in your own network).
    pub endpoint: Option<String>,
    /// With `aws-kms`: the id of the access key. Default: what the variable `AWS_ACCESS_KEY_ID` says.
    pub access_key_id: Option<String>,
    /// With `aws-kms`: the file with the secret access key. With neither file nor variable the variables
    /// `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` are read.
    pub secret_key_file: Option<PathBuf>,
    /// With `aws-kms`: the environment variable with the secret access key.
    pub secret_key_env: Option<String>,
    /// With `aws-kms`: the file with the session token, if the access key is lent for a while.
    pub session_token_file: Option<PathBuf>,
    /// With `aws-kms`: the environment variable with the session token.
    pub session_token_env: Option<String>,
    /// With `pkcs11`: the file with the PIN of the token.
    pub pin_file: Option<PathBuf>,
    /// With `pkcs11`: the environment variable with the PIN.
    pub pin_env: Option<String>,
}

/// What is done for the keys; `folders`: data and keys.
pub(super) fn keys(raw: &Raw, folders: [&Path; 2], on_server: bool, faults: &mut Vec<Fault>) -> Option<Keys> {
    let mirror = mirror(raw, folders, on_server, faults);
    Some(Keys { mirror, seal: sealing(raw, faults)? })
}

impl Loaded {
    /// Which seal there is, for commands that need nothing else.
    ///
    /// # Errors
    /// `[seal]` has faults.
    pub fn sealing(&self) -> Result<Sealing, Faults> {
        let mut faults = Vec::new();
        match sealing(&self.raw, &mut faults) {
            Some(sealing) if faults.is_empty() => Ok(sealing),
            _ => Err(Faults(faults)),
        }
    }

    /// The mirror of the keys, for commands that need nothing else.
    pub fn mirror(&self) -> Option<PathBuf> {
        self.raw.keys.mirror.clone()
    }
}

fn mirror(raw: &Raw, folders: [&Path; 2], on_server: bool, faults: &mut Vec<Fault>) -> Option<PathBuf> {
    let mirror = raw.keys.mirror.as_ref()?;
    let mirror = match std::path::absolute(mirror) {
        Ok(mirror) => mirror,
        Err(error) => {
            faults.push(fault("keys.mirror", format!("not a folder that can be used: {error}")));
            return None;
        }
    };
    if on_server {
        faults.push(fault(
            "keys.mirror",
            "the keyring is on a server: mirror it there, with the server's own replication",
        ));
    }
    for folder in folders {
        if let Err(error) = chatward_store::apart(&mirror, folder) {
            faults.push(Fault { sort: FaultSort::Unsafe, ..fault("keys.mirror", error.to_string()) });
        }
    }
    Some(mirror)
}

fn sealing(raw: &Raw, faults: &mut Vec<Fault>) -> Option<Sealing> {
    let raw = &raw.seal;
    let kind = match raw.kind {
        RawSealKind::File => SealKind::File,
        RawSealKind::Passphrase => SealKind::Passphrase,
        RawSealKind::Pkcs11 => SealKind::Pkcs11,
        RawSealKind::Transit => SealKind::Transit,
        RawSealKind::AwsKms => SealKind::AwsKms,
    };
    if let Some(feature) = kind.lacking() {
        let message = format!(
            "this build has no seal of the kind `{}`: build it with `--features {feature}`, or take `file` or `passphrase`",
            kind.name()
        );
        faults.push(fault("seal.kind", message));
        return None;
    }
    let passphrase = told("passphrase", &raw.passphrase_file, &raw.passphrase_env, faults);
    let pin = told("pin", &raw.pin_file, &raw.pin_env, faults);
    let pkcs11 = match (&raw.module, &raw.token, &raw.key) {
        (Some(module), Some(token), Some(key)) => {
            Some(Pkcs11 { module: module.clone(), token: token.clone(), key: key.clone() })
        }
        _ => None,
    };
    if kind == SealKind::Pkcs11 && pkcs11.is_none() {
        for (name, missing) in
            [("module", raw.module.is_none()), ("token", raw.token.is_none()), ("key", raw.key.is_none())]
        {
            if missing {
                faults.push(fault(&format!("seal.{name}"), "missing: `pkcs11` needs it"));
            }
        }
    }
    let vault_token = told("vault_token", &raw.vault_token_file, &raw.vault_token_env, faults);
    let transit = raw.url.as_ref().zip(raw.key.as_ref()).map(|(url, key)| Transit {
        url: url.clone(),
        mount: raw.mount.clone().unwrap_or_else(|| "transit".to_owned()),
        key: key.clone(),
    });
    if kind == SealKind::Transit && transit.is_none() {
        let name = if raw.url.is_none() { "url" } else { "key" };
        faults.push(fault(&format!("seal.{name}"), "missing: `transit` needs it"));
    }
    let aws_kms = raw.region.as_ref().zip(raw.key.as_ref()).map(|(region, key)| AwsKms {
        region: region.clone(),
        key: key.clone(),
        endpoint: raw.endpoint.clone(),
    });
    if kind == SealKind::AwsKms && aws_kms.is_none() {
        let name = if raw.region.is_none() { "region" } else { "key" };
        faults.push(fault(&format!("seal.{name}"), "missing: `aws-kms` needs it"));
    }
    let aws_access = AwsAccess {
        id: raw.access_key_id.clone(),
        secret: told("secret_key", &raw.secret_key_file, &raw.secret_key_env, faults),
        session_token: told("session_token", &raw.session_token_file, &raw.session_token_env, faults),
    };
    if aws_access.session_token.is_some() && aws_access.secret.is_none() {
        faults.push(fault(
            "seal.session_token_file",
            "it belongs to a secret access key: say where that is (`seal.secret_key_file`, `seal.secret_key_env`)",
        ));
    }
    Some(Sealing { kind, passphrase, pin, pkcs11, vault_token, transit, aws_kms, aws_access })
}

/// Where a secret is: in a file, or in a variable, and not in both.
fn told(
    name: &str,
    file: &Option<PathBuf>,
    variable: &Option<String>,
    faults: &mut Vec<Fault>,
) -> Option<Told> {
    if file.is_some() && variable.is_some() {
        faults.push(fault(&format!("seal.{name}_env"), format!("`seal.{name}_file` is there too: take one")));
    }
    file.clone().map(Told::File).or(variable.clone().map(Told::Variable))
}

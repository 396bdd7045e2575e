//! What a refusal of the service means for the operator.

use chatward_vault::SealError;
use http::StatusCode;
use serde::Deserialize;

use crate::failed;

#[derive(Deserialize)]
struct Refusal {
    /// `NotFoundException`, or the same behind a name space and `#`.
    #[serde(rename = "__type")]
    word: String,
}

/// The error for an answer that is none. What the service says in its own words may hold what was sent: only its word for the error
/// is told.
pub(crate) fn refused(action: &str, status: StatusCode, body: &[u8]) -> SealError {
    let refusal = serde_json::from_slice::<Refusal>(body).ok();
    let word = refusal.as_ref().and_then(|refusal| refusal.word.rsplit('#').next());
    match word.filter(|word| word.len() <= 64 && word.bytes().all(|b| b.is_ascii_alphanumeric())) {
        Some(word) => failed(format_args!("KMS refuses `{action}` with {word}: {}", advice(word, status))),
        None => failed(format_args!("KMS refuses `{action}` with {status}: {}", advice("", status))),
    }
}

/// What to do. The words are those of the service's reference: of `Encrypt` and `Decrypt`, and those common to all actions.
fn advice(word: &str, status: StatusCode) -> &'static str {
    match word {
        "NotFoundException" => {
            "there is no such key: look at `seal.key`, `seal.region`, and whose account the access key is of"
        }
        "DisabledException" => "the key is disabled: enable it in KMS",
        "KMSInvalidStateException" => {
            "the key is not in use: if it waits for its deletion, cancel that in KMS at once; without it only the recovery kit opens"
        }
        "KeyUnavailableException" | "DependencyTimeoutException" | "KMSInternalException" => {
            "the fault is the service's: try again"
        }
        "ThrottlingException" | "LimitExceededException" => "it is asked too often: try again",
        "InvalidKeyUsageException" => {
            "the key is of another sort: take a symmetric one for encryption (SYMMETRIC_DEFAULT)"
        }
        "IncorrectKeyException" => {
            "the operator's key was wrapped by another key than `seal.key` names: name that one"
        }
        "InvalidCiphertextException" => {
            "the wrapped operator's key or a line above it was altered: put the file back from its copy"
        }
        "AccessDeniedException" => {
            "the access key may not: allow it `kms:Encrypt` and `kms:Decrypt` on this key, and see that `seal.key` is the key \
             that wrapped"
        }
        "ExpiredTokenException" => "what was lent has run out: get a new access key with its session token",
        "UnrecognizedClientException" | "InvalidClientTokenId" | "MissingAuthenticationToken" => {
            "the access key is not known there: look at its id, and that a session token is given with one that was lent"
        }
        "InvalidSignatureException" | "SignatureDoesNotMatch" | "IncompleteSignature" => {
            "the secret key is not that of this access key, `seal.region` is not that of `seal.endpoint`, or the clock of this \
             machine is wrong"
        }
        _ if status.is_server_error() => "the fault is the service's: try again",
        _ if status == StatusCode::FORBIDDEN => {
            "look at the access key: its id, its secret, and what it is allowed (`kms:Encrypt` and `kms:Decrypt` on this key)"
        }
        _ => "look at `seal.key`, `seal.region`, `seal.endpoint` and the access key",
    }
}

//! Against `moto`, and against a server that answers with each refusal of the service's reference:
//! `CHATWARD_TEST_MOTO=…/bin/python cargo test -p chatward-seal-kms -- --include-ignored`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests fail as tests do")]

mod moto;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use chatward_seal_kms::{Access, Kms, Settings};
use chatward_vault::{OperatorKey, Seal as _, SealError, WrappedSeal};
use moto::Moto;
use zeroize::Zeroizing;

fn settings(region: &str, key: &str, endpoint: Option<&str>) -> Settings {
    Settings { region: region.into(), key: key.into(), endpoint: endpoint.map(str::to_owned) }
}

fn access(id: &str, secret: &str, token: Option<&str>) -> Access {
    let token = token.map(|token| Zeroizing::new(token.to_owned()));
    Access { id: id.into(), secret: Zeroizing::new(secret.to_owned()), session_token: token }
}

fn seal(dir: &Path, settings: Settings, access: Access) -> WrappedSeal {
    let secret = access.secret.clone();
    let shown = format!("{access:?}");
    let kms = Kms::new(settings, access).unwrap();
    assert!(!format!("{shown} {kms:?}").contains(secret.as_str()));
    WrappedSeal::new(&dir.join("operator.wrapped"), Box::new(kms))
}

/// The seal of this key of a running `moto`, for this access key.
fn at(moto: &Moto, dir: &Path, key: &str, who: &str) -> WrappedSeal {
    let key = moto.facts[key].as_str().unwrap_or(key);
    let who = &moto.facts[who];
    let access = access(who["id"].as_str().unwrap(), who["secret"].as_str().unwrap(), who["token"].as_str());
    seal(dir, settings(moto.fact("region"), key, Some(moto.fact("url"))), access)
}

fn groups(key: &OperatorKey) -> Vec<String> {
    key.kit().unwrap().groups().iter().map(ToString::to_string).collect()
}

/// What a refusal says.
fn said(result: Result<OperatorKey, SealError>) -> String {
    match result {
        Err(error @ SealError::Service { kind: "aws-kms", .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "needs moto: CHATWARD_TEST_MOTO"]
fn moto_seals_and_nothing_else_opens() {
    let (dir, mut moto) = (tempfile::tempdir().unwrap(), Moto::start());
    let right = at(&moto, dir.path(), "house", "right");
    let key = OperatorKey::random().unwrap();
    right.store(&key).unwrap();
    let path = dir.path().join("operator.wrapped");
    // By its ARN, by its alias, and with an access key that is lent.
    for (name, who) in [("house", "right"), ("alias/house", "right"), ("house", "lent")] {
        let opened = at(&moto, dir.path(), name, who).operator_key().unwrap();
        assert_eq!(groups(&opened), groups(&key), "{name} {who}");
    }
    for (name, who, word) in [
        ("other", "right", "the key that wrapped"),
        ("alias/nothing", "right", "there is no such key"),
        ("0123abcd-0123-0123-0123-0123456789ab", "right", "there is no such key"),
        ("house", "reader", "look at the access key"),
    ] {
        let text = said(at(&moto, dir.path(), name, who).operator_key());
        assert!(text.contains(word), "{name} {who}: {text}");
    }
    let (url, region, house) = (moto.fact("url"), moto.fact("region"), moto.fact("house"));
    let (id, secret) = (moto.fact("right/id"), moto.fact("right/secret"));
    let (lent, lent_secret) = (moto.fact("lent/id"), moto.fact("lent/secret"));
    for (region, access) in [
        (region, access(id, "wrong", None)),
        (region, access("AKIANOBODY", secret, None)),
        (region, access(lent, lent_secret, None)),
        (region, access(lent, lent_secret, Some("another"))),
    ] {
        let shown = format!("{access:?}");
        let text = said(seal(dir.path(), settings(region, house, Some(url)), access).operator_key());
        assert!(text.contains("look at the access key"), "{shown}: {text}");
        assert!(!text.contains("wrong") && !text.contains("another"), "{text}");
    }
    // Another region has no such key.
    let elsewhere = settings("eu-west-1", house.rsplit('/').next().unwrap(), Some(url));
    let text = said(seal(dir.path(), elsewhere, access(id, secret, None)).operator_key());
    assert!(text.contains("there is no such key"), "{text}");
    // Bound to the lines above it: another encryption context.
    let good = std::fs::read_to_string(&path).unwrap();
    let check_value = good.lines().nth(2).unwrap();
    std::fs::write(&path, good.replace(check_value, "0123456789abcdef")).unwrap();
    let text = said(right.operator_key());
    assert!(text.contains("InvalidCiphertextException") && text.contains("was altered"), "{text}");
    std::fs::write(&path, good.replace("aws-kms\n", "transit\n")).unwrap();
    assert!(right.operator_key().is_err());
    std::fs::write(&path, &good).unwrap();
    moto.tell("disable", "house");
    let text = said(right.operator_key());
    assert!(text.contains("DisabledException") && text.contains("enable it in KMS"), "{text}");
    assert!(!text.contains("canary"), "{text}");
    assert!(right.store(&key).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), good, "a refusal leaves the file as it was");
    moto.tell("enable", "house");
    assert_eq!(groups(&right.operator_key().unwrap()), groups(&key));
}

/// A server that gives this answer to whatever it is asked.
fn answering(status: &str, body: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).unwrap_or(0) > 2 {
                if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
                    length = n.trim().parse().unwrap();
                }
                line.clear();
            }
            let _ = reader.read_exact(&mut vec![0; length]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

/// What is said when the service answers so.
fn when(status: &str, body: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let url = answering(status, body);
    let seal = seal(dir.path(), settings("eu-central-1", "one", Some(&url)), access("AKIA", "secret", None));
    let error = seal.store(&OperatorKey::random().unwrap()).unwrap_err();
    assert!(!dir.path().join("operator.wrapped").exists());
    let text = said(Err(error));
    assert!(!text.contains("canary"), "{text}");
    text
}

#[test]
fn a_refusal_says_what_to_do() {
    for (status, word, advice) in [
        ("400 Bad Request", "DisabledException", "enable it in KMS"),
        ("400 Bad Request", "KMSInvalidStateException", "deletion"),
        ("400 Bad Request", "com.amazonaws.kms#NotFoundException", "seal.region"),
        ("400 Bad Request", "IncorrectKeyException", "another key than `seal.key` names"),
        ("400 Bad Request", "InvalidKeyUsageException", "SYMMETRIC_DEFAULT"),
        ("400 Bad Request", "AccessDeniedException", "kms:Decrypt"),
        ("400 Bad Request", "ExpiredTokenException", "session token"),
        ("400 Bad Request", "UnrecognizedClientException", "not known there"),
        ("400 Bad Request", "InvalidSignatureException", "clock"),
        ("400 Bad Request", "ThrottlingException", "try again"),
        ("400 Bad Request", "SomethingNew", "seal.key"),
        ("500 Internal Server Error", "KMSInternalException", "the fault is the service's"),
    ] {
        let text = when(status, &format!(r#"{{"__type":"{word}","message":"canary"}}"#));
        let bare = word.rsplit('#').next().unwrap();
        assert!(text.contains(bare) && text.contains(advice), "{word}: {text}");
    }
    let text = when("502 Bad Gateway", "<html>canary</html>");
    assert!(text.contains("502") && text.contains("the fault is the service's"), "{text}");
    let text = when("403 Forbidden", r#"{"__type":"a canary\nin a word"}"#);
    assert!(text.contains("403") && text.contains("access key"), "{text}");
}

#[test]
fn an_answer_that_is_none_is_refused() {
    for body in ["", "canary", "{}", "[]", r#"{"CiphertextBlob":""}"#, r#"{"CiphertextBlob":"canary!"}"#] {
        assert!(when("200 OK", body).contains("not what the interface describes"), "{body}");
    }
    assert!(when("200 OK", &"x".repeat(100_000)).contains("too long"));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (dir, url) = (tempfile::tempdir().unwrap(), format!("http://{nobody}"));
    let seal = seal(dir.path(), settings("eu-central-1", "one", Some(&url)), access("AKIA", "secret", None));
    let text = said(Err(seal.store(&OperatorKey::random().unwrap()).unwrap_err()));
    assert!(text.contains("the service is away"), "{text}");
}

#[test]
fn nothing_goes_over_the_network_in_clear() {
    let made = |region: &str, key: &str, endpoint: Option<&str>| {
        Kms::new(settings(region, key, endpoint), access("AKIA", "secret", None))
    };
    for endpoint in [
        "http://kms.example",
        "ftp://localhost",
        "http://localhost.example",
        "http://localhost@kms.example",
        "https://user:canary@kms.example",
        "https://kms.example/path",
        "https://kms.example/?query",
        "/nowhere",
        "nonsense",
        "https://",
        "",
    ] {
        assert!(made("eu-central-1", "one", Some(endpoint)).is_err(), "{endpoint}");
    }
    for (region, key) in [("", "one"), ("eu central", "one"), ("evil.example/", "one"), ("eu-central-1", "")]
    {
        assert!(made(region, key, None).is_err(), "{region} {key}");
    }
    for endpoint in ["https://vpce-1.kms.eu-central-1.vpce.amazonaws.com", "http://[::1]:4566/"] {
        assert!(made("eu-central-1", "alias/one", Some(endpoint)).is_ok(), "{endpoint}");
    }
    let shown = format!("{:?}", made("eu-central-1", "arn:aws:kms:eu-central-1:1:key/2", None).unwrap());
    assert!(shown.contains("https://kms.eu-central-1.amazonaws.com/"), "{shown}");
    let shown = format!("{:?}", made("cn-north-1", "one", None).unwrap());
    assert!(shown.contains("https://kms.cn-north-1.amazonaws.com.cn/"), "{shown}");
    for (id, secret) in [("", "secret"), ("AK IA", "secret"), ("AKIA", "")] {
        let made = Kms::new(settings("eu-central-1", "one", None), access(id, secret, None));
        assert!(made.is_err(), "{id} {secret}");
    }
    // What has no place in a header is refused before anything is sent.
    let dir = tempfile::tempdir().unwrap();
    let access = access("AKIA", "secret", Some("two\nlines"));
    let seal = seal(dir.path(), settings("eu-central-1", "one", Some("http://127.0.0.1:9")), access);
    let text = said(Err(seal.store(&OperatorKey::random().unwrap()).unwrap_err()));
    assert!(text.contains("cannot be signed"), "{text}");
}

/// Inside of a runtime, as at a start of the program.
#[tokio::test]
async fn it_can_be_asked_inside_of_a_runtime() {
    let dir = tempfile::tempdir().unwrap();
    let url = answering(
        "200 OK",
        r#"{"CiphertextBlob":"AAAA","KeyId":"one","EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#,
    );
    let seal = seal(dir.path(), settings("eu-central-1", "one", Some(&url)), access("AKIA", "secret", None));
    seal.store(&OperatorKey::random().unwrap()).unwrap();
    assert!(dir.path().join("operator.wrapped").exists());
}

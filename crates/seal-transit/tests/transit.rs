//! Against a server that speaks the documented interface of the transit engine (`/v1/MOUNT/encrypt/KEY`, `/v1/MOUNT/decrypt/KEY`).

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use chatward_seal_transit::{Settings, Transit};
use chatward_vault::{OperatorKey, Seal as _, SealError, WrappedSeal};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// A transit engine with the keys `one` and `two`, for the token `right`. It remembers what it wrapped.
fn engine() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut kept: HashMap<String, (String, Value, Value)> = HashMap::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut first, mut token, mut length) = (String::new(), String::new(), false, 0);
            while reader.read_line(&mut line).unwrap_or(0) > 2 {
                let low = line.to_lowercase();
                if first.is_empty() {
                    first.clone_from(&line);
                }
                token |= low.trim() == "x-vault-token: right";
                if let Some(n) = low.strip_prefix("content-length:") {
                    length = n.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
            let parts: Vec<&str> = path.split('/').collect();
            let answer = match parts.as_slice() {
                _ if !token => Err("403 Forbidden"),
                ["", "v1", "transit", "encrypt", key @ ("one" | "two")] => {
                    let name = format!("vault:v1:{}", kept.len());
                    let what =
                        ((*key).to_owned(), body["plaintext"].clone(), body["associated_data"].clone());
                    kept.insert(name.clone(), what);
                    Ok(json!({ "data": { "ciphertext": name } }))
                }
                ["", "v1", "transit", "decrypt", key] => match kept.get(body["ciphertext"].as_str().unwrap())
                {
                    Some((of, plain, about)) if of == key && *about == body["associated_data"] => {
                        Ok(json!({ "data": { "plaintext": plain } }))
                    }
                    _ => Err("400 Bad Request"),
                },
                _ => Err("404 Not Found"),
            };
            let (status, text) = match answer {
                Ok(value) => ("200 OK", value.to_string()),
                Err(status) => (status, json!({ "errors": ["canary in an error"] }).to_string()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                text.len()
            );
            let _ = stream.write_all(format!("{head}{text}").as_bytes());
        }
    });
    url
}

fn transit(url: &str, mount: &str, key: &str, token: &str) -> Result<Transit, SealError> {
    let settings = Settings { url: url.into(), mount: mount.into(), key: key.into() };
    Transit::new(settings, Zeroizing::new(token.to_owned()))
}

fn seal(dir: &Path, url: &str, key: &str, token: &str) -> WrappedSeal {
    let transit = transit(url, "transit", key, token).unwrap();
    assert!(!format!("{transit:?}").contains(token));
    WrappedSeal::new(&dir.join("operator.wrapped"), Box::new(transit))
}

#[test]
fn the_engine_seals_and_nothing_else_opens() {
    let (dir, url) = (tempfile::tempdir().unwrap(), engine());
    let right = seal(dir.path(), &url, "one", "right");
    let key = OperatorKey::random().unwrap();
    right.store(&key).unwrap();
    let kit = |key: &OperatorKey| key.kit().unwrap().groups().to_vec();
    assert_eq!(kit(&right.operator_key().unwrap()), kit(&key));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, label, token) in [
        (&*url, "one", "wrong"),
        (&url, "two", "right"),
        (&url, "three", "right"),
        (&format!("http://{nobody}"), "one", "right"),
    ] {
        match seal(dir.path(), url, label, token).operator_key() {
            Err(error @ SealError::Service { .. }) => {
                let text = error.to_string();
                assert!(!text.contains("canary") && !text.contains("wrong"), "{text}");
            }
            other => panic!("{label} {token}: {other:?}"),
        }
    }
    // Bound to the lines above it.
    let path = dir.path().join("operator.wrapped");
    let good = std::fs::read_to_string(&path).unwrap();
    let check_value = good.lines().nth(2).unwrap();
    std::fs::write(&path, good.replace(check_value, "0123456789abcdef")).unwrap();
    assert!(right.operator_key().is_err());
}

#[test]
fn nothing_goes_over_the_network_in_clear() {
    for url in ["http://vault.example:8200", "ftp://localhost", "nonsense", ""] {
        assert!(transit(url, "transit", "one", "right").is_err(), "{url}");
    }
    for (mount, key) in [("transit", "a/b"), ("../sys", "one"), ("transit", ""), ("tran sit", "one")] {
        assert!(transit("https://vault.example", mount, key, "right").is_err(), "{mount} {key}");
    }
    assert!(transit("https://vault.example:8200", "transit", "one", "right").is_ok());
}

/// Inside of a runtime, as at a start of the program.
#[tokio::test]
async fn it_can_be_asked_inside_of_a_runtime() {
    let (dir, url) = (tempfile::tempdir().unwrap(), engine());
    let seal = seal(dir.path(), &url, "one", "right");
    seal.store(&OperatorKey::random().unwrap()).unwrap();
    assert!(seal.operator_key().is_ok());
}

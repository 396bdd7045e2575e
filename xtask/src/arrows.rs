//! The drawing of the rooms (`ARCHITECTURE.md`), held against the manifests: who may know whom, and what must never be
//! inside.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{capture, cargo};

/// One room: which rooms it may know, and which libraries must not be among its direct dependencies.
struct Room {
    name: &'static str,
    knows: &'static [&'static str],
    never: &'static [(&'static [&'static str], &'static str)],
}

const ASYNC: &[&str] = &["tokio", "async-std", "smol", "futures", "futures-util", "mio", "async-trait"];
const HTTP: &[&str] = &[
    "hyper",
    "hyper-util",
    "hyper-rustls",
    "axum",
    "http",
    "http-body",
    "reqwest",
    "ureq",
    "tower",
    "tower-http",
];
const SQL: &[&str] = &["rusqlite", "sqlx", "libsqlite3-sys", "postgres", "tokio-postgres", "diesel"];
const CIPHERS: &[&str] = &[
    "aws-lc-rs",
    "ring",
    "aes",
    "aes-gcm",
    "aes-gcm-siv",
    "aes-kw",
    "chacha20poly1305",
    "openssl",
    "rust-crypto",
];
/// What only seals; a library that also hashes (aws-lc-rs) is not among them.
const AT_REST: &[&str] = &["aes", "aes-gcm", "aes-gcm-siv", "aes-kw", "chacha20poly1305"];
/// What seals on the way: the encrypted channel, of which only the program's module `channel` knows.
const CHANNEL: &[&str] = &["ohttp", "bhttp", "hpke"];
const REGEX: &[&str] =
    &["regex", "regex-automata", "regex-syntax", "regex-lite", "fancy-regex", "aho-corasick"];
const FILES: &[&str] = &["tempfile", "memmap2", "walkdir", "fs-err", "fs2"];
const SOCKETS: &[&str] = &["socket2", "tokio-rustls", "rustls", "native-tls"];

const ROOMS: &[Room] = &[
    Room {
        name: "chatward-message",
        knows: &[],
        never: &[
            (CHANNEL, "the encrypted channel is chatward's"),
            (ASYNC, "words need no runtime"),
            (HTTP, "no I/O"),
            (SOCKETS, "no I/O"),
            (FILES, "no I/O"),
            (SQL, "no I/O"),
            (REGEX, "finding is detect's"),
            (CIPHERS, "sealing is vault's"),
        ],
    },
    Room {
        name: "chatward-suffix",
        knows: &[],
        never: &[(ASYNC, "a look into a list"), (HTTP, "no I/O"), (SOCKETS, "no I/O"), (FILES, "no I/O")],
    },
    Room {
        name: "chatward-detect",
        knows: &["chatward-message", "chatward-suffix"],
        never: &[
            (CHANNEL, "the encrypted channel is chatward's"),
            (ASYNC, "detection is a pure function of bytes"),
            (HTTP, "no sockets"),
            (SOCKETS, "no sockets"),
            (FILES, "files come as bytes"),
            (SQL, "no database"),
            (AT_REST, "sealing is vault's; hashing (rule set names, base58 checks) is fine"),
        ],
    },
    Room {
        name: "chatward-attach",
        knows: &["chatward-message"],
        never: &[
            (CHANNEL, "the encrypted channel is chatward's"),
            (ASYNC, "looking into a file is a pure function of its bytes"),
            (HTTP, "no sockets: the virus scanner is spoken to by chatward"),
            (SOCKETS, "no sockets"),
            (FILES, "files come as bytes"),
            (SQL, "no database"),
            (AT_REST, "sealing is vault's; hashing is fine"),
        ],
    },
    Room {
        name: "chatward-intel",
        knows: &["chatward-message", "chatward-detect"],
        never: &[
            (CHANNEL, "the encrypted channel is chatward's"),
            (ASYNC, "reading a feed is a function of its bytes"),
            (HTTP, "feeds are fetched by chatward"),
            (SOCKETS, "feeds are fetched by chatward"),
            (SQL, "all SQL is store's"),
            (AT_REST, "sealing is vault's; hashing is fine"),
        ],
    },
    Room {
        name: "chatward-policy",
        knows: &["chatward-message"],
        never: &[
            (CHANNEL, "the encrypted channel is chatward's"),
            (ASYNC, "decisions are pure functions of facts"),
            (HTTP, "no I/O"),
            (SOCKETS, "no I/O"),
            (FILES, "no I/O"),
            (SQL, "no I/O"),
            (REGEX, "policy never reads text"),
            (CIPHERS, "policy never seals"),
        ],
    },
    Room {
        name: "chatward-store",
        knows: &["chatward-message"],
        never: &[
            (CHANNEL, "the encrypted channel is chatward's"),
            (HTTP, "what is kept does not speak to the network"),
            (SOCKETS, "what is kept does not speak to the network"),
            (REGEX, "finding is detect's"),
            (
                &["aes", "aes-gcm", "aes-gcm-siv", "aes-kw", "chacha20poly1305"],
                "sealing is vault's; hashing is fine",
            ),
        ],
    },
    Room {
        name: "chatward-vault",
        knows: &["chatward-message", "chatward-detect", "chatward-policy", "chatward-store"],
        never: &[
            (CHANNEL, "the encrypted channel is chatward's"),
            (HTTP, "no HTTP"),
            (SOCKETS, "no sockets"),
            (SQL, "all SQL is store's"),
        ],
    },
    Room {
        name: "chatward",
        knows: &[
            "chatward-message",
            "chatward-detect",
            "chatward-policy",
            "chatward-store",
            "chatward-vault",
            "chatward-attach",
            "chatward-intel",
            "chatward-seal-pkcs11",
            "chatward-seal-transit",
            "chatward-seal-kms",
        ],
        never: &[
            (SQL, "all SQL is store's"),
            (AT_REST, "at-rest ciphers are vault's; aws-lc-rs is here for TLS and protocol hashes"),
            (&["openssl", "native-tls", "ring"], "one provider: aws-lc-rs"),
        ],
    },
    // Seals that only some builds have: they know what a seal is, and nothing else.
    Room {
        name: "chatward-seal-transit",
        knows: &["chatward-vault"],
        never: &[(SQL, "all SQL is store's"), (CIPHERS, "the service seals")],
    },
    Room {
        name: "chatward-seal-kms",
        knows: &["chatward-vault"],
        never: &[(SQL, "all SQL is store's"), (CIPHERS, "the service seals")],
    },
    Room {
        name: "chatward-seal-pkcs11",
        knows: &["chatward-vault"],
        never: &[
            (HTTP, "a token is no service"),
            (SOCKETS, "a token is no service"),
            (SQL, "all SQL is store's"),
        ],
    },
    // Makes the model that detect carries; not a part of the product.
    Room {
        name: "trainer",
        knows: &["chatward-message", "chatward-detect"],
        never: &[(HTTP, "no I/O but files"), (SOCKETS, "no sockets")],
    },
    Room { name: "xtask", knows: &[], never: &[] },
];

/// What may be needed by tests only, beyond the arrows: nobody yet.
const DEV_KNOWS: &[(&str, &str)] = &[];

/// Every fault of the manifests, as lines for people.
pub(crate) fn faults() -> Result<Vec<String>> {
    let text = capture(cargo().args(["metadata", "--format-version=1", "--no-deps", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&text)?;
    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    let members: BTreeSet<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let mut faults = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
            faults.push(format!("{name} is not in the drawing (xtask/src/arrows.rs)"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            let dev = dependency["kind"].as_str() == Some("dev");
            judge(room, on, dev, &members, &mut faults);
        }
    }
    Ok(faults)
}

fn judge(room: &Room, on: &str, dev: bool, members: &BTreeSet<&str>, faults: &mut Vec<String>) {
    let name = room.name;
    if members.contains(on) && !room.knows.contains(&on) && !(dev && DEV_KNOWS.contains(&(name, on))) {
        faults.push(format!("{name} must not know {on}"));
    }
    // Tests may use a runtime or a scratch folder.
    let reason = room.never.iter().find(|(libraries, _)| libraries.contains(&on));
    if let (Some((_, why)), false) = (reason, dev) {
        faults.push(format!("{name} must not contain {on}: {why}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_are_held() {
        let members: BTreeSet<&str> = ROOMS.iter().map(|room| room.name).collect();
        let room = |name: &str| ROOMS.iter().find(|room| room.name == name).unwrap();
        let judged = |name: &str, on: &str, dev: bool| {
            let mut faults = Vec::new();
            judge(room(name), on, dev, &members, &mut faults);
            faults.len()
        };
        assert_eq!(judged("chatward-vault", "chatward-store", false), 0);
        assert_eq!(judged("chatward-store", "chatward-vault", false), 1);
        assert_eq!(judged("chatward-detect", "chatward-policy", true), 1);
        assert_eq!(judged("chatward-detect", "tokio", false), 1);
        assert_eq!(judged("chatward-policy", "tempfile", true), 0);
        assert_eq!(judged("chatward", "rusqlite", false), 1);
        assert_eq!(judged("chatward-message", "serde", false), 0);
    }
}

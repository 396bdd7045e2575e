//! Addresses in networks.

use super::Verdict;
use std::net::{Ipv4Addr, Ipv6Addr};

/// IPv4 dotted quad (RFC 791), each part at most 255 and without a leading zero; a port or prefix length may follow.
pub(super) fn ipv4(value: &str) -> Verdict {
    Verdict::from(before_suffix(value).parse::<Ipv4Addr>().is_ok_and(|address| address.octets()[0] != 0))
}

/// IPv6 (RFC 4291): well-formed and with enough in it not to be a time, a path or a scope of a program (`a::b`).
pub(super) fn ipv6(value: &str) -> Verdict {
    let address = value.split(['/', '%']).next().unwrap_or(value);
    let colons = address.bytes().filter(|&b| b == b':').count();
    let has_digit = address.bytes().any(|b| b.is_ascii_digit());
    match address.parse::<Ipv6Addr>() {
        Ok(parsed) => {
            let known = matches!(parsed.segments()[0], 0x2000..=0x3fff | 0xfc00..=0xffff | 0x64);
            Verdict::from(has_digit && (colons >= 4 || known || parsed.is_loopback()))
        }
        Err(_) => Verdict::Fails,
    }
}

fn before_suffix(value: &str) -> &str {
    value.split(['/', ':']).next().unwrap_or(value)
}

/// Host name or e-mail address whose last label is no file ending: those look like domains (`main.rs`, `notes.md`).
pub(super) fn tld(value: &str) -> Verdict {
    const ENDINGS: &[&str] = &[
        "bak", "bin", "bmp", "cfg", "class", "conf", "cpp", "css", "csv", "dat", "dll", "doc", "docx", "env",
        "exe", "gif", "git", "gz", "hpp", "htm", "html", "ini", "jar", "java", "jpeg", "jpg", "js", "json",
        "jsx", "key", "local", "lock", "log", "mp3", "mp4", "o", "orig", "pdf", "pem", "php", "png", "ppt",
        "ps1", "pyc", "rb", "service", "so", "sql", "svg", "tar", "tmp", "toml", "ts", "tsx", "ttf", "txt",
        "wav", "whl", "xls", "xlsx", "xml", "yaml", "yml",
    ];
    let host = value.rsplit('@').next().unwrap_or(value);
    let last = host.rsplit('.').next().unwrap_or(host).trim().to_ascii_lowercase();
    match () {
        () if host.parse::<Ipv4Addr>().is_ok() => Verdict::Holds,
        () if last.len() < 2 || ENDINGS.contains(&last.as_str()) => Verdict::Fails,
        () => Verdict::from(last.bytes().any(|b| b.is_ascii_alphabetic() || !b.is_ascii())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn addresses() {
        for good in ["192.0.2.1", "255.255.255.255", "10.0.0.1:8080", "203.0.113.0/24"] {
            assert_eq!(verdict("ipv4", good), Verdict::Holds, "{good}");
        }
        fail("ipv4", &["256.0.0.1", "1.2.3", "1.2.3.04", "0.1.2.3", "1.2.3.4.5"]);
        for good in
            ["2001:db8::1", "fe80::1%eth0", "::1", "6d43:619a:6e:3f71:d767:670b:ed49:2f46", "2001:db8::/32"]
        {
            assert_eq!(verdict("ipv6", good), Verdict::Holds, "{good}");
        }
        fail("ipv6", &["12:30:45", "::", "a::b", "abc::def", "1:2:3:4:5:6:7:8:9"]);
    }

    #[test]
    fn hosts() {
        for good in ["example.org", "a@b.de", "user@192.0.2.1", "x@y.museum"] {
            assert_eq!(verdict("tld", good), Verdict::Holds, "{good}");
        }
        fail("tld", &["icon@2x.png", "x@y.json", "1.5", "x@y.1"]);
    }
}

//! What operators make of a value, and when two values are the same. Pure functions.

use std::net::{Ipv4Addr, Ipv6Addr};

use chatward_message::{Class, Kind};
use zeroize::Zeroizing;

/// A value with fewer letters and digits shows none of them.
const MIN_FOR_LAST_FOUR: usize = 8;

/// The form of a value under which all its spellings are equal: bare letters and digits of numbers, lower case of words.
/// Dates, addresses and network addresses keep their separators: `1.11.` is not `11.1.`.
pub(crate) fn canonical(kind: &Kind, class: Class, value: &str) -> Zeroizing<String> {
    let visible = value.chars().filter(|c| !is_invisible(*c)).map(narrow);
    if class == Class::Secret {
        return Zeroizing::new(value.to_owned());
    }
    let (mut digits, mut letters) = (0usize, 0usize);
    for c in visible.clone() {
        digits += usize::from(c.is_ascii_digit());
        letters += usize::from(c.is_alphabetic());
    }
    let worded = ["date", "birth", "address", "name", "person", "mail", "user", "ip", "mac", "url"];
    let number = matches!(class, Class::Payment | Class::PaymentNeverKept)
        || (class == Class::Identity
            && digits >= 6
            && letters <= digits
            && !worded.iter().any(|w| kind.as_str().split('_').any(|part| part.contains(w))));
    let mut out = Zeroizing::new(String::with_capacity(value.len()));
    if number {
        out.extend(visible.filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_uppercase()));
        return out;
    }
    let mut gap = false;
    for c in visible {
        if c.is_whitespace() {
            gap = true;
            continue;
        }
        if gap && !out.is_empty() {
            out.push(' ');
        }
        gap = false;
        out.extend(c.to_lowercase());
    }
    out
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// Full-width letters and digits as their plain ones.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

/// The last four letters and digits, if the value is long enough to show them.
pub(crate) fn last_four(value: &str) -> Option<Box<str>> {
    let bare: Vec<char> = value.chars().map(narrow).filter(char::is_ascii_alphanumeric).collect();
    if bare.len() < MIN_FOR_LAST_FOUR {
        return None;
    }
    let last = bare.iter().rev().take(4).rev().map(char::to_ascii_uppercase);
    Some(last.collect::<String>().into())
}

/// Stars for letters and digits; the last four stay where they may.
pub(crate) fn masked(value: &str, show_last_four: bool) -> String {
    let count = value.chars().filter(|c| c.is_alphanumeric()).count();
    let shown = if show_last_four && count >= MIN_FOR_LAST_FOUR { 4 } else { 0 };
    let mut left = count;
    let star = |c: char| {
        if !c.is_alphanumeric() {
            return if is_invisible(c) { '*' } else { c };
        }
        left -= 1;
        if left < shown { c } else { '*' }
    };
    value.chars().map(star).collect()
}

/// Something coarser: the year of a date, the network of an address; else the name of the kind.
pub(crate) fn generalised(kind: &Kind, value: &str) -> String {
    if let Ok(v4) = value.trim().parse::<Ipv4Addr>() {
        let [a, b, c, _] = v4.octets();
        return format!("{a}.{b}.{c}.0/24");
    }
    if let Ok(v6) = value.trim().parse::<Ipv6Addr>() {
        let [a, b, c, ..] = v6.segments();
        return format!("{a:x}:{b:x}:{c:x}::/48");
    }
    if ["date", "birth", "dob"].iter().any(|w| kind.as_str().contains(w))
        && let Some(year) = year(value)
    {
        return year.to_owned();
    }
    format!("[{}]", spoken(kind))
}

fn year(value: &str) -> Option<&str> {
    value
        .split(|c: char| !c.is_ascii_digit())
        .find(|run| run.len() == 4 && (run.starts_with("19") || run.starts_with("20")))
}

/// A keyed hash in place of a value: the same value gives the same hash, nobody can go back.
pub(crate) fn hashed(label: &str, hash: [u8; 16]) -> String {
    let hex: String = hash.iter().take(6).map(|b| format!("{b:02x}")).collect();
    format!("[{label}:{hex}]")
}

/// The note in place of something that was removed.
pub(crate) fn note(kind: &Kind) -> String {
    format!("[removed: {}]", spoken(kind))
}

fn spoken(kind: &Kind) -> String {
    kind.as_str().replace('_', " ")
}

const FIRST: [&str; 12] = [
    "Alex", "Robin", "Kim", "Sam", "Jamie", "Taylor", "Morgan", "Casey", "Jordan", "Riley", "Avery", "Quinn",
];
const LAST: [&str; 11] = [
    "Example",
    "Sample",
    "Tester",
    "Placeholder",
    "Doe",
    "Roe",
    "Poe",
    "Noname",
    "Specimen",
    "Muster",
    "Fulano",
];

/// Plausible values in place of number `n` of its label, the preferred one first. They belong to nobody: names of
/// examples, addresses under example.com (RFC 2606), numbers that begin with zeros and so fail every issuer's range.
pub(crate) fn surrogates(kind: &Kind, label: &str, n: u32, value: &str) -> impl Iterator<Item = String> {
    let kind = kind.as_str().to_owned();
    let (label, value) = (label.to_owned(), Zeroizing::new(value.to_owned()));
    let start = n as usize;
    (0..64).map(move |attempt| {
        let pick = start + attempt * 7;
        let pair = || {
            let first = FIRST.get(pick % FIRST.len()).copied().unwrap_or("Alex");
            let last = LAST.get((pick / FIRST.len() + pick) % LAST.len()).copied().unwrap_or("Example");
            (first, last)
        };
        if kind.contains("mail") {
            let (first, last) = pair();
            return format!("{}.{}{n}@example.com", first.to_lowercase(), last.to_lowercase());
        }
        if kind.contains("person") || kind.contains("name") {
            let (first, last) = pair();
            return format!("{first} {last}");
        }
        if kind.contains("address") && !kind.contains("ip") {
            return format!("{} Example Street", 100 + pick);
        }
        if value.chars().filter(char::is_ascii_digit).count() >= 5 && value.len() <= 48 {
            return same_shape(&value, 5100 + pick);
        }
        format!("Example {} {pick}", label.to_lowercase().replace('_', " "))
    })
}

/// Digits become those of `number`, filled with zeros from the left, letters become `X`, everything else stays.
fn same_shape(value: &str, number: usize) -> String {
    let mut rest = number;
    let mut shaped: Vec<char> = Vec::with_capacity(value.len());
    for c in value.chars().rev() {
        shaped.push(if c.is_ascii_digit() {
            let digit = u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
            char::from(b'0' + digit)
        } else if c.is_ascii() && !c.is_ascii_alphabetic() {
            c
        } else {
            'X'
        });
    }
    shaped.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(kind: &str, class: Class, a: &str, b: &str) -> bool {
        canonical(&Kind::new(kind), class, a) == canonical(&Kind::new(kind), class, b)
    }

    #[test]
    fn spellings_of_one_value_are_equal() {
        assert!(same("credit_card", Class::Payment, "4111 1111 1111 1111", "4111-1111-1111-1111"));
        assert!(same("credit_card", Class::Payment, "４１１１ 1111 1111 1111", "4111\u{200b}111111111111"));
        assert!(same("iban", Class::Payment, "de89 3704 0044 0532 0130 00", "DE89370400440532013000"));
        assert!(same("email", Class::Identity, "Anna@Example.COM", "anna@example.com"));
        assert!(same("person", Class::Identity, "anna  schmidt", "Anna Schmidt"));
        assert!(same("phone", Class::Identity, "+49 (170) 1234567", "+49 170 123-4567"));
    }

    #[test]
    fn other_values_stay_apart() {
        assert!(!same("date_of_birth", Class::Identity, "1.11.1990", "11.1.1990"));
        assert!(!same("ip_address", Class::Interaction, "1.11.1.1", "11.1.1.1"));
        assert!(!same("street_address", Class::Identity, "1 23 Main St 123456", "12 3 Main St 123456"));
        assert!(!same("password", Class::Secret, "Secret1", "secret1"));
        assert!(!same("person", Class::Identity, "Ann a", "Anna"));
    }

    #[test]
    fn masks_show_four_at_most() {
        assert_eq!(masked("4111 1111 1111 1234", true), "**** **** **** 1234");
        assert_eq!(masked("4111 1111 1111 1234", false), "**** **** **** ****");
        assert_eq!(masked("1234567", true), "*******");
        assert_eq!(masked("ünï@x.de", false), "***@*.**");
        assert_eq!(last_four("4111 1111 1111 1234").as_deref(), Some("1234"));
        assert_eq!(last_four("123 4567"), None);
    }

    #[test]
    fn generalising_keeps_less() {
        assert_eq!(generalised(&Kind::new("ip_address"), "192.168.17.4"), "192.168.17.0/24");
        assert_eq!(generalised(&Kind::new("ip_address"), "2001:db8:1:2::7"), "2001:db8:1::/48");
        assert_eq!(generalised(&Kind::new("date_of_birth"), "3 May 1985"), "1985");
        assert_eq!(generalised(&Kind::new("date_of_birth"), "3/5/85"), "[date of birth]");
        assert_eq!(generalised(&Kind::new("phone"), "1985 2000"), "[phone]");
    }

    #[test]
    fn surrogates_have_the_shape_and_belong_to_nobody() {
        let first = |kind: &str, value: &str| surrogates(&Kind::new(kind), "X", 1, value).next().unwrap();
        assert_eq!(first("credit_card", "4111 1111 1111 1111"), "0000 0000 0000 5101");
        assert_eq!(first("phone", "+49 170 1234567"), "+00 000 0005101");
        assert!(first("email", "a@b.de").ends_with("@example.com"));
        let many: std::collections::HashSet<_> =
            surrogates(&Kind::new("person"), "X", 1, "Anna").take(20).collect();
        assert_eq!(many.len(), 20);
    }
}

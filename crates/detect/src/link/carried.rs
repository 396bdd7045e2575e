//! What an address carries away: placeholders, values of the conversation, texts in some coding, long parameters.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;

use super::features::disorder;
use super::parsed::Parsed;

/// More of an address is not looked at.
const LONGEST: usize = 8 * 1024;
/// Shorter values are also found by chance.
const VALUE: usize = 5;
/// So many values of a conversation are looked for.
const VALUES: usize = 256;
/// A coded text is at least so long.
const CODED: usize = 16;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// How sure it is that an address carries data of the conversation, from 0 to 1. `values` are texts that must not leave, as
/// they stand in the conversation. `loads` says whether it is asked for without a click: then less is enough.
pub(super) fn carried(url: &Parsed, values: &[&str], loads: bool) -> f32 {
    let raw = cut(behind_host(url));
    let plain = percent_decode_str(&raw.replace('+', " ")).decode_utf8_lossy().into_owned();
    let mut score = 0.0_f32;
    if has_placeholder(&plain) {
        score = 1.0;
    }
    let mut texts = vec![plain.clone(), url.subdomain().to_owned()];
    for word in
        plain.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+' | '=')))
    {
        for coded in std::iter::once(word).chain(word.split(['/', '='])).filter(|word| word.len() >= CODED) {
            if let Some(text) = decoded(coded) {
                score = score.max(0.95);
                texts.push(text);
            } else if coded.len() >= 96 && disorder(coded) > 4.2 {
                score = score.max(if loads { 0.7 } else { 0.5 });
            }
        }
        if texts.len() > 32 {
            break;
        }
    }
    for label in url.subdomain().split('.').filter(|label| label.len() >= 24) {
        score = score.max(if decoded(label).is_some() || disorder(label) > 3.6 { 0.8 } else { 0.0 });
    }
    if texts.iter().any(|text| holds(text, values) || has_placeholder(text)) {
        score = 1.0;
    }
    score.max(written_out(url, loads))
}

fn behind_host(url: &Parsed) -> &str {
    let whole = url.as_str();
    let from = whole.find("://").map_or(0, |at| at + 3);
    whole.get(from..).unwrap_or_default()
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Whether something like `[PERSON_1]` or `[CARD_1 ending 1111]` stands in a text.
pub(super) fn has_placeholder(text: &str) -> bool {
    text.split('[').skip(1).any(|rest| {
        let word = rest.bytes().take(40).take_while(|b| b.is_ascii_alphabetic() || *b == b'_').count();
        let number = rest.bytes().skip(word).take_while(u8::is_ascii_digit).count();
        word >= 3 && number >= 1 && rest.as_bytes().get(word - 1) == Some(&b'_')
    })
}

/// The text in Base64 or in hexadecimal digits, if it is one.
fn decoded(word: &str) -> Option<String> {
    let mut bytes = if word.len().is_multiple_of(2) && word.bytes().all(|b| b.is_ascii_hexdigit()) {
        word.as_bytes()
            .chunks_exact(2)
            .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect()
    } else {
        let word = word.trim_end_matches('=');
        // One letter alone says nothing: of a text that was cut it is the first of more.
        let word = word.get(..word.len() - usize::from(word.len() % 4 == 1))?;
        STANDARD.decode(word).or_else(|_| URL_SAFE.decode(word)).ok()?
    };
    // What was cut may begin and end within a character.
    let begins = bytes.iter().take(3).take_while(|b| **b & 0xC0 == 0x80).count();
    bytes.drain(..begins);
    if let Err(fault) = std::str::from_utf8(&bytes)
        && fault.error_len().is_none()
    {
        bytes.truncate(fault.valid_up_to());
    }
    let text = String::from_utf8(bytes).ok()?;
    let readable = text
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '@' | '.' | '-' | ',' | ':' | '"'))
        .count();
    let all = text.chars().count();
    (all >= 8 && readable * 10 >= all * 9 && !text.chars().any(|c| c.is_control() && !c.is_whitespace()))
        .then_some(text)
}

/// Letters and digits alone, in lower case: so values are compared.
fn bare(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn holds(text: &str, values: &[&str]) -> bool {
    if values.is_empty() {
        return false;
    }
    let text = bare(text);
    values
        .iter()
        .take(VALUES)
        .map(|value| bare(value))
        .any(|value| value.len() >= VALUE && text.contains(&value))
}

/// Words written out in parameters, or more of them than a page needs.
fn written_out(url: &Parsed, loads: bool) -> f32 {
    let query = url.query().unwrap_or_default();
    let wordy =
        url.pairs().take(32).any(|(_, value)| value.len() >= 24 && value.split_whitespace().count() >= 4);
    written_at_length(query.len(), loads).max(if loads && wordy { 0.8 } else { 0.0 })
}

/// What a query says by its length alone.
pub(super) const fn written_at_length(query: usize, loads: bool) -> f32 {
    match (loads, query) {
        (true, 200..) | (false, 600..) => 0.6,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(url: &str, values: &[&str], loads: bool) -> f32 {
        carried(&Parsed::of(url).unwrap(), values, loads)
    }

    #[test]
    fn what_is_carried_away_is_seen() {
        for (url, values) in [
            ("https://x.example/?d=[PERSON_1]", vec![]),
            ("https://x.example/%5Bperson_1%5D/a", vec![]),
            ("https://x.example/?d=%5BCARD_1%20ending%201111%5D", vec![]),
            ("https://x.example/?d=anna.smith%40example.org", vec!["anna.smith@example.org"]),
            ("https://x.example/i/Anna-Smith.png", vec!["Anna Smith"]),
            ("https://x.example/?d=QW5uYSBTbWl0aCBsaXZlcyBoZXJl", vec!["Anna Smith"]),
            ("https://x.example/QW5uYSBTbWl0aCBsaXZlcyBoZXJl.png", vec![]),
            ("https://x.example/?d=416e6e6120536d697468206c69766573", vec![]),
            ("https://anna-smith.x.example/", vec!["Anna Smith"]),
            ("https://anna:smith@x.example/", vec!["Anna Smith"]),
        ] {
            assert!(score(url, &values, false) > 0.9, "{url}");
        }
        assert!(score("https://x.example/?q=the+secret+plan+of+the+house", &[], true) > 0.7);
    }

    #[test]
    fn everyday_addresses_carry_nothing() {
        for url in [
            "https://www.example.com/products/blue-shoes?size=42&colour=blue",
            "https://cdn.example.com/assets/3f2a9c1b7d8e4f60a1b2c3d4e5f60718/logo.png",
            "https://example.com/d/550e8400-e29b-41d4-a716-446655440000",
            "https://example.com/IMG_1234.png",
            "https://example.com/watch?v=dQw4w9WgXcQ&list=PLrAXtmErZgOeiKm4sgNOknGvNjby9efdf",
            "https://example.com/customer-service-and-frequently-asked-questions",
        ] {
            assert!(score(url, &["Anna Smith", "42"], true) < 0.5, "{url} {}", score(url, &[], true));
        }
    }
}

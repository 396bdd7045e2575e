//! Texts without anybody's data.

use chatward_detect::{Context, Detector};
use chatward_message::Class;

/// How often it is looked again: what stood beside a value that went may be recognised only then.
const ROUNDS: usize = 4;

/// Whose hand was in it last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// Whoever said it: every value that is found goes.
    AsSaid,
    /// A reviewer, who wrote addresses of pages and the like (class `interaction`) knowing what they do: they stay.
    ByReviewer,
}

/// The text with the kind of each value in the place of the value. `before` is what the other side said just before.
pub(crate) fn anonymous(detector: &Detector, text: &str, before: Option<&str>, written: Written) -> String {
    let mut text = without_numbers(text);
    for _ in 0..ROUNDS {
        let context = Context { previous: before, ..Context::default() };
        let mut safe = String::with_capacity(text.len());
        let (mut done, mut found_any) = (0, false);
        for finding in detector.find(&text, context) {
            if written == Written::ByReviewer && finding.rule.class == Class::Interaction {
                continue;
            }
            let (start, end) = whole(&text, finding.span.start.max(done), finding.span.end);
            let Some(between) = text.get(done..start) else { continue };
            if end <= start {
                continue;
            }
            safe.push_str(between);
            safe.push('[');
            safe.push_str(&finding.rule.label);
            safe.push(']');
            (done, found_any) = (end, true);
        }
        safe.push_str(text.get(done..).unwrap_or_default());
        if !found_any || safe == text {
            return safe;
        }
        text = safe;
    }
    text
}

/// A place that cuts no placeholder in two.
fn whole(text: &str, start: usize, end: usize) -> (usize, usize) {
    match marker(text.get(end.saturating_sub(1)..).unwrap_or_default()) {
        Some((_, length)) if text.as_bytes().get(end.saturating_sub(1)) == Some(&b'[') => {
            (start, end - 1 + length)
        }
        _ => (start, end),
    }
}

/// The same with `[EMAIL]` for `[EMAIL_3]`, and `[CARD]` for `[CARD_1 ending 4242]`.
fn without_numbers(text: &str) -> String {
    let (mut safe, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('[') {
        let (before, from) = rest.split_at(at);
        safe.push_str(before);
        rest = match marker(from) {
            Some((label, length)) => {
                safe.push('[');
                safe.push_str(label);
                safe.push(']');
                from.get(length..).unwrap_or_default()
            }
            None => {
                safe.push('[');
                from.get(1..).unwrap_or_default()
            }
        };
    }
    safe.push_str(rest);
    safe
}

/// The label of the placeholder that begins here, and its length.
fn marker(text: &str) -> Option<(&str, usize)> {
    let inside = text.strip_prefix('[')?;
    let end = inside.find(']').filter(|end| *end <= 60)?;
    let word = inside.get(..end)?;
    let name = word.split(' ').next()?;
    let label = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_');
    let is_label = !label.is_empty() && label.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    (is_label && (name.len() == word.len() || word.contains(" ending "))).then_some((label, end + 2))
}

#[cfg(test)]
mod tests {
    use chatward_detect::Options;

    use super::*;

    fn detector() -> Detector {
        Detector::compile(&Detector::builtin_sources(), &Options::default()).unwrap()
    }

    #[test]
    fn no_value_is_left() {
        let text = "I am Anna Schmidt, anna.schmidt@example.org, card 4242 4242 4242 4242, call +49 170 1234567. \
                    See https://anna.example.org/me?token=abc from 93.184.216.34. My colleague [EMAIL_2] has [CARD_1 ending 1881].";
        let safe = anonymous(&detector(), text, None, Written::AsSaid);
        for gone in ["schmidt", "Schmidt", "4242", "1234567", "example.org", "93.184", "1881", "_2"] {
            assert!(!safe.contains(gone), "{gone} in {safe}");
        }
        for stays in ["I am ", "[EMAIL]", "[CARD]", "My colleague [EMAIL] has [CARD]."] {
            assert!(safe.contains(stays), "{stays} not in {safe}");
        }
        assert_eq!(anonymous(&detector(), &safe, None, Written::AsSaid), safe, "again it is the same");
    }

    #[test]
    fn a_reviewer_may_put_an_address_of_a_page_back_and_nothing_of_a_person() {
        let text = "Pay at https://pay.example.net/now or write to bob.jones@example.org";
        let safe = anonymous(&detector(), text, None, Written::ByReviewer);
        assert!(safe.contains("https://pay.example.net/now") && !safe.contains("bob"), "{safe}");
    }

    #[test]
    fn what_only_looks_like_a_placeholder_stays() {
        for text in ["see [1] and [a]", "[", "[]", "a [ b", "[EMAIL", "[NOTE of yesterday]"] {
            assert_eq!(without_numbers(text), text);
        }
    }
}

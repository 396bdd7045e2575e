//! Feeds of lines: plain lists, hosts files, lists for ad blockers.

use std::borrow::Cow;
use std::io::Read;

use chatward_detect::indicator::{Record, Value, ValueFault};

use crate::fault::{FormFault, Skipped, What};
use crate::feed::{self, Taker};
use crate::source::Source;

/// What a line comes to.
enum Line<'a> {
    Nothing,
    Skip(Skipped),
    /// Each of these.
    Values(Vec<Result<Value, ValueFault>>),
    /// Whatever it is.
    Guess(Cow<'a, str>),
}

/// One thing a line, defanged or not. What follows `#` or `;` after white space is a comment.
pub(crate) fn plain(from: &mut dyn Read, taker: &mut Taker<'_>) -> Result<(), FormFault> {
    each(from, taker, &mut |line| {
        let line = uncommented(line);
        if line.is_empty() || line.starts_with("//") { Line::Nothing } else { Line::Guess(fanged(line)) }
    })
}

/// An address and the names that go there. The machine's own names are no listing.
pub(crate) fn hosts(from: &mut dyn Read, taker: &mut Taker<'_>) -> Result<(), FormFault> {
    each(from, taker, &mut |line| {
        let mut words = uncommented(line).split_ascii_whitespace();
        let Some(address) = words.next() else { return Line::Nothing };
        if Value::network(address).is_err() {
            return Line::Values(vec![Err(ValueFault::Network)]);
        }
        let mut own = false;
        let names = words.filter(|name| {
            // `localhost`, `broadcasthost`, `0.0.0.0`: one label, or an address.
            let is_own =
                !name.contains('.') || name.starts_with("localhost.") || Value::network(name).is_ok();
            own |= is_own;
            !is_own
        });
        let values: Vec<_> = names.map(Value::domain).collect();
        match (values.is_empty(), own) {
            (false, _) => Line::Values(values),
            (true, true) => Line::Skip(Skipped::NotAListing),
            (true, false) => Line::Values(vec![Err(ValueFault::Domain)]),
        }
    })
}

/// Rules of the form `||host^` and `||host/path^`. Exceptions, rules about parts of pages, expressions and rules that
/// hold on some sites only are no listing.
pub(crate) fn adblock(from: &mut dyn Read, taker: &mut Taker<'_>) -> Result<(), FormFault> {
    each(from, taker, &mut |line| {
        if line.is_empty() || line.starts_with(['!', '[', '#']) && !line.starts_with("##") {
            return Line::Nothing;
        }
        let Some(rule) = line.strip_prefix("||") else {
            let other =
                line.starts_with("@@") || line.contains('#') || line.starts_with('/') || line.contains('*');
            return if other { Line::Skip(Skipped::NotAListing) } else { Line::Guess(Cow::Borrowed(line)) };
        };
        let (rule, options) = rule.split_once('$').unwrap_or((rule, ""));
        let general =
            |option: &str| matches!(option, "" | "all" | "document" | "doc" | "popup" | "important");
        let rule = rule.trim_end_matches(['^', '|']);
        if !options.split(',').all(general) || rule.contains(['*', '^']) {
            return Line::Skip(Skipped::NotAListing);
        }
        Line::Values(vec![if rule.contains('/') { feed::url(rule) } else { Value::domain(rule) }])
    })
}

fn each(
    from: &mut dyn Read,
    taker: &mut Taker<'_>,
    read: &mut dyn FnMut(&str) -> Line<'_>,
) -> Result<(), FormFault> {
    let limits = taker.limits();
    let mut source = Source::new(from, limits.bytes);
    let mut line = Vec::new();
    loop {
        let at = source.at();
        let Some(whole) = source.line(&mut line, limits.line)? else { break };
        let text = std::str::from_utf8(&line);
        let text = text.map(|text| text.trim_start_matches('\u{feff}').trim());
        let result = match text {
            Ok(text) if whole => read(text),
            _ => {
                taker.entry()?;
                taker.fault(at, if whole { What::Utf8 } else { What::Long });
                continue;
            }
        };
        if !matches!(result, Line::Nothing) {
            taker.entry()?;
        }
        match result {
            Line::Nothing => {}
            Line::Skip(why) => taker.skip(why),
            Line::Values(values) => values.into_iter().for_each(|value| put(value, at, taker)),
            Line::Guess(text) => put(feed::guess(&text), at, taker),
        }
    }
    taker.summary.bytes = source.at();
    Ok(())
}

fn put(value: Result<Value, ValueFault>, at: u64, taker: &mut Taker<'_>) {
    match value {
        Ok(value) => taker.indicator(value, Record::default()),
        Err(fault) => taker.fault(at, fault),
    }
}

fn uncommented(line: &str) -> &str {
    let starts = |at: &usize| {
        let before = line.get(..*at).unwrap_or_default();
        before.is_empty() || before.ends_with([' ', '\t'])
    };
    let end = line.match_indices(['#', ';']).map(|(at, _)| at).find(starts).unwrap_or(line.len());
    line.get(..end).unwrap_or_default().trim_end()
}

/// Undoes what people do so that nobody clicks: `hxxp`, `[.]`, `(dot)`, `[:]`, `[at]`.
pub(crate) fn fanged(text: &str) -> Cow<'_, str> {
    let scheme =
        text.get(..4).is_some_and(|s| s.eq_ignore_ascii_case("hxxp") || s.eq_ignore_ascii_case("h**p"));
    if !scheme && !text.contains(['[', '(', '{', '\\']) {
        return Cow::Borrowed(text);
    }
    let mut out = if scheme { format!("http{}", text.get(4..).unwrap_or_default()) } else { text.to_owned() };
    for (from, to) in [
        ("[://]", "://"),
        ("[:]", ":"),
        ("[/]", "/"),
        ("[.]", "."),
        ("(.)", "."),
        ("{.}", "."),
        ("\\.", "."),
        ("[dot]", "."),
        ("(dot)", "."),
        ("{dot}", "."),
        ("[@]", "@"),
        ("[at]", "@"),
        ("(at)", "@"),
    ] {
        if out.contains(from) {
            out = out.replace(from, to);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defanged_addresses_are_whole_again() {
        for (defanged, whole) in [
            ("hxxp://185[.]219[.]220[.]226/a/index[.]php", "http://185.219.220.226/a/index.php"),
            ("hXXps[://]evil(.)example", "https://evil.example"),
            ("billing[at]kit[dot]example", "billing@kit.example"),
            ("evil.example", "evil.example"),
        ] {
            // Schemes are kept in any case by whoever reads the address.
            assert!(fanged(defanged).eq_ignore_ascii_case(whole), "{defanged}");
        }
    }

    #[test]
    fn comments_are_left_out() {
        assert_eq!(uncommented("evil.example # phishing"), "evil.example");
        assert_eq!(uncommented("; all of it"), "");
        assert_eq!(uncommented("http://evil.example/#a;b"), "http://evil.example/#a;b");
    }
}

//! W3C Trace Context: the request's trace goes on through us.
//!
//! Only `traceparent` is taken and given. `tracestate` and `baggage` are free text that a caller could fill with
//! anything, so they end here (the recommendation, 3.3 and 6, allows it).

use std::fmt;

use chatward_vault::{CipherError, random_id};
use http::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A place in a trace: whose trace, and our own span in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: [u8; 16],
    span: [u8; 8],
    sampled: bool,
}

impl TraceContext {
    /// Goes on with the trace of the request, or begins one.
    pub fn of(headers: &HeaderMap) -> Result<Self, CipherError> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let one = values.next().filter(|_| values.next().is_none());
        let parent = one.and_then(|value| parse(value.as_bytes()));
        let random = random_id::<24>()?;
        let (fresh_trace, fresh_span) = split(random);
        // All zeros is invalid; it comes by chance once in 2^64.
        let span = if fresh_span == [0; 8] { [1; 8] } else { fresh_span };
        Ok(match parent {
            Some((trace, sampled)) => Self { trace, span, sampled },
            None => Self {
                trace: if fresh_trace == [0; 16] { [1; 16] } else { fresh_trace },
                span,
                sampled: true,
            },
        })
    }

    /// The trace's id, 32 hex digits.
    pub fn trace_id(&self) -> impl fmt::Display {
        Hex(self.trace)
    }

    /// Our span's id, 16 hex digits.
    pub fn span_id(&self) -> impl fmt::Display {
        Hex(self.span)
    }

    /// Sets `traceparent` on a request that goes on to the bot.
    pub fn write(&self, headers: &mut HeaderMap) {
        let mut text = String::with_capacity(55);
        text.push_str("00-");
        push_hex(&mut text, &self.trace);
        text.push('-');
        push_hex(&mut text, &self.span);
        text.push_str(if self.sampled { "-01" } else { "-00" });
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(TRACEPARENT, value);
        }
    }
}

fn split(bytes: [u8; 24]) -> ([u8; 16], [u8; 8]) {
    let (mut trace, mut span) = ([0; 16], [0; 8]);
    trace.iter_mut().chain(span.iter_mut()).zip(bytes).for_each(|(to, from)| *to = from);
    (trace, span)
}

/// Two digits a byte; every request passes here, and formatting them one by one takes ten times as long.
fn push_hex(text: &mut String, bytes: &[u8]) {
    let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'a' - 10 + value });
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
}

struct Hex<const N: usize>([u8; N]);

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(2 * N);
        push_hex(&mut text, &self.0);
        f.write_str(&text)
    }
}

/// `version-trace-parent-flags`, lower-case hex (Trace Context, 3.2.2). A later version may go on behind a dash.
fn parse(text: &[u8]) -> Option<([u8; 16], bool)> {
    let (head, tail) = text.split_at_checked(55)?;
    let mut parts = head.split(|b| *b == b'-');
    let version = hex::<1>(parts.next()?)?;
    let trace = hex::<16>(parts.next()?)?;
    let parent = hex::<8>(parts.next()?)?;
    let flags = hex::<1>(parts.next()?)?;
    let ends = tail.is_empty() || (version != [0] && tail.first() == Some(&b'-'));
    let valid = version != [0xff] && trace != [0; 16] && parent != [0; 8] && ends && parts.next().is_none();
    valid.then_some((trace, flags.first()? & 1 == 1))
}

fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn of(text: &str) -> TraceContext {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_str(text).unwrap());
        TraceContext::of(&headers).unwrap()
    }

    #[test]
    fn a_good_parent_is_gone_on_with_under_a_span_of_our_own() {
        let context = of(GOOD);
        assert_eq!(context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_ne!(context.span_id().to_string(), "b7ad6b7169203331");
        let mut headers = HeaderMap::new();
        context.write(&mut headers);
        let written = headers["traceparent"].to_str().unwrap();
        assert!(written.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && written.ends_with("-01"));
        assert_eq!(of(written).trace_id().to_string(), context.trace_id().to_string());
    }

    #[test]
    fn a_bad_parent_begins_a_new_trace() {
        let zeros = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        let bad = [
            "",
            "00",
            zeros,
            &GOOD.to_uppercase(),
            &GOOD.replace("00-", "ff-"),
            &format!("{GOOD}-x"),
            &GOOD.replace("b7ad6b7169203331", "0000000000000000"),
            &GOOD.replace('-', "_"),
        ];
        for text in bad {
            let id = of(text).trace_id().to_string();
            assert!(id != "0af7651916cd43dd8448eb211c80319c" && id.len() == 32, "{text}");
        }
        let later = format!("{}-more", GOOD.replace("00-0af", "01-0af"));
        assert_eq!(of(&later).trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
    }
}

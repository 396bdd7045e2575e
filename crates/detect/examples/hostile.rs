//! Texts made to be slow: `cargo run --release -p chatward-detect --example hostile [-- MEGABYTES]`
//!
//! Each kind of text is searched at a quarter, a half and the whole of its size (1 MB), as a whole and in a stream, by
//! rules and names together. Prints a row for each: nanoseconds a byte at each size, and what the whole costs against the
//! half. Exits with 1 if one takes more than 1 µs a byte, or grows more than in proportion.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;

use chatward_detect::{Context, Detector};

/// The bar: nanoseconds a byte.
const MOST: f64 = 1000.0;
/// Twice the text may take so many times as long; more than 2 is what measuring blurs.
const GROWTH: f64 = 2.6;
/// Sizes, as parts of the whole.
const PARTS: [usize; 3] = [4, 2, 1];
/// Nanoseconds that are measured at least: some systems count a thread's time in steps of four milliseconds.
const ENOUGH: u64 = 80_000_000;
/// Bytes in a push of the stream.
const PIECE: usize = 512;

/// A way to search, and its name.
type Way<'a> = (&'a str, &'a dyn Fn(&str));

/// Time of this thread on a processor, in nanoseconds.
fn processor() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default()
}

/// What is repeated, and what it stands for.
fn units() -> Vec<(String, String)> {
    let mut units: Vec<(String, String)> = [
        ("small letters", "a"),
        ("capitals", "A"),
        ("a digit", "1"),
        ("digits apart", "1 "),
        ("digits and hyphens", "4-"),
        ("digits and full stops", "1."),
        ("digits and colons", "12:"),
        ("letters apart", "a "),
        ("spaces", " "),
        ("line ends", "\n"),
        ("letters of two bytes", "é"),
        ("letters of three bytes", "中"),
        ("letters from right to left", "ש"),
        ("right to left marks", "\u{202e}a\u{202c}"),
        ("combining marks", "\u{0301}"),
        ("a letter under many marks", "a\u{0301}\u{0302}\u{0303}\u{0304}"),
        ("zero-width characters", "\u{200b}"),
        ("digits between zero-width characters", "4\u{200b}"),
        ("wide digits", "１"),
        ("faces", "😀"),
        ("brackets in brackets", "("),
        ("objects in objects", "{\"a\":"),
        ("lists in lists", "["),
        ("marks in marks", "<a>"),
        ("addresses that go on", "a@b.co"),
        ("addresses side by side", "anna.smith@example.com,"),
        ("links that go on", "http://a/"),
        ("hosts that go on", "a.b-"),
        ("cards side by side", "4111 1111 1111 1111 "),
        ("cards without end", "4111111111111111"),
        ("account numbers side by side", "DE89370400440532013000 "),
        ("phones side by side", "+44 20 7946 0958 "),
        ("plus signs", "+1"),
        ("words that ask", "password: "),
        ("words that name", "my name is "),
        ("names", "Anna Maria "),
        ("names in small letters", "anna maria "),
        ("streets", "12 Oak Street, "),
        ("towns and postcodes", "Springfield 12345 "),
        ("keys", "sk_live_4eC39HqLyjWDarjtT1zdp7dc "),
        ("heads of keys", "-----BEGIN PRIVATE KEY-----"),
        ("tokens", "eyJhbGciOiJIUzI1NiJ9."),
        ("hexadecimal", "0123456789abcdef"),
        ("base64", "QUJDREVGR0hJSktMTU5P"),
        ("wallets", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT "),
        ("internet addresses", "192.168.0.1 "),
        ("long internet addresses", "2001:db8:"),
        ("identity numbers", "AB 12 34 56 C "),
    ]
    .map(|(name, unit)| (name.to_owned(), unit.to_owned()))
    .into();
    for sign in "!\"#$%&'*+,-./:;=?@\\^_`|~".chars() {
        units.push((format!("`{sign}`").replace("`|`", "bars"), sign.to_string()));
        units.push((format!("letters and `{sign}`").replace("`|`", "bars"), format!("a{sign}")));
    }
    units
}

/// So many bytes of it, at a boundary of characters.
fn repeated(unit: &str, bytes: usize) -> String {
    unit.repeat(bytes / unit.len())
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let megabytes: usize = std::env::args().nth(1).map_or(Ok(1), |n| n.parse())?;
    let detector = Arc::new(Detector::builtin()?);
    let whole = |text: &str| {
        black_box(detector.find(black_box(text), Context::default()).len());
    };
    let stream = |text: &str| {
        let mut window = detector.window(Context::default());
        let mut rest = text;
        while !rest.is_empty() {
            let mut cut = rest.len().min(PIECE);
            while !rest.is_char_boundary(cut) {
                cut += 1;
            }
            let (piece, more) = rest.split_at(cut);
            window.push(piece, &mut |out| {
                black_box(out);
            });
            rest = more;
        }
        window.finish(&mut |out| {
            black_box(out);
        });
    };
    // Not a part of what is measured: tables that are made when first used.
    whole("Anna Smith, 4111 1111 1111 1111");
    print(
        "| repeated | as | 1/4, ns a byte | 1/2 | 1 | whole to half |\n| --- | --- | --: | --: | --: | --: |",
    );
    let mut worst: f64 = 0.0;
    let mut failed = 0;
    for (name, unit) in units() {
        let ways: [Way<'_>; 2] = [("text", &whole), ("stream", &stream)];
        for (way, run) in ways {
            let mut each = [0.0; PARTS.len()];
            let mut took = [0.0; PARTS.len()];
            for (i, part) in PARTS.iter().enumerate() {
                let text = repeated(&unit, megabytes * 1_000_000 / part);
                let (begun, mut runs) = (processor(), 0_u32);
                while runs == 0 || processor() - begun < ENOUGH {
                    run(&text);
                    runs += 1;
                }
                took[i] = (processor() - begun) as f64 / f64::from(runs);
                each[i] = took[i] / text.len() as f64;
            }
            let growth = took[2] / took[1].max(1.0);
            let bad = each[2] > MOST || growth > GROWTH;
            failed += usize::from(bad);
            worst = worst.max(each[2]);
            let mark = if bad { " **FAIL**" } else { "" };
            print(&format!(
                "| {name} | {way} | {:.0} | {:.0} | {:.0} | {growth:.2}{mark} |",
                each[0], each[1], each[2]
            ));
        }
    }
    print(&format!(
        "\nSlowest: {worst:.0} ns a byte; above {MOST:.0} or growing faster than the text: {failed}."
    ));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, reason = "a program that prints its figures")]
fn print(line: &str) {
    println!("{line}");
}

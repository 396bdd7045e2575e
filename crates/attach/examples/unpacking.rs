//! How fast files are looked into: bytes of the file that was sent, per second of this thread's processor time.
//!
//! `cargo run --profile proof -p chatward-attach --example unpacking`
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement for people")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::fmt::Write as _;
use std::time::Instant;

use chatward_attach::{Inspector, Sent};

#[path = "../tests/files/made.rs"]
#[expect(dead_code, clippy::indexing_slicing, reason = "it makes more kinds of files than are measured")]
mod made;

/// Words that pack about as well as a text does.
fn words(bytes: usize) -> String {
    let mut out = String::with_capacity(bytes);
    let mut state = 1_u64;
    while out.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        write!(
            out,
            "{} ",
            ["order", "parcel", "street", "refund", "Tuesday", "number"][(state >> 60) as usize % 6]
        )
        .unwrap();
        write!(out, "{} ", (state >> 33) % 10_000).unwrap();
    }
    out
}

/// Bytes that do not pack.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

fn main() {
    let text = words(100_000);
    let long = words(2 << 20);
    let photo = [made::picture(), noise(2 << 20)].concat();
    let run = format!("<w:t>{text}</w:t>");
    let pages: Vec<Vec<u8>> =
        (0..20).map(|_| made::stream("/Filter/FlateDecode", &made::deflated(text.as_bytes()))).collect();
    let files: [(&str, Vec<u8>); 6] = [
        ("note.txt", text.clone().into_bytes()),
        ("photo.png", photo.clone()),
        ("letter.docx", made::word(&run, &[("word/media/image1.png", &photo)])),
        ("letter.pdf", made::page("hello", "", &pages)),
        ("long.zip", made::zip(&[("a.txt", long.as_bytes()), ("photo.png", &photo)])),
        (
            "page.html",
            format!(
                "<html><body>{}",
                "<p class=\"a\">words <a href=\"https://a.example/b\">link</a></p>\n".repeat(5_000)
            )
            .into_bytes(),
        ),
    ];
    let inspector = Inspector::default();
    for (name, bytes) in files {
        let (mut runs, mut work) = (0_u32, 0);
        let start = Instant::now();
        while start.elapsed().as_secs_f64() < 1.0 {
            work = inspector.inspect(&Sent { name, media_type: None, bytes: &bytes }, &|_| None).work;
            runs += 1;
        }
        let each = start.elapsed().as_secs_f64() / f64::from(runs);
        let rate = bytes.len() as f64 / each / 1e6;
        println!(
            "{name}: {} KiB, {:.2} ms, {rate:.0} MB/s, {} KiB of work",
            bytes.len() >> 10,
            each * 1e3,
            work >> 10
        );
    }
}

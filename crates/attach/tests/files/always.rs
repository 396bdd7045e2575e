//! What holds for every file, whatever is in it.

use chatward_attach::{Inspector, Limits, Sent, Verdict};
use proptest::prelude::*;

use crate::made;

/// Limits that are met soon.
fn tight() -> Limits {
    Limits {
        unpacked: 256 << 10,
        entry: 128 << 10,
        entries: 40,
        depth: 4,
        work: 8 << 20,
        text: 10_000,
        links: 20,
        ..Limits::default()
    }
}

fn holds(limits: &Limits, name: &str, media_type: Option<&str>, bytes: &[u8]) -> Verdict {
    let inspector = Inspector::new(limits.clone());
    let verdict = inspector.inspect(&Sent { name, media_type, bytes }, &|_| None);
    assert!(!verdict.inside.is_empty() && verdict.inside.len() <= limits.entries + 1);
    assert!(verdict.work <= limits.work);
    assert!(verdict.texts.iter().map(|passage| passage.text.len()).sum::<usize>() <= limits.text);
    assert!(verdict.links.len() <= limits.links);
    assert!(verdict.signs.len() <= 500 && verdict.not_looked.len() <= 200);
    let inside = |at: usize| at < verdict.inside.len();
    assert!(
        verdict.signs.iter().all(|found| inside(found.at))
            && verdict.not_looked.iter().all(|one| inside(one.at))
    );
    let again = inspector.inspect(&Sent { name, media_type, bytes }, &|_| None);
    assert_eq!(verdict.signs, again.signs);
    assert_eq!(verdict.not_looked, again.not_looked);
    verdict
}

/// One of each kind, with something in it.
fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let project = made::project("Sub AutoOpen()\r\nShell(\"x\")\r\nEnd Sub");
    let object = made::compound(&[("/\u{1}Ole10Native", &made::packaged("a.exe", &made::program()))]);
    let relation = made::relation("attachedTemplate", "http://a.example/t");
    let hex: String = object.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![
        ("a.zip", made::zip(&[("a.txt", b"words"), ("b.zip", &made::zip(&[("c.exe", &made::program())]))])),
        ("a.docm", made::word("<w:t>x &amp; y</w:t>", &[("word/vbaProject.bin", &project), ("word/_rels/a.rels", &relation), ("word/embeddings/o.bin", &object)])),
        ("a.doc", made::compound(&[("/WordDocument", b"x"), ("/Macros/VBA/One", &made::module("Sub AutoOpen()")), ("/Workbook", &[0x85, 0, 8, 0, 0, 0, 0, 0, 2, 1, 1, b'a'])])),
        ("a.tgz", made::gzip(&made::tar(&[("a/b.txt", b"words"), ("../c", b"x")]))),
        ("a.pdf", made::page("hello", "/OpenAction<</S/JavaScript/JS(x)/URI(http://a)>>", &[made::stream("/Type/EmbeddedFile/Filter/FlateDecode", &made::deflated(&made::program()))])),
        ("a.rtf", format!("{{\\rtf1 words \\u252?{{\\object{{\\*\\objdata {hex}}}}}}}").into_bytes()),
        ("a.html", b"<html><form action=\"http://a\"><input type=password><script>x</script><a href='&#106;avascript:x'>".to_vec()),
        ("a.eml", made::mail("Content-Disposition: attachment; filename*0*=utf-8''a%2E; filename*1=exe\r\nContent-Transfer-Encoding: base64", &made::base64(&made::program()))),
        ("a.xml", format!("<?xml version=\"1.0\"?><p:package><p:part p:name=\"/a.mso\"><p:binaryData>{}</p:binaryData></p:part></p:package>", made::base64(&made::active_mime(&project))).into_bytes()),
        ("a.md", b"words\n<img src=x onerror=go()> `<b>` and\n```\n<i>\n```\n".to_vec()),
        ("a.lzma", made::lzma(&made::program())),
        ("a.url", b"[InternetShortcut]\r\nURL=file://a/b\r\n".to_vec()),
    ]
}

/// Changes of a file: a place, and what happens there.
fn changed(mut bytes: Vec<u8>, changes: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    for (at, what, with) in changes {
        if bytes.is_empty() {
            return bytes;
        }
        let at = at.index(bytes.len());
        match what % 5 {
            0 => bytes[at] = *with,
            1 => bytes[at] ^= 1 << (with % 8),
            2 => bytes.truncate(at),
            3 => {
                let piece = bytes[at..(at + usize::from(*with)).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => drop(bytes.drain(at..(at + usize::from(*with)).min(bytes.len()))),
        }
    }
    bytes
}

proptest! {
    #[test]
    fn any_bytes_under_any_name_are_survived(name in "\\PC{0,20}(\\.[a-z0-9]{1,4}){0,2}", media_type in proptest::option::of("[a-z]{1,8}/[a-z+.-]{1,8}"), bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        holds(&tight(), &name, media_type.as_deref(), &bytes);
    }

    #[test]
    fn any_bytes_behind_the_first_of_a_kind_are_survived(kind in 0..12_usize, keep in 4..64_usize, bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let (name, seed) = seeds().swap_remove(kind);
        let head = &seed[..keep.min(seed.len())];
        holds(&tight(), name, None, &[head, &bytes].concat());
    }

    #[test]
    fn changed_files_are_survived(kind in 0..12_usize, changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<u8>()), 1..12)) {
        let (name, seed) = seeds().swap_remove(kind);
        holds(&tight(), name, None, &changed(seed, &changes));
    }

    #[test]
    fn what_is_zipped_is_found_as_what_is_not(kind in 0..12_usize) {
        let (name, seed) = seeds().swap_remove(kind);
        let bare = holds(&Limits::default(), name, None, &seed);
        let zipped = holds(&Limits::default(), "outer.zip", None, &made::zip(&[(name, &seed)]));
        for found in &bare.signs {
            prop_assert!(zipped.has(&found.sign.info.id), "{} is missing", found.sign.info.id);
        }
        prop_assert!(zipped.inside.iter().any(|file| file.hashes == bare.inside[0].hashes));
    }

    #[test]
    fn the_test_file_is_found_under_any_wrapping(wraps in proptest::collection::vec(0..6_u8, 0..5)) {
        let mut bytes = made::eicar();
        for wrap in wraps {
            bytes = match wrap {
                0 => made::zip(&[("a", &bytes)]),
                1 => made::gzip(&bytes),
                2 => made::tar(&[("a", &bytes)]),
                3 => made::mail("Content-Transfer-Encoding: base64", &made::base64(&bytes)),
                4 => made::lzma(&bytes),
                _ => made::page("x", "", &[made::stream("/Type/EmbeddedFile/Filter/FlateDecode", &made::deflated(&bytes))]),
            };
        }
        let verdict = holds(&Limits::default(), "", None, &bytes);
        prop_assert!(verdict.has("file.test-virus"));
    }
}

#[test]
fn every_seed_is_recognised() {
    for (name, seed) in seeds() {
        assert!(!holds(&Limits::default(), name, None, &seed).signs.is_empty(), "{name}");
    }
}

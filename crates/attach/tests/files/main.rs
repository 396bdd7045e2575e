//! Files with one fault each, and innocent ones that look like them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod always;
mod archives;
mod documents;
mod letters;
mod made;
mod pages;

use chatward_attach::{Inspector, Limits, Sent, Verdict, Why};
use chatward_message::Severity;

/// What is found in a file, with the limits that everybody has.
fn looked(name: &str, bytes: &[u8]) -> Verdict {
    looked_within(&Limits::default(), name, bytes)
}

fn looked_within(limits: &Limits, name: &str, bytes: &[u8]) -> Verdict {
    Inspector::new(limits.clone()).inspect(&Sent { name, media_type: None, bytes }, &|_| None)
}

/// The ids of its signs.
fn ids(verdict: &Verdict) -> Vec<&str> {
    verdict.signs.iter().map(|found| found.sign.info.id.as_ref()).collect()
}

fn whys(verdict: &Verdict) -> Vec<Why> {
    verdict.not_looked.iter().map(|one| one.why).collect()
}

fn texts(verdict: &Verdict) -> String {
    verdict.texts.iter().map(|passage| passage.text.expose()).collect::<Vec<_>>().join("\n")
}

fn links(verdict: &Verdict) -> Vec<&str> {
    verdict.links.iter().map(|passage| passage.text.expose()).collect()
}

/// Nothing is wrong with it, and all of it was looked at.
fn innocent(name: &str, bytes: &[u8]) -> Verdict {
    let verdict = looked(name, bytes);
    assert!(verdict.signs.is_empty(), "{name}: {:?}", ids(&verdict));
    assert!(verdict.not_looked.is_empty(), "{name}: {:?}", whys(&verdict));
    verdict
}

/// This is wrong with it.
#[track_caller]
fn has(name: &str, bytes: &[u8], id: &str) -> Verdict {
    let verdict = looked(name, bytes);
    assert!(verdict.has(id), "{name}: {id} is not in {:?} ({:?})", ids(&verdict), whys(&verdict));
    verdict
}

#[test]
fn the_test_file_is_found_wherever_it_is() {
    let eicar = made::eicar();
    let zipped = made::zip(&[("eicar.com", &eicar)]);
    let in_pdf = |head: &str, bytes: &[u8]| {
        made::page(
            "hello",
            "/Names<</EmbeddedFiles<</Names[(e) 5 0 R]>>>>",
            &[b"<</Type/Filespec/F(e.com)/EF<</F 6 0 R>>>>".to_vec(), made::stream(head, bytes)],
        )
    };
    let hex: Vec<u8> = eicar.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect();
    let object = made::compound(&[("/\u{1}Ole10Native", &made::packaged("eicar.com", &eicar))]);
    let rtf_hex: String = object.iter().map(|byte| format!("{byte:02X}\n")).collect();
    for (name, bytes) in [
        ("plain.txt", eicar.clone()),
        ("spaced.txt", [eicar.as_slice(), b"\r\n  \t"].concat()),
        ("zipped.zip", zipped.clone()),
        ("twice.zip", made::zip(&[("inner.zip", &zipped)])),
        ("a.gz", made::gzip(&eicar)),
        ("a.tar", made::tar(&[("eicar.com", &eicar)])),
        ("a.tgz", made::gzip(&made::tar(&[("eicar.com", &eicar)]))),
        ("plain.pdf", in_pdf("/Type/EmbeddedFile", &eicar)),
        ("deflated.pdf", in_pdf("/Type/EmbeddedFile/Filter/FlateDecode", &made::deflated(&eicar))),
        (
            "two-filters.pdf",
            in_pdf("/Type/EmbeddedFile/Filter[/ASCIIHexDecode/FlateDecode]", &{
                made::deflated(&eicar)
                    .iter()
                    .flat_map(|byte| format!("{byte:02x}").into_bytes())
                    .chain(*b">")
                    .collect::<Vec<_>>()
            }),
        ),
        ("hex.pdf", in_pdf("/Filter/#41SCIIHexDecode", &[hex.as_slice(), b">"].concat())),
        ("zipped.pdf", in_pdf("/Type/EmbeddedFile", &zipped)),
        ("part.docx", made::word("<w:t>hi</w:t>", &[("word/media/eicar.bin", &eicar)])),
        ("object.docx", made::word("<w:t>hi</w:t>", &[("word/embeddings/oleObject1.bin", &object)])),
        (
            "object.doc",
            made::compound(&[
                ("/WordDocument", b"x"),
                ("/ObjectPool/_1/\u{1}Ole10Native", &made::packaged("e.com", &eicar)),
            ]),
        ),
        ("a.lzma", made::lzma(&eicar)),
        ("mail.eml", made::mail("Content-Transfer-Encoding: base64", &made::base64(&eicar))),
        ("object.rtf", format!("{{\\rtf1{{\\object{{\\*\\objdata {rtf_hex}}}}}}}").into_bytes()),
    ] {
        let verdict = has(name, &bytes, "file.test-virus");
        assert_eq!(verdict.worst().unwrap().sign.info.severity, Severity::Critical, "{name}");
    }
}

#[test]
fn the_test_string_in_a_text_is_no_test_file_but_in_a_document_it_is_told() {
    let quoted = [b"Your scanner says ".as_slice(), &made::eicar(), b" what now?"].concat();
    innocent("question.txt", &quoted);
    let text = String::from_utf8(made::eicar()).unwrap();
    has("a.docx", &made::word(&format!("<w:t>{text}</w:t>"), &[]), "file.test-virus-quoted");
    has("a.png", &[made::picture(), made::eicar()].concat(), "file.test-virus-quoted");
    has("a.pdf", &[made::page("x", "", &[]), made::eicar()].concat(), "file.test-virus-quoted");
}

#[test]
fn hashes_of_all_that_is_inside_are_looked_up() {
    let inner = b"a file that somebody listed".as_slice();
    let listed = chatward_attach::Hashes::of(inner);
    let bytes = made::zip(&[("a/b.bin", b"another"), ("a/c.bin", inner)]);
    let info = std::sync::Arc::new(chatward_message::SignInfo {
        id: "list.own".into(),
        threat: chatward_message::Threat::Malware,
        severity: Severity::Critical,
        tags: Box::new([]),
    });
    let known = |hashes: &chatward_attach::Hashes| {
        (hashes.sha256 == listed.sha256 && hashes.md5 == listed.md5 && hashes.sha1 == listed.sha1).then(
            || chatward_message::Sign {
                info: info.clone(),
                score: 0.9,
                span: None,
                view: chatward_message::View::Plain,
            },
        )
    };
    let verdict =
        Inspector::default().inspect(&Sent { name: "x.zip", media_type: None, bytes: &bytes }, &known);
    let found = verdict.signs.iter().find(|found| &*found.sign.info.id == "list.own").unwrap();
    assert_eq!(verdict.inside[found.at].path.expose(), "x.zip/a/c.bin");
    assert_eq!(verdict.inside[found.at].size, inner.len());
}

#[test]
fn a_file_is_held_against_its_name_and_its_declared_type() {
    has("invoice.pdf", &made::program(), "file.disguised-program");
    has("photo.jpg", &made::program(), "file.disguised-program");
    has("tool.exe", &made::program(), "file.program");
    has("photo.png", b"<html><body>hi", "file.active-mismatch");
    has("photo.png", &made::page("hi", "", &[]), "file.active-mismatch");
    has("list.zip", &made::picture(), "file.type-mismatch");
    has("annual\u{202e}fdp.exe", &made::program(), "file.name-turned");
    has("invoice.pdf.js", b"var a = 1", "file.name-double-ending");
    has("run.ps1", b"Get-Date", "file.script");
    has("a.lnk", b"\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46", "file.shortcut");
    has("a.url", b"[InternetShortcut]\r\nURL=file://server/share/a.exe\r\n", "file.remote-shortcut");
    has("a.txt", b"x = new ActiveXObject('WScript.Shell'); x.run('calc')", "file.script-text");
    let declared = Sent { name: "photo", media_type: Some("image/png"), bytes: &made::program() };
    assert!(Inspector::default().inspect(&declared, &|_| None).has("file.disguised-program"));
    innocent("photo.png", &made::picture());
    innocent("note.txt", b"What does PowerShell do? And is <script> a tag?");
    innocent("", b"hello");
    innocent("table.csv", b"name,sum\nAnna,=1+2\n\"-5\",+49 30 1234\n");
    has("table.csv", b"name,sum\nAnna,\"=cmd|' /C calc'!A0\"\n", "file.dde");
}

#[cfg(feature = "yara")]
#[test]
fn rules_of_an_operator_reach_into_archives() {
    use chatward_attach::yara::{Rules, Source};

    let text = "rule planted { strings: $a = \"needle-4711\" condition: $a }";
    let rules = Rules::compile(&[Source { name: "own.yar", text }]).unwrap();
    let inspector = Inspector::default().with_rules(rules);
    let words = "hay needle-4711 hay ".repeat(50);
    let bytes = made::zip(&[("a.zip", &made::zip(&[("words.txt", words.as_bytes())])), ("b.txt", b"hay")]);
    let verdict = inspector.inspect(&Sent { name: "x.zip", media_type: None, bytes: &bytes }, &|_| None);
    let found: Vec<&str> = verdict.signs.iter().map(|found| verdict.inside[found.at].path.expose()).collect();
    assert_eq!(found, ["x.zip/a.zip/words.txt"]);
    assert!(verdict.has("yara.planted"));
    // Into the parts of documents too.
    let bytes = made::word("<w:t>hay</w:t>", &[("docProps/app.xml", b"<a>needle-4711</a>")]);
    let verdict = inspector.inspect(&Sent { name: "x.docx", media_type: None, bytes: &bytes }, &|_| None);
    assert!(verdict.has("yara.planted"));
}

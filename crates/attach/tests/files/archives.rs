//! Archives that lie, hide or burst.

use std::io::{Cursor, Write as _};

use chatward_attach::{Kind, Limits, Why};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::made;
use crate::{has, ids, innocent, looked, looked_within, texts, whys};

#[test]
fn an_innocent_archive_is_read_to_its_end() {
    let bytes = made::zip(&[("a/one.txt", b"first words"), ("two.png", &made::picture())]);
    let verdict = innocent("a.zip", &bytes);
    assert_eq!(verdict.inside.len(), 3);
    assert_eq!(verdict.inside[1].path.expose(), "a.zip/a/one.txt");
    assert_eq!((verdict.kind(), verdict.inside[2].kind), (Kind::Zip, Kind::Picture));
    assert_eq!(texts(&verdict), "first words");
    assert_eq!(texts(&innocent("a.tgz", &made::gzip(&made::tar(&[("a.txt", b"in a tar")])))), "in a tar");
}

#[test]
fn every_way_of_packing_is_undone() {
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    bzip2.write_all(b"packed words").unwrap();
    assert_eq!(texts(&innocent("a.txt.bz2", &bzip2.finish().unwrap())), "packed words");
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(6)).unwrap();
    xz.write_all(b"packed words").unwrap();
    assert_eq!(texts(&innocent("a.txt.xz", &xz.finish().unwrap())), "packed words");
    assert_eq!(texts(&innocent("a.txt.gz", &made::gzip(b"packed words"))), "packed words");
}

#[test]
fn kinds_that_are_not_opened_are_told() {
    for (name, magic) in [
        ("a.7z", &b"7z\xbc\xaf\x27\x1c\0\x04"[..]),
        ("a.rar", b"Rar!\x1a\x07\x01\0"),
        ("a.cab", b"MSCF\0\0\0\0"),
        ("a.zst", b"\x28\xb5\x2f\xfd\x04\0\x01\0\0"),
    ] {
        assert_eq!(whys(&looked(name, magic)), [Why::Unsupported], "{name}");
    }
}

#[test]
fn what_is_not_known_is_told() {
    for (name, bytes) in [
        ("a.Z", &b"\x1f\x9d\x90\x01\x02"[..]),
        ("a.lzh", b"\x20\0-lh5-\x01\x02"),
        ("a.lha", b"ab-lh0-words"),
        ("a.unheard", b"\x01\x02\x03"),
        ("a.jpg", b"\x01\x02\x03"),
        ("a.lzma", &made::lzma(b"words")[..14]),
    ] {
        let verdict = looked(name, bytes);
        assert!(
            matches!(whys(&verdict).as_slice(), [Why::Unsupported | Why::Broken]),
            "{name}: {:?}",
            whys(&verdict)
        );
    }
    // Sounds and drawings without a mark at their beginning.
    innocent("a.mp3", b"\xff\xf3\x44\xc4\0\0\0\0");
    innocent("a.3gp", b"\0\0\0\x14ftyp3gp4\0\0\0\0");
    innocent("a.txt.lzma", &made::lzma(b"packed words"));
}

/// A tar with one entry of this type.
fn typed(kind: u8, name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut tar = made::tar(&[(name, bytes)]);
    let mut header = tar::Header::from_byte_slice(&tar[..512]).clone();
    header.as_mut_bytes()[156] = kind;
    header.set_cksum();
    tar[..512].copy_from_slice(header.as_bytes());
    tar
}

#[test]
fn entries_of_a_tar_with_data_are_files_whatever_their_type_says() {
    for kind in *b"7DMVZA\xff" {
        let verdict = has("a.tar", &typed(kind, "run.com", &made::eicar()), "file.test-virus");
        assert!(verdict.has("file.runs-when-opened"), "{kind}");
        assert!(!verdict.has("file.lying-headers"));
    }
    for kind in *b"123456" {
        let verdict = has("a.tar", &typed(kind, "a", &made::eicar()), "file.test-virus");
        assert!(verdict.has("file.lying-headers") && whys(&verdict).contains(&Why::Broken), "{kind}");
    }
    innocent("a.tar", &typed(b'5', "folder", b""));
}

#[test]
fn bombs_do_not_go_off() {
    let zeros = vec![0; 40 << 20];
    let verdict = has("bomb.zip", &made::zip(&[("zeros", &zeros)]), "file.bomb");
    assert!(whys(&verdict).contains(&Why::TooLarge));
    // It is not unpacked further than its ratio lets it, though the limits would.
    assert!(verdict.inside[1].size < 12 << 20, "{}", verdict.inside[1].size);
    has("bomb.gz", &made::gzip(&zeros), "file.bomb");
    // Each of them within its bounds, all of them together not.
    let many: Vec<(String, &[u8])> = (0..40).map(|n| (format!("{n}"), &zeros[..4 << 20])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    let verdict = has("many.zip", &made::zip(&many), "file.bomb");
    let unpacked: usize = verdict.inside.iter().skip(1).map(|file| file.size).sum();
    assert!(unpacked <= Limits::default().unpacked, "{unpacked}");
    // In a stream of a PDF file.
    let pdf = made::page("x", "", &[made::stream("/Filter/FlateDecode", &made::deflated(&zeros))]);
    has("bomb.pdf", &pdf, "file.bomb");
}

#[test]
fn streams_that_hold_nothing_come_to_an_end() {
    let nothing = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best()).finish().unwrap();
    let verdict = looked("many.bz2", &nothing.repeat(100_000));
    assert_eq!(whys(&verdict), [Why::Broken]);
    let mut part = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    part.write_all(b"half ").unwrap();
    let parts = part.finish().unwrap().repeat(2);
    assert_eq!(texts(&innocent("two.txt.bz2", &parts)), "half half");
    let xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(6)).unwrap();
    let nothing = xz.finish().unwrap();
    let verdict = looked("many.xz", &nothing.repeat(100_000));
    assert_eq!(whys(&verdict), [Why::Broken]);
}

#[test]
fn archives_in_archives_end_somewhere() {
    let mut bytes = b"the innermost".to_vec();
    for _ in 0..12 {
        bytes = made::zip(&[("inner.zip", &bytes)]);
    }
    let verdict = has("deep.zip", &bytes, "file.too-deep");
    assert!(whys(&verdict).contains(&Why::TooDeep));
    assert!(verdict.inside.len() <= Limits::default().depth + 1);
    // However deep the limits say.
    let deep = Limits { depth: usize::MAX, ..Limits::default() };
    for _ in 0..40 {
        bytes = made::zip(&[("inner.zip", &bytes)]);
    }
    assert!(whys(&looked_within(&deep, "deep.zip", &bytes)).contains(&Why::TooDeep));
}

#[test]
fn more_entries_than_are_looked_at_are_told() {
    let names: Vec<String> = (0..30).map(|n| n.to_string()).collect();
    let parts: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"x".as_slice())).collect();
    let few = Limits { entries: 10, ..Limits::default() };
    for bytes in [made::zip(&parts), made::zip(&parts[..15]), made::tar(&parts)] {
        let verdict = looked_within(&few, "many", &bytes);
        assert!(whys(&verdict).contains(&Why::TooMany));
        assert!(verdict.inside.len() <= 11);
    }
    let little = Limits { work: 1_000, ..Limits::default() };
    assert!(whys(&looked_within(&little, "a.txt", &[b'a'; 1_000])).contains(&Why::TooMuchWork));
}

#[test]
fn what_is_locked_is_told_by_its_name_too() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let locked = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    zip.start_file("invoice.pdf.exe", locked).unwrap();
    zip.write_all(b"secret").unwrap();
    let mut bytes = zip.finish().unwrap().into_inner();
    // The flag of encryption, in both headers.
    let central = memchr::memmem::rfind(&bytes, b"PK\x01\x02").unwrap();
    bytes[6] |= 1;
    bytes[central + 8] |= 1;
    let verdict = has("a.zip", &bytes, "file.encrypted");
    assert!(ids(&verdict).contains(&"file.name-double-ending"), "{:?}", ids(&verdict));
    assert_eq!(whys(&verdict), [Why::Encrypted]);
}

#[test]
fn names_that_lead_out_are_told() {
    has("a.zip", &made::zip(&[("../../evil.txt", b"x")]), "file.name-outside");
    has("a.zip", &made::zip(&[("C:\\evil.txt", b"x")]), "file.name-outside");
    has("a.tar", &made::tar(&[("../evil.txt", b"x")]), "file.name-outside");
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "link", "/etc/passwd").unwrap();
    has("a.tar", &tar.into_inner().unwrap(), "file.link-outside");
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink("link", "../../etc/passwd", SimpleFileOptions::default()).unwrap();
    has("a.zip", &zip.finish().unwrap().into_inner(), "file.link-outside");
}

/// A central header for the file whose local header stands at the beginning.
fn central(bytes: &[u8], name: &str) -> Vec<u8> {
    let at = memchr::memmem::rfind(bytes, b"PK\x01\x02").unwrap();
    let mut header = bytes[at..at + 46].to_vec();
    header[28..30].copy_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
    header[30..34].fill(0);
    [header.as_slice(), name.as_bytes()].concat()
}

/// A zip whose directory lists one file under several names.
fn overlapping(names: &[&str]) -> Vec<u8> {
    let once = made::zip(&[(names[0], b"the same bytes for all of them")]);
    let at = memchr::memmem::rfind(&once, b"PK\x01\x02").unwrap();
    let directory: Vec<u8> = names.iter().flat_map(|name| central(&once, name)).collect();
    let mut end = once[memchr::memmem::rfind(&once, b"PK\x05\x06").unwrap()..].to_vec();
    let count = u16::try_from(names.len()).unwrap().to_le_bytes();
    end[8..10].copy_from_slice(&count);
    end[10..12].copy_from_slice(&count);
    end[12..16].copy_from_slice(&u32::try_from(directory.len()).unwrap().to_le_bytes());
    [&once[..at], &directory, &end].concat()
}

#[test]
fn entries_that_share_their_bytes_are_told() {
    has("fifield.zip", &overlapping(&["a", "b", "c"]), "file.overlap");
    assert!(!looked("once.zip", &overlapping(&["a"])).has("file.overlap"));
}

#[test]
fn headers_that_lie_are_told() {
    let honest = made::zip(&[("a.txt", b"a text of some length"), ("b.txt", b"another")]);
    let central = memchr::memmem::find(&honest, b"PK\x01\x02").unwrap();
    let mut size = honest.clone();
    size[central + 24] = 3;
    has("size.zip", &size, "file.lying-headers");
    let mut name = honest.clone();
    name[30] = b'z';
    has("name.zip", &name, "file.lying-headers");
    // A file that only readers of streams see.
    let hidden = made::zip(&[("hidden.txt", b"x")]);
    let local = &hidden[..memchr::memmem::find(&hidden, b"PK\x01\x02").unwrap()];
    let both = [local, &honest].concat();
    assert!(whys(&has("both.zip", &both, "file.lying-headers")).contains(&Why::Broken));
    innocent("honest.zip", &honest);
}

#[test]
fn a_changed_checksum_hides_nothing() {
    let mut bytes = made::zip(&[("eicar.com", &made::eicar())]);
    bytes[14] ^= 0xff;
    let central = memchr::memmem::find(&bytes, b"PK\x01\x02").unwrap();
    bytes[central + 16] ^= 0xff;
    let verdict = has("a.zip", &bytes, "file.test-virus");
    assert!(whys(&verdict).contains(&Why::Broken));
}

#[test]
fn two_kinds_at_once_are_told_and_both_are_read() {
    let zip = made::zip(&[("eicar.com", &made::eicar())]);
    for (name, front) in [("a.pdf", made::page("hello", "", &[])), ("a.png", made::picture())] {
        let both = [front.as_slice(), &zip].concat();
        assert!(has(name, &both, "file.polyglot").has("file.test-virus"), "{name}");
    }
    has("a.gif", b"GIF89a\x01\0\x01\0/*<script>alert(1)</script>", "file.polyglot");
    has(
        "a.png",
        &[made::picture(), made::page("x", "/OpenAction<</S/JavaScript/JS(x)>>", &[])].concat(),
        "file.pdf-script-runs",
    );
}

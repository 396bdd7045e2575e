//! What is wrong with a file's name.

use crate::limits::PATH;
use crate::signs::Mark;

/// Endings of what runs when it is opened, most of them on Windows.
const RUNS: &[&str] = &[
    "ade",
    "adp",
    "app",
    "appinstaller",
    "application",
    "appref-ms",
    "bas",
    "bat",
    "chm",
    "cmd",
    "com",
    "command",
    "cpl",
    "crt",
    "csh",
    "deb",
    "desktop",
    "diagcab",
    "dll",
    "dmg",
    "drv",
    "exe",
    "gadget",
    "hlp",
    "hta",
    "inf",
    "ins",
    "iqy",
    "iso",
    "img",
    "isp",
    "jar",
    "jnlp",
    "js",
    "jse",
    "ksh",
    "lib",
    "library-ms",
    "lnk",
    "mad",
    "maf",
    "mam",
    "maq",
    "mar",
    "mas",
    "mau",
    "mda",
    "mdb",
    "mde",
    "mdz",
    "msc",
    "msh",
    "msi",
    "msix",
    "msixbundle",
    "msp",
    "mst",
    "ocx",
    "ops",
    "pcd",
    "pif",
    "pkg",
    "prf",
    "ps1",
    "ps1xml",
    "ps2",
    "psc1",
    "psd1",
    "psm1",
    "reg",
    "rpm",
    "run",
    "scf",
    "scr",
    "sct",
    "search-ms",
    "searchconnector-ms",
    "settingcontent-ms",
    "sh",
    "shb",
    "shs",
    "slk",
    "sys",
    "theme",
    "themepack",
    "url",
    "vb",
    "vbe",
    "vbs",
    "vhd",
    "vhdx",
    "vxd",
    "website",
    "wim",
    "ws",
    "wsc",
    "wsf",
    "wsh",
    "xbap",
    "xll",
    "apk",
    "ipa",
    "aab",
    "xpi",
    "crx",
    "appx",
    "appxbundle",
    "workflow",
    "action",
    "zsh",
    "bash",
];

/// Endings of scripts in [`RUNS`].
const SCRIPTS: &[&str] = &[
    "bas", "bash", "bat", "cmd", "command", "csh", "hta", "js", "jse", "ksh", "msh", "ps1", "ps1xml", "ps2",
    "psc1", "psd1", "psm1", "sct", "sh", "vb", "vbe", "vbs", "ws", "wsc", "wsf", "wsh", "zsh",
];

/// Endings that people take for harmless, and that stand before another one for that.
const HARMLESS: &[&str] = &[
    "pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "rtf", "txt", "csv", "odt", "ods", "jpg", "jpeg",
    "png", "gif", "bmp", "webp", "svg", "mp3", "mp4", "mov", "avi", "wav", "html", "htm", "eml", "zip",
];

/// Names that mean a device of Windows, with whatever ending.
const DEVICES: &[&str] = &[
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
    "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// How many spaces in a row are no slip any more.
const MANY_SPACES: &str = "     ";

/// The last part of a path, whatever system it was made on.
pub(crate) fn last(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or_default()
}

/// The ending of a name in lower case, without what Windows leaves away at its end.
pub(crate) fn ending(name: &str) -> Option<String> {
    let name = last(name).trim_end_matches(|c: char| c == '.' || c.is_whitespace() || c.is_control());
    let name = name.split_once("::$").map_or(name, |(name, _)| name);
    let (_, ending) = name.rsplit_once('.')?;
    let plain: String = ending.chars().filter(|c| !is_unseen(*c) && !c.is_whitespace()).collect();
    Some(plain.to_lowercase())
}

/// A name that is no longer than names that are told. Of a longer one its end is kept, for the ending counts.
pub(crate) fn cut(name: &str) -> &str {
    let from = name.ceil_char_boundary(name.len().saturating_sub(PATH));
    name.get(from..).unwrap_or(name)
}

/// Whether such an ending means a script.
pub(crate) fn is_script(ending: &str) -> bool {
    SCRIPTS.contains(&ending)
}

/// Whether files with such an ending run something when they are opened.
pub(crate) fn runs(ending: &str) -> bool {
    RUNS.contains(&ending)
}

/// What is wrong with the name itself.
pub(crate) fn marks(path: &str) -> Vec<Mark> {
    let name = last(path);
    let mut marks = Vec::new();
    let mut say = |wrong: bool, mark: Mark| {
        if wrong {
            marks.push(mark);
        }
    };
    say(name.chars().any(turns), Mark::NameTurned);
    say(
        name.chars().any(|c| c.is_control() || (is_unseen(c) && !turns(c) && !is_needed(c))),
        Mark::NameControl,
    );
    let end = name.chars().next_back();
    let dots_only = name.chars().all(|c| c == '.');
    say(
        name.contains(MANY_SPACES) || (end.is_some_and(|c| c == '.' || c.is_whitespace()) && !dots_only),
        Mark::NamePadded,
    );
    say(is_double(name), Mark::NameDouble);
    let stem = name.split(['.', ':']).next().unwrap_or_default().trim_end().to_ascii_lowercase();
    say(DEVICES.contains(&stem.as_str()) || name.contains(':'), Mark::NameReserved);
    marks
}

/// Whether a path in an archive leads out of the folder it is unpacked to.
pub(crate) fn is_outside(path: &str) -> bool {
    let mut chars = path.chars();
    let drive = chars.next().is_some_and(|c| c.is_ascii_alphabetic()) && chars.next() == Some(':');
    drive || path.starts_with(['/', '\\']) || path.split(['/', '\\']).any(|part| part.trim_end() == "..")
}

fn is_double(name: &str) -> bool {
    let Some(last) = ending(name) else { return false };
    let before = name.trim_end_matches(|c: char| c == '.' || c.is_whitespace());
    let Some((before, _)) = before.rsplit_once('.') else { return false };
    // Spaces may stand between them, to push the last one out of sight.
    let Some((_, first)) = before.trim_end().rsplit_once('.') else { return false };
    runs(&last) && HARMLESS.contains(&first.trim().to_ascii_lowercase().as_str())
}

/// Signs that turn the direction in which a name is shown.
fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Unseen signs that words of some languages need, and joined pictures.
fn is_needed(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{061c}')
}

fn is_unseen(c: char) -> bool {
    turns(c)
        || matches!(c, '\u{00ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{061c}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_on_itself() {
        for (name, mark) in [
            ("annual\u{202e}fdp.exe", Some(Mark::NameTurned)),
            ("invoice.pdf.exe", Some(Mark::NameDouble)),
            ("invoice.PDF .Exe", Some(Mark::NameDouble)),
            ("invoice.pdf                    .scr", Some(Mark::NamePadded)),
            ("invoice.pdf.js.", Some(Mark::NameDouble)),
            ("report.pdf.", Some(Mark::NamePadded)),
            ("report.pdf ", Some(Mark::NamePadded)),
            ("a\u{200b}b.txt", Some(Mark::NameControl)),
            ("a\u{7}.txt", Some(Mark::NameControl)),
            ("CON.txt", Some(Mark::NameReserved)),
            ("a.txt:b.exe", Some(Mark::NameReserved)),
            ("backup.tar.gz", None),
            ("v1.2.pdf", None),
            ("my.doc.pdf", None),
            ("Zürich 2026.docx", None),
            ("connect.txt", None),
        ] {
            let marks = marks(name);
            assert_eq!(mark.is_some(), !marks.is_empty(), "{name:?} {marks:?}");
            assert!(mark.is_none_or(|mark| marks.contains(&mark)), "{name:?} {marks:?}");
        }
    }

    #[test]
    fn paths_that_lead_out_are_seen() {
        for bad in ["../a", "a/../../b", "..\\a", "/etc/passwd", "\\\\server\\a", "C:\\a", "c:a", "a/.. /b"] {
            assert!(is_outside(bad), "{bad}");
        }
        for good in ["a", "a/b", "a..b", "...", "word/document.xml"] {
            assert!(!is_outside(good), "{good}");
        }
    }

    #[test]
    fn of_a_long_name_the_ending_is_kept() {
        assert_eq!(cut("a.exe"), "a.exe");
        let long = format!("{}.exe", "\u{fc}".repeat(PATH));
        assert!(cut(&long).len() <= PATH && cut(&long).ends_with("\u{fc}.exe"));
    }

    #[test]
    fn the_ending_is_the_one_that_counts() {
        assert_eq!(ending("a/b.PDF. ").as_deref(), Some("pdf"));
        assert_eq!(ending("a.ex\u{200b}e").as_deref(), Some("exe"));
        assert_eq!(ending("a.exe::$DATA").as_deref(), Some("exe"));
        assert_eq!(ending("nothing"), None);
    }
}

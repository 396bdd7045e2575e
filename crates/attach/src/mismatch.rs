//! Whether a file is what its name and its declared type say.

use crate::kind::{self, Kind};
use crate::name;
use crate::signs::Mark;

/// What is wrong between what a file is called and what it is.
pub(crate) fn marks(path: &str, media_type: Option<&str>, kind: Kind) -> Vec<Mark> {
    let ending = name::ending(path);
    let mut marks = Vec::new();
    marks.extend(by_itself(kind));
    if let Some(ending) = ending.as_deref().filter(|ending| name::runs(ending)) {
        marks.push(if name::is_script(ending) { Mark::Script } else { Mark::RunsWhenOpened });
    }
    let promises = [ending.as_deref().and_then(kind::of_ending), media_type.and_then(kind::of_media_type)];
    for promised in promises.into_iter().flatten().filter(|promised| !promised.contains(&kind)) {
        marks.push(broken(promised, kind));
    }
    marks
}

/// What a kind means, whatever it is called.
fn by_itself(kind: Kind) -> Option<Mark> {
    Some(match kind {
        Kind::Script => Mark::ScriptText,
        Kind::Shortcut => Mark::Shortcut,
        Kind::InternetShortcut => Mark::InternetShortcut,
        Kind::DiskImage => Mark::DiskImage,
        Kind::Installer => Mark::Installer,
        Kind::Help => Mark::RunsWhenOpened,
        _ if kind.is_program() => Mark::Program,
        _ => return None,
    })
}

/// What a broken promise means.
fn broken(promised: &[Kind], kind: Kind) -> Mark {
    let harmless = promised
        .iter()
        .any(|kind| matches!(kind, Kind::Picture | Kind::Sound | Kind::Video | Kind::Font | Kind::Text));
    match kind {
        _ if kind.is_program() => Mark::DisguisedProgram,
        Kind::Script | Kind::Shortcut | Kind::Installer | Kind::Help => Mark::ActiveMismatch,
        _ if harmless && kind.is_active() => Mark::ActiveMismatch,
        // A page that is called a document is not opened by what the name lets expect.
        Kind::Html | Kind::Mail if !promised.contains(&Kind::Xml) => Mark::ActiveMismatch,
        _ => Mark::TypeMismatch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_is_called_and_what_it_is() {
        for (path, media_type, kind, expected) in [
            ("a.pdf", None, Kind::Pdf, vec![]),
            ("a.pdf", Some("application/pdf"), Kind::Pdf, vec![]),
            ("a.pdf", None, Kind::WindowsProgram, vec![Mark::Program, Mark::DisguisedProgram]),
            ("a.exe", None, Kind::WindowsProgram, vec![Mark::Program, Mark::RunsWhenOpened]),
            ("a.png", None, Kind::Html, vec![Mark::ActiveMismatch]),
            ("a.png", Some("image/png"), Kind::Picture, vec![]),
            ("a.png", None, Kind::Pdf, vec![Mark::ActiveMismatch]),
            ("a.png", None, Kind::Text, vec![Mark::TypeMismatch]),
            ("a.doc", None, Kind::Html, vec![Mark::ActiveMismatch]),
            ("a.doc", None, Kind::Mail, vec![Mark::ActiveMismatch]),
            ("a.eml", Some("message/rfc822"), Kind::Mail, vec![]),
            ("a.txt", Some("text/plain"), Kind::Mail, vec![]),
            ("a", Some("image/png"), Kind::ElfProgram, vec![Mark::Program, Mark::DisguisedProgram]),
            ("a.js", None, Kind::Text, vec![Mark::Script]),
            ("a.hta", None, Kind::Html, vec![Mark::Script]),
            ("a.txt", None, Kind::Script, vec![Mark::ScriptText, Mark::ActiveMismatch]),
            ("a.unheard", Some("application/octet-stream"), Kind::Other, vec![]),
            ("a.iso", None, Kind::DiskImage, vec![Mark::DiskImage, Mark::RunsWhenOpened]),
        ] {
            assert_eq!(marks(path, media_type, kind), expected, "{path} {media_type:?} {kind:?}");
        }
    }
}

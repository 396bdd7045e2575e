//! What can be wrong with a file, as signs with names that stay.

use std::sync::{Arc, LazyLock};

use chatward_message::{Severity, SignInfo, Threat};

macro_rules! marks {
    ($($mark:ident: $id:literal, $threat:ident, $severity:ident, [$($tag:literal),*], $means:literal;)*) => {
        /// Something that is wrong with a file.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Mark {
            $(#[doc = $means] $mark,)*
        }

        static TABLE: LazyLock<Vec<(Arc<SignInfo>, &'static str)>> = LazyLock::new(|| vec![
            $((Arc::new(SignInfo {
                id: $id.into(),
                threat: Threat::$threat,
                severity: Severity::$severity,
                tags: Box::new([$($tag.into()),*]),
            }), $means),)*
        ]);
    };
}

// The tags are techniques of MITRE ATT&CK.
marks! {
    TestVirus: "file.test-virus", Malware, Critical, [], "The EICAR test file, by its exact rules.";
    TestVirusQuoted: "file.test-virus-quoted", Malware, High, [], "The EICAR test string somewhere inside a document, a picture or an archive.";
    DisguisedProgram: "file.disguised-program", Malware, Critical, ["T1036.008"], "A program that is called something else.";
    Program: "file.program", Malware, High, ["T1204.002"], "A program.";
    Script: "file.script", Malware, High, ["T1059"], "A script that runs when it is opened.";
    ScriptText: "file.script-text", Malware, Medium, ["T1059"], "Text that is a script.";
    RunsWhenOpened: "file.runs-when-opened", Malware, High, ["T1204.002"], "A kind of file that runs something when it is opened.";
    Shortcut: "file.shortcut", Malware, High, ["T1204.002", "T1547.009"], "A Windows shortcut: it runs a command of its maker.";
    InternetShortcut: "file.internet-shortcut", Malware, Medium, ["T1204.001"], "A shortcut to an address.";
    RemoteShortcut: "file.remote-shortcut", Malware, High, ["T1187"], "A shortcut to a file on somebody else's computer.";
    DiskImage: "file.disk-image", Malware, Medium, ["T1553.005"], "A disk image: what is in it carries no mark of where it came from.";
    Installer: "file.installer", Malware, High, ["T1218.007"], "An installer.";
    TypeMismatch: "file.type-mismatch", Malware, Low, ["T1036.008"], "It is not what its name or its declared type says.";
    ActiveMismatch: "file.active-mismatch", Malware, High, ["T1036.008"], "A page, a script or a document that is called a picture or a text.";
    Polyglot: "file.polyglot", Malware, High, ["T1036.008"], "It is two kinds of file at once.";
    NameTurned: "file.name-turned", Malware, High, ["T1036.002"], "Its name is written so that it reads backwards in part.";
    NameDouble: "file.name-double-ending", Malware, High, ["T1036.007"], "Its name has the ending of a document before that of something that runs.";
    NamePadded: "file.name-padded", Malware, Medium, ["T1036.006"], "Its name hides its ending behind spaces, or ends in a dot or a space.";
    NameControl: "file.name-control", Malware, Medium, ["T1036"], "Its name holds signs that nobody sees.";
    NameReserved: "file.name-reserved", Malware, Low, ["T1564.004"], "Its name means a device or a hidden stream.";
    NameOutside: "file.name-outside", Malware, High, [], "Unpacked, it would land outside of its folder.";
    LinkOutside: "file.link-outside", Malware, High, [], "An entry of an archive that leads to another place.";
    Bomb: "file.bomb", Malware, High, ["T1499"], "It unpacks to far more than it is.";
    Overlap: "file.overlap", Malware, High, ["T1499"], "Entries of an archive that share the same bytes.";
    TooDeep: "file.too-deep", Malware, Medium, ["T1027"], "Archives in archives, deeper than is looked into.";
    LyingHeaders: "file.lying-headers", Malware, Medium, ["T1027"], "An archive that tells different readers different things.";
    Encrypted: "file.encrypted", Malware, Medium, ["T1027.013"], "It needs a password, so nobody on the way can look into it.";
    Macro: "file.macro", Malware, Medium, ["T1204.002"], "An office file with macros.";
    MacroRuns: "file.macro-runs", Malware, High, ["T1204.002", "T1059.005"], "Macros that run by themselves.";
    MacroActs: "file.macro-acts", Malware, Critical, ["T1059.005"], "Macros that run by themselves and start something or fetch something.";
    OldMacro: "file.excel4-macro", Malware, High, ["T1059"], "Excel 4 macros.";
    RemoteTemplate: "file.remote-template", Malware, High, ["T1221"], "An office file that fetches its template or an object from an address.";
    Dde: "file.dde", Malware, High, ["T1559.002"], "A field or a formula that starts another program.";
    EmbeddedObject: "file.embedded-object", Malware, Low, ["T1027.009"], "A document with another file inside.";
    EquationObject: "file.equation-object", Malware, High, ["T1203"], "An object for the old equation editor, which attacks have used for years.";
    ActiveX: "file.activex", Malware, Medium, ["T1203"], "A document with ActiveX controls.";
    PdfLaunch: "file.pdf-launch", Malware, High, ["T1204.002"], "A PDF file that starts a program.";
    PdfScript: "file.pdf-script", Malware, Medium, ["T1059.007"], "A PDF file with scripts.";
    PdfScriptRuns: "file.pdf-script-runs", Malware, High, ["T1059.007"], "A PDF file whose scripts run by themselves.";
    PdfMedia: "file.pdf-media", Malware, Medium, ["T1203"], "A PDF file with content for a player.";
    PdfSends: "file.pdf-sends", Phishing, Low, ["T1598.002"], "A PDF file with a form that is sent somewhere.";
    PageScript: "file.page-script", Malware, Medium, ["T1059.007"], "A page or a drawing with scripts.";
    PageForwards: "file.page-forwards", Phishing, Medium, ["T1204.001"], "A page that leads on by itself.";
    PageAsks: "file.page-asks", Phishing, High, ["T1598.002"], "A page that asks for a password.";
    PageForm: "file.page-form", Phishing, Medium, ["T1598.002"], "A page with a form that is sent somewhere.";
    PageBuilds: "file.page-builds", Malware, High, ["T1027.006"], "A page that puts a file together in the browser.";
    PageFrames: "file.page-frames", Phishing, Medium, ["T1204.001"], "A page that shows another one, or an object.";
}

/// The sign of something that is wrong.
pub(crate) fn info(mark: Mark) -> Option<Arc<SignInfo>> {
    TABLE.get(mark as usize).map(|(info, _)| Arc::clone(info))
}

/// All signs that this crate gives of itself, and what each means, for a list of them. Known hashes and rules of an operator
/// come with signs of their own.
pub fn all_signs() -> impl Iterator<Item = (&'static Arc<SignInfo>, &'static str)> {
    TABLE.iter().map(|(info, means)| (info, *means))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_sign_has_an_id_of_its_own_and_stands_at_its_place() {
        let ids: HashSet<&str> = all_signs().map(|(info, _)| info.id.as_ref()).collect();
        assert_eq!(ids.len(), all_signs().count());
        assert!(ids.iter().all(|id| id.starts_with("file.")));
        assert_eq!(info(Mark::TestVirus).unwrap().id.as_ref(), "file.test-virus");
        assert_eq!(info(Mark::PageFrames).unwrap().id.as_ref(), "file.page-frames");
    }
}

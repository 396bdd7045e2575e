//! The guides: Markdown files, shipped in every language of the pages, and those of the house beside or instead of them.

use std::path::{Path, PathBuf};

use pulldown_cmark::{CowStr, Event, HeadingLevel, Parser, Tag, TagEnd};

use super::Language;

/// The guide with a place to try what would be hidden.
pub(crate) const TRYING: &str = "anonymisation";
/// The largest file of a guide, in bytes.
const LARGEST: u64 = 64 * 1024;

/// A guide in one language.
#[derive(Debug, Clone)]
pub(crate) struct Guide {
    /// Its name in addresses.
    pub(crate) name: String,
    language: Language,
    /// Its first heading.
    pub(crate) title: String,
    /// The rest, as HTML that this program made: no markup of the file's own is in it.
    pub(crate) html: String,
}

/// All guides.
#[derive(Debug)]
pub(crate) struct Guides(Vec<Guide>);

/// Why a guide cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum GuideError {
    /// The folder or a file in it cannot be read.
    #[error("{}: {error}", .file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is too large, or has no heading to be named by.
    #[error("{}: a guide begins with a heading (`# Title`) and has at most 64 KiB", .0.display())]
    Form(PathBuf),
    /// Its name cannot stand in an address.
    #[error("{}: the name of a guide has a-z, 0-9 and -", .0.display())]
    Name(PathBuf),
}

/// The shipped guides of a language.
macro_rules! shipped {
    ($folder:literal, $language:ident) => {
        shipped!($folder, $language, "encryption", "anonymisation", "safe-sign-in", "phishing", "our-bot", "less-is-more",
            "consent", "secure-channels", "your-rights", "questions")
    };
    ($folder:literal, $language:ident, $($name:literal),+) => {
        [$(($name, Language::$language, include_str!(concat!("../../guides/", $folder, "/", $name, ".md")))),+]
    };
}

const SHIPPED: [[(&str, Language, &str); 10]; 4] =
    [shipped!("en", English), shipped!("de", German), shipped!("fr", French), shipped!("es", Spanish)];

impl Guides {
    /// Those that are shipped, and those in this folder (`FOLDER/de/NAME.md`), which go before.
    ///
    /// # Errors
    /// [`GuideError`]
    pub(crate) fn read(folder: Option<&Path>) -> Result<Self, GuideError> {
        let mut all = Vec::new();
        for (name, language, text) in SHIPPED.iter().flatten() {
            let guide = Guide::read(name, *language, text);
            all.push(guide.ok_or_else(|| GuideError::Form(format!("{name}.md").into()))?);
        }
        for (folder, language) in folder.into_iter().flat_map(folders) {
            for guide in of_folder(&folder, language)? {
                match all.iter_mut().find(|known| known.name == guide.name && known.language == language) {
                    Some(known) => *known = guide,
                    None => all.push(guide),
                }
            }
        }
        Ok(Self(all))
    }

    /// One, in this language; in English or another where it is not there in it.
    pub(crate) fn get(&self, name: &str, language: Language) -> Option<&Guide> {
        let named = || self.0.iter().filter(|guide| guide.name == name);
        let own = named().find(|guide| guide.language == language);
        own.or_else(|| named().find(|guide| guide.language == Language::English)).or_else(|| named().next())
    }

    /// Each of them, in this language.
    pub(crate) fn all(&self, language: Language) -> Vec<&Guide> {
        let mut names: Vec<&str> = Vec::new();
        for guide in &self.0 {
            if !names.contains(&guide.name.as_str()) {
                names.push(&guide.name);
            }
        }
        names.into_iter().filter_map(|name| self.get(name, language)).collect()
    }
}

/// The folders of the languages that are there.
fn folders(folder: &Path) -> impl Iterator<Item = (PathBuf, Language)> {
    let of = |language: Language| (folder.join(language.tag()), language);
    let there: Vec<_> = Language::OFFERED.map(of).into_iter().filter(|(folder, _)| folder.is_dir()).collect();
    there.into_iter()
}

fn of_folder(folder: &Path, language: Language) -> Result<Vec<Guide>, GuideError> {
    let unreadable = |file: &Path| {
        let file = file.to_owned();
        move |error| GuideError::Unreadable { file, error }
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
        let file = entry.map_err(unreadable(folder))?.path();
        if file.extension().is_some_and(|ext| ext == "md") {
            files.push(file);
        }
    }
    files.sort();
    let mut guides = Vec::new();
    for file in files {
        let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(good) {
            return Err(GuideError::Name(file));
        }
        if std::fs::metadata(&file).map_err(unreadable(&file))?.len() > LARGEST {
            return Err(GuideError::Form(file));
        }
        let text = std::fs::read_to_string(&file).map_err(unreadable(&file))?;
        guides.push(Guide::read(name, language, &text).ok_or_else(|| GuideError::Form(file.clone()))?);
    }
    Ok(guides)
}

impl Guide {
    /// The language it is in.
    pub(crate) fn language(&self) -> Language {
        self.language
    }

    /// Reads one; nothing if it has no heading.
    fn read(name: &str, language: Language, text: &str) -> Option<Self> {
        let (first, rest) = text.trim_start_matches('\u{feff}').trim_start().split_once('\n')?;
        let title = first.strip_prefix("# ")?.trim();
        if title.is_empty() {
            return None;
        }
        let mut html = String::with_capacity(rest.len() * 2);
        pulldown_cmark::html::push_html(&mut html, Parser::new(rest).map(harmless));
        Some(Self { name: name.to_owned(), language, title: title.to_owned(), html })
    }
}

/// What may stand on the page: no markup of the file's own, no pictures, and links to pages, addresses and mail only. The page has
/// its own first heading already.
fn harmless(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Heading { level: HeadingLevel::H1, id, classes, attrs }) => {
            Event::Start(Tag::Heading { level: HeadingLevel::H2, id, classes, attrs })
        }
        Event::End(TagEnd::Heading(HeadingLevel::H1)) => Event::End(TagEnd::Heading(HeadingLevel::H2)),
        Event::Start(Tag::Image { .. }) => Event::Start(Tag::Emphasis),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Emphasis),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let known =
                ["https://", "http://", "mailto:", "/", "#"].iter().any(|start| dest_url.starts_with(start));
            let dest_url = if known { dest_url } else { CowStr::Borrowed("#") };
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words, sentences and syllables of a text.
    fn counted(text: &str) -> (f64, f64, f64) {
        let words: Vec<&str> = text
            .split(|c: char| !c.is_alphabetic() && c != '\'' && c != '’')
            .filter(|w| !w.is_empty())
            .collect();
        let sentences =
            text.split(['.', '!', '?', ':', '\n']).filter(|s| s.split_whitespace().count() > 1).count();
        #[expect(clippy::cast_precision_loss, reason = "a guide has few words")]
        let n = |n: usize| n as f64;
        (n(words.len()), n(sentences), words.iter().map(|word| n(syllables(word))).sum())
    }

    /// As a rule of thumb: groups of vowels, less a silent e at the end.
    fn syllables(word: &str) -> usize {
        let word = word.to_lowercase();
        let vowel = |c: char| "aeiouy".contains(c);
        let mut groups = 0;
        let mut before = false;
        for c in word.chars() {
            groups += usize::from(vowel(c) && !before);
            before = vowel(c);
        }
        let silent = word.ends_with('e') && !word.ends_with("le") && groups > 1;
        (groups - usize::from(silent)).max(1)
    }

    /// Flesch and Kincaid's grade.
    fn grade(text: &str) -> f64 {
        let (words, sentences, syllables) = counted(text);
        0.39 * words / sentences + 11.8 * syllables / words - 15.59
    }

    #[test]
    fn guides_are_short_and_easy_to_read() {
        let hard = "Notwithstanding contractual obligations, pseudonymisation methodologies necessitate interdisciplinary coordination.";
        assert!(grade(hard) > 20.0, "the measure bites");
        for (name, language, text) in SHIPPED.iter().flatten() {
            let (words, ..) = counted(text);
            assert!((80.0..=400.0).contains(&words), "{name} in {}: {words} words", language.tag());
            if *language == Language::English {
                assert!(grade(text) <= 8.0, "{name}: grade {:.1}", grade(text));
            }
        }
        let guides = Guides::read(None).unwrap();
        for language in Language::ALL {
            assert_eq!(guides.all(language).len(), 10);
        }
        assert_eq!(guides.get(TRYING, Language::German).unwrap().language(), Language::German);
        assert!(guides.get("none", Language::German).is_none());
    }

    #[test]
    fn nothing_of_a_file_runs_on_the_page() {
        let bad = "# T\n\n<script>alert(1)</script>\n\n<b onclick=x>y</b> [a](javascript:alert(1)) ![i](https://x.example/i.png)\n\n\
                   # Second\n\n[ok](https://a.example) [own](/privacy)\n";
        let guide = Guide::read("t", Language::English, bad).unwrap();
        for never in ["<script", "<b", "javascript:", "<img", "<h1"] {
            assert!(!guide.html.contains(never), "{never}: {}", guide.html);
        }
        assert!(
            guide.html.contains("href=\"https://a.example\"") && guide.html.contains("href=\"/privacy\"")
        );
    }

    #[test]
    fn the_house_adds_and_translates() {
        let folder = tempfile::tempdir().unwrap();
        let german = folder.path().join("de");
        std::fs::create_dir(&german).unwrap();
        std::fs::write(german.join("consent.md"), "# Unser Text\n\nKurz.\n").unwrap();
        std::fs::write(german.join("own.md"), "# Eigenes\n\nEtwas.\n").unwrap();
        let guides = Guides::read(Some(folder.path())).unwrap();
        assert_eq!(guides.get("consent", Language::German).unwrap().title, "Unser Text");
        assert_ne!(guides.get("consent", Language::French).unwrap().title, "Unser Text");
        assert_eq!(guides.get("own", Language::English).unwrap().title, "Eigenes");
        std::fs::write(german.join("bad.md"), "no heading\n").unwrap();
        assert!(matches!(Guides::read(Some(folder.path())), Err(GuideError::Form(_))));
        std::fs::rename(german.join("bad.md"), german.join("B ad.md")).unwrap();
        assert!(matches!(Guides::read(Some(folder.path())), Err(GuideError::Name(_))));
    }
}

//! The languages that people are spoken to in, and which one somebody is.

use http::{HeaderMap, HeaderValue, Uri, header};
use unic_langid::{CharacterDirection, LanguageIdentifier, langid};

use crate::api::cookie;

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Language {
    /// English: the language the others are translated from.
    English,
    /// German.
    German,
    /// French.
    French,
    /// Spanish.
    Spanish,
    /// English with accents and longer words: whatever is not in the Fluent files stands out (for tests).
    Accented,
    /// English written from right to left (for tests).
    Mirrored,
}

/// The cookie that remembers which language somebody chose; nothing else is in it.
pub(crate) const LANGUAGE_COOKIE: &str = "chatward-language";
/// A year, in seconds.
const REMEMBERED: u32 = 365 * 24 * 3600;

impl Language {
    /// All of them.
    pub(crate) const ALL: [Self; 6] =
        [Self::English, Self::German, Self::French, Self::Spanish, Self::Accented, Self::Mirrored];
    /// Those that people are offered.
    pub(crate) const OFFERED: [Self; 4] = [Self::English, Self::German, Self::French, Self::Spanish];

    /// Its tag (BCP 47), as it stands in `lang`.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::Accented => "en-XA",
            Self::Mirrored => "ar-XB",
        }
    }

    /// What its speakers call it.
    pub(crate) const fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
            Self::French => "Français",
            Self::Spanish => "Español",
            Self::Accented => "Ḗƞɠŀīşħ",
            Self::Mirrored => "ɥsıʅƃuƎ",
        }
    }

    /// Which way it is written, as it stands in `dir`.
    pub(crate) fn direction(self) -> &'static str {
        match self.id().character_direction() {
            CharacterDirection::RTL => "rtl",
            CharacterDirection::LTR | CharacterDirection::TTB => "ltr",
        }
    }

    /// As the libraries for texts know it.
    pub(crate) const fn id(self) -> LanguageIdentifier {
        match self {
            Self::English => langid!("en"),
            Self::German => langid!("de"),
            Self::French => langid!("fr"),
            Self::Spanish => langid!("es"),
            Self::Accented => langid!("en-XA"),
            Self::Mirrored => langid!("ar-XB"),
        }
    }

    fn named(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// The language somebody just chose: `?lang=de`.
    pub(crate) fn chosen(uri: &Uri) -> Option<Self> {
        let query = uri.query()?;
        let (_, tag) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "lang")?;
        Self::named(&tag)
    }

    /// An address of ours without the choice of a language.
    pub(crate) fn without(uri: &Uri) -> String {
        let query = uri.query().unwrap_or_default();
        let rest = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "lang");
        let rest = form_urlencoded::Serializer::new(String::new()).extend_pairs(rest).finish();
        if rest.is_empty() { uri.path().to_owned() } else { format!("{}?{rest}", uri.path()) }
    }

    /// The language of a request: what was just chosen, what was chosen before, what the browser asks for
    /// (`Accept-Language`, RFC 9110, 12.5.4; matched after RFC 4647), English.
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        Self::chosen(uri)
            .or_else(|| cookie(headers, LANGUAGE_COOKIE).and_then(Self::named))
            .unwrap_or_else(|| Self::asked_for(headers))
    }

    fn asked_for(headers: &HeaderMap) -> Self {
        let asked = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let asked = accept_language::parse(asked.unwrap_or_default());
        // German of Austria is German to us.
        let primary = |tag: &str| tag.split('-').next().and_then(Self::named);
        asked.iter().find_map(|tag| Self::named(tag).or_else(|| primary(tag))).unwrap_or(Self::English)
    }

    /// The cookie that remembers it. A page within another site's keeps its own (CHIPS).
    pub(crate) fn remembered(self, tls: bool) -> Option<HeaderValue> {
        let site = if tls { "SameSite=None; Secure; Partitioned" } else { "SameSite=Lax" };
        let cookie =
            format!("{LANGUAGE_COOKIE}={}; Path=/; Max-Age={REMEMBERED}; HttpOnly; {site}", self.tag());
        HeaderValue::try_from(cookie).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(uri: &str, cookie: &str, accept: &str) -> Language {
        let mut headers = HeaderMap::new();
        for (name, value) in [(header::COOKIE, cookie), (header::ACCEPT_LANGUAGE, accept)] {
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
        Language::of(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn what_was_chosen_goes_before_what_the_browser_asks_for() {
        let cookie = "a=b; chatward-language=fr";
        assert_eq!(language("/privacy?x=1&lang=de", cookie, "es"), Language::German);
        assert_eq!(language("/privacy?lang=xx", cookie, "es"), Language::French);
        assert_eq!(language("/privacy", "chatward-language=xx", "es"), Language::Spanish);
        for (accept, it) in [
            ("de-CH, fr;q=0.9", Language::German),
            ("nl, fr-CA;q=0.5, es;q=0.7", Language::Spanish),
            ("it", Language::English),
            ("en-XA", Language::Accented),
            ("ar-XB", Language::Mirrored),
            ("ar", Language::English),
            ("*", Language::English),
            ("", Language::English),
            (";q=;;;,,é", Language::English),
        ] {
            let accept = accept.replace('é', "x");
            assert_eq!(language("/", "", &accept), it, "{accept}");
        }
    }

    #[test]
    fn a_choice_does_not_stay_in_the_address() {
        let without = |uri: &str| Language::without(&uri.parse().unwrap());
        assert_eq!(without("/account/security?lang=de"), "/account/security");
        assert_eq!(without("/privacy/data?a=%26&lang=de&b=2"), "/privacy/data?a=%26&b=2");
    }

    #[test]
    fn only_the_mirrored_one_runs_from_right_to_left() {
        let right_to_left: Vec<_> =
            Language::ALL.into_iter().filter(|one| one.direction() == "rtl").collect();
        assert_eq!(right_to_left, [Language::Mirrored]);
    }
}

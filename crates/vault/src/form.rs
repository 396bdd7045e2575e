//! The written form of placeholders, and the forms a model may turn it into.
//!
//! We write `[LABEL_n]` or `[LABEL_n ending 1111]`. Models change case, put spaces or a hyphen for the underscore, escape
//! it for markdown, add a plural `s`, drop the ending or say `ending in`. All of these are read; so is a bare `LABEL_n`
//! in exact upper case on word boundaries. Anything else is text. Reading looks at no more than [`MAX_FORM`] bytes, and
//! its verdict on a text never changes when more text comes.

/// No form is longer, in bytes.
pub(crate) const MAX_FORM: usize = 64;
/// Digits of a number.
const MAX_DIGITS: usize = 6;

/// A form that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Form {
    /// Its length in bytes.
    pub(crate) len: usize,
    /// The label in upper case, with single underscores.
    pub(crate) label: String,
    /// The number.
    pub(crate) n: u32,
    /// Whether an `s` follows the number.
    pub(crate) plural: bool,
    /// What stands after `ending`, if anything.
    pub(crate) ending: Option<String>,
}

/// What stands at the beginning of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Not a form, whatever comes.
    No,
    /// It depends on what comes.
    Partial,
    /// A form.
    Form(Form),
}

/// Reads a form in brackets. `end` says that nothing more comes.
pub(crate) fn bracketed(text: &str, end: bool) -> Seen {
    let bytes = text.as_bytes();
    let mut reader = Reader { bytes: bytes.get(..MAX_FORM).unwrap_or(bytes), at: 0 };
    match reader.bracketed() {
        Ok(form) => Seen::Form(form),
        Err(Stop::Wrong) => Seen::No,
        Err(Stop::Short) if end || bytes.len() >= MAX_FORM => Seen::No,
        Err(Stop::Short) => Seen::Partial,
    }
}

/// Reads a bare form; the caller has made sure that no word character stands before it. `wanted` says whether a text
/// begins a label that is of interest, so that nothing is held back for the sake of other words.
pub(crate) fn bare(text: &str, end: bool, wanted: impl Fn(&str) -> bool) -> Seen {
    let bytes = text.as_bytes();
    let mut reader = Reader { bytes: bytes.get(..MAX_FORM).unwrap_or(bytes), at: 0 };
    let mut label = String::new();
    match reader.bare(&mut label) {
        Err(Stop::Wrong) => Seen::No,
        _ if !wanted(&label) => Seen::No,
        Err(Stop::Short) if end || bytes.len() >= MAX_FORM => Seen::No,
        Err(Stop::Short) => Seen::Partial,
        Ok(n) => match text.get(reader.at..).and_then(|rest| rest.chars().next()) {
            Some(next) if next.is_alphanumeric() || next == '_' => Seen::No,
            None if !end => Seen::Partial,
            _ => Seen::Form(Form { len: reader.at, label, n, plural: false, ending: None }),
        },
    }
}

enum Stop {
    Wrong,
    Short,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Result<u8, Stop> {
        self.bytes.get(self.at).copied().ok_or(Stop::Short)
    }

    fn expect(&mut self, byte: u8) -> Result<(), Stop> {
        if self.peek()? != byte {
            return Err(Stop::Wrong);
        }
        self.at += 1;
        Ok(())
    }

    /// Skips bytes of a set; says how many.
    fn skip(&mut self, set: impl Fn(u8) -> bool) -> Result<usize, Stop> {
        let start = self.at;
        while set(self.peek()?) {
            self.at += 1;
        }
        Ok(self.at - start)
    }

    fn bracketed(&mut self) -> Result<Form, Stop> {
        self.expect(b'[')?;
        self.skip(space)?;
        let mut label = String::new();
        loop {
            let letter = self.peek()?;
            if letter.is_ascii_alphabetic() {
                label.push(char::from(letter.to_ascii_uppercase()));
                self.at += 1;
                continue;
            }
            if label.is_empty() {
                return Err(Stop::Wrong);
            }
            let gap = self.skip(|b| space(b) || matches!(b, b'_' | b'-' | b'\\'))?;
            let next = self.peek()?;
            if next.is_ascii_digit() {
                break;
            }
            if gap == 0 || !next.is_ascii_alphabetic() {
                return Err(Stop::Wrong);
            }
            label.push('_');
        }
        let n = self.number()?;
        let plural = matches!(self.peek()?, b's' | b'S');
        if plural {
            self.at += 1;
        }
        let mut ending = None;
        if self.skip(space)? > 0 && self.peek()? != b']' {
            ending = Some(self.ending()?);
            self.skip(space)?;
        }
        self.expect(b']')?;
        Ok(Form { len: self.at, label, n, plural, ending })
    }

    fn ending(&mut self) -> Result<String, Stop> {
        self.word(b"ending")?;
        let mut gap = self.skip(space)?;
        if gap > 0 && matches!(self.peek()?, b'i' | b'I') {
            let before = self.at;
            match self.word(b"in") {
                Ok(()) => gap = self.skip(space)?,
                Err(Stop::Short) => return Err(Stop::Short),
                Err(Stop::Wrong) => self.at = before,
            }
        }
        if gap == 0 {
            return Err(Stop::Wrong);
        }
        let start = self.at;
        if self.skip(|b| b.is_ascii_alphanumeric())? == 0 {
            return Err(Stop::Wrong);
        }
        let last = self.bytes.get(start..self.at).unwrap_or_default();
        Ok(last.iter().map(|b| char::from(b.to_ascii_uppercase())).collect())
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Stop> {
        for letter in word {
            if !self.peek()?.eq_ignore_ascii_case(letter) {
                return Err(Stop::Wrong);
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<u32, Stop> {
        let mut n = 0u32;
        for digits in 0..=MAX_DIGITS {
            let digit = self.peek()?;
            if !digit.is_ascii_digit() {
                return if n == 0 { Err(Stop::Wrong) } else { Ok(n) };
            }
            if digits == MAX_DIGITS || (n == 0 && digit == b'0') {
                return Err(Stop::Wrong);
            }
            n = n * 10 + u32::from(digit - b'0');
            self.at += 1;
        }
        Err(Stop::Wrong)
    }

    /// `label` holds what was read of it, also when the text was too short.
    fn bare(&mut self, label: &mut String) -> Result<u32, Stop> {
        loop {
            match self.peek()? {
                letter @ b'A'..=b'Z' => {
                    label.push(char::from(letter));
                    self.at += 1;
                }
                b'_' | b'\\' if !label.is_empty() => {
                    if self.peek()? == b'\\' {
                        self.at += 1;
                    }
                    self.expect(b'_')?;
                    if self.peek()?.is_ascii_digit() {
                        break;
                    }
                    label.push('_');
                }
                _ => return Err(Stop::Wrong),
            }
        }
        // The last digit may be the end of the text: the caller looks at what follows.
        let start = self.at;
        let mut n = 0u32;
        while let Some(digit) = self.bytes.get(self.at).copied().filter(u8::is_ascii_digit) {
            if self.at - start == MAX_DIGITS || (n == 0 && digit == b'0') {
                return Err(Stop::Wrong);
            }
            n = n * 10 + u32::from(digit - b'0');
            self.at += 1;
        }
        Ok(n)
    }
}

fn space(byte: u8) -> bool {
    byte == b' '
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, u32, bool, Option<String>)> {
        match bracketed(text, true) {
            Seen::Form(f) if f.len == text.len() => Some((f.label, f.n, f.plural, f.ending)),
            _ => None,
        }
    }

    #[test]
    fn what_models_make_of_a_placeholder_is_read() {
        let card = |ending: Option<&str>| Some(("CARD".to_owned(), 1, false, ending.map(str::to_owned)));
        for text in ["[CARD_1]", "[card_1]", "[Card 1]", "[CARD-1]", "[CARD\\_1]", "[ CARD _ 1 ]", "[card1]"]
        {
            assert_eq!(read(text), card(None), "{text}");
        }
        for text in [
            "[CARD_1 ending 1111]",
            "[card 1 ending in 1111]",
            "[CARD\\_1 Ending IN 1111 ]",
            "[CARD_1  ending  1111]",
        ] {
            assert_eq!(read(text), card(Some("1111")), "{text}");
        }
        assert_eq!(read("[IBAN_1 ending in in3x]"), Some(("IBAN".into(), 1, false, Some("IN3X".into()))));
        assert_eq!(read("[CARD_1s]"), Some(("CARD".into(), 1, true, None)));
        assert_eq!(read("[api key 12]"), Some(("API_KEY".into(), 12, false, None)));
        assert_eq!(read("[IP_ADDRESS_3]"), Some(("IP_ADDRESS".into(), 3, false, None)));
    }

    #[test]
    fn other_things_are_not() {
        for text in [
            "[]",
            "[1]",
            "[_1]",
            "[CARD]",
            "[CARD_]",
            "[CARD_0]",
            "[CARD_01]",
            "[CARD_1",
            "(CARD_1)",
            "[CARD_1 ends 1]",
            "[CARD_1 ending]",
            "[CARD_1 ending in]",
            "[CARD_1234567]",
            "[CARD_1]]",
            "[CÄRD_1]",
            "[CARD_1\n]",
            "[CARD:1]",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn bare_forms_are_exact_and_stand_alone() {
        let bare = |text: &str| match bare(text, true, |l| "CARD".starts_with(l) || "API_KEY".starts_with(l))
        {
            Seen::Form(f) => Some((f.label, f.n, f.len)),
            _ => None,
        };
        assert_eq!(bare("CARD_1"), Some(("CARD".into(), 1, 6)));
        assert_eq!(bare("CARD_12, and"), Some(("CARD".into(), 12, 7)));
        assert_eq!(bare("CARD\\_1."), Some(("CARD".into(), 1, 7)));
        assert_eq!(bare("API_KEY_2"), Some(("API_KEY".into(), 2, 9)));
        for text in
            ["card_1", "CARD_1x", "CARD_1_2", "CARD_1é", "CARD 1", "CARD_0", "CARDS_1", "CARD_", "IBAN_1"]
        {
            assert_eq!(bare(text), None, "{text}");
        }
    }

    #[test]
    fn a_verdict_never_changes_when_more_comes() {
        for text in [
            "[CARD_1 ending in 1111] and",
            "[CARD_1s] x",
            "[click here](x) and so on and on and on and on and on and on and",
            "[api key 1]",
            "[CARD_1 endin 1]",
            "[[CARD_1]]",
            "[CARD_1 ending i2]",
        ] {
            let whole = bracketed(text, true);
            for cut in 0..text.len() {
                match bracketed(&text[..cut], false) {
                    Seen::Partial => {}
                    seen => assert_eq!(seen, whole, "{text} cut at {cut}"),
                }
            }
        }
        for text in ["CARD_12 ", "CARD_1x", "CARDX_1", "CARD\\_1.", "CARD_1é", "CA"] {
            let wanted = |l: &str| "CARD".starts_with(l);
            let whole = bare(text, true, wanted);
            for cut in 0..text.len() {
                if !text.is_char_boundary(cut) {
                    continue;
                }
                match bare(&text[..cut], false, wanted) {
                    Seen::Partial => {}
                    seen => assert_eq!(seen, whole, "{text} cut at {cut}"),
                }
            }
        }
    }

    #[test]
    fn nothing_long_is_waited_for() {
        let long = format!("[{}", "A".repeat(MAX_FORM * 2));
        assert_eq!(bracketed(&long[..MAX_FORM - 1], false), Seen::Partial);
        assert_eq!(bracketed(&long[..MAX_FORM], false), Seen::No);
        assert_eq!(bare(&long[1..], false, |_| true), Seen::No);
    }
}

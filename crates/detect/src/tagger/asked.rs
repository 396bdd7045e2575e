//! What the other side asked for, as far as names go.

use super::features::Asked;
use crate::normal;

/// Only the end of the text before counts, in characters.
const LAST: usize = 200;

/// Words that ask, in lower case without marks.
const WORDS: &[(&str, Asked)] = &[
    ("name", Asked::Name),
    ("names", Asked::Name),
    ("surname", Asked::Name),
    ("lastname", Asked::Name),
    ("firstname", Asked::Name),
    ("who", Asked::Name),
    ("nombre", Asked::Name),
    ("apellido", Asked::Name),
    ("apellidos", Asked::Name),
    ("llamas", Asked::Name),
    ("nom", Asked::Name),
    ("prenom", Asked::Name),
    ("appelez", Asked::Name),
    ("namen", Asked::Name),
    ("vorname", Asked::Name),
    ("nachname", Asked::Name),
    ("nachnamen", Asked::Name),
    ("heissen", Asked::Name),
    ("heisst", Asked::Name),
    ("nome", Asked::Name),
    ("cognome", Asked::Name),
    ("chiami", Asked::Name),
    ("chiama", Asked::Name),
    ("naam", Asked::Name),
    ("achternaam", Asked::Name),
    ("voornaam", Asked::Name),
    ("heet", Asked::Name),
    ("sobrenome", Asked::Name),
    ("chama", Asked::Name),
    ("nazwisko", Asked::Name),
    ("imie", Asked::Name),
    ("city", Asked::Place),
    ("town", Asked::Place),
    ("located", Asked::Place),
    ("location", Asked::Place),
    ("where", Asked::Place),
    ("country", Asked::Place),
    ("stadt", Asked::Place),
    ("ort", Asked::Place),
    ("wohnort", Asked::Place),
    ("ciudad", Asked::Place),
    ("pais", Asked::Place),
    ("ville", Asked::Place),
    ("citta", Asked::Place),
    ("cidade", Asked::Place),
    ("woonplaats", Asked::Place),
    ("miasto", Asked::Place),
    ("address", Asked::Address),
    ("adress", Asked::Address),
    ("street", Asked::Address),
    ("zip", Asked::Address),
    ("zipcode", Asked::Address),
    ("postcode", Asked::Address),
    ("adresse", Asked::Address),
    ("anschrift", Asked::Address),
    ("postleitzahl", Asked::Address),
    ("direccion", Asked::Address),
    ("domicilio", Asked::Address),
    ("indirizzo", Asked::Address),
    ("endereco", Asked::Address),
    ("adres", Asked::Address),
];
/// Words before these that make them something else: a user name, an e-mail address.
const NOT_AFTER: &[&str] = &["user", "e", "email", "mail", "file", "screen", "web", "ip", "login", "product"];

/// What a text asks for: its last word that asks decides.
pub(crate) fn asked(previous: &str) -> Asked {
    let from = previous.char_indices().rev().nth(LAST - 1).map_or(0, |(at, _)| at);
    let folded = normal::folded_lower(previous.get(from..).unwrap_or_default());
    let mut asked = Asked::Nothing;
    let mut last: &[u8] = b"";
    for word in folded.split(|b| !normal::is_word(*b)).filter(|word| !word.is_empty()) {
        if let Some((_, what)) = WORDS.iter().find(|(known, _)| known.as_bytes() == word)
            && !NOT_AFTER.iter().any(|not| not.as_bytes() == last)
        {
            asked = *what;
        }
        last = word;
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_that_asks_decides() {
        assert_eq!(asked("Hello! What is your name?"), Asked::Name);
        assert_eq!(asked("Thanks for your name. Which city are you in?"), Asked::Place);
        assert_eq!(asked("¿Cuál es su dirección?"), Asked::Address);
        assert_eq!(asked("Your e-mail address, please"), Asked::Nothing);
        assert_eq!(asked("Choose a user name"), Asked::Nothing);
        assert_eq!(asked("How can I help?"), Asked::Nothing);
    }
}

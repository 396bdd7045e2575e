//! Secrets: how random a value is, and whether it can be one at all.

use super::Verdict;
use super::words::WordSet;

/// A generated secret: at least 16 characters, letters and digits, and at least 3.0 bits of Shannon entropy a character
/// (English words stay near 2.5 at this length, random hex near 3.4, random base64 near 4.3).
pub(super) fn entropy(value: &str) -> Verdict {
    let letters = value.bytes().any(|b| b.is_ascii_alphabetic());
    let digits = value.bytes().any(|b| b.is_ascii_digit());
    Verdict::from(value.len() >= 16 && letters && digits && bits_per_byte(value) >= 3.0)
}

fn bits_per_byte(value: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let total = value.len() as f64;
    counts.iter().filter(|&&n| n > 0).map(|&n| f64::from(n) / total).map(|p| -p * p.log2()).sum()
}

/// JSON Web Token (RFC 7519) or the head of one: the first part decodes to a JSON object with `alg` or `enc`.
pub(super) fn jwt(value: &str) -> Verdict {
    let head = value.split('.').next().unwrap_or_default();
    let decoded = base64url(head).unwrap_or_default();
    let has = |word: &[u8]| decoded.windows(word.len()).any(|w| w == word);
    Verdict::from(decoded.first() == Some(&b'{') && (has(b"\"alg\"") || has(b"\"enc\"")))
}

/// RFC 4648 section 5 without padding; `None` for a character outside the alphabet.
fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(six)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held & 0xff) as u8);
        }
    }
    Some(out)
}

/// What follows "password is": a word of the language about passwords is none ("is wrong"); a value with a digit or a
/// sign holds; a plain word is possible.
pub(super) fn password(value: &str) -> Verdict {
    let bare = value.trim_matches(|c: char| !c.is_alphanumeric());
    // What the house itself writes in place of a password is none.
    if value.trim_start().starts_with("[removed") || bare.eq_ignore_ascii_case("removed") {
        return Verdict::Fails;
    }
    if bare.is_empty() || bare.split_ascii_whitespace().any(|word| NOT_PASSWORDS_SET.has(word)) {
        return Verdict::Fails;
    }
    let plain = value.chars().all(char::is_alphabetic);
    if plain { Verdict::Unsure } else { Verdict::Holds }
}

static NOT_PASSWORDS_SET: WordSet = WordSet::new(|| NOT_PASSWORDS.split_ascii_whitespace().collect());

/// Words that stand after "password", "passwort", "contraseña", "mot de passe" … without being one.
const NOT_PASSWORDS: &str = "
    a an the my your his her our their its it is was be been not no never none on in at to for of from with and or but if
    as by so that this these those there here which what when where how who why only also still already just now again
    always too very incorrect wrong invalid right correct bad good fine ok okay old new same different expired expire
    expires compromised stolen hacked leaked lost forgotten forgot missing gone blocked locked disabled required needed
    necessary optional mandatory empty blank reset resets resetting change changed changes changing update updated
    updating recover recovered recovery recovering retrieve set saved stored sent protected secure safe strong weak long
    short working work works accepted rejected recognized recognised doesnt doesn't isnt isn't wasnt wasn't didnt wont
    won't cant can't has had have having should must may might will would could can do does did field box page form
    screen link manager policy prompt option button hint length rules requirements help please thanks thank sorry hi
    hello yes yeah nope sure any some something anything everything nothing because since until after before through via
    using used use being getting got get give given gave given keep keeps kept try tried trying let lets enter entered
    entering type typed typing show shown showing see seen visible hidden case sensitive confidential private secret
    characters character chars letters letter digits digit symbols symbol numbers number days day hours hour minutes weeks
    months times attempts tries every default expiring anymore else wont correctly properly recently yesterday today
    tomorrow myself account accounts login username user email link
    about i you he she we they me him them us one two three four five six eight ten twelve minimum maximum least most
    ist war nicht falsch richtig vergessen abgelaufen gesperrt neu alt zurücksetzen ändern geändert und oder für mein
    meine ein eine das der die es wird wurde kein nein ja funktioniert bitte
    es no está esta era fue incorrecta incorrecto correcta olvidada olvidado y o para con mi mí su la el una un que
    caducada bloqueada nueva nuevo cambiar restablecer por favor sí si
    est pas incorrect oublié oublie expiré expire et ou pour avec mon ma le la un une que bloqué nouveau changer oui non
    è e non errata errato sbagliata scaduta dimenticata dimenticato ed o per con mio mia il lo una uno che bloccata
    nuova cambiare sì
    is niet fout onjuist vergeten verlopen geblokkeerd en of voor met mijn de het een dat nieuw wijzigen ja nee
    é não nao incorreta errada esqueci expirada e ou com minha meu a o uma um bloqueada nova alterar sim";

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn randomness() {
        for good in [
            "783d2125c4f557a1d0ed8eeb21c661ec",
            "token123456789abcdef",
            "A52zoD63LTQmQ1OapQIM6OT2iosIvSYmOA86pTuJ",
        ] {
            assert_eq!(verdict("entropy", good), Verdict::Holds, "{good}");
        }
        fail("entropy", &["aaaaaaaaaaaaaaaa1", "internationalization", "1234567890123456", "short1"]);
    }

    #[test]
    fn tokens() {
        // RFC 7519, section 3.1.
        let token =
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UifQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1g";
        assert_eq!(verdict("jwt", token), Verdict::Holds);
        fail("jwt", &["eyJlHG0h44nsgM4RzKmBJX3okdchMc4H56wj.a.b", "a.b.c", "", "e+J.a.b"]);
    }

    #[test]
    fn passwords() {
        for good in ["hunter2", "P@ssw0rd!", "qwerty-monkey-14", "4457"] {
            assert_eq!(verdict("password", good), Verdict::Holds, "{good}");
        }
        assert_eq!(verdict("password", "swordfish"), Verdict::Unsure);
        fail(
            "password",
            &[
                "incorrect",
                "reset.",
                "not",
                "vergessen",
                "?",
                "(expired)",
                "expired 3",
                "[removed",
                "[removed: password]",
            ],
        );
    }

    proptest! {
        /// Entropy of n different bytes is log2 n, and never more.
        #[test]
        fn entropy_is_bounded(text in "[ -~]{1,60}") {
            let bits = bits_per_byte(&text);
            prop_assert!(bits >= 0.0 && bits <= (text.len() as f64).log2() + 1e-9);
        }
    }
}

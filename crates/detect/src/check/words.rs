//! Words that look like names and are none.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use super::Verdict;

/// Words in lower case, found by a hash.
pub(super) struct WordSet(LazyLock<HashSet<&'static str, BuildHasherDefault<Fnv>>>);

impl WordSet {
    /// The set is made when first asked.
    pub(super) const fn new(make: fn() -> HashSet<&'static str, BuildHasherDefault<Fnv>>) -> Self {
        Self(LazyLock::new(make))
    }

    /// Whether the word is in the set, whatever its case.
    pub(super) fn has(&self, word: &str) -> bool {
        let mut lower = [0; LONGEST];
        match lower.get_mut(..word.len()) {
            Some(lower) if word.is_ascii() => {
                lower.copy_from_slice(word.as_bytes());
                lower.make_ascii_lowercase();
                std::str::from_utf8(lower).is_ok_and(|word| self.0.contains(word))
            }
            _ => self.0.contains(word.to_lowercase().as_str()),
        }
    }
}

/// Longer words take the slow way.
const LONGEST: usize = 24;

/// FNV-1a: the words are ours, nobody can choose them to collide.
pub(super) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

static EVERYDAY_SET: WordSet = WordSet::new(|| EVERYDAY.split_ascii_whitespace().collect());

/// What follows "my name is": one to four words, none of which is an everyday word ("my name is not on the card").
pub(super) fn person_name(value: &str) -> Verdict {
    let words = value
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '-' | '’')))
        .filter(|w| !w.is_empty());
    let (mut count, mut longest) = (0, 0);
    for word in words {
        count += 1;
        longest = longest.max(word.len());
        if count > 5 || EVERYDAY_SET.has(word) {
            return Verdict::Fails;
        }
    }
    Verdict::from(count >= 1 && longest > 1)
}

/// What follows "user name is": an account's name, not a word about accounts.
pub(super) fn user_name(value: &str) -> Verdict {
    let bare = value.trim_matches(|c: char| !c.is_alphanumeric());
    match bare.len() < 3 || EVERYDAY_SET.has(bare) {
        true => Verdict::Fails,
        false if bare.bytes().any(|b| b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'-')) => {
            Verdict::Holds
        }
        false => Verdict::Unsure,
    }
}

/// What stands right after the name of an identity number: seven to twenty letters and digits, at least three of them
/// digits. `O` and `l` may stand among them: scanners make them of 0 and 1.
pub(super) fn id_like(value: &str) -> Verdict {
    let count = value.bytes().filter(u8::is_ascii_alphanumeric).count();
    let digits = value.bytes().filter(|b| b.is_ascii_digit()).count();
    Verdict::from((7..=20).contains(&count) && digits >= 3)
}

const EVERYDAY: &str = "
    martens pepper oetker
    a about account address after again all already also always am an and another any anyone are as at available back
    bad be because been before being below both but by call called calling can cannot cant change changed chat client
    code confirm confirmed contact correct could customer date day details did different do does doesnt doing done dont
    down each email enter entered error even every experience fine first follow following for forgot forgotten found from
    full gave get getting give given go going gone good got great guest had happy has have having he hello help her here
    hers hi him his how however i id if in incorrect information interested into invalid is issue issues it its just
    keep kind know last later left let like listed locked login long look looking lost made mail make many may me
    member message might mine misspelled misspelt missing mobile more most much must my myself name need needed never new
    next no none nor not nothing now number of off ok okay old on once one only or order other our out over own page
    password payment person phone please policy possible printed problem profile quick quite ready really recent
    recently refund registered remember reset right said same saved say see set she should show showing shows sign
    signed since so some someone something sorry spelled spelt still stuff such sure taken tell text than thank thanks that
    the their them then there these they thing things think this those time to today together told too trying two under
    unknown until up update updated us use used user username users using valid very via visible want wanted was way we
    well were what when where which while who why will with without wont work working works would wrong yeah yes yet you
    your yours zero
    afraid aware back born calling certain concerned confused considering curious curious disappointed due excited
    frustrated glad having hoping late living locked looking missing moving not planning running sick sorry stuck
    supposed surprised the trying unable unhappy unsure upset used very waiting wondering worried writing
    ich bin ist nicht der die das ein eine und mein meine auf im in hier noch auch sehr
    es no el la los las un una y mi en que muy aquí aqui
    est pas le les une et mon ma dans ici très tres
    è non il lo gli una e mio mia qui molto
    niet de het een en mijn hier ook
    não nao o a os as um uma e meu minha aqui";

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn names() {
        for good in ["Anna Kowalska", "jean-luc picard", "O'Brien", "martin", "J. R. Ewing"] {
            assert_eq!(verdict("person_name", good), Verdict::Holds, "{good}");
        }
        fail("person_name", &["not on the card", "wrong", "", "J", "on the account"]);
        assert_eq!(verdict("user_name", "xjasonx82"), Verdict::Holds);
        assert_eq!(verdict("user_name", "mayjody"), Verdict::Unsure);
        fail("user_name", &["is", "locked", "invalid,"]);
    }

    #[test]
    fn numbers_beside_a_name() {
        for good in ["85O9O344OO1", "7.8.0.4.2.2.6", "VIKRSINGH789XP", "9876 5432 1000"] {
            assert_eq!(verdict("id_like", good), Verdict::Holds, "{good}");
        }
        fail("id_like", &["123456", "OOOOlllOO", "ABCDEFGH12", "123456789012345678901"]);
    }
}

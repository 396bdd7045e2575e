//! Words that look like names and are none.

use super::Verdict;

/// What follows "my name is": one to four words, none of which is an everyday word ("my name is not on the card").
pub(super) fn person_name(value: &str) -> Verdict {
    let words = value
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '-' | '’')))
        .filter(|w| !w.is_empty());
    let lower: Vec<String> = words.map(str::to_lowercase).collect();
    let everyday = |word: &String| EVERYDAY.split_ascii_whitespace().any(|known| known == word);
    let longest = lower.iter().map(String::len).max().unwrap_or_default();
    Verdict::from((1..=5).contains(&lower.len()) && longest > 1 && !lower.iter().any(everyday))
}

/// What follows "user name is": an account's name, not a word about accounts.
pub(super) fn user_name(value: &str) -> Verdict {
    let bare = value.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let everyday = bare.len() < 3 || EVERYDAY.split_ascii_whitespace().any(|known| known == bare);
    match everyday {
        true => Verdict::Fails,
        false if bare.bytes().any(|b| b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'-')) => {
            Verdict::Holds
        }
        false => Verdict::Unsure,
    }
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
}

//! Dates as people write them.

use super::{Verdict, number};

/// Whether a month and a day can stand together in some year.
pub(super) fn month_and_day(month: u64, day: u64) -> bool {
    let last = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=last).contains(&day)
}

/// A calendar date that can be a birth date: a real month and day in any usual order, the year from 1900 to 2030 or
/// written with two digits. A month may be a name in the languages of the house.
pub(super) fn birth_date(value: &str) -> Verdict {
    let parts: Vec<&str> = value.split(|c: char| !c.is_alphanumeric()).filter(|p| !p.is_empty()).collect();
    let mut numbers = Vec::new();
    let mut named_month = None;
    for part in &parts {
        let bare = part.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let letters = part.trim_start_matches(|c: char| c.is_ascii_digit());
        if !bare.is_empty() && bare.bytes().all(|b| b.is_ascii_digit()) {
            numbers.push(bare.bytes().map(|b| b - b'0').collect::<Vec<u8>>());
        }
        // "4th", "1er" and "04JUL" all start with digits: only a month's name counts.
        named_month = named_month.or_else(|| month_named(letters));
    }
    let year = |digits: &[u8]| match digits.len() {
        2 => true,
        4 => (1900..=2030).contains(&number(digits)),
        _ => false,
    };
    let holds = match (named_month, numbers.as_slice()) {
        (Some(month), [a, b]) => {
            (year(b) && month_and_day(month, number(a))) || (year(a) && month_and_day(month, number(b)))
        }
        (None, [a, b, c]) => {
            let day_first =
                year(c) && (month_and_day(number(a), number(b)) || month_and_day(number(b), number(a)));
            let year_first = a.len() == 4 && year(a) && month_and_day(number(b), number(c));
            day_first || year_first
        }
        // Written in one: 19850231, 31121985, 12311985.
        (None, [all]) => match all.as_slice() {
            [a, b, c, d, e, f, g, h] => {
                let (ab, cd, ef, gh) =
                    (number(&[*a, *b]), number(&[*c, *d]), number(&[*e, *f]), number(&[*g, *h]));
                (year(&all[..4]) && month_and_day(ef, gh))
                    || (year(&all[4..]) && (month_and_day(ab, cd) || month_and_day(cd, ab)))
            }
            _ => false,
        },
        _ => false,
    };
    Verdict::from(holds)
}

/// The month that a word names (full or by its first three letters in English), 1 to 12.
fn month_named(word: &str) -> Option<u64> {
    const NAMES: [&str; 12] = [
        "jan janv january januar janvier enero ene gennaio gen januari janeiro styczen stycznia",
        "feb fev february februar fevrier febrero febbraio februari fevereiro luty lutego",
        "mar mrz march marz maerz mars marzo maart mrt marco marzec marca",
        "apr avr april avril abril abr aprile kwiecien kwietnia",
        "may mai mayo maggio mag mei maio maj maja",
        "jun june juni juin junio giugno giu junho czerwiec czerwca",
        "jul july juli juillet juil julio luglio lug julho lipiec lipca",
        "aug august aout agosto ago augustus sierpien sierpnia",
        "sep sept september septembre septiembre settembre set setembro wrzesien wrzesnia",
        "oct okt october oktober octobre octubre ottobre ott outubro out pazdziernik pazdziernika",
        "nov november novembre noviembre novembro listopad listopada",
        "dec dez december dezember decembre diciembre dic dicembre dezembro grudzien grudnia",
    ];
    let word = word.to_lowercase().replace(['é', 'è', 'û', 'ä', 'ç'], "?");
    let matches = |name: &str| name == word || plain(&word, name);
    NAMES.iter().position(|names| names.split(' ').any(matches)).map(|i| i as u64 + 1)
}

/// Whether `word` is `name` but for accented letters, written `?`.
fn plain(word: &str, name: &str) -> bool {
    word.len() == name.len()
        && word.contains('?')
        && word.bytes().zip(name.bytes()).all(|(w, n)| w == b'?' || w == n)
}

/// A card's expiry: a month and a year of two digits, or four from 2000 to 2099, in either order.
pub(super) fn card_expiry(value: &str) -> Verdict {
    let parts: Vec<&str> = value.split(|c: char| !c.is_ascii_digit()).filter(|p| !p.is_empty()).collect();
    let month = |text: &str| text.len() <= 2 && matches!(text.parse::<u32>(), Ok(1..=12));
    let year = |text: &str| match text.len() {
        2 => true,
        4 => matches!(text.parse::<u32>(), Ok(2000..=2099)),
        _ => false,
    };
    Verdict::from(match parts.as_slice() {
        [a, b] => (month(a) && year(b)) || (a.len() == 4 && year(a) && month(b)),
        [all] if matches!(all.len(), 4 | 6) => {
            matches!((all.get(..2), all.get(2..)), (Some(m), Some(y)) if month(m) && year(y))
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn birth_dates() {
        for good in [
            "12/31/1985",
            "31.12.1985",
            "1985-12-31",
            "4 July 1976",
            "July 4th, 1976",
            "6/14/92",
            "29/02/2000",
            "19851231",
            "31121985",
            "1er janvier 1990",
            "15 août 1960",
            "3. März 1999",
            "14 de mayo de 1988",
            "4-Jul-76",
        ] {
            assert_eq!(verdict("birth_date", good), Verdict::Holds, "{good}");
        }
        fail(
            "birth_date",
            &["32/13/1985", "1.2.3", "31/06/1985", "30 February 1990", "1/1/1850", "1985", "4 Foo 1976", ""],
        );
    }

    #[test]
    fn expiries() {
        for good in ["12/27", "01/2030", "2027-05", "0927", "9/28", "12 / 27"] {
            assert_eq!(verdict("card_expiry", good), Verdict::Holds, "{good}");
        }
        fail("card_expiry", &["13/27", "00/27", "12/1985", "12/27/28", "1"]);
    }
}

//! Identity numbers of Central, Eastern and South-Eastern Europe.

use super::dates::month_and_day;
use super::europe::mod_11_10;
use super::{Verdict, compact, digit, digits, luhn_holds, monotone, number, weighted};

/// Bulgarian EGN: a birth date with the century in the month, modulo 11 (GRAO).
pub(super) fn egn(value: &str) -> Verdict {
    let Some(d) = digits::<10>(value) else { return Verdict::Fails };
    let dated = month_and_day(number(&d[2..4]) % 20, number(&d[4..6])) && number(&d[2..4]) < 53;
    let check = weighted(&d, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10;
    Verdict::from(dated && check == i64::from(d[9]))
}

/// Croatian OIB: ISO/IEC 7064 MOD 11,10 over eleven digits.
pub(super) fn oib(value: &str) -> Verdict {
    Verdict::from(digits::<11>(value).is_some_and(|d| !monotone(&d) && mod_11_10(&d[..10]) == d[10]))
}

/// Czech and Slovak birth number: a date (50 added to the month for women, 20 more when a day ran out); ten digits are
/// divisible by 11. Those given before 1954 have nine digits and no check digit.
pub(super) fn rodne_cislo(value: &str) -> Verdict {
    let month_of = |month: u64| if month > 50 { month - 50 } else { month };
    let dated = |d: &[u8]| {
        let month = month_of(number(&d[2..4]));
        month_and_day(if month > 20 { month - 20 } else { month }, number(&d[4..6]))
    };
    if let Some(d) = digits::<9>(value) {
        let old = dated(&d) && number(&d[..2]) < 54 && number(&d[6..]) != 0;
        return if old { Verdict::Unsure } else { Verdict::Fails };
    }
    let Some(d) = digits::<10>(value) else { return Verdict::Fails };
    // Until 1985 a remainder of ten was written as 0.
    let check = number(&d[..9]) % 11 % 10;
    Verdict::from(dated(&d) && check == u64::from(d[9]))
}

/// Estonian and Lithuanian personal code: century and sex, a date, modulo 11 in two rounds.
pub(super) fn isikukood(value: &str) -> Verdict {
    let Some(d) = digits::<11>(value) else { return Verdict::Fails };
    let dated = matches!(d[0], 1..=8) && month_and_day(number(&d[3..5]), number(&d[5..7]));
    let check = match weighted(&d, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11 {
        10 => weighted(&d, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10,
        r => r,
    };
    Verdict::from(dated && check == i64::from(d[10]))
}

/// Latvian personal code: a date or, since 2017, 32 to 39 in front; modulo 11.
pub(super) fn personas_kods(value: &str) -> Verdict {
    let Some(d) = digits::<11>(value) else { return Verdict::Fails };
    let dated = month_and_day(number(&d[2..4]), number(&d[..2])) && matches!(d[6], 0..=2);
    let check = (1 + weighted(&d, &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9])) % 11 % 10;
    Verdict::from((dated || (32..40).contains(&number(&d[..2]))) && check == i64::from(d[10]))
}

/// Romanian CNP: sex and century, a date, a county, modulo 11.
pub(super) fn cnp(value: &str) -> Verdict {
    let Some(d) = digits::<13>(value) else { return Verdict::Fails };
    let dated = d[0] != 0 && month_and_day(number(&d[3..5]), number(&d[5..7]));
    let check = match weighted(&d, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11 {
        10 => 1,
        r => r,
    };
    Verdict::from(dated && check == i64::from(d[12]))
}

/// Slovenian EMSO and the JMBG of the other states that once had it: day, month, three digits of the year, modulo 11.
pub(super) fn emso(value: &str) -> Verdict {
    let Some(d) = digits::<13>(value) else { return Verdict::Fails };
    let dated = month_and_day(number(&d[2..4]), number(&d[..2])) && matches!(d[4], 0 | 8 | 9);
    let check = match (11 - weighted(&d, &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11 {
        10 => 0,
        r => r,
    };
    Verdict::from(dated && check == i64::from(d[12]))
}

/// Hungarian tax identification number of persons: begins with 8, modulo 11 (1996. évi XX. törvény).
pub(super) fn adoazonosito(value: &str) -> Verdict {
    let Some(d) = digits::<10>(value) else { return Verdict::Fails };
    let sum = weighted(&d, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    Verdict::from(d[0] == 8 && sum % 11 == i64::from(d[9]))
}

/// Hungarian social security number (TAJ): weights 3 and 7, modulo 10.
pub(super) fn taj(value: &str) -> Verdict {
    let Some(d) = digits::<9>(value) else { return Verdict::Fails };
    Verdict::from(d != [0; 9] && weighted(&d, &[3, 7, 3, 7, 3, 7, 3, 7]) % 10 == i64::from(d[8]))
}

/// Greek tax number (AFM): powers of two, modulo 11.
pub(super) fn afm(value: &str) -> Verdict {
    let Some(d) = digits::<9>(value) else { return Verdict::Fails };
    let sum = weighted(&d, &[256, 128, 64, 32, 16, 8, 4, 2]);
    Verdict::from(!monotone(&d) && sum % 11 % 10 == i64::from(d[8]))
}

/// Greek social security number (AMKA): a date, Luhn.
pub(super) fn amka(value: &str) -> Verdict {
    let Some(d) = digits::<11>(value) else { return Verdict::Fails };
    Verdict::from(month_and_day(number(&d[2..4]), number(&d[..2])) && luhn_holds(&d))
}

/// Cypriot tax identification code: eight digits, those in odd places translated, and a letter modulo 26.
pub(super) fn cy_tic(value: &str) -> Verdict {
    const ODD: [u32; 10] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21];
    let value = compact(value);
    let Some((letter, numbers)) = value.split_last() else { return Verdict::Fails };
    let Some(d) = numbers.iter().map(|&b| digit(b)).collect::<Option<Vec<u8>>>() else {
        return Verdict::Fails;
    };
    let place = |(i, &d): (usize, &u8)| match i % 2 {
        0 => ODD.get(usize::from(d)).copied().unwrap_or_default(),
        _ => u32::from(d),
    };
    let sum: u32 = d.iter().enumerate().map(place).sum();
    Verdict::from(d.len() == 8 && !d.starts_with(&[1, 2]) && u32::from(*letter) == u32::from(b'A') + sum % 26)
}

/// Ukrainian taxpayer number of persons (RNOKPP): modulo 11.
pub(super) fn rnokpp(value: &str) -> Verdict {
    let Some(d) = digits::<10>(value) else { return Verdict::Fails };
    let check = weighted(&d, &[-1, 5, 7, 9, 4, 6, 10, 5, 7]).rem_euclid(11) % 10;
    Verdict::from(!monotone(&d) && check == i64::from(d[9]))
}

/// Russian insurance number (SNILS): the sum of digit times place, modulo 101.
pub(super) fn snils(value: &str) -> Verdict {
    let Some(d) = digits::<11>(value) else { return Verdict::Fails };
    let check = weighted(&d, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100;
    Verdict::from(!monotone(&d) && check == i64::from(d[9]) * 10 + i64::from(d[10]))
}

/// Russian taxpayer number (INN): ten digits of companies with one check digit, twelve of persons with two.
pub(super) fn inn(value: &str) -> Verdict {
    const WEIGHTS: [i64; 11] = [3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8];
    let check = |d: &[u8], weights: &[i64]| weighted(d, weights) % 11 % 10;
    if let Some(d) = digits::<10>(value) {
        return Verdict::from(!monotone(&d) && check(&d, &WEIGHTS[2..]) == i64::from(d[9]));
    }
    let Some(d) = digits::<12>(value) else { return Verdict::Fails };
    let first = check(&d, &WEIGHTS[1..]) == i64::from(d[10]);
    Verdict::from(!monotone(&d) && first && check(&d, &WEIGHTS) == i64::from(d[11]))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn bulgaria_romania_greece_cyprus() {
        single_digit_errors_are_found("egn", &["7523169263", "8032056031"]);
        fail("egn", &["7552019263", "752316926"]);
        single_digit_errors_are_found("cnp", &["1630615123457"]);
        fail("cnp", &["0630615123457", "1631315123457"]);
        single_digit_errors_are_found("afm", &["094259216"]);
        single_digit_errors_are_found("amka", &["01013099997"]);
        fail("amka", &["01133099997"]);
        last_character_errors_are_found("cy_tic", &["10259033P"]);
        fail("cy_tic", &["12000139V", "1025903P"]);
    }

    #[test]
    fn former_yugoslavia() {
        single_digit_errors_are_found("oib", &["33392005961"]);
        single_digit_errors_are_found("emso", &["0101006500006"]);
        fail("emso", &["0113006500006", "0101006500007"]);
    }

    #[test]
    fn czechia_slovakia_hungary() {
        single_digit_errors_are_found("rodne_cislo", &["710319/2745"]);
        assert_eq!(verdict("rodne_cislo", "530101/123"), Verdict::Unsure);
        fail("rodne_cislo", &["7103192746", "1103492745", "590312/123", "530101/000"]);
        single_digit_errors_are_found("adoazonosito", &["8071592153"]);
        fail("adoazonosito", &["7071592153"]);
        single_digit_errors_are_found("taj", &["111 111 110", "123 456 788"]);
        fail("taj", &["000000000"]);
    }

    #[test]
    fn baltic_states() {
        for good in ["36805280109", "33309240064"] {
            assert_eq!(verdict("isikukood", good), Verdict::Holds, "{good}");
        }
        fail("isikukood", &["36805280108", "33309240164", "33313240064", "03309240064"]);
        for good in ["161175-19997", "328673-00679"] {
            assert_eq!(verdict("personas_kods", good), Verdict::Holds, "{good}");
        }
        fail("personas_kods", &["161175-19998", "161375-19997", "16117519"]);
    }

    #[test]
    fn ukraine_and_russia() {
        single_digit_errors_are_found("rnokpp", &["1759013776"]);
        // The example of the pension fund's own description.
        last_character_errors_are_found("snils", &["112-233-445 95"]);
        fail("snils", &["112-233-455 95", "000-000-000 00"]);
        single_digit_errors_are_found("inn", &["7707083893", "500100732259"]);
        fail("inn", &["7707083894", "500100732250", "50010073225"]);
    }
}

//! Identity numbers of Latin America, Brazil's and Mexico's aside.

use super::{Verdict, compact, digit, digits, luhn_holds, monotone, number, weighted};

/// Argentine CUIT or CUIL: kind of holder, eight digits, modulo 11 (AFIP).
pub(super) fn cuit(value: &str) -> Verdict {
    let Some(d) = digits::<11>(value) else { return Verdict::Fails };
    let known = matches!(number(&d[..2]), 20 | 23 | 24 | 25 | 26 | 27 | 30 | 33 | 34 | 50 | 51 | 55);
    Verdict::from(known && minus_11(weighted(&d, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2])) == i64::from(d[10]))
}

/// The check digit that brings a sum to a multiple of eleven: 10 stands for none, 11 is written 0.
fn minus_11(sum: i64) -> i64 {
    (11 - sum % 11) % 11
}

/// Chilean RUN or RUT: seven or eight digits and a check character, weights 2 to 7 from the right, modulo 11.
pub(super) fn rut(value: &str) -> Verdict {
    let value = compact(value);
    let Some((check, head)) = value.split_last() else { return Verdict::Fails };
    let Some(d) = head.iter().map(|&b| digit(b)).collect::<Option<Vec<u8>>>() else { return Verdict::Fails };
    let sum: i64 =
        d.iter().rev().zip([2, 3, 4, 5, 6, 7].into_iter().cycle()).map(|(&d, w)| i64::from(d) * w).sum();
    let expected = b"0123456789K".get(usize::try_from(minus_11(sum)).unwrap_or(usize::MAX));
    Verdict::from(matches!(d.len(), 7 | 8) && !monotone(&d) && expected == Some(check))
}

/// Colombian NIT: nine digits and a check digit, primes as weights, modulo 11 (DIAN).
pub(super) fn nit(value: &str) -> Verdict {
    let Some(d) = digits::<10>(value) else { return Verdict::Fails };
    let check = match weighted(&d, &[41, 37, 29, 23, 19, 17, 13, 7, 3]) % 11 {
        r @ (0 | 1) => r,
        r => 11 - r,
    };
    Verdict::from(!monotone(&d) && check == i64::from(d[9]))
}

/// Peruvian RUC: kind of holder, modulo 11 (SUNAT).
pub(super) fn ruc(value: &str) -> Verdict {
    let Some(d) = digits::<11>(value) else { return Verdict::Fails };
    let known = matches!(number(&d[..2]), 10 | 15 | 16 | 17 | 20);
    let check = (11 - weighted(&d, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 10;
    Verdict::from(known && check == i64::from(d[10]))
}

/// Uruguayan identity card: weights 2-9-8-7-6-3-4, the sum ends in 0.
pub(super) fn uy_ci(value: &str) -> Verdict {
    let Some(d) = digits::<8>(value) else { return Verdict::Fails };
    Verdict::from(!monotone(&d) && weighted(&d, &[2, 9, 8, 7, 6, 3, 4, 1]) % 10 == 0)
}

/// Ecuadorian identity card: province 01 to 24 or 30, third digit below 6, Luhn.
pub(super) fn ec_ci(value: &str) -> Verdict {
    let Some(d) = digits::<10>(value) else { return Verdict::Fails };
    Verdict::from(matches!(number(&d[..2]), 1..=24 | 30) && d[2] < 6 && luhn_holds(&d))
}

/// Dominican identity card: Luhn over eleven digits.
pub(super) fn do_cedula(value: &str) -> Verdict {
    Verdict::from(digits::<11>(value).is_some_and(|d| !monotone(&d) && luhn_holds(&d)))
}

/// Brazilian PIS, PASEP or NIS: modulo 11.
pub(super) fn pis(value: &str) -> Verdict {
    let Some(d) = digits::<11>(value) else { return Verdict::Fails };
    let check = (11 - weighted(&d, &[3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11 % 10;
    Verdict::from(!monotone(&d) && check == i64::from(d[10]))
}

/// Mexican RFC: letters, a date that exists, three characters of which the last is a digit or A (SAT).
pub(super) fn rfc(value: &str) -> Verdict {
    let value = compact(value);
    let letters = value.len().saturating_sub(9);
    let (name, rest) = value.split_at(letters.min(value.len()));
    let Some(d) = rest.iter().take(6).map(|&b| digit(b)).collect::<Option<Vec<u8>>>() else {
        return Verdict::Fails;
    };
    let dated = d.len() == 6 && super::dates::month_and_day(number(&d[2..4]), number(&d[4..6]));
    let named = matches!(letters, 3 | 4) && name.iter().all(u8::is_ascii_uppercase);
    Verdict::from(named && dated && value.last().is_some_and(|b| b.is_ascii_digit() || *b == b'A'))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn southern_cone() {
        single_digit_errors_are_found("cuit", &["20-05536168-2"]);
        fail("cuit", &["21-05536168-2", "20055361682 1"]);
        single_digit_errors_are_found("rut", &["76086428-5", "12.531.909-2"]);
        // The tenth remainder is written K.
        assert_eq!(verdict("rut", "10.000.013-k"), Verdict::Holds);
        fail("rut", &["11.111.111-2", "1-9", "76086428K"]);
        for good in ["1.234.567-2", "4.123.456-3"] {
            assert_eq!(verdict("uy_ci", good), Verdict::Holds, "{good}");
        }
        fail("uy_ci", &["1.234.567-3", "11111111"]);
    }

    #[test]
    fn andes_and_caribbean() {
        last_character_errors_are_found("nit", &["213.123.432-1"]);
        single_digit_errors_are_found("ruc", &["20512333797"]);
        fail("ruc", &["30512333797"]);
        single_digit_errors_are_found("ec_ci", &["171430710-3"]);
        fail("ec_ci", &["251430710-3", "177430710-3"]);
        single_digit_errors_are_found("do_cedula", &["001-1391820-5"]);
    }

    #[test]
    fn brazil_and_mexico() {
        // The sum is 161, 7 modulo 11.
        last_character_errors_are_found("pis", &["120.56374.10-4"]);
        for good in ["GODE561231GR8", "gode 561231 gr8", "MAB9307148T4"] {
            assert_eq!(verdict("rfc", good), Verdict::Holds, "{good}");
        }
        fail("rfc", &["GODE561331GR8", "GOD1561231GR8", "GODE561231GRB", "GR8"]);
    }
}

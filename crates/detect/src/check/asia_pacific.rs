//! Identity numbers of Asia, Oceania, Africa and the Middle East.

use super::dates::month_and_day;
use super::{Verdict, all_digits, compact, digit, digits, luhn_holds, monotone, number, weighted};

/// Indian Aadhaar: Verhoeff's check digit; the first digit is 2 to 9 (UIDAI).
pub(super) fn aadhaar(value: &str) -> Verdict {
    Verdict::from(digits::<12>(value).is_some_and(|d| d[0] > 1 && !monotone(&d) && verhoeff_holds(&d)))
}

/// Verhoeff (1969): the dihedral group of order ten.
fn verhoeff_holds(digits: &[u8]) -> bool {
    // In D5, i * j: rotations below five, reflections from five on.
    let product = |i: u8, j: u8| match (i < 5, j < 5) {
        (true, true) => (i + j) % 5,
        (true, false) => (i + j) % 5 + 5,
        (false, true) => (i + 5 - j) % 5 + 5,
        (false, false) => (i + 5 - j) % 5,
    };
    const PERMUTATION: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted = |times: usize, d: u8| {
        (0..times % 8).fold(d, |d, _| PERMUTATION.get(usize::from(d)).copied().unwrap_or(d))
    };
    digits.iter().rev().enumerate().fold(0, |c, (i, &d)| product(c, permuted(i, d))) == 0
}

/// Indian PAN: five letters of which the fourth names the kind of holder, four digits, a letter.
pub(super) fn pan_in(value: &str) -> Verdict {
    let Ok(chars) = <[u8; 10]>::try_from(compact(value)) else { return Verdict::Fails };
    let shaped = chars.iter().enumerate().all(|(i, b)| matches!(i, 5..=8) == b.is_ascii_digit());
    Verdict::from(shaped && b"ABCFGHJLPTKE".contains(&chars[3]))
}

/// Australian tax file number of nine digits: modulo 11.
pub(super) fn tfn(value: &str) -> Verdict {
    let Some(d) = digits::<9>(value) else { return Verdict::Fails };
    Verdict::from(!monotone(&d) && weighted(&d, &[1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 == 0)
}

/// Australian Medicare card: first digit 2 to 6, the ninth is the check digit, then the issue and perhaps the person.
pub(super) fn medicare_au(value: &str) -> Verdict {
    let Some(d) = all_digits(value).filter(|d| matches!(d.len(), 10 | 11)) else { return Verdict::Fails };
    let sum = weighted(&d, &[1, 3, 7, 9, 1, 3, 7, 9]);
    Verdict::from(matches!(d[0], 2..=6) && sum % 10 == i64::from(d[8]) && d[9] != 0)
}

/// Australian business number: one off the first digit, then modulo 89.
pub(super) fn abn(value: &str) -> Verdict {
    let Some(d) = digits::<11>(value) else { return Verdict::Fails };
    let sum = weighted(&d, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) - 10;
    Verdict::from(d[0] != 0 && sum % 89 == 0)
}

/// Chinese resident identity number (GB 11643-1999): province, birth date, ISO/IEC 7064 MOD 11-2.
pub(super) fn cn_id(value: &str) -> Verdict {
    let value = compact(value);
    let (head, check) = value.split_at(value.len().min(17));
    let Some(d) = head.iter().map(|&b| digit(b)).collect::<Option<Vec<u8>>>() else { return Verdict::Fails };
    let ([check], 17) = (check, d.len()) else { return Verdict::Fails };
    let dated =
        (1900..=2050).contains(&number(&d[6..10])) && month_and_day(number(&d[10..12]), number(&d[12..14]));
    let sum = weighted(&d, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    let expected = b"10X98765432".get((sum % 11) as usize);
    Verdict::from(matches!(d[0], 1..=8) && dated && expected == Some(check))
}

/// Japanese individual number ("My Number"): modulo 11 (ordinance 85 of 2014).
pub(super) fn my_number(value: &str) -> Verdict {
    let Some(d) = digits::<12>(value) else { return Verdict::Fails };
    let check = match weighted(&d, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
        0 | 1 => 0,
        r => 11 - r,
    };
    Verdict::from(!monotone(&d) && check == i64::from(d[11]))
}

/// Korean resident registration number: a date, a century digit, modulo 11. Numbers given since October 2020 have no
/// check digit, so that a child's stays unsure.
pub(super) fn rrn(value: &str) -> Verdict {
    let Some(d) = digits::<13>(value) else { return Verdict::Fails };
    let (year, month) = (number(&d[..2]), number(&d[2..4]));
    if !month_and_day(month, number(&d[4..6])) || !matches!(d[6], 1..=8) {
        return Verdict::Fails;
    }
    let sum = weighted(&d, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
    match (11 - sum % 11) % 10 == i64::from(d[12]) {
        true => Verdict::Holds,
        false if matches!(d[6], 3 | 4 | 7 | 8) && (20..50).contains(&year) => Verdict::Unsure,
        false => Verdict::Fails,
    }
}

/// South African identity number: a date, citizenship 0 to 2, Luhn.
pub(super) fn za_id(value: &str) -> Verdict {
    let Some(d) = digits::<13>(value) else { return Verdict::Fails };
    let dated = month_and_day(number(&d[2..4]), number(&d[4..6]));
    Verdict::from(dated && d[10] <= 2 && luhn_holds(&d))
}

/// Turkish identity number: the tenth digit from odd and even places, the eleventh from the sum.
pub(super) fn tckn(value: &str) -> Verdict {
    let Some(d) = digits::<11>(value) else { return Verdict::Fails };
    let tenth = weighted(&d, &[7, -1, 7, -1, 7, -1, 7, -1, 7]).rem_euclid(10);
    let eleventh = weighted(&d, &[1; 10]) % 10;
    Verdict::from(d[0] != 0 && tenth == i64::from(d[9]) && eleventh == i64::from(d[10]))
}

/// Israeli identity number: Luhn over nine digits.
pub(super) fn il_id(value: &str) -> Verdict {
    Verdict::from(digits::<9>(value).is_some_and(|d| !monotone(&d) && luhn_holds(&d)))
}

/// Singapore NRIC or FIN: the letter of the weighted sum, by series.
pub(super) fn nric(value: &str) -> Verdict {
    let value = compact(value);
    let [series, numbers @ .., check] = value.as_slice() else { return Verdict::Fails };
    let Some(d) = numbers.iter().map(|&b| digit(b)).collect::<Option<Vec<u8>>>() else {
        return Verdict::Fails;
    };
    let sum = weighted(&d, &[2, 7, 6, 5, 4, 3, 2]);
    let (letters, offset) = match series {
        b'S' => (b"JZIHGFEDCBA", 0),
        b'T' => (b"JZIHGFEDCBA", 4),
        b'F' => (b"XWUTRQPNMLK", 0),
        b'G' => (b"XWUTRQPNMLK", 4),
        b'M' => (b"XWUTRQPNJLK", 3),
        _ => return Verdict::Fails,
    };
    let expected = letters.get(((sum + offset) % 11) as usize);
    Verdict::from(d.len() == 7 && expected == Some(check))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn india() {
        single_digit_errors_are_found("aadhaar", &["2341 2341 2346", "999941057058"]);
        fail("aadhaar", &["1341 2341 2346", "222222222222"]);
        // Verhoeff's own example.
        assert!(verhoeff_holds(&[2, 3, 6, 3]));
        assert!(!verhoeff_holds(&[2, 3, 6, 4]));
        for good in ["ABCPE1234F", "afzpk7190k"] {
            assert_eq!(verdict("pan_in", good), Verdict::Holds, "{good}");
        }
        fail("pan_in", &["ABCDE1234F", "ABCPE12345", "SPRINTZ45678"]);
    }

    #[test]
    fn australia() {
        single_digit_errors_are_found("tfn", &["123 456 782", "876543210"]);
        assert_eq!(verdict("medicare_au", "2123 45670 1"), Verdict::Holds);
        assert_eq!(verdict("medicare_au", "2428 77813 21"), verdict("medicare_au", "2428 77813 2"));
        fail("medicare_au", &["2123 45671 1", "1123 45670 1", "2123"]);
        single_digit_errors_are_found("abn", &["51 824 753 556", "83914571673"]);
    }

    #[test]
    fn east_asia() {
        last_character_errors_are_found("cn_id", &["11010519491231002X"]);
        fail("cn_id", &["110105194913310021", "11010519491231002"]);
        single_digit_errors_are_found("my_number", &["123456789018"]);
        last_character_errors_are_found("rrn", &["800101-1234560"]);
        fail("rrn", &["801301-1234567", "800101-9234567"]);
        for good in ["S1234567D", "T1234567J", "F1234567N", "G1234567X", "M1234567K"] {
            assert_eq!(verdict("nric", good), Verdict::Holds, "{good}");
        }
        fail("nric", &["S1234567A", "X1234567D", "S123456D"]);
    }

    #[test]
    fn middle_east_and_africa() {
        single_digit_errors_are_found("za_id", &["8001015009087"]);
        single_digit_errors_are_found("tckn", &["10000000146"]);
        single_digit_errors_are_found("il_id", &["123456782", "000000018"]);
    }
}

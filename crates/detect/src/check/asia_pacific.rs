//! Identity numbers of Asia, Oceania, Africa and the Middle East.

use super::dates::month_and_day;
use super::{Verdict, all_digits, compact, digit, digits, luhn_holds, monotone, number, weighted};

/// Indian Aadhaar: Verhoeff's check digit; the first digit is 2 to 9 (UIDAI).
pub(super) fn aadhaar(value: &str) -> Verdict {
    Verdict::from(digits::<12>(value).is_some_and(|d| d[0] > 1 && !monotone(&d) && verhoeff_holds(&d)))
}

/// Verhoeff (1969): the dihedral group of order ten.
pub(super) fn verhoeff_holds(digits: &[u8]) -> bool {
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

/// New Zealand IRD number of eight or nine digits: modulo 11, with a second row of weights.
pub(super) fn ird(value: &str) -> Verdict {
    let Some(all) = all_digits(value).filter(|d| matches!(d.len(), 8 | 9)) else { return Verdict::Fails };
    let n = number(&all);
    let mut d = vec![0; 9 - all.len()];
    d.extend(all);
    let check = |weights: &[i64]| (11 - weighted(&d, weights) % 11) % 11;
    let expected = match check(&[3, 2, 7, 6, 5, 4, 3, 2]) {
        10 => check(&[7, 4, 3, 2, 5, 2, 7, 6]),
        c => c,
    };
    Verdict::from((10_000_000..150_000_000).contains(&n) && expected == i64::from(d[8]))
}

/// New Zealand health index: three letters without I and O, four digits (modulo 11) or two digits and two letters
/// (modulo 24, since 2022; HISO 10046).
pub(super) fn nhi(value: &str) -> Verdict {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
    let value = compact(value);
    let code = |b: &u8| match b {
        b'0'..=b'9' => Some(i64::from(b - b'0')),
        _ => LETTERS.iter().position(|l| l == b).and_then(|i| i64::try_from(i + 1).ok()),
    };
    let Some(codes) = value.iter().map(code).collect::<Option<Vec<i64>>>() else { return Verdict::Fails };
    let ([.., last], 7) = (value.as_slice(), codes.len()) else { return Verdict::Fails };
    let shaped = value.iter().take(3).all(u8::is_ascii_uppercase);
    let sum: i64 = codes.iter().zip([7, 6, 5, 4, 3, 2]).map(|(c, w)| c * w).sum();
    Verdict::from(
        shaped
            && match last {
                b'0'..=b'9' => sum % 11 != 0 && (11 - sum % 11) % 10 == i64::from(last - b'0'),
                _ => usize::try_from(23 - sum % 24).ok().and_then(|i| LETTERS.get(i)) == Some(last),
            },
    )
}

/// Thai identity number: modulo 11 over thirteen digits.
pub(super) fn th_id(value: &str) -> Verdict {
    let Some(d) = digits::<13>(value) else { return Verdict::Fails };
    let check = (11 - weighted(&d, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 10;
    Verdict::from(d[0] != 0 && !monotone(&d) && check == i64::from(d[12]))
}

/// Indonesian NIK: a province, a birth date (40 added to the day for women), a serial; there is no check digit.
pub(super) fn nik(value: &str) -> Verdict {
    let Some(d) = digits::<16>(value) else { return Verdict::Fails };
    let day = number(&d[6..8]);
    let dated = month_and_day(number(&d[8..10]), if day > 40 { day - 40 } else { day });
    Verdict::from((11..=97).contains(&number(&d[..2])) && dated && number(&d[12..]) != 0)
}

/// Malaysian identity card number: a birth date, a place of birth that exists, a serial.
pub(super) fn mykad(value: &str) -> Verdict {
    let Some(d) = digits::<12>(value) else { return Verdict::Fails };
    let dated = month_and_day(number(&d[2..4]), number(&d[4..6]));
    let place = !matches!(number(&d[6..8]), 0 | 17..=20 | 69 | 70 | 73 | 80 | 81 | 94..=97);
    Verdict::from(dated && place)
}

/// Taiwanese identity card: the letter counts as two digits, the sum ends in 0.
pub(super) fn tw_id(value: &str) -> Verdict {
    // In the order of the numbers 10 to 35.
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVXYWZIO";
    let value = compact(value);
    let [letter, numbers @ ..] = value.as_slice() else { return Verdict::Fails };
    let Some(d) = numbers.iter().map(|&b| digit(b)).collect::<Option<Vec<u8>>>() else {
        return Verdict::Fails;
    };
    let Some(code) = LETTERS.iter().position(|l| l == letter).and_then(|i| i64::try_from(i + 10).ok()) else {
        return Verdict::Fails;
    };
    let sum = code / 10 + code % 10 * 9 + weighted(&d, &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
    Verdict::from(d.len() == 9 && matches!(d[0], 1 | 2 | 8 | 9) && sum % 10 == 0)
}

/// Hong Kong identity card: one or two letters, six digits, a check character modulo 11.
pub(super) fn hk_id(value: &str) -> Verdict {
    let value = compact(value);
    let Some((check, head)) = value.split_last() else { return Verdict::Fails };
    let letters = head.iter().take_while(|b| b.is_ascii_uppercase()).count();
    let (prefix, numbers) = head.split_at(letters);
    let Some(d) = numbers.iter().map(|&b| digit(b)).collect::<Option<Vec<u8>>>() else {
        return Verdict::Fails;
    };
    let code = |b: u8| i64::from(b - b'A') + 10;
    // A missing first letter counts as 36.
    let letters = match prefix {
        [a] => 36 * 9 + code(*a) * 8,
        [a, b] => code(*a) * 9 + code(*b) * 8,
        _ => return Verdict::Fails,
    };
    let sum = letters + weighted(&d, &[7, 6, 5, 4, 3, 2]);
    let expected = b"0123456789A".get(usize::try_from((11 - sum % 11) % 11).unwrap_or(usize::MAX));
    Verdict::from(d.len() == 6 && expected == Some(check))
}

/// Indian GST number: a state, a PAN, and a check character modulo 36.
pub(super) fn gstin(value: &str) -> Verdict {
    const ORDER: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let Ok(chars) = <[u8; 15]>::try_from(compact(value)) else { return Verdict::Fails };
    let state = chars[..2].iter().all(u8::is_ascii_digit);
    let holder = std::str::from_utf8(&chars[2..12]).map_or(Verdict::Fails, pan_in);
    let place = |b: u8| ORDER.iter().position(|o| *o == b).unwrap_or_default();
    let of = |(i, &b): (usize, &u8)| {
        let product = place(b) * (1 + i % 2);
        product / 36 + product % 36
    };
    let sum: usize = chars[..14].iter().enumerate().map(of).sum();
    Verdict::from(state && holder == Verdict::Holds && ORDER.get((36 - sum % 36) % 36) == Some(&chars[14]))
}

/// Saudi identity or residence number: begins with 1 or 2, Luhn.
pub(super) fn sa_id(value: &str) -> Verdict {
    Verdict::from(
        digits::<10>(value).is_some_and(|d| matches!(d[0], 1 | 2) && !monotone(&d) && luhn_holds(&d)),
    )
}

/// Identity number of the United Arab Emirates: 784, a year of birth, a serial; the last digit is Luhn's on most cards.
pub(super) fn emirates_id(value: &str) -> Verdict {
    let Some(d) = digits::<15>(value) else { return Verdict::Fails };
    let born = d[..3] == [7, 8, 4] && (1900..=2030).contains(&number(&d[3..7]));
    match (born, luhn_holds(&d)) {
        (false, _) => Verdict::Fails,
        (true, true) => Verdict::Holds,
        (true, false) => Verdict::Unsure,
    }
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

    #[test]
    fn new_zealand() {
        // The examples of the IRD's own specification.
        last_character_errors_are_found("ird", &["49-091-850", "136-410-132", "35901981"]);
        fail("ird", &["9125568", "160000000"]);
        // The examples of HISO 10046.
        for good in ["ZZZ0016", "zzz0024", "ZZZ00AX", "ALU18KZ"] {
            assert_eq!(verdict("nhi", good), Verdict::Holds, "{good}");
        }
        fail("nhi", &["ZZZ0044", "ZZZ00AY", "ZIZ0016", "ZZZ001"]);
    }

    #[test]
    fn south_east_asia() {
        last_character_errors_are_found("th_id", &["1-2345-45678-78-1"]);
        fail("th_id", &["0234545678781"]);
        for good in ["3171011708450001", "3171015708450001"] {
            assert_eq!(verdict("nik", good), Verdict::Holds, "{good}");
        }
        fail("nik", &["3171011713450001", "0171011708450001", "3171011708450000"]);
        assert_eq!(verdict("mykad", "770305-02-1234"), Verdict::Holds);
        fail("mykad", &["771305-02-1234", "770305-17-1234"]);
    }

    #[test]
    fn greater_china() {
        last_character_errors_are_found("tw_id", &["A123456789"]);
        fail("tw_id", &["A323456789", "A12345678"]);
        for good in ["A123456(3)", "G123456(A)", "AB987654(3)"] {
            assert_eq!(verdict("hk_id", good), Verdict::Holds, "{good}");
        }
        fail("hk_id", &["G123456(7)", "ABC987654(3)", "G12345(A)"]);
    }

    #[test]
    fn companies_and_the_gulf() {
        last_character_errors_are_found("gstin", &["27AAPFU0939F1ZV"]);
        fail("gstin", &["2XAAPFU0939F1ZV", "27AAPFU0939F1Z"]);
        single_digit_errors_are_found("sa_id", &["1010101010"]);
        fail("sa_id", &["3010101010"]);
        assert_eq!(verdict("emirates_id", "784-1980-1234567-9"), Verdict::Unsure);
        fail("emirates_id", &["783-1980-1234567-9", "784-1780-1234567-9"]);
    }
}

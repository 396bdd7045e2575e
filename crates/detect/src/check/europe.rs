//! Identity numbers of Europe.

use super::asia_pacific::verhoeff_holds;
use super::dates::month_and_day;
use super::{Verdict, all_digits, compact, digit, digits, luhn_holds, monotone, number, weighted};

/// NHS number (England, Wales, Isle of Man): modulo 11 over ten digits (NHS Data Dictionary).
pub(super) fn nhs(value: &str) -> Verdict {
    let Some(d) = digits::<10>(value) else { return Verdict::Fails };
    let check = (11 - weighted(&d, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    Verdict::from(!monotone(&d) && check == i64::from(d[9]))
}

/// UK national insurance number: prefixes that HMRC issues (NIM39110) and a suffix from A to D.
pub(super) fn nino(value: &str) -> Verdict {
    let value = compact(value);
    let (prefix, rest) = value.split_at(value.len().min(2));
    let [first, second] = prefix else { return Verdict::Fails };
    let allowed = !b"DFIQUV".contains(first)
        && !b"DFIOQUV".contains(second)
        && first.is_ascii_uppercase()
        && second.is_ascii_uppercase()
        && ![b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"].iter().any(|never| never.as_slice() == prefix);
    let (numbers, suffix) = rest.split_at(rest.len().min(6));
    let shaped = numbers.len() == 6 && numbers.iter().all(u8::is_ascii_digit);
    Verdict::from(allowed && shaped && matches!(suffix, [] | [b'A'..=b'D']))
}

/// German tax id: ISO/IEC 7064 MOD 11,10; among the first ten digits exactly one stands twice or three times (§ 139b AO).
pub(super) fn steuer_id(value: &str) -> Verdict {
    let Some(d) = digits::<11>(value) else { return Verdict::Fails };
    let mut counts = [0_u8; 10];
    for &digit in &d[..10] {
        counts[usize::from(digit)] += 1;
    }
    let repeated: Vec<u8> = counts.into_iter().filter(|&n| n > 1).collect();
    let shaped = d[0] != 0 && matches!(repeated.as_slice(), [2 | 3]);
    Verdict::from(shaped && mod_11_10(&d[..10]) == d[10])
}

/// ISO/IEC 7064 MOD 11,10: the check digit of these digits.
pub(super) fn mod_11_10(digits: &[u8]) -> u8 {
    let product = digits.iter().fold(10_u32, |product, &d| {
        let sum = (u32::from(d) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    ((11 - product) % 10) as u8
}

/// German identity card or passport number: nine characters of ICAO 9303, and its 7-3-1 check digit when it is there.
pub(super) fn de_document(value: &str) -> Verdict {
    let value = compact(value);
    let (serial, check) = value.split_at(value.len().min(9));
    let allowed = |b: &u8| b.is_ascii_digit() || b"CFGHJKLMNPRTVWXYZ".contains(b);
    let digits_in = serial.iter().filter(|b| b.is_ascii_digit()).count();
    if serial.len() != 9 || !serial.iter().all(allowed) || digits_in == 0 || digits_in == 9 {
        return Verdict::Fails;
    }
    match check {
        [] => Verdict::Unsure,
        [check, b'D'] | [check] => Verdict::from(digit(*check) == Some(icao_check(serial))),
        _ => Verdict::Fails,
    }
}

/// ICAO 9303 part 3, 4.9: weights 7-3-1, letters from A = 10, modulo 10.
fn icao_check(chars: &[u8]) -> u8 {
    let sum: u32 = chars.iter().zip([7, 3, 1].into_iter().cycle()).map(|(&b, w)| alphanumeric(b) * w).sum();
    (sum % 10) as u8
}

fn alphanumeric(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'Z' => u32::from(byte - b'A') + 10,
        _ => 0,
    }
}

/// French NIR: sex, month, and the key 97 - n mod 97; Corsica's 2A and 2B count as 19 and 18 (INSEE).
pub(super) fn nir(value: &str) -> Verdict {
    let mut value = compact(value);
    if let [_, _, _, _, _, b'2', letter @ (b'A' | b'B'), ..] = value.as_mut_slice() {
        let as_digit = if *letter == b'A' { b'9' } else { b'8' };
        *letter = as_digit;
        value[5] = b'1';
    }
    let Some(d) = value.iter().map(|&b| digit(b)).collect::<Option<Vec<u8>>>() else { return Verdict::Fails };
    let Ok(d) = <[u8; 15]>::try_from(d) else { return Verdict::Fails };
    // Months 20 to 42 and 50 to 99 are given when the birth record was incomplete.
    let month = number(&d[3..5]);
    let shaped = matches!(d[0], 1 | 2 | 3 | 4 | 7 | 8) && (matches!(month, 1..=12 | 20..=42 | 50..=99));
    Verdict::from(shaped && 97 - number(&d[..13]) % 97 == number(&d[13..]))
}

/// Spanish DNI or NIE: the letter of the number modulo 23; X, Y, Z of an NIE count as 0, 1, 2 (RD 1553/2005).
pub(super) fn dni(value: &str) -> Verdict {
    let value = compact(value);
    let [first, middle @ .., letter] = value.as_slice() else { return Verdict::Fails };
    let first = match first {
        b'X' => 0,
        b'Y' => 1,
        b'Z' => 2,
        b'0'..=b'9' => first - b'0',
        _ => return Verdict::Fails,
    };
    let Some(rest) = middle.iter().map(|&b| digit(b)).collect::<Option<Vec<u8>>>() else {
        return Verdict::Fails;
    };
    let all: Vec<u8> = std::iter::once(first).chain(rest).collect();
    let expected = b"TRWAGMYFPDXBNJZSQVHLCKE".get((number(&all) % 23) as usize);
    Verdict::from(all.len() == 8 && !all.iter().all(|&d| d == 0) && expected == Some(letter))
}

/// Spanish CIF of companies: sum of even digits and of doubled odd ones; a digit or a letter by kind (RD 1065/2007).
pub(super) fn cif(value: &str) -> Verdict {
    let value = compact(value);
    let [kind, numbers @ .., check] = value.as_slice() else { return Verdict::Fails };
    let Some(d) = numbers.iter().map(|&b| digit(b)).collect::<Option<Vec<u8>>>() else {
        return Verdict::Fails;
    };
    let Ok(d) = <[u8; 7]>::try_from(d) else { return Verdict::Fails };
    let sum: u8 =
        d.iter().enumerate().map(|(i, &n)| if i % 2 == 0 { n * 2 / 10 + n * 2 % 10 } else { n }).sum();
    let control = (10 - sum % 10) % 10;
    let as_digit = digit(*check) == Some(control);
    let as_letter = b"JABCDEFGHI".get(usize::from(control)) == Some(check);
    Verdict::from(match kind {
        b'A' | b'B' | b'E' | b'H' => as_digit,
        b'N' | b'P' | b'Q' | b'R' | b'S' | b'W' => as_letter,
        b'C' | b'D' | b'F' | b'G' | b'J' | b'U' | b'V' => as_digit || as_letter,
        _ => false,
    })
}

/// Spanish social security number (NUSS): the first ten digits modulo 97 are the last two.
pub(super) fn nuss(value: &str) -> Verdict {
    let Some(d) = digits::<12>(value) else { return Verdict::Fails };
    let (province, serial, check) = (number(&d[..2]), number(&d[2..10]), number(&d[10..]));
    // Serials below ten million are joined without their leading zero.
    let whole = if serial < 10_000_000 { serial + province * 10_000_000 } else { number(&d[..10]) };
    Verdict::from(matches!(province, 1..=53 | 66) && whole % 97 == check)
}

/// Italian codice fiscale: shape with the letters that stand for digits (omocodia) and the check letter (DM 12/3/1974).
pub(super) fn codice_fiscale(value: &str) -> Verdict {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let Ok(chars) = <[u8; 16]>::try_from(compact(value)) else { return Verdict::Fails };
    let letter_at = |i: usize| matches!(i, 0..=5 | 8 | 11 | 15);
    let shaped = chars.iter().enumerate().all(|(i, b)| {
        b.is_ascii_uppercase() && (letter_at(i) || b"LMNPQRSTUV".contains(b))
            || b.is_ascii_digit() && !letter_at(i)
    });
    if !shaped || !b"ABCDEHLMPRST".contains(&chars[8]) {
        return Verdict::Fails;
    }
    let place = |b: u8| if b.is_ascii_digit() { b - b'0' } else { b - b'A' };
    let sum: u32 = chars[..15]
        .iter()
        .enumerate()
        .map(|(i, &b)| match i % 2 {
            0 => ODD.get(usize::from(place(b))).copied().unwrap_or_default(),
            _ => u32::from(place(b)),
        })
        .sum();
    Verdict::from(u32::from(chars[15] - b'A') == sum % 26)
}

/// Dutch BSN: the eleven test with weight -1 on the last digit.
pub(super) fn bsn(value: &str) -> Verdict {
    let Some(d) = digits::<9>(value) else { return Verdict::Fails };
    Verdict::from(!monotone(&d) && weighted(&d, &[9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 == 0)
}

/// Belgian national register number: a birth date and 97 - n mod 97, with a 2 in front for births since 2000.
pub(super) fn be_nrn(value: &str) -> Verdict {
    let Some(d) = digits::<11>(value) else { return Verdict::Fails };
    // Bis numbers add 20 or 40 to the month; unknown dates are zeros.
    let (month, day) = (number(&d[2..4]) % 20, number(&d[4..6]));
    let dated = number(&d[2..4]) < 60 && (month_and_day(month, day) || (month == 0 && day == 0));
    let (serial, check) = (number(&d[..9]), number(&d[9..]));
    let key = |n: u64| 97 - n % 97;
    Verdict::from(dated && (key(serial) == check || key(2_000_000_000 + serial) == check))
}

/// Polish PESEL: birth date with the century in the month, weights 1-3-7-9.
pub(super) fn pesel(value: &str) -> Verdict {
    let Some(d) = digits::<11>(value) else { return Verdict::Fails };
    let dated = month_and_day(number(&d[2..4]) % 20, number(&d[4..6]));
    Verdict::from(dated && weighted(&d, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 == 0)
}

/// Polish NIP: modulo 11, a remainder of 10 is not issued.
pub(super) fn nip(value: &str) -> Verdict {
    let Some(d) = digits::<10>(value) else { return Verdict::Fails };
    Verdict::from(!monotone(&d) && weighted(&d, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == i64::from(d[9]))
}

/// Polish REGON of nine or fourteen digits: modulo 11, 10 counts as 0.
pub(super) fn regon(value: &str) -> Verdict {
    let check = |d: &[u8], weights: &[i64], last: u8| weighted(d, weights) % 11 % 10 == i64::from(last);
    Verdict::from(match all_digits(value).as_deref() {
        Some([head @ .., last]) if head.len() == 8 => {
            !monotone(head) && check(head, &[8, 9, 2, 3, 4, 5, 6, 7], *last)
        }
        Some([head @ .., last]) if head.len() == 13 => {
            !monotone(head) && check(head, &[2, 4, 8, 5, 0, 9, 7, 3, 6, 1, 2, 4, 8], *last)
        }
        _ => false,
    })
}

/// Polish identity card: three letters, a check digit, five digits; weights 7-3-1-9-7-3-1-7-3.
pub(super) fn pl_id(value: &str) -> Verdict {
    let value = compact(value);
    let (series, rest) = value.split_at(value.len().min(3));
    let shaped =
        value.len() == 9 && series.iter().all(u8::is_ascii_uppercase) && rest.iter().all(u8::is_ascii_digit);
    let weights = [7, 3, 1, 9, 7, 3, 1, 7, 3];
    let sum: u32 = value.iter().zip(weights).map(|(&b, w)| alphanumeric(b) * w).sum();
    Verdict::from(shaped && sum.is_multiple_of(10))
}

/// Swedish personal identity number, ten or twelve digits: a date (60 added to the day for co-ordination numbers), Luhn.
pub(super) fn personnummer(value: &str) -> Verdict {
    let Some(all) = all_digits(value) else { return Verdict::Fails };
    let short = match all.as_slice() {
        [1, 8 | 9, rest @ ..] | [2, 0, rest @ ..] if rest.len() == 10 => rest,
        rest if rest.len() == 10 => rest,
        _ => return Verdict::Fails,
    };
    let day = number(&short[4..6]);
    let dated = month_and_day(number(&short[2..4]), if day > 60 { day - 60 } else { day });
    Verdict::from(dated && luhn_holds(short))
}

/// Norwegian national identity number: a date (40 added to the day of a D-number), two digits modulo 11.
pub(super) fn fodselsnummer(value: &str) -> Verdict {
    let Some(d) = digits::<11>(value) else { return Verdict::Fails };
    let day = number(&d[..2]);
    let dated = month_and_day(number(&d[2..4]), if day > 40 { day - 40 } else { day });
    let first = weighted(&d, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]) % 11;
    let second = weighted(&d, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11;
    Verdict::from(dated && first == 0 && second == 0)
}

/// Danish CPR number: a date; modulo 11 holds for most, but is no longer required since 2007.
pub(super) fn cpr(value: &str) -> Verdict {
    let Some(d) = digits::<10>(value) else { return Verdict::Fails };
    match month_and_day(number(&d[2..4]), number(&d[..2])) {
        false => Verdict::Fails,
        true if weighted(&d, &[4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 == 0 => Verdict::Holds,
        true => Verdict::Unsure,
    }
}

/// Finnish personal identity code: a date, a century sign, and the character of the number modulo 31.
pub(super) fn hetu(value: &str) -> Verdict {
    let bytes = value.trim().to_ascii_uppercase().into_bytes();
    let Ok([date @ .., sign, a, b, c, check]) = <[u8; 11]>::try_from(bytes) else { return Verdict::Fails };
    let all = date.into_iter().chain([a, b, c]).map(digit).collect::<Option<Vec<u8>>>();
    let Some(d) = all else { return Verdict::Fails };
    let dated = month_and_day(number(&d[2..4]), number(&d[..2])) && b"+-ABCDEFUVWXY".contains(&sign);
    let expected = b"0123456789ABCDEFHJKLMNPRSTUVWXY".get((number(&d) % 31) as usize);
    Verdict::from(dated && expected == Some(&check))
}

/// Portuguese NIF: modulo 11; first digits in use.
pub(super) fn pt_nif(value: &str) -> Verdict {
    let Some(d) = digits::<9>(value) else { return Verdict::Fails };
    let check = match 11 - weighted(&d, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11 {
        10 | 11 => 0,
        n => n,
    };
    let known =
        matches!(d[0], 1 | 2 | 3 | 5 | 6 | 8 | 9) || (d[0] == 4 && d[1] == 5) || (d[0] == 7 && d[1] != 3);
    Verdict::from(known && !monotone(&d) && check == i64::from(d[8]))
}

/// Austrian social insurance number: check digit in the fourth place, modulo 11; month 13 to 15 when it ran out.
pub(super) fn at_svnr(value: &str) -> Verdict {
    let Some(d) = digits::<10>(value) else { return Verdict::Fails };
    let month = number(&d[6..8]);
    let dated = (1..=31).contains(&number(&d[4..6])) && matches!(month, 1..=15);
    let sum = weighted(&d, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]);
    Verdict::from(d[0] != 0 && dated && sum % 11 == i64::from(d[3]))
}

/// Swiss AHV number: 756 and the check digit of EAN-13.
pub(super) fn ahv(value: &str) -> Verdict {
    let Some(d) = digits::<13>(value) else { return Verdict::Fails };
    let sum = weighted(&d, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]);
    Verdict::from(d[..3] == [7, 5, 6] && sum % 10 == 0)
}

/// Irish PPS number: seven digits, a letter modulo 23, and since 2013 a second letter that counts nine times.
pub(super) fn pps(value: &str) -> Verdict {
    let value = compact(value);
    let (numbers, letters) = value.split_at(value.len().min(7));
    let Some(d) = numbers.iter().map(|&b| digit(b)).collect::<Option<Vec<u8>>>() else {
        return Verdict::Fails;
    };
    let (check, second) = match letters {
        [check] | [check, b'W' | b'T' | b'X'] => (check, 0),
        [check, second @ b'A'..=b'I'] => (check, i64::from(second - b'A') + 1),
        _ => return Verdict::Fails,
    };
    let sum = weighted(&d, &[8, 7, 6, 5, 4, 3, 2]) + second * 9;
    let expected = b"WABCDEFGHIJKLMNOPQRSTUV".get((sum % 23) as usize);
    Verdict::from(d.len() == 7 && !monotone(&d) && expected == Some(check))
}

/// German pension insurance number: area, birth date (days beyond 31 when one ran out), a letter, a serial, check digit
/// of cross sums (VKVV § 4).
pub(super) fn de_pension(value: &str) -> Verdict {
    let Ok(chars) = <[u8; 12]>::try_from(compact(value)) else { return Verdict::Fails };
    let [head @ .., check] = chars;
    let Some(d) = spelled(&head, 8) else { return Verdict::Fails };
    let dated = (1..=12).contains(&number(&d[4..6])) && matches!(number(&d[2..4]), 1..=31 | 51..=81);
    let sum = cross_sums(&d, &[2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1]);
    Verdict::from(dated && Some(u64::from(sum % 10)) == digit(check).map(u64::from))
}

/// The digits of a number with its one letter, at place `at`, written as two.
fn spelled(chars: &[u8], at: usize) -> Option<Vec<u8>> {
    let mut d = Vec::with_capacity(chars.len() + 1);
    for (i, b) in chars.iter().enumerate() {
        match b {
            b'A'..=b'Z' if i == at => d.extend([(b - b'A' + 1) / 10, (b - b'A' + 1) % 10]),
            _ if i == at => return None,
            _ => d.push(digit(*b)?),
        }
    }
    Some(d)
}

fn cross_sums(digits: &[u8], weights: &[u8]) -> u32 {
    digits.iter().zip(weights).map(|(d, w)| u32::from(d * w / 10 + d * w % 10)).sum()
}

/// German health insurance number: a letter as two digits, weights 1 and 2, cross sums (§ 290 SGB V).
pub(super) fn kvnr(value: &str) -> Verdict {
    let Ok(chars) = <[u8; 10]>::try_from(compact(value)) else { return Verdict::Fails };
    let [head @ .., check] = chars;
    let Some(d) = spelled(&head, 0) else { return Verdict::Fails };
    let sum = cross_sums(&d, &[1, 2, 1, 2, 1, 2, 1, 2, 1, 2]);
    Verdict::from(!monotone(&d[2..]) && Some(u64::from(sum % 10)) == digit(check).map(u64::from))
}

/// UK unique taxpayer reference: the first of ten digits checks the others, modulo 11.
pub(super) fn utr(value: &str) -> Verdict {
    let Some(d) = digits::<10>(value) else { return Verdict::Fails };
    let sum = weighted(&d[1..], &[6, 7, 8, 9, 10, 5, 4, 3, 2]);
    let expected = b"21987654321".get((sum % 11) as usize).map(|b| b - b'0');
    Verdict::from(!monotone(&d) && expected == Some(d[0]))
}

/// French tax number: ten digits, and their remainder modulo 511 in three (DGFiP).
pub(super) fn fr_spi(value: &str) -> Verdict {
    let Some(d) = digits::<13>(value) else { return Verdict::Fails };
    Verdict::from(d[0] <= 3 && number(&d) != 0 && number(&d[..10]) % 511 == number(&d[10..]))
}

/// Luxembourg's identification number: a birth date, a serial, Luhn's digit and Verhoeff's, both over the first eleven.
pub(super) fn lu_matricule(value: &str) -> Verdict {
    let Some(d) = digits::<13>(value) else { return Verdict::Fails };
    let dated = (1850..=2050).contains(&number(&d[..4])) && month_and_day(number(&d[4..6]), number(&d[6..8]));
    let second: Vec<u8> = d[..11].iter().chain(&d[12..]).copied().collect();
    Verdict::from(dated && luhn_holds(&d[..12]) && verhoeff_holds(&second))
}

/// Icelandic kennitala: a date (40 added to the day for companies), modulo 11, the century last.
pub(super) fn kennitala(value: &str) -> Verdict {
    let Some(d) = digits::<10>(value) else { return Verdict::Fails };
    let day = number(&d[..2]);
    let dated = month_and_day(number(&d[2..4]), if day > 40 { day - 40 } else { day });
    let sum = weighted(&d, &[3, 2, 7, 6, 5, 4, 3, 2, 1]);
    Verdict::from(dated && sum % 11 == 0 && matches!(d[9], 0 | 8 | 9))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn united_kingdom_and_ireland() {
        single_digit_errors_are_found("nhs", &["943 476 5919", "4010232137"]);
        for good in ["AB123456C", "jk 12 34 56 a", "AB 12 34 56 D"] {
            assert_eq!(verdict("nino", good), Verdict::Holds, "{good}");
        }
        fail("nino", &["QQ123456C", "GB123456A", "AB123456E", "AO123456A", "AB12345C", "A"]);
        single_digit_errors_are_found("pps", &["1234567T", "1234567FA"]);
        last_character_errors_are_found("pps", &["1234567T"]);
    }

    #[test]
    fn germany_austria_switzerland() {
        // Examples of the Federal Central Tax Office.
        single_digit_errors_are_found("steuer_id", &["86 095 742 719", "47036892816", "65929970489"]);
        fail("steuer_id", &["06095742719", "12345678903"]);
        // The specimen identity card of 2010 and the passport's.
        single_digit_errors_are_found("de_document", &["T220001293", "L01X00T471", "C01X00T478"]);
        assert_eq!(verdict("de_document", "L01X00T47"), Verdict::Unsure);
        fail("de_document", &["LOREMIPSU", "123456789", "L01X00T4"]);
        single_digit_errors_are_found("at_svnr", &["1237 010180"]);
        single_digit_errors_are_found("ahv", &["756.9217.0769.85", "756.1234.5678.97"]);
    }

    #[test]
    fn romance_countries() {
        single_digit_errors_are_found("nir", &["2 55 08 14 168 025 38", "255081416802538"]);
        // 2A counts as 19: 97 - 1510219990111 mod 97 = 42.
        single_digit_errors_are_found("nir", &["1 51 02 2A 990 111 42"]);
        last_character_errors_are_found("dni", &["12345678Z", "X1234567L", "98.786.126-E"]);
        fail("dni", &["00000000T", "1234567Z", "W1234567L"]);
        last_character_errors_are_found("cif", &["A58818501", "P2807900B"]);
        single_digit_errors_are_found("nuss", &["28 12345678 40"]);
        single_digit_errors_are_found("codice_fiscale", &["RSSMRA85T10A562S"]);
        last_character_errors_are_found("codice_fiscale", &["RSSMRA85T10A562S"]);
        fail("codice_fiscale", &["RSSMRA85Z10A562S", "RSSMRA85T10A562"]);
        single_digit_errors_are_found("pt_nif", &["501964843", "123456789"]);
    }

    #[test]
    fn low_countries() {
        single_digit_errors_are_found("bsn", &["111222333", "123456782"]);
        fail("bsn", &["000000000"]);
        single_digit_errors_are_found("be_nrn", &["85.07.30-033 28", "17.07.30-033.84"]);
    }

    #[test]
    fn poland() {
        single_digit_errors_are_found("pesel", &["44051401359", "02070803628"]);
        fail("pesel", &["44951401359", "00000000000"]);
        single_digit_errors_are_found("nip", &["123-456-32-18", "5252248481"]);
        single_digit_errors_are_found("regon", &["123456785"]);
        assert_eq!(verdict("regon", "12345678512347"), Verdict::Holds);
        fail("regon", &["12345678512348", "123456789", "1"]);
        single_digit_errors_are_found("pl_id", &["ABA300000"]);
    }

    #[test]
    fn nordic_countries() {
        single_digit_errors_are_found("personnummer", &["811228-9874", "670919-9530"]);
        assert_eq!(verdict("personnummer", "19811228-9874"), Verdict::Holds);
        fail("personnummer", &["811328-9874", "21811228-9874"]);
        single_digit_errors_are_found("fodselsnummer", &["01010750160"]);
        assert_eq!(verdict("cpr", "070761-4285"), Verdict::Holds);
        assert_eq!(verdict("cpr", "070761-4286"), Verdict::Unsure);
        fail("cpr", &["320761-4285"]);
        single_digit_errors_are_found("hetu", &["131052-308T"]);
        last_character_errors_are_found("hetu", &["131052-308T"]);
    }

    #[test]
    fn insurance_and_tax_numbers() {
        // The example most often given.
        last_character_errors_are_found("de_pension", &["15 070649 C 103"]);
        fail("de_pension", &["15 071349 C 103", "15 070649 9 103", "65 170839 J 00"]);
        last_character_errors_are_found("kvnr", &["A123456780"]);
        fail("kvnr", &["1123456780", "A12345678"]);
        assert_eq!(verdict("utr", "19558 39661"), Verdict::Holds);
        // The first digit checks the others.
        fail("utr", &["2955839661", "9955839661", "0955839661", "1111111111"]);
        single_digit_errors_are_found("fr_spi", &["30 23 217 600 053"]);
        fail("fr_spi", &["0000000000000", "4023217600053"]);
        single_digit_errors_are_found("lu_matricule", &["1893120105732"]);
        assert_eq!(verdict("kennitala", "120174-3399"), Verdict::Holds);
        assert_eq!(verdict("kennitala", "450401-3150"), Verdict::Holds);
        fail("kennitala", &["121374-3399", "120174-3391", "120174-3389", "120174-3499"]);
    }
}

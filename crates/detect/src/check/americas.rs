//! Identity numbers of the Americas.

use super::{Verdict, compact, digit, digits, luhn_holds, monotone, number, weighted};

/// US social security number: area, group and serial that can be issued (SSA, since the randomisation of 2011).
pub(super) fn ssn(value: &str) -> Verdict {
    let Some([a, b, c, d, e, f, g, h, i]) = digits::<9>(value) else { return Verdict::Fails };
    let (area, group, serial) = (number(&[a, b, c]), number(&[d, e]), number(&[f, g, h, i]));
    Verdict::from(!matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0)
}

/// US individual taxpayer identification number: 9xx and a group that the IRS issues.
pub(super) fn itin(value: &str) -> Verdict {
    let Some([a, _, _, d, e, ..]) = digits::<9>(value) else { return Verdict::Fails };
    Verdict::from(a == 9 && matches!(d * 10 + e, 50..=65 | 70..=88 | 90..=92 | 94..=99))
}

/// US employer identification number: a prefix that the IRS has assigned.
pub(super) fn ein(value: &str) -> Verdict {
    let Some([a, b, rest @ ..]) = digits::<9>(value) else { return Verdict::Fails };
    let prefix = matches!(a * 10 + b,
        1..=6 | 10..=16 | 20..=27 | 30..=48 | 50..=68 | 71..=77 | 80..=88 | 90..=95 | 98 | 99);
    Verdict::from(prefix && !monotone(&rest))
}

/// US national provider identifier: Luhn over the number with the prefix 80840 (45 CFR 162.406).
pub(super) fn npi(value: &str) -> Verdict {
    let Some(d) = digits::<10>(value) else { return Verdict::Fails };
    let prefixed: Vec<u8> = [8, 0, 8, 4, 0].into_iter().chain(d).collect();
    Verdict::from(matches!(d[0], 1 | 2) && luhn_holds(&prefixed))
}

/// US Drug Enforcement Administration registration: two letters, six digits, a check digit.
pub(super) fn dea(value: &str) -> Verdict {
    let value = compact(value);
    let [kind, name, rest @ ..] = value.as_slice() else { return Verdict::Fails };
    let Some(numbers) = rest.iter().map(|&b| digit(b)).collect::<Option<Vec<u8>>>() else {
        return Verdict::Fails;
    };
    let [a, b, c, d, e, f, check] = numbers.as_slice() else { return Verdict::Fails };
    let known = b"ABCDEFGHJKLMPRSTUX".contains(kind) && (name.is_ascii_uppercase() || *name == b'9');
    Verdict::from(known && (a + c + e + 2 * (b + d + f)) % 10 == *check)
}

/// Canadian social insurance number: Luhn; 0 and 8 are not issued as a first digit.
pub(super) fn sin(value: &str) -> Verdict {
    Verdict::from(
        digits::<9>(value).is_some_and(|d| !matches!(d[0], 0 | 8) && !monotone(&d) && luhn_holds(&d)),
    )
}

/// Brazilian CPF: two digits modulo 11 (Receita Federal).
pub(super) fn cpf(value: &str) -> Verdict {
    let Some(d) = digits::<11>(value) else { return Verdict::Fails };
    let first = check_11(weighted(&d[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]));
    let second = check_11(weighted(&d[..10], &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]));
    Verdict::from(!monotone(&d) && i64::from(d[9]) == first && i64::from(d[10]) == second)
}

/// Brazilian CNPJ, in digits or in the alphanumeric form of 2026 (IN RFB 2.229/2024: character code minus 48).
pub(super) fn cnpj(value: &str) -> Verdict {
    let value: Vec<u8> = compact(value).into_iter().map(|b| b - b'0').collect();
    let Ok(d) = <[u8; 14]>::try_from(value) else { return Verdict::Fails };
    let first = check_11(weighted(&d[..12], &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]));
    let second = check_11(weighted(&d[..13], &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]));
    Verdict::from(!monotone(&d) && i64::from(d[12]) == first && i64::from(d[13]) == second)
}

fn check_11(sum: i64) -> i64 {
    match sum % 11 {
        0 | 1 => 0,
        r => 11 - r,
    }
}

/// Mexican CURP: birth date in its place and the check digit (RENAPO).
pub(super) fn curp(value: &str) -> Verdict {
    const ORDER: &str = "0123456789ABCDEFGHIJKLMN?OPQRSTUVWXYZ";
    let value = compact(value);
    let Ok(chars) = <[u8; 18]>::try_from(value) else { return Verdict::Fails };
    let Some(date) = chars[4..10].iter().map(|&b| digit(b)).collect::<Option<Vec<u8>>>() else {
        return Verdict::Fails;
    };
    if !super::dates::month_and_day(number(&date[2..4]), number(&date[4..6])) || !b"HMX".contains(&chars[10])
    {
        return Verdict::Fails;
    }
    let sum: usize = chars[..17]
        .iter()
        .enumerate()
        .map(|(i, &b)| ORDER.bytes().position(|o| o == b).unwrap_or_default() * (18 - i))
        .sum();
    Verdict::from(digit(chars[17]).is_some_and(|check| (10 - sum % 10) % 10 == usize::from(check)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn united_states() {
        for good in ["123-45-6789", "219 09 9999", "899010001"] {
            assert_eq!(verdict("ssn", good), Verdict::Holds, "{good}");
        }
        fail(
            "ssn",
            &["000-12-3456", "666-12-3456", "900-12-3456", "123-00-6789", "123-45-0000", "12-345-678"],
        );
        for good in ["912-70-1234", "900-50-1234", "999 99 9999"] {
            assert_eq!(verdict("itin", good), Verdict::Holds, "{good}");
        }
        fail("itin", &["912-89-1234", "812-70-1234", "912-93-1234", "912-66-1234"]);
        assert_eq!(verdict("ein", "12-3456789"), Verdict::Holds);
        fail("ein", &["07-3456789", "00-1234567", "12-0000000"]);
        single_digit_errors_are_found("npi", &["1234567893", "1245319599"]);
        last_character_errors_are_found("dea", &["AB1234563", "F91234563"]);
        fail("dea", &["NB1234563", "AB123456"]);
    }

    #[test]
    fn other_countries() {
        single_digit_errors_are_found("sin", &["130 692 544", "193-456-787"]);
        fail("sin", &["046 454 286", "800000002", "111111111"]);
        single_digit_errors_are_found("cpf", &["529.982.247-25", "11144477735"]);
        fail("cpf", &["111.111.111-11"]);
        single_digit_errors_are_found("cnpj", &["11.222.333/0001-81", "00.000.000/0001-91"]);
        // The vector of the technical note on the alphanumeric form.
        single_digit_errors_are_found("cnpj", &["12.ABC.345/01DE-35"]);
        last_character_errors_are_found("curp", &["HEGG560427MVZRRL04"]);
        fail("curp", &["HEGG561327MVZRRL04"]);
    }
}

//! Things with a number of their own: vehicles, handsets, telephone lines.

use super::{Verdict, all_digits, compact, digits, luhn_holds, monotone};

/// Vehicle identification number (ISO 3779): 17 characters without I, O, Q. North American ones (49 CFR 565) carry a
/// check digit in the ninth place and must have it right; elsewhere a wrong one proves nothing.
pub(super) fn vin(value: &str) -> Verdict {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let Ok(chars) = <[u8; 17]>::try_from(compact(value)) else { return Verdict::Fails };
    let letters = chars.iter().filter(|b| b.is_ascii_uppercase()).count();
    let mut sum = 0;
    for (&b, weight) in chars.iter().zip(WEIGHTS) {
        let Some(n) = vin_value(b) else { return Verdict::Fails };
        sum += n * weight;
    }
    let expected = match sum % 11 {
        10 => b'X',
        r => b'0' + r as u8,
    };
    match chars {
        // A serial number or a word of one kind of character is no vehicle.
        _ if letters == 0 || letters == 17 => Verdict::Fails,
        _ if chars[8] == expected => Verdict::Holds,
        [b'1'..=b'5', ..] => Verdict::Fails,
        _ => Verdict::Unsure,
    }
}

fn vin_value(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'0'..=b'9' => byte - b'0',
        b'A'..=b'H' => byte - b'A' + 1,
        b'J'..=b'N' => byte - b'J' + 1,
        b'P' => 7,
        b'R' => 9,
        b'S'..=b'Z' => byte - b'S' + 2,
        _ => return None,
    }))
}

/// International mobile equipment identity (3GPP TS 23.003): 15 digits, Luhn.
pub(super) fn imei(value: &str) -> Verdict {
    Verdict::from(digits::<15>(value).is_some_and(|d| !monotone(&d) && luhn_holds(&d)))
}

/// A telephone number's count of digits (ITU-T E.164: at most 15 with the country code) and not one digit repeated.
pub(super) fn phone(value: &str) -> Verdict {
    let subscriber = value.split(['x', 'X', 'e', 'E']).next().unwrap_or(value);
    let Some(d) = all_digits(subscriber) else { return Verdict::Fails };
    Verdict::from((6..=17).contains(&d.len()) && !monotone(&d))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn vehicles() {
        // 49 CFR 565.15 and the well-known test number.
        single_digit_errors_are_found("vin", &["1M8GDM9AXKP042788"]);
        assert_eq!(verdict("vin", "WVWZZZ1JZXW000001"), Verdict::Unsure);
        fail("vin", &["1M8GDM9AXKP04278", "1M8GDM9AXKPO42788", "11111111111111111", "1M8GDM9A1KP042788"]);
    }

    #[test]
    fn handsets_and_lines() {
        single_digit_errors_are_found("imei", &["490154203237518", "35-209900-176148-1"]);
        assert_eq!(verdict("phone", "+1 (212) 389-4515 x12345"), Verdict::Holds);
        assert_eq!(verdict("phone", "030 901820"), Verdict::Holds);
        fail("phone", &["000-000-0000", "12345", "123456789012345678"]);
    }
}

//! Payment: cards, bank accounts, wallets.

use super::keccak::keccak256;
use super::{Verdict, all_digits, compact, digits, luhn_holds, monotone, weighted};
use aws_lc_rs::digest::{SHA256, digest};

/// ISO/IEC 7812-1 check digit over any count of digits from 2.
pub(super) fn luhn(value: &str) -> Verdict {
    Verdict::from(all_digits(value).is_some_and(|d| d.len() > 1 && !monotone(&d) && luhn_holds(&d)))
}

/// Payment card: a known issuer range (ISO/IEC 7812-1, the schemes' published ranges), a length this issuer uses,
/// and the check digit. With the check digit alone it stays unsure: issuers appear before lists know them.
pub(super) fn card(value: &str) -> Verdict {
    let Some(digits) = all_digits(value).filter(|d| (12..=19).contains(&d.len())) else {
        return Verdict::Fails;
    };
    if monotone(&digits) || !luhn_holds(&digits) || !grouped_as_one(value) {
        return Verdict::Fails;
    }
    if issuer_takes(&digits) { Verdict::Holds } else { Verdict::Unsure }
}

/// Written as one number: in at most six groups, or in groups of one size, none of them long. A list of small numbers
/// is not, nor is a decimal fraction.
fn grouped_as_one(value: &str) -> bool {
    let groups = || value.split(|c: char| !c.is_ascii_digit()).filter(|g| !g.is_empty());
    let size = groups().next().map_or(0, str::len);
    let count = groups().count();
    if count > 1 && groups().any(|g| g.len() > 10) {
        return false;
    }
    count <= 6 || groups().take(count - 1).all(|g| g.len() == size)
}

/// Magnetic stripe data (ISO/IEC 7813): the card number in it has a right check digit. Otherwise unsure: the form is
/// telling enough.
pub(super) fn card_track(value: &str) -> Verdict {
    let start = value.trim_start_matches(|c: char| !c.is_ascii_digit());
    let number = start.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    if luhn(number) == Verdict::Holds { Verdict::Holds } else { Verdict::Unsure }
}

fn issuer_takes(digits: &[u8]) -> bool {
    let length = digits.len();
    let head = digits.iter().take(6).fold(0, |n, &d| n * 10 + u32::from(d));
    match head {
        // JCB's ranges of fifteen digits
        180_000..=180_099 | 213_100..=213_199 => length == 15,
        // Visa
        400_000..=499_999 => matches!(length, 13 | 16 | 18 | 19),
        // Mastercard, with the 2-series of 2017
        510_000..=559_999 | 222_100..=272_099 => length == 16,
        // American Express
        340_000..=349_999 | 370_000..=379_999 => length == 15,
        // Diners Club
        300_000..=305_999 | 309_500..=309_599 | 360_000..=369_999 | 380_000..=399_999 => {
            matches!(length, 14 | 16..=19)
        }
        // JCB
        352_800..=358_999 => matches!(length, 16..=19),
        // Mir
        220_000..=220_499 => matches!(length, 16..=19),
        // Discover, UnionPay and Maestro share the sixes. Maestro may have 12 to 19 digits, but what it does not use
        // much looks like other numbers.
        600_000..=699_999 | 500_000..=509_999 | 560_000..=589_999 => matches!(length, 16 | 18 | 19),
        // UnionPay and RuPay
        810_000..=829_999 => matches!(length, 16..=19),
        // Troy
        979_200..=979_289 => length == 16,
        _ => false,
    }
}

/// ISO 13616 IBAN: length of the country and ISO/IEC 7064 MOD 97-10. A country outside the registry: unsure.
pub(super) fn iban(value: &str) -> Verdict {
    let value = compact(value);
    let [c1, c2, k1, k2, rest @ ..] = value.as_slice() else { return Verdict::Fails };
    if !(c1.is_ascii_uppercase() && c2.is_ascii_uppercase() && k1.is_ascii_digit() && k2.is_ascii_digit()) {
        return Verdict::Fails;
    }
    let country = [*c1, *c2];
    let known = IBAN_LENGTHS.iter().find(|(code, _)| **code == country);
    if known.is_some_and(|(_, length)| *length != value.len()) || !(15..=34).contains(&value.len()) {
        return Verdict::Fails;
    }
    let moved = rest.iter().chain([c1, c2, k1, k2]);
    let remainder = moved.fold(0_u32, |r, &b| match b {
        b'0'..=b'9' => (r * 10 + u32::from(b - b'0')) % 97,
        _ => (r * 100 + u32::from(b - b'A') + 10) % 97,
    });
    match (remainder == 1, known) {
        (false, _) => Verdict::Fails,
        (true, Some(_)) => Verdict::Holds,
        (true, None) => Verdict::Unsure,
    }
}

/// ISO 13616 registry (SWIFT, release 99): country and length of its IBAN.
const IBAN_LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// ISO 9362 BIC: four letters, a country of ISO 3166-1, two more, and a branch of three or none.
pub(super) fn bic(value: &str) -> Verdict {
    let value = compact(value);
    let ([a, b, c, d, c1, c2, _, _] | [a, b, c, d, c1, c2, _, _, _, _, _]) = value.as_slice() else {
        return Verdict::Fails;
    };
    let letters = [a, b, c, d].into_iter().all(u8::is_ascii_uppercase);
    Verdict::from(
        letters
            && COUNTRIES.as_bytes().chunks(3).any(|code| matches!(code, [x, y, ..] if x == c1 && y == c2)),
    )
}

/// ISO 3166-1 alpha-2, and XK as used by SWIFT.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS \
    BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ \
    FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT \
    JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP \
    MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE \
    RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV \
    TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW ";

/// ABA routing transit number: Federal Reserve prefix and the 3-7-1 check digit.
pub(super) fn aba(value: &str) -> Verdict {
    let Some(d) = digits::<9>(value) else { return Verdict::Fails };
    let prefix = d[0] * 10 + d[1];
    let known = matches!(prefix, 0..=12 | 21..=32 | 61..=72 | 80);
    Verdict::from(known && !monotone(&d) && weighted(&d, &[3, 7, 1, 3, 7, 1, 3, 7, 1]) % 10 == 0)
}

/// UK sort code: six digits, not all the same. There is no check digit without the account's.
pub(super) fn sort_code(value: &str) -> Verdict {
    Verdict::from(digits::<6>(value).is_some_and(|d| !monotone(&d)))
}

/// Bitcoin main net address: base58check of version 0 or 5, or bech32 (BIP 173) and bech32m (BIP 350) under `bc`.
pub(super) fn btc(value: &str) -> Verdict {
    let is_segwit = value.get(..3).is_some_and(|head| head.eq_ignore_ascii_case("bc1"));
    Verdict::from(if is_segwit { segwit_holds(value) } else { base58check_holds(value) })
}

fn base58check_holds(value: &str) -> bool {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut payload = [0_u8; 25];
    for byte in value.bytes() {
        let Some(position) = ALPHABET.iter().position(|&a| a == byte) else { return false };
        let mut carry = position as u32;
        for place in payload.iter_mut().rev() {
            carry += u32::from(*place) * 58;
            *place = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry != 0 {
            return false;
        }
    }
    let ones = value.bytes().take_while(|&b| b == b'1').count();
    let zeros = payload.iter().take_while(|&&b| b == 0).count();
    let (body, checksum) = payload.split_at(21);
    let hash = digest(&SHA256, digest(&SHA256, body).as_ref());
    ones == zeros && matches!(body.first(), Some(0 | 5)) && hash.as_ref().starts_with(checksum)
}

fn segwit_holds(value: &str) -> bool {
    const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    if value.bytes().any(|b| b.is_ascii_lowercase()) && value.bytes().any(|b| b.is_ascii_uppercase()) {
        return false;
    }
    let mut data = Vec::with_capacity(value.len());
    for byte in value.bytes().skip(3) {
        let byte = byte.to_ascii_lowercase();
        let Some(position) = ALPHABET.iter().position(|&a| a == byte) else { return false };
        data.push(position as u8);
    }
    // A version, then a program of 2 to 40 bytes in groups of five bits, then six groups of checksum.
    let Some(version) = data.first() else { return false };
    if !(11..=71).contains(&data.len()) {
        return false;
    }
    let expanded_prefix = [3, 3, 0, 2, 3];
    let checksum = expanded_prefix.iter().chain(&data).fold(1_u32, |sum, &group| {
        const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
        let top = sum >> 25;
        let shifted = ((sum & 0x01ff_ffff) << 5) ^ u32::from(group);
        GENERATOR.iter().enumerate().fold(shifted, |s, (i, g)| if top >> i & 1 == 1 { s ^ g } else { s })
    });
    match version {
        0 => checksum == 1 && matches!(data.len(), 39 | 59),
        1..=16 => checksum == 0x2bc8_30a3,
        _ => false,
    }
}

/// Ethereum address: in mixed case the EIP-55 checksum decides, in one case there is none.
pub(super) fn eth(value: &str) -> Verdict {
    let Some(address) =
        value.strip_prefix("0x").filter(|a| a.len() == 40 && a.bytes().all(|b| b.is_ascii_hexdigit()))
    else {
        return Verdict::Fails;
    };
    let has = |class: fn(&u8) -> bool| address.bytes().any(|b| class(&b));
    if !(has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)) {
        return Verdict::Unsure;
    }
    let Some(hash) = keccak256(address.to_ascii_lowercase().as_bytes()) else { return Verdict::Fails };
    let nibbles = hash.iter().flat_map(|b| [b >> 4, b & 0xf]);
    Verdict::from(
        address.bytes().zip(nibbles).all(|(b, n)| b.is_ascii_digit() || b.is_ascii_uppercase() == (n >= 8)),
    )
}

/// Polish account number without its country (NRB): 26 digits that are an IBAN once `PL` stands before them.
pub(super) fn nrb(value: &str) -> Verdict {
    match digits::<26>(value) {
        Some(d) if !monotone(&d[2..]) => iban(&format!("PL{}", value.trim())),
        _ => Verdict::Fails,
    }
}

/// Mexican account number (CLABE): weights 3-7-1 modulo 10 over eighteen digits (Banxico).
pub(super) fn clabe(value: &str) -> Verdict {
    let Some(d) = digits::<18>(value) else { return Verdict::Fails };
    let weights = [3, 7, 1].into_iter().cycle();
    let sum: u32 = d.iter().zip(weights).take(17).map(|(&d, w)| u32::from(d) * w % 10).sum();
    Verdict::from(!monotone(&d) && (10 - sum % 10) % 10 == u32::from(d[17]))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn cards() {
        // Test numbers published by the schemes and payment processors.
        single_digit_errors_are_found(
            "card",
            &[
                "4111 1111 1111 1111",
                "4012888888881881",
                "4222222222222",
                "5555-5555-5555-4444",
                "2223000048400011",
                "378282246310005",
                "6011 1111 1111 1117",
                "30569309025904",
                "3530111333300000",
                "6200000000000005",
                "6759649826438453",
                "2200 0000 0000 0004",
            ],
        );
        assert_eq!(verdict("card", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"), Verdict::Holds);
        fail("card", &["41 11 1 1 11 11 11 1 1 1 1", "4.111111111111111"]);
        // Right check digit, but no issuer or another length.
        for other in ["1234567890123452", "41111111111114"] {
            assert_eq!(verdict("card", other), Verdict::Unsure, "{other}");
        }
        fail("card", &["41111111111111", "0000 0000 0000 0000", "79927398713", "1234567890123456"]);
        single_digit_errors_are_found("luhn", &["79927398713"]);
        assert_eq!(verdict("card_track", ";4111111111111111=27121010000000000?"), Verdict::Holds);
        assert_eq!(verdict("card_track", "%B4111111111111112^DOE/JOHN^2712101?"), Verdict::Unsure);
    }

    #[test]
    fn ibans() {
        // Examples of the ISO 13616 registry.
        single_digit_errors_are_found(
            "iban",
            &[
                "GB82 WEST 1234 5698 7654 32",
                "DE89370400440532013000",
                "FR1420041010050500013M02606",
                "NO9386011117947",
                "MT84MALT011000012345MTLCAST001S",
                "nl91 abna 0417 1643 00",
                "CH9300762011623852957",
                "PL61109010140000071219812874",
                "BR1800360305000010009795493C1",
                "LC55HEMM000100010012001200023015",
                "AT611904300234573201",
                "BE68539007547034",
                "ES9121000418450200051332",
                "IT60X0542811101000000123456",
            ],
        );
        fail("iban", &["GB82 WEST 1234 5698 7654 3", "DE8937040044053201300", "1234", ""]);
    }

    #[test]
    fn routing() {
        single_digit_errors_are_found("aba", &["021000021", "011401533", "091000019", "122105155"]);
        fail("aba", &["000000000", "991000019", "12345"]);
        assert_eq!(verdict("sort_code", "12-34-56"), Verdict::Holds);
        fail("sort_code", &["00-00-00", "12-34-5"]);
        for good in ["DEUTDEFF", "deutdeff500", "NEDSZAJJXXX", "BOFAUS3N"] {
            assert_eq!(verdict("bic", good), Verdict::Holds, "{good}");
        }
        fail("bic", &["BLACKFRIDAY69", "WELCOMEE10", "DEUTZZFF", "DEU1DEFF"]);
    }

    #[test]
    fn wallets() {
        // The genesis address, BIP 13, and the vectors of BIP 173 and BIP 350.
        last_character_errors_are_found(
            "btc",
            &[
                "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
                "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
                "3P14159f73E4gFr7JterCCQh9QjiTjiZrG",
                "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
                "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            ],
        );
        fail(
            "btc",
            &["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kV8f3t4", "1", "", "2A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"],
        );
        // EIP-55.
        for good in
            ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"]
        {
            assert_eq!(verdict("eth", good), Verdict::Holds, "{good}");
        }
        assert_eq!(verdict("eth", "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"), Verdict::Unsure);
        fail(
            "eth",
            &[
                "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed",
                "0x12",
                "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            ],
        );
    }

    #[test]
    fn accounts_of_poland_and_mexico() {
        // The IBAN of the registry, without its country.
        single_digit_errors_are_found("nrb", &["61 1090 1014 0000 0712 1981 2874"]);
        fail("nrb", &["61109010140000071219812875", "61 1090 1014"]);
        // Banxico's own example.
        single_digit_errors_are_found("clabe", &["032180000118359719"]);
        fail("clabe", &["03218000011835971", "000000000000000000"]);
    }
}

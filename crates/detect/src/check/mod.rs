//! Checks: pure functions that say whether a matched value can be what its shape claims.
//!
//! Purpose: check digits, issuer ranges, calendar dates and syntax that a regular expression cannot hold.
//! A rule file names a check (`check = "iban"`); [`lookup`] finds it. A check gets the matched value as written,
//! separators included, and decides by itself what it ignores. Nothing here looks at the text around the value, keeps
//! state or can fail; speed matters little, because only candidates get here.
//!
//! Limit: a check that holds does not prove that the number was ever issued.

mod americas;
mod asia_pacific;
mod dates;
mod devices;
mod europe;
mod europe_east;
mod keccak;
mod latin_america;
mod network;
mod payment;
mod secrets;
mod words;

/// What a check says about a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The value is well-formed and its check digits are right.
    Holds,
    /// The value cannot be what it looks like.
    Fails,
    /// The check has nothing to say (no check digit in this scheme or country): neither raises nor drops.
    Unsure,
}

/// A check: the matched value, as written, to a verdict.
pub type Check = fn(&str) -> Verdict;

/// Finds a check by the name used in rule files.
pub fn lookup(name: &str) -> Option<Check> {
    TABLE.iter().find(|(known, _)| *known == name).map(|(_, check)| *check)
}

/// The names of all checks, for messages about a rule file that names none of them.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

const TABLE: &[(&str, Check)] = &[
    ("aadhaar", asia_pacific::aadhaar),
    ("aba", payment::aba),
    ("abn", asia_pacific::abn),
    ("adoazonosito", europe_east::adoazonosito),
    ("afm", europe_east::afm),
    ("ahv", europe::ahv),
    ("amka", europe_east::amka),
    ("at_svnr", europe::at_svnr),
    ("be_nrn", europe::be_nrn),
    ("bic", payment::bic),
    ("birth_date", dates::birth_date),
    ("bsn", europe::bsn),
    ("btc", payment::btc),
    ("card", payment::card),
    ("card_expiry", dates::card_expiry),
    ("card_track", payment::card_track),
    ("cif", europe::cif),
    ("clabe", payment::clabe),
    ("cn_id", asia_pacific::cn_id),
    ("cnp", europe_east::cnp),
    ("cnpj", americas::cnpj),
    ("codice_fiscale", europe::codice_fiscale),
    ("cpf", americas::cpf),
    ("cpr", europe::cpr),
    ("cuit", latin_america::cuit),
    ("curp", americas::curp),
    ("cy_tic", europe_east::cy_tic),
    ("de_document", europe::de_document),
    ("de_pension", europe::de_pension),
    ("dea", americas::dea),
    ("dni", europe::dni),
    ("do_cedula", latin_america::do_cedula),
    ("ec_ci", latin_america::ec_ci),
    ("egn", europe_east::egn),
    ("ein", americas::ein),
    ("emirates_id", asia_pacific::emirates_id),
    ("emso", europe_east::emso),
    ("entropy", secrets::entropy),
    ("eth", payment::eth),
    ("fodselsnummer", europe::fodselsnummer),
    ("fr_spi", europe::fr_spi),
    ("gstin", asia_pacific::gstin),
    ("hetu", europe::hetu),
    ("hk_id", asia_pacific::hk_id),
    ("iban", payment::iban),
    ("id_like", words::id_like),
    ("il_id", asia_pacific::il_id),
    ("imei", devices::imei),
    ("inn", europe_east::inn),
    ("ipv4", network::ipv4),
    ("ipv6", network::ipv6),
    ("ird", asia_pacific::ird),
    ("isikukood", europe_east::isikukood),
    ("itin", americas::itin),
    ("jwt", secrets::jwt),
    ("kennitala", europe::kennitala),
    ("kvnr", europe::kvnr),
    ("lu_matricule", europe::lu_matricule),
    ("luhn", payment::luhn),
    ("medicare_au", asia_pacific::medicare_au),
    ("my_number", asia_pacific::my_number),
    ("mykad", asia_pacific::mykad),
    ("nhi", asia_pacific::nhi),
    ("nhs", europe::nhs),
    ("nik", asia_pacific::nik),
    ("nino", europe::nino),
    ("nip", europe::nip),
    ("nir", europe::nir),
    ("nit", latin_america::nit),
    ("npi", americas::npi),
    ("nrb", payment::nrb),
    ("nric", asia_pacific::nric),
    ("nuss", europe::nuss),
    ("oib", europe_east::oib),
    ("pan_in", asia_pacific::pan_in),
    ("password", secrets::password),
    ("person_name", words::person_name),
    ("personas_kods", europe_east::personas_kods),
    ("personnummer", europe::personnummer),
    ("pesel", europe::pesel),
    ("phone", devices::phone),
    ("pis", latin_america::pis),
    ("pl_id", europe::pl_id),
    ("pps", europe::pps),
    ("pt_nif", europe::pt_nif),
    ("regon", europe::regon),
    ("rfc", latin_america::rfc),
    ("rnokpp", europe_east::rnokpp),
    ("rodne_cislo", europe_east::rodne_cislo),
    ("rrn", asia_pacific::rrn),
    ("ruc", latin_america::ruc),
    ("rut", latin_america::rut),
    ("sa_id", asia_pacific::sa_id),
    ("sin", americas::sin),
    ("snils", europe_east::snils),
    ("sort_code", payment::sort_code),
    ("ssn", americas::ssn),
    ("steuer_id", europe::steuer_id),
    ("taj", europe_east::taj),
    ("tckn", asia_pacific::tckn),
    ("tfn", asia_pacific::tfn),
    ("th_id", asia_pacific::th_id),
    ("tld", network::tld),
    ("tw_id", asia_pacific::tw_id),
    ("user_name", words::user_name),
    ("utr", europe::utr),
    ("uy_ci", latin_america::uy_ci),
    ("vin", devices::vin),
    ("za_id", asia_pacific::za_id),
];

impl From<bool> for Verdict {
    fn from(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }
}

/// Exactly `N` digits, whatever separators stand between them; `None` for another count or a letter.
fn digits<const N: usize>(value: &str) -> Option<[u8; N]> {
    // Without a list on the heap: this is asked many times for every number in a text.
    let (mut all, mut count) = ([0; N], 0);
    for b in value.bytes() {
        if let Some(d) = digit(b) {
            *all.get_mut(count)? = d;
            count += 1;
        } else if b.is_ascii_alphabetic() || !b.is_ascii() {
            return None;
        }
    }
    (count == N).then_some(all)
}

/// All digits as numbers, separators left out; `None` if a letter stands among them.
fn all_digits(value: &str) -> Option<Vec<u8>> {
    if value.bytes().any(|b| b.is_ascii_alphabetic() || !b.is_ascii()) {
        return None;
    }
    // Room at once: this is asked for every number in a text.
    let mut digits = Vec::with_capacity(value.len());
    digits.extend(value.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0'));
    Some(digits)
}

/// Letters and digits in upper case, separators left out.
fn compact(value: &str) -> Vec<u8> {
    value.bytes().filter(u8::is_ascii_alphanumeric).map(|b| b.to_ascii_uppercase()).collect()
}

/// The digit that an ASCII byte writes.
fn digit(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| byte - b'0')
}

/// Sum of digit times weight, as far as the shorter of the two goes.
fn weighted(digits: &[u8], weights: &[i64]) -> i64 {
    digits.iter().zip(weights).map(|(&d, &w)| i64::from(d) * w).sum()
}

/// A number out of decimal digits; more than 19 of them stay at the largest one.
fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0_u64, |n, &d| n.saturating_mul(10).saturating_add(u64::from(d)))
}

/// All digits are the same: never issued in any scheme, common as a stand-in.
fn monotone(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| matches!(pair, [a, b] if a == b))
}

/// ISO/IEC 7812-1 annex B ("Luhn"): double every second digit from the right but one, the sum ends in 0.
fn luhn_holds(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, &d)| {
            let d = u32::from(d);
            match (i % 2, d * 2) {
                (0, _) => d,
                (_, twice) if twice > 9 => twice - 9,
                (_, twice) => twice,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// What the tests of all checks share.
#[cfg(test)]
mod testing {
    use super::{Verdict, lookup};

    /// The check of that name on a value.
    pub(super) fn verdict(name: &str, value: &str) -> Verdict {
        lookup(name).unwrap()(value)
    }

    /// Every one of `values` holds, and changing any single digit of it to any other digit never holds.
    pub(super) fn single_digit_errors_are_found(name: &str, values: &[&str]) {
        for value in values {
            assert_eq!(verdict(name, value), Verdict::Holds, "{name} {value}");
            for (at, byte) in value.bytes().enumerate().filter(|(_, b)| b.is_ascii_digit()) {
                for other in (b'0'..=b'9').filter(|o| *o != byte) {
                    let mut broken = value.as_bytes().to_vec();
                    broken[at] = other;
                    let broken = String::from_utf8(broken).unwrap();
                    assert_ne!(verdict(name, &broken), Verdict::Holds, "{name} {broken} (was {value})");
                }
            }
        }
    }

    /// Every one of `values` holds, and changing its last digit or letter in turn is found.
    pub(super) fn last_character_errors_are_found(name: &str, values: &[&str]) {
        for value in values {
            assert_eq!(verdict(name, value), Verdict::Holds, "{name} {value}");
            let (head, last) = value.split_at(value.len() - 1);
            let others = if last.as_bytes()[0].is_ascii_digit() { b'0'..=b'9' } else { b'A'..=b'Z' };
            for other in others.map(char::from).filter(|o| !last.eq_ignore_ascii_case(&o.to_string())) {
                assert_ne!(verdict(name, &format!("{head}{other}")), Verdict::Holds, "{name} {head}{other}");
            }
        }
    }

    pub(super) fn fail(name: &str, values: &[&str]) {
        for value in values {
            assert_eq!(verdict(name, value), Verdict::Fails, "{name} {value}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_table_is_sorted_and_names_are_unique() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(lookup("iban").is_some());
        assert!(lookup("nothing").is_none());
    }

    proptest! {
        /// No check panics or depends on anything but its argument, whatever text it gets.
        #[test]
        fn any_text_is_survived(text in ".{0,60}") {
            for (_, check) in TABLE {
                prop_assert_eq!(check(&text), check(&text));
            }
        }

        /// Numbers of every length are survived too (random text rarely gets past the first test of a check).
        #[test]
        fn any_number_is_survived(text in "[A-Z0-9]{0,3}[0-9 ./-]{0,40}[A-Za-z0-9]{0,3}") {
            for (_, check) in TABLE {
                check(&text);
            }
        }
    }
}

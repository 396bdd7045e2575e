//! The EICAR test file, which every scanner finds (<https://www.eicar.org/download-anti-malware-testfile/>).
//!
//! The string itself stands nowhere in this repository or in the program, or scanners would take us for it: only its hash does.

use sha2::{Digest as _, Sha256};

/// Its length in bytes.
const LEN: usize = 68;
/// Most that a test file may be, with the white space that may follow.
const FILE_MAX: usize = 128;
/// How far into the string [`ANCHOR`] stands.
const ANCHOR_AT: usize = 28;
const ANCHOR: &[u8] = b"EICAR-";
/// Places that are tried in one file.
const TRIES: usize = 10_000;

/// SHA-256 of the string.
const HASH: [u8; 32] = [
    0x27, 0x5a, 0x02, 0x1b, 0xbf, 0xb6, 0x48, 0x9e, 0x54, 0xd4, 0x71, 0x89, 0x9f, 0x7d, 0xb9, 0xd1, 0x66,
    0x3f, 0xc6, 0x95, 0xec, 0x2f, 0xe2, 0xa2, 0xc4, 0x53, 0x8a, 0xab, 0xf6, 0x51, 0xfd, 0x0f,
];

/// Whether these bytes are the test file: its string, then nothing but white space, at most 128 bytes together.
pub(crate) fn is_test_file(bytes: &[u8]) -> bool {
    let Some((head, rest)) = bytes.split_at_checked(LEN) else { return false };
    let white = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x1a);
    bytes.len() <= FILE_MAX && rest.iter().all(white) && is_string(head)
}

/// Whether the string stands anywhere in these bytes.
pub(crate) fn is_quoted(bytes: &[u8]) -> bool {
    memchr::memmem::find_iter(bytes, ANCHOR).take(TRIES).any(|anchor| {
        let from = anchor.checked_sub(ANCHOR_AT);
        from.and_then(|from| bytes.get(from..from + LEN)).is_some_and(is_string)
    })
}

fn is_string(bytes: &[u8]) -> bool {
    Sha256::digest(bytes).as_slice() == HASH
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Put together where it is needed, so that it stands in no file of ours.
    pub(crate) fn string() -> Vec<u8> {
        ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR", "-STANDARD", "-ANTIVIRUS", "-TEST-FILE!", "$H+H*"]
            .concat()
            .into_bytes()
    }

    #[test]
    fn the_rules_of_the_test_file_are_kept_to_the_byte() {
        let string = string();
        assert_eq!(string.len(), LEN);
        assert!(is_test_file(&string));
        let with = |tail: &[u8]| [string.as_slice(), tail].concat();
        assert!(is_test_file(&with(b"\r\n \t\x1a")));
        assert!(is_test_file(&with(&[b' '; 60])));
        assert!(!is_test_file(&with(&[b' '; 61])));
        assert!(!is_test_file(&with(b"x")));
        assert!(!is_test_file(&[b" ", string.as_slice()].concat()));
        assert!(!is_test_file(&string[..67]));
        assert!(!is_test_file(b""));
        let mut other = string.clone();
        other[10] ^= 1;
        assert!(!is_test_file(&other));
        assert!(is_quoted(&[b"before ", string.as_slice(), b" after"].concat()));
        assert!(!is_quoted(&other) && !is_quoted(b"EICAR-") && !is_quoted(&string[1..]));
    }
}

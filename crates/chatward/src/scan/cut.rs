//! Cutting an input into batches that can be looked at on their own, within bounded memory.
//!
//! Where the cuts lie depends on the bytes alone, never on how they arrived or on the number of workers.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memmem, memrchr};

use super::InputFormat;

/// A batch is read up to this size before it is cut: large enough to make hand-overs cheap, small enough to stay in cache.
pub(super) const TARGET: usize = 128 * 1024;
/// A JSONL line or CSV record above this size is refused (reported, skipped), so that memory stays bounded.
pub(super) const LINE_MAX: usize = 4 * 1024 * 1024;
/// A text without any blank line is cut at a line end after this many bytes.
const BLOCK_MAX: usize = 1024 * 1024;
/// How far back an open private key keeps a text from being cut.
const KEY_REACH: usize = 64 * 1024;

/// One cut of an input: where it starts, and how far into the buffer it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// Number of the first line (of the first record, for CSV), counted from 1.
    pub(super) line: u64,
    /// Offset of the first byte in the input.
    pub(super) byte: u64,
    /// Whether this was the last one.
    pub(super) last: bool,
    /// A line or record that was left out because it is longer than [`LINE_MAX`]: its number.
    pub(super) overlong: Option<u64>,
}

/// Cuts one input.
pub(super) struct Cutter {
    input: Box<dyn Read + Send>,
    format: InputFormat,
    delimiter: u8,
    /// What was read beyond the last cut.
    carry: Vec<u8>,
    line: u64,
    byte: u64,
}

impl Cutter {
    pub(super) fn new(input: Box<dyn Read + Send>, format: InputFormat, delimiter: u8) -> Self {
        Self { input, format, delimiter, carry: Vec::with_capacity(TARGET), line: 1, byte: 0 }
    }

    /// Fills `data` with the next piece.
    pub(super) fn next(&mut self, data: &mut Vec<u8>) -> io::Result<Piece> {
        data.clear();
        data.append(&mut self.carry);
        let mut wanted = TARGET;
        loop {
            let ended = self.fill(data, wanted)?;
            let (cut, units) = self.cut(data, ended);
            if cut > 0 || ended {
                self.carry.extend_from_slice(data.get(cut..).unwrap_or_default());
                data.truncate(cut);
                let piece = Piece { line: self.line, byte: self.byte, last: ended, overlong: None };
                self.line += units;
                self.byte += cut as u64;
                return Ok(piece);
            }
            if wanted >= LINE_MAX {
                return self.skip_overlong(data);
            }
            wanted *= 2;
        }
    }

    /// Reads until `data` holds `wanted` bytes. Whether the input ended.
    fn fill(&mut self, data: &mut Vec<u8>, wanted: usize) -> io::Result<bool> {
        let missing = wanted.saturating_sub(data.len());
        if missing == 0 {
            return Ok(false);
        }
        let read = self.input.by_ref().take(missing as u64).read_to_end(data)?;
        Ok(read < missing)
    }

    /// How many bytes make whole units, and how many lines or records these are.
    fn cut(&self, data: &[u8], ended: bool) -> (usize, u64) {
        let lines = |cut: usize| memchr_iter(b'\n', data.get(..cut).unwrap_or_default()).count() as u64;
        let cut = match self.format {
            InputFormat::Csv => return super::csv::whole_records(data, self.delimiter, ended),
            _ if ended => data.len(),
            InputFormat::Jsonl => memrchr(b'\n', data).map_or(0, |at| at + 1),
            InputFormat::Text => text_cut(data),
        };
        (cut, lines(cut))
    }

    /// Drops what has no end in sight, up to and with the next line end.
    fn skip_overlong(&mut self, data: &mut Vec<u8>) -> io::Result<Piece> {
        let number = self.line;
        self.line += 1;
        loop {
            self.byte += data.len() as u64;
            data.clear();
            let ended = self.fill(data, TARGET)?;
            if let Some(at) = memchr(b'\n', data) {
                self.byte += at as u64 + 1;
                self.carry.extend_from_slice(data.get(at + 1..).unwrap_or_default());
                data.clear();
            } else if !ended {
                continue;
            }
            data.clear();
            data.shrink_to(2 * TARGET);
            let last = ended && self.carry.is_empty();
            return Ok(Piece { line: number, byte: self.byte, last, overlong: Some(number) });
        }
    }
}

/// The end of the last paragraph that leaves no private key open; failing that, of a line, a word, a character.
fn text_cut(data: &[u8]) -> usize {
    let mut end = data.len();
    while let Some(at) = blank_line_before(data, end) {
        if !key_is_open(data.get(..at).unwrap_or_default()) {
            return at;
        }
        end = at.saturating_sub(1);
    }
    if data.len() < BLOCK_MAX {
        return 0;
    }
    let space = || data.iter().rposition(u8::is_ascii_whitespace);
    let character = || data.iter().rposition(|b| b & 0xc0 != 0x80).filter(|at| *at > 0);
    if let Some(at) = memrchr(b'\n', data).or_else(space) {
        at + 1
    } else {
        character().unwrap_or(data.len())
    }
}

/// Where the last blank line before `end` stops, if there is one.
fn blank_line_before(data: &[u8], end: usize) -> Option<usize> {
    let head = data.get(..end)?;
    let unix = memmem::rfind(head, b"\n\n").map(|at| at + 2);
    let dos = memmem::rfind(head, b"\n\r\n").map(|at| at + 3);
    unix.max(dos)
}

/// Whether a PEM block is begun and not ended: blank lines may stand inside it (RFC 1421, 4.4).
fn key_is_open(text: &[u8]) -> bool {
    let near = text.get(text.len().saturating_sub(KEY_REACH)..).unwrap_or_default();
    memmem::rfind(near, b"-----BEGIN ")
        .is_some_and(|at| memmem::find(near.get(at..).unwrap_or_default(), b"-----END ").is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An input that comes in pieces of a few bytes.
    struct Dribble(io::Cursor<Vec<u8>>, usize);

    impl Read for Dribble {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let n = into.len().min(self.1);
            self.0.read(&mut into[..n])
        }
    }

    fn pieces(data: &[u8], format: InputFormat, step: usize) -> Vec<(Piece, Vec<u8>)> {
        let mut cutter = Cutter::new(Box::new(Dribble(io::Cursor::new(data.to_vec()), step)), format, b',');
        let mut all = Vec::new();
        loop {
            let mut buffer = Vec::new();
            let piece = cutter.next(&mut buffer).unwrap();
            all.push((piece, buffer));
            if piece.last {
                return all;
            }
        }
    }

    #[test]
    fn pieces_join_to_the_input_whatever_the_arrival() {
        let line = "word ".repeat(30) + "\n";
        let data = (line.repeat(3) + "\n").repeat(1200);
        for format in [InputFormat::Text, InputFormat::Jsonl, InputFormat::Csv] {
            let whole = pieces(data.as_bytes(), format, usize::MAX);
            assert!(whole.len() > 2);
            assert_eq!(whole, pieces(data.as_bytes(), format, 7_001));
            let joined: Vec<u8> = whole.iter().flat_map(|(_, d)| d.clone()).collect();
            assert_eq!(joined, data.as_bytes());
            let mut byte = 0;
            for (piece, d) in &whole {
                assert_eq!(piece.byte, byte);
                byte += d.len() as u64;
            }
        }
    }

    #[test]
    fn text_is_cut_at_blank_lines_but_not_inside_a_key() {
        let filler = "a line of text\n".repeat(TARGET / 15);
        let key = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIB\n-----END RSA PRIVATE KEY-----\n";
        let data = format!("start\n\n{}{key}\n{filler}", &filler[..TARGET - 200]);
        let all = pieces(data.as_bytes(), InputFormat::Text, usize::MAX);
        assert!(all[0].1.ends_with(b"-----END RSA PRIVATE KEY-----\n\n") || all[0].1 == b"start\n\n");
        assert!(!all.iter().any(|(_, d)| d.ends_with(b"ENCRYPTED\n\n")));
    }

    #[test]
    fn a_line_without_end_is_reported_and_the_next_one_still_read() {
        let mut data = b"{\"id\":1,\"text\":\"a\"}\n".to_vec();
        data.extend(vec![b'x'; LINE_MAX + TARGET]);
        data.extend(b"\n{\"id\":3,\"text\":\"b\"}\n");
        let all = pieces(&data, InputFormat::Jsonl, usize::MAX);
        assert_eq!(all.iter().find_map(|(p, _)| p.overlong), Some(2));
        let (last, rest) = all.last().unwrap();
        assert_eq!((last.line, rest.as_slice()), (3, b"{\"id\":3,\"text\":\"b\"}\n".as_slice()));
        assert!(all.iter().all(|(_, d)| d.capacity() <= 2 * LINE_MAX));
    }
}

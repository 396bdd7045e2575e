//! The second verifier: offline, from the files of `DIR/log/` alone.
//!
//! Written from RFC 6962 section 2.1 (hashes), RFC 9162 section 2.1 (algorithms) and the C2SP texts tlog-tiles,
//! tlog-checkpoint and signed-note; it shares no tree code with the publisher, so that one mistake cannot hide in both.
//!
//! Three witnesses are held against each other: the entries, the stored hashes above them, and the signed root. Where one
//! differs from two that agree, that one is named. A checkpoint that somebody kept elsewhere proves more than the files
//! can say of themselves: that nothing below it was rewritten, and that the log did not go back.
//!
//! Limits: whoever holds the signing key can rewrite what no held checkpoint covers. Entries above the checkpoint are
//! shown as unproven. A rewrite with all hashes made anew is located between the nearest two checkpoints.

// long: one subject, read from top to bottom beside the texts it is written from, and with no code of its neighbours.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

type Hash = [u8; 32];

/// Hashes in a full tile, entries in a full bundle (C2SP tlog-tiles).
const WIDTH: u64 = 256;
/// More faults than these are counted only.
const SHOWN: usize = 1000;

/// The public key a log is signed with, as C2SP signed-note writes it: `name+hash+base64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vkey {
    name: String,
    id: [u8; 4],
    key: [u8; 32],
}

/// Why a text is no key of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VkeyError {
    /// Not `name+hash+base64`.
    #[error("not a verifier key: it has the form name+hash+base64")]
    Form,
    /// Another kind of signature.
    #[error("not an Ed25519 key")]
    Algorithm,
    /// The short hash is that of another name or key.
    #[error("the key's name and hash do not belong together")]
    Id,
}

impl FromStr for Vkey {
    type Err = VkeyError;

    fn from_str(text: &str) -> Result<Self, VkeyError> {
        let mut parts = text.trim_end_matches('\n').splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VkeyError::Form);
        };
        if name.is_empty() || name.chars().any(char::is_whitespace) || id.len() != 8 {
            return Err(VkeyError::Form);
        }
        let id = u32::from_str_radix(id, 16).map_err(|_| VkeyError::Form)?.to_be_bytes();
        let typed = BASE64_STANDARD.decode(key).map_err(|_| VkeyError::Form)?;
        let key: [u8; 32] = match typed.split_first() {
            Some((1, key)) => key.try_into().map_err(|_| VkeyError::Form)?,
            _ => return Err(VkeyError::Algorithm),
        };
        // SHA-256(name ‖ 0x0A ‖ type ‖ key), first four bytes.
        let hash = sha256(&[name.as_bytes(), b"\n", &typed]);
        if hash.starts_with(&id) { Ok(Self { name: name.to_owned(), id, key }) } else { Err(VkeyError::Id) }
    }
}

impl Vkey {
    /// The Ed25519 public key.
    pub fn public_key(&self) -> &[u8; 32] {
        &self.key
    }

    /// Whether this key signed the message (Ed25519, RFC 8032).
    pub fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.key).verify(message, signature).is_ok()
    }
}

/// A signed tree head whose signature was checked (C2SP tlog-checkpoint).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many entries it covers.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Why bytes are no checkpoint of this log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not in the form of a signed note with a tree head.
    #[error("not in the form of a signed checkpoint")]
    Form,
    /// Another log's.
    #[error("it names another log")]
    Origin,
    /// No signature of this key.
    #[error("it is not signed with this key")]
    Unsigned,
    /// A signature of this key that does not hold.
    #[error("its signature does not hold")]
    BadSignature,
}

impl Checkpoint {
    /// Reads a checkpoint and checks its signature.
    pub fn open(bytes: &[u8], key: &Vkey) -> Result<Self, CheckpointError> {
        use CheckpointError as E;
        let note = std::str::from_utf8(bytes).map_err(|_| E::Form)?;
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(E::Form);
        }
        let split = note.rfind("\n\n").ok_or(E::Form)?;
        let (text, signatures) = note.split_at_checked(split + 1).ok_or(E::Form)?;
        let signatures = signatures.strip_prefix('\n').and_then(|s| s.strip_suffix('\n')).ok_or(E::Form)?;
        let mut signed = Err(E::Unsigned);
        for line in signatures.split('\n') {
            let (name, blob) = line.strip_prefix("— ").and_then(|l| l.split_once(' ')).ok_or(E::Form)?;
            let blob = BASE64_STANDARD.decode(blob).map_err(|_| E::Form)?;
            let (id, signature) = blob.split_at_checked(4).ok_or(E::Form)?;
            if name == key.name && id == key.id {
                UnparsedPublicKey::new(&ED25519, key.key)
                    .verify(text.as_bytes(), signature)
                    .map_err(|_| E::BadSignature)?;
                signed = Ok(());
            }
        }
        signed?;
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(E::Form);
        };
        if origin != key.name {
            return Err(E::Origin);
        }
        let number: u64 = size.parse().map_err(|_| E::Form)?;
        if number.to_string() != size {
            return Err(E::Form);
        }
        let root = BASE64_STANDARD.decode(root).ok().and_then(|r| r.try_into().ok()).ok_or(E::Form)?;
        Ok(Self { size: number, root })
    }
}

/// A checkpoint that was kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What to call it in the report: its file name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A file that must be there is not.
    Missing,
    /// A file has the wrong length, or an entry in it does.
    Malformed,
    /// An entry differs from what was hashed and signed.
    EntryChanged,
    /// A stored hash differs from what the entries give.
    HashChanged,
    /// An entry and its stored hash differ, and neither leads to the signed root.
    EntryOrHashChanged,
    /// Two files that hold the same entries differ.
    CopiesDiffer,
    /// A file that no log of this size has.
    Unexpected,
    /// A checkpoint cannot be used.
    Checkpoint(CheckpointError),
    /// The entries do not lead to a signed root: they were rewritten, hashes and all.
    Rewritten,
    /// The log is shorter than a checkpoint says it was.
    RolledBack,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::Malformed => "is cut, too long, or not in the form of its kind",
            Self::EntryChanged => "holds an entry that was changed",
            Self::HashChanged => "holds a hash that was changed",
            Self::EntryOrHashChanged => {
                "differs from the hashes stored for it, and neither is what was signed"
            }
            Self::CopiesDiffer => "differs from another file with the same entries",
            Self::Unexpected => "does not belong to this log",
            Self::Checkpoint(error) => return write!(f, "cannot be used: {error}"),
            Self::Rewritten => {
                "was signed over other entries: these were rewritten, or this is another branch"
            }
            Self::RolledBack => "was signed over more entries than there are: the log was rolled back",
        })
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which entries it touches, by index, end exclusive. Empty if it touches none (an unexpected file).
    pub entries: Range<u64>,
    /// In which file of the log (or which held checkpoint).
    pub file: String,
    /// What is wrong.
    pub what: What,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { start, end } = self.entries;
        match end.saturating_sub(start) {
            0 => write!(f, "{} {}", self.file, self.what),
            1 => write!(f, "entry {start}: {} {}", self.file, self.what),
            _ => write!(f, "entries {start} to {}: {} {}", end - 1, self.file, self.what),
        }
    }
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Entries in the files.
    pub entries: u64,
    /// The log's own checkpoint, if it can be used.
    pub checkpoint: Option<Checkpoint>,
    /// Entries that lead to a root with a good signature: all below this index stand as they were signed.
    pub proven: u64,
    /// Entries that no usable checkpoint covers (yet).
    pub unproven: Range<u64>,
    /// Everything that is wrong, in order of the entries; at most 1,000.
    pub faults: Vec<Fault>,
    /// How many more there are.
    pub more: u64,
}

impl Report {
    /// Whether nothing is wrong. An unproven tail alone is nothing wrong.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Why a verification could not be run.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file could not be read.
    #[error("cannot read {path}: {error}", path = .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// `vkey` in the folder is no key.
    #[error("{path}: {error}; pass the key explicitly", path = .path.display())]
    Vkey {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: VkeyError,
    },
}

/// How often a log in which something is wrong is read again at most.
const READ_AGAIN: usize = 4;

/// Checks the log in `dir`. Without a key, `dir/vkey` is taken: then a replaced key is noticed only through held
/// checkpoints.
pub fn verify(dir: &Path, vkey: Option<&Vkey>, held: &[Held]) -> Result<Report, VerifyError> {
    let own;
    let key = match vkey {
        Some(key) => key,
        None => {
            let path = dir.join("vkey");
            let text =
                fs::read_to_string(&path).map_err(|error| VerifyError::Read { path: path.clone(), error })?;
            own = text.parse().map_err(|error| VerifyError::Vkey { path, error })?;
            &own
        }
    };
    let mut report = once(dir, key, held)?;
    // A log that goes on changes under its reader: what is wrong with it is wrong when it is read again, too.
    for _ in 0..READ_AGAIN {
        if report.is_clean() {
            break;
        }
        let again = once(dir, key, held)?;
        let same = again == report;
        report = again;
        if same {
            break;
        }
    }
    Ok(report)
}

/// Reads the log once. Where it moved on meanwhile, files that only its former size needed may be gone, and new ones there.
fn once(dir: &Path, key: &Vkey, held: &[Held]) -> Result<Report, VerifyError> {
    let mut report = Check::new(dir).run(key, held)?;
    let Some(size) = report.checkpoint.as_ref().map(|read| read.size) else { return Ok(report) };
    if report.is_clean() || report.more > 0 {
        return Ok(report);
    }
    let now = fs::read(dir.join("checkpoint")).ok().and_then(|bytes| Checkpoint::open(&bytes, key).ok());
    if now.is_some_and(|now| now.size > size) {
        report.faults.retain(|fault| !overtaken(dir, size, fault));
    }
    Ok(report)
}

/// Whether a log that moved on explains it: a narrow file is gone and a wider one, which was read in its place, is there; or a
/// file reaches beyond the size that was read.
fn overtaken(dir: &Path, size: u64, fault: &Fault) -> bool {
    let (tile, width) = match fault.file.split_once(".p/") {
        Some((tile, width)) => (tile, width.parse().unwrap_or(0)),
        None => (fault.file.as_str(), WIDTH),
    };
    match fault.what {
        What::Missing => (width + 1..=WIDTH).any(|wider| {
            let file = if wider == WIDTH { tile.to_owned() } else { format!("{tile}.p/{wider}") };
            dir.join(file).is_file()
        }),
        What::Unexpected => first_entry(tile)
            .zip(covers(tile))
            .is_some_and(|(first, each)| first.saturating_add(width.saturating_mul(each)) > size),
        _ => false,
    }
}

struct Check<'a> {
    dir: &'a Path,
    faults: Vec<Fault>,
    seen: BTreeSet<String>,
}

/// One file of a tile or bundle: whole, or partial of some width.
struct Copy {
    file: String,
    width: u64,
    bytes: Vec<u8>,
}

/// What is known of one tile of level 0 after the entries were read.
struct Disputed {
    fault: Fault,
    tile_file: String,
    entries_root: Option<Hash>,
    tile_root: Option<Hash>,
    tile: u64,
}

/// A root that some checkpoint was signed over.
struct Claim {
    name: String,
    size: u64,
    root: Hash,
}

impl<'a> Check<'a> {
    fn new(dir: &'a Path) -> Self {
        Self { dir, faults: Vec::new(), seen: BTreeSet::new() }
    }

    fn run(mut self, key: &Vkey, held: &[Held]) -> Result<Report, VerifyError> {
        let mut claims = Vec::new();
        let own = match self.read("checkpoint")? {
            Some(bytes) => match Checkpoint::open(&bytes, key) {
                Ok(c) => Some(c),
                Err(e) => {
                    self.fault(0..0, "checkpoint", What::Checkpoint(e));
                    None
                }
            },
            None => {
                self.fault(0..0, "checkpoint", What::Missing);
                None
            }
        };
        if let Some(c) = &own {
            claims.push(Claim { name: "checkpoint".into(), size: c.size, root: c.root });
        }
        for held in held {
            match Checkpoint::open(&held.bytes, key) {
                Ok(c) => claims.push(Claim { name: held.name.clone(), size: c.size, root: c.root }),
                Err(e) => self.fault(0..0, &held.name, What::Checkpoint(e)),
            }
        }
        claims.sort_by_key(|c| c.size);
        let claimed = claims.last().map_or(0, |c| c.size);
        let size = own.as_ref().map(|c| c.size);

        // Level 0: entries against their hashes, one bundle at a time.
        let mut from_entries = Roots::new(&claims);
        let mut from_tiles = Roots::new(&claims);
        let mut above: Vec<(Option<Hash>, Option<Hash>)> = Vec::new();
        let mut disputed = Vec::new();
        let (mut count, mut reach) = (0, 0);
        for n in 0.. {
            let range = n * WIDTH..(n + 1) * WIDTH;
            let bundles = self.copies("entries", n)?;
            if bundles.is_empty() && range.start >= claimed {
                break;
            }
            let tiles = self.copies("0", n)?;
            // How many of these 256 some checkpoint covers, and how many the log's own does exactly.
            let must = claimed.saturating_sub(range.start).min(WIDTH);
            let exact = size.map(|s| s.saturating_sub(range.start).min(WIDTH)).filter(|w| *w > 0);
            let entries = self.entries(&range, &bundles, must, exact);
            let stored = self.hashes("0", n, 0, &tiles, must, exact);
            let last = bundles.last().map_or(0, |c| c.width).max(must);
            if let Some(dispute) = dispute(n, &entries, &stored, &bundles, &tiles, exact) {
                disputed.extend(dispute);
            }
            for i in 0..usize::try_from(last).unwrap_or(0) {
                let (e, t) = (entries.get(i).copied(), stored.get(i).copied());
                // An entry that is not there proves nothing; a hash that is not there can be made from it.
                from_entries.push(e);
                from_tiles.push(t.or(e));
            }
            if last == WIDTH {
                above.push((tile_root(&entries), tile_root(&stored)));
            }
            count = range.start + entries.len() as u64;
            // A bundle that is gone while its hashes are there was removed; that is not a log that went back.
            reach = range.start + (entries.len().max(stored.len()) as u64).min(last);
        }
        from_entries.end();
        from_tiles.end();
        self.settle(disputed, &above, size, &from_entries, &from_tiles)?;
        let entries_above: Vec<Option<Hash>> = above.iter().map(|(e, _)| *e).collect();
        let tiles_above: Vec<Option<Hash>> = above.iter().map(|(_, t)| *t).collect();
        self.upper_levels(entries_above, tiles_above, claimed, size)?;
        let proven = self.claims(&claims, reach, size, &from_entries, &from_tiles);
        self.strangers(count.max(claimed))?;

        self.faults.sort_by(|a, b| {
            (a.entries.start, a.entries.end, &a.file).cmp(&(b.entries.start, b.entries.end, &b.file))
        });
        let more = self.faults.len().saturating_sub(SHOWN) as u64;
        self.faults.truncate(SHOWN);
        Ok(Report {
            entries: count,
            checkpoint: own,
            proven,
            unproven: claimed.min(count)..count,
            faults: self.faults,
            more,
        })
    }

    fn fault(&mut self, entries: Range<u64>, file: &str, what: What) {
        self.faults.push(Fault { entries, file: file.to_owned(), what });
    }

    fn read(&self, file: &str) -> Result<Option<Vec<u8>>, VerifyError> {
        let path = self.dir.join(file);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(VerifyError::Read { path, error }),
        }
    }

    /// Every file of this tile or bundle, narrow ones first.
    fn copies(&mut self, level: &str, n: u64) -> Result<Vec<Copy>, VerifyError> {
        let whole = tile_name(level, n);
        let mut copies = Vec::new();
        let folder = self.dir.join(format!("{whole}.p"));
        match fs::read_dir(&folder) {
            Ok(found) => {
                for entry in found {
                    let entry = entry.map_err(|error| VerifyError::Read { path: folder.clone(), error })?;
                    let name = entry.file_name();
                    let Some(name) = name.to_str() else { continue };
                    let Some(width) = name.parse::<u64>().ok().filter(|w| (1..WIDTH).contains(w)) else {
                        continue;
                    };
                    if width.to_string() != name {
                        continue;
                    }
                    let file = format!("{whole}.p/{name}");
                    if let Some(bytes) = self.read(&file)? {
                        self.seen.insert(file.clone());
                        copies.push(Copy { file, width, bytes });
                    }
                }
            }
            Err(e)
                if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {}
            Err(error) => return Err(VerifyError::Read { path: folder, error }),
        }
        copies.sort_by_key(|c| c.width);
        if let Some(bytes) = self.read(&whole)? {
            self.seen.insert(whole.clone());
            copies.push(Copy { file: whole, width: WIDTH, bytes });
        }
        Ok(copies)
    }

    /// Leaf hashes of a bundle, as many as the best copy has in good form.
    fn entries(&mut self, range: &Range<u64>, copies: &[Copy], must: u64, exact: Option<u64>) -> Vec<Hash> {
        let parsed: Vec<(Vec<Hash>, bool)> = copies.iter().map(|c| leaf_hashes(&c.bytes, c.width)).collect();
        let good: Vec<bool> = parsed.iter().map(|(_, good)| *good).collect();
        let lists: Vec<&[Hash]> = parsed.iter().map(|(hashes, _)| hashes.as_slice()).collect();
        self.best("entries", range, 1, copies, &lists, &good, must, exact)
    }

    /// Hashes of a tile, as many as the best copy has.
    fn hashes(
        &mut self,
        level: &str,
        n: u64,
        height: u32,
        copies: &[Copy],
        must: u64,
        exact: Option<u64>,
    ) -> Vec<Hash> {
        let parsed: Vec<Vec<Hash>> = copies
            .iter()
            .map(|c| c.bytes.chunks_exact(32).filter_map(|h| h.try_into().ok()).collect())
            .collect();
        let good: Vec<bool> = copies.iter().map(|c| c.bytes.len() as u64 == c.width * 32).collect();
        let lists: Vec<&[Hash]> = parsed.iter().map(Vec::as_slice).collect();
        let each = 1u64.checked_shl(8 * height).unwrap_or(u64::MAX);
        let start = n.saturating_mul(WIDTH).saturating_mul(each);
        self.best(
            level,
            &(start..start.saturating_add(WIDTH.saturating_mul(each))),
            each,
            copies,
            &lists,
            &good,
            must,
            exact,
        )
    }

    /// Picks the copy that the log's own size asks for, else the widest; names copies that are missing, malformed, or
    /// differ. `each` is how many entries one hash covers.
    #[expect(clippy::too_many_arguments, reason = "one place for entries and hashes")]
    fn best(
        &mut self,
        level: &str,
        range: &Range<u64>,
        each: u64,
        copies: &[Copy],
        lists: &[&[Hash]],
        good: &[bool],
        must: u64,
        exact: Option<u64>,
    ) -> Vec<Hash> {
        let covered = |from: u64, to: u64| {
            range.start.saturating_add(from.saturating_mul(each))
                ..range.start.saturating_add(to.saturating_mul(each))
        };
        let name = tile_name(level, range.start / each / WIDTH);
        let wanted = exact.and_then(|w| copies.iter().position(|c| c.width == w));
        if wanted.is_none()
            && let Some(width) = exact
        {
            let file = if width == WIDTH { name.clone() } else { format!("{name}.p/{width}") };
            self.fault(covered(0, width), &file, What::Missing);
        } else if copies.is_empty() && must > 0 {
            self.fault(covered(0, must), &name, What::Missing);
        }
        for ((copy, list), good) in copies.iter().zip(lists).zip(good) {
            if !good {
                // Past the last that is in good form; at least one is touched.
                let first = (list.len() as u64).min(copy.width.saturating_sub(1));
                self.fault(covered(first, copy.width), &copy.file, What::Malformed);
            }
        }
        let longest = lists.iter().enumerate().max_by_key(|(_, list)| list.len()).map(|(i, _)| i);
        let Some(chosen) = longest else { return Vec::new() };
        // A copy that the log needs goes first; what only a wider one has is added behind it.
        let first = wanted.and_then(|i| lists.get(i)).copied().unwrap_or(&[]);
        let mut hashes = first.to_vec();
        let longest = lists.get(chosen).copied().unwrap_or(&[]);
        hashes.extend(longest.get(first.len()..).unwrap_or(&[]));
        for (copy, list) in copies.iter().zip(lists) {
            if let Some(at) = hashes.iter().zip(*list).position(|(a, b)| a != b) {
                self.fault(covered(at as u64, at as u64 + 1), &copy.file, What::CopiesDiffer);
            }
        }
        hashes
    }

    /// Decides which of two that differ was changed: the one that does not lead to the hash above it, or to the root.
    fn settle(
        &mut self,
        disputed: Vec<Disputed>,
        above: &[(Option<Hash>, Option<Hash>)],
        size: Option<u64>,
        from_entries: &Roots<'_>,
        from_tiles: &Roots<'_>,
    ) -> Result<(), VerifyError> {
        for mut d in disputed {
            let parent = if usize::try_from(d.tile).is_ok_and(|t| t < above.len()) {
                let copies = self.copies("1", d.tile / WIDTH)?;
                let at = usize::try_from(d.tile % WIDTH * 32).unwrap_or(usize::MAX);
                copies
                    .iter()
                    .find_map(|c| c.bytes.get(at..at.checked_add(32)?))
                    .and_then(|h| Hash::try_from(h).ok())
            } else {
                None
            };
            let (entries_hold, tile_holds) = match parent {
                Some(parent) => (d.entries_root == Some(parent), d.tile_root == Some(parent)),
                None => {
                    (size.is_some_and(|s| from_entries.agrees(s)), size.is_some_and(|s| from_tiles.agrees(s)))
                }
            };
            match (entries_hold, tile_holds) {
                (true, false) => {
                    d.fault.what = What::HashChanged;
                    d.fault.file = d.tile_file;
                }
                (false, true) => d.fault.what = What::EntryChanged,
                _ => d.fault.what = What::EntryOrHashChanged,
            }
            self.faults.push(d.fault);
        }
        Ok(())
    }

    /// Tiles of level 1 and above: each hash is the root of the full tile below it.
    fn upper_levels(
        &mut self,
        mut entries: Vec<Option<Hash>>,
        mut tiles: Vec<Option<Hash>>,
        claimed: u64,
        size: Option<u64>,
    ) -> Result<(), VerifyError> {
        for height in 1..8u32 {
            let needed = claimed >> (8 * height);
            let exact_total = size.map(|s| s >> (8 * height));
            if entries.is_empty() && needed == 0 {
                break;
            }
            let level = height.to_string();
            let each = 1u64 << (8 * height);
            let total = (entries.len() as u64).max(needed);
            let (mut entries_above, mut tiles_above) = (Vec::new(), Vec::new());
            for n in 0..total.div_ceil(WIDTH) {
                let copies = self.copies(&level, n)?;
                let must = needed.saturating_sub(n * WIDTH).min(WIDTH);
                let exact = exact_total.map(|t| t.saturating_sub(n * WIDTH).min(WIDTH)).filter(|w| *w > 0);
                let stored = self.hashes(&level, n, height, &copies, must, exact);
                let file = copies.last().map_or_else(|| tile_name(&level, n), |c| c.file.clone());
                let mut computed = Vec::with_capacity(256);
                for i in 0..WIDTH.min(total - n * WIDTH) {
                    let at = usize::try_from(n * WIDTH + i).unwrap_or(usize::MAX);
                    let below = (entries.get(at).copied().flatten(), tiles.get(at).copied().flatten());
                    let here = usize::try_from(i).ok().and_then(|i| stored.get(i)).copied();
                    // If it agrees with either, the other was named below already.
                    if here.is_some()
                        && here != below.0
                        && here != below.1
                        && (below.0.is_some() || below.1.is_some())
                    {
                        let index = n * WIDTH + i;
                        self.fault(index * each..(index + 1) * each, &file, What::HashChanged);
                    }
                    computed.extend(below.0.or(below.1).or(here));
                }
                if total - n * WIDTH >= WIDTH {
                    entries_above.push(tile_root(&computed));
                    tiles_above.push(tile_root(&stored));
                }
            }
            entries = entries_above;
            tiles = tiles_above;
        }
        Ok(())
    }

    /// Holds every signed root against the entries; gives how many entries are proven.
    fn claims(
        &mut self,
        claims: &[Claim],
        reach: u64,
        size: Option<u64>,
        from_entries: &Roots<'_>,
        from_tiles: &Roots<'_>,
    ) -> u64 {
        let mut proven = 0;
        for (n, claim) in claims.iter().enumerate() {
            // The log's own head is older than one that somebody holds: it went back, even if the entries are still there.
            if size.is_some_and(|s| s < claim.size) || claim.size > reach {
                let from = reach.min(size.unwrap_or(reach)).min(claim.size);
                self.fault(from..claim.size, &claim.name, What::RolledBack);
            }
            if from_entries.agrees_at(n) {
                proven = claim.size;
            } else if from_tiles.agrees_at(n)
                && self.faults.iter().any(|f| f.entries.start < claim.size && !f.entries.is_empty())
            {
                // The stored hashes lead to the root, so the changed entries are known one by one already.
            } else {
                // Somewhere above the newest older checkpoint that still holds.
                let older = claims
                    .iter()
                    .enumerate()
                    .filter(|(i, c)| c.size < claim.size && from_entries.agrees_at(*i));
                let from = older.map(|(_, c)| c.size).max().unwrap_or(0);
                self.fault(from..claim.size, &claim.name, What::Rewritten);
            }
        }
        proven
    }

    /// Files that a log of this size does not have.
    fn strangers(&mut self, size: u64) -> Result<(), VerifyError> {
        let mut folders = vec![self.dir.join("tile")];
        while let Some(folder) = folders.pop() {
            let found = match fs::read_dir(&folder) {
                Ok(found) => found,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(VerifyError::Read { path: folder, error }),
            };
            for entry in found {
                let path = entry.map_err(|error| VerifyError::Read { path: folder.clone(), error })?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(self.dir).unwrap_or(&path).to_string_lossy().into_owned();
                // Tiles above the entries we found are part of the unproven tail.
                let beyond = first_entry(&name).is_some_and(|first| first >= size);
                if !self.seen.contains(&name) && !beyond {
                    self.fault(0..0, &name, What::Unexpected);
                }
            }
        }
        Ok(())
    }
}

/// Where entries and stored hashes differ: runs of differing indexes.
fn dispute(
    n: u64,
    entries: &[Hash],
    stored: &[Hash],
    bundles: &[Copy],
    tiles: &[Copy],
    exact: Option<u64>,
) -> Option<Vec<Disputed>> {
    let name = |copies: &[Copy]| {
        let wanted = copies.iter().find(|c| Some(c.width) == exact).or(copies.last());
        wanted.map(|c| c.file.clone()).unwrap_or_default()
    };
    let mut runs: Vec<Range<u64>> = Vec::new();
    for (i, _) in entries.iter().zip(stored).enumerate().filter(|(_, (e, t))| e != t) {
        let index = n * WIDTH + i as u64;
        match runs.last_mut() {
            Some(run) if run.end == index => run.end += 1,
            _ => runs.push(index..index + 1),
        }
    }
    if runs.is_empty() {
        return None;
    }
    let disputed = |entries_range| Disputed {
        fault: Fault { entries: entries_range, file: name(bundles), what: What::EntryOrHashChanged },
        tile_file: name(tiles),
        entries_root: tile_root(entries),
        tile_root: tile_root(stored),
        tile: n,
    };
    Some(runs.into_iter().map(disputed).collect())
}

/// Leaf hashes of a bundle, and whether it holds exactly `width` whole entries.
fn leaf_hashes(bytes: &[u8], width: u64) -> (Vec<Hash>, bool) {
    let mut rest = bytes;
    let mut hashes = Vec::with_capacity(256);
    while (hashes.len() as u64) < width {
        let Some((head, tail)) = rest.split_first_chunk::<2>() else { return (hashes, false) };
        let Some((entry, tail)) = tail.split_at_checked(usize::from(u16::from_be_bytes(*head))) else {
            return (hashes, false);
        };
        hashes.push(sha256(&[&[0], entry]));
        rest = tail;
    }
    (hashes, rest.is_empty())
}

/// Roots at the sizes that somebody signed, gathered while leaves go by (RFC 9162, 2.1.2: merge equal sizes, then fold
/// from the right).
struct Roots<'a> {
    claims: &'a [Claim],
    /// Perfect subtrees, largest first: height and root. `None` once a leaf is unknown.
    stack: Option<Vec<(u32, Hash)>>,
    size: u64,
    agrees: Vec<bool>,
}

impl<'a> Roots<'a> {
    fn new(claims: &'a [Claim]) -> Self {
        let mut this = Self { claims, stack: Some(Vec::new()), size: 0, agrees: Vec::new() };
        this.compare();
        this
    }

    fn push(&mut self, leaf: Option<Hash>) {
        self.size += 1;
        match (&mut self.stack, leaf) {
            (Some(stack), Some(leaf)) => {
                let mut new = (0, leaf);
                while let Some(&(height, left)) = stack.last()
                    && height == new.0
                {
                    stack.pop();
                    new = (height + 1, node(&left, &new.1));
                }
                stack.push(new);
            }
            (stack, _) => *stack = None,
        }
        self.compare();
    }

    fn compare(&mut self) {
        while let Some(claim) = self.claims.get(self.agrees.len()).filter(|c| c.size == self.size) {
            let agrees = self.root() == Some(claim.root);
            self.agrees.push(agrees);
        }
    }

    fn root(&self) -> Option<Hash> {
        let stack = self.stack.as_ref()?;
        let folded = stack.iter().rev().map(|(_, hash)| *hash).reduce(|right, left| node(&left, &right));
        Some(folded.unwrap_or_else(|| sha256(&[])))
    }

    /// What was signed over more than there is agrees with nothing.
    fn end(&mut self) {
        self.agrees.resize(self.claims.len(), false);
    }

    fn agrees_at(&self, claim: usize) -> bool {
        self.agrees.get(claim).copied().unwrap_or(false)
    }

    fn agrees(&self, size: u64) -> bool {
        self.claims.iter().zip(&self.agrees).any(|(claim, agrees)| claim.size == size && *agrees)
    }
}

/// The root of a full tile.
fn tile_root(hashes: &[Hash]) -> Option<Hash> {
    if hashes.len() as u64 != WIDTH {
        return None;
    }
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row
            .chunks_exact(2)
            .filter_map(|pair| if let [l, r] = pair { Some(node(l, r)) } else { None })
            .collect();
    }
    row.first().copied()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// The file of a full tile: the number in groups of three digits, all but the last with an x.
fn tile_name(level: &str, n: u64) -> String {
    let digits = n.to_string();
    let padded = format!("{}{digits}", "0".repeat((3 - digits.len() % 3) % 3));
    let mut name = format!("tile/{level}");
    let groups = padded.len() / 3;
    for group in 0..groups {
        name.push('/');
        if group + 1 < groups {
            name.push('x');
        }
        name.push_str(padded.get(group * 3..group * 3 + 3).unwrap_or_default());
    }
    name
}

/// The first entry under a tile or bundle, from its name.
fn first_entry(name: &str) -> Option<u64> {
    let (_, number) = name.strip_prefix("tile/")?.split_once('/')?;
    let number = number.split_once(".p/").map_or(number, |(n, _)| n);
    let n = number.split('/').try_fold(0u64, |n, group| {
        n.checked_mul(1000)?.checked_add(group.trim_start_matches('x').parse().ok()?)
    })?;
    n.checked_mul(covers(name)?.checked_mul(WIDTH)?)
}

/// How many entries one hash or entry in this file stands for.
fn covers(name: &str) -> Option<u64> {
    let (level, _) = name.strip_prefix("tile/")?.split_once('/')?;
    let height: u32 = if level == "entries" { 0 } else { level.parse().ok()? };
    1u64.checked_shl(8 * height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_have_the_names_of_the_standard() {
        // C2SP tlog-tiles, "Merkle Tree".
        assert_eq!(tile_name("0", 1_234_067), "tile/0/x001/x234/067");
        assert_eq!(tile_name("entries", 0), "tile/entries/000");
        assert_eq!(tile_name("1", 1000), "tile/1/x001/000");
        assert_eq!(first_entry("tile/0/x001/000"), Some(256_000));
        assert_eq!(first_entry("tile/1/002.p/7"), Some(131_072));
        assert_eq!(first_entry("tile/9/x/y"), None);
    }

    #[test]
    fn a_narrow_file_is_overtaken_only_by_a_wider_one_and_a_stranger_only_beyond_the_size() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("tile/0/001.p")).unwrap();
        let fault = |file: &str, what| Fault { entries: 0..0, file: file.to_owned(), what };
        let gone = fault("tile/0/001.p/16", What::Missing);
        fs::write(dir.path().join("tile/0/001.p/15"), []).unwrap();
        assert!(!overtaken(dir.path(), 272, &gone));
        fs::write(dir.path().join("tile/0/001.p/17"), []).unwrap();
        assert!(overtaken(dir.path(), 272, &gone));
        for (file, new) in
            [("tile/entries/001.p/16", false), ("tile/entries/001.p/17", true), ("tile/0/001", true)]
        {
            assert_eq!(overtaken(dir.path(), 272, &fault(file, What::Unexpected)), new, "{file}");
        }
        assert!(!overtaken(dir.path(), 272, &fault("tile/0/001.p/16", What::HashChanged)));
    }

    #[test]
    fn hashes_are_those_of_the_standard() {
        // Certificate Transparency's reference inputs (RFC 6962 test data of its first implementations).
        let hex = |h: Hash| h.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut all = Roots::new(&[]);
        assert_eq!(hex(all.root().unwrap()), roots[0]);
        for (leaf, root) in leaves.iter().zip(&roots[1..]) {
            all.push(Some(sha256(&[&[0], leaf])));
            assert_eq!(hex(all.root().unwrap()), *root);
        }
    }

    #[test]
    fn a_key_and_a_note_of_the_reference_implementation_are_read() {
        // golang.org/x/mod/sumdb/note, its example.
        let key: Vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
        let note = "If you think cryptography is the answer to your problem,\n\
            then you don't know what your problem is.\n\n\
            — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        // The signature holds; what is signed is not a tree head.
        assert_eq!(Checkpoint::open(note.as_bytes(), &key), Err(CheckpointError::Origin));
        let forged = note.replace("answer", "Answer");
        assert_eq!(Checkpoint::open(forged.as_bytes(), &key), Err(CheckpointError::BadSignature));
        for bad in ["", "a+b", "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"] {
            assert!(bad.parse::<Vkey>().is_err(), "{bad}");
        }
    }
}

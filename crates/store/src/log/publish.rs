//! From the database into files: tiles, entry bundles, signed checkpoints.
//!
//! Formats: C2SP tlog-tiles (256-wide hash tiles, entry bundles with two-byte lengths), tlog-checkpoint, signed-note.
//! The database is the truth and is written first; the files can be made from it again at any time, except for the
//! signature over them, and that is why a start refuses to go on where a signed checkpoint and the database disagree.
//!
//! Limits: a start hashes the whole log once (about a second for a million events). Only the partial tiles of the newest
//! checkpoint are kept; narrower ones are cut from wider ones when somebody asks ([`served`]).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use signed_note::{Note, Signature};
use tlog_tiles::{Checkpoint, Hash, Tile, TileHashReader, TileReader, prove_record};

use super::tree::{Edge, WIDTH};
use super::{Bell, Signer, verify};
use crate::folder::{make_folder, sync_folder};
use crate::{Fault, FaultPoint, Faults, StoreError};

/// Hashes in a full tile are `2^8` (C2SP tlog-tiles).
const HEIGHT: u8 = 8;
/// Entries read from the database in one look, so that no look holds a snapshot for long.
const CHUNK: u64 = 16 * WIDTH as u64;

/// Where the publisher reads the log. Where several processes write one log, also what they say to each other: the newest
/// checkpoint that any of them signed, and whose turn it is to sign.
pub(crate) trait LogSource {
    /// Events committed.
    fn size(&self) -> Result<u64, StoreError>;
    /// Gives the leaves of a range in order; ends early where one is missing.
    fn each(&self, range: Range<u64>, take: TakeLeaf<'_>) -> Result<(), StoreError>;
    /// A checkpoint of more than this many events that another process signed.
    fn signed_beyond(&self, _size: u64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }
    /// Whether this process signs.
    fn may_sign(&self) -> Result<bool, StoreError> {
        Ok(true)
    }
    /// Tells the others of a checkpoint before it is shown to anybody.
    fn announce(&self, _size: u64, _checkpoint: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Takes a leaf with its index.
pub(crate) type TakeLeaf<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Result<(), StoreError>;

/// What [`root_of`] gives.
pub(crate) struct Roots {
    pub(crate) size: u64,
    pub(crate) root: [u8; 32],
    pub(crate) earlier: Option<[u8; 32]>,
}

/// How many events a source has, their root hash, and that of the first `at` of them (nothing if there are fewer).
pub(crate) fn root_of(source: &dyn LogSource, at: u64) -> Result<Roots, StoreError> {
    let size = source.size()?;
    let (mut edge, mut n) = (Edge::default(), 0);
    let mut earlier = (at == 0).then(|| edge.root().0);
    while n < size {
        let before = n;
        source.each(n..size.min(n + CHUNK), &mut |index, leaf| {
            if index == n {
                edge.add(leaf);
                n += 1;
                if n == at {
                    earlier = Some(edge.root().0);
                }
            }
            Ok(())
        })?;
        if n == before {
            return Err(StoreError::CopyDiffers {
                detail: format!("event {n} is missing in the log").into(),
            });
        }
    }
    Ok(Roots { size, root: edge.root().0, earlier })
}

/// A signed tree head: the checkpoint's bytes, its size, its root.
type Head = (Arc<[u8]>, u64, Hash);

/// What is published, for everybody to read.
#[derive(Default)]
pub(crate) struct Published {
    newest: Mutex<Option<Head>>,
    pub(crate) size: AtomicU64,
    pub(crate) failing: AtomicBool,
}

impl Published {
    pub(crate) fn checkpoint(&self) -> Option<Arc<[u8]>> {
        self.newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(|(bytes, ..)| Arc::clone(bytes))
    }

    fn set(&self, bytes: Arc<[u8]>, size: u64, root: Hash) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some((bytes, size, root));
        self.size.store(size, Ordering::Release);
    }
}

/// The tree as far as it was published, and what the next tile needs.
#[derive(Clone, Default)]
struct Tree {
    edge: Edge,
    size: u64,
    /// The entry bundle that is not full yet.
    bundle: Vec<u8>,
    /// Partial tiles of this size.
    partials: BTreeSet<String>,
}

/// What is done with a tile or bundle.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It is new.
    Write,
    /// It lies under a signed checkpoint: it must be there as it is. Nothing is written.
    Compare,
    /// As before, and the database was found to agree with the checkpoint: what is missing or cut is written again.
    Repair,
}

/// What a comparison found.
#[derive(Default)]
struct Findings {
    /// A file is missing or cut.
    wanting: bool,
    /// A file that differs in any other way.
    differs: Option<String>,
}

/// Owns `DIR/log/` while the store is open.
pub(crate) struct Publisher {
    dir: PathBuf,
    signer: Arc<dyn Signer>,
    faults: Option<Arc<dyn Faults>>,
    tree: Tree,
    published: Arc<Published>,
    /// Files that are written and not in their places yet.
    pending: RefCell<Vec<Pending>>,
    touched: RefCell<BTreeSet<PathBuf>>,
    findings: RefCell<Findings>,
}

/// A file outside the tiles, on its way to the disk.
struct Pending {
    file: File,
    beside: PathBuf,
    full: PathBuf,
}

/// So many files are on their way at once. They share a commit of the file system's journal.
const AT_ONCE: usize = 64;

impl Publisher {
    /// Compares the files with the database, repairs what a crash can have left undone, refuses everything else.
    /// Nothing in the database is changed.
    pub(crate) fn prepare(
        dir: &Path,
        signer: Arc<dyn Signer>,
        faults: Option<Arc<dyn Faults>>,
        source: &dyn LogSource,
        published: Arc<Published>,
    ) -> Result<Self, StoreError> {
        make_folder(dir)?;
        if !signed_note::is_key_name_valid(signer.name()) || signer.name().contains('\n') {
            return Err(StoreError::inside("the log's name is not one a signed note can carry"));
        }
        let mut this = Self {
            dir: dir.to_owned(),
            signer,
            faults,
            tree: Tree::default(),
            published,
            pending: RefCell::default(),
            touched: RefCell::default(),
            findings: RefCell::default(),
        };
        let vkey = this.vkey();
        this.write_vkey(&vkey)?;
        let unusable =
            |detail: String| StoreError::LogUnusable { path: dir.to_owned(), detail: detail.into() };
        let path = dir.join("checkpoint");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                if fs::exists(dir.join("tile")).unwrap_or(false) {
                    tracing::warn!(dir = %dir.display(), "the log has tiles but no checkpoint: publishing it anew from the database");
                }
                return Ok(this);
            }
            Err(e) => return Err(StoreError::io(&path, &e)),
        };
        let key =
            vkey.parse::<verify::Vkey>().map_err(|e| StoreError::inside(format_args!("own key: {e}")))?;
        let signed =
            verify::Checkpoint::open(&bytes, &key).map_err(|e| unusable(format!("checkpoint: {e}")))?;
        let disagrees =
            |detail: String| StoreError::LogDisagrees { path: dir.to_owned(), detail: detail.into() };
        let kept = source.size()?;
        if signed.size > kept {
            return Err(disagrees(format!(
                "{} events are under the checkpoint, {kept} are in the database",
                signed.size
            )));
        }
        let tree = this.extended(source, signed.size, Mode::Compare)?;
        let root = tree.edge.root();
        if root.0 != signed.root {
            return Err(disagrees(format!("the first {} events hash differently", signed.size)));
        }
        let Findings { wanting, differs } = std::mem::take(&mut *this.findings.borrow_mut());
        if let Some(file) = differs {
            return Err(unusable(format!(
                "{file} was changed: the database agrees with the signed checkpoint, this file does not"
            )));
        }
        if wanting {
            this.extended(source, signed.size, Mode::Repair)?;
            this.sync_touched()?;
        }
        this.published.set(bytes.into(), tree.size, root);
        this.tree = tree;
        this.sweep_partials()?;
        Ok(this)
    }

    /// The thread.
    pub(crate) fn work(mut self, source: &dyn LogSource, bell: &Bell, every: Duration) {
        let mut go_on = true;
        while go_on {
            go_on = bell.wait(every);
            if !self.try_publish(source) {
                bell.ring();
            }
        }
    }

    /// Publishes; says whether it went well. After a failure the events are safe in the database, and the log's files
    /// follow as soon as they can.
    pub(crate) fn try_publish(&mut self, source: &dyn LogSource) -> bool {
        match self.publish(source) {
            Ok(()) => {
                if self.published.failing.swap(false, Ordering::AcqRel) {
                    self.tidy_up();
                }
                true
            }
            Err(error) => {
                tracing::error!(%error, "the audit log could not be published, trying again");
                self.published.failing.store(true, Ordering::Release);
                false
            }
        }
    }

    /// After publications that failed halfway (a full disk): their partial tiles, perhaps cut, belong to no checkpoint.
    fn tidy_up(&self) {
        if let Err(error) = self.sweep_partials() {
            tracing::warn!(%error, "what a failed publication left was not removed; the next start does it");
        }
    }

    /// Publishes whatever is new in the database.
    pub(crate) fn publish(&mut self, source: &dyn LogSource) -> Result<(), StoreError> {
        self.follow(source)?;
        if source.size()? <= self.tree.size || !source.may_sign()? {
            return Ok(());
        }
        // Whoever signed until now may have done so a moment ago.
        self.follow(source)?;
        let to = source.size()?;
        if to <= self.tree.size {
            return Ok(());
        }
        // 1. New tiles and bundles, each synced, then their folders. A crash here leaves files that no checkpoint names:
        //    the verifier shows them as an unproven tail, and the next publication writes the same bytes again.
        let tree = self.extended(source, to, Mode::Write)?;
        self.sync_touched()?;
        // 2. The checkpoint beside the old one, synced. A crash leaves a file that nobody reads.
        // 3. The rename, then the folder. A crash leaves the old or the new checkpoint, and the tiles of both are there.
        let root = tree.edge.root();
        let bytes = self.signed_checkpoint(tree.size, root)?;
        source.announce(tree.size, &bytes)?;
        self.show(tree, root, bytes)
    }

    /// Shows the newest checkpoint that another process signed, if it goes beyond what is shown here.
    fn follow(&mut self, source: &dyn LogSource) -> Result<(), StoreError> {
        let Some(bytes) = source.signed_beyond(self.tree.size)? else { return Ok(()) };
        let unusable =
            |detail: String| StoreError::LogUnusable { path: self.dir.clone(), detail: detail.into() };
        let key = self
            .vkey()
            .parse::<verify::Vkey>()
            .map_err(|e| StoreError::inside(format_args!("own key: {e}")))?;
        let signed = verify::Checkpoint::open(&bytes, &key)
            .map_err(|e| unusable(format!("the checkpoint in the database: {e}")))?;
        if signed.size <= self.tree.size {
            return Ok(());
        }
        let tree = self.extended(source, signed.size, Mode::Write)?;
        let root = tree.edge.root();
        if root.0 != signed.root {
            return Err(StoreError::LogDisagrees {
                path: self.dir.clone(),
                detail: format!(
                    "the first {} events hash differently than another process signed",
                    signed.size
                )
                .into(),
            });
        }
        self.sync_touched()?;
        self.show(tree, root, bytes)
    }

    /// Replaces the checkpoint by that of this tree, whose tiles are there.
    fn show(&mut self, tree: Tree, root: Hash, checkpoint: Vec<u8>) -> Result<(), StoreError> {
        self.replace_checkpoint(&checkpoint)?;
        self.published.set(checkpoint.into(), tree.size, root);
        // 4. Partial tiles that only the old checkpoint needed. A crash leaves them, and the next start sweeps them.
        let old = std::mem::replace(&mut self.tree, tree).partials;
        for path in old.difference(&self.tree.partials) {
            self.remove_partial(path);
        }
        Ok(())
    }

    /// The tree at a later size; tiles on the way are written or compared.
    fn extended(&self, source: &dyn LogSource, to: u64, mode: Mode) -> Result<Tree, StoreError> {
        let mut tree = self.tree.clone();
        tree.partials.clear();
        // What a publication that failed had not put in place is written again.
        self.pending.borrow_mut().clear();
        while tree.size < to {
            let end = to.min((tree.size / CHUNK + 1) * CHUNK);
            source.each(tree.size..end, &mut |index, leaf| self.grow(&mut tree, index, leaf, mode))?;
            if tree.size != end {
                return Err(StoreError::LogDisagrees {
                    path: self.dir.clone(),
                    detail: format!("event {} is missing in the database", tree.size).into(),
                });
            }
        }
        // The partial tiles of the final size. One that did not grow is there already.
        for (level, width, bytes) in tree.edge.partial() {
            let path = path(&level.to_string(), tile_index(to, level), width);
            if mode != Mode::Write || !self.tree.partials.contains(&path) {
                self.place(&path, &bytes, mode)?;
            }
            tree.partials.insert(path);
        }
        let width = usize::try_from(to).map_err(StoreError::inside)? % WIDTH;
        if width != 0 {
            let path = path("entries", to >> HEIGHT, width);
            self.place(&path, &tree.bundle, mode)?;
            tree.partials.insert(path);
        }
        Ok(tree)
    }

    /// Adds a leaf and places the tiles that became full by it. A leaf that is not the next one changes nothing.
    fn grow(&self, tree: &mut Tree, index: u64, leaf: &[u8], mode: Mode) -> Result<(), StoreError> {
        if index != tree.size {
            return Ok(());
        }
        let length = u16::try_from(leaf.len()).map_err(StoreError::inside)?;
        tree.bundle.extend_from_slice(&length.to_be_bytes());
        tree.bundle.extend_from_slice(leaf);
        tree.size += 1;
        let full = tree.edge.add(leaf);
        if !full.is_empty() {
            self.place(&path("entries", index >> HEIGHT, WIDTH), &tree.bundle, mode)?;
            tree.bundle.clear();
        }
        for tile in full {
            let path = path(&tile.level.to_string(), tile_index(index, tile.level), WIDTH);
            self.place(&path, &tile.bytes, mode)?;
        }
        Ok(())
    }

    fn place(&self, path: &str, bytes: &[u8], mode: Mode) -> Result<(), StoreError> {
        let full = self.dir.join(path);
        if mode != Mode::Write {
            let found = match fs::read(&full) {
                Ok(found) => found,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
                Err(e) => return Err(StoreError::io(&full, &e)),
            };
            if found == bytes {
                return Ok(());
            }
            if mode == Mode::Compare {
                let mut findings = self.findings.borrow_mut();
                // What a power cut leaves of a file that was being written: nothing, a beginning, or zeros.
                if bytes.starts_with(&found) || found.iter().all(|b| *b == 0) {
                    findings.wanting = true;
                } else {
                    findings.differs.get_or_insert_with(|| path.to_owned());
                }
                return Ok(());
            }
            tracing::warn!(path, "a file of the log was missing or cut: written again from the database");
        }
        let fault = self.faults.as_ref().and_then(|f| f.at(FaultPoint::Tile));
        if fault == Some(Fault::NotPersisted) {
            return Err(injected(&full));
        }
        if let Some(folder) = full.parent() {
            make_folder(folder)?;
            // A new folder is an entry in its own parent.
            self.touched
                .borrow_mut()
                .extend(folder.ancestors().take_while(|f| f.starts_with(&self.dir)).map(Path::to_owned));
        }
        let waiting = self.pending.borrow().len();
        let beside = self.dir.join(format!("tile-{waiting}.new"));
        let file = written(&beside, bytes).map_err(|e| StoreError::io(&beside, &e))?;
        self.pending.borrow_mut().push(Pending { file, beside, full: full.clone() });
        if waiting + 1 >= AT_ONCE || fault.is_some() {
            self.settle()?;
        }
        if fault.is_some() { Err(injected(&full)) } else { Ok(()) }
    }

    /// Puts what was written into its places: each file whole on the disk first, then there in one step. A process that is
    /// killed anywhere in between leaves no half a tile.
    fn settle(&self) -> Result<(), StoreError> {
        let pending = std::mem::take(&mut *self.pending.borrow_mut());
        for Pending { file, beside, .. } in &pending {
            file.sync_data().map_err(|e| StoreError::io(beside, &e))?;
        }
        for Pending { beside, full, .. } in &pending {
            fs::rename(beside, full).map_err(|e| StoreError::io(full, &e))?;
        }
        Ok(())
    }

    fn sync_touched(&self) -> Result<(), StoreError> {
        self.settle()?;
        for folder in std::mem::take(&mut *self.touched.borrow_mut()) {
            sync_folder(&folder)?;
        }
        Ok(())
    }

    fn signed_checkpoint(&self, size: u64, root: Hash) -> Result<Vec<u8>, StoreError> {
        let name = self.signer.name();
        let text = Checkpoint::new(name, size, root, "")
            .map_err(|_| StoreError::inside("checkpoint text"))?
            .to_bytes();
        let id = signed_note::key_id(name, &typed_key(&self.signer.public_key()));
        let signature = Signature::new(name.to_owned(), id, self.signer.sign(&text).to_vec())
            .map_err(StoreError::inside)?;
        Ok(Note::new(&text, &[signature]).map_err(StoreError::inside)?.to_bytes())
    }

    fn replace_checkpoint(&self, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.dir.join("checkpoint");
        let fault = self.faults.as_ref().and_then(|f| f.at(FaultPoint::Checkpoint));
        if fault == Some(Fault::NotPersisted) {
            return Err(injected(&path));
        }
        replace(&path, bytes)?;
        if fault.is_some() { Err(injected(&path)) } else { Ok(()) }
    }

    fn vkey(&self) -> String {
        vkey(&*self.signer)
    }

    /// Beside the log, for verification without the keys. Whoever must not trust this folder passes the key explicitly.
    fn write_vkey(&self, vkey: &str) -> Result<(), StoreError> {
        let path = self.dir.join("vkey");
        let text = format!("{vkey}\n");
        if fs::read(&path).is_ok_and(|found| found == text.as_bytes()) {
            Ok(())
        } else {
            replace(&path, text.as_bytes())
        }
    }

    fn remove_partial(&self, path: &str) {
        let full = self.dir.join(path);
        // Nobody needs these; a failure only leaves an old file behind.
        if let Err(error) = fs::remove_file(&full) {
            tracing::debug!(%error, path, "an old partial tile was not removed");
        }
        if let Some(folder) = full.parent() {
            let _not_empty = fs::remove_dir(folder);
        }
    }

    /// Removes what a crash between steps 1 and 4 left: files that came into no place, and partial tiles that do not belong to
    /// the signed size.
    fn sweep_partials(&self) -> Result<(), StoreError> {
        for n in 0..AT_ONCE {
            let _gone = fs::remove_file(self.dir.join(format!("tile-{n}.new")));
        }
        let mut folders = vec![self.dir.join("tile")];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => return Err(StoreError::io(&folder, &e)),
            };
            let partial = folder.extension().is_some_and(|e| e == "p");
            for entry in entries {
                let entry = entry.map_err(|e| StoreError::io(&folder, &e))?;
                let path = entry.path();
                if entry.file_type().map_err(|e| StoreError::io(&path, &e))?.is_dir() {
                    folders.push(path);
                } else if partial
                    && let Some(name) = path.strip_prefix(&self.dir).ok().and_then(Path::to_str)
                    && !self.tree.partials.contains(name)
                {
                    self.remove_partial(name);
                }
            }
        }
        Ok(())
    }
}

/// The public key of a signer as C2SP signed-note writes it.
pub(super) fn vkey(signer: &dyn Signer) -> String {
    let name = signer.name();
    let key = typed_key(&signer.public_key());
    format!("{name}+{:08x}+{}", signed_note::key_id(name, &key), BASE64_STANDARD.encode(key))
}

/// The key with its type in front: 1 is Ed25519 (C2SP signed-note).
fn typed_key(key: &[u8; 32]) -> [u8; 33] {
    let mut typed = [1; 33];
    if let Some(rest) = typed.get_mut(1..) {
        rest.copy_from_slice(key);
    }
    typed
}

/// Which tile of its level the leaf lies in (or, given a size, which one is growing).
fn tile_index(leaf: u64, level: usize) -> u64 {
    let above = u32::try_from(level + 1).unwrap_or(u32::MAX).saturating_mul(u32::from(HEIGHT));
    leaf.checked_shr(above).unwrap_or(0)
}

fn tile_path(tile: Tile) -> String {
    path(&tile.level().to_string(), tile.level_index(), tile.width() as usize)
}

/// `tile/<level>/<n>[.p/<width>]`, `n` in groups of three digits (C2SP tlog-tiles, "Merkle Tree").
fn path(level: &str, n: u64, width: usize) -> String {
    let mut digits = format!("{:03}", n % 1000);
    let mut rest = n / 1000;
    while rest > 0 {
        digits = format!("x{:03}/{digits}", rest % 1000);
        rest /= 1000;
    }
    if width == WIDTH { format!("tile/{level}/{digits}") } else { format!("tile/{level}/{digits}.p/{width}") }
}

/// A new file whose bytes are on their way: where several are, the first one that is waited for brings the others along.
fn written(path: &Path, bytes: &[u8]) -> std::io::Result<File> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    // Begins to write, and keeps no copy in memory. Where the system does not do that, the wait is longer, no more.
    let _begun = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
    Ok(file)
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_data()
    };
    write().map_err(|e| StoreError::io(path, &e))
}

/// All or nothing, and durable on return.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let beside = path.with_extension("new");
    write_synced(&beside, bytes)?;
    fs::rename(&beside, path).map_err(|e| StoreError::io(path, &e))?;
    path.parent().map_or(Ok(()), sync_folder)
}

fn injected(path: &Path) -> StoreError {
    StoreError::Io { path: path.to_owned(), detail: "injected by a test".into() }
}

/// Proof that an event stands under a checkpoint (RFC 6962, 2.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The event.
    pub index: u64,
    /// Hashes from the leaf's neighbour up to the root.
    pub path: Vec<[u8; 32]>,
    /// The signed checkpoint it leads to.
    pub checkpoint: Arc<[u8]>,
}

struct Files<'a>(&'a Path);

impl TileReader for Files<'_> {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        tiles
            .iter()
            .map(|t| fs::read(self.0.join(tile_path(*t))).map_err(|_| tlog_tiles::Error::InvalidTile))
            .collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// Proves that an event is in the published log, or gives nothing if it is not under a checkpoint yet.
pub(crate) fn prove(dir: &Path, published: &Published, index: u64) -> Result<Option<Proof>, StoreError> {
    let mut tries = 0;
    loop {
        let newest = published.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((checkpoint, size, root)) = newest.filter(|(_, size, _)| index < *size) else {
            return Ok(None);
        };
        match prove_record(size, index, &TileHashReader::new(size, root, &Files(dir))) {
            Ok(path) => {
                return Ok(Some(Proof { index, path: path.into_iter().map(|h| h.0).collect(), checkpoint }));
            }
            // The partial tiles of this size may have just been replaced by those of the next.
            Err(_) if tries < 3 => tries += 1,
            Err(e) => {
                return Err(StoreError::LogUnusable {
                    path: dir.to_owned(),
                    detail: format!("no proof for event {index}: {e}").into(),
                });
            }
        }
    }
}

/// A file of the log as it is served: `checkpoint`, `tile/…`. A partial tile that was widened since is cut from the wider
/// one, so that everybody who holds an older checkpoint still gets its tiles.
pub(crate) fn served(dir: &Path, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let harmless = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
            && !part.starts_with('.')
    };
    if name != "checkpoint" && name != "vkey" && !(name.starts_with("tile/") && name.split('/').all(harmless))
    {
        return Ok(None);
    }
    let read = |path: &Path| match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e)
            if matches!(
                e.kind(),
                std::io::ErrorKind::NotFound
                    | std::io::ErrorKind::NotADirectory
                    | std::io::ErrorKind::IsADirectory
            ) =>
        {
            Ok(None)
        }
        Err(e) => Err(StoreError::io(path, &e)),
    };
    if let Some(bytes) = read(&dir.join(name))? {
        return Ok(Some(bytes));
    }
    let Some((tile, width)) = name.rsplit_once(".p/") else { return Ok(None) };
    let Some(width) = width.parse::<usize>().ok().filter(|w| (1..WIDTH).contains(w)) else {
        return Ok(None);
    };
    let mut wider = read(&dir.join(tile))?;
    if wider.is_none() {
        let folder = dir.join(format!("{tile}.p"));
        let widths = fs::read_dir(&folder).into_iter().flatten().flatten();
        let widest = widths.filter_map(|e| e.file_name().to_str()?.parse::<usize>().ok()).max();
        if let Some(widest) = widest.filter(|w| *w >= width) {
            wider = read(&folder.join(widest.to_string()))?;
        }
    }
    Ok(wider.and_then(|bytes| {
        let end = if tile.starts_with("tile/entries/") {
            (0..width).try_fold(0usize, |at, _| {
                let head = bytes.get(at..at + 2)?;
                Some(at + 2 + usize::from(u16::from_be_bytes(head.try_into().ok()?)))
            })?
        } else {
            width * 32
        };
        bytes.get(..end).map(<[u8]>::to_vec)
    }))
}

//! How far one file is looked into.

/// Bounds of one inspection. All that is read, kept and done stays within them, whatever the file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes that everything together may unpack to; with the file itself it bounds the memory that is held.
    pub unpacked: usize,
    /// Most bytes that one packed file may unpack to.
    pub entry: usize,
    /// How many times its own size something may unpack to, once it is more than 4 MiB.
    pub ratio: usize,
    /// Most files inside.
    pub entries: usize,
    /// How deep archives and documents may lie in each other.
    pub depth: usize,
    /// Most work, in bytes looked at, each time that they are.
    pub work: u64,
    /// Most text that is handed out, in bytes.
    pub text: usize,
    /// Most addresses that are handed out.
    pub links: usize,
    /// How long the operator's rules may take for a file and all that is in it, in milliseconds.
    pub rules_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            unpacked: 64 << 20,
            entry: 32 << 20,
            ratio: 250,
            entries: 4_000,
            depth: 6,
            work: 1 << 30,
            text: 400_000,
            links: 1_000,
            rules_ms: 5_000,
        }
    }
}

/// From how many unpacked bytes on the ratio counts: small files that are all alike pack well.
pub(crate) const RATIO_FROM: usize = 4 << 20;
/// Deepest that [`Limits::depth`] may say: each step takes room on the stack.
pub(crate) const DEEPEST: usize = 16;
/// Most signs that are told.
pub(crate) const SIGNS: usize = 500;
/// Most places that are told where nothing was looked.
pub(crate) const NOT_LOOKED: usize = 200;
/// Longest path that is told, in bytes.
pub(crate) const PATH: usize = 512;
/// Longest address that is told, in bytes.
pub(crate) const LINK: usize = 4_096;

//! The right edge of the growing tree (RFC 6962, 2.1; C2SP tlog-tiles).
//!
//! Of each tile level only the hashes of the tile that is not full yet are kept: everything to the left is read only
//! through its full tile's root, which stands in the level above. A leaf costs one hash of itself and about one of nodes.

use tlog_tiles::{HASH_SIZE, Hash, node_hash, record_hash};

/// Hashes in a full tile are `2^8` (C2SP tlog-tiles).
pub(super) const WIDTH: usize = 256;

/// Per level the hashes of its partial tile, at most [`WIDTH`] minus one. Each stands for `256^level` leaves.
#[derive(Clone, Default)]
pub(super) struct Edge {
    levels: Vec<Vec<Hash>>,
}

/// A tile that became full.
pub(super) struct Full {
    pub(super) level: usize,
    pub(super) bytes: Vec<u8>,
}

impl Edge {
    /// Adds a leaf; gives the tiles that became full by it, lowest first.
    pub(super) fn add(&mut self, leaf: &[u8]) -> Vec<Full> {
        let mut full = Vec::new();
        let mut hash = record_hash(leaf);
        for level in 0.. {
            if self.levels.len() <= level {
                self.levels.push(Vec::with_capacity(WIDTH));
            }
            let Some(tile) = self.levels.get_mut(level) else { break };
            tile.push(hash);
            if tile.len() < WIDTH {
                break;
            }
            full.push(Full { level, bytes: bytes(tile) });
            hash = joined(tile);
            tile.clear();
        }
        full
    }

    /// The partial tiles, lowest first: level, width, bytes.
    pub(super) fn partial(&self) -> impl Iterator<Item = (usize, usize, Vec<u8>)> {
        let partial = self.levels.iter().enumerate().filter(|(_, tile)| !tile.is_empty());
        partial.map(|(level, tile)| (level, tile.len(), bytes(tile)))
    }

    /// The root of the tree; that of an empty one is the hash of nothing.
    pub(super) fn root(&self) -> Hash {
        let mut below: Option<Hash> = None;
        for tile in &self.levels {
            // What lies below is the last, incomplete member of this level: the largest power of two of complete members
            // stands left of it at every split, as the standard asks.
            let mut members = tile.clone();
            members.extend(below);
            below = (!members.is_empty()).then(|| joined(&members));
        }
        below.unwrap_or(tlog_tiles::EMPTY_HASH)
    }
}

fn bytes(tile: &[Hash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(tile.len() * HASH_SIZE);
    tile.iter().for_each(|hash| bytes.extend_from_slice(&hash.0));
    bytes
}

/// The root over these members, of which only the last may be incomplete.
fn joined(members: &[Hash]) -> Hash {
    let mut row = members.to_vec();
    // Level by level from the left; one that is left over goes up as it is. This gives the same tree as splitting at the
    // largest power of two.
    while row.len() > 1 {
        row = row
            .chunks(2)
            .filter_map(|pair| match pair {
                [left, right] => Some(node_hash(*left, *right)),
                [last] => Some(*last),
                _ => None,
            })
            .collect();
    }
    row.first().copied().unwrap_or(tlog_tiles::EMPTY_HASH)
}

#[cfg(test)]
mod tests {
    use tlog_tiles::{HashReader, stored_hash_index, stored_hashes, tree_hash};

    use super::*;

    /// The library's own way of keeping a whole tree.
    struct All(Vec<Hash>);

    impl HashReader for All {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
            Ok(indexes.iter().map(|i| self.0[usize::try_from(*i).unwrap()]).collect())
        }
    }

    #[test]
    fn roots_and_tiles_are_those_of_the_library() {
        let (mut edge, mut all) = (Edge::default(), All(Vec::new()));
        assert_eq!(edge.root(), tlog_tiles::EMPTY_HASH);
        for n in 0..70_000u64 {
            let leaf = n.to_be_bytes();
            let hashes = stored_hashes(n, &leaf, &all).unwrap();
            all.0.extend(hashes);
            for full in edge.add(&leaf) {
                let first = (n >> (8 * (full.level + 1))) << 8;
                for (i, hash) in (first..).zip(full.bytes.chunks(32)) {
                    let at = stored_hash_index(u8::try_from(8 * full.level).unwrap(), i);
                    assert_eq!(hash, &all.0[usize::try_from(at).unwrap()].0, "{n} level {}", full.level);
                }
            }
            if n < 600 || n % 997 == 0 || n > 65_500 && n < 65_600 {
                assert_eq!(edge.root(), tree_hash(n + 1, &all).unwrap(), "{n}");
            }
        }
        let widths: Vec<_> = edge.partial().map(|(level, width, _)| (level, width)).collect();
        assert_eq!(widths, [(0, 70_000 % 256), (1, (70_000 >> 8) % 256), (2, 1)]);
    }
}

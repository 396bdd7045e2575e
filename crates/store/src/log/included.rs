//! Whether an event stands under a checkpoint, told by a proof alone: for whoever has neither the log nor its database.

use aws_lc_rs::digest::{Context, SHA256};

use super::verify::Checkpoint;

/// Whether the path leads from this leaf, at this place, to the checkpoint's root (RFC 9162, 2.1.3.2).
pub fn included(checkpoint: &Checkpoint, leaf: &[u8], index: u64, path: &[[u8; 32]]) -> bool {
    if index >= checkpoint.size {
        return false;
    }
    let (mut place, mut last) = (index, checkpoint.size - 1);
    let mut hash = sha256(&[&[0], leaf]);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            hash = sha256(&[&[1], sibling, &hash]);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = sha256(&[&[1], &hash, sibling]);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && hash == checkpoint.root
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6962, 2.1 and 2.1.1, straight from the definition.
    fn root(leaves: &[Vec<u8>]) -> [u8; 32] {
        match leaves {
            [] => sha256(&[]),
            [one] => sha256(&[&[0], one]),
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len()));
                sha256(&[&[1], &root(left), &root(right)])
            }
        }
    }

    fn path(leaves: &[Vec<u8>], at: usize) -> Vec<[u8; 32]> {
        if leaves.len() <= 1 {
            return Vec::new();
        }
        let k = split(leaves.len());
        let (left, right) = leaves.split_at(k);
        let (mut below, other) =
            if at < k { (path(left, at), root(right)) } else { (path(right, at - k), root(left)) };
        below.push(other);
        below
    }

    fn split(n: usize) -> usize {
        n.next_power_of_two() / 2
    }

    #[test]
    fn a_path_proves_its_own_leaf_at_its_own_place_and_nothing_else() {
        for size in 1..40_usize {
            let leaves: Vec<Vec<u8>> = (0..size).map(|n| format!("event {n}").into_bytes()).collect();
            let checkpoint = Checkpoint { size: size as u64, root: root(&leaves) };
            for (at, leaf) in leaves.iter().enumerate() {
                let proof = path(&leaves, at);
                assert!(included(&checkpoint, leaf, at as u64, &proof), "{at} of {size}");
                assert!(!included(&checkpoint, b"another", at as u64, &proof));
                for other in (0..=size).filter(|other| *other != at) {
                    assert!(!included(&checkpoint, leaf, other as u64, &proof), "{at} as {other} of {size}");
                }
                for n in 0..proof.len() {
                    let mut bent = proof.clone();
                    bent[n][7] ^= 1;
                    assert!(!included(&checkpoint, leaf, at as u64, &bent));
                }
                let longer = [proof.clone(), vec![[0; 32]]].concat();
                assert!(!included(&checkpoint, leaf, at as u64, &longer));
            }
        }
    }
}

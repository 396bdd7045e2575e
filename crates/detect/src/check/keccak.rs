//! Keccak-256 as Ethereum uses it (the 2011 padding, not SHA3-256's), for the letter case of EIP-55 addresses.
//!
//! A checksum over public text: no secret ever gets here. Source: the Keccak reference, version 3.0, sections 1 and 2.

/// The hash of a message shorter than one block (136 bytes); `None` for a longer one, which no address is.
pub(super) fn keccak256(message: &[u8]) -> Option<[u8; 32]> {
    const RATE: usize = 136;
    let mut block = [0_u8; RATE];
    block.get_mut(..message.len())?.copy_from_slice(message);
    *block.get_mut(message.len())? ^= 0x01;
    block[RATE - 1] ^= 0x80;
    let mut state = [[0_u64; 5]; 5];
    for (i, word) in block.chunks_exact(8).enumerate() {
        state[i / 5][i % 5] = u64::from_le_bytes(word.try_into().ok()?);
    }
    permute(&mut state);
    let mut hash = [0_u8; 32];
    for (out, lane) in hash.chunks_exact_mut(8).zip(state[0]) {
        out.copy_from_slice(&lane.to_le_bytes());
    }
    Some(hash)
}

/// Keccak-f[1600]; a lane (x, y) stands at `state[y][x]`.
fn permute(state: &mut [[u64; 5]; 5]) {
    let mut register = 1_u8;
    for _ in 0..24 {
        // Theta: every column takes the parity of its neighbours.
        let parity: [u64; 5] = std::array::from_fn(|x| state.iter().fold(0, |p, row| p ^ row[x]));
        for row in state.iter_mut() {
            for (x, lane) in row.iter_mut().enumerate() {
                *lane ^= parity[(x + 4) % 5] ^ parity[(x + 1) % 5].rotate_left(1);
            }
        }
        // Rho and pi: lanes turn by triangular numbers and move along one path.
        let (mut x, mut y, mut moving) = (1, 0, state[0][1]);
        for step in 0..24_u32 {
            (x, y) = (y, (2 * x + 3 * y) % 5);
            let turned = moving.rotate_left((step + 1) * (step + 2) / 2 % 64);
            moving = std::mem::replace(&mut state[y][x], turned);
        }
        // Chi: the only non-linear step.
        for row in state.iter_mut() {
            let old = *row;
            for (x, lane) in row.iter_mut().enumerate() {
                *lane ^= !old[(x + 1) % 5] & old[(x + 2) % 5];
            }
        }
        // Iota: constants out of a linear feedback shift register.
        for power in 0..7 {
            if register & 1 == 1 {
                state[0][0] ^= 1 << ((1_u32 << power) - 1);
            }
            register = register << 1 ^ if register & 0x80 == 0 { 0 } else { 0x71 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_vectors() {
        let hex = |message: &[u8]| {
            keccak256(message).unwrap().iter().map(|b| format!("{b:02x}")).collect::<String>()
        };
        assert_eq!(hex(b""), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
        assert_eq!(hex(b"abc"), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
        assert_eq!(keccak256(&[0; 136]), None);
    }
}

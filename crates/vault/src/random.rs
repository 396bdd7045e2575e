//! Random numbers that are no secrets: nonces and ids.
//!
//! A call of the cipher library's generator costs as much as sealing a short value, whatever it is asked for, and a turn
//! needs a dozen numbers. They are therefore drawn ahead, some hundred bytes a thread; each byte is given out once and
//! wiped. Keys and credentials never come from here: they are drawn for themselves.

use std::cell::RefCell;

use aws_lc_rs::rand;
use zeroize::Zeroize;

use crate::CipherError;

/// Bytes drawn ahead.
const DRAWN: usize = 512;

/// Drawn bytes; those before `next` are given out and wiped.
struct Pool {
    drawn: [u8; DRAWN],
    next: usize,
}

impl Pool {
    const EMPTY: Self = Self { drawn: [0; DRAWN], next: DRAWN };

    fn take(&mut self, wanted: &mut [u8]) -> Result<(), CipherError> {
        if wanted.len() > DRAWN - self.next {
            // What is left over is dropped: a number is never put together from two draws.
            if wanted.len() > DRAWN / 4 {
                return Ok(rand::fill(wanted)?);
            }
            self.next = DRAWN;
            rand::fill(&mut self.drawn)?;
            self.next = 0;
        }
        let end = self.next + wanted.len();
        let Some(given) = self.drawn.get_mut(self.next..end) else { return Err(CipherError::Library) };
        wanted.copy_from_slice(given);
        given.zeroize();
        self.next = end;
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.drawn.zeroize();
    }
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool::EMPTY) };
}

/// Fills the slice with random bytes that are no secret.
pub(crate) fn fill(wanted: &mut [u8]) -> Result<(), CipherError> {
    let pooled = POOL.try_with(|pool| match pool.try_borrow_mut() {
        Ok(mut pool) => pool.take(wanted),
        Err(_) => Err(CipherError::Library),
    });
    match pooled {
        Ok(done) => done,
        // The thread is ending and its pool is gone.
        Err(_) => Ok(rand::fill(wanted)?),
    }
}

/// Random bytes for an id or a nonce. Not for keys or credentials.
///
/// # Errors
///
/// [`CipherError::Library`] if the system gives no random numbers.
pub fn random_id<const N: usize>() -> Result<[u8; N], CipherError> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_number_comes_twice() {
        // Lengths that do not divide the pool, so that its ends are met in every way; on several threads.
        let draw = || (0..5_000).map(|_| random_id::<12>().unwrap()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(draw)).collect();
        let all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert!(!all.contains(&[0; 12]));
    }

    #[test]
    fn what_was_given_is_wiped() {
        let mut pool = Pool::EMPTY;
        let mut id = [0; 16];
        pool.take(&mut id).unwrap();
        assert_eq!((pool.next, &pool.drawn[..16]), (16, &[0; 16][..]));
        assert!(pool.drawn[16..].iter().any(|byte| *byte != 0));
        // Longer than the pool likes to give: drawn for itself.
        let (before, mut long) = (pool.next, [0; 500]);
        pool.take(&mut long).unwrap();
        assert!(long.iter().any(|byte| *byte != 0) && pool.next == before);
    }
}

//! Memory for bytes in bulk.
//!
//! Pieces are all of one size and used again. Memory that one thread fills and another frees
//! goes back to the kernel with each burst, if it is left to the system's allocator, and faulting
//! it in again costs as much as moving the bytes.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// The most that is handed on at once.
pub(crate) const PIECE: usize = 64 * 1024;

/// Less than this gets memory of its own size.
const POOLED: usize = 32 * 1024;

/// Unused pieces that the process keeps.
const KEPT: usize = 16;

static POOL: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A piece that is being filled.
#[derive(Debug, Default)]
pub(crate) struct Piece(Vec<u8>);

impl Piece {
    /// With room for `length` bytes, or for [`PIECE`] if that is less.
    pub(crate) fn with_room(length: usize) -> Self {
        if length < POOLED {
            return Self(Vec::with_capacity(length));
        }
        let spare = POOL.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self(spare.unwrap_or_else(|| Vec::with_capacity(PIECE)))
    }

    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// Appends bytes, and takes more memory as it grows.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        let length = self.0.len() + bytes.len();
        if length > self.0.capacity() && (POOLED / 2..=PIECE).contains(&length) {
            let mut larger = Self::with_room(PIECE);
            larger.0.extend_from_slice(&self.0);
            *self = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    /// The bytes, without a copy.
    pub(crate) fn freeze(mut self) -> Bytes {
        if self.0.capacity() == PIECE {
            Bytes::from_owner(self)
        } else {
            Bytes::from(std::mem::take(&mut self.0))
        }
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if self.0.capacity() == PIECE {
            let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
            if pool.len() < KEPT {
                self.0.clear();
                pool.push(std::mem::take(&mut self.0));
            }
        }
    }
}

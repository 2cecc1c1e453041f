//! A chunk that the host lends for the time of a flush.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A chunk's bytes, for as long as their owner leaves them here.
#[derive(Clone)]
pub struct LentChunk(Arc<Mutex<Option<Bytes>>>);

type Bytes = Box<dyn AsRef<[u8]> + Send>;

impl LentChunk {
    pub fn new(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(bytes)))))
    }

    /// The bytes, which stay while they are being read; none once they were taken back.
    pub fn read<R>(&self, reader: impl FnOnce(&[u8]) -> R) -> R {
        let bytes = self.bytes();
        reader(bytes.as_ref().map_or(&[], |bytes| (**bytes).as_ref()))
    }

    /// Returns when nobody reads the bytes anymore.
    pub fn take_back(&self) {
        *self.bytes() = None;
    }

    fn bytes(&self) -> MutexGuard<'_, Option<Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_back_is_not_read() {
        let chunk = LentChunk::new(b"abc".to_vec());
        let other = chunk.clone();
        assert_eq!(other.read(<[u8]>::len), 3);
        chunk.take_back();
        assert_eq!(other.read(<[u8]>::len), 0);
    }
}

//! A chunk of the host, lent to the runtime's threads while a call of the host lasts.

use crate::lent::LentChunk;

/// Lends bytes for as long as `borrower` runs. Who reads them then is waited for; who wants to
/// read them later finds none.
pub(super) fn lend<R>(bytes: &[u8], borrower: impl FnOnce(LentChunk) -> R) -> R {
    let chunk = LentChunk::new(Lent(bytes));
    let _loan = Loan(chunk.clone());
    borrower(chunk)
}

/// Bytes that are valid until the loan of their chunk ends.
struct Lent(*const [u8]);

// SAFETY: the bytes are only read, and nobody writes to them while they are lent.
unsafe impl Send for Lent {}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the chunk that holds this lets nobody read after it was taken back, which the
        // loan does, and waits for who still reads, before the host has its bytes again.
        unsafe { &*self.0 }
    }
}

struct Loan(LentChunk);

impl Drop for Loan {
    fn drop(&mut self) {
        self.0.take_back();
    }
}

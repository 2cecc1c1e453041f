//! How a flush waits for what it is told: its thread does, or its coroutine gives way.

use std::collections::VecDeque;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::coroutine::{Bell, Turn};
use crate::lent::{Host, Told};

/// How often a flush that holds its thread looks whether the host stops.
const CHECK: Duration = Duration::from_millis(500);

pub(super) enum Wait {
    /// It holds its thread.
    Thread(Receiver<Told>),
    Coroutine(Turn, Arc<Mailbox>),
}

/// What comes next.
pub(super) enum Next {
    Told(Told),
    /// Nothing for a while: a second at most.
    Nothing,
    /// Nobody will tell anything anymore.
    Gone,
}

/// What a flush was told, and has not read.
#[derive(Default)]
pub(super) struct Mailbox {
    told: Mutex<VecDeque<Told>>,
    is_gone: AtomicBool,
}

/// Puts what a flush is told into its mailbox, and rings.
struct Teller {
    mailbox: Arc<Mailbox>,
    bell: Arc<Bell>,
    id: u64,
    is_answered: AtomicBool,
}

impl Wait {
    /// What a flush waits by, and who tells it.
    pub(super) fn new() -> (Self, Host) {
        let Some(turn) = Turn::begin() else {
            let (sender, receiver) = channel();
            // Fails only if this thread has given up.
            let host: Host = Arc::new(move |told| _ = sender.send(told));
            return (Self::Thread(receiver), host);
        };
        let mailbox = Arc::new(Mailbox::default());
        let (bell, id) = turn.bell();
        let teller = Teller {
            mailbox: Arc::clone(&mailbox),
            bell,
            id,
            is_answered: AtomicBool::new(false),
        };
        let host: Host = Arc::new(move |told| teller.tell(told));
        (Self::Coroutine(turn, mailbox), host)
    }

    /// Tells the threads apart that flushes hold.
    pub(super) fn caller(&self) -> Option<usize> {
        thread_local! {
            static CALLER: u8 = const { 0 };
        }
        let holds_thread = matches!(self, Self::Thread(_));
        holds_thread.then(|| CALLER.with(|caller| ptr::from_ref(caller).addr()))
    }

    pub(super) fn next(&self) -> Next {
        match self {
            Self::Thread(receiver) => match receiver.recv_timeout(CHECK) {
                Ok(told) => Next::Told(told),
                Err(RecvTimeoutError::Timeout) => Next::Nothing,
                Err(RecvTimeoutError::Disconnected) => Next::Gone,
            },
            Self::Coroutine(turn, mailbox) => mailbox.take().unwrap_or_else(|| {
                turn.give_way();
                mailbox.take().unwrap_or(Next::Nothing)
            }),
        }
    }
}

impl Mailbox {
    fn told(&self) -> MutexGuard<'_, VecDeque<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Next> {
        let told = self.told().pop_front().map(Next::Told);
        let is_gone = self.is_gone.load(Ordering::Acquire);
        told.or_else(|| is_gone.then_some(Next::Gone))
    }
}

impl Teller {
    fn tell(&self, told: Told) {
        if let Told::Answer(..) = told {
            self.is_answered.store(true, Ordering::Relaxed);
        }
        self.mailbox.told().push_back(told);
        self.bell.ring(self.id);
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if !self.is_answered.load(Ordering::Relaxed) {
            self.mailbox.is_gone.store(true, Ordering::Release);
            self.bell.ring(self.id);
        }
    }
}

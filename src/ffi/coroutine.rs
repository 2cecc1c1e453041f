//! How a flush waits without holding its worker.
//!
//! The host runs each flush as a coroutine. While a flush waits, its coroutine gives way to the
//! worker's event loop, as those of the host's own outputs do while they wait for a socket. So a
//! worker has any number of flushes. When there is something to tell one of them, an event wakes the
//! loop, and its handler lets the coroutine go on.
//!
//! Where a host lacks one of the functions, or a thread is none of an output's workers, a flush
//! holds its thread.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::ffi::{c_char, c_int, c_void};
use std::fs::File;
use std::io::{Read, Write};
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use super::host::host_functions;
use super::settings::{CreateTimer, ONCE};

/// `cothread_t`
type Context = *mut c_void;

host_functions! {
    struct Functions {
        co_active: unsafe extern "C" fn() -> Context,
        co_switch: unsafe extern "C" fn(context: Context),
        flb_coro_get: unsafe extern "C" fn() -> *mut c_void,
        flb_coro_set: unsafe extern "C" fn(coroutine: *mut c_void),
        flb_engine_evl_get: unsafe extern "C" fn() -> *mut c_void,
        flb_output_thread_instance_get: unsafe extern "C" fn() -> *mut c_void,
        flb_sched_ctx_get: unsafe extern "C" fn() -> *mut c_void,
        flb_sched_timer_cb_create: CreateTimer,
        mk_event_add: unsafe extern "C" fn(
            event_loop: *mut c_void,
            fd: c_int,
            kind: c_int,
            mask: u32,
            event: *mut c_void,
        ) -> c_int,
    }
}

/// `struct mk_event`, the same from Fluent Bit 1.9 to 5.1.
#[repr(C)]
struct Event {
    fd: c_int,
    kind: c_int,
    mask: u32,
    status: u8,
    data: *mut c_void,
    handler: Option<unsafe extern "C" fn(event: *mut c_void) -> c_int>,
    lists: [*mut c_void; 4],
    priority: c_char,
    /// For hosts whose structure is longer.
    spare: [u64; 8],
}

/// `FLB_ENGINE_EV_CUSTOM`: the loop calls the event's handler.
const CUSTOM: c_int = 4;
const READABLE: u32 = 1;

/// How often flushes that wait are looked after though nothing is told, in milliseconds. The host
/// rounds a timer's first time down to a whole second of its clock: one of less than a second would
/// be due at once.
const CHECK: c_int = 1_000;

/// A worker's thread.
struct Worker {
    functions: Functions,
    /// Where the worker's event loop runs.
    main: Context,
    scheduler: *mut c_void,
    bell: Arc<Bell>,
    /// The host keeps its address.
    _event: Box<Event>,
    waiting: RefCell<BTreeMap<u64, Waiting>>,
    last: Cell<u64>,
    /// A timer of the host will call.
    is_timed: Cell<bool>,
}

/// A coroutine that gave way.
#[derive(Clone, Copy)]
struct Waiting {
    /// What the host calls it.
    coroutine: *mut c_void,
    context: Context,
}

/// Wakes a worker's event loop, from any thread.
pub(super) struct Bell {
    /// The flushes for which there is something.
    for_whom: Mutex<Vec<u64>>,
    fd: File,
}

/// A flush of a worker.
pub(super) struct Turn {
    worker: Rc<Worker>,
    id: u64,
}

thread_local! {
    /// None on a thread that is none of an output's workers.
    static WORKER: OnceCell<Option<Rc<Worker>>> = const { OnceCell::new() };
}

impl Turn {
    /// The flush that the calling thread runs; none if it can't give way.
    pub(super) fn begin() -> Option<Self> {
        let worker = WORKER.with(|worker| worker.get_or_init(Worker::new).clone())?;
        let id = worker.last.get() + 1;
        worker.last.set(id);
        Some(Self { worker, id })
    }

    /// Wakes this flush when rung with its number.
    pub(super) fn bell(&self) -> (Arc<Bell>, u64) {
        (Arc::clone(&self.worker.bell), self.id)
    }

    /// Gives way, until the bell is rung, or for a second at most.
    pub(super) fn give_way(&self) {
        let worker = &self.worker;
        let functions = &worker.functions;
        // SAFETY: both take nothing, and answer what the calling thread runs now.
        let coroutine = unsafe { (functions.flb_coro_get)() };
        // SAFETY: as above.
        let context = unsafe { (functions.co_active)() };
        let waiting = Waiting { coroutine, context };
        worker.waiting.borrow_mut().insert(self.id, waiting);
        worker.set_timer();
        // SAFETY: `main` is where this thread's event loop waits for this coroutine to give way.
        // Nothing is borrowed or locked meanwhile.
        unsafe { (functions.co_switch)(worker.main) };
        worker.waiting.borrow_mut().remove(&self.id);
    }
}

impl Bell {
    pub(super) fn ring(&self, id: u64) {
        let mut for_whom = self.for_whom.lock().unwrap_or_else(PoisonError::into_inner);
        for_whom.push(id);
        // It can only fail when the count is full: then it is rung already.
        _ = (&self.fd).write(&1_u64.to_ne_bytes());
    }

    fn take(&self) -> Vec<u64> {
        let mut for_whom = self.for_whom.lock().unwrap_or_else(PoisonError::into_inner);
        _ = (&self.fd).read(&mut [0; 8]);
        mem::take(&mut for_whom)
    }
}

impl Worker {
    /// Of the calling thread, which runs a flush.
    fn new() -> Option<Rc<Self>> {
        let functions = Functions::find()?;
        // SAFETY: it takes nothing, and answers null on a thread that is no worker.
        if unsafe { (functions.flb_output_thread_instance_get)() }.is_null() {
            return None;
        }
        let main = caller(&functions)?;
        // SAFETY: both take nothing, and answer what is the calling thread's, or null.
        let event_loop = unsafe { (functions.flb_engine_evl_get)() };
        // SAFETY: as above.
        let scheduler = unsafe { (functions.flb_sched_ctx_get)() };
        if event_loop.is_null() || scheduler.is_null() {
            return None;
        }
        // SAFETY: it takes two numbers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return None;
        }
        // SAFETY: the descriptor is new, and nobody else's.
        let fd = unsafe { File::from_raw_fd(fd) };
        let mut event = Box::new(Event {
            fd: -1,
            kind: 0,
            mask: 0,
            status: 1,
            data: ptr::null_mut(),
            handler: Some(on_bell),
            lists: [ptr::null_mut(); 4],
            priority: 0,
            spare: [0; 8],
        });
        let place = ptr::from_mut(&mut *event).cast();
        let (add, number) = (functions.mk_event_add, fd.as_raw_fd());
        // SAFETY: the loop is the calling thread's. The event is zeroed but for what the host asks
        // of a new one, and lives as long as the thread, which ends behind its loop.
        let is_added = unsafe { add(event_loop, number, CUSTOM, READABLE, place) } == 0;
        let is_known = (event.fd, event.kind, event.mask) == (number, CUSTOM, READABLE);
        let bell = Arc::new(Bell {
            for_whom: Mutex::default(),
            fd,
        });
        // An event that the host may know of is never freed.
        let event = if is_added && is_known {
            event
        } else {
            mem::forget(event);
            return None;
        };
        Some(Rc::new(Self {
            functions,
            main,
            scheduler,
            bell,
            _event: event,
            waiting: RefCell::default(),
            last: Cell::new(0),
            is_timed: Cell::new(false),
        }))
    }

    fn set_timer(&self) {
        if self.is_timed.replace(true) {
            return;
        }
        let create = self.functions.flb_sched_timer_cb_create;
        let mut timer = ptr::null_mut();
        // SAFETY: the scheduler is the calling thread's, and outlives its timers.
        let is_set = unsafe {
            create(
                self.scheduler,
                ONCE,
                CHECK,
                on_timer,
                ptr::null_mut(),
                &raw mut timer,
            )
        } == 0;
        self.is_timed.set(is_set);
    }

    /// Lets a coroutine go on, until it gives way again or ends.
    fn resume(&self, id: u64) {
        let waiting = self.waiting.borrow().get(&id).copied();
        if let Some(Waiting { coroutine, context }) = waiting {
            // SAFETY: the host's name of a coroutine of this thread that has not ended.
            unsafe { (self.functions.flb_coro_set)(coroutine) };
            // SAFETY: the coroutine gave way there, and this thread's loop runs here. Nothing is
            // borrowed or locked meanwhile.
            unsafe { (self.functions.co_switch)(context) };
        }
    }
}

/// Who lets the coroutine run that the calling thread is in.
fn caller(functions: &Functions) -> Option<Context> {
    // SAFETY: it takes nothing, and answers what the calling thread runs now, or null.
    let coroutine = unsafe { (functions.flb_coro_get)() };
    // SAFETY: it takes nothing.
    let active = unsafe { (functions.co_active)() };
    if coroutine.is_null() {
        return None;
    }
    // SAFETY: `struct flb_coro` has at least three words, and lives while its coroutine runs.
    let words: [Context; 3] = unsafe { coroutine.cast::<[Context; 3]>().read() };
    // The caller stands before the callee, which is what runs now. A host that was built for Valgrind
    // has a number before both.
    let place = words.iter().position(|word| *word == active)?;
    let caller = *words.get(place.checked_sub(1)?)?;
    (!caller.is_null()).then_some(caller)
}

fn with_worker(action: impl FnOnce(&Worker)) {
    let worker = WORKER.with(|worker| worker.get().cloned().flatten());
    if let Some(worker) = worker {
        // A panic must not reach the host.
        _ = catch_unwind(AssertUnwindSafe(|| action(&worker)));
    }
}

/// Called by a worker's event loop when the bell was rung.
unsafe extern "C" fn on_bell(_: *mut c_void) -> c_int {
    with_worker(|worker| {
        for id in worker.bell.take() {
            worker.resume(id);
        }
    });
    0
}

/// Called by a worker's event loop while flushes wait.
unsafe extern "C" fn on_timer(_: *mut c_void, _: *mut c_void) {
    with_worker(|worker| {
        worker.is_timed.set(false);
        let waiting: Vec<u64> = worker.waiting.borrow().keys().copied().collect();
        for id in waiting {
            worker.resume(id);
        }
    });
}

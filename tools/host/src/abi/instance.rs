//! An output's instance: what the host keeps of it, and the settings that a plugin may change.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use crate::log;
use crate::plugin::HostVersion;
use crate::properties::Properties;

/// `struct flb_output_instance`, opaque to the plugin. As in Fluent Bit, the settings and the list
/// of the properties lie somewhere in it.
#[repr(C)]
pub(crate) struct OutputInstance {
    pub(super) name: CString,
    pub(super) log_level: c_int,
    version: HostVersion,
    retry_limit: AtomicI32,
    /// `retry_limit_is_set` from 5.1 on, and `use_tls` before.
    behind_retry_limit: AtomicI32,
    list: Links,
    tp_workers: AtomicI32,
    /// How many pools of workers were made.
    pools: AtomicU32,
    pub(super) properties: Properties,
    nodes: Box<[Node]>,
}

/// `struct mk_list`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Links {
    previous: *const Links,
    next: *const Links,
}

/// `struct flb_kv`.
#[repr(C)]
struct Node {
    name: *const c_char,
    value: *const c_char,
    links: Links,
}

/// An output's settings, as they are once its engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Of each pool.
    pub workers: i32,
    /// Fluent Bit stops one of them, and crashes by a second one.
    pub pools: u32,
    /// -1 is no limit, 0 no retry.
    pub retry_limit: i32,
}

const NO_LINKS: Links = Links {
    previous: ptr::null(),
    next: ptr::null(),
};

impl OutputInstance {
    pub(super) fn new(
        version: HostVersion,
        name: CString,
        log_level: c_int,
        properties: Properties,
    ) -> Box<Self> {
        let node = |(name, value): (&CStr, &CStr)| Node {
            name: name.as_ptr(),
            value: value.as_ptr(),
            links: NO_LINKS,
        };
        let mut instance = Box::new(Self {
            name,
            log_level,
            version,
            retry_limit: AtomicI32::new(1),
            behind_retry_limit: AtomicI32::new(0),
            list: NO_LINKS,
            tp_workers: AtomicI32::new(0),
            pools: AtomicU32::new(0),
            nodes: properties.iter().map(node).collect(),
            properties,
        });
        instance.link();
        instance
    }

    /// Makes the list of the nodes, which stay where they are.
    fn link(&mut self) {
        let head = &raw const self.list;
        let nodes = self.nodes.iter().map(|node| &raw const node.links);
        let ring: Vec<*const Links> = std::iter::once(head).chain(nodes).collect();
        let links = |at: usize| Links {
            previous: ring[(at + ring.len() - 1) % ring.len()],
            next: ring[(at + 1) % ring.len()],
        };
        self.list = links(0);
        for (at, node) in self.nodes.iter_mut().enumerate() {
            node.links = links(at + 1);
        }
    }

    /// `flb_output_set_property`, for the two that a plugin may set.
    pub(super) fn set(&self, key: &CStr, value: &CStr) -> c_int {
        let value = value.to_string_lossy();
        match key.to_bytes() {
            b"workers" => {
                let workers = value.parse().unwrap_or(0);
                self.tp_workers.store(workers, Ordering::Relaxed);
            }
            b"retry_limit" => {
                let limit = match &*value {
                    "no_limits" | "false" | "off" => -1,
                    "no_retries" => 0,
                    number => number.parse().ok().filter(|limit| *limit > 0).unwrap_or(1),
                };
                self.retry_limit.store(limit, Ordering::Relaxed);
                if self.version == HostVersion::V5_1 {
                    self.behind_retry_limit.store(1, Ordering::Relaxed);
                }
            }
            _ => log::violation(format!("the plugin set the property {key:?}")),
        }
        0
    }

    /// `flb_output_enable_multi_threading`: what it makes is only counted.
    pub(super) fn enable_multi_threading(&self) -> c_int {
        if self.tp_workers.load(Ordering::Relaxed) > 0 {
            self.pools.fetch_add(1, Ordering::Relaxed);
        }
        0
    }

    pub(super) fn settings(&self) -> Settings {
        Settings {
            workers: self.tp_workers.load(Ordering::Relaxed),
            pools: self.pools.load(Ordering::Relaxed),
            retry_limit: self.retry_limit.load(Ordering::Relaxed),
        }
    }
}

// === the engine's timers ===

type Callback = unsafe extern "C" fn(config: *mut c_void, data: *mut c_void);

thread_local! {
    /// Those that were made since the engine last ran, on its thread.
    static TIMERS: RefCell<Vec<(Callback, *mut c_void)>> = const { RefCell::new(Vec::new()) };
}

/// What the host passes for its `struct flb_config` and `struct flb_sched`: nobody may look into
/// them.
static OPAQUE: u64 = 0xDEAD_DEAD_DEAD_DEAD;

pub(super) fn opaque() -> *mut c_void {
    (&raw const OPAQUE).cast_mut().cast()
}

/// `flb_sched_timer_cb_create`, for timers that fire once.
pub(super) fn create_timer(kind: c_int, callback: Callback, data: *mut c_void) -> c_int {
    const ONCE: c_int = 3;
    if kind != ONCE {
        log::violation(format!("the plugin made a timer of type {kind}"));
        return -1;
    }
    TIMERS.with_borrow_mut(|timers| timers.push((callback, data)));
    0
}

/// A turn of the engine: each timer fires.
pub(crate) fn run_timers() {
    for (callback, data) in TIMERS.take() {
        // SAFETY: the plugin gave the two for this, and the configuration is not looked into.
        unsafe { callback(opaque(), data) };
    }
}

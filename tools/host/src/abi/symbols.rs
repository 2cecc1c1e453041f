//! The symbols of the fluent-bit executable, as far as a plugin looks them up.
//!
//! A plugin passes the instance that it was given at Init, which lives until its exit: so it is
//! taken as a reference.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::OnceLock;

use libloading::os::unix::{self as dl, RTLD_GLOBAL, RTLD_NOW};
use rustix::fs::{MemfdFlags, memfd_create};

use super::{OutputInstance, symbol};
use crate::log;
use crate::plugin::HostVersion;

type Callback = unsafe extern "C" fn(config: *mut c_void, data: *mut c_void);

/// `struct host_functions` of `symbols.c`.
#[repr(C)]
struct HostFunctions {
    log: extern "C" fn(c_int, *const c_char, *const c_char),
    name: extern "C" fn(&OutputInstance) -> *const c_char,
    get_property: extern "C" fn(*const c_char, &OutputInstance) -> *const c_char,
    log_check: extern "C" fn(&OutputInstance, c_int) -> c_int,
    set_property: extern "C" fn(&OutputInstance, *const c_char, *const c_char) -> c_int,
    enable_multi_threading: extern "C" fn(&OutputInstance, *const c_void) -> c_int,
    sched_ctx_get: extern "C" fn() -> *mut c_void,
    timer_create: extern "C" fn(*const c_void, c_int, c_int, Callback, *mut c_void) -> c_int,
}

static HOST_FUNCTIONS: HostFunctions = HostFunctions {
    log: log_print,
    name,
    get_property,
    log_check,
    set_property,
    enable_multi_threading,
    sched_ctx_get: opaque,
    timer_create,
};

thread_local! {
    /// The timers that were made since the engine last ran, on its thread.
    static TIMERS: RefCell<Vec<(Callback, *mut c_void)>> = const { RefCell::new(Vec::new()) };
}

extern "C" fn log_print(log_type: c_int, format: *const c_char, line: *const c_char) {
    log::record(
        log_type,
        text(format).to_bytes(),
        &text(line).to_string_lossy(),
    );
}

extern "C" fn name(o_ins: &OutputInstance) -> *const c_char {
    o_ins.name.as_ptr()
}

pub(super) extern "C" fn get_property(key: *const c_char, o_ins: &OutputInstance) -> *const c_char {
    o_ins.get(text(key)).map_or(ptr::null(), CStr::as_ptr)
}

extern "C" fn log_check(o_ins: &OutputInstance, level: c_int) -> c_int {
    c_int::from(level <= o_ins.log_level)
}

extern "C" fn set_property(
    o_ins: &OutputInstance,
    key: *const c_char,
    value: *const c_char,
) -> c_int {
    o_ins.set(&text(key).to_string_lossy(), &text(value).to_string_lossy());
    0
}

extern "C" fn enable_multi_threading(o_ins: &OutputInstance, config: *const c_void) -> c_int {
    if config != opaque() {
        log::violation("the plugin passed a configuration that it was not given".to_owned());
    }
    o_ins.enable_multi_threading();
    0
}

/// What the host passes for its `struct flb_config` and `struct flb_sched`: nobody may look into
/// them.
extern "C" fn opaque() -> *mut c_void {
    static OPAQUE: usize = super::POISON;
    (&raw const OPAQUE).cast_mut().cast()
}

/// For timers that fire once.
extern "C" fn timer_create(
    scheduler: *const c_void,
    kind: c_int,
    _milliseconds: c_int,
    callback: Callback,
    data: *mut c_void,
) -> c_int {
    const ONCE: c_int = 3;
    if scheduler != opaque() || kind != ONCE {
        log::violation(format!(
            "the plugin made a timer of type {kind} that the host has not"
        ));
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

fn text<'a>(text: *const c_char) -> &'a CStr {
    // SAFETY: the plugin, or `symbols.c`, passes a C string that is valid for the call.
    unsafe { CStr::from_ptr(text) }
}

/// Makes the symbols visible to `dlsym(RTLD_DEFAULT, ..)`. They can't be withdrawn, as a plugin may
/// keep their addresses: a process plays a 1.9 host or a later one.
pub(crate) fn offer_symbols(version: HostVersion) -> Result<(), String> {
    static SYMBOLS: OnceLock<(bool, Result<dl::Library, String>)> = OnceLock::new();
    let is_1_9 = version == HostVersion::V1_9;
    let (plays_1_9, library) = SYMBOLS.get_or_init(|| (is_1_9, load(is_1_9)));
    if is_1_9 != *plays_1_9 {
        return Err("a process plays a 1.9 host or a later one, not both".to_owned());
    }
    library.as_ref().map(drop).map_err(String::clone)
}

fn load(plays_1_9: bool) -> Result<dl::Library, String> {
    let image: &[u8] = if plays_1_9 {
        include_bytes!(concat!(env!("OUT_DIR"), "/symbols-1.9.so"))
    } else {
        include_bytes!(concat!(env!("OUT_DIR"), "/symbols.so"))
    };
    // A file without a path: nothing to clean up, and no folder needs to allow execution.
    let file = memfd_create("fluent-bit-symbols", MemfdFlags::CLOEXEC);
    let mut file = File::from(file.map_err(|error| error.to_string())?);
    file.write_all(image).map_err(|error| error.to_string())?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    // SAFETY: the image is built from `symbols.c`, which has no initialisers.
    let library = unsafe { dl::Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) };
    let library = library.map_err(|error| error.to_string())?;
    let connect: unsafe extern "C" fn(*const HostFunctions) =
        symbol(&library, "firehose_host_connect")?;
    // SAFETY: the functions are static and have the signatures that `symbols.c` declares.
    unsafe { connect(&raw const HOST_FUNCTIONS) };
    Ok(library)
}

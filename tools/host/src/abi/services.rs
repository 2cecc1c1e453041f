//! What the host offers to plugins: the API table, and the symbols of the fluent-bit executable.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::OnceLock;

use libloading::os::unix::{self as dl, RTLD_GLOBAL, RTLD_NOW};

use super::instance::{OutputInstance, create_timer, opaque};
use super::{ApiTable, POISON, symbol};
use crate::log;
use crate::plugin::{Error, HostVersion};

// === the API table ===

pub(super) fn api_table(version: HostVersion, log_print: usize) -> ApiTable {
    let nothing = returns_nothing as *const () as usize;
    let functions = [
        output_get_property as *const () as usize,
        nothing, // input_get_property
        nothing, // output_get_cmt_instance: the host has no metrics
        nothing, // input_get_cmt_instance
        log_print,
        nothing, // input_log_check
        output_log_check as *const () as usize,
        nothing, // custom_get_property
        nothing, // custom_log_check
    ];
    let length = match version {
        HostVersion::V1_9 => 1,
        HostVersion::V3_2 => 7,
        HostVersion::V5_1 => 9,
    };
    let mut table = [POISON; 16];
    table[..length].copy_from_slice(&functions[..length]);
    table
}

extern "C" fn returns_nothing() -> *const c_void {
    ptr::null()
}

unsafe extern "C" fn output_get_property(
    key: *const c_char,
    o_ins: *const OutputInstance,
) -> *const c_char {
    if key.is_null() || o_ins.is_null() {
        log::violation("the plugin asked for a property with a null key or instance".to_owned());
        return ptr::null();
    }
    // SAFETY: the plugin passes a C string.
    let key = unsafe { CStr::from_ptr(key) };
    // SAFETY: the plugin passes the instance it was given at Init, which lives until its exit.
    let instance = unsafe { &*o_ins };
    instance
        .properties
        .get(key.to_bytes())
        .map_or(ptr::null(), CStr::as_ptr)
}

unsafe extern "C" fn output_name(o_ins: *const OutputInstance) -> *const c_char {
    // SAFETY: the plugin passes the instance it was given at Init, which lives until its exit.
    unsafe { (*o_ins).name.as_ptr() }
}

unsafe extern "C" fn output_log_check(o_ins: *const OutputInstance, level: c_int) -> c_int {
    // SAFETY: the plugin passes the instance it was given at Init, which lives until its exit.
    let configured = unsafe { (*o_ins).log_level };
    c_int::from(level <= configured)
}

unsafe extern "C" fn output_set_property(
    o_ins: *const OutputInstance,
    key: *const c_char,
    value: *const c_char,
) -> c_int {
    // SAFETY: the plugin passes C strings.
    let [key, value] = [key, value].map(|text| unsafe { CStr::from_ptr(text) });
    // SAFETY: the plugin passes the instance it was given at Init, which lives until its exit.
    unsafe { &*o_ins }.set(key, value)
}

unsafe extern "C" fn output_enable_multi_threading(
    o_ins: *const OutputInstance,
    config: *const c_void,
) -> c_int {
    if config != opaque() {
        log::violation("the plugin passed a configuration that it was not given".to_owned());
    }
    // SAFETY: the plugin passes the instance it was given at Init, which lives until its exit.
    unsafe { &*o_ins }.enable_multi_threading()
}

extern "C" fn sched_ctx_get() -> *mut c_void {
    opaque()
}

extern "C" fn timer_create(
    scheduler: *const c_void,
    kind: c_int,
    _milliseconds: c_int,
    callback: unsafe extern "C" fn(*mut c_void, *mut c_void),
    data: *mut c_void,
) -> c_int {
    if scheduler != opaque() {
        log::violation("the plugin passed a scheduler that it was not given".to_owned());
    }
    create_timer(kind, callback, data)
}

unsafe extern "C" fn log_print(log_type: c_int, format: *const c_char, text: *const c_char) {
    // SAFETY: `symbols.c` passes on the plugin's format string.
    let format = unsafe { CStr::from_ptr(format) };
    // SAFETY: `symbols.c` passes the text it formatted, valid for this call.
    let text = unsafe { CStr::from_ptr(text) };
    log::record(
        log_type,
        format.to_bytes(),
        text.to_string_lossy().into_owned(),
    );
}

// === the symbols of the fluent-bit executable ===

/// `struct host_functions` of `symbols.c`.
#[repr(C)]
struct HostFunctions {
    log: unsafe extern "C" fn(c_int, *const c_char, *const c_char),
    name: unsafe extern "C" fn(*const OutputInstance) -> *const c_char,
    get_property: unsafe extern "C" fn(*const c_char, *const OutputInstance) -> *const c_char,
    log_check: unsafe extern "C" fn(*const OutputInstance, c_int) -> c_int,
    set_property:
        unsafe extern "C" fn(*const OutputInstance, *const c_char, *const c_char) -> c_int,
    enable_multi_threading: unsafe extern "C" fn(*const OutputInstance, *const c_void) -> c_int,
    sched_ctx_get: extern "C" fn() -> *mut c_void,
    timer_create: extern "C" fn(
        *const c_void,
        c_int,
        c_int,
        unsafe extern "C" fn(*mut c_void, *mut c_void),
        *mut c_void,
    ) -> c_int,
}

static HOST_FUNCTIONS: HostFunctions = HostFunctions {
    log: log_print,
    name: output_name,
    get_property: output_get_property,
    log_check: output_log_check,
    set_property: output_set_property,
    enable_multi_threading: output_enable_multi_threading,
    sched_ctx_get,
    timer_create,
};

static SYMBOLS: OnceLock<Result<Symbols, String>> = OnceLock::new();

struct Symbols {
    plays_1_9: bool,
    log_print: usize,
    /// Never closed: plugins keep addresses of it.
    _handle: dl::Library,
}

/// Makes the symbols visible to `dlsym(RTLD_DEFAULT, ..)`; returns the address of `flb_log_print`.
pub(super) fn offer_symbols(version: HostVersion) -> Result<usize, Error> {
    let wants_1_9 = version == HostVersion::V1_9;
    let symbols = SYMBOLS
        .get_or_init(|| Symbols::load(wants_1_9))
        .as_ref()
        .map_err(|reason| Error::Symbols(reason.clone()))?;
    if symbols.plays_1_9 != wants_1_9 {
        return Err(Error::OtherHost);
    }
    Ok(symbols.log_print)
}

impl Symbols {
    fn load(plays_1_9: bool) -> Result<Self, String> {
        let image: &[u8] = if plays_1_9 {
            include_bytes!(concat!(env!("OUT_DIR"), "/symbols-1.9.so"))
        } else {
            include_bytes!(concat!(env!("OUT_DIR"), "/symbols.so"))
        };
        let mut file = memory_file().map_err(|error| error.to_string())?;
        file.write_all(image).map_err(|error| error.to_string())?;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        // SAFETY: the image is built from `symbols.c`, which has no initialisers.
        let handle = unsafe { dl::Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) };
        let handle = handle.map_err(|error| error.to_string())?;
        let connect: unsafe extern "C" fn(*const HostFunctions) =
            symbol(&handle, "firehose_host_connect").ok_or("firehose_host_connect is missing")?;
        let log_print: unsafe extern "C" fn() =
            symbol(&handle, "flb_log_print").ok_or("flb_log_print is missing")?;
        // SAFETY: the functions are static and have the signatures that `symbols.c` declares.
        unsafe { connect(&raw const HOST_FUNCTIONS) };
        Ok(Self {
            plays_1_9,
            log_print: log_print as *const () as usize,
            _handle: handle,
        })
    }
}

/// A file without a path: nothing to clean up, and no folder needs to allow execution.
fn memory_file() -> io::Result<File> {
    // SAFETY: the name is a C string.
    let fd = unsafe { libc::memfd_create(c"fluent-bit-symbols".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and belongs to nobody else.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok(File::from(fd))
}

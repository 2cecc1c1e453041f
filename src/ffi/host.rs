//! What the host offers one instance: its properties, its name, its logger, its metrics.
//!
//! Functions are found by symbol, as Fluent Bit's executable exports its own. Where a symbol is
//! missing the plugin does without.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicI32, Ordering};

use super::abi::{GetProperty, OutputPlugin};
use super::memory::Memory;
use super::metrics::Metrics;
use super::properties;
use super::settings::Settings;
use firehose_core::options::section::Section;
use firehose_core::options::table;
use firehose_core::tell::log::Level;
use firehose_core::tell::metrics::Metric;

type LogPrint =
    unsafe extern "C" fn(kind: c_int, file: *const c_char, line: c_int, format: *const c_char, ...);
type LogCheck = unsafe extern "C" fn(o_ins: *mut c_void, level: c_int) -> c_int;
type OutputName = unsafe extern "C" fn(o_ins: *mut c_void) -> *const c_char;

/// The host, as one instance sees it.
pub(super) struct Host {
    get_property: Option<GetProperty>,
    log_print: Option<LogPrint>,
    instance: *mut c_void,
    max_level: Level,
    name: String,
    /// The signal that the host was told to stop by, or 0.
    exit_signal: Option<&'static AtomicI32>,
}

// SAFETY: the functions may be called from any thread, and the instance is only handed back to
// them; nothing here follows it.
unsafe impl Send for Host {}
// SAFETY: as above; the host's logger locks, and its properties do not change after start.
unsafe impl Sync for Host {}

impl Host {
    /// # Safety
    ///
    /// The pointers of `plugin` are not null and valid; `o_ins` stays so while `Self` lives.
    pub(super) unsafe fn new(plugin: &OutputPlugin) -> Self {
        // SAFETY: valid by this function's contract; every host has this first pointer.
        let get_property = unsafe { (*plugin.api).output_get_property };
        let instance = plugin.o_ins;
        // SAFETY: the host's own function of this name has this type.
        let output_name: Option<OutputName> = unsafe { symbol(c"flb_output_name") };
        let name = output_name.map(|output_name| {
            // SAFETY: the instance is valid.
            unsafe { output_name(instance) }
        });
        let name = name
            // SAFETY: the host's name of an instance is a C string that lives as long as it.
            .and_then(|name| unsafe { to_string(name) })
            .unwrap_or_else(|| "firehose".to_owned());
        Self {
            get_property,
            // SAFETY: the host's own function of this name has this type.
            log_print: unsafe { symbol(c"flb_log_print") },
            instance,
            // SAFETY: the instance is valid.
            max_level: unsafe { max_level(instance) },
            name,
            exit_signal: exit_signal(),
        }
    }

    pub(super) fn property(&self, name: &str) -> Option<String> {
        // SAFETY: the host answers null or a C string that lives as long as the instance.
        unsafe { to_string(self.value(name)) }
    }

    /// Where the host has a property's value; null if the section has none.
    fn value(&self, name: &str) -> *const c_char {
        let (Some(get_property), Ok(name)) = (self.get_property, CString::new(name)) else {
            return std::ptr::null();
        };
        // SAFETY: the name is a C string, and the instance is valid.
        unsafe { get_property(name.as_ptr(), self.instance) }
    }

    /// All that the section says, known or not; none where it can't be read.
    pub(super) fn section(&self) -> Option<Section> {
        let values = table::ALL.iter().map(|row| self.value(row.name));
        let value = values.into_iter().find(|value| !value.is_null())?;
        let memory = Memory::open().ok()?;
        properties::read(&memory, self.instance.addr(), value.addr()).map(Section)
    }

    /// Registers an output's metrics; none where the host has no place for them.
    pub(super) fn register(&self, stream: &str, metrics: &[Metric]) -> Option<Metrics> {
        // SAFETY: the instance is valid while this lives.
        unsafe { Metrics::register(self.instance, [&self.name, stream], metrics) }
    }

    /// What the section says of the host's own settings; only during Init.
    pub(super) fn settings(&self) -> Result<Settings, &'static str> {
        // SAFETY: the instance is valid while this lives.
        unsafe { Settings::take_over(self.instance) }
    }

    /// Whether the host was told to stop. It hands over what it still has, and tells its outputs
    /// only when it is done with that.
    pub(super) fn is_stopping(&self) -> bool {
        let signal = self
            .exit_signal
            .map(|signal| signal.load(Ordering::Relaxed));
        signal.is_some_and(|signal| signal != 0)
    }

    /// The instance's own log level.
    pub(super) fn max_level(&self) -> Level {
        self.max_level
    }

    /// Only from the host's own threads: from others the line would bypass its log file.
    pub(super) fn log(&self, level: Level, text: &str) {
        let Some(log_print) = self.log_print else {
            return;
        };
        if level > self.max_level {
            return;
        }
        // A tag or an option may hold newlines: it must not make lines of its own.
        let line = format!("[output:firehose:{}] {text}", self.name).replace(char::is_control, " ");
        let Ok(line) = CString::new(line) else {
            return;
        };
        // SAFETY: the format takes exactly the one C string that follows it.
        unsafe {
            log_print(
                level as c_int,
                std::ptr::null(),
                0,
                c"%s".as_ptr(),
                line.as_ptr(),
            )
        };
    }
}

/// The level up to which an instance writes; hosts that can't tell write up to info.
///
/// # Safety
///
/// `instance` is a valid instance of the host.
unsafe fn max_level(instance: *mut c_void) -> Level {
    // SAFETY: the host's own function of this name has this type.
    let log_check: Option<LogCheck> = unsafe { symbol(c"flb_output_log_check") };
    let Some(log_check) = log_check else {
        return Level::Info;
    };
    let is_written = |level: &Level| {
        // SAFETY: the instance is valid by this function's contract.
        let answer = unsafe { log_check(instance, *level as c_int) };
        answer != 0
    };
    let levels = Level::ALL.into_iter();
    levels.rev().find(is_written).unwrap_or(Level::Error)
}

/// The host's own note of the signal that ends it.
fn exit_signal() -> Option<&'static AtomicI32> {
    // SAFETY: the name is a C string.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"exit_signal".as_ptr()) };
    // SAFETY: null, or the host's `volatile sig_atomic_t` of this name: an int, aligned, that
    // lives as long as the process and is written to in one step.
    unsafe { address.cast::<AtomicI32>().as_ref() }
}

/// A function that the process exports.
///
/// # Safety
///
/// `F` is the type of a function pointer, and that of the function of this name.
pub(super) unsafe fn symbol<F: Copy>(name: &CStr) -> Option<F> {
    // SAFETY: the name is a C string.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    if address.is_null() {
        return None;
    }
    // SAFETY: by this function's contract the address is a function of type `F`, and function
    // pointers have the size of addresses.
    Some(unsafe { std::mem::transmute_copy(&address) })
}

/// # Safety
///
/// `text` is null or a C string.
unsafe fn to_string(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: a C string by this function's contract.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_string_lossy().into_owned())
}

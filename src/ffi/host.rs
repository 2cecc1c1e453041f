//! The host's structures, as far as every version from 1.9 on shares them, and what it offers one
//! instance: its properties, its name, its logger, its metrics.
//!
//! Functions are found by symbol, as Fluent Bit's executable exports its own. If a symbol is
//! missing, the plugin does without.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicI32, Ordering};

use super::memory::{self, Memory};
use super::metrics::Metrics;
use super::settings::Settings;
use firehose_core::options::section::Section;
use firehose_core::options::table;
use firehose_core::tell::log::Level;
use firehose_core::tell::metrics::Metric;

pub(super) const FLB_ERROR: c_int = 0;
pub(super) const FLB_OK: c_int = 1;
pub(super) const FLB_RETRY: c_int = 2;

/// `struct flb_plugin_proxy_def`. Hosts from 4.2 on have more fields behind these, zeroed;
/// on older ones they would lie outside of the allocation.
#[repr(C)]
pub struct PluginDefinition {
    kind: c_int,
    proxy: c_int,
    flags: c_int,
    /// Never freed by the host.
    name: *const c_char,
    description: *const c_char,
}

impl PluginDefinition {
    pub(super) const OUTPUT: Self = Self {
        kind: 2,
        // The Go proxy.
        proxy: 11,
        flags: 0,
        name: c"firehose".as_ptr(),
        description: c"Send logs to Amazon Data Firehose".as_ptr(),
    };
}

/// `struct flbgo_output_plugin`. There is one for all instances and it is written anew before
/// each Init: nothing of it may be kept but copies.
#[repr(C)]
pub struct OutputPlugin {
    name: *const c_char,
    pub(super) api: *const Api,
    /// The instance, `struct flb_output_instance`; opaque.
    pub(super) o_ins: *mut c_void,
    /// `struct flb_plugin_proxy_context`; its first word is ours.
    pub(super) context: *mut *mut c_void,
}

/// `struct flb_api`: 1.9 has this one pointer; all else is found by symbol.
#[repr(C)]
pub(super) struct Api {
    pub(super) output_get_property: Option<GetProperty>,
}

pub(super) type GetProperty =
    unsafe extern "C" fn(key: *const c_char, o_ins: *mut c_void) -> *const c_char;

type LogPrint =
    unsafe extern "C" fn(kind: c_int, file: *const c_char, line: c_int, format: *const c_char, ...);
type LogCheck = unsafe extern "C" fn(o_ins: *mut c_void, level: c_int) -> c_int;
type OutputName = unsafe extern "C" fn(o_ins: *mut c_void) -> *const c_char;

/// The host, as one instance sees it.
pub(super) struct Host {
    get_property: Option<GetProperty>,
    log_print: Option<LogPrint>,
    instance: *mut c_void,
    /// The instance's own.
    pub(super) max_level: Level,
    name: String,
    /// The signal by which the host was told to stop, or 0.
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
        let name: Option<OutputName> = unsafe { symbol("flb_output_name") };
        // SAFETY: the instance is valid.
        let name = name.map(|name| unsafe { name(instance) });
        // SAFETY: the host's name of an instance is a C string that lives as long as it.
        let name = name.and_then(|name| unsafe { to_string(name) });
        // SAFETY: the host's own function of this name has this type.
        let log_check: Option<LogCheck> = unsafe { symbol("flb_output_log_check") };
        let is_written = |level: &Level| match log_check {
            // SAFETY: the instance is valid.
            Some(log_check) => unsafe { log_check(instance, *level as c_int) != 0 },
            None => *level <= Level::Info,
        };
        let max_level = Level::ALL.into_iter().rev().find(is_written);
        Self {
            get_property,
            // SAFETY: the host's own function of this name has this type.
            log_print: unsafe { symbol("flb_log_print") },
            instance,
            max_level: max_level.unwrap_or(Level::Error),
            name: name.unwrap_or_else(|| "firehose".to_owned()),
            // SAFETY: the host's `volatile sig_atomic_t` of this name: an int, aligned, that lives
            // as long as the process and is written to in one step.
            exit_signal: unsafe { symbol("exit_signal") },
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
        let mut values = table::ALL.iter().map(|row| self.value(row.name));
        let value = values.find(|value| !value.is_null())?;
        let memory = Memory::open().ok()?;
        memory::properties(&memory, self.instance.addr(), value.addr()).map(Section)
    }

    /// Registers an output's metrics, of each delivery stream; none where the host has no place for
    /// them.
    pub(super) fn register(&self, metrics: &[(String, Vec<Metric>)]) -> Option<Metrics> {
        // SAFETY: the instance is valid while this lives.
        unsafe { Metrics::register(self.instance, &self.name, metrics) }
    }

    /// What the section says of the host's own settings; only during Init.
    pub(super) fn settings(&self) -> Result<Settings, &'static str> {
        // SAFETY: the instance is valid while this lives.
        unsafe { Settings::take_over(self.instance) }
    }

    /// Whether the host was told to stop. It hands over what it still has, and tells its outputs
    /// only when it is done with that.
    pub(super) fn is_stopping(&self) -> bool {
        self.exit_signal
            .is_some_and(|signal| signal.load(Ordering::Relaxed) != 0)
    }

    /// Only from the host's own threads: from others the line would bypass its log file.
    pub(super) fn log(&self, level: Level, text: &str) {
        let is_written = level <= self.max_level;
        let Some(log_print) = self.log_print.filter(|_| is_written) else {
            return;
        };
        // A tag or an option may hold newlines: it must not make lines of its own.
        let line = format!("[output:firehose:{}] {text}", self.name).replace(char::is_control, " ");
        let Ok(line) = CString::new(line) else {
            return;
        };
        let (level, format) = (level as c_int, c"%s".as_ptr());
        // SAFETY: the format takes exactly the one C string that follows it.
        unsafe { log_print(level, std::ptr::null(), 0, format, line.as_ptr()) };
    }
}

/// Declares functions of the host, by their names and types, which are the same from Fluent Bit 1.9
/// to 5.1.
macro_rules! host_functions {
    (struct $name:ident { $($function:ident: $of_type:ty,)* }) => {
        struct $name {
            $($function: $of_type,)*
        }

        impl $name {
            /// None where the host does not export all of them.
            fn find() -> Option<Self> {
                Some(Self {
                    $(
                        // SAFETY: the host's own function of this name has this type.
                        $function: unsafe { $crate::ffi::host::symbol(stringify!($function)) }?,
                    )*
                })
            }
        }
    };
}
pub(super) use host_functions;

/// What the process exports by this name.
///
/// # Safety
///
/// `T` is the type of a pointer to a function or of a reference, and what has this name is that.
pub(super) unsafe fn symbol<T: Copy>(name: &str) -> Option<T> {
    let name = CString::new(name).ok()?;
    // SAFETY: the name is a C string.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    if address.is_null() {
        return None;
    }
    // SAFETY: by this function's contract the address is a `T`, which has the size of addresses.
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

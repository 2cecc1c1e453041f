//! The C ABI between host and plugin: the only module with `unsafe`.
//!
//! Every call into the plugin trusts it as Fluent Bit does: its exports have the signatures of the
//! Go-plugin interface. What can be guarded is guarded with poison and canaries.

mod instance;
mod services;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, PoisonError};

use libloading::os::unix::{self as dl, RTLD_LAZY, RTLD_LOCAL};

use self::instance::OutputInstance;
pub use self::instance::Settings;
pub(crate) use self::instance::run_timers;
use self::services::{api_table, offer_symbols};

use crate::log;
use crate::plugin::{Error, HostVersion};
use crate::properties::Properties;

/// Not an address on any 64-bit machine: calling or reading it crashes.
const POISON: usize = 0xDEAD_DEAD_DEAD_DEAD;
/// What `malloc` leaves in memory, for a plugin that forgets to set a field.
const UNSET: c_int = 0xAAAA_AAAA_u32 as c_int;
const CANARY: u8 = 0xCA;

/// A plugin's `.so` with its exports.
pub(crate) struct Library {
    register: unsafe extern "C" fn(*mut Definition) -> c_int,
    init: unsafe extern "C" fn(*mut OutputPlugin) -> c_int,
    flush: unsafe extern "C" fn(*mut c_void, *const c_void, usize, *const c_char) -> c_int,
    exit: unsafe extern "C" fn(*mut c_void) -> c_int,
    pre_register: Option<unsafe extern "C" fn(c_int) -> c_int>,
    pre_run: Option<unsafe extern "C" fn(c_int) -> c_int>,
    pre_exit: Option<unsafe extern "C" fn(c_int)>,
    unregister: Option<unsafe extern "C" fn(*mut Definition)>,
    /// One per `.so`, as in Fluent Bit: every Init gets the same struct, rewritten.
    output_plugin: Mutex<Box<OutputPlugin>>,
    api: Box<ApiTable>,
    /// Closed when the fields above are gone.
    _handle: dl::Library,
}

/// `struct flb_plugin_proxy_def`: five fields on hosts through 4.1, then in `tail` the fields
/// that later hosts have, then the canary.
#[repr(C)]
pub(crate) struct Definition {
    plugin_type: c_int,
    proxy: c_int,
    flags: c_int,
    name: *const c_char,
    description: *const c_char,
    tail: [u8; 64],
}

/// One output instance's memory that the plugin holds pointers to.
pub(crate) struct InstanceMemory {
    o_ins: NonNull<OutputInstance>,
    context: NonNull<Context>,
}

/// `struct flb_plugin_proxy_context`.
#[repr(C)]
struct Context {
    remote_context: *mut c_void,
    /// Private to the host.
    proxy: usize,
}

/// `struct flbgo_output_plugin`.
#[repr(C)]
struct OutputPlugin {
    name: *const c_char,
    api: *const ApiTable,
    o_ins: *const OutputInstance,
    context: *mut Context,
    /// `cb_init, cb_flush, cb_flush_ctx, cb_exit, cb_exit_ctx`, private to the host.
    callbacks: [usize; 5],
}

/// `struct flb_api`: the pointers that this generation has, then poison.
type ApiTable = [usize; 16];

// === impl Library ===

impl Library {
    pub(crate) fn open(path: &Path, version: HostVersion) -> Result<Self, Error> {
        let api = Box::new(api_table(version, offer_symbols(version)?));
        // A name without a slash would be searched for in the system's library folders.
        let path = path.canonicalize().map_err(|error| Error::Open {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        // SAFETY: the caller names a plugin, whose initialisers are trusted as Fluent Bit trusts them.
        let handle = unsafe { dl::Library::open(Some(&path), RTLD_LAZY | RTLD_LOCAL) };
        let handle = handle.map_err(|error| Error::Open {
            path,
            reason: error.to_string(),
        })?;
        Ok(Self {
            register: required(&handle, "FLBPluginRegister")?,
            init: required(&handle, "FLBPluginInit")?,
            flush: required(&handle, "FLBPluginFlushCtx")?,
            exit: required(&handle, "FLBPluginExitCtx")?,
            pre_register: symbol(&handle, "FLBPluginPreRegister"),
            pre_run: symbol(&handle, "FLBPluginOutputPreRun"),
            pre_exit: symbol(&handle, "FLBPluginOutputPreExit"),
            unregister: symbol(&handle, "FLBPluginUnregister"),
            output_plugin: Mutex::new(Box::new(OutputPlugin::poisoned())),
            api,
            _handle: handle,
        })
    }

    pub(crate) fn pre_register(&self) -> c_int {
        // SAFETY: the export takes one int by the interface.
        self.pre_register.map_or(0, |hook| unsafe { hook(0) })
    }

    pub(crate) fn register(&self, definition: &mut Definition) -> c_int {
        // SAFETY: the definition is large enough for this generation, and guarded after it.
        unsafe { (self.register)(definition) }
    }

    pub(crate) fn unregister(&self, definition: &mut Definition) {
        if let Some(hook) = self.unregister {
            // SAFETY: as for `register`.
            unsafe { hook(definition) };
        }
    }

    /// The plugin's answer to Init, or what it overwrote.
    pub(crate) fn init(&self, name: &CStr, memory: &InstanceMemory) -> Result<c_int, String> {
        let mut output_plugin = self
            .output_plugin
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        output_plugin.name = name.as_ptr();
        output_plugin.api = &raw const *self.api;
        output_plugin.o_ins = memory.o_ins.as_ptr();
        output_plugin.context = memory.context.as_ptr();
        // SAFETY: all that the struct points to outlives the call.
        let answer = unsafe { (self.init)(&raw mut **output_plugin) };
        // The next Init rewrites the struct: a plugin that kept a pointer to it shall notice.
        **output_plugin = OutputPlugin::poisoned();
        memory.check().map(|()| answer)
    }

    pub(crate) fn pre_run(&self) -> c_int {
        // SAFETY: the export takes one int by the interface.
        self.pre_run.map_or(0, |hook| unsafe { hook(0) })
    }

    pub(crate) fn flush(&self, memory: &InstanceMemory, data: &[u8], tag: &CStr) -> c_int {
        // SAFETY: data and tag are borrowed for the call; the context is what Init stored.
        unsafe {
            (self.flush)(
                memory.remote_context(),
                data.as_ptr().cast(),
                data.len(),
                tag.as_ptr(),
            )
        }
    }

    pub(crate) fn pre_exit(&self) {
        if let Some(hook) = self.pre_exit {
            // SAFETY: the export takes one int by the interface.
            unsafe { hook(0) };
        }
    }

    pub(crate) fn exit(&self, memory: &InstanceMemory) -> c_int {
        // SAFETY: the context is what Init stored, and it is handed over for the last time.
        unsafe { (self.exit)(memory.remote_context()) }
    }
}

// SAFETY: the interface lets a host call the exports from any thread; the struct given to Init is
// behind a mutex, and the pointers in it are poison between calls.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

fn required<T: Copy>(handle: &dl::Library, name: &'static str) -> Result<T, Error> {
    symbol(handle, name).ok_or(Error::MissingExport(name))
}

fn symbol<T: Copy>(handle: &dl::Library, name: &str) -> Option<T> {
    // SAFETY: every caller asks for a function type that the interface gives to this name.
    let symbol = unsafe { handle.get::<T>(name) };
    symbol.ok().map(|symbol| *symbol)
}

// === impl Definition ===

impl Definition {
    pub(crate) fn new(version: HostVersion) -> Self {
        let mut definition = Self {
            plugin_type: 0,
            proxy: UNSET,
            flags: UNSET,
            name: ptr::without_provenance(POISON),
            description: ptr::without_provenance(POISON),
            tail: [CANARY; 64],
        };
        let own_tail = tail_length(version);
        if own_tail > 0 {
            definition.proxy = 0;
            definition.flags = 0;
            definition.name = ptr::null();
            definition.description = ptr::null();
            definition.tail[..own_tail].fill(0);
        }
        definition
    }

    /// The plugin's name, if it set all five fields and wrote nothing past its host's struct.
    pub(crate) fn check(&self, version: HostVersion) -> Result<CString, Error> {
        self.check_canary(version)?;
        for (field, value, expected) in [("type", self.plugin_type, 2), ("proxy", self.proxy, 11)] {
            if value != expected {
                return Err(Error::Definition(format!(
                    "{field} is {value:#x} instead of {expected}"
                )));
            }
        }
        if self.flags == UNSET {
            return Err(Error::Definition("flags is not set".to_owned()));
        }
        for (field, text) in [("name", self.name), ("description", self.description)] {
            if text.is_null() || text.addr() == POISON {
                return Err(Error::Definition(format!("{field} is not set")));
            }
        }
        // SAFETY: the plugin set the name, to a C string that lives as long as it does.
        let name = unsafe { CStr::from_ptr(self.name) };
        Ok(name.to_owned())
    }

    pub(crate) fn check_canary(&self, version: HostVersion) -> Result<(), Error> {
        let own_tail = tail_length(version);
        match self.tail[own_tail..]
            .iter()
            .position(|byte| *byte != CANARY)
        {
            None => Ok(()),
            Some(offset) => Err(Error::WrotePastDefinition { offset }),
        }
    }
}

// SAFETY: the pointers in it are the plugin's static strings.
unsafe impl Send for Definition {}
// SAFETY: as above; it is written through `&mut` only.
unsafe impl Sync for Definition {}

/// Bytes of `event_type` and `config_map`, with padding, which 5.1 hosts have and clear.
fn tail_length(version: HostVersion) -> usize {
    match version {
        HostVersion::V1_9 | HostVersion::V3_2 => 0,
        HostVersion::V5_1 => 16,
    }
}

// === impl OutputPlugin ===

impl OutputPlugin {
    fn poisoned() -> Self {
        Self {
            name: ptr::without_provenance(POISON),
            api: ptr::without_provenance(POISON),
            o_ins: ptr::without_provenance(POISON),
            context: ptr::without_provenance_mut(POISON),
            callbacks: [POISON; 5],
        }
    }
}

// === impl InstanceMemory ===

impl InstanceMemory {
    pub(crate) fn new(
        version: HostVersion,
        name: CString,
        log_level: log::LogLevel,
        properties: Properties,
    ) -> Self {
        let o_ins = OutputInstance::new(version, name, log_level as c_int, properties);
        let context = Box::new(Context {
            remote_context: ptr::null_mut(),
            proxy: POISON,
        });
        Self {
            o_ins: NonNull::from(Box::leak(o_ins)),
            context: NonNull::from(Box::leak(context)),
        }
    }

    fn instance(&self) -> &OutputInstance {
        // SAFETY: it lives as long as `self`, and only its atomics are written after `new`.
        unsafe { self.o_ins.as_ref() }
    }

    /// Sets a property as the configuration does.
    pub(crate) fn set(&self, key: &CStr, value: &CStr) {
        self.instance().set(key, value);
    }

    /// Makes the workers as Fluent Bit does after an output's Init: twice.
    pub(crate) fn enable_multi_threading(&self) {
        self.instance().enable_multi_threading();
        self.instance().enable_multi_threading();
    }

    pub(crate) fn settings(&self) -> Settings {
        self.instance().settings()
    }

    fn remote_context(&self) -> *mut c_void {
        // SAFETY: the context lives as long as `self`, and is written during Init only.
        unsafe { (*self.context.as_ptr()).remote_context }
    }

    fn check(&self) -> Result<(), String> {
        // SAFETY: as for `remote_context`.
        let proxy = unsafe { (*self.context.as_ptr()).proxy };
        if proxy == POISON {
            Ok(())
        } else {
            Err("it wrote past context->remote_context".to_owned())
        }
    }
}

impl Drop for InstanceMemory {
    fn drop(&mut self) {
        // SAFETY: made by `Box::leak` in `new`; the plugin was told to exit and lets go of it.
        drop(unsafe { Box::from_raw(self.o_ins.as_ptr()) });
        // SAFETY: as above.
        drop(unsafe { Box::from_raw(self.context.as_ptr()) });
    }
}

// SAFETY: of the instance only atomics are written after `new`, the context only during Init.
unsafe impl Send for InstanceMemory {}
// SAFETY: as above.
unsafe impl Sync for InstanceMemory {}

//! The C ABI between host and plugin: the only module with `unsafe`.
//!
//! Every call into the plugin trusts it as Fluent Bit does: its exports have the signatures of the
//! Go-plugin interface. What can be guarded is guarded with poison and canaries.

mod instance;
mod symbols;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;
use std::sync::{LazyLock, Mutex, PoisonError};

use libloading::os::unix::{self as dl, RTLD_LAZY, RTLD_LOCAL};

pub(crate) use self::instance::OutputInstance;
pub use self::instance::Settings;
pub(crate) use self::symbols::{offer_symbols, run_timers};

/// Not an address on any 64-bit machine: calling or reading it crashes.
const POISON: usize = 0xDEAD_DEAD_DEAD_DEAD;
/// What `malloc` leaves in memory, for a plugin that forgets to set a field.
const UNSET: c_int = 0xAAAA_AAAA_u32 as c_int;
const CANARY: u8 = 0xCA;

/// `struct flb_api`: the one pointer that every generation has, then poison.
static API: LazyLock<[usize; 16]> = LazyLock::new(|| {
    let mut table = [POISON; 16];
    table[0] = symbols::get_property as *const () as usize;
    table
});

/// `struct flbgo_output_plugin`: name, api, o_ins and context, then what is private to the host.
/// One for all instances, as in Fluent Bit, and poison as soon as Init returns: a plugin that kept
/// a pointer to it shall notice.
static OUTPUT_PLUGIN: Mutex<[usize; 9]> = Mutex::new([POISON; 9]);

/// A registered plugin's `.so` with its exports.
pub(crate) struct Library {
    pub(crate) name: CString,
    init: unsafe extern "C" fn(*mut usize) -> c_int,
    flush: unsafe extern "C" fn(*mut c_void, *const c_void, usize, *const c_char) -> c_int,
    exit: unsafe extern "C" fn(*mut c_void) -> c_int,
    /// Closed when the fields above are gone.
    _handle: dl::Library,
}

/// `struct flb_plugin_proxy_def`, with the five fields that every generation has, uninitialised.
#[repr(C)]
struct Definition {
    kind: c_int,
    proxy: c_int,
    flags: c_int,
    name: *const c_char,
    description: *const c_char,
    beyond: [u8; 64],
}

// === impl Library ===

impl Library {
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let cannot_open = |reason: String| format!("cannot open {}: {reason}", path.display());
        // A name without a slash would be searched for in the system's library folders.
        let absolute = path.canonicalize();
        let absolute = absolute.map_err(|error| cannot_open(error.to_string()))?;
        // SAFETY: the caller names a plugin, whose initialisers are trusted as Fluent Bit trusts them.
        let handle = unsafe { dl::Library::open(Some(absolute), RTLD_LAZY | RTLD_LOCAL) };
        let handle = handle.map_err(|error| cannot_open(error.to_string()))?;
        let register: unsafe extern "C" fn(*mut Definition) -> c_int =
            symbol(&handle, "FLBPluginRegister")?;
        let mut definition = Definition::new();
        // SAFETY: the definition has the fields that every generation has, and is guarded after it.
        if unsafe { register(&raw mut definition) } == -1 {
            return Err("FLBPluginRegister answered -1".to_owned());
        }
        Ok(Self {
            name: definition.check()?,
            init: symbol(&handle, "FLBPluginInit")?,
            flush: symbol(&handle, "FLBPluginFlushCtx")?,
            exit: symbol(&handle, "FLBPluginExitCtx")?,
            _handle: handle,
        })
    }

    /// The plugin's answer to Init, or what it overwrote.
    pub(crate) fn init(&self, instance: &OutputInstance) -> Result<c_int, String> {
        let mut plugin = OUTPUT_PLUGIN.lock().unwrap_or_else(PoisonError::into_inner);
        plugin[..4].copy_from_slice(&[
            self.name.as_ptr().expose_provenance(),
            API.as_ptr().expose_provenance(),
            ptr::from_ref(instance).expose_provenance(),
            instance.context.as_ptr().expose_provenance(),
        ]);
        // SAFETY: all that the struct points to outlives the call.
        let answer = unsafe { (self.init)(plugin.as_mut_ptr()) };
        *plugin = [POISON; 9];
        instance.check_context().map(|()| answer)
    }

    pub(crate) fn flush(&self, instance: &OutputInstance, data: &[u8], tag: &CStr) -> c_int {
        let (context, bytes) = (instance.remote_context(), data.as_ptr().cast());
        // SAFETY: data and tag are borrowed for the call; the context is what Init stored.
        unsafe { (self.flush)(context, bytes, data.len(), tag.as_ptr()) }
    }

    pub(crate) fn exit(&self, instance: &OutputInstance) {
        // SAFETY: the context is what Init stored, and it is handed over for the last time.
        unsafe { (self.exit)(instance.remote_context()) };
    }
}

fn symbol<T: Copy>(handle: &dl::Library, name: &str) -> Result<T, String> {
    // SAFETY: every caller asks for a function type that this name has.
    let symbol = unsafe { handle.get::<T>(name) };
    symbol
        .map(|symbol| *symbol)
        .map_err(|error| format!("{name} is not exported: {error}"))
}

// === impl Definition ===

impl Definition {
    fn new() -> Self {
        Self {
            kind: UNSET,
            proxy: UNSET,
            flags: UNSET,
            name: ptr::without_provenance(POISON),
            description: ptr::without_provenance(POISON),
            beyond: [CANARY; 64],
        }
    }

    /// The plugin's name, if it set all five fields and wrote nothing past them.
    fn check(&self) -> Result<CString, String> {
        if self.beyond != [CANARY; 64] {
            return Err("the plugin wrote past the five fields of its definition".to_owned());
        }
        let is_unset = |text: *const c_char| text.is_null() || text.addr() == POISON;
        for (field, is_wrong) in [
            ("type", self.kind != 2),
            ("proxy", self.proxy != 11),
            ("flags", self.flags == UNSET),
            ("name", is_unset(self.name)),
            ("description", is_unset(self.description)),
        ] {
            if is_wrong {
                return Err(format!("the plugin's definition is wrong: {field}"));
            }
        }
        // SAFETY: the plugin set the name, to a C string that lives as long as it does.
        let name = unsafe { CStr::from_ptr(self.name) };
        Ok(name.to_owned())
    }
}

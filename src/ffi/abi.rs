//! The host's structures, as far as every version from 1.9 on shares them.

use std::ffi::{c_char, c_int, c_void};

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

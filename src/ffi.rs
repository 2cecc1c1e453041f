//! The C ABI: what Fluent Bit calls (its Go-plugin interface), and what the plugin calls of it.
//!
//! All `unsafe` code of the crate is here. Each export is a guard against panics, a check of its
//! arguments, and one call.

#![allow(unsafe_code)]

mod coroutine;
mod flush;
mod host;
mod memory;
mod metrics;
mod settings;
mod twice;
mod wait;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use flush::Instance;
use host::{FLB_ERROR, FLB_OK, FLB_RETRY, OutputPlugin, PluginDefinition};

/// Fills in the definition; -1 would refuse the plugin.
///
/// # Safety
///
/// `definition` is null or points to the host's definition, of at least the five fields that
/// Fluent Bit 1.9 knows.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FLBPluginRegister(definition: *mut PluginDefinition) -> c_int {
    guard(-1, || {
        if definition.is_null() {
            return None;
        }
        // SAFETY: not null, and no more than the five fields that every host has is written.
        unsafe { definition.write(PluginDefinition::OUTPUT) };
        Some(FLB_OK)
    })
}

/// Starts one output; anything but FLB_OK stops the host's start with the sentence logged.
///
/// # Safety
///
/// `plugin` is null or points to the host's description of the plugin, whose pointers are valid
/// during the call, and whose `o_ins` is until the instance's exit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FLBPluginInit(plugin: *const OutputPlugin) -> c_int {
    guard(FLB_ERROR, || {
        // SAFETY: null or valid, by this function's own contract.
        let plugin = unsafe { plugin.as_ref() }?;
        if plugin.api.is_null() || plugin.o_ins.is_null() || plugin.context.is_null() {
            return None;
        }
        // SAFETY: the pointers are valid by this function's contract, and not null.
        let host = unsafe { host::Host::new(plugin) };
        let handle = Instance::start(host)?;
        // SAFETY: the context is the host's own and starts with the word that is ours.
        unsafe { plugin.context.write(handle) };
        Some(FLB_OK)
    })
}

/// Delivers a chunk and waits for what becomes of it.
///
/// # Safety
///
/// `data` points to `size` bytes and `tag` to a C string, both valid until the call returns.
/// `context` is only looked up, never followed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FLBPluginFlushCtx(
    context: *mut c_void,
    data: *const c_void,
    size: usize,
    tag: *const c_char,
) -> c_int {
    // After a panic nothing is known of the chunk: the host shall keep it.
    guard(FLB_RETRY, || {
        // A call that can not be understood is no reason to have the host drop the chunk.
        if (data.is_null() && size > 0) || tag.is_null() {
            return None;
        }
        let chunk = if size == 0 {
            &[]
        } else {
            // SAFETY: not null, and valid for `size` bytes by this function's contract.
            unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size) }
        };
        // SAFETY: not null, and a C string by this function's contract.
        let tag = unsafe { CStr::from_ptr(tag) };
        Some(Instance::find(context)?.flush(chunk, tag))
    })
}

/// Stops one output. A context that is not (or no longer) one is passed over: Fluent Bit 1.9
/// calls this twice for the last of several outputs.
#[unsafe(no_mangle)]
pub extern "C" fn FLBPluginExitCtx(context: *mut c_void) -> c_int {
    guard(FLB_OK, || {
        Instance::stop(context);
        Some(FLB_OK)
    })
}

fn guard(failure: c_int, call: impl FnOnce() -> Option<c_int>) -> c_int {
    let answer = catch_unwind(AssertUnwindSafe(call));
    answer.ok().flatten().unwrap_or(failure)
}

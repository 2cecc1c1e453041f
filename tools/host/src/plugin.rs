//! A loaded plugin and its output instances, in the order of calls that Fluent Bit keeps.

use std::ffi::CString;
use std::path::Path;
use std::sync::Arc;

use corosensei::stack::DefaultStack;
use corosensei::{CoroutineResult, ScopedCoroutine};

use crate::abi::{Library, OutputInstance, Settings, offer_symbols, run_timers};

/// The stack a flush runs on in Fluent Bit 1.9 to 5.1, in bytes.
const STACK_SIZE: usize = 24 * 1024;

/// The generation of Fluent Bit to play, as far as a plugin that uses of the API table only its
/// first pointer can tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostVersion {
    /// Without `flb_output_log_check`.
    V1_9,
    V3_2,
    /// Knows whether a `retry_limit` was set.
    V5_1,
}

/// A registered plugin. The `.so` is closed when this and its instances are gone.
pub struct Plugin {
    version: HostVersion,
    library: Arc<Library>,
}

/// An initialised output instance. Dropping it calls the plugin's exit.
pub struct Instance {
    o_ins: Arc<OutputInstance>,
    library: Arc<Library>,
}

/// Why a plugin can't be loaded, registered or initialised.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("FLBPluginInit answered {answer}; its reason is in the log")]
    InitFailed { answer: i32 },
    #[error("{0}")]
    Other(String),
}

// === impl Plugin ===

impl Plugin {
    /// Opens the `.so` and registers it. The same file may be loaded again, also while it is
    /// loaded, as a hot reload does.
    pub fn load(path: impl AsRef<Path>, version: HostVersion) -> Result<Self, Error> {
        offer_symbols(version).map_err(Error::Other)?;
        let library = Library::open(path.as_ref()).map_err(Error::Other)?;
        Ok(Self {
            version,
            library: Arc::new(library),
        })
    }

    /// Initialises an output instance of this section, and has the engine run once. Without an alias
    /// it is called as Fluent Bit calls the first one.
    pub fn init<K, V>(&self, section: &[(K, V)]) -> Result<Instance, Error>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        let name = format!("{}.0", self.library.name.to_string_lossy());
        let o_ins = OutputInstance::new(self.version, name, section).map_err(Error::Other)?;
        let answer = self.library.init(&o_ins).map_err(Error::Other)?;
        if answer <= 0 {
            return Err(Error::InitFailed { answer });
        }
        // As Fluent Bit does after an output's Init: twice.
        o_ins.enable_multi_threading();
        o_ins.enable_multi_threading();
        run_timers();
        Ok(Instance {
            o_ins,
            library: Arc::clone(&self.library),
        })
    }

    /// Closes the plugin, if none of its instances is left.
    pub fn unregister(self) -> Result<(), Error> {
        let library = Arc::into_inner(self.library);
        library
            .map(drop)
            .ok_or_else(|| Error::Other("the plugin still has running instances".to_owned()))
    }
}

// === impl Instance ===

impl Instance {
    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.o_ins.settings()
    }

    /// Flushes a chunk and returns the plugin's answer as it is; may be called from several threads
    /// at once. As in Fluent Bit it runs on a coroutine's stack with a guard page below it: an
    /// overflow kills the process with SIGSEGV.
    ///
    /// # Panics
    ///
    /// If the tag contains a NUL, or no memory can be had for the stack.
    pub fn flush(&self, data: &[u8], tag: &str) -> i32 {
        let tag = CString::new(tag).expect("a tag contains no NUL");
        let stack = DefaultStack::new(STACK_SIZE).expect("the system has memory for a stack");
        let coroutine = ScopedCoroutine::<(), (), i32>::with_stack(stack, |_, ()| {
            self.library.flush(&self.o_ins, data, &tag)
        });
        coroutine.scope(|mut coroutine| match coroutine.resume(()) {
            CoroutineResult::Return(answer) => answer,
            CoroutineResult::Yield(()) => unreachable!("the flush never yields"),
        })
    }

    /// Calls the plugin's exit. No flush can run then, since `self` is owned.
    pub fn exit(self) {
        drop(self);
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.library.exit(&self.o_ins);
    }
}

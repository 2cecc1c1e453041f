//! A loaded plugin and its output instances, in the order of calls that Fluent Bit keeps.

use std::ffi::{CStr, CString, NulError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use corosensei::stack::DefaultStack;
use corosensei::{CoroutineResult, ScopedCoroutine};

use crate::abi::{Definition, InstanceMemory, Library, Settings, run_timers};
use crate::log::{self, LogLevel};
use crate::properties::Properties;

/// The generation of Fluent Bit to play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostVersion {
    /// A five-field definition of uninitialised memory, one pointer in the API table, none of the
    /// optional hooks but `FLBPluginUnregister`, no `flb_output_log_check`.
    V1_9,
    /// A five-field definition of uninitialised memory, seven pointers in the API table.
    V3_2,
    /// A cleared seven-field definition, nine pointers in the API table.
    V5_1,
}

/// A registered plugin. The `.so` is unregistered and closed when this and its instances are gone.
pub struct Plugin {
    registered: Arc<Registered>,
    instances: AtomicUsize,
}

/// How an output instance differs from the default.
#[derive(Debug, Clone)]
pub struct InstanceOptions {
    /// An alias; without one the instance is called `<plugin>.<number>`.
    pub name: Option<String>,
    /// The instance's own `log_level`.
    pub log_level: LogLevel,
}

/// An initialised output instance. Dropping it calls the plugin's exit.
pub struct Instance {
    name: String,
    memory: InstanceMemory,
    plugin: Arc<Registered>,
}

/// Why a plugin can't be loaded, registered or initialised.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot open the plugin {}: {reason}", path.display())]
    Open { path: PathBuf, reason: String },
    #[error("the plugin does not export {0}, which the host calls")]
    MissingExport(&'static str),
    #[error("cannot offer the host's symbols: {0}")]
    Symbols(String),
    #[error(
        "this process already plays another kind of host: 1.9 and later hosts export different symbols, so they need processes of their own"
    )]
    OtherHost,
    #[error("{0} answered -1")]
    RegisterFailed(&'static str),
    #[error("the plugin's definition is incomplete: {0}")]
    Definition(String),
    #[error(
        "the plugin wrote past its host's struct flb_plugin_proxy_def, {offset} bytes after its end"
    )]
    WrotePastDefinition { offset: usize },
    #[error("instance {name}: FLBPluginInit answered {answer}; its reason is in the log")]
    InitFailed { name: String, answer: i32 },
    #[error("instance {name}: {reason}")]
    Init { name: String, reason: String },
    #[error("the plugin still has running instances: exit them before it is unregistered")]
    StillRunning,
}

struct Registered {
    name: CString,
    version: HostVersion,
    definition: Box<Definition>,
    /// False once the plugin was told.
    registered: bool,
    library: Library,
}

// === impl Plugin ===

impl Plugin {
    /// Opens the `.so` and registers it. The same file may be loaded again, also while it is
    /// loaded, as a hot reload does.
    pub fn load(path: impl AsRef<Path>, version: HostVersion) -> Result<Self, Error> {
        let library = Library::open(path.as_ref(), version)?;
        if version != HostVersion::V1_9 && library.pre_register() == -1 {
            return Err(Error::RegisterFailed("FLBPluginPreRegister"));
        }
        let mut definition = Box::new(Definition::new(version));
        if library.register(&mut definition) == -1 {
            return Err(Error::RegisterFailed("FLBPluginRegister"));
        }
        let name = definition.check(version)?;
        Ok(Self {
            registered: Arc::new(Registered {
                name,
                version,
                definition,
                registered: true,
                library,
            }),
            instances: AtomicUsize::new(0),
        })
    }

    /// The name it registered under, which a configuration's `Name` refers to.
    pub fn name(&self) -> String {
        self.registered.name.to_string_lossy().into_owned()
    }

    /// Initialises an output instance, and has the engine run once. Properties that Fluent Bit
    /// takes for itself (`match`, `alias`, `log_level`, `host`, `port`, `workers`, `retry_limit`,
    /// `tls*`, `net.*`, ...) are hidden from the plugin. Of them `workers` and `retry_limit` have
    /// an effect, which [`Instance::settings`] shows.
    pub fn init(
        &self,
        properties: &[(&str, &str)],
        options: InstanceOptions,
    ) -> Result<Instance, Error> {
        let number = self.instances.fetch_add(1, Ordering::Relaxed);
        let name = options
            .name
            .unwrap_or_else(|| format!("{}.{number}", self.name()));
        let fail = |reason: String| Error::Init {
            name: name.clone(),
            reason,
        };
        let c_name = CString::new(name.as_str()).map_err(|_: NulError| fail(nul("its name")))?;
        let own = Properties::new(properties).map_err(|key| fail(nul(&key)))?;
        let version = self.registered.version;
        let memory = InstanceMemory::new(version, c_name, options.log_level, own);
        for (key, value) in properties {
            let key = key.to_ascii_lowercase();
            if ["workers", "retry_limit"].contains(&key.as_str()) {
                let [key, value] = [key.as_str(), value].map(CString::new);
                let (key, value) = (key.expect("no NUL"), value.map_err(|_| fail(nul("it")))?);
                memory.set(&key, &value);
            }
        }
        let library = &self.registered.library;
        let answer = library
            .init(&self.registered.name, &memory)
            .map_err(&fail)?;
        if answer <= 0 {
            return Err(Error::InitFailed { name, answer });
        }
        memory.enable_multi_threading();
        if version != HostVersion::V1_9 {
            library.pre_run();
        }
        run_timers();
        Ok(Instance {
            name,
            memory,
            plugin: Arc::clone(&self.registered),
        })
    }

    /// Unregisters and closes the plugin, and says whether it kept to its definition.
    pub fn unregister(self) -> Result<(), Error> {
        let mut registered = Arc::into_inner(self.registered).ok_or(Error::StillRunning)?;
        registered.unregister()
    }
}

fn nul(what: &str) -> String {
    format!("{what} contains a NUL, which a C string can't")
}

// === impl Instance ===

impl Instance {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.memory.settings()
    }

    /// Flushes a chunk on the calling thread's own stack and returns the plugin's answer as it
    /// is; may be called from several threads at once.
    ///
    /// # Panics
    ///
    /// If the tag contains a NUL.
    pub fn flush(&self, data: &[u8], tag: &str) -> i32 {
        self.flush_c(data, &c_tag(tag))
    }

    /// Flushes a chunk as Fluent Bit does, on a coroutine's stack of `stack_size` bytes (rounded
    /// up to pages) with a guard page below it: an overflow kills the process with SIGSEGV.
    ///
    /// # Panics
    ///
    /// If the tag contains a NUL, or no memory can be had for the stack.
    pub fn flush_on_coroutine(&self, data: &[u8], tag: &str, stack_size: usize) -> i32 {
        let tag = c_tag(tag);
        let stack = DefaultStack::new(stack_size).expect("the system has memory for a stack");
        let coroutine =
            ScopedCoroutine::<(), (), i32>::with_stack(stack, |_, ()| self.flush_c(data, &tag));
        coroutine.scope(|mut coroutine| match coroutine.resume(()) {
            CoroutineResult::Return(answer) => answer,
            CoroutineResult::Yield(()) => unreachable!("the flush never yields"),
        })
    }

    /// Calls the plugin's exit. No flush can run then, since `self` is owned.
    pub fn exit(self) {
        drop(self);
    }

    fn flush_c(&self, data: &[u8], tag: &CStr) -> i32 {
        self.plugin.library.flush(&self.memory, data, tag)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if self.plugin.version != HostVersion::V1_9 {
            self.plugin.library.pre_exit();
        }
        self.plugin.library.exit(&self.memory);
    }
}

fn c_tag(tag: &str) -> CString {
    CString::new(tag).expect("a tag contains no NUL")
}

// === impl Registered ===

impl Registered {
    fn unregister(&mut self) -> Result<(), Error> {
        self.registered = false;
        self.library.unregister(&mut self.definition);
        self.definition.check_canary(self.version)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if !self.registered {
            return;
        }
        if let Err(error) = self.unregister() {
            log::violation(error.to_string());
        }
    }
}

// === impl InstanceOptions ===

impl Default for InstanceOptions {
    fn default() -> Self {
        Self {
            name: None,
            log_level: LogLevel::Info,
        }
    }
}

// === impl HostVersion ===

impl FromStr for HostVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "1.9" => Ok(Self::V1_9),
            "3.2" => Ok(Self::V3_2),
            "5.1" => Ok(Self::V5_1),
            _ => Err(format!("host version {text:?}: it must be 1.9, 3.2 or 5.1")),
        }
    }
}

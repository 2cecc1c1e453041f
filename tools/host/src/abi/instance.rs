//! An output's instance: what the host keeps of it, and the settings that a plugin may change.

use std::ffi::{CStr, CString, c_int, c_void};
use std::iter;
use std::mem::offset_of;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use super::POISON;
use crate::log::{self, LogLevel};
use crate::plugin::HostVersion;

/// What Fluent Bit takes for itself, as far as anybody sets it: a plugin never sees these.
const RESERVED: [&str; 7] = [
    "alias",
    "log_level",
    "match",
    "name",
    "retry_limit",
    "storage.total_limit_size",
    "workers",
];

/// `struct flb_output_instance`, opaque to the plugin. As in Fluent Bit, the settings and the head
/// of the list of properties lie somewhere in it.
#[repr(C)]
pub(crate) struct OutputInstance {
    version: HostVersion,
    pub(super) log_level: c_int,
    pub(super) name: CString,
    retry_limit: AtomicI32,
    /// `retry_limit_is_set` from 5.1 on, and `use_tls` before.
    behind_retry_limit: AtomicI32,
    _head: Links,
    tp_workers: AtomicI32,
    /// How many pools of workers were made.
    pools: AtomicI32,
    /// `struct flb_plugin_proxy_context`: the plugin's word, and one that is private to the host.
    pub(super) context: Box<[AtomicUsize; 2]>,
    properties: Vec<(CString, CString)>,
    _nodes: Box<[Node]>,
}

/// `struct mk_list`: the addresses of the one before and the next.
type Links = [usize; 2];

/// `struct flb_kv`.
#[repr(C)]
struct Node {
    name: usize,
    value: usize,
    links: Links,
}

/// An output's settings, as they are once its engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Of each pool.
    pub workers: i32,
    /// Fluent Bit stops one of them, and crashes by a second one.
    pub pools: i32,
    /// -1 is no limit, 0 no retry.
    pub retry_limit: i32,
}

impl OutputInstance {
    pub(crate) fn new<K: AsRef<str>, V: AsRef<str>>(
        version: HostVersion,
        default_name: String,
        section: &[(K, V)],
    ) -> Result<Arc<Self>, String> {
        let find = |wanted| {
            let mut pairs = section.iter();
            let pair = pairs.find(|(key, _)| key.as_ref().eq_ignore_ascii_case(wanted));
            pair.map(|(_, value)| value.as_ref())
        };
        let text = |text: &str| CString::new(text).map_err(|error| format!("{text:?}: {error}"));
        let name = text(find("alias").unwrap_or(&default_name))?;
        let log_level = find("log_level").map_or(Ok(LogLevel::Info), str::parse)?;
        let mut properties = Vec::new();
        for (key, value) in section {
            let key = key.as_ref();
            if !RESERVED.contains(&&*key.to_ascii_lowercase()) {
                properties.push((text(key)?, text(value.as_ref())?));
            }
        }
        let instance = Arc::new_cyclic(|place: &Weak<Self>| {
            let head = place.as_ptr().addr() + offset_of!(Self, _head);
            let (head, nodes) = link(head, &properties);
            Self {
                version,
                log_level: log_level as c_int,
                name,
                retry_limit: AtomicI32::new(1),
                behind_retry_limit: AtomicI32::new(0),
                _head: head,
                tp_workers: AtomicI32::new(0),
                pools: AtomicI32::new(0),
                context: Box::new([0, POISON].map(AtomicUsize::new)),
                properties,
                _nodes: nodes,
            }
        });
        for key in ["workers", "retry_limit"] {
            if let Some(value) = find(key) {
                instance.set(key, value);
            }
        }
        Ok(instance)
    }

    /// Keys are case-insensitive, and the first of two equal ones wins.
    pub(super) fn get(&self, key: &CStr) -> Option<&CStr> {
        let mut properties = self.properties.iter();
        let key = key.to_bytes();
        let property = properties.find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(key));
        property.map(|(_, value)| value.as_c_str())
    }

    /// `flb_output_set_property`, for the two that a plugin may set.
    pub(super) fn set(&self, key: &str, value: &str) {
        match key {
            "workers" => {
                let workers = value.parse().unwrap_or(0);
                self.tp_workers.store(workers, Ordering::Relaxed);
            }
            "retry_limit" => {
                let limit = match value {
                    "no_limits" | "false" | "off" => -1,
                    "no_retries" => 0,
                    number => number.parse().ok().filter(|limit| *limit > 0).unwrap_or(1),
                };
                self.retry_limit.store(limit, Ordering::Relaxed);
                if self.version == HostVersion::V5_1 {
                    self.behind_retry_limit.store(1, Ordering::Relaxed);
                }
            }
            _ => log::violation(format!("the plugin set the property {key:?}")),
        }
    }

    /// `flb_output_enable_multi_threading`: what it makes is only counted.
    pub(crate) fn enable_multi_threading(&self) {
        if self.tp_workers.load(Ordering::Relaxed) > 0 {
            self.pools.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            workers: self.tp_workers.load(Ordering::Relaxed),
            pools: self.pools.load(Ordering::Relaxed),
            retry_limit: self.retry_limit.load(Ordering::Relaxed),
        }
    }

    /// What the plugin stored at Init.
    pub(super) fn remote_context(&self) -> *mut c_void {
        ptr::with_exposed_provenance_mut(self.context[0].load(Ordering::Relaxed))
    }

    pub(super) fn check_context(&self) -> Result<(), String> {
        if self.context[1].load(Ordering::Relaxed) == POISON {
            Ok(())
        } else {
            Err("the plugin wrote past context->remote_context".to_owned())
        }
    }
}

/// The list of the properties: its head, which is to be at this address, and its nodes.
fn link(head: usize, properties: &[(CString, CString)]) -> (Links, Box<[Node]>) {
    let node = |(name, value): &(CString, CString)| Node {
        name: name.as_ptr().addr(),
        value: value.as_ptr().addr(),
        links: [0; 2],
    };
    let mut nodes: Box<[Node]> = properties.iter().map(node).collect();
    let places = nodes.iter().map(|node| node.links.as_ptr().addr());
    let ring: Vec<usize> = iter::once(head).chain(places).collect();
    let links = |at: usize| [ring.len() - 1, 1].map(|step| ring[(at + step) % ring.len()]);
    for (at, node) in nodes.iter_mut().enumerate() {
        node.links = links(at + 1);
    }
    (links(0), nodes)
}

//! Who calls, by which way, trusting whom: the plugin in a process of its own, whose environment
//! holds nothing but what the test sets, delivering to a service that accepts one key in one
//! region.

#[path = "../support/mod.rs"]
mod support;

mod authority;
mod http;
mod proxy;
mod sandbox;

mod chain;
mod endpoints;
mod proxies;
mod recovery;
mod regions;
mod roles;
mod secrets;
mod slowness;
mod trust;
mod variables;

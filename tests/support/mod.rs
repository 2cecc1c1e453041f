//! What the tests of the built plugin share: where it is, the environment it runs in, the service
//! it delivers to, what is sent and what must arrive.

#![allow(
    dead_code,
    reason = "each test executable compiles its own copy and uses a part of it"
)]

pub(crate) mod built;
pub(crate) mod child;
pub(crate) mod environment;
pub(crate) mod logs;
pub(crate) mod service;

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

/// Runs a test's cases side by side, as they wait for the most part.
pub(crate) fn each_at_once<C: Send>(cases: impl IntoIterator<Item = C>, run: impl Fn(C) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            let run = &run;
            scope.spawn(move || run(case));
        }
    });
}

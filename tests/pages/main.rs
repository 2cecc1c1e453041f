//! What the project's pages, its dashboard, its alerts and its Makefile say is so.

mod links;
mod makefile;
mod metrics;
#[path = "../support/pages.rs"]
mod pages;
#[path = "../support/metrics.rs"]
mod registered;

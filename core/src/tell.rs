//! What is counted, and what the log and the host's metrics say of it.

pub mod drift;
pub mod log;
pub mod metrics;
pub mod period;
pub mod totals;

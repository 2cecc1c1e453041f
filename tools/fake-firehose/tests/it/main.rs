//! The service as clients see it: from a socket.

mod client;
mod control;
mod faults;
mod program;
mod rules;
mod scenarios;

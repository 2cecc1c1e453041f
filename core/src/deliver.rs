//! What is sent to one delivery stream when, and what each answer means: a machine without I/O.
//!
//! [`stream::Stream`] is the machine. It is told what happens, with the time at which it does, and
//! is asked what to do next. It owns all state of its delivery stream:
//!
//! - [`queue`]: which chunks of an output wait, and when a call for them is due.
//! - [`flight`]: which ranges of which chunks are in which call.
//! - [`ledger`]: what is left of the chunks that no flush waits for.
//! - [`journal`]: what of these is written to a file, so that it outlives the process.
//! - `unheard`: which chunks the host may not know to be done with.
//! - [`chunk`]: what is known of one chunk.
//! - [`output`]: the options, the log and the counts of one output.
//! - [`gate`]: when the next call may begin and how large it may be, by the [`pace`] that the
//!   stream takes, and by fixed limits ([`bucket`]).
//! - [`router`]: the chunks of an output whose documents go to several delivery streams.
//! - [`failure`]: what each error means. [`verdict`]: what the host is answered.

mod bucket;
mod chunk;
pub mod failure;
pub mod flight;
pub mod gate;
pub mod journal;
pub mod ledger;
pub mod output;
mod pace;
pub mod queue;
pub mod ranges;
pub mod router;
pub mod stream;
mod unheard;
pub mod verdict;

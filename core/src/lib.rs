//! What of the plugin is pure: bytes and the time go in, decisions come out.
//!
//! Nothing here reads a clock, starts a thread, waits, or knows of tokio or the AWS SDK. A log
//! line goes through the modules in this order:
//!
//! - [`format`] makes the document of an event: a line of JSON of a map of msgpack.
//! - [`route`] names the delivery stream of an event, where one output has many.
//! - [`pack`] makes records of documents, and the body of one call of records.
//! - [`deliver`] decides for one delivery stream what is sent when, and what each answer means for
//!   the chunks that it came from.
//!
//! At the side, [`options`] checks what a section asks for, and [`tell`] counts and words what is
//! told of it all. [`schema`] knows the table by which the service converts, and [`limits`] are those
//! of the service.

#![forbid(unsafe_code)]

pub mod deliver;
pub mod format;
pub mod limits;
pub mod options;
pub mod pack;
pub mod route;
pub mod schema;
pub mod tell;

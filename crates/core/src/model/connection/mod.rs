//! Facts about a database secret or setting, never its value.
//!
//! - `facts`: one connection, in whatever form it is written.
//! - `fault`: why a connection is malformed, and what is worth a note.
//! - `fingerprint`: whether two values are equal, without the values.
//! - `reader`: what a given reader makes of a connection that another one accepts.
//! - `tls`: whether a connection is encrypted.
//! - `shape`: what a secret's value is: text, JSON or binary; and what it is worth in a given role.

mod facts;
mod fault;
mod fingerprint;
mod reader;
mod shape;
mod tls;

pub use facts::{Connection, ConnectionForm, Difference, HostPort};
pub use fault::{Fault, Note, UrlPart};
pub use fingerprint::{Fingerprint, Fingerprints, TextFacts};
pub use shape::{MAX_KEY, MAX_KEYS, SecretShape, ValueInRole, role_of_key};
pub use tls::Tls;

//! The data that everything else works on: what was read, and the words for it. No SDK type appears here.

pub mod connection;
pub mod cow_map;
pub mod follow_up_reads;
pub mod hold;
pub mod image;
pub mod key;
pub mod planned_change;
pub mod policy;
pub mod read_error;
pub mod resource_ref;
pub mod resources;
pub mod rule_meta;
pub mod snapshot;
pub mod store;
pub mod subject;
pub mod tags;
pub mod value_from;

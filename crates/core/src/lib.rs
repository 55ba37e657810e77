//! The pure middle of Holdfast.

pub mod action;
pub mod check;
pub mod checklist;
pub mod config;
pub mod connection;
pub mod diagnose;
pub mod evaluate;
pub mod event;
pub mod facts;
pub mod finding;
pub mod gate;
pub mod iam_document;
pub mod iam_policy;
pub mod model;
pub mod plan;
pub mod refresh;
pub mod rule_result;
pub mod rules;

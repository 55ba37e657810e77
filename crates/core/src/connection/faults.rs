//! Connections without facts, and lists of faults.

use crate::model::connection::{Connection, ConnectionForm, Fault};

/// A value of which only a fault is known.
pub(super) fn nothing(fault: Fault) -> Connection {
    Connection {
        faults: vec![fault],
        ..empty(ConnectionForm::Url)
    }
}

/// A connection before anything of it is known.
pub(super) fn empty(form: ConnectionForm) -> Connection {
    Connection {
        form,
        ..Connection::default()
    }
}

/// Adds a fault, unless it is there.
pub(super) fn push(faults: &mut Vec<Fault>, fault: Fault) {
    if !faults.contains(&fault) {
        faults.push(fault);
    }
}

//! What differs between the drivers that read URLs.

use super::super::scheme::Scheme;
use crate::model::store::{Dialect, Engine};

/// What differs between the drivers that read URLs.
pub(super) struct Rules {
    /// Those of libpq: it checks parameters, and needs a value for each.
    pub(super) libpq: bool,
    /// User and password may come before the host.
    pub(super) credentials: bool,
    /// Parameters are split at `&` alone, and read as Java's `URLDecoder` does: a `+` is a space, any other character is
    /// taken as it is. <https://github.com/pgjdbc/pgjdbc/blob/master/pgjdbc/src/main/java/org/postgresql/Driver.java>
    pub(super) java: bool,
    /// Hosts in the query may have their ports: <https://docs.sqlalchemy.org/en/20/dialects/postgresql.html>
    pub(super) inline_ports: bool,
}

impl Rules {
    pub(super) fn of(scheme: &Scheme) -> Self {
        let postgres = scheme.engine == Engine::Postgres;
        Self {
            libpq: postgres && matches!(scheme.dialect, Some(Dialect::Libpq)),
            credentials: !(postgres && scheme.dialect == Some(Dialect::Jdbc)),
            java: scheme.dialect == Some(Dialect::Jdbc),
            inline_ports: scheme.dialect == Some(Dialect::Sqlalchemy),
        }
    }
}

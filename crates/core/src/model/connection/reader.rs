//! What a given reader makes of a connection that another one accepts.

use super::facts::{Connection, ConnectionForm};
use super::fault::Fault;
use crate::model::store::{Dialect, Engine};

impl Connection {
    /// Why `reader` can't use it; `None`: why no driver of its own dialect can.
    ///
    /// A value in a form that any program reads in its own way (JSON parts, a bare address) has no reader's faults.
    #[must_use]
    pub fn faults_for(&self, reader: Option<Dialect>) -> Vec<Fault> {
        let mut faults = self.faults.clone();
        let Some(reader) = reader else {
            return faults;
        };
        let told = |fault: &Fault| {
            matches!(
                fault,
                Fault::NotAConnectionString | Fault::Empty | Fault::NoScheme | Fault::WrongScheme { .. }
            )
        };
        if matches!(self.form, ConnectionForm::Parts | ConnectionForm::Address) || faults.iter().any(told) {
            return faults;
        }
        let scheme = self.scheme.clone();
        if reader.needs_postgres() && matches!(self.engine, Engine::Other(_) | Engine::Builtin(_)) {
            faults.push(Fault::WrongScheme { found: scheme });
        } else if !self.is_for(reader) {
            faults.push(Fault::WrongDialect { found: scheme, reader });
        }
        faults
    }

    /// Whether `reader` reads this form and scheme.
    fn is_for(&self, reader: Dialect) -> bool {
        let url = self.form == ConnectionForm::Url && !matches!(self.dialect, Some(Dialect::Jdbc | Dialect::R2dbc));
        // Without a known scheme nothing can be said against it.
        let scheme = self.scheme.as_deref().unwrap_or_default();
        let (base, driver) = scheme.split_once('+').map_or((scheme, None), |(b, d)| (b, Some(d)));
        let plain_postgres = matches!(scheme, "" | "postgres" | "postgresql");
        match reader {
            // https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
            Dialect::Libpq => self.form == ConnectionForm::Keywords || (url && plain_postgres),
            // https://node-postgres.com/features/connecting#connection-uri
            Dialect::Node => url && plain_postgres,
            Dialect::Jdbc | Dialect::R2dbc | Dialect::Ado | Dialect::GoMysql | Dialect::Pdo => {
                self.dialect == Some(reader)
            }
            // The name `postgres` was removed in 1.4:
            // https://docs.sqlalchemy.org/en/20/changelog/changelog_14.html (change-3687655465c25a39b968b4f5f6e9170b)
            Dialect::Sqlalchemy => {
                url && !matches!(base, "postgres" | "pgsql" | "psql" | "pg" | "postgis" | "timescale")
            }
            // https://www.prisma.io/docs/orm/reference/connection-urls
            Dialect::Prisma => {
                (url && driver.is_none_or(|d| matches!(d, "postgres" | "srv"))
                    && !matches!(base, "pgsql" | "psql" | "pg" | "postgis" | "timescale"))
                    || (self.form == ConnectionForm::Pairs && base == "sqlserver")
            }
            // https://guides.rubyonrails.org/configuring.html#configuring-a-database
            Dialect::Rails => url && driver.is_none() && !matches!(base, "pgsql" | "psql" | "pg" | "timescale"),
            // https://github.com/jazzband/dj-database-url#url-schema, https://django-environ.readthedocs.io/en/latest/types.html
            Dialect::Django => url && driver.is_none(),
        }
    }
}

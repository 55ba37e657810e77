//! Which program a container runs: whether the image of a database is there for its server, or for a client of another one.

use crate::model::resources::Program;

/// Servers, and the scripts of images that start them.
const SERVERS: &[&str] = &[
    "postgres",
    "mysqld",
    "mariadbd",
    "mongod",
    "mongos",
    "redis-server",
    "valkey-server",
    "memcached",
    "clickhouse-server",
    "influxd",
    "rabbitmq-server",
    "etcd",
    "prometheus",
];

/// Scripts of images that start the server.
const SCRIPTS: &[&str] = &["docker-entrypoint.sh", "entrypoint.sh", "run.sh"];

/// Programs that start what comes after them.
const STARTERS: &[&str] = &["tini", "dumb-init", "exec", "gosu", "su-exec"];

/// Shells.
const SHELLS: &[&str] = &["sh", "bash", "ash", "dash", "zsh"];

/// Clients of databases.
#[rustfmt::skip]
const CLIENTS: &[&str] = &[
    "psql", "pg_dump", "pg_dumpall", "pg_restore", "pg_isready", "createdb", "dropdb", "createuser", "vacuumdb", "reindexdb",
    "pgbench", "mysql", "mysqldump", "mysqladmin", "mysqlcheck", "mysqlimport", "mysqlpump", "mariadb", "mariadb-dump",
    "mariadb-admin", "mongosh", "mongo", "mongodump", "mongorestore", "mongoimport", "mongoexport", "redis-cli", "valkey-cli",
];

/// What `entry_point` and `command` run.
#[must_use]
pub fn program<T: AsRef<str>>(entry_point: &[T], command: &[T]) -> Program {
    let words = || entry_point.iter().chain(command).map(AsRef::as_ref);
    let mut words = words().skip_while(|w| STARTERS.contains(&base(w)) || SCRIPTS.contains(&base(w)));
    let Some(first) = words.next() else { return Program::Own };
    // Flags are the image's own program's.
    if first.starts_with('-') || SERVERS.contains(&base(first)) {
        return Program::Own;
    }
    if let Some(client) = client(first) {
        return Program::Client(client);
    }
    if !is_shell(first) {
        return Program::Other;
    }
    let text: Vec<&str> = words.collect();
    let ends = |c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')' | '`');
    let parts = || text.iter().flat_map(|t| t.split(ends)).filter(|w| !w.is_empty());
    if parts().any(|w| SERVERS.contains(&base(w)) || SCRIPTS.contains(&base(w))) {
        return Program::Own;
    }
    parts().find_map(client).map_or(Program::Other, Program::Client)
}

/// Whether a word is a shell, by whatever path.
pub(super) fn is_shell(word: &str) -> bool {
    SHELLS.contains(&base(word))
}

fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

fn client(word: &str) -> Option<&'static str> {
    CLIENTS.iter().copied().find(|c| *c == base(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs() {
        let own: &[&[&str]] = &[
            &[],
            &["-c", "max_connections=200"],
            &["postgres", "-c", "fsync=off"],
            &["docker-entrypoint.sh", "postgres"],
            &["docker-entrypoint.sh"],
            &["/usr/local/bin/docker-entrypoint.sh", "mongod", "--auth"],
            &["mysqld", "--datadir=/data"],
            &["sh", "-c", "docker-entrypoint.sh postgres & psql -f /seed.sql"],
        ];
        for words in own {
            assert_eq!(program(words, &[]), Program::Own, "{words:?}");
        }
        let clients: &[(&[&str], &str)] = &[
            (&["psql", "-c", "select 1"], "psql"),
            (&["/usr/bin/pg_dump"], "pg_dump"),
            (&["sh", "-c", "until pg_isready -h db; do sleep 1; done"], "pg_isready"),
            (&["docker-entrypoint.sh", "mongosh"], "mongosh"),
            (&["bash", "-ec", "mysql -h \"$H\" < /init.sql"], "mysql"),
        ];
        for (words, name) in clients {
            assert_eq!(program(words, &[]), Program::Client(name), "{words:?}");
        }
        for words in [&["apache2-foreground"][..], &["sh", "-c", "echo hello"], &["/start"]] {
            assert_eq!(program(words, &[]), Program::Other, "{words:?}");
        }
    }
}

//! A real PostgreSQL server for one test, from Debian's package. It ends with the test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a server may take to start on a busy machine.
const DEADLINE: Duration = Duration::from_mins(1);

/// A server that listens on 127.0.0.1 with TLS, and asks for passwords.
pub struct Postgres {
    pub port: u16,
    /// The certificate of the authority that signed the server's, which is for `localhost`.
    pub authority: PathBuf,
    /// One that signed nothing.
    pub stranger: PathBuf,
    bin: PathBuf,
    dir: tempfile::TempDir,
    child: Child,
}

/// A port that nothing listens on.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// The newest server of Debian's packages.
fn bin() -> PathBuf {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let bin = entry.path().join("bin");
            let version = entry.file_name().to_string_lossy().parse().ok()?;
            bin.join("initdb").exists().then_some((version, bin))
        })
        .collect();
    found.sort();
    let (_, bin) = found
        .pop()
        .expect("PostgreSQL is missing: scripts/test.sh installs it (apt-get install postgresql)");
    bin
}

/// PostgreSQL does not run as root: there it runs as its own user, or as nobody.
fn command(program: &Path) -> Command {
    match server_user() {
        None => Command::new(program),
        Some(user) => {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid", user, "--regid", group_of(user), "--clear-groups", "--"])
                .arg(program);
            command
        }
    }
}

fn server_user() -> Option<&'static str> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).output().expect("id");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
    };
    (id(&["-u"]).1 == "0").then(|| if id(&["postgres"]).0 { "postgres" } else { "nobody" })
}

fn group_of(user: &str) -> &'static str {
    if user == "postgres" { "postgres" } else { "nogroup" }
}

fn done(command: &mut Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Postgres {
    /// Starts one, and runs `setup` as its superuser in the database `app`.
    pub fn start(setup: &str) -> Self {
        let (bin, port) = (bin(), free_port());
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        certificates(dir.path());
        let owner = server_user();
        if let Some(user) = owner {
            let owner = format!("{user}:{}", group_of(user));
            done(Command::new("chown").args(["-R", &owner]).arg(dir.path()));
        }
        done(
            command(&bin.join("initdb"))
                .args(["--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"])
                .args(["--auth-local=trust", "--auth-host=scram-sha-256", "--pgdata"])
                .arg(at("data")),
        );
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\nfsync = off\nssl = on\n\
             ssl_cert_file = '{}'\nssl_key_file = '{}'\n",
            dir.path().display(),
            at("server.pem").display(),
            at("server.key").display()
        );
        std::fs::write(at("settings"), settings).expect("written");
        done(
            Command::new("cp")
                .arg("--no-preserve=all")
                .arg(at("settings"))
                .arg(at("data/postgresql.auto.conf")),
        );
        let log = std::fs::File::create(at("log")).expect("a log");
        let mut server = command(&bin.join("postgres"));
        server
            .arg("-D")
            .arg(at("data"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log);
        let child = server.spawn().expect("postgres starts");
        let (authority, stranger) = (at("authority.pem"), at("stranger.pem"));
        let postgres = Self {
            port,
            authority,
            stranger,
            bin,
            dir,
            child,
        };
        postgres.await_start();
        postgres.sql("postgres", "CREATE DATABASE app");
        postgres.sql("app", setup);
        postgres
    }

    fn psql(&self, database: &str, sql: &str) -> Command {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.arg("-h")
            .arg(self.dir.path())
            .args(["-p", &self.port.to_string(), "-U", "postgres", "-d", database])
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        psql
    }

    /// Runs statements as the superuser.
    pub fn sql(&self, database: &str, sql: &str) {
        done(&mut self.psql(database, sql));
    }

    /// Switches TLS off, for connections from now on.
    pub fn without_tls(&self) {
        self.sql("postgres", "ALTER SYSTEM SET ssl = off");
        self.sql("postgres", "SELECT pg_reload_conf()");
        let started = std::time::Instant::now();
        while done(self.psql("postgres", "SHOW ssl").arg("-tA")).trim() != "off" {
            assert!(started.elapsed() < DEADLINE, "the server does not take its settings");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn await_start(&self) {
        let started = std::time::Instant::now();
        loop {
            let ready = self
                .psql("postgres", "SELECT 1")
                .stdin(Stdio::null())
                .output()
                .is_ok_and(|o| o.status.success());
            if ready {
                return;
            }
            let log = || std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(started.elapsed() < DEADLINE, "PostgreSQL did not start: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// An authority, a certificate for `localhost` that it signed, and an authority that signed nothing.
fn certificates(dir: &Path) {
    let openssl = |arguments: &[&str]| {
        done(Command::new("openssl").args(arguments).current_dir(dir));
    };
    let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    for name in ["authority", "stranger"] {
        let (key, pem, subject) = (format!("{name}.key"), format!("{name}.pem"), format!("/CN={name}"));
        let arguments = [
            "req", "-x509", "-days", "2", "-subj", &subject, "-keyout", &key, "-out", &pem,
        ];
        openssl(&[&arguments[..], &new_key[..]].concat());
    }
    let request = [
        "req",
        "-new",
        "-subj",
        "/CN=localhost",
        "-keyout",
        "server.key",
        "-out",
        "server.csr",
    ];
    openssl(&[&request[..], &new_key[..]].concat());
    std::fs::write(
        dir.join("names"),
        "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n",
    )
    .expect("written");
    openssl(&[
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "authority.pem",
        "-CAkey",
        "authority.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        "names",
        "-out",
        "server.pem",
    ]);
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGQUIT: at once, and its children with it.
        let _ = Command::new("kill")
            .args(["-QUIT", &self.child.id().to_string()])
            .status();
        let _ = self.child.wait();
    }
}

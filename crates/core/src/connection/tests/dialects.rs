//! Connections as the documentation of their drivers writes them: none is malformed, and each is read.

use super::*;
use crate::model::store::Engine;

/// `dialect engine line tls`
fn told(c: &Connection) -> String {
    let dialect = c.dialect.map_or_else(|| "-".to_owned(), |d| d.to_string());
    let engine = match &c.engine {
        Engine::Postgres => "postgres",
        Engine::Other(name) | Engine::Builtin(name) => name,
        Engine::Unknown => "?",
    };
    format!("{dialect} {engine} {} {}", line(c), c.tls(None))
}

fn check(cases: &[(&str, &str)]) {
    let mut wrong = vec![];
    for (value, expected) in cases {
        let found = inspect_plain(value);
        if told(&found) != *expected {
            wrong.push(format!("{value:?}\n  is  {}\n  not {expected}", told(&found)));
        }
        assert!(
            found.is_well_formed() || expected.contains('!'),
            "{value}: {:?}",
            found.faults
        );
        assert_eq!(found.faults_for(None), found.faults, "{value}");
        if let Some(own) = found.dialect
            && found.is_well_formed()
        {
            assert_eq!(found.faults_for(Some(own)), vec![], "{value}");
        }
        // Every well-formed connection is equal to itself, and its facts survive serialization without more.
        assert!(
            !found.is_well_formed() || found.same_as(&inspect_plain(value)),
            "{value}"
        );
        let json = serde_json::to_string(&found).unwrap();
        let back: Connection = serde_json::from_str(&json).unwrap();
        assert!(!back.same_as(&found), "{value}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>
#[test]
#[rustfmt::skip]
fn libpq() {
    check(&[
        ("postgresql://", "libpq postgres url -@-/- ~NoHost ~NoDatabase driver-default"),
        ("postgresql://localhost", "libpq postgres url -@localhost:5432/- ~NoDatabase driver-default"),
        ("postgresql://localhost:5433", "libpq postgres url -@localhost:5433/- ~NoDatabase driver-default"),
        ("postgresql://localhost/mydb", "libpq postgres url -@localhost:5432/mydb driver-default"),
        ("postgresql://user@localhost", "libpq postgres url user@localhost:5432/- ~NoDatabase driver-default"),
        ("postgresql://user:secret@localhost", "libpq postgres url user:*@localhost:5432/- ~NoDatabase driver-default"),
        ("postgresql://other@localhost/otherdb?connect_timeout=10&application_name=myapp", "libpq postgres url other@localhost:5432/otherdb driver-default"),
        ("postgresql://host1:123,host2:456/somedb?target_session_attrs=any&application_name=myapp", "libpq postgres url -@-/- ~UnclearAddress driver-default"),
        ("postgresql:///mydb?host=localhost&port=5433", "libpq postgres url -@localhost:5433/mydb driver-default"),
        ("postgresql://[2001:db8::1234]/database", "libpq postgres url -@2001:db8::1234:5432/database driver-default"),
        ("postgresql:///dbname?host=/var/lib/postgresql", "libpq postgres url -@/var/lib/postgresql:5432/dbname driver-default"),
        ("postgresql://%2Fvar%2Flib%2Fpostgresql/dbname", "libpq postgres url -@/var/lib/postgresql:5432/dbname driver-default"),
        ("postgresql://user@localhost:5433/mydb?options=-c%20synchronous_commit%3Doff", "libpq postgres url user@localhost:5433/mydb driver-default"),
        ("host=localhost port=5432 dbname=mydb connect_timeout=10", "libpq postgres kw -@localhost:5432/mydb preferred"),
        ("host=/var/run/postgresql dbname=mydb user=app", "libpq postgres kw app@/var/run/postgresql:5432/mydb preferred"),
        ("service=prod", "libpq postgres kw -@-/- ~NoHost ~NoDatabase preferred"),
    ]);
}

/// GORM <https://gorm.io/docs/connecting_to_the_database.html>, lib/pq <https://pkg.go.dev/github.com/lib/pq>, pgx
/// <https://pkg.go.dev/github.com/jackc/pgx/v5/pgconn#ParseConfig> and
/// <https://pkg.go.dev/github.com/jackc/pgx/v5/pgxpool#ParseConfig>, golang-migrate
/// <https://github.com/golang-migrate/migrate/tree/master/database/pgx>, Coder
/// <https://coder.com/docs/reference/cli/server#--postgres-url>
#[test]
#[rustfmt::skip]
fn go() {
    check(&[
        ("host=localhost user=gorm password=gorm dbname=gorm port=9920 sslmode=disable TimeZone=Asia/Shanghai", "libpq postgres kw gorm:*@localhost:9920/gorm?disable off"),
        ("user=gorm password=gorm dbname=gorm port=9920 sslmode=disable TimeZone=Asia/Shanghai", "libpq postgres kw gorm:*@-/gorm?disable ~NoHost off"),
        ("user=pqgotest dbname=pqgotest sslmode=verify-full", "libpq postgres kw pqgotest@-/pqgotest?verify-full ~NoHost required"),
        ("postgres://pqgotest:password@localhost/pqgotest?sslmode=verify-full", "libpq postgres url pqgotest:*@localhost:5432/pqgotest?verify-full required"),
        ("user=bob password=secret host=1.2.3.4 port=5432 dbname=mydb sslmode=verify-ca", "libpq postgres kw bob:*@1.2.3.4:5432/mydb?verify-ca required"),
        ("postgres://jack:secret@pg.example.com:5432/mydb?sslmode=verify-ca", "libpq postgres url jack:*@pg.example.com:5432/mydb?verify-ca required"),
        ("user=jack password=secret host=pg.example.com port=5432 dbname=mydb sslmode=verify-ca pool_max_conns=10 pool_max_conn_lifetime=1h30m", "libpq postgres kw jack:*@pg.example.com:5432/mydb?verify-ca required"),
        ("postgres://jack:secret@pg.example.com:5432/mydb?sslmode=verify-ca&pool_max_conns=10&default_query_exec_mode=simple_protocol", "libpq postgres url jack:*@pg.example.com:5432/mydb?verify-ca required"),
        ("postgres://jack:secret@foo.example.com:5432,bar.example.com:5432/mydb", "libpq postgres url jack:*@foo.example.com:5432,bar.example.com:5432/mydb driver-default"),
        ("pgx5://user:password@host:5432/dbname?query&x-migrations-table=m", "- postgres url user:*@host:5432/dbname ~Unknown(query) driver-default"),
        ("postgres://coder:secret@db.example.com/coder?sslmode=require", "libpq postgres url coder:*@db.example.com:5432/coder?require required"),
        ("postgres://u:p@db.example.com/d?sslmode=require&frobnicate=1", "libpq postgres url u:*@db.example.com:5432/d?require ~Unknown(frobnicate) required"),
        ("user:password@tcp(localhost:5555)/dbname?tls=skip-verify&autocommit=true", "gomysql mysql dsn user:*@localhost:5555/dbname?no-verify required"),
        ("user@unix(/path/to/socket)/dbname", "gomysql mysql dsn user@/path/to/socket:3306/dbname off"),
        ("user:password@tcp([de:ad:be:ef::ca:fe]:80)/dbname?timeout=90s&collation=utf8mb4_unicode_ci", "gomysql mysql dsn user:*@de:ad:be:ef::ca:fe:80/dbname off"),
        ("id:password@tcp(your-amazonaws-uri.com:3306)/dbname", "gomysql mysql dsn id:*@your-amazonaws-uri.com:3306/dbname off"),
        ("user:password@/dbname", "gomysql mysql dsn -:*@-/- ~NoHost off"),
        ("gorm:gorm@tcp(127.0.0.1:3306)/gorm?charset=utf8mb4&parseTime=True&loc=Local", "gomysql mysql dsn gorm:*@127.0.0.1:3306/gorm off"),
        ("sqlserver://gorm:LoremIpsum86@localhost:9930?database=gorm", "- sqlserver url gorm:*@localhost:9930/gorm driver-default"),
    ]);
}

/// SQLAlchemy <https://docs.sqlalchemy.org/en/20/core/engines.html>,
/// <https://docs.sqlalchemy.org/en/20/dialects/postgresql.html>, Celery
/// <https://docs.celeryq.dev/en/stable/userguide/configuration.html>, dj-database-url
/// <https://github.com/jazzband/dj-database-url#url-schema>, django-environ
/// <https://django-environ.readthedocs.io/en/latest/quickstart.html>, Airflow
/// <https://airflow.apache.org/docs/apache-airflow/stable/howto/set-up-database.html>
#[test]
#[rustfmt::skip]
fn python() {
    check(&[
        ("postgresql://scott:tiger@localhost/mydatabase", "libpq postgres url scott:*@localhost:5432/mydatabase driver-default"),
        ("postgresql+psycopg2://scott:tiger@localhost/mydatabase", "sqlalchemy postgres url scott:*@localhost:5432/mydatabase preferred"),
        ("postgresql+pg8000://scott:tiger@localhost/mydatabase", "sqlalchemy postgres url scott:*@localhost:5432/mydatabase driver-default"),
        ("postgresql+asyncpg://scott:tiger@localhost:5432/test?prepared_statement_cache_size=500", "sqlalchemy postgres url scott:*@localhost:5432/test ~Unknown(prepared_statement_cache_size) preferred"),
        ("postgresql+psycopg2://user:password@/dbname", "sqlalchemy postgres url user:*@-/dbname ~NoHost preferred"),
        ("postgresql+psycopg2://user:password@/dbname?host=HostA:5432&host=HostB:5433", "sqlalchemy postgres url user:*@hosta:5432,hostb:5433/dbname preferred"),
        ("postgresql+psycopg2://user:password@/dbname?host=/var/lib/postgresql", "sqlalchemy postgres url user:*@/var/lib/postgresql:5432/dbname preferred"),
        ("postgresql+psycopg2://scott:tiger@192.168.0.199:5432/test?sslmode=require", "sqlalchemy postgres url scott:*@192.168.0.199:5432/test?require required"),
        ("postgresql+psycopg2://airflow_user:airflow_pass@localhost/airflow_db", "sqlalchemy postgres url airflow_user:*@localhost:5432/airflow_db preferred"),
        ("db+postgresql://scott:tiger@localhost/mydatabase", "sqlalchemy postgres url scott:*@localhost:5432/mydatabase driver-default"),
        ("db+mysql://scott:tiger@localhost/foo", "sqlalchemy mysql url scott:*@localhost:3306/foo driver-default"),
        ("db+sqlite:///results.db", "sqlalchemy SQLite url -@-/results.db off"),
        ("cockroachdb://root@localhost:26257/defaultdb?sslmode=disable", "- cockroachdb url root@localhost:26257/defaultdb?disable off"),
        ("mysql+pymysql://scott:tiger@localhost/foo?charset=utf8mb4", "- mysql url scott:*@localhost:3306/foo driver-default"),
        ("oracle+oracledb://scott:tiger@127.0.0.1:1521/?service_name=freepdb1", "- oracle url scott:*@127.0.0.1:1521/- ~Unknown(service_name) driver-default"),
        ("mssql+pyodbc://scott:tiger@myhost:49242/databasename?driver=ODBC+Driver+17+for+SQL+Server", "- sqlserver url scott:*@myhost:49242/databasename driver-default"),
        ("sqlite:///foo.db", "- SQLite url -@-/foo.db off"),
        ("sqlite:////absolute/path/to/foo.db", "- SQLite url -@-//absolute/path/to/foo.db off"),
        ("sqlite://", "- SQLite url -@-/:memory: off"),
        ("sqlite+aiosqlite:///./airflow.db", "sqlalchemy SQLite url -@-/./airflow.db off"),
        ("psql://user:un-githubbedpassword@127.0.0.1:8458/database", "django postgres url user:*@127.0.0.1:8458/database preferred"),
        ("pgsql://user:pw@host:5432/name", "django postgres url user:*@host:5432/name preferred"),
        ("postgis://user:pw@host:5432/name", "rails postgres url user:*@host:5432/name preferred"),
        ("timescale://user:pw@host:5432/name", "django postgres url user:*@host:5432/name preferred"),
        ("pg://user:pw@host:5432/name", "django postgres url user:*@host:5432/name preferred"),
        ("postgres://user:p%23ssword!@localhost/foobar?conn_max_age=600", "libpq postgres url user:*@localhost:5432/foobar driver-default"),
        ("rediscache://127.0.0.1:6379/1?client_class=django_redis.client.DefaultClient&password=ungithubbed-secret", "- redis url -:*@127.0.0.1:6379/1 ~Unknown(client_class) driver-default"),
    ]);
}

/// pgjdbc <https://jdbc.postgresql.org/documentation/use/>, AWS' wrapper and Secrets Manager driver
/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets_jdbc.html>, R2DBC
/// <https://github.com/pgjdbc/r2dbc-postgresql>, <https://github.com/r2dbc/r2dbc-pool>, MySQL
/// <https://dev.mysql.com/doc/connector-j/en/connector-j-reference-jdbc-url-format.html>, SQL Server
/// <https://learn.microsoft.com/sql/connect/jdbc/building-the-connection-url>, Oracle
/// <https://docs.oracle.com/en/database/oracle/oracle-database/23/jjdbc/data-sources-and-URLs.html>, H2
/// <https://www.h2database.com/html/features.html#database_url>
#[test]
#[rustfmt::skip]
fn java() {
    check(&[
        ("jdbc:postgresql://${DB_HOST}:${DB_PORT}/app", "jdbc postgres url -@-/- ~UnclearAddress preferred"),
        ("jdbc:postgresql:database", "jdbc postgres url -@-/database ~NoHost preferred"),
        ("jdbc:postgresql:/", "jdbc postgres url -@-/- ~NoHost ~NoDatabase preferred"),
        ("jdbc:postgresql://host/database", "jdbc postgres url -@host:5432/database preferred"),
        ("jdbc:postgresql://host:5432/", "jdbc postgres url -@host:5432/- ~NoDatabase preferred"),
        ("jdbc:postgresql://[::1]:5740/accounting", "jdbc postgres url -@::1:5740/accounting preferred"),
        ("jdbc:postgresql://localhost/test?user=fred&password=secret&ssl=true", "jdbc postgres url fred:*@localhost:5432/test?require required"),
        ("jdbc:postgresql://localhost/test?user=fred&password=secret&ssl", "jdbc postgres url fred:*@localhost:5432/test?require required"),
        ("jdbc:postgresql://host1:5432,host2:5433/database?targetServerType=primary", "jdbc postgres url -@host1:5432,host2:5433/database preferred"),
        ("jdbc:postgresql://localhost:5432/myDB?options=-c%20search_path=test,public,pg_catalog%20-c%20statement_timeout=90000", "jdbc postgres url -@localhost:5432/myDB preferred"),
        ("jdbc:postgresql://pooler:6432/db?prepareThreshold=0&sslMode=verify-full", "jdbc postgres url -@pooler:6432/db?verify-full required"),
        ("jdbc:aws-wrapper:postgresql://db.cluster-x.us-east-2.rds.amazonaws.com:5432/employees?wrapperPlugins=failover", "jdbc postgres url -@db.cluster-x.us-east-2.rds.amazonaws.com:5432/employees preferred"),
        ("jdbc-secretsmanager:postgresql://example.com:5432/database", "jdbc postgres url -@example.com:5432/database preferred"),
        ("jdbc:secretsmanager:postgresql://example.com:5432/database", "jdbc postgres url -@example.com:5432/database preferred"),
        ("jdbc:tc:postgresql:15.3:///databasename", "jdbc postgres url -@-/databasename ~NoHost preferred"),
        ("jdbc:otel:postgresql://host:5432/database", "jdbc postgres url -@host:5432/database preferred"),
        ("r2dbc:postgresql://user:pw@host:5432/database?sslMode=require", "r2dbc postgres url user:*@host:5432/database?require required"),
        ("r2dbc:pool:postgresql://localhost:5432/database?initialSize=5", "r2dbc postgres url -@localhost:5432/database off"),
        ("r2dbcs:postgresql://host1:5433,host2:5432/db", "r2dbc postgres url -@host1:5433,host2:5432/db?require required"),
        ("r2dbc:h2:mem:///testdb", "r2dbc H2 url -@-/:memory: off"),
        ("jdbc:mysql://myhost1:3306,myhost2:3307/db_name?useSSL=false&allowPublicKeyRetrieval=true", "jdbc mysql url -@myhost1:3306,myhost2:3307/db_name?disable off"),
        ("jdbc:mysql://sandy:secret@myhost:3306/db", "jdbc mysql url sandy:*@myhost:3306/db driver-default"),
        ("jdbc:mysql://address=(host=myhost)(port=1111)(key1=value1)/db", "jdbc mysql url -@-/- driver-default"),
        ("jdbc:mariadb:sequential://host1,host2/DB?user=root&password=myPassword&sslMode=verify-full", "jdbc mariadb url root:*@host1:3306,host2:3306/DB?verify-full required"),
        ("jdbc:sqlserver://localhost;encrypt=true;user=MyUserName;password=pw;", "jdbc sqlserver pairs MyUserName:*@localhost:1433/-?require required"),
        ("jdbc:sqlserver://localhost\\instance1:1434;databaseName=AdventureWorks;integratedSecurity=true;", "jdbc sqlserver pairs -@localhost:1434/AdventureWorks driver-default"),
        ("jdbc:oracle:thin:@//myhost:1521/my.service", "jdbc oracle url -@myhost:1521/- driver-default"),
        ("jdbc:oracle:thin:scott/tiger@myhost:1521:orcl", "jdbc oracle url -:*@-/- driver-default"),
        ("jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=h)(PORT=1521)))", "jdbc oracle url -@-/- driver-default"),
        ("jdbc:db2://host:50000/SAMPLE:user=db2admin;password=db2pass;", "jdbc db2 pairs db2admin:*@host:50000/SAMPLE driver-default"),
        ("jdbc:h2:~/test", "jdbc H2 url -@-/~/test off"),
        ("jdbc:h2:mem:testdb;DB_CLOSE_DELAY=-1;MODE=PostgreSQL", "jdbc H2 url -@-/:memory: off"),
        ("jdbc:h2:file:/data/keycloakdb", "jdbc H2 url -@-//data/keycloakdb off"),
        ("jdbc:h2:tcp://dbserv:8084/~/sample", "jdbc h2 url -@-/- driver-default"),
        ("jdbc:sqlite:/var/lib/sample.db", "jdbc SQLite url -@-//var/lib/sample.db off"),
        ("jdbc:redshift://examplecluster.abc123.us-west-2.redshift.amazonaws.com:5439/dev?ssl=true", "jdbc redshift url -@examplecluster.abc123.us-west-2.redshift.amazonaws.com:5439/dev?require required"),
        ("jdbc:clickhouse://host:8123/db?user=default", "jdbc clickhouse url default@host:8123/db driver-default"),
    ]);
}

/// Npgsql <https://www.npgsql.org/doc/connection-string-parameters.html>, SQL Server
/// <https://learn.microsoft.com/dotnet/framework/data/adonet/connection-string-syntax>, Azure SQL, `MySqlConnector`
/// <https://mysqlconnector.net/connection-options/>, psqlODBC <https://odbc.postgresql.org/>, SQLite
/// <https://learn.microsoft.com/dotnet/standard/data/sqlite/connection-strings>, PDO
/// <https://www.php.net/manual/en/ref.pdo-pgsql.connection.php>, Doctrine, Perl's DBI
#[test]
#[rustfmt::skip]
fn pairs() {
    check(&[
        ("Host=localhost;Username=mylogin;Password=mypass;Database=mydatabase", "ado postgres pairs mylogin:*@localhost:5432/mydatabase preferred"),
        ("Host=myserver;Username=mylogin;Password=\"my;pass=\"\"x\";Database=mydatabase", "ado postgres pairs mylogin:*@myserver:5432/mydatabase preferred"),
        ("Server=127.0.0.1;Port=5432;Database=myDataBase;User Id=myUsername;Password=myPassword;", "ado ? pairs myUsername:*@127.0.0.1:5432/myDataBase driver-default"),
        ("Host=server1,server2:5433;Username=test;Password=test;Load Balance Hosts=true;Target Session Attributes=primary", "ado postgres pairs test:*@server1:5432,server2:5433/- ~NoDatabase preferred"),
        ("Host=h;Port=5432;Database=d;Username=u;Password=p;SSL Mode=VerifyFull;Trust Server Certificate=true;Include Error Detail=true", "ado postgres pairs u:*@h:5432/d?verify-full required"),
        ("Host=/var/run/postgresql;Username=u;Database=d", "ado postgres pairs u@/var/run/postgresql:5432/d preferred"),
        ("User ID=root;Password=myPassword;Host=localhost;Port=5432;Database=myDataBase;Pooling=true;Min Pool Size=0;Max Pool Size=100;Connection Lifetime=0;", "ado postgres pairs root:*@localhost:5432/myDataBase preferred"),
        ("Server=tcp:myserver.database.windows.net,1433;Initial Catalog=db;Persist Security Info=False;User ID=u;Password=p;MultipleActiveResultSets=False;Encrypt=True;TrustServerCertificate=False;Connection Timeout=30;", "ado sqlserver pairs u:*@myserver.database.windows.net:1433/db?require required"),
        ("Data Source=MSSQL1\\Inst;Initial Catalog=AdventureWorks;Integrated Security=true;", "ado sqlserver pairs -@mssql1:1433/AdventureWorks driver-default"),
        ("Server=(localdb)\\mssqllocaldb;Database=Blogging;Trusted_Connection=True", "ado sqlserver pairs -@-/Blogging driver-default"),
        ("Server=YOURSERVER;User ID=YOURUSERID;Password=YOURPASSWORD;Database=YOURDATABASE;AllowUserVariables=true", "ado mysql pairs YOURUSERID:*@yourserver:3306/YOURDATABASE driver-default"),
        ("Driver={PostgreSQL Unicode};Server=IP;Port=5432;Database=myDataBase;Uid=myUsername;Pwd={my;pass};sslmode=require;", "ado postgres pairs myUsername:*@ip:5432/myDataBase?require required"),
        ("Data Source=Application.db;Cache=Shared", "ado SQLite pairs -@-/Application.db off"),
        ("Data Source=app.db", "ado SQLite pairs -@-/app.db off"),
        ("Data Source=//dbhost:1521/orcl;User Id=scott;Password=tiger;", "ado oracle pairs scott:*@-/- driver-default"),
        ("pgsql:host=localhost;port=5432;dbname=testdb;user=bruce;password=mypass", "pdo postgres pairs bruce:*@localhost:5432/testdb preferred"),
        ("pgsql:host=localhost port=5432 dbname=testdb user=bruce password=mypass", "pdo postgres kw bruce:*@localhost:5432/testdb preferred"),
        ("mysql:host=localhost;port=3307;dbname=testdb", "pdo mysql pairs -@localhost:3307/testdb driver-default"),
        ("mysql:unix_socket=/tmp/mysql.sock;dbname=testdb", "pdo mysql pairs -@-/testdb ~NoHost driver-default"),
        ("sqlsrv:Server=localhost,1521;Database=testdb", "pdo sqlserver pairs -@localhost:1521/testdb driver-default"),
        ("dbi:Pg:dbname=mydb;host=pg.example.com;port=5433", "pdo postgres pairs -@pg.example.com:5433/mydb preferred"),
        ("pdo-pgsql://user:secret@localhost/mydb?serverVersion=16&charset=utf8", "pdo postgres url user:*@localhost:5432/mydb preferred"),
    ]);
}

/// Prisma <https://www.prisma.io/docs/orm/reference/connection-urls>, node-postgres
/// <https://node-postgres.com/features/connecting>, postgres.js, Rails
/// <https://guides.rubyonrails.org/configuring.html#configuring-a-database>, MongoDB
/// <https://www.mongodb.com/docs/manual/reference/connection-string/>, Redis
/// <https://www.iana.org/assignments/uri-schemes/prov/redis>, Supabase's pooler
#[test]
#[rustfmt::skip]
fn javascript_ruby_and_others() {
    check(&[
        ("postgresql://janedoe:mypassword@localhost:5432/mydb?schema=sample", "prisma postgres url janedoe:*@localhost:5432/mydb preferred"),
        ("postgresql://janedoe:mypassword@localhost:5432/mydb?connection_limit=5&socket_timeout=3&sslmode=require&sslaccept=strict", "prisma postgres url janedoe:*@localhost:5432/mydb?require required"),
        ("postgresql://u:p@aws-0-eu-west-1.pooler.supabase.com:6543/postgres?pgbouncer=true", "prisma postgres url u:*@aws-0-eu-west-1.pooler.supabase.com:6543/postgres preferred"),
        ("postgresql://johndoe:mypassword@localhost/mydb?host=/var/run/postgresql/", "libpq postgres url johndoe:*@/var/run/postgresql/:5432/mydb driver-default"),
        ("mysql://janedoe:mypassword@localhost:3306/mydb?sslaccept=strict", "- mysql url janedoe:*@localhost:3306/mydb driver-default"),
        ("sqlserver://localhost:1433;initial catalog=sample;user=sa;password=mypassword;encrypt=true", "- sqlserver pairs sa:*@localhost:1433/sample?require required"),
        ("file:./dev.db", "prisma SQLite url -@-/./dev.db off"),
        ("file:./dev.db?connection_limit=1", "prisma SQLite url -@-/./dev.db off"),
        ("prisma://accelerate.prisma-data.net/?api_key=secret", "prisma ? url -@accelerate.prisma-data.net:443/- driver-default"),
        ("mongodb+srv://root:randompassword@cluster0.ab1cd.mongodb.net/mydb?retryWrites=true&w=majority", "- mongodb url root:*@cluster0.ab1cd.mongodb.net:27017/mydb required"),
        ("mongodb://USERNAME:PASSWORD@HOST:27017/DATABASE", "- mongodb url USERNAME:*@host:27017/DATABASE off"),
        ("mongodb://myDatabaseUser:D1fficult%40pw@mongodb0.example.com:27017,mongodb1.example.com:27017/?replicaSet=rs&authSource=admin&tls=true", "- mongodb url myDatabaseUser:*@mongodb0.example.com:27017,mongodb1.example.com:27017/-?require required"),
        ("postgresql://dbuser:secretpassword@database.server.com:3211/mydb", "libpq postgres url dbuser:*@database.server.com:3211/mydb driver-default"),
        ("postgres://username:password@host.example.com:5432/database?uselibpqcompat=true&sslmode=require", "libpq postgres url username:*@host.example.com:5432/database?require required"),
        ("postgresql://localhost/blog_development?pool=5", "libpq postgres url -@localhost:5432/blog_development driver-default"),
        ("mysql2://user:pw@localhost/blog?encoding=utf8mb4", "- mysql url user:*@localhost:3306/blog driver-default"),
        ("sqlite3:storage/production.sqlite3", "- SQLite url -@-/storage/production.sqlite3 off"),
        ("redis://user:secret@localhost:6379/0?foo=bar&qux=baz", "- redis url user:*@localhost:6379/0 ~Unknown(foo) ~Unknown(qux) off"),
        ("rediss://:p@master.cache.amazonaws.com:6379", "- redis url -:*@master.cache.amazonaws.com:6379/- required"),
        ("redis://localhost", "- redis url -@localhost:6379/- off"),
        ("ecto://postgres:postgres@localhost/ecto_simple?ssl=true&pool_size=10", "- ? url postgres:*@localhost:5432/ecto_simple?require required"),
        ("db.example.com:5432", "- ? address -@db.example.com:5432/- driver-default"),
        ("app.cluster-x.eu-west-1.rds.amazonaws.com", "- ? address -@app.cluster-x.eu-west-1.rds.amazonaws.com:5432/- driver-default"),
    ]);
}

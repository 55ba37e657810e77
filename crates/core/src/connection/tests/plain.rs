//! Plain values, and what is read of each.

use super::*;

/// Each value, and the line that it must make.
fn check(cases: &[(&str, &str)]) {
    let mut wrong = vec![];
    for (value, expected) in cases {
        let found = inspect_plain(value);
        if line(&found) != *expected {
            wrong.push(format!("{value:?}\n  is       {}\n  not      {expected}", line(&found)));
        }
        assert_eq!(inspect(value), SecretShape::Plain(found.clone()), "{value:?}");
        assert_eq!(
            found.looks_intended(),
            *expected != NOT && !expected.ends_with("!Empty"),
            "{value:?}"
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn well_formed() {
    let rds = "coder.cluster-abc.us-east-1.rds.amazonaws.com";
    let coder = format!("postgres://coder:pw@{rds}:5432/coder?sslmode=require");
    let coder_line = format!("url coder:*@{rds}:5432/coder?require");
    check(&[
        ("postgres://u:p@h/d", "url u:*@h:5432/d"),
        ("postgresql://u:p@h:5433/d", "url u:*@h:5433/d"),
        (
            "PostgreSQL://u:p@DB.Example.COM/Data",
            "url u:*@db.example.com:5432/Data",
        ),
        ("postgresql+asyncpg://u:p@h/d", "url u:*@h:5432/d"),
        ("postgresql+psycopg2://u:p@h/d", "url u:*@h:5432/d"),
        (&coder, &coder_line),
        ("postgres://u@h/d", "url u@h:5432/d"),
        ("postgres://u:@h/d", "url u@h:5432/d"),
        ("postgres://:p@h/d", "url -:*@h:5432/d"),
        ("postgres://h/d", "url -@h:5432/d"),
        ("postgres://localhost:15432/d", "url -@localhost:15432/d"),
        ("postgres://db.example.com:15432/d", "url -@db.example.com:15432/d"),
        ("postgres://db:5432/d", "url -@db:5432/d"),
        ("postgres://u:p@h:/d", "url u:*@h:5432/d"),
        ("postgres://u:p@h1:5432,h2:5433/d", "url u:*@h1:5432,h2:5433/d"),
        (
            "postgres://u:p@h1,h2/d?target_session_attrs=primary",
            "url u:*@h1:5432,h2:5432/d",
        ),
        ("postgres://u:p@[::1]:5433/d", "url u:*@::1:5433/d"),
        ("postgres://u:p@[fe80::1%25eth0]/d", "url u:*@fe80::1%25eth0:5432/d"),
        ("postgres://u:p@10.0.0.7:5432/d", "url u:*@10.0.0.7:5432/d"),
        (
            "postgres://u:p@%2Fvar%2Frun%2Fpostgresql/d",
            "url u:*@/var/run/postgresql:5432/d",
        ),
        (
            "postgres:///d?host=/var/run/postgresql&user=u",
            "url u@/var/run/postgresql:5432/d",
        ),
        ("postgres://u:p@/d?host=h&port=6000", "url u:*@h:6000/d"),
        ("postgres://u:p@a,b:6000/d?host=q,r", "url u:*@q:5432,r:6000/d"),
        ("postgres://A.example.com:6000/d", "url -@a.example.com:6000/d"),
        (
            "postgres://u:p@h/d?application_name=a@b&sslrootcert=/x",
            "url u:*@h:5432/d",
        ),
        ("postgres://u:p@h/d?password=", "url u@h:5432/d"),
        (
            "postgres://u:p@h.internal/d%?dbname=e",
            "url u:*@h.internal:5432/e !Unparsable",
        ),
        ("postgres://u:p@h?dbname=d", "url u:*@h:5432/d"),
        ("postgres://u:p@h/?dbname=d", "url u:*@h:5432/d"),
        ("postgres://u@h/d?password=p", "url u:*@h:5432/d"),
        (
            "postgres://u@h/d?password=p%40x/y@z&sslmode=require",
            "url u:*@h:5432/d?require",
        ),
        (
            "postgres://u:p@h/d?sslmode=verify-full&sslrootcert=/etc/rds.pem",
            "url u:*@h:5432/d?verify-full",
        ),
        ("postgres://u:p@h/d?sslmode=no-verify", "url u:*@h:5432/d?no-verify"),
        ("postgres://u:p@h/d?ssl=true", "url u:*@h:5432/d?require"),
        (
            "postgres://u:p@h/d?schema=public&connection_limit=5&pgbouncer=true",
            "url u:*@h:5432/d",
        ),
        ("postgres://u:p@h/d?", "url u:*@h:5432/d"),
        ("postgres://u:p@h/d?application_name=me@there", "url u:*@h:5432/d"),
        (
            "postgres://u:p@h/d?connect_timeout=10&options=-c%20geqo%3Doff",
            "url u:*@h:5432/d",
        ),
        ("postgres://u%40x:p%2F%40@h/d%20b", "url u@x:*@h:5432/d b"),
        ("postgres://u:p:q@h/d", "url u:*@h:5432/d"),
        ("postgres://u:p@h/données", "url u:*@h:5432/données"),
        // The password's sub-delims are allowed as they are.
        (
            "postgres://coder:aB=x@h.rds.amazonaws.com:5432/coder",
            "url coder:*@h.rds.amazonaws.com:5432/coder",
        ),
        ("postgres://u:!$&'()*+,;=-._~@h/d", "url u:*@h:5432/d"),
    ]);
}

#[test]
fn history() {
    check(&[
        (
            "postgres://coder:pw@h.rds.amazonaws.com:5432:5432/coder",
            "url coder:*@h.rds.amazonaws.com:5432/coder !PortTwice",
        ),
        (
            "postgres://coder:a/b=c@h.rds.amazonaws.com:5432/coder",
            "url coder:*@h.rds.amazonaws.com:5432/coder !Unencoded(Password)",
        ),
        (
            "postgres://coder:a/b=c@h.rds.amazonaws.com:5432:5432/coder?sslmode=require\n",
            "url coder:*@h.rds.amazonaws.com:5432/coder?require !SurroundingWhitespace !Unencoded(Password) \
         !PortTwice",
        ),
    ]);
}

#[test]
fn reserved_characters() {
    check(&[
        (
            "postgres://u:a@b@db.example.com/d",
            "url u:*@db.example.com:5432/d !Unencoded(Password)",
        ),
        (
            "postgres://u:a?b@db.example.com/d",
            "url u:*@db.example.com:5432/d !Unencoded(Password)",
        ),
        (
            "postgres://u:a#b@db.example.com/d",
            "url u:*@db.example.com:5432/d !Unencoded(Password)",
        ),
        (
            "postgres://u:a[b]@db.example.com/d",
            "url u:*@db.example.com:5432/d !Unencoded(Password)",
        ),
        (
            "postgres://u:a b@db.example.com/d",
            "url u:*@db.example.com:5432/d !Unencoded(Password)",
        ),
        (
            "postgres://u:aéb@db.example.com/d",
            "url u:*@db.example.com:5432/d !Unencoded(Password)",
        ),
        (
            "postgres://u:a\"b@db.example.com/d",
            "url u:*@db.example.com:5432/d !Unencoded(Password)",
        ),
        ("postgres://u:a|b@db:5432/d", "url u:*@db:5432/d !Unencoded(Password)"),
        ("postgres://u:1/a@db:5432/d", "url u:*@db:5432/d !Unencoded(Password)"),
        (
            "postgres://u:a@b/c@db:15432/d",
            "url u:*@db:15432/d !Unencoded(Password)",
        ),
        (
            "postgres://u:a@b?c=d@db:15432/d",
            "url u:*@db:15432/d !Unencoded(Password)",
        ),
        (
            "postgres://u/v:p@db.example.com/d",
            "url -:*@db.example.com:5432/d !Unencoded(User)",
        ),
        (
            "postgres://u@t:p@db.example.com/d",
            "url -:*@db.example.com:5432/d !Unencoded(User)",
        ),
        (
            "postgres://u/v@db.example.com/d",
            "url -@db.example.com:5432/d !Unencoded(User)",
        ),
        (
            "postgres://u:a%b@db.example.com/d",
            "url u:*@db.example.com:5432/d !BadPercent(Password)",
        ),
        (
            "postgres://u%4:p@db.example.com/d",
            "url -:*@db.example.com:5432/d !BadPercent(User)",
        ),
        (
            "postgres://u:a%00@db.example.com/d",
            "url u:*@db.example.com:5432/d !BadPercent(Password)",
        ),
        (
            "postgres://u:%/@db.example.com/d",
            "url u:*@db.example.com:5432/d !Unencoded(Password) !BadPercent(Password)",
        ),
    ]);
}

/// A host, port or database that may be a piece of the password is left out.
#[test]
fn pieces_of_a_password() {
    check(&[
        ("postgres://u:a/b@h/d", "url u:*@-/- !Unencoded(Password)"),
        ("postgres://u:a@b", "url u:*@-/- ~UnclearAddress"),
        ("postgres://u:pass", "url -@-/- !BadPort"),
        ("postgres://u:789/word", "url -@-/- ~UnclearAddress"),
        ("postgres://u:pa/ss", "url -@-/- !BadPort"),
        ("postgres://u:p#s?x=y", "url -@-/- !BadPort"),
        ("postgres://u:pa/s@s", "url u:*@-/- !Unencoded(Password)"),
        ("postgres://u%3Apass@h/d", "url -@h:5432/d"),
        (
            "postgres://h:5432/d?user=u&password=a@b",
            "url u:*@h:5432/d !Unencoded(Password)",
        ),
        ("postgres://u@h/d?password=a&b#c", "url u:*@-/- !Unencoded(Password)"),
        ("postgres://u@h/d?x?password=a@b:1/c", "url u@h:5432/d"),
    ]);
}

#[test]
fn addresses() {
    let long_db = format!("postgres://u:p@h/{}", "d".repeat(300));
    let many = format!("postgres://u:p@{}/d", vec!["h"; 40].join(","));
    check(&[
        ("postgres://u:p@h:5432:abc/d", "url u:*@h:5432/d !BadPort"),
        ("postgres://u:p@h.internal:0/d", "url u:*@-/d !BadPort"),
        ("postgres://u:p@db.example.com:65536/d", "url u:*@-/d !BadPort"),
        ("postgres://u:p@db.example.com:x/d", "url u:*@-/d !BadPort"),
        ("postgres://u:p@h!/d", "url u:*@-/- !Unparsable"),
        ("postgres://u:p@[::1/d", "url u:*@-/- !Unparsable"),
        ("postgres://u:p@h1,,h2/d", "url u:*@-/- !Unparsable"),
        ("postgres://u:p@/d", "url u:*@-/d ~NoHost"),
        ("postgres:///d", "url -@-/d ~NoHost"),
        ("postgres://", "url -@-/- ~NoHost ~NoDatabase"),
        ("postgres://u:p@:5432/d", "url u:*@-/- !NoHost"),
        (
            "postgres://u:p@db.internal:5432",
            "url u:*@db.internal:5432/- ~NoDatabase",
        ),
        (
            "postgres://u:p@db.internal:5432/",
            "url u:*@db.internal:5432/- ~NoDatabase",
        ),
        (
            "postgres://u:p@db:5432/?sslmode=require",
            "url u:*@db:5432/-?require ~NoDatabase",
        ),
        (
            "postgres://u:p@db.internal/a/b",
            "url u:*@db.internal:5432/- !Unparsable",
        ),
        (
            "postgres://u:p@db.internal/d#x",
            "url u:*@db.internal:5432/- !Unparsable",
        ),
        (
            "postgres://u:p@db.internal/d?sslmode=x9",
            "url u:*@db.internal:5432/d !Unparsable",
        ),
        (
            "postgres://u:p@db.internal/d?connect_timeout=x",
            "url u:*@db.internal:5432/d !Unparsable",
        ),
        (
            "postgres://u:p@db.internal?dbname=a=b",
            "url u:*@db.internal:5432/- !Unparsable",
        ),
        (
            "postgres://u:p@db.internal/d?novalue",
            "url u:*@db.internal:5432/d !Unparsable",
        ),
        (&long_db, "url u:*@h:5432/-"),
        (&many, "url u:*@-/- !Unparsable"),
    ]);
}

#[test]
fn other_schemes_and_what_stands_around() {
    check(&[
        ("mysql://u:p@h/d", "url u:*@h:3306/d"),
        ("mysql+pymysql://u:p@h/d", "url u:*@h:3306/d"),
        ("mongodb+srv://u:p@h/d", "url u:*@h:27017/d"),
        ("HTTPS://hooks.example.com/T0/B0/XYZ", "url -@-/- !WrongScheme(https)"),
        ("user:pw@host:5432/db", "url -@-/- !NoScheme"),
        ("amqps://u:p@h/d", "url -@-/- !WrongScheme(amqps)"),
        ("jdbc:postgres://h/d", "url -@-/- !WrongScheme(jdbc:postgres)"),
        ("postgress://u:p@h/d", "url -@-/- !WrongScheme(-)"),
        ("postgres:/u:p@h/d", "url -@-/- !Unparsable"),
        ("DATABASE_URL=postgres://u:p@h/d", "url -@-/- !Unparsable"),
        ("\"postgres://u:p@h/d", "url -@-/- !Unparsable"),
        (" postgres://u:p@h/d", "url u:*@h:5432/d !SurroundingWhitespace"),
        ("\u{feff}postgres://u:p@h/d", "url u:*@h:5432/d !SurroundingWhitespace"),
        ("postgres://u:p@h/d\r\n", "url u:*@h:5432/d !SurroundingWhitespace"),
        ("\"postgres://u:p@h/d\"", "url u:*@h:5432/d !Quoted"),
        (
            "'postgres://u:p@h/d'\n",
            "url u:*@h:5432/d !SurroundingWhitespace !Quoted",
        ),
    ]);
}

#[test]
fn keyword_strings() {
    check(&[
        (
            "host=h port=5433 user=u password=p dbname=d sslmode=require",
            "kw u:*@h:5433/d?require",
        ),
        (r"host = h user=u password='it\'s \\ x' dbname = 'd'", "kw u:*@h:5432/d"),
        ("password=a/b@c:d#e?f=g host=h dbname=d user=u", "kw u:*@h:5432/d"),
        ("host=h1,h2 port=5432,5433 dbname=d", "kw -@h1:5432,h2:5433/d"),
        ("host=::1 dbname=d", "kw -@::1:5432/d"),
        ("hostaddr=10.0.0.1 dbname=d", "kw -@10.0.0.1:5432/d"),
        (
            "hostaddr=db.example.com dbname=d",
            "kw -@db.example.com:5432/d !Unparsable",
        ),
        ("host=/run/pg dbname=d", "kw -@/run/pg:5432/d"),
        ("host=h dbname=d password=''", "kw -@h:5432/d"),
        (
            "host=h dbname=d sslmode=verify-full connect_timeout='5'",
            "kw -@h:5432/d?verify-full",
        ),
        ("user=u password=p dbname=d", "kw u:*@-/d ~NoHost"),
        ("host=h user=u password=p", "kw u:*@h:5432/- ~NoDatabase"),
        ("host=h:5432 port=5432 dbname=d", "kw -@h:5432/d !PortTwice"),
        ("host=h port=x dbname=d", "kw -@-/d !BadPort"),
        ("host=h1,h2,h3 port=1,2 dbname=d", "kw -@-/d !BadPort"),
        (
            "host=h user=u password=a b dbname=d",
            "kw u:*@h:5432/- !Unencoded(Password)",
        ),
        (
            "host=h dbname=d password='it''s x' user=u",
            "kw -:*@h:5432/d !Unencoded(Password)",
        ),
        ("host=h dbname=d password='a", "kw -@h:5432/d !Unparsable"),
        ("host=h;port=5432;user=u;password=p;dbname=d", "pairs u:*@h:5432/d"),
        (
            "host=h username=u password=p dbname=d",
            "kw -:*@h:5432/d ~Unknown(username)",
        ),
        (
            "host=h user='u password=p dbname=' dbname=d",
            "kw -@h:5432/d !Unparsable",
        ),
        ("dbname=postgres://u:p@h/d", "url -@-/- !Unparsable"),
        ("host=h dbname=d connect_timeout=x", "kw -@h:5432/d !Unparsable"),
    ]);
}

#[test]
fn neither() {
    check(&[
        ("", "url -@-/- !Empty"),
        (" \n", "url -@-/- !Empty"),
        ("\"\"", "url -@-/- !Empty"),
        ("hello", NOT),
        ("'hello' ", NOT),
        ("sk-ant-abc/def+ghi==", NOT),
        ("abc=def", NOT),
        ("QX://789", NOT),
        ("[1,2]", NOT),
        ("12", NOT),
        ("{not json", NOT),
        ("{} x", NOT),
        ("-----BEGIN PRIVATE KEY-----\nabc=\n", NOT),
        ("日本語", NOT),
    ]);
}

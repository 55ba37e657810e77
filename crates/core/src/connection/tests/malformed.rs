//! What no driver reads, and what one driver reads and another does not.

use super::*;
use crate::model::connection::{Tls, UrlPart};
use crate::model::store::Dialect;

/// The faults of history and their kin, in every dialect: each is found, and nothing of a password is kept.
#[test]
fn is_found() {
    const H: &str = "db.abc.eu-west-1.rds.amazonaws.com";
    let raw = Fault::UnencodedReserved {
        part: UrlPart::Password,
    };
    let percent = Fault::BadPercentEncoding {
        part: UrlPart::Password,
    };
    let cases: &[(&str, &[Fault])] = &[
        // The port twice.
        ("postgres://u:XQ@H:5432:5432/d", &[Fault::PortTwice]),
        ("postgresql+psycopg2://u:XQ@H:5432:5432/d", &[Fault::PortTwice]),
        ("jdbc:postgresql://H:5432:5432/d", &[Fault::PortTwice]),
        (
            "jdbc:aws-wrapper:postgresql://H:5432:5432/d?user=u&password=XQ",
            &[Fault::PortTwice],
        ),
        ("r2dbc:postgresql://u:XQ@H:5432:5432/d", &[Fault::PortTwice]),
        ("mysql://u:XQ@H:3306:3306/d", &[Fault::PortTwice]),
        ("host=H:5432 port=5432 user=u password=XQ dbname=d", &[Fault::PortTwice]),
        (
            "Host=H:5432:5432;Username=u;Password=XQ;Database=d",
            &[Fault::PortTwice],
        ),
        // Reserved characters.
        ("postgres://u:X/Q@H/d", std::slice::from_ref(&raw)),
        ("postgres://u:X#Q@H/d", std::slice::from_ref(&raw)),
        ("postgresql+asyncpg://u:X@Q@H/d", std::slice::from_ref(&raw)),
        ("db+postgresql://u:X?Q@H:5432/d", std::slice::from_ref(&raw)),
        ("r2dbc:pool:postgresql://u:X/Q@H:5432/d", std::slice::from_ref(&raw)),
        ("mongodb+srv://u:X/Q@H/d", std::slice::from_ref(&raw)),
        ("redis://:X[Q]@H:6379/0", std::slice::from_ref(&raw)),
        ("jdbc:postgresql://H/d?user=u&password=X&Q", std::slice::from_ref(&raw)),
        ("host=H user=u password=X Q dbname=d", std::slice::from_ref(&raw)),
        ("Host=H;Username=u;Password=X;Q;Database=d", std::slice::from_ref(&raw)),
        ("Host=H;Username=u;Database=d;Password=\"XQ", std::slice::from_ref(&raw)),
        ("Host=H;Username=u;Database=d;Password='X'Q", std::slice::from_ref(&raw)),
        ("postgres://u:X%Q@H/d", std::slice::from_ref(&percent)),
        (
            "jdbc:postgresql://H/d?user=u&password=X%Q",
            std::slice::from_ref(&percent),
        ),
        // No scheme, or a wrong one.
        ("u:XQ@H:5432/d", &[Fault::NoScheme]),
        ("u:XQ@H/d", &[Fault::NoScheme]),
        ("postgress://u:XQ@H/d", &[Fault::WrongScheme { found: None }]),
        (
            "https://u:XQ@H/d",
            &[Fault::WrongScheme {
                found: Some("https".into()),
            }],
        ),
        (
            "jdbc:postgres://H:5432/d",
            &[Fault::WrongScheme {
                found: Some("jdbc:postgres".into()),
            }],
        ),
        ("postgres:/u:XQ@H/d", &[Fault::Unparsable]),
        ("DATABASE_URL=postgres://u:XQ@H/d", &[Fault::Unparsable]),
        // What stands around, and the rest.
        ("postgres://u:XQ@H/d\n", &[Fault::SurroundingWhitespace]),
        ("\"jdbc:postgresql://H/d\"", &[Fault::Quoted]),
        (
            " Host=H;Username=u;Password=XQ;Database=d",
            &[Fault::SurroundingWhitespace],
        ),
        ("postgres://u:XQ@H:port/d", &[Fault::BadPort]),
        ("jdbc:postgresql://H:0/d", &[Fault::BadPort]),
        ("Host=H;Port=70000;Username=u;Password=XQ;Database=d", &[Fault::BadPort]),
        ("postgres://u:XQ@:5432/d", &[Fault::NoHost]),
        ("postgres://u:XQ", &[Fault::BadPort]),
        ("postgres://u:XQ@H/d?sslmode=on", &[Fault::Unparsable]),
        ("postgres://u:XQ@H/a/b", &[Fault::Unparsable]),
        ("jdbc:postgresql://u:XQ@H:5432/d", &[Fault::CredentialsInAddress]),
        ("u:XQ@tcp(H:3306)", &[Fault::NoDatabase]),
        ("", &[Fault::Empty]),
        ("hunter2", &[Fault::NotAConnectionString]),
    ];
    for (value, expected) in cases {
        let value = value.replace('H', H).replace(&format!("{H}ost="), "Host=");
        let found = inspect_plain(&value);
        for fault in *expected {
            assert!(
                found.faults.contains(fault),
                "{value}: {:?} and not {fault:?}",
                found.faults
            );
        }
        let kept = format!("{found:?}").replace("Quoted", "").replace("SQL", "");
        assert!(!kept.contains(['X', 'Q']), "{value}: {found:?}");
        assert!(!found.same_as(&found), "{value}: a malformed connection equals nothing");
    }
}

/// A reader refuses what belongs to another.
#[test]
fn for_its_reader() {
    let fits: &[(&str, Dialect, bool)] = &[
        ("postgres://u:p@h/d", Dialect::Libpq, true),
        ("postgres://u:p@h/d", Dialect::Node, true),
        ("postgres://u:p@h/d", Dialect::Rails, true),
        ("postgres://u:p@h/d", Dialect::Django, true),
        ("postgres://u:p@h/d?schema=x", Dialect::Libpq, true),
        ("postgres://u:p@h/d", Dialect::Prisma, true),
        ("postgres://u:p@h/d", Dialect::Sqlalchemy, false),
        ("postgresql://u:p@h/d", Dialect::Sqlalchemy, true),
        ("postgres+asyncpg://u:p@h/d", Dialect::Sqlalchemy, false),
        ("db+postgresql://u:p@h/d", Dialect::Sqlalchemy, true),
        ("sqlite:///x.db", Dialect::Sqlalchemy, true),
        ("postgres://u:p@h/d", Dialect::Jdbc, false),
        ("jdbc:postgresql://h/d", Dialect::Jdbc, true),
        ("jdbc:mysql://h/d", Dialect::Jdbc, true),
        ("jdbc:postgresql://h/d", Dialect::Libpq, false),
        ("jdbc:postgresql://h/d", Dialect::R2dbc, false),
        ("r2dbc:postgresql://u:p@h/d", Dialect::R2dbc, true),
        ("postgres://u:p@h/d", Dialect::Ado, false),
        ("host=h user=u dbname=d", Dialect::Ado, false),
        ("Host=h;Username=u;Database=d", Dialect::Ado, true),
        ("Host=h;Username=u;Database=d", Dialect::Libpq, false),
        ("host=h user=u dbname=d", Dialect::Libpq, true),
        ("host=h user=u dbname=d", Dialect::Node, false),
        ("postgresql+psycopg2://u:p@h/d", Dialect::Libpq, false),
        ("postgis://u:p@h/d", Dialect::Libpq, false),
        ("postgis://u:p@h/d", Dialect::Django, true),
        ("postgis://u:p@h/d", Dialect::Rails, true),
        ("mysql://u:p@h/d", Dialect::Libpq, false),
        ("mysql2://u:p@h/d", Dialect::Rails, true),
        ("u:p@tcp(h:3306)/d", Dialect::GoMysql, true),
        ("mysql://u:p@h/d", Dialect::GoMysql, false),
        // Whoever reads an address alone takes the rest from elsewhere.
        ("db.example.com:5432", Dialect::Libpq, true),
    ];
    for (value, reader, expected) in fits {
        let faults = inspect_plain(value).faults_for(Some(*reader));
        assert_eq!(faults.is_empty(), *expected, "{value} for {reader}: {faults:?}");
    }
    let wrong = inspect_plain("mysql://u:p@h/d").faults_for(Some(Dialect::Libpq));
    assert_eq!(
        wrong,
        [Fault::WrongScheme {
            found: Some("mysql".into())
        }]
    );
    let wrong = inspect_plain("postgres://u:p@h:1:1/d").faults_for(Some(Dialect::Jdbc));
    assert_eq!(wrong.len(), 2, "{wrong:?}");
}

/// Without a word about TLS the reader decides.
#[test]
fn tls_by_reader() {
    let url = inspect_plain("postgres://u:p@h/d");
    let of = |reader| url.tls(reader);
    assert_eq!(of(None), Tls::DriverDefault);
    assert_eq!(of(Some(Dialect::Libpq)), Tls::Preferred);
    assert_eq!(of(Some(Dialect::Node)), Tls::Off);
    for (value, expected) in [
        ("postgres://u:p@h/d?sslmode=require", Tls::Required),
        ("postgres://u:p@h/d?sslmode=disable", Tls::Off),
        ("postgres://u:p@h/d?ssl=true", Tls::Required),
        ("postgres://u:p@h/d?ssl=false", Tls::Off),
        ("postgres://u:p@h/d?sslrootcert=system", Tls::Required),
        ("postgresql+asyncpg://u:p@h/d?ssl=require", Tls::Required),
        ("jdbc:postgresql://h/d?sslmode=verify-ca", Tls::Required),
        ("r2dbc:postgresql://u:p@h/d?sslMode=VERIFY_FULL", Tls::Required),
        ("Host=h;Username=u;SSL Mode=Require", Tls::Required),
        ("Host=h;Username=u;SSL Mode=Disable", Tls::Off),
        ("jdbc:mysql://h/d?useSSL=true&sslMode=DISABLED", Tls::Off),
        ("mysql://u:p@h/d?ssl-mode=REQUIRED", Tls::Required),
        ("u:p@tcp(h:3306)/d?tls=custom", Tls::Required),
        ("mongodb://u:p@h/d?tls=true", Tls::Required),
    ] {
        assert_eq!(inspect_plain(value).tls(Some(Dialect::Node)), expected, "{value}");
    }
}

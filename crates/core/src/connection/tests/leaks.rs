//! No piece of a password is kept.

use proptest::prelude::*;

use super::passwords::{config, devious, escaped, password, percent};
use super::*;

/// All that is kept of a value, without words and ports of ours that hold letters of passwords.
fn kept(shape: &SecretShape) -> String {
    let mut kept = format!("{shape:?}{}", serde_json::to_string(shape).unwrap());
    for ours in [
        "amazonaws",
        "Quoted",
        "quoted",
        "TextFacts",
        "text",
        "exact",
        "27017",
        "6379",
        "mysqlx",
    ] {
        kept = kept.replace(ours, "");
    }
    kept
}

/// Whether what is kept of a value shows four characters of the password in a row, at least one of them of those
/// that nothing else holds. Upper and lower case are the same, since hosts are kept in lower case.
fn shows(shape: &SecretShape, password: &str) -> Option<String> {
    let kept = kept(shape).to_lowercase();
    let chars: Vec<char> = password.to_lowercase().chars().collect();
    chars
        .windows(4)
        .filter(|w| w.iter().any(|c| "qxz789é".contains(*c)))
        .map(|w| w.iter().collect::<String>())
        .find(|w| kept.contains(w))
}

/// The same, but for one character: nothing kept may hold any of these.
fn shows_any(shape: &SecretShape) -> bool {
    kept(shape).contains(['X', 'Z', 'x', 'z', '7', '8', '9'])
}

fn values_with(pw: &str) -> Vec<String> {
    let (pct, all) = (percent(pw, false), percent(pw, true));
    let json = |s: &str| serde_json::to_string(s).unwrap();
    let mut urls = vec![];
    for p in [pw, &pct, &all] {
        for scheme in [
            "postgres",
            "postgresql+asyncpg",
            "POSTGRES",
            "postgress",
            "mysql",
            "jdbc:postgresql",
            "r2dbc:pool:postgresql",
            "db+postgresql",
            "jdbc:mysql",
            "redis",
            "mongodb+srv",
            "sqlserver",
            "jdbc:sqlserver",
        ] {
            for tail in [
                "bca:1231/cab",
                "bca.cab.amazonaws.com:5432/cab",
                "bca:5432:5432/cab",
                "bca",
                "bca/",
                "bca/cab",
                "bca:1231",
                "bca:5432",
                "bca:ab/cab",
                "/cab",
                "",
                "bca:1231,cba:1232/cab?sslmode=require",
                "[::1]:1231/cab",
                "bca/cab?application_name=a@b",
                "bca/cab/bca",
                "?host=bca&dbname=cab",
                "bca:1231/cab#a",
                "bca:0/cab",
            ] {
                urls.push(format!("{scheme}://abc:{p}@{tail}"));
            }
        }
        // The password in the query.
        for tail in ["", "&sslmode=require", "&host=bca"] {
            urls.push(format!("postgres://abc@bca:1231/cab?password={p}{tail}"));
            urls.push(format!("postgres://bca:1231/cab?user=abc&password={p}{tail}"));
            urls.push(format!("postgres:///cab?user=abc&password={p}{tail}"));
            urls.push(format!("jdbc:postgresql://bca:1231/cab?user=abc&password={p}{tail}"));
            urls.push(format!(
                "jdbc:aws-wrapper:postgresql://bca/cab?password={p}&user=abc{tail}"
            ));
            urls.push(format!("jdbc:mysql://bca:1231/cab?user=abc&password={p}{tail}"));
            urls.push(format!(
                "r2dbc:postgresql://bca:1231/cab?username=abc&password={p}{tail}"
            ));
        }
        // No host at all. A raw password that holds `@` then makes a URL that is as good as any other.
        if !p.contains('@') {
            urls.push(format!("postgres://abc:{p}"));
            urls.push(format!("postgres://abc:{p}/cab"));
            urls.push(format!("postgres:abc:{p}"));
        }
        urls.push(format!("abc:{p}@bca:1231/cab"));
        urls.extend(other_dialects(p));
        urls.push(format!("DATABASE_URL=postgres://abc:{p}@bca:1231/cab"));
    }
    let mut all = vec![pw.to_owned(), pct, all];
    for p in [pw.to_owned(), escaped(pw), format!("'{pw}'")] {
        all.push(format!("host=bca port=1231 user=abc password={p} dbname=cab"));
        all.push(format!("host=bca user=abc dbname=cab password={p}"));
        all.push(format!("password={p} host=bca user=abc dbname=cab"));
        all.push(format!("password = {p}\nhost = bca\nport=1:1"));
        all.push(format!("user='abc password={p} host=bca dbname=cab"));
        all.push(format!("host=bca;user=abc;password={p};dbname=cab"));
        all.extend(with_pairs(&p));
        all.push(format!("host=bca,cba port=1231,1232 user=abc pwd={p} dbname=cab"));
        all.push(format!("password={p}"));
    }
    all.extend(urls);
    let around: Vec<_> = all
        .iter()
        .step_by(7)
        .flat_map(|v| [format!(" {v}\n"), format!("\"{v}\""), format!("'{v}' ")])
        .collect();
    all.extend(around);
    let inside: Vec<_> = all
        .iter()
        .map(|v| {
            format!(
                r#"{{"a":{0},"Password":{1},"host":"bca","b":{{"c":{1}}},"user":"abc","dbname":"cab","port":1231}}"#,
                json(v),
                json(pw)
            )
        })
        .collect();
    all.extend(inside);
    all.push(format!(r#"{{"host":{0},"password":"{pw}"}}"#, json(pw)).replace("\"host\"", "\"token\""));
    all.push(format!(r#"{{"host":"bca","password":"{pw}","dbname":"cab"}}"#));
    all.push(json(pw));
    all
}

/// URLs and the like of other databases and drivers.
fn other_dialects(p: &str) -> Vec<String> {
    vec![
        format!("abc:{p}@tcp(bca:1231)/cab?parseTime=true"),
        format!("abc:{p}@unix(/bca)/cab"),
        format!("jdbc:oracle:thin:abc/{p}@bca:1231:cab"),
        format!("jdbc:oracle:thin:abc/{p}@//bca:1231/cab"),
        format!("jdbc:h2:tcp://bca/cab;USER=abc;PASSWORD={p}"),
        format!("jdbc:h2:file:/cab;USER=abc;PASSWORD={p};MODE=PostgreSQL"),
        format!("jdbc:sqlite:/cab.db?password={p}"),
        format!("sqlite:///cab.db?key={p}"),
        format!("jdbc:db2://bca:1231/cab:user=abc;password={p};"),
        format!("jdbc:sqlserver://bca:1231;databaseName=cab;user=abc;password={p};encrypt=true"),
        format!("sqlserver://bca:1231;database=cab;user=abc;password={p};encrypt=true"),
        format!("jdbc:foo://abc:{p}@bca/cab"),
        format!("pgsql:host=bca;dbname=cab;user=abc;password={p}"),
        format!("dbi:Pg:dbname=cab;host=bca;user=abc;password={p};port=1231"),
    ]
}

/// Pairs between semicolons.
fn with_pairs(p: &str) -> Vec<String> {
    vec![
        format!("Host=bca;Port=1231;Username=abc;Password={p};Database=cab;SSL Mode=Require"),
        format!("Password={p};Server=tcp:bca,1231;User Id=abc;Initial Catalog=cab"),
        format!("Server=bca;Database=cab;Uid=abc;Pwd={p}"),
        format!("Driver={{PostgreSQL}};Server=bca;Database=cab;Uid=abc;Pwd={{{p}}};Port=1231"),
        format!("Data Source=cab.db;Password={p}"),
        format!("Host=bca;Username=abc;Frob=1;Password={p};Frob2=1;Database=cab"),
    ]
}

/// Looks at every sixteenth of the values, from `from` on.
fn leaks(pw: &str, from: usize) -> Result<(), TestCaseError> {
    for value in values_with(pw).into_iter().skip(from).step_by(16) {
        let shape = inspect(&value);
        if let Some(window) = shows(&shape, pw) {
            return Err(TestCaseError::fail(format!("{window:?} of {value:?} in {shape:?}")));
        }
        if shows_any(&shape) {
            return Err(TestCaseError::fail(format!("a character of {value:?} in {shape:?}")));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn no_password_is_shown(pw in password(), from in 0..16_usize) {
        leaks(&pw, from)?;
    }

    #[test]
    fn no_devious_password_is_shown(pw in devious(), from in 0..16_usize) {
        leaks(&pw, from)?;
    }
}

//! Each check finds what is planted, and is silent about what only looks like it.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

/// A checkout of one crate, the core, with these files below its `src`. `lib.rs` is made of the others' names, unless
/// it is given.
fn core(files: &[(&str, &str)]) -> TempDir {
    let checkout = tempfile::tempdir().unwrap();
    let crate_folder = checkout.path().join("crates/core");
    write(&crate_folder, "Cargo.toml", "[package]\nname = \"holdfast-core\"\n");
    let mut lib = String::new();
    for (path, code) in files {
        write(&crate_folder.join("src"), path, code);
        let module = path.trim_end_matches("/mod.rs").trim_end_matches(".rs");
        if !module.contains('/') && *path != "lib.rs" {
            lib.extend(["pub mod ", module, ";\n"]);
        }
    }
    if files.iter().all(|(path, _)| *path != "lib.rs") {
        write(&crate_folder, "src/lib.rs", &lib);
    }
    checkout
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[track_caller]
fn complaints(files: &[(&str, &str)]) -> Vec<String> {
    super::check_sources(core(files).path()).unwrap()
}

#[track_caller]
fn complains(files: &[(&str, &str)], expected: &[&str]) {
    let found = complaints(files);
    for part in expected {
        assert!(found.iter().any(|c| c.contains(part)), "{part} is not in {found:#?}");
    }
}

#[track_caller]
fn silent(files: &[(&str, &str)]) {
    assert_eq!(complaints(files), Vec::<String>::new());
}

const A: &str = "crates/core/src/model/a.rs";
const B: &str = "crates/core/src/model/b.rs";
const MODEL: (&str, &str) = ("model/mod.rs", "pub mod a;\npub mod b;\n");

#[test]
fn two_files_that_import_each_other() {
    let files = [
        MODEL,
        ("model/a.rs", "use super::b::B;\npub struct A(B);\n"),
        (
            "model/b.rs",
            "//! b\n\npub struct B;\nfn f(_: &crate::model::a::A) {}\n",
        ),
    ];
    complains(
        &files,
        &[
            "circle of imports among 2 files:",
            &format!("{A}:1 (super::b::B) -> {B}\n    {B}:4 (crate::model::a::A) -> {A}"),
        ],
    );
}

#[test]
fn three_files_in_a_circle() {
    let files = [
        ("model/mod.rs", "pub mod a;\npub mod b;\npub mod c;\n"),
        ("model/a.rs", "use super::b::B;\npub struct A(B);\n"),
        ("model/b.rs", "use super::c::C;\npub struct B(C);\n"),
        ("model/c.rs", "pub struct C(Box<super::a::A>);\n"),
    ];
    complains(&files, &["circle of imports among 3 files:"]);
}

#[test]
fn a_circle_through_a_re_export() {
    let files = [
        ("model/mod.rs", "mod a;\nmod b;\npub use a::A;\npub use b::B;\n"),
        ("model/a.rs", "use super::B;\npub struct A(B);\n"),
        ("model/b.rs", "pub struct B;\nfn f(_: crate::model::A) {}\n"),
    ];
    let found = complaints(&files);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains(&format!("{A}:1 (super::B) -> {B}")), "{found:#?}");
}

#[test]
fn a_circle_through_a_module_s_name_a_glob_and_an_alias() {
    let files = [
        ("model/mod.rs", "pub mod a;\npub mod b;\npub mod c;\n"),
        ("model/a.rs", "use super::b;\npub struct A;\nfn f() { b::function() }\n"),
        ("model/b.rs", "use super::c::*;\npub fn function() { other() }\n"),
        (
            "model/c.rs",
            "use crate::model::a::A as First;\npub fn other() {}\nfn f(_: First) {}\n",
        ),
    ];
    complains(
        &files,
        &[
            "circle of imports among 3 files:",
            "(b::function)",
            "(other)",
            "(crate::model::a::A)",
        ],
    );
}

#[test]
fn a_circle_through_macros_and_attributes() {
    let files = [
        MODEL,
        (
            "model/a.rs",
            "pub fn a() -> String { format!(\"{}\", super::b::b()) }\n",
        ),
        (
            "model/b.rs",
            "#[derive(Serialize)]\npub struct B { #[serde(with = \"crate::model::a\")] pub x: u8 }\npub fn b() {}\n",
        ),
    ];
    complains(&files, &[&format!("{B}:2 (crate::model::a) -> {A}")]);
    let files = [
        MODEL,
        files[1],
        (
            "model/b.rs",
            "#[derive(Serialize)]\npub struct B { #[serde(default = \"crate::model::a::a\")] pub x: u8 }\npub fn b() {}\n",
        ),
    ];
    complains(&files, &[&format!("{B}:2 (crate::model::a::a) -> {A}")]);
    let files = [
        MODEL,
        files[1],
        (
            "model/b.rs",
            "macro_rules! m { () => { $crate::model::a::a() } }\npub fn b() {}\n",
        ),
    ];
    complains(&files, &[&format!("{B}:1 (crate::model::a::a) -> {A}")]);
}

#[test]
fn two_modules_that_import_each_other() {
    let files = [
        ("model/mod.rs", "pub mod a;\npub mod b;\n"),
        ("model/a.rs", "use crate::config::c::C;\nfn f(_: C) {}\n"),
        ("model/b.rs", "pub struct B;\n"),
        ("config/mod.rs", "pub mod c;\nmod d;\n"),
        ("config/c.rs", "pub struct C;\n"),
        ("config/d.rs", "use crate::model::b::B;\nfn f(_: B) {}\n"),
    ];
    complains(
        &files,
        &[
            "circle of imports among 2 modules:",
            "holdfast-core::config -> model    at crates/core/src/config/d.rs:1 (crate::model::b::B)",
            "holdfast-core::model -> config    at crates/core/src/model/a.rs:1 (crate::config::c::C)",
        ],
    );
}

#[test]
fn a_module_and_its_child_that_use_each_other() {
    let files = [
        ("model/mod.rs", "mod a;\npub struct M(a::A);\n"),
        ("model/a.rs", "pub struct A;\nfn f(_: super::M) {}\n"),
    ];
    complains(
        &files,
        &["between crates/core/src/model/mod.rs and its children (1 of them)"],
    );
    // The re-export alone would be nothing, but here the name is used.
    let files = [("model/mod.rs", "mod a;\npub use a::A;\npub struct M(A);\n"), files[1]];
    complains(
        &files,
        &["crates/core/src/model/mod.rs:3 (A) -> crates/core/src/model/a.rs"],
    );
}

#[test]
fn a_child_may_use_a_module_that_only_offers_its_items() {
    silent(&[
        ("model/mod.rs", "mod a;\npub use a::A;\npub struct M;\n"),
        ("model/a.rs", "pub struct A;\nfn f(_: super::M) {}\n"),
    ]);
}

#[test]
fn a_sibling_through_its_parent_s_re_export_is_not_the_parent() {
    silent(&[
        (
            "model/mod.rs",
            "mod a;\nmod b;\npub use b::B;\npub fn f() -> a::A { a::A }\n",
        ),
        ("model/a.rs", "use super::B;\npub struct A(B);\n"),
        ("model/b.rs", "pub struct B;\n"),
    ]);
}

#[test]
fn what_is_for_tests_alone_imports_nothing() {
    silent(&[
        MODEL,
        ("model/a.rs", "use super::b::B;\npub struct A(B);\n"),
        (
            "model/b.rs",
            "#[cfg(test)]\nuse super::a::A;\npub struct B;\n#[cfg(test)]\nmod tests { use super::super::a::A; }\n\
             #[cfg(any(test, feature = \"testing\"))]\nfn f(_: super::a::A) {}\n#[test]\nfn g() { super::a::A; }\n\
             impl B { #[cfg(test)] fn h(_: super::a::A) {} }\n",
        ),
    ]);
}

#[test]
fn not_test_is_not_for_tests() {
    let files = [
        MODEL,
        ("model/a.rs", "use super::b::B;\npub struct A(B);\n"),
        (
            "model/b.rs",
            "pub struct B;\n#[cfg(not(test))]\nfn f(_: super::a::A) {}\n",
        ),
    ];
    complains(&files, &["circle of imports among 2 files:"]);
}

#[test]
fn comments_visibility_and_variables_import_nothing() {
    silent(&[
        (
            "model/mod.rs",
            "pub mod a;\npub mod b;\npub use a::count;\nfn f(count: u8) -> u8 { let _ = format!(\"{}\", count); count }\n",
        ),
        (
            "model/a.rs",
            "use super::b::B;\nuse super::f;\npub fn count(_: B) { f() }\n",
        ),
        (
            "model/b.rs",
            "//! See [`crate::model::a::A`] and super::a::A.\n/// [`super::a::A`]\npub(in crate::model) struct B;\n// use super::a::A;\n",
        ),
    ]);
}

#[test]
fn a_binary_and_its_library_are_two_crates() {
    let checkout = tempfile::tempdir().unwrap();
    write(checkout.path(), "Cargo.toml", "[package]\nname = \"holdfast\"\n");
    write(checkout.path(), "src/main.rs", "fn main() { holdfast::cli::run(); }\n");
    write(checkout.path(), "src/lib.rs", "pub mod cli;\n");
    // A name in quotes is not the crate of that name.
    write(
        checkout.path(),
        "src/cli.rs",
        "#[derive(Parser)]\n#[command(name = \"holdfast\")]\npub struct Cli;\npub fn run() {}\n",
    );
    assert_eq!(super::check_sources(checkout.path()).unwrap(), Vec::<String>::new());
}

#[test]
fn a_module_that_a_macro_declares_is_read() {
    let files = [
        (
            "model/mod.rs",
            "macro_rules! all { ($($m:ident)*) => { $(mod $m;)* } }\nall! { a b }\n",
        ),
        ("model/a.rs", "use super::b::B;\npub struct A(B);\n"),
        ("model/b.rs", "pub struct B;\nfn f(_: super::a::A) {}\n"),
    ];
    complains(&files, &["circle of imports among 2 files:"]);
}

#[test]
fn a_module_without_a_file() {
    complains(
        &[("lib.rs", "mod model;\n")],
        &["crates/core/src/lib.rs declares mod model, which has no file"],
    );
}

#[test]
fn an_import_that_the_layers_forbid() {
    let files = [
        ("config.rs", "use crate::rules::Rule;\nfn f(_: Rule) {}\n"),
        ("rules/mod.rs", "pub struct Rule;\n"),
    ];
    complains(
        &files,
        &["crates/core/src/config.rs:1: module config may import model, yaml, but not rules (crate::rules::Rule)"],
    );
    silent(&[
        ("rules/mod.rs", "use crate::config::C;\nfn f(_: C) {}\n"),
        ("config.rs", "pub struct C;\n"),
    ]);
}

#[test]
fn a_crate_that_the_layers_forbid() {
    let checkout = core(&[("model.rs", "use holdfast_operator::Queue;\nfn f(_: Queue) {}\n")]);
    write(
        checkout.path(),
        "crates/operator/Cargo.toml",
        "[package]\nname = \"holdfast-operator\"\n",
    );
    write(checkout.path(), "crates/operator/src/lib.rs", "pub struct Queue;\n");
    let found = super::check_sources(checkout.path()).unwrap();
    assert!(
        found[0].contains("crate holdfast-core may import no other crate, but imports holdfast-operator"),
        "{found:#?}"
    );
}

#[test]
fn a_module_that_the_layers_do_not_know() {
    complains(&[("weather.rs", "")], &["module weather is missing in the table"]);
}

#[test]
fn a_core_that_is_not_pure() {
    for (code, told) in [
        (
            "use std::{fmt, fs};\nfn f() { fs::read(\"x\"); }\n",
            "crates/core/src/model.rs:1: the core is pure: std::fs",
        ),
        (
            "fn f() { let _ = std::env::var(\"X\"); }\n",
            "model.rs:1: the core is pure: std::env::var",
        ),
        (
            "use jiff::Timestamp;\nfn f() { Timestamp::now(); }\n",
            "model.rs:2: the core is pure: jiff::Timestamp::now",
        ),
        (
            "fn f() { println!(\"{:?}\", [tokio::spawn(x)]); }\n",
            "model.rs:1: the core is pure: tokio::spawn",
        ),
        (
            "fn f(_: aws_sdk_ecs::Client) {}\n",
            "model.rs:1: the core is pure: aws_sdk_ecs::Client",
        ),
        ("async fn f() {}\n", "model.rs:1: the core is pure: async"),
    ] {
        complains(&[("model.rs", code)], &[told]);
    }
}

#[test]
fn a_core_that_is_pure_outside_of_its_tests() {
    silent(&[(
        "model.rs",
        "use jiff::Timestamp;\nfn f(now: Timestamp) {}\n// std::fs\n#[cfg(test)]\nmod tests { use std::fs; async fn f() {} }\n",
    )]);
}

#[test]
fn a_file_of_501_lines() {
    complains(
        &[("model.rs", &"\n".repeat(501))],
        &["crates/core/src/model.rs: 501 lines, more than 500"],
    );
    silent(&[("model.rs", &"\n".repeat(500))]);
}

#[test]
fn a_test_that_is_too_long() {
    let checkout = core(&[]);
    write(checkout.path(), "tests/emulators/main.rs", &"\n".repeat(501));
    let found = super::check_sources(checkout.path()).unwrap();
    assert_eq!(found, ["tests/emulators/main.rs: 501 lines, more than 500"]);
}

#[test]
fn a_file_that_reads_the_time() {
    let code = "#[cfg(test)]\nmod tests { fn f() { Timestamp::now(); } }\n";
    complains(
        &[("model.rs", code)],
        &["crates/core/src/model.rs:2: only clock.rs reads the time"],
    );
    silent(&[("model/mod.rs", "mod clock;\n"), ("model/clock.rs", code)]);
}

const RULE: &str = "static META: Meta = Meta { id: \"rds-one\" };\n";
const TABLE: &str = "mod rds_one;\nstatic REGISTRY: &[&dyn Rule] = &[&rds_one::RdsOne];\n";

#[test]
fn a_rule_is_registered_in_a_table_or_a_macro() {
    for registry in [TABLE, "rules! { rds_one::RdsOne }\n", "rules! { rds_one }\n"] {
        silent(&[
            ("rules/mod.rs", registry),
            ("rules/rds_one/mod.rs", RULE),
            ("rules/rds_one/doc.md", ""),
        ]);
    }
}

#[test]
fn a_rule_that_is_not_registered() {
    let registry = "mod rds_one;\npub use rds_one::why;\nrules! { rds_two }\n// rds_one\n";
    let files = [
        ("rules/mod.rs", registry),
        ("rules/rds_one/mod.rs", RULE),
        ("rules/rds_one/doc.md", ""),
    ];
    complains(
        &files,
        &["crates/core/src/rules/rds_one: rule rds-one is not in the registry"],
    );
}

#[test]
fn a_rule_without_documentation_under_another_id_or_in_one_file() {
    let table = ("rules/mod.rs", TABLE);
    complains(
        &[table, ("rules/rds_one/mod.rs", RULE)],
        &["rules/rds_one: rule rds-one has no doc.md"],
    );
    let other = RULE.replace("rds-one", "rds-other");
    complains(
        &[table, ("rules/rds_one/mod.rs", &other), ("rules/rds_one/doc.md", "")],
        &["rules/rds_one/mod.rs: the rule should have the id rds-one"],
    );
    complains(
        &[table, ("rules/rds_one.rs", RULE)],
        &["rules/rds_one.rs: a rule is a folder"],
    );
}

#[test]
fn a_rule_that_imports_another() {
    let files = [
        (
            "rules/mod.rs",
            "mod rds_one;\nmod rds_two;\nstatic REGISTRY: &[&str] = &[rds_one::ID, rds_two::ID];\n",
        ),
        ("rules/rds_one/mod.rs", RULE),
        ("rules/rds_one/doc.md", ""),
        (
            "rules/rds_two/mod.rs",
            "use super::rds_one::why;\nstatic META: Meta = Meta { id: \"rds-two\" };\n",
        ),
        ("rules/rds_two/doc.md", ""),
    ];
    complains(
        &files,
        &["crates/core/src/rules/rds_two/mod.rs:1: rule rds_two may not import rule rds_one"],
    );
}

/// The tables themselves: no row allows what comes below it, so that they can't hold a circle.
#[test]
fn the_table_of_layers_has_no_circle() {
    for table in [super::layers::CORE, super::layers::CRATES] {
        for (at, (name, allowed)) in table.iter().enumerate() {
            for used in *allowed {
                assert!(
                    table[..at].iter().any(|(above, _)| above == used),
                    "{name} may import {used}, listed below it"
                );
            }
        }
    }
}

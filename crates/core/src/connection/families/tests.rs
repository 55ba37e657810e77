//! That the embedded list holds what it promises, and what each entry's own inputs give.

use std::collections::BTreeSet;

use super::*;
use crate::config::load_text;
use crate::model::store::Engine;

fn all() -> impl Iterator<Item = &'static Family> {
    Families::embedded().iter()
}

#[test]
fn the_embedded_list_is_a_valid_configuration() {
    let mut read = 0;
    for (name, text) in EMBEDDED {
        let loaded = load_text(name, text, &[]).unwrap_or_else(|e| panic!("{e}"));
        read += loaded.config.families.len();
    }
    assert_eq!(read, all().count());
    assert!(read >= 100, "{read}");
}

#[test]
fn ids_are_unique_and_every_entry_is_whole() {
    let mut ids = BTreeSet::new();
    for family in all() {
        let id = &family.id;
        assert!(ids.insert(id), "{id} is there twice");
        assert!(!family.source.is_empty(), "{id} has no source");
        assert!(family.source.iter().all(|s| s.starts_with("https://")), "{id}");
        match family.kind() {
            Kind::Framework => {
                assert!(family.images.is_empty() && family.names.is_empty(), "{id} is no image");
                assert!(
                    family.absent.is_none(),
                    "{id}: of a stranger's image nothing follows from an absent variable"
                );
                assert!(!family.connections.is_empty(), "{id} reads nothing");
            }
            Kind::Server => assert!(family.serves.is_some(), "{id} serves nothing"),
            _ => assert!(family.serves.is_none(), "{id} is no server"),
        }
        if family.kind() != Kind::Framework {
            let absent = family
                .absent
                .as_ref()
                .unwrap_or_else(|| panic!("{id} does not say what absence means"));
            assert!(absent.why.is_some(), "{id} does not say why");
            assert_eq!(
                absent.means == Absence::Builtin,
                absent.store.is_some(),
                "{id}: a store if it is built in"
            );
            // Memcached keeps nothing on a disk.
            let on_disk = absent.means == Absence::Builtin && family.disposable != Some(true);
            assert!(
                !on_disk || !family.keeps_data_in.is_empty(),
                "{id} does not say where it keeps data"
            );
        }
        for connection in &family.connections {
            let settings = connection.variables.iter().chain(connection.args.iter()).count();
            assert!(settings > 0, "{id} has a connection without settings");
            let selected = |e: &EngineName| {
                family
                    .selector
                    .as_ref()
                    .is_none_or(|s| s.values.values().any(|v| v == e))
            };
            let main = connection.purpose == Purpose::Database;
            assert!(
                !main || connection.engine.as_ref().is_none_or(selected),
                "{id}: no value selects its engine"
            );
        }
    }
}

#[test]
fn no_image_belongs_to_two_families() {
    let (mut images, mut names) = (BTreeSet::new(), BTreeSet::new());
    for family in all() {
        for image in &family.images {
            assert!(images.insert(image), "{image} is of {} and of another", family.id);
        }
        for name in &family.names {
            assert!(names.insert(name), "{name} tells {} and another", family.id);
            assert!(
                !["server", "app", "api", "web", "agent", "worker"].contains(&name.as_str()),
                "{name} tells nothing"
            );
        }
    }
}

#[test]
fn inputs_of_each_entry() {
    let families = Families::embedded();
    let of = |image: &str| families.of_image(image).map(|m| m.family.id.as_str());
    for family in all() {
        let (id, test) = (&family.id, &family.test);
        for image in &test.images {
            assert_eq!(of(image), Some(id.as_str()), "{image}");
        }
        for image in &test.not_images {
            assert_ne!(of(image), Some(id.as_str()), "{image}");
        }
        let has_images = family.kind() != Kind::Framework;
        assert!(
            !has_images || !(test.images.is_empty() || test.not_images.is_empty()),
            "{id} has no images to test"
        );
        for (variable, role) in &test.variables {
            let found = families.roles_of(variable).find(|m| m.family.id == *id);
            assert_eq!(found.map(|m| m.role), Some(*role), "{id}: {variable}");
        }
        let has_variables = family.connections.iter().any(|c| !c.variables.is_empty());
        assert_eq!(has_variables, !test.variables.is_empty(), "{id}: variables to test");
    }
}

/// A variable has one role in a family, or a value would be read in two ways.
#[test]
fn one_role_for_a_variable() {
    let families = Families::embedded();
    for family in all() {
        for (role, variable) in family.connections.iter().flat_map(|c| c.variables.iter()) {
            let variable = variable.replace('*', "X");
            for found in families.roles_of(&variable).filter(|m| m.family.id == family.id) {
                assert_eq!(found.role, role, "{}: {variable}", family.id);
            }
        }
    }
}

#[test]
fn how_well_an_image_tells() {
    use Strength::{Exact, LastSegment, Rehosted};
    const ECR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
    let families = Families::embedded();
    for (image, id, strength) in [
        ("postgres:17", "postgres-server", Exact),
        ("public.ecr.aws/docker/library/postgres", "postgres-server", Exact),
        ("quay.io/keycloak/keycloak:26", "keycloak", Exact),
        ("ECR/docker-hub/grafana/grafana:11", "grafana", Exact),
        ("ECR/ecr-public/docker/library/nginx", "nginx", Exact),
        ("ECR/quay/keycloak/keycloak@sha256:00", "keycloak", Exact),
        ("ECR/keycloak/keycloak:26", "keycloak", Rehosted),
        ("ECR/tools/grafana/grafana", "grafana", Rehosted),
        ("registry.acme.dev/n8nio/n8n", "n8n", Rehosted),
        ("ECR/keycloak", "keycloak", LastSegment),
        ("acme/grafana", "grafana", LastSegment),
        ("ECR/prod/postgres:15", "postgres-server", LastSegment),
    ] {
        let found = families
            .of_image(&image.replace("ECR", ECR))
            .map(|m| (m.family.id.as_str(), m.strength));
        assert_eq!(found, Some((id, strength)), "{image}");
    }
    for image in [
        "shop:1",
        "ECR/shop",
        "acme/my-grafana",
        "acme/postgres-client",
        "grafana/grafana/",
        "node:20",
        "python:3.12",
        "vaultwarden/web",
    ] {
        let found = families.of_image(&image.replace("ECR", ECR)).map(|m| &m.family.id);
        assert_eq!(found, None, "{image}");
    }
}

#[test]
fn files_with_values() {
    let families = Families::embedded();
    let in_file = |variable: &str, id: &str| {
        let mut found = families.roles_of(variable).filter(|m| m.family.id == id);
        found.next().map(|m| (m.role, m.in_file))
    };
    assert_eq!(
        in_file("GF_DATABASE_PASSWORD", "grafana"),
        Some((Role::Password, false))
    );
    assert_eq!(
        in_file("GF_DATABASE_PASSWORD__FILE", "grafana"),
        Some((Role::Password, true))
    );
    assert_eq!(
        in_file("GF_DATABASE_PASSWORD_FILE", "grafana"),
        None,
        "Grafana has two underscores"
    );
    assert_eq!(
        in_file("KC_DB_PASSWORD_FILE", "keycloak"),
        None,
        "Keycloak reads no such files"
    );
}

#[test]
fn selectors() {
    let selector = |id: &str| {
        Families::embedded()
            .get(id)
            .and_then(|f| f.selector.clone())
            .expect("a selector")
    };
    assert_eq!(selector("keycloak").engine("postgres"), Engine::Postgres);
    assert_eq!(selector("keycloak").engine("Dev-File"), Engine::Builtin("H2".into()));
    assert_eq!(selector("n8n").engine("postgresdb"), Engine::Postgres);
    assert_eq!(
        selector("n8n").engine("postgres"),
        Engine::Unknown,
        "n8n does not know that word"
    );
    assert_eq!(
        selector("n8n").otherwise,
        Some(EngineName(Engine::Builtin("SQLite".into())))
    );
    assert!(selector("metabase").or_url && !selector("n8n").or_url);
}

#[test]
fn a_configuration_adds_and_replaces() {
    let text = "
families:
  - id: keycloak
    images: [acme/sso]
    absent: {means: unknown, why: KC_DB is in our image}
  - id: ledger
    name: Ledger
    images: [ledger]
    connections:
      - {engine: postgres, variables: {url: [LEDGER_STORE], password: [LEDGER_*_KEY]}}
    absent: {means: required}
";
    let config = load_text("h.yaml", text, &[]).unwrap_or_else(|e| panic!("{e}")).config;
    let families = Families::with(&config.families);
    let keycloak = families.of_image("registry.acme.dev/acme/sso:1").expect("a family");
    assert_eq!(
        (keycloak.family.id.as_str(), keycloak.strength),
        ("keycloak", Strength::Exact)
    );
    assert_eq!(keycloak.family.absence(), Absence::Unknown);
    assert_eq!(keycloak.family.builtin_engine(), Engine::Unknown);
    let connections = &Families::embedded().get("keycloak").expect("a family").connections;
    assert_eq!(&keycloak.family.connections, connections, "what isn't given stays");
    assert_eq!(
        families.of_image("quay.io/keycloak/keycloak").map(|m| m.strength),
        Some(Strength::Exact)
    );

    let ledger = families
        .of_image("123456789012.dkr.ecr.us-east-1.amazonaws.com/prod/ledger:7")
        .expect("a family");
    assert_eq!((ledger.family.name(), ledger.strength), ("Ledger", Strength::Exact));
    let roles = |variable: &str| {
        families
            .roles_of(variable)
            .map(|m| (m.family.id.as_str(), m.role))
            .collect::<Vec<_>>()
    };
    assert_eq!(roles("LEDGER_STORE"), [("ledger", Role::Url)]);
    assert_eq!(roles("LEDGER_DB_KEY"), [("ledger", Role::Password)]);
    assert_eq!(roles("LEDGER_KEY"), [], "something must be between");
    assert_eq!(families.iter().count(), all().count() + 1);
}

#[test]
fn names_of_engines() {
    for engine in ["postgres", "mysql", "built-in SQLite", "built-in store", "unknown"] {
        let read: EngineName = serde_json::from_value(engine.into()).expect("an engine");
        assert_eq!(read.to_string(), engine);
    }
}

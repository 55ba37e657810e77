//! `terraform show -json`, of a plan or of a state.
//!
//! Format: <https://developer.hashicorp.com/terraform/internals/json-format>. What a plan does not know before it is
//! applied is left out of `after` and is `true` in `after_unknown`; `configuration` names the references that such a
//! value will be made of ([`links`]).

mod attributes;
mod database;
mod links;
mod network;
mod resource;
mod secret;
mod service;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::case::{Case, DisplayName, UNREADABLE, World};
use super::error::CheckError;
use crate::config::Config;
use crate::connection::vocabulary::Vocabulary;
use crate::model::key::Scope;
use crate::model::snapshot::{ReadError, Snapshot};
use crate::model::tags::Tags;
use links::Configuration;
pub(super) use links::type_of;
use resource::{NOTHING, Resource, list, text};

/// All of one file.
pub(super) struct Terraform<'a> {
    /// In the order of their addresses.
    resources: Vec<Resource<'a>>,
    by_name: links::ByName<'a>,
    configuration: Configuration<'a>,
    /// Addresses by class and by what else they are known as: id, ARN, name.
    aliases: BTreeMap<(Class, String), String>,
    scope: Scope,
    /// How many of its resources say neither where nor what they are.
    nameless: usize,
}

/// Resources that are named by one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Group,
    Subnet,
    Vpc,
    RouteTable,
    Gateway,
    SubnetGroup,
    ParameterGroup,
    ClusterParameterGroup,
    DbCluster,
    DbInstance,
    EcsCluster,
    Definition,
    Secret,
}

impl Class {
    /// The types of the class, and the attributes besides `id` and `arn` that name one of its resources.
    fn types(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Group => (&["aws_security_group", "aws_default_security_group"], &[]),
            Self::Subnet => (&["aws_subnet", "aws_default_subnet"], &[]),
            Self::Vpc => (&["aws_vpc", "aws_default_vpc"], &[]),
            Self::RouteTable => (&["aws_route_table", "aws_default_route_table"], &[]),
            Self::Gateway => (&["aws_internet_gateway"], &[]),
            Self::SubnetGroup => (&["aws_db_subnet_group"], &["name"]),
            Self::ParameterGroup => (&["aws_db_parameter_group"], &["name"]),
            Self::ClusterParameterGroup => (&["aws_rds_cluster_parameter_group"], &["name"]),
            Self::DbCluster => (&["aws_rds_cluster"], &["cluster_identifier"]),
            Self::DbInstance => (&["aws_db_instance"], &["identifier"]),
            Self::EcsCluster => (&["aws_ecs_cluster"], &["name"]),
            Self::Definition => (&["aws_ecs_task_definition"], &["family", "arn_without_revision"]),
            Self::Secret => (&["aws_secretsmanager_secret"], &["name"]),
        }
    }

    const ALL: [Self; 13] = [
        Self::Group,
        Self::Subnet,
        Self::Vpc,
        Self::RouteTable,
        Self::Gateway,
        Self::SubnetGroup,
        Self::ParameterGroup,
        Self::ClusterParameterGroup,
        Self::DbCluster,
        Self::DbInstance,
        Self::EcsCluster,
        Self::Definition,
        Self::Secret,
    ];
}

/// Types that are read besides those of the classes. Most resources of a plan are of other types, and are skipped.
const OTHER_TYPES: &[&str] = &[
    "aws_rds_cluster_instance",
    "aws_secretsmanager_secret_version",
    "aws_ecs_service",
    "aws_security_group_rule",
    "aws_vpc_security_group_ingress_rule",
    "aws_route",
    "aws_route_table_association",
    "aws_main_route_table_association",
];

/// Whether anything here reads resources of this type.
fn is_read(kind: &str) -> bool {
    kind.starts_with("aws_") && (OTHER_TYPES.contains(&kind) || Class::ALL.iter().any(|c| c.types().0.contains(&kind)))
}

/// Whether a resource says where and what it is, and is nothing that is read.
fn is_skipped(resource: &Value) -> bool {
    text(resource, "type").is_some_and(|kind| !is_read(kind)) && text(resource, "address").is_some()
}

/// What is read of a file under the assumption of one [`World`].
struct Reading<'a, 't> {
    terraform: &'t Terraform<'a>,
    world: World,
    /// Whether the other world is another one.
    diverged: Cell<bool>,
    prefix: &'t str,
    /// What names of settings and images mean.
    vocabulary: std::sync::Arc<Vocabulary>,
    /// The workload of what carries no tag.
    untagged: Option<&'t str>,
    /// What is not known before it is applied: address and attribute.
    gaps: BTreeSet<(String, String)>,
    /// Resources that nobody's tag names, and that are therefore not evaluated.
    nameless: BTreeSet<String>,
    snapshot: Snapshot,
    /// How findings name what the snapshot names by a placeholder.
    subjects: BTreeMap<String, DisplayName>,
    inspect: bool,
}

/// Whether the file is a plan or a state, in a format that is known. `None`: it is no Terraform file.
///
/// # Errors
/// What is wrong with it.
pub(super) fn recognise(file: &Value) -> Option<Result<(), CheckError>> {
    if file.get("planned_values").is_none() && file.get("resource_changes").is_none() && file.get("values").is_none() {
        return None;
    }
    let version = file.get("format_version").and_then(Value::as_str)?;
    // 0.1 and 0.2, of Terraform before 1.1, differ in nothing that is read here.
    Some(
        if version.split('.').next() == Some("1") || ["0.1", "0.2"].contains(&version) {
            Ok(())
        } else {
            Err(CheckError::FormatVersion(version.to_owned()))
        },
    )
}

impl<'a> Terraform<'a> {
    /// Gathers the resources of a file that [`recognise`] knows.
    pub(super) fn new(file: &'a Value) -> Self {
        let configuration = Configuration::new(file.get("configuration"));
        let mut resources: BTreeMap<String, Resource<'a>> = BTreeMap::new();
        let mut gone = BTreeSet::new();
        let mut nameless = 0;
        for change in list(file.get("resource_changes")) {
            // A deposed object is what a replacement left behind: it shares its address with what stays.
            if change.get("deposed").is_some() || is_skipped(change) {
                continue;
            }
            let what = change.get("change").unwrap_or(&NOTHING);
            let after = what.get("after").unwrap_or(&NOTHING);
            let Some(address) =
                text(change, "address").filter(|a| text(change, "type").or_else(|| type_of(a)).is_some())
            else {
                nameless += 1;
                continue;
            };
            let actions: Vec<&str> = list(what.get("actions")).iter().filter_map(Value::as_str).collect();
            if !after.is_object() || actions == ["delete"] || actions == ["forget"] {
                gone.insert(address.to_owned());
                continue;
            }
            let unknown = what.get("after_unknown").unwrap_or(&NOTHING);
            resources.extend(resource(change, after, unknown, &configuration));
        }
        let planned = file.get("planned_values").or_else(|| file.get("values"));
        let before = file.get("prior_state").and_then(|s| s.get("values"));
        for (values, only_data) in [(planned, false), (before, true)] {
            let mut found = vec![];
            gather(values.and_then(|v| v.get("root_module")), &mut found);
            for one in found {
                let Some(values) = one.get("values").filter(|v| v.is_object() && !is_skipped(one)) else {
                    continue;
                };
                let Some((address, made)) = resource(one, values, &NOTHING, &configuration) else {
                    nameless += usize::from(!only_data);
                    continue;
                };
                if !gone.contains(&address) && (made.data || !only_data) {
                    resources.entry(address).or_insert(made);
                }
            }
        }
        let resources: Vec<Resource<'a>> = resources.into_values().collect();
        let mut by_name = links::ByName::new();
        for (n, resource) in resources.iter().enumerate() {
            by_name.entry((resource.kind, resource.name)).or_default().push(n);
        }
        let mut terraform = Self {
            resources,
            by_name,
            configuration,
            aliases: BTreeMap::new(),
            scope: scope(file),
            nameless,
        };
        terraform.aliases = terraform.all_aliases();
        terraform
    }

    /// The same, in the account and region that are known otherwise.
    pub(super) fn in_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// How many resources say neither where nor what they are.
    pub(super) fn nameless(&self) -> usize {
        self.nameless
    }

    /// Whether it has something that a rule is about.
    pub(super) fn has_subjects(&self, prefix: &str) -> bool {
        let kinds = [
            "aws_db_instance",
            "aws_rds_cluster",
            "aws_ecs_service",
            "aws_ecs_task_definition",
        ];
        let migration = |r: &Resource<'_>| r.tags().get(prefix, "role") == Some("migration");
        self.managed(&kinds).any(|r| !migration(r))
    }

    fn all_aliases(&self) -> BTreeMap<(Class, String), String> {
        let mut aliases = BTreeMap::new();
        for class in Class::ALL {
            let (types, names) = class.types();
            for resource in self.resources.iter().filter(|r| types.contains(&r.kind)) {
                for attribute in ["id", "arn"].iter().chain(names) {
                    if let Some(known) = text(resource.values, attribute).filter(|t| !t.is_empty()) {
                        // A managed resource takes precedence over a data source.
                        let key = (class, known.to_owned());
                        if !resource.data || !aliases.contains_key(&key) {
                            aliases.insert(key, resource.address.clone());
                        }
                    }
                }
            }
        }
        aliases
    }

    /// The address of what `name` (an id, ARN or name) is in this file; else `name` itself.
    fn canonical(&self, class: Class, name: &str) -> String {
        self.aliases
            .get(&(class, name.to_owned()))
            .cloned()
            .unwrap_or_else(|| name.to_owned())
    }

    /// The resource at an address.
    fn at(&self, address: &str) -> Option<&Resource<'a>> {
        let found = self.resources.binary_search_by(|r| r.address.as_str().cmp(address));
        found.ok().and_then(|n| self.resources.get(n))
    }

    /// Managed resources of these types.
    fn managed<'s>(&'s self, types: &'s [&str]) -> impl Iterator<Item = &'s Resource<'a>> + use<'a, 's> {
        debug_assert!(types.iter().all(|t| is_read(t)), "add to OTHER_TYPES: {types:?}");
        self.resources
            .iter()
            .filter(move |r| !r.data && types.contains(&r.kind))
    }

    /// Whether anything in the file carries the tag of a workload.
    pub(super) fn has_tags(&self, prefix: &str) -> bool {
        self.resources
            .iter()
            .any(|r| !r.data && r.tags().workload(prefix).is_some())
    }

    /// The file as snapshots under the assumption `world`: first what services run, then task definitions that no
    /// service here runs.
    pub(super) fn cases(
        &self,
        config: &Config,
        world: World,
        untagged: Option<&str>,
        now: jiff::Timestamp,
    ) -> Vec<Case> {
        let vocabulary = std::sync::Arc::new(Vocabulary::of(config));
        let reading = |()| Reading {
            terraform: self,
            vocabulary: std::sync::Arc::clone(&vocabulary),
            world,
            diverged: Cell::new(false),
            prefix: &config.tag_prefix,
            untagged,
            gaps: BTreeSet::new(),
            nameless: BTreeSet::new(),
            snapshot: Snapshot::empty(self.scope.clone(), now),
            subjects: BTreeMap::new(),
            inspect: config.secrets.inspect == crate::config::Inspect::Value,
        };
        let mut whole = reading(());
        whole.networks();
        whole.databases();
        whole.secrets();
        let run = whole.services();
        whole.references();
        let mut alone = reading(());
        alone.secrets();
        alone.definitions_alone(&run);
        alone.references();
        vec![whole.case(false), alone.case(true)]
    }
}

impl Reading<'_, '_> {
    /// The world that is assumed. Whoever asks makes something of it.
    fn world(&self) -> World {
        self.diverged.set(true);
        self.world
    }

    fn case(self, definitions_only: bool) -> Case {
        Case {
            snapshot: self.snapshot,
            definitions_only,
            subjects: self.subjects,
            gaps: self.gaps,
            nameless: self.nameless,
            diverged: self.diverged.get(),
        }
    }

    /// The tags of a resource, with the workload given for what has none.
    fn tags(&self, resource: &Resource<'_>) -> Tags {
        let mut tags = resource.tags();
        if let (None, Some(name)) = (tags.workload(self.prefix), self.untagged) {
            tags.0.insert(format!("{}workload", self.prefix), name.to_owned());
        }
        tags
    }

    /// The same of one that is evaluated by its own tag alone, and not at all without it.
    fn own_tags(&mut self, resource: &Resource<'_>) -> Tags {
        let tags = self.tags(resource);
        if tags.workload(self.prefix).is_none() {
            self.nameless.insert(resource.address.clone());
        }
        tags
    }

    /// Notes how findings name the resource that the snapshot knows by `arn`.
    fn names(&mut self, arn: &str, subject: DisplayName) {
        self.subjects.insert(arn.to_owned(), subject);
    }
}

/// The error for what depends on `attribute` and can't be evaluated.
fn unknown(resource: &Resource<'_>, attribute: &str) -> ReadError {
    ReadError {
        service: "file".into(),
        operation: "Read".into(),
        resource: resource.address.clone(),
        code: "KnownAfterApply".into(),
        message: format!("{attribute} of {} is known only after apply", resource.address),
    }
}

fn unreadable(resource: &Resource<'_>, message: String) -> ReadError {
    ReadError {
        service: "file".into(),
        operation: "Read".into(),
        resource: resource.address.clone(),
        code: UNREADABLE.into(),
        message,
    }
}

fn resource<'a>(
    of: &'a Value,
    values: &'a Value,
    unknown: &'a Value,
    configuration: &Configuration<'a>,
) -> Option<(String, Resource<'a>)> {
    let address = text(of, "address")?;
    // A plan that was thinned out may have no more than the address.
    let kind = text(of, "type").or_else(|| type_of(address))?;
    let name = text(of, "name").or_else(|| links::name_of(address))?;
    // In `planned_values` a resource names no module: its address does.
    let module = links::module_of(address);
    let data = match text(of, "mode") {
        Some(mode) => mode == "data",
        None => links::is_data(address),
    };
    let expressions = configuration.expressions(&module, kind, name, data);
    let made = Resource {
        address: address.to_owned(),
        module,
        kind,
        name,
        data,
        values,
        unknown,
        expressions,
    };
    Some((address.to_owned(), made))
}

/// The resources of a module and of all below it. The depth is bounded by the parser's.
fn gather<'a>(module: Option<&'a Value>, found: &mut Vec<&'a Value>) {
    let Some(module) = module else { return };
    found.extend(list(module.get("resources")));
    for child in list(module.get("child_modules")) {
        gather(Some(child), found);
    }
}

/// Finds the account and region from the ARNs in the file, else from the provider's configuration.
fn scope(file: &Value) -> Scope {
    let mut found: BTreeMap<(String, String), usize> = BTreeMap::new();
    for part in ["resource_changes", "planned_values", "values", "prior_state"] {
        super::scope::count(file.get(part), &mut found);
    }
    let provider = file.pointer("/configuration/provider_config/aws/expressions/region");
    let variable = |reference: &str| {
        let name = reference.strip_prefix("var.")?;
        file.get("variables")?.get(name)?.get("value")?.as_str()
    };
    let region = provider.and_then(|p| {
        text(p, "constant_value").or_else(|| {
            list(p.get("references"))
                .iter()
                .filter_map(Value::as_str)
                .find_map(variable)
        })
    });
    super::scope::most(&found, region)
}

//! From a reference in the configuration to the resources that it means.
//!
//! `configuration` mirrors the modules as written, without the keys of `count` and `for_each`; addresses have them. A
//! reference such as `var.groups` means what the module's caller gave, `module.net.ids` what that module's output is
//! made of. Locals are not in the file: what goes through one stays unresolved.

use std::collections::HashMap;

use serde_json::Value;

use super::resource::{Resource, list, text};

/// Hops from one module's variable or output to the next. Real configurations have a handful; a reference that leads
/// in a circle ends here.
const HOPS: usize = 16;
/// References followed for one attribute.
const REFERENCES: usize = 1_000;

/// Where the modules of the configuration begin, and what its resources are made of.
pub(super) struct Configuration<'a> {
    root: Option<&'a Value>,
    /// Expressions by module, mode, type and name: a plan has thousands of resources.
    expressions: HashMap<(String, bool, &'a str, &'a str), &'a Value>,
}

/// The resources of a file by type and name: an address adds module and key.
pub(super) type ByName<'a> = HashMap<(&'a str, &'a str), Vec<usize>>;

/// What references lead to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Targets {
    /// Addresses.
    pub found: Vec<String>,
    /// Whether some of them lead out of the file.
    pub unresolved: bool,
}

/// One step down the modules: the call's name, and the key of its instance if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    name: String,
    key: Option<String>,
}

impl<'a> Configuration<'a> {
    pub fn new(configuration: Option<&'a Value>) -> Self {
        let root = configuration.and_then(|c| c.get("root_module"));
        let mut expressions = HashMap::new();
        if let Some(root) = root {
            index(root, "", &mut expressions);
        }
        Self { root, expressions }
    }

    fn module(&self, path: &[Step]) -> Option<&'a Value> {
        let mut module = self.root?;
        for step in path {
            module = module.get("module_calls")?.get(&step.name)?.get("module")?;
        }
        Some(module)
    }

    /// The expressions of one resource.
    pub fn expressions(&self, module: &str, kind: &str, name: &str, data: bool) -> Option<&'a Value> {
        let calls: Vec<String> = steps(module).into_iter().map(|s| s.name).collect();
        self.expressions.get(&(calls.join("."), data, kind, name)).copied()
    }

    /// The resources of `types` that `references`, made by the resource at `from`, lead to.
    pub fn targets(
        &self,
        (resources, by_name): (&[Resource<'_>], &ByName<'_>),
        types: &[&str],
        from: &str,
        references: &[&str],
    ) -> Targets {
        let mut targets = Targets::default();
        let mut search = Search {
            configuration: self,
            resources,
            by_name,
            types,
            left: REFERENCES,
            targets: &mut targets,
        };
        search.all(&steps(&module_of(from)), references, HOPS);
        // Terraform writes `aws_subnet.a[each.key]` as `aws_subnet.a` and `each.key`: it means the instance with the
        // same key.
        let own = key_of(from);
        if own.is_some() && references.iter().any(|r| KEYS.contains(r)) {
            let same = |address: &String| key_of(address) == own;
            if targets.found.iter().any(same) {
                targets.found.retain(|a| key_of(a).is_none() || same(a));
            } else {
                targets.unresolved = true;
            }
        }
        targets.found.sort();
        targets.found.dedup();
        // References that lead to other things than the types asked for are no answer.
        targets.unresolved |= targets.found.is_empty();
        targets
    }
}

/// Notes the expressions of a module and of all below it. The depth is bounded by the parser's.
fn index<'a>(module: &'a Value, path: &str, found: &mut HashMap<(String, bool, &'a str, &'a str), &'a Value>) {
    for resource in list(module.get("resources")) {
        let (Some(kind), Some(name)) = (text(resource, "type"), text(resource, "name")) else {
            continue;
        };
        let data = text(resource, "mode") == Some("data");
        if let Some(expressions) = resource.get("expressions") {
            found.entry((path.to_owned(), data, kind, name)).or_insert(expressions);
        }
    }
    let calls = module.get("module_calls").and_then(Value::as_object);
    for (name, call) in calls.into_iter().flatten() {
        let below = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        if let Some(module) = call.get("module") {
            index(module, &below, found);
        }
    }
}

struct Search<'s, 'a> {
    configuration: &'s Configuration<'a>,
    resources: &'s [Resource<'a>],
    by_name: &'s ByName<'a>,
    types: &'s [&'s str],
    left: usize,
    targets: &'s mut Targets,
}

impl Search<'_, '_> {
    fn all(&mut self, module: &[Step], references: &[&str], hops: usize) {
        for reference in references {
            // Terraform lists `a.b[0].id`, then `a.b[0]`, then `a.b` for one and the same: the first says most.
            let more = |other: &&str| {
                other.len() > reference.len()
                    && other.starts_with(reference)
                    && other[reference.len()..].starts_with(['.', '['])
            };
            if references.iter().any(more) {
                continue;
            }
            self.left = self.left.saturating_sub(1);
            if self.left == 0 || hops == 0 {
                self.targets.unresolved = true;
                return;
            }
            self.one(module, reference, hops - 1);
        }
    }

    fn one(&mut self, module: &[Step], reference: &str, hops: usize) {
        let parts = split(reference);
        match parts.as_slice() {
            ["var", name, ..] => self.variable(module, plain(name).0, hops),
            ["module", name, output, ..] => {
                let (name, key) = plain(name);
                let mut below = module.to_vec();
                below.push(Step {
                    name: name.to_owned(),
                    key: key.map(str::to_owned),
                });
                let output = self
                    .configuration
                    .module(&below)
                    .and_then(|m| m.get("outputs")?.get(plain(output).0)?.get("expression"));
                self.expression(&below, output, hops);
            }
            ["data", kind, name, ..] => self.resource(module, kind, name, true),
            _ if hops + 1 == HOPS && KEYS.contains(&reference) => {}
            // A whole module, or something that is not in the file.
            [
                "module" | "local" | "each" | "count" | "self" | "path" | "terraform" | "data",
                ..,
            ] => {
                self.targets.unresolved = true;
            }
            [kind, name, ..] => self.resource(module, kind, name, false),
            _ => self.targets.unresolved = true,
        }
    }

    fn variable(&mut self, module: &[Step], name: &str, hops: usize) {
        // A variable of the root module is known: what is not comes from elsewhere.
        let Some((call, above)) = module.split_last() else {
            return;
        };
        let given = self
            .configuration
            .module(above)
            .and_then(|m| m.get("module_calls")?.get(&call.name)?.get("expressions")?.get(name));
        self.expression(above, given, hops);
    }

    fn expression(&mut self, module: &[Step], expression: Option<&Value>, hops: usize) {
        let Some(expression) = expression else {
            self.targets.unresolved = true;
            return;
        };
        let references = references(expression);
        self.all(module, &references, hops);
    }

    fn resource(&mut self, module: &[Step], kind: &str, name: &str, data: bool) {
        if !self.types.contains(&kind) {
            return;
        }
        let (name, key) = plain(name);
        let before = self.targets.found.len();
        let named = self.by_name.get(&(kind, name)).map(Vec::as_slice).unwrap_or_default();
        for resource in named.iter().filter_map(|n| self.resources.get(*n)) {
            if resource.data != data {
                continue;
            }
            let last = split(&resource.address).pop().map(|last| plain(last).1);
            let same_key = key.is_none() || last == Some(key);
            if same_key && fits(module, &steps(&resource.module)) {
                self.targets.found.push(resource.address.clone());
            }
        }
        self.targets.unresolved |= self.targets.found.len() == before;
    }
}

/// References to the key of an instance that `count` or `for_each` makes.
const KEYS: &[&str] = &["each.key", "each.value", "count.index"];

/// The key of an address's last part: `["a"]` of `aws_subnet.b["a"]`.
fn key_of(address: &str) -> Option<&str> {
    split(address).pop().and_then(|last| plain(last).1)
}

/// Every reference of an expression, or of the blocks and attributes below it.
pub(super) fn references(expression: &Value) -> Vec<&str> {
    match expression {
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, value)| {
                if key == "references" {
                    list(Some(value)).iter().filter_map(Value::as_str).collect()
                } else {
                    references(value)
                }
            })
            .collect(),
        _ => vec![],
    }
}

/// Whether the instance `path` is one that `pattern` means: a step without a key means every instance.
fn fits(pattern: &[Step], path: &[Step]) -> bool {
    pattern.len() == path.len()
        && pattern
            .iter()
            .zip(path)
            .all(|(p, s)| p.name == s.name && (p.key.is_none() || p.key == s.key))
}

/// `name["key"]` as name and `["key"]`.
fn plain(part: &str) -> (&str, Option<&str>) {
    match part.find('[') {
        Some(at) => (&part[..at], Some(&part[at..])),
        None => (part, None),
    }
}

/// The steps of `module.a["x"].module.b`.
fn steps(module: &str) -> Vec<Step> {
    let parts = split(module);
    parts
        .chunks(2)
        .filter_map(|pair| match pair {
            ["module", name] => {
                let (name, key) = plain(name);
                Some(Step {
                    name: name.to_owned(),
                    key: key.map(str::to_owned),
                })
            }
            _ => None,
        })
        .collect()
}

/// The part of an address that names the module's instance; empty for the root module.
pub(super) fn module_of(address: &str) -> String {
    let parts = split(address);
    let modules = parts.chunks(2).take_while(|p| p.first() == Some(&"module")).count();
    parts.get(..modules * 2).unwrap_or_default().join(".")
}

/// What follows the module in an address: `aws_db_instance.main[0]`.
fn resource_of(address: &str) -> Vec<&str> {
    let parts = split(address);
    let modules = parts.chunks(2).take_while(|p| p.first() == Some(&"module")).count();
    parts.get(modules * 2..).unwrap_or_default().to_vec()
}

/// Whether an address is that of a data source.
pub(super) fn is_data(address: &str) -> bool {
    resource_of(address).first() == Some(&"data")
}

/// The type in an address.
pub(in crate::check) fn type_of(address: &str) -> Option<&str> {
    let parts = resource_of(address);
    match parts.as_slice() {
        ["data", kind, _] | [kind, _] => Some(kind),
        _ => None,
    }
}

/// The name in an address, without the key of an instance.
pub(super) fn name_of(address: &str) -> Option<&str> {
    let parts = resource_of(address);
    match parts.as_slice() {
        ["data", _, name] | [_, name] => Some(plain(name).0),
        _ => None,
    }
}

/// Splits at the dots that are not inside of brackets. Keys of `for_each` are quoted as in Go: `["a\"b"]`.
pub(super) fn split(address: &str) -> Vec<&str> {
    let mut parts = vec![];
    let (mut start, mut in_brackets, mut in_quotes, mut escaped) = (0, false, false, false);
    for (at, c) in address.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_quotes => escaped = true,
            '"' if in_brackets => in_quotes = !in_quotes,
            '[' if !in_quotes => in_brackets = true,
            ']' if !in_quotes => in_brackets = false,
            '.' if !in_brackets => {
                parts.push(&address[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if start < address.len() {
        parts.push(&address[start..]);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_may_hold_anything() {
        assert_eq!(
            split(r#"module.a["x.y"].aws_subnet.b["p\"].q"]"#),
            ["module", r#"a["x.y"]"#, "aws_subnet", r#"b["p\"].q"]"#]
        );
        assert_eq!(
            module_of(r#"module.a["x.y"].module.b.aws_subnet.c[0]"#),
            r#"module.a["x.y"].module.b"#
        );
        assert_eq!(module_of("aws_subnet.c"), "");
        assert_eq!(module_of("module.a"), "module.a");
        let long = r#"module.a["x.y"].data.aws_subnet.b["p.q"]"#;
        assert_eq!(
            (type_of(long), name_of(long), is_data(long)),
            (Some("aws_subnet"), Some("b"), true)
        );
        let short = "aws_subnet.b[0]";
        assert_eq!(
            (type_of(short), name_of(short), is_data(short)),
            (Some("aws_subnet"), Some("b"), false)
        );
        assert_eq!((type_of("module.a"), type_of(""), name_of("x")), (None, None, None));
        assert_eq!(split(""), Vec::<&str>::new());
    }
}

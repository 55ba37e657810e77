//! From a path as it is written to the file that declares what it names, through every `use` and `pub use` between.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{FileId, Kind, Mentioned, ModuleId, Tree};

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Module(ModuleId),
    /// Declared in this module.
    Item(ModuleId),
    /// In a crate that is not ours: the whole path.
    Foreign(Vec<String>),
}

/// Where one file imports another: the first such line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    pub line: usize,
    pub path: String,
}

/// Which files import which.
///
/// A file imports another if it uses an item that the other declares, whichever module it takes it from. These are no
/// imports: `mod child;`, the name of a module of which nothing is used, a `pub use` that offers an item from further
/// down to others, and whatever is for tests alone.
pub type Imports = BTreeMap<(FileId, FileId), Witness>;

pub fn imports(tree: &Tree) -> Imports {
    let mut found = Imports::new();
    for mention in &tree.mentions {
        let from = tree.modules[mention.module].file;
        for target in resolve(tree, mention.module, &mention.path) {
            let declaring = match target {
                Target::Item(module) => module,
                Target::Module(module) if mention.kind == Kind::Quoted && mention.path.segments.len() > 1 => module,
                Target::Module(_) | Target::Foreign(_) => continue,
            };
            let to = tree.modules[declaring].file;
            let is_own = tree.ancestors(declaring).any(|m| m == mention.module);
            if from == to || (mention.kind == Kind::PassOn && is_own) {
                continue;
            }
            let witness = Witness {
                line: mention.line,
                path: mention.path.segments.join("::"),
            };
            let first = found.entry((from, to)).or_insert_with(|| witness.clone());
            if witness.line < first.line {
                *first = witness;
            }
        }
    }
    found
}

/// All that `path` can name, seen from `module`: a module and a function may share a name.
pub fn resolve(tree: &Tree, module: ModuleId, path: &Mentioned) -> BTreeSet<Target> {
    Resolver {
        tree,
        asked: BTreeSet::new(),
    }
    .path(module, path)
}

struct Resolver<'a> {
    tree: &'a Tree,
    /// What is being looked up: two globs may point at each other.
    asked: BTreeSet<(ModuleId, String)>,
}

impl Resolver<'_> {
    fn path(&mut self, module: ModuleId, path: &Mentioned) -> BTreeSet<Target> {
        let segments = path.segments.as_slice();
        let Some((first, rest)) = segments.split_first() else {
            return BTreeSet::new();
        };
        if path.global {
            return self.in_crate(first, rest, segments);
        }
        match first.as_str() {
            "crate" => {
                let root = self.tree.ancestors(module).last().unwrap_or(module);
                self.walk(root, rest)
            }
            "self" => self.walk(module, rest),
            "super" => {
                let (mut at, mut rest) = (self.tree.modules[module].parent, rest);
                while let Some((next, further)) = rest.split_first()
                    && next == "super"
                {
                    at = at.and_then(|m| self.tree.modules[m].parent);
                    rest = further;
                }
                at.map_or_else(BTreeSet::new, |m| self.walk(m, rest))
            }
            _ => {
                let named = self.name(module, first);
                if named.is_empty() {
                    self.in_crate(first, rest, segments)
                } else {
                    self.onward(named, rest)
                }
            }
        }
    }

    fn in_crate(&mut self, name: &str, rest: &[String], whole: &[String]) -> BTreeSet<Target> {
        match self.tree.libraries.get(name) {
            Some(root) => self.walk(*root, rest),
            None => BTreeSet::from([Target::Foreign(whole.to_vec())]),
        }
    }

    fn walk(&mut self, module: ModuleId, rest: &[String]) -> BTreeSet<Target> {
        let Some((name, rest)) = rest.split_first() else {
            return BTreeSet::from([Target::Module(module)]);
        };
        let named = self.name(module, name);
        if named.is_empty() {
            // A macro of that module must declare it.
            return BTreeSet::from([Target::Item(module)]);
        }
        self.onward(named, rest)
    }

    /// What follows the name of an item, a variant or an associated function, is declared with it.
    fn onward(&mut self, named: BTreeSet<Target>, rest: &[String]) -> BTreeSet<Target> {
        if rest.is_empty() {
            return named;
        }
        let modules: Vec<ModuleId> = named
            .iter()
            .filter_map(|target| match target {
                Target::Module(module) => Some(*module),
                _ => None,
            })
            .collect();
        if modules.is_empty() {
            return named
                .into_iter()
                .map(|target| match target {
                    Target::Foreign(mut path) => {
                        path.extend_from_slice(rest);
                        Target::Foreign(path)
                    }
                    other => other,
                })
                .collect();
        }
        modules.into_iter().flat_map(|module| self.walk(module, rest)).collect()
    }

    /// What one name means in a module: its own first, then what it imports by name, then by glob.
    fn name(&mut self, module: ModuleId, name: &str) -> BTreeSet<Target> {
        if !self.asked.insert((module, name.to_owned())) {
            return BTreeSet::new();
        }
        let at = &self.tree.modules[module];
        let mut found = BTreeSet::new();
        found.extend(at.children.get(name).map(|child| Target::Module(*child)));
        if at.items.contains(name) {
            found.insert(Target::Item(module));
        }
        for import in at.imports.iter().filter(|i| i.name.as_deref() == Some(name)) {
            found.extend(self.path(module, &import.path));
        }
        if found.is_empty() {
            for glob in at.imports.iter().filter(|i| i.name.is_none()) {
                for target in self.path(module, &glob.path) {
                    if let Target::Module(from) = target {
                        found.extend(self.name(from, name));
                    }
                }
            }
        }
        self.asked.remove(&(module, name.to_owned()));
        found
    }
}

//! The modules of all crates, what each declares, and every path that its code mentions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub type ModuleId = usize;
pub type FileId = usize;

/// All that was parsed. Code for tests alone is not in it.
#[derive(Debug, Default)]
pub struct Tree {
    pub files: Vec<File>,
    pub modules: Vec<Module>,
    /// The root module of each library, by the name that other crates use.
    pub libraries: BTreeMap<String, ModuleId>,
    pub mentions: Vec<Mention>,
    /// Functions and blocks that are `async`.
    pub awaiting: Vec<(ModuleId, usize)>,
    /// Folders of rules.
    pub rules: BTreeSet<String>,
    /// Complaints about a `mod x;` that has no file.
    pub missing: Vec<String>,
}

#[derive(Debug)]
pub struct File {
    /// From the root of the checkout.
    pub path: PathBuf,
    /// The module that the file is.
    pub module: ModuleId,
}

#[derive(Debug)]
pub struct Module {
    /// The package that it belongs to.
    pub package: String,
    pub parent: Option<ModuleId>,
    /// Empty for the root of a crate.
    pub name: String,
    /// Where its code is; an inline module shares the file of its parent.
    pub file: FileId,
    pub children: BTreeMap<String, ModuleId>,
    /// Names of the types, functions, constants and macros declared in it.
    pub items: BTreeSet<String>,
    /// `use a::b as name`, `use a::*`.
    pub imports: Vec<Import>,
}

/// One name that a `use` brings into a module.
#[derive(Debug, Clone)]
pub struct Import {
    pub path: Mentioned,
    /// `None` for a glob.
    pub name: Option<String>,
}

/// A path as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mentioned {
    /// It begins with `::`, so its first segment is a crate.
    pub global: bool,
    pub segments: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `use`
    Use,
    /// `pub use`: offered to others rather than used.
    PassOn,
    /// In an expression, a type, a pattern or a macro.
    Code,
    /// In the quotes of an attribute, where a module means its functions.
    Quoted,
}

#[derive(Debug)]
pub struct Mention {
    pub module: ModuleId,
    pub line: usize,
    pub path: Mentioned,
    pub kind: Kind,
}

impl Tree {
    /// A module without content yet; in its parent's file, until it is said to have one.
    pub fn add_module(&mut self, package: &str, parent: Option<ModuleId>, name: &str) -> ModuleId {
        let module = self.modules.len();
        self.modules.push(Module {
            package: package.to_owned(),
            parent,
            name: name.to_owned(),
            file: parent.map_or(0, |p| self.modules[p].file),
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            imports: vec![],
        });
        if let Some(parent) = parent {
            self.modules[parent].children.insert(name.to_owned(), module);
        }
        module
    }

    /// The module and those that it is in, from the inside out.
    pub fn ancestors(&self, module: ModuleId) -> impl Iterator<Item = ModuleId> + '_ {
        std::iter::successors(Some(module), |m| self.modules[*m].parent)
    }

    /// The names from below the crate's root down to the module; empty for the root.
    pub fn names(&self, module: ModuleId) -> Vec<&str> {
        let mut names: Vec<&str> = self.ancestors(module).map(|m| self.modules[m].name.as_str()).collect();
        names.pop();
        names.reverse();
        names
    }

    /// The file of a module and a line in it, as compilers write them.
    pub fn place(&self, module: ModuleId, line: usize) -> String {
        format!("{}:{line}", self.files[self.modules[module].file].path.display())
    }
}

//! From the root of each crate down its `mod` declarations.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use syn::{Item, ItemMod, Meta};

use super::mentions;
use super::syntax::{attributes, declared, is_for_tests, plain, text, words};
use super::tree::{File, ModuleId, Tree};
use super::workspace::Crate;

/// Parses `crates`; `rules` are the folders of rules.
pub fn read(checkout: &Path, crates: &[Crate], rules: BTreeSet<String>) -> Result<Tree> {
    let mut reader = Reader {
        checkout,
        tree: Tree {
            rules,
            ..Tree::default()
        },
    };
    for one in crates {
        let module = reader.tree.add_module(&one.package, None, "");
        if let Some(name) = &one.library {
            reader.tree.libraries.insert(name.clone(), module);
        }
        reader.file(module, &one.root, &folder_of(&one.root))?;
    }
    Ok(reader.tree)
}

/// In all that follows, `folder` is where the files of a module's children are.
struct Reader<'a> {
    checkout: &'a Path,
    tree: Tree,
}

impl Reader<'_> {
    fn file(&mut self, module: ModuleId, path: &Path, folder: &Path) -> Result<()> {
        let text = fs::read_to_string(self.checkout.join(path)).with_context(|| path.display().to_string())?;
        let parsed = syn::parse_file(&text).with_context(|| format!("{} is not Rust", path.display()))?;
        self.tree.modules[module].file = self.tree.files.len();
        self.tree.files.push(File {
            path: path.to_owned(),
            module,
        });
        self.items(module, &parsed.items, folder)
    }

    fn items(&mut self, module: ModuleId, items: &[Item], folder: &Path) -> Result<()> {
        for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
            if let Item::Mod(child) = item {
                self.child(module, child, folder)?;
                continue;
            }
            self.tree.modules[module].items.extend(declared(item));
            mentions::collect(&mut self.tree, module, item);
            // A macro may declare modules: what has the name of a file beside it is one.
            if let Item::Macro(call) = item
                && call.ident.is_none()
            {
                for name in words(call.mac.tokens.clone()) {
                    if !self.tree.modules[module].children.contains_key(&name)
                        && let Some(path) = self.file_of(folder, &name)
                    {
                        let child = self.add(module, &name);
                        self.file(child, &path, &folder.join(name))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn child(&mut self, parent: ModuleId, declaration: &ItemMod, folder: &Path) -> Result<()> {
        let name = plain(&declaration.ident);
        if let Some((_, items)) = &declaration.content {
            let child = self.add(parent, &name);
            return self.items(child, items, &folder.join(name));
        }
        if let Some(path) = path_attribute(declaration) {
            let child = self.add(parent, &name);
            let path = folder.join(path);
            return self.file(child, &path, &folder_of(&path));
        }
        let Some(path) = self.file_of(folder, &name) else {
            let declaring = self.tree.files[self.tree.modules[parent].file].path.display();
            self.tree
                .missing
                .push(format!("{declaring} declares mod {name}, which has no file"));
            return Ok(());
        };
        let child = self.add(parent, &name);
        self.file(child, &path, &folder.join(name))
    }

    fn add(&mut self, parent: ModuleId, name: &str) -> ModuleId {
        let package = self.tree.modules[parent].package.clone();
        self.tree.add_module(&package, Some(parent), name)
    }

    /// `name.rs` or `name/mod.rs`.
    fn file_of(&self, folder: &Path, name: &str) -> Option<PathBuf> {
        [format!("{name}.rs"), format!("{name}/mod.rs")]
            .into_iter()
            .map(|file| folder.join(file))
            .find(|path| self.checkout.join(path).is_file())
    }
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}

/// The value of `#[path = "…"]`.
fn path_attribute(module: &ItemMod) -> Option<String> {
    module.attrs.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => text(&pair.value),
        _ => None,
    })
}

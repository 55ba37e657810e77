//! What the setting says by which a family's image chooses its engine.

use super::families::Selector;
use crate::model::resources::Container;

/// A selector's setting that a container is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selected<'a> {
    /// The setting's name.
    pub name: &'a str,
    /// The word that it holds; absent for a secret, a template, or a word that isn't known.
    pub word: Option<&'a str>,
}

/// The first of a selector's settings that holds a word which is known, else the first that is given.
#[must_use]
pub fn selected<'a>(container: &'a Container, selector: &Selector) -> Option<Selected<'a>> {
    let given = |name: &String| {
        let secret = container.secrets.iter().find(|s| s.name == *name);
        let plain = container.variables.iter().find(|v| v.name == *name && !v.value.empty);
        let secret = secret.map(|s| Selected {
            name: &s.name,
            word: None,
        });
        secret.or_else(|| {
            plain.map(|v| Selected {
                name: &v.name,
                word: v.value.word.as_deref(),
            })
        })
    };
    let all = || selector.variables.iter().chain(&selector.args).filter_map(given);
    all().find(|s| s.word.is_some()).or_else(|| all().next())
}

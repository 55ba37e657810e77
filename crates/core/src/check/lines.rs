//! The lines of a file on which its values are written.

use std::collections::HashMap;

use crate::yaml::{self, Limits, Node, YamlValue};

/// Lines by the path of a value, as a JSON pointer without escapes: `/Resources/Db/Properties`.
#[derive(Debug, Default)]
pub(super) struct Lines(HashMap<String, usize>);

impl Lines {
    /// Most bytes of a text whose places are looked for. CloudFormation takes templates of up to 1 MB.
    pub(super) const LARGEST: usize = 4 << 20;

    /// The lines of a text that is JSON; none where it is too large, or YAML reads it otherwise.
    pub(super) fn of_text(text: &str) -> Self {
        if text.len() > Self::LARGEST {
            return Self::default();
        }
        let (root, _) = yaml::parse(text, Limits::TEMPLATE);
        root.map_or_else(Self::default, |mut root| {
            let lines = Self::of_tree(&root);
            root.wipe();
            lines
        })
    }

    /// The lines of a tree.
    pub(super) fn of_tree(root: &Node) -> Self {
        let mut lines = Self::default();
        lines.add(root, root.place.line, &mut String::new());
        lines
    }

    fn add(&mut self, node: &Node, line: usize, path: &mut String) {
        let length = path.len();
        self.0.insert(path.clone(), line);
        match &node.value {
            YamlValue::Scalar(_) => {}
            YamlValue::List(items) => {
                for (n, item) in items.iter().enumerate() {
                    path.push('/');
                    path.push_str(&n.to_string());
                    self.add(item, item.place.line, path);
                    path.truncate(length);
                }
            }
            YamlValue::Map(entries) => {
                for entry in entries {
                    path.push('/');
                    path.push_str(&entry.key);
                    // A value is where its key is, not where its first line is.
                    self.add(&entry.node, entry.place.line, path);
                    path.truncate(length);
                }
            }
        }
    }

    /// The line of the value at `path`, else of the nearest one that holds it.
    pub(super) fn of(&self, path: &str) -> Option<usize> {
        let mut path = path;
        loop {
            if let Some(line) = self.0.get(path) {
                return Some(*line);
            }
            path = &path[..path.rfind('/')?];
        }
    }
}

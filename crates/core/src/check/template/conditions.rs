//! The conditions of a template.

use serde_json::Value;

use super::functions::{Functions, single};
use super::unknown::is_unknown;

/// Conditions that refer to one another. Templates have a few.
const DEEPEST: usize = 32;

impl Functions<'_> {
    /// Whether a condition of this name holds; none where that is not known.
    pub(super) fn condition(&self, name: &str, depth: usize) -> Option<bool> {
        if depth > DEEPEST {
            return None;
        }
        self.holds(self.file.get("Conditions")?.get(name)?, depth + 1)
    }

    fn holds(&self, condition: &Value, depth: usize) -> Option<bool> {
        if depth > DEEPEST {
            return None;
        }
        if let Value::Bool(plain) = condition {
            return Some(*plain);
        }
        let (function, argument) = single(condition)?;
        let each = || argument.as_array().into_iter().flatten();
        match function {
            "Condition" => self.condition(argument.as_str()?, depth),
            "Fn::Equals" => {
                let [a, b] = argument.as_array()?.as_slice() else {
                    return None;
                };
                let (a, b) = (self.value(a, depth), self.value(b, depth));
                let open = |v: &Value| is_unknown(v) || v.is_array() || v.is_object();
                (!open(&a) && !open(&b)).then(|| plain(&a) == plain(&b))
            }
            "Fn::Not" => each().next().and_then(|c| self.holds(c, depth + 1)).map(|held| !held),
            "Fn::And" => {
                let all: Vec<Option<bool>> = each().map(|c| self.holds(c, depth + 1)).collect();
                if all.contains(&Some(false)) {
                    Some(false)
                } else {
                    (!all.contains(&None)).then_some(true)
                }
            }
            "Fn::Or" => {
                let all: Vec<Option<bool>> = each().map(|c| self.holds(c, depth + 1)).collect();
                if all.contains(&Some(true)) {
                    Some(true)
                } else {
                    (!all.contains(&None)).then_some(false)
                }
            }
            _ => None,
        }
    }
}

/// A value as CloudFormation compares it: as text.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

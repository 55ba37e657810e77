//! Whom the conditions of a statement restrict it to.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::request::{Admits, Context};
use super::value::{ACCOUNT_DIGITS, OneOrMany, account_of, matches, text};

/// Operator → key → values. Several operators, and several keys, must all hold; of several values one.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Conditions(BTreeMap<String, BTreeMap<String, OneOrMany<Value>>>);

/// Whom a statement is left open to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// Nobody is kept out.
    None,
    /// Only to the own account, an organization or a network, and to these strangers.
    To(Vec<String>),
}

/// Operators that hold only if the key is there and has one of the values.
const POSITIVE: [&str; 6] = [
    "stringequals",
    "stringequalsignorecase",
    "stringlike",
    "arnequals",
    "arnlike",
    "ipaddress",
];
/// Their opposites, for a `Deny`.
const NEGATIVE: [&str; 6] = [
    "stringnotequals",
    "stringnotequalsignorecase",
    "stringnotlike",
    "arnnotequals",
    "arnnotlike",
    "notipaddress",
];

/// Keys whose value is an account, or an ARN that holds one, of the caller or of the resource behind the call.
const ACCOUNTS: [&str; 6] = [
    "aws:principalaccount",
    "aws:sourceaccount",
    "aws:sourceowner",
    "aws:vpceaccount",
    "aws:principalarn",
    "aws:sourcearn",
];
/// Keys whose value is an organization, a part of one, or a network. The author of the policy knows who is in it.
const PLACES: [&str; 10] = [
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:vpceorgid",
    "aws:vpceorgpaths",
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:sourceip",
];

impl Conditions {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of them hold for a request of which this is known.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
    pub fn holds(&self, context: &Context) -> Admits {
        let each = self.entries();
        each.map(|(operator, key, values)| holds(&operator, context.get(&key), values))
            .fold(Admits::Yes, Admits::and)
    }

    /// What an `Allow` is bound to: one condition that binds is enough, since all must hold. `ForAnyValue:` asks for at
    /// least one value, like the operator alone; `ForAllValues:` and `...IfExists` hold where the key is absent, and so
    /// bind nobody.
    pub fn binding(&self, own: &str) -> Binding {
        let mut narrowest: Option<Vec<String>> = None;
        for (operator, key, values) in self.entries() {
            let operator = operator.strip_prefix("foranyvalue:").unwrap_or(&operator);
            if POSITIVE.contains(&operator)
                && let Binding::To(strangers) = bind(&key, values, own)
                && narrowest.as_ref().is_none_or(|n| strangers.len() < n.len())
            {
                narrowest = Some(strangers);
            }
        }
        narrowest.map_or(Binding::None, Binding::To)
    }

    /// What a `Deny` leaves: it counts only with a single negated condition, because a second one would deny fewer
    /// principals. (An exception for AWS's own services changes nothing.) A negated operator, `ForAllValues:` and
    /// `...IfExists` hold where the key is absent, so they deny those too; `ForAnyValue:` does not.
    pub fn negated_binding(&self, own: &str) -> Binding {
        let spares_services = |key: &str, values: &OneOrMany<Value>| {
            key == "aws:principalisawsservice" && values.items().iter().all(|v| text(v).as_deref() == Some("false"))
        };
        let mut rest = self.entries().filter(|(_, key, values)| !spares_services(key, values));
        let (Some((operator, key, values)), None) = (rest.next(), rest.next()) else {
            return Binding::None;
        };
        let operator = operator.strip_prefix("forallvalues:").unwrap_or(&operator);
        let operator = operator.strip_suffix("ifexists").unwrap_or(operator);
        if NEGATIVE.contains(&operator) {
            bind(&key, values, own)
        } else {
            Binding::None
        }
    }

    /// Operators and keys in lower case, for AWS takes them in any.
    fn entries(&self) -> impl Iterator<Item = (String, String, &OneOrMany<Value>)> {
        self.0.iter().flat_map(|(operator, keys)| {
            let each = keys.iter();
            each.map(move |(key, values)| (operator.to_lowercase(), key.to_lowercase(), values))
        })
    }
}

/// One condition. A key of which nothing is known may be there or not.
fn holds(operator: &str, known: Option<&String>, values: &OneOrMany<Value>) -> Admits {
    let Some(wanted) = values.items().iter().map(text).collect::<Option<Vec<String>>>() else {
        return Admits::Perhaps;
    };
    let Some(value) = known.filter(|_| !wanted.is_empty() && !wanted.iter().any(|w| w.contains("${"))) else {
        return Admits::Perhaps;
    };
    let certain = |yes: bool| if yes { Admits::Yes } else { Admits::No };
    if operator == "null" {
        return certain(wanted.iter().all(|w| w.eq_ignore_ascii_case("false")));
    }
    // Each key that is known has one value.
    let operator = ["foranyvalue:", "forallvalues:"]
        .iter()
        .find_map(|prefix| operator.strip_prefix(prefix))
        .unwrap_or(operator);
    let operator = operator.strip_suffix("ifexists").unwrap_or(operator);
    let is_one = |same: fn(&str, &str) -> bool| wanted.iter().any(|w| same(w, value));
    match operator {
        "stringequals" => certain(is_one(|w, v| w == v)),
        "stringnotequals" => certain(!is_one(|w, v| w == v)),
        "stringequalsignorecase" | "bool" => certain(is_one(|w, v| w.eq_ignore_ascii_case(v))),
        "stringnotequalsignorecase" => certain(!is_one(|w, v| w.eq_ignore_ascii_case(v))),
        "stringlike" | "arnlike" | "arnequals" => certain(is_one(matches)),
        "stringnotlike" | "arnnotlike" | "arnnotequals" => certain(!is_one(matches)),
        _ => Admits::Perhaps,
    }
}

fn bind(key: &str, values: &OneOrMany<Value>, own: &str) -> Binding {
    let Some(values) = values.items().iter().map(text).collect::<Option<Vec<String>>>() else {
        return Binding::None;
    };
    // A variable takes its value from the request, and so from whoever makes it.
    if values.is_empty() || values.iter().any(|v| v.contains("${")) {
        return Binding::None;
    }
    if PLACES.contains(&key) {
        let world = |v: &String| matches!(v.as_str(), "*" | "0.0.0.0/0" | "::/0") || v.ends_with("/0");
        return if values.iter().any(world) {
            Binding::None
        } else {
            Binding::To(vec![])
        };
    }
    if !ACCOUNTS.contains(&key) {
        return Binding::None;
    }
    let mut strangers = vec![];
    for value in values {
        let account = account_of(&value).unwrap_or(&value);
        if account.len() != ACCOUNT_DIGITS || !account.bytes().all(|b| b.is_ascii_digit()) {
            // The account is a pattern, or left out: anybody's.
            return Binding::None;
        }
        if account != own {
            strangers.push(value);
        }
    }
    Binding::To(strangers)
}

//! Parses YAML text into a tree that knows the place of each node.
//!
//! This bounds what a text can cost: its depth, and the number of nodes that aliases expand to. JSON is read as well: it
//! is YAML's flow style.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Options, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Number, Value as Json};
use zeroize::Zeroize as _;

/// What a text may cost, and what its tags are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Levels of nesting. The walk over the tree is recursive.
    depth: usize,
    /// Values, those that aliases expand to included ("billion laughs").
    nodes: usize,
    /// Whether tags mean something to the caller; else they are faults.
    tags: bool,
}

impl Limits {
    /// Our deepest key is six levels down; more is a mistake or an attack.
    pub(crate) const CONFIGURATION: Self = Self {
        depth: 24,
        nodes: 100_000,
        tags: false,
    };

    /// A template of CloudFormation has at most 1 MB, and its tags are functions.
    pub(crate) const TEMPLATE: Self = Self {
        depth: 100,
        nodes: 300_000,
        tags: true,
    };
}

/// A place in the text: line and column, both from 1, the column counted in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub line: usize,
    pub column: usize,
}

impl Place {
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

impl From<&Marker> for Place {
    fn from(mark: &Marker) -> Self {
        Self {
            line: mark.line().max(1),
            column: mark.col() + 1,
        }
    }
}

/// A fault with its place and what a person should read about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConfigFault {
    pub place: Place,
    pub message: String,
}

impl ConfigFault {
    pub(crate) fn new(place: Place, message: impl Into<String>) -> Self {
        Self {
            place,
            message: message.into(),
        }
    }
}

/// A value and where it begins.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub place: Place,
    pub value: YamlValue,
    /// The tag as written, `!Ref`, where tags are kept.
    pub tag: Option<String>,
}

/// A value as written. What a scalar means is decided by [`Scalar::resolve`], so that its own text stays at hand.
#[derive(Debug, Clone)]
pub(crate) enum YamlValue {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a map with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub key: String,
    pub place: Place,
    pub node: Node,
}

/// A scalar as written.
#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    pub text: String,
    /// Not quoted: may be a number, a truth value or nothing.
    pub plain: bool,
}

/// What a scalar means in YAML 1.2's core schema (so `no` and `off` are words, not truth values).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Meaning {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text,
}

impl Scalar {
    pub(crate) fn resolve(&self) -> Meaning {
        if !self.plain {
            return Meaning::Text;
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => return Meaning::Null,
            "true" | "True" | "TRUE" => return Meaning::Bool(true),
            "false" | "False" | "FALSE" => return Meaning::Bool(false),
            _ => {}
        }
        // `f64::from_str` also takes `inf`, `nan` and `infinity`, which are words here.
        let digits = self.text.trim_start_matches(['-', '+']);
        if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return Meaning::Text;
        }
        if let Ok(int) = self.text.parse() {
            return Meaning::Int(int);
        }
        match self.text.parse::<f64>() {
            Ok(float) if float.is_finite() => Meaning::Float(float),
            _ => Meaning::Text,
        }
    }

    /// The value as CloudFormation reads it, which knows YAML 1.1: `yes` and `off` are truth values.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html>
    pub(crate) fn to_json_1_1(&self) -> Json {
        match (self.plain, self.text.as_str()) {
            (true, "yes" | "Yes" | "YES" | "on" | "On" | "ON") => Json::Bool(true),
            (true, "no" | "No" | "NO" | "off" | "Off" | "OFF") => Json::Bool(false),
            _ => self.to_json(),
        }
    }

    fn to_json(&self) -> Json {
        match self.resolve() {
            Meaning::Null => Json::Null,
            Meaning::Bool(b) => Json::Bool(b),
            #[allow(clippy::cast_precision_loss)] // far out of every range
            Meaning::Int(number) => Number::from_i128(number).map_or_else(|| Json::from(number as f64), Json::Number),
            Meaning::Float(number) => Json::from(number),
            Meaning::Text => Json::from(self.text.as_str()),
        }
    }
}

impl Node {
    fn count(&self) -> usize {
        1 + match &self.value {
            YamlValue::Scalar(_) => 0,
            YamlValue::List(items) => items.iter().map(Self::count).sum(),
            YamlValue::Map(entries) => entries.iter().map(|e| e.node.count()).sum(),
        }
    }

    fn depth(&self) -> usize {
        1 + match &self.value {
            YamlValue::Scalar(_) => 0,
            YamlValue::List(items) => items.iter().map(Self::depth).max().unwrap_or(0),
            YamlValue::Map(entries) => entries.iter().map(|e| e.node.depth()).max().unwrap_or(0),
        }
    }

    /// The value as JSON. Whole numbers past 64 bits become fractions: no key takes them.
    pub(crate) fn to_json(&self) -> Json {
        match &self.value {
            YamlValue::Scalar(scalar) => scalar.to_json(),
            YamlValue::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            YamlValue::Map(entries) => {
                let pairs = entries.iter().map(|e| (e.key.clone(), e.node.to_json()));
                Json::Object(pairs.collect())
            }
        }
    }

    /// Overwrites every scalar: they may be secrets.
    pub(crate) fn wipe(&mut self) {
        match &mut self.value {
            YamlValue::Scalar(scalar) => scalar.text.zeroize(),
            YamlValue::List(items) => items.iter_mut().for_each(Self::wipe),
            YamlValue::Map(entries) => entries.iter_mut().for_each(|e| e.node.wipe()),
        }
    }

    /// The entry of `key`, if this is a map that has it.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            YamlValue::Map(entries) => entries.iter().find(|e| e.key == key),
            _ => None,
        }
    }

    /// The entry at the end of a path of keys.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Entry> {
        let (first, rest) = path.split_first()?;
        let entry = self.entry(first)?;
        if rest.is_empty() {
            Some(entry)
        } else {
            entry.node.at(rest)
        }
    }

    /// The text of a scalar that is not null.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            YamlValue::Scalar(s) if s.resolve() != Meaning::Null => Some(&s.text),
            _ => None,
        }
    }

    /// The items of a list; none for anything else.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.value {
            YamlValue::List(items) => items,
            _ => &[],
        }
    }

    /// The entries of a map; none for anything else.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.value {
            YamlValue::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Whether this is written as nothing at all, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, YamlValue::Scalar(s) if s.resolve() == Meaning::Null)
    }
}

/// Reads `text`. Returns the tree (none for an empty document, or one that isn't YAML) and what is wrong with it as
/// YAML: syntax (which ends the reading), duplicate keys, tags and keys that aren't scalars (which don't).
pub(crate) fn parse(text: &str, limits: Limits) -> (Option<Node>, Vec<ConfigFault>) {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut builder = Builder {
        parser: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        nodes: 0,
        limits,
        faults: Vec::new(),
    };
    match builder.stream() {
        Ok(root) => (root, builder.faults),
        Err(fatal) => {
            builder.faults.push(fatal);
            (None, builder.faults)
        }
    }
}

struct Builder<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    limits: Limits,
    faults: Vec<ConfigFault>,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), ConfigFault> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(e)) => Err(ConfigFault::new(
                e.marker().into(),
                format!("not valid YAML: {}", e.info()),
            )),
            None => Err(ConfigFault::new(Place::START, "not valid YAML: it ends too soon")),
        }
    }

    fn stream(&mut self) -> Result<Option<Node>, ConfigFault> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(..) if root.is_some() => {
                    return Err(ConfigFault::new(
                        (&span.start).into(),
                        "a second YAML document begins here; one is expected",
                    ));
                }
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => root = Some(self.node(event, span, 1)?),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, ConfigFault> {
        let place = Place::from(&span.start);
        self.reserve(place, 1, depth)?;
        let (value, anchor, tag) = match event {
            Event::Alias(id) => {
                let Some(node) = self.anchors.get(&id) else {
                    return Err(ConfigFault::new(
                        place,
                        "this alias stands inside the value that it refers to",
                    ));
                };
                let (count, deep) = (node.count(), node.depth());
                let node = node.clone();
                self.reserve(place, count, depth + deep)?;
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = self.tag(place, tag.as_deref());
                let plain = style == ScalarStyle::Plain;
                let text = text.into_owned();
                (YamlValue::Scalar(Scalar { text, plain }), anchor, tag)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let tag = self.tag(place, tag.as_deref());
                (self.list(depth)?, anchor, tag)
            }
            Event::MappingStart(_, anchor, tag) => {
                let tag = self.tag(place, tag.as_deref());
                (self.map(depth)?, anchor, tag)
            }
            other => return Err(ConfigFault::new(place, format!("not valid YAML: unexpected {other:?}"))),
        };
        let node = Node { place, value, tag };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn reserve(&mut self, place: Place, more: usize, depth: usize) -> Result<(), ConfigFault> {
        self.nodes = self.nodes.saturating_add(more);
        if depth > self.limits.depth {
            Err(ConfigFault::new(
                place,
                format!("nested deeper than {} levels", self.limits.depth),
            ))
        } else if self.nodes > self.limits.nodes {
            Err(ConfigFault::new(
                place,
                format!("more than {} values, aliases counted in full", self.limits.nodes),
            ))
        } else {
            Ok(())
        }
    }

    fn tag(&mut self, place: Place, tag: Option<&Tag>) -> Option<String> {
        let tag = tag?.original();
        if self.limits.tags {
            return Some(tag);
        }
        let message = format!("YAML tags such as {} are not supported; remove it", quote(&tag));
        self.faults.push(ConfigFault::new(place, message));
        None
    }

    fn list(&mut self, depth: usize) -> Result<YamlValue, ConfigFault> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(YamlValue::List(items));
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<YamlValue, ConfigFault> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, Place> = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(YamlValue::Map(entries));
            }
            let place = Place::from(&span.start);
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            let YamlValue::Scalar(Scalar { text: key, .. }) = key.value else {
                self.faults
                    .push(ConfigFault::new(place, "a key must be a plain word, not a list or map"));
                continue;
            };
            if let Some(first) = seen.get(&key) {
                let message = format!("duplicate key {}; it first stands on line {}", quote(&key), first.line);
                self.faults.push(ConfigFault::new(place, message));
            } else {
                seen.insert(key.clone(), place);
                entries.push(Entry { key, place, node });
            }
        }
    }
}

/// Text for a message: quoted, without control characters, cut where it gets long, and where it looks like a connection
/// string that was put in the wrong place: a message must never show a password.
pub(crate) fn quote(text: &str) -> String {
    const LONGEST: usize = 60;
    let lower = text.to_ascii_lowercase();
    let scheme = lower.find("://").filter(|_| text.contains('@')).map(|at| at + 3);
    let word = ["password", "passwd", "pwd"]
        .iter()
        .filter_map(|w| lower.find(w).map(|at| at + w.len()))
        .min();
    let secret = scheme.into_iter().chain(word).min().unwrap_or(text.len());
    let long = text.char_indices().nth(LONGEST).map_or(text.len(), |(at, _)| at);
    // Lower-casing ASCII moves no byte, so this is a place in `text` as well.
    match text.get(..secret.min(long)) {
        Some(cut) if cut.len() < text.len() => format!("{cut:?}..."),
        _ => format!("{text:?}"),
    }
}

//! Circles in a graph, the shortest first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::{self, Display, Write};
use std::path::Path;

use super::resolve::{Imports, Witness};
use super::tree::{FileId, Tree};

/// Of one knot at most so many circles are shown: breaking these changes the rest.
const SHOWN: usize = 12;

/// A set of nodes each of which reaches every other.
#[derive(Debug)]
pub struct Knot<N> {
    pub nodes: BTreeSet<N>,
    /// Each edge among the nodes lies on one of these, the shortest first, up to [`SHOWN`].
    pub circles: Vec<Vec<N>>,
    /// How many more it would take to show every edge.
    pub further: usize,
}

/// The knots of a graph.
pub fn knots<N: Copy + Ord>(edges: &BTreeSet<(N, N)>) -> Vec<Knot<N>> {
    let next = successors(edges);
    let mut shortest: BTreeSet<(usize, Vec<N>)> = BTreeSet::new();
    for (from, to) in edges {
        if let Some(mut circle) = shortest_way(&next, *to, *from) {
            // The same circle begins at its least node, whichever edge it was found from.
            let least = circle
                .iter()
                .enumerate()
                .min_by_key(|(_, n)| **n)
                .map_or(0, |(at, _)| at);
            circle.rotate_left(least);
            shortest.insert((circle.len(), circle));
        }
    }
    let mut knots: Vec<Knot<N>> = vec![];
    for (_, circle) in &shortest {
        let mut nodes: BTreeSet<N> = circle.iter().copied().collect();
        let (joined, apart) = knots.into_iter().partition(|k| !k.nodes.is_disjoint(&nodes));
        knots = apart;
        nodes.extend(Vec::<Knot<N>>::into_iter(joined).flat_map(|k| k.nodes));
        knots.push(Knot {
            nodes,
            circles: vec![],
            further: 0,
        });
    }
    for knot in &mut knots {
        let mut covered = BTreeSet::new();
        for (_, circle) in shortest.iter().filter(|(_, c)| knot.nodes.contains(&c[0])) {
            let before = covered.len();
            covered.extend(pairs(circle));
            if covered.len() == before {
                continue;
            }
            if knot.circles.len() < SHOWN {
                knot.circles.push(circle.clone());
            } else {
                knot.further += 1;
            }
        }
    }
    knots.sort_by(|a, b| a.nodes.cmp(&b.nodes));
    knots
}

/// Each node with the one after it, the last with the first.
pub fn pairs<N: Copy>(circle: &[N]) -> impl Iterator<Item = (N, N)> + '_ {
    circle.iter().copied().zip(circle.iter().copied().cycle().skip(1))
}

fn successors<'a, N: Copy + Ord + 'a>(edges: impl IntoIterator<Item = &'a (N, N)>) -> BTreeMap<N, Vec<N>> {
    let mut next: BTreeMap<N, Vec<N>> = BTreeMap::new();
    for (from, to) in edges {
        next.entry(*from).or_default().push(*to);
    }
    next
}

/// Both ends included.
fn shortest_way<N: Copy + Ord>(next: &BTreeMap<N, Vec<N>>, from: N, to: N) -> Option<Vec<N>> {
    let mut came_from: BTreeMap<N, N> = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        if at == to {
            let mut way = vec![at];
            while let Some(before) = way.last().filter(|n| **n != from).and_then(|n| came_from.get(n)) {
                way.push(*before);
            }
            way.reverse();
            return Some(way);
        }
        for further in next.get(&at).into_iter().flatten() {
            if *further != from && !came_from.contains_key(further) {
                came_from.insert(*further, at);
                queue.push_back(*further);
            }
        }
    }
    None
}

/// One complaint for each knot of files, leaving out what modules use of their own children.
pub fn of_files(tree: &Tree, imports: &Imports) -> Vec<String> {
    let edges = imports
        .keys()
        .copied()
        .filter(|(from, to)| !is_parent(tree, *from, *to))
        .collect();
    complaints("files", &knots(&edges), |from, to| edge(tree, imports, from, to))
}

/// One complaint for each module that uses items of its children while these use, in the end, items of its own.
pub fn of_parents(tree: &Tree, imports: &Imports) -> Vec<String> {
    let next = successors(imports.keys());
    let mut circles: BTreeMap<FileId, Vec<Vec<FileId>>> = BTreeMap::new();
    for (parent, child) in imports.keys().filter(|(from, to)| is_parent(tree, *from, *to)) {
        if let Some(mut back) = shortest_way(&next, *child, *parent) {
            back.rotate_right(1);
            circles.entry(*parent).or_default().push(back);
        }
    }
    circles
        .into_iter()
        .map(|(parent, circles)| {
            let mut text = format!(
                "circle of imports between {} and its children ({} of them); what they share is a file of its own:",
                tree.files[parent].path.display(),
                circles.len()
            );
            for circle in circles.iter().take(SHOWN) {
                text.push('\n');
                for (from, to) in pairs(circle) {
                    let _ = write!(text, "\n    {}", edge(tree, imports, from, to));
                }
            }
            text
        })
        .collect()
}

/// `src/a.rs:12 (crate::b::B) -> src/b.rs`
fn edge(tree: &Tree, imports: &Imports, from: FileId, to: FileId) -> String {
    let place = Place(&tree.files[from].path, &imports[&(from, to)]);
    format!("{place} -> {}", tree.files[to].path.display())
}

/// Whether `to` is within the module that `from` is.
fn is_parent(tree: &Tree, from: FileId, to: FileId) -> bool {
    tree.ancestors(tree.files[to].module)
        .any(|m| m == tree.files[from].module)
}

/// One complaint for each knot of top-level modules in a crate.
pub fn of_modules(tree: &Tree, imports: &Imports) -> Vec<String> {
    let mut witnesses: BTreeMap<(TopLevel, TopLevel), Vec<(FileId, &Witness)>> = BTreeMap::new();
    for ((from, to), witness) in imports {
        let ends = (top_level(tree, *from), top_level(tree, *to));
        if ends.0 != ends.1 && ends.0.0 == ends.1.0 {
            witnesses.entry(ends).or_default().push((*from, witness));
        }
    }
    let edges = witnesses.keys().copied().collect();
    complaints("modules", &knots(&edges), |from, to| {
        let through = &witnesses[&(from, to)];
        let (file, witness) = through[0];
        let mut line = format!("{}::{} -> {}", from.0, from.1, to.1);
        let _ = write!(line, "    at {}", Place(&tree.files[file].path, witness));
        if through.len() > 1 {
            let _ = write!(line, " and {} more", through.len() - 1);
        }
        line
    })
}

/// A package, and a module below the root of its crate.
type TopLevel<'a> = (&'a str, &'a str);

/// Where a file belongs; `lib.rs` and `main.rs` stand for themselves.
pub fn top_level(tree: &Tree, file: FileId) -> TopLevel<'_> {
    let module = tree.files[file].module;
    let name = tree.names(module).first().copied();
    let root = || tree.files[file].path.file_name()?.to_str();
    (&tree.modules[module].package, name.or_else(root).unwrap_or_default())
}

fn complaints<N: Copy + Ord>(of: &str, knots: &[Knot<N>], edge: impl Fn(N, N) -> String) -> Vec<String> {
    knots
        .iter()
        .map(|knot| {
            let mut text = format!("circle of imports among {} {of}:", knot.nodes.len());
            for circle in &knot.circles {
                text.push('\n');
                for (from, to) in pairs(circle) {
                    let _ = write!(text, "\n    {}", edge(from, to));
                }
            }
            if knot.further > 0 {
                let _ = write!(text, "\n\n    and {} longer circles of the same {of}", knot.further);
            }
            text
        })
        .collect()
}

/// `src/a.rs:12 (crate::b::B)`
struct Place<'a>(&'a Path, &'a Witness);

impl Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ({})", self.0.display(), self.1.line, self.1.path)
    }
}

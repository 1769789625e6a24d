//! Patterns by their segments.

use std::collections::HashMap;

use stoker_config::Segment;

use crate::path;

/// The patterns of one host.
pub(crate) struct Tree<L> {
    root: Node<L>,
    count: usize,
}

struct Node<L> {
    literals: HashMap<Box<[u8]>, Node<L>>,
    parameter: Option<Box<Node<L>>>,
    /// Patterns that end here; several if they differ in their methods.
    leaves: Vec<L>,
    /// Patterns whose rest begins here.
    rests: Vec<L>,
}

/// A pattern that matched.
pub(crate) struct Found<'a, 'p, L> {
    pub(crate) leaf: &'a L,
    /// What the parameters and the rest matched, in order.
    pub(crate) captures: Vec<&'p str>,
}

impl<L> Tree<L> {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn insert(&mut self, segments: &[Segment], leaf: L) {
        self.count += 1;
        let mut node = &mut self.root;
        for segment in segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.as_bytes().into()).or_default(),
                Segment::Parameter(_) => node.parameter.get_or_insert_default(),
                Segment::Rest(_) => return node.rests.push(leaf),
            };
        }
        node.leaves.push(leaf);
    }

    /// The most specific pattern that matches `path` and that `fits` accepts.
    pub(crate) fn find<'a, 'p>(
        &'a self,
        path: &'p str,
        fits: &mut impl FnMut(&L) -> bool,
    ) -> Option<Found<'a, 'p, L>> {
        let mut captures = Vec::new();
        let rest = path.strip_prefix('/')?;
        let leaf = self.root.find(Some(rest), &mut captures, fits)?;
        Some(Found { leaf, captures })
    }
}

impl<L> Node<L> {
    /// `rest` is what follows the last slash that was taken; `None` when no segment is left. The
    /// depth of the recursion is that of the deepest pattern.
    fn find<'a, 'p>(
        &'a self,
        rest: Option<&'p str>,
        captures: &mut Vec<&'p str>,
        fits: &mut impl FnMut(&L) -> bool,
    ) -> Option<&'a L> {
        // `/users/` and `/users` are the same to a pattern that ends in `users`.
        if rest.is_none_or(str::is_empty)
            && let Some(leaf) = self.leaves.iter().find(|leaf| fits(leaf))
        {
            return Some(leaf);
        }
        if let Some(rest) = rest {
            let (segment, after) = match rest.split_once('/') {
                Some((segment, after)) => (segment, Some(after)),
                None => (rest, None),
            };
            let literal = path::decode(segment)
                .ok()
                .and_then(|name| self.literals.get(&*name));
            if let Some(leaf) = literal.and_then(|node| node.find(after, captures, fits)) {
                return Some(leaf);
            }
            if let Some(node) = &self.parameter
                && !segment.is_empty()
            {
                captures.push(segment);
                if let Some(leaf) = node.find(after, captures, fits) {
                    return Some(leaf);
                }
                captures.pop();
            }
        }
        let leaf = self.rests.iter().find(|leaf| fits(leaf))?;
        captures.push(rest.unwrap_or(""));
        Some(leaf)
    }
}

impl<L> Default for Tree<L> {
    fn default() -> Self {
        Tree {
            root: Node::default(),
            count: 0,
        }
    }
}

impl<L> Default for Node<L> {
    fn default() -> Self {
        Node {
            literals: HashMap::new(),
            parameter: None,
            leaves: Vec::new(),
            rests: Vec::new(),
        }
    }
}

//! Cycles in a graph of numbered nodes.

use std::borrow::Cow;

/// How many nodes of a cycle are named; the rest of a long one is counted.
const SHOWN: usize = 12;

/// One cycle: the edges lead from each node to the next, and from the last to the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cycle {
    /// The first nodes of it, at most [`SHOWN`].
    pub(super) nodes: Vec<usize>,
    /// How many nodes follow those.
    pub(super) more: usize,
    /// The edge that closes it, as (node, index of the edge).
    pub(super) closing: (usize, usize),
}

impl Cycle {
    /// Names the nodes: `a -> b -> a`.
    pub(super) fn names<'a>(&self, name: impl Fn(usize) -> &'a str) -> String {
        let mut names: Vec<Cow<'_, str>> = self.nodes.iter().map(|node| name(*node).into()).collect();
        if self.more > 0 {
            names.push(format!("({} more)", self.more).into());
        }
        names.push(name(self.nodes[0]).into());
        names.join(" -> ")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    /// On the path that is being walked, at this depth.
    Open(usize),
    Done,
}

/// Finds cycles: without the closing edges there is none left. Self-loops are the caller's matter and are skipped.
///
/// One cycle is named for each closing edge of a walk in the order of the nodes, in linear time; naming all simple
/// cycles would take exponential time.
pub(super) fn find(edges: &[Vec<usize>]) -> Vec<Cycle> {
    let mut marks = vec![Mark::New; edges.len()];
    let mut cycles = Vec::new();
    for start in 0..edges.len() {
        if marks[start] == Mark::New {
            walk(start, edges, &mut marks, &mut cycles);
        }
    }
    cycles
}

fn walk(start: usize, edges: &[Vec<usize>], marks: &mut [Mark], cycles: &mut Vec<Cycle>) {
    let mut path: Vec<usize> = vec![start];
    let mut next: Vec<usize> = vec![0];
    marks[start] = Mark::Open(0);
    while let (Some(&node), Some(edge)) = (path.last(), next.last_mut()) {
        let Some(&to) = edges[node].get(*edge) else {
            marks[node] = Mark::Done;
            path.pop();
            next.pop();
            continue;
        };
        let index = *edge;
        *edge += 1;
        match marks[to] {
            Mark::New => {
                marks[to] = Mark::Open(path.len());
                path.push(to);
                next.push(0);
            }
            Mark::Open(depth) if to != node => {
                let all = &path[depth..];
                let nodes = all[..all.len().min(SHOWN)].to_vec();
                let more = all.len() - nodes.len();
                cycles.push(Cycle { nodes, more, closing: (node, index) });
            }
            Mark::Open(_) | Mark::Done => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

    fn named(edges: &[Vec<usize>]) -> Vec<String> {
        find(edges).iter().map(|cycle| cycle.names(|node| NAMES[node])).collect()
    }

    #[test]
    fn each_cycle_is_named_once() {
        let edges = [vec![1], vec![0, 2], vec![1], vec![4], vec![3]];
        assert_eq!(named(&edges), ["a -> b -> a", "b -> c -> b", "d -> e -> d"]);
    }

    #[test]
    fn what_only_leads_to_a_cycle_is_not_part_of_it() {
        assert_eq!(named(&[vec![1], vec![2], vec![1], vec![], vec![4]]), ["b -> c -> b"]);
    }

    #[test]
    fn a_long_cycle_is_cut_and_the_stack_holds() {
        let count = 200_000;
        let ring: Vec<Vec<usize>> = (0..count).map(|node| vec![(node + 1) % count]).collect();
        let cycles = find(&ring);
        assert_eq!(cycles.len(), 1);
        assert_eq!((cycles[0].nodes.len(), cycles[0].more), (SHOWN, count - SHOWN));
        assert_eq!(cycles[0].closing, (count - 1, 0));
    }

    proptest::proptest! {
        #[test]
        fn without_the_closing_edges_nothing_is_left_to_find(
            edges in proptest::collection::vec(proptest::collection::vec(0usize..8, 0..4), 8)
        ) {
            let cycles = find(&edges);
            for cycle in &cycles {
                let steps = cycle.nodes.iter().zip(cycle.nodes.iter().cycle().skip(1));
                for (from, to) in steps {
                    proptest::prop_assert!(edges[*from].contains(to));
                }
            }
            let open = |node: usize, index: usize| !cycles.iter().any(|cycle| cycle.closing == (node, index));
            let left: Vec<Vec<usize>> = edges
                .iter()
                .enumerate()
                .map(|(node, to)| to.iter().enumerate().filter(|(i, _)| open(node, *i)).map(|(_, to)| *to).collect())
                .collect();
            proptest::prop_assert_eq!(find(&left), vec![]);
        }
    }
}

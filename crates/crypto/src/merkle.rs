//! The Merkle tree of a log (RFC 9162 §2.1; its hashes are those of RFC 6962): what is appended stays, and can be proven.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{Digest32, sha256};

/// More leaves than anybody will write, and few enough that counting never overflows.
const MAX_SIZE: u64 = 1 << 62;

/// The hash of an entry as a leaf (RFC 9162 §2.1.1). Its prefix keeps a leaf from ever being taken for a node.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Digest32 {
    sha256(&[&[0], entry])
}

fn node_hash(left: Digest32, right: Digest32) -> Digest32 {
    sha256(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The stored octets are not the right edge of a tree of this size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frontier has one digest for each bit of its size that is set")]
pub struct FrontierMalformed;

/// The right edge of a growing tree: the roots of its complete subtrees, the largest first. With it a leaf is appended
/// and the root computed without any other leaf; there are at most 62 digests to store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest32>,
}

impl Frontier {
    /// Of a tree without leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            size: 0,
            peaks: Vec::new(),
        }
    }

    /// Takes what was stored. That the digests are those of the log is for a proof to show.
    ///
    /// # Errors
    /// [`FrontierMalformed`] when there are more or fewer digests than a tree of this size has.
    pub fn from_parts(size: u64, peaks: Vec<Digest32>) -> Result<Self, FrontierMalformed> {
        match size <= MAX_SIZE && size.count_ones() as usize == peaks.len() {
            true => Ok(Self { size, peaks }),
            false => Err(FrontierMalformed),
        }
    }

    /// How many leaves there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The digests to store.
    #[must_use]
    pub fn peaks(&self) -> &[Digest32] {
        &self.peaks
    }

    /// Appends a leaf by its [`leaf_hash`].
    pub fn push(&mut self, leaf: Digest32) {
        // Each set bit at the low end is a complete subtree, as large as the one that now stands beside it.
        let merged = (0..self.size.trailing_ones()).fold(leaf, |right, _| match self.peaks.pop() {
            Some(left) => node_hash(left, right),
            None => right,
        });
        self.peaks.push(merged);
        self.size += 1;
    }

    /// The root of the tree; of none, the digest of nothing (RFC 9162 §2.1.1).
    #[must_use]
    pub fn root(&self) -> Digest32 {
        let peaks = self.peaks.iter().rev().copied();
        peaks
            .reduce(|right, left| node_hash(left, right))
            .unwrap_or_else(|| sha256(&[]))
    }
}

/// Why a proof cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofFailed<E> {
    /// A leaf could not be read.
    #[error("a leaf of the log could not be read")]
    Leaf(E),
    /// The tree does not have this leaf, or never had this size.
    #[error("the log has no such position")]
    OutOfRange,
}

/// The proof does not lead from what is to be proven to the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proof does not fit the root of the log")]
pub struct ProofInvalid;

/// That a tree has a certain leaf (RFC 9162 §2.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InclusionProof {
    /// Where the leaf stands; the first is 0.
    pub index: u64,
    /// How many leaves the tree has.
    pub size: u64,
    /// The subtrees beside the way from the leaf to the root.
    pub path: Vec<Digest32>,
}

impl InclusionProof {
    /// Makes a proof. `leaf` gives the leaf hash at a position below `size`; each is asked for once, except that of
    /// `index` itself.
    ///
    /// # Errors
    /// [`ProofFailed`] when `index` is not below `size`, or what `leaf` fails with.
    pub fn build<E>(
        index: u64,
        size: u64,
        mut leaf: impl FnMut(u64) -> Result<Digest32, E>,
    ) -> Result<Self, ProofFailed<E>> {
        if index >= size {
            return Err(ProofFailed::OutOfRange);
        }
        let mut path = Vec::new();
        let mut tree = 0..size;
        while tree.end - tree.start > 1 {
            let middle = middle_of(&tree);
            let (left, right) = (tree.start..middle, middle..tree.end);
            let (inside, beside) = match index < middle {
                true => (left, right),
                false => (right, left),
            };
            path.push(subtree(beside, &mut leaf)?);
            tree = inside;
        }
        path.reverse();
        Ok(Self { index, size, path })
    }

    /// Whether the leaf with this hash stands at [`Self::index`] in the tree with this root (RFC 9162 §2.1.3.2).
    ///
    /// # Errors
    /// [`ProofInvalid`] when it does not, or the path is too long or too short.
    pub fn verify(&self, leaf: Digest32, root: Digest32) -> Result<(), ProofInvalid> {
        if self.index >= self.size {
            return Err(ProofInvalid);
        }
        let mut way = Way::new(self.index, self.size - 1);
        let mut hash = leaf;
        for beside in &self.path {
            hash = match way.climb().ok_or(ProofInvalid)? {
                Side::Left => node_hash(*beside, hash),
                Side::Right => node_hash(hash, *beside),
            };
        }
        match way.has_arrived() && hash == root {
            true => Ok(()),
            false => Err(ProofInvalid),
        }
    }
}

/// That a tree begins with all leaves of an older one: nothing was changed, taken away or put in between
/// (RFC 9162 §2.1.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyProof {
    /// How many leaves the older tree has.
    pub old_size: u64,
    /// How many leaves the newer tree has.
    pub new_size: u64,
    /// Subtrees from which both roots are computed.
    pub path: Vec<Digest32>,
}

impl ConsistencyProof {
    /// Makes a proof. `leaf` gives the leaf hash at a position below `new_size`.
    ///
    /// # Errors
    /// [`ProofFailed`] when `old_size` is above `new_size`, or what `leaf` fails with.
    pub fn build<E>(
        old_size: u64,
        new_size: u64,
        mut leaf: impl FnMut(u64) -> Result<Digest32, E>,
    ) -> Result<Self, ProofFailed<E>> {
        if old_size > new_size {
            return Err(ProofFailed::OutOfRange);
        }
        let mut path = Vec::new();
        let mut tree = 0..new_size;
        // The older tree ends inside `tree`. Where both end together, the rest is the same in both; the verifier knows
        // it already when it is the whole older tree.
        while old_size != 0 && tree.end != old_size {
            let middle = middle_of(&tree);
            let (left, right) = (tree.start..middle, middle..tree.end);
            let (inside, beside) = match old_size <= middle {
                true => (left, right),
                false => (right, left),
            };
            path.push(subtree(beside, &mut leaf)?);
            tree = inside;
        }
        if tree.start > 0 {
            path.push(subtree(tree, &mut leaf)?);
        }
        path.reverse();
        Ok(Self {
            old_size,
            new_size,
            path,
        })
    }

    /// Whether the tree with the newer root begins with the one with the older root (RFC 9162 §2.1.4.2). Every tree
    /// begins with the empty one.
    ///
    /// # Errors
    /// [`ProofInvalid`] when it does not, or the path is too long or too short.
    pub fn verify(&self, old_root: Digest32, new_root: Digest32) -> Result<(), ProofInvalid> {
        let holds = match (self.old_size, self.new_size) {
            (0, _) => self.path.is_empty() && old_root == sha256(&[]),
            (old, new) if old == new => self.path.is_empty() && old_root == new_root,
            (old, new) if old > new => false,
            _ => self.roots(old_root) == Some((old_root, new_root)),
        };
        match holds {
            true => Ok(()),
            false => Err(ProofInvalid),
        }
    }

    /// The roots of both trees as they follow from the path; the sizes differ and neither is 0.
    fn roots(&self, old_root: Digest32) -> Option<(Digest32, Digest32)> {
        let mut way = Way::new(self.old_size - 1, self.new_size - 1);
        way.skip_complete();
        // A complete older tree is a subtree of the newer one, so its root is not repeated in the path.
        let (first, rest) = match self.old_size.is_power_of_two() {
            true => (old_root, self.path.as_slice()),
            false => self
                .path
                .split_first()
                .map(|(first, rest)| (*first, rest))?,
        };
        let (mut old, mut new) = (first, first);
        for beside in rest {
            match way.climb()? {
                Side::Left => {
                    old = node_hash(*beside, old);
                    new = node_hash(*beside, new);
                }
                Side::Right => new = node_hash(new, *beside),
            }
        }
        way.has_arrived().then_some((old, new))
    }
}

/// On which side of the way the other subtree lies.
enum Side {
    Left,
    Right,
}

/// The way from a node to the root: `fn` and `sn` of RFC 9162 §2.1.3.2 and §2.1.4.2.
struct Way {
    node: u64,
    last: u64,
}

impl Way {
    const fn new(node: u64, last: u64) -> Self {
        Self { node, last }
    }

    /// Goes to the parent and says where the sibling is; `None` when this is the root.
    fn climb(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = match self.node & 1 == 1 || self.node == self.last {
            true => Side::Left,
            false => Side::Right,
        };
        if let Side::Left = side {
            // The last node of a level without a sibling is carried up to where it has one.
            while self.node & 1 == 0 && self.node != 0 {
                self.rise();
            }
        }
        self.rise();
        Some(side)
    }

    /// Goes up as long as the node is the right end of a complete subtree.
    fn skip_complete(&mut self) {
        while self.node & 1 == 1 {
            self.rise();
        }
    }

    fn rise(&mut self) {
        self.node >>= 1;
        self.last >>= 1;
    }

    const fn has_arrived(&self) -> bool {
        self.last == 0
    }
}

/// Where a tree of at least two leaves is divided: the left part is the largest complete one (RFC 9162 §2.1.1).
fn middle_of(tree: &Range<u64>) -> u64 {
    let last = tree.end - tree.start - 1;
    tree.start + (1 << last.ilog2())
}

fn subtree<E>(
    range: Range<u64>,
    leaf: &mut impl FnMut(u64) -> Result<Digest32, E>,
) -> Result<Digest32, ProofFailed<E>> {
    let mut frontier = Frontier::new();
    for index in range {
        frontier.push(leaf(index).map_err(ProofFailed::Leaf)?);
    }
    Ok(frontier.root())
}

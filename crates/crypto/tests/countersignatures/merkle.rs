//! The tree against the published roots, against its definition, and against tampering.

use std::convert::Infallible;

use countersign_crypto::merkle::{
    ConsistencyProof, Frontier, FrontierMalformed, InclusionProof, ProofFailed, ProofInvalid,
    leaf_hash,
};
use countersign_crypto::{Digest32, sha256};
use proptest::prelude::*;

fn leaves(count: u64) -> Vec<Digest32> {
    (0..count)
        .map(|index| leaf_hash(&index.to_be_bytes()))
        .collect()
}

fn frontier(leaves: &[Digest32]) -> Frontier {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier
}

/// The definition of RFC 9162 §2.1.1, word by word.
fn root(leaves: &[Digest32]) -> Digest32 {
    match leaves {
        [] => sha256(&[]),
        [leaf] => *leaf,
        _ => {
            let half = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(half);
            sha256(&[&[1], root(left).as_bytes(), root(right).as_bytes()])
        }
    }
}

fn inclusion(leaves: &[Digest32], index: usize) -> InclusionProof {
    let leaf = |position: u64| Ok::<_, Infallible>(leaves[usize::try_from(position).unwrap()]);
    InclusionProof::build(index as u64, leaves.len() as u64, leaf).unwrap()
}

fn consistency(leaves: &[Digest32], old: usize) -> ConsistencyProof {
    let leaf = |position: u64| Ok::<_, Infallible>(leaves[usize::try_from(position).unwrap()]);
    ConsistencyProof::build(old as u64, leaves.len() as u64, leaf).unwrap()
}

/// The entries of the reference implementation of Certificate Transparency.
const ENTRIES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];

/// The root after each of [`ENTRIES`].
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

#[test]
fn the_roots_are_those_of_the_reference_implementation() {
    let mut frontier = Frontier::new();
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(frontier.root().to_string(), nothing);
    for (entry, root) in ENTRIES.iter().zip(ROOTS) {
        frontier.push(leaf_hash(entry));
        assert_eq!(frontier.root().to_string(), root);
    }
}

#[test]
fn the_proofs_are_those_of_the_reference_implementation() {
    let leaves = ENTRIES.map(leaf_hash);
    let text = |path: &[Digest32]| path.iter().map(ToString::to_string).collect::<Vec<_>>();
    let first = inclusion(&leaves, 0);
    assert_eq!(
        text(&first.path),
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ]
    );
    let from_six = consistency(&leaves, 6);
    assert_eq!(
        text(&from_six.path),
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
    assert_eq!(text(&consistency(&leaves, 4).path).len(), 1);
}

#[test]
fn every_leaf_and_every_older_tree_of_a_small_tree_is_proven() {
    for size in 0..=40 {
        let leaves = leaves(size as u64);
        assert_eq!(frontier(&leaves).root(), root(&leaves));
        for index in 0..size {
            let proof = inclusion(&leaves, index);
            proof.verify(leaves[index], root(&leaves)).unwrap();
        }
        for old in 0..=size {
            let proof = consistency(&leaves, old);
            proof.verify(root(&leaves[..old]), root(&leaves)).unwrap();
        }
    }
}

#[test]
fn a_frontier_is_stored_and_goes_on_where_it_was() {
    for size in 0..70 {
        let leaves = leaves(size + 3);
        let (before, after) = leaves.split_at(usize::try_from(size).unwrap());
        let stored = frontier(before);
        let mut again = Frontier::from_parts(stored.size(), stored.peaks().to_vec()).unwrap();
        after.iter().for_each(|leaf| again.push(*leaf));
        assert_eq!(again, frontier(&leaves));
        let too_few = Frontier::from_parts(size + 1, stored.peaks().to_vec());
        assert_eq!(
            too_few.is_ok(),
            (size + 1).count_ones() == size.count_ones()
        );
    }
    let digests = vec![sha256(&[]); 64];
    assert_eq!(
        Frontier::from_parts(u64::MAX, digests),
        Err(FrontierMalformed)
    );
}

#[test]
fn there_is_no_proof_beyond_the_end_and_a_missing_leaf_is_told() {
    let leaf = |_| Ok::<_, Infallible>(sha256(&[]));
    assert_eq!(
        InclusionProof::build(3, 3, leaf),
        Err(ProofFailed::OutOfRange)
    );
    assert_eq!(
        InclusionProof::build(0, 0, leaf),
        Err(ProofFailed::OutOfRange)
    );
    assert_eq!(
        ConsistencyProof::build(4, 3, leaf),
        Err(ProofFailed::OutOfRange)
    );
    let missing = |position| {
        if position == 2 {
            Err("gone")
        } else {
            Ok(sha256(&[]))
        }
    };
    assert_eq!(
        InclusionProof::build(0, 4, missing),
        Err(ProofFailed::Leaf("gone"))
    );
    assert_eq!(
        ConsistencyProof::build(3, 4, missing),
        Err(ProofFailed::Leaf("gone"))
    );
}

#[test]
fn a_leaf_is_never_taken_for_a_node() {
    let leaves = leaves(2);
    let octets = [leaves[0].as_bytes().as_slice(), leaves[1].as_bytes()].concat();
    let forged = InclusionProof {
        index: 0,
        size: 1,
        path: Vec::new(),
    };
    assert_eq!(
        forged.verify(leaf_hash(&octets), root(&leaves)),
        Err(ProofInvalid)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_tampered_inclusion_proof_is_refused(
        size in 1_usize..300,
        index in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
    ) {
        let leaves = leaves(size as u64);
        let (index, root) = (index.index(size), root(&leaves));
        let proof = inclusion(&leaves, index);
        prop_assert_eq!(proof.verify(leaves[index], root), Ok(()));
        prop_assert_eq!(proof.verify(leaf_hash(b"other"), root), Err(ProofInvalid));
        prop_assert_eq!(proof.verify(leaves[index], leaf_hash(b"other")), Err(ProofInvalid));
        for other in [(index + 1) % size, size, index + size] {
            let moved = InclusionProof { index: other as u64, ..proof.clone() };
            prop_assert!(other == index || moved.verify(leaves[index], root).is_err());
        }
        let mut changed = proof.clone();
        changed.path.push(root);
        prop_assert_eq!(changed.verify(leaves[index], root), Err(ProofInvalid));
        if !proof.path.is_empty() {
            let place = place.index(proof.path.len());
            let mut changed = proof.clone();
            changed.path.remove(place);
            prop_assert_eq!(changed.verify(leaves[index], root), Err(ProofInvalid));
            let mut changed = proof.clone();
            changed.path[place] = leaf_hash(b"other");
            prop_assert_eq!(changed.verify(leaves[index], root), Err(ProofInvalid));
        }
        let text = serde_json::to_string(&proof).unwrap();
        prop_assert_eq!(serde_json::from_str::<InclusionProof>(&text).unwrap(), proof);
    }

    #[test]
    fn a_rewritten_history_has_no_consistency_proof(
        new in 1_usize..300,
        old in any::<prop::sample::Index>(),
        changed in any::<prop::sample::Index>(),
    ) {
        let leaves = leaves(new as u64);
        let old = old.index(new) + 1;
        let proof = consistency(&leaves, old);
        prop_assert_eq!(proof.verify(root(&leaves[..old]), root(&leaves)), Ok(()));
        // A leaf of the older tree is written again: neither the old proof nor an honest new one serves.
        let mut rewritten = leaves.clone();
        rewritten[changed.index(old)] = leaf_hash(b"rewritten");
        for forged in [proof.clone(), consistency(&rewritten, old)] {
            let verdict = forged.verify(root(&leaves[..old]), root(&rewritten));
            prop_assert_eq!(verdict, Err(ProofInvalid));
        }
        // The end is cut off.
        if old < new {
            let shorter = ConsistencyProof { old_size: new as u64, new_size: old as u64, ..proof.clone() };
            prop_assert!(shorter.verify(root(&leaves), root(&leaves[..old])).is_err());
        }
        for place in 0..proof.path.len() {
            let mut missing = proof.clone();
            missing.path.remove(place);
            prop_assert!(missing.verify(root(&leaves[..old]), root(&leaves)).is_err());
        }
        let mut longer = proof;
        longer.path.push(root(&leaves));
        prop_assert!(longer.verify(root(&leaves[..old]), root(&leaves)).is_err());
    }
}

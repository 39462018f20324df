//! `docs/conformance.md` names, for every line of the checklist, the tests that prove it. They must exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The last line of each section that the token service is measured by.
const SECTIONS: [(&str, u32); 11] = [
    ("A", 25),
    ("B", 18),
    ("C", 24),
    ("DA", 11),
    ("E", 15),
    ("F", 9),
    ("G", 9),
    ("H", 8),
    ("I", 16),
    ("K", 15),
    ("Attack ", 25),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of the tables: line and what stands beside it.
fn rows() -> BTreeMap<String, String> {
    let page = fs::read_to_string(root().join("docs/conformance.md")).unwrap();
    let mut rows = BTreeMap::new();
    for row in page.lines().filter(|row| row.starts_with("| ")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [line, rest @ ..] = cells.as_slice() else {
            continue;
        };
        let before = rows.insert((*line).to_owned(), rest.join(" | "));
        assert!(
            *line == "line" || before.is_none(),
            "{line} stands there twice"
        );
    }
    rows
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The names of all test functions below a directory.
fn tests_below(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let mut lines = source.lines().peekable();
            while let Some(line) = lines.next() {
                let is_test = line.trim_start().starts_with("#[test]")
                    || line.trim_start().starts_with("#[tokio::test");
                if !is_test {
                    continue;
                }
                let signature = lines.find(|line| line.contains("fn ")).unwrap_or_default();
                let name = signature.split("fn ").nth(1).unwrap_or_default();
                found.insert(name.split('(').next().unwrap_or_default().to_owned());
            }
        }
    }
}

#[test]
fn every_line_of_the_checklist_has_a_test_or_a_reason() {
    let rows = rows();
    for (section, last) in SECTIONS {
        for number in 1..=last {
            let line = format!("{section}{number}");
            let beside = rows
                .get(&line)
                .unwrap_or_else(|| panic!("{line} is missing"));
            let has_test = quoted(beside).next().is_some();
            let has_reason = ["later: ", "elsewhere: ", "not here: "]
                .iter()
                .any(|word| beside.contains(word));
            assert!(
                has_test || has_reason,
                "{line} has neither a test nor a reason"
            );
        }
    }
}

#[test]
fn every_test_that_the_table_names_exists() {
    let mut known = BTreeSet::new();
    for directory in ["crates", "xtask"] {
        tests_below(&root().join(directory), &mut known);
    }
    for (line, beside) in rows() {
        let tests = beside.split(" | ").nth(1).unwrap_or_default();
        for name in quoted(tests) {
            assert!(known.contains(name), "{line}: there is no test {name}");
        }
    }
}

#[test]
fn every_test_that_is_named_after_a_line_is_in_the_table() {
    let mut known = BTreeSet::new();
    tests_below(&root().join("crates/http/tests/oauth"), &mut known);
    let page: BTreeSet<String> = rows()
        .values()
        .flat_map(|beside| quoted(beside).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let sections = ["a", "b", "c", "da", "e", "f", "g", "h", "i", "k", "attack_"];
    for name in known {
        let named_after_a_line = sections.iter().any(|section| {
            name.strip_prefix(section)
                .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
        });
        assert!(
            !named_after_a_line || page.contains(&name),
            "{name} is not in docs/conformance.md"
        );
    }
}

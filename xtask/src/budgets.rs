//! `cargo xtask check`: the numbers of `docs/architecture.md`, for people to judge.
//!
//! It reads source text, not syntax: formatted code is regular enough for counting lines.

use std::path::{Path, PathBuf};

/// Lines of production code in one file, at most.
const FILE_CEILING: usize = 500;
const FILE_MEDIAN: usize = 120;
const FUNCTION_CEILING: usize = 60;
const FUNCTION_MEDIAN: usize = 8;
const PARAMETER_CEILING: usize = 5;

/// Marks of unfinished work; put together, so that this file has none.
const MARKS: [&str; 4] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("to", "do!("),
    concat!("un", "implemented!("),
];

/// What was read of one production file, without its tests.
struct Source {
    name: String,
    lines: usize,
    functions: Vec<Function>,
    unfinished: usize,
    panicking: usize,
}

struct Function {
    place: String,
    lines: usize,
    parameters: usize,
}

fn sources(root: &Path) -> Result<Vec<Source>, String> {
    let read_at = |path: &PathBuf| {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let name = path.strip_prefix(root).unwrap_or(path).display();
        Ok(read(&name.to_string(), &text))
    };
    production_files(root)?.iter().map(read_at).collect()
}

/// Prints the table. Always true: a number over its budget is a question to a person, not a failure.
///
/// # Errors
/// A sentence, when the sources cannot be read.
pub(crate) fn print(root: &Path) -> Result<bool, String> {
    let sources = sources(root)?;
    let functions: Vec<&Function> = sources.iter().flat_map(|one| &one.functions).collect();
    let total: usize = sources.iter().map(|one| one.lines).sum();
    let panicking: usize = sources.iter().map(|one| one.panicking).sum();

    let files = over(
        sources.iter().map(|one| (one.name.clone(), one.lines)),
        FILE_CEILING,
    );
    let long = over(
        functions.iter().map(|one| (one.place.clone(), one.lines)),
        FUNCTION_CEILING,
    );
    let wide = over(
        functions
            .iter()
            .map(|one| (one.place.clone(), one.parameters)),
        PARAMETER_CEILING,
    );
    let unfinished = over(
        sources.iter().map(|one| (one.name.clone(), one.unfinished)),
        0,
    );

    println!("{:<44}{:>10}{:>10}", "budget", "measured", "allowed");
    row(
        "lines per file, median",
        median(sources.iter().map(|one| one.lines)),
        FILE_MEDIAN,
    );
    row("files over 500 lines", files.len(), 0);
    row(
        "lines per function, median",
        median(functions.iter().map(|one| one.lines)),
        FUNCTION_MEDIAN,
    );
    row("functions over 60 lines", long.len(), 0);
    row("functions over 5 parameters", wide.len(), 0);
    row("files with marks of unfinished work", unfinished.len(), 0);
    row("unwrap and expect", panicking, total.div_ceil(1_000));
    println!("{:<44}{:>10}", "production files", sources.len());
    println!("{:<44}{total:>10}", "production lines");
    println!("undocumented public items: `cargo xtask test` refuses them (missing_docs)");
    for (title, found) in [
        ("lines in file", &files),
        ("lines in function", &long),
        ("parameters", &wide),
        ("unfinished", &unfinished),
    ] {
        found
            .iter()
            .for_each(|(place, count)| println!("  {count:>5} {title}: {place}"));
    }
    Ok(true)
}

fn row(name: &str, measured: usize, allowed: usize) {
    let mark = if measured > allowed { "  <-- over" } else { "" };
    println!("{name:<44}{measured:>10}{allowed:>10}{mark}");
}

/// Every `src/**/*.rs` of the crates that ship, and of this program: not the test kit, not the benchmarks.
fn production_files(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let mut folders = vec![root.join("xtask/src")];
    for entry in list(&root.join("crates"))? {
        let is_for_tests = ["testkit", "bench", "model"]
            .iter()
            .any(|name| entry.ends_with(name));
        if !is_for_tests {
            folders.push(entry.join("src"));
        }
    }
    while let Some(folder) = folders.pop() {
        for entry in list(&folder)? {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs")
                && !entry.ends_with("tests.rs")
            {
                files.push(entry);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries =
        std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect())
}

fn read(name: &str, text: &str) -> Source {
    let production: Vec<&str> = text
        .lines()
        .take_while(|line| line.trim_end() != "#[cfg(test)]")
        .collect();
    let code = production
        .iter()
        .filter(|line| !line.trim_start().starts_with("//"));
    let panicking = code
        .filter(|line| line.contains(".unwrap()") || line.contains(".expect("))
        .count();
    let unfinished = production
        .iter()
        .filter(|line| MARKS.iter().any(|mark| line.contains(mark)))
        .count();
    Source {
        name: name.to_owned(),
        lines: production.len(),
        functions: functions(name, &production),
        unfinished,
        panicking,
    }
}

/// A function starts at a line with `fn NAME` and ends at the next closing brace of the same indentation; one without a
/// body, in a trait, ends with its signature.
fn functions(file: &str, lines: &[&str]) -> Vec<Function> {
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let indentation = line.len() - line.trim_start().len();
        let Some(name) = function_name(line.trim_start()) else {
            continue;
        };
        let closing = format!("{}}}", " ".repeat(indentation));
        let rest = || lines.iter().skip(index);
        let signature = rest().take_while(|line| !line.trim_end().ends_with(['{', '}', ';']));
        let head = signature.count() + 1;
        let opens = rest()
            .nth(head - 1)
            .is_some_and(|line| line.trim_end().ends_with('{'));
        let length = if opens {
            rest().take_while(|line| **line != closing).count() + 1
        } else {
            head
        };
        let signature: Vec<&str> = lines.iter().skip(index).take(length).copied().collect();
        found.push(Function {
            place: format!("{file}:{} {name}", index + 1),
            lines: length,
            parameters: parameters(&signature.join(" ")),
        });
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let (front, rest) = line.split_once("fn ")?;
    let qualifiers = [
        "pub",
        "pub(crate)",
        "pub(super)",
        "const",
        "async",
        "unsafe",
        "default",
    ];
    let is_declaration = front
        .split_whitespace()
        .all(|word| qualifiers.contains(&word));
    let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
    (is_declaration && end > 0).then(|| &rest[..end])
}

/// Top-level commas of the first parenthesis after the generics; `self` is no parameter.
fn parameters(signature: &str) -> usize {
    let Some(open) = parameter_list(signature) else {
        return 0;
    };
    let mut depth = 0_usize;
    let mut count = 0;
    let mut current = String::new();
    let mut before = ' ';
    for letter in signature[open..].chars() {
        match letter {
            '(' | '[' | '<' | '{' => depth += 1,
            '>' if before == '-' || before == '=' => {}
            ')' | ']' | '>' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let is_end = depth == 0;
        if is_end || (letter == ',' && depth == 1) {
            let name = current
                .trim()
                .trim_start_matches(['&', '('])
                .trim_start_matches("mut ");
            let is_self = name.ends_with("self") && !name.contains(':') || name.starts_with("self");
            count += usize::from(!name.is_empty() && !is_self);
            current.clear();
        } else if !(letter == '(' && depth == 1) {
            current.push(letter);
        }
        if is_end {
            break;
        }
        before = letter;
    }
    count
}

/// Where the list of parameters opens: past the generics, whose bounds may contain parentheses.
fn parameter_list(signature: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut before = ' ';
    for (position, letter) in signature
        .char_indices()
        .skip_while(|(_, letter)| *letter == ' ')
    {
        match letter {
            '<' => depth += 1,
            '>' if before != '-' && before != '=' => depth = depth.saturating_sub(1),
            // `pub(crate)` has a parenthesis of its own.
            '(' if depth == 0 && !signature[..position].trim_end().ends_with("pub") => {
                return Some(position);
            }
            _ => {}
        }
        before = letter;
    }
    None
}

/// The longest first, so that the worst stands on top.
fn over(all: impl Iterator<Item = (String, usize)>, ceiling: usize) -> Vec<(String, usize)> {
    let mut found: Vec<_> = all.filter(|(_, count)| *count > ceiling).collect();
    found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    found
}

fn median(all: impl Iterator<Item = usize>) -> usize {
    let mut sorted: Vec<usize> = all.collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured_from_signature_to_closing_brace() {
        let text = "pub(crate) fn a(\n    x: u8,\n) -> u8 {\n    x\n}\n\nimpl T {\n    fn b(&self) {}\n}\n";
        let source = read("f.rs", text);
        let measured: Vec<_> = source
            .functions
            .iter()
            .map(|one| (one.lines, one.parameters))
            .collect();
        assert_eq!(measured, [(5, 1), (1, 0)]);
    }

    #[test]
    fn a_function_without_a_body_ends_with_its_signature() {
        let text =
            "trait T {\n    fn a(\n        &self,\n    ) -> u8;\n}\n\nfn b() {\n    c();\n}\n";
        let source = read("f.rs", text);
        let lengths: Vec<_> = source.functions.iter().map(|one| one.lines).collect();
        assert_eq!(lengths, [3, 3]);
    }

    #[test]
    fn tests_and_comments_are_not_production() {
        let text = "// a.unwrap() TODO\nfn a() {}\n#[cfg(test)]\nmod tests { x.unwrap() }\n";
        let source = read("f.rs", text);
        assert_eq!(
            (source.lines, source.panicking, source.unfinished),
            (2, 0, 1)
        );
    }

    #[test]
    fn parameters_do_not_count_commas_inside_types_nor_self() {
        assert_eq!(
            parameters("fn a<F: Fn(u8, u8) -> u8>(&mut self, f: F, m: Map<u8, u8>) {"),
            2
        );
        assert_eq!(
            parameters("pub(crate) async fn b((c, d): (u8, u8), e: &[u8; 3],) {"),
            2
        );
        assert_eq!(parameters("fn c() -> Vec<(u8, u8)> {"), 0);
    }
}

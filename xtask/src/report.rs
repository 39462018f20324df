//! Adds up what the steps counted and prints the summary.

use std::collections::BTreeMap;
use std::time::Duration;

/// Tests counted in the output of one or more programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Tests that ran and passed.
    pub(crate) passed: usize,
    /// Names of what failed.
    pub(crate) failed: Vec<String>,
    /// What did not run, each with its reason.
    pub(crate) skipped: Vec<String>,
    /// Names of tests marked `#[ignore]`, which a later step may still run.
    pub(crate) ignored: Vec<String>,
    /// Names of the Rust tests that ran.
    pub(crate) ran: Vec<String>,
}

impl Count {
    /// One passed check without tests of its own, such as the formatter's.
    pub(crate) fn one_passed() -> Self {
        Self {
            passed: 1,
            ..Self::default()
        }
    }

    /// One failure with its name.
    pub(crate) fn one_failed(name: impl Into<String>) -> Self {
        Self {
            failed: vec![name.into()],
            ..Self::default()
        }
    }

    /// One thing that did not run, with the reason.
    pub(crate) fn one_skipped(reason: impl Into<String>) -> Self {
        Self {
            skipped: vec![reason.into()],
            ..Self::default()
        }
    }

    /// Adds another count to this one.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.skipped.extend(other.skipped);
        self.ignored.extend(other.ignored);
        self.ran.extend(other.ran);
    }

    /// A program that failed without naming a failed test still failed.
    #[must_use]
    pub(crate) fn with_exit(mut self, success: bool, name: &str) -> Self {
        if !success && self.failed.is_empty() {
            self.failed.push(name.to_owned());
        }
        self
    }

    /// Reads the output of `cargo test -- --show-output`.
    ///
    /// A test that printed a line `skipped: REASON` proved nothing and is not counted as passed.
    pub(crate) fn of_cargo_test(lines: &[String]) -> Self {
        let mut count = Self::default();
        let mut current = None;
        let mut skipping: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in lines {
            if let Some(name) = line
                .strip_prefix("---- ")
                .and_then(|rest| rest.strip_suffix(" stdout ----"))
            {
                current = Some(name.to_owned());
            } else if let Some(rest) = line.strip_prefix("test result: ") {
                count.passed += number_before(rest, " passed");
                current = None;
            } else if let Some(reason) = line.strip_prefix("skipped: ") {
                let test = current.clone().unwrap_or_default();
                let reasons = skipping.entry(test).or_default();
                if !reasons.iter().any(|known| known == reason) {
                    reasons.push(reason.to_owned());
                }
            } else if let Some((name, outcome)) = test_line(line) {
                match outcome {
                    "ok" => count.ran.push(name.to_owned()),
                    "FAILED" => count.failed.push(name.to_owned()),
                    _ if outcome.starts_with("ignored") => count.ignored.push(name.to_owned()),
                    _ => {}
                }
            }
        }
        for (test, reasons) in skipping {
            count.passed = count.passed.saturating_sub(usize::from(!test.is_empty()));
            count
                .skipped
                .push(format!("{test}: {}", reasons.join("; ")));
        }
        count
    }

    /// Reads the lines `ok NAME`, `not ok NAME: REASON` and `skipped: REASON` of an interoperability client.
    pub(crate) fn of_cases(client: &str, lines: &[String]) -> Self {
        let mut count = Self::default();
        for line in lines {
            if let Some(failure) = line.strip_prefix("not ok ") {
                count.failed.push(format!("{client}: {failure}"));
            } else if line.starts_with("ok ") {
                count.passed += 1;
            } else if let Some(reason) = line.strip_prefix("skipped: ") {
                count.skipped.push(format!("{client}: {reason}"));
            }
        }
        count
    }
}

/// One finished step.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The step's name.
    pub(crate) name: &'static str,
    /// What it counted.
    pub(crate) count: Count,
    /// How long it took.
    pub(crate) took: Duration,
}

/// Prints the table and the closing line; true when nothing failed.
pub(crate) fn print(steps: &[Finished], total: Duration) -> bool {
    let mut sum = Count::default();
    println!(
        "\n{:<34}{:>8}{:>8}{:>9}{:>10}",
        "step", "passed", "failed", "skipped", "seconds"
    );
    for step in steps {
        let Count {
            passed,
            failed,
            skipped,
            ..
        } = &step.count;
        println!(
            "{:<34}{passed:>8}{:>8}{:>9}{:>10.1}",
            step.name,
            failed.len(),
            skipped.len(),
            step.took.as_secs_f64()
        );
        sum.add(step.count.clone());
    }
    println!("{:<34}{:>35.1}", "all steps", total.as_secs_f64());
    let Count {
        passed,
        failed,
        mut skipped,
        ignored,
        ran,
    } = sum;
    let never_ran = ignored.into_iter().filter(|name| !ran.contains(name));
    skipped.extend(never_ran.map(|name| format!("{name}: marked #[ignore]")));
    list("skipped", &skipped);
    list("failed", &failed);
    println!(
        "\n{passed} passed, {} failed, {} skipped",
        failed.len(),
        skipped.len()
    );
    failed.is_empty() && passed > 0
}

fn list(title: &str, names: &[String]) {
    if !names.is_empty() {
        println!("\n{title}:");
        names.iter().for_each(|name| println!("  {name}"));
    }
}

/// `test NAME ... OUTCOME`
fn test_line(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("test ")?.rsplit_once(" ... ")
}

/// The number in front of the first `unit`: 5 in `ok. 5 passed; 0 failed`. 0 when there is none.
pub(crate) fn number_before(text: &str, unit: &str) -> usize {
    let digits = text
        .split(unit)
        .next()
        .and_then(|front| front.split_whitespace().last());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn all_test_binaries_are_added_up_and_failures_named() {
        let output = lines(
            "test a ... ok\ntest b ... FAILED\ntest c ... ignored, slow\n\
             test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured\n\
             test d ... ok\ntest result: ok. 1 passed; 0 failed; 0 ignored",
        );
        let count = Count::of_cargo_test(&output);
        assert_eq!((count.passed, count.failed), (2, vec!["b".to_owned()]));
        assert_eq!(count.ignored, ["c"]);
        assert_eq!(count.ran, ["a", "d"]);
    }

    #[test]
    fn a_test_that_skipped_its_work_is_not_counted_as_passed() {
        let output = lines(
            "test a ... ok\ntest b ... ok\n\nsuccesses:\n\n---- a stdout ----\nskipped: no vectors\n\
             skipped: no vectors\n\nsuccesses:\n    a\n    b\n\ntest result: ok. 2 passed; 0 failed",
        );
        let count = Count::of_cargo_test(&output);
        assert_eq!(
            (count.passed, count.skipped),
            (1, vec!["a: no vectors".to_owned()])
        );
    }

    #[test]
    fn a_failed_program_without_a_failed_test_is_a_failure() {
        let count =
            Count::of_cargo_test(&lines("error: could not compile")).with_exit(false, "unit");
        assert_eq!(count.failed, ["unit"]);
    }

    #[test]
    fn client_cases_are_counted_by_their_first_words() {
        let count = Count::of_cases(
            "go",
            &lines("ok first\nnot ok second: 401\nnoise\nskipped: x"),
        );
        assert_eq!(
            (count.passed, count.failed.len(), count.skipped.len()),
            (1, 1, 1)
        );
        assert_eq!(count.failed, ["go: second: 401"]);
    }
}

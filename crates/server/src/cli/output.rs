//! The one place that writes to the terminal, and the tables that people read.
//!
//! What is printed comes from servers and from tokens that strangers wrote, so everything that could steer a
//! terminal is made visible before it is printed.

use std::io::{self, Write};

use comfy_table::{ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle};
use serde_json::Value;

use super::failure::{DONE, Failure, REFUSED};

/// The widest table, in columns; a narrower terminal makes it narrower.
const WIDTH: u16 = 100;

/// A rule below the header and nothing else.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

/// What a command has to say.
#[derive(Debug)]
pub(crate) struct Answer {
    /// For people.
    text: String,
    /// For programs: what the server answered, where it did.
    json: Value,
    exit_code: u8,
}

impl Answer {
    /// An answer of a command that did its work.
    pub(crate) fn new(text: impl Into<String>, json: Value) -> Self {
        Self {
            text: text.into(),
            json,
            exit_code: DONE,
        }
    }

    /// The same, ending with the code of a refusal.
    pub(crate) fn refused(self) -> Self {
        Self {
            exit_code: REFUSED,
            ..self
        }
    }

    /// What goes to stdout.
    pub(crate) fn render(&self, as_json: bool) -> String {
        if as_json {
            format!("{:#}\n", self.json)
        } else {
            format!("{}\n", self.text.trim_end())
        }
    }

    /// The exit code of the process.
    pub(crate) fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

/// Writes to stdout. Whoever reads it may stop early (`| head`): that is no failure.
pub(crate) fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _closed = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// Writes a line to stderr.
pub(crate) fn note(line: &str) {
    let _closed = writeln!(io::stderr().lock(), "{}", visible(line));
}

/// Writes what went wrong to stderr.
pub(crate) fn report(failure: &Failure) {
    let _closed = writeln!(io::stderr().lock(), "{}", visible_lines(&failure.report()));
}

/// A column of a list: its header and the members (`outer/inner` for a nested one) that may hold its value; the
/// first present one wins.
pub(crate) type Column = (&'static str, &'static [&'static str]);

/// A list as the API gives it, as a table; columns without any value are left out.
///
/// The first column is never broken, so that an ID can be copied.
pub(crate) fn list(answer: &Value, columns: &[Column], empty: &str) -> String {
    let items = answer["items"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if items.is_empty() {
        return empty.to_owned();
    }
    let mut text = rows(items, columns);
    if let Some(cursor) = answer["next_cursor"].as_str() {
        text.push_str(&format!("\n\nThere are more: --cursor {}", visible(cursor)));
    }
    text
}

/// Objects as a table, one a row; columns without any value are left out.
pub(crate) fn rows(items: &[Value], columns: &[Column]) -> String {
    let filled: Vec<&Column> = columns
        .iter()
        .filter(|(_, names)| items.iter().any(|item| !member(item, names).is_empty()))
        .collect();
    let header = filled
        .iter()
        .map(|(title, _)| (*title).to_owned())
        .collect();
    let body = items.iter().map(|item| {
        let cells = filled.iter().map(|(_, names)| member(item, names));
        cells.collect()
    });
    table(header, body.collect())
}

/// Names and values, one pair a row; pairs without a value are left out.
pub(crate) fn pairs(pairs: &[(&str, String)]) -> String {
    let filled: Vec<&(&str, String)> = pairs
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let width = filled
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let lines: Vec<String> = filled
        .iter()
        .map(|(name, value)| format!("{name:width$}  {}", visible(value)))
        .collect();
    lines.join("\n")
}

/// A table with a header, at most [`WIDTH`] columns wide.
pub(crate) fn table(header: Vec<String>, body: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width())
        .set_header(header);
    for row in body {
        table.add_row(row.iter().map(|cell| visible(cell)));
    }
    let last = table.column_count().saturating_sub(1);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == last { 0 } else { 2 }));
        if index == 0 {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.trim_fmt()
}

/// As wide as the terminal, up to [`WIDTH`].
fn width() -> u16 {
    // What the tests compare must not depend on the window in which they run.
    let terminal = if cfg!(test) {
        None
    } else {
        Table::new().width()
    };
    terminal.unwrap_or(WIDTH).min(WIDTH)
}

/// The text of the first of these members that is there.
pub(crate) fn member(item: &Value, names: &[&str]) -> String {
    let mut found = names
        .iter()
        .filter_map(|name| item.pointer(&format!("/{name}")).map(cell));
    found.find(|text| !text.is_empty()).unwrap_or_default()
}

/// An object of any shape: its plain members as pairs, then each nested one as indented JSON.
pub(crate) fn object(value: &Value) -> String {
    let Some(members) = value.as_object() else {
        return cell(value);
    };
    let nested = |value: &Value| match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => items.iter().any(Value::is_object),
        _ => false,
    };
    let plain = members.iter().filter(|(_, value)| !nested(value));
    let plain: Vec<(&str, String)> = plain
        .map(|(name, value)| (name.as_str(), cell(value)))
        .collect();
    let mut text = pairs(&plain);
    for (name, value) in members.iter().filter(|(_, value)| nested(value)) {
        text.push_str(&format!(
            "\n\n{name}:\n{}",
            visible_lines(&format!("{value:#}"))
        ));
    }
    text
}

/// A JSON value as people read it; absent and empty ones are empty.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(members) if members.is_empty() => String::new(),
        Value::Object(_) | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// The text with every character that steers a terminal or turns the reading direction written as an escape.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let steers = character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if steers {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// [`visible`] for a text of several lines.
fn visible_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(visible).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] = &[
        ("ID", &["id"]),
        ("NAME", &["name"]),
        ("OWNER", &["owner"]),
        ("SINCE", &["since", "created_at"]),
    ];

    #[test]
    fn a_list_is_a_plain_table_without_empty_columns() {
        let answer = json!({
            "items": [
                {"id": "ac-1", "name": "payments", "owner": null, "created_at": "2027-01-31T12:00:00Z"},
                {"id": "ac-22", "name": "payroll", "since": "2027-02-01T12:00:00Z"},
            ],
            "next_cursor": "abc",
        });
        assert_eq!(
            list(&answer, COLUMNS, "None."),
            "ID     NAME      SINCE\n\
             ─────────────────────────────────────\n\
             ac-1   payments  2027-01-31T12:00:00Z\n\
             ac-22  payroll   2027-02-01T12:00:00Z\n\n\
             There are more: --cursor abc"
        );
    }

    #[test]
    fn an_empty_list_says_so_in_words() {
        assert_eq!(
            list(&json!({"items": []}), COLUMNS, "None yet."),
            "None yet."
        );
    }

    #[test]
    fn a_table_is_never_wider_than_100_columns_and_never_breaks_its_first_one() {
        let id = "tn-0F6E1A52-A789-42A2-8B0E-2052D05577D7";
        let items = [json!({"id": id, "name": "n".repeat(300)})];
        let text = rows(&items, COLUMNS);
        assert!(
            text.lines().all(|line| line.chars().count() <= 100),
            "{text}"
        );
        assert!(text.contains(id));
    }

    #[test]
    fn nothing_printed_can_steer_the_terminal() {
        let text = rows(&[json!({"id": "a\u{1b}[2Jb\u{202e}c\nd"})], COLUMNS);
        assert!(text.contains(r"a\u{1b}[2Jb\u{202e}c\nd"), "{text}");
        assert!(!pairs(&[("iss", "\u{7}".to_owned())]).contains('\u{7}'));
    }

    #[test]
    fn pairs_are_aligned_and_empty_ones_are_left_out() {
        let shown = pairs(&[
            ("id", "ac-1".to_owned()),
            ("owner", String::new()),
            ("status", "ACTIVE".to_owned()),
        ]);
        assert_eq!(shown, "id      ac-1\nstatus  ACTIVE");
    }

    #[test]
    fn an_object_shows_its_plain_members_first() {
        let value = json!({"after": {"name": "n"}, "kind": "oidc_config.edit", "tags": ["a", "b"]});
        assert_eq!(
            object(&value),
            "kind  oidc_config.edit\ntags  a, b\n\nafter:\n{\n  \"name\": \"n\"\n}"
        );
    }

    #[test]
    fn a_nested_member_can_fill_a_column() {
        assert_eq!(
            member(
                &json!({"detail": {"reason": "x"}}),
                &["reason", "detail/reason"]
            ),
            "x"
        );
    }

    #[test]
    fn json_is_for_programs_and_text_is_for_people() {
        let answer = Answer::new("text\n", json!({"a": 1}));
        assert_eq!(answer.render(false), "text\n");
        assert_eq!(answer.render(true), "{\n  \"a\": 1\n}\n");
        assert_eq!(answer.refused().exit_code(), REFUSED);
    }
}

//! PEM armour (RFC 7468), read as people paste it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::refusal::ImportRefusal;
use super::text::{Repair, Repairs, lines};

/// One block between BEGIN and END.
pub(super) struct Block {
    /// The label, when there was a BEGIN or an END line.
    pub(super) label: String,
    /// The decoded content.
    pub(super) octets: Zeroizing<Vec<u8>>,
}

/// A BEGIN or END line, or what is left of it.
struct Marker<'a> {
    is_begin: bool,
    label: &'a str,
    start: usize,
    end: usize,
}

/// Dashes that word processors put where a hyphen was.
const DASHES: [char; 3] = ['-', '\u{2013}', '\u{2014}'];

/// Whether the text has at least one BEGIN or END line.
pub(super) fn is_armoured(text: &str) -> bool {
    !markers(text, &mut Repairs::default()).is_empty()
}

/// Reads the blocks of an armoured text. At least one is returned.
pub(super) fn blocks(text: &str, repairs: &mut Repairs) -> Result<Vec<Block>, ImportRefusal> {
    let markers = markers(text, repairs);
    let mut blocks = Vec::new();
    let mut outside = 0;
    let mut rest = markers.as_slice();
    while let Some((first, after)) = rest.split_first() {
        let (body, next, following) = match after.split_first() {
            Some((second, following)) if first.is_begin && !second.is_begin => {
                if second.label != first.label {
                    repairs.note(Repair::DamagedArmour);
                }
                (first.end..second.start, second.end, following)
            }
            // Half of the armour is missing; where the key ends is known only when nothing else follows.
            None => {
                repairs.note(Repair::MissingArmour);
                match first.is_begin {
                    true => (first.end..text.len(), text.len(), after),
                    false => (outside..first.start, first.end, after),
                }
            }
            Some(_) => return Err(ImportRefusal::PemMalformed),
        };
        if first.is_begin && !text[outside..first.start].trim().is_empty() {
            repairs.note(Repair::SurroundingText);
        }
        if first.is_begin && !is_at_line_end(&text[first.end..]) {
            repairs.note(Repair::LineBreaks);
        }
        blocks.push(Block {
            label: first.label.to_owned(),
            octets: decode(&text[body], repairs)?,
        });
        outside = next;
        rest = following;
    }
    if !text[outside..].trim().is_empty() {
        repairs.note(Repair::SurroundingText);
    }
    Ok(blocks)
}

fn is_at_line_end(text: &str) -> bool {
    let rest = text.trim_start_matches([' ', '\t']);
    rest.is_empty() || rest.starts_with(['\n', '\r'])
}

fn decode(body: &str, repairs: &mut Repairs) -> Result<Zeroizing<Vec<u8>>, ImportRefusal> {
    from_base64(&lines(body, repairs).concat()).ok_or(ImportRefusal::PemMalformed)
}

/// Decodes standard base64, spaces ignored. `None` when it is anything else, also with wrong padding.
pub(super) fn from_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    // Reserved beforehand: a growing buffer would leave copies behind.
    let mut compact = Zeroizing::new(String::with_capacity(text.len()));
    compact.extend(text.chars().filter(|c| !c.is_ascii_whitespace()));
    STANDARD.decode(compact.as_bytes()).ok().map(Zeroizing::new)
}

fn markers<'a>(text: &'a str, repairs: &mut Repairs) -> Vec<Marker<'a>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(dash) = text[from..].find(DASHES).map(|offset| from + offset) {
        from = match marker_at(text, dash, repairs) {
            Some(marker) => {
                let end = marker.end;
                found.push(marker);
                end
            }
            None => {
                let run = text[dash..].len() - text[dash..].trim_start_matches(DASHES).len();
                dash + run
            }
        };
    }
    found
}

/// A marker that begins with the dash at `start`.
fn marker_at<'a>(text: &'a str, start: usize, repairs: &mut Repairs) -> Option<Marker<'a>> {
    let line = &text[start..];
    let words = line.trim_start_matches(DASHES);
    let opening = &line[..line.len() - words.len()];
    let words = words.trim_start_matches(' ');
    let (is_begin, label_on) = match (words.strip_prefix("BEGIN "), words.strip_prefix("END ")) {
        (Some(label), _) => (true, label),
        (None, Some(label)) => (false, label),
        (None, None) => return None,
    };
    let is_label = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' ';
    let after = label_on.trim_start_matches(is_label);
    let label = &label_on[..label_on.len() - after.len()];
    let rest = after.trim_start_matches(DASHES);
    let closing = &after[..after.len() - rest.len()];
    let is_line_end = closing.is_empty() && (after.is_empty() || after.starts_with(['\n', '\r']));
    if closing.is_empty() && !is_line_end {
        return None;
    }
    if opening != "-----" || closing != "-----" || words.len() < line.len() - opening.len() {
        repairs.note(Repair::DamagedArmour);
    }
    Some(Marker {
        is_begin,
        label: label.trim(),
        start,
        end: text.len() - rest.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<(String, Vec<u8>)>, Vec<Repair>) {
        let mut repairs = Repairs::default();
        let blocks = blocks(text, &mut repairs).unwrap();
        let blocks = blocks
            .into_iter()
            .map(|block| (block.label, block.octets.to_vec()));
        (blocks.collect(), repairs.into_sorted())
    }

    #[test]
    fn armour_is_read_as_it_was_meant() {
        use Repair::*;
        for (text, repair) in [
            ("-----BEGIN A B-----\nAQID\n-----END A B-----", vec![]),
            ("-----BEGIN A B-----\nAQ\nID\n-----END A B-----\n", vec![]),
            ("-----BEGIN A B-----AQID-----END A B-----", vec![LineBreaks]),
            (
                "-----BEGIN A B----- AQ ID -----END A B-----",
                vec![Indentation, LineBreaks],
            ),
            (
                "----BEGIN A B-----\nAQID\n-----END A B-----",
                vec![DamagedArmour],
            ),
            (
                "-----BEGIN A B-----\nAQID\n-----END A C-----",
                vec![DamagedArmour],
            ),
            (
                "\u{2014}BEGIN A B\u{2014}\nAQID\n-----END A B-----",
                vec![DamagedArmour],
            ),
            (
                "-----BEGIN A B\nAQID\n-----END A B-----",
                vec![DamagedArmour],
            ),
            ("-----BEGIN A B-----\nAQID", vec![MissingArmour]),
            ("AQID\n-----END A B-----", vec![MissingArmour]),
            (
                "x=y\n-----BEGIN A B-----\nAQID\n-----END A B-----\nz",
                vec![SurroundingText],
            ),
        ] {
            let block = ("A B".to_owned(), vec![1, 2, 3]);
            assert_eq!(read(text), (vec![block], repair), "{text}");
        }
    }

    #[test]
    fn several_blocks_are_told_apart() {
        let text =
            "-----BEGIN A-----\nAQID\n-----END A-----\n-----BEGIN B-----\nBA==\n-----END B-----\n";
        let (blocks, repairs) = read(text);
        assert_eq!(
            blocks,
            [("A".to_owned(), vec![1, 2, 3]), ("B".to_owned(), vec![4])]
        );
        assert_eq!(repairs, []);
    }

    #[test]
    fn damaged_base64_is_refused() {
        for body in [
            "AQI",
            "AQ_D",
            "AQID=",
            "Proc-Type: 4\n\nAQID",
            "AB==AQID",
            "AQJ==",
        ] {
            let text = format!("-----BEGIN A-----\n{body}\n-----END A-----\n");
            let refusal = blocks(&text, &mut Repairs::default()).err();
            assert_eq!(refusal, Some(ImportRefusal::PemMalformed), "{body}");
        }
    }
}

//! The text form of an SSHSIG: base64 between two lines.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::SshSignatureRefusal;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
/// Characters in a line, as OpenSSH writes them.
const WIDTH: usize = 70;
/// Octets of the text; more than what it can hold needs.
const MAX_TEXT: usize = 8 * 1024;

/// The octets inside the armour; input that does not begin with one is taken as it is.
pub(super) fn remove(input: &[u8]) -> Result<Cow<'_, [u8]>, SshSignatureRefusal> {
    if input.len() > MAX_TEXT {
        return Err(SshSignatureRefusal::TooLong);
    }
    if !input.trim_ascii_start().starts_with(BEGIN.as_bytes()) {
        return Ok(Cow::Borrowed(input));
    }
    let text = std::str::from_utf8(input).map_err(|_| SshSignatureRefusal::Malformed)?;
    let body = text
        .trim()
        .strip_prefix(BEGIN)
        .and_then(|rest| rest.strip_suffix(END))
        .ok_or(SshSignatureRefusal::Malformed)?;
    let base64: String = body.lines().map(str::trim_ascii_end).collect();
    STANDARD
        .decode(base64)
        .map(Cow::Owned)
        .map_err(|_| SshSignatureRefusal::Malformed)
}

/// Puts octets into armour, with a line end behind it.
pub(super) fn put_on(octets: &[u8]) -> String {
    let base64 = STANDARD.encode(octets);
    let mut text = format!("{BEGIN}\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(WIDTH));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(END);
    text.push('\n');
    text
}

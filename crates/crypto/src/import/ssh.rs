//! OpenSSH public key lines (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4): `type base64 comment`.

use super::refusal::ImportRefusal;
use super::text::{Repair, Repairs};
use super::{ImportedKey, KeyFormat, armour, components, spki};
use crate::ssh::wire::field;
use crate::{KeyKind, PublicKey};

/// Whether a line begins with the name of an SSH key type.
pub(super) fn is_key_line(line: &str) -> bool {
    let name = line.split_whitespace().next().unwrap_or_default();
    name.starts_with("ssh-") || name.starts_with("ecdsa-sha2-") || name.starts_with("sk-")
}

/// Whether decoded octets begin with the name of an SSH key type, as the middle field of a line does.
pub(super) fn is_wire_key(octets: &[u8]) -> bool {
    let mut wire = octets;
    field(&mut wire)
        .and_then(|name| std::str::from_utf8(name).ok())
        .is_some_and(is_key_line)
}

/// Reads the lines of one key: a line that was broken by a terminal is put together again.
pub(super) fn import_lines(
    lines: &[&str],
    repairs: &mut Repairs,
) -> Result<ImportedKey, ImportRefusal> {
    let lines: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| !line.starts_with('#'))
        .collect();
    if lines.iter().filter(|line| is_key_line(line)).count() > 1 {
        return Err(ImportRefusal::KeysSeveral);
    }
    if lines.len() > 1 {
        repairs.note(Repair::LineBreaks);
    }
    let line = lines.concat();
    let mut words = line.split_whitespace();
    let (name, blob) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let wire = armour::from_base64(blob).ok_or(ImportRefusal::SshKeyMalformed)?;
    let key = import_wire(&wire, Some(name))?;
    Ok(ImportedKey {
        key,
        algorithm: None,
        kid: None,
        format: KeyFormat::Ssh,
        certificate: None,
    })
}

/// Reads the wire format. `expected` is the type in front of it, when there was one.
pub(crate) fn import_wire(
    mut wire: &[u8],
    expected: Option<&str>,
) -> Result<PublicKey, ImportRefusal> {
    let name = required(&mut wire)?;
    if expected.is_some_and(|expected| expected.as_bytes() != name) {
        return Err(ImportRefusal::SshKeyMalformed);
    }
    match name {
        b"ssh-rsa" => {
            let (e, n) = (required(&mut wire)?, required(&mut wire)?);
            refuse_rest(wire)?;
            components::rsa(spki::unsigned(n)?, spki::unsigned(e)?)
        }
        b"ssh-ed25519" => {
            let point = required(&mut wire)?;
            refuse_rest(wire)?;
            components::ed25519(point)
        }
        b"ecdsa-sha2-nistp256" => import_ecdsa(wire, b"nistp256", KeyKind::P256, 32),
        b"ecdsa-sha2-nistp384" => import_ecdsa(wire, b"nistp384", KeyKind::P384, 48),
        b"ecdsa-sha2-nistp521" => import_ecdsa(wire, b"nistp521", KeyKind::P521, 66),
        _ => Err(ImportRefusal::SshKeyTypeUnsupported),
    }
}

fn import_ecdsa(
    mut wire: &[u8],
    curve: &[u8],
    kind: KeyKind,
    coordinate: usize,
) -> Result<PublicKey, ImportRefusal> {
    let (name, point) = (required(&mut wire)?, required(&mut wire)?);
    if name != curve {
        return Err(ImportRefusal::SshKeyMalformed);
    }
    refuse_rest(wire)?;
    spki::import_point(kind, coordinate, point)
}

fn refuse_rest(wire: &[u8]) -> Result<(), ImportRefusal> {
    match wire.is_empty() {
        true => Ok(()),
        false => Err(ImportRefusal::SshKeyMalformed),
    }
}

fn required<'a>(wire: &mut &'a [u8]) -> Result<&'a [u8], ImportRefusal> {
    field(wire).ok_or(ImportRefusal::SshKeyMalformed)
}

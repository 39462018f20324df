//! Backup and restore: every table as lines of JSON, read in one consistent transaction.
//!
//! The format is the same for both databases, so that an instance can also move from one to the other. Private keys in
//! it stay sealed under the master key, which is not part of it. The whole file is covered by a digest keyed with the
//! master key: only the instance that wrote it, or one with its key, takes it back, and only as it was written.

use std::io::{BufRead, Write};

use countersign_crypto::{Digest32, MacKey, sha256};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::database::{Arg, Row, SCHEMA_VERSION};
use crate::organizations::same;
use crate::{Store, StoreError, Transaction, Unit};

/// The first line of a backup.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: String,
    schema: i64,
    /// Names the master key without revealing anything about it, so that another one is told apart from damage.
    key: String,
}

/// The last line of a backup: without it, the file was cut off.
#[derive(Debug, Serialize, Deserialize)]
struct Footer {
    rows: u64,
    sha256: String,
    /// Keyed digest of everything before.
    mac: String,
}

const FORMAT: &str = "countersign-backup-1";

/// What a backup or a restore moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupSummary {
    /// How many rows.
    pub rows: u64,
}

#[derive(Clone, Copy)]
enum Kind {
    Blob,
    Int,
    OptBlob,
    OptInt,
    OptText,
    Text,
}

/// A table with its columns, in an order that satisfies the foreign keys.
struct Table {
    name: &'static str,
    select: &'static str,
    insert: &'static str,
    columns: &'static [(&'static str, Kind)],
}

/// Declares a table: its columns, and the two statements, written once.
macro_rules! table {
    ($name:literal, $order:literal, [$($column:literal $kind:ident),+ $(,)?], $places:literal) => {
        Table {
            name: $name,
            select: concat!("SELECT * FROM ", $name, " ORDER BY ", $order, " LIMIT $1 OFFSET $2"),
            insert: concat!("INSERT INTO ", $name, " (", table!(@list $($column),+), ") VALUES (", $places, ")"),
            columns: &[$(($column, Kind::$kind)),+],
        }
    };
    (@list $first:literal $(, $rest:literal)*) => { concat!($first $(, ", ", $rest)*) };
}

/// Everything but `issuances`, `feed`, and answers kept for repeated requests, which do not outlive the instance that
/// gave them. Entries of `activity` keep their order, not their places.
const TABLES: [Table; 11] = [
    table!("instance", "name", ["name" Text, "value" Text], "$1, $2"),
    table!("change_requests", "tenant_id, number", [
        "tenant_id" Text, "number" Int, "id" Text, "kind" Text, "class" Text, "target" Text, "envelope" Text,
        "change_digest" Text, "maker" Text, "state" Text, "submitted_at" Int, "expires_at" Int, "closed_at" OptInt,
        "close_reason" OptText, "mac" Blob,
    ], "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15"),
    table!("versions", "tenant_id, target, version", [
        "tenant_id" Text, "target" Text, "version" Int, "state" Text, "digest" Text, "change_number" Int,
        "applied_at" Int, "position" Int, "mac" Blob,
    ], "$1, $2, $3, $4, $5, $6, $7, $8, $9"),
    table!("version_heads", "tenant_id", [
        "tenant_id" Text, "applied" Int, "mac" Blob,
    ], "$1, $2, $3"),
    table!("organizations", "tenant_id", [
        "tenant_id" Text, "version" Int, "change_number" Int, "state" Text, "mac" Blob, "created_at" Int,
        "updated_at" Int,
    ], "$1, $2, $3, $4, $5, $6, $7"),
    table!("configurations", "tenant_id, id", [
        "tenant_id" Text, "id" Text, "version" Int, "change_number" Int, "status" Text, "auth_type" Text,
        "issuer" Text, "subject" Text, "audience" Text, "state" Text, "mac" Blob, "created_at" Int, "updated_at" Int,
    ], "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13"),
    table!("registered_keys", "fingerprint", [
        "fingerprint" Text, "tenant_id" Text, "configuration_id" Text, "modulus" OptBlob, "rsa_place" OptInt,
        "registered_at" Int, "mac" Blob,
    ], "$1, $2, $3, $4, $5, $6, $7"),
    table!("signing_keys", "tenant_id, kid", [
        "tenant_id" Text, "kid" Text, "algorithm" Text, "state" Text, "since" Int, "public_key" Text,
        "sealed" OptBlob, "created_at" Int, "mac" Blob,
    ], "$1, $2, $3, $4, $5, $6, $7, $8, $9"),
    table!("api_tokens", "id", [
        "id" Text, "digest" Text, "name" Text, "tenant_id" OptText, "role" Text, "created_at" Int, "expires_at" Int,
        "revoked_at" OptInt, "mac" Blob,
    ], "$1, $2, $3, $4, $5, $6, $7, $8, $9"),
    table!("revoked_tokens", "tenant_id, jti", [
        "tenant_id" Text, "jti" Text, "expires_at" Int, "revoked_at" Int,
    ], "$1, $2, $3, $4"),
    table!("activity", "id", [
        "tenant_id" Text, "at" Int, "kind" Text, "correlation_id" Text, "actor" Text, "detail" Text,
    ], "$1, $2, $3, $4, $5, $6"),
];

/// Rows read at a time.
const CHUNK: i64 = 5000;

/// Writes a backup, consistent as of one moment, while the instance serves.
///
/// The record of issuances is not part of it: after a restore, every assertion made before it is refused, and every
/// access token issued before it is unknown.
///
/// # Errors
/// When the database is unavailable or `out` cannot be written.
pub async fn write_backup(
    store: &Store,
    out: &mut impl Write,
) -> Result<BackupSummary, StoreError> {
    let mut tx = store.database().read().await?;
    let mut rows = 0;
    let header = Header {
        format: FORMAT.into(),
        schema: SCHEMA_VERSION,
        key: key_name(&store.row_key),
    };
    let header = to_line(&header)?;
    let mut digest = sha256(&[header.as_bytes()]);
    write_text(out, &header)?;
    for table in &TABLES {
        let mut offset = 0;
        loop {
            let chunk = tx
                .fetch_all(table.select, vec![Arg::Int(CHUNK), Arg::Int(offset)])
                .await?;
            for row in &chunk {
                let line = serde_json::json!({"table": table.name, "row": to_json(table, row)?})
                    .to_string();
                digest = sha256(&[digest.as_bytes(), line.as_bytes()]);
                write_text(out, &line)?;
                rows += 1;
            }
            offset += CHUNK;
            if chunk.len() < usize::try_from(CHUNK).unwrap_or(usize::MAX) {
                break;
            }
        }
    }
    let footer = Footer {
        rows,
        sha256: digest.to_string(),
        mac: file_mac(&store.row_key, digest, rows),
    };
    write_text(out, &to_line(&footer)?)?;
    out.flush().map_err(unwritable)?;
    Ok(BackupSummary { rows })
}

/// Reads a backup into an empty database, as part of a use case: all of it or nothing, together with what marks the
/// database as restored.
///
/// # Errors
/// [`StoreError::Backup`] when the file is damaged, cut off or forged, or was written under another master key or by
/// another version; otherwise when the database is not empty or is unavailable.
pub async fn read_backup(
    unit: &mut Unit,
    input: &mut impl BufRead,
) -> Result<BackupSummary, StoreError> {
    let tx = &mut unit.tx;
    refuse_unless_empty(tx).await?;
    let mut lines = input.lines();
    let header = next_line(&mut lines)?;
    check_header(&header, &unit.row_key)?;
    let (mut rows, mut digest) = (0, sha256(&[header.as_bytes()]));
    loop {
        let line = next_line(&mut lines)?;
        let value: Value = parse(&line)?;
        let Some(name) = value.get("table").and_then(Value::as_str) else {
            let footer: Footer = parse(&line)?;
            check_footer(&footer, &unit.row_key, digest, rows)?;
            break;
        };
        let table = TABLES
            .iter()
            .find(|table| table.name == name)
            .ok_or_else(|| damaged("unknown table"))?;
        let row = value
            .get("row")
            .and_then(Value::as_object)
            .ok_or_else(|| damaged("a row is missing"))?;
        tx.execute(table.insert, from_json(table, row)?).await?;
        digest = sha256(&[digest.as_bytes(), line.as_bytes()]);
        rows += 1;
    }
    Ok(BackupSummary { rows })
}

/// Whether this program and this master key can take the backup, judged by its first line.
fn check_header(line: &str, row_key: &MacKey) -> Result<(), StoreError> {
    let written: Value = parse(line)?;
    if written.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err(damaged("it is not a Countersign backup"));
    }
    let header: Header = parse(line)?;
    if header.schema > SCHEMA_VERSION {
        return Err(StoreError::DatabaseIsNewer {
            found: header.schema,
            known: SCHEMA_VERSION,
        });
    }
    if header.schema < SCHEMA_VERSION {
        return Err(damaged(
            "an older version wrote it; restore it with that version, upgrade, and make a new backup",
        ));
    }
    if header.key != key_name(row_key) {
        return Err(damaged(
            "the master key is not the one that it was made with: give the right one (the file master.key of the data \
             directory, COUNTERSIGN_MASTER_KEY, or the systemd credential)",
        ));
    }
    Ok(())
}

fn check_footer(
    footer: &Footer,
    row_key: &MacKey,
    digest: Digest32,
    rows: u64,
) -> Result<(), StoreError> {
    if footer.rows != rows || footer.sha256 != digest.to_string() {
        return Err(damaged("its checksum does not match"));
    }
    let made = file_mac(row_key, digest, rows);
    if !same(made.as_bytes(), footer.mac.as_bytes()) {
        return Err(damaged(
            "it was changed by somebody who does not have the master key",
        ));
    }
    Ok(())
}

/// What the master key is called in a backup.
fn key_name(row_key: &MacKey) -> String {
    let name = row_key.tag(&[b"backup key name"]);
    hex(&name[..8])
}

fn file_mac(row_key: &MacKey, digest: Digest32, rows: u64) -> String {
    hex(&row_key.tag(&[b"backup", digest.as_bytes(), &rows.to_be_bytes()]))
}

async fn refuse_unless_empty(tx: &mut Transaction) -> Result<(), StoreError> {
    let row = tx
        .fetch_optional("SELECT tenant_id FROM organizations LIMIT 1", vec![])
        .await?;
    if row.is_some() {
        return Err(StoreError::Unavailable(
            "the database is not empty; restore into a new data directory".into(),
        ));
    }
    tx.execute("DELETE FROM instance", vec![]).await?;
    tx.execute("DELETE FROM api_tokens", vec![]).await?;
    Ok(())
}

fn to_line(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| damaged("a row cannot be written"))
}

fn write_text(out: &mut impl Write, line: &str) -> Result<(), StoreError> {
    out.write_all(line.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .map_err(unwritable)
}

#[expect(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn unwritable(error: std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("the backup file: {error}"))
}

fn damaged(what: &str) -> StoreError {
    StoreError::Backup(what.to_owned())
}

fn next_line(
    lines: &mut impl Iterator<Item = std::io::Result<String>>,
) -> Result<String, StoreError> {
    lines
        .next()
        .ok_or_else(|| damaged("it is cut off"))?
        .map_err(|_| damaged("it is not text"))
}

fn parse<T: for<'de> Deserialize<'de>>(line: &str) -> Result<T, StoreError> {
    serde_json::from_str(line).map_err(|_| damaged("a line is not what a backup contains"))
}

fn to_json(table: &Table, row: &Row) -> Result<Value, StoreError> {
    let mut members = Map::new();
    for (name, kind) in table.columns {
        let value = match kind {
            Kind::Blob => Value::from(hex(&row.blob(name)?)),
            Kind::Int => Value::from(row.int(name)?),
            Kind::OptBlob => Value::from(row.opt_blob(name)?.map(|bytes| hex(&bytes))),
            Kind::OptInt => Value::from(row.opt_int(name)?),
            Kind::OptText => Value::from(row.opt_text(name)?),
            Kind::Text => Value::from(row.text(name)?),
        };
        members.insert((*name).to_owned(), value);
    }
    Ok(Value::Object(members))
}

fn from_json(table: &Table, row: &Map<String, Value>) -> Result<Vec<Arg>, StoreError> {
    let wrong = || damaged("a column has the wrong type");
    let mut args = Vec::with_capacity(table.columns.len());
    for (name, kind) in table.columns {
        let value = row.get(*name).ok_or_else(wrong)?;
        let text = || value.as_str().map(str::to_owned).ok_or_else(wrong);
        args.push(match (kind, value) {
            (Kind::OptBlob, Value::Null) => Arg::OptBlob(None),
            (Kind::OptInt, Value::Null) => Arg::OptInt(None),
            (Kind::OptText, Value::Null) => Arg::OptText(None),
            (Kind::Blob, _) => Arg::Blob(unhex(&text()?).ok_or_else(wrong)?),
            (Kind::OptBlob, _) => Arg::OptBlob(Some(unhex(&text()?).ok_or_else(wrong)?)),
            (Kind::Int, _) => Arg::Int(value.as_i64().ok_or_else(wrong)?),
            (Kind::OptInt, _) => Arg::OptInt(Some(value.as_i64().ok_or_else(wrong)?)),
            (Kind::OptText, _) => Arg::OptText(Some(text()?)),
            (Kind::Text, _) => Arg::Text(text()?),
        });
    }
    Ok(args)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

//! Kept answers: a repeated request gets the first answer again, never a second effect.

use countersign_crypto::MacKey;
use countersign_domain::time::UnixTime;

use crate::database::{Row, args};
use crate::organizations::same;
use crate::{StoreError, Unit};

const TABLE: &str = "idempotent_answers";

/// How long an answer is kept for a repeated request, in seconds. At every second it is either found, or can be
/// replaced and forgotten.
const KEEP: i64 = 86_400;

/// Who repeats which request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The API token.
    pub caller: String,
    /// The `Idempotency-Key` header.
    pub key: String,
    /// SHA-256 of method, path and body, hexadecimal.
    pub request_digest: String,
}

/// An answer that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The digest of the request that it answers.
    pub request_digest: String,
    /// The answer, as whoever gave it wrote it down.
    pub answer: String,
}

impl Unit {
    /// The answer that is kept for this caller and key at `now`.
    ///
    /// # Errors
    /// When the database is unavailable, or the row cannot be believed.
    pub async fn kept_answer(
        &mut self,
        key: &IdempotencyKey,
        now: UnixTime,
    ) -> Result<Option<KeptAnswer>, StoreError> {
        let row = self
            .tx
            .fetch_optional(
                "SELECT caller, idempotency_key, request_digest, answer, created_at, mac FROM idempotent_answers
                 WHERE caller = $1 AND idempotency_key = $2 AND created_at > $3",
                args![key.caller.clone(), key.key.clone(), now.plus(-KEEP).seconds()],
            )
            .await?;
        row.map(|row| AnswerRow::proven(&row, &self.row_key))
            .transpose()
    }

    /// Keeps an answer; part of the transaction that has the effect, so that there is one exactly when there is the other.
    ///
    /// # Errors
    /// [`StoreError::Collision`] when a parallel request with the same key was first, or the database is unavailable.
    pub async fn keep_answer(
        &mut self,
        key: &IdempotencyKey,
        answer: &str,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let new = AnswerRow {
            caller: key.caller.clone(),
            key: key.key.clone(),
            request_digest: key.request_digest.clone(),
            answer: answer.to_owned(),
            created_at: now.seconds(),
            stored: Vec::new(),
        };
        let mac = new.mac(&self.row_key);
        self.tx
            .execute_one(
                "INSERT INTO idempotent_answers
                    (caller, idempotency_key, request_digest, answer, created_at, mac)
                 VALUES ($1, $2, $3, $4, $5, $7)
                 ON CONFLICT (caller, idempotency_key) DO UPDATE
                 SET request_digest = excluded.request_digest, answer = excluded.answer,
                     created_at = excluded.created_at, mac = excluded.mac
                 WHERE idempotent_answers.created_at <= $6",
                args![
                    new.caller,
                    new.key,
                    new.request_digest,
                    new.answer,
                    new.created_at,
                    now.plus(-KEEP).seconds(),
                    mac,
                ],
            )
            .await
    }

    /// Forgets answers that are no longer kept at `now`.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn forget_answers(&mut self, now: UnixTime) -> Result<u64, StoreError> {
        self.tx
            .execute(
                "DELETE FROM idempotent_answers WHERE created_at <= $1",
                args![now.plus(-KEEP).seconds()],
            )
            .await
    }
}

/// A row as it is stored.
struct AnswerRow {
    caller: String,
    key: String,
    request_digest: String,
    answer: String,
    created_at: i64,
    stored: Vec<u8>,
}

impl AnswerRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            caller: row.text("caller")?,
            key: row.text("idempotency_key")?,
            request_digest: row.text("request_digest")?,
            answer: row.text("answer")?,
            created_at: row.int("created_at")?,
            stored: row.blob("mac")?,
        })
    }

    fn mac(&self, key: &MacKey) -> Vec<u8> {
        let parts: [&[u8]; 6] = [
            b"kept answer",
            self.caller.as_bytes(),
            self.key.as_bytes(),
            self.request_digest.as_bytes(),
            self.answer.as_bytes(),
            &self.created_at.to_be_bytes(),
        ];
        key.tag(&parts).to_vec()
    }

    fn proven(row: &Row, key: &MacKey) -> Result<KeptAnswer, StoreError> {
        let row = Self::read(row)?;
        let corrupt = |column| StoreError::corrupt(TABLE, column, &row.key);
        if !same(&row.mac(key), &row.stored) {
            return Err(corrupt("mac"));
        }
        Ok(KeptAnswer {
            request_digest: row.request_digest,
            answer: row.answer,
        })
    }
}

//! Kept answers: a repeated request gets the first answer again, never a second effect.

use countersign_domain::time::UnixTime;

use crate::database::args;
use crate::{StoreError, Unit};

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
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Unit {
    /// The answer kept for this caller and key.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn kept_answer(
        &mut self,
        key: &IdempotencyKey,
        after: UnixTime,
    ) -> Result<Option<KeptAnswer>, StoreError> {
        let row = self
            .tx
            .fetch_optional(
                "SELECT request_digest, status, body FROM idempotent_answers
                 WHERE caller = $1 AND idempotency_key = $2 AND created_at > $3",
                args![key.caller.clone(), key.key.clone(), after.seconds()],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let status = u16::try_from(row.int("status")?)
            .map_err(|_| StoreError::corrupt("idempotent_answers", "status", &key.key))?;
        Ok(Some(KeptAnswer {
            request_digest: row.text("request_digest")?,
            status,
            body: row.text("body")?,
        }))
    }

    /// Keeps an answer; part of the transaction that has the effect, so that there is one exactly when there is the other.
    ///
    /// # Errors
    /// [`StoreError::Collision`] when a parallel request with the same key was first, or the database is unavailable.
    pub async fn keep_answer(
        &mut self,
        key: &IdempotencyKey,
        status: u16,
        body: &str,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        self.tx
            .execute_one(
                "INSERT INTO idempotent_answers (caller, idempotency_key, request_digest, status, body, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (caller, idempotency_key) DO UPDATE
                 SET request_digest = excluded.request_digest, status = excluded.status, body = excluded.body,
                     created_at = excluded.created_at
                 WHERE idempotent_answers.created_at <= $7",
                args![
                    key.caller.clone(),
                    key.key.clone(),
                    key.request_digest.clone(),
                    i64::from(status),
                    body,
                    now.seconds(),
                    now.plus(-86_400).seconds(),
                ],
            )
            .await
    }

    /// Forgets answers given before `before`.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn forget_answers(&mut self, before: UnixTime) -> Result<u64, StoreError> {
        self.tx
            .execute(
                "DELETE FROM idempotent_answers WHERE created_at < $1",
                args![before.seconds()],
            )
            .await
    }
}

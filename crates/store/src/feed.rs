//! What other nodes must look at again, in commit order.

use countersign_domain::ids::TenantId;
use countersign_domain::time::UnixTime;

use crate::database::args;
use crate::{StoreError, Unit, from_int, to_int};

/// What kind of thing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A configuration; the subject is its ID.
    Configuration,
    /// The organization itself.
    Organization,
    /// An access token was revoked; the subject is its `jti`.
    Revocation,
    /// The organization's signing keys.
    SigningKeys,
}

impl Topic {
    const ALL: [Self; 4] = [
        Self::Configuration,
        Self::Organization,
        Self::Revocation,
        Self::SigningKeys,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Organization => "organization",
            Self::Revocation => "revocation",
            Self::SigningKeys => "signing_keys",
        }
    }
}

/// One entry of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedEvent {
    /// Its place in commit order.
    pub position: u64,
    /// The organization concerned.
    pub tenant_id: TenantId,
    /// What kind of thing changed.
    pub topic: Topic,
    /// Which one.
    pub subject: String,
}

/// What a follower finds after its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedPage {
    /// The next entries, in order and without a hole between them and the position.
    Events(Vec<FeedEvent>),
    /// Entries that the follower has not seen are gone: it must look at everything again, and go on from here.
    Gap {
        /// The position of the newest entry.
        position: u64,
    },
}

impl Unit {
    /// Announces a change. Positions are handed out under a row lock, so no reader can miss one that commits late.
    pub(crate) async fn announce(
        &mut self,
        tenant_id: TenantId,
        topic: Topic,
        subject: &str,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        self.tx
            .execute_one(
                "UPDATE feed_head SET position = position + 1 WHERE id = 1",
                args![],
            )
            .await?;
        self.tx
            .execute_one(
                "INSERT INTO feed (position, tenant_id, topic, subject, at)
                 SELECT position, $1, $2, $3, $4 FROM feed_head WHERE id = 1",
                args![
                    tenant_id.to_string(),
                    topic.as_str(),
                    subject,
                    now.seconds()
                ],
            )
            .await?;
        if matches!(self.tx, crate::Transaction::Postgres(_)) {
            self.tx
                .fetch_all("SELECT pg_notify('countersign_feed', '')", args![])
                .await?;
        }
        Ok(())
    }

    /// The position of the newest entry.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn feed_position(&mut self) -> Result<u64, StoreError> {
        let row = self
            .tx
            .fetch_optional("SELECT position FROM feed_head WHERE id = 1", args![])
            .await?;
        let row = row.ok_or_else(|| StoreError::corrupt("feed_head", "id", 1))?;
        from_int(row.int("position")?, "feed_head", "position")
    }

    /// Up to `limit` entries after a position, in order.
    ///
    /// # Errors
    /// When the database is unavailable, or an entry cannot be read.
    pub async fn feed_after(
        &mut self,
        position: u64,
        limit: u32,
    ) -> Result<Vec<FeedEvent>, StoreError> {
        let rows = self
            .tx
            .fetch_all(
                "SELECT position, tenant_id, topic, subject FROM feed
                 WHERE position > $1 ORDER BY position LIMIT $2",
                args![to_int(position), i64::from(limit)],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let position = row.int("position")?;
                let topic = row.text("topic")?;
                Ok(FeedEvent {
                    position: from_int(position, "feed", "position")?,
                    tenant_id: row
                        .text("tenant_id")?
                        .parse()
                        .map_err(|_| StoreError::corrupt("feed", "tenant_id", position))?,
                    topic: Topic::ALL
                        .into_iter()
                        .find(|known| known.as_str() == topic)
                        .ok_or_else(|| StoreError::corrupt("feed", "topic", position))?,
                    subject: row.text("subject")?,
                })
            })
            .collect()
    }

    /// Up to `limit` entries after a position that a follower has reached, or that some of them are gone: forgotten,
    /// because it was away for too long, or taken away by hand.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when an entry cannot be read: the follower must look at everything again, and go on behind
    /// it. Otherwise when the database is unavailable.
    pub async fn follow_feed(&mut self, position: u64, limit: u32) -> Result<FeedPage, StoreError> {
        let newest = self.feed_position().await?;
        let mut events = self.feed_after(position, limit).await?;
        // What stands beyond the head was not announced.
        events.retain(|event| event.position <= newest);
        let expected = (position + 1)..;
        let without_hole = expected
            .zip(&events)
            .all(|(place, event)| event.position == place);
        let reached = events.last().map_or(position, |event| event.position);
        let is_whole_page = events.len() >= limit as usize;
        if without_hole && (is_whole_page || reached == newest) {
            Ok(FeedPage::Events(events))
        } else {
            Ok(FeedPage::Gap { position: newest })
        }
    }

    /// Forgets entries older than `before`; a node that was away longer loads everything anew.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn forget_feed(&mut self, before: UnixTime) -> Result<u64, StoreError> {
        self.tx
            .execute("DELETE FROM feed WHERE at < $1", args![before.seconds()])
            .await
    }
}

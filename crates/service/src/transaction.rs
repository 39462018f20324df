//! One use case, one transaction: tried again when it collides with another one.

use std::future::Future;
use std::time::Duration;

use crate::error::ServiceError;

/// How often a use case is tried when its transaction collides with another one. Every change moves the head of the feed,
/// so on PostgreSQL changes that are made at the same moment do collide.
pub(crate) const TRIES: u32 = 12;

/// Tries a use case until its transaction collides with none. Each attempt opens a transaction of its own.
///
/// # Errors
/// As the attempt fails; [`ServiceError::Unavailable`] when it has collided every time.
pub(crate) async fn until_settled<T, F>(attempt: impl Fn() -> F + Send) -> Result<T, ServiceError>
where
    F: Future<Output = Result<T, ServiceError>> + Send,
{
    for tried in 1..=TRIES {
        match attempt().await {
            Err(ServiceError::Collided) => pause(tried).await,
            settled => return settled,
        }
    }
    Err(ServiceError::Unavailable { retry_after: 1 })
}

/// A random pause, longer each time, lets the others through.
pub(crate) async fn pause(tried: u32) {
    let [spread] = countersign_crypto::random_bytes::<1>();
    tokio::time::sleep(Duration::from_micros(
        u64::from(tried) * 40 * u64::from(spread),
    ))
    .await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_collision_is_tried_again_and_heard_of_only_when_it_does_not_end() {
        let tried = AtomicU32::new(0);
        let attempt = |collisions| {
            let before = tried.fetch_add(1, Ordering::Relaxed);
            async move {
                if before < collisions {
                    Err(ServiceError::Collided)
                } else {
                    Ok(before)
                }
            }
        };
        assert!(matches!(until_settled(|| attempt(3)).await, Ok(3)));
        let hopeless = until_settled(|| attempt(u32::MAX)).await;
        assert!(matches!(hopeless, Err(ServiceError::Unavailable { .. })));
        assert_eq!(tried.load(Ordering::Relaxed), 4 + TRIES);
    }
}

//! RSA keys that share a prime with another registered key: anybody can compute their private keys.
//!
//! The comparison reads every modulus of the platform. It is made before the transaction, off the threads that answer
//! requests; within the transaction only what was registered since is compared.

use countersign_crypto::import::SharedFactorCheck;
use countersign_store::{Store, Unit};
use tokio::runtime::Handle;

use crate::error::{Refused, RefusedKind, ServiceError};

/// Moduli compared at a time.
const PAGE: u32 = 500;

/// The modulus of an RSA key, big-endian.
pub type Modulus = Vec<u8>;

/// Moduli that were compared with all that were registered up to a place.
#[derive(Clone, Debug)]
pub(crate) struct Compared {
    moduli: Vec<Modulus>,
    place: u64,
    shares: bool,
}

/// Compares moduli with every registered one, in no transaction of anybody.
///
/// # Errors
/// When the store is unavailable or a row cannot be believed.
pub(crate) async fn compare(store: &Store, moduli: Vec<Modulus>) -> Result<Compared, ServiceError> {
    let (store, runtime) = (store.clone(), Handle::current());
    let compared = tokio::task::spawn_blocking(move || {
        runtime.block_on(async {
            let mut comparison = Comparison::of(&moduli, 0);
            while comparison.absorb_page(&mut store.read().await?).await? {}
            Ok(Compared {
                place: comparison.place,
                shares: comparison.finish(),
                moduli,
            })
        })
    });
    compared
        .await
        .map_err(|error| ServiceError::Fault(error.to_string()))?
}

/// Refuses keys with these moduli when one of them shares a prime with a registered key.
///
/// # Errors
/// [`ServiceError::ComparisonNeeded`] when they were not compared before the transaction; the refusal; or when the store
/// is unavailable.
pub(crate) async fn refuse(
    unit: &mut Unit,
    moduli: Vec<Modulus>,
    compared: Option<&Compared>,
) -> Result<(), ServiceError> {
    if moduli.is_empty() {
        return Ok(());
    }
    let Some(before) = compared.filter(|compared| compared.moduli == moduli) else {
        return Err(ServiceError::ComparisonNeeded(moduli));
    };
    let mut since = Comparison::of(&moduli, before.place);
    while since.absorb_page(unit).await? {}
    if !before.shares && !since.finish() {
        return Ok(());
    }
    Err(ServiceError::Refused(Refused {
        kind: RefusedKind::Invalid,
        code: "rsa_shared_factor",
        detail: "The key shares a prime factor with another key, so its private key can be computed by anybody. \
                 Make a new key pair with a sound random number generator (`countersign keygen`)."
            .to_owned(),
        pointer: Some("/public_key".to_owned()),
    }))
}

/// A comparison in progress.
struct Comparison {
    checks: Vec<SharedFactorCheck>,
    place: u64,
}

impl Comparison {
    fn of(moduli: &[Modulus], place: u64) -> Self {
        let checks = moduli.iter().map(|n| SharedFactorCheck::new(n)).collect();
        Self { checks, place }
    }

    /// Compares with the next ones; says whether there may be more.
    async fn absorb_page(&mut self, unit: &mut Unit) -> Result<bool, ServiceError> {
        let page = unit.registered_moduli(self.place, PAGE).await?;
        for other in &page {
            self.place = other.place;
            self.checks
                .iter_mut()
                .for_each(|check| check.absorb(&other.modulus));
        }
        Ok(page.len() >= PAGE as usize)
    }

    fn finish(self) -> bool {
        self.checks.into_iter().any(SharedFactorCheck::finish)
    }
}

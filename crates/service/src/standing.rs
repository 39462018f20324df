//! Between the record and the signature: what a token was granted by must still stand. A request may have waited for its
//! place in the record while its configuration was suspended.

use std::sync::Arc;

use countersign_domain::assertion::{Reason, Refusal};
use countersign_domain::configurations::ConfigurationStatus;
use countersign_domain::directory::TrustedConfiguration;
use countersign_domain::organizations::{OrganizationState, OrganizationStatus};

use crate::exchange::ExchangeError;
use crate::keyring::Keyring;
use crate::ledger::RecordedToken;
use crate::snapshots::{OrganizationSnapshot, Snapshots};

/// A token on record whose organization, configuration and signing key stood after it was recorded: what a key signs.
#[derive(Debug)]
pub struct StandingToken(RecordedToken);

impl StandingToken {
    /// The token on record.
    #[must_use]
    pub fn into_recorded(self) -> RecordedToken {
        self.0
    }
}

/// What an assertion was judged by.
pub(crate) struct Basis {
    organization: Arc<OrganizationSnapshot>,
    state: Arc<OrganizationState>,
    generation: u64,
}

impl Basis {
    /// The organization as it stands now. Taken before anything of it is looked at.
    pub(crate) fn of(organization: &Arc<OrganizationSnapshot>) -> Self {
        let generation = organization.generation();
        Self {
            organization: Arc::clone(organization),
            state: organization.state(),
            generation,
        }
    }

    /// The organization.
    pub(crate) const fn organization(&self) -> &Arc<OrganizationSnapshot> {
        &self.organization
    }

    /// Lets a recorded token be signed, with the keys of now, if what it was granted by still stands.
    ///
    /// # Errors
    /// Refused when the organization or the configuration has been suspended or ended meanwhile; unavailable when
    /// something of them has changed that tokens are granted by, or when nobody knows here what stands now: nobody has
    /// decided on a token by that. A new name, note or key is none of the token's.
    pub(crate) fn confirm(
        self,
        token: RecordedToken,
        configuration: &Arc<TrustedConfiguration>,
        snapshots: &Snapshots,
    ) -> Result<(StandingToken, Arc<Keyring>), ExchangeError> {
        self.require(configuration, snapshots)?;
        Ok((StandingToken(token), self.organization.keyring()))
    }

    /// What an assertion was judged by still stands.
    ///
    /// # Errors
    /// As [`Basis::confirm`].
    pub(crate) fn require(
        &self,
        configuration: &Arc<TrustedConfiguration>,
        snapshots: &Snapshots,
    ) -> Result<(), ExchangeError> {
        // Nearly always nothing has changed, and this is all that it costs.
        if self.organization.generation() == self.generation {
            return Ok(());
        }
        if !snapshots.holds(&self.organization) {
            // Everything was forgotten, and nobody knows here what stands now.
            return Err(ExchangeError::Unavailable { retry_after: 1 });
        }
        let state = self.organization.state();
        if state.status == OrganizationStatus::Suspended {
            return Err(ended(Reason::OrganizationSuspended));
        }
        let before = configuration.configuration();
        let Some(now) = self.organization.configuration(before.id) else {
            // Its row is believed no more.
            return Err(ExchangeError::Unavailable { retry_after: 1 });
        };
        let now = &now.configuration().state;
        match now.status {
            ConfigurationStatus::Suspended => Err(ended(Reason::ConfigurationSuspended)),
            ConfigurationStatus::Deactivated => Err(ended(Reason::ConfigurationDeactivated)),
            // Suspended and restored meanwhile: what was granted before is active no more.
            ConfigurationStatus::Active
                if now.tokens_not_before != before.state.tokens_not_before =>
            {
                Err(ended(Reason::ConfigurationSuspended))
            }
            ConfigurationStatus::Active
                if now.grants_as(&before.state)
                    && state.permission_groups == self.state.permission_groups =>
            {
                Ok(())
            }
            ConfigurationStatus::Active => Err(ExchangeError::Unavailable { retry_after: 1 }),
        }
    }
}

/// What it was granted by has ended.
fn ended(reason: Reason) -> ExchangeError {
    ExchangeError::Refused(Refusal::new(reason, "", "ACTIVE"))
}

//! Who may decide: the users, authenticators, approval policy and recovery holders of one organization at one moment.
//!
//! A [`Roster`] is an immutable value, and every rule of dual approval is a pure function over it. Its items are
//! governed: they change by applied change requests and in no other way. What is signed of an item is its state; when
//! it came into force and who asked for it is its origin, which `apply` adds.

mod authenticators;
mod credential;
mod groups;
mod health;
mod item;
mod origin;
mod policy;
mod recovery;
mod roles;
mod target;
mod transition;
mod users;

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{PersonId, TenantId, UserId};
use crate::time::UnixTime;

pub use authenticators::{
    Authenticator, AuthenticatorKey, AuthenticatorState, AuthenticatorStatus,
};
pub use credential::{CredentialId, MalformedCredentialId};
pub use groups::{Group, GroupName, MalformedGroup};
pub use health::{
    Blocked, FloorBroken, Health, NotReady, Preparation, blocked, checkers, health, lockout_floor,
    readiness,
};
pub use item::{MalformedItem, RosterItem};
pub use origin::{How, Origin};
pub use policy::{
    DEFAULT_SEASONING, DEFAULT_TTL, LOWERING_TIMELOCK, MAX_SEASONING, MAX_TIMELOCK, MAX_TTL,
    MIN_TTL, Policy, PolicyRefusal, PolicyState, Rule, RuleName, Rules,
};
pub use recovery::{
    DEFAULT_RECOVERY_TIMELOCK, MAX_RECOVERY_TIMELOCK, MIN_RECOVERY_TIMELOCK, Recovery,
    RecoveryHolder, RecoveryRefusal, RecoveryState,
};
pub use roles::{Role, UnknownRole};
pub use target::{NotARosterTarget, RosterTarget};
pub use transition::RosterRefusal;
pub use users::{User, UserOrigins, UserState, UserStatus};

/// Everybody and everything that decides in one organization, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    tenant_id: TenantId,
    users: BTreeMap<UserId, User>,
    authenticators: BTreeMap<CredentialId, Authenticator>,
    policy: Option<Policy>,
    recovery: Option<Recovery>,
}

/// The items do not make a roster: together they say what no sequence of changes can have led to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InconsistentRoster {
    /// Two authenticators are one: a shared one would let a person count twice (E8).
    #[error("two authenticators have the same key")]
    AuthenticatorShared,
    /// An authenticator signs for nobody.
    #[error("an authenticator belongs to no user")]
    AuthenticatorWithoutUser,
    /// An item contradicts itself.
    #[error("an item contradicts itself")]
    Incoherent,
    /// An item is there twice.
    #[error("an item is there twice")]
    ItemTwice,
    /// A person is two users.
    #[error("a person is there as two users")]
    PersonTwice,
    /// The policy, or recovery, names somebody who is not there.
    #[error("the policy or recovery names a user who is not there")]
    UserUnknown,
}

impl Roster {
    /// The roster of an organization that has not been founded: nobody, and no policy.
    #[must_use]
    pub const fn unfounded(tenant_id: TenantId) -> Self {
        Self {
            tenant_id,
            users: BTreeMap::new(),
            authenticators: BTreeMap::new(),
            policy: None,
            recovery: None,
        }
    }

    /// Puts the items of an organization together.
    ///
    /// # Errors
    /// [`InconsistentRoster`] when no sequence of changes can have led to them.
    pub fn from_items(
        tenant_id: TenantId,
        items: impl IntoIterator<Item = RosterItem>,
    ) -> Result<Self, InconsistentRoster> {
        let mut roster = Self::unfounded(tenant_id);
        for item in items {
            if roster.put(item).is_some() {
                return Err(InconsistentRoster::ItemTwice);
            }
        }
        roster.check()?;
        Ok(roster)
    }

    /// The organization.
    #[must_use]
    pub const fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }

    /// Whether the founding ceremony is over: the policy closes it.
    #[must_use]
    pub const fn is_founded(&self) -> bool {
        self.policy.is_some()
    }

    /// The approval policy, if the organization has been founded.
    #[must_use]
    pub const fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// The policy, where it is in force: there is one, and it is switched on.
    #[must_use]
    pub fn enforced(&self) -> Option<&Policy> {
        self.policy.as_ref().filter(|policy| policy.state.enabled)
    }

    /// The holders of the recovery keys, if there are any.
    #[must_use]
    pub const fn recovery(&self) -> Option<&Recovery> {
        self.recovery.as_ref()
    }

    /// The user of this ID.
    #[must_use]
    pub fn user(&self, id: UserId) -> Option<&User> {
        self.users.get(&id)
    }

    /// The user who is this person.
    #[must_use]
    pub fn user_of(&self, person: PersonId) -> Option<&User> {
        self.users.values().find(|user| user.state.person == person)
    }

    /// The person behind a user.
    #[must_use]
    pub fn person(&self, id: UserId) -> Option<PersonId> {
        self.user(id).map(|user| user.state.person)
    }

    /// Every user, removed ones included.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// The users who may do something at `now`.
    pub fn active_users(&self, now: UnixTime) -> impl Iterator<Item = &User> {
        self.users().filter(move |user| user.state.is_active(now))
    }

    /// The authenticator of this name.
    #[must_use]
    pub fn authenticator(&self, id: &CredentialId) -> Option<&Authenticator> {
        self.authenticators.get(id)
    }

    /// The authenticators of a user, revoked ones included.
    pub fn authenticators_of(&self, user: UserId) -> impl Iterator<Item = &Authenticator> {
        let all = self.authenticators.values();
        all.filter(move |one| one.state.user == user)
    }

    /// The item at this address.
    #[must_use]
    pub fn item(&self, target: &RosterTarget) -> Option<RosterItem> {
        match target {
            RosterTarget::Authenticator(id) => {
                let known = self.authenticators.get(id).cloned();
                known.map(RosterItem::Authenticator)
            }
            RosterTarget::Policy => self.policy.clone().map(RosterItem::Policy),
            RosterTarget::Recovery => self.recovery.clone().map(RosterItem::Recovery),
            RosterTarget::User(id) => self.users.get(id).cloned().map(RosterItem::User),
        }
    }

    /// Every item.
    pub fn items(&self) -> impl Iterator<Item = RosterItem> {
        let users = self.users.values().cloned().map(RosterItem::User);
        let authenticators = self.authenticators.values().cloned();
        users
            .chain(authenticators.map(RosterItem::Authenticator))
            .chain(self.policy.clone().map(RosterItem::Policy))
            .chain(self.recovery.clone().map(RosterItem::Recovery))
    }

    /// Puts an item in its place, and gives the one that was there.
    fn put(&mut self, item: RosterItem) -> Option<RosterItem> {
        match item {
            RosterItem::Authenticator(new) => {
                let id = new.state.credential_id.clone();
                let old = self.authenticators.insert(id, new);
                old.map(RosterItem::Authenticator)
            }
            RosterItem::Policy(new) => self.policy.replace(new).map(RosterItem::Policy),
            RosterItem::Recovery(new) => self.recovery.replace(new).map(RosterItem::Recovery),
            RosterItem::User(new) => self.users.insert(new.id, new).map(RosterItem::User),
        }
    }

    /// Whether the items speak of one organization.
    fn check(&self) -> Result<(), InconsistentRoster> {
        use InconsistentRoster as Refusal;
        let people: BTreeSet<_> = self.users().map(|user| user.state.person).collect();
        if people.len() != self.users.len() {
            return Err(Refusal::PersonTwice);
        }
        let keys = self
            .authenticators
            .values()
            .map(|one| one.state.key.public_key());
        if keys.collect::<BTreeSet<_>>().len() != self.authenticators.len() {
            return Err(Refusal::AuthenticatorShared);
        }
        let mut owners = self.authenticators.values().map(|one| one.state.user);
        if !owners.all(|user| self.users.contains_key(&user)) {
            return Err(Refusal::AuthenticatorWithoutUser);
        }
        let members = self
            .policy
            .iter()
            .flat_map(|policy| policy.state.groups.values());
        let holders = self
            .recovery
            .iter()
            .flat_map(|recovery| &recovery.state.holders);
        let mut named = members
            .flatten()
            .copied()
            .chain(holders.filter_map(|one| one.user));
        if !named.all(|user| self.users.contains_key(&user)) {
            return Err(Refusal::UserUnknown);
        }
        let is_coherent = self.users().all(User::is_coherent)
            && self
                .authenticators
                .values()
                .all(|one| one.state.is_coherent())
            && self.policy.iter().all(|one| one.state.check().is_ok())
            && self.recovery.iter().all(|one| one.state.check().is_ok());
        is_coherent.then_some(()).ok_or(Refusal::Incoherent)
    }
}

//! The approval policy of an organization (C9): which change needs whom.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Group, GroupName, Origin, Role};
use crate::approval::Need;
use crate::ids::UserId;

/// How long a request waits for its approval when the policy says nothing else, in seconds (72 hours, C9).
pub const DEFAULT_TTL: i64 = 72 * 3600;

/// The shortest time to live of a request, in seconds (1 hour).
pub const MIN_TTL: i64 = 3600;

/// The longest time to live of a request, in seconds (30 days).
pub const MAX_TTL: i64 = 30 * 86_400;

/// How old a role or an authenticator is before it counts, in seconds (24 hours, E6).
pub const DEFAULT_SEASONING: i64 = 86_400;

/// The longest seasoning, in seconds (30 days).
pub const MAX_SEASONING: i64 = 30 * 86_400;

/// The longest wait of an approved change, in seconds (7 days).
pub const MAX_TIMELOCK: i64 = 7 * 86_400;

/// How long a change that lowers protection waits, and can be vetoed, in seconds (24 hours, C3).
pub const LOWERING_TIMELOCK: i64 = 86_400;

/// The most groups of a policy, and the most members of a group.
const MAX_GROUPS: usize = 50;

/// What a rule of the policy is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RuleName {
    /// Authentication configurations.
    Configurations,
    /// Where notices about approvals go.
    NotificationRoutes,
    /// The policy itself, and recovery.
    Policy,
    /// Users, roles and authenticators.
    Roster,
    /// The keys of the organization's issuer.
    SigningKeys,
}

impl RuleName {
    /// Every rule, in the order of their names.
    pub const ALL: [Self; 5] = [
        Self::Configurations,
        Self::NotificationRoutes,
        Self::Policy,
        Self::Roster,
        Self::SigningKeys,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configurations => "configurations",
            Self::NotificationRoutes => "notification_routes",
            Self::Policy => "policy",
            Self::Roster => "roster",
            Self::SigningKeys => "signing_keys",
        }
    }

    /// The role whose holders decide.
    #[must_use]
    pub const fn approver(self) -> Role {
        match self {
            Self::Configurations | Self::SigningKeys => Role::ApiKeysApprover,
            Self::NotificationRoutes | Self::Policy | Self::Roster => Role::PolicyApprover,
        }
    }
}

/// Who must agree to a change, and in which time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Who must agree; nobody when it is empty.
    pub all_of: Need,
    /// Whether the maker must say why.
    pub reason_required: bool,
    /// How old role and authenticator of a checker must be, in seconds (E6).
    pub seasoning: i64,
    /// How long an approved change waits, and can be vetoed, in seconds.
    pub timelock: i64,
    /// How long a request waits for approval, in seconds.
    pub ttl: i64,
}

impl Rule {
    /// The usual rule: `n` holders of a role, and the defaults of C9.
    #[must_use]
    pub fn standard(approver: Role, n: u32) -> Self {
        Self {
            all_of: Need::of(Group::Approvers(approver), n),
            reason_required: true,
            seasoning: DEFAULT_SEASONING,
            timelock: 0,
            ttl: DEFAULT_TTL,
        }
    }

    /// Whether `after` protects less than this rule in any respect.
    fn is_lowered_by(&self, after: &Self) -> bool {
        !after.all_of.covers(&self.all_of)
            || (self.reason_required && !after.reason_required)
            || after.seasoning < self.seasoning
            || after.timelock < self.timelock
            || after.ttl < self.ttl
    }
}

/// The rules of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// See [`RuleName::Configurations`].
    pub configurations: Rule,
    /// See [`RuleName::NotificationRoutes`].
    pub notification_routes: Rule,
    /// See [`RuleName::Policy`].
    pub policy: Rule,
    /// See [`RuleName::Roster`].
    pub roster: Rule,
    /// See [`RuleName::SigningKeys`].
    pub signing_keys: Rule,
}

impl Rules {
    /// The same quorum for everything.
    #[must_use]
    pub fn standard(n: u32) -> Self {
        let rule = |name: RuleName| Rule::standard(name.approver(), n);
        Self {
            configurations: rule(RuleName::Configurations),
            notification_routes: rule(RuleName::NotificationRoutes),
            policy: rule(RuleName::Policy),
            roster: rule(RuleName::Roster),
            signing_keys: rule(RuleName::SigningKeys),
        }
    }

    /// The rule of this name.
    #[must_use]
    pub const fn rule(&self, name: RuleName) -> &Rule {
        match name {
            RuleName::Configurations => &self.configurations,
            RuleName::NotificationRoutes => &self.notification_routes,
            RuleName::Policy => &self.policy,
            RuleName::Roster => &self.roster,
            RuleName::SigningKeys => &self.signing_keys,
        }
    }
}

/// Why a policy cannot be set up so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyRefusal {
    /// A rule asks for a group that is not there.
    #[error("rules: the group `{0}` is not defined in groups")]
    GroupUnknown(String),
    /// A rule asks for people who may not decide on what it is about.
    #[error(
        "rules: `{group}` cannot decide under the rule `{rule}`; its approvers hold `{approver}`"
    )]
    GroupUnfit {
        /// The group.
        group: String,
        /// The rule.
        rule: &'static str,
        /// The role that decides.
        approver: Role,
    },
    /// Too many groups or members.
    #[error("groups: at most 50 groups of at most 50 members")]
    GroupsTooMany,
    /// Out of range.
    #[error("seasoning must be between 0 and 2592000 seconds (30 days)")]
    Seasoning,
    /// Out of range.
    #[error("timelock must be between 0 and 604800 seconds (7 days)")]
    Timelock,
    /// Out of range.
    #[error("ttl must be between 3600 and 2592000 seconds (1 hour to 30 days)")]
    Ttl,
}

impl PolicyRefusal {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::GroupUnfit { .. } => "policy_group_unfit",
            Self::GroupUnknown(_) => "policy_group_unknown",
            Self::GroupsTooMany => "policy_groups_too_many",
            Self::Seasoning => "policy_seasoning_out_of_range",
            Self::Timelock => "policy_timelock_out_of_range",
            Self::Ttl => "policy_ttl_out_of_range",
        }
    }
}

/// The governed state of the approval policy: what is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyState {
    /// Whether dual approval is on. While it is off, the rules ask for nobody.
    pub enabled: bool,
    /// The groups that rules can ask for, beside the approver roles.
    pub groups: BTreeMap<GroupName, BTreeSet<UserId>>,
    /// Whether only keys count that cannot leave their hardware.
    pub hardware_bound_only: bool,
    /// Whether person keys count, beside passkeys.
    pub person_keys_allowed: bool,
    /// The rules.
    pub rules: Rules,
}

impl PolicyState {
    /// The usual policy with this quorum for everything, switched on or off.
    #[must_use]
    pub fn standard(enabled: bool, quorum: u32) -> Self {
        Self {
            enabled,
            groups: BTreeMap::new(),
            hardware_bound_only: false,
            person_keys_allowed: false,
            rules: Rules::standard(quorum),
        }
    }

    /// Whether `after` protects less than this policy (C3): it switches off, asks for fewer or for other people, lets
    /// more people or more kinds of keys count, or shortens a window. What is not plainly as strict counts as lower.
    #[must_use]
    pub fn is_lowered_by(&self, after: &Self) -> bool {
        if !self.enabled {
            return false;
        }
        let lowers = |name| self.rules.rule(name).is_lowered_by(after.rules.rule(name));
        let nobody = BTreeSet::new();
        let widens = |(name, members): (&GroupName, &BTreeSet<UserId>)| {
            !members.is_subset(self.groups.get(name).unwrap_or(&nobody))
        };
        !after.enabled
            || RuleName::ALL.into_iter().any(lowers)
            || after.groups.iter().any(widens)
            || (self.hardware_bound_only && !after.hardware_bound_only)
            || (!self.person_keys_allowed && after.person_keys_allowed)
    }

    /// The groups that a user belongs to, for deciding under a rule.
    #[must_use]
    pub fn groups_of(&self, user: UserId, approver: Role) -> BTreeSet<Group> {
        let named = self
            .groups
            .iter()
            .filter(|(_, members)| members.contains(&user));
        named
            .map(|(name, _)| Group::Named(name.clone()))
            .chain([Group::Approvers(approver)])
            .collect()
    }

    /// Checks that every rule can be meant.
    pub(super) fn check(&self) -> Result<(), PolicyRefusal> {
        let is_large = |members: &BTreeSet<UserId>| members.len() > MAX_GROUPS;
        if self.groups.len() > MAX_GROUPS || self.groups.values().any(is_large) {
            return Err(PolicyRefusal::GroupsTooMany);
        }
        RuleName::ALL
            .into_iter()
            .try_for_each(|name| self.check_rule(name))
    }

    fn check_rule(&self, name: RuleName) -> Result<(), PolicyRefusal> {
        let rule = self.rules.rule(name);
        for group in rule.all_of.places().flat_map(|(any_of, _)| any_of) {
            match group {
                Group::Approvers(role) if *role == name.approver() => {}
                Group::Named(known) if self.groups.contains_key(known) => {}
                Group::Named(unknown) => {
                    return Err(PolicyRefusal::GroupUnknown(unknown.as_str().to_owned()));
                }
                Group::Approvers(_) | Group::RecoveryHolders => {
                    return Err(PolicyRefusal::GroupUnfit {
                        group: group.to_string(),
                        rule: name.as_str(),
                        approver: name.approver(),
                    });
                }
            }
        }
        if !(0..=MAX_SEASONING).contains(&rule.seasoning) {
            return Err(PolicyRefusal::Seasoning);
        }
        if !(0..=MAX_TIMELOCK).contains(&rule.timelock) {
            return Err(PolicyRefusal::Timelock);
        }
        if !(MIN_TTL..=MAX_TTL).contains(&rule.ttl) {
            return Err(PolicyRefusal::Ttl);
        }
        Ok(())
    }
}

/// The policy as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Counts the changes, beginning with 1.
    pub version: u64,
    /// The governed state.
    pub state: PolicyState,
    /// The last change; kept beside the signed state, see [`Origin`].
    pub changed: Origin,
}

#[cfg(test)]
mod tests {
    use super::*;

    type Edit = fn(&mut PolicyState);

    fn edited(edit: Edit) -> PolicyState {
        let mut policy = base();
        edit(&mut policy);
        policy
    }

    fn base() -> PolicyState {
        let mut policy = PolicyState::standard(true, 2);
        policy.rules.policy.timelock = 3600;
        policy
            .groups
            .insert("security".parse().unwrap(), BTreeSet::new());
        policy
    }

    #[test]
    fn c3_whatever_protects_less_is_lowering() {
        let lower: [(&str, Edit); 9] = [
            ("off", |p| p.enabled = false),
            ("quorum", |p| {
                p.rules.policy = Rule::standard(Role::PolicyApprover, 1);
            }),
            ("seasoning", |p| p.rules.roster.seasoning -= 1),
            ("timelock", |p| p.rules.policy.timelock -= 1),
            ("ttl", |p| p.rules.configurations.ttl -= 1),
            ("reason", |p| p.rules.configurations.reason_required = false),
            ("person keys", |p| p.person_keys_allowed = true),
            ("a wider group", |p| {
                let members = BTreeSet::from([UserId::from_random([1; 16])]);
                p.groups.insert("security".parse().unwrap(), members);
            }),
            ("other people", |p| {
                p.rules.roster.all_of = Need::of("security".parse().unwrap(), 2);
            }),
        ];
        for (what, edit) in lower {
            assert!(base().is_lowered_by(&edited(edit)), "{what}");
        }
        let mut hardware = base();
        hardware.hardware_bound_only = true;
        assert!(hardware.is_lowered_by(&base()));
    }

    #[test]
    fn c3_raising_and_whatever_is_as_strict_is_not_lowering() {
        let raise: [(&str, Edit); 4] = [
            ("the same", |_| {}),
            ("quorum", |p| {
                p.rules.policy.all_of = Need::of(Group::Approvers(Role::PolicyApprover), 3);
            }),
            ("hardware", |p| p.hardware_bound_only = true),
            ("ttl", |p| p.rules.roster.ttl += 1),
        ];
        for (what, edit) in raise {
            assert!(!base().is_lowered_by(&edited(edit)), "{what}");
        }
        let off = PolicyState::standard(false, 2);
        assert!(
            !off.is_lowered_by(&PolicyState::standard(false, 0)),
            "nothing is protected"
        );
    }

    #[test]
    fn a_rule_that_nobody_can_follow_is_refused() {
        let refused = |edit: Edit| edited(edit).check().unwrap_err().code();
        assert_eq!(base().check(), Ok(()));
        assert_eq!(
            refused(|p| p.rules.roster.all_of = Need::of("missing".parse().unwrap(), 1)),
            "policy_group_unknown"
        );
        assert_eq!(
            refused(|p| p.rules.roster = Rule::standard(Role::ApiKeysApprover, 1)),
            "policy_group_unfit"
        );
        assert_eq!(
            refused(|p| p.rules.roster.all_of = Need::of(Group::RecoveryHolders, 1)),
            "policy_group_unfit"
        );
        assert_eq!(
            refused(|p| p.rules.roster.ttl = 60),
            "policy_ttl_out_of_range"
        );
        assert_eq!(
            refused(|p| p.rules.roster.seasoning = -1),
            "policy_seasoning_out_of_range"
        );
        assert_eq!(
            refused(|p| p.rules.roster.timelock = MAX_TIMELOCK + 1),
            "policy_timelock_out_of_range"
        );
    }
}

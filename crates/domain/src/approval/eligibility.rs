//! Who may decide on a change (`approvals.md` C6): E1 to E10 in their order, and the first that does not hold.

use std::collections::BTreeSet;

use super::decision::{Verdict, Vote};
use super::signature::SignedStatement;
use super::statement::{Signer, SignerRole};
use crate::change::{Change, Maker, Matter};
use crate::guard::{Guard, kept};
use crate::ids::{PersonId, UserId};
use crate::roster::{
    Authenticator, AuthenticatorKey, CredentialId, How, Origin, Role, Roster, Rule, RuleName, User,
};
use crate::time::UnixTime;

/// How long ago a person may have signed in to decide, in seconds (12 hours, E4).
pub const MAX_SESSION_AGE: i64 = 12 * 3600;

/// How long somebody depends on who invited, granted or reset them alone, in seconds (30 days, E7).
pub const INDEPENDENCE: i64 = 30 * 86_400;

/// Why somebody may not decide. One variant per condition, in the order in which they are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ineligible {
    /// E1.
    #[error("Your account in this organization is not active.")]
    AccountInactive,
    /// E1.
    #[error("This request belongs to another organization.")]
    AnotherOrganization,
    /// E2.
    #[error("You do not hold the role {0}, whose holders decide on this.")]
    RoleMissing(Role),
    /// E3.
    #[error("Nobody approves their own request, through whichever account.")]
    Maker,
    /// E3.
    #[error("You had a hand in this request, so somebody else decides.")]
    Contributor,
    /// E4.
    #[error("Only a person decides; a program cannot.")]
    HumanRequired,
    /// E4.
    #[error("You signed in too long ago for a decision; sign in again.")]
    SessionStale,
    /// E5.
    #[error("The change is about yourself, so somebody else decides.")]
    Subject,
    /// E6.
    #[error("Your role is too new to decide with; it counts from {0} on.")]
    RoleUnseasoned(UnixTime),
    /// E6.
    #[error("Your authenticator is too new to decide with; it counts from {0} on.")]
    AuthenticatorUnseasoned(UnixTime),
    /// E7.
    #[error(
        "Whoever asks invited you, granted your role or reset your authenticator alone, less than 30 days ago."
    )]
    Dependent,
    /// E8.
    #[error("This authenticator is not yours in this organization.")]
    AuthenticatorUnknown,
    /// E8.
    #[error("This authenticator has been revoked.")]
    AuthenticatorRevoked,
    /// E8.
    #[error("The policy of the organization does not accept this kind of authenticator.")]
    AuthenticatorNotAllowed,
    /// E9.
    #[error("You have decided on this request already: {}.", .0.as_str())]
    AlreadyDecided(Verdict),
    /// E10.
    #[error("The signature is not one for this decision about exactly this change.")]
    StatementMismatch,
}

impl Ineligible {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AccountInactive => "account_inactive",
            Self::AlreadyDecided(_) => "already_decided",
            Self::AnotherOrganization => "another_organization",
            Self::AuthenticatorNotAllowed => "authenticator_not_allowed",
            Self::AuthenticatorRevoked => "authenticator_revoked",
            Self::AuthenticatorUnknown => "authenticator_unknown",
            Self::AuthenticatorUnseasoned(_) => "authenticator_unseasoned",
            Self::Contributor => "contributor",
            Self::Dependent => "not_independent",
            Self::HumanRequired => "human_approval_required",
            Self::Maker => "own_request",
            Self::RoleMissing(_) => "role_missing",
            Self::RoleUnseasoned(_) => "role_unseasoned",
            Self::SessionStale => "session_stale",
            Self::StatementMismatch => "statement_mismatch",
            Self::Subject => "subject_of_the_change",
        }
    }
}

/// What a decision is about, as far as it says who may take it.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// Everybody.
    pub roster: &'a Roster,
    /// The role whose holders decide.
    pub approver: Role,
    /// Who asks.
    pub maker: &'a Maker,
    /// Who had a hand in it.
    pub contributors: &'a [UserId],
    /// Whom it is about.
    pub subject: Option<UserId>,
    /// How old role and authenticator must be, in seconds.
    pub seasoning: i64,
}

impl<'a> Case<'a> {
    /// The case of a change under a rule.
    #[must_use]
    pub fn new(roster: &'a Roster, change: &'a Change, rule: &Rule) -> Self {
        let envelope = change.envelope();
        let matter = Matter::from(envelope);
        Self {
            roster,
            approver: envelope
                .kind
                .rule()
                .map_or(Role::PolicyApprover, RuleName::approver),
            maker: &envelope.requester,
            contributors: &envelope.contributors,
            subject: matter.subject(roster),
            seasoning: rule.seasoning,
        }
    }

    fn person(&self, user: UserId) -> Option<PersonId> {
        self.roster.person(user)
    }

    fn maker_person(&self) -> Option<PersonId> {
        self.maker.user().and_then(|user| self.person(user))
    }

    fn contributes(&self, person: PersonId) -> bool {
        let mut contributors = self.contributors.iter();
        contributors.any(|user| self.person(*user) == Some(person))
    }
}

/// Somebody who decides, or could.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The user.
    pub user: UserId,
    /// The authenticator; `None` for any that serves.
    pub credential: Option<&'a CredentialId>,
    /// When they decide, or did.
    pub at: UnixTime,
}

/// How the one who decides has come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// A person who signed in themselves.
    Person {
        /// When.
        authenticated_at: UnixTime,
    },
    /// An API token, a service account, a support session.
    Program,
}

/// Whether somebody's decision counts at `now`: E1 to E3 and E5 to E8. Checked when deciding, and again when applying.
///
/// # Errors
/// [`Ineligible`], the first condition that does not hold.
pub fn may_check(
    case: &Case<'_>,
    candidate: Candidate<'_>,
    now: UnixTime,
) -> Result<(), Ineligible> {
    let user = e1_active(case.roster, candidate.user, now)?;
    let role = e2_role(case, user)?;
    e3_not_maker(case, user)?;
    from_e5(case, (user, role), candidate)
}

/// Whether a signed decision may be taken at `now`: E1 to E10.
///
/// # Errors
/// [`Ineligible`], the first condition that does not hold.
pub fn may_decide(
    case: &Case<'_>,
    (change, votes): (&Change, &[Vote]),
    (signed, session): (&SignedStatement, Session),
    max_session_age: i64,
    now: UnixTime,
) -> Result<(), Ineligible> {
    let statement = signed.statement();
    if statement.tenant != case.roster.tenant_id() {
        return Err(Ineligible::AnotherOrganization);
    }
    if let Signer::User(id) = statement.user {
        let user = e1_active(case.roster, id, now)?;
        let role = e2_role(case, user)?;
        e3_not_maker(case, user)?;
        e4_person(session, max_session_age, now)?;
        let candidate = Candidate {
            user: id,
            credential: Some(&statement.credential),
            at: now,
        };
        from_e5(case, (user, role), candidate)?;
    } else if !change.envelope().kind.is_recovery() {
        return Err(Ineligible::RoleMissing(case.approver));
    }
    e9_undecided(case.roster, signed, votes)?;
    e10_statement(signed, change)
}

/// Whether somebody may veto what was approved and waits: any approver or admin, and a holder of a recovery key where
/// recovery was asked for (C3, C11). A veto only keeps things as they are, so it needs neither seasoning nor independence.
///
/// # Errors
/// [`Ineligible`], the first condition that does not hold.
pub fn may_veto(
    case: &Case<'_>,
    (change, votes): (&Change, &[Vote]),
    (signed, session): (&SignedStatement, Session),
    max_session_age: i64,
    now: UnixTime,
) -> Result<(), Ineligible> {
    let statement = signed.statement();
    if statement.tenant != case.roster.tenant_id() {
        return Err(Ineligible::AnotherOrganization);
    }
    if let Signer::User(id) = statement.user {
        let user = e1_active(case.roster, id, now)?;
        let mut roles = user.state.roles.iter();
        if !roles.any(|role| role.is_approver() || *role == Role::Admin) {
            return Err(Ineligible::RoleMissing(case.approver));
        }
        e3_not_maker(case, user)?;
        e4_person(session, max_session_age, now)?;
        e8_authenticator(case.roster, user, &statement.credential)?;
    } else if !change.envelope().kind.is_recovery() {
        return Err(Ineligible::RoleMissing(case.approver));
    }
    e9_undecided(case.roster, signed, votes)?;
    e10_statement(signed, change)
}

/// The account is active.
fn e1_active(roster: &Roster, id: UserId, now: UnixTime) -> Result<&User, Ineligible> {
    let user = roster.user(id).filter(|user| user.state.is_active(now));
    user.ok_or(Ineligible::AccountInactive)
}

/// It holds the role, which only an applied change or the founding ceremony gives.
fn e2_role<'a>(case: &Case<'_>, user: &'a User) -> Result<&'a Origin, Ineligible> {
    let origin = user.origins.roles.get(&case.approver);
    origin.ok_or(Ineligible::RoleMissing(case.approver))
}

/// Neither account nor person are the maker's, or those of somebody who had a hand in it.
fn e3_not_maker(case: &Case<'_>, user: &User) -> Result<(), Ineligible> {
    if !kept(Guard::OwnRequest) {
        return Ok(());
    }
    let person = user.state.person;
    if case.maker_person() == Some(person) || case.maker.user() == Some(user.id) {
        return Err(Ineligible::Maker);
    }
    if case.contributes(person) {
        return Err(Ineligible::Contributor);
    }
    Ok(())
}

/// A person who signed in themselves, not long ago.
fn e4_person(session: Session, max_age: i64, now: UnixTime) -> Result<(), Ineligible> {
    match session {
        Session::Program => Err(Ineligible::HumanRequired),
        Session::Person { authenticated_at } if now > authenticated_at.plus(max_age) => {
            Err(Ineligible::SessionStale)
        }
        Session::Person { .. } => Ok(()),
    }
}

/// E5 to E8. Without a credential, some authenticator of the user serves.
fn from_e5(
    case: &Case<'_>,
    (user, role): (&User, &Origin),
    candidate: Candidate<'_>,
) -> Result<(), Ineligible> {
    e5_not_subject(case, user)?;
    let seasoned_at = role.seasoned_at(case.seasoning);
    if candidate.at < seasoned_at {
        return Err(Ineligible::RoleUnseasoned(seasoned_at));
    }
    let with = |authenticator: Option<&Authenticator>, id: &CredentialId| {
        if let Some(authenticator) = authenticator {
            e6_seasoned(case, authenticator, candidate.at)?;
        }
        e7_independent(case, (user, role), authenticator, candidate.at)?;
        e8_authenticator(case.roster, user, id)
    };
    if let Some(id) = candidate.credential {
        return with(case.roster.authenticator(id), id);
    }
    let mut refused = Ineligible::AuthenticatorUnknown;
    for one in case.roster.authenticators_of(user.id) {
        match with(Some(one), &one.state.credential_id) {
            Ok(()) => return Ok(()),
            Err(refusal) => refused = refusal,
        }
    }
    Err(refused)
}

/// The change is not about the one who decides.
fn e5_not_subject(case: &Case<'_>, user: &User) -> Result<(), Ineligible> {
    let subject = case.subject.and_then(|subject| case.person(subject));
    if case.subject == Some(user.id) || subject == Some(user.state.person) {
        Err(Ineligible::Subject)
    } else {
        Ok(())
    }
}

/// The authenticator was enrolled long enough before the decision.
fn e6_seasoned(case: &Case<'_>, one: &Authenticator, at: UnixTime) -> Result<(), Ineligible> {
    let seasoned_at = one.enrolled.seasoned_at(case.seasoning);
    if at < seasoned_at {
        Err(Ineligible::AuthenticatorUnseasoned(seasoned_at))
    } else {
        Ok(())
    }
}

/// The maker did not lately make the one who decides.
fn e7_independent(
    case: &Case<'_>,
    (user, role): (&User, &Origin),
    authenticator: Option<&Authenticator>,
    at: UnixTime,
) -> Result<(), Ineligible> {
    let made_by_maker = |origin: &Origin| {
        let person = origin.by.user().and_then(|user| case.person(user));
        let is_maker = origin.by == *case.maker
            || person.is_some_and(|person| {
                case.maker_person() == Some(person) || case.contributes(person)
            });
        origin.how == How::Alone && is_maker && at < origin.at.plus(INDEPENDENCE)
    };
    let enrolled = authenticator.map(|one| &one.enrolled);
    let mut origins = [&user.origins.created, role].into_iter().chain(enrolled);
    if origins.any(made_by_maker) {
        Err(Ineligible::Dependent)
    } else {
        Ok(())
    }
}

/// The authenticator is the user's own, in force, and of a kind that the policy accepts.
fn e8_authenticator(roster: &Roster, user: &User, id: &CredentialId) -> Result<(), Ineligible> {
    let one = roster
        .authenticator(id)
        .filter(|one| one.state.user == user.id);
    let state = &one.ok_or(Ineligible::AuthenticatorUnknown)?.state;
    if !state.is_active() {
        return Err(Ineligible::AuthenticatorRevoked);
    }
    let Some(policy) = roster.policy().map(|policy| &policy.state) else {
        return Ok(());
    };
    let is_person_key = matches!(state.key, AuthenticatorKey::PersonKey { .. });
    if (is_person_key && !policy.person_keys_allowed)
        || (policy.hardware_bound_only && !state.key.is_hardware_bound())
    {
        return Err(Ineligible::AuthenticatorNotAllowed);
    }
    Ok(())
}

/// The person has not decided on this request.
fn e9_undecided(
    roster: &Roster,
    signed: &SignedStatement,
    votes: &[Vote],
) -> Result<(), Ineligible> {
    if !kept(Guard::OneVote) {
        return Ok(());
    }
    let voter = voter(roster, signed);
    let earlier = votes
        .iter()
        .find(|vote| self::voter(roster, vote.signed()) == voter);
    match earlier {
        Some(vote) => Err(Ineligible::AlreadyDecided(vote.verdict())),
        None => Ok(()),
    }
}

/// The signature covers this decision about exactly this change.
pub(super) fn e10_statement(signed: &SignedStatement, change: &Change) -> Result<(), Ineligible> {
    let statement = signed.statement();
    let is_checker = match statement.user {
        Signer::Holder(_) => statement.role == SignerRole::Recovery,
        Signer::User(_) => statement.role == SignerRole::Checker,
    };
    let is_about = statement.is_about(change) || !kept(Guard::Immutable);
    if is_checker && is_about {
        Ok(())
    } else {
        Err(Ineligible::StatementMismatch)
    }
}

/// One who counts once, with however many accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Voter {
    Person(PersonId),
    Signer(Signer),
}

pub(super) fn voter(roster: &Roster, signed: &SignedStatement) -> Voter {
    let signer = signed.statement().user;
    match signer {
        Signer::Holder(_) => Voter::Signer(signer),
        Signer::User(user) => roster
            .person(user)
            .map_or(Voter::Signer(signer), Voter::Person),
    }
}

/// The groups that a signer fills a place of.
pub(super) fn groups(case: &Case<'_>, signer: Signer) -> BTreeSet<crate::roster::Group> {
    use crate::roster::Group;
    match (signer, case.roster.policy()) {
        (Signer::Holder(_), _) => BTreeSet::from([Group::RecoveryHolders]),
        (Signer::User(user), Some(policy)) => policy.state.groups_of(user, case.approver),
        (Signer::User(_), None) => BTreeSet::from([Group::Approvers(case.approver)]),
    }
}

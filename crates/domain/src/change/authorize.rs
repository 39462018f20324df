//! The guards of `apply` (`approvals.md` C7), in its order: the one way to an [`AuthorizedChange`].

use super::{
    Base, CancelCause, Change, ChangeClass, ChangeKind, ChangeRequest, ChangeState, Maker, Matter,
    PolicySnapshot, terms,
};
use crate::approval::{
    Case, Containments, Decision, Progress, SignedStatement, Signer, SignerRole, Tally, Vote,
    may_request, suspended, tally,
};
use crate::guard::{Guard, kept};
use crate::roster::{Blocked, How, Origin, Roster, RosterItem, lockout_floor};
use crate::time::UnixTime;

/// The fewest characters of a justification, where the policy wants one (C4).
pub const MIN_JUSTIFICATION: usize = 10;

/// Everything that decides whether a request may be applied, read under the locks of one transaction.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// Who may decide, and the policy in force.
    pub roster: &'a Roster,
    /// The target's version and digest now.
    pub base: Base,
    /// Whether an API token that asks is still valid and entitled. The roster says it of people.
    pub token_stands: bool,
    /// The maker's signature under the request; `None` where none was needed.
    pub maker_statement: Option<&'a SignedStatement>,
    /// The decisions.
    pub votes: &'a [Vote],
    /// What was contained within the last day, without this request.
    pub containments: &'a Containments,
    /// Whether the resulting state, validated again, is still acceptable: schema, uniqueness, keys. The code of the
    /// refusal if it is not. What concerns the roster is judged here.
    pub after: Result<(), &'static str>,
}

/// A change that every guard of C7 has let through. Only [`authorize()`] makes one; only it can be applied.
#[derive(Debug)]
pub struct AuthorizedChange {
    change: Change,
    version: u64,
    at: UnixTime,
    item: Option<RosterItem>,
}

impl AuthorizedChange {
    /// The change.
    #[must_use]
    pub const fn change(&self) -> &Change {
        &self.change
    }

    /// The version that the target gets.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The moment it takes effect.
    #[must_use]
    pub const fn at(&self) -> UnixTime {
        self.at
    }

    /// The item of the roster that it leads to, with its origin; `None` when it changes something else.
    #[must_use]
    pub const fn item(&self) -> Option<&RosterItem> {
        self.item.as_ref()
    }
}

/// Why a change may not be applied now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unauthorized {
    /// The resulting state is not acceptable; its code. The request fails.
    AfterRefused(&'static str),
    /// The target is no longer what the maker saw (C7): the request is superseded.
    BaseMoved,
    /// The request is closed already.
    Closed,
    /// The deadline has passed.
    Expired,
    /// It would leave somebody whom too few can check (I6): the request fails.
    FloorBroken(Vec<Blocked>),
    /// Its maker may no longer ask for it: the request is canceled.
    MakerLostAuthority(&'static str),
    /// A person asks, others must agree, and the person has not signed: the request fails.
    MakerUnsigned,
    /// More approvals are needed.
    QuorumMissing(Progress),
    /// The maker does not say why, where the policy wants it said.
    ReasonMissing,
    /// Enough people agree; it waits.
    Waiting {
        /// From this moment on it can be applied.
        until: UnixTime,
    },
}

/// What a request needs now: the stricter of the policy at submission and the policy in force (C10 nos. 13 to 15).
#[must_use]
pub fn needed(
    change: &Change,
    roster: &Roster,
    containments: &Containments,
    now: UnixTime,
) -> PolicySnapshot {
    let envelope = change.envelope();
    let mut needed = envelope.policy.clone();
    if kept(Guard::Stricter) {
        let in_force = terms(roster, &Matter::from(envelope), containments, now);
        needed = needed.stricter(&in_force);
    }
    needed
}

/// The votes of a request as they count now, and those that no longer do.
#[must_use]
pub fn count(change: &Change, situation: &Situation<'_>, now: UnixTime) -> Tally {
    let needed = needed(change, situation.roster, situation.containments, now);
    let case = Case::new(situation.roster, change, needed.rule());
    let need = &needed.rule().all_of;
    tally(&case, change, situation.votes, need, now)
}

/// Decides whether a request may be applied now (C7). The order is that of the specification.
///
/// # Errors
/// [`Unauthorized`], the first guard that does not hold.
pub fn authorize(
    request: &ChangeRequest,
    situation: &Situation<'_>,
    now: UnixTime,
) -> Result<AuthorizedChange, Unauthorized> {
    let envelope = request.change.envelope();
    is_open(request, now)?;
    let needed = needed(
        &request.change,
        situation.roster,
        situation.containments,
        now,
    );
    maker_stands(&request.change, situation, &needed, now)?;
    if envelope.base() != situation.base && kept(Guard::Base) {
        return Err(Unauthorized::BaseMoved);
    }
    let progress = count(&request.change, situation, now).progress;
    if !progress.is_met() {
        return Err(Unauthorized::QuorumMissing(progress));
    }
    situation.after.map_err(Unauthorized::AfterRefused)?;
    let item = roster_after(request, situation, &needed, now)?;
    let timelock = needed.rule().timelock;
    if request.state == ChangeState::Pending && timelock > 0 {
        let until = now.plus(timelock);
        return Err(Unauthorized::Waiting { until });
    }
    Ok(AuthorizedChange {
        change: request.change.clone(),
        version: situation.base.version + 1,
        at: now,
        item,
    })
}

/// Decides whether a request may be submitted: every guard of [`authorize()`] but the votes, so that nobody is asked to
/// approve what could not be applied (L5), and the reason where the policy wants one.
///
/// # Errors
/// [`Unauthorized`], the first guard that does not hold.
pub fn admit(
    request: &ChangeRequest,
    situation: &Situation<'_>,
    now: UnixTime,
) -> Result<(), Unauthorized> {
    let envelope = request.change.envelope();
    is_open(request, now)?;
    let needed = needed(
        &request.change,
        situation.roster,
        situation.containments,
        now,
    );
    maker_stands(&request.change, situation, &needed, now)?;
    if envelope.base() != situation.base && kept(Guard::Base) {
        return Err(Unauthorized::BaseMoved);
    }
    let reason = envelope.justification.as_deref().unwrap_or_default().trim();
    let is_short = reason.chars().count() < MIN_JUSTIFICATION;
    if needed.rule().reason_required && needed.quorum() > 0 && is_short {
        return Err(Unauthorized::ReasonMissing);
    }
    situation.after.map_err(Unauthorized::AfterRefused)?;
    roster_after(request, situation, &needed, now).map(drop)
}

/// The request is open, in time, and has waited long enough.
fn is_open(request: &ChangeRequest, now: UnixTime) -> Result<(), Unauthorized> {
    if !kept(Guard::Terminal) {
        return Ok(());
    }
    let expires_at = request.change.envelope().expires_at;
    match (&request.state, request.state.deadline(expires_at)) {
        (_, None) => Err(Unauthorized::Closed),
        (_, Some(deadline)) if now >= deadline => Err(Unauthorized::Expired),
        (ChangeState::Approved { until, .. }, _) if now < *until => {
            Err(Unauthorized::Waiting { until: *until })
        }
        _ => Ok(()),
    }
}

/// The maker may still ask, and has signed where others must agree or one contains alone.
fn maker_stands(
    change: &Change,
    situation: &Situation<'_>,
    needed: &PolicySnapshot,
    now: UnixTime,
) -> Result<(), Unauthorized> {
    if !kept(Guard::Maker) {
        return Ok(());
    }
    let (roster, envelope) = (situation.roster, change.envelope());
    let matter = Matter::from(envelope);
    may_request(roster, &matter, situation.containments, now)
        .map_err(|refusal| Unauthorized::MakerLostAuthority(refusal.code()))?;
    let user = match &envelope.requester {
        Maker::User { id } => *id,
        Maker::ApiToken { .. } if !situation.token_stands => {
            return Err(Unauthorized::MakerLostAuthority("token_not_valid"));
        }
        // A holder of a recovery key signs by agreeing.
        Maker::ApiToken { .. } | Maker::Operator | Maker::RecoveryHolder { .. } => return Ok(()),
    };
    let is_containment = envelope.kind.class() == ChangeClass::Containment;
    if needed.quorum() == 0 && !(is_containment && roster.enforced().is_some()) {
        return Ok(());
    }
    let is_signed = situation.maker_statement.is_some_and(|signed| {
        let statement = signed.statement();
        statement.is_about(change)
            && statement.user == Signer::User(user)
            && statement.role == SignerRole::Maker
            && matches!(statement.decision, Decision::Request | Decision::Suspend)
    });
    is_signed.then_some(()).ok_or(Unauthorized::MakerUnsigned)
}

/// The item of the roster that the change leads to, if it is one: a state of its kind, above the floor.
fn roster_after(
    request: &ChangeRequest,
    situation: &Situation<'_>,
    needed: &PolicySnapshot,
    now: UnixTime,
) -> Result<Option<RosterItem>, Unauthorized> {
    let envelope = request.change.envelope();
    let matter = Matter::from(envelope);
    let Some(target) = matter.roster_target() else {
        return Ok(None);
    };
    let (before, kind) = (situation.roster, envelope.kind);
    let origin = Origin {
        at: now,
        by: envelope.requester.clone(),
        change: request.number,
        how: match needed.quorum() {
            _ if kind.is_recovery() => How::Recovery,
            _ if kind == ChangeKind::OrganizationFound => How::Founding,
            0 => How::Alone,
            _ => How::Approved,
        },
    };
    let after = before
        .after(kind, &target, &envelope.after, &origin)
        .map_err(|refusal| Unauthorized::AfterRefused(refusal.code()))?;
    if kind.class() == ChangeClass::Containment {
        lapses_as_it_must(&matter, situation, needed, now)?;
    } else if kept(Guard::Floor) {
        lockout_floor(before, &after, now)
            .map_err(|floor| Unauthorized::FloorBroken(floor.blocked))?;
    }
    Ok(after.item(&target))
}

/// A suspension that one person orders alone has an end exactly where it leaves too few checkers (C3).
fn lapses_as_it_must(
    matter: &Matter<'_>,
    situation: &Situation<'_>,
    needed: &PolicySnapshot,
    now: UnixTime,
) -> Result<(), Unauthorized> {
    if needed.quorum() > 0 {
        return Ok(());
    }
    let user = matter.subject(situation.roster);
    let expected = user.and_then(|user| suspended(situation.roster, user, matter.maker, now));
    let is_as_expected = expected.is_some_and(|expected| {
        serde_json::to_value(&expected).is_ok_and(|expected| expected == *matter.after)
    });
    let refused = Unauthorized::AfterRefused("suspension_must_lapse");
    is_as_expected.then_some(()).ok_or(refused)
}

impl Unauthorized {
    /// The state that a refused request goes to; `None` when it stays as it is.
    #[must_use]
    pub fn leads_to(&self, request: &ChangeRequest, now: UnixTime) -> Option<ChangeState> {
        let (state, expires_at) = (request.state.clone(), request.change.envelope().expires_at);
        let next = match self {
            Self::AfterRefused(code) => state.failed(code, now),
            Self::BaseMoved => state.superseded(None, now),
            Self::Closed | Self::QuorumMissing(_) | Self::ReasonMissing => return None,
            Self::Expired => state.expired(expires_at, now),
            Self::FloorBroken(_) => state.failed("lockout_floor", now),
            Self::MakerLostAuthority(_) => state.canceled(CancelCause::MakerLostAuthority, now),
            Self::MakerUnsigned => state.failed("maker_unsigned", now),
            Self::Waiting { until } => match state {
                ChangeState::Pending => Ok(ChangeState::Approved {
                    at: now,
                    until: *until,
                }),
                _ => return None,
            },
        };
        next.ok()
    }
}

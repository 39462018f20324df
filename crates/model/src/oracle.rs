//! The ground truth: what may have been applied, whatever the engine thinks.

use std::collections::BTreeSet;
use std::fmt;

use crate::{Action, DAY, Event, Kind, Member, Protected, Request, Who};

/// Something was applied that must not have been; the invariant of C8, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Debug)]
struct Account {
    member: Member,
    /// When the approver role became effective.
    since: i64,
    /// The end of a suspension: `i64::MAX` for one without.
    suspended_until: i64,
    suspended_by: Option<Who>,
}

#[derive(Clone, Debug)]
struct Vote {
    voter: Who,
    kind: Kind,
    at: i64,
}

#[derive(Clone, Debug)]
struct Asked {
    kind: Kind,
    requester: Who,
    base: u64,
    quorum: u32,
    votes: Vec<Vote>,
    is_open: bool,
}

/// A small picture of the organization, kept by what is heard.
#[derive(Clone, Debug)]
pub struct Oracle {
    now: i64,
    version: u64,
    content: u32,
    quorum: u32,
    accounts: Vec<Account>,
    asked: Vec<Asked>,
    /// Who suspended whom, and when.
    suspensions: Vec<(Who, i64)>,
    start: Protected,
    is_alone: bool,
}

impl Oracle {
    /// Begins with the organization as it is. `is_alone` says that a single person acts, with whatever accounts.
    #[must_use]
    pub fn new(start: Protected, is_alone: bool) -> Self {
        let account = |member: &Member| Account {
            member: *member,
            since: i64::MIN / 2,
            suspended_until: i64::MIN,
            suspended_by: None,
        };
        Self {
            now: 0,
            version: start.version,
            content: start.content,
            quorum: start.quorum,
            accounts: start.members.iter().map(account).collect(),
            asked: Vec::new(),
            suspensions: Vec::new(),
            start,
            is_alone,
        }
    }

    /// How many requests there have been.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.asked.len()
    }

    /// Whether nobody is suspended for good: then nobody may be locked out.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.accounts
            .iter()
            .all(|account| account.suspended_until != i64::MAX)
    }

    /// Active admins who could be checked by enough others, by the plain rule.
    #[must_use]
    pub fn able_admins(&self) -> Vec<Who> {
        let able = |who: &Who| self.checkers(*who).len() >= usize_of(self.quorum);
        self.admins().filter(able).collect()
    }

    /// The active admins.
    pub fn admins(&self) -> impl Iterator<Item = Who> {
        (0..self.accounts.len())
            .filter(|who| self.is_active(*who) && self.accounts[*who].member.is_admin)
    }

    /// The active approvers other than somebody.
    #[must_use]
    pub fn checkers(&self, other_than: Who) -> Vec<Who> {
        (0..self.accounts.len())
            .filter(|who| *who != other_than && self.is_checker(*who))
            .collect()
    }

    fn is_active(&self, who: Who) -> bool {
        self.now >= self.accounts[who].suspended_until
    }

    fn is_checker(&self, who: Who) -> bool {
        self.is_active(who) && self.accounts[who].member.is_approver
    }

    /// Every active admin has enough checkers other than themselves, and there is one.
    fn floor_holds(&self) -> bool {
        let mut admins = self.admins().peekable();
        self.quorum == 0
            || (admins.peek().is_some()
                && admins.all(|who| self.checkers(who).len() >= usize_of(self.quorum)))
    }

    /// Hears what came of an action, and what is protected now.
    ///
    /// # Errors
    /// [`Violation`], when something was applied that must not have been.
    pub fn hear(
        &mut self,
        action: Action,
        events: &[Event],
        protected: &Protected,
    ) -> Result<(), Violation> {
        if let Action::Pass(seconds) = action {
            self.now += seconds;
        }
        for event in events {
            self.hear_event(action, *event)?;
        }
        if *protected != self.protected() {
            return fail(format!(
                "the world is {protected:?}, and {:?} was applied",
                self.protected()
            ));
        }
        if self.is_alone && *protected != self.start {
            return fail("I5 one person alone changed what is protected".to_owned());
        }
        Ok(())
    }

    fn protected(&self) -> Protected {
        Protected {
            version: self.version,
            content: self.content,
            quorum: self.quorum,
            members: self.accounts.iter().map(|account| account.member).collect(),
        }
    }

    fn hear_event(&mut self, action: Action, event: Event) -> Result<(), Violation> {
        match (action, event) {
            (Action::Submit(requester, kind), Event::Submitted(_)) => self.asked.push(Asked {
                kind,
                requester,
                base: self.version,
                quorum: self.quorum,
                votes: Vec::new(),
                is_open: true,
            }),
            (Action::Approve(voter, _), Event::Voted(request)) => {
                let (kind, at) = (self.asked[request].kind, self.now);
                self.asked[request].votes.push(Vote { voter, kind, at });
            }
            (Action::Rewrite(_, content), Event::Rewritten(request)) => {
                self.asked[request].kind = Kind::Edit(content);
            }
            (_, Event::Closed(request)) => self.asked[request].is_open = false,
            (_, Event::Applied { request, lapses }) => self.judge(request, lapses)?,
            (action, event) => return fail(format!("{event:?} cannot come of {action:?}")),
        }
        Ok(())
    }

    fn judge(&mut self, request: Request, lapses: bool) -> Result<(), Violation> {
        let asked = self.asked[request].clone();
        let (kind, requester) = (asked.kind, asked.requester);
        if !asked.is_open {
            return fail(format!("I4 {kind:?} was closed, and applied"));
        }
        let is_entitled = self.accounts[requester].member.is_admin
            || (matches!(kind, Kind::Suspend(_)) && self.accounts[requester].member.is_approver);
        if !self.is_active(requester) || !is_entitled {
            return fail(format!(
                "I2 {kind:?} was applied, and {requester} may not ask for it"
            ));
        }
        let (need, good) = (self.need(&asked), self.good_votes(&asked));
        if good.len() < need {
            return fail(format!(
                "I1 {kind:?} was applied with {} of {need} approvals",
                good.len()
            ));
        }
        if matches!(kind, Kind::Edit(_)) && asked.base != self.version {
            return fail(format!(
                "I3 lost update: approved for {}, applied to {}",
                asked.base, self.version
            ));
        }
        if matches!(kind, Kind::Quorum(quorum) if quorum < self.quorum) {
            let last = asked
                .votes
                .iter()
                .map(|vote| vote.at)
                .max()
                .unwrap_or(self.now);
            if self.now < last + DAY {
                return fail("C3 protection was lowered before its day was over".to_owned());
            }
        }
        let held = self.floor_holds();
        self.asked[request].is_open = false;
        self.apply(&asked, lapses, good.len())?;
        if held && matches!(kind, Kind::Revoke(_) | Kind::Quorum(_)) && !self.floor_holds() {
            return fail(format!("I6 {kind:?} locks somebody out"));
        }
        Ok(())
    }

    /// How many people must have agreed: the larger of the quorum then and now; one at least to lower it; nobody for the
    /// first suspension of a day.
    fn need(&self, asked: &Asked) -> usize {
        let both = usize_of(asked.quorum.max(self.quorum));
        match asked.kind {
            Kind::Quorum(quorum) if quorum < self.quorum => both.max(1),
            Kind::Suspend(_) => {
                let recent =
                    |(who, at): &(Who, i64)| *who == asked.requester && *at > self.now - DAY;
                if self.suspensions.iter().any(recent) {
                    both
                } else {
                    0
                }
            }
            Kind::Edit(_) | Kind::Grant(_) | Kind::Quorum(_) | Kind::Revoke(_) => both,
        }
    }

    /// Distinct people, other than the one who asked, who may decide now, could when they did, and saw this content.
    fn good_votes(&self, asked: &Asked) -> BTreeSet<Who> {
        let votes = asked.votes.iter().filter(|vote| {
            vote.kind == asked.kind
                && vote.voter != asked.requester
                && self.is_checker(vote.voter)
                && vote.at >= self.accounts[vote.voter].since + DAY
        });
        votes.map(|vote| vote.voter).collect()
    }

    fn apply(&mut self, asked: &Asked, lapses: bool, agreed: usize) -> Result<(), Violation> {
        match asked.kind {
            Kind::Edit(content) => {
                self.version += 1;
                self.content = content;
            }
            Kind::Grant(who) => {
                self.accounts[who].member.is_approver = true;
                self.accounts[who].since = self.now;
            }
            Kind::Quorum(quorum) => self.quorum = quorum,
            Kind::Revoke(who) => self.accounts[who].member.is_approver = false,
            Kind::Suspend(who) => {
                let held = self.floor_holds();
                let first = self.accounts[who].suspended_by;
                let is_confirmed = !self.is_active(who) && first != Some(asked.requester);
                self.accounts[who].suspended_until = i64::MAX;
                let breaks = held && !self.floor_holds();
                if breaks && !lapses && agreed == 0 && !is_confirmed {
                    return fail(format!(
                        "C3 {who} is suspended for good by one person, below the floor"
                    ));
                }
                if lapses {
                    self.accounts[who].suspended_until = self.now + DAY;
                }
                self.accounts[who].suspended_by = Some(asked.requester);
                self.suspensions.push((asked.requester, self.now));
            }
        }
        Ok(())
    }
}

fn usize_of(quorum: u32) -> usize {
    usize::try_from(quorum).unwrap_or(usize::MAX)
}

fn fail(text: String) -> Result<(), Violation> {
    Err(Violation(text))
}

//! An organization in memory: the roster, the requests and the votes, moved by the functions that the service calls.

use std::collections::BTreeMap;

use countersign_crypto::webauthn::RelyingParty;
use countersign_crypto::{canonical_json, sha256};
use serde_json::{Value, json};

use super::passkey::{ORIGIN, Passkey, RP_ID};
use crate::approval::{
    Containment, Containments, Decision, Intent, MAX_SESSION_AGE, Nonce, Session, SignedStatement,
    Signer, SignerRole, Statement, Verifier, Vote,
};
use crate::change::{
    Ballot, Base, Change, ChangeClass, ChangeKind, ChangeRequest, ChangeState, Decided,
    DecisionRefused, Maker, Matter, Proposal, Settled, Situation, Unauthorized, count, decide,
    settle, state_digest, submit, terms,
};
use crate::ids::{ChangeRequestId, PersonId, TenantId, UserId};
use crate::roster::{AuthenticatorState, PolicyState, Role, Roster, RosterTarget, UserState};
use crate::text::Note;
use crate::time::UnixTime;

pub const START: UnixTime = UnixTime::from_seconds(1_800_000_000);
pub const DAY: i64 = 86_400;

/// A configuration, as far as these rules look at one.
pub const CONFIGURATION: &str = "ac-00000000-0000-4000-8000-000000000001";

#[derive(Clone)]
pub struct Entry {
    pub request: ChangeRequest,
    pub maker_statement: Option<SignedStatement>,
    pub votes: Vec<Vote>,
}

#[derive(Clone)]
pub struct World {
    pub roster: Roster,
    pub now: UnixTime,
    pub passkeys: BTreeMap<UserId, Passkey>,
    pub targets: BTreeMap<String, (u64, Value)>,
    pub requests: Vec<Entry>,
    pub containments: Vec<Containment>,
    pub token_stands: bool,
    pub after: Result<(), &'static str>,
    pub party: RelyingParty,
    pub nonces: u64,
    /// What happened, in order: the request, and `voted`, `applied` or `closed`.
    pub log: Vec<(u64, &'static str)>,
}

/// Whoever this number stands for, in every world.
pub fn user(number: u8) -> UserId {
    UserId::from_random([number; 16])
}

pub fn person(number: u8) -> PersonId {
    PersonId::from_random([number; 16])
}

pub fn ana() -> UserId {
    user(1)
}

pub fn bo() -> UserId {
    user(2)
}

pub fn cy() -> UserId {
    user(3)
}

pub fn dee() -> UserId {
    user(4)
}

pub fn by(user: UserId) -> Maker {
    Maker::User { id: user }
}

pub const APPROVERS: [Role; 2] = [Role::ApiKeysApprover, Role::PolicyApprover];

/// The second person of Acme approves everything, the first asks, the third does both; the fourth sees.
pub fn members() -> [(u8, Vec<Role>); 4] {
    let all = [Role::Admin, Role::ApiKeysApprover, Role::PolicyApprover];
    [
        (1, vec![Role::Admin]),
        (2, APPROVERS.to_vec()),
        (3, all.to_vec()),
        (4, vec![Role::Viewer]),
    ]
}

impl World {
    /// Founded ten days ago, dual approval on, with this quorum; from a quorum of 2 on, the fourth person approves, too.
    pub fn new(quorum: u32) -> Self {
        let mut people = members();
        if quorum > 1 {
            people[3].1 = APPROVERS.to_vec();
        }
        Self::founded(&people, &PolicyState::standard(true, quorum))
    }

    /// Founded ten days ago by the founding ceremony, with these people and this policy.
    pub fn founded(members: &[(u8, Vec<Role>)], policy: &PolicyState) -> Self {
        let mut world = Self::unfounded(TenantId::from_random([7; 16]));
        world.now = START.plus(-10 * DAY);
        for (number, roles) in members {
            let state = UserState::new(person(*number), roles.iter().copied().collect());
            world.found(&user(*number).to_string(), &state);
            let passkey = Passkey::new();
            let state = world.passkey_state(&passkey, user(*number));
            world.found(&format!("au-{}", passkey.credential), &state);
            world.passkeys.insert(user(*number), passkey);
        }
        world.found("policy", policy);
        world.now = START;
        world
            .targets
            .insert(CONFIGURATION.to_owned(), (1, json!({"name": "one"})));
        world
    }

    pub fn unfounded(tenant_id: TenantId) -> Self {
        Self {
            roster: Roster::unfounded(tenant_id),
            now: START,
            passkeys: BTreeMap::new(),
            targets: BTreeMap::new(),
            requests: Vec::new(),
            containments: Vec::new(),
            token_stands: true,
            after: Ok(()),
            party: RelyingParty::new(RP_ID.to_owned(), vec![ORIGIN.to_owned()]).unwrap(),
            nonces: 0,
            log: Vec::new(),
        }
    }

    fn found(&mut self, target: &str, state: &impl serde::Serialize) {
        let after = serde_json::to_value(state).unwrap();
        let kind = ChangeKind::OrganizationFound;
        let number = self.submit(&Maker::Operator, kind, target, after).unwrap();
        assert_eq!(self.state(number), "applied", "{target}");
    }

    pub fn passkey_state(&self, passkey: &Passkey, user: UserId) -> AuthenticatorState {
        let (id, key) = (passkey.credential.clone(), passkey.public());
        AuthenticatorState::new(id, key, user, self.now)
    }

    pub fn user_state(&self, user: UserId) -> UserState {
        self.roster.user(user).unwrap().state.clone()
    }

    pub fn policy(&self) -> PolicyState {
        self.roster.policy().unwrap().state.clone()
    }

    pub fn base(&self, target: &str) -> Base {
        let Some((version, state)) = self.targets.get(target) else {
            return Base::NOTHING;
        };
        Base {
            version: *version,
            digest: Some(state_digest(&canonical_json(state).unwrap())),
        }
    }

    /// A change as it is fixed at submission.
    pub fn change(&self, maker: &Maker, kind: ChangeKind, target: &str, after: Value) -> Change {
        let proposal = Proposal {
            tenant_id: self.roster.tenant_id(),
            kind,
            target: target.to_owned(),
            base: self.base(target),
            after,
            maker: maker.clone(),
            contributors: Vec::new(),
            justification: Some("It is needed".to_owned()),
        };
        self.fix(proposal)
    }

    pub fn fix(&self, proposal: Proposal) -> Change {
        let used = Containments::new(self.containments.clone());
        let policy = terms(&self.roster, &Matter::from(&proposal), &used, self.now);
        let number = u8::try_from(self.requests.len() % 256).unwrap();
        let id = ChangeRequestId::from_random([number; 16]);
        Change::new(proposal, id, policy, self.now).unwrap()
    }

    pub fn submit(
        &mut self,
        maker: &Maker,
        kind: ChangeKind,
        target: &str,
        after: Value,
    ) -> Result<u64, Unauthorized> {
        let change = self.change(maker, kind, target, after);
        self.submit_change(change)
    }

    /// Submits a change; one that is refused at once was never there.
    pub fn submit_change(&mut self, change: Change) -> Result<u64, Unauthorized> {
        let envelope = change.envelope();
        let (number, decision) = (
            self.requests.len() as u64 + 1,
            match envelope.kind.class() {
                ChangeClass::Containment => Decision::Suspend,
                ChangeClass::Edit => Decision::Request,
            },
        );
        let maker = envelope.requester.user();
        let signs = maker.filter(|user| self.passkeys.contains_key(user));
        let maker_statement =
            signs.map(|user| self.sign(user, &change, SignerRole::Maker, decision));
        self.requests.push(Entry {
            request: ChangeRequest {
                number,
                change,
                state: ChangeState::Pending,
            },
            maker_statement,
            votes: Vec::new(),
        });
        match self.with_situation(number, submit) {
            Ok(settled) => {
                self.take(number, settled);
                Ok(number)
            }
            Err(refusal) => {
                self.requests.pop();
                Err(refusal)
            }
        }
    }

    /// Edits the configuration.
    pub fn edit(&mut self, maker: UserId, name: &str) -> Result<u64, Unauthorized> {
        let kind = ChangeKind::ConfigurationEdit;
        self.submit(&by(maker), kind, CONFIGURATION, json!({"name": name}))
    }

    /// Asks for another policy.
    pub fn change_policy(
        &mut self,
        maker: UserId,
        policy: &PolicyState,
    ) -> Result<u64, Unauthorized> {
        let after = serde_json::to_value(policy).unwrap();
        self.submit(&by(maker), ChangeKind::PolicyChange, "policy", after)
    }

    /// Asks for another state of a user.
    pub fn change_user(
        &mut self,
        maker: UserId,
        kind: ChangeKind,
        (target, state): (UserId, &UserState),
    ) -> Result<u64, Unauthorized> {
        let after = serde_json::to_value(state).unwrap();
        self.submit(&by(maker), kind, &target.to_string(), after)
    }

    /// Asks for a change of a user's roles.
    pub fn roles(
        &mut self,
        maker: UserId,
        kind: ChangeKind,
        (target, roles): (UserId, &[Role]),
    ) -> Result<u64, Unauthorized> {
        let roles = roles.iter().copied().collect();
        let state = UserState {
            roles,
            ..self.user_state(target)
        };
        self.change_user(maker, kind, (target, &state))
    }

    /// Suspends a user, as one person does alone.
    pub fn suspend(&mut self, maker: UserId, target: UserId) -> Result<u64, Unauthorized> {
        let state = crate::approval::suspended(&self.roster, target, &by(maker), self.now).unwrap();
        self.change_user(maker, ChangeKind::UserSuspend, (target, &state))
    }

    pub fn sign(
        &mut self,
        user: UserId,
        change: &Change,
        role: SignerRole,
        decision: Decision,
    ) -> SignedStatement {
        self.nonces += 1;
        let nonce = Nonce::from_random(*sha256(&[&self.nonces.to_be_bytes()]).as_bytes());
        let passkey = self.passkeys[&user].clone();
        let intent = Intent {
            signer: Signer::User(user),
            credential: passkey.credential.clone(),
            role,
            decision,
        };
        let statement = Statement::new(change, intent, nonce, None, self.now);
        let signature = passkey.sign(statement.challenge().unwrap());
        statement.verify(signature, self.verifier()).unwrap()
    }

    pub fn verifier(&self) -> Verifier<'_> {
        Verifier {
            roster: &self.roster,
            relying_party: &self.party,
            sign_count: 0,
            at: self.now,
        }
    }

    pub fn ballot(&self, signed: SignedStatement, reason: Option<&str>) -> Ballot {
        Ballot {
            signed,
            session: Session::Person {
                authenticated_at: self.now,
            },
            max_session_age: MAX_SESSION_AGE,
            reason: reason.map(|text| Note::parse(text).unwrap()),
        }
    }

    pub fn entry(&self, number: u64) -> &Entry {
        &self.requests[usize::try_from(number).unwrap() - 1]
    }

    pub fn entry_mut(&mut self, number: u64) -> &mut Entry {
        &mut self.requests[usize::try_from(number).unwrap() - 1]
    }

    pub fn state(&self, number: u64) -> &'static str {
        self.entry(number).request.state.as_str()
    }

    pub fn decide(
        &mut self,
        user: UserId,
        number: u64,
        decision: Decision,
    ) -> Result<&'static str, DecisionRefused> {
        let change = self.entry(number).request.change.clone();
        let signed = self.sign(user, &change, SignerRole::Checker, decision);
        self.cast(number, self.ballot(signed, Some("Not like this")))
    }

    pub fn approve(&mut self, user: UserId, number: u64) -> Result<&'static str, DecisionRefused> {
        self.decide(user, number, Decision::Approve)
    }

    /// Takes a decision, and does with the request what it leads to.
    pub fn cast(&mut self, number: u64, ballot: Ballot) -> Result<&'static str, DecisionRefused> {
        let decided = self.with_situation(number, |request, situation, now| {
            decide(request, ballot, situation, now)
        })?;
        match decided {
            Decided::Voted { vote, settled } => {
                self.entry_mut(number).votes.push(vote);
                self.log.push((number, "voted"));
                self.take(number, settled);
            }
            Decided::Refused { vote, state } => {
                self.entry_mut(number).votes.push(vote);
                self.enter(number, state);
            }
            Decided::Repeated => {}
        }
        Ok(self.state(number))
    }

    /// Runs a rule over a request and everything that it depends on.
    pub fn with_situation<T>(
        &self,
        number: u64,
        run: impl FnOnce(&ChangeRequest, &Situation<'_>, UnixTime) -> T,
    ) -> T {
        let entry = self.entry(number);
        let containments = Containments::new(self.containments.clone());
        let situation = Situation {
            roster: &self.roster,
            base: self.base(&entry.request.change.envelope().target),
            token_stands: self.token_stands,
            maker_statement: entry.maker_statement.as_ref(),
            votes: &entry.votes,
            containments: &containments,
            after: self.after,
        };
        run(&entry.request, &situation, self.now)
    }

    /// Asks every guard of a request, and does what they lead to.
    pub fn settle(&mut self, number: u64) -> Option<Unauthorized> {
        let settled = self.with_situation(number, settle);
        self.take(number, settled)
    }

    /// Voids what no longer counts, and does with the request what was settled.
    fn take(&mut self, number: u64, settled: Settled) -> Option<Unauthorized> {
        let now = self.now;
        let tally = self.with_situation(number, |request, situation, now| {
            count(&request.change, situation, now)
        });
        let entry = self.entry_mut(number);
        for (index, cause) in tally.voided {
            entry.votes[index] = entry.votes[index].clone().void(cause, now);
        }
        match settled {
            Settled::Apply(authorized) => {
                let state = entry.request.state.clone().applied(&authorized);
                self.enter(number, state.unwrap_or(ChangeState::Applied { at: now }));
                self.apply(number, &authorized);
                None
            }
            Settled::Moved(state, refusal) => {
                self.enter(number, state);
                Some(refusal)
            }
            Settled::Stays(refusal) => Some(refusal),
        }
    }

    /// Puts a request into another state.
    pub fn enter(&mut self, number: u64, state: ChangeState) {
        match &state {
            ChangeState::Applied { .. } => self.log.push((number, "applied")),
            closed if closed.is_terminal() => self.log.push((number, "closed")),
            _ => {}
        }
        self.entry_mut(number).request.state = state;
    }

    fn apply(&mut self, number: u64, authorized: &crate::change::AuthorizedChange) {
        let envelope = authorized.change().envelope();
        let target = envelope.target.clone();
        let state = (authorized.version(), envelope.after.clone());
        self.targets.insert(target.clone(), state);
        if envelope.kind.class() == ChangeClass::Containment
            && let Some(person) = envelope
                .requester
                .user()
                .and_then(|id| self.roster.person(id))
        {
            let (kind, at) = (envelope.kind, self.now);
            self.containments.push(Containment { person, kind, at });
        }
        if let Some(item) = authorized.item() {
            let others = self
                .roster
                .items()
                .filter(|other| other.target() != item.target());
            let items: Vec<_> = others.chain([item.clone()]).collect();
            self.roster = Roster::from_items(self.roster.tenant_id(), items).unwrap();
        }
        if crate::guard::kept(crate::guard::Guard::Base) {
            let now = self.now;
            for other in 1..=self.requests.len() as u64 {
                let request = &self.entry(other).request;
                if !request.state.is_terminal() && request.change.envelope().target == target {
                    let state = request.state.clone().superseded(Some(number), now);
                    self.enter(other, state.unwrap());
                }
            }
        }
        if authorized.item().is_some() {
            self.sweep();
        }
    }

    /// What the maintenance of the service does: asks the guards of every open request again.
    pub fn sweep(&mut self) {
        for number in 1..=self.requests.len() as u64 {
            if !self.entry(number).request.state.is_terminal() {
                self.settle(number);
            }
        }
    }

    /// Time passes, and the maintenance runs.
    pub fn pass(&mut self, seconds: i64) {
        self.now = self.now.plus(seconds);
        self.sweep();
    }
}

/// The address of a user.
pub fn target(user: UserId) -> String {
    RosterTarget::User(user).to_string()
}

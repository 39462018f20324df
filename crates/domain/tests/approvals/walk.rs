//! C8: random walks through a whole organization, judged by an oracle that shares nothing with the engine; and each of
//! the eleven rules taken away in turn, which the oracle must notice.

use std::collections::BTreeMap;

use countersign_model::{Action, DAY, Event, Kind, Member, Protected, Walk, Walked, walk};
use serde_json::json;

use super::passkey::Passkey;
use super::world::{APPROVERS, CONFIGURATION, World, ana, by, person, target, user};
use crate::approval::{Decision, SignerRole};
use crate::change::{Change, ChangeKind, ChangeRequest, Proposal, withdraw};
use crate::guard::{Guard, without};
use crate::ids::UserId;
use crate::roster::{PolicyState, Role, UserState};

/// Ana asks, Bo decides, Cy does both, Dee decides; the last is an account that Ana made, alone.
const PUPPET: usize = 4;

/// An organization with this cast, and its clock where it was.
#[derive(Clone)]
struct Acme(World);

impl Acme {
    fn new(quorum: u32) -> Self {
        let all = vec![Role::Admin, Role::ApiKeysApprover, Role::PolicyApprover];
        let people = [
            (1, vec![Role::Admin]),
            (2, APPROVERS.to_vec()),
            (3, all),
            (4, APPROVERS.to_vec()),
        ];
        let mut world = World::founded(&people, &PolicyState::standard(true, quorum));
        let puppet = member(PUPPET);
        let state = UserState::new(person(5), [Role::Viewer].into());
        world
            .change_user(ana(), ChangeKind::UserCreate, (puppet, &state))
            .unwrap();
        let passkey = Passkey::new();
        let state = serde_json::to_value(world.passkey_state(&passkey, puppet)).unwrap();
        let address = format!("au-{}", passkey.credential);
        world
            .submit(&by(ana()), ChangeKind::AuthenticatorReset, &address, state)
            .unwrap();
        world.passkeys.insert(puppet, passkey);
        world
            .targets
            .insert(CONFIGURATION.to_owned(), (1, json!({"content": 0})));
        world.requests.clear();
        world.log.clear();
        Self(world)
    }

    fn submit(&mut self, maker: UserId, kind: Kind) -> Option<u64> {
        let world = &mut self.0;
        let submitted = match kind {
            Kind::Edit(content) => {
                let after = json!({ "content": content });
                world.submit(
                    &by(maker),
                    ChangeKind::ConfigurationEdit,
                    CONFIGURATION,
                    after,
                )
            }
            Kind::Grant(who) => {
                let mut state = world.user_state(member(who));
                state.roles.extend(APPROVERS);
                world.change_user(maker, ChangeKind::RoleGrant, (member(who), &state))
            }
            Kind::Revoke(who) => {
                let mut state = world.user_state(member(who));
                state.roles.retain(|role| !role.is_approver());
                world.change_user(maker, ChangeKind::RoleRevoke, (member(who), &state))
            }
            Kind::Quorum(0) => {
                let mut policy = world.policy();
                policy.enabled = false;
                world.change_policy(maker, &policy)
            }
            Kind::Quorum(quorum) => {
                world.change_policy(maker, &PolicyState::standard(true, quorum))
            }
            Kind::Suspend(who) => world.suspend(maker, member(who)),
        };
        submitted.ok()
    }

    /// Puts other content into a stored request, as somebody does who writes to the database and is its maker.
    fn rewrite(&mut self, number: u64, content: u32) -> bool {
        let old = self.0.entry(number).request.change.envelope().clone();
        let Some(maker) = old
            .requester
            .user()
            .filter(|_| old.kind == ChangeKind::ConfigurationEdit)
        else {
            return false;
        };
        let base = old.base();
        let proposal = Proposal {
            tenant_id: old.tenant_id,
            kind: old.kind,
            target: old.target,
            base,
            after: json!({ "content": content }),
            maker: old.requester,
            contributors: old.contributors,
            justification: old.justification,
        };
        let change = Change::new(proposal, old.request_id, old.policy, old.created_at).unwrap();
        let signed = self
            .0
            .sign(maker, &change, SignerRole::Maker, Decision::Request);
        let entry = self.0.entry_mut(number);
        let (number, state) = (entry.request.number, entry.request.state.clone());
        entry.request = ChangeRequest {
            number,
            change,
            state,
        };
        entry.maker_statement = Some(signed);
        true
    }

    fn event(&self, (number, what): (u64, &str)) -> Event {
        let request = usize::try_from(number).unwrap() - 1;
        match what {
            "voted" => Event::Voted(request),
            "closed" => Event::Closed(request),
            _ => {
                let envelope = self.0.entry(number).request.change.envelope();
                let lapses = envelope.after["suspended_until"].is_string();
                Event::Applied { request, lapses }
            }
        }
    }
}

fn member(who: usize) -> UserId {
    user(u8::try_from(who).unwrap() + 1)
}

fn number(request: usize) -> u64 {
    request as u64 + 1
}

impl countersign_model::World for Acme {
    fn act(&mut self, action: Action) -> Vec<Event> {
        self.0.log.clear();
        let mut events = Vec::new();
        match action {
            Action::Approve(who, request) => {
                let _ = self.0.approve(member(who), number(request));
            }
            Action::Pass(seconds) => self.0.pass(seconds),
            Action::Reject(who, request) => {
                let _ = self
                    .0
                    .decide(member(who), number(request), Decision::Reject);
            }
            Action::Rewrite(request, content) => {
                if self.rewrite(number(request), content) {
                    events.push(Event::Rewritten(request));
                }
            }
            Action::Submit(who, kind) => {
                if let Some(number) = self.submit(member(who), kind) {
                    events.push(Event::Submitted(usize::try_from(number).unwrap() - 1));
                }
            }
            Action::Veto(who, request) => {
                let _ = self.0.decide(member(who), number(request), Decision::Veto);
            }
            Action::Withdraw(who, request) => {
                let request = &self.0.entry(number(request)).request;
                if let Ok(state) = withdraw(request, &by(member(who)), self.0.now) {
                    self.0.enter(request.number, state);
                }
            }
        }
        events.extend(self.0.log.iter().map(|logged| self.event(*logged)));
        events
    }

    fn protected(&self) -> Protected {
        let (version, state) = &self.0.targets[CONFIGURATION];
        let policy = self.0.policy();
        let quorum = policy.rules.configurations.all_of.quorum();
        let members = (0..=PUPPET).map(|who| {
            let state = self.0.user_state(member(who));
            Member {
                is_admin: state.roles.contains(&Role::Admin),
                is_approver: state.is_approver(),
            }
        });
        Protected {
            version: *version,
            content: u32::try_from(state["content"].as_u64().unwrap()).unwrap(),
            quorum: if policy.enabled { quorum } else { 0 },
            members: members.collect(),
        }
    }
}

const EVERYBODY: [usize; 4] = [0, 1, 2, 3];

/// Ana, with the account that she made.
const ALONE: [usize; 2] = [0, PUPPET];

fn walks(start: &Acme, actors: &[usize], (seed, steps): (u64, usize)) -> (Acme, Walked) {
    let mut world = start.clone();
    let how = Walk {
        actors: actors.to_vec(),
        is_alone: actors == ALONE,
        rewrites: true,
        steps,
        seed,
    };
    let walked = walk(&mut world, &how);
    (world, walked)
}

/// No invariant of C8 is broken, whoever acts, in any order; and the walks get somewhere.
#[test]
fn c8_no_walk_breaks_an_invariant() {
    let (mut steps, mut applied) = (0, BTreeMap::new());
    for quorum in [1, 2] {
        let start = Acme::new(quorum);
        for seed in 0..250 {
            let (world, walked) = walks(&start, &EVERYBODY, (seed, 50));
            steps += walked.trace.len();
            for entry in &world.0.requests {
                let kind = entry.request.change.envelope().kind;
                let key = (kind.as_str(), entry.request.state.as_str());
                *applied.entry(key).or_insert(0) += 1;
            }
            if let Err(violation) = &walked.judged {
                panic!(
                    "quorum {quorum}, seed {seed}: {violation}\n{}",
                    walked.story()
                );
            }
        }
    }
    assert!(steps >= 25_000, "{steps}");
    for kind in [
        "oidc_config.edit",
        "role.grant",
        "role.revoke",
        "policy.change",
        "user.suspend",
    ] {
        let count = applied.get(&(kind, "applied")).copied().unwrap_or(0);
        assert!(count >= 20, "{kind}: {applied:?}");
    }
}

/// I5: one person, with any account that they can make alone, changes nothing that is protected.
#[test]
fn c8_i5_one_person_alone_changes_nothing_that_is_protected() {
    let mut steps = 0;
    for quorum in [1, 2] {
        let start = Acme::new(quorum);
        for seed in 0..50 {
            let (_, walked) = walks(&start, &ALONE, (seed, 50));
            steps += walked.trace.len();
            if let Err(violation) = &walked.judged {
                panic!(
                    "quorum {quorum}, seed {seed}: {violation}\n{}",
                    walked.story()
                );
            }
        }
    }
    assert!(steps >= 5_000, "{steps}");
}

/// Liveness, and I6: wherever a walk ends, unless people agreed to suspend somebody for good, everybody who may ask can
/// be served once time has passed.
#[test]
fn c8_where_nobody_is_suspended_for_good_nobody_is_locked_out() {
    let mut served = 0;
    for quorum in [1, 2] {
        let start = Acme::new(quorum);
        for seed in 1_000..1_040 {
            let (mut world, walked) = walks(&start, &EVERYBODY, (seed, 40));
            let mut oracle = walked
                .judged
                .unwrap_or_else(|violation| panic!("{violation}"));
            world.0.pass(90 * DAY);
            let events = countersign_model::World::act(&mut world, Action::Pass(1));
            let protected = countersign_model::World::protected(&world);
            let _ = oracle.hear(Action::Pass(91 * DAY), &events, &protected);
            if !oracle.is_whole() {
                continue;
            }
            assert_eq!(
                oracle.able_admins(),
                oracle.admins().collect::<Vec<_>>(),
                "{seed}"
            );
            for admin in oracle.admins() {
                world.0.now = world.0.now.plus(10 * DAY);
                world.0.sweep();
                let edit = world
                    .submit(
                        member(admin),
                        Kind::Edit(77 + u32::try_from(admin).unwrap()),
                    )
                    .unwrap();
                for checker in oracle.checkers(admin) {
                    let _ = world.0.approve(member(checker), edit);
                }
                assert_eq!(
                    world.0.state(edit),
                    "applied",
                    "seed {seed}, {}",
                    target(member(admin))
                );
                served += 1;
            }
        }
    }
    assert!(served > 50, "{served}");
}

/// Each of the eleven rules is needed: without it, some walk breaks an invariant.
#[test]
fn c8_each_rule_taken_away_is_noticed() {
    let rules = [
        (Guard::OwnRequest, "I1"),
        (Guard::OneVote, "I1"),
        (Guard::Recount, "I1"),
        (Guard::Maker, "I2"),
        (Guard::Base, "I3"),
        (Guard::Immutable, "I1"),
        (Guard::Stricter, "I1"),
        (Guard::PolicyGoverned, "I1"),
        (Guard::RolesGoverned, "I1"),
        (Guard::Floor, "I6"),
        (Guard::Terminal, "I4"),
    ];
    for (guard, expected) in rules {
        let starts = [1, 2].map(Acme::new);
        let found = (0..400).find_map(|seed: u64| {
            let start = &starts[usize::from(seed % 2 == 1)];
            let (_, walked) = without(guard, || walks(start, &EVERYBODY, (seed, 60)));
            walked
                .judged
                .err()
                .filter(|violation| violation.0.starts_with(expected))
        });
        assert!(found.is_some(), "nobody noticed that {guard:?} is gone");
    }
}

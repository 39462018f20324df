//! Random walks: the actions of the model checker, and time, containment and the veto beside them.

use crate::{Action, DAY, Event, Kind, Oracle, Random, Violation, Who, World};

/// How to walk.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Who acts.
    pub actors: Vec<Who>,
    /// Whether all of them are one person (I5).
    pub is_alone: bool,
    /// Whether somebody rewrites stored requests, past the engine.
    pub rewrites: bool,
    /// How many actions.
    pub steps: usize,
    /// Makes the walk repeatable.
    pub seed: u64,
}

/// What a walk came to.
#[derive(Clone, Debug)]
pub struct Walked {
    /// Every action, and what came of it.
    pub trace: Vec<(Action, Vec<Event>)>,
    /// The oracle at the end, or what it objects to.
    pub judged: Result<Oracle, Violation>,
}

impl Walked {
    /// The last actions that came to something, for people.
    #[must_use]
    pub fn story(&self) -> String {
        let told = self
            .trace
            .iter()
            .filter(|(action, events)| !events.is_empty() || matches!(action, Action::Pass(_)));
        told.map(|(action, events)| format!("  {action:?} -> {events:?}\n"))
            .collect()
    }
}

/// Walks through a world, and stops at the first violation.
pub fn walk(world: &mut impl World, how: &Walk) -> Walked {
    let mut random = Random::new(how.seed);
    let start = world.protected();
    let everybody: Vec<Who> = (0..start.members.len()).collect();
    let mut oracle = Oracle::new(start, how.is_alone);
    let mut trace = Vec::new();
    for _ in 0..how.steps {
        let action = next(&mut random, how, &everybody, oracle.requests());
        let events = world.act(action);
        trace.push((action, events.clone()));
        if let Err(violation) = oracle.hear(action, &events, &world.protected()) {
            let judged = Err(violation);
            return Walked { trace, judged };
        }
    }
    let judged = Ok(oracle);
    Walked { trace, judged }
}

fn next(random: &mut Random, how: &Walk, everybody: &[Who], requests: usize) -> Action {
    let who = random.one_of(&how.actors);
    let dice = random.below(100);
    if requests == 0 || dice < 24 {
        return Action::Submit(who, kind(random, everybody));
    }
    // One of the last few: the older ones are mostly closed.
    let request = requests - 1 - random.below(requests.min(3));
    match dice {
        24..70 => Action::Approve(who, request),
        70..74 => Action::Reject(who, request),
        74..77 => Action::Veto(who, request),
        77..80 => Action::Withdraw(who, request),
        80..84 if how.rewrites => Action::Rewrite(request, 1 + u32_of(random.below(3))),
        _ => Action::Pass(random.one_of(&[60, 3600, 7 * 3600, DAY + 60, 3 * DAY])),
    }
}

fn kind(random: &mut Random, everybody: &[Who]) -> Kind {
    let whom = random.one_of(everybody);
    match random.below(20) {
        0..9 => Kind::Edit(1 + u32_of(random.below(3))),
        9..12 => Kind::Grant(whom),
        12..15 => Kind::Revoke(whom),
        15..18 => Kind::Quorum(u32_of(random.below(3))),
        _ => Kind::Suspend(whom),
    }
}

fn u32_of(number: usize) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

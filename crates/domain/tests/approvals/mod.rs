//! Dual approval: each rule by its name, the numbered cases, and walks through a whole organization.

mod edge_cases;
mod eligibility;
mod guards;
mod passkey;
mod recovery;
mod requesting;
mod roster;
mod states;
mod vector;
mod walk;
mod world;

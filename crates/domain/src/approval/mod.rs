//! The approval of changes: who may ask, who may decide, what is signed, and when it is enough (`approvals.md` C3 to C12).

mod containment;
mod decision;
mod eligibility;
mod need;
mod requesting;
mod signature;
mod statement;

pub use containment::{Containment, Containments, DAILY_LIMIT, DAY, suspended};
pub use decision::{NoVerdict, Tally, Verdict, Voided, Vote, tally};
pub use eligibility::{
    Candidate, Case, INDEPENDENCE, Ineligible, MAX_SESSION_AGE, Session, may_check, may_decide,
    may_veto,
};
pub use need::{MAX_QUORUM, MalformedNeed, Need, Place, Progress};
pub use requesting::{NotEntitled, Permission, may_request, permission};
pub use signature::{
    MalformedOctets, Octets, SSH_NAMESPACE, Signature, SignatureRefusal, SignedStatement, Verifier,
};
pub use statement::{
    Decision, Intent, LogHead, MalformedNonce, MalformedStatement, Nonce, STATEMENT_TTL, Signer,
    SignerRole, Statement, challenge,
};

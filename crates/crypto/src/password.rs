//! Passwords at rest: Argon2id (RFC 9106) under a pepper.

use std::fmt;
use std::hint::black_box;
use std::str::FromStr;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use crate::{constant_time_eq, random_bytes};

/// What a new hash costs: the least that OWASP recommends. More would let a few sign-ins at once use up the memory of a
/// small machine, and a stolen table is worth nothing without the pepper.
const COST: Cost = Cost {
    memory: 19 * 1024,
    passes: 2,
    lanes: 1,
};
/// What a stored hash may ask for, so that a forged row costs a second or two of one sign-in and no more.
const MAX_COST: Cost = Cost {
    memory: 256 * 1024,
    passes: 8,
    lanes: 4,
};
const SALT_LEN: usize = 16;
const TAG_LEN: usize = 32;

/// The cost of one hash, as RFC 9106 §3.1 counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    /// In KiB.
    memory: u32,
    passes: u32,
    lanes: u32,
}

/// A password could not be hashed: there is not enough memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is not enough memory to hash a password")]
pub struct PasswordFault;

/// The text is not an Argon2id hash as it is written here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a password hash of the form $argon2id$v=19$m=…,t=…,p=…$salt$hash")]
pub struct PasswordHashMalformed;

/// The hash of a password, stored as a PHC string. It carries its cost, so that old hashes verify after the cost of new
/// ones was raised. `Debug` shows the cost only.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    cost: Cost,
    salt: [u8; SALT_LEN],
    tag: [u8; TAG_LEN],
}

/// The proof that somebody knows a password. Only [`PasswordHasher::verify`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedPassword {
    needs_upgrade: bool,
}

impl VerifiedPassword {
    /// Whether the hash has another cost than new ones: hash the password again and store that.
    #[must_use]
    pub fn needs_upgrade(self) -> bool {
        self.needs_upgrade
    }
}

/// Hashes passwords and verifies them, under a pepper that is not in the database.
///
/// A password is taken as it is. Bring it into one Unicode form (NFC) and bound its length before.
pub struct PasswordHasher {
    pepper: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for PasswordHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHasher(redacted)")
    }
}

impl PasswordHasher {
    /// Takes the pepper, derived from the master key for this purpose alone.
    #[must_use]
    pub const fn new(pepper: Zeroizing<[u8; 32]>) -> Self {
        Self { pepper }
    }

    /// Hashes a password with a random salt. It takes tens of milliseconds of a processor and 19 MiB.
    ///
    /// # Errors
    /// [`PasswordFault`] without memory.
    pub fn hash(&self, password: &str) -> Result<PasswordHash, PasswordFault> {
        let salt = random_bytes();
        Ok(PasswordHash {
            cost: COST,
            salt,
            tag: *self.tag(password, COST, &salt)?,
        })
    }

    /// Whether this is the password, compared in constant time; `None` when it is not.
    ///
    /// # Errors
    /// [`PasswordFault`] without memory.
    pub fn verify(
        &self,
        password: &str,
        stored: &PasswordHash,
    ) -> Result<Option<VerifiedPassword>, PasswordFault> {
        let tag = self.tag(password, stored.cost, &stored.salt)?;
        let verified = VerifiedPassword {
            needs_upgrade: stored.cost != COST,
        };
        Ok(constant_time_eq(tag.as_slice(), &stored.tag).then_some(verified))
    }

    /// Does the work of [`Self::verify`] for a person who does not exist, so that the time does not tell.
    ///
    /// # Errors
    /// [`PasswordFault`] without memory.
    pub fn verify_decoy(&self, password: &str) -> Result<(), PasswordFault> {
        let tag = self.tag(password, COST, &[0; SALT_LEN])?;
        black_box(constant_time_eq(tag.as_slice(), &[0; TAG_LEN]));
        Ok(())
    }

    fn tag(
        &self,
        password: &str,
        cost: Cost,
        salt: &[u8; SALT_LEN],
    ) -> Result<Zeroizing<[u8; TAG_LEN]>, PasswordFault> {
        let mut tag = Zeroizing::new([0; TAG_LEN]);
        Params::new(cost.memory, cost.passes, cost.lanes, Some(TAG_LEN))
            .and_then(|params| {
                let pepper = self.pepper.as_slice();
                Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, params)
            })
            .and_then(|argon2| {
                argon2.hash_password_into(password.as_bytes(), salt, tag.as_mut_slice())
            })
            // Lengths and costs are within the bounds of the algorithm, so memory is what is left to fail.
            .map_err(|_| PasswordFault)?;
        Ok(tag)
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cost {
            memory,
            passes,
            lanes,
        } = self.cost;
        let (salt, tag) = (
            STANDARD_NO_PAD.encode(self.salt),
            STANDARD_NO_PAD.encode(self.tag),
        );
        write!(
            f,
            "$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${tag}"
        )
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash({:?})", self.cost)
    }
}

impl FromStr for PasswordHash {
    type Err = PasswordHashMalformed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hash = parse(text).ok_or(PasswordHashMalformed)?;
        // One hash has one form.
        match hash.to_string() == text {
            true => Ok(hash),
            false => Err(PasswordHashMalformed),
        }
    }
}

fn parse(text: &str) -> Option<PasswordHash> {
    let parts: Vec<&str> = text.strip_prefix("$argon2id$v=19$m=")?.split('$').collect();
    let [cost, salt, tag] = parts.as_slice() else {
        return None;
    };
    let (memory, rest) = cost.split_once(",t=")?;
    let (passes, lanes) = rest.split_once(",p=")?;
    let cost = Cost {
        memory: memory.parse().ok()?,
        passes: passes.parse().ok()?,
        lanes: lanes.parse().ok()?,
    };
    let is_bounded = cost.memory <= MAX_COST.memory
        && (1..=MAX_COST.passes).contains(&cost.passes)
        && (1..=MAX_COST.lanes).contains(&cost.lanes)
        && cost.memory >= 8 * cost.lanes;
    is_bounded.then_some(PasswordHash {
        cost,
        salt: octets(salt)?,
        tag: octets(tag)?,
    })
}

fn octets<const N: usize>(base64: &str) -> Option<[u8; N]> {
    STANDARD_NO_PAD.decode(base64).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher(pepper: u8) -> PasswordHasher {
        PasswordHasher::new(Zeroizing::new([pepper; 32]))
    }

    #[test]
    fn only_the_password_under_its_pepper_verifies() {
        let hash = hasher(1).hash("correct horse battery").unwrap();
        let verify = |pepper, password| hasher(pepper).verify(password, &hash).unwrap();
        assert!(!verify(1, "correct horse battery").unwrap().needs_upgrade());
        for password in [
            "",
            "correct horse",
            "correct horse battery ",
            "Correct horse battery",
        ] {
            assert_eq!(verify(1, password), None);
        }
        assert_eq!(verify(2, "correct horse battery"), None);
        assert_ne!(hasher(1).hash("correct horse battery").unwrap(), hash);
        assert_eq!(hash.to_string().parse(), Ok(hash));
    }

    /// Made with the reference implementation in C, which also takes the pepper as its secret.
    #[test]
    fn the_hash_is_that_of_the_reference_implementation() {
        let text = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$\
            LfWvDy+LWCOyaDyYO5ezMvtOFIO3pGzfXVBT+GPRvOQ";
        let hash: PasswordHash = text.parse().unwrap();
        let verified = hasher(1).verify("correct horse battery", &hash).unwrap();
        assert!(!verified.unwrap().needs_upgrade());
    }

    #[test]
    fn every_character_of_a_long_password_matters() {
        let long = "a".repeat(200);
        let hash = hasher(1).hash(&long).unwrap();
        let verified = hasher(1).verify(&long[1..], &hash).unwrap();
        assert_eq!(verified, None);
    }

    #[test]
    fn a_hash_of_another_cost_verifies_and_wants_to_be_replaced() {
        let cheap = Cost {
            memory: 8,
            passes: 1,
            lanes: 1,
        };
        let hasher = hasher(1);
        let (salt, password) = ([2; SALT_LEN], "password");
        let hash = PasswordHash {
            cost: cheap,
            salt,
            tag: *hasher.tag(password, cheap, &salt).unwrap(),
        };
        let verified = hasher.verify(password, &hash).unwrap().unwrap();
        assert!(verified.needs_upgrade());
    }

    #[test]
    fn a_decoy_takes_the_work_of_a_verification() {
        hasher(1).verify_decoy("password").unwrap();
    }

    #[test]
    fn nothing_of_a_hash_is_shown() {
        let hash = hasher(1).hash("password").unwrap();
        let tag = STANDARD_NO_PAD.encode(hash.tag);
        assert!(!format!("{hash:?} {:?}", hasher(1)).contains(&tag[..8]));
    }

    #[test]
    fn a_stored_hash_has_one_form_and_a_bounded_cost() {
        let salt = STANDARD_NO_PAD.encode([1; SALT_LEN]);
        let tag = STANDARD_NO_PAD.encode([2; TAG_LEN]);
        let read = |front: &str| format!("{front}${salt}${tag}").parse::<PasswordHash>();
        assert!(read("$argon2id$v=19$m=19456,t=2,p=1").is_ok());
        assert!(read("$argon2id$v=19$m=262144,t=8,p=4").is_ok());
        for front in [
            "$argon2i$v=19$m=19456,t=2,p=1",
            "$argon2id$v=16$m=19456,t=2,p=1",
            "$argon2id$m=19456,t=2,p=1",
            "$argon2id$v=19$t=2,m=19456,p=1",
            "$argon2id$v=19$m=019456,t=2,p=1",
            "$argon2id$v=19$m=+19456,t=2,p=1",
            "$argon2id$v=19$m=19456,t=2,p=1,keyid=AA",
            "$argon2id$v=19$m=262145,t=2,p=1",
            "$argon2id$v=19$m=19456,t=9,p=1",
            "$argon2id$v=19$m=19456,t=0,p=1",
            "$argon2id$v=19$m=19456,t=2,p=0",
            "$argon2id$v=19$m=7,t=2,p=1",
            "$argon2id$v=19$m=19456,t=2,p=5",
            " $argon2id$v=19$m=19456,t=2,p=1",
        ] {
            assert_eq!(read(front), Err(PasswordHashMalformed), "{front}");
        }
        let front = "$argon2id$v=19$m=19456,t=2,p=1";
        for text in [
            String::new(),
            front.to_owned(),
            format!("{front}${salt}"),
            format!("{front}${salt}${tag}="),
            format!("{front}${salt}${tag}$"),
            format!("{front}${}${tag}", &salt[1..]),
            format!("{front}${salt}${}", &tag[1..]),
        ] {
            assert_eq!(
                text.parse::<PasswordHash>(),
                Err(PasswordHashMalformed),
                "{text}"
            );
        }
    }
}

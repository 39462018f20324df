//! `timing`: whether an outsider can tell by the clock why an assertion was refused (conformance D11 and DA11, attack
//! 23).
//!
//! It prints what was measured and judges nothing: a busy machine would fail any threshold.

use std::time::{Duration, Instant};

use countersign_crypto::{
    PublicKey, SigningAlgorithm, SigningKey, b64, random_bytes, random_token,
};
use serde_json::json;

use crate::admin::Admin;
use crate::clients::{self, AUDIENCE, ISSUER, KID};
use crate::connection::Connection;
use crate::options::Options;
use crate::requests::{Requests, token_request};
use crate::server::{Launcher, Server};
use crate::statistics::Sample;
use crate::table::{Table, grouped};

/// What is measured by itself: assertions that differ in nothing but the reason.
#[derive(Clone, Copy)]
struct Series {
    label: &'static str,
    algorithm: SigningAlgorithm,
    /// The length of a signature that nobody has made, in octets.
    signature: usize,
    /// Whether the assertions say which key it is.
    names_key: bool,
    /// The registered key is RSA with 4096 bits.
    long_key: bool,
}

const SERIES: [Series; 6] = [
    Series {
        label: "RS256",
        algorithm: SigningAlgorithm::Rs256,
        signature: 256,
        names_key: true,
        long_key: false,
    },
    Series {
        label: "ES256",
        algorithm: SigningAlgorithm::Es256,
        signature: 64,
        names_key: true,
        long_key: false,
    },
    Series {
        label: "RS256 no kid",
        algorithm: SigningAlgorithm::Rs256,
        signature: 256,
        names_key: false,
        long_key: false,
    },
    Series {
        label: "ES256 no kid",
        algorithm: SigningAlgorithm::Es256,
        signature: 64,
        names_key: false,
        long_key: false,
    },
    Series {
        label: "RSA-4096",
        algorithm: SigningAlgorithm::Rs256,
        signature: 512,
        names_key: true,
        long_key: true,
    },
    Series {
        label: "RSA-4096, 256 octets",
        algorithm: SigningAlgorithm::Rs256,
        signature: 256,
        names_key: true,
        long_key: true,
    },
];

/// A key with 4096 bits, whose private part was thrown away.
const LONG_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAxSU8qlEGH2oHIStcQXdb\n\
AoHuv3rSPUfxVvr5j0MEqJfAvId5W/nLV7VqDRycyK4qJwZjIUdfEdZPV673whgR\n\
dWM2Q5nSsMvKeiUMN7tzJJhRMtR2dMpn201zBfFcCixgCsLpwPrrcV+QK+5iDL+J\n\
JfWlrENAlMqXKfMADQnnuBCPPyXqyYuLyl/xaEZ8x3dVdAezJMmtr9GfFndUumzY\n\
YwDl7olM9HuZVHHXZ9MyOCSQ+WvjvuB57NpLkroauYHLdRqfcdPHHOdx6xCLQ0pV\n\
S+wpfigYEDPz9KevIkSnQTCbcJ0/g5z5Ozy/QzaH681/G3//RhFaTZkhh839YsQO\n\
2ywXoY5GCKYEta5k4E9PHSuTJOZN6dUDeEFqPUcEBepJ5n8DjG9omJjrgM0t5F81\n\
kTzY6kKAumDeTHuVtmd0Eq3I7Q8UN69ksHlDmWZE7VF0f68fbSzamJDkDAbmgxm4\n\
JEVYUD7lDTMXbr3TMo7oUjWusW8QVEHFGQO/+8YS1OgqdH5BIx6FsgNV/BVcEaHi\n\
nqh3RHC/81MJP85KDMv2GvCSHDxq49vuXdf5Le0hgVP5jUYE2nntjl3wG6kgglWA\n\
HFouXNjCXSE8rjO5pWljtCr8WxdEbapNRXzpW7BS+fociCslj6mGSpVcz6zoRnR5\n\
nojUehSGbWfNCrGcBo4w/1UCAwEAAQ==\n\
-----END PUBLIC KEY-----\n";

/// Rounds over all classes whose requests are made at once.
const BATCH: usize = 200;

/// Rounds over all classes before anything is kept: keys are parsed at their first use.
const WARM_UP: usize = 100;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an outsider sends: assertions of one length with a signature of one length that nobody has made.
struct Class {
    label: &'static str,
    issuer: &'static str,
    kid: &'static str,
    typ: &'static str,
}

/// The configuration that was deactivated; as long as [`ISSUER`].
const DEACTIVATED: &str = "benchmark-closed";

/// The configuration with two keys; as long as [`ISSUER`].
const TWO_KEYS: &str = "benchmark-double";

/// The first is what the others are held against. The second is the same: it shows how much chance alone makes of it. The
/// last is refused before any signature is checked, which its sender knows: it shows what a difference would look like.
const CLASSES: [Class; 7] = [
    Class {
        label: "bad signature",
        issuer: ISSUER,
        kid: KID,
        typ: "JWT",
    },
    Class {
        label: "bad signature, again",
        issuer: ISSUER,
        kid: KID,
        typ: "JWT",
    },
    Class {
        label: "bad signature, two keys",
        issuer: TWO_KEYS,
        kid: KID,
        typ: "JWT",
    },
    Class {
        label: "unknown issuer",
        issuer: "benchmark-nobody",
        kid: KID,
        typ: "JWT",
    },
    Class {
        label: "unknown kid",
        issuer: ISSUER,
        kid: "benchmark-0",
        typ: "JWT",
    },
    Class {
        label: "deactivated configuration",
        issuer: DEACTIVATED,
        kid: KID,
        typ: "JWT",
    },
    Class {
        label: "header, not verified at all",
        issuer: ISSUER,
        kid: KID,
        typ: "JWS",
    },
];

/// Runs the measurement and prints a table for each algorithm.
///
/// # Errors
/// A sentence, when it could not be made.
pub(crate) fn run(launcher: &Launcher, options: &Options) -> Result<(), String> {
    let rounds = (options.samples() / (SERIES.len() * CLASSES.len())).max(1);
    for series in SERIES {
        let data = launcher.data()?;
        let server = launcher.start(data.path())?;
        let tenant = furnish(&mut server.admin()?, series)?;
        let target = Target {
            host: server.address.to_string(),
            tenant,
            series,
        };
        let samples = measure(&server, &target, rounds)?;
        server.stop()?;
        print(series, &samples);
    }
    Ok(())
}

/// An organization with a configuration that is active, one that no longer is, and one with two keys.
fn furnish(admin: &mut Admin, series: Series) -> Result<String, String> {
    let algorithm = series.algorithm;
    let tenant = admin.create_organization("benchmark", SigningAlgorithm::Es256)?;
    for issuer in [ISSUER, DEACTIVATED, TWO_KEYS] {
        let key = match series.long_key && issuer == ISSUER {
            true => PublicKey::from_pem(LONG_KEY).map_err(|error| error.to_string())?,
            false => SigningKey::generate(algorithm).public_key().clone(),
        };
        let id = admin.register(&tenant, issuer, &key, algorithm)?;
        match issuer {
            DEACTIVATED => admin.deactivate(&tenant, &id)?,
            TWO_KEYS => {
                let next = SigningKey::generate(algorithm);
                admin.add_key(&tenant, &id, next.public_key(), algorithm)?;
            }
            _ => {}
        }
    }
    Ok(tenant)
}

/// Asks every class once in each round, in an order drawn anew, so that whatever slows the machine slows all alike.
fn measure(server: &Server, target: &Target, rounds: usize) -> Result<Vec<Sample>, String> {
    let mut connection = Connection::open(server.address)?;
    let mut times = vec![Vec::with_capacity(rounds); CLASSES.len()];
    let mut order: Vec<usize> = (0..CLASSES.len()).collect();
    let mut requests = Requests::default();
    for round in 0..WARM_UP + rounds {
        let at = round % BATCH;
        if at == 0 {
            requests = target.batch()?;
        }
        order.sort_by_cached_key(|_| random_bytes::<8>());
        for &class in &order {
            let request = at * CLASSES.len() + class;
            let time = ask(&mut connection, &requests, request)
                .map_err(|error| format!("{error}\n{}", server.log_end()))?;
            if round >= WARM_UP {
                times[class].push(time.as_secs_f64() * 1e6);
            }
        }
    }
    Ok(times.into_iter().map(Sample::from_iter).collect())
}

/// Where the assertions go.
struct Target {
    host: String,
    tenant: String,
    series: Series,
}

impl Target {
    /// The requests of some rounds, each with every class in turn.
    fn batch(&self) -> Result<Requests, String> {
        let now = clients::unix_seconds();
        let all: Requests = (0..BATCH)
            .flat_map(|_| &CLASSES)
            .map(|class| token_request(&self.host, &self.tenant, &self.assertion(class, now)))
            .collect();
        let length = all.octets(0).len();
        if (0..all.len()).all(|index| all.octets(index).len() == length) {
            Ok(all)
        } else {
            Err("requests of different lengths take different times by themselves".to_owned())
        }
    }

    /// An assertion that nobody has signed. Its signature is new each time: how long a verification takes depends on
    /// it, and a few of them, used again and again, would make classes differ that do not.
    fn assertion(&self, class: &Class, now: u64) -> String {
        let mut header = json!({ "alg": self.series.algorithm.as_str(), "typ": class.typ });
        if self.series.names_key {
            header["kid"] = class.kid.into();
        }
        let claims = json!({
            "iss": class.issuer, "sub": class.issuer, "aud": AUDIENCE,
            "iat": now, "exp": now + 300, "jti": random_token(16),
        });
        let mut number = random_bytes::<512>();
        if let SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 = self.series.algorithm {
            // Below every modulus of this length.
            number[0] = 0;
        }
        let signature = b64::encode(&number[..self.series.signature]);
        let [header, claims] =
            [header, claims].map(|part| b64::encode(part.to_string().as_bytes()));
        format!("{header}.{claims}.{signature}")
    }
}

/// The time from the first octet of a request to the last one of its answer, which must be the one that every outsider
/// gets. It never sleeps: being woken takes longer than what is looked for.
fn ask(
    connection: &mut Connection,
    requests: &Requests,
    request: usize,
) -> Result<Duration, String> {
    let begun = Instant::now();
    connection.send(request, begun, requests)?;
    loop {
        if let Some((status, body)) = connection.receive()? {
            let time = begun.elapsed();
            let text = String::from_utf8_lossy(body);
            if status == 400 && text.contains("invalid_grant") && !text.contains("\"reason\"") {
                return Ok(time);
            }
            return Err(format!(
                "not the refusal that was expected: {status} {text}"
            ));
        }
        connection.flush(requests)?;
        if begun.elapsed() > PATIENCE {
            return Err("the server does not answer".to_owned());
        }
    }
}

fn print(series: Series, samples: &[Sample]) {
    let table = Table::begin(&[
        "assertion refused for                      ",
        "samples",
        "median µs",
        "  p90 µs",
        "difference µs",
        "slower",
        "     z",
    ]);
    let Some(reference) = samples.first() else {
        return;
    };
    for (number, (class, sample)) in CLASSES.iter().zip(samples).enumerate() {
        let mut cells = vec![
            format!("{} {}", series.label, class.label),
            grouped(sample.len() as f64),
            format!("{:.1}", sample.percentile(50)),
            format!("{:.1}", sample.percentile(90)),
        ];
        if number > 0 {
            let difference = sample.percentile(50) - reference.percentile(50);
            let comparison = sample.compare(reference);
            cells.push(format!("{difference:+.2}"));
            cells.push(format!("{:.3}", comparison.slower));
            cells.push(format!("{:+.2}", comparison.z));
        }
        table.row(&cells);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_differ_in_nothing_that_has_a_length() {
        for class in &CLASSES {
            assert_eq!(class.issuer.len(), ISSUER.len(), "{}", class.label);
            assert_eq!(class.kid.len(), KID.len(), "{}", class.label);
            assert_eq!(class.typ.len(), CLASSES[0].typ.len(), "{}", class.label);
        }
    }
}

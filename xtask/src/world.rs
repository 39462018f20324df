//! What the clients find: organizations with configurations on a running server, and the private keys in files.
//!
//! Written for the clients as `world.json`, and as `world.sh` for the one that is a shell script.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::server::Server;

/// The folder with `world.json`, `world.sh` and the keys.
#[derive(Debug)]
pub(crate) struct World {
    /// Where the files are.
    pub(crate) folder: PathBuf,
}

/// What a client's configuration must accept as `aud`.
#[derive(Clone, Copy)]
enum Audience {
    /// The default: the organization's issuer.
    Issuer,
    /// The token endpoint, which many clients write and few let their user change.
    TokenEndpoint,
}

/// A key belongs to one configuration on the whole platform, so every client has its own.
const CLIENTS: &[(&str, &str, Audience)] = &[
    ("curl_rs256", "RS256", Audience::Issuer),
    ("curl_es256", "ES256", Audience::Issuer),
    ("openid_client", "ES256", Audience::Issuer),
    ("oauth4webapi", "ES256", Audience::Issuer),
    ("authlib_client", "RS256", Audience::TokenEndpoint),
    ("authlib_session", "RS256", Audience::Issuer),
    ("google_auth", "RS256", Audience::Issuer),
    ("requests_oauth2client", "RS256", Audience::TokenEndpoint),
    ("pyjwt", "EdDSA", Audience::Issuer),
    ("go_oauth2", "RS256", Audience::Issuer),
    ("resource_server", "ES256", Audience::Issuer),
];

/// Organizations that differ in how their access tokens are signed.
const SIGNERS: &[&str] = &["ES256", "EdDSA", "PS256", "RS256"];

/// Creates everything through the admin API.
///
/// # Errors
/// A sentence that names the call or program that failed.
pub(crate) fn create(server: &Server, folder: &Path) -> Result<World, String> {
    drop(std::fs::remove_dir_all(folder));
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;

    let organization = new_organization(server, "Interoperability")?;
    let mut clients = serde_json::Map::new();
    for (name, algorithm, audience) in CLIENTS {
        let client =
            new_configuration(server, &organization, (name, algorithm), *audience, folder)?;
        clients.insert((*name).to_owned(), client);
    }
    let mut signers = serde_json::Map::new();
    for algorithm in SIGNERS {
        signers.insert(
            (*algorithm).to_owned(),
            new_signer(server, algorithm, folder)?,
        );
    }

    let mut world = organization;
    world["public_url"] = json!(server.url);
    world["compatibility_endpoint"] = json!(format!("{}/passport/v1/oauth2/token", server.url));
    world["platform_token"] = json!(server.token);
    world["clients"] = Value::Object(clients);
    world["signers"] = Value::Object(signers);
    write(&folder.join("world.json"), &format!("{world:#}"))?;
    write(&folder.join("world.sh"), &shell_lines(&world))?;
    Ok(World {
        folder: folder.to_path_buf(),
    })
}

fn new_organization(server: &Server, name: &str) -> Result<Value, String> {
    server.call(
        "POST",
        "/api/v1/organizations",
        None,
        &json!({ "name": name }),
    )
}

/// An organization that signs with `algorithm`, and one configuration to get such a token with.
///
/// The last one is moved there from ES256, so that its key set also holds what came before.
fn new_signer(server: &Server, algorithm: &str, folder: &Path) -> Result<Value, String> {
    let name = format!("Signs {algorithm}");
    let mut organization = if algorithm == "RS256" {
        let made = new_organization(server, &name)?;
        let path = format!("/api/v1/organizations/{}", text(&made, "tenant_id")?);
        let version = format!("\"{}\"", made["version"]);
        let change = json!({ "signing_algorithm": algorithm });
        let changed = server.call("PATCH", &path, Some(&version), &change)?;
        // Otherwise the new key is published for an hour before it signs.
        let rotation = format!("{path}/signing-keys/rotate");
        server.call("POST", &rotation, None, &json!({ "emergency": true }))?;
        changed
    } else {
        let wanted = json!({ "name": name, "signing_algorithm": algorithm });
        server.call("POST", "/api/v1/organizations", None, &wanted)?
    };
    let name = format!("signer_{algorithm}");
    let client = new_configuration(
        server,
        &organization,
        (&name, "ES256"),
        Audience::Issuer,
        folder,
    )?;
    organization["client"] = client;
    Ok(organization)
}

fn new_configuration(
    server: &Server,
    organization: &Value,
    (name, algorithm): (&str, &str),
    audience: Audience,
    folder: &Path,
) -> Result<Value, String> {
    let (private_key, public_key) = new_key(name, algorithm, folder)?;
    let mut wanted = json!({ "name": name, "public_key": public_key, "algorithm": algorithm });
    if matches!(audience, Audience::TokenEndpoint) {
        wanted["verifier_audience"] = organization["token_endpoint"].clone();
    }
    let tenant_id = text(organization, "tenant_id")?;
    let path = format!("/api/v1/organizations/{tenant_id}/configurations");
    let mut made = server.call("POST", &path, None, &wanted)?;
    made["key_file"] = json!(private_key);
    made["kid"] = made["keys"][0]["kid"].clone();
    made["algorithm"] = json!(algorithm);
    Ok(made)
}

/// A key pair made by OpenSSL: the private key's file, and the public key as SPKI PEM.
fn new_key(name: &str, algorithm: &str, folder: &Path) -> Result<(PathBuf, String), String> {
    let private_key = folder.join(format!("{name}.pem"));
    let kind: &[&str] = match algorithm {
        "ES256" => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "EdDSA" => &["-algorithm", "ED25519"],
        _ => &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    };
    openssl(
        Command::new("openssl")
            .arg("genpkey")
            .args(kind)
            .arg("-out")
            .arg(&private_key),
    )?;
    let public_key = openssl(
        Command::new("openssl")
            .args(["pkey", "-pubout", "-in"])
            .arg(&private_key),
    )?;
    Ok((private_key, public_key))
}

fn openssl(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("cannot start openssl: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!(
            "openssl: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    }
}

/// `NAME='value'` for every string, with the path to it as the name.
fn shell_lines(world: &Value) -> String {
    fn visit(prefix: &str, value: &Value, lines: &mut String) {
        match value {
            Value::String(text) => {
                let quoted = text.replace('\'', r"'\''");
                lines.push_str(&format!("{prefix}='{quoted}'\n"));
            }
            Value::Object(members) => {
                for (name, member) in members {
                    let name = if prefix.is_empty() {
                        name.clone()
                    } else {
                        format!("{prefix}_{name}")
                    };
                    visit(&name, member, lines);
                }
            }
            _ => {}
        }
    }
    let mut lines = String::new();
    visit("", world, &mut lines);
    lines
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, String> {
    value[name]
        .as_str()
        .ok_or_else(|| format!("the answer has no {name}: {value}"))
}

fn write(path: &Path, content: &str) -> Result<(), String> {
    std::fs::write(path, content).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_lines_quote_what_the_shell_would_read() {
        let world = json!({ "name": "it's", "clients": { "a": { "kid": "$(k)" } }, "version": 1 });
        let lines = shell_lines(&world);
        assert!(lines.contains(r"name='it'\''s'"));
        assert!(lines.contains("clients_a_kid='$(k)'"));
        assert!(!lines.contains("version"));
    }
}

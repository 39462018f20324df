//! The listener with TLS in the real program: started in words or not at all, believed, renewed, looked at.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use countersign_testkit::{Authority, IssuedCertificate};

use crate::first_run::{commands_after, paste};
use crate::server::{PROGRAM, Plan, eventually};

/// Certificate and key where a server looks for them.
struct Place {
    directory: PathBuf,
}

impl Place {
    fn new(directory: &Path, issued: &IssuedCertificate) -> Self {
        let place = Self {
            directory: directory.to_owned(),
        };
        place.put("server.pem", &issued.certificate);
        place.put("server.key", &issued.key);
        place
    }

    /// Puts a private file in the place of another, as renewing programs do.
    fn put(&self, name: &str, text: &str) {
        let beside = self.path("beside");
        fs::write(&beside, text).unwrap();
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(beside, self.path(name)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn plan(&self) -> Plan {
        let mut plan = Plan::new(&self.path("data"));
        plan.arguments = vec![
            "--tls-certificate".into(),
            self.path("server.pem").into(),
            "--tls-key".into(),
            self.path("server.key").into(),
        ];
        plan
    }

    /// A file that makes the command line trust `authority`, and nothing else.
    fn trust(&self, authority: &Authority) -> PathBuf {
        let file = self.path("authority.pem");
        fs::write(&file, authority.certificate()).unwrap();
        file
    }
}

/// Whether the command line believes a server and is answered: exit code and what it says.
fn ask(plan: &Plan, authority: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(PROGRAM);
    command.args(["instance", "show", "--url"]);
    command.arg(format!("https://{}", plan.address));
    command
        .arg("--token-file")
        .arg(plan.data.join("platform-token"));
    let output = command
        .env("COUNTERSIGN_CA_CERTIFICATE", authority)
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), errors)
}

fn answers(plan: &Plan, authority: &Path) {
    eventually("the server answers over TLS", 30, || {
        ask(plan, authority).0 == Some(0)
    });
}

#[test]
fn a2_a_token_is_issued_over_tls_to_who_trusts_the_authority_and_to_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let place = Place::new(directory.path(), &authority.issue());
    let mut plan = place.plan();
    plan.arguments.push("--demo".into());
    let _server = plan.spawn();
    let trusted = place.trust(&authority);
    answers(&plan, &trusted);
    eventually("the demonstration is written", 10, || {
        plan.output().contains("client_assertion=")
    });
    let output = plan.output();
    assert!(output.contains(&format!("https://{}/t/tn-", plan.address)));
    let commands = commands_after(&output, "Get an access token");
    let trusting = format!(
        "export COUNTERSIGN_CA_CERTIFICATE={}\n{commands}",
        trusted.display()
    );
    let (done, said) = paste(&trusting, directory.path());
    assert!(done && said.contains("eyJ"), "{said}");
    let stranger = directory.path().join("stranger.pem");
    fs::write(&stranger, Authority::new().certificate()).unwrap();
    let (code, said) = ask(&plan, &stranger);
    assert!(code == Some(3) && said.contains("certificate"), "{said}");
}

#[test]
fn tls_files_that_cannot_be_used_are_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (good, other) = (authority.issue(), authority.issue());
    let place = Place::new(directory.path(), &good);
    let plan = place.plan();
    let refused = |expected: &str| {
        let (status, words) = plan.refused();
        assert!(!status.success());
        assert!(words.contains(expected), "{words}");
        assert!(
            !words.contains("PRIVATE KEY"),
            "a key in the words: {words}"
        );
    };
    place.put("server.key", &other.key);
    refused("does not belong to the first certificate");
    place.put("server.key", "nothing");
    refused("no private key can be read");
    place.put("server.key", &good.key);
    place.put("server.pem", "nothing");
    refused("no certificate can be read");
    for (years, expected) in [
        (2020..2021, "it has expired at 2021-01-01"),
        (2990..2999, "it is not valid before 2990-01-01"),
    ] {
        let issued = authority.issue_for(years);
        place.put("server.pem", &issued.certificate);
        place.put("server.key", &issued.key);
        refused(expected);
    }
    place.put("server.pem", &good.certificate);
    place.put("server.key", &good.key);
    let open = fs::Permissions::from_mode(0o640);
    fs::set_permissions(place.path("server.key"), open).unwrap();
    refused("the TLS key");
    refused("chmod 600");
    fs::remove_file(place.path("server.key")).unwrap();
    refused("server.key");
}

#[test]
fn a1_one_of_certificate_and_key_without_the_other_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::new(directory.path(), &Authority::new().issue());
    for (kept, missing) in [(0..2, "--tls-key"), (2..4, "--tls-certificate")] {
        let mut plan = place.plan();
        plan.arguments = plan.arguments[kept].to_vec();
        let (status, words) = plan.refused();
        assert!(!status.success());
        assert!(words.contains(missing), "{words}");
    }
    let mut plan = place.plan();
    plan.arguments.clear();
    let certificate = place.path("server.pem").into();
    plan.environment = vec![("COUNTERSIGN_TLS_CERTIFICATE", certificate)];
    let (status, words) = plan.refused();
    assert!(!status.success() && words.contains("--tls-key"), "{words}");
}

#[test]
fn a_renewed_certificate_is_shown_without_a_restart_and_a_broken_one_never() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (Authority::new(), Authority::new());
    let place = Place::new(directory.path(), &first.issue());
    let plan = place.plan();
    let _server = plan.spawn();
    let trusted = place.trust(&first);
    answers(&plan, &trusted);
    let renewed = second.issue();
    // As certbot does: one file after the other, so for a moment they do not belong together.
    place.put("server.pem", &renewed.certificate);
    eventually("the broken pair is noticed", 10, || {
        plan.errors().contains("the old certificate stays")
    });
    assert_eq!(ask(&plan, &trusted).0, Some(0), "{}", plan.errors());
    place.put("server.key", &renewed.key);
    let trusted_now = place.trust(&second);
    answers(&plan, &trusted_now);
}

#[test]
fn a1_plain_http_where_others_can_hear_it_is_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let mut plan = Plan::new(&directory.path().join("data"));
    plan.start().kill();
    assert!(!plan.errors().contains("plain HTTP"), "{}", plan.errors());
    plan.address.set_ip([0, 0, 0, 0].into());
    plan.start().kill();
    assert!(plan.errors().contains("plain HTTP"), "{}", plan.errors());
}

#[test]
fn doctor_looks_at_the_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let place = Place::new(directory.path(), &authority.issue());
    Plan::new(&place.path("data")).start().kill();
    let doctor = || {
        let mut command = Command::new(PROGRAM);
        command.args(["doctor", "--data"]).arg(place.path("data"));
        let output = command.args(place.plan().arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.success(), text)
    };
    let (sound, words) = doctor();
    assert!(
        sound && words.contains("ok       TLS certificate"),
        "{words}"
    );
    let expired = authority.issue_for(2020..2021);
    place.put("server.pem", &expired.certificate);
    place.put("server.key", &expired.key);
    let (sound, words) = doctor();
    assert!(
        !sound && words.contains("it has expired at 2021"),
        "{words}"
    );
}

/// What OpenSSL says to the server, and about it.
fn openssl(plan: &Plan, arguments: &[&str]) -> String {
    let output = Command::new("openssl")
        .args(["s_client", "-connect", &plan.address.to_string()])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn a2_openssl_speaks_tls_1_2_and_1_3_with_the_server_and_nothing_older_or_weaker() {
    if Command::new("openssl").arg("version").output().is_err() {
        println!(
            "skipped: openssl (a2_openssl_speaks_tls_1_2_and_1_3_with_the_server_and_nothing_older_or_weaker)"
        );
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let place = Place::new(directory.path(), &authority.issue());
    let plan = place.plan();
    let _server = plan.spawn();
    answers(&plan, &place.trust(&authority));
    for (arguments, expected) in [
        (&["-tls1_3"][..], "New, TLSv1.3, Cipher is TLS_"),
        (
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
            "New, TLSv1.2, Cipher is ECDHE-ECDSA-AES128-GCM-SHA256",
        ),
        (
            &[
                "-tls1_2",
                "-cipher",
                "ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0",
            ],
            "SSL alert number 40",
        ),
        (
            &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
            "SSL alert number",
        ),
        (&["-tls1", "-cipher", "ALL:@SECLEVEL=0"], "SSL alert number"),
    ] {
        let said = openssl(&plan, arguments);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

//! The first minutes: what a person sees, and that what is printed works when pasted.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::server::{PROGRAM, Plan};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Pastes text into a shell whose `PATH` has the program.
pub fn paste(commands: &str, directory: &Path) -> (bool, String) {
    let bin = Path::new(PROGRAM).parent().unwrap().display().to_string();
    let output = Command::new("sh")
        .arg("-ec")
        .arg(format!(
            "PATH={bin}:$PATH\nHOME={}\n{commands}",
            directory.display()
        ))
        .current_dir(directory)
        .env_remove("COUNTERSIGN_URL")
        .env_remove("COUNTERSIGN_TOKEN")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), format!("{text}{errors}"))
}

/// The indented lines after one that contains `title`, up to the next line that is not a command.
pub fn commands_after(output: &str, title: &str) -> String {
    let after = output
        .split_once(title)
        .unwrap_or_else(|| panic!("no {title:?} in {output}"))
        .1;
    let lines = after.lines().skip(1).skip_while(|line| line.is_empty());
    let commands = lines.take_while(|line| line.starts_with("    ") || line.is_empty());
    commands.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_first_start_says_where_how_and_what_next_and_the_second_shows_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut plan = Plan::new(&data);
    plan.arguments.clear();
    let server = plan.start();
    crate::server::eventually("the welcome is written", 5, || {
        plan.output().contains("config create")
    });
    let output = plan.output();
    let token = fs::read_to_string(data.join("platform-token")).unwrap();
    assert!(token.starts_with("cst_"), "{token}");
    assert!(output.contains(&token), "{output}");
    assert!(
        output.contains(&format!("http://{}", plan.address)),
        "{output}"
    );
    for command in [
        "countersign org create",
        "countersign keygen",
        "countersign config create",
    ] {
        assert!(output.contains(command), "{output}");
    }
    assert_eq!(mode(&data), 0o700);
    for file in ["platform-token", "master.key"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    let (done, said) = paste(
        &commands_after(&output, "Next, in another terminal"),
        directory.path(),
    );
    assert!(done, "{said}");
    assert!(server.stop().success());
    let server = plan.start();
    crate::server::eventually("it says that it runs", 5, || {
        plan.output().contains("running")
    });
    let output = plan.output();
    assert!(!output.contains("cst_"), "{output}");
    drop(server);
}

#[test]
fn the_commands_of_the_demonstration_return_a_token_when_pasted() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut plan = Plan::new(&data);
    plan.arguments = vec!["--demo".into()];
    let _server = plan.start();
    crate::server::eventually("the demonstration is written", 10, || {
        plan.output().contains("client_assertion=")
    });
    let output = plan.output();
    let (done, said) = paste(
        &commands_after(&output, "Get an access token"),
        directory.path(),
    );
    assert!(done && said.contains("eyJ"), "{said}");
    if Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: curl (the_commands_of_the_demonstration_return_a_token_when_pasted)");
        return;
    }
    for _ in 0..2 {
        let (done, said) = paste(
            &commands_after(&output, "The same with curl"),
            directory.path(),
        );
        assert!(done && said.contains("\"access_token\":\"eyJ"), "{said}");
    }
}

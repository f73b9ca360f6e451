//! Programs run as their users run them.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
};

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Ends with this code, and says all of these on stderr, in one message.
#[track_caller]
pub(crate) fn refused(command: &mut Command, code: i32, words: &[&str]) {
    let Output { status, stdout, stderr } = command.output().expect("the binary starts");
    let stderr = text(&stderr);
    assert_eq!(status.code(), Some(code), "{stderr}");
    assert!(stdout.is_empty(), "a refusal prints no result: {}", text(&stdout));
    for word in words {
        assert!(stderr.contains(word), "no `{word}` in: {stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[track_caller]
pub(crate) fn succeeds(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().expect("the binary starts");
    assert!(status.success(), "{status}: {}", text(&stderr));
    text(&stdout)
}

/// Sends a signal to a run that says `begun`, and returns how it ended.
#[cfg(unix)]
pub(crate) fn interrupted(program: &str, signal: &str, words: &[&str], begun: &str, folder: &Path) -> Option<i32> {
    let mut command = Command::new(program);
    command.env_remove("MAML_DATA").args(words).args(["--progress", "plain", "--out"]).arg(folder);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    // The first line of progress says that the run is under way and listens to signals.
    let talk = BufReader::new(child.stderr.take().expect("stderr is piped"));
    let mut lines = talk.lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains(begun)), "the run says what it does");
    let kill = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill is there");
    assert!(kill.success());
    lines.for_each(drop);
    child.wait().expect("the child ends").code()
}

//! A Python that has the peers: made once under Cargo's target directory.

use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
    process::{Command, Stdio},
};

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/requirements.txt");
const FOLDER: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/peers");
/// Lies in the folder once all is installed, and says what.
const DONE: &str = "installed.txt";
const ANOTHER: &str = "--python PYTHON names a Python that has the peers";

/// The Python of a virtual environment with the requirements of the peers. It is made if it is not there, or if it
/// was made for other requirements. Fails with a sentence.
pub(crate) fn with_peers() -> Result<String, String> {
    let folder = Path::new(FOLDER);
    let (python, done) = (folder.join("bin/python").display().to_string(), folder.join(DONE));
    let wanted = fs::read_to_string(REQUIREMENTS).map_err(|e| format!("{REQUIREMENTS} cannot be read: {e}"))?;
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    eprintln!("making a virtual environment with the peers in {FOLDER}, once");
    make()?;
    install(&python)?;
    fs::write(&done, wanted).map_err(|e| format!("{} cannot be written: {e}", done.display()))?;
    Ok(python)
}

fn make() -> Result<(), String> {
    match run(Command::new("python3").args(["-m", "venv", "--clear", FOLDER])) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!(
            "python3 made no virtual environment, see above; on Debian and Ubuntu `apt install python3-venv` helps, \
             and {ANOTHER}"
        )),
        Err(e) if e.kind() == ErrorKind::NotFound => Err(format!(
            "the peers need python3, which is not there; install Python 3.11 or newer (Debian, Ubuntu: `apt install \
             python3 python3-venv`); {ANOTHER}"
        )),
        Err(e) => Err(format!("python3 cannot be started ({e}); {ANOTHER}")),
    }
}

fn install(python: &str) -> Result<(), String> {
    match run(Command::new(python).args(["-m", "pip", "install", "-r", REQUIREMENTS])) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!(
            "pip did not install the peers, see above; it needs the network, Python 3.11 or newer and a few gigabytes \
             of disk; without network, {ANOTHER}"
        )),
        Err(e) => Err(format!("{python} cannot be started: {e}")),
    }
}

/// Whether it ended well. What it prints goes where messages go: the tables are alone on the standard output.
fn run(command: &mut Command) -> io::Result<bool> {
    Ok(command.stdout(Stdio::from(io::stderr())).status()?.success())
}

//! The peers: a script of `benches/peers` at one case, in a process of its own.

use std::process::Command;

use crate::{
    answer::Answer,
    cases::{Case, Engine, JAX, TORCH},
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");

/// Prints both versions without waiting for the frameworks to start.
const VERSIONS: &str = "\
from importlib.metadata import version
print(version('torch').partition('+')[0], version('jax'))";

/// A Python that has both frameworks.
pub(crate) struct Peers {
    python: String,
    torch: String,
    jax: String,
}

impl Peers {
    /// Fails with a sentence if this Python does not have them.
    pub(crate) fn of(python: String) -> Result<Self, String> {
        let output = Command::new(&python).args(["-c", VERSIONS]).output();
        let output = output.map_err(|e| format!("{python} cannot be started ({e}); name a Python with --python"))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let Some((torch, jax)) = printed.trim().split_once(' ') else {
            let advice = format!("run `{python} -m pip install -r {FOLDER}/requirements.txt`, or leave --python out");
            return Err(format!("{python} has not both PyTorch and JAX; {advice}"));
        };
        Ok(Self { torch: torch.to_owned(), jax: jax.to_owned(), python })
    }

    /// Names and versions.
    pub(crate) fn versions(&self) -> String {
        format!("{TORCH} {}, {JAX} {}", self.torch, self.jax)
    }

    /// Times the case.
    pub(crate) fn ask(&self, engine: Engine, case: &Case, seconds: f64) -> Result<Answer, String> {
        let script = if engine.framework == TORCH { "maml_torch.py" } else { "maml_jax.py" };
        let mut command = Command::new(&self.python);
        // An option -B would be lost when the script starts itself anew, which --keep-memory makes it do.
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(format!("{FOLDER}/{script}"));
        command.args(["--engine", engine.way, "--keep-memory"]).args(case.arguments());
        let output = command.arg(format!("--seconds={seconds}")).output();
        Answer::of(output.map_err(|e| format!("{} cannot be started: {e}", self.python))?)
    }
}

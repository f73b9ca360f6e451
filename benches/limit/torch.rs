//! PyTorch in a process of its own, asked one question at a time.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use maml_kernels::Conv;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/conv.py");

pub(crate) struct Torch {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub(crate) version: String,
}

impl Torch {
    /// Starts the script with this Python. Fails with a sentence if that Python has no PyTorch.
    pub(crate) fn start(python: &str) -> Result<Self, String> {
        let mut child = Command::new(python)
            .arg(SCRIPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("cannot start {python}: {e}"))?;
        let questions = child.stdin.take().expect("piped");
        let mut torch = Self {
            questions,
            answers: BufReader::new(child.stdout.take().expect("piped")),
            child,
            version: String::new(),
        };
        torch.version = torch.answer();
        if torch.version.is_empty() { Err(format!("{python} has no PyTorch")) } else { Ok(torch) }
    }

    /// Seconds for `repeats` convolutions, `layout` being `plain` (NCHW) or `last` (channels last).
    pub(crate) fn seconds(&mut self, slot: &str, layout: &str, g: &Conv, repeats: usize) -> f64 {
        let Conv { images, c_in, c_out, height, .. } = g;
        writeln!(self.questions, "{slot} {layout} {images} {c_in} {c_out} {height} {repeats}")
            .expect("PyTorch listens");
        self.answer().parse().expect("PyTorch answers with seconds")
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("PyTorch answers");
        line.trim().to_owned()
    }
}

impl Drop for Torch {
    fn drop(&mut self) {
        // It ends by itself when its input does; if that fails nothing is lost.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! The only way to stdout: a reader that goes away ends the program quietly.

use crate::exit::{Exit, Failure};
use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};

/// Where results go. Talk (progress, warnings, failures) goes to stderr and never through here.
pub struct Out {
    writer: Box<dyn Write>,
    terminal: bool,
}

impl Out {
    /// Standard output.
    pub fn stdout() -> Out {
        let stdout = std::io::stdout();
        let terminal = stdout.is_terminal();
        Out { writer: Box::new(stdout), terminal }
    }

    /// Any other writer, taken as not a terminal.
    pub fn to(writer: impl Write + 'static) -> Out {
        Out { writer: Box::new(writer), terminal: false }
    }

    /// Whether a person reads this on a terminal.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether colour is welcome: on a terminal, and neither `NO_COLOR` nor `TERM=dumb` asks against it.
    pub fn colour(&self) -> bool {
        colour_allowed(self.terminal)
    }

    /// Writes one line.
    ///
    /// # Errors
    /// A closed pipe gives a silent failure with exit code 0, so that `?` ends the program quietly. Any other
    /// fault (a full disk behind a redirection) is named, with exit code 2.
    pub fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        writeln!(self.writer, "{line}").map_err(fault)
    }

    /// Writes text as it stands.
    ///
    /// # Errors
    /// As for [`Out::line`].
    pub fn text(&mut self, text: impl Display) -> Result<(), Failure> {
        write!(self.writer, "{text}").map_err(fault)
    }

    /// Hands on what is still held back.
    ///
    /// # Errors
    /// As for [`Out::line`].
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(fault)
    }
}

fn fault(error: std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::BrokenPipe => Failure::silent(Exit::Done),
        _ => Failure::usage("cannot write the results to standard output").cause(error),
    }
}

/// Colour only on a terminal, and only if neither a non-empty `NO_COLOR` nor `TERM=dumb` asks against it.
pub(crate) fn colour_allowed(terminal: bool) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    terminal && !refused && !dumb
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// A writer whose text can be read afterwards.
    #[derive(Clone, Default)]
    pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    struct Fails(ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_broken_pipe_ends_quietly() {
        let mut out = Out::to(Fails(ErrorKind::BrokenPipe));
        for end in [out.line("x"), out.text("x"), out.flush()] {
            let failure = end.unwrap_err();
            assert_eq!(failure.exit(), Exit::Done);
            assert_eq!(failure.message(), "");
        }
    }

    #[test]
    fn a_full_disk_is_named() {
        let failure = Out::to(Fails(ErrorKind::StorageFull)).line("x").unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        assert!(failure.message().contains("standard output"));
    }

    #[test]
    fn lines_arrive_in_order() {
        let captured = Captured::default();
        let mut out = Out::to(captured.clone());
        out.line("a").unwrap();
        out.text("b\n").unwrap();
        assert_eq!(captured.text(), "a\nb\n");
        assert!(!out.colour() && !out.is_terminal());
    }
}

//! How a program ends: one exit code, and at most one message on stderr that says what, where, and how to mend it.

use crate::out::{Out, colour_allowed};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource};
use std::error::Error;
use std::fmt;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

/// The exit codes of all binaries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// 0: done
    Done = 0,
    /// 1: some cells failed
    SomeCellsFailed = 1,
    /// 2: usage, config, or a folder that cannot be used
    Usage = 2,
    /// 3: data or a saved state missing or wrong
    Data = 3,
    /// 4: a number became non-finite
    Diverged = 4,
    /// 5: a check failed
    CheckFailed = 5,
    /// 130: stopped by the user with the state saved (128 + SIGINT, the shell's convention)
    Stopped = 130,
}

/// Why a program ends before or without its full result: an exit code and a message.
///
/// Built as `Failure::new(Exit::Data, "what and where").help("how to mend it")`; it travels by `?` up to
/// [`main_of`], which prints it once.
pub struct Failure(Box<Report>);

struct Report {
    exit: Exit,
    /// Empty for an end that says nothing.
    what: String,
    help: Option<String>,
    source: Option<NamedSource<String>>,
    label: Option<LabeledSpan>,
    cause: Option<Box<dyn Error + Send + Sync>>,
    /// The text is laid out already (clap's).
    verbatim: bool,
}

impl Failure {
    /// A failure that ends the program with `exit` and says `what` went wrong and where.
    pub fn new(exit: Exit, what: impl Into<String>) -> Failure {
        let what = what.into();
        Failure(Box::new(Report { exit, what, help: None, source: None, label: None, cause: None, verbatim: false }))
    }

    /// Exit code 2 with `what`.
    pub fn usage(what: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, what)
    }

    /// A file or folder that could not be read or written: names the deed (`"write"`), the path and the
    /// system's reason. Exit code 2.
    pub fn file(deed: &str, path: &Path, error: std::io::Error) -> Failure {
        Failure::usage(format!("cannot {deed} {}", path.display())).cause(error)
    }

    /// The user asked to stop and the state is saved: names the folder and the flag that goes on. Exit code 130.
    pub fn stopped(folder: &Path) -> Failure {
        Failure::new(Exit::Stopped, format!("stopped by the user; the state is saved in {}", folder.display()))
            .help(format!("go on, to the same bits, with --resume {}", folder.display()))
    }

    /// An end without a message, for a program that has already said all there is to say (a table of failed
    /// cells), or whose reader has gone.
    pub fn silent(exit: Exit) -> Failure {
        Failure::new(exit, "")
    }

    /// A message that is printed as it stands.
    pub(crate) fn verbatim(exit: Exit, text: String) -> Failure {
        let mut failure = Failure::new(exit, text);
        failure.0.verbatim = true;
        failure
    }

    /// Adds how to mend it.
    #[must_use]
    pub fn help(mut self, how: impl Into<String>) -> Failure {
        self.0.help = Some(how.into());
        self
    }

    /// Adds the error that lies beneath.
    #[must_use]
    pub fn cause(mut self, error: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
        self.0.cause = Some(error.into());
        self
    }

    /// Shows the line of `text` (a file called `name`) in which the bytes `span` lie, with `label` under them.
    #[must_use]
    pub fn at(mut self, name: &str, text: &str, span: std::ops::Range<usize>, label: &str) -> Failure {
        self.0.source = Some(NamedSource::new(name, text.to_string()));
        self.0.label = Some(LabeledSpan::new(Some(label.to_string()), span.start, span.len()));
        self
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.0.exit
    }

    /// The message as it appears on stderr, without colour; empty for a silent end.
    pub fn message(&self) -> String {
        self.render(GraphicalTheme::none())
    }

    fn render(&self, mut theme: GraphicalTheme) -> String {
        if self.0.verbatim || self.0.what.is_empty() {
            return self.0.what.clone();
        }
        theme.characters.error = "error:".into();
        // Lines are left whole: a sentence broken by a layout cannot be searched for.
        let handler = GraphicalReportHandler::new_themed(theme).with_wrap_lines(false).with_width(usize::MAX);
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = handler.render_report(&mut text, self);
        text.trim_start().to_string()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.what)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.exit, self.message())
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

impl Diagnostic for Failure {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.0.source.as_ref().map(|source| source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.0.label.clone().map(|label| Box::new(std::iter::once(label)) as Box<dyn Iterator<Item = LabeledSpan>>)
    }
}

/// Runs a program with its [`Out`], prints the message of a failure to stderr once, and gives the exit code.
///
/// ```no_run
/// use maml_landscape::exit::main_of;
/// fn main() -> std::process::ExitCode {
///     main_of(|out| out.line("0.95"))
/// }
/// ```
pub fn main_of(program: impl FnOnce(&mut Out) -> Result<(), Failure>) -> ExitCode {
    let mut out = Out::stdout();
    let end = program(&mut out).and_then(|()| out.flush());
    let Err(failure) = end else { return ExitCode::SUCCESS };
    // What was printed before the failure comes before its message; a second fault here adds nothing.
    let _ = out.flush();
    let stderr = std::io::stderr();
    let theme = match (stderr.is_terminal(), colour_allowed(stderr.is_terminal())) {
        (_, true) => GraphicalTheme::unicode(),
        (true, false) => GraphicalTheme::unicode_nocolor(),
        (false, false) => GraphicalTheme::none(),
    };
    let text = failure.render(theme);
    if !text.is_empty() {
        // stderr may be closed as well, and then there is nobody left to tell.
        let _ = writeln!(stderr.lock(), "{}", text.trim_end());
    }
    ExitCode::from(failure.exit() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_where_why_and_how_to_mend_it() {
        let failure = Failure::usage("unknown key `alhpa`")
            .cause(std::io::Error::other("the reason beneath"))
            .at("my.toml", "steps = 3\nalhpa = 1\n", 10..15, "this key")
            .help("did you mean `alpha`?");
        let text = failure.message();
        assert!(text.starts_with("error: unknown key `alhpa`\n"), "{text}");
        for part in ["the reason beneath", "my.toml:2:1", "alhpa = 1", "this key"] {
            assert!(text.contains(part), "no {part:?} in:\n{text}");
        }
        assert!(text.contains("did you mean `alpha`?"), "{text}");
        assert!(!text.contains('\u{1b}'), "colour in a plain message: {text:?}");
    }

    #[test]
    fn codes_are_the_promised_ones() {
        let all = [
            (Exit::Done, 0),
            (Exit::SomeCellsFailed, 1),
            (Exit::Usage, 2),
            (Exit::Data, 3),
            (Exit::Diverged, 4),
            (Exit::CheckFailed, 5),
            (Exit::Stopped, 130),
        ];
        for (exit, code) in all {
            assert_eq!(exit as u8, code);
            assert_eq!(main_of(|_| Err(Failure::silent(exit))), ExitCode::from(code));
        }
    }

    #[test]
    fn a_long_sentence_stays_on_one_line() {
        let sentence = "a folder name that is long ".repeat(20);
        assert!(Failure::usage(sentence.trim()).message().contains(sentence.trim()));
    }
}

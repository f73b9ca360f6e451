//! What a run says while it works: a bar on a terminal, a plain line every few seconds elsewhere. All on
//! stderr, and none of it touches the numbers of the run.

pub use crate::arguments::ProgressMode;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// Between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
/// Between two texts beside the bar.
const BAR_EVERY: Duration = Duration::from_millis(200);

/// Where a run stands.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Reading {
    /// Steps done, of those that were planned for the stage.
    pub step: u64,
    /// Tasks done, counted like `step`: with those before a resume, or without, as long as it is the same in all.
    pub tasks: u64,
    /// The present loss.
    pub loss: Option<f64>,
    /// The present accuracy as a share in [0, 1].
    pub accuracy: Option<f64>,
}

/// The running commentary of a run.
pub struct Progress {
    mode: ProgressMode,
    every: Duration,
    talk: Box<dyn Write + Send>,
    stage: Stage,
    bar: Option<ProgressBar>,
}

#[derive(Default)]
struct Stage {
    name: String,
    total: u64,
    /// The first reading and its time: rates count from here, so that a resumed run shows its own.
    first: Option<(Reading, Instant)>,
    shown: Option<Instant>,
}

impl Progress {
    /// Progress on stderr. `Auto` and `Bar` draw a bar if stderr is a terminal that can, and are plain
    /// otherwise.
    pub fn new(mode: ProgressMode) -> Progress {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let mode = match mode {
            ProgressMode::Auto | ProgressMode::Bar if stderr().is_terminal() && !dumb => ProgressMode::Bar,
            ProgressMode::Auto | ProgressMode::Bar => ProgressMode::Plain,
            other => other,
        };
        let every = if mode == ProgressMode::Bar { BAR_EVERY } else { PLAIN_EVERY };
        Progress { mode, every, talk: Box::new(stderr()), stage: Stage::default(), bar: None }
    }

    /// Begins a stage, such as `seed 3: train`, of `total` steps. The stage before it ends.
    pub fn stage(&mut self, name: &str, total: u64) {
        self.end();
        self.stage = Stage { name: name.to_string(), total, ..Stage::default() };
        if self.mode == ProgressMode::Bar {
            let style = ProgressStyle::with_template("{prefix} [{bar:10}] {wide_msg}");
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(5));
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
            self.bar = Some(bar.with_style(style).with_prefix(name.to_string()));
        }
    }

    /// Takes note of a reading, and shows it if it is time: the first, the last, and one every few seconds.
    /// Cheap enough for every step: between two showings it only reads the clock.
    pub fn step(&mut self, reading: &Reading) {
        if self.mode == ProgressMode::None {
            return;
        }
        let now = Instant::now();
        let due = self.stage.shown.is_none_or(|shown| now - shown >= self.every) || reading.step >= self.stage.total;
        let first = self.stage.first.get_or_insert((*reading, now));
        if !due {
            return;
        }
        let rates = Rates::between(first, reading, now);
        let text = self.stage.text(reading, &rates, resident_memory());
        self.stage.shown = Some(now);
        match &self.bar {
            Some(bar) => {
                bar.set_position(reading.step);
                bar.set_message(text);
            }
            // Nobody reads a closed stderr, and the run goes on.
            None => drop(writeln!(self.talk, "{}  {text}", self.stage.name)),
        }
    }

    /// Says a sentence, unless nothing but warnings is wanted.
    pub fn remark(&mut self, sentence: &str) {
        if self.mode != ProgressMode::None {
            self.note(sentence);
        }
    }

    /// Says a sentence, in every mode: a warning, or what happens next.
    pub fn note(&mut self, sentence: &str) {
        let talk = &mut self.talk;
        let mut say = || drop(writeln!(talk, "{sentence}"));
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    /// Ends the stage; a bar is taken away.
    pub fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

struct Rates {
    tasks_per_second: f64,
    seconds_per_step: f64,
}

impl Rates {
    /// None before a second reading.
    fn between(first: &(Reading, Instant), reading: &Reading, now: Instant) -> Option<Rates> {
        let seconds = (now - first.1).as_secs_f64();
        let steps = reading.step.checked_sub(first.0.step).filter(|&steps| steps > 0 && seconds > 0.0)?;
        let tasks = reading.tasks.saturating_sub(first.0.tasks);
        Some(Rates { tasks_per_second: tasks as f64 / seconds, seconds_per_step: seconds / steps as f64 })
    }
}

impl Stage {
    fn text(&self, reading: &Reading, rates: &Option<Rates>, memory: Option<u64>) -> String {
        // In the order of interest: a narrow terminal cuts the line at its end.
        let mut parts = vec![format!("{}/{}", reading.step, self.total)];
        parts.extend(rates.as_ref().map(|rates| {
            format!("left {}", duration(self.total.saturating_sub(reading.step) as f64 * rates.seconds_per_step))
        }));
        parts.extend(reading.loss.map(|loss| format!("loss {loss:.4}")));
        parts.extend(reading.accuracy.map(|share| format!("accuracy {:.1} %", 100.0 * share)));
        let speed = rates.as_ref().map(|rates| rates.tasks_per_second).filter(|&speed| speed > 0.0);
        parts.extend(speed.map(|speed| format!("{} tasks/s", three_digits(speed))));
        parts.extend(memory.map(|bytes| format!("memory {} MB", bytes / 1_000_000)));
        parts.join("  ")
    }
}

fn three_digits(value: f64) -> String {
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.decimals$}")
}

/// Seconds as `42 s`, `3 min 05 s` or `2 h 07 min`.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

/// Bytes of this process that lie in memory now; `None` where the system does not say.
pub fn resident_memory() -> Option<u64> {
    // In `status` the figure is in kB; `statm` counts pages, whose size it does not tell.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(1024 * kilobytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::tests::Captured;

    fn progress(mode: ProgressMode, every: Duration) -> (Progress, Captured) {
        let captured = Captured::default();
        let talk = Box::new(captured.clone());
        (Progress { mode, every, talk, stage: Stage::default(), bar: None }, captured)
    }

    fn at(step: u64) -> Reading {
        Reading { step, tasks: 4 * step, loss: Some(0.5), accuracy: Some(0.873) }
    }

    #[test]
    fn plain_lines_come_first_last_and_seldom_between() {
        let (mut progress, captured) = progress(ProgressMode::Plain, Duration::from_secs(3600));
        progress.stage("train", 1000);
        (1..=1000).for_each(|step| progress.step(&at(step)));
        let text = captured.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].starts_with("train  1/1000  loss 0.5000  accuracy 87.3 %"), "{text}");
        assert!(lines[1].starts_with("train  1000/1000") && lines[1].contains("left 0 s"), "{text}");
    }

    #[test]
    fn none_is_silent_but_for_notes() {
        let (mut progress, captured) = progress(ProgressMode::None, Duration::ZERO);
        progress.stage("train", 2);
        (1..=2).for_each(|step| progress.step(&at(step)));
        progress.note("a checkpoint is damaged");
        assert_eq!(captured.text(), "a checkpoint is damaged\n");
    }

    #[test]
    fn rates_count_from_the_first_reading() {
        let begin = Instant::now();
        let now = begin + Duration::from_secs(10);
        // Resumed at step 500: those steps belong to another process.
        let rates = Rates::between(&(at(500), begin), &at(600), now);
        let stage = Stage { name: "train".into(), total: 2000, ..Stage::default() };
        let text = stage.text(&at(600), &rates, Some(48_000_000));
        assert_eq!(text, "600/2000  left 2 min 20 s  loss 0.5000  accuracy 87.3 %  40.0 tasks/s  memory 48 MB");
        assert!(Rates::between(&(at(500), begin), &at(500), now).is_none());
    }

    #[test]
    fn a_bar_that_nobody_sees_takes_every_call() {
        let (mut progress, captured) = progress(ProgressMode::Bar, Duration::ZERO);
        progress.stage("train", 2);
        progress.step(&at(1));
        progress.note("a note");
        progress.stage("evaluate", 1);
        progress.step(&at(1));
        assert_eq!(captured.text(), "a note\n");
    }

    #[test]
    fn times_are_written_as_people_say_them() {
        assert_eq!([0.4, 59.0, 185.0, 7620.0].map(duration), ["0 s", "59 s", "3 min 05 s", "2 h 07 min"]);
        assert_eq!([1.234, 12.34, 1234.5].map(three_digits), ["1.23", "12.3", "1234"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_is_that_of_this_process() {
        let before = resident_memory().unwrap();
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        let after = resident_memory().unwrap();
        assert!(after >= before + (32 << 20), "{before} then {after} with {} more", block.len());
    }
}

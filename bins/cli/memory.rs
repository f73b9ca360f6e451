//! How much memory a run may take, and what it will take, said before it begins.

use std::{fmt, str::FromStr};

use maml_meta::{experiment::omniglot, maml::Tapes};

use crate::{exit::Failure, progress::Progress};

/// A number of bytes, written as people write it: 2GiB, 500MB.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
pub struct Bytes(pub u64);

const UNITS: [(&str, f64); 7] = [
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("B", 1.0),
];

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no size: give a number and a unit, such as 2GiB or 500MB");
        let (unit, factor) = UNITS.iter().find(|(unit, _)| text.ends_with(unit)).ok_or_else(wrong)?;
        let number: f64 = text[..text.len() - unit.len()].trim().parse().map_err(|_| wrong())?;
        let bytes = number * factor;
        if bytes >= 1.0 && bytes < u64::MAX as f64 { Ok(Self(bytes as u64)) } else { Err(wrong()) }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        let (unit, factor) = UNITS[..3].iter().rev().find(|(_, factor)| bytes >= *factor).unwrap_or(&UNITS[6]);
        let decimals = usize::from(bytes / factor < 10.0 && *factor > 1.0);
        write!(f, "{:.decimals$} {unit}", bytes / factor)
    }
}

/// Keeps the tapes of inner steps if they fit, which is faster, else has them computed again; says which, and how
/// much memory steps will take.
///
/// # Errors
/// Even so the steps would not fit.
pub fn plan(
    experiment: &mut omniglot::Run,
    limit: Option<Bytes>,
    threads: usize,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let fits = |bytes: u64| limit.is_none_or(|limit| bytes <= limit.0);
    let kept = experiment.memory(Tapes::Keep);
    let (tapes, bytes) = match fits(kept) {
        true => (Tapes::Keep, kept),
        false => (Tapes::Recompute, experiment.memory(Tapes::Recompute)),
    };
    let what = match tapes {
        Tapes::Keep => "the tapes of inner steps kept",
        Tapes::Recompute => "inner steps computed again to save memory",
    };
    if let (Some(limit), false) = (limit, fits(bytes)) {
        let message = format!("a step needs {} on {threads} threads, and --memory allows {limit}", Bytes(bytes));
        return Err(Failure::usage(message).help("use fewer --threads, or a smaller config; or allow more"));
    }
    experiment.set_tapes(tapes);
    progress.remark(&format!("memory: steps will hold at most {} on {threads} threads, {what}", Bytes(bytes)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_as_people_write_them() {
        let read = |text: &str| text.parse::<Bytes>().map(|bytes| bytes.0);
        assert_eq!(read("2GiB"), Ok(2 << 30));
        assert_eq!(read("1.5 MB"), Ok(1_500_000));
        assert_eq!(read("64B"), Ok(64));
        for wrong in ["2", "GiB", "-1GB", "0MB", "2 gigabytes"] {
            assert!(read(wrong).unwrap_err().contains("2GiB or 500MB"), "{wrong}");
        }
        assert_eq!(Bytes(2 << 30).to_string(), "2.0 GiB");
        assert_eq!(Bytes(310 << 20).to_string(), "310 MiB");
        assert_eq!(Bytes(12).to_string(), "12 B");
    }
}

//! What the head of the tables tells of machine and time.

use std::{fs, process::Command};

use maml_autograd::Isa;

/// Date, processor and the instruction set that ours computes with.
pub(crate) fn line() -> String {
    format!("{}; {}; cores: {}; {}", today(), processor(), cores().len(), Isa::current())
}

/// The cores that this process may run on, in their order.
pub(crate) fn cores() -> Vec<usize> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.map_or(vec![0], |list| list.trim().split(',').filter_map(range).flatten().collect())
}

/// `3` or `0-7`.
fn range(text: &str) -> Option<std::ops::RangeInclusive<usize>> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    Some(from.parse().ok()?..=to.parse().ok()?)
}

fn processor() -> String {
    let all = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = all.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or("a processor without a name".into(), |(_, name)| name.to_owned())
}

fn today() -> String {
    let date = Command::new("date").arg("+%F").output().ok();
    date.and_then(|date| String::from_utf8(date.stdout).ok()).map_or(String::new(), |date| date.trim().to_owned())
}

use super::*;
use crate::manifest::DataSource;
use serde::Deserialize;
use tempfile::{TempDir, tempdir};

#[derive(Serialize, Deserialize, Clone)]
struct Config {
    steps: u32,
    maml: Maml,
}

#[derive(Serialize, Deserialize, Clone)]
struct Maml {
    alpha: f64,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
struct Row {
    seed: u64,
    method: String,
    loss: f64,
}

const CONFIG_VALUE: Config = Config { steps: 3, maml: Maml { alpha: 0.1 } };

fn manifest() -> Manifest {
    let data = DataSource { name: "generated".into(), sha256: "00".into(), folder: None };
    Manifest::now("sample", "portable", 1, data, &[0, 1])
}

fn create(out: &Path) -> Result<RunFolder, Failure> {
    RunFolder::create(Some(out), "smoke", &CONFIG_VALUE, &manifest())
}

/// A run that was begun and whose process has ended.
fn stopped_run() -> (TempDir, PathBuf) {
    let parent = tempdir().unwrap();
    let path = parent.path().join("run");
    drop(create(&path).unwrap());
    (parent, path)
}

#[track_caller]
fn says<T: std::fmt::Debug>(result: Result<T, Failure>, parts: &[&str]) {
    let message = result.unwrap_err().message();
    for part in parts {
        assert!(message.contains(part), "no {part:?} in:\n{message}");
    }
}

#[test]
fn a_new_run_says_what_it_is() {
    let (_parent, path) = stopped_run();
    assert_eq!(stored_config(&path).unwrap(), config::print(&CONFIG_VALUE).unwrap());
    let stored = stored_manifest(&path).unwrap();
    assert_eq!((stored.experiment.as_str(), stored.seeds.as_slice()), ("sample", [0, 1].as_slice()));
    assert_eq!(stored.schema_version, SCHEMA_VERSION);
}

#[test]
fn a_folder_with_anything_in_it_is_refused_and_left_alone() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "years").unwrap();
    says(create(folder.path()), &["is not empty", "--resume"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let (_parent, path) = stopped_run();
    says(create(&path), &["is not empty"]);
    says(create(&folder.path().join("thesis.txt")), &["cannot create the run folder"]);
}

#[test]
fn folders_are_numbered_from_the_first_free_one() {
    let parent = tempdir().unwrap();
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_string();
    let next = || name(first_free(&parent.path().join("runs"), "sample-smoke").unwrap());
    assert_eq!([next(), next(), next()], ["sample-smoke-1", "sample-smoke-2", "sample-smoke-3"]);
    fs::remove_dir(parent.path().join("runs/sample-smoke-2")).unwrap();
    assert_eq!(next(), "sample-smoke-2");
}

#[test]
fn the_same_run_is_resumed_and_the_time_is_noted() {
    let (_parent, path) = stopped_run();
    fs::write(path.join(".unfinished-abc"), "half").unwrap();
    let later = Manifest { threads: 2, ..manifest() };
    RunFolder::resume(&path, &CONFIG_VALUE, &later).unwrap();
    assert_eq!(stored_manifest(&path).unwrap().resumed.len(), 1);
    assert!(!path.join(".unfinished-abc").exists());
}

#[test]
fn another_config_is_refused_by_its_first_differing_key() {
    let (_parent, path) = stopped_run();
    let other = Config { maml: Maml { alpha: 0.2 }, ..CONFIG_VALUE };
    says(RunFolder::resume(&path, &other, &manifest()), &["`maml.alpha` is 0.1 in", "and 0.2 now"]);
    assert!(stored_manifest(&path).unwrap().resumed.is_empty());
}

#[test]
fn other_seeds_and_no_run_are_refused() {
    let (parent, path) = stopped_run();
    let other = Manifest { seeds: vec![9], ..manifest() };
    says(RunFolder::resume(&path, &CONFIG_VALUE, &other), &["seeds 0,1 when the run began, 9 now"]);
    says(RunFolder::resume(parent.path(), &CONFIG_VALUE, &manifest()), &["holds no run to resume", CONFIG]);
}

#[test]
fn one_process_at_a_time() {
    let parent = tempdir().unwrap();
    let path = parent.path().join("run");
    let _held = create(&path).unwrap();
    says(RunFolder::resume(&path, &CONFIG_VALUE, &manifest()), &["another process is at work"]);
}

#[test]
fn a_folder_is_free_although_a_starting_child_has_its_lock_open() {
    let parent = tempdir().unwrap();
    let path = parent.path().join("run");
    let held = create(&path).unwrap();
    let _of_the_child = held._lock.0.try_clone().unwrap();
    drop(held);
    RunFolder::resume(&path, &CONFIG_VALUE, &manifest()).unwrap();
}

#[test]
fn rows_come_back_to_the_bit() {
    let parent = tempdir().unwrap();
    let folder = create(&parent.path().join("run")).unwrap();
    assert_eq!(folder.read_rows::<Row>().unwrap(), []);
    let row = |seed, loss| Row { seed, method: "a, \"b\"".into(), loss };
    let rows = vec![row(0, 0.1 + 0.2), row(u64::MAX, f64::MIN_POSITIVE / 4.0), row(2, f64::INFINITY)];
    folder.write_rows(&rows).unwrap();
    assert_eq!(folder.read_rows::<Row>().unwrap(), rows);
    let text = fs::read_to_string(folder.path().join(ROWS)).unwrap();
    assert!(text.starts_with("seed,method,loss\n0,"), "{text}");
    fs::write(folder.path().join(ROWS), "seed,method\nx,y\n").unwrap();
    says(folder.read_rows::<Row>(), &["cannot read", ROWS]);
}

#[test]
fn a_summary_carries_its_schema_version() {
    let parent = tempdir().unwrap();
    let folder = create(&parent.path().join("run")).unwrap();
    folder.write_summary(&CONFIG_VALUE).unwrap();
    let text = fs::read_to_string(folder.path().join(SUMMARY)).unwrap();
    assert_eq!(text, summary_text(&CONFIG_VALUE).unwrap());
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["schema_version"], SCHEMA_VERSION);
    assert_eq!(value["maml"]["alpha"], 0.1);
}

#[test]
fn checkpoints_live_in_the_folder() {
    let (_parent, path) = stopped_run();
    let folder = RunFolder::resume(&path, &CONFIG_VALUE, &manifest()).unwrap();
    assert_eq!(folder.load_checkpoint("seed-0").unwrap(), None);
    folder.save_checkpoint("seed-0", b"state").unwrap();
    assert_eq!(folder.load_checkpoint("seed-0").unwrap().unwrap().bytes, b"state");
    assert!(path.join("seed-0.ckpt").exists());
}

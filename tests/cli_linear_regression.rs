//! The linear-regression binary as its users meet it.

#[path = "support/command.rs"]
mod command;

use std::{fs, process::Command};

use command::{interrupted, refused, succeeds};
use serde_json::Value;
use tempfile::TempDir;

fn linear_regression(words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linear_regression"));
    command.args(["--progress", "none"]).args(words.split_whitespace());
    command
}

const SMALL: &str = "--profile smoke --set tasks=20 --set test_tasks=4";

#[test]
fn the_closed_forms_are_printed_with_every_digit() {
    // The first and the last row of the table of check values, by all the keys of the two-group environment.
    let base = "--theory --json --set dim=10 --set hard_share=0.5 --set noise_variance=0.01 --set inner_steps=1 --set tasks=100 \
                --set samples=100 --set alpha=1.0";
    let rows = [
        (
            "spread_easy=1.0 spread_hard=0.01 distance=1.0 rho_easy=1.0 rho_hard=0.1 adaptation_samples=100",
            [0.44714, 0.39399, 1.1349],
        ),
        (
            "spread_easy=0.01 spread_hard=0.01 distance=3 rho_easy=0.9 rho_hard=0.1 adaptation_samples=500",
            [1.48495, 0.43305, 3.4290],
        ),
    ];
    for (sets, [nal, maml, ratio]) in rows {
        let sets: Vec<String> = sets.split(' ').map(|set| format!("--set {set}")).collect();
        let printed = succeeds(&mut linear_regression(&format!("{base} {}", sets.join(" "))));
        let closed: Value = serde_json::from_str(&printed).expect("stdout is one JSON value");
        let number = |pointer: &str| closed.pointer(pointer).and_then(Value::as_f64).expect("a number");
        assert!((number("/nal/excess_risk") - nal).abs() < 0.51e-5);
        assert!((number("/maml/excess_risk") - maml).abs() < 0.51e-5);
        assert!((number("/ratio") - ratio).abs() < 0.51e-4);
        assert!((number("/difference") - (number("/nal/excess_risk") - number("/maml/excess_risk"))).abs() < 1e-15);
        assert_eq!(closed["nal"]["minimiser"].as_array().map(Vec::len), Some(10));
        assert_eq!(closed["maml"]["minimiser"].as_array().map(Vec::len), Some(10));
        assert!(number("/crossing_m") > 1.0);
    }
    let table = succeeds(&mut linear_regression("--theory --set rho_hard=0.9"));
    for word in ["NAL", "MAML", "= 1.000000", "E, hard", "crosses NAL's at no number"] {
        assert!(table.contains(word), "no `{word}` in:\n{table}");
    }
}

#[test]
fn a_run_writes_points_claims_and_pictures() {
    let home = TempDir::new().unwrap();
    let out = home.path().join("run");
    let table = succeeds(linear_regression(SMALL).arg("--out").arg(&out));
    for word in [
        "hardness: excess risk",
        "closed form",
        "Claim A",
        "Claim B",
        "Claim F",
        "standard errors",
        "Protocol",
        "passed",
    ] {
        assert!(table.contains(word), "no `{word}` in:\n{table}");
    }
    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let summary: Value = serde_json::from_str(&read("summary.json")).unwrap();
    let points = summary["points"].as_array().unwrap();
    for key in ["sweep", "parameter", "value", "learner", "theory", "mean", "ci_low", "ci_high", "seeds"] {
        assert!(!points[0][key].is_null(), "no `{key}` in {}", points[0]);
    }
    assert_eq!(summary["parameters"]["adaptation_samples"], 500);
    assert_eq!(read("points.csv").lines().count(), points.len() + 1);
    assert_eq!(read("rows.csv").lines().count(), 8 * points.len() + 1, "a row for each seed");
    for sweep in ["hardness", "distance", "spread_hard", "samples", "training_tasks", "map_geography"] {
        let picture = read(&format!("{sweep}.svg"));
        assert!(picture.starts_with("<svg") && picture.contains("</svg>"), "{sweep}");
        assert!(picture.contains("seeds"), "{sweep}: its caption says what made it");
    }
    assert!(read("config.toml").contains("tasks = 20"));
    assert!(read("manifest.json").contains("sampled"));
}

#[test]
fn pictures_are_the_same_for_the_same_run() {
    let home = TempDir::new().unwrap();
    let picture = |name: &str| {
        let out = home.path().join(name);
        succeeds(linear_regression(SMALL).arg("--out").arg(&out));
        fs::read(out.join("map_geography.svg")).unwrap()
    };
    assert!(picture("a") == picture("b"));
}

#[test]
fn named_configs_run_alone_and_ones_own_landscape_too() {
    let home = TempDir::new().unwrap();
    let configs = format!("{}/experiments/linear_regression", env!("CARGO_MANIFEST_DIR"));
    let names = [
        "hardness",
        "distance",
        "spread",
        "samples",
        "share",
        "convergence",
        "maps",
        "steps",
        "anisotropy",
        "own_landscape",
    ];
    for name in names {
        let words = format!(
            "--profile smoke --set tasks=20 --set test_tasks=1 --seeds 2 --json --set engine.enabled=false --set samples=20 --config {configs}/{name}.toml"
        );
        let printed = succeeds(linear_regression(&words).arg("--out").arg(home.path().join(name)));
        let summary: Value = serde_json::from_str(&printed).expect("stdout is one JSON value");
        let run = summary["parameters"]["run"].as_array().unwrap().clone();
        for sweep in &run {
            assert!(
                summary["points"].as_array().unwrap().iter().any(|point| point["sweep"] == *sweep),
                "{name}: {sweep}"
            );
        }
        assert!(run.len() <= 2, "{name}: {run:?}");
    }
}

#[test]
fn wrong_settings_are_refused_in_a_sentence() {
    let with = |set: &str, code: i32, says: &[&str]| {
        let home = TempDir::new().unwrap();
        let mut command = linear_regression(SMALL);
        refused(command.args(["--set", set, "--out"]).arg(home.path().join("run")), code, says);
    };
    with("distnace=1", 2, &["distnace", "distance"]);
    with("rho_hard=-1", 2, &["rho_hard", "positive"]);
    with("condition=0.5", 2, &["condition", "at least 1"]);
    with("sweep.distance.parameter=\"width\"", 2, &["width", "rho_hard"]);
    with("run=[\"nothing\"]", 2, &["nothing", "hardness"]);
    with("dim=0", 2, &["dim", "at least 1"]);
    with("seeds=[1]", 2, &["seeds", "at least 2"]);
    with("sweep.samples.values=[2.5]", 2, &["adaptation_samples", "2.5", "count"]);
    with(
        "groups=[{name=\"a\", share=1, covariance=[1, 2], centre=0, spread=0}]",
        2,
        &["`a`", "covariance", "`dim` = 10"],
    );
    with("groups=[{name=\"a\", share=1, covariance=\"big\", centre=0, spread=0}]", 2, &["covariance", "list of rows"]);
    refused(
        &mut linear_regression("--theory --set alpha=1e9 --set inner_steps=50"),
        4,
        &["not finite", "diverges", "lower `alpha`"],
    );
    refused(&mut linear_regression("--theory --out x"), 2, &["--theory", "--out"]);
}

#[test]
fn a_failed_check_has_its_own_code() {
    let home = TempDir::new().unwrap();
    let words = "--profile smoke --set run=[] --set dim=3 --set condition=100.0 --set engine.most_steps=3 --out";
    let output = linear_regression(words).arg(home.path().join("run")).output().expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("did not reach") && said.contains("engine.most_steps"), "{said}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("FAILED"), "the table is printed all the same");
}

#[cfg(unix)]
#[test]
fn a_stopped_or_killed_run_goes_on_to_the_same_summary() {
    let home = TempDir::new().unwrap();
    let folder = |name: &str| home.path().join(name);
    let words = ["--profile", "smoke", "--set", "tasks=400", "--seeds", "16"];
    let program = env!("CARGO_BIN_EXE_linear_regression");
    let whole =
        linear_regression("").args(words).args(["--json", "--threads", "2", "--out"]).arg(folder("whole")).output();
    let expected = String::from_utf8(whole.expect("the binary starts").stdout).unwrap();
    assert!(expected.contains("points"));
    let resume = |folder: &std::path::Path| succeeds(linear_regression("--json --threads 1 --resume").arg(folder));
    for (signal, code) in [("-INT", Some(130)), ("-KILL", None)] {
        let folder = folder(signal);
        assert_eq!(interrupted(program, signal, &words, "sweep hardness", &folder), code, "{signal}");
        assert!(resume(&folder) == expected, "{signal}");
    }
}

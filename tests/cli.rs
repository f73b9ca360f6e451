//! The binaries as their users meet them: first screens, runs, bad input, exit codes.

#[path = "support/command.rs"]
mod command;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use command::{interrupted, refused, succeeds, text};
use maml_autograd::Tensor;
use maml_meta::arrays::{Arrays, NamedArray, to_file};
use tempfile::TempDir;

fn omniglot() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_omniglot"));
    command.env_remove("MAML_DATA").args(["--progress", "none"]);
    command
}

fn gradients(words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradients"));
    command.args(words.split_whitespace());
    command
}

/// A run of a few steps.
const TINY: [&str; 10] = [
    "--profile",
    "smoke",
    "--set",
    "standard.training.iterations=3",
    "--set",
    "landscape.training.iterations=3",
    "--set",
    "evaluation.episodes=3",
    "--set",
    "filters=4",
];

#[test]
fn no_words_give_a_first_screen() {
    let programs = [
        env!("CARGO_BIN_EXE_omniglot"),
        env!("CARGO_BIN_EXE_gradients"),
        env!("CARGO_BIN_EXE_linear_regression"),
        env!("CARGO_BIN_EXE_two_layer"),
    ];
    for program in programs {
        let screen = succeeds(&mut Command::new(program));
        assert!(screen.contains("--help") && screen.lines().count() >= 5, "{screen}");
    }
}

#[test]
fn a_run_explains_itself_from_its_folder() {
    let home = TempDir::new().unwrap();
    let out = home.path().join("run");
    let table = succeeds(omniglot().args(TINY).arg("--out").arg(&out));
    for word in ["standard", "landscape", "NAL-10", "MAML-1", "easy, test", "Claim D", "glyphs (generated)", "Protocol"]
    {
        assert!(table.contains(word), "no `{word}` in:\n{table}");
    }
    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(read("config.toml").contains("iterations = 3"));
    assert!(read("manifest.json").contains("glyphs"));
    // standard: 2 kinds; landscape: 6 kinds, NAL after 1 and 10 steps, MAML after 1; 3 episodes of each.
    assert_eq!(read("rows.csv").lines().count(), 1 + 3 * (2 + 6 * 3));
    let summary: serde_json::Value = serde_json::from_str(&read("summary.json")).unwrap();
    assert_eq!(summary["scores"].as_array().unwrap().len(), 2 + 6 * 3);
    assert_eq!(summary["claims"][0]["id"], "D");
    refused(omniglot().args(TINY).arg("--out").arg(&out), 2, &["run", "empty"]);
}

#[test]
fn json_is_the_summary_alone() {
    let home = TempDir::new().unwrap();
    let stdout = succeeds(omniglot().args(TINY).arg("--json").arg("--out").arg(home.path().join("run")));
    let summary: serde_json::Value = serde_json::from_str(&stdout).expect("stdout is one JSON value");
    assert!(summary["scores"][0]["accuracy"]["mean"].is_f64());
}

#[test]
fn a_printed_config_can_be_used_again() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("mine.toml");
    let printed = succeeds(omniglot().args(TINY).arg("--print-config"));
    fs::write(&file, &printed).unwrap();
    assert_eq!(succeeds(omniglot().arg("--config").arg(&file).arg("--print-config")), printed);
}

#[test]
fn wrong_configs_are_refused_in_a_sentence() {
    let with = |key: &str, words: &[&str]| refused(omniglot().args(["--profile", "smoke", "--set", key]), 2, words);
    with("fliters=4", &["fliters", "filters"]);
    with("filters=\"many\"", &["filters"]);
    with("filters=0", &["filters", "at least 1"]);
    with("ways=2000", &["ways", "classes"]);
    with("queries=40", &["drawings"]);
    with("landscape.hard_alphabets=20", &["alphabets"]);
    with("landscape.hard_share=1.5", &["hard_share", "between 0 and 1"]);
    with("landscape.labels=\"sorted\"", &["labels", "permuted"]);
    with("batch_norm=\"running\"", &["batch_norm", "transductive"]);
    with("evaluation.nal_steps=[1, 1]", &["nal_steps", "twice"]);
    with("seeds=[]", &["seeds", "empty"]);
    with("landscape.held_out_share=1.0", &["landscape.held_out_share"]);
    with("standard.training.optimizer.rate=-1.0", &["standard.training.optimizer.rate", "positive"]);
    with("evaluation.episodes=1", &["episodes", "interval"]);
    refused(omniglot().args(["--isa", "sse9"]), 2, &["avx512"]);
    refused(omniglot().args(["--threads", "0"]), 2, &["at least one thread"]);
}

#[test]
fn missing_or_damaged_data_are_refused_with_the_cure() {
    let home = TempDir::new().unwrap();
    let data = |folder: &Path| {
        let mut command = omniglot();
        command.args(["--profile", "smoke", "--data"]).arg(folder).env("XDG_CACHE_HOME", home.path());
        command
    };
    refused(&mut data(&home.path().join("nowhere")), 3, &["nowhere", "--data"]);
    refused(&mut data(home.path()), 3, &["images_background.zip", "--data"]);
    for name in ["images_background.zip", "images_evaluation.zip"] {
        fs::write(home.path().join(name), "<html>not found</html>").unwrap();
    }
    refused(&mut data(home.path()), 3, &["images_background.zip", "HTML"]);
}

#[test]
fn divergence_is_reported_with_its_step_and_operation() {
    let home = TempDir::new().unwrap();
    let out = home.path().join("run");
    let mut command = omniglot();
    command.args(TINY).args(["--set", "standard.adaptation.alpha=1e30", "--out"]).arg(&out);
    refused(&mut command, 4, &["standard MAML seed 0", "step 0", "task 0", "not finite", "saved"]);
}

#[cfg(unix)]
#[test]
fn a_stopped_or_killed_run_goes_on_to_the_same_summary() {
    let home = TempDir::new().unwrap();
    let folder = |name: &str| home.path().join(name);
    let words = ["--profile", "smoke", "--set", "standard.training.iterations=100", "--set", "evaluation.episodes=5"];
    let expected = succeeds(omniglot().args(words).args(["--json", "--threads", "2", "--out"]).arg(folder("whole")));
    for (signal, code) in [("-INT", Some(130)), ("-KILL", None)] {
        let folder = folder(signal);
        let program = env!("CARGO_BIN_EXE_omniglot");
        assert_eq!(interrupted(program, signal, &words, "standard MAML seed 0", &folder), code, "{signal}");
        assert!(
            succeeds(omniglot().args(["--json", "--threads", "1", "--resume"]).arg(folder)) == expected,
            "{signal}"
        );
    }
}

#[test]
fn two_layer_writes_its_run_and_counts_what_fails() {
    let home = TempDir::new().unwrap();
    let run = |name: &str, sets: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_two_layer"));
        command.args(["--profile", "smoke", "--progress", "none"]).args(sets).arg("--out").arg(home.path().join(name));
        command
    };
    let table = succeeds(&mut run("whole", &[]));
    for word in
        ["hardness: excess risk", "Claim A", "Claim B", "Claim C", "not stationary: 0", "The bound applies", "Protocol"]
    {
        assert!(table.contains(word), "no `{word}` in:\n{table}");
    }
    let read =
        |name: &str| fs::read_to_string(home.path().join("whole").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let summary: serde_json::Value = serde_json::from_str(&read("summary.json")).unwrap();
    for key in ["sweep", "parameter", "value", "learner", "mean", "ci_low", "ci_high", "seeds"] {
        assert!(!summary["points"][0][key].is_null(), "no `{key}`");
    }
    assert_eq!(summary["parameters"]["neurons"], 3);
    // 3 sweeps of 2 values with 2 seeds, and 3 environments, for two learners.
    assert_eq!(read("trainings.csv").lines().count(), 1 + 2 * (12 + 3));
    assert_eq!(read("pairs.csv").lines().count(), 1 + 3);
    for picture in ["hardness", "distance", "spread_hard", "stationary_points", "gradient_ratios", "loss_surface"] {
        assert!(read(&format!("{picture}.svg")).ends_with("</svg>"), "{picture}");
    }
    let failing =
        run("failing", &["--set", "alpha=1e200", "--set", "inner_steps=3"]).output().expect("the binary starts");
    assert_eq!(failing.status.code(), Some(1), "some cells failed");
    assert!(text(&failing.stdout).contains("Failed: sweep `hardness`"), "{}", text(&failing.stdout));
    refused(&mut run("refused", &["--set", "activation=swish"]), 2, &["activation", "softplus"]);
}

#[test]
fn a_reader_who_leaves_ends_a_program_quietly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_omniglot"))
        .args(["--profile", "smoke", "--print-config"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    drop(child.stdout.take());
    let end = child.wait_with_output().expect("the child ends");
    assert!(end.stderr.is_empty(), "{}", text(&end.stderr));
    assert_eq!(end.status.code(), Some(0));
}

#[test]
fn gradients_of_a_file_are_written_with_their_names() {
    let home = TempDir::new().unwrap();
    let (input, output) = (home.path().join("in.safetensors"), home.path().join("out.safetensors"));
    for (model, names) in [("linear", vec!["weight"]), ("two_layer", vec!["weight"]), ("conv4", conv4_names())] {
        let words = format!("--model {model} --alpha 0.05 --inner-steps 2 --precision f64 --json");
        let made = succeeds(gradients(&words).arg("--save-input").arg(&input).arg("--output").arg(&output));
        let summary: serde_json::Value = serde_json::from_str(&made).unwrap();
        let bytes = fs::read(&output).unwrap();
        let arrays = Arrays::parse(&bytes).unwrap();
        let scalar = |name: &str| arrays.numbers::<f64>(name).unwrap().item();
        for name in ["loss", "meta_loss"] {
            // The reader of JSON may be off by the last bit.
            let printed = summary[name].as_f64().unwrap();
            assert!((printed - scalar(name)).abs() <= 1e-15 * printed.abs(), "{model}: {name}");
        }
        let read = fs::read(&input).unwrap();
        let given = Arrays::parse(&read).unwrap();
        for name in names {
            for kind in ["grad", "hvp", "meta_grad"] {
                assert_eq!(arrays.shape(&format!("{kind}.{name}")).unwrap(), given.shape(name).unwrap());
            }
        }
        let (slope, difference) =
            (summary["slope"].as_f64().unwrap(), summary["slope_by_difference"].as_f64().unwrap());
        assert!((slope - difference).abs() <= 1e-4 * slope.abs().max(1.0), "{model}: {slope} and {difference}");
        let again = succeeds(gradients(&words).arg("--input").arg(&input));
        assert_eq!(again, made, "{model}: the saved input gives the same numbers");
    }
}

fn conv4_names() -> Vec<&'static str> {
    vec![
        "conv1.weight",
        "norm1.scale",
        "norm1.shift",
        "conv2.weight",
        "norm2.scale",
        "norm2.shift",
        "conv3.weight",
        "norm3.scale",
        "norm3.shift",
        "conv4.weight",
        "norm4.scale",
        "norm4.shift",
        "head.weight",
        "head.bias",
    ]
}

#[test]
fn wrong_arrays_are_refused_in_a_sentence() {
    let home = TempDir::new().unwrap();
    let input = home.path().join("in.safetensors");
    let words = "--model linear --alpha 0.1 --inner-steps 1 --input";
    let refuse = |bytes: &[u8], code, says: &[&str]| {
        fs::write(&input, bytes).unwrap();
        refused(gradients(words).arg(&input), code, says);
    };
    let array = |name: &str, shape: &[usize]| NamedArray::numbers(name, &Tensor::<f32>::full(shape, 1.0));
    let file = |names: &[(&str, &[usize])]| {
        to_file(&names.iter().map(|(name, shape)| array(name, shape)).collect::<Vec<_>>(), None)
    };
    refuse(b"<html>", 3, &["in.safetensors", "safetensors"]);
    refuse(&file(&[("weight", &[2])]), 3, &["no array `vector.weight`", "weight"]);
    let params: [(&str, &[usize]); 2] = [("weight", &[2]), ("vector.weight", &[2])];
    let with = |more: &[(&'static str, &'static [usize])]| file(&[&params[..], more].concat());
    refuse(&with(&[("support.x", &[3, 4])]), 3, &["support.x", "[3, 4]", "[3, 2]"]);
    refuse(&with(&[("support.x", &[0, 2])]), 3, &["support.x", "at least one"]);
    let sets: [(&str, &[usize]); 4] =
        [("support.x", &[3, 2]), ("support.y", &[3]), ("query.x", &[3, 2]), ("query.y", &[2])];
    refuse(&with(&sets), 3, &["query.y", "[2]", "[3]"]);
    let huge = Tensor::<f32>::full([2], 3e38);
    let whole: [(&str, &[usize]); 4] =
        [("support.x", &[3, 2]), ("support.y", &[3]), ("query.x", &[3, 2]), ("query.y", &[3])];
    let mut arrays: Vec<_> = whole.iter().map(|(name, shape)| array(name, shape)).collect();
    arrays.extend([NamedArray::numbers("weight", &huge), array("vector.weight", &[2])]);
    refuse(&to_file(&arrays, None), 4, &["not finite", "--precision f64"]);
    refused(gradients(words).arg(home.path().join("none")), 3, &["none", "--input"]);
    refused(&mut gradients("--model linear --alpha much --inner-steps 1"), 2, &["--alpha"]);
}

#[test]
fn a_run_keeps_to_the_memory_that_it_is_given() {
    let home = TempDir::new().unwrap();
    let out = home.path().join("run");
    let allowed = |memory: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_omniglot"));
        command.env_remove("MAML_DATA").args(TINY).args(["--progress", "plain", "--memory", memory, "--out"]).arg(&out);
        command
    };
    refused(&mut allowed("20KB"), 2, &["--memory allows 20 KiB", "fewer --threads"]);
    refused(&mut allowed("much"), 2, &["such as 2GiB or 500MB"]);
    assert!(!out.exists(), "nothing was begun");
    let talk = allowed("2GiB").output().unwrap().stderr;
    assert!(text(&talk).contains("memory: steps will hold at most"), "{}", text(&talk));
}

#[test]
fn a_profiled_run_says_where_its_time_went() {
    let home = TempDir::new().unwrap();
    let out = home.path().join("run");
    let run = omniglot().args(TINY).arg("--profile-ops").arg("--out").arg(&out).output().unwrap();
    let talk = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success(), "{talk}");
    for part in ["weight gradient of a convolution", "Hessian-vector product", "inner", "query", "between operations"] {
        assert!(talk.contains(part), "no {part:?} in:\n{talk}");
    }
    let table = fs::read_to_string(out.join("operations.csv")).unwrap();
    assert!(table.starts_with("phase,sweep,operation,shape,calls,seconds,flops,bytes\n"), "{table}");
}

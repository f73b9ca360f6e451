use super::*;
use serde::Deserialize;

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
#[serde(deny_unknown_fields)]
struct Config {
    steps: u64,
    model: String,
    rho_hard: Vec<f64>,
    note: Option<String>,
    maml: Maml,
    method: Method,
    cells: Vec<Cell>,
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
#[serde(deny_unknown_fields)]
struct Maml {
    alpha: f64,
    beta: f32,
    order: Order,
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
#[serde(rename_all = "kebab-case")]
enum Order {
    First,
    Second,
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case")]
enum Method {
    Nal,
    Maml { inner_steps: u32 },
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
#[serde(deny_unknown_fields)]
struct Cell {
    shots: u32,
}

const QUICK: &str = r#"
steps = 100
model = "conv4"
rho_hard = [0.1, 0.3]
cells = [{ shots = 1 }, { shots = 5 }]
[maml]
alpha = 0.1
beta = 0.1
order = "second"
[method]
kind = "maml"
inner_steps = 5
"#;

fn sets(sets: &[&str]) -> Result<Config, Failure> {
    let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
    resolve(&[QUICK], None, &sets)
}

fn file(text: &str) -> Result<Config, Failure> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my.toml");
    std::fs::write(&path, text).unwrap();
    resolve(&[QUICK], Some(&path), &[])
}

/// The message of a failure must hold every part.
#[track_caller]
fn says(result: Result<Config, Failure>, parts: &[&str]) {
    let message = result.unwrap_err().message();
    for part in parts {
        assert!(message.contains(part), "no {part:?} in:\n{message}");
    }
}

#[test]
fn layers_go_over_each_other_key_by_key() {
    let built_in = sets(&[]).unwrap();
    let changed = file("steps = 7\nrho_hard = [1]\n[maml]\nalpha = 2\n").unwrap();
    let maml = Maml { alpha: 2.0, ..built_in.maml.clone() };
    assert_eq!(changed, Config { steps: 7, rho_hard: vec![1.0], maml, ..built_in });
}

#[test]
fn a_set_goes_over_the_file_and_the_last_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my.toml");
    std::fs::write(&path, "steps = 7\n").unwrap();
    let sets = ["steps=8".to_string(), "steps = 9".to_string()];
    assert_eq!(resolve::<Config>(&[QUICK], Some(&path), &sets).unwrap().steps, 9);
}

#[test]
fn set_values_are_toml_and_bare_words_are_strings() {
    let config =
        sets(&["model=mlp/2", "maml.alpha=1e-3", "rho_hard=[1, 2.5]", "note=2020-10-14", "maml.order=first"]).unwrap();
    assert_eq!((config.model.as_str(), config.maml.alpha), ("mlp/2", 1e-3));
    assert_eq!((config.rho_hard, config.note.as_deref()), (vec![1.0, 2.5], Some("2020-10-14")));
    assert_eq!(config.maml.order, Order::First);
    assert_eq!(sets(&["model=\"5\""]).unwrap().model, "5");
}

#[test]
fn printed_configs_come_back_the_same() {
    let config = sets(&["maml.alpha=0.30000000000000004", "note=it's \"quoted\"", "maml.beta=0.1"]).unwrap();
    let text = print(&config).unwrap();
    assert_eq!(resolve::<Config>(&[&text], None, &[]).unwrap(), config);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saved.toml");
    std::fs::write(&path, &text).unwrap();
    let again: Config = resolve(&[QUICK], Some(&path), &[]).unwrap();
    assert_eq!(print(&again).unwrap(), text);
}

#[test]
fn an_unknown_key_in_a_file_is_shown_with_its_line_and_the_known_ones() {
    let text = "steps = 7\n\n[maml]\nalhpa = 0.5\n";
    says(
        file(text),
        &[
            "unknown key `maml.alhpa`",
            "my.toml, line 4",
            "alhpa = 0.5",
            "did you mean `alpha`?",
            "known here: alpha, beta, order",
        ],
    );
    says(file("[mmaml]\nalpha = 1\n"), &["unknown key `mmaml`", "line 1", "did you mean `maml`?"]);
}

#[test]
fn an_unknown_key_in_a_set_names_the_set() {
    says(sets(&["maml.alhpa=1"]), &["unknown key `maml.alhpa`, in --set maml.alhpa=1", "did you mean `alpha`?"]);
    says(
        sets(&["alpha=1"]),
        &["unknown key `alpha`, in --set alpha=1", "there is a key `maml.alpha`", "known here: steps"],
    );
}

#[test]
fn a_wrong_type_names_the_key_and_where_it_was_written() {
    says(file("[maml]\nalpha = \"big\"\n"), &["`maml.alpha`", "invalid type: string \"big\"", "f64", "line 2"]);
    says(sets(&["steps=many"]), &["`steps`", "string \"many\"", "in --set steps=many"]);
    says(sets(&["steps=-1"]), &["`steps`", "-1", "in --set steps=-1"]);
    says(sets(&["maml=3"]), &["`maml`", "in --set maml=3"]);
    says(sets(&["steps.sub=3"]), &["`steps`", "in --set steps.sub=3"]);
    says(sets(&["maml.order=frist"]), &["`maml.order`", "did you mean `first`?", "known here: first, second"]);
}

#[test]
fn keys_inside_tagged_enums_and_arrays_are_named_too() {
    says(sets(&["method.inner_stesp=3"]), &["unknown key `method.inner_stesp`", "did you mean `inner_steps`?"]);
    says(file("[[cells]]\nshots = 1\nsohts = 2\n"), &["unknown key `cells.sohts`", "line 3", "did you mean `shots`?"]);
}

#[test]
fn what_is_not_toml_is_shown_with_its_line() {
    says(file("steps = 7\nmodel = \n"), &["my.toml is not TOML, line 2"]);
    says(sets(&["rho_hard=[1,"]), &["--set rho_hard=[1,", "not TOML"]);
    says(sets(&["steps"]), &["there is no ="]);
    says(sets(&[".steps=1"]), &["empty name"]);
}

#[test]
fn a_missing_file_says_how_to_get_one() {
    says(resolve(&[QUICK], Some(Path::new("no/such.toml")), &[]), &["no/such.toml", "--print-config"]);
}

#[test]
fn a_hole_in_the_built_in_profile_is_named() {
    says(resolve(&["steps = 1"], None, &[]), &["the config lacks `", "built-in profile"]);
}

#[test]
fn later_texts_of_a_profile_lie_over_earlier_ones() {
    let config: Config = resolve(&[QUICK, "steps = 7"], None, &[]).unwrap();
    let alone: Config = resolve(&[QUICK], None, &[]).unwrap();
    assert_eq!(config, Config { steps: 7, ..alone });
}

use super::*;
use crate::out::tests::Captured;

/// A binary for tests.
#[derive(Parser, Debug)]
#[command(name = "sample", version, about = "A sample")]
struct Sample {
    #[command(flatten)]
    run: RunArguments,
}

fn words(line: &str) -> (Result<Option<Sample>, Failure>, String) {
    let captured = Captured::default();
    let words = line.split_whitespace().map(OsString::from);
    let parsed = parse_from(words, "What this is\n\n  sample --profile smoke\n", &mut Out::to(captured.clone()));
    (parsed, captured.text())
}

fn run(line: &str) -> RunArguments {
    words(line).0.unwrap().unwrap().run
}

fn refused(line: &str) -> String {
    let failure = words(line).0.unwrap_err();
    assert_eq!(failure.exit(), Exit::Usage);
    failure.message()
}

#[test]
fn no_words_give_the_first_screen_on_stdout() {
    let (parsed, text) = words("sample");
    assert!(parsed.unwrap().is_none());
    assert_eq!(text, "What this is\n\n  sample --profile smoke\n");
}

#[test]
fn help_and_version_go_to_stdout() {
    let (parsed, help) = words("sample --help");
    assert!(parsed.unwrap().is_none());
    let flags =
        "--profile --config --set --print-config --seeds --threads --data --out --resume --isa --progress --json";
    for flag in flags.split(' ').chain(["MAML_DATA"]) {
        assert!(help.contains(flag), "no {flag} in:\n{help}");
    }
    assert_eq!(words("sample --version").1, format!("sample {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_flag_arrives() {
    let run = run("sample --profile full --config a.toml --set a=1 --set b.c=x --seeds 3,7,11 --threads 2 --data d \
                   --out o --isa avx2 --progress plain --json --print-config");
    assert_eq!((run.profile, run.isa.as_str()), (Some(Profile::Full), "avx2"));
    assert_eq!((run.sets, run.seeds), (vec!["a=1".to_string(), "b.c=x".into()], Some(Seeds(vec![3, 7, 11]))));
    assert_eq!((run.threads, run.progress, run.json, run.print_config), (Some(2), ProgressMode::Plain, true, true));
    assert_eq!([run.config, run.data, run.out], ["a.toml", "d", "o"].map(|path| Some(PathBuf::from(path))));
}

#[test]
fn a_count_of_seeds_begins_at_zero() {
    assert_eq!("5".parse(), Ok(Seeds(vec![0, 1, 2, 3, 4])));
    assert_eq!("7,".parse(), Ok(Seeds(vec![7])));
    assert_eq!("3, 7,11".parse(), Ok(Seeds(vec![3, 7, 11])));
    for wrong in ["0", "", ",", "3,3", "-1", "1.5", "3,,7", "99999999999"] {
        assert!(wrong.parse::<Seeds>().is_err(), "{wrong:?} was taken");
    }
}

#[test]
fn wrong_words_are_usage_errors_that_name_them() {
    assert!(refused("sample --isa sse9").contains("avx512"));
    assert!(refused("sample --profil smoke").contains("--profile"));
    assert!(refused("sample --seeds 3,3").contains("seed 3 is given twice"));
    assert!(refused("sample --out a --resume b").contains("cannot be used with"));
}

#[test]
fn defaults_are_quick_and_the_callers_seeds() {
    let run = run("sample --json");
    assert_eq!((run.profile(), run.seeds(&[0, 1]).unwrap()), (Profile::Quick, vec![0, 1]));
    assert_eq!((run.isa.as_str(), run.progress), ("auto", ProgressMode::Auto));
}
#[test]
fn resume_alone_takes_the_config_and_the_seeds_of_the_run() {
    type Config = std::collections::BTreeMap<String, f64>;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("run").display().to_string();
    let built_in = |profile| vec![if profile == Profile::Smoke { "alpha = 1.0" } else { "alpha = 2.0" }];
    let manifest = |seeds: &[u64]| {
        let data = crate::manifest::DataSource { name: "generated".into(), sha256: "00".into(), folder: None };
        Manifest::now("sample", "portable", 1, data, seeds)
    };
    let first = run(&format!("sample --profile smoke --seeds 3,7 --set beta=4 --out {folder}"));
    let config: Config = first.resolve(built_in).unwrap();
    drop(first.open_folder(&config, &manifest(&first.seeds(&[0]).unwrap())).unwrap());

    let again = run(&format!("sample --resume {folder}"));
    assert_eq!(again.resolve::<Config>(built_in).unwrap(), config);
    assert_eq!(again.seeds(&[0]).unwrap(), [3, 7]);
    again.open_folder(&config, &manifest(&[3, 7])).unwrap();

    let other = run(&format!("sample --resume {folder} --profile quick"));
    let refused = other.open_folder(&other.resolve::<Config>(built_in).unwrap(), &manifest(&[3, 7])).unwrap_err();
    assert!(refused.message().contains("`alpha` is 1.0"), "{refused}");
}

//! The built-in configs of each experiment: files of `experiments/`, later ones over earlier ones.

use crate::arguments::Profile;

/// Those of `linear_regression`: a file for each sweep, the base, and the profile.
pub fn linear_regression(profile: Profile) -> Vec<&'static str> {
    vec![
        include_str!("../../experiments/linear_regression/hardness.toml"),
        include_str!("../../experiments/linear_regression/distance.toml"),
        include_str!("../../experiments/linear_regression/spread.toml"),
        include_str!("../../experiments/linear_regression/samples.toml"),
        include_str!("../../experiments/linear_regression/share.toml"),
        include_str!("../../experiments/linear_regression/convergence.toml"),
        include_str!("../../experiments/linear_regression/maps.toml"),
        include_str!("../../experiments/linear_regression/steps.toml"),
        include_str!("../../experiments/linear_regression/anisotropy.toml"),
        include_str!("../../experiments/linear_regression/base.toml"),
        match profile {
            Profile::Smoke => include_str!("../../experiments/linear_regression/smoke.toml"),
            Profile::Quick => include_str!("../../experiments/linear_regression/quick.toml"),
            Profile::Full => include_str!("../../experiments/linear_regression/full.toml"),
        },
    ]
}

/// That of `omniglot`.
pub fn omniglot(profile: Profile) -> Vec<&'static str> {
    vec![match profile {
        Profile::Smoke => include_str!("../../experiments/omniglot/smoke.toml"),
        Profile::Quick => include_str!("../../experiments/omniglot/quick.toml"),
        Profile::Full => include_str!("../../experiments/omniglot/full.toml"),
    }]
}

/// Those of `two_layer`: the base with its sweeps, and the profile.
pub fn two_layer(profile: Profile) -> Vec<&'static str> {
    vec![
        include_str!("../../experiments/two_layer/base.toml"),
        match profile {
            Profile::Smoke => include_str!("../../experiments/two_layer/smoke.toml"),
            Profile::Quick => include_str!("../../experiments/two_layer/quick.toml"),
            Profile::Full => include_str!("../../experiments/two_layer/full.toml"),
        },
    ]
}

//! The result of a run, complete enough to be read without it.

use serde::Serialize;

use super::{config::Config, engine::EngineResult, run::Run};
use crate::experiment::sweep::{Agreement, Claim, Gain, Point};

/// The result of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What made the numbers, in sentences.
    pub protocol: Vec<String>,
    /// The engine against the closed forms.
    pub engine: Vec<EngineResult>,
    /// Simulation against the closed forms.
    pub agreement: Agreement,
    /// Claims of the paper that the run speaks to.
    pub claims: Vec<Claim>,
    /// What MAML gains, cell by cell.
    pub gains: Vec<Gain>,
    /// Every simulated point.
    pub points: Vec<Point>,
    /// Every parameter.
    pub parameters: Config,
}

impl Run {
    /// What makes the numbers, in sentences.
    pub fn protocol(&self) -> Vec<String> {
        protocol(self.config())
    }

    /// What is known so far.
    pub fn summary(&self) -> Summary {
        let points = self.points();
        Summary {
            protocol: self.protocol(),
            engine: self.engine().to_vec(),
            agreement: Agreement::of(&points),
            claims: self.claims(),
            gains: self.gains(),
            points,
            parameters: self.config().clone(),
        }
    }
}

fn protocol(config: &Config) -> Vec<String> {
    let landscape = match config.groups.len() {
        0 => format!(
            "Base: d = {}, p = {}, ρ_E = {}, ρ_H = {}, R = {}, r_E = {}, r_H = {}, ν² = {}.",
            config.dim,
            config.hard_share,
            config.rho_easy,
            config.rho_hard,
            config.distance,
            config.spread_easy,
            config.spread_hard,
            config.noise_variance
        ),
        _ => {
            let names: Vec<&str> = config.groups.iter().map(|group| group.name.as_str()).collect();
            format!("Groups of one's own: {}; d = {}, ν² = {}.", names.join(", "), config.dim, config.noise_variance)
        }
    };
    vec![
        landscape,
        format!(
            "Adaptation: SGD with α = {:.4}, K = {} step{} on m = {} fresh samples each.",
            config.alpha,
            config.inner_steps,
            if config.inner_steps == 1 { "" } else { "s" },
            config.adaptation_samples
        ),
        format!(
            "Each of {} seeds: the normal equations of both learners on n = {} sampled tasks (MAML: K batches of m and an \
             outer batch of N = {}; NAL: all of them pooled), judged by the excess risk after adaptation on {} fresh tasks \
             of each group, the same for both.",
            config.seeds.len(),
            config.tasks,
            config.samples,
            config.test_tasks,
        ),
    ]
}

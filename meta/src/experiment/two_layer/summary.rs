//! What the run says: points, gains, gradient norms, verdicts, and everything that went wrong.

use serde::Serialize;

use super::{
    cell::Draw,
    config::Config,
    pair::Pair,
    run::{Found, Run, Unit},
    training::Trained,
};
use crate::{
    LearnerName,
    experiment::sweep::{Claim, Gain, Measure, Measured, Place, Point, Statistic, Swept},
    optim::Optimizer,
    stats::{Estimate, mean_interval_at},
};

/// The samples of statistics over pairs.
const ENVIRONMENTS: &str = "environments";

/// The result of a run, complete enough to be read without it.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What made the numbers, in sentences.
    pub protocol: Vec<String>,
    /// Claims of the paper that the run speaks to.
    pub claims: Vec<Claim>,
    /// How the trainings went.
    pub trainings: Trainings,
    /// Units that found nothing, each with its reason.
    pub failures: Vec<String>,
    /// Gradient norms at the stationary points of two-task environments; none if there are none.
    pub pairs: Option<PairSummary>,
    /// What MAML gains, place by place.
    pub gains: Vec<Gain>,
    /// Every point.
    pub points: Vec<Point>,
    /// Every parameter.
    pub parameters: Config,
}

/// Counts over all trainings.
#[derive(Clone, PartialEq, Default, Debug, Serialize)]
pub struct Trainings {
    /// How many.
    pub count: usize,
    /// Those whose gradient did not fall to the tolerance. Their results are used all the same.
    pub not_stationary: usize,
    /// The largest remaining share of the initial gradient norm.
    pub largest_gradient: f64,
    /// Starts that left the range of numbers; another start of the same training was used.
    pub diverged_starts: usize,
    /// Solutions with at least one dead hidden unit. Their results are used all the same.
    pub with_dead_units: usize,
}

/// Two-task environments.
#[derive(Clone, Debug, Serialize)]
pub struct PairSummary {
    /// How many were solved.
    pub environments: usize,
    /// ln ‖∇f_H‖/‖∇f_E‖ at NAL's solutions: 0 at a stationary point.
    pub nal_log_ratio: Estimate,
    /// The same at MAML's solutions.
    pub maml_log_ratio: Estimate,
    /// The share of environments in which ‖∇f_H‖ < ‖∇f_E‖ at MAML's solution.
    pub smaller_on_hard: f64,
    /// Environments in which αL < 1, so that the bound applies.
    pub bound_applies: usize,
    /// Those of them in which it holds.
    pub bound_holds: usize,
    /// The mean of αL.
    pub alpha_l: f64,
}

/// One training, as a line of `trainings.csv`.
#[derive(Clone, Debug, Serialize)]
pub struct TrainingRow {
    /// The sweep's name, or "pairs".
    pub part: String,
    /// The parameter's value, or the environment's number.
    pub value: f64,
    /// The seed; that of a pair is its environment's number.
    pub seed: u64,
    /// "NAL" or "MAML".
    pub learner: &'static str,
    /// Which random initialisation was the best.
    pub start: usize,
    /// The training objective.
    pub objective: f64,
    /// The remaining share of the initial gradient norm.
    pub gradient: f64,
    /// Evaluations of objective and gradient.
    pub evaluations: usize,
    /// Whether the point is stationary by the config's rule.
    pub is_stationary: bool,
    /// Dead hidden units.
    pub dead: usize,
    /// ‖w − centre‖² to the easy centre, neurons in the best order; none for pairs.
    pub to_easy: Option<f64>,
    /// The same to the hard centre.
    pub to_hard: Option<f64>,
    /// Excess risk after adaptation on easy test tasks; none for pairs.
    pub easy_risk: Option<f64>,
    /// On hard test tasks.
    pub hard_risk: Option<f64>,
}

/// One environment, as a line of `pairs.csv`.
#[derive(Clone, Debug, Serialize)]
pub struct PairRow {
    /// Its number.
    pub environment: u64,
    /// ‖∇f_E‖ at NAL's solution.
    pub nal_easy: f64,
    /// ‖∇f_H‖ at NAL's solution.
    pub nal_hard: f64,
    /// ‖∇f_E‖ at MAML's solution.
    pub maml_easy: f64,
    /// ‖∇f_H‖ at MAML's solution.
    pub maml_hard: f64,
    /// μ_E.
    pub mu_easy: f64,
    /// L_H.
    pub l_hard: f64,
    /// L.
    pub l: f64,
    /// The bound on ‖∇f_H‖/‖∇f_E‖; none unless αL < 1.
    pub bound: Option<f64>,
}

impl Pair {
    /// ln ‖∇f_H‖ − ln ‖∇f_E‖ at a learner's solution.
    pub fn log_ratio(&self, learner: LearnerName) -> f64 {
        let [easy, hard] = self.norms[learner as usize];
        (hard / easy).ln()
    }
}

impl Run {
    /// What is known so far.
    pub fn summary(&self) -> Summary {
        let level = self.config().level;
        let measured = self.measured();
        Summary {
            protocol: self.protocol(),
            claims: self.claims(),
            trainings: self.trainings(),
            failures: self.failures(),
            pairs: self.pair_summary(),
            gains: measured.iter().filter_map(|at| at.gain(level)).collect(),
            points: measured.iter().flat_map(|at| at.points(level)).collect(),
            parameters: self.config().clone(),
        }
    }

    /// The draws of a sweep's place, by seed; failures are left out.
    fn draws(&self, name: &str, place: usize) -> Vec<(u64, &Draw)> {
        let here = self.finished().filter_map(|unit| match unit {
            (Unit::Sweep { name: other, place: at, seed }, Found::Sweep(Ok(draw))) if other == name && *at == place => {
                Some((*seed, draw))
            }
            _ => None,
        });
        here.collect()
    }

    /// Each place of the sweeps with the pairs of the seeds that found something.
    pub fn measured(&self) -> Vec<Measured> {
        let of_sweep = |name: &String| self.measured_by(name, |_| true);
        self.config().run.iter().flat_map(of_sweep).filter(|at| !at.pairs.is_empty()).collect()
    }

    /// The places of one sweep with the pairs of the seeds that are asked for.
    fn measured_by(&self, name: &str, seed_counts: impl Fn(u64) -> bool) -> Vec<Measured> {
        let sweep = &self.config().sweep[name];
        let at = |(place, &value): (usize, &f64)| {
            let draws = self.draws(name, place).into_iter().filter(|(seed, _)| seed_counts(*seed));
            let place = Place {
                sweep: name.into(),
                parameter: sweep.parameter.clone(),
                value,
                across: None,
                measure: Measure::Risk,
                theory: [None; 2],
                theory_gain: None,
            };
            Measured { place, pairs: draws.map(|(_, draw)| draw.risks.map(|risks| risks[0])).collect() }
        };
        sweep.values.iter().enumerate().map(at).collect()
    }

    /// A finished sweep, by the seeds that found something at all of its places: statistics compare places seed by seed.
    fn swept(&self, name: &str) -> Option<Swept> {
        let places = 0..self.config().sweep.get(name)?.values.len();
        let found: Vec<Vec<u64>> =
            places.map(|at| self.draws(name, at).iter().map(|(seed, _)| *seed).collect()).collect();
        let everywhere = |seed: u64| found.iter().all(|seeds| seeds.contains(&seed));
        let measured = self.measured_by(name, everywhere);
        if measured.iter().any(|at| at.pairs.is_empty()) { None } else { Swept::of(measured, self.config().level) }
    }

    fn claims(&self) -> Vec<Claim> {
        [self.claim_a(), self.claim_b(), self.claim_c()].into_iter().flatten().collect()
    }

    fn claim_a(&self) -> Option<Claim> {
        let sweep = self.swept("hardness")?;
        let (widest, equal) = (0, (0..=sweep.last()).find(|&place| sweep.value(place) == 1.0)?);
        let statement = "MAML improves much on NAL only if tasks differ in hardness (two-layer networks).";
        let statistics = vec![
            sweep.slope(|ratio| 1.0 - ratio, "1 - rho_H/rho_E", 1.0),
            sweep.negligible(equal, "equal hardness", self.config().negligible, widest),
        ];
        Some(Claim::of("A", statement.into(), statistics))
    }

    fn claim_b(&self) -> Option<Claim> {
        let (distance, spread) = (self.swept("distance")?, self.swept("spread_hard")?);
        let statement = "The gain needs hard tasks whose solutions are closely packed and far from the easy ones' (two-layer networks).";
        let statistics = vec![distance.slope(|r| r, "R", 1.0), spread.slope(f64::ln, "ln r_H", -1.0)];
        Some(Claim::of("B", statement.into(), statistics))
    }

    fn claim_c(&self) -> Option<Claim> {
        let ratios: Vec<f64> = self.pairs().map(|(_, pair)| -pair.log_ratio(LearnerName::Maml)).collect();
        let than_nal: Vec<f64> = self
            .pairs()
            .map(|(_, pair)| pair.log_ratio(LearnerName::Nal) - pair.log_ratio(LearnerName::Maml))
            .collect();
        let (level, what) = (self.config().level, "ln(|grad f_E| / |grad f_H|) at MAML's solution");
        let statistics = vec![
            Statistic::of(what.into(), ENVIRONMENTS, &ratios, level),
            Statistic::of(format!("{what} less that at NAL's"), ENVIRONMENTS, &than_nal, level),
        ];
        let statement =
            "At MAML's stationary points the gradient norm is smaller on the harder task (two-layer networks).";
        (!ratios.is_empty()).then(|| Claim::of("C", statement.into(), statistics))
    }

    fn pair_summary(&self) -> Option<PairSummary> {
        let pairs: Vec<&Pair> = self.pairs().map(|(_, pair)| pair).collect();
        let log_ratio = |learner| {
            let ratios: Vec<f64> = pairs.iter().map(|pair| pair.log_ratio(learner)).collect();
            mean_interval_at(&ratios, self.config().level)
        };
        let maml = |pair: &&&Pair| pair.norms[1][1] < pair.norms[1][0];
        let holds =
            |pair: &&&Pair| pair.bound.is_some_and(|bound| pair.norms[1][1] <= bound * pair.norms[1][0] * (1.0 + 1e-6));
        let count = pairs.len();
        (count > 0).then(|| PairSummary {
            environments: count,
            nal_log_ratio: log_ratio(LearnerName::Nal),
            maml_log_ratio: log_ratio(LearnerName::Maml),
            smaller_on_hard: pairs.iter().filter(maml).count() as f64 / count as f64,
            bound_applies: pairs.iter().filter(|pair| pair.bound.is_some()).count(),
            bound_holds: pairs.iter().filter(holds).count(),
            alpha_l: self.config().alpha * pairs.iter().map(|pair| pair.l).sum::<f64>() / count as f64,
        })
    }

    /// How every training went, line by line.
    pub fn training_rows(&self) -> Vec<TrainingRow> {
        let mut rows = Vec::new();
        for (unit, found) in self.finished() {
            match (unit, found) {
                (Unit::Sweep { name, place, seed }, Found::Sweep(Ok(draw))) => {
                    let value = self.config().sweep[name].values[*place];
                    for learner in LearnerName::BOTH {
                        let i = learner as usize;
                        rows.push(TrainingRow {
                            to_easy: Some(draw.distances[i][0]),
                            to_hard: Some(draw.distances[i][1]),
                            easy_risk: Some(draw.risks[i][1]),
                            hard_risk: Some(draw.risks[i][2]),
                            ..row(name, value, *seed, learner, &draw.trained[i])
                        });
                    }
                }
                (Unit::Pair(index), Found::Pair(Ok(pair))) => {
                    let of = |learner| row("pairs", *index as f64, *index, learner, &pair.trained[learner as usize]);
                    rows.extend(LearnerName::BOTH.map(of));
                }
                _ => {}
            }
        }
        rows
    }

    /// What was found in every two-task environment.
    pub fn pair_rows(&self) -> Vec<PairRow> {
        let row = |(environment, pair): (u64, &Pair)| {
            let [[nal_easy, nal_hard], [maml_easy, maml_hard]] = pair.norms;
            let Pair { mu_easy, l_hard, l, bound, .. } = *pair;
            PairRow { environment, nal_easy, nal_hard, maml_easy, maml_hard, mu_easy, l_hard, l, bound }
        };
        self.pairs().map(row).collect()
    }

    fn trainings(&self) -> Trainings {
        let add = |sum: Trainings, row: TrainingRow| Trainings {
            count: sum.count + 1,
            not_stationary: sum.not_stationary + usize::from(!row.is_stationary),
            largest_gradient: sum.largest_gradient.max(row.gradient),
            with_dead_units: sum.with_dead_units + usize::from(row.dead > 0),
            ..sum
        };
        let all = self.training_rows().into_iter().fold(Trainings::default(), add);
        let diverged = self.finished().map(|(_, found)| match found {
            Found::Sweep(Ok(Draw { trained, .. })) | Found::Pair(Ok(Pair { trained, .. })) => {
                trained.iter().map(|trained| trained.diverged_starts).sum()
            }
            _ => 0,
        });
        Trainings { diverged_starts: diverged.sum(), ..all }
    }

    fn failures(&self) -> Vec<String> {
        let failure = |(unit, found): (&Unit, &Found)| match (unit, found) {
            (Unit::Sweep { name, place, seed }, Found::Sweep(Err(why))) => {
                let sweep = &self.config().sweep[name];
                Some(format!("sweep `{name}`, {} = {}, seed {seed}: {why}", sweep.parameter, sweep.values[*place]))
            }
            (Unit::Pair(index), Found::Pair(Err(why))) => Some(format!("two-task environment {index}: {why}")),
            (Unit::Surface, Found::Surface(Err(why))) => Some(format!("loss surface: {why}")),
            _ => None,
        };
        self.finished().filter_map(failure).collect()
    }

    /// What makes the numbers, in sentences.
    pub fn protocol(&self) -> Vec<String> {
        let c = self.config();
        let first = match (c.training.steps, c.training.optimizer) {
            (0, _) => String::new(),
            (steps, Optimizer::Sgd { rate }) => format!("{steps} steps of gradient descent at {rate} and then "),
            (steps, Optimizer::Adam { rate }) => format!("{steps} steps of Adam at {rate} and then "),
        };
        vec![
            format!(
                "Base: d = {}, {} neurons ({:?}), p = {}, ρ_E = {}, ρ_H = {}, R = {}, r_E = {}, r_H = {}, ν² = {}.",
                c.dim,
                c.neurons,
                c.activation,
                c.hard_share,
                c.rho_easy,
                c.rho_hard,
                c.distance,
                c.spread_easy,
                c.spread_hard,
                c.noise_variance
            ),
            format!("Adaptation: SGD with α = {}, K = {}.", c.alpha, c.inner_steps),
            format!(
                "Training: exact second order, {first}L-BFGS from {} random starts until the gradient norm is {:e} of its \
                 initial value; the best start by the training objective is kept.",
                c.starts, c.training.tolerance
            ),
            format!(
                "Sweeps: n = {} training tasks with m = {} fresh samples for each adaptation step and {} for the query set; judged \
                 by the excess risk after adaptation on {} fresh tasks of each kind, the same for both; {} seeds, each with an \
                 environment of its own.",
                c.tasks,
                c.adaptation_samples,
                c.samples,
                c.test_tasks,
                c.seeds.len()
            ),
        ]
    }
}

fn row(part: &str, value: f64, seed: u64, learner: LearnerName, trained: &Trained) -> TrainingRow {
    let Trained { start, objective, gradient, evaluations, is_stationary, dead, .. } = *trained;
    TrainingRow {
        part: part.into(),
        value,
        seed,
        learner: learner.name(),
        start,
        objective,
        gradient,
        evaluations,
        is_stationary,
        dead,
        to_easy: None,
        to_hard: None,
        easy_risk: None,
        hard_risk: None,
    }
}

//! What the scores say: accuracies, gains of MAML over NAL, and the verdict on claim D.

use serde::Serialize;

use super::{
    config::{Config, SettingName},
    run::Scores,
};
use crate::{
    LearnerName,
    data::ImageSet,
    optim::Optimizer,
    stats::{Estimate, Verdict, mean_interval_at},
};

/// The result of a run, complete enough to be read without it.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What the images are: the real data, or the program's own stand-in.
    pub source: String,
    /// Digest of what the images were made from.
    pub data_digest: String,
    /// What made the numbers, in sentences.
    pub protocol: Vec<String>,
    /// Accuracies after adaptation.
    pub scores: Vec<Score>,
    /// Gains of MAML over NAL, in the setting where both were trained.
    pub gains: Vec<Gain>,
    /// Claims of the paper that the run speaks to.
    pub claims: Vec<Claim>,
}

/// The accuracy of a learner on one kind of task.
#[derive(Clone, Debug, Serialize)]
pub struct Score {
    /// Which tasks.
    pub setting: SettingName,
    /// Hardness.
    pub group: String,
    /// Where the characters come from.
    pub split: String,
    /// Who, and after how many adaptation steps: "NAL-10".
    pub learner: String,
    /// Share of correct answers on query drawings.
    pub accuracy: Interval,
    /// Episodes in which adaptation diverged; they count as guesses.
    pub diverged: usize,
}

/// MAML's accuracy less NAL's on the same episodes.
#[derive(Clone, Debug, Serialize)]
pub struct Gain {
    /// Which tasks.
    pub setting: SettingName,
    /// Hardness.
    pub group: String,
    /// Where the characters come from.
    pub split: String,
    /// Who is compared: "MAML-1 - NAL-10".
    pub comparison: String,
    /// The mean paired difference.
    pub gain: Interval,
}

/// A claim of the paper, and what this run says of it.
#[derive(Clone, Debug, Serialize)]
pub struct Claim {
    /// Its letter.
    pub id: &'static str,
    /// What is claimed, under which labeling, against which rival.
    pub statement: String,
    /// The gain on hard test tasks.
    pub hard_gain: Interval,
    /// (gain on hard tasks) − (gain on easy tasks), on test tasks.
    pub statistic: Interval,
    /// "supported", "not supported" or "undecided".
    pub verdict: String,
}

/// A mean and its interval.
#[derive(Clone, Debug, Serialize)]
pub struct Interval {
    /// What the samples are: "episodes of one training", or "seeds", each a mean over episodes.
    pub over: &'static str,
    /// Mean, ends (null if there are none), number of samples, level, and what was estimated.
    #[serde(flatten)]
    pub estimate: Estimate,
}

impl Summary {
    pub(super) fn of(config: &Config, set: &ImageSet, scores: &[Scores]) -> Self {
        let judge = Judge { config, scores };
        Self {
            source: set.source.to_string(),
            data_digest: set.digest.clone(),
            protocol: protocol(config, set),
            scores: judge.scores(),
            gains: judge.gains(),
            claims: judge.claim_d(),
        }
    }
}

/// "MAML-1": who, after how many adaptation steps.
fn name(scores: &Scores) -> String {
    format!("{}-{}", scores.cell.learner.name(), scores.steps)
}

const ACCURACY: &str = "mean accuracy, Student t";
const GAIN: &str = "mean paired difference, Student t";
const EXCESS: &str = "difference of two gains, Student t";

/// MAML and NAL, judged on the same episodes.
type Pair<'a> = (&'a Scores, &'a Scores);

/// Claim D needs both: a gain on hard tasks, and more of it than on easy ones.
fn verdict(hard_gain: &Interval, excess: &Interval) -> Verdict {
    Verdict::of_all([&hard_gain.estimate, &excess.estimate])
}

struct Judge<'a> {
    config: &'a Config,
    scores: &'a [Scores],
}

impl<'a> Judge<'a> {
    /// The scores that differ from `like` in the seed only, in the order of the seeds.
    fn all_seeds(&self, like: &'a Scores) -> Vec<&'a Scores> {
        let same = |s: &&Scores| {
            let key = |s: &Scores| (s.cell.setting, s.cell.learner, s.steps);
            key(s) == key(like) && s.group == like.group && s.split == like.split
        };
        self.scores.iter().filter(same).collect()
    }

    /// One of each kind of score: those of the first seed.
    fn kinds(&self) -> impl Iterator<Item = &'a Scores> {
        let first = self.scores.first().map(|s| s.cell.seed);
        self.scores.iter().filter(move |s| Some(s.cell.seed) == first)
    }

    /// With one seed the samples are episodes; with several, the means of the seeds.
    fn interval(&self, estimator: &'static str, samples: &[Vec<f64>]) -> Interval {
        let means: Vec<f64> = samples.iter().map(|all| all.iter().sum::<f64>() / all.len() as f64).collect();
        let (samples, over) =
            if samples.len() == 1 { (&samples[0], "episodes of one training") } else { (&means, "seeds") };
        let estimate = Estimate { estimator, ..mean_interval_at(samples, self.config.evaluation.level) };
        Interval { over, estimate }
    }

    fn scores(&self) -> Vec<Score> {
        let score = |like: &'a Scores| {
            let all = self.all_seeds(like);
            Score {
                setting: like.cell.setting,
                group: like.group.clone(),
                split: like.split.clone(),
                learner: name(like),
                accuracy: self.interval(ACCURACY, &all.iter().map(|s| s.accuracies.clone()).collect::<Vec<_>>()),
                diverged: all.iter().map(|s| s.diverged.len()).sum(),
            }
        };
        self.kinds().map(score).collect()
    }

    /// Every judgement of MAML with every judgement of NAL on the same tasks.
    fn pairs(&self) -> Vec<Pair<'a>> {
        let rivals = |maml: &'a Scores| {
            let same = move |nal: &&'a Scores| {
                nal.cell.learner == LearnerName::Nal
                    && nal.cell.setting == maml.cell.setting
                    && (&nal.group, &nal.split) == (&maml.group, &maml.split)
            };
            self.kinds().filter(same).map(move |nal| (maml, nal))
        };
        self.kinds().filter(|s| s.cell.learner == LearnerName::Maml).flat_map(rivals).collect()
    }

    /// For each seed that has both, the paired differences by episode.
    fn differences(&self, maml: &'a Scores, nal: &'a Scores) -> Vec<Vec<f64>> {
        let (maml, nal) = (self.all_seeds(maml), self.all_seeds(nal));
        let pairs = maml.iter().filter_map(|m| nal.iter().find(|n| n.cell.seed == m.cell.seed).map(|n| (m, n)));
        pairs.map(|(m, n)| m.accuracies.iter().zip(&n.accuracies).map(|(m, n)| m - n).collect()).collect()
    }

    fn gains(&self) -> Vec<Gain> {
        let gain = |(maml, nal): Pair<'a>| Gain {
            setting: maml.cell.setting,
            group: maml.group.clone(),
            split: maml.split.clone(),
            comparison: format!("{} - {}", name(maml), name(nal)),
            gain: self.interval(GAIN, &self.differences(maml, nal)),
        };
        self.pairs().into_iter().map(gain).collect()
    }

    /// Claim D: the gain comes mainly from the hard tasks. Hard and easy episodes of the same index share
    /// nothing but the trained models, so pairing them is a difference of two independent means.
    fn claim_d(&self) -> Vec<Claim> {
        let pairs = self.pairs();
        let tested = |group: &'a str| {
            let pairs = pairs.iter().filter(move |(maml, _)| {
                maml.cell.setting == SettingName::Landscape && maml.split == "test" && maml.group == group
            });
            pairs.copied().collect::<Vec<_>>()
        };
        let matching = tested("hard").into_iter().filter_map(|(maml, nal)| {
            let easy = tested("easy");
            let same = easy.into_iter().find(|(m, n)| m.steps == maml.steps && n.steps == nal.steps)?;
            Some(((maml, nal), same))
        });
        let claim = |(hard, easy): (Pair<'a>, Pair<'a>)| {
            let (hard_gain, easy_gain) = (self.differences(hard.0, hard.1), self.differences(easy.0, easy.1));
            let excess = hard_gain.iter().zip(&easy_gain).map(|(h, e)| h.iter().zip(e).map(|(h, e)| h - e).collect());
            let statistic = self.interval(EXCESS, &excess.collect::<Vec<_>>());
            let hard_gain = self.interval(GAIN, &hard_gain);
            Claim {
                id: "D",
                statement: format!(
                    "MAML's gain comes mainly from accuracy on hard tasks ({} against {}, test tasks, labels {})",
                    name(hard.0),
                    name(hard.1),
                    self.config.landscape.labels,
                ),
                verdict: verdict(&hard_gain, &statistic).to_string(),
                hard_gain,
                statistic,
            }
        };
        matching.map(claim).collect()
    }
}

fn protocol(config: &Config, set: &ImageSet) -> Vec<String> {
    let Config { filters, ways, queries, evaluation, .. } = config;
    let mut sentences: Vec<String> = config.settings.iter().map(|&setting| setting_protocol(config, setting)).collect();
    sentences.push(format!(
        "All settings: {}; conv4 with {filters} filters, {ways}-way, {queries} training queries a class; batch \
         normalisation transductive (statistics of the batch, also when judged); judged by the last parameters (no \
         selection) on {} episodes a kind with {} queries a class; seeds {:?}.",
        set.source, evaluation.episodes, evaluation.queries, config.seeds,
    ));
    sentences
}

fn setting_protocol(config: &Config, setting: SettingName) -> String {
    let (adaptation, training) = (config.adaptation(setting), config.training(setting));
    let tasks = match setting {
        SettingName::Standard => format!("{}-shot tasks, labels permuted", config.standard.shots),
        SettingName::Landscape => {
            let l = &config.landscape;
            format!(
                "hard tasks {}-shot from {} alphabets, easy tasks {}-shot from {}, share of hard tasks {}, labels {}",
                l.hard_shots, l.hard_alphabets, l.easy_shots, l.easy_alphabets, l.hard_share, l.labels
            )
        }
    };
    let order = if adaptation.first_order { "first-order" } else { "exact second-order" };
    let optimizer = match training.optimizer {
        Optimizer::Sgd { rate } => format!("SGD at {rate}"),
        Optimizer::Adam { rate } => format!("Adam at {rate}"),
    };
    let decay = match training.decay_share {
        0.0 => String::new(),
        share => format!(", its rate falling to zero over the last {} %", 100.0 * share),
    };
    format!(
        "{}: {tasks}; {order} MAML with {} inner step(s) of {}; NAL on the mean loss of support and query set, each a \
         batch of its own; {} iterations of {} tasks by {optimizer}{decay}.",
        setting.name(),
        adaptation.steps,
        adaptation.alpha,
        training.iterations,
        training.tasks,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(low: f64, high: f64) -> Interval {
        let estimate = Estimate { mean: (low + high) / 2.0, low, high, n: 9, level: 0.95, estimator: GAIN };
        Interval { over: "seeds", estimate }
    }

    #[test]
    fn claim_d_needs_a_gain_on_hard_tasks_and_more_of_it_than_on_easy_ones() {
        let (above, around, below) = (interval(1.0, 2.0), interval(-1.0, 1.0), interval(-2.0, -1.0));
        assert_eq!(verdict(&above, &above), Verdict::Supported);
        assert_eq!(verdict(&below, &above), Verdict::NotSupported, "less loss on hard tasks is no gain");
        assert_eq!(verdict(&above, &below), Verdict::NotSupported);
        assert_eq!(verdict(&around, &above), Verdict::Undecided);
        assert_eq!(verdict(&above, &around), Verdict::Undecided);
    }
}

//! What the binaries run.

pub mod gradients;
pub mod linear_regression;
pub mod omniglot;
pub mod sweep;
pub mod two_layer;

/// A run that is advanced step by step by whoever shows it, saves it and stops it: nothing calls upward.
pub trait Experiment {
    /// Why it cannot go on.
    type Error: std::error::Error;

    /// Whether everything is done.
    fn is_finished(&self) -> bool;

    /// Does one unit of work. Panics when the run is finished.
    ///
    /// # Errors
    /// The run is then as it was before the unit.
    fn advance(&mut self) -> Result<Progress, Self::Error>;

    /// Everything that [`Experiment::restore`] needs.
    ///
    /// # Errors
    /// The state cannot be written as bytes.
    fn save(&self) -> Result<Vec<u8>, Self::Error>;

    /// Brings a fresh run of the same config, data and seeds to where [`Experiment::save`] was called.
    ///
    /// # Errors
    /// The bytes are not a state of this run.
    fn restore(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// What happened in one advance.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Progress {
    /// What is going on, such as "standard MAML seed 0".
    pub stage: String,
    /// Units of work done in this stage.
    pub done: u64,
    /// Units of work of this stage.
    pub total: u64,
    /// The training loss of this step.
    pub loss: Option<f64>,
    /// The mean accuracy of the kind just judged.
    pub accuracy: Option<f64>,
    /// Tasks computed in this advance.
    pub new_tasks: u64,
}

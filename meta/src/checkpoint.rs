//! A training run as bytes: parameters, optimiser and position, exactly.

use maml_autograd::Real;
use safetensors::SafeTensors;

use crate::{
    Params,
    arrays::{ArrayError, Arrays, NamedArray, to_file},
    optim::OptimizerState,
    train::Trainer,
};

/// The bytes are not a checkpoint of this model.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// An array is missing or does not fit.
    #[error("the checkpoint does not fit this run: {0}")]
    Array(#[from] ArrayError),
    /// A key of the header is missing or not a number.
    #[error("the checkpoint's header has no number under `{0}`")]
    Header(&'static str),
}

const GROUPS: [&str; 3] = ["params", "first_moment", "second_moment"];
const ITERATION: &str = "iteration";
const OPTIMIZER_STEPS: &str = "optimizer_steps";

/// All of the run, in the safetensors format.
pub fn to_bytes<T: Real>(run: &Trainer<T>) -> Vec<u8> {
    let groups = std::iter::once(&run.params).chain(run.state.moments.iter().flatten());
    let named = |(group, params): (&&str, &Params<T>)| {
        let arrays = params.iter().map(|(name, t)| NamedArray::numbers(format!("{group}.{name}"), t));
        arrays.collect::<Vec<_>>()
    };
    let arrays: Vec<NamedArray> = GROUPS.iter().zip(groups).flat_map(named).collect();
    let position = [(ITERATION, run.iteration.to_string()), (OPTIMIZER_STEPS, run.state.steps.to_string())];
    to_file(&arrays, &position)
}

/// The run that [`to_bytes`] wrote; `like` is a fresh run of the same model and optimiser.
pub fn from_bytes<T: Real>(bytes: &[u8], like: &Trainer<T>) -> Result<Trainer<T>, CheckpointError> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(ArrayError::from)?;
    let file = Arrays::parse(bytes)?;
    let number = |key: &'static str| {
        let text = header.metadata().as_ref().and_then(|all| all.get(key));
        text.and_then(|text| text.parse::<u64>().ok()).ok_or(CheckpointError::Header(key))
    };
    let group = |group: &str| {
        let arrays = like.params.iter().map(|(name, t)| file.shaped(&format!("{group}.{name}"), t.shape()));
        arrays.collect::<Result<Vec<_>, _>>().map(|arrays| like.params.with(arrays))
    };
    let moments = match like.state.moments {
        Some(_) => Some([group(GROUPS[1])?, group(GROUPS[2])?]),
        None => None,
    };
    let state = OptimizerState { steps: number(OPTIMIZER_STEPS)?, moments };
    Ok(Trainer { params: group(GROUPS[0])?, state, iteration: number(ITERATION)? })
}

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
    /// The note on where the run stands is missing or not two numbers.
    #[error("the checkpoint does not say where its run stands: its header has no `{POSITION}` of two numbers")]
    Position,
}

const GROUPS: [&str; 3] = ["params", "first_moment", "second_moment"];
/// Key of the header's note: iteration and optimiser steps.
const POSITION: &str = "position";

/// All of the run, in the safetensors format.
pub fn to_bytes<T: Real>(run: &Trainer<T>) -> Vec<u8> {
    let groups = std::iter::once(&run.params).chain(run.state.moments.iter().flatten());
    let named = |(group, params): (&&str, &Params<T>)| {
        let arrays = params.iter().map(|(name, t)| NamedArray::numbers(format!("{group}.{name}"), t));
        arrays.collect::<Vec<_>>()
    };
    let arrays: Vec<NamedArray> = GROUPS.iter().zip(groups).flat_map(named).collect();
    to_file(&arrays, Some((POSITION, format!("{} {}", run.iteration, run.state.steps))))
}

/// The run that [`to_bytes`] wrote; `like` is a fresh run of the same model and optimiser.
pub fn from_bytes<T: Real>(bytes: &[u8], like: &Trainer<T>) -> Result<Trainer<T>, CheckpointError> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(ArrayError::from)?;
    let file = Arrays::parse(bytes)?;
    let position = header.metadata().as_ref().and_then(|notes| notes.get(POSITION));
    let (iteration, steps) = position.and_then(|text| read_position(text)).ok_or(CheckpointError::Position)?;
    let group = |group: &str| {
        let arrays = like.params.iter().map(|(name, t)| file.shaped(&format!("{group}.{name}"), t.shape()));
        arrays.collect::<Result<Vec<_>, _>>().map(|arrays| like.params.with(arrays))
    };
    let moments = match like.state.moments {
        Some(_) => Some([group(GROUPS[1])?, group(GROUPS[2])?]),
        None => None,
    };
    Ok(Trainer { params: group(GROUPS[0])?, state: OptimizerState { steps, moments }, iteration })
}

fn read_position(text: &str) -> Option<(u64, u64)> {
    let (iteration, steps) = text.split_once(' ')?;
    Some((iteration.parse().ok()?, steps.parse().ok()?))
}

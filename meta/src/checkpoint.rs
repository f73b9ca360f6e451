//! A training run as bytes: parameters, optimiser and position, exactly.

use std::{collections::HashMap, sync::Arc};

use maml_autograd::{Real, Tensor};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::{Params, optim::OptimizerState, train::Trainer};

/// The bytes are not a checkpoint of this model.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Not a safetensors file, or a damaged one.
    #[error("the checkpoint cannot be read: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// A key of the header is missing or not a number.
    #[error("the checkpoint's header has no number under `{0}`")]
    Header(&'static str),
    /// An array has another type or size than the model's.
    #[error("the checkpoint's `{0}` does not fit this model; was it written by a run with another config?")]
    Array(String),
}

const GROUPS: [&str; 3] = ["params", "first_moment", "second_moment"];

/// All of the run, in the safetensors format.
pub fn to_bytes<T: Real>(run: &Trainer<T>) -> Vec<u8> {
    let groups = std::iter::once(&run.params).chain(run.state.moments.iter().flatten());
    let arrays: Vec<(String, Vec<usize>, Vec<u8>)> = GROUPS
        .iter()
        .zip(groups)
        .flat_map(|(group, params)| params.iter().map(move |(name, t)| (format!("{group}.{name}"), t)))
        .map(|(name, t)| (name, t.shape().dims().to_vec(), little_endian(t.as_slice())))
        .collect();
    let views = arrays.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(dtype::<T>(), shape.clone(), bytes);
        (name.as_str(), view.expect("the bytes are those of the shape"))
    });
    let header = HashMap::from([
        ("iteration".to_owned(), run.iteration.to_string()),
        ("optimizer_steps".to_owned(), run.state.steps.to_string()),
    ]);
    safetensors::serialize(views, Some(header)).expect("names are unique and sizes are right")
}

/// The run that [`to_bytes`] wrote; `like` is a fresh run of the same model and optimiser.
pub fn from_bytes<T: Real>(bytes: &[u8], like: &Trainer<T>) -> Result<Trainer<T>, CheckpointError> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let file = SafeTensors::deserialize(bytes)?;
    let number = |key: &'static str| {
        let text = header.metadata().as_ref().and_then(|all| all.get(key));
        text.and_then(|text| text.parse::<u64>().ok()).ok_or(CheckpointError::Header(key))
    };
    let group = |group: &str| read_group(&file, group, &like.params);
    let moments = match like.state.moments {
        Some(_) => Some([group(GROUPS[1])?, group(GROUPS[2])?]),
        None => None,
    };
    let state = OptimizerState { steps: number("optimizer_steps")?, moments };
    Ok(Trainer { params: group(GROUPS[0])?, state, iteration: number("iteration")? })
}

fn read_group<T: Real>(file: &SafeTensors<'_>, group: &str, like: &Params<T>) -> Result<Params<T>, CheckpointError> {
    let tensors = like.iter().map(|(name, t)| {
        let name = format!("{group}.{name}");
        let view = file.tensor(&name)?;
        if view.dtype() != dtype::<T>() || view.shape() != t.shape().dims() {
            return Err(CheckpointError::Array(name));
        }
        Ok(Tensor::new(t.shape(), &from_little_endian(view.data())))
    });
    Ok(like.with(tensors.collect::<Result<_, _>>()?))
}

/// The safetensors name of the element type.
pub fn dtype<T: Real>() -> Dtype {
    if size_of::<T>() == 4 { Dtype::F32 } else { Dtype::F64 }
}

/// The numbers as little-endian bytes.
pub fn little_endian<T: Real>(values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_of_val(values));
    for x in values {
        match size_of::<T>() {
            4 => bytes.extend((x.to_f64() as f32).to_le_bytes()),
            _ => bytes.extend(x.to_f64().to_le_bytes()),
        }
    }
    bytes
}

/// The numbers that [`little_endian`] wrote. Bytes after the last whole number are ignored.
pub fn from_little_endian<T: Real>(bytes: &[u8]) -> Vec<T> {
    let narrow = |b: &[u8]| f64::from(f32::from_le_bytes(b.try_into().expect("four bytes")));
    let wide = |b: &[u8]| f64::from_le_bytes(b.try_into().expect("eight bytes"));
    let numbers = bytes.chunks_exact(size_of::<T>());
    numbers.map(|b| T::from_f64(if b.len() == 4 { narrow(b) } else { wide(b) })).collect()
}

/// Names for arrays read from elsewhere.
pub fn names(names: impl IntoIterator<Item = String>) -> Arc<[String]> {
    names.into_iter().collect()
}

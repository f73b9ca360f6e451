//! Named arrays in the safetensors format: how numbers leave and enter the engine exactly.

use maml_autograd::{Real, Shape, Tensor};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

/// A file of arrays does not hold what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum ArrayError {
    /// Not a safetensors file, or a damaged one.
    #[error("this is not a readable safetensors file: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// No array of this name.
    #[error("there is no array `{name}`; the file has: {present}")]
    Missing {
        /// What was asked for.
        name: String,
        /// What is there.
        present: String,
    },
    /// An array of an unexpected element type.
    #[error("`{name}` has elements of type {found:?}; expected {expected}")]
    Element {
        /// The array.
        name: String,
        /// Its type.
        found: Dtype,
        /// The types that would do.
        expected: &'static str,
    },
    /// An array of an unexpected shape.
    #[error("`{name}` has shape {found:?}; expected {expected}")]
    Shape {
        /// The array.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that would do.
        expected: String,
    },
}

/// A parsed file.
pub struct Arrays<'a>(SafeTensors<'a>);

impl<'a> Arrays<'a> {
    /// Checks the file's header against its length.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ArrayError> {
        Ok(Self(SafeTensors::deserialize(bytes)?))
    }

    fn view(&self, name: &str) -> Result<TensorView<'_>, ArrayError> {
        self.0.tensor(name).map_err(|_| {
            let mut present = self.0.names();
            present.sort_unstable();
            ArrayError::Missing { name: name.into(), present: present.join(", ") }
        })
    }

    /// The sizes of an array's axes.
    pub fn shape(&self, name: &str) -> Result<Vec<usize>, ArrayError> {
        Ok(self.view(name)?.shape().to_vec())
    }

    /// An array of `f32` or `f64` numbers, converted to `T`.
    pub fn numbers<T: Real>(&self, name: &str) -> Result<Tensor<T>, ArrayError> {
        let view = self.view(name)?;
        let values: Vec<T> = match view.dtype() {
            Dtype::F32 => from_bytes(view.data(), |b| f64::from(f32::from_le_bytes(b))),
            Dtype::F64 => from_bytes(view.data(), f64::from_le_bytes),
            found => return Err(ArrayError::Element { name: name.into(), found, expected: "f32 or f64" }),
        };
        if view.shape().len() > 6 {
            let expected = "at most six axes".into();
            return Err(ArrayError::Shape { name: name.into(), found: view.shape().to_vec(), expected });
        }
        Ok(Tensor::new(view.shape(), &values))
    }

    /// [`Arrays::numbers`] with exactly this shape.
    pub fn shaped<T: Real>(&self, name: &str, shape: Shape) -> Result<Tensor<T>, ArrayError> {
        let tensor = self.numbers(name)?;
        if tensor.shape() == shape {
            return Ok(tensor);
        }
        let found = tensor.shape().dims().to_vec();
        Err(ArrayError::Shape { name: name.into(), found, expected: shape.to_string() })
    }

    /// A list of `i64` whole numbers.
    pub fn integers(&self, name: &str) -> Result<Vec<i64>, ArrayError> {
        let view = self.view(name)?;
        match view.dtype() {
            Dtype::I64 => Ok(view.data().as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect()),
            found => Err(ArrayError::Element { name: name.into(), found, expected: "i64" }),
        }
    }
}

fn from_bytes<T: Real, const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|b| T::from_f64(read(*b))).collect()
}

/// An array to be written.
pub struct NamedArray {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl NamedArray {
    /// Numbers in their own precision.
    pub fn numbers<T: Real>(name: impl Into<String>, tensor: &Tensor<T>) -> Self {
        let values = tensor.as_slice();
        let (dtype, bytes) = if size_of::<T>() == 4 {
            (Dtype::F32, values.iter().flat_map(|x| (x.to_f64() as f32).to_le_bytes()).collect())
        } else {
            (Dtype::F64, values.iter().flat_map(|x| x.to_f64().to_le_bytes()).collect())
        };
        Self { name: name.into(), dtype, shape: tensor.shape().dims().to_vec(), bytes }
    }

    /// Whole numbers.
    pub fn integers(name: impl Into<String>, values: &[u32]) -> Self {
        let bytes = values.iter().flat_map(|x| i64::from(*x).to_le_bytes()).collect();
        Self { name: name.into(), dtype: Dtype::I64, shape: vec![values.len()], bytes }
    }
}

/// The bytes of a file with these arrays, whose names differ, and at most one note (key and text) in its header:
/// the format keeps notes in no particular order, and the same arrays shall give the same bytes.
pub fn to_file(arrays: &[NamedArray], note: Option<(&str, String)>) -> Vec<u8> {
    let views = arrays.iter().map(|array| {
        let view = TensorView::new(array.dtype, array.shape.clone(), &array.bytes);
        (array.name.as_str(), view.expect("the bytes are those of the shape"))
    });
    let header = note.map(|(key, text)| std::iter::once((key.to_owned(), text)).collect());
    safetensors::serialize(views, header).expect("names differ and sizes are right")
}

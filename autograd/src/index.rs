//! Places in an array.

use std::{fmt, ops::Deref, sync::Arc};

use maml_kernels::Pool;

use crate::buf::Buf;

/// Flat positions in an array, for gathers and scatters. Cloning counts references.
#[derive(Clone)]
pub struct Index {
    places: Arc<Buf<u32>>,
    windows: Option<Pool>,
}

impl Index {
    /// As many places as this, which `write` must all write.
    pub(crate) fn written(len: usize, write: impl FnOnce(&mut [u32])) -> Self {
        let mut places = Buf::dirty(len);
        write(places.as_mut_slice());
        Self { places: Arc::new(places), windows: None }
    }

    /// The same places, each known to lie in its own window of this pooling, which do not overlap, or to be missing.
    pub(crate) fn in_windows(self, pool: Pool) -> Self {
        Self { windows: Some(pool), ..self }
    }

    /// The pooling in whose windows the places lie, one in each.
    pub(crate) fn windows(&self) -> Option<&Pool> {
        self.windows.as_ref()
    }
}

impl Deref for Index {
    type Target = [u32];
    fn deref(&self) -> &[u32] {
        self.places.as_slice()
    }
}

impl From<&[u32]> for Index {
    fn from(places: &[u32]) -> Self {
        Self::written(places.len(), |out| out.copy_from_slice(places))
    }
}

impl From<Vec<u32>> for Index {
    fn from(places: Vec<u32>) -> Self {
        places.as_slice().into()
    }
}

impl FromIterator<u32> for Index {
    fn from_iter<I: IntoIterator<Item = u32>>(places: I) -> Self {
        places.into_iter().collect::<Vec<_>>().into()
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} places", self.len())
    }
}

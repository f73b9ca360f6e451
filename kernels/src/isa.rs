//! Which instruction set the kernels use, decided once at run time.

use std::{fmt, str::FromStr, sync::OnceLock};

use crate::simd::Portable;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512, Avx512Narrow};

/// An instruction set that this processor has. Values come from [`Isa::best`], [`Isa::available`]
/// or parsing a name, all of which detect first, so holding one is the proof that it may be used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Isa(Path);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx512Narrow(Avx512Narrow),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    Portable(Portable),
}

impl Isa {
    /// Every instruction set that this processor has, the fastest first; portable code is always last.
    pub fn available() -> Vec<Isa> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(Avx512::detect().map(|t| Isa(Path::Avx512(t))));
            all.extend(Avx2::detect().map(|t| Isa(Path::Avx2(t))));
        }
        all.push(Isa::portable());
        all
    }

    /// The fastest one.
    pub fn best() -> Isa {
        Self::available()[0]
    }

    /// Code for any processor.
    pub fn portable() -> Isa {
        Isa(Path::Portable(Portable))
    }

    /// The one this process computes with: what [`Isa::pin`] set, otherwise [`Isa::best`].
    pub fn current() -> Isa {
        *CURRENT.get_or_init(Isa::best)
    }

    /// Pins [`Isa::current`] for the rest of the process. Fails with the set already in use if that
    /// is another one: a run computes with one instruction set from its first number to its last.
    pub fn pin(isa: Isa) -> Result<(), Isa> {
        let used = *CURRENT.get_or_init(|| isa);
        if used == isa { Ok(()) } else { Err(used) }
    }

    /// `avx512`, `avx2` or `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512(_) | Path::Avx512Narrow(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Path::Avx2(_) => "avx2",
            Path::Portable(_) => "portable",
        }
    }

    /// The same instructions on vectors of half the length, where it has such. They compute the same bits.
    pub(crate) fn narrow(self) -> Isa {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512(token) => Isa(Path::Avx512Narrow(token.narrow())),
            _ => self,
        }
    }

    pub(crate) fn path(self) -> Path {
        self.0
    }
}

static CURRENT: OnceLock<Isa> = OnceLock::new();

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Isa {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if name == "auto" {
            return Ok(Isa::best());
        }
        let all = Isa::available();
        all.iter().copied().find(|isa| isa.name() == name).ok_or_else(|| {
            let names: Vec<_> = all.iter().map(|isa| isa.name()).collect();
            format!(
                "instruction set `{name}` is unknown or not on this processor, which has: auto, {}",
                names.join(", ")
            )
        })
    }
}

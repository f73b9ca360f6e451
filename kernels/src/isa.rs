//! Which instruction set the kernels use, decided once at run time.

use std::{fmt, str::FromStr, sync::OnceLock};

use crate::simd::Portable;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512, Avx512Narrow};

/// An instruction set that this processor has. Values come from [`Isa::best`], [`Isa::available`]
/// or parsing a name, all of which detect first, so holding one is the proof that it may be used.
///
/// It also says whether convolutions may be computed by Winograd's algorithm (the default) or by [`Isa::direct`]
/// sums only: with the instructions, that decides the bits of a result.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Isa {
    path: Path,
    direct: bool,
}

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
        let mut all: Vec<Isa> = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(Avx512::detect().map(|t| Isa::from(Path::Avx512(t))));
            all.extend(Avx2::detect().map(|t| Isa::from(Path::Avx2(t))));
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
        Path::Portable(Portable).into()
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

    /// The same instructions, with direct sums for every convolution.
    #[must_use]
    pub fn direct(self) -> Isa {
        Isa { direct: true, ..self }
    }

    /// Whether convolutions are direct sums only.
    pub fn is_direct(self) -> bool {
        self.direct
    }

    /// `avx512`, `avx2` or `portable`, with `-direct` behind it for [`Isa::direct`].
    pub fn name(self) -> &'static str {
        match (self.path, self.direct) {
            #[cfg(target_arch = "x86_64")]
            (Path::Avx512(_) | Path::Avx512Narrow(_), false) => "avx512",
            #[cfg(target_arch = "x86_64")]
            (Path::Avx512(_) | Path::Avx512Narrow(_), true) => "avx512-direct",
            #[cfg(target_arch = "x86_64")]
            (Path::Avx2(_), false) => "avx2",
            #[cfg(target_arch = "x86_64")]
            (Path::Avx2(_), true) => "avx2-direct",
            (Path::Portable(_), false) => "portable",
            (Path::Portable(_), true) => "portable-direct",
        }
    }

    /// The same instructions on vectors of half the length, where it has such. They compute the same bits.
    pub(crate) fn narrow(self) -> Isa {
        match self.path {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512(token) => Isa { path: Path::Avx512Narrow(token.narrow()), ..self },
            _ => self,
        }
    }

    pub(crate) fn path(self) -> Path {
        self.path
    }
}

impl From<Path> for Isa {
    fn from(path: Path) -> Isa {
        Isa { path, direct: false }
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
        if let Some(instructions) = name.strip_suffix("-direct") {
            return instructions.parse().map(Isa::direct);
        }
        if name == "auto" {
            return Ok(Isa::best());
        }
        let all = Isa::available();
        all.iter().copied().find(|isa| isa.name() == name).ok_or_else(|| {
            let names: Vec<_> = all.iter().map(|isa| isa.name()).collect();
            format!(
                "instruction set `{name}` is unknown or not on this processor, which has: auto, {} \
                 (each also with -direct behind it: convolutions by direct sums only)",
                names.join(", ")
            )
        })
    }
}

//! The kernel path of a process: chosen once, before the first number.

use maml_meta::Isa;

use crate::exit::Failure;

/// The names that `--isa` takes, on any machine.
pub const KERNEL_PATHS: [&str; 8] =
    ["auto", "portable", "avx2", "avx512", "auto-direct", "portable-direct", "avx2-direct", "avx512-direct"];

/// Pins the kernels to the instruction set called `name`; `auto` is the fastest that this processor has.
///
/// # Errors
/// An unknown name, or one that this processor does not have.
pub fn pin_isa(name: &str) -> Result<Isa, Failure> {
    let isa: Isa = name.parse().map_err(|sentence: String| Failure::usage(format!("--isa: {sentence}")))?;
    Isa::pin(isa).map_err(|used| Failure::usage(format!("--isa {name}: this process already computes with {used}")))?;
    Ok(isa)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_path_is_refused_with_those_there_are() {
        let message = pin_isa("sse9").unwrap_err().message();
        assert!(message.contains("`sse9`") && message.contains("portable"), "{message}");
    }

    #[test]
    fn portable_code_is_everywhere() {
        assert_eq!(pin_isa("portable").unwrap().name(), "portable");
        assert_eq!(pin_isa("portable").unwrap(), Isa::current());
    }
}

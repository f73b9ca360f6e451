//! Where an experiment's images come from: the real data, or the program's own stand-in, and never one for the other
//! without a word.

use std::path::Path;

use maml_meta::data::{Glyphs, ImageSet, cache, load_omniglot};

use crate::{
    exit::{Exit, Failure},
    progress::Progress,
};

/// The stand-in has as many kinds of alphabet as the landscapes need: ten hard, ten easy, and some never seen.
const STAND_IN: (u32, u32) = (28, 22);

/// Omniglot from `folder`, or generated glyphs if no folder is named; notes say which.
///
/// # Errors
/// The folder does not hold the official archives. Exit code 3.
pub fn load_images(folder: Option<&Path>, progress: &mut Progress) -> Result<ImageSet, Failure> {
    let Some(folder) = folder else {
        progress.note(
            "no data folder is named: this run uses generated stand-in characters (glyphs), not Omniglot. For the real \
             data put images_background.zip and images_evaluation.zip, from the folder python of \
             github.com/brendenlake/omniglot, into a folder and name it with --data or MAML_DATA.",
        );
        let (alphabets, background_alphabets) = STAND_IN;
        let glyphs = Glyphs { alphabets, background_alphabets, ..Glyphs::default() };
        return glyphs.generate().map_err(|error| Failure::new(Exit::Data, error.to_string()));
    };
    let loaded = load_omniglot(folder, cache::default_folder().as_deref());
    let loaded = loaded.map_err(|error| Failure::new(Exit::Data, error.to_string()))?;
    for warning in &loaded.warnings {
        progress.note(warning);
    }
    Ok(loaded.images)
}

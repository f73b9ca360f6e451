//! The characters that the program draws itself: a pure function of their configuration, whose knobs turn what they say.

use maml_meta::data::{Glyphs, ImageSet, Source};

fn small() -> Glyphs {
    Glyphs { alphabets: 3, background_alphabets: 2, characters_per_alphabet: 6, drawings: 5, ..Glyphs::default() }
}

fn distance(a: &[u8], b: &[u8]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
}

/// Mean distance between different characters of an alphabet.
fn within_alphabets(set: &ImageSet) -> f64 {
    let pairs = set
        .alphabets
        .iter()
        .flat_map(|a| a.classes.clone().flat_map(move |i| (a.classes.start..i).map(move |j| (i, j))));
    let distances: Vec<f64> = pairs.map(|(i, j)| distance(set.image(i, 0), set.image(j, 0))).collect();
    distances.iter().sum::<f64>() / distances.len() as f64
}

/// Mean distance between the first drawing of a character and its others.
fn within_characters(set: &ImageSet) -> f64 {
    let pairs = (0..set.classes()).flat_map(|c| (1..set.drawings).map(move |d| (c, d)));
    let distances: Vec<f64> = pairs.map(|(c, d)| distance(set.image(c, 0), set.image(c, d))).collect();
    distances.iter().sum::<f64>() / distances.len() as f64
}

#[test]
fn glyphs_are_a_pure_function_of_their_configuration() {
    let set = small().generate().unwrap();
    assert_eq!(set, small().generate().unwrap());
    assert_eq!((set.source, set.classes(), set.drawings), (Source::Glyphs, 18, 5));
    assert_eq!(set.alphabets.iter().map(|a| a.background).collect::<Vec<_>>(), [true, true, false]);
    let other = Glyphs { seed: 1, ..small() }.generate().unwrap();
    assert_ne!(other.digest, set.digest);
    assert_ne!(other.bytes(), set.bytes());
    // More of anything leaves what was there.
    let more = Glyphs { alphabets: 4, characters_per_alphabet: 8, drawings: 7, ..small() }.generate().unwrap();
    for (a, c, d) in [(0, 0, 0), (1, 5, 4), (2, 3, 2)] {
        assert_eq!(more.image(a * 8 + c, d), set.image(a * 6 + c, d));
    }
}

#[test]
fn glyphs_do_not_change_between_versions() {
    let set = Glyphs::default().generate().unwrap();
    let sum =
        set.bytes().iter().fold(0xcbf2_9ce4_8422_2325u64, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    assert_eq!(format!("{sum:016x}"), "aa921ca17f7c7917");
}

#[test]
fn every_glyph_has_ink_and_paper() {
    let set = Glyphs { noise: 1.0, ..Glyphs::default() }.generate().unwrap();
    for image in set.bytes().chunks_exact(784) {
        let ink = image.iter().map(|&b| f64::from(b) / 255.0).sum::<f64>();
        assert!((4.0..500.0).contains(&ink), "{ink}");
    }
}

#[test]
fn the_knobs_of_the_glyphs_turn_what_they_say() {
    let with = |likeness, noise| Glyphs { likeness, noise, characters_per_alphabet: 12, ..small() }.generate().unwrap();
    let spread = [0.0, 0.4, 0.8, 1.0].map(|likeness| within_alphabets(&with(likeness, 0.0)));
    assert!(spread.is_sorted_by(|a, b| a > b), "characters come closer: {spread:?}");
    // At likeness 1 what is left between alphabets is their roots' distance.
    let between = [0.0, 0.5, 1.0].map(|kinship| {
        let set = Glyphs { kinship, likeness: 1.0, noise: 0.0, alphabets: 12, ..small() }.generate().unwrap();
        (1..12).map(|a| distance(set.image(0, 0), set.image(a * 6, 0))).sum::<f64>()
    });
    assert!(between.is_sorted_by(|a, b| a > b), "alphabets come closer: {between:?}");
    let hand = [0.0, 0.3, 0.6, 1.0].map(|noise| within_characters(&with(0.2, noise)));
    assert!(hand[0] == 0.0 && hand.is_sorted_by(|a, b| a < b), "drawings drift apart: {hand:?}");
    let set = Glyphs::default().generate().unwrap();
    assert!(
        within_characters(&set) < within_alphabets(&set),
        "drawings of a character are nearer than other characters"
    );
}

#[test]
fn a_glyph_configuration_out_of_range_is_named() {
    let cases = [
        (Glyphs { alphabets: 0, ..small() }, "alphabets"),
        (Glyphs { background_alphabets: 4, ..small() }, "background_alphabets"),
        (Glyphs { characters_per_alphabet: 0, ..small() }, "characters_per_alphabet"),
        (Glyphs { drawings: 257, ..small() }, "drawings"),
        (Glyphs { likeness: 1.5, ..small() }, "likeness"),
        (Glyphs { kinship: -0.1, ..small() }, "kinship"),
        (Glyphs { noise: f64::NAN, ..small() }, "noise"),
    ];
    for (glyphs, key) in cases {
        let message = glyphs.generate().unwrap_err().to_string();
        let words = [&format!("glyphs: {key} must be between"), "found"];
        assert!(words.iter().all(|word| message.contains(word)), "{message} does not say {words:?}");
    }
}

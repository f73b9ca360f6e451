//! Image sets: Omniglot's archives, whole and damaged in every way we know of, and their cache.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::OnceLock;

use maml_meta::data::{Alphabet, DataError, Glyphs, ImageSet, Loaded, Source, cache, load_omniglot};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

type Entries = Vec<(String, Vec<u8>)>;

const BACKGROUND: &str = "images_background";
const EVALUATION: &str = "images_evaluation";

/// A 1-bit PNG of white paper with one black square of 15×15, which is 4×4 after the resize, in place `k` of 7×7.
fn png_of(k: usize, side: usize) -> Vec<u8> {
    let mut rows = vec![0xFFu8; side * side.div_ceil(8)];
    for y in 0..15 {
        for x in 0..15 {
            let (y, x) = (k / 7 * 15 + y, k % 7 * 15 + x);
            rows[y * side.div_ceil(8) + x / 8] &= !(0x80 >> (x % 8));
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side as u32, side as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.write_header().and_then(|mut w| w.write_image_data(&rows)).expect("a small PNG");
    bytes
}

/// Where the square of this drawing is.
fn place(class: usize, drawing: usize) -> usize {
    (class * 3 + drawing) % 49
}

/// Characters of each alphabet: 964 in 30, 659 in 20.
fn characters(folder: &str) -> Vec<usize> {
    let (alphabets, characters) = if folder == BACKGROUND { (30, 964) } else { (20, 659) };
    (0..alphabets).map(|a| characters / alphabets + usize::from(a < characters % alphabets)).collect()
}

/// Omniglot's structure with squares for characters; entries in reverse order, as an archiver may have them, and with
/// litter.
fn entries(folder: &str) -> Entries {
    let images: Vec<Vec<u8>> = (0..49).map(|k| png_of(k, 105)).collect();
    let mut class = if folder == BACKGROUND { 0 } else { 964 };
    let mut entries = vec![(format!("{folder}/"), Vec::new())];
    for (a, count) in characters(folder).into_iter().enumerate() {
        for c in 1..=count {
            for d in 1..=20 {
                let name = format!("{folder}/Script_{a:02}/character{c:02}/{:04}_{d:02}.png", class + 1);
                entries.push((name, images[place(class, d - 1)].clone()));
            }
            class += 1;
        }
    }
    entries.push((format!("{folder}/.DS_Store"), b"litter".to_vec()));
    entries.push((format!("__MACOSX/{folder}/._Script_00"), b"litter".to_vec()));
    entries.reverse();
    entries
}

fn zip_of(entries: &Entries) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        // What is large is meant to be a bomb: small in the archive.
        let method = if bytes.len() > 10_000 { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        let options = SimpleFileOptions::default().compression_method(method);
        if name.ends_with('/') {
            zip.add_directory(name, options).expect("a folder");
        } else {
            zip.start_file(name, options).and_then(|()| Ok(zip.write_all(bytes)?)).expect("a file");
        }
    }
    zip.finish().expect("a zip").into_inner()
}

fn good(folder: &str) -> &'static [u8] {
    static ZIPS: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let zips = ZIPS.get_or_init(|| [BACKGROUND, EVALUATION].map(|folder| zip_of(&entries(folder))));
    &zips[usize::from(folder == EVALUATION)]
}

fn folder_with(background: &[u8], evaluation: &[u8]) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    fs::write(folder.path().join("images_background.zip"), background).expect("written");
    fs::write(folder.path().join("images_evaluation.zip"), evaluation).expect("written");
    folder
}

/// The message for a background archive damaged in this way; it has to name the file.
fn refused(damage: impl FnOnce(&mut Entries)) -> String {
    let mut entries = entries(BACKGROUND);
    damage(&mut entries);
    refused_bytes(&zip_of(&entries))
}

fn refused_bytes(background: &[u8]) -> String {
    let folder = folder_with(background, good(EVALUATION));
    let message = load_omniglot(folder.path(), None).expect_err("a damaged archive").to_string();
    assert!(message.contains("images_background.zip"), "the file is not named: {message}");
    assert!(!message.contains('\n'), "one line: {message}");
    message
}

/// Asserts that a message holds all these words.
fn says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
}

fn at<'a>(entries: &'a mut Entries, end: &str) -> &'a mut (String, Vec<u8>) {
    entries.iter_mut().find(|(name, _)| name.ends_with(end)).expect("such an entry")
}

const FIRST: &str = "Script_00/character01/0001_01.png";

fn assert_squares(set: &ImageSet) {
    for (class, drawing) in [(0, 0), (0, 19), (963, 7), (964, 0), (1622, 19)] {
        let k = place(class, drawing);
        let expected: Vec<u8> =
            (0..784).map(|i| if (i / 28 / 4, i % 28 / 4) == (k / 7, k % 7) { 255 } else { 0 }).collect();
        assert_eq!(set.image(class, drawing), expected, "class {class}, drawing {drawing}");
    }
}

#[test]
fn a_whole_archive_is_read_in_canonical_order_and_cached() {
    let folder = folder_with(good(BACKGROUND), good(EVALUATION));
    let cache_folder = TempDir::new().unwrap();
    let kept = cache_folder.path().join("new/folder");
    let load = || load_omniglot(folder.path(), Some(&kept)).expect("a good archive");

    let Loaded { images, from_cache, warnings } = load();
    assert_eq!((from_cache, warnings), (false, vec![]));
    assert_eq!((images.source, images.classes(), images.drawings), (Source::Omniglot, 1623, 20));
    assert_eq!([images.height, images.width, images.channels], [28, 28, 1]);
    assert_eq!(
        (images.alphabets.len(), images.alphabets[29].background, images.alphabets[30].background),
        (50, true, false)
    );
    assert_eq!(images.alphabets[1], Alphabet { name: "Script_01".into(), background: true, classes: 33..66 });
    assert_squares(&images);

    let again = load();
    assert_eq!((again.from_cache, again.warnings.len()), (true, 0));
    assert_eq!(again.images, images);

    let file = cache::file(&kept, &images.digest);
    let mut bytes = fs::read(&file).unwrap();
    bytes[5000] ^= 1;
    fs::write(&file, bytes).unwrap();
    let mended = load();
    assert!(!mended.from_cache);
    says(&mended.warnings.join("|"), &[file.to_str().unwrap(), "checksum"]);
    assert_eq!(mended.images, images);
    assert!(load().from_cache, "the damaged file was replaced");
}

#[test]
fn an_unwritable_cache_is_only_a_warning() {
    let folder = folder_with(good(BACKGROUND), good(EVALUATION));
    let in_the_way = folder.path().join("images_background.zip");
    let loaded = load_omniglot(folder.path(), Some(&in_the_way)).expect("the data are good");
    assert_squares(&loaded.images);
    assert!(!loaded.warnings.is_empty());
    says(loaded.warnings.last().unwrap(), &["could not be written", "images_background.zip"]);
}

#[test]
fn damaged_caches_are_told_apart() {
    let set = Glyphs { alphabets: 2, background_alphabets: 1, drawings: 2, ..Glyphs::default() }.generate().unwrap();
    let folder = TempDir::new().unwrap();
    let read = || cache::read(folder.path(), Source::Glyphs, &set.digest);
    assert_eq!(read(), Ok(None));
    cache::write(folder.path(), &set).unwrap();
    assert_eq!(read(), Ok(Some(set.clone())));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");

    let file = cache::file(folder.path(), &set.digest);
    let whole = fs::read(&file).unwrap();
    let with = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        read().expect_err("a damaged cache")
    };
    let version = [&whole[..8], &[9], &whole[9..]].concat();
    says(&with(&version), &["another version"]);
    says(&with(b"<html>"), &["does not begin"]);
    says(&with(&whole[..20]), &["cut short"]);
    for i in (8..whole.len()).step_by(997).chain([whole.len() - 1]) {
        let mut bytes = whole.clone();
        bytes[i] ^= 0x10;
        says(&with(&bytes), &["is ignored and made anew"]);
    }
    for cut in (0..whole.len()).step_by(1009) {
        says(&with(&whole[..cut]), &["is ignored and made anew"]);
    }
    let other = cache::file(folder.path(), "0000");
    fs::write(&other, &whole).unwrap();
    says(&cache::read(folder.path(), Source::Glyphs, "0000").unwrap_err(), &["made from other files"]);
}

#[test]
fn a_missing_folder_or_file_says_where_to_get_it() {
    let folder = TempDir::new().unwrap();
    let nowhere = folder.path().join("nowhere");
    let message = load_omniglot(&nowhere, None).unwrap_err().to_string();
    says(&message, &["nowhere does not exist", "brendenlake/omniglot", "--data", "MAML_DATA"]);

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    says(&load_omniglot(&file, None).unwrap_err().to_string(), &["is a file"]);

    let message = load_omniglot(folder.path(), None).unwrap_err().to_string();
    says(&message, &["images_background.zip is missing", "(30 alphabets)", "images_evaluation.zip (20 alphabets)"]);
    fs::write(folder.path().join("images_background.zip"), good(BACKGROUND)).unwrap();
    says(&load_omniglot(folder.path(), None).unwrap_err().to_string(), &["images_evaluation.zip is missing"]);
}

#[test]
fn what_is_no_zip_is_named_for_what_it_is() {
    says(
        &refused_bytes(b"\n<!DOCTYPE html><html>404</html>"),
        &["expected a zip archive", "a web page (HTML)", "download it again"],
    );
    says(&refused_bytes(b""), &["an empty file"]);
    says(&refused_bytes(&[0x1F, 0x8B, 8, 0]), &["a gzip file"]);
    says(&refused_bytes(b"version https://git-lfs.github.com/spec/v1\n"), &["Git LFS"]);
    says(&refused_bytes(&[7; 1000]), &["without a zip's signature"]);
}

#[test]
fn a_truncated_zip_is_refused_wherever_it_ends() {
    let whole = good(BACKGROUND);
    for cut in [4, 1000, whole.len() / 2, whole.len() - 1000, whole.len() - 1] {
        says(
            &refused_bytes(&whole[..cut]),
            &["expected a whole zip archive", &format!("{cut} bytes that end too early")],
        );
    }
}

#[test]
fn swapped_zips_are_recognised() {
    let folder = folder_with(good(EVALUATION), good(BACKGROUND));
    let error = load_omniglot(folder.path(), None).unwrap_err();
    assert!(matches!(error, DataError::Swapped { .. }), "{error}");
    says(&error.to_string(), &["images_background.zip holds images_evaluation/...", "their own names"]);
}

#[test]
fn a_wrong_image_is_named() {
    says(
        &refused(|e| at(e, FIRST).1 = b"no image".to_vec()),
        &[FIRST, "a grey PNG of 105×105 pixels", "something else"],
    );
    says(&refused(|e| at(e, FIRST).1.truncate(60)), &[FIRST, "something else"]);
    says(&refused(|e| at(e, FIRST).1 = png_of(0, 28)), &[FIRST, "28×28 pixels"]);
    let mut colour = Vec::new();
    let mut encoder = png::Encoder::new(&mut colour, 105, 105);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&[0; 105 * 105 * 3]).unwrap();
    says(&refused(|e| at(e, FIRST).1 = colour), &[FIRST, "Rgb pixels"]);
}

#[test]
fn bombs_stay_packed() {
    says(&refused(|e| at(e, FIRST).1 = vec![0; 100 << 20]), &[FIRST, "at most 64 KiB", "more when unpacked"]);
    // A small file may promise a large image: the header is judged before memory is taken.
    let mut huge = Vec::new();
    png::Encoder::new(&mut huge, 60_000, 60_000).write_header().map(drop).unwrap_or_default();
    says(&refused(|e| at(e, FIRST).1 = huge), &["60000×60000 pixels"]);
    let many = |e: &mut Entries| e.extend((0..60_000).map(|i| (format!("__MACOSX/{i}"), Vec::new())));
    says(&refused(many), &["at most 60000 entries"]);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in ["../../etc/passwd", "images_background/../../x.png", "/etc/passwd", "C:/x", "images_background\\x.png"]
    {
        says(
            &refused(|e| e.push((name.into(), vec![]))),
            &["a path that leads out", "a relative path below one folder"],
        );
    }
}

#[test]
fn an_incomplete_archive_says_what_is_missing() {
    let without = |part: &'static str| move |e: &mut Entries| e.retain(|(name, _)| !name.contains(part));
    says(&refused(without("0001_07.png")), &["20 drawings of Script_00/character01", "found 19"]);
    says(&refused(without("Script_07/")), &["30 alphabets", "found 29"]);
    says(
        &refused(without("Script_07/character05/")),
        &["Script_07 numbered without gaps", "character06 in the place of character05"],
    );
    says(&refused(without("Script_29/character32/")), &["964 characters", "found 963"]);
    says(&refused(|e| e.clear()), &["30 alphabets", "found 0"]);
}

#[test]
fn entries_of_another_kind_are_refused() {
    for name in [
        "readme.txt",
        "images_background/Script_00/character01/0001_21.png",
        "images_background/Script_00/character01/0001_00.png",
    ] {
        says(
            &refused(|e| e.push((name.into(), vec![]))),
            &[name, "images_background/<Alphabet>/characterCC/NNNN_DD.png"],
        );
    }
    let twice = "images_background/Script_00/character01/0001_1.png";
    says(&refused(|e| e.push((twice.into(), vec![]))), &["a second drawing 1 of character 1"]);
    for stranger in ["0002_01", "9999_01"] {
        let name = format!("images_background/Script_00/character01/{stranger}.png");
        says(&refused(|e| e.push((name.clone(), vec![]))), &[&stranger[..4], "folder of another character"]);
    }
}

#[test]
fn the_real_omniglot_is_read_whole() {
    let Some(folder) = std::env::var_os("MAML_DATA") else {
        // Straight to the process's stderr: the test runner would swallow what a passing test prints.
        writeln!(std::io::stderr(), "skipped: MAML_DATA is not set").expect("stderr");
        return;
    };
    let images = load_omniglot(Path::new(&folder), None).expect("the official data").images;
    assert_eq!(images.classes(), 1623);
    let named = |name: &str| images.alphabets.iter().find(|a| a.name == name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!((named("Greek").classes.len(), named("Greek").background), (24, true));
    assert_eq!((named("Tengwar").classes.len(), named("Tengwar").background), (25, false));
    // The one exact duplicate of the published data: one dot of Braille by two drawers.
    let dot = named("Braille").classes.start;
    assert_eq!(images.image(dot, 2), images.image(dot, 18));
    let mut seen: Vec<&[u8]> = images.bytes().chunks_exact(784).collect();
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.len() > 32_000, "{} distinct images of 32,460", seen.len());
    let ink = images.bytes().iter().map(|&b| f64::from(b)).sum::<f64>() / 255.0 / images.bytes().len() as f64;
    assert!((0.05..0.12).contains(&ink), "mean ink {ink}: paper is 0");
}

#[test]
fn an_image_set_checks_its_sizes() {
    let alphabet = |classes| Alphabet { name: "A".into(), background: true, classes };
    let set = |alphabets, drawings, bytes| {
        ImageSet::new(Source::Glyphs, String::new(), [2, 2, 1], drawings, alphabets, vec![0; bytes])
    };
    assert!(set(vec![alphabet(0..2), alphabet(2..3)], 5, 60).is_ok());
    for (alphabets, drawings, bytes) in [
        (vec![alphabet(0..2)], 5, 39),
        (vec![alphabet(0..2), alphabet(3..4)], 5, 60),
        (vec![alphabet(0..0)], 5, 0),
        (vec![], 5, 0),
        (vec![alphabet(0..2)], 257, 2 * 257 * 4),
        (vec![alphabet(0..2)], 0, 0),
    ] {
        assert!(matches!(set(alphabets, drawings, bytes), Err(DataError::Layout { .. })));
    }
}

//! Random streams, class pools and episodes.

use std::collections::{BTreeMap, BTreeSet};

use maml_meta::data::{Alphabet, Glyphs, ImageSet, Source};
use maml_meta::rng::{Purpose, rng};
use maml_meta::task::{
    ClassPool, ClassRef, Episode, EpisodeError, EpisodeSpec, Group, Labels, LandscapeSpec, PoolError, Shot, draw,
    landscape_pools, pixels, standard_split,
};
use rand::{Rng, RngExt};

/// As many classes as Omniglot, in as many alphabets, of images of one pixel.
fn omniglot_sized() -> ImageSet {
    let sizes = (0..30).map(|a| 32 + usize::from(a < 4)).chain((0..20).map(|a| 33 - usize::from(a < 1)));
    let mut start = 0;
    let alphabets = sizes.enumerate().map(|(a, n)| {
        start += n;
        Alphabet { name: format!("{a}"), background: a < 30, classes: start - n..start }
    });
    let alphabets: Vec<Alphabet> = alphabets.collect();
    ImageSet::new(Source::Glyphs, String::new(), [1, 1, 1], 20, alphabets, vec![0; 1623 * 20]).expect("1,623 classes")
}

/// `classes` classes, `labels` labels in turn, 20 drawings.
fn pool(classes: u32, labels: u32) -> ClassPool {
    let class = |class| ClassRef { class, quarter_turns: 0, label: class % labels };
    ClassPool { classes: (0..classes).map(class).collect(), drawings: 20 }
}

fn spec(ways: u32, labels: Labels) -> EpisodeSpec {
    EpisodeSpec { ways, shots: 2, queries: 3, labels }
}

fn episode(pool: &ClassPool, spec: &EpisodeSpec, index: u64) -> Episode {
    draw(pool, spec, 7, Purpose::TestEpisode, 0, index).expect("a possible episode")
}

/// The label of each class, in the episode's order; fails unless every shot of a class agrees.
fn labels_of(episode: &Episode) -> Vec<(u32, u32)> {
    let mut labels: Vec<(u32, u32)> = Vec::new();
    for shot in &episode.support {
        if labels.last().is_none_or(|(class, _)| *class != shot.class) {
            labels.push((shot.class, shot.label));
        }
        assert_eq!(labels.last(), Some(&(shot.class, shot.label)));
    }
    labels
}

#[test]
fn streams_have_these_bits_for_good() {
    // Computed apart from this crate, from the definition of ChaCha8 with a 64-bit counter.
    let bits = |seed, purpose, iteration, index| rng(seed, purpose, iteration, index).next_u64();
    assert_eq!(format!("{:016x}", bits(0, Purpose::Init, 0, 0)), "3febe7d052d76565");
    assert_eq!(format!("{:016x}", bits(1, Purpose::TrainEpisode, 2, 3)), "2c27e7d7eafc363e");
    assert_eq!(format!("{:016x}", bits(u64::MAX, Purpose::Glyphs, u64::MAX, u64::MAX)), "3a7640bda7f410c3");
    let mut stream = rng(5, Purpose::Data, 6, 7);
    assert_eq!([stream.random_range(0..1000u32), stream.random_range(0..7u32)], [184, 0]);
    assert_eq!(stream.random::<f64>(), 0.086_178_478_653_507_14);
}

#[test]
fn different_addresses_are_different_streams() {
    let purposes =
        [Purpose::Init, Purpose::Split, Purpose::Labels, Purpose::TrainEpisode, Purpose::TestEpisode, Purpose::Task];
    let mut seen = BTreeSet::new();
    for seed in [0, 1, u64::MAX] {
        for purpose in purposes {
            for iteration in [0, 1, 1 << 32] {
                for index in [0, 1, 1 << 63] {
                    assert!(seen.insert(rng(seed, purpose, iteration, index).next_u64()));
                }
            }
        }
    }
    // Words in another order are another address.
    assert_ne!(rng(2, Purpose::Init, 3, 4).next_u64(), rng(2, Purpose::Init, 4, 3).next_u64());
}

#[test]
fn an_episode_is_a_pure_function_of_its_address() {
    let (pool, spec) = (pool(50, 5), spec(5, Labels::Permuted));
    let forward: Vec<Episode> = (0..20).map(|i| episode(&pool, &spec, i)).collect();
    for i in (0..20).rev() {
        assert_eq!(episode(&pool, &spec, i), forward[i as usize]);
    }
    let digests: BTreeSet<String> = forward.iter().map(Episode::digest).collect();
    assert_eq!(digests.len(), 20);
    assert_eq!(forward[0].digest(), "b8322eea0aea6e1561d781b155107671edc10c98c27eb034ee781f40fc727a94");
    let other = draw(&pool, &spec, 7, Purpose::TrainEpisode, 0, 0).unwrap();
    assert_ne!(other.digest(), forward[0].digest());
}

#[test]
fn support_and_query_are_class_major_and_disjoint() {
    let pool = pool(30, 6);
    for labels in [Labels::Permuted, Labels::Fixed, Labels::Spread(0.5)] {
        for index in 0..200 {
            let e = episode(&pool, &spec(4, labels), index);
            assert_eq!((e.support.len(), e.query.len()), (8, 12));
            for (way, (class, label)) in labels_of(&e).into_iter().enumerate() {
                let shots = e.support[2 * way..][..2].iter().chain(&e.query[3 * way..][..3]);
                let drawings: BTreeSet<u8> = shots
                    .map(|s| {
                        assert_eq!((s.class, s.label), (class, label));
                        s.drawing
                    })
                    .collect();
                assert_eq!(drawings.len(), 5, "no drawing twice");
                assert!(drawings.iter().all(|&d| d < 20));
            }
            let classes: BTreeSet<u32> = e.support.iter().map(|s| s.class).collect();
            let present: BTreeSet<u32> = e.support.iter().map(|s| s.label).collect();
            assert_eq!((classes.len(), present.len()), (4, 4));
            assert_eq!(e.labels_present, present.into_iter().collect::<Vec<_>>());
        }
    }
}

#[test]
fn every_drawing_may_be_used_and_no_more() {
    let all = EpisodeSpec { ways: 3, shots: 5, queries: 15, labels: Labels::Permuted };
    let e = episode(&pool(3, 1), &all, 0);
    let shots: BTreeSet<(u32, u8)> = e.support.iter().chain(&e.query).map(|s| (s.class, s.drawing)).collect();
    assert_eq!(shots.len(), 60);
}

#[test]
fn permuted_labels_are_uniform() {
    let pool = pool(5, 5);
    let mut counts = [[0u32; 5]; 5];
    for index in 0..5000 {
        let e = episode(&pool, &spec(5, Labels::Permuted), index);
        assert_eq!(e.labels_present, [0, 1, 2, 3, 4]);
        labels_of(&e).iter().for_each(|&(class, label)| counts[class as usize][label as usize] += 1);
    }
    // Each count is binomial(5000, 1/5): mean 1000, deviation 28.
    assert!(counts.as_flattened().iter().all(|&n| n.abs_diff(1000) < 140), "{counts:?}");
}

#[test]
fn fixed_labels_never_change() {
    let pool = pool(23, 5);
    let (mut partners, mut used) = (BTreeSet::new(), BTreeSet::new());
    for index in 0..500 {
        let e = episode(&pool, &spec(3, Labels::Fixed), index);
        assert!(labels_of(&e).iter().all(|&(class, label)| label == class % 5));
        used.extend(e.support.iter().map(|s| s.class));
        partners.insert(e.labels_present.clone());
        assert!(e.labels_present.is_sorted() && e.labels_present.len() == 3);
    }
    assert_eq!((used.len(), partners.len()), (23, 10), "all classes, and all 10 triples of labels");
}

#[test]
fn spread_goes_from_fixed_to_free() {
    let pool = pool(40, 8);
    for index in 0..100 {
        assert_eq!(
            episode(&pool, &spec(4, Labels::Spread(0.0)), index),
            episode(&pool, &spec(4, Labels::Fixed), index)
        );
    }
    let images = |e: &Episode| e.support.iter().chain(&e.query).map(|s| (s.class, s.drawing)).collect::<Vec<_>>();
    for s in [0.3, 1.0] {
        let (mut moved, mut seen) = (0, BTreeMap::new());
        for index in 0..2000 {
            let e = episode(&pool, &spec(4, Labels::Spread(s)), index);
            assert_eq!(images(&e), images(&episode(&pool, &spec(4, Labels::Fixed), index)), "only the labels differ");
            for (class, label) in labels_of(&e) {
                moved += u32::from(label != class % 8);
                *seen.entry(label).or_insert(0u32) += 1;
            }
        }
        let share = f64::from(moved) / 8000.0;
        // A class drawn anew may get its own label again. At s = 1 each of 8 labels is as likely: 7/8 move.
        let range = if s == 1.0 { 0.85..0.9 } else { 0.2..0.3 };
        assert!(range.contains(&share), "spread {s}: {share}");
        assert!(seen.len() == 8 && seen.values().all(|n| n.abs_diff(1000) < 150), "{seen:?}");
    }
    // A single class drawn anew among as many labels as ways has only its own label left.
    let full = self::pool(5, 5);
    let stays =
        (0..2000).filter(|&i| labels_of(&episode(&full, &spec(5, Labels::Spread(0.1)), i)).iter().all(|(c, l)| c == l));
    assert!(stays.count() > 1800);
}

#[test]
fn impossible_episodes_say_why() {
    let refuse = |pool: &ClassPool, spec: EpisodeSpec| draw(pool, &spec, 0, Purpose::TrainEpisode, 0, 0).unwrap_err();
    let good = spec(5, Labels::Fixed);
    for (ways, shots, queries) in [(0, 1, 1), (1, 0, 1), (1, 1, 0)] {
        let e = refuse(&pool(10, 5), EpisodeSpec { ways, shots, queries, ..good });
        assert_eq!(e, EpisodeError::Empty { ways, shots, queries });
    }
    let said = [
        (refuse(&pool(4, 4), good), "5 ways need as many classes, the pool has 4"),
        (refuse(&pool(0, 1), good), "the pool has 0"),
        (
            refuse(&pool(9, 5), EpisodeSpec { shots: 18, ..good }),
            "18 shots and 3 queries need as many drawings of each class, there are 20",
        ),
        (refuse(&pool(9, 5), EpisodeSpec { shots: u32::MAX, ..good }), "there are 20"),
        (refuse(&pool(9, 4), good), "5 ways need as many fixed labels, the pool's classes have 4"),
        (refuse(&pool(9, 5), spec(2, Labels::Spread(1.5))), "between 0 and 1, found 1.5"),
        (refuse(&pool(9, 5), spec(2, Labels::Spread(f64::NAN))), "found NaN"),
    ];
    for (error, words) in said {
        assert!(error.to_string().contains(words), "{error}");
    }
    let mut gap = pool(9, 5);
    gap.classes.retain(|c| c.label != 2);
    assert_eq!(refuse(&gap, spec(2, Labels::Fixed)), EpisodeError::EmptyLabel { label: 2, greatest: 4 });
    assert!(draw(&gap, &spec(2, Labels::Permuted), 0, Purpose::TrainEpisode, 0, 0).is_ok(), "nothing is fixed there");
}

#[test]
fn the_standard_split_is_1200_turned_and_423_upright() {
    let set = omniglot_sized();
    let (train, test) = standard_split(&set, 3).unwrap();
    assert_eq!((train.classes.len(), test.classes.len(), train.drawings), (4800, 423, 20));
    let characters = |pool: &ClassPool| pool.classes.iter().map(|c| c.class).collect::<BTreeSet<u32>>();
    assert_eq!((characters(&train).len(), characters(&test).len()), (1200, 423));
    assert!(characters(&train).is_disjoint(&characters(&test)));
    assert_eq!(train.classes.iter().collect::<std::collections::HashSet<_>>().len(), 4800);
    assert!(test.classes.iter().all(|c| c.quarter_turns == 0));
    assert_eq!(standard_split(&set, 3).unwrap(), (train, test.clone()));
    assert_ne!(standard_split(&set, 4).unwrap().1, test);

    let glyphs = Glyphs { drawings: 1, ..Glyphs::default() }.generate().unwrap();
    let (train, test) = standard_split(&glyphs, 0).unwrap();
    assert_eq!((train.classes.len(), test.classes.len()), (4 * 296, 104));
    let one =
        Glyphs { alphabets: 1, background_alphabets: 1, characters_per_alphabet: 1, drawings: 1, ..Glyphs::default() };
    assert_eq!(standard_split(&one.generate().unwrap(), 0).unwrap_err(), PoolError::TooFewClasses { classes: 1 });
}

/// Every label occurs, and none more than once more often than another.
fn assert_balanced(pool: &ClassPool, labels: u32) {
    let mut counts = vec![0u32; labels as usize];
    pool.classes.iter().for_each(|c| counts[c.label as usize] += 1);
    let (low, high) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(*low > 0 && high - low <= 1, "{counts:?}");
}

fn assert_group(set: &ImageSet, group: &Group, alphabets: usize) {
    assert_eq!(group.alphabets.len(), alphabets);
    let of = |pool: &ClassPool| pool.classes.iter().map(|c| c.class).collect::<BTreeSet<u32>>();
    let (train, held_out) = (of(&group.train), of(&group.held_out));
    assert!(train.is_disjoint(&held_out));
    let own = group.alphabets.iter().flat_map(|&a| set.alphabets[a as usize].classes.clone()).map(|c| c as u32);
    assert_eq!(train.union(&held_out).copied().collect::<BTreeSet<u32>>(), own.collect());
    assert!(group.alphabets.iter().all(|&a| set.alphabets[a as usize].background));
    let share = held_out.len() as f64 / (train.len() + held_out.len()) as f64;
    assert!((share - 0.25).abs() < 0.01, "{share}");
    assert_eq!(of(&group.unseen), (964..1623).collect());
    [&group.train, &group.held_out, &group.unseen].into_iter().for_each(|pool| assert_balanced(pool, 5));
}

#[test]
fn landscapes_keep_their_parts_apart() {
    let set = omniglot_sized();
    let mut easy = Vec::new();
    for hard_alphabets in [1, 3, 5, 10] {
        let spec = LandscapeSpec { hard_alphabets, ..LandscapeSpec::default() };
        let landscape = landscape_pools(&set, 11, &spec).unwrap();
        assert_group(&set, &landscape.hard, hard_alphabets as usize);
        assert_group(&set, &landscape.easy, 10);
        assert!(landscape.hard.alphabets.iter().all(|a| !landscape.easy.alphabets.contains(a)));
        assert_eq!(landscape.hard.unseen, landscape.easy.unseen, "a class has one label for good");
        assert_eq!(landscape, landscape_pools(&set, 11, &spec).unwrap());
        easy.push(landscape.easy);
    }
    assert!(easy.iter().all(|e| *e == easy[0]), "the easy tasks do not depend on the number of hard alphabets");
    let other = landscape_pools(&set, 12, &LandscapeSpec::default()).unwrap();
    assert_ne!(other.easy.alphabets, easy[0].alphabets);
}

#[test]
fn shared_characters_are_the_same_with_the_same_labels() {
    let spec = LandscapeSpec { shared_characters: true, held_out: 0.0, ..LandscapeSpec::default() };
    let landscape = landscape_pools(&omniglot_sized(), 0, &spec).unwrap();
    assert_eq!(landscape.hard, landscape.easy);
    assert!(landscape.hard.held_out.classes.is_empty() && landscape.hard.train.classes.len() > 300);
}

#[test]
fn impossible_landscapes_say_why() {
    let set = omniglot_sized();
    let refuse = |spec| landscape_pools(&set, 0, &spec).unwrap_err();
    let good = LandscapeSpec::default();
    let error = refuse(LandscapeSpec { hard_alphabets: 21, ..good.clone() });
    assert_eq!(error, PoolError::TooFewAlphabets { hard: 21, easy: 10, wanted: 31, found: 30 });
    let said = [
        (refuse(LandscapeSpec { hard_alphabets: 0, ..good.clone() }), "hard_alphabets must be at least 1"),
        (refuse(LandscapeSpec { labels: 0, ..good.clone() }), "labels must be at least 1"),
        (
            refuse(LandscapeSpec { held_out: 1.0, ..good.clone() }),
            "held_out must be at least 0 and less than 1, found 1",
        ),
        (refuse(LandscapeSpec { held_out: f64::NAN, ..good.clone() }), "found NaN"),
        (
            refuse(LandscapeSpec { hard_alphabets: 3, shared_characters: true, ..good.clone() }),
            "equal to easy_alphabets",
        ),
        (refuse(LandscapeSpec { hard_alphabets: 1, labels: 20, ..good.clone() }), "too few for 20 labels"),
        (
            refuse(LandscapeSpec { labels: 700, ..good.clone() }),
            "the evaluation unseen classes are 659, too few for 700 labels",
        ),
    ];
    for (error, words) in said {
        assert!(error.to_string().contains(words), "{error}");
    }
    // A small alphabet keeps one character of each label on both sides, whatever the share says.
    let small = LandscapeSpec { hard_alphabets: 1, labels: 16, held_out: 0.01, ..good };
    assert_eq!(landscape_pools(&set, 0, &small).unwrap().hard.held_out.classes.len(), 16);
}

#[test]
fn pixels_are_turned_counter_clockwise() {
    let alphabet = Alphabet { name: "A".into(), background: true, classes: 0..1 };
    // Two channels: 1 2 / 3 4 and 11 12 / 13 14.
    let image = vec![1, 11, 2, 12, 3, 13, 4, 14];
    let set = ImageSet::new(Source::Glyphs, String::new(), [2, 2, 2], 1, vec![alphabet], image).unwrap();
    let turned = |quarter_turns| {
        let mut out = vec![9.0; 3];
        pixels(&[Shot { class: 0, quarter_turns, drawing: 0, label: 0 }], &set, &mut out);
        out.iter().map(|v| (v * 255.0).round() as u8).collect::<Vec<u8>>()
    };
    assert_eq!(turned(0), [1, 11, 2, 12, 3, 13, 4, 14]);
    assert_eq!(turned(1), [2, 12, 4, 14, 1, 11, 3, 13]);
    assert_eq!(turned(2), [4, 14, 3, 13, 2, 12, 1, 11]);
    assert_eq!(turned(3), [3, 13, 1, 11, 4, 14, 2, 12]);
}

#[test]
fn pixels_are_ink_from_0_to_1_shot_after_shot() {
    let set = Glyphs { alphabets: 2, background_alphabets: 1, ..Glyphs::default() }.generate().unwrap();
    let pool = ClassPool::upright(0..40, 20);
    let e = episode(&pool, &spec(5, Labels::Permuted), 0);
    let mut out = Vec::new();
    pixels(&e.query, &set, &mut out);
    assert_eq!(out.len(), 15 * 784);
    for (image, shot) in out.chunks_exact(784).zip(&e.query) {
        let bytes = set.image(shot.class as usize, usize::from(shot.drawing));
        assert!(image.iter().zip(bytes).all(|(&v, &b)| v == f32::from(b) / 255.0));
        assert!(image.contains(&0.0) && image.iter().any(|&v| v > 0.9));
    }
}

#[test]
#[should_panic(expected = "cannot be turned")]
fn an_image_that_is_not_square_cannot_be_turned() {
    let alphabet = Alphabet { name: "A".into(), background: true, classes: 0..1 };
    let set = ImageSet::new(Source::Glyphs, String::new(), [1, 2, 1], 1, vec![alphabet], vec![0; 2]).unwrap();
    pixels(&[Shot { class: 0, quarter_turns: 1, drawing: 0, label: 0 }], &set, &mut Vec::new());
}

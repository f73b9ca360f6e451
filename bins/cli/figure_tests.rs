use super::*;

fn axis(label: &str, log: bool) -> Axis {
    Axis { label: label.into(), log }
}

fn sample(x: f64, y: f64, half: f64) -> Sample {
    Sample { x, y, low: y - half, high: y + half }
}

fn axes(points: Vec<Sample>) -> Panel {
    Panel::Axes(Axes {
        title: "risk".into(),
        x: axis("ρ_H / ρ_E", true),
        y: axis("a < b & c", true),
        curves: vec![Curve { role: Role::Nal, points: vec![(0.1, 1.0), (1.0, 2.0)] }],
        samples: vec![Samples { role: Role::Maml, points }],
        marks: vec![Mark::Horizontal(1.5, "no gain".into()), Mark::Vertical(0.3, "crossing".into())],
    })
}

fn map() -> Panel {
    let grid = |n: usize| (0..n).map(|i| 0.1 * 1.5_f64.powi(i as i32)).collect::<Vec<_>>();
    let (xs, ys) = (grid(9), grid(7));
    let z = ys.iter().map(|y| xs.iter().map(|x| 1.0 + x / y).collect()).collect();
    let (x, y) = (axis("R", true), axis("r_H", true));
    Panel::Map(Map {
        title: "gain".into(),
        x,
        y,
        label: "ratio".into(),
        xs,
        ys,
        z,
        written: vec![(0.3, 0.3, 2.0)],
        contours: vec![1.5, 2.0],
        paths: vec![Path { label: "optimum".into(), role: Some(Role::Maml), points: vec![(0.2, 0.2), (0.4, 0.3)] }],
    })
}

fn figure(panels: Vec<Panel>) -> Figure {
    Figure { title: "Two & three".into(), panels, caption: "Seeds < 32, and so on. ".repeat(12) }
}

#[test]
fn the_same_figure_is_the_same_text() {
    let figure = figure(vec![axes(vec![sample(0.2, 1.1, 0.1)]), map()]);
    let (first, second) = (figure.svg(), figure.svg());
    assert_eq!(first, second);
    for word in [
        "<svg",
        "</svg>",
        "Two &amp; three",
        "a &lt; b &amp; c",
        "no gain",
        "crossing",
        "Seeds &lt; 32",
        "clip-0",
        ">NAL<",
        ">MAML<",
        ">2.00<",
        ">optimum<",
    ] {
        assert!(first.contains(word), "no {word:?}");
    }
    assert!(!first.contains("kuva-clip") && !first.contains("NaN") && !first.contains("inf"));
}

#[test]
fn numbers_that_cannot_be_drawn_are_left_out() {
    let wild = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -1.0];
    let mut points: Vec<Sample> = wild.iter().map(|&y| Sample { x: 0.5, y, low: y, high: f64::INFINITY }).collect();
    points.extend(wild.iter().map(|&x| sample(x, 1.0, 0.1)));
    points.push(Sample { x: 0.4, y: 1.0, low: -3.0, high: f64::INFINITY });
    let drawn = figure(vec![axes(points)]).svg();
    assert!(drawn.contains("</svg>") && !drawn.contains("NaN") && !drawn.contains("inf\""));
}

#[test]
fn empty_and_single_things_are_drawn() {
    assert!(figure(Vec::new()).svg().contains("</svg>"));
    let one = |points| figure(vec![axes(points)]).svg();
    assert!(one(Vec::new()).contains("</svg>") && one(vec![sample(1.0, 1.0, 0.0)]).contains("</svg>"));
    let Panel::Map(map) = map() else { unreachable!() };
    let flat = Map { z: vec![vec![1.0; map.xs.len()]; map.ys.len()], ..map };
    assert!(figure(vec![Panel::Map(flat)]).svg().contains("</svg>"));
}

#[test]
fn a_letter_below_a_letter_is_set_as_such_and_a_name_is_not() {
    let set = svg::with_subscripts("<text>ρ_H / ρ_E, r_H = 1 − αμ_E, own_landscape, a_b_c</text>");
    assert_eq!(set.matches("<tspan dy=\"0.25em\"").count(), 4, "{set}");
    assert!(set.contains("own_landscape") && set.contains("a_b_c") && set.starts_with("<text>ρ<tspan"), "{set}");
}

#[test]
fn ticks_are_short() {
    let ticks = [0.1 + 0.2, 5000.0, 0.05, 1.0, 0.0, 1e-5, -2.5, 100_000.0].map(tick);
    assert_eq!(ticks, ["0.3", "5000", "0.05", "1", "0", "1e-5", "-2.5", "1e5"]);
}

//! Figures as data, drawn as SVG: curves for closed forms, points with intervals for simulations, maps.
//!
//! The plotting library is known inside this module only. Colours are those of Okabe and Ito, which the colour-blind can
//! tell apart; series differ in their markers and dashes as well, so that a print in black and white can be read.

mod axes;
mod map;
mod svg;

use kuva::{backend::svg::SvgBackend, render::figure::Figure as Grid};

/// Panels side by side, below one title; below them a caption.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it shows.
    pub title: String,
    /// At most two in a row.
    pub panels: Vec<Panel>,
    /// What made it, in sentences.
    pub caption: String,
}

/// One pair of axes.
#[derive(Clone, Debug)]
pub enum Panel {
    /// Curves and points.
    Axes(Axes),
    /// A number over two parameters.
    Map(Map),
}

/// Curves and points over one parameter.
#[derive(Clone, Debug)]
pub struct Axes {
    /// What the panel shows.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// Closed forms.
    pub curves: Vec<Curve>,
    /// Simulations.
    pub samples: Vec<Samples>,
    /// Places worth naming.
    pub marks: Vec<Mark>,
}

/// An axis: its label, with units where there are any, and whether it is logarithmic.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The label.
    pub label: String,
    /// Whether equal ratios are equally far apart. An axis with a number that is not positive is linear all the same.
    pub log: bool,
}

/// The role of a series, by which it is named, coloured, dashed and marked. A curve and samples of one role belong together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Non-adaptive learning.
    Nal,
    /// MAML.
    Maml,
    /// A comparison of the two.
    Gain,
    /// What all are compared with; it has no place in the legend.
    Other,
}

/// A line. Numbers that are not finite are left out.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Whose.
    pub role: Role,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

/// Points with their intervals. Numbers that are not finite are left out.
#[derive(Clone, Debug)]
pub struct Samples {
    /// Whose.
    pub role: Role,
    /// The points.
    pub points: Vec<Sample>,
}

/// A point and its interval, `low ≤ y ≤ high`.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Where.
    pub x: f64,
    /// The estimate.
    pub y: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

/// A dashed line with a label.
#[derive(Clone, Debug)]
pub enum Mark {
    /// At a place of the vertical axis.
    Horizontal(f64, String),
    /// At a place of the horizontal axis.
    Vertical(f64, String),
}

/// A positive number over two parameters, by colours in its logarithm, with contours, and single values written where they
/// belong.
#[derive(Clone, Debug)]
pub struct Map {
    /// What the panel shows.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What the colours mean.
    pub label: String,
    /// Columns of the grid.
    pub xs: Vec<f64>,
    /// Rows of the grid.
    pub ys: Vec<f64>,
    /// A row for each of `ys`.
    pub z: Vec<Vec<f64>>,
    /// Values of contours, each written upon its line; without any there are eight, unnamed.
    pub contours: Vec<f64>,
    /// Values to be written at (x, y).
    pub written: Vec<(f64, f64, f64)>,
    /// Ways over the plane.
    pub paths: Vec<Path>,
}

/// A named place, and a way from there.
#[derive(Clone, Debug)]
pub struct Path {
    /// What stands at its beginning.
    pub label: String,
    /// Whose it is.
    pub role: Option<Role>,
    /// Where it begins, and where it leads.
    pub points: Vec<(f64, f64)>,
}

/// Width and height of a panel, in pixels.
const PANEL: (f64, f64) = (470.0, 370.0);
/// The width of a panel that stands alone.
const WIDE: f64 = 640.0;

impl Figure {
    /// The figure as an SVG document: the same for the same figure.
    pub fn svg(&self) -> String {
        let columns = self.panels.len().clamp(1, 2);
        let width = if columns == 1 { WIDE } else { PANEL.0 };
        let rows = self.panels.len().div_ceil(columns).max(1);
        let (plots, layouts) = self.panels.iter().map(Panel::draw).unzip();
        let grid = Grid::new(rows, columns)
            .with_plots(plots)
            .with_layouts(layouts)
            .with_cell_size(width, PANEL.1)
            .with_title(&self.title)
            .with_title_size(18);
        let mut roles: Vec<Role> = Vec::new();
        for role in self.panels.iter().flat_map(Panel::roles) {
            if role != Role::Other && !roles.contains(&role) {
                roles.push(role);
            }
        }
        let drawn = svg::numbered(&SvgBackend.render_scene(&grid.render()));
        svg::with_subscripts(&svg::with_foot(&drawn, &roles, &self.caption))
    }
}

impl Panel {
    fn draw(&self) -> (Vec<kuva::render::plots::Plot>, kuva::render::layout::Layout) {
        match self {
            Panel::Axes(axes) => axes.draw(),
            Panel::Map(map) => map.draw(),
        }
    }

    fn roles(&self) -> Vec<Role> {
        match self {
            Panel::Axes(axes) => {
                axes.curves.iter().map(|curve| curve.role).chain(axes.samples.iter().map(|s| s.role)).collect()
            }
            Panel::Map(_) => Vec::new(),
        }
    }
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Nal => "NAL",
            Role::Maml => "MAML",
            Role::Gain => "NAL / MAML",
            Role::Other => "",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Role::Nal => "#D55E00",
            Role::Maml => "#0072B2",
            Role::Gain => "#009E73",
            Role::Other => "#555555",
        }
    }
}

/// A number on an axis: no powers of ten where plain digits are short.
fn tick(x: f64) -> String {
    let size = x.abs();
    if x == 0.0 {
        "0".into()
    } else if (1e-3..1e5).contains(&size) {
        // Rounded to what a tick can mean: 0.30000000000000004 is 0.3.
        let digits = (4 - size.log10().floor() as i32).clamp(0, 8) as usize;
        let text = format!("{x:.digits$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
    } else {
        format!("{x:e}")
    }
}

#[cfg(test)]
#[path = "../figure_tests.rs"]
mod tests;

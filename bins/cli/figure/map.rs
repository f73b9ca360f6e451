//! A number over two parameters.

use std::sync::Arc;

use kuva::{
    plot::{
        annotations::TextAnnotation, colormap::ColorMap, contour::ContourPlot, line::LinePlot, scatter::ScatterPlot,
    },
    render::{
        layout::{Layout, TickFormat},
        plots::Plot,
    },
};

use super::{
    Map, Path, Role,
    axes::{Range, framed},
    tick,
};

/// Shades between the least and the greatest value.
const SHADES: usize = 16;

/// Contours where none are asked for.
const UNNAMED: usize = 8;

/// From pale yellow by green to blue, darker all the way, and never so dark that black text upon it could not be read.
const SHADE_ENDS: [[f64; 3]; 3] = [[255.0, 250.0, 220.0], [150.0, 212.0, 190.0], [72.0, 150.0, 200.0]];

impl Map {
    pub(super) fn draw(&self) -> (Vec<Plot>, Layout) {
        let x = Range::of(self.xs.iter().copied(), self.x.log, 0.0);
        let y = Range::of(self.ys.iter().copied(), self.y.log, 0.0);
        let frame = |plots: &[Plot]| framed(plots, (&self.title, &self.x.label, &self.y.label), x, y);
        let logs: Vec<Vec<f64>> = self.z.iter().map(|row| row.iter().map(|z| z.ln()).collect()).collect();
        let finite = || logs.iter().flatten().copied().filter(|z| z.is_finite());
        let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), z| (l.min(z), h.max(z)));
        if low >= high {
            return (Vec::new(), frame(&[]));
        }
        let shades: Vec<f64> = (1..SHADES).map(|i| low + (high - low) * i as f64 / SHADES as f64).collect();
        let named: Vec<f64> = self.contours.iter().map(|z| z.ln()).filter(|z| (low..high).contains(z)).collect();
        let unnamed = (1..=UNNAMED).map(|i| low + (high - low) * i as f64 / (UNNAMED + 1) as f64);
        let levels = if self.contours.is_empty() { unnamed.collect() } else { named.clone() };
        let grid = || ContourPlot::new().with_grid(logs.clone(), self.xs.clone(), self.ys.clone());
        let filled = grid()
            .with_levels(&shades)
            .with_filled()
            .with_line_width(0.0)
            .with_line_color("none")
            .with_colormap(ColorMap::Custom(Arc::new(shade)))
            .with_legend(&self.label);
        let lines = grid().with_levels(&levels).with_line_color("#444444").with_line_width(1.0);
        let dots = ScatterPlot::new()
            .with_data(self.written.iter().map(|(x, y, _)| (*x, *y)).collect::<Vec<_>>())
            .with_color("black")
            .with_size(2.5);
        let mut plots: Vec<Plot> = vec![filled.into(), lines.into(), dots.into()];
        plots.extend(self.paths.iter().flat_map(Path::draw));
        let layout =
            frame(&plots).with_colorbar_tick_format(TickFormat::Custom(Arc::new(|z: f64| tick(rounded(z.exp())))));
        let layout = named.iter().filter_map(|level| self.label_of(*level, x, y)).fold(layout, Layout::with_annotation);
        let written = self.written.iter().map(|&(x, y, value)| TextAnnotation::new(format!("{value:.2}"), x, y));
        let layout = written.fold(layout, Layout::with_annotation);
        let names = self.paths.iter().filter_map(|path| Some((path, path.points.first()?)));
        let names = names.map(|(path, &(x, y))| TextAnnotation::new(&path.label, x, y).with_font_size(12));
        (plots, names.fold(layout, Layout::with_annotation))
    }

    /// The value of a contour, written where it meets a row of the grid farthest from all that is written already.
    fn label_of(&self, level: f64, x: Range, y: Range) -> Option<TextAnnotation> {
        let place = |(px, py): (f64, f64)| (x.place(px), y.place(py));
        let room = |&at: &(f64, f64)| {
            let at = place(at);
            let taken = self.written.iter().map(|(px, py, _)| place((*px, *py)));
            let distances = taken.map(|other| (at.0 - other.0).powi(2) + (at.1 - other.1).powi(2));
            distances.chain([at.0.powi(2), (1.0 - at.0).powi(2), (1.0 - at.1).powi(2)]).fold(f64::INFINITY, f64::min)
        };
        // At the frame half of it would be cut off.
        let inside = |&at: &(f64, f64)| (0.04..0.96).contains(&place(at).0) && place(at).1 < 0.94;
        let (px, py) = self.crossings(level).filter(inside).max_by(|a, b| room(a).total_cmp(&room(b)))?;
        Some(TextAnnotation::new(tick(rounded(level.exp())), px, py).with_font_size(11))
    }

    /// Where ln z passes a level along the rows of the grid.
    fn crossings(&self, level: f64) -> impl Iterator<Item = (f64, f64)> + '_ {
        let passes = move |a: f64, b: f64| (a.ln() - level) * (b.ln() - level) <= 0.0;
        let of_row = move |(row, &y): (&Vec<f64>, &f64)| {
            let places = (1..row.len()).filter(|&i| passes(row[i - 1], row[i])).map(|i| (self.xs[i], y));
            places.collect::<Vec<_>>()
        };
        self.z.iter().zip(&self.ys).flat_map(of_row)
    }
}

impl Path {
    /// The way, and a marker where it begins.
    fn draw(&self) -> [Plot; 2] {
        let colour = self.role.map_or("black", Role::colour);
        let way = LinePlot::new().with_data(self.points.clone()).with_color(colour).with_stroke_width(2.0);
        let start = self.points.first().copied();
        let start =
            ScatterPlot::new().with_data(start.into_iter().collect::<Vec<_>>()).with_color(colour).with_size(4.5);
        [way.into(), start.into()]
    }
}

/// Three significant digits.
fn rounded(z: f64) -> f64 {
    let unit = 10_f64.powf(z.abs().max(f64::MIN_POSITIVE).log10().floor() - 2.0);
    (z / unit).round() * unit
}

fn shade(share: f64) -> String {
    let place = share.clamp(0.0, 1.0) * (SHADE_ENDS.len() - 1) as f64;
    let i = (place as usize).min(SHADE_ENDS.len() - 2);
    let channel = |c: usize| {
        let [from, to] = [SHADE_ENDS[i][c], SHADE_ENDS[i + 1][c]];
        (from + (to - from) * (place - i as f64)).round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", channel(0), channel(1), channel(2))
}

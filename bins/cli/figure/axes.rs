//! Curves and points over one parameter.

use std::sync::Arc;

use kuva::{
    plot::{
        annotations::{ReferenceLine, TextAnnotation},
        line::LinePlot,
        scatter::{MarkerShape, ScatterPlot},
    },
    render::{
        layout::{Layout, TickFormat},
        plots::Plot,
    },
};

use super::{Axes, Curve, Mark, Role, Sample, Samples, tick};

/// The part of the plot that stays free beyond the outermost number on either side.
const MARGIN: f64 = 0.07;

const GREY: &str = "#555555";

/// Half the width of a letter of a label, as a share of the axis.
const HALF_LETTER: f64 = 0.0095;

/// The least and the greatest of some numbers, once logarithms were taken if the axis asks for them.
#[derive(Clone, Copy)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) log: bool,
}

impl Range {
    /// The range of all finite numbers, with a margin; log only if all of them are positive.
    pub(super) fn of(numbers: impl Iterator<Item = f64> + Clone, log: bool, margin: f64) -> Self {
        let finite = numbers.filter(|x| x.is_finite());
        let log = log && finite.clone().all(|x| x > 0.0) && finite.clone().next().is_some();
        let scaled = |x: f64| if log { x.ln() } else { x };
        let (low, high) =
            finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(scaled(x)), high.max(scaled(x))));
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let room = if high > low { margin * (high - low) } else { 0.5 * high.abs().max(1.0) };
        let back = |x: f64| if log { x.exp() } else { x };
        Self { low: back(low - room), high: back(high + room), log }
    }

    pub(super) fn contains(&self, x: f64) -> bool {
        (self.low..=self.high).contains(&x)
    }

    /// The number at a share of the axis, from 0 to 1.
    fn at(&self, share: f64) -> f64 {
        match self.log {
            true => self.low * (self.high / self.low).powf(share),
            false => self.low + (self.high - self.low) * share,
        }
    }

    /// The share of the axis at which a number lies.
    pub(super) fn place(&self, x: f64) -> f64 {
        match self.log {
            true => (x / self.low).ln() / (self.high / self.low).ln(),
            false => (x - self.low) / (self.high - self.low),
        }
    }
}

impl Axes {
    pub(super) fn draw(&self) -> (Vec<Plot>, Layout) {
        let samples = || self.samples.iter().flat_map(|series| &series.points);
        let curves = || self.curves.iter().flat_map(|curve| &curve.points);
        let xs = samples().map(|p| p.x).chain(curves().map(|p| p.0));
        let levels = self.marks.iter().filter_map(|mark| match mark {
            Mark::Horizontal(y, _) => Some(*y),
            Mark::Vertical(..) => None,
        });
        let means = samples().map(|p| p.y).chain(curves().map(|p| p.1)).chain(levels);
        let x = Range::of(xs, self.x.log, MARGIN);
        let y = Range::of(means.clone(), self.y.log, MARGIN);
        // An interval that reaches below 0 would take the logarithm from the axis: there it is cut at the axis.
        let ends = samples().flat_map(|p| [p.low, p.high]).filter(|end| !y.log || *end > y.low * y.low / y.high);
        let y = Range::of(means.chain(ends), self.y.log, MARGIN);
        let plots = self.curves.iter().map(|curve| curve.draw(x, y));
        let plots: Vec<Plot> = plots.chain(self.samples.iter().map(|series| series.draw(x, y))).collect();
        let layout = framed(&plots, (&self.title, &self.x.label, &self.y.label), x, y);
        let layout = self.marks.iter().fold(layout, |layout, mark| mark.draw(layout, x, y));
        (plots, layout)
    }
}

/// A layout with these texts and ranges.
pub(super) fn framed(plots: &[Plot], (title, x_label, y_label): (&str, &str, &str), x: Range, y: Range) -> Layout {
    let mut layout = Layout::auto_from_plots(plots)
        .with_title(title)
        .with_x_label(x_label)
        .with_y_label(y_label)
        .with_tick_format(TickFormat::Custom(Arc::new(tick)))
        .with_title_size(15)
        .with_label_size(14)
        .with_tick_size(12)
        .with_body_size(12)
        .with_box_axes()
        .with_clamp_axis()
        .with_x_axis_min(x.low)
        .with_x_axis_max(x.high)
        .with_y_axis_min(y.low)
        .with_y_axis_max(y.high);
    if x.log {
        layout = layout.with_log_x();
    }
    if y.log {
        layout = layout.with_log_y();
    }
    layout
}

impl Curve {
    fn draw(&self, x: Range, y: Range) -> Plot {
        let inside = self.points.iter().copied().filter(|p| x.contains(p.0) && y.contains(p.1));
        let line =
            LinePlot::new().with_data(inside.collect::<Vec<_>>()).with_color(self.role.colour()).with_stroke_width(2.0);
        match self.role {
            Role::Nal => line.with_dashed(),
            Role::Other => line.with_dotted(),
            Role::Maml | Role::Gain => line,
        }
        .into()
    }
}

impl Samples {
    fn draw(&self, x: Range, y: Range) -> Plot {
        let inside = |p: &&Sample| x.contains(p.x) && y.contains(p.y);
        let points: Vec<&Sample> = self.points.iter().filter(inside).collect();
        let bars = points.iter().map(|p| {
            // An interval that is not bounded, or that a logarithm cannot show, ends at the axis.
            let (low, high) = (p.low.max(y.low), p.high.min(y.high));
            (p.y - low, high - p.y)
        });
        let marker = match self.role {
            Role::Nal => MarkerShape::Square,
            Role::Maml => MarkerShape::Circle,
            Role::Gain => MarkerShape::Diamond,
            Role::Other => MarkerShape::Cross,
        };
        let dots = ScatterPlot::new().with_data(points.iter().map(|p| (p.x, p.y)).collect::<Vec<_>>());
        let exact = points.iter().all(|p| p.low == p.y && p.high == p.y);
        let dots = if exact { dots } else { dots.with_y_err_asymmetric(bars.collect::<Vec<_>>()) };
        dots.with_color(self.role.colour()).with_marker(marker).with_size(4.0).into()
    }
}

impl Mark {
    fn draw(&self, layout: Layout, x: Range, y: Range) -> Layout {
        match self {
            Mark::Horizontal(at, label) if y.contains(*at) => {
                // Below the line: what is compared with it lies above, as a rule.
                let middle = 0.98 - HALF_LETTER * label.chars().count() as f64;
                let text = TextAnnotation::new(label, x.at(middle), y.at((y.place(*at) - 0.065).max(0.0)));
                layout.with_reference_line(ReferenceLine::horizontal(*at).with_color(GREY)).with_annotation(text)
            }
            Mark::Vertical(at, label) if x.contains(*at) => {
                layout.with_reference_line(ReferenceLine::vertical(*at).with_color(GREY).with_label(label))
            }
            _ => layout,
        }
    }
}

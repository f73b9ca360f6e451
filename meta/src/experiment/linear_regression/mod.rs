//! Linear regression: both learners against their closed forms, over every parameter of the landscape.

mod cell;
mod claims;
mod config;
mod engine;
mod environment;
mod parameter;
mod points;
mod run;
mod summary;
mod theory;

pub use cell::{Cell, CellError, Draw};
pub use config::{Across, Centre, Config, Covariance, EngineCheck, GroupConfig, Sweep};
pub use engine::{EngineError, EngineResult};
pub use parameter::{Key, Parameter, Part};
pub use points::Row;
pub use run::{Run, RunError};
pub use summary::Summary;
pub use theory::{ClosedForms, Curve, CurvePoint, Side, SideGroup, Surface};

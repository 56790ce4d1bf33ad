//! Views as text: on a terminal, in a pipe, with and without colour. Everything reads well without colour.

mod error;
mod live;
mod status;
mod style;
mod table;

pub use error::{causes, error};
pub use live::Live;
pub use status::{status, waiting};
pub use style::Palette;
pub use table::{Cell, Table};

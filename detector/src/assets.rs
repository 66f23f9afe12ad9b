//! What pages are made of that this project did not write: the charts of uPlot (MIT, `detector/assets/uplot`), embedded, so
//! that a page works offline.

/// uPlot's program: it defines `uPlot` for the scripts after it.
pub const UPLOT_SCRIPT: &str = include_str!("../assets/uplot/uPlot.iife.min.js");
/// uPlot's style sheet.
pub const UPLOT_STYLE: &str = include_str!("../assets/uplot/uPlot.min.css");

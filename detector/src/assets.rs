//! What the page of a detector and reports share, embedded, so that they work offline: the charts of uPlot (MIT, written by
//! others, `detector/assets/uplot`), and how a line is drawn with them.

/// uPlot's program: it defines `uPlot` for the scripts after it.
pub const UPLOT_SCRIPT: &str = include_str!("../assets/uplot/uPlot.iife.min.js");
/// Elements, numbers and lines, for the program of a page, which comes after it.
pub const CHARTS_SCRIPT: &str = include_str!("../assets/charts/charts.js");
/// uPlot's style sheet.
pub const UPLOT_STYLE: &str = include_str!("../assets/uplot/uPlot.min.css");

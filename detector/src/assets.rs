//! What browsers load, embedded, so that pages and reports work offline: the charts of uPlot (MIT, written by others,
//! `detector/assets/uplot`), how a line is drawn with them, and the files of each page.

use std::io::Read;
use std::sync::LazyLock;

use flate2::read::GzDecoder;

/// A file of `detector/assets`, which the build has gzipped; it is unpacked when it is first wanted.
pub type Asset = LazyLock<String>;

/// The file of this path.
macro_rules! asset {
    ($path:literal) => {
        std::sync::LazyLock::new(|| {
            $crate::assets::unpacked(include_bytes!(concat!(env!("OUT_DIR"), "/", $path, ".gz")))
        })
    };
}
pub(crate) use asset;

/// uPlot's program: it defines `uPlot` for the scripts after it.
pub static UPLOT_SCRIPT: Asset = asset!("uplot/uPlot.iife.min.js");
/// Elements, numbers and lines, for the program of a page, which comes after it.
pub static CHARTS_SCRIPT: Asset = asset!("charts/charts.js");
/// uPlot's style sheet.
pub static UPLOT_STYLE: Asset = asset!("uplot/uPlot.min.css");
/// Colours and tables of reports, and of the page.
pub static REPORT_STYLE: Asset = asset!("report/report.css");

/// What the build has packed.
pub fn unpacked(packed: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(packed).read_to_string(&mut text).expect("the build has packed a text");
    text
}

//! The files that browsers load, embedded in the program so that pages and reports work offline: the chart
//! library uPlot (third-party, MIT, `detector/assets/uplot`), the script that draws lines with it, and the
//! files of each page.

use std::io::Read;
use std::sync::LazyLock;

use flate2::read::GzDecoder;

/// A file of `detector/assets`, which the build has gzipped. It is unpacked at its first use.
pub type Asset = LazyLock<String>;

/// The asset at this path below `detector/assets`.
macro_rules! asset {
    ($path:literal) => {
        std::sync::LazyLock::new(|| {
            $crate::assets::unpacked(include_bytes!(concat!(env!("OUT_DIR"), "/", $path, ".gz")))
        })
    };
}
pub(crate) use asset;

/// uPlot's script: it defines `uPlot` for the scripts after it.
pub static UPLOT_SCRIPT: Asset = asset!("uplot/uPlot.iife.min.js");
/// Functions that create elements, format numbers and draw lines, for the scripts of pages, which come after
/// it.
pub static CHARTS_SCRIPT: Asset = asset!("charts/charts.js");
/// uPlot's style sheet.
pub static UPLOT_STYLE: Asset = asset!("uplot/uPlot.min.css");
/// The style sheet of reports and of the page: colours and tables.
pub static REPORT_STYLE: Asset = asset!("report/report.css");

/// Unpack a file that the build has gzipped.
pub fn unpacked(packed: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(packed).read_to_string(&mut text).expect("the build has packed a text");
    text
}

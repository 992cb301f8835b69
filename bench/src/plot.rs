//! The plot: time of a warm invocation of each case, on a logarithmic scale.

use std::fmt::Write as _;

use crate::Mode;
use crate::cases::Case;
use crate::figures::{Figures, warm_ms};
use crate::function::Subject;

const LEFT: f64 = 170.0;
const DECADE: f64 = 120.0;
const BAR: f64 = 10.0;
const ROW: f64 = 42.0;
const TOP: f64 = 48.0;
/// The axis: from a tenth of a millisecond, five powers of ten.
const LEAST_MS: f64 = 0.1;
const DECADES: u32 = 5;

const fn color(subject: Subject) -> &'static str {
    match subject {
        Subject::Bridge => "#d9480f",
        Subject::Floor => "#868e96",
        // The last two have no part in the plot.
        Subject::Python | Subject::Node | Subject::RustDefaults => "#1c7ed6",
    }
}

/// The plot as SVG.
pub(crate) fn svg(figures: &Figures, cases: &[Case]) -> String {
    let width = LEFT + DECADE * f64::from(DECADES) + 30.0;
    let mut body = String::new();
    let mut y = TOP;
    for case in cases {
        body += &text(LEFT - 8.0, y + 20.0, "end", case.name);
        for (offset, subject) in [0.0, 11.0, 22.0].into_iter().zip(Subject::MAIN) {
            let time = figures.cell(Mode::NoLatency, case.name, subject).median(warm_ms);
            let length = (time / LEAST_MS).log10().max(0.0) * DECADE;
            let (fill, top) = (color(subject), y + offset);
            let _ = writeln!(body, r#"<rect x="{LEFT}" y="{top}" width="{length:.1}" height="{BAR}" fill="{fill}"/>"#);
        }
        y += ROW;
    }
    for decade in 0..=DECADES {
        let x = LEFT + DECADE * f64::from(decade);
        let _ = writeln!(body, r##"<line x1="{x}" y1="40" x2="{x}" y2="{y}" stroke="#adb5bd" stroke-width="0.5"/>"##);
        body += &text(x, y + 14.0, "middle", &format!("{} ms", LEAST_MS * 10_f64.powf(f64::from(decade))));
    }
    for (x, subject) in [0.0, 110.0, 220.0].into_iter().zip(Subject::MAIN) {
        let (fill, left) = (color(subject), LEFT + x);
        let _ = writeln!(body, r#"<rect x="{left}" y="14" width="10" height="10" fill="{fill}"/>"#);
        body += &text(left + 15.0, 23.0, "start", &format!("{subject:?}").to_lowercase());
    }
    let height = y + 24.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>Warm invocation, median, no latency, logarithmic</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

fn text(x: f64, y: f64, anchor: &str, text: &str) -> String {
    format!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>\n")
}

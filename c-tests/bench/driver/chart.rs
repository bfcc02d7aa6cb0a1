//! Cost against the number of descriptors or deadlines, one line a loop, as SVG.

use crate::measure::Row;
use crate::program::{EVERY_LOOP, Loop};
use crate::table::number;
use plotters::prelude::*;
use std::path::Path;

const SIZE: (u32, u32) = (900, 520);
const LABELS: (&str, u32) = ("sans-serif", 15);
const TITLE: (&str, u32) = ("sans-serif", 20);

/// Draws the rows of one case that have a place on a chart. Both axes are logarithmic: the loops lie orders of
/// magnitude apart, and what is flat stays flat.
pub(crate) fn draw(path: &Path, title: &str, across: &str, up: &str, rows: &[&Row]) -> Result<(), String> {
    let values = || rows.iter().flat_map(|row| row.cells.iter().map(|(_, cell)| cell.median));
    let first = rows.iter().filter_map(|row| row.at).min().ok_or("a chart of nothing")?;
    let last = rows.iter().filter_map(|row| row.at).max().ok_or("a chart of nothing")?;
    let low = values().fold(f64::INFINITY, f64::min) / 1.5;
    let high = values().fold(0.0, f64::max) * 1.5;
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    area.fill(&WHITE).map_err(|e| failed(&e))?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, TITLE)
        .margin(12)
        .x_label_area_size(45)
        .y_label_area_size(75)
        .build_cartesian_2d((first..last).log_scale(), (low..high).log_scale())
        .map_err(|e| failed(&e))?;
    let mut mesh = chart.configure_mesh();
    mesh.x_labels(5).x_label_formatter(&|at| number(f64::from(*at)));
    mesh.y_labels(8).y_label_formatter(&|cost| number(*cost)).light_line_style(WHITE);
    mesh.x_desc(across).y_desc(up).label_style(LABELS).axis_desc_style(LABELS);
    mesh.draw().map_err(|e| failed(&e))?;
    for &under in EVERY_LOOP {
        let cell = |row: &&Row| row.cells.iter().find(|(l, _)| *l == under).map(|(_, cell)| cell.median);
        let points: Vec<(u32, f64)> = rows.iter().filter_map(|row| Some((row.at?, cell(row)?))).collect();
        if points.is_empty() {
            continue;
        }
        let style = colour(under).stroke_width(if under == Loop::Ours { 4 } else { 2 });
        let line = LineSeries::new(points, style).point_size(3);
        let drawn = chart.draw_series(line).map_err(|e| failed(&e))?;
        drawn.label(under.name()).legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 22, y)], style));
    }
    let mut legend = chart.configure_series_labels();
    legend.position(SeriesLabelPosition::UpperLeft).background_style(WHITE.mix(0.8)).border_style(BLACK);
    legend.label_font(LABELS).draw().map_err(|e| failed(&e))?;
    area.present().map_err(|e| failed(&e))
}

/// Told apart also by those who do not see red and green differ (the palette of Okabe and Ito).
fn colour(under: Loop) -> RGBColor {
    match under {
        Loop::Epoll => RGBColor(0, 0, 0),
        Loop::Libev => RGBColor(86, 180, 233),
        Loop::Libevent => RGBColor(0, 158, 115),
        Loop::Libuv => RGBColor(230, 159, 0),
        Loop::Original => RGBColor(204, 121, 167),
        Loop::Ours => RGBColor(213, 94, 0),
    }
}

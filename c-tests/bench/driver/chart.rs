//! A case as a picture: cost against the number of descriptors or deadlines, one line a loop, and below it the rows that
//! have no such number, one bar a loop.

use crate::measure::Row;
use crate::program::{EVERY_LOOP, Loop};
use crate::table::{self, number};
use plotters::coord::Shift;
use plotters::prelude::*;

const WIDTH: u32 = 900;
const TITLE: (&str, u32) = ("sans-serif", 20);
const TEXT: (&str, u32) = ("sans-serif", 14);
const SMALL: (&str, u32) = ("sans-serif", 12);
const HEAD: u32 = 70;
const LINES: u32 = 400;
const LINE: u32 = 20;
/// Where bars begin, and where the longest ends; its value stands behind it.
const BARS: (i32, i32) = (110, 740);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// An SVG picture. A reader's dark scheme turns black and white around, also in pages that show it as an image.
pub(crate) fn draw(title: &str, caption: &[String], rows: &[&Row]) -> Result<String, String> {
    let points: Vec<&Row> = rows.iter().copied().filter(|row| row.at.is_some()).collect();
    let bars: Vec<&Row> = rows.iter().copied().filter(|row| row.at.is_none()).collect();
    let lines_height = if points.is_empty() { 0 } else { LINES };
    let height = HEAD + lines_height + bars.iter().map(|row| bars_height(row)).sum::<u32>() + LINE;
    let mut svg = String::new();
    let failed = |e: &dyn std::fmt::Display| format!("the chart of {title}: {e}");
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE).map_err(|e| failed(&e))?;
        text(&area, title, (20, 14), TITLE)?;
        for (line, words) in (0..).zip(caption) {
            text(&area, words, (20, 40 + 14 * line), SMALL)?;
        }
        let (_, mut below) = area.split_vertically(HEAD);
        if !points.is_empty() {
            let (above, rest) = below.split_vertically(LINES);
            draw_lines(&above, &points).map_err(|e| failed(&e))?;
            below = rest;
        }
        for row in bars {
            let (above, rest) = below.split_vertically(bars_height(row));
            draw_bars(&above, row)?;
            below = rest;
        }
        area.present().map_err(|e| failed(&e))?;
    }
    let style = "<style>@media (prefers-color-scheme: dark) { [fill='#FFFFFF'] { fill: #181818 } \
                 [fill='#000000'] { fill: #e8e8e8 } [stroke='#000000'] { stroke: #e8e8e8 } \
                 [stroke='#FFFFFF'] { stroke: #181818 } }</style>";
    let head = svg.find("<svg").and_then(|at| Some(at + svg[at..].find('>')? + 1)).ok_or("no <svg>")?;
    svg.insert_str(head, style);
    Ok(svg)
}

fn text(area: &Area<'_>, words: &str, at: (i32, i32), style: (&str, u32)) -> Result<(), String> {
    area.draw(&Text::new(words.to_owned(), at, style)).map_err(|e| format!("{words}: {e}"))
}

/// Both axes are logarithmic: the loops lie orders of magnitude apart, and what is flat stays flat.
fn draw_lines(area: &Area<'_>, rows: &[&Row]) -> Result<(), Box<dyn std::error::Error>> {
    let values = || rows.iter().flat_map(|row| row.cells.iter().map(|(_, cell)| cell.median));
    let measured: Vec<u32> = rows.iter().filter_map(|row| row.at).collect();
    let across = (measured.iter().min().copied().unwrap_or(1)..measured.iter().max().copied().unwrap_or(2))
        .log_scale()
        .with_key_points(measured);
    let (low, high) = (values().fold(f64::INFINITY, f64::min) / 1.5, values().fold(0.0, f64::max) * 1.5);
    let up = (low..high).log_scale().with_key_points(ticks(low, high));
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(40)
        .x_label_area_size(45)
        .y_label_area_size(75)
        .build_cartesian_2d(across, up)?;
    let mut mesh = chart.configure_mesh();
    mesh.x_label_formatter(&|at| number(f64::from(*at))).y_label_formatter(&|cost| number(*cost));
    let what = rows.first().map_or("", |row| row.what.as_str());
    let (number_of, cost) = what.split_once(": ").unwrap_or((what, ""));
    let of = number_of.split_once(' ').map_or("", |(_, of)| of);
    mesh.x_desc(of).y_desc(cost).label_style(TEXT).axis_desc_style(TEXT);
    mesh.draw()?;
    for &under in EVERY_LOOP {
        let cell = |row: &&Row| table::of(row, under).map(|cell| cell.median);
        let points: Vec<(u32, f64)> = rows.iter().filter_map(|row| Some((row.at?, cell(row)?))).collect();
        if points.is_empty() {
            continue;
        }
        let style = colour(under).stroke_width(if under == Loop::Ours { 4 } else { 2 });
        let drawn = chart.draw_series(LineSeries::new(points, style).point_size(3))?;
        drawn.label(under.name()).legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 22, y)], style));
    }
    let mut legend = chart.configure_series_labels();
    legend.position(SeriesLabelPosition::UpperLeft).background_style(WHITE).border_style(BLACK);
    legend.label_font(TEXT).draw()?;
    Ok(())
}

/// 1, 2 and 5 times the powers of ten between two numbers.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let steps = (-3..9).flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(power)));
    steps.filter(|tick| (low..high).contains(tick)).collect()
}

fn bars_height(row: &Row) -> u32 {
    LINE * (row.cells.len() as u32 + 2)
}

fn draw_bars(area: &Area<'_>, row: &Row) -> Result<(), String> {
    let most = row.cells.iter().map(|(_, cell)| cell.median).fold(f64::MIN_POSITIVE, f64::max);
    let allowed = table::limit(row.limit);
    let what = if allowed.is_empty() { row.what.clone() } else { format!("{} ({allowed})", row.what) };
    text(area, &what, (20, 4), TEXT)?;
    for (line, (under, cell)) in (1..).zip(&row.cells) {
        let top = line * LINE as i32 + 4;
        let end = BARS.0 + (f64::from(BARS.1 - BARS.0) * cell.median / most) as i32;
        let bar = Rectangle::new([(BARS.0, top), (end, top + 13)], colour(*under).filled());
        area.draw(&bar).map_err(|e| e.to_string())?;
        text(area, under.name(), (40, top), TEXT)?;
        text(area, &table::cell(Some(*cell)), (end + 8, top), TEXT)?;
    }
    Ok(())
}

/// Told apart also by those who do not see red and green differ (the palette of Okabe and Ito).
fn colour(under: Loop) -> RGBColor {
    match under {
        Loop::Epoll => RGBColor(0, 0, 0),
        Loop::Libev => RGBColor(86, 180, 233),
        Loop::Libevent => RGBColor(0, 158, 115),
        Loop::Libuv => RGBColor(230, 159, 0),
        Loop::Original => RGBColor(204, 121, 167),
        Loop::Later => RGBColor(0, 114, 178),
        Loop::Ours => RGBColor(213, 94, 0),
    }
}

//! Draws the timelines as a picture (SVG): a row for each descriptor, time from left to right.
//!
//! Events of one kind at the same place share a mark, so that the size of the picture is bounded. A browser lists them in
//! the text under the pointer.

use crate::drawing::{SHAPES, STYLE, escaped, legend, shape};
use crate::row::{self, Row, Span};
use crate::story::{Event, Process, Story};
use crate::text::seconds;
use crate::words::Direction;
use std::collections::BTreeMap;
use std::fmt::Write;

const LEFT: i64 = 110;
const WIDTH: i64 = 1200;
const RIGHT: i64 = 30;
const TOP: i64 = 136;
const ROW: i64 = 36;
/// The height of the heading of a process.
const HEADING: i64 = 34;
const BOTTOM: i64 = 46;
/// Marks closer to each other than this become one.
const MARK_WIDTH: i64 = 4;
/// How many events the text of a mark lists.
const MOST_LINES: usize = 12;
/// The most rows of one process. Nobody would read more.
const MOST_ROWS: usize = 150;

struct Picture {
    svg: String,
    begin: i64,
    end: i64,
    y: i64,
}

pub(crate) fn of(story: &Story, name: &str) -> String {
    let (begin, end) = story.span();
    let mut picture = Picture { svg: String::new(), begin, end: end.max(begin + 1), y: TOP };
    for (number, process) in &story.processes {
        picture.heading(*number, process);
        picture.loop_row(process);
        let rows = row::rows(process);
        rows.iter().take(MOST_ROWS).for_each(|row| picture.row(row));
        picture.left_out(rows.len().saturating_sub(MOST_ROWS));
    }
    picture.whole(name)
}

impl Picture {
    fn add(&mut self, element: std::fmt::Arguments) {
        // Writing to a string does not fail.
        let _ = writeln!(self.svg, "{element}");
    }

    fn x(&self, at: i64) -> i64 {
        LEFT + ((at - self.begin) as i128 * WIDTH as i128 / (self.end - self.begin) as i128) as i64
    }

    fn heading(&mut self, number: u32, process: &Process) {
        let y = self.y + HEADING - 10;
        let threads = process.threads.len();
        let threads = if threads > 1 { format!(", {threads} threads") } else { String::new() };
        self.add(format_args!("<text class=\"heading\" x=\"12\" y=\"{y}\">process {number}{threads}</text>"));
        self.y += HEADING;
    }

    fn left_out(&mut self, rows: usize) {
        if rows > 0 {
            let y = self.y + HEADING - 10;
            self.add(format_args!(
                "<text x=\"12\" y=\"{y}\">and {rows} more rows: see --fd, --from and --to, or --perfetto</text>"
            ));
            self.y += HEADING;
        }
    }

    /// Begins a row. Its middle is at y = 0.
    fn begin_row(&mut self, label: &str, members: &str) {
        let middle = self.y + ROW / 2;
        self.add(format_args!(
            "<g class=\"row\" transform=\"translate(0,{middle})\"><rect class=\"ground\" y=\"{}\" width=\"{}\" \
             height=\"{ROW}\"/>{}<text class=\"label\" x=\"{}\" y=\"4\">{label}{}</text>",
            -ROW / 2,
            LEFT + WIDTH + RIGHT,
            self.grid(),
            LEFT - 12,
            if members.is_empty() { String::new() } else { format!("<title>{members}</title>") },
        ));
        self.y += ROW;
    }

    fn end_row(&mut self) {
        self.add(format_args!("</g>"));
    }

    fn grid(&self) -> String {
        let line = |at| format!("M{} {} V{}", self.x(at), -ROW / 2, ROW / 2);
        let lines: String = self.ticks().map(line).collect();
        format!("<path class=\"grid\" d=\"{lines}\"/>")
    }

    fn relative(&self, at: i64) -> String {
        seconds(at - self.begin)
    }

    /// Draws spans. Those less than a pixel apart become one.
    fn spans(&mut self, class: &str, (top, height): (i64, i64), words: &str, mut spans: Vec<Span>) {
        spans.sort_by_key(|s| s.from);
        let mut one: Option<Span> = None;
        let mut merged = Vec::new();
        for span in spans {
            match &mut one {
                Some(one) if self.x(span.from) <= self.x(one.to) + 1 => one.merge(&span),
                _ => merged.extend(one.replace(span)),
            }
        }
        for span in merged.into_iter().chain(one) {
            let (x, end) = (self.x(span.from), self.x(span.to));
            let title = format!(
                "{words}{}\n{} to {}, {} s",
                span.numbers(),
                self.relative(span.from),
                self.relative(span.to),
                seconds(span.to - span.from)
            );
            self.add(format_args!(
                "<rect class=\"{class}\" x=\"{x}\" y=\"{top}\" width=\"{}\" height=\"{height}\">\
                 <title>{}</title></rect>",
                (end - x).max(1),
                escaped(&title)
            ));
        }
    }

    fn loop_row(&mut self, process: &Process) {
        self.begin_row("event loop", "");
        let sleep =
            |s: crate::story::Sleep| Span { from: s.from, to: s.to, times: 1, events: Some(s.events) };
        let sleeps = process.sleeps_until(self.end).map(sleep).collect();
        self.spans("sleep", (-6, 12), "asleep in the kernel", sleeps);
        self.marks(&process.others.iter().collect::<Vec<_>>());
        self.end_row();
    }

    fn row(&mut self, row: &Row) {
        self.begin_row(&row.label(), &row.members());
        let end = self.end;
        self.spans("open", (-1, 2), "known to the library", row.open(end));
        self.spans("want-read", (-6, 5), "wants to read", row.wanted(Direction::Read, end));
        self.spans("want-write", (1, 5), "wants to write", row.wanted(Direction::Write, end));
        self.marks(&row.events());
        self.end_row();
    }

    fn marks(&mut self, events: &[&Event]) {
        let mut places: BTreeMap<(&str, i64), Vec<&Event>> = BTreeMap::new();
        for h in events {
            places.entry((shape(h.kind), self.x(h.at) / MARK_WIDTH)).or_default().push(h);
        }
        // The most important marks are drawn last, so they are on top.
        for (shape, _, _) in SHAPES.iter().rev() {
            for ((_, _), together) in places.range((*shape, i64::MIN)..=(*shape, i64::MAX)) {
                let Some(first) = together.first() else { continue };
                let x = self.x(first.at);
                let title = escaped(&self.lines_of(together));
                self.add(format_args!("<use href=\"#{shape}\" x=\"{x}\"><title>{title}</title></use>"));
            }
        }
    }

    fn lines_of(&self, together: &[&Event]) -> String {
        let line = |h: &&Event| format!("{}  {}", self.relative(h.at), h.words);
        let mut lines: Vec<_> = together.iter().take(MOST_LINES).map(line).collect();
        if together.len() > MOST_LINES {
            lines.push(format!("and {} more", together.len() - MOST_LINES));
        }
        lines.join("\n")
    }

    /// Round times for the axis, 8 to 20 of them.
    fn ticks(&self) -> impl Iterator<Item = i64> {
        let step = step(self.end - self.begin);
        (0..=(self.end - self.begin) / step).map(move |i| self.begin + i * step)
    }

    fn axis(&mut self, y: i64) {
        let decimals =
            (0..6).find(|n| step(self.end - self.begin) % 10_i64.pow(6 - n) == 0).unwrap_or(6) as usize;
        let labels: Vec<_> = self.ticks().map(|at| (self.x(at), (at - self.begin) as f64 / 1e6)).collect();
        for (x, at) in labels {
            self.add(format_args!("<text class=\"axis\" x=\"{x}\" y=\"{y}\">{at:.decimals$} s</text>"));
        }
    }

    fn whole(mut self, name: &str) -> String {
        let rows = std::mem::take(&mut self.svg);
        self.axis(TOP - 8);
        self.axis(self.y + 20);
        let axes = std::mem::take(&mut self.svg);
        let (width, height) = (LEFT + WIDTH + RIGHT, self.y + BOTTOM);
        let shapes: String =
            SHAPES.iter().map(|(id, path, _)| format!("<g id=\"{id}\">{path}</g>\n")).collect();
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\">\n<style>{STYLE}</style>\n<defs>\n{shapes}</defs>\n\
             <rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n\
             <text class=\"title\" x=\"12\" y=\"26\">{}</text>\n{}{rows}{axes}</svg>\n",
            escaped(&format!(
                "{name}: {} s (point at a mark to see what it is)",
                seconds(self.end - self.begin)
            )),
            legend(),
        )
    }
}

/// Microseconds between two marks of the axis: 1, 2 or 5 with zeros.
fn step(span: i64) -> i64 {
    let mut step = 1;
    loop {
        for factor in [1, 2, 5] {
            if span / (step * factor) <= 12 {
                return step * factor;
            }
        }
        step *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marks_of_the_axis_are_at_round_times() {
        assert_eq!([1, 12, 13, 100, 1_000_000].map(step), [1, 1, 2, 10, 100_000]);
    }
}

//! The timelines as a picture (SVG): a row for each descriptor, time from left to right.
//!
//! However long the trace is, the picture has at most one mark of a kind at a place: what falls together is told in the
//! text that a browser shows under the pointer.

use crate::story::{Happening, Process, Story};
use crate::text::seconds;
use crate::words::{Kind, Way};
use std::collections::BTreeMap;
use std::fmt::Write;

const LEFT: i64 = 110;
const WIDTH: i64 = 1200;
const RIGHT: i64 = 30;
const TOP: i64 = 136;
const ROW: i64 = 36;
/// A line of words that introduces a process.
const HEADING: i64 = 34;
const BOTTOM: i64 = 46;
/// Marks that are nearer to each other than this become one.
const MARK: i64 = 4;
/// Happenings that the text of one mark lists.
const LISTED: usize = 12;

const STYLE: &str = "\
text{font:12px sans-serif;fill:#222}.title{font-size:16px;font-weight:bold}.heading{font-weight:bold}\
.label{text-anchor:end}.axis{text-anchor:middle;fill:#555}.grid{stroke:#e4e4e4}.row:hover .ground{fill:#f1f5fb}\
.ground{fill:#fff}.open{fill:#d4d4d4}.sleep{fill:#c9cfe8}.want-read{fill:#9ecae9}.want-write{fill:#f9c68a}\
.told-read{fill:none;stroke:#1f5fa8;stroke-width:1.5}.told-write{fill:none;stroke:#b35900;stroke-width:1.5}\
.read{fill:#1f5fa8}.write{fill:#b35900}.again{fill:#8a8a8a}.end-of-file{fill:#222}.expired{fill:#7b3fa0}\
.failed{stroke:#c8102e;stroke-width:2.5;fill:none}.closed{fill:#222}.other{fill:#8a8a8a}";

/// What a mark shows, drawn around 0,0: the middle of a row.
const SHAPES: [(&str, &str, &str); 10] = [
    ("told-read", "<path class=\"told-read\" d=\"M-4-9 L0-16 L4-9z\"/>", "reported readable"),
    ("told-write", "<path class=\"told-write\" d=\"M-4 9 L0 16 L4 9z\"/>", "reported writable"),
    ("read", "<rect class=\"read\" x=\"-1.5\" y=\"-8\" width=\"3\" height=\"7\"/>", "read"),
    ("write", "<rect class=\"write\" x=\"-1.5\" y=\"1\" width=\"3\" height=\"7\"/>", "wrote"),
    ("again", "<circle class=\"again\" r=\"2.5\"/>", "not ready"),
    ("end-of-file", "<path class=\"end-of-file\" d=\"M-1.5-10 L6-6 L-1.5-2z\"/>", "end of file"),
    ("expired", "<path class=\"expired\" d=\"M0-6 L6 0 L0 6 L-6 0z\"/>", "deadline passed"),
    ("failed", "<path class=\"failed\" d=\"M-4-4 L4 4 M4-4 L-4 4\"/>", "failed"),
    ("closed", "<rect class=\"closed\" x=\"-1.5\" y=\"-12\" width=\"3\" height=\"24\"/>", "closed"),
    ("other", "<circle class=\"other\" r=\"1.5\"/>", "something else"),
];

fn shape(kind: Kind) -> &'static str {
    match kind {
        Kind::Reported(Way::Read) => "told-read",
        Kind::Reported(Way::Write) => "told-write",
        Kind::Moved(Way::Read) => "read",
        Kind::Moved(Way::Write) => "write",
        Kind::NotReady(_) => "again",
        Kind::EndOfFile => "end-of-file",
        Kind::Expired => "expired",
        Kind::Failed => "failed",
        Kind::Closed => "closed",
        Kind::Opened | Kind::Wants(_) | Kind::WantsNoMore(_) | Kind::Minor => "other",
    }
}

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
        for (d, happenings) in &process.descriptors {
            picture.row(*d, happenings);
        }
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

    /// Begins a row, whose middle is at 0.
    fn begin_row(&mut self, label: &str) {
        let middle = self.y + ROW / 2;
        self.add(format_args!(
            "<g class=\"row\" transform=\"translate(0,{middle})\"><rect class=\"ground\" y=\"{}\" width=\"{}\" \
             height=\"{ROW}\"/>{}<text class=\"label\" x=\"{}\" y=\"4\">{label}</text>",
            -ROW / 2,
            LEFT + WIDTH + RIGHT,
            self.grid(),
            LEFT - 12,
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

    fn span(&mut self, class: &str, from: i64, to: i64, (top, height): (i64, i64), words: &str) {
        let (x, end) = (self.x(from), self.x(to));
        let title =
            format!("{words}\n{} to {}, {} s", self.relative(from), self.relative(to), seconds(to - from));
        self.add(format_args!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{top}\" width=\"{}\" height=\"{height}\"><title>{}</title></rect>",
            (end - x).max(1),
            escaped(&title)
        ));
    }

    fn relative(&self, at: i64) -> String {
        seconds(at - self.begin)
    }

    fn loop_row(&mut self, process: &Process) {
        self.begin_row("event loop");
        let (mut from, mut to, mut count, mut events) = (0, 0, 0, 0);
        // Sleeps that a pixel does not part are one.
        for sleep in process.sleeps_until(self.end) {
            if count > 0 && self.x(sleep.from) <= self.x(to) {
                to = sleep.to.max(to);
                count += 1;
                events += sleep.events;
                continue;
            }
            self.slept(from, to, count, events);
            (from, to, count, events) = (sleep.from, sleep.to, 1, sleep.events);
        }
        self.slept(from, to, count, events);
        self.marks(&process.others);
        self.end_row();
    }

    fn slept(&mut self, from: i64, to: i64, count: i64, events: i64) {
        if count > 0 {
            let times = if count > 1 { format!("{count} times, ") } else { String::new() };
            self.span("sleep", from, to, (-6, 12), &format!("asleep in the kernel, {times}{events} events"));
        }
    }

    fn row(&mut self, d: i64, happenings: &[Happening]) {
        self.begin_row(&format!("descriptor {d}"));
        self.while_open(happenings);
        for (way, class, place, words) in [
            (Way::Read, "want-read", (-6, 5), "wants to read"),
            (Way::Write, "want-write", (1, 5), "wants to write"),
        ] {
            self.while_wanted(happenings, way, class, place, words);
        }
        self.marks(happenings);
        self.end_row();
    }

    /// From what opened it to what closed it; what the trace does not show may have been before its beginning.
    fn while_open(&mut self, happenings: &[Happening]) {
        let mut since = None;
        for h in happenings {
            match h.kind {
                Kind::Closed => {
                    if let Some(from) = since.take() {
                        self.span("open", from, h.at, (-1, 2), "known to the library");
                    }
                }
                Kind::Failed => {}
                _ => since = since.or(Some(h.at)),
            }
        }
        if let Some(from) = since {
            self.span("open", from, self.end, (-1, 2), "known to the library");
        }
    }

    fn while_wanted(
        &mut self,
        happenings: &[Happening],
        way: Way,
        class: &str,
        place: (i64, i64),
        words: &str,
    ) {
        let mut since = None;
        for h in happenings {
            if h.kind == Kind::Wants(way) {
                since = since.or(Some(h.at));
            } else if (h.kind == Kind::Closed || h.kind == Kind::WantsNoMore(way))
                && let Some(from) = since.take()
            {
                self.span(class, from, h.at, place, words);
            }
        }
        if let Some(from) = since {
            self.span(class, from, self.end, place, words);
        }
    }

    fn marks(&mut self, happenings: &[Happening]) {
        let mut places: BTreeMap<(&str, i64), Vec<&Happening>> = BTreeMap::new();
        for h in happenings {
            places.entry((shape(h.kind), self.x(h.at) / MARK)).or_default().push(h);
        }
        // What is most important comes last, and so on top.
        for (shape, _, _) in SHAPES.iter().rev() {
            for ((_, _), together) in places.range((*shape, i64::MIN)..=(*shape, i64::MAX)) {
                let Some(first) = together.first() else { continue };
                let x = self.x(first.at);
                let title = escaped(&self.listed(together));
                self.add(format_args!("<use href=\"#{shape}\" x=\"{x}\"><title>{title}</title></use>"));
            }
        }
    }

    fn listed(&self, together: &[&Happening]) -> String {
        let line = |h: &&Happening| format!("{}  {}", self.relative(h.at), h.words);
        let mut lines: Vec<_> = together.iter().take(LISTED).map(line).collect();
        if together.len() > LISTED {
            lines.push(format!("and {} more", together.len() - LISTED));
        }
        lines.join("\n")
    }

    /// Round moments, 8 to 20 of them.
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
             <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n\
             <text class=\"title\" x=\"12\" y=\"26\">{}</text>\n{}{rows}{axes}</svg>\n",
            escaped(&format!(
                "{name}: {} s (point at a mark to see what it is)",
                seconds(self.end - self.begin)
            )),
            legend(),
        )
    }
}

/// 1, 2 or 5 with zeros: microseconds between two marks of the axis.
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

fn legend() -> String {
    let spans = [
        ("open", -1, 2, "known to the library"),
        ("want-read", -6, 5, "wants to read"),
        ("want-write", 1, 5, "wants to write"),
        ("sleep", -6, 12, "asleep in the kernel"),
    ];
    let span = |(class, y, height, words): (&str, i64, i64, &'static str)| {
        (format!("<rect class=\"{class}\" x=\"-8\" y=\"{y}\" width=\"22\" height=\"{height}\"/>"), words)
    };
    let mark = |(id, _, words): (&str, &str, &'static str)| (format!("<use href=\"#{id}\"/>"), words);
    legend_row(54, spans.into_iter().map(span)) + &legend_row(86, SHAPES.into_iter().map(mark))
}

fn legend_row(y: i64, items: impl Iterator<Item = (String, &'static str)>) -> String {
    let (mut text, mut x) = (String::new(), 20);
    for (drawing, words) in items {
        let _ = writeln!(
            text,
            "<g transform=\"translate({x},{y})\">{drawing}<text x=\"20\" y=\"4\">{words}</text></g>"
        );
        // Of a usual letter.
        x += 48 + 7 * words.len();
    }
    text
}

/// Fit for XML: a file name may have anything in it.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' => safe.push('\n'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        assert_eq!([1, 12, 13, 100, 1_000_000].map(step), [1, 1, 2, 10, 100_000]);
    }

    #[test]
    fn nothing_ends_the_text_of_xml() {
        assert_eq!(escaped("a<b>&\"c\"\n\u{1b}"), "a&lt;b&gt;&amp;&quot;c&quot;\n\u{fffd}");
    }
}

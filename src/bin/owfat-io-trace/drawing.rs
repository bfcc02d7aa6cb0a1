//! The colours, marks and legend of the picture.

use crate::words::{Direction, Kind};
use std::fmt::Write;

/// The style sheet. Browsers in dark mode show a dark picture.
pub(crate) const STYLE: &str = "\
text{font:12px sans-serif;fill:#222}.title{font-size:16px;font-weight:bold}.heading{font-weight:bold}\
.label{text-anchor:end}.axis{text-anchor:middle;fill:#555}.grid{stroke:#e4e4e4}.row:hover .ground{fill:#f1f5fb}\
.ground{fill:#fff}.open{fill:#d4d4d4}.sleep{fill:#c9cfe8}.want-read{fill:#9ecae9}.want-write{fill:#f9c68a}\
.told-read{fill:none;stroke:#1f5fa8;stroke-width:1.5}.told-write{fill:none;stroke:#b35900;stroke-width:1.5}\
.read{fill:#1f5fa8}.write{fill:#b35900}.again{fill:#8a8a8a}.end-of-file{fill:#222}.expired{fill:#7b3fa0}\
.failed{stroke:#c8102e;stroke-width:2.5;fill:none}.closed{fill:#222}.other{fill:#8a8a8a}\
@media(prefers-color-scheme:dark){text{fill:#ddd}.axis{fill:#9a9a9a}.grid{stroke:#333}.ground{fill:#16181c}\
.row:hover .ground{fill:#22262e}.open{fill:#4a4d54}.sleep{fill:#3a426b}.want-read{fill:#2b5f80}\
.want-write{fill:#80561c}.told-read{stroke:#7db8f0}.told-write{stroke:#f0a860}.read{fill:#7db8f0}\
.write{fill:#f0a860}.end-of-file,.closed{fill:#eee}.expired{fill:#c39be0}.failed{stroke:#ff6b7d}}";

/// The marks: name, path and words, drawn around 0,0, which is the middle of a row.
pub(crate) const SHAPES: [(&str, &str, &str); 10] = [
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

pub(crate) fn shape(kind: Kind) -> &'static str {
    match kind {
        Kind::Reported(Direction::Read) => "told-read",
        Kind::Reported(Direction::Write) => "told-write",
        Kind::Moved(Direction::Read) => "read",
        Kind::Moved(Direction::Write) => "write",
        Kind::NotReady(_) => "again",
        Kind::EndOfFile => "end-of-file",
        Kind::Expired => "expired",
        Kind::Failed => "failed",
        Kind::Closed => "closed",
        Kind::Opened | Kind::Wants(_) | Kind::WantsNoMore(_) | Kind::Minor => "other",
    }
}

/// The words for a kind of event.
pub(crate) fn words(kind: Kind) -> &'static str {
    SHAPES.iter().find(|(id, ..)| *id == shape(kind)).map_or("", |(.., words)| words)
}

pub(crate) fn legend() -> String {
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
        // About the width of a letter.
        x += 48 + 7 * words.len();
    }
    text
}

/// Escapes a text for XML.
pub(crate) fn escaped(text: &str) -> String {
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
    fn escaped_text_cannot_end_an_xml_element() {
        assert_eq!(escaped("a<b>&\"c\"\n\u{1b}"), "a&lt;b&gt;&amp;&quot;c&quot;\n\u{fffd}");
    }
}

//! A random program: calls of `c-tests/random/*.h`, as text for the player and as C for a person.

use crate::place;
use std::fmt::Write as _;
use std::fs;

/// What a printed program includes, in order.
const HEADERS: [&str; 8] =
    ["frame.h", "make.h", "others.h", "calls.h", "events.h", "batches.h", "process.h", "program.h"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) arguments: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// From `begin` to `finish`.
    pub(crate) calls: Vec<Call>,
}

impl Program {
    /// One call a line, as the player reads it.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for call in &self.calls {
            text.push_str(call.name);
            for argument in &call.arguments {
                let _ = write!(text, " {argument}");
            }
            text.push('\n');
        }
        text
    }

    /// A whole C program that makes the same calls: `cc x.c -lowfat`.
    pub(crate) fn c(&self, heading: &str) -> Result<String, String> {
        let mut text = format!("/* {heading} */\n");
        for header in HEADERS {
            let path = place::c_tests().join("random").join(header);
            let header = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            let ours = |line: &&str| {
                !HEADERS
                    .iter()
                    .any(|h| line.strip_prefix("#include \"").is_some_and(|rest| rest.starts_with(h)))
            };
            header.lines().filter(ours).for_each(|line| text.extend([line, "\n"]));
        }
        text.push('\n');
        text.push_str(&self.main());
        Ok(text)
    }

    pub(crate) fn main(&self) -> String {
        let mut text = String::from("int main(void) {\n");
        for call in &self.calls {
            let arguments: Vec<String> = call.arguments.iter().map(i32::to_string).collect();
            let _ = writeln!(text, "  {}({});", call.name, arguments.join(", "));
        }
        text.push_str("  return 0;\n}\n");
        text
    }
}

//! Parses one line of a trace; see libowfat_io(3).

/// The result in a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome<'a> {
    Nothing,
    Number(i64),
    Word(&'a str),
}

#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Entry<'a> {
    /// Microseconds since 1970.
    pub(crate) at: i64,
    pub(crate) process: u32,
    pub(crate) thread: u32,
    pub(crate) descriptor: Option<i64>,
    pub(crate) what: &'a str,
    pub(crate) outcome: Outcome<'a>,
    pub(crate) error: Option<&'a str>,
    details: Vec<(&'a str, i64)>,
}

impl Entry<'_> {
    pub(crate) fn detail(&self, name: &str) -> Option<i64> {
        self.details.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
    }

    pub(crate) fn number(&self) -> Option<i64> {
        if let Outcome::Number(n) = self.outcome { Some(n) } else { None }
    }
}

/// Parses a line, which has its line end.
pub(crate) fn parse(line: &str) -> Result<Entry<'_>, &'static str> {
    let line = line.strip_suffix('\n').ok_or("the line is cut short")?;
    let mut words = line.split(' ');
    let mut next = || words.next().filter(|w| !w.is_empty()).ok_or("a line of a trace has five fields");
    let (time, who, descriptor, what, outcome) = (next()?, next()?, next()?, next()?, next()?);
    let (process, thread) = who.split_once('/').ok_or("no process and thread in the second field")?;
    let number = |text: &str| text.parse().map_err(|_| "no process and thread in the second field");
    let mut entry = Entry {
        at: moment(time).ok_or("no time in the first field")?,
        process: number(process)?,
        thread: number(thread)?,
        descriptor: match descriptor {
            "-" => None,
            d => Some(d.parse().map_err(|_| "no descriptor in the third field")?),
        },
        what: if is_word(what) { what } else { return Err("no event in the fourth field") },
        outcome: match (outcome, outcome.parse()) {
            ("-", _) => Outcome::Nothing,
            (_, Ok(n)) => Outcome::Number(n),
            _ if is_word(outcome) => Outcome::Word(outcome),
            _ => return Err("no result in the fifth field"),
        },
        error: None,
        details: Vec::new(),
    };
    for word in words {
        match word.split_once('=') {
            Some((name, value)) => {
                let value = value.parse().map_err(|_| "no number behind a name")?;
                entry.details.push((name, value));
            }
            None if entry.error.is_none() && word.starts_with('E') && is_word(word.trim_end_matches('?')) => {
                entry.error = Some(word)
            }
            None => return Err("something else behind the fifth field"),
        }
    }
    Ok(entry)
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Parses seconds with six decimals. Returns microseconds.
fn moment(time: &str) -> Option<i64> {
    let (seconds, micros) = time.split_once('.')?;
    let is_fraction = micros.len() == 6 && micros.bytes().all(|b| b.is_ascii_digit());
    let (seconds, micros): (i64, i64) = (seconds.parse().ok()?, micros.parse().ok()?);
    is_fraction.then_some(())?;
    seconds.checked_mul(1_000_000)?.checked_add(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart() {
        let entry = parse("1795917760.094946 9227/9228 3 io_tryread -1 EAGAIN len=100\n").unwrap();
        assert_eq!((entry.at, entry.process, entry.thread), (1_795_917_760_094_946, 9227, 9228));
        assert_eq!((entry.descriptor, entry.what, entry.number()), (Some(3), "io_tryread", Some(-1)));
        assert_eq!(
            (entry.error, entry.detail("len"), entry.detail("left")),
            (Some("EAGAIN"), Some(100), None)
        );
        let ready = parse("1.000000 1/1 3 ready rw\n").unwrap();
        assert_eq!((ready.at, ready.outcome), (1_000_000, Outcome::Word("rw")));
        let none = parse("1.000000 1/1 - begin -\n").unwrap();
        assert_eq!((none.descriptor, none.outcome), (None, Outcome::Nothing));
    }

    #[test]
    fn a_line_that_is_not_of_a_trace_is_refused_with_the_reason() {
        for (line, why) in [
            ("1.000000 1/1 3 io_fd 1", "cut short"),
            ("1.000000 1/1 3 io_fd\n", "five fields"),
            ("\n", "five fields"),
            ("1.00000 1/1 3 io_fd 1\n", "first"),
            ("9223372036854775807.000000 1/1 3 io_fd 1\n", "first"),
            ("1.000000 1 3 io_fd 1\n", "second"),
            ("1.000000 1/x 3 io_fd 1\n", "second"),
            ("1.000000 1/1 x io_fd 1\n", "third"),
            ("1.000000 1/1 3 <io_fd> 1\n", "fourth"),
            ("1.000000 1/1 3 io_fd <1>\n", "fifth"),
            ("1.000000 1/1 3 io_fd 1 len=x\n", "behind a name"),
            ("1.000000 1/1 3 io_fd 1 more\n", "something else"),
            ("1.000000 1/1 3 io_fd 0 E\u{1b}[31m\n", "something else"),
        ] {
            let found = parse(line).unwrap_err();
            assert!(found.contains(why), "{line:?}: {found}");
        }
    }
}

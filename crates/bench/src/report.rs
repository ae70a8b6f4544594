//! Tables on the terminal as they grow, and as a page.

use crate::Setup;
use crate::measure::Series;
use crate::runner::Runner;
use std::fmt::Write;
use std::process::Command;

/// What the cells of a table hold, beside the ratio to native.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Wall time of the whole.
    Seconds,
    /// Wall time of one operation.
    NanosecondsPerOperation,
}

/// One measured thing.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    /// Times in seconds.
    Measured(Series),
    /// Why there are none.
    Failed(String),
}

/// What was measured of one program, runner by runner.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The program.
    pub(crate) name: String,
    /// Natively first.
    pub(crate) cells: Vec<Cell>,
}

/// A suite's results.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    title: &'static str,
    about: &'static str,
    unit: Unit,
    runners: Vec<&'static str>,
    rows: Vec<Row>,
    mean: bool,
}

impl Table {
    /// A table without rows; its head is printed.
    pub(crate) fn new(title: &'static str, about: &'static str, unit: Unit, setup: &Setup) -> Table {
        let runners: Vec<&str> = setup.runners.iter().map(Runner::name).collect();
        println!("\n{title}: {about}");
        print!("{:<24}", "");
        runners.iter().for_each(|runner| print!("{runner:>26}"));
        println!();
        Table { title, about, unit, runners, rows: Vec::new(), mean: false }
    }

    /// Adds a row and prints it.
    pub(crate) fn add(&mut self, row: Row) {
        print!("{:<24}", row.name);
        self.texts(&row).iter().for_each(|text| print!("{text:>26}"));
        println!();
        for cell in &row.cells {
            if let Cell::Failed(message) = cell {
                println!("    {message}");
            }
        }
        self.rows.push(row);
    }

    /// Ends the table with the geometric mean of each runner's ratios.
    pub(crate) fn finish_with_mean(&mut self) {
        self.mean = true;
        print!("{:<24}", "geometric mean");
        self.means().iter().for_each(|text| print!("{text:>26}"));
        println!();
    }

    /// Each cell as time, spread and ratio to native.
    fn texts(&self, row: &Row) -> Vec<String> {
        let native = row.cells.first().and_then(median);
        let cell = |cell: &Cell| {
            let Cell::Measured(series) = cell else { return "fails".to_owned() };
            let Some((seconds, spread)) = series.median().zip(series.spread()) else { return "-".to_owned() };
            let time = match self.unit {
                Unit::Seconds if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
                Unit::Seconds => format!("{seconds:.2} s"),
                Unit::NanosecondsPerOperation => format!("{:.0} ns", seconds * 1e9),
            };
            let ratio = native.map_or(String::new(), |native| format!("{:.2}x", seconds / native));
            format!("{time} ±{:.0}%  {ratio}", spread * 100.0)
        };
        row.cells.iter().map(cell).collect()
    }

    fn means(&self) -> Vec<String> {
        let mean = |index: usize| {
            let ratios = self.rows.iter().filter_map(|row| Some(median(&row.cells[index])? / median(&row.cells[0])?));
            let logarithms: Vec<f64> = ratios.map(f64::ln).collect();
            if logarithms.is_empty() {
                return "-".to_owned();
            }
            format!("{:.2}x", (logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp())
        };
        (0..self.runners.len()).map(mean).collect()
    }

    fn markdown(&self, date: &str, rounds: u32) -> String {
        let rounds = format!("{rounds} rounds, two for the other tools; {date}");
        let mut text = format!("{HEAD}{}\n\n{}; {rounds}.\n\n", self.title, self.about);
        let line = |first: &str, cells: &[String]| format!("| {first} | {} |\n", cells.join(" | "));
        let heads: Vec<String> = self.runners.iter().map(|runner| (*runner).to_owned()).collect();
        text += &line("", &heads);
        text += &line("---", &vec!["---:".to_owned(); heads.len()]);
        for row in &self.rows {
            text += &line(&row.name, &self.texts(row));
        }
        if self.mean {
            text += &line("geometric mean", &self.means());
        }
        text + "\n"
    }
}

fn median(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Measured(series) => series.median(),
        Cell::Failed(_) => None,
    }
}

/// How a table's section begins.
const HEAD: &str = "## ";

/// The page with all tables: what was measured, on which machine, with which versions, when. Of the page as it was,
/// the tables stay that were not measured again.
///
/// # Errors
/// If the date cannot be had.
pub(crate) fn page(before: &str, tables: &[Table], runners: &[Runner], rounds: u32) -> Result<String, String> {
    let mut text = String::from("# Performance\n\n");
    text += "Measured from outside the process, interleaved: every runner once, then every runner again. A cell has the \
             median,\nhalf the distance between the quarters, and the ratio to native. Made anew, all of it or the suites \
             that are named, by\n\n    cargo build --release && cargo run --release -p belljar-bench -- --write\n\n";
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let date = output("date", &["-u", "+%Y-%m-%d"])?;
    let _ = writeln!(text, "- machine: {}, {count} processors", model.unwrap_or("unknown").trim());
    let _ = writeln!(text, "- compiler of the programs: {}", output("cc", &["--version"])?);
    for runner in runners {
        let _ = writeln!(text, "- {}: {}", runner.name(), runner.version().unwrap_or_default());
    }
    text.push('\n');
    let mut sections = sections(before);
    for table in tables {
        let section = table.markdown(&date, rounds);
        match sections.iter_mut().find(|(title, _)| title == table.title) {
            Some((_, old)) => *old = section,
            None => sections.push((table.title.to_owned(), section)),
        }
    }
    sections.iter().for_each(|(_, section)| text += section);
    Ok(text.trim_end().to_owned() + "\n")
}

/// The sections of a page with their titles.
fn sections(page: &str) -> Vec<(String, String)> {
    let mut sections: Vec<(String, String)> = Vec::new();
    for line in page.split_inclusive('\n') {
        if let Some(title) = line.strip_prefix(HEAD) {
            sections.push((title.trim_end().to_owned(), String::new()));
        }
        if let Some((_, section)) = sections.last_mut() {
            section.push_str(line);
        }
    }
    // The last one has lost its empty line.
    sections.iter_mut().for_each(|(_, section)| *section = section.trim_end().to_owned() + "\n\n");
    sections
}

/// The first line that a command prints.
fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_the_place_of_what_it_was() {
        let table = |title| Table {
            title,
            about: "of a test",
            unit: Unit::Seconds,
            runners: vec!["native"],
            rows: Vec::new(),
            mean: false,
        };
        let first = page("", &[table("One"), table("Two")], &[], 3).unwrap();
        assert_eq!(page(&first, &[table("Two")], &[], 3).unwrap(), first);
        let second = page(&first, &[table("One"), table("Three")], &[], 5).unwrap();
        let titles: Vec<String> = sections(&second).into_iter().map(|(title, _)| title).collect();
        assert_eq!(titles, ["One", "Two", "Three"]);
        assert!(second.find("5 rounds") < second.find("3 rounds"), "{second}");
    }
}

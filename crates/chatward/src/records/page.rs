//! A record for people: headings, sentences, tables; Markdown.

use std::fmt::Write as _;

/// A page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Page {
    title: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Heading(String),
    Text(String),
    Table { head: Vec<String>, rows: Vec<Vec<String>> },
}

impl Page {
    /// An empty one.
    pub(crate) fn new(title: &str) -> Self {
        Self { title: title.to_owned(), parts: Vec::new() }
    }

    /// With a heading.
    #[must_use]
    pub(crate) fn heading(mut self, text: &str) -> Self {
        self.parts.push(Part::Heading(text.to_owned()));
        self
    }

    /// With a paragraph.
    #[must_use]
    pub(crate) fn text(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Text(text.into()));
        self
    }

    /// With a table.
    #[must_use]
    pub(crate) fn table(mut self, head: &[&str], rows: Vec<Vec<String>>) -> Self {
        let head = head.iter().map(|&cell| cell.to_owned()).collect();
        self.parts.push(Part::Table { head, rows });
        self
    }

    /// As Markdown. What comes from the configuration cannot break out of its cell.
    pub(crate) fn to_markdown(&self) -> String {
        let mut text = format!("# {}\n", plain(&self.title));
        for part in &self.parts {
            // Writing to a String cannot fail.
            let _ = match part {
                Part::Heading(heading) => writeln!(text, "\n## {}", plain(heading)),
                Part::Text(paragraph) => writeln!(text, "\n{}", plain(paragraph)),
                Part::Table { head, rows } => {
                    let _ = writeln!(text, "\n{}", line(head));
                    let _ = writeln!(text, "{}", line(&vec!["---".to_owned(); head.len()]));
                    for row in rows {
                        let _ = writeln!(text, "{}", line(row));
                    }
                    Ok(())
                }
            };
        }
        text
    }
}

fn line(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| plain(cell).replace('|', "\\|")).collect();
    format!("| {} |", cells.join(" | "))
}

fn plain(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_break_out_of_its_cell() {
        let page =
            Page::new("T").heading("H").text("a\n# b").table(&["x"], vec![vec!["1 | 2\n| 3 <b>".into()]]);
        assert_eq!(page.to_markdown(), "# T\n\n## H\n\na # b\n\n| x |\n| --- |\n| 1 \\| 2 \\| 3 &lt;b> |\n");
    }
}

//! `bench/RESULTS.md`: every figure stands between two markers and is written by the command that measured it.

use anyhow::{Context, Result};

use crate::process::{capture, command, root};

/// Replaces what stands between `<!-- NAME -->` and `<!-- /NAME -->`, or adds it at the end.
pub(crate) fn write(name: &str, verb: &str, text: &str) -> Result<()> {
    let path = root().join("bench/RESULTS.md");
    let old = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let commit = capture(command("git").args(["rev-parse", "--short", "HEAD"])).unwrap_or_default();
    let date = capture(command("date").args(["-u", "+%Y-%m-%d"])).unwrap_or_default();
    // A program that was given is not always the commit's.
    let given =
        std::env::var_os("CHATWARD_PROGRAM").map_or("", |_| " (the program was not built by this run)");
    let (date, commit, text) = (date.trim(), commit.trim(), text.trim_end());
    let part = format!("`cargo xtask {verb}`, {date}, commit {commit}{given}\n\n{text}");
    std::fs::write(path, replaced(&old, name, &part))?;
    Ok(())
}

fn replaced(old: &str, name: &str, part: &str) -> String {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    match (old.split_once(&open), old.split_once(&close)) {
        (Some((before, _)), Some((_, after))) => format!("{before}{open}\n{part}\n{close}{after}"),
        _ => format!("{}\n\n## {name}\n\n{open}\n{part}\n{close}\n", old.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_between_the_markers_changes() {
        let old = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n";
        assert_eq!(replaced(old, "x", "new"), "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n");
        assert_eq!(replaced("a\n", "y", "new"), "a\n\n## y\n\n<!-- y -->\nnew\n<!-- /y -->\n");
    }
}

//! Names of the files of a log (C2SP tlog-tiles).

/// Every file that belongs to a log of so many entries: entry bundles, full tiles, and the partial ones at the edge.
pub(crate) fn files_under(size: u64) -> Vec<String> {
    let mut all = Vec::new();
    let mut add = |level: &str, count: u64| {
        let (full, rest) = (count / 256, count % 256);
        all.extend((0..full).map(|n| format!("tile/{level}/{}", number(n))));
        if rest > 0 {
            all.push(format!("tile/{level}/{}.p/{rest}", number(full)));
        }
    };
    add("entries", size);
    let (mut level, mut count) = (0, size);
    while count > 0 {
        add(&level.to_string(), count);
        level += 1;
        count /= 256;
    }
    all
}

/// Three digits a folder, an `x` before all but the last: `x001/x234/067`.
fn number(n: u64) -> String {
    let mut text = format!("{:03}", n % 1000);
    let mut rest = n / 1000;
    while rest > 0 {
        text = format!("x{:03}/{text}", rest % 1000);
        rest /= 1000;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_specification() {
        assert_eq!(number(0), "000");
        assert_eq!(number(1_234_067), "x001/x234/067");
        assert!(files_under(0).is_empty());
        assert_eq!(files_under(1), ["tile/entries/000.p/1", "tile/0/000.p/1"]);
        assert_eq!(
            files_under(256 + 3),
            ["tile/entries/000", "tile/entries/001.p/3", "tile/0/000", "tile/0/001.p/3", "tile/1/000.p/1",]
        );
    }
}

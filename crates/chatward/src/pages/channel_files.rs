//! The modules of the encrypted channel: our own, and those of others under `vendor/` (`static/vendor.lock` says whose).

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! script {
    ($path:literal) => {
        ($path, SCRIPT, include_str!(concat!("../../static/", $path)))
    };
}

/// Name, media type and text.
pub(super) const FILES: &[(&str, &str, &str)] = &[
    script!("channel.js"),
    script!("channel/binary.js"),
    script!("channel/bytes.js"),
    script!("channel/error.js"),
    script!("channel/keys.js"),
    // Loaded only where somebody wants to know.
    script!("channel/log.js"),
    script!("channel/seal.js"),
    script!("channel/xwing.js"),
    script!("vendor/hpke/index.js"),
    script!("vendor/noble-hashes/_u64.js"),
    script!("vendor/noble-hashes/sha3.js"),
    script!("vendor/noble-hashes/utils.js"),
    // Loaded only where the platform has no ML-KEM.
    script!("vendor/noble-curves/abstract/fft.js"),
    script!("vendor/noble-post-quantum/_crystals.js"),
    script!("vendor/noble-post-quantum/ml-kem.js"),
    script!("vendor/noble-post-quantum/utils.js"),
];

/// Whether a module is loaded only where it is needed.
pub(super) fn late(name: &str) -> bool {
    ["flags.js", "passage.js", "channel/log.js", "vendor/noble-curves/", "vendor/noble-post-quantum/"]
        .iter()
        .any(|late| name.starts_with(late))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use aws_lc_rs::digest::{SHA256, digest};
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Lock {
        file: Vec<Locked>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "what only `cargo xtask vendor` reads")]
    struct Locked {
        path: String,
        package: String,
        version: String,
        from: String,
        licence: String,
        original: String,
        ours: String,
        rewrites: Vec<(String, String)>,
    }

    fn hash(text: &str) -> String {
        digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn vendored() -> BTreeMap<&'static str, &'static str> {
        let of =
            |(name, _, text): &(&'static str, _, &'static str)| Some((name.strip_prefix("vendor/")?, *text));
        FILES.iter().filter_map(of).collect()
    }

    #[test]
    fn files_of_others_are_those_of_the_lock() {
        let lock: Lock = toml::from_str(include_str!("../../static/vendor.lock")).unwrap();
        let mut served = vendored();
        for file in &lock.file {
            let text =
                served.remove(file.path.as_str()).unwrap_or_else(|| panic!("{} is not served", file.path));
            assert_eq!(hash(text), file.ours, "{}", file.path);
            for (theirs, ours) in &file.rewrites {
                assert!(theirs.starts_with("from '") && ours.starts_with("from '."), "only addresses change");
                assert!(text.contains(ours), "{}: {ours}", file.path);
            }
            let folder = Path::new(&file.path).iter().next().unwrap();
            let licence =
                Path::new(env!("CARGO_MANIFEST_DIR")).join("static/vendor").join(folder).join("LICENSE");
            assert!(std::fs::read_to_string(licence).unwrap().contains("Permission is hereby granted"));
        }
        assert!(served.is_empty(), "not in vendor.lock: {:?}", served.keys());
    }

    /// No import map stands in the page, so every import names a file that is served.
    #[test]
    fn every_import_is_a_file_that_is_served() {
        for (name, _, text) in FILES {
            let folder = Path::new(name).parent().unwrap();
            let code: String = text
                .lines()
                .filter(|line| !line.trim_start().starts_with(['*', '/']))
                .map(|line| format!("{line}\n"))
                .collect();
            let after = |word: &str, quote: char| -> Vec<String> {
                code.split(word)
                    .skip(1)
                    .filter_map(|rest| Some(rest.split_once(quote)?.0.to_owned()))
                    .collect()
            };
            let all = [after("from \"", '"'), after("from '", '\''), after("import(\"", '"')].concat();
            for address in all.iter().filter(|address| address.ends_with(".js")) {
                assert!(address.starts_with('.'), "{name}: {address}");
                let mut path: Vec<&str> = folder.iter().map(|part| part.to_str().unwrap()).collect();
                for part in address.split('/') {
                    match part {
                        "." => {}
                        ".." => drop(path.pop()),
                        part => path.push(part),
                    }
                }
                let path = path.join("/");
                assert!(FILES.iter().any(|(file, ..)| *file == path), "{name} imports {path}");
            }
        }
    }

    #[test]
    fn our_own_modules_say_nothing_and_reach_nowhere() {
        for (name, _, text) in FILES.iter().filter(|(name, ..)| !name.starts_with("vendor/")) {
            assert!(text.starts_with("// @ts-check\n"), "{name}");
            assert!(!text.contains("http://") && !text.contains("https://"), "{name}");
            for sink in ["innerHTML", "eval(", "Function(", "localStorage", "indexedDB", "document."] {
                assert!(
                    !text.contains(sink) || sink == "document." && text.contains("//     const channel"),
                    "{name}: {sink}"
                );
            }
        }
    }
}

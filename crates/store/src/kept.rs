//! What there is in the databases, by name: the data inventory is held against it, so that no table is forgotten there.

/// Every table of the store, on either database. A test holds it against the schemas.
pub const TABLES: &[&str] = &[
    "channel_seeds",
    "channel_seen",
    "closings",
    "conversations",
    "copying",
    "customers",
    "entries",
    "erased",
    "handles",
    "head",
    "history_tags",
    "issued",
    "log_entries",
    "meta",
    "open_turns",
    "records",
    "schema_versions",
    "signed",
    "standings",
    "tenants",
    "trail",
    "turns",
];

/// Every table of the keyring, on either database.
pub const KEYRING_TABLES: &[&str] = &["destroyed", "keys", "meta", "schema_versions", "state"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What the schemas make, up to their tests.
    fn made() -> BTreeSet<String> {
        let schemas = [include_str!("sqlite/schema.rs"), include_str!("postgres/schema.rs")];
        let mut all = BTreeSet::new();
        for schema in schemas {
            let text = schema.split("#[cfg(test)]").next().unwrap();
            for line in text.lines() {
                let line = line.replace("UNLOGGED ", "");
                let Some((_, rest)) = line.split_once("CREATE TABLE ") else { continue };
                let rest = rest.trim_start_matches("IF NOT EXISTS ").trim_start_matches("{0}.");
                let name: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                all.insert(name);
            }
        }
        all
    }

    #[test]
    fn every_table_is_named() {
        let named: BTreeSet<String> =
            TABLES.iter().chain(KEYRING_TABLES).map(|&name| name.to_owned()).collect();
        assert_eq!(made(), named);
    }
}

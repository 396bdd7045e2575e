//! `docs/identity.md` says what there is: every reason, and no test that is not one.

use chatward::identity::Why;

const DOCUMENT: &str = include_str!("../../../../docs/identity.md");
const TESTS: [&str; 9] = [
    include_str!("codes.rs"),
    include_str!("forms.rs"),
    include_str!("host.rs"),
    include_str!("passkeys.rs"),
    include_str!("provider.rs"),
    include_str!("rules.rs"),
    include_str!("sessions.rs"),
    include_str!("staff.rs"),
    include_str!("tries.rs"),
];

#[test]
fn every_reason_is_in_the_document() {
    let mut unlike = std::collections::HashSet::new();
    for why in Why::ALL {
        assert!(unlike.insert(why.code()), "{} twice", why.code());
        assert!(DOCUMENT.contains(&format!("| `{}` |", why.code())), "{}", why.code());
    }
}

#[test]
fn every_test_that_the_document_names_is_one() {
    let rows = DOCUMENT.lines().filter_map(|line| line.trim_end_matches(" |").rsplit_once('|'));
    let mut named = 0;
    for name in rows.flat_map(|(_, tests)| tests.split('`').skip(1).step_by(2)) {
        assert!(TESTS.iter().any(|text| text.contains(&format!("fn {name}("))), "{name}");
        named += 1;
    }
    assert!(named > 50, "{named}");
}

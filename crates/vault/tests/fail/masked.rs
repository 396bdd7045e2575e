// Masked text is made by the vault only.
fn main() {
    let _ = chatward_vault::Masked { texts: vec![], counts: vec![], warnings: vec![], replaced: 0 };
}

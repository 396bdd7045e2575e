// Customer keys come from the keyring only.
fn main() {
    let slot = chatward_message::KeySlot::from_bytes([0; 16]);
    let _ = chatward_vault::CustomerKey::new(slot, &[0; 32]);
}

//! The committed reference is up to date.

use std::path::Path;

#[test]
fn the_reference_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if let Err(error) = pyro_dev::generate::check(&root) {
        panic!("{error}");
    }
}

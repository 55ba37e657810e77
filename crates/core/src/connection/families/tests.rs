//! That the embedded list can be read, and what each entry's own inputs give.

use super::*;

#[test]
fn the_embedded_list_is_read() {
    assert!(read_families("families.yaml", EMBEDDED).is_ok_and(|f| f.len() > 1));
}

use super::super::facts::parse;
use super::*;

#[test]
fn placeholder() {
    let core: Core = parse("{}").unwrap();
    assert!(!core.waiting());
}

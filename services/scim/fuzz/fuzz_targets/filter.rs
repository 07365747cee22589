//! Any text as a filter: it is refused or read; what is read prints as what is read again, means the same to another
//! parser, and can be asked of documents.

#![no_main]

use std::sync::LazyLock;

use chancery_scim::{Filter, Profile, Registry, Syntax};
use libfuzzer_sys::fuzz_target;
use serde_json::Map;

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::standard().expect("the standard schemas are valid"));

fuzz_target!(|text: &str| {
    let registry = &*REGISTRY;
    for syntax in [Syntax::STRICT, Syntax::LENIENT] {
        let Ok(filter) = Filter::parse(text, syntax) else { continue };
        let printed = filter.to_string();
        let again = Filter::parse(&printed, syntax).expect("what is printed can be read");
        assert_eq!(again.to_string(), printed);
        for resource_type in registry.resource_types() {
            if let Ok(query) = filter.compile(resource_type, &Profile::default()) {
                query.matches(&Map::new());
                query.required_equalities();
                query.mentions("members");
            }
        }
    }
    if let (Ok(filter), Ok(other)) = (Filter::parse(text, Syntax::STRICT), text.parse::<scim_v2::filter::Filter>()) {
        assert_eq!(filter.to_string(), other.to_string());
    }
});

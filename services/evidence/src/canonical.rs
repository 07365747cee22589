//! RFC 8785 by the `serde_json_canonicalizer` crate, kept behind one function.

use serde::Serialize;

use crate::EvidenceError;

/// The canonical JSON of a value: sorted members, shortest numbers, no white space.
pub fn canonical_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, EvidenceError> {
    serde_json_canonicalizer::to_vec(value).map_err(EvidenceError::Canonical)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_rfc_s_own_example_comes_out_byte_for_byte() {
        let input: Value = serde_json::from_str(
            r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
                "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#,
        )
        .unwrap();
        let expected = "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
                        \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
        assert_eq!(String::from_utf8(canonical_bytes(&input).unwrap()).unwrap(), expected);
    }

    #[test]
    fn members_sort_by_utf16_code_units() {
        let input = json!({"\u{fb33}": 1, "\u{1f600}": 2, "\r": 3, "1": 4, "\u{80}": 5, "ö": 6, "€": 7});
        let text = String::from_utf8(canonical_bytes(&input).unwrap()).unwrap();
        assert_eq!(text, "{\"\\r\":3,\"1\":4,\"\u{80}\":5,\"ö\":6,\"€\":7,\"\u{1f600}\":2,\"\u{fb33}\":1}");
    }
}

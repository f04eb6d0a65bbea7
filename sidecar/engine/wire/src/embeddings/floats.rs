//! Vectors as base64 of little-endian 32-bit floats, and as lists of numbers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A vector in either way of telling it; `None`: neither, or a number that is not finite.
pub(super) fn read(told: Value) -> Option<Vec<f32>> {
    let vector = match told {
        Value::String(text) => decode(&text)?,
        Value::Array(list) => numbers(&list)?,
        _ => return None,
    };
    vector.iter().all(|number| number.is_finite()).then_some(vector)
}

/// JSON numbers as 32-bit floats, which is what embedding models compute.
pub(crate) fn numbers(list: &[Value]) -> Option<Vec<f32>> {
    #[expect(clippy::cast_possible_truncation, reason = "the numbers were 32-bit floats before")]
    let narrow = |number: f64| number as f32;
    let vector: Vec<f32> =
        list.iter().map(|number| number.as_f64().map(narrow)).collect::<Option<_>>()?;
    vector.iter().all(|number| number.is_finite()).then_some(vector)
}

/// Base64 of a vector.
pub(super) fn encode(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

fn decode(text: &str) -> Option<Vec<f32>> {
    let bytes = STANDARD.decode(text).ok()?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A3: what numpy writes with `tobytes()` of float32, and lists, are the same vector.
    #[test]
    fn both_ways_tell_the_same() {
        assert_eq!(encode(&[1.0, -0.5, 0.1]), "AACAPwAAAL/NzMw9");
        assert_eq!(read(json!("AACAPwAAAL/NzMw9")), Some(vec![1.0, -0.5, 0.1]));
        assert_eq!(read(json!([1, -0.5, 0.1])), Some(vec![1.0, -0.5, 0.1]));
        assert_eq!(read(json!([])), Some(Vec::new()));
    }

    /// What is no vector of finite numbers is refused.
    #[test]
    fn what_is_no_vector_is_refused() {
        for told in
            [json!("AAA="), json!("?"), json!("AADAfw=="), json!([1e300]), json!(["1"]), json!(1)]
        {
            assert_eq!(read(told.clone()), None, "{told}");
        }
    }
}

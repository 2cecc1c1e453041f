//! Makes a document that is too long for a record fit it, without breaking it.
//!
//! The longest strings are cut first, each only as far as all together must be. It works on the
//! finished text, so the path of an ordinary document knows nothing of it.

use crate::tokens::{Kind, Tokens};

/// Ends whatever was cut.
pub const MARK: &str = "[Truncated...]";

/// Cuts valid, compact JSON to at most `limit` bytes of valid JSON.
///
/// Where cutting every string is not enough (a megabyte of numbers, say), elements are left out
/// from the end.
pub fn json(text: &[u8], limit: usize) -> Vec<u8> {
    let longest = longest_string(text, limit);
    let mut out = Vec::with_capacity(limit);
    let mut open = Vec::new();
    // The end of the last whole element: everything up to here can be closed and be valid.
    let mut whole = 0;
    for token in Tokens::new(text) {
        match token.kind {
            Kind::String if token.text.len() > longest => push_cut(&mut out, token.text, longest),
            _ => out.extend_from_slice(token.text),
        }
        match token.kind {
            Kind::Open => open.push(if token.text == b"{" { b'}' } else { b']' }),
            Kind::Close => _ = open.pop(),
            _ => {}
        }
        if out.len() + open.len() > limit {
            if token.kind == Kind::Open {
                open.pop();
            }
            out.truncate(whole);
            out.extend(open.into_iter().rev());
            break;
        }
        if !matches!(token.kind, Kind::Key | Kind::Separator) {
            whole = out.len();
        }
    }
    out
}

/// Cuts text that is not JSON to at most `limit` bytes, on a character's boundary if it is UTF-8.
pub fn text(text: &[u8], limit: usize) -> Vec<u8> {
    let mut end = limit.saturating_sub(MARK.len()).min(text.len());
    let is_continuation = |byte: &u8| byte & 0xc0 == 0x80;
    while end > 0 && text.get(end).is_some_and(is_continuation) {
        end -= 1;
    }
    [&text[..end], MARK.as_bytes()].concat()
}

/// The length, quotes included, beyond which a string must be cut so that all fits.
fn longest_string(text: &[u8], limit: usize) -> usize {
    const SHORTEST: usize = 2 + MARK.len();
    let mut lengths: Vec<usize> = Tokens::new(text)
        .filter(|token| token.kind == Kind::String)
        .map(|token| token.text.len())
        .collect();
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    let mut excess = text.len().saturating_sub(limit);
    // Lower the level of the `count` longest strings to that of the next one until enough is cut.
    for (index, &level) in lengths.iter().enumerate() {
        let count = index + 1;
        let next = lengths.get(count).copied().unwrap_or(0).max(SHORTEST);
        let gain = count * level.saturating_sub(next);
        if gain >= excess {
            return level - excess.div_ceil(count);
        }
        excess -= gain;
    }
    SHORTEST
}

/// Writes a JSON string cut to `length`, quotes and mark included, between two characters.
fn push_cut(out: &mut Vec<u8>, string: &[u8], length: usize) {
    let room = length.saturating_sub(1 + MARK.len());
    let mut end = 1;
    while end < string.len() {
        let character = match string[end] {
            b'\\' if string.get(end + 1) == Some(&b'u') => 6,
            b'\\' => 2,
            0x00..=0x7f => 1,
            0x80..=0xdf => 2,
            0xe0..=0xef => 3,
            _ => 4,
        };
        if end + character > room {
            break;
        }
        end += character;
    }
    out.extend_from_slice(&string[..end]);
    out.extend_from_slice(MARK.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn cut(value: &Value, limit: usize) -> Value {
        let text = serde_json::to_vec(value).unwrap();
        let out = super::json(&text, limit);
        assert!(out.len() <= limit, "{} > {limit}", out.len());
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn cuts_the_longest_strings_and_only_as_far_as_needed() {
        let value = json!({"long": "x".repeat(1000), "longer": "y".repeat(2000), "short": "z".repeat(40), "n": 1});
        let out = cut(&value, 500);
        assert_eq!(out["short"], value["short"]);
        assert_eq!(out["n"], 1);
        let (long, longer) = (
            out["long"].as_str().unwrap(),
            out["longer"].as_str().unwrap(),
        );
        assert!(long.ends_with(MARK) && longer.ends_with(MARK));
        assert_eq!(long.len(), longer.len());
        assert!(serde_json::to_vec(&out).unwrap().len() >= 498, "{out}");

        let out = cut(&value, 2200);
        assert_eq!(out["long"], value["long"]);
    }

    #[test]
    fn cuts_between_characters_and_escapes() {
        for unit in ["漢", "é", "🚀", "\"", "\u{1}", "\n", "a\\"] {
            let value = json!({"s": unit.repeat(200)});
            for limit in 60..90 {
                let out = cut(&value, limit);
                let kept = out["s"].as_str().unwrap().strip_suffix(MARK).unwrap();
                assert!(value["s"].as_str().unwrap().starts_with(kept));
            }
        }
    }

    #[test]
    fn leaves_out_elements_when_strings_are_not_the_cause() {
        let value = json!({"a": (0..1000).collect::<Vec<_>>(), "b": {"c": [[1, 2], {"d": "e".repeat(100)}]}});
        for limit in 2..300 {
            cut(&value, limit);
        }
        let out = cut(&value, 100);
        assert_eq!(out["a"][0], 0);
        assert!(out.get("b").is_none());
    }

    #[test]
    fn cuts_plain_text_on_a_character() {
        assert_eq!(
            text("漢漢漢漢漢漢".as_bytes(), 18),
            "漢[Truncated...]".as_bytes()
        );
        assert_eq!(text(&[0x80; 40], 20), MARK.as_bytes());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            ".{0,300}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 60, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..8)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_result_fits_and_is_json(value in any_json(), limit in 16_usize..2000) {
            let text = serde_json::to_vec(&json!({"root": value})).unwrap();
            let out = super::json(&text, limit);
            prop_assert!(out.len() <= limit);
            prop_assert!(serde_json::from_slice::<Value>(&out).is_ok(), "{}\n{}", String::from_utf8_lossy(&text), String::from_utf8_lossy(&out));
            if text.len() <= limit {
                prop_assert_eq!(out, text);
            }
        }
    }
}

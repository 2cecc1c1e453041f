use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn cut(value: &Value, limit: usize) -> Value {
    let text = serde_json::to_vec(value).unwrap();
    let out = super::json(&text, limit, None);
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
    assert!(long.len().abs_diff(longer.len()) <= 1);
    assert_eq!(serde_json::to_vec(&out).unwrap().len(), 500, "{out}");

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
fn short_fields_stay_whatever_comes_first() {
    let giants = [
        json!("x".repeat(5000)),
        json!((0..2000).collect::<Vec<_>>()),
        json!([[(0..2000).collect::<Vec<_>>()]]),
        json!(vec!["y".repeat(100); 50]),
        json!({"a": {"b": "z".repeat(5000)}}),
        json!(
            (0..500)
                .map(|n| (n.to_string(), json!(n)))
                .collect::<serde_json::Map<_, _>>()
        ),
        json!(vec![json!({"n": 1, "s": "text"}); 300]),
    ];
    for giant in giants {
        let value =
            json!({"giant": giant, "level": "info", "ok": true, "tags": ["a", 1], "at": "now"});
        for limit in [100, 400, 900, 2000] {
            let out = cut(&value, limit);
            for key in ["level", "ok", "tags", "at"] {
                assert_eq!(out[key], value[key], "{out}");
            }
            assert!(
                serde_json::to_vec(&out).unwrap().len() > limit - 30,
                "{out}"
            );
        }
    }
}

#[test]
fn only_what_is_longest_is_shortened() {
    let value =
        json!({"text": "x".repeat(200), "list": vec![7; 500], "map": {"a": "y".repeat(300)}});
    let out = cut(&value, 1200);
    assert_eq!((&out["text"], &out["map"]), (&value["text"], &value["map"]));
    let list = out["list"].as_array().unwrap().len();
    assert!((325..340).contains(&list), "{list}");
}

#[test]
fn the_same_rule_holds_within_a_container() {
    let inner = json!({"huge": vec![1; 1000], "id": 7, "log": "x".repeat(1000), "end": "."});
    let out = cut(&json!({"outer": [inner, 8], "id": 9}), 600);
    let inner = &out["outer"][0];
    assert_eq!((&out["outer"][1], &out["id"]), (&json!(8), &json!(9)));
    assert_eq!((&inner["id"], &inner["end"]), (&json!(7), &json!(".")));
    let log = inner["log"].as_str().unwrap().len();
    let huge = inner["huge"].as_array().unwrap().len();
    assert!(log.abs_diff(2 * huge) < 5, "{log} {huge}");
}

#[test]
fn what_has_no_room_goes_the_longest_first() {
    let value = json!({"one": "short", "k".repeat(100): "v", "two": "short", "last": "short"});
    assert_eq!(
        cut(&value, 60),
        json!({"one": "short", "two": "short", "last": "short"})
    );
    assert_eq!(cut(&value, 30), json!({"one": "short", "two": "short"}));
    assert_eq!(cut(&json!([1, 22, 3, 4]), 6), json!([1, 22]));
    for limit in 2..100 {
        cut(&value, limit);
    }
    let text = serde_json::to_vec(&value).unwrap();
    let out = super::json(&text, 30, Some(b"\"last\":"));
    assert_eq!(out, br#"{"one":"short","last":"short"}"#);
}

/// Of many values none is left as a mark alone where there may be more of fewer.
#[test]
fn many_long_values_are_left_long_enough_to_be_read() {
    let value = json!({"list": vec!["x".repeat(1000); 5000], "id": 1});
    let out = cut(&value, 1_000_000);
    let list = out["list"].as_array().unwrap();
    assert!(list[0].as_str().unwrap().len() > 200);
    assert!((3900..4100).contains(&list.len()), "{}", list.len());
    assert_eq!(out["id"], 1);
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
        let out = super::json(&text, limit, None);
        prop_assert!(out.len() <= limit);
        prop_assert!(serde_json::from_slice::<Value>(&out).is_ok(), "{}\n{}", String::from_utf8_lossy(&text), String::from_utf8_lossy(&out));
        if text.len() <= limit {
            prop_assert_eq!(out, text);
        }
    }
}

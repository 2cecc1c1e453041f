use serde_json::{Value, json};

fn cut(value: &Value, limit: usize) -> Value {
    let text = serde_json::to_vec(value).unwrap();
    let out = super::json(&text, limit, None);
    assert!(out.len() <= limit, "{} > {limit}", out.len());
    serde_json::from_slice(&out).unwrap()
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

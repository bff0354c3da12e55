//! Bodies.

use serde_json::{Value, json};

use super::world::{Faults, World};

fn odd_values() -> Vec<Value> {
    let texts = ["", " ", "a#b", "a/b", "..", "\0", "ü", "\u{202e}", "null"].map(Value::from);
    let long = [65, 300, 70_000].map(|length| Value::from("x".repeat(length)));
    let rest = [
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!([]),
        json!({}),
        json!([[]]),
        json!([7]),
        json!([null]),
        json!({"a": {"b": []}}),
        json!(vec!["a"; 101]),
        json!((0..200).map(|n| n.to_string()).collect::<Vec<_>>()),
    ];
    [texts.to_vec(), long.to_vec(), rest.to_vec()].concat()
}

/// A body with each of its values replaced by something odd or left out.
fn distortions(body: &Value) -> Vec<Value> {
    let mut all = odd_values();
    match body {
        Value::Object(members) => {
            for (name, member) in members {
                let mut less = members.clone();
                less.remove(name);
                all.push(less.into());
                for odd in distortions(member) {
                    let mut other = members.clone();
                    other.insert(name.clone(), odd);
                    all.push(other.into());
                }
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                for odd in distortions(item) {
                    let mut other = items.clone();
                    other[place] = odd;
                    all.push(other.into());
                }
            }
        }
        _ => {}
    }
    all
}

#[tokio::test]
async fn a_body_that_is_not_as_the_document_says_is_refused() {
    let world = World::start().await;
    let before = world.api.dump();
    let (mut faults, mut allowed) = (Faults::default(), Vec::new());
    for operation in world.operations() {
        let Some(schema) = &operation.body else { continue };
        for body in distortions(&world.good_body(&operation)) {
            let ask = world.ask(&operation, body.to_string());
            if world.api.document.violation(schema, &body).is_some() {
                faults.expect_refusal(&ask, &world.send(&ask).await);
            } else {
                allowed.push(ask);
            }
        }
    }
    assert_eq!(world.api.dump(), before, "something was written");
    for ask in allowed {
        faults.expect_no_fault_of_ours(&ask, &world.send(&ask).await);
    }
    faults.none();
}

/// Bodies that are no JSON, or no JSON that anything here takes.
fn unreadable() -> Vec<Vec<u8>> {
    let deep = |open: &str, length| open.repeat(length).into_bytes();
    let texts: [&[u8]; 26] = [
        b"",
        b" ",
        b"\n\n",
        b"{",
        b"}",
        b"{]",
        b"{\"images\"",
        b"{\"images\":}",
        b"{\"images\":[}",
        b"[1,]",
        b"NaN",
        b"{\"images\":NaN}",
        b"Infinity",
        b"1e999",
        b"-",
        b"nul",
        b"'a'",
        b"\"a",
        b"{} {}",
        b"\xff\xfe{}",
        b"{\"images\":[\"\xff\"]}",
        b"{\"images\":[\"\\ud800\"]}",
        b"{\"\\udfff\":1}",
        b"{\"name\":\"\x01\"}",
        b"images=a",
        b"\xef\xbb\xbf{}",
    ];
    let mut all = texts.map(<[u8]>::to_vec).to_vec();
    for open in ["[", "{\"a\":", "[[{\"images\":"] {
        all.push(deep(open, 100_000));
    }
    all.push([deep("[", 100_000), deep("]", 100_000)].concat());
    all
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused() {
    let world = World::start().await;
    let before = world.api.dump();
    let mut faults = Faults::default();
    for operation in world.operations() {
        if operation.body.is_some() {
            for body in unreadable() {
                let ask = world.ask(&operation, body);
                faults.expect_refusal(&ask, &world.send(&ask).await);
            }
            // Deep inside a key that nobody knows.
            let good = world.good_body(&operation).to_string();
            for open in ["[", "{\"a\":"] {
                let deep = format!("{{\"unknown\":{},", open.repeat(100_000));
                let ask = world.ask(&operation, good.replacen('{', &deep, 1));
                faults.expect_refusal(&ask, &world.send(&ask).await);
            }
            // A key that is given twice means two things, and one of them would be ignored.
            let twice = good.replacen(
                '{',
                "{\"images\":[\"a\"],\"member\":\"a\",\"name\":\"a\",\"op\":\"add\",\"status\":\"\",",
                1,
            );
            let ask = world.ask(&operation, twice);
            faults.expect_refusal(&ask, &world.send(&ask).await);
        } else if operation.statuses().contains(&400) {
            for body in ["{}", "x"] {
                let ask = world.ask(&operation, body);
                let answer = world.send(&ask).await;
                faults.expect_refusal(&ask, &answer);
                assert!(answer.message().contains("body"), "{answer:?}");
            }
        }
        if !operation.is_open {
            let answer = world.send(&world.ask(&operation, vec![b' '; 12_000_000])).await;
            assert_eq!(answer.status, 413, "{} {answer:?}", operation.id);
        }
    }
    assert_eq!(world.api.dump(), before, "something was written");
    faults.none();
}

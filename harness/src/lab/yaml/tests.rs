use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn read(text: &str) -> (Option<Node>, Diagnostics) {
    let mut ctx = Diagnostics::new();
    let node = parse(Path::new("x.yaml"), text, &mut ctx);
    (node, ctx)
}

fn tree(text: &str) -> Node {
    let (node, ctx) = read(text);
    node.unwrap_or_else(|| panic!("{:?}", ctx.iter().map(ToString::to_string).collect::<Vec<_>>()))
}

#[test]
fn keeps_order_places_and_spelling() {
    let node = tree("b: 1.10\na:\n  - x\n  - {k: 010}\n");
    let mapping = node.as_mapping().expect("a mapping");
    assert_eq!(mapping.entries.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(node.get("b").and_then(Node::as_text), Some("1.10"));
    let inner = node.get("a").and_then(Node::as_sequence).and_then(|items| items[1].get("k")).expect("k");
    assert_eq!((inner.at.line, inner.at.column, inner.at.width), (4, 9, 3));
    assert_eq!(inner.to_json(), serde_json::json!(8));
}

#[test]
fn resolves_aliases_and_merge_keys() {
    let node = tree("base: &b {x: 1, y: 2}\nmine:\n  <<: *b\n  y: 3\n");
    assert_eq!(node.get("mine").map(Node::to_json), Some(serde_json::json!({"y": 3, "x": 1})));
}

#[rstest]
#[case::duplicate("a: 1\nb: 2\na: 3\n", 3, 1, "given twice")]
#[case::unclosed("a: [1, 2\nb: 3\n", 2, 0, "not valid YAML")]
#[case::two_documents("a: 1\n---\nb: 2\n", 3, 1, "one document")]
#[case::complex_key("? [a]\n: 1\n", 1, 3, "plain word")]
#[case::merge_of_text("a:\n  <<: x\n", 2, 7, "merge key")]
#[case::unknown_alias("a: *x\n", 1, 4, "not valid YAML")]
fn refuses_with_the_place(#[case] text: &str, #[case] line: u32, #[case] column: u32, #[case] message: &str) {
    let (node, ctx) = read(text);
    assert!(node.is_none());
    let noted = ctx.iter().next().expect("a diagnostic");
    assert!(noted.message.contains(message), "{}", noted.message);
    assert_eq!(noted.at.line, line, "{noted}");
    if column > 0 {
        assert_eq!(noted.at.column, column, "{noted}");
    }
}

#[rstest]
#[case::indent("a:\n\tb: 1\n", Some("indent with spaces: YAML takes no tabs there"))]
#[case::after_a_dash("a:\n  -\tb: 1\n\tc: 2\n", Some("write spaces instead of the tab"))]
#[case::star("hops: [* , a]\n", None)]
#[case::backtick("a: `b`\n", Some("what begins with one of * ` @ % needs quotes"))]
#[case::unclosed("a: [1, 2\nb: 3\n", None)]
fn what_is_no_yaml_says_what_to_write(#[case] text: &str, #[case] help: Option<&str>) {
    let (node, noted) = read(text);
    assert_eq!(node, None, "{text:?}");
    assert_eq!(noted.iter().next().and_then(|one| one.help.as_deref()), help, "{text:?}");
}

#[test]
fn an_alias_bomb_does_not_go_off() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let refs = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{refs}]\n"));
    }
    let (node, ctx) = read(&text);
    assert!(node.is_none());
    assert!(ctx.iter().any(|noted| noted.message.contains("aliases")));
}

#[test]
fn places_inside_a_literal_block_are_those_of_the_file() {
    let text = "patches:\n- |\n  kind: X\n  spec:\n    deep: 1\n- \"kind: Y\"\n";
    let mut ctx = Diagnostics::new();
    let node = parse(Path::new("x.yaml"), text, &mut ctx).expect("valid");
    let items = node.get("patches").and_then(Node::as_sequence).expect("a list");
    let block = parse_block(&items[0], &mut ctx).expect("valid");
    let deep = block[0].get("spec").and_then(|spec| spec.get("deep")).expect("deep");
    assert_eq!((deep.at.line, deep.at.column), (5, 11));
    let quoted = parse_block(&items[1], &mut ctx).expect("valid");
    assert_eq!(quoted[0].get("kind").map(|kind| kind.at.line), Some(6));
}

#[test]
fn a_diagnostic_shows_the_line_with_a_caret() {
    let mut ctx = Diagnostics::new();
    let node = parse(Path::new("lab/topo.yaml"), "name: x\nkind: lunix\n", &mut ctx).expect("valid");
    let kind = node.get("kind").expect("kind");
    choice(kind, "a kind of node", &[("linux", 1), ("bridge", 2)], &mut ctx);
    let shown = ctx.iter().next().map(ToString::to_string).expect("a diagnostic");
    insta::assert_snapshot!(shown, @r#"
    error: "lunix" is not a kind of node
     --> lab/topo.yaml:2:7
      |
    2 | kind: lunix
      |       ^^^^^
      |
      = help: write one of `linux`, `bridge`
    "#);
}

#[test]
fn unknown_keys_name_the_nearest() {
    let mut ctx = Diagnostics::new();
    let node = parse(Path::new("x.yaml"), "exce: 1\nqqqqqq: 2\nlicense: 3\n", &mut ctx).expect("valid");
    let mut fields = Fields::of(&node, "a node", &mut ctx).expect("a mapping");
    fields.node("exec");
    fields.not_honoured(&["license"], "nothing here needs one", &mut ctx);
    fields.finish(&mut ctx);
    let lines: Vec<String> =
        ctx.into_sorted().iter().map(|noted| format!("{noted:#} / {:?}", noted.help)).collect();
    assert_eq!(
        lines,
        [
            "x.yaml:1:1: error: a node has no key `exce` / Some(\"did you mean `exec`?\")",
            "x.yaml:2:1: error: a node has no key `qqqqqq` / Some(\"it has `exec`, `license`\")",
            "x.yaml:3:1: warning: `license` of a node is not honoured: nothing here needs one / None",
        ]
    );
}

#[rstest]
#[case("2s", Some(2000))]
#[case("500ms", Some(500))]
#[case("1m30s", Some(90_000))]
#[case("7", Some(7000))]
#[case("1.5s", Some(1500))]
#[case("s", None)]
#[case("2", Some(2000))]
#[case("2 s", None)]
#[case("-1s", None)]
#[case("1e99h", None)]
#[case("99999999999999999999h", None)]
fn durations(#[case] text: &str, #[case] millis: Option<u64>) {
    let mut ctx = Diagnostics::new();
    let node = tree(&format!("d: \"{text}\"\n"));
    let read = Duration::from_tree(node.get("d").expect("d"), &mut ctx);
    assert_eq!(read, millis.map(Duration::from_millis));
    assert_eq!(ctx.is_empty(), millis.is_some());
}

#[rstest]
#[case("0x1F", serde_json::json!(31))]
#[case("0644", serde_json::json!(420))]
#[case("-7", serde_json::json!(-7))]
#[case("1.5", serde_json::json!(1.5))]
#[case("1.2.3", serde_json::json!("1.2.3"))]
#[case("10.0.0.1", serde_json::json!("10.0.0.1"))]
#[case("yes", serde_json::json!(true))]
#[case("'yes'", serde_json::json!("yes"))]
#[case("~", serde_json::json!(null))]
#[case("-", serde_json::json!([null]))]
#[case("0x", serde_json::json!("0x"))]
#[case("089", serde_json::json!(89.0))]
#[case("18446744073709551615", serde_json::json!(u64::MAX))]
fn scalars_mean_what_kubernetes_takes_them_for(#[case] text: &str, #[case] json: serde_json::Value) {
    assert_eq!(
        tree(&format!("v: {text}\n").replace("v: -\n", "v:\n-\n")).get("v").map(Node::to_json),
        Some(json)
    );
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_never_a_panic(text in "[ -~\n]{0,200}") {
        let (node, ctx) = read(&text);
        prop_assert_eq!(node.is_none(), ctx.has_errors());
        for noted in &ctx {
            prop_assert!(!noted.to_string().is_empty());
        }
    }

    #[test]
    fn any_yaml_like_text_is_read_or_refused(text in "([a-c*&<:|>\\[\\]{}\"' \n-]|: |\n  |- ){0,60}") {
        let (node, ctx) = read(&text);
        prop_assert_eq!(node.is_none(), ctx.has_errors());
    }

    #[test]
    fn json_comes_back_as_it_went(keys in prop::collection::vec("[a-z]{1,6}", 0..6), number in any::<i64>()) {
        let json: serde_json::Value = keys.iter().map(|key| (key.clone(), serde_json::json!([number, key, null, true])))
            .collect::<serde_json::Map<_, _>>().into();
        let text = serde_json::to_string_pretty(&json).expect("json");
        prop_assert_eq!(tree(&text).to_json(), json);
    }

    #[test]
    fn any_duration_text_is_no_panic(text in "[0-9.a-z]{0,12}") {
        let node = Node { value: Value::Scalar(Scalar { text, style: Style::Quoted }), at: Location::default() };
        let _ = Duration::from_tree(&node, &mut Diagnostics::new());
    }
}

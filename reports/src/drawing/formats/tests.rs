//! What the formats look like, and that names are text in each of them. The programs that read them are asked where they are there.

use std::io::Write as _;
use std::process::{Command, Stdio};

use quick_xml::Reader;
use quick_xml::events::Event;
use rstest::rstest;

use super::super::samples::{article, clos, node, ring};
use super::super::{Drawing, Scene};
use super::{dot, drawio, mermaid};
use crate::record::Role;

const EVIL: &str = "a\"b\\c<script>&#;|{}[]`]\n\"]; click n0";

fn evil() -> Scene {
    let mut scene = article();
    scene
        .topology
        .nodes
        .push(crate::record::Node { rack: Some(EVIL.into()), ..node(EVIL, Role::ClusterNode) });
    let end = |node: &str| crate::record::LinkEnd { node: node.into(), interface: EVIL.into() };
    scene.topology.links.push(crate::record::Link { ends: [end(EVIL), end("tor0")] });
    scene
}

#[test]
fn a_flowchart() {
    insta::assert_snapshot!(mermaid(&Drawing::of(&article()), "bgp-cplane-demo"));
}

#[test]
fn a_graph() {
    insta::assert_snapshot!(dot(&Drawing::of(&article()), "bgp-cplane-demo"));
}

#[test]
fn a_file_to_edit() {
    insta::assert_snapshot!(drawio(&Drawing::of(&article()), "bgp-cplane-demo"));
}

#[rstest]
#[case(article())]
#[case(clos(&[2, 4, 8], 3))]
#[case(ring(5))]
#[case(evil())]
#[case(Scene::default())]
fn what_is_written_for_draw_io_is_sound(#[case] scene: Scene) {
    let text = drawio(&Drawing::of(&scene), EVIL);
    let mut reader = Reader::from_str(&text);
    reader.config_mut().check_end_names = true;
    let (mut ids, mut named) = (Vec::new(), Vec::new());
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(tag) | Event::Empty(tag) if tag.name().as_ref() == b"mxCell" => {
                for attribute in tag.attributes() {
                    let attribute = attribute.expect("well-formed");
                    let value = String::from_utf8_lossy(&attribute.value).into_owned();
                    match attribute.key.as_ref() {
                        b"id" => ids.push(value),
                        b"source" | b"target" | b"parent" => named.push(value),
                        _ => {}
                    }
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(named.iter().all(|name| ids.contains(name)), "every cell that is named is there");
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "each id is there once");
}

#[rstest]
#[case(article())]
#[case(clos(&[2, 4, 8], 3))]
#[case(evil())]
#[case(Scene::default())]
fn graphviz_reads_what_is_written_for_it(#[case] scene: Scene) {
    let text = dot(&Drawing::of(&scene), EVIL);
    let run = Command::new("dot")
        .arg("-Tsvg")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut run) = run else {
        eprintln!("skipped: no graphviz on this machine");
        return;
    };
    run.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("dot reads");
    let done = run.wait_with_output().expect("dot ends");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && !said.contains("rror"), "{said}");
    let svg = String::from_utf8_lossy(&done.stdout);
    assert_eq!(svg.matches("class=\"node\"").count(), scene.topology.nodes.len());
    assert!(!svg.contains("<script"));
}

#[test]
fn names_are_text_in_a_flowchart() {
    let text = mermaid(&Drawing::of(&evil()), EVIL);
    assert!(!text.contains("script>") && !text.contains("b\\c"), "{text}");
    assert!(text.lines().all(|line| !line.trim_start().starts_with("click")));
}

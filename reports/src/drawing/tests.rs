//! Pictures of whole fabrics: nothing lies on anything else, nothing is lost, and what it looks like.

use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::Event;
use rstest::rstest;

use super::samples::{article, clos, link, node, ring};
use super::*;
use crate::record::{Node, Role, Topology};

/// What is wrong with the picture of a scene.
fn wrong(scene: &Scene) -> Vec<String> {
    let drawing = Drawing::of(scene);
    let mut wrong = Vec::new();
    let sheet = Area { x: 0.0, y: 0.0, width: drawing.width, height: drawing.height };
    for (at, drawn) in drawing.boxes.iter().enumerate() {
        if !sheet.contains(&drawn.area) {
            wrong.push(format!("{} is not inside: {:?} of {sheet:?}", drawn.name, drawn.area));
        }
        for other in &drawing.boxes[at + 1..] {
            if drawn.area.overlaps(&other.area) {
                wrong.push(format!("{} lies on {}", drawn.name, other.name));
            }
        }
        for pod in &drawn.pods {
            if !drawn.area.contains(&pod.area) {
                wrong.push(format!("{} is not on {}", pod.pod, drawn.name));
            }
        }
    }
    for (at, rack) in drawing.racks.iter().enumerate() {
        if !sheet.contains(&rack.area) {
            wrong.push(format!("{} is not inside", rack.name));
        }
        for drawn in drawing.boxes.iter().filter(|drawn| rack.area.overlaps(&drawn.area)) {
            if !rack.area.contains(&drawn.area) {
                wrong.push(format!("{} is half in {}", drawn.name, rack.name));
            }
            if drawn.role != Role::Router && drawn.rack.as_deref() != Some(rack.name.as_str()) {
                wrong.push(format!("{} is in {}", drawn.name, rack.name));
            }
        }
        wrong.extend(
            drawing.racks[at + 1..]
                .iter()
                .filter(|other| rack.area.overlaps(&other.area))
                .map(|other| format!("{} lies on {}", rack.name, other.name)),
        );
    }
    for line in &drawing.links {
        for point in &line.points {
            let dot = Area { x: point.x, y: point.y, ..Area::default() };
            if !sheet.contains(&dot) {
                wrong.push(format!("a link of {} leaves the picture", line.ends[0].node));
            }
        }
        for (end, point) in [(0, line.points[0]), (1, line.points[line.points.len() - 1])] {
            let own = drawing.boxes.iter().find(|drawn| drawn.name == line.ends[end].node);
            let on_edge = own.is_some_and(|own| {
                let (inner, outer) = (own.area.grown(-0.5), own.area.grown(0.5));
                let dot = Area { x: point.x, y: point.y, ..Area::default() };
                outer.contains(&dot) && !inner.contains(&dot)
            });
            if !on_edge {
                wrong.push(format!("a link does not end at {}", line.ends[end].node));
            }
        }
    }
    wrong
}

/// Boxes that a link crosses, though it does not end there.
fn crossed(scene: &Scene) -> Vec<String> {
    let drawing = Drawing::of(scene);
    let mut crossed = Vec::new();
    for line in &drawing.links {
        for drawn in &drawing.boxes {
            if line.ends.iter().any(|end| end.node == drawn.name) {
                continue;
            }
            let inside = drawn.area.grown(-1.0);
            for pair in line.points.windows(2) {
                let hit = (0..=64).any(|step| {
                    let at = pair[0].towards(pair[1], f64::from(step) / 64.0);
                    inside.contains(&Area { x: at.x, y: at.y, ..Area::default() })
                });
                if hit {
                    crossed
                        .push(format!("{} to {} over {}", line.ends[0].node, line.ends[1].node, drawn.name));
                }
            }
        }
    }
    crossed.dedup();
    crossed
}

/// The names of all elements, after the text was read as XML with all its closing tags.
fn elements(svg: &str) -> Vec<String> {
    let mut reader = Reader::from_str(svg);
    reader.config_mut().check_end_names = true;
    let mut names = Vec::new();
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(tag) | Event::Empty(tag) => {
                let attributes: Result<Vec<_>, _> = tag.attributes().collect();
                attributes.expect("attributes are well-formed");
                names.push(String::from_utf8_lossy(tag.name().as_ref()).into_owned());
            }
            Event::Eof => return names,
            _ => {}
        }
    }
}

#[rstest]
#[case::article(article())]
#[case::one_tier(clos(&[3], 2))]
#[case::two_tiers(clos(&[2, 4], 4))]
#[case::three_tiers(clos(&[2, 4, 8], 3))]
#[case::four_tiers(clos(&[2, 2, 4, 4], 2))]
#[case::no_nodes(clos(&[4, 8], 0))]
#[case::two_hundred(clos(&[4, 16], 12))]
#[case::single(Scene::of(&Topology { nodes: vec![node("r", Role::Router)], links: Vec::new() }))]
#[case::nothing(Scene::default())]
#[case::triangle(ring(3))]
#[case::ring(ring(12))]
#[case::large_ring(ring(60))]
fn nothing_lies_on_anything_else(#[case] scene: Scene) {
    assert_eq!(wrong(&scene), Vec::<String>::new());
    assert_eq!(crossed(&scene), Vec::<String>::new());
    elements(&Svg { style: true, ..Svg::default() }.render(&Drawing::of(&scene)));
}

#[test]
fn the_articles_fabric_has_no_crossings_and_its_racks_hold_their_routers() {
    let drawing = Drawing::of(&article());
    let y = |name: &str| drawing.node(name).map(|drawn| drawn.area.y);
    assert!(y("router0") < y("tor0") && y("tor0") < y("worker") && y("tor0") == y("tor1"));
    let holds = |rack: &str, name: &str| {
        let rack = drawing.racks.iter().find(|known| known.name == rack);
        rack.zip(drawing.node(name)).is_some_and(|(rack, drawn)| rack.area.contains(&drawn.area))
    };
    assert!(
        holds("rack0", "tor0")
            && holds("rack0", "worker")
            && holds("rack1", "tor1")
            && !holds("rack0", "router0")
    );
}

#[test]
fn a_picture_is_the_same_each_time() {
    insta::assert_snapshot!(
        Svg { title: "bgp-cplane-demo", ..Svg::default() }.render(&Drawing::of(&article()))
    );
}

#[test]
fn a_path_follows_links_and_begins_and_ends_at_pods() {
    let drawing = Drawing::of(&article());
    let way = drawing.path(&[
        "default/nettool-1",
        "worker",
        "tor0",
        "router0",
        "tor1",
        "server3",
        "default/nettool-2",
    ]);
    let chip = |node: &str| drawing.node(node).map(|drawn| drawn.pods[0].area.center());
    assert_eq!((way.first().copied(), way.last().copied()), (chip("worker"), chip("worker3")));
    let link = &drawing.links[0].points;
    let up: Vec<Point> = link.iter().rev().copied().collect();
    assert!(way.windows(up.len()).any(|part| part == up), "the link from tor0 to router0 is part of the way");
    assert_eq!(drawing.path(&["worker"]), []);
    assert_eq!(drawing.path(&["worker", "nobody"]), []);
}

#[test]
fn names_are_text_whatever_they_are() {
    let evil = "<script>alert(\"1\")</script>&'\u{0}\u{7}";
    let mut scene = article();
    scene.topology.nodes.push(Node {
        rack: Some(evil.into()),
        also: vec![evil.into()],
        ..node(evil, Role::ClusterNode)
    });
    scene.topology.links.push(crate::record::Link {
        ends: [
            crate::record::LinkEnd { node: evil.into(), interface: evil.into() },
            crate::record::LinkEnd { node: "tor0".into(), interface: evil.into() },
        ],
    });
    scene.pods.push(Pod { name: evil.into(), node: evil.into() });
    scene.sessions.push([evil.into(), "router0".into()]);
    let svg = Svg { prefix: "x-", title: evil, interactive: true, style: true }.render(&Drawing::of(&scene));
    assert!(!elements(&svg).iter().any(|name| name == "script"));
    assert!(svg.contains("data-node=\"&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;\""));
    let ids = svg.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next());
    for id in ids {
        assert!(id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_'), "{id}");
    }
}

#[test]
fn ids_are_there_once() {
    let mut scene = clos(&[2, 3], 2);
    scene.sessions.push(["spine0".into(), "w0-0".into()]);
    let svg = Svg::default().render(&Drawing::of(&scene));
    let mut ids: Vec<&str> = svg.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[test]
fn a_link_to_nowhere_is_left_out() {
    let topology = Topology {
        nodes: vec![node("a", Role::Router)],
        links: vec![link("a:x", "b:y"), link("a:l", "a:m")],
    };
    let drawing = Drawing::of(&Scene::of(&topology));
    assert_eq!(drawing.links.len(), 1, "the loop is drawn, the other is not");
}

#[test]
fn the_clusters_name_before_its_nodes_is_not_written() {
    let mut scene = article();
    for node in scene.topology.nodes.iter_mut().filter(|node| node.role == Role::ClusterNode) {
        node.name.insert_str(0, "clab-demo-");
    }
    scene.topology.links.clear();
    let drawing = Drawing::of(&scene);
    let title = |name: &str| drawing.node(name).map(|drawn| drawn.title.clone());
    assert_eq!(title("clab-demo-worker2").as_deref(), Some("worker2"));
    assert_eq!(title("clab-demo-control-plane").as_deref(), Some("control-plane"));
    assert_eq!(title("tor0").as_deref(), Some("tor0"));
}

#[test]
fn many_pods_are_counted() {
    let mut scene = article();
    scene.pods = (0..9).map(|at| Pod { name: format!("default/web-{at}"), node: "worker".into() }).collect();
    let drawing = Drawing::of(&scene);
    let worker = drawing.node("worker").expect("it is there");
    assert_eq!((worker.pods.len(), worker.more.as_ref().map(|(_, pods)| pods.len())), (3, Some(6)));
    assert_eq!(wrong(&scene), Vec::<String>::new());
    assert!(Svg::default().render(&drawing).contains("and 6 more pods"));
}

/// Any fabric at all: up to 40 boxes of all roles, any links, some racks, some pods.
fn scenes() -> impl Strategy<Value = Scene> {
    let role = prop_oneof![Just(Role::Router), Just(Role::ClusterNode), Just(Role::Bridge), Just(Role::Host)];
    let one = (role, "[a-z]{1,24}", prop::option::of(0..4u8), prop::option::of(any::<u32>()));
    (
        prop::collection::vec(one, 1..40),
        prop::collection::vec((any::<usize>(), any::<usize>(), "[a-z0-9]{0,14}"), 0..80),
        0..30usize,
    )
        .prop_map(|(boxes, links, pods)| {
            let nodes: Vec<Node> = boxes
                .into_iter()
                .enumerate()
                .map(|(at, (role, name, rack, asn))| Node {
                    name: format!("{name}{at}"),
                    role,
                    asn,
                    rack: rack.map(|rack| format!("rack{rack}")),
                    ..Node::default()
                })
                .collect();
            let name = |at: usize| nodes[at % nodes.len()].name.clone();
            let links = links
                .into_iter()
                .map(|(a, b, interface)| {
                    link(&format!("{}:{interface}", name(a)), &format!("{}:{interface}", name(b)))
                })
                .collect();
            let pods =
                (0..pods).map(|at| Pod { name: format!("default/p{at}"), node: name(at * 7) }).collect();
            Scene { topology: Topology { nodes, links }, pods, sessions: Vec::new() }
        })
}

proptest! {
    #[test]
    fn any_fabric_can_be_drawn(scene in scenes()) {
        prop_assert_eq!(wrong(&scene), Vec::<String>::new());
        elements(&Svg { interactive: true, ..Svg::default() }.render(&Drawing::of(&scene)));
    }
}

//! `fabric graph`: a lab as a file, and a fabric as it is.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::support::{Ground, Running, article};

/// Asks for something of the page; status line and headers, and the body.
fn get(port: u16, path: &str, host: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    let (head, body) = all.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

/// The events of a page, as a browser gets them.
struct Events(BufReader<TcpStream>);

impl Events {
    fn of(port: u16) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(stream, "GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
            .unwrap();
        Self(BufReader::new(stream))
    }

    /// The next event of this name for which `wanted` gives something.
    fn until<T>(&mut self, name: &str, mut wanted: impl FnMut(&str) -> Option<T>) -> T {
        let (mut event, mut data) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the events ended before `{name}`");
            let line = line.trim_end_matches(['\r', '\n']);
            if let Some(rest) = line.strip_prefix("event: ") {
                rest.clone_into(&mut event);
            } else if let Some(rest) = line.strip_prefix("data: ") {
                data.push_str(rest);
            } else if line.is_empty() {
                // An empty line also ends each part of a body whose length nobody knew.
                if event == name
                    && !data.is_empty()
                    && let Some(found) = wanted(&data)
                {
                    return found;
                }
                data.clear();
            }
        }
    }

    /// The next state of which this is so.
    fn state(&mut self, so: impl Fn(&Value) -> bool) -> Value {
        self.until("state", |data| Some(serde_json::from_str(data).unwrap()).filter(&so))
    }
}

fn standing<'a>(state: &'a Value, router: &str, neighbor: &str) -> &'a str {
    let all = state["sessions"].as_array().unwrap();
    let found = all.iter().find(|session| session["node"] == router && session["neighbor"] == neighbor);
    found.map_or("none", |session| session["standing"].as_str().unwrap())
}

fn link<'a>(state: &'a Value, link: &str) -> &'a Value {
    let all = state["links"].as_array().unwrap();
    all.iter().find(|known| known["link"] == link).map_or(&Value::Null, |known| &known["up"])
}

/// Starts the page on a port of its own choice.
fn serve(ground: &Ground) -> (Running, u16) {
    let mut served = ground.start(ground.fabric(&["graph", "--port", "0"]));
    served.says(" until Ctrl-C");
    let said = served.said();
    let port = said.split_once("http://localhost:").unwrap().1.split('/').next().unwrap().parse().unwrap();
    (served, port)
}

#[test]
fn the_page_sees_a_link_go_down() {
    let Some(ground) = Ground::new("the_page_sees_a_link_go_down") else { return };
    let none = ground.run(&["graph"]).code(2);
    assert!(none.err.contains("no fabric is up: `fabric up` brings one up"), "{}", none.err);
    ground.run(&["up", article().to_str().unwrap(), "--to", "underlay"]).code(0);

    let (served, port) = serve(&ground);
    let (head, page) = get(port, "/", "localhost");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("content-security-policy: default-src 'none'; script-src 'self'"), "{head}");
    assert!(page.contains("data-link=\"router0:net0--tor0:net0\"") && page.contains("AS 65010"), "{page}");
    for path in ["/graph.js", "/graph.css", "/drawing.svg", "/api/state"] {
        assert!(get(port, path, "127.0.0.1").0.starts_with("http/1.1 200"), "{path}");
    }
    let (head, _) = get(port, "/api/state", "rebound.example.org");
    assert!(head.starts_with("http/1.1 421"), "a page of somebody else's could read this: {head}");
    assert!(get(port, "/api/box?name=nobody", "localhost").0.starts_with("http/1.1 404"));

    let mut events = Events::of(port);
    events.until("drawing", |svg| svg.contains("<svg").then_some(()));
    events.state(|state| {
        standing(state, "router0", "net0") == "established" && link(state, "router0:net0--tor0:net0") == true
    });
    ground.exec("bgp-cplane-demo", "router0", &["ip", "link", "set", "net0", "down"]);
    events.state(|state| link(state, "router0:net0--tor0:net0") == false);
    let lost = events.state(|state| standing(state, "router0", "net0") == "down");
    assert_eq!(standing(&lost, "router0", "net1"), "established");
    let panel = get(port, "/api/box?name=router0", "localhost").1;
    let panel: Value = serde_json::from_str(&panel).unwrap();
    let titles: Vec<_> =
        panel["sections"].as_array().unwrap().iter().map(|one| one["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["Sessions", "BGP table (RIB)", "Kernel routes (FIB)", "Interfaces"]);
    assert_eq!(panel["sections"][0]["rows"][0][1], "tor0", "{panel}");
    let node = get(port, "/api/box?name=clab-bgp-cplane-demo-worker", "localhost").1;
    assert!(node.contains("10.0.2.1") && node.contains("\"Pods\""), "{node}");

    let taken = ground.run(&["graph", "--port", &port.to_string()]).code(3);
    assert!(taken.err.contains(&format!("port {port} of 127.0.0.1 is taken")), "{}", taken.err);
    assert!(taken.err.contains("is free: `--port "), "{}", taken.err);

    served.signal(Signal::SIGINT);
    served.wait().code(0);
}

#[test]
fn the_page_ends_with_its_fabric() {
    let Some(ground) = Ground::new("the_page_ends_with_its_fabric") else { return };
    ground.run(&["up", article().to_str().unwrap(), "--to", "cluster"]).code(0);
    let (served, port) = serve(&ground);
    let mut events = Events::of(port);
    events.state(|state| state["boxes"]["router0"].is_object());
    ground.run(&["down"]).code(0);
    events.until("gone", |why| why.contains("`fabric up` brings one up").then_some(()));
    let done = served.wait().code(0);
    assert!(done.err.contains("bgp-cplane-demo has ended"), "{}", done.err);
}

#[test]
fn a_lab_is_drawn_with_nothing_running() {
    let Some(ground) = Ground::new("a_lab_is_drawn_with_nothing_running") else { return };
    let lab = article();
    let lab = lab.to_str().unwrap();
    for (format, beginning) in [
        ("svg", "<svg xmlns="),
        ("mermaid", "---\ntitle: \"bgp-cplane-demo\"\n---\nflowchart TB"),
        ("dot", "graph \"bgp-cplane-demo\" {"),
        ("drawio", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<mxfile"),
    ] {
        let out = ground.run(&["graph", lab, "--format", format]).code(0).out;
        assert!(out.starts_with(beginning) && out.contains("AS 65011"), "{out}");
        let file = ground.path("drawn");
        ground.run(&["graph", lab, "--format", format, "-o", file.to_str().unwrap()]).code(0);
        assert_eq!(std::fs::read_to_string(file).unwrap(), out);
    }
    let wrong = ground.run(&["graph", lab, "-o", "drawn"]).code(2);
    assert!(wrong.err.contains("`-o` needs a format"), "{}", wrong.err);
    let nowhere = ground.run(&["graph", lab, "--format", "dot", "-o", "no/such/folder/drawn"]).code(2);
    assert!(nowhere.err.contains("cannot write no/such/folder/drawn"), "{}", nowhere.err);
    assert!(!ground.path("run/fabric").exists(), "nothing was brought up");
}

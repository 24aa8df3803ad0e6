//! The tree: YAML documents as nodes that know their place. Aliases and merge keys are resolved here; duplicate keys
//! are refused here. What a key means is not known here.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value as Json;
use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Span};

use super::diagnostic::Diagnostics;
use super::location::Location;
use super::scalar::{Scalar, Style};

/// A node of a document and where it stands.
///
/// Two nodes are equal when their values are: the place does not count.
#[derive(Debug, Clone)]
pub struct Node {
    /// What is there.
    pub value: Value,
    /// Where it starts.
    pub at: Location,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text, a number, a truth value, or nothing.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping.
    Mapping(Mapping),
}

/// A mapping whose entries stand in the order of the file. Keys are scalars, each there once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mapping {
    /// The entries. Those of a merge key (`<<`) come last.
    pub entries: Vec<Entry>,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key stands.
    pub key_at: Location,
    /// The value.
    pub value: Node,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.value == other.value
    }
}

impl Mapping {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of a key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

impl Node {
    /// A node that says nothing, at a place: stands in for a value that was left out.
    pub fn null(at: Location) -> Self {
        Self { value: Value::Scalar(Scalar { text: String::new(), style: Style::Plain }), at }
    }

    /// The scalar, if it is one.
    pub fn as_scalar(&self) -> Option<&Scalar> {
        if let Value::Scalar(scalar) = &self.value { Some(scalar) } else { None }
    }

    /// The text of a scalar as it was written, whatever it may mean (`010` is `010`).
    pub fn as_text(&self) -> Option<&str> {
        self.as_scalar().map(|scalar| scalar.text.as_str())
    }

    /// The items, if it is a list.
    pub fn as_sequence(&self) -> Option<&[Node]> {
        if let Value::Sequence(items) = &self.value { Some(items) } else { None }
    }

    /// The mapping, if it is one.
    pub fn as_mapping(&self) -> Option<&Mapping> {
        if let Value::Mapping(mapping) = &self.value { Some(mapping) } else { None }
    }

    /// The value of a key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_mapping()?.get(key)
    }

    /// Whether it says nothing (`key:`, `~`, `null`).
    pub fn is_null(&self) -> bool {
        self.as_scalar().is_some_and(Scalar::is_null)
    }

    /// What it is, for messages: `a list`, `a mapping`, `the text "x"`, `nothing`.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Sequence(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
            Value::Scalar(scalar) if scalar.is_null() => "nothing".to_owned(),
            Value::Scalar(scalar) => {
                let mut text: String = scalar.text.chars().take(40).collect();
                if text.len() < scalar.text.len() {
                    text.push_str("...");
                }
                format!("{text:?}")
            }
        }
    }

    /// The value as JSON, types guessed as Kubernetes' own YAML reader does; keys keep their order.
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Scalar(scalar) => scalar.to_json(),
            Value::Sequence(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Value::Mapping(mapping) => Json::Object(
                mapping.entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect(),
            ),
        }
    }
}

/// Reads a file of one document. A file of several is an error; an empty one is a node that says nothing.
///
/// `shown` is the name of the file in messages. Returns `None` when the text is not YAML (which is then noted in `ctx`).
pub fn parse(shown: &Path, text: &str, ctx: &mut Diagnostics) -> Option<Node> {
    let mut documents = parse_all(shown, text, ctx)?;
    if let Some(second) = documents.get(1) {
        ctx.error(&second.at, "this file must hold one document, and here a second one begins")
            .help("remove the `---`, or move what follows into a file of its own");
        return None;
    }
    Some(documents.pop().unwrap_or_else(|| Node::null(Location::start_of(shown))))
}

/// Reads a file of any number of documents. Documents that hold nothing are left out.
pub fn parse_all(shown: &Path, text: &str, ctx: &mut Diagnostics) -> Option<Vec<Node>> {
    ctx.add_source(shown, text);
    Reader { place: Place::File(shown), text, anchors: HashMap::new(), nodes: 0 }.documents(ctx)
}

/// Reads the YAML inside a scalar (kind's `kubeadmConfigPatches`, say). Places are those of the file around it when the
/// scalar is a literal block (`|`), else the scalar's own.
pub fn parse_block(node: &Node, ctx: &mut Diagnostics) -> Option<Vec<Node>> {
    let Some(scalar) = node.as_scalar() else {
        ctx.error(&node.at, format!("expected YAML inside a text block, found {}", node.describe()))
            .help("write it as a block: `|` and, indented below it, the YAML");
        return None;
    };
    let place = match block_in_file(&node.at, scalar, ctx) {
        Some((first_line, indent)) => Place::Block { file: &node.at.file, first_line, indent },
        None => Place::Scalar(&node.at),
    };
    Reader { place, text: &scalar.text, anchors: HashMap::new(), nodes: 0 }.documents(ctx)
}

/// On which line of its file the first line of a literal block stands, and by how many characters the block is
/// indented there. The parser gives a block's place only roughly, so the file's lines are compared with the block's.
fn block_in_file(at: &Location, scalar: &Scalar, ctx: &Diagnostics) -> Option<(u32, u32)> {
    if scalar.style != Style::Literal {
        return None;
    }
    let said: Vec<(u32, &str)> =
        (0..).zip(scalar.text.lines()).filter(|(_, line)| !line.trim().is_empty()).collect();
    let (first, first_text) = *said.first()?;
    let outer = |line: u32| ctx.source_line(&Location { line, ..at.clone() }).unwrap_or_default();
    let start = (at.line.saturating_sub(first + 1)..=at.line + 1)
        .find(|start| said.iter().all(|(offset, line)| outer(start + offset).ends_with(line)))?;
    let indent = outer(start + first).chars().count() - first_text.chars().count();
    Some((start, indent as u32))
}

/// How places in the text being read are places in a file.
enum Place<'a> {
    /// The text is the file.
    File(&'a Path),
    /// The text is a literal block.
    Block { file: &'a Path, first_line: u32, indent: u32 },
    /// The text is some other scalar: everything in it is "there".
    Scalar(&'a Location),
}

/// More nodes than any lab has: an alias that refers to aliases must not fill the memory.
const MAX_NODES: usize = 200_000;

/// What to write instead on a line that the parser refuses, where that can be told from the line.
fn syntax_help(line: &str) -> Option<&'static str> {
    let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
    let plain = line.trim_start().trim_start_matches("- ");
    if indent.contains('\t') {
        Some("indent with spaces: YAML takes no tabs there")
    } else if line.contains('\t') {
        Some("write spaces instead of the tab")
    } else if plain.starts_with(['*', '`', '@', '%'])
        || [": *", ": `", ": @", ": %"].iter().any(|at| plain.contains(at))
    {
        Some("what begins with one of * ` @ % needs quotes")
    } else {
        None
    }
}

struct Reader<'a> {
    place: Place<'a>,
    text: &'a str,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

/// A collection whose end was not seen yet.
struct Open {
    at: Location,
    anchor: usize,
    kind: OpenKind,
}

enum OpenKind {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<Entry>, merges: Vec<Node>, key: Option<(String, Location)> },
}

impl Reader<'_> {
    fn documents(mut self, ctx: &mut Diagnostics) -> Option<Vec<Node>> {
        let mut options = Options::default();
        options.set_emit_comments(false);
        let before = ctx.len();
        let mut documents = Vec::new();
        let mut open: Vec<Open> = Vec::new();
        for event in Parser::new_from_str_with_options(self.text, options) {
            let (event, span) = match event {
                Ok(pair) => pair,
                Err(error) => {
                    let mark = error.marker();
                    let at = self.locate(mark.line(), mark.col(), 0);
                    let line = self.text.lines().nth(mark.line().saturating_sub(1)).unwrap_or_default();
                    let noted = ctx.error(&at, format!("not valid YAML: {}", error.info()));
                    if let Some(help) = syntax_help(line) {
                        noted.help(help);
                    }
                    return None;
                }
            };
            let at = self.location(&span);
            let done = match event {
                Event::Scalar(text, style, anchor, _) => {
                    let style = match style {
                        ScalarStyle::Plain => Style::Plain,
                        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                        ScalarStyle::Literal => Style::Literal,
                        ScalarStyle::Folded => Style::Folded,
                    };
                    let scalar = Scalar { text: text.into_owned(), style };
                    (Node { value: Value::Scalar(scalar), at }, anchor)
                }
                Event::SequenceStart(_, anchor, _) => {
                    open.push(Open { at, anchor, kind: OpenKind::Sequence(Vec::new()) });
                    continue;
                }
                Event::MappingStart(_, anchor, _) => {
                    let kind = OpenKind::Mapping { entries: Vec::new(), merges: Vec::new(), key: None };
                    open.push(Open { at, anchor, kind });
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let Some(closed) = open.pop() else { continue };
                    let anchor = closed.anchor;
                    (close(closed, ctx), anchor)
                }
                Event::Alias(id) => match self.anchors.get(&id) {
                    Some(node) => {
                        self.nodes += count(node);
                        (node.clone(), 0)
                    }
                    None => {
                        ctx.error(&at, "this alias refers to a value that is not complete yet");
                        return None;
                    }
                },
                _ => continue,
            };
            let (node, anchor) = done;
            self.nodes += 1;
            if self.nodes > MAX_NODES {
                ctx.error(
                    &node.at,
                    format!("this file grows to more than {MAX_NODES} values through its aliases"),
                );
                return None;
            }
            if anchor != 0 {
                self.anchors.insert(anchor, node.clone());
            }
            match open.last_mut() {
                Some(parent) => parent.take(node, ctx),
                None if node.is_null() => {}
                None => documents.push(node),
            }
        }
        let sound = ctx.iter().skip(before).all(|noted| noted.severity != super::Severity::Error);
        sound.then_some(documents)
    }
}

impl Reader<'_> {
    /// The place in the user's file of a place in the text. `line` counts from 1, `column` from 0, as the parser does.
    fn locate(&self, line: usize, column: usize, width: usize) -> Location {
        let (line, column, width) = (small(line.max(1)), small(column) + 1, small(width));
        match &self.place {
            Place::File(file) => Location { file: file.to_path_buf(), line, column, width },
            Place::Block { file, first_line, indent } => Location {
                file: file.to_path_buf(),
                line: first_line + line - 1,
                column: column + indent,
                width,
            },
            Place::Scalar(at) => (*at).clone(),
        }
    }

    /// The start of a span; its width when it ends on the line on which it starts.
    fn location(&self, span: &Span) -> Location {
        let (start, end) = (span.start, span.end);
        let width = if start.line() == end.line() { end.col().saturating_sub(start.col()) } else { 0 };
        self.locate(start.line(), start.col(), width)
    }
}

/// Lines and columns of files a person wrote fit easily; a larger one is cut off rather than wrapped.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX / 2)
}

fn count(node: &Node) -> usize {
    match &node.value {
        Value::Scalar(_) => 1,
        Value::Sequence(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Mapping(mapping) => 1 + mapping.entries.iter().map(|entry| count(&entry.value)).sum::<usize>(),
    }
}

impl Open {
    /// Takes a finished node in: as an item, as a key, or as the value of the key before it.
    fn take(&mut self, node: Node, ctx: &mut Diagnostics) {
        match &mut self.kind {
            OpenKind::Sequence(items) => items.push(node),
            OpenKind::Mapping { entries, merges, key } => match key.take() {
                None => {
                    let text = node.as_text().map(str::to_owned);
                    if text.is_none() {
                        ctx.error(&node.at, format!("a key must be a plain word, found {}", node.describe()));
                    }
                    *key = Some((text.unwrap_or_default(), node.at));
                }
                Some((name, _)) if name == "<<" => merges.push(node),
                Some((key, key_at)) => {
                    if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                        let message =
                            format!("the key `{key}` is given twice; first on line {}", first.key_at.line);
                        ctx.error(&key_at, message).help("remove one of the two");
                    } else {
                        entries.push(Entry { key, key_at, value: node });
                    }
                }
            },
        }
    }
}

/// The node of a collection that has ended; merge keys give what the mapping itself does not say.
fn close(open: Open, ctx: &mut Diagnostics) -> Node {
    let value = match open.kind {
        OpenKind::Sequence(items) => Value::Sequence(items),
        OpenKind::Mapping { mut entries, merges, .. } => {
            for merge in merges {
                merge_into(&mut entries, merge, ctx);
            }
            Value::Mapping(Mapping { entries })
        }
    };
    Node { value, at: open.at }
}

fn merge_into(entries: &mut Vec<Entry>, merge: Node, ctx: &mut Diagnostics) {
    match merge.value {
        Value::Mapping(mapping) => {
            for entry in mapping.entries {
                if !entries.iter().any(|own| own.key == entry.key) {
                    entries.push(entry);
                }
            }
        }
        Value::Sequence(items) => items.into_iter().for_each(|item| merge_into(entries, item, ctx)),
        Value::Scalar(_) => {
            ctx.error(&merge.at, "a merge key (`<<`) takes a mapping or a list of mappings")
                .help("write `<<: *name`, where `&name` stands before a mapping");
        }
    }
}

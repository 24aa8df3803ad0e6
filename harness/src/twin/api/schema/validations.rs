//! Validation rules of definitions (`x-kubernetes-validations`), in CEL.
//!
//! What lives here: compiling rules, asking them of an object and of what it was, and what both may cost. What does not: the language
//! (the crate `cel`), where rules stand in Cilium's definitions (`cilium::crd`).
//!
//! Not as in a Kubernetes server: rules are not checked against the types of fields when a definition is made; lists are equal only in
//! the same order, whatever their list type; the libraries for quantities, URLs and addresses are not there.

use std::sync::{Arc, LazyLock};

use cel::common::ast::{EntryExpr, Expr, IdedExpr};
use cel::objects::{Key, Map, OptionalValue};
use cel::{Context, Env, Program, Value as Cel, extensions};
use serde_json::Value;

use super::field;
use super::read::{Additional, ListKeys, Schema};
use crate::twin::api::Cause;

/// The longest rule, in bytes.
const LONGEST: usize = 5 << 10;
/// How deep an expression may be.
const DEPTH: usize = 128;
/// The stack on which rules are compiled and asked, in bytes: both walk down the expression, and a worker's stack is small.
const STACK: usize = 16 << 20;
/// What one rule may cost, and all of an object's together. The unit is a step of evaluation, counted at the worst.
const RULE: u64 = 10_000_000;
const OBJECT: u64 = 10 * RULE;

/// The standard library of CEL, with its macros, and the extensions that Kubernetes has too.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    for extension in [extensions::strings, extensions::lists] {
        // Declared twice is declared: nothing else can go wrong here.
        let _ = env.add_extension(extension);
    }
    Arc::new(env)
});

/// One rule.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    text: String,
    program: Arc<Program>,
    message: Option<String>,
    expression: Option<Arc<Program>>,
    reason: String,
    /// Which field below its own it is about, with a dot before it.
    field: String,
    /// Whether it compares with what the value was.
    transition: bool,
    /// Whether it is asked when the value was not there before.
    optional: bool,
    size: u64,
    loops: u32,
}

/// Runs what goes down an expression where there is room for it.
fn roomy<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    let thread = std::thread::Builder::new().name("cel".into()).stack_size(STACK);
    std::thread::scope(|scope| thread.spawn_scoped(scope, work).ok()?.join().ok())
}

/// Compiles the rules of the schema at `path`.
///
/// # Errors
/// The rule that cannot be used.
pub(super) fn read(list: Option<&Value>, path: &str) -> Result<Vec<Rule>, Cause> {
    let Some(list) = list.and_then(Value::as_array).filter(|list| !list.is_empty()) else {
        return Ok(Vec::new());
    };
    let all = || {
        list.iter().enumerate().map(|(at, rule)| {
            let path = format!("{path}.x-kubernetes-validations[{at}]");
            rule_of(rule, &path)
        })
    };
    roomy(|| all().collect()).unwrap_or_else(|| {
        let why = "these rules cannot be compiled";
        Err(Cause::invalid(format!("{path}.x-kubernetes-validations"), &Value::from(list.len()), why))
    })
}

fn rule_of(rule: &Value, path: &str) -> Result<Rule, Cause> {
    let text = |key: &str| rule[key].as_str().map(str::to_owned);
    let Some(source) = text("rule").filter(|rule| !rule.trim().is_empty()) else {
        return Err(Cause::required(format!("{path}.rule"), ""));
    };
    let (program, size, loops) = compile(&source, &format!("{path}.rule"))?;
    let expression = text("messageExpression");
    let expression = expression.map(|source| compile(&source, &format!("{path}.messageExpression")));
    let optional = rule["optionalOldSelf"] == true;
    let transition = program.references().has_variable("oldSelf");
    if optional && !transition {
        let why = "may not be set to true if oldSelf is not used in rule";
        return Err(Cause::invalid(format!("{path}.optionalOldSelf"), &Value::Bool(true), why));
    }
    let reason = text("reason").unwrap_or_else(|| "FieldValueInvalid".into());
    let known = ["FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired", "FieldValueDuplicate"];
    if !known.contains(&reason.as_str()) {
        return Err(Cause::unsupported(format!("{path}.reason"), &rule["reason"], &known));
    }
    Ok(Rule {
        program,
        message: text("message").map(|message| message.trim().to_owned()).filter(|m| !m.is_empty()),
        expression: expression.transpose()?.map(|(program, _, _)| program),
        reason,
        field: text("fieldPath").unwrap_or_default(),
        transition,
        optional,
        size,
        loops,
        text: source,
    })
}

fn compile(source: &str, path: &str) -> Result<(Arc<Program>, u64, u32), Cause> {
    let wrong = |why: &str| Cause::invalid(path, &Value::from(source), why);
    if source.len() > LONGEST {
        return Err(wrong(&format!("must be at most {LONGEST} bytes")));
    }
    let program = ENV.compile(source).map_err(|error| wrong(&format!("compilation failed: {error}")))?;
    let (mut size, mut loops) = (0, 0);
    if !measure(program.expression(), DEPTH, 0, &mut size, &mut loops) {
        return Err(wrong(&format!("must be at most {DEPTH} levels deep")));
    }
    Ok((Arc::new(program), size, loops))
}

/// Counts an expression's parts and how many loops stand in each other; false when it is too deep.
fn measure(expression: &IdedExpr, depth: usize, loops: u32, size: &mut u64, most: &mut u32) -> bool {
    *size += 1;
    *most = loops.max(*most);
    let Some(depth) = depth.checked_sub(1) else { return false };
    let mut down = |inner: &IdedExpr, more: u32| measure(inner, depth, loops + more, size, most);
    match &expression.expr {
        Expr::Call(call) => {
            call.target.iter().all(|target| down(target, 0)) && call.args.iter().all(|arg| down(arg, 0))
        }
        Expr::Comprehension(inner) => {
            down(&inner.iter_range, 0)
                && down(&inner.accu_init, 0)
                && down(&inner.loop_cond, 1)
                && down(&inner.loop_step, 1)
                && down(&inner.result, 0)
        }
        Expr::List(list) => list.elements.iter().all(|element| down(element, 0)),
        Expr::Map(map) => map.entries.iter().all(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => down(&entry.key, 0) && down(&entry.value, 0),
            EntryExpr::StructField(entry) => down(&entry.value, 0),
        }),
        Expr::Struct(of) => of.entries.iter().all(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => down(&entry.key, 0) && down(&entry.value, 0),
            EntryExpr::StructField(entry) => down(&entry.value, 0),
        }),
        Expr::Select(select) => down(&select.operand, 0),
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => true,
    }
}

impl Schema {
    /// Whether there are rules to ask.
    pub(in crate::twin::api) fn ruled(&self) -> bool {
        self.ruled
    }

    /// Everything the rules have against an object, `old` being what it was.
    pub(in crate::twin::api) fn obey(&self, object: &Value, old: Option<&Value>) -> Vec<Cause> {
        let mut asked = Asked { causes: Vec::new(), left: OBJECT };
        let done = roomy(|| {
            asked.all(self, object, old, "");
            asked.causes
        });
        done.unwrap_or_else(|| {
            vec![Cause::invalid("", &Value::from("object"), "its validation rules could not be evaluated")]
        })
    }
}

/// Rules being asked.
struct Asked {
    causes: Vec<Cause>,
    left: u64,
}

impl Asked {
    fn all(&mut self, schema: &Schema, value: &Value, old: Option<&Value>, path: &str) {
        if !schema.ruled || value.is_null() || self.left == 0 {
            return;
        }
        let old = old.filter(|old| !old.is_null());
        self.own(schema, value, old, path);
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    if let Some(schema) = schema.property(key) {
                        self.all(schema, value, old.and_then(|old| old.get(key)), &field(path, key));
                    }
                }
            }
            Value::Array(items) => {
                let Some(inner) = &schema.items else { return };
                for (at, item) in items.iter().enumerate() {
                    // Items are the same ones only where something tells them apart.
                    let before = match &schema.list_keys {
                        ListKeys::Fields(keys) => old.and_then(Value::as_array).and_then(|old| {
                            old.iter().find(|old| keys.iter().all(|key| old.get(key) == item.get(key)))
                        }),
                        ListKeys::Free | ListKeys::Whole => None,
                    };
                    self.all(inner, item, before, &format!("{path}[{at}]"));
                }
            }
            _ => {}
        }
    }

    fn own(&mut self, schema: &Schema, value: &Value, old: Option<&Value>, path: &str) {
        if schema.rules.is_empty() {
            return;
        }
        let weight = weight(value) + old.map_or(0, weight);
        let mut context = Context::with_env(Arc::clone(&ENV));
        context.add_variable_from_value("self", cel(value, Some(schema)));
        for rule in &schema.rules {
            // What has not changed was good enough before.
            let same = old == Some(value);
            if (rule.transition && old.is_none() && !rule.optional) || (!rule.transition && same) {
                continue;
            }
            let cost = rule.size.saturating_mul((weight + rule.size).saturating_pow(rule.loops));
            let Some(left) = self.left.checked_sub(cost) else {
                self.left = 0;
                let why = "validation failed due to running out of cost budget, no further validation rules will be run";
                return self.causes.push(refused(schema, rule, path, why));
            };
            if cost > RULE {
                let why = format!("call cost exceeds limit for rule: {}", rule.text.trim());
                self.causes.push(refused(schema, rule, path, &why));
                continue;
            }
            self.left = left;
            if rule.transition {
                let old = old.map(|old| cel(old, Some(schema)));
                let old = if rule.optional {
                    let old = old.map_or_else(OptionalValue::none, OptionalValue::of);
                    Cel::Opaque(Arc::new(old))
                } else {
                    old.unwrap_or(Cel::Null)
                };
                context.add_variable_from_value("oldSelf", old);
            }
            let said = || rule.message.clone().unwrap_or_else(|| rule.text.trim().to_owned());
            match rule.program.execute(&context) {
                Ok(Cel::Bool(true)) => {}
                Ok(Cel::Bool(false)) => {
                    let why = rule.expression.as_ref().and_then(|expression| worded(expression, &context));
                    let why = why.or_else(|| rule.message.clone());
                    let why = why.unwrap_or_else(|| format!("failed rule: {}", rule.text.trim()));
                    self.causes.push(refused(schema, rule, path, &why));
                }
                Ok(_) => {
                    let why = format!("the answer is not true or false evaluating rule: {}", said());
                    self.causes.push(refused(schema, rule, path, &why));
                }
                Err(error) => {
                    let why = format!("{error} evaluating rule: {}", said());
                    self.causes.push(refused(schema, rule, path, &why));
                }
            }
        }
    }
}

/// What a rule's `messageExpression` says: one line, or nothing.
fn worded(expression: &Program, context: &Context<'_, '_>) -> Option<String> {
    match expression.execute(context) {
        Ok(Cel::String(text)) => {
            Some(text.trim().to_owned()).filter(|text| !text.is_empty() && !text.contains('\n'))
        }
        _ => None,
    }
}

fn refused(schema: &Schema, rule: &Rule, path: &str, why: &str) -> Cause {
    let path = format!("{path}{}", rule.field).trim_start_matches('.').to_owned();
    let kind = Value::from(schema.kind.as_deref().unwrap_or_default());
    match rule.reason.as_str() {
        "FieldValueForbidden" => Cause::forbidden(path, why),
        "FieldValueRequired" => Cause::required(path, why),
        "FieldValueDuplicate" => Cause::duplicate(path, &kind),
        _ => Cause::invalid(path, &kind, why),
    }
}

/// How much a loop over a value, or over a text in it, can have to do at most.
fn weight(value: &Value) -> u64 {
    1 + match value {
        Value::String(text) => text.len() as u64,
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(map) => map.iter().map(|(key, value)| key.len() as u64 + weight(value)).sum(),
        _ => 0,
    }
}

/// A value as rules see it, by the types its schema gives.
fn cel(value: &Value, schema: Option<&Schema>) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => {
            let whole = schema.and_then(|schema| schema.kind.as_deref()) != Some("number");
            let float = number.as_f64().unwrap_or_default();
            match (number.as_i64(), number.as_u64()) {
                (Some(int), _) if whole => Cel::Int(int),
                (_, Some(int)) if whole => Cel::UInt(int),
                _ => Cel::Float(float),
            }
        }
        Value::String(text) => {
            let plain = Cel::from(text.as_str());
            let call = match schema.and_then(|schema| schema.format.as_deref()) {
                Some("date-time" | "datetime") => "timestamp(self)",
                Some("duration") => "duration(self)",
                _ => return plain,
            };
            let mut context = Context::with_env(Arc::clone(&ENV));
            context.add_variable_from_value("self", plain.clone());
            let typed = ENV.compile(call).ok().and_then(|program| program.execute(&context).ok());
            typed.unwrap_or(plain)
        }
        Value::Array(items) => {
            let inner = schema.and_then(|schema| schema.items.as_deref());
            Cel::List(Arc::new(items.iter().map(|item| cel(item, inner)).collect()))
        }
        Value::Object(map) => {
            let keyed = schema.is_some_and(|schema| matches!(schema.additional, Additional::Each(_)));
            let entries = map.iter().map(|(key, value)| {
                let inner = schema.and_then(|schema| schema.property(key));
                let name = if keyed { key.clone() } else { escaped(key) };
                (Key::String(Arc::new(name)), cel(value, inner))
            });
            Cel::Map(Map { map: Arc::new(entries.collect()) })
        }
    }
}

/// The name of a field in an expression: what is no name there is written with underscores.
fn escaped(name: &str) -> String {
    const WORDS: [&str; 22] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
        "__proto__",
    ];
    if WORDS.contains(&name) {
        return format!("__{name}__");
    }
    let underscored = name.replace("__", "__underscores__");
    underscored.replace('.', "__dot__").replace('-', "__dash__").replace('/', "__slash__")
}

#[cfg(test)]
mod tests;

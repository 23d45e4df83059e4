//! The mutants: every place in the sources that is changed, and to what.
//!
//! The kinds are those of `cargo mutants`: a function returns a plain value instead of what it computes; an operator
//! becomes another; a negation is dropped; a match arm is deleted where a wildcard is there to catch its cases; a match guard
//! is always or never true. Tests, constants and what stands inside macros are left alone.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, BinOp, Block, Expr, ImplItem, Pat, Signature, TraitItem, UnOp};

use crate::values::{Instead, instead};

/// The modules that are mutated.
const PLACES: [&str; 4] = ["src/ring", "src/replica", "src/checkpoint", "src/reconcile"];

/// One change to the code.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// What it is called: file, function, change. Holds no line, so that it stays when code above it grows.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// The bytes of the file that it is about.
    pub span: Range<usize>,
    /// How the file is changed.
    pub change: Change,
}

/// How a mutant changes its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The expression is replaced by this one.
    Replace(String),
    /// The function, whose block this is, returns this at once.
    Return(String),
    /// The iterator that the block is worth hands out nothing.
    NoItems,
    /// The arm with this pattern or guard is never taken.
    DeleteArm {
        /// Whether the bytes are those of a guard, rather than of a pattern.
        guarded: bool,
    },
    /// The guard always, or never, holds.
    Guard(bool),
}

/// All mutants of the tree, in the order of files and lines.
pub fn all(root: &Path) -> Result<Vec<Mutant>, String> {
    let mut files = Vec::new();
    for place in PLACES {
        sources(root, place, &mut files)?;
    }
    let mut mutants = Vec::new();
    for file in files {
        let text = read(root, &file)?;
        mutants.extend(in_text(&file, &text).map_err(|error| format!("{file}: {error}"))?);
    }
    Ok(mutants)
}

/// The text of a file.
pub fn read(root: &Path, file: &str) -> Result<String, String> {
    std::fs::read_to_string(root.join(file))
        .map_err(|error| format!("{file}: {error}; call this in roda's folder"))
}

/// The Rust files below a folder, by name; no tests.
fn sources(root: &Path, folder: &str, into: &mut Vec<String>) -> Result<(), String> {
    let entries = std::fs::read_dir(root.join(folder)).map_err(|error| format!("{folder}: {error}"))?;
    let mut names: Vec<(String, bool)> = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| format!("{folder}: {error}"))?;
        names.push((
            entry.file_name().to_string_lossy().into_owned(),
            entry.path().is_dir(),
        ));
    }
    names.sort();
    for (name, is_folder) in names {
        let path = format!("{folder}/{name}");
        if name == "tests" || name == "tests.rs" || name.ends_with("_tests.rs") {
            continue;
        } else if is_folder {
            sources(root, &path, into)?;
        } else if name.ends_with(".rs") {
            into.push(path);
        }
    }
    Ok(())
}

/// The mutants of one file.
pub fn in_text(file: &str, text: &str) -> Result<Vec<Mutant>, syn::Error> {
    let parsed = syn::parse_file(text)?;
    if is_left_out(&parsed.attrs) {
        return Ok(Vec::new());
    }
    let mut finder = Finder {
        file,
        text,
        path: Vec::new(),
        found: Vec::new(),
        times: BTreeMap::new(),
    };
    finder.visit_file(&parsed);
    Ok(finder.found)
}

/// Whether an item is compiled for tests or for deliberate bugs only.
fn is_left_out(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let name = attribute.path();
        let condition = match &attribute.meta {
            syn::Meta::List(list) => list.tokens.to_string(),
            _ => String::new(),
        };
        let only =
            (condition.contains("test") || condition.contains("feature")) && !condition.contains("not");
        name.is_ident("test") || (name.is_ident("cfg") && only)
    })
}

/// Walks through a file and notes what can be changed.
struct Finder<'a> {
    file: &'a str,
    text: &'a str,
    /// The type and the function that it is in.
    path: Vec<String>,
    found: Vec<Mutant>,
    /// How often a name was given already.
    times: BTreeMap<String, usize>,
}

/// White space as one blank, and no longer than fits a line.
fn short(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    match text.char_indices().nth(70) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

impl Finder<'_> {
    fn slice(&self, span: Range<usize>) -> &str {
        &self.text[span]
    }

    fn text_of(&self, node: &impl Spanned) -> &str {
        self.slice(node.span().byte_range())
    }

    fn add(&mut self, span: Range<usize>, change: Change, what: &str) {
        let mut name = format!("{} {}: {what}", self.file, self.path.join("::"));
        let times = self.times.entry(name.clone()).or_default();
        *times += 1;
        if *times > 1 {
            name = format!("{name} ({times})");
        }
        let line = self.text[..span.start].matches('\n').count() + 1;
        self.found.push(Mutant {
            name,
            file: self.file.into(),
            line,
            span,
            change,
        });
    }

    /// Goes into a function with a body.
    fn function(&mut self, attributes: &[Attribute], signature: &Signature, block: &Block) {
        if is_left_out(attributes) || signature.constness.is_some() {
            return;
        }
        self.path.push(signature.ident.to_string());
        let span = block.span().byte_range();
        let body: String = self
            .slice(span.start + 1..span.end - 1)
            .split_whitespace()
            .collect();
        for instead in instead(&signature.output) {
            match instead {
                Instead::Value(value) => {
                    let same: String = value.split_whitespace().collect();
                    let default = same == "Default::default()" && is_default(&body);
                    if same != body && !default && !(body.is_empty() && value == "()") {
                        self.add(
                            span.clone(),
                            Change::Return(value.clone()),
                            &format!("returns {value}"),
                        );
                    }
                }
                Instead::NoItems => self.add(span.clone(), Change::NoItems, "hands out nothing"),
            }
        }
        self.visit_block(block);
        self.path.pop();
    }

    /// Goes into what belongs to a type or trait.
    fn named(&mut self, name: String, inside: impl FnOnce(&mut Self)) {
        self.path.push(name);
        inside(self);
        self.path.pop();
    }
}

/// Whether a body, without white space, is nothing but some type's default.
fn is_default(body: &str) -> bool {
    let ty = body.strip_suffix("::default()");
    ty.is_some_and(|ty| ty.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// Whether a condition binds names: `if let … && …` must stay as it is.
fn binds(expression: &Expr) -> bool {
    match expression {
        Expr::Let(_) => true,
        Expr::Binary(binary) => binds(&binary.left) || binds(&binary.right),
        _ => false,
    }
}

/// What an operator becomes.
fn others(operator: &BinOp) -> &'static [&'static str] {
    match operator {
        BinOp::Eq(_) => &["!="],
        BinOp::Ne(_) => &["=="],
        BinOp::And(_) => &["||"],
        BinOp::Or(_) => &["&&"],
        BinOp::Lt(_) => &["==", ">", "<="],
        BinOp::Gt(_) => &["==", "<", ">="],
        BinOp::Le(_) => &[">", "<"],
        BinOp::Ge(_) => &["<", ">"],
        BinOp::Add(_) => &["-", "*"],
        BinOp::Sub(_) => &["+", "/"],
        BinOp::Mul(_) => &["+", "/"],
        BinOp::Div(_) => &["%", "*"],
        BinOp::Rem(_) => &["/", "+"],
        BinOp::Shl(_) => &[">>"],
        BinOp::Shr(_) => &["<<"],
        BinOp::BitAnd(_) => &["|", "^"],
        BinOp::BitOr(_) => &["&", "^"],
        BinOp::BitXor(_) => &["|", "&"],
        BinOp::AddAssign(_) => &["-=", "*="],
        BinOp::SubAssign(_) => &["+=", "/="],
        BinOp::MulAssign(_) => &["+=", "/="],
        BinOp::DivAssign(_) => &["%=", "*="],
        BinOp::RemAssign(_) => &["/=", "+="],
        BinOp::BitAndAssign(_) => &["|=", "^="],
        BinOp::BitOrAssign(_) => &["&=", "^="],
        BinOp::BitXorAssign(_) => &["|=", "&="],
        BinOp::ShlAssign(_) => &[">>="],
        BinOp::ShrAssign(_) => &["<<="],
        _ => &[],
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_left_out(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.function(&function.attrs, &function.sig, &function.block);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let of = item.trait_.as_ref().and_then(|(_, path, _)| path.segments.last());
        let plain = of.is_some_and(|last| last.ident == "Debug" || last.ident == "Default");
        if plain || is_left_out(&item.attrs) {
            return;
        }
        let ty = short(self.text_of(&item.self_ty));
        let name = of.map_or(ty.clone(), |of| format!("<{ty} as {}>", of.ident));
        self.named(name, |finder| {
            for item in &item.items {
                if let ImplItem::Fn(function) = item {
                    finder.function(&function.attrs, &function.sig, &function.block);
                }
            }
        });
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.named(item.ident.to_string(), |finder| {
            for item in &item.items {
                if let TraitItem::Fn(function) = item
                    && let Some(block) = &function.default
                {
                    finder.function(&function.attrs, &function.sig, block);
                }
            }
        });
    }

    // Constants, types, patterns and attributes are no code that runs.
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}
    fn visit_type(&mut self, _: &'ast syn::Type) {}
    fn visit_pat(&mut self, _: &'ast Pat) {}
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
    fn visit_generic_argument(&mut self, _: &'ast syn::GenericArgument) {}

    fn visit_expr_repeat(&mut self, repeat: &'ast syn::ExprRepeat) {
        self.visit_expr(&repeat.expr);
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !is_left_out(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        let bindings = binds(&binary.left) || binds(&binary.right);
        let (left, right) = (self.text_of(&binary.left), self.text_of(&binary.right));
        let (left, right) = (left.to_string(), right.to_string());
        let own = self.text_of(&binary.op).to_string();
        let assigns = own.ends_with('=') && !["==", "!=", "<=", ">="].contains(&own.as_str());
        if !bindings {
            for other in others(&binary.op) {
                let replaced = if assigns {
                    format!("{left} {other} ({right})")
                } else {
                    format!("({left}) {other} ({right})")
                };
                let what = format!("{} → {other}", short(&format!("{left} {own} {right}")));
                self.add(binary.span().byte_range(), Change::Replace(replaced), &what);
            }
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'ast syn::ExprUnary) {
        if let UnOp::Not(_) | UnOp::Neg(_) = unary.op {
            let inner = self.text_of(&unary.expr).to_string();
            let what = format!("{} → without its sign", short(self.text_of(unary)));
            self.add(unary.span().byte_range(), Change::Replace(inner), &what);
        }
        visit::visit_expr_unary(self, unary);
    }

    fn visit_expr_match(&mut self, expression: &'ast syn::ExprMatch) {
        let caught = expression
            .arms
            .iter()
            .any(|arm| matches!(arm.pat, Pat::Wild(_)) && arm.guard.is_none());
        for arm in &expression.arms {
            let pattern = short(self.text_of(&arm.pat));
            let guard = arm.guard.as_ref().map(|(_, guard)| guard.span().byte_range());
            let deletable = caught && !matches!(arm.pat, Pat::Wild(_));
            if deletable {
                let span = guard.clone().unwrap_or(arm.pat.span().byte_range());
                let change = Change::DeleteArm {
                    guarded: guard.is_some(),
                };
                self.add(span, change, &format!("arm {pattern} deleted"));
            }
            if let Some((_, condition)) = &arm.guard
                && !binds(condition)
            {
                let span = condition.span().byte_range();
                let text = short(self.text_of(condition));
                self.add(span.clone(), Change::Guard(true), &format!("guard {text} → true"));
                self.add(span, Change::Guard(false), &format!("guard {text} → false"));
            }
        }
        visit::visit_expr_match(self, expression);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let found = in_text("a.rs", text).expect("it parses");
        found.into_iter().map(|mutant| mutant.name).collect()
    }

    #[test]
    fn functions_operators_signs_arms_and_guards_are_changed() {
        let text = "impl A { fn f(&self, n: u8) -> bool { match n { 1 if !self.b => n < 2, _ => n == 3 } } }";
        let expected = [
            "a.rs A::f: returns true",
            "a.rs A::f: returns false",
            "a.rs A::f: arm 1 deleted",
            "a.rs A::f: guard !self.b → true",
            "a.rs A::f: guard !self.b → false",
            "a.rs A::f: !self.b → without its sign",
            "a.rs A::f: n < 2 → ==",
            "a.rs A::f: n < 2 → >",
            "a.rs A::f: n < 2 → <=",
            "a.rs A::f: n == 3 → !=",
        ];
        assert_eq!(names(text), expected);
    }

    #[test]
    fn tests_constants_and_deliberate_bugs_are_left_alone() {
        let text = "const A: u8 = 1 + 1; const fn a() -> u8 { 2 + 2 } \
            #[cfg(feature = \"bugs\")] fn b() -> u8 { 3 + 3 } \
            #[cfg(test)] mod tests { fn c() -> u8 { 4 + 4 } } \
            fn d() { let _ = [0; 5 + 5]; if let Some(x) = e && x {} }";
        assert_eq!(names(text), ["a.rs d: returns ()"]);
    }

    #[test]
    fn what_is_its_default_already_is_left_alone() {
        assert!(names("fn new() -> A { A::default() }").is_empty());
        assert_eq!(
            names("fn new() -> A { A::new() }"),
            ["a.rs new: returns Default::default()"]
        );
    }

    #[test]
    fn the_same_change_twice_has_two_names() {
        assert_eq!(
            names("fn a() { b += 1; b += 1; }")[1..],
            [
                "a.rs a: b += 1 → -=",
                "a.rs a: b += 1 → *=",
                "a.rs a: b += 1 → -= (2)",
                "a.rs a: b += 1 → *= (2)",
            ]
        );
    }
}

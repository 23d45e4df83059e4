//! What a function may return instead of what it computes: values that any reader of its type would think of first.

use syn::{GenericArgument, PathArguments, ReturnType, Type, TypeParamBound};

/// How a function's body is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instead {
    /// It returns this value at once.
    Value(String),
    /// It computes its iterator, and hands out nothing of it: an opaque type cannot be made any other way.
    NoItems,
}

/// The replacements for a return type; none for `!`.
pub fn instead(output: &ReturnType) -> Vec<Instead> {
    match output {
        ReturnType::Default => vec![Instead::Value("()".into())],
        ReturnType::Type(_, ty) => match &**ty {
            Type::ImplTrait(bounds) => {
                let iterator = bounds.bounds.iter().any(|bound| match bound {
                    TypeParamBound::Trait(bound) => bound
                        .path
                        .segments
                        .last()
                        .is_some_and(|last| last.ident == "Iterator"),
                    _ => false,
                });
                iterator.then_some(Instead::NoItems).into_iter().collect()
            }
            ty => values(ty).into_iter().map(Instead::Value).collect(),
        },
    }
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn values(ty: &Type) -> Vec<String> {
    match ty {
        Type::Never(_) => Vec::new(),
        Type::Paren(inner) => values(&inner.elem),
        Type::Tuple(tuple) => {
            // One element is changed at a time, the others have their first value: enough, and not a product of all.
            let elements: Vec<Vec<String>> = tuple.elems.iter().map(values).collect();
            if elements.iter().any(Vec::is_empty) {
                return Vec::new();
            }
            let mut all = vec![elements.iter().map(|of| of[0].clone()).collect::<Vec<_>>()];
            for (at, of) in elements.iter().enumerate() {
                for value in &of[1..] {
                    let mut changed = all[0].clone();
                    changed[at] = value.clone();
                    all.push(changed);
                }
            }
            all.into_iter()
                .map(|parts| format!("({})", parts.join(", ")))
                .collect()
        }
        Type::Array(array) => {
            let each = values(&array.elem).into_iter();
            each.map(|value| format!("std::array::from_fn(|_| {value})"))
                .collect()
        }
        Type::Reference(reference) => of_reference(&reference.elem, reference.mutability.is_some()),
        Type::Path(path) => match path.path.segments.last() {
            Some(last) => of_name(&last.ident.to_string(), &last.arguments),
            None => Vec::new(),
        },
        _ => texts(&["Default::default()"]),
    }
}

fn of_reference(elem: &Type, mutable: bool) -> Vec<String> {
    let leaked = |value: String| {
        if mutable {
            format!("Box::leak(Box::new({value}))")
        } else {
            format!("&*Box::leak(Box::new({value}))")
        }
    };
    match elem {
        Type::Path(path) if path.path.is_ident("str") => texts(&["\"\"", "\"xyzzy\""]),
        Type::Slice(slice) => {
            let mut all = vec!["&mut []".to_string()];
            if !mutable {
                all[0] = "&[]".into();
            }
            let full = values(&slice.elem)
                .into_iter()
                .map(|value| format!("Vec::leak(vec![{value}])"));
            all.extend(full);
            all
        }
        other => values(other).into_iter().map(leaked).collect(),
    }
}

/// The types between the angle brackets.
fn inner(arguments: &PathArguments) -> Vec<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return Vec::new();
    };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.collect()
}

fn of_name(name: &str, arguments: &PathArguments) -> Vec<String> {
    let inner = inner(arguments);
    let first = inner.first().map(|ty| values(ty)).unwrap_or_default();
    let wrapped = |with: &str| {
        first
            .iter()
            .map(|value| format!("{with}({value})"))
            .collect::<Vec<_>>()
    };
    match name {
        "bool" => texts(&["true", "false"]),
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => texts(&["0", "1"]),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => texts(&["0", "1", "-1"]),
        "f32" | "f64" => texts(&["0.0", "1.0", "-1.0"]),
        "String" => texts(&["String::new()", "\"xyzzy\".into()"]),
        "Option" => [texts(&["None"]), wrapped("Some")].concat(),
        "Result" | "IoResult" if !first.is_empty() => wrapped("Ok"),
        "Result" => texts(&["Ok(Default::default())"]),
        "Box" | "Rc" | "Arc" if !first.is_empty() => wrapped(&format!("{name}::new")),
        "Vec" | "VecDeque" | "BTreeSet" => {
            let one = first.iter().map(|value| format!("{name}::from([{value}])"));
            std::iter::once(format!("{name}::new()")).chain(one).collect()
        }
        "BTreeMap" => {
            let second = inner.get(1).map(|ty| values(ty)).unwrap_or_default();
            let pairs = first
                .iter()
                .flat_map(|key| second.iter().map(move |value| (key, value)));
            let one = pairs.map(|(key, value)| format!("BTreeMap::from([({key}, {value})])"));
            std::iter::once("BTreeMap::new()".to_string())
                .chain(one)
                .collect()
        }
        // Newtypes of numbers have no default but are made of one; what does not exist does not compile and is left out.
        _ => texts(&["Default::default()"]),
    }
}

//! A small reader of XML: enough to say that a picture is well-formed, and what is in it.

use std::collections::BTreeMap;

/// An element of a picture.
#[derive(Clone, Debug, Default)]
pub struct Element {
    pub name: String,
    pub attributes: BTreeMap<String, String>,
    /// What its tooltip says.
    pub title: String,
    pub text: String,
}

/// All elements of a document, or why it is none.
pub fn well_formed(text: &str) -> Result<Vec<Element>, String> {
    let mut elements: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut rest = text;
    let mut roots = 0;
    while let Some(at) = rest.find('<') {
        let (words, tag) = rest.split_at(at);
        take_text(words, &open, &mut elements)?;
        let end = tag.find('>').ok_or("a tag does not end")?;
        let inside = &tag[1..end];
        rest = &tag[end + 1..];
        if let Some(name) = inside.strip_prefix('/') {
            let closed = open.pop().ok_or("more is closed than was opened")?;
            if elements[closed].name != name {
                return Err(format!("{} is closed as {name}", elements[closed].name));
            }
            if name == "title"
                && let Some(of) = open.last()
            {
                elements[*of].title = elements[closed].text.clone();
            }
            continue;
        }
        let (inside, empty) = inside
            .strip_suffix('/')
            .map_or((inside, false), |inside| (inside, true));
        roots += usize::from(open.is_empty());
        elements.push(element(inside)?);
        if !empty {
            open.push(elements.len() - 1);
        }
    }
    take_text(rest, &open, &mut elements)?;
    match (open.len(), roots) {
        (0, 1) => Ok(elements),
        (open, roots) => Err(format!("{open} elements are open, {roots} stand at the top")),
    }
}

fn take_text(words: &str, open: &[usize], elements: &mut [Element]) -> Result<(), String> {
    let text = unescaped(words)?;
    match open.last() {
        Some(of) => elements[*of].text += &text,
        None if text.trim().is_empty() => {}
        None => return Err(format!("text outside: {text}")),
    }
    Ok(())
}

fn element(inside: &str) -> Result<Element, String> {
    let (name, mut rest) = inside.split_once(' ').unwrap_or((inside, ""));
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-:_".contains(c))
    };
    if !is_name(name) {
        return Err(format!("{name:?} is no name"));
    }
    let mut attributes = BTreeMap::new();
    while !rest.trim_start().is_empty() {
        let (key, value) = rest
            .trim_start()
            .split_once("=\"")
            .ok_or(format!("no value: {rest}"))?;
        let (value, behind) = value
            .split_once('"')
            .ok_or(format!("a value does not end: {rest}"))?;
        if !is_name(key) || attributes.insert(key.to_string(), unescaped(value)?).is_some() {
            return Err(format!("{key:?} is no name, or stands there twice"));
        }
        rest = behind;
    }
    Ok(Element {
        name: name.to_string(),
        attributes,
        ..Element::default()
    })
}

/// Text without its escapes; characters that XML does not allow, and escapes that it does not know, are refused.
fn unescaped(text: &str) -> Result<String, String> {
    let allowed = |c: char| !c.is_control() || "\n\t\r".contains(c);
    if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
        return Err(format!("{bad:?} must not stand there"));
    }
    let mut out = String::new();
    let mut parts = text.split('&');
    out += parts.next().unwrap_or_default();
    for part in parts {
        let (name, behind) = part
            .split_once(';')
            .ok_or(format!("an escape does not end: &{part}"))?;
        out += match name {
            "amp" => "&",
            "lt" => "<",
            "gt" => ">",
            "quot" => "\"",
            "#39" => "'",
            _ => return Err(format!("&{name}; is not known")),
        };
        out += behind;
    }
    Ok(out)
}

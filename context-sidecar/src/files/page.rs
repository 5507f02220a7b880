//! The tree of a page without what nobody reads for its content: scripts, menus, what is hidden; with tables as lines.
//!
//! No function here calls itself: pages are nested as deeply as their authors like.

use std::{cell::RefCell, mem, ops::Deref};

use html2text::{Element, Handle, RcDom, config::Config, render::TextDecorator};

/// Never content.
const NEVER: [&str; 17] = [
    "script", "style", "template", "noscript", "nav", "aside", "iframe", "object", "svg", "canvas", "button", "select",
    "dialog", "head", "datalist", "audio", "video",
];

/// What a menu, a banner and the like call themselves where they are no elements of that name.
const ROLES: [&str; 7] = ["navigation", "banner", "contentinfo", "complementary", "search", "dialog", "alertdialog"];

/// In these, a header has the heading of a text, and not of a site.
const TEXTS: [&str; 3] = ["main", "article", "section"];

/// Takes out what is no content.
pub(super) fn prune<D: TextDecorator>(dom: &RcDom, config: &Config<D>) {
    let made = Made::new(config);
    let mut ahead = vec![(dom.document.clone(), false)];
    while let Some((node, is_in_text)) = ahead.pop() {
        let name = node.element_name().unwrap_or_default();
        let is_in_text = is_in_text || TEXTS.contains(&name.as_str());
        let is_quote = name == "blockquote";
        // What is dropped takes its children with it, whoever else has them: they are out of the tree by then.
        let children = mem::take(&mut *node.children.borrow_mut());
        let mut kept = Vec::with_capacity(children.len());
        for child in children {
            let name = child.element_name().unwrap_or_default();
            let is_frame = match name.as_str() {
                "header" => !is_in_text,
                "footer" => !is_quote,
                _ => NEVER.contains(&name.as_str()),
            };
            if is_frame || is_hidden(&child) {
                continue;
            }
            kept.push(match &made {
                Some(made) if name == "table" => made.lines(&child),
                _ => child,
            });
        }
        ahead.extend(kept.iter().map(|child| (child.clone(), is_in_text)));
        *node.children.borrow_mut() = kept;
    }
    narrow(dom);
}

/// Whether it is there for no reader, or not as content.
fn is_hidden(node: &Handle) -> bool {
    let Element { attrs, .. } = &node.data else { return false };
    attrs.borrow().iter().any(|attribute| {
        let value = attribute.value.to_ascii_lowercase();
        match &*attribute.name.local {
            // A browser finds in what is hidden like this, and shows it.
            "hidden" => value != "until-found",
            "aria-hidden" => value == "true",
            "role" => ROLES.contains(&value.trim()),
            "style" => {
                let style: String = value.chars().filter(|char| !char.is_whitespace()).collect();
                style.contains("display:none") || style.contains("visibility:hidden")
            }
            _ => false,
        }
    })
}

/// Where the page says what its content is, there is nothing else.
fn narrow(dom: &RcDom) {
    let (mut body, mut mains, mut articles) = (None, Vec::new(), Vec::new());
    let mut ahead = vec![dom.document.clone()];
    while let Some(node) = ahead.pop() {
        for (place, child) in node.children.borrow().iter().enumerate().rev() {
            match child.element_name().as_deref() {
                Some("body") => body = Some(child.clone()),
                Some("main") => mains.push((node.clone(), place)),
                // An article within one is a comment on it.
                Some("article") => {
                    articles.push((node.clone(), place));
                    continue;
                }
                _ => {}
            }
            ahead.push(child.clone());
        }
    }
    let Some(body) = body else { return };
    let (content, is_said) = match (mains.as_slice(), articles.as_slice()) {
        ([main], _) => (main, true),
        // Several are a list of them, and all of them are its content.
        ([], [article]) => (article, false),
        _ => return,
    };
    let (parent, place) = content;
    let size = |node: &Handle| {
        let mut written = Vec::new();
        node.serialize(&mut written).map_or(0, |()| written.len())
    };
    let Some(content) = parent.children.borrow().get(*place).cloned() else { return };
    // A teaser on a page of something else is not what the page is about.
    if content.children.borrow().is_empty() || (!is_said && size(&content) * 2 < size(&body)) {
        return;
    }
    // Out of its place first: what is around it takes all that is in it along.
    parent.children.borrow_mut().remove(*place);
    *body.children.borrow_mut() = vec![content];
}

/// What tables are made lines of.
struct Made {
    block: Handle,
    between: Handle,
}

impl Made {
    fn new<D: TextDecorator>(config: &Config<D>) -> Option<Self> {
        let dom = config.parse_html(&b"<div> | </div>"[..]).ok()?;
        let mut ahead = vec![dom.document.clone()];
        while let Some(node) = ahead.pop() {
            if node.element_name().as_deref() == Some("div") {
                let between = node.children.borrow().first().cloned()?;
                // It outlives the tree that it is of.
                node.children.borrow_mut().clear();
                return Some(Self { block: node, between });
            }
            ahead.extend(node.children.borrow().iter().cloned());
        }
        None
    }

    fn block(&self, children: Vec<Handle>) -> Option<Handle> {
        let Element { name, .. } = &self.block.data else { return None };
        let node = <Handle as Deref>::Target::new(Element {
            name: name.clone(),
            attrs: RefCell::new(Vec::new()),
            template_contents: RefCell::new(None),
            mathml_annotation_xml_integration_point: false,
        });
        *node.children.borrow_mut() = children;
        Some(node)
    }

    /// A line for each row of a table: `a | b`. Drawn, it would be as wide as its widest cells.
    fn lines(&self, table: &Handle) -> Handle {
        let (mut lines, mut ahead) = (Vec::new(), mem::take(&mut *table.children.borrow_mut()));
        ahead.reverse();
        while let Some(node) = ahead.pop() {
            let children = mem::take(&mut *node.children.borrow_mut());
            match node.element_name().as_deref() {
                Some("tr") => lines.extend(self.block(self.row(children))),
                Some("caption") => lines.extend(self.block(children)),
                _ => ahead.extend(children.into_iter().rev()),
            }
        }
        self.block(lines).unwrap_or_else(|| table.clone())
    }

    fn row(&self, cells: Vec<Handle>) -> Vec<Handle> {
        let mut row: Vec<Handle> = Vec::new();
        let cells = cells.into_iter().filter(|cell| matches!(cell.element_name().as_deref(), Some("td" | "th")));
        for (index, cell) in cells.filter(|cell| !is_hidden(cell)).enumerate() {
            if index > 0 {
                row.push(self.between.clone());
            }
            let mut children = mem::take(&mut *cell.children.borrow_mut());
            // A paragraph that is all of a cell would break the line.
            if let [only] = children.as_slice()
                && matches!(only.element_name().as_deref(), Some("p" | "div"))
            {
                let inner = mem::take(&mut *only.children.borrow_mut());
                children = inner;
            }
            row.extend(children);
        }
        row
    }
}

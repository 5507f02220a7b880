//! A page to its title and its text.

use html2text::{Handle, RcDom, config, render::TrivialDecorator};

/// Wider than any line: what breaks lines is the page, and not us.
const WIDTH: usize = 1 << 20;

/// The title and the text of a page, which may be a piece of one.
///
/// # Errors
/// What cannot be made text of.
pub(super) fn read(page: &str) -> Result<(Option<String>, String), String> {
    let unreadable = |error: html2text::Error| format!("is no page: {error}");
    let config =
        config::with_decorator(TrivialDecorator::new()).allow_width_overflow().raw_mode(true).no_link_wrapping();
    let dom = config.parse_html(page.as_bytes()).map_err(unreadable)?;
    let title = title(&dom);
    let tree = config.dom_to_render_tree(&dom).map_err(unreadable)?;
    let text = config.render_to_string(tree, WIDTH).map_err(unreadable)?;
    // A rule is as wide as the page.
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !is_rule(line)).collect();
    Ok((title, lines.join("\n").trim().to_owned()))
}

fn is_rule(line: &str) -> bool {
    line.len() > 1_000 && line.chars().all(|char| char == '─')
}

/// What is between `<title>` and `</title>`, or else in the first heading.
fn title(dom: &RcDom) -> Option<String> {
    first(&dom.document, "title").or_else(|| first(&dom.document, "h1"))
}

/// The text of the first element of this name.
fn first(document: &Handle, name: &str) -> Option<String> {
    let mut ahead = vec![document.clone()];
    while let Some(node) = ahead.pop() {
        if node.element_name().as_deref() == Some(name) {
            return text(&node);
        }
        ahead.extend(node.children.borrow().iter().rev().cloned());
    }
    None
}

/// The text of an element, in one line.
fn text(node: &Handle) -> Option<String> {
    let mut written = Vec::new();
    node.serialize(&mut written).ok()?;
    let written = String::from_utf8(written).ok()?;
    let (_, inner) = written.split_once('>')?;
    let (inner, _) = inner.rsplit_once("</")?;
    let text = config::with_decorator(TrivialDecorator::new())
        .string_from_read(format!("<p>{inner}</p>").as_bytes(), WIDTH)
        .ok()?;
    let words: Vec<&str> = text.split_whitespace().collect();
    Some(words.join(" ")).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_its_text() {
        let page = "<!doctype html><html><head><title> The\n title </title><style>p { x }</style></head><body>\
                    <script>let secret = 1;</script><h1>Head</h1><p>One <b>bold</b> &amp; <a href='x'>linked</a> word.</p>\
                    <hr><ul><li>first<li>second</ul><table><tr><td>a</td><td>b</td></tr></table></body></html>";
        let (title, text) = read(page).unwrap();
        assert_eq!(title.as_deref(), Some("The title"));
        assert!(text.contains("One bold & linked word."), "{text}");
        assert!(
            text.contains("first") && text.contains("second") && text.contains('a') && text.contains('b'),
            "{text}"
        );
        assert!(!text.contains("secret") && !text.contains("p {") && !text.contains('─') && text.len() < 200, "{text}");
        assert_eq!(read("<h1>Only</h1>text").unwrap().0.as_deref(), Some("Only"));
        assert_eq!(read("no page at all").unwrap(), (None, "no page at all".to_owned()));
    }

    #[test]
    fn what_is_nested_without_end_ends() {
        let (_, text) = read(&format!("{}deep", "<div><p>".repeat(2_000))).unwrap();
        assert!(text.ends_with("deep"));
    }
}

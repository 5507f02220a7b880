//! A page to its title and its text, with headings and lists as Markdown marks them: so they are told from prose by models
//! and by whoever cuts it.

use html2text::{
    Handle, RcDom, config,
    render::{TextDecorator, TrivialDecorator},
};

use super::page;

/// Wider than any line: what breaks lines is the page, and not us.
const WIDTH: usize = 1 << 20;

/// The title and the text of a page, which may be a piece of one.
///
/// # Errors
/// What cannot be made text of.
pub(super) fn read(page: &str) -> Result<(Option<String>, String), String> {
    let unreadable = |error: html2text::Error| format!("is no page: {error}");
    let config = config::with_decorator(Marks).allow_width_overflow().raw_mode(true).no_link_wrapping();
    let dom = config.parse_html(page.as_bytes()).map_err(unreadable)?;
    let title = title(&dom);
    page::prune(&dom, &config);
    let tree = config.dom_to_render_tree(&dom).map_err(unreadable)?;
    let text = config.render_to_string(tree, WIDTH).map_err(unreadable)?;
    // A rule is as wide as the page.
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !is_rule(line)).collect();
    Ok((title, lines.join("\n").trim().to_owned()))
}

/// Marks headings and lists, and nothing else.
#[derive(Debug, Clone, Copy)]
struct Marks;

impl TextDecorator for Marks {
    type Annotation = ();

    fn decorate_link_start(&mut self, _: &str) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_link_end(&mut self) -> String {
        String::new()
    }
    fn decorate_em_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_em_end(&self) -> String {
        String::new()
    }
    fn decorate_strong_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_strong_end(&self) -> String {
        String::new()
    }
    fn decorate_strikeout_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_strikeout_end(&self) -> String {
        String::new()
    }
    fn decorate_code_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_code_end(&self) -> String {
        String::new()
    }
    fn decorate_preformat_first(&self) {}
    fn decorate_preformat_cont(&self) {}
    fn decorate_image(&mut self, _: &str, alternative: &str) -> (String, ()) {
        (alternative.to_owned(), ())
    }
    fn header_prefix(&self, level: usize) -> String {
        format!("{} ", "#".repeat(level))
    }
    fn quote_prefix(&self) -> String {
        "> ".to_owned()
    }
    fn unordered_item_prefix(&self) -> String {
        "- ".to_owned()
    }
    fn ordered_item_prefix(&self, number: i64) -> String {
        format!("{number}. ")
    }
    fn decorate_superscript_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_superscript_end(&self) -> String {
        String::new()
    }
    fn make_subblock_decorator(&self) -> Self {
        *self
    }
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
    fn only_what_a_reader_comes_for_is_kept() {
        let page = "<html><head><title>T</title><style>NOT</style></head><body><header>NOT</header><nav>NOT</nav>\
            <div role='navigation'>NOT</div><p>before <span hidden>NOT</span><b style='display : none'>NOT</b>\
            <i aria-hidden=true>NOT</i>it</p><template>NOT</template><noscript>NOT</noscript><aside>NOT</aside>\
            <section><header><h2>Kept</h2></header>\
            <table><caption>Sizes</caption><thead><tr><th>Name<th>Size</thead><tr><td><p>one</p><td><b>1</b> m\
            <tr hidden><td>two<td></table><ol><li>a<li>b</ol></section><footer>NOT</footer><script>NOT</script></body>";
        let (title, text) = read(page).unwrap();
        assert_eq!(title.as_deref(), Some("T"));
        assert!(!text.contains("NOT"), "{text}");
        for kept in ["before it", "## Kept", "Sizes\nName | Size\none | 1 m\n", "1. a\n2. b"] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
    }

    #[test]
    fn where_a_page_says_what_it_is_about_that_is_all() {
        let main =
            "<body><div>NOT</div><div><main><article><h1>A</h1><p>a</p></article><article>b</article></main></div>";
        let (_, text) = read(main).unwrap();
        assert!(text.contains("# A") && text.contains('b') && !text.contains("NOT"), "{text}");
        let one =
            format!("<body><div>NOT</div><article><header><h1>A</h1></header>{}</article>", "<p>word</p>".repeat(9));
        let (_, text) = read(&one).unwrap();
        assert!(text.starts_with("# A") && !text.contains("NOT"), "{text}");
        // Of a list of articles, and of a page with a teaser, all stays.
        let (_, text) = read("<body><p>first</p><article>a</article><article>b</article>").unwrap();
        assert!(text.contains("first") && text.contains('b'), "{text}");
        let (_, text) = read(&format!("<body>{}<article>a</article>", "<p>first</p>".repeat(20))).unwrap();
        assert!(text.contains("first") && text.contains('a'), "{text}");
        // What is empty is no content.
        assert!(read("<body><p>first</p><main></main>").unwrap().1.contains("first"));
    }

    #[test]
    fn a_table_in_a_table_is_lines_too() {
        let page = "<table><tr><td>a</td><td><table><tr><td>b</td><td>c</td></tr></table></td></tr></table>";
        let (_, text) = read(page).unwrap();
        assert!(text.contains("b | c") && text.starts_with("a |"), "{text}");
    }

    #[test]
    fn what_is_nested_without_end_ends() {
        for around in ["<div><p>", "<table><tr><td>", "<main><section>"] {
            let (_, text) = read(&format!("{}deep", around.repeat(2_000))).unwrap();
            assert!(text.ends_with("deep"), "{around}");
        }
    }
}

//! Markdown to its title, what is known about it, and its text. The text stays as it is, since its marks tell headings from
//! prose to models and to whoever cuts it; only what nobody reads goes: what stands above it, comments, and where links go.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, MetadataBlockKind, Options, Parser, Tag, TagEnd};

use super::front::{self, Front, Written};

/// The text, and what is known of it.
///
/// # Errors
/// What stands above it cannot be read.
pub(super) fn read(source: &str) -> Result<(Front, String), String> {
    let mut read = Reading { source, gone: Vec::new(), front: Front::default() };
    let title = read.walk()?;
    let mut front = read.front;
    front.title = front.title.or(title);
    let mut gone = read.gone;
    gone.sort_by_key(|range| (range.start, range.end));
    let (mut text, mut from) = (String::with_capacity(source.len()), 0);
    for Range { start, end } in gone {
        text.push_str(source.get(from..start.max(from)).unwrap_or_default());
        from = from.max(end);
    }
    text.push_str(source.get(from..).unwrap_or_default());
    // A file that nothing was taken from is what it was.
    if from > 0 {
        text.drain(..text.len() - text.trim_start_matches(['\n', '\r']).len());
    }
    Ok((front, text))
}

struct Reading<'s> {
    source: &'s str,
    /// What of it is left out.
    gone: Vec<Range<usize>>,
    front: Front,
}

/// A link or an image whose end has not come.
struct Open {
    whole: Range<usize>,
    /// What stands in it, as far as that is known.
    inner: Option<Range<usize>>,
}

impl Reading<'_> {
    #[allow(clippy::wildcard_enum_match_arm, reason = "most of what a text is made of stays as it is")]
    /// Finds what is left out, and the first heading, if it is one of the first two levels.
    fn walk(&mut self) -> Result<Option<String>, String> {
        let options = Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
            | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS
            | Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES;
        let mut events = Parser::new_ext(self.source, options).into_offset_iter();
        let (mut title, mut is_in_title): (Option<String>, bool) = (None, false);
        let mut above: Option<(Written, String)> = None;
        let mut open: Vec<Open> = Vec::new();
        for (event, range) in events.by_ref() {
            if let Event::End(TagEnd::Link | TagEnd::Image) = event {
                self.close(open.pop());
                continue;
            }
            for link in &mut open {
                let start = link.inner.as_ref().map_or(range.start, |inner| inner.start);
                link.inner = Some(start..range.end.min(link.whole.end));
            }
            match event {
                // Elsewhere it is two rules.
                Event::Start(Tag::MetadataBlock(kind)) if self.is_at_top(&range) => {
                    let is_yaml = kind == MetadataBlockKind::YamlStyle;
                    above = Some((if is_yaml { Written::Yaml } else { Written::Toml }, String::new()));
                }
                Event::End(TagEnd::MetadataBlock(_)) => {
                    if let Some((written, block)) = above.take()
                        && let Some(front) = front::read(&block, written)?
                    {
                        self.front = front;
                        self.gone.push(range);
                    }
                }
                Event::Text(part) if above.is_some() => {
                    above.iter_mut().for_each(|(_, block)| block.push_str(&part));
                }
                Event::Start(Tag::Heading { level: HeadingLevel::H1 | HeadingLevel::H2, .. }) if title.is_none() => {
                    (title, is_in_title) = (Some(String::new()), true);
                }
                Event::End(TagEnd::Heading(_)) => is_in_title = false,
                Event::Start(Tag::Link { .. } | Tag::Image { .. }) => open.push(Open { whole: range, inner: None }),
                Event::Start(Tag::HtmlBlock) | Event::InlineHtml(_) => self.comments(range),
                Event::Text(part) | Event::Code(part) if is_in_title => {
                    title.iter_mut().for_each(|title| title.push_str(&part));
                }
                _ => {}
            }
        }
        // Where links go is told at the end of many texts.
        self.gone.extend(events.reference_definitions().iter().map(|(_, definition)| definition.span.clone()));
        Ok(title.map(|title| title.trim().to_owned()).filter(|title| !title.is_empty()))
    }

    fn is_at_top(&self, range: &Range<usize>) -> bool {
        self.source.get(..range.start).is_some_and(|above| above.trim().is_empty())
    }

    /// Of a link, its text stays.
    fn close(&mut self, link: Option<Open>) {
        let Some(Open { whole, inner }) = link else { return };
        let Some(inner) = inner else {
            self.gone.push(whole);
            return;
        };
        self.gone.push(whole.start..inner.start);
        self.gone.push(inner.end..whole.end);
    }

    fn comments(&mut self, range: Range<usize>) {
        let mut from = range.start;
        while let Some(start) = self.source.get(from..range.end).and_then(|html| html.find("<!--")) {
            let start = from + start;
            let end = self.source.get(start..range.end).and_then(|comment| comment.find("-->"));
            from = end.map_or(range.end, |end| start + end + 3);
            self.gone.push(start..from);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_stands_above_is_about_the_text_and_no_part_of_it() {
        let yaml = "---\ntitle: \"From: above\"\ndate: 2024-05-01\ntags: [a, b]\nweight: 3\ndraft: false\nmenu: { main: 1 }\n\
                    url: https://example.org/x\n---\n\n# In the text\n\nwords\n";
        let (front, text) = read(yaml).unwrap();
        assert_eq!(text, "# In the text\n\nwords\n");
        assert_eq!(front.title.as_deref(), Some("From: above"));
        assert_eq!(front.url.as_deref(), Some("https://example.org/x"));
        let known = json!({"date": "2024-05-01", "tags": ["a", "b"], "weight": 3, "draft": false});
        assert_eq!(Value::Object(front.metadata), known);
        let toml = "+++\ntitle = \"T\"\ndate = 2024-05-01T10:00:00Z\ntags = [\"a\"]\n[menu]\nmain = 1\n+++\ntext";
        let (front, text) = read(toml).unwrap();
        assert_eq!((front.title.as_deref(), text.as_str()), (Some("T"), "text"));
        assert_eq!(Value::Object(front.metadata), json!({"date": "2024-05-01T10:00:00Z", "tags": ["a"]}));
    }

    #[test]
    fn what_is_hostile_above_is_refused_and_what_is_text_stays() {
        let bomb = "---\na: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n\
                    c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n\
                    e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\n---\ntext";
        let large = format!("---\na: {}\n---\ntext", "x".repeat(70_000));
        for (source, says) in [
            (bomb, "front matter"),
            ("---\ntitle: secret: words\n---\ntext", "needs quotes"),
            ("---\na: 1\na: 2\n---\ntext", "twice"),
            ("+++\nnonsense\n+++\ntext", "no TOML"),
            (large.as_str(), "65536 are possible"),
        ] {
            let told = read(source).unwrap_err();
            assert!(told.contains(says) && !told.contains("secret"), "{told}");
        }
        let prose = "---\nJust a sentence, between rules.\n---\n\ntext\n";
        assert_eq!(read(prose).unwrap(), (Front::default(), prose.to_owned()));
        assert_eq!(read("no front\n\n---\na: 1\n---\n").unwrap().1, "no front\n\n---\na: 1\n---\n");
    }

    #[test]
    fn of_links_the_text_stays_and_of_comments_nothing() {
        for (source, text) in [
            ("see [the *guide*](https://example.org/a \"t\") now", "see the *guide* now"),
            ("see [the guide][1] now\n\n[1]: https://example.org/a\n", "see the guide now\n\n\n"),
            ("[![build](https://ci/badge.svg)](https://ci) x", "build x"),
            ("![a cat](cat.png)", "a cat"),
            ("[](x)y", "y"),
            ("[`code()`](x) <https://example.org>", "`code()` https://example.org"),
            ("a <!-- not\nthis --> b", "a  b"),
            ("<!-- for us:\n\nsecret -->\n\ntext", "text"),
            ("<div>\n<!-- x -->kept\n</div>", "<div>\nkept\n</div>"),
            ("```\n[x](y) <!-- z -->\n```", "```\n[x](y) <!-- z -->\n```"),
            (
                "- [x] done [a](b)\n\n| a | b |\n|---|---|\n| [c](d) | e |",
                "- [x] done a\n\n| a | b |\n|---|---|\n| c | e |",
            ),
            ("<!-- never ended", ""),
            ("ü [ö](ä) ß", "ü ö ß"),
        ] {
            assert_eq!(read(source).unwrap().1, text, "{source}");
        }
        assert_eq!(read("# The [real](x) `one`\n").unwrap().0.title.as_deref(), Some("The real one"));
    }
}

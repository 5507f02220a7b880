use std::{convert::Infallible, fs};

use super::*;

/// All of a directory: documents, and what is none.
fn documents(root: &Path, most: u64) -> (Vec<Document>, Vec<String>) {
    let listing = list(root);
    let (mut documents, mut unreadable) = (Vec::new(), Vec::new());
    for file in &listing.files {
        let Ok(()) = read::<Infallible>(file, most, &mut |document| {
            match document {
                Ok(Placed { document, .. }) => documents.push(document),
                Err(Unreadable { place, message }) => unreadable.push(format!("{place}: {message}")),
            }
            Ok(())
        });
    }
    (documents, unreadable)
}

#[test]
fn each_format_is_read_as_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("b/notes.TXT", "\u{feff}plain text".as_bytes());
    put("a.md", b"---\nx: y\n---\n```\n# no heading\n```\n# The `real` *one*\n\ntext");
    put("page.html", b"<title>A &amp; B</title><p>text");
    put(
        "lines.jsonl",
        b"{\"_id\": \"7\", \"title\": \"\", \"text\": \"seven\", \"metadata\": {\"n\": 7}}\n\n{\"text\": \"no id\"}\n",
    );
    put(".hidden/secret.txt", b"secret");
    put("image.png", b"\x89PNG");
    let (documents, unreadable) = documents(folder.path(), 1 << 20);
    assert_eq!(unreadable, [] as [&str; 0]);
    let told: Vec<_> = documents.iter().map(|it| (it.id.as_str(), it.title.as_deref(), it.text.as_str())).collect();
    let markdown = "```\n# no heading\n```\n# The `real` *one*\n\ntext";
    assert_eq!(
        told,
        [
            ("a.md", Some("The real one"), markdown),
            ("b/notes.TXT", None, "plain text"),
            ("7", None, "seven"),
            ("lines.jsonl:3", None, "no id"),
            ("page.html", Some("A & B"), "text"),
        ]
    );
    assert_eq!(documents[1].metadata["path"], "b/notes.TXT");
    assert_eq!(Value::Object(documents[0].metadata.clone()), serde_json::json!({"path": "a.md", "x": "y"}));
    let left_out = list(folder.path()).left_out;
    let told: Vec<_> = left_out.iter().map(|(why, it)| (why.as_str(), it.count, it.examples.join(" "))).collect();
    assert_eq!(told, [(".png", 1, "image.png".to_owned()), ("hidden", 1, ".hidden".to_owned())]);
    // One file alone is known by its name.
    assert_eq!(list(&folder.path().join("b/notes.TXT")).files[0].name, "notes.TXT");
}

#[test]
fn what_is_none_is_told_by_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("binary.txt", b"a\0b".as_slice()),
        ("broken.txt", b"abc\xff"),
        ("empty.md", b" \n"),
        ("large.txt", &[b'x'; 300]),
        ("page.html", b"<script>let secret;</script>"),
        (
            "x.jsonl",
            b"{\"text\": \"good\"}\nnone\n[1]\n{\"id\": \"1\"}\n{\"text\": \"\xff\"}\n{\"text\": \"also good\"}",
        ),
        ("y.jsonl", &[b'y'; 300]),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let (documents, unreadable) = documents(folder.path(), 200);
    assert_eq!(documents.iter().map(|it| it.text.as_str()).collect::<Vec<_>>(), ["good", "also good"]);
    let lines = "is no document: it has at least a `text`, and perhaps `id`, `title`, `url`, `metadata`";
    assert_eq!(
        unreadable,
        [
            "binary.txt: is binary, whatever its name says".to_owned(),
            "broken.txt: is no UTF-8 text (byte 3, in line 1); it seems to be ISO-8859-1 (Latin-1): convert it (iconv -f \
             ISO-8859-1 -t UTF-8 'broken.txt')"
                .to_owned(),
            "empty.md: is empty: there is no text in it".to_owned(),
            "large.txt: is larger than 200 bytes: split it".to_owned(),
            "page.html: is empty: there is no text in it".to_owned(),
            "x.jsonl:2: is no JSON".to_owned(),
            format!("x.jsonl:3: {lines}"),
            format!("x.jsonl:4: {lines}"),
            "x.jsonl:5: is no UTF-8 text".to_owned(),
            "y.jsonl:1: is longer than 200 bytes; the rest is not read".to_owned(),
        ]
    );
    let nowhere = list(&folder.path().join("nowhere"));
    assert!(nowhere.files.is_empty() && nowhere.unreadable.len() == 1);
}

//! What the documentation shows of the command line works as it is written there.

use std::{fs, path::Path, process::Command};

use crate::{Running, command};

/// The lines of a page's shell blocks that run a command of ours, each whole.
fn examples(page: &str) -> Vec<String> {
    let mut examples = Vec::new();
    for block in page.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap().replace("\\\n", " ");
        let lines = block.lines().map(|line| line.split("  #").next().unwrap().trim().to_owned());
        examples.extend(lines.filter(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let is_ours = words.first().is_some_and(|word| word.ends_with("context-sidecar"));
            is_ours && words.get(1).is_some_and(|word| ["ingest", "query"].contains(word))
        }));
    }
    examples
}

fn run(line: &str, folder: &Path, url: &str) -> (Option<i32>, String) {
    // By a shell, as the reader does it; of the program it is the one that is tested.
    let (_, arguments) = line.split_once(' ').unwrap();
    let program = command(&[]).get_program().to_str().unwrap().to_owned();
    let done = Command::new("sh")
        .arg("-c")
        .arg(format!("exec {program} {arguments}"))
        .env("CONTEXT_SERVICE_URL", url)
        .env_remove("CONTEXT_TENANT")
        .current_dir(folder)
        .output()
        .unwrap();
    (done.status.code(), String::from_utf8(done.stderr).unwrap())
}

#[tokio::test]
async fn the_commands_of_the_documentation_work() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("docs/sets.md", "---\nlang: en\nyear: 2024\n---\n# Sets\n\nA stale set is marked stale."),
        ("handbook/canoes.md", "---\nlang: en\nyear: 2024\n---\n# Canoes\n\nCanoes have outriggers."),
        ("notes.md", "Some notes."),
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let running = Running::start(folder.path(), &[]).await;
    let mut count = 0;
    for page in ["README.md", "docs/context-sidecar.md"] {
        for example in examples(&fs::read_to_string(root.join(page)).unwrap()) {
            let (code, complained) = run(&example, folder.path(), &running.url());
            assert_eq!(code, Some(0), "{page}: {example}: {complained}");
            count += 1;
        }
    }
    assert!(count >= 8, "{count} examples");
}

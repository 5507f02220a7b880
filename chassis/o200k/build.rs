//! Writes the vocabulary down in the form in which it is read: see `src/table.rs`.

use std::error::Error;
use std::io::Write as _;

#[path = "src/table.rs"]
mod table;

#[allow(clippy::disallowed_methods, reason = "cargo says in the environment where it goes")]
fn main() -> Result<(), Box<dyn Error>> {
    for file in ["build.rs", "src/table.rs"] {
        writeln!(std::io::stdout(), "cargo::rerun-if-changed={file}")?;
    }
    let encoding = tiktoken::get_encoding("o200k_base").ok_or("there is no o200k_base")?;
    let mut slots = vec![table::EMPTY; table::SLOTS];
    for rank in 0..u32::try_from(encoding.vocab_size())? {
        let token = encoding.decode(&[rank]);
        if token.is_empty() {
            continue;
        }
        let hash = table::hash(&token);
        for place in table::places(hash) {
            let slot = slots.get_mut(place).ok_or("there is no such slot")?;
            if *slot == table::EMPTY {
                *slot = table::fingerprint(hash) | u64::from(rank);
                break;
            }
            if table::fingerprint(*slot) == table::fingerprint(hash) {
                return Err("two tokens cannot be told apart".into());
            }
        }
    }
    let bytes: Vec<u8> = slots.into_iter().flat_map(u64::to_le_bytes).collect();
    std::fs::write(std::path::Path::new(&std::env::var("OUT_DIR")?).join("o200k_base.table"), bytes)?;
    Ok(())
}

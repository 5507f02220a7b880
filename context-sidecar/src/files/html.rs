//! A page to its title and its text.

/// # Errors
/// What is no page.
pub(super) fn read(page: &str) -> Result<(Option<String>, String), String> {
    let _ = page;
    Err(String::new())
}

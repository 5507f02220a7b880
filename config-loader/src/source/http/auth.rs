//! Who we say we are. Files are read at each fetch, so that a token that was renewed is the one that is sent.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use chassis::{
    exit::Code,
    secret::{Secret, read_keys},
};
use reqwest::RequestBuilder;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// More than any password has.
const MAX_BYTES: u64 = 64 << 10;

/// What is sent as `authorization`.
#[derive(Debug, Clone)]
pub(super) enum Credentials {
    None,
    Bearer(PathBuf),
    Basic { username: String, password: Password },
}

/// Where a password is.
#[derive(Debug, Clone)]
pub(super) enum Password {
    File(PathBuf),
    /// It was in the URL.
    Given(Secret),
}

impl Credentials {
    /// Adds them to a request.
    ///
    /// # Errors
    /// A file that cannot be read, or has no credential in it.
    pub(super) fn apply(&self, request: RequestBuilder) -> Result<RequestBuilder, Failure> {
        Ok(match self {
            Self::None => request,
            Self::Bearer(path) => request.bearer_auth(token(path)?.expose()),
            Self::Basic { username, password: Password::Given(password) } => {
                request.basic_auth(username, Some(password.expose()))
            }
            Self::Basic { username, password: Password::File(path) } => {
                request.basic_auth(username, Some(password_in(path)?.expose()))
            }
        })
    }

    /// What they are called where they are not accepted.
    pub(super) fn name(&self) -> Option<String> {
        Some(match self {
            Self::None => return None,
            Self::Bearer(path) => format!("the token in {}", path.display()),
            Self::Basic { password: Password::File(path), .. } => {
                format!("the user name and the password in {}", path.display())
            }
            Self::Basic { password: Password::Given(_), .. } => "the user name and the password in the URL".to_owned(),
        })
    }
}

fn token(path: &Path) -> Result<Secret, Failure> {
    let keys = read_keys(path).map_err(|error| Failure::new(Code::Config, error.to_string()))?;
    match <[Secret; 1]>::try_from(keys) {
        Ok([key]) => Ok(key),
        Err(keys) => {
            let message = format!("{}: holds {} tokens", path.display(), keys.len());
            Err(Failure::new(Code::Config, message).with_hint("leave the one that is to be sent"))
        }
    }
}

/// A password may have what no token has: blanks within, a `#` at its beginning.
fn password_in(path: &Path) -> Result<Secret, Failure> {
    let text = read(path).map_err(|error| {
        Failure::new(Code::Config, format!("{}: cannot be read: {error}", path.display()))
            .with_hint("mount the Secret there, readable for this user, or correct the path")
    })?;
    let password = text.trim();
    if password.is_empty() {
        let message = format!("{}: holds no password", path.display());
        return Err(Failure::new(Code::Config, message).with_hint("write the password into it, in one line"));
    }
    Ok(Secret::new(password.to_owned()))
}

fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    // A pipe or a device may have no end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = Zeroizing::new(String::new());
    File::open(path)?.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn white_space_around_a_credential_is_none_of_it() {
        assert_eq!(token(file("\u{feff}tok-1\n\n").path()).unwrap().expose(), "tok-1");
        assert_eq!(password_in(file("  #pass word\r\n").path()).unwrap().expose(), "#pass word");
    }

    #[test]
    fn what_holds_none_or_several_is_named_and_not_quoted() {
        for text in ["", " \n", "tok-1\ntok-2\n", "tok 1"] {
            let file = file(text);
            let failure = token(file.path()).unwrap_err();
            assert_eq!(failure.code, Code::Config);
            assert!(failure.message.contains(file.path().to_str().unwrap()), "{failure}");
            assert!(!failure.to_string().contains("tok-1"), "{failure}");
        }
        assert_eq!(password_in(file("\n").path()).unwrap_err().code, Code::Config);
        for path in ["/nowhere", "/dev/zero", "/tmp"] {
            assert!(password_in(Path::new(path)).unwrap_err().message.starts_with(path));
        }
    }
}

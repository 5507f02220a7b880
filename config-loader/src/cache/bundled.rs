//! A directory that came with the pod, such as a mounted ConfigMap: each file at its target, as its source would give it.

use std::{fmt, path::PathBuf};

use crate::{
    failure::Failure,
    fetch::Gathered,
    settings::{Identity, Settings},
    source::{Limits, Source as _, file},
};

#[derive(Debug)]
pub(super) struct Bundled {
    directory: PathBuf,
    files: Vec<(Identity, PathBuf)>,
    limits: Limits,
}

impl Bundled {
    pub(super) fn new(directory: PathBuf, settings: &Settings) -> Self {
        let files = settings.entries.iter().flat_map(|entry| {
            let path = directory.join(entry.target.as_str());
            let signature = entry.signature.as_ref().map(|spec| {
                let mut path = path.clone().into_os_string();
                path.push(".minisig");
                (spec.identity(), path.into())
            });
            [Some((entry.source.identity(), path)), signature]
        });
        Self { files: files.flatten().collect(), directory, limits: settings.limits.clone() }
    }

    pub(super) async fn recall(&self) -> Gathered {
        let mut gathered = Gathered::new();
        for (identity, path) in &self.files {
            let fetched = file::File::new(file::Settings { path: path.clone() }).fetch(self.limits.clone()).await;
            // Whatever is wrong with it, the source that is down is the greater trouble.
            let fetched = fetched.map_err(|failure| Failure::unavailable(failure.message));
            gathered.insert(identity.clone(), fetched);
        }
        gathered
    }
}

impl fmt::Display for Bundled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.directory.display().fmt(f)
    }
}

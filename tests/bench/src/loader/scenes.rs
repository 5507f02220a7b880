//! What is to be fetched, and how fast the server is about it.

/// One errand that all programs are sent on.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) files: usize,
    pub(crate) origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Origin {
    /// A configuration file that holds them: what is left is the price of a start.
    Inline,
    Http(Pace),
    Https(Pace),
}

/// How long the server thinks about an answer, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    first: u64,
    others: u64,
}

const AT_ONCE: Pace = Pace { first: 0, others: 0 };
const LATE: Pace = Pace { first: 50, others: 50 };
const ONE_SLOW: Pace = Pace { first: 500, others: 0 };

const fn scene(name: &'static str, files: usize, origin: Origin) -> Scene {
    Scene { name, files, origin }
}

pub(crate) const SCENES: [Scene; 11] = [
    scene("2 files, inline", 2, Origin::Inline),
    scene("1 file, http", 1, Origin::Http(AT_ONCE)),
    scene("2 files, http", 2, Origin::Http(AT_ONCE)),
    scene("50 files, http", 50, Origin::Http(AT_ONCE)),
    scene("50 files, http, each after 50 ms", 50, Origin::Http(LATE)),
    scene("50 files, http, one of them after 500 ms", 50, Origin::Http(ONE_SLOW)),
    scene("1 file, https", 1, Origin::Https(AT_ONCE)),
    scene("2 files, https", 2, Origin::Https(AT_ONCE)),
    scene("50 files, https", 50, Origin::Https(AT_ONCE)),
    scene("50 files, https, each after 50 ms", 50, Origin::Https(LATE)),
    scene("50 files, https, one of them after 500 ms", 50, Origin::Https(ONE_SLOW)),
];

impl Scene {
    /// Whether `PROMPT_URL` and `TOOLS_URL` are enough for the config-loader, as in the first pod that anybody writes.
    pub(crate) fn drops_in(&self) -> bool {
        self.files <= 2 && self.origin != Origin::Inline
    }

    /// How the files are called where they go.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        let drops_in = self.drops_in();
        (0..self.files).map(move |index| match index {
            0 if drops_in => "system-prompt.txt".to_owned(),
            1 if drops_in => "tools.json".to_owned(),
            index => format!("{index}.txt"),
        })
    }

    /// Where each comes from, in the order of their names.
    pub(crate) fn urls(&self, http: u16, https: u16) -> Vec<String> {
        let (scheme, port, pace) = match self.origin {
            Origin::Inline => return Vec::new(),
            Origin::Http(pace) => ("http", http, pace),
            Origin::Https(pace) => ("https", https, pace),
        };
        let of = |(index, name): (usize, String)| {
            let late = if index == 0 { pace.first } else { pace.others };
            format!("{scheme}://127.0.0.1:{port}/{late}/{name}")
        };
        self.names().enumerate().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_name_and_a_url_of_its_own() {
        for scene in SCENES.iter().filter(|scene| scene.origin != Origin::Inline) {
            let urls: std::collections::BTreeSet<String> = scene.urls(1, 2).into_iter().collect();
            assert_eq!((urls.len(), scene.names().count()), (scene.files, scene.files), "{}", scene.name);
        }
    }

    #[test]
    fn one_of_fifty_is_slow() {
        let slow = scene("", 50, Origin::Http(ONE_SLOW)).urls(80, 443);
        assert_eq!(slow[..2], ["http://127.0.0.1:80/500/0.txt", "http://127.0.0.1:80/0/1.txt"]);
    }
}

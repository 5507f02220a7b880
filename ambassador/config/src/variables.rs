//! The environment as far as no file and no provider cares: the names that are read, and what is wrong with those that
//! are everybody's.

use chassis::{
    config::{AUTHORITIES, Environment, Problems, check_authorities, warn_of_mistyped},
    telemetry,
};

use crate::{FILE_VARIABLE, file::File, parts::variable, settings::Settings};

/// The variables that are read of every provider.
pub(crate) const OF_PROVIDER: [&str; 4] = ["API_KEY", "API_KEY_FILE", "BASE_URL", "MODEL"];

/// The variables that are read whatever the providers are.
const OWN: [&str; 4] = [FILE_VARIABLE, "AMBASSADOR_LISTEN", "AMBASSADOR_ADMIN_LISTEN", "DRAIN_TIMEOUT"];

/// The variables that name the providers.
pub(crate) const NAMES: [&str; 2] = ["PRIMARY_PROVIDER", "FALLBACK_PROVIDER"];

/// The providers that are known by name.
pub(crate) const VENDORS: [&str; 2] = ["openai", "anthropic"];

/// The names that are read beside `file`: those that it says to hold keys.
pub(crate) fn beside(file: Option<&File>) -> Vec<String> {
    let keys = file.into_iter().flat_map(|file| file.providers.values()).flat_map(|provider| &provider.keys);
    keys.filter_map(|key| key.env.clone()).collect()
}

/// The names that are read where there is no file: of these providers, or of the vendors where none is named.
pub(crate) fn alone(providers: &[String]) -> Vec<String> {
    let vendors = VENDORS.map(str::to_owned);
    let providers = if providers.is_empty() { vendors.as_slice() } else { providers };
    let of_providers = providers.iter().flat_map(|name| OF_PROVIDER.map(|what| variable(name, what)));
    NAMES.map(str::to_owned).into_iter().chain(of_providers).collect()
}

/// Looks at what holds for the whole process. `read` are the names that are read for its providers.
pub(crate) fn check(
    environment: &Environment,
    settings: Option<&Settings>,
    mut read: Vec<String>,
    problems: &mut Problems,
) {
    let tls = |settings: &Settings| settings.upstreams.iter().any(|upstream| upstream.base_url.starts_with("https:"));
    check_authorities(environment, settings.is_none_or(tls), problems);
    read.extend(OWN.into_iter().chain([AUTHORITIES, "SSL_CERT_DIR"]).map(str::to_owned));
    read.extend(telemetry::VARIABLES.iter().map(|name| (*name).to_owned()));
    warn_of_mistyped(environment, &read, problems);
}

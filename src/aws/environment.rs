//! The environment variables as the AWS SDK and this plugin read them: without the blanks around a
//! value, and an empty one counts as not set. A secret that was made with `echo` ends in a newline.

use std::collections::HashMap;
use std::env;
use std::fs;

use aws_types::os_shim_internal::Env;

/// The variables of one moment.
pub(super) type Environment = HashMap<String, String>;

pub(super) fn read() -> Environment {
    let texts = env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
        Some((name, value.trim().to_owned()))
    });
    texts.filter(|(_, value)| !value.is_empty()).collect()
}

/// The first of these variables that is set, and its value.
pub(super) fn first<'e>(
    environment: &'e Environment,
    names: &[&'static str],
) -> Option<(&'static str, &'e str)> {
    let mut names = names.iter();
    names.find_map(|name| Some((*name, environment.get(*name)?.as_str())))
}

/// The same for the SDK. A token's file may end in a newline too, which the SDK refuses: so it gets
/// the token itself.
pub(super) fn for_sdk(environment: &Environment) -> Env {
    const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
    const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
    let mut variables = environment.clone();
    // The SDK tells why a file can not be read.
    if let Some(file) = environment.get(TOKEN_FILE)
        && let Ok(token) = fs::read_to_string(file)
    {
        variables.remove(TOKEN_FILE);
        variables.insert(TOKEN.to_owned(), token.trim().to_owned());
    }
    Env::from(variables)
}

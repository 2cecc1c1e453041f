//! The environment variables as the AWS SDK and this plugin read them: without the blanks around a
//! value, and an empty one counts as not set. A secret that was made with `echo` ends in a newline.

use std::collections::HashMap;
use std::env;
use std::fs;

use aws_types::os_shim_internal::Env;

/// The variables of one moment.
pub(super) struct Environment(HashMap<String, String>);

impl Environment {
    pub(super) fn read() -> Self {
        let texts = env::vars_os();
        Self::of(texts.filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
    }

    fn of(variables: impl Iterator<Item = (String, String)>) -> Self {
        let trimmed = variables.map(|(name, value)| (name, value.trim().to_owned()));
        Self(trimmed.filter(|(_, value)| !value.is_empty()).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Has a variable not set.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The first of these variables that is set, and its value.
    pub(super) fn first<'n>(&self, names: &[&'n str]) -> Option<(&'n str, &str)> {
        let mut set = names
            .iter()
            .filter_map(|name| Some((*name, self.get(name)?)));
        set.next()
    }

    /// The same for the SDK. A token's file may end in a newline too, which the SDK refuses: so it
    /// gets the token itself.
    pub(super) fn for_sdk(&self) -> Env {
        const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
        const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
        let mut variables = self.0.clone();
        // The SDK tells why a file can not be read.
        if let Some(file) = self.get(TOKEN_FILE)
            && let Ok(token) = fs::read_to_string(file)
        {
            variables.remove(TOKEN_FILE);
            variables.insert(TOKEN.to_owned(), token.trim().to_owned());
        }
        Env::from(variables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let owned = variables.iter();
        Environment::of(owned.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn a_value_has_no_blanks_around_it_and_an_empty_one_is_not_set() {
        let environment = environment(&[
            ("AWS_REGION", ""),
            ("AWS_DEFAULT_REGION", " \n"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE\n"),
        ]);
        let regions = environment.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]);
        assert_eq!(regions, None);
        let sdk = environment.for_sdk();
        assert!(sdk.get("AWS_REGION").is_err());
        assert_eq!(sdk.get("AWS_ACCESS_KEY_ID").unwrap(), "AKIDEXAMPLE");
    }

    #[test]
    fn an_empty_variable_does_not_hide_the_next_one() {
        let environment = environment(&[("HTTPS_PROXY", ""), ("https_proxy", "http://proxy:1")]);
        let proxy = environment.first(&["HTTPS_PROXY", "https_proxy"]);
        assert_eq!(proxy, Some(("https_proxy", "http://proxy:1")));
    }
}

//! Files that belong to delivery streams, by a value of the template in their names. Only files
//! that are there are looked at: no event chooses a path.

use std::path::{Path, PathBuf};

use super::template::Template;
use super::{Route, Target};

/// The files of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamFiles {
    pub directory: PathBuf,
    names: Template,
    route: Route,
}

impl StreamFiles {
    /// Of a path whose last part has a placeholder. A phrase says what is wrong.
    pub fn parse(path: &str, route: Option<&Route>) -> Result<Self, String> {
        const WHY: &str = "a `$` in it stands for a value of delivery_stream, which is no template";
        let route = route.ok_or(WHY)?;
        // A `/` may stand within an accessor: the first `$` ends the directory.
        let start = path.find('$').unwrap_or(path.len());
        let (directory, name) = match path[..start].rfind('/') {
            Some(slash) => path.split_at(slash + 1),
            None => (".", path),
        };
        let names = Template::parse(name)?;
        let one = names.placeholder().filter(|_| names.placeholders() == 1);
        let one = one.ok_or("the file's name has one placeholder, once")?;
        if route.template.placeholder() != Some(one) {
            return Err("its placeholder must be the only one of delivery_stream".to_owned());
        }
        Ok(Self {
            directory: PathBuf::from(directory),
            names,
            route: route.clone(),
        })
    }

    /// The delivery stream that a file belongs to, if it is one of the files and the stream may be
    /// used.
    pub fn stream_of(&self, file: &Path) -> Option<String> {
        let value = self.names.value_in(file.file_name()?.to_str()?)?;
        let text = self.route.template.text_with(value);
        match self.route.target(Some(text)) {
            Target::Stream(name) => Some(name),
            Target::Default(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(template: &str) -> Route {
        Route {
            template: Template::parse(template).unwrap(),
            replace: Some('_'),
            is_lower_case: true,
            allow: vec!["app-*".to_owned()],
            max_streams: 64,
        }
    }

    #[test]
    fn a_file_belongs_to_the_stream_of_its_value() {
        let namespace = "$kubernetes['namespace_name']";
        let route = route(&format!("app-{namespace}"));
        let files = StreamFiles::parse(&format!("/tables/t.{namespace}.json"), Some(&route));
        let files = files.unwrap();
        assert_eq!(files.directory, Path::new("/tables/"));
        for (file, expected) in [
            ("t.Shop.json", Some("app-shop")),
            ("t.a b.json", Some("app-a_b")),
            ("t..json", Some("app-")),
            ("t.json", None),
            ("shop.json", None),
            ("t.shop.yaml", None),
        ] {
            let found = files.stream_of(&Path::new("/tables").join(file));
            assert_eq!(found.as_deref(), expected, "{file}");
        }
        let long = format!("/tables/t.{}.json", "x".repeat(70));
        assert_eq!(files.stream_of(Path::new(&long)), None);
        assert_eq!(files.stream_of(Path::new("/")), None);
    }

    #[test]
    fn a_wrong_path_says_why() {
        let tag = route("app-$TAG[1]");
        let two = route("$a-$b");
        let one = "the file's name has one placeholder, once";
        let same = "its placeholder must be the only one of delivery_stream";
        for (path, route, why) in [
            ("/t/$TAG[1].json", None, "a `$` in it stands for a value"),
            ("/t/$TAG[1]-$TAG[1].json", Some(&tag), one),
            ("/t/$TAG[1]$TAG[2].json", Some(&tag), one),
            ("/t/$TAG[2].json", Some(&tag), same),
            ("/t/$TAG.json", Some(&tag), same),
            ("/t/$a.json", Some(&two), same),
            ("/$TAG[1]/t.json", Some(&tag), "no stream's name has a `/`"),
            ("/t/$TAG[x.json", Some(&tag), "behind `$TAG[` stands"),
        ] {
            let error = StreamFiles::parse(path, route).unwrap_err();
            assert!(error.starts_with(why), "{path}: {error}");
        }
        let here = StreamFiles::parse("$TAG[1].json", Some(&tag)).unwrap();
        assert_eq!(here.directory, Path::new("."));
    }
}

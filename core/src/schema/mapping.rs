//! Which columns take the value of a key with another name: ColumnToJsonKeyMappings.

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Of a column's name and a key, both in lower case.
    pub pairs: Vec<(String, String)>,
    /// ConvertDotsInJsonKeysToUnderscores: every dot of a key stands for an underscore.
    pub converts_dots: bool,
}

impl Mapping {
    pub fn column_of(&self, key: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|(_, mapped)| mapped == key);
        pair.map(|(column, _)| column.as_str())
    }

    pub fn has_column(&self, column: &str) -> bool {
        self.pairs.iter().any(|(mapped, _)| mapped == column)
    }

    /// The key as the deserializer compares it with the names of columns and fields.
    pub fn converted(&self, key: &str) -> String {
        match self.converts_dots {
            true => key.replace('.', "_"),
            false => key.to_owned(),
        }
    }
}

//! Which columns take the value of a key with another name: ColumnToJsonKeyMappings.

#[derive(Debug, Default)]
pub(crate) struct Mapping {
    /// Of a column's name and a key, both in lower case.
    pub(crate) pairs: Vec<(String, String)>,
    /// ConvertDotsInJsonKeysToUnderscores: every dot of a key stands for an underscore.
    pub(crate) converts_dots: bool,
}

impl Mapping {
    pub(crate) fn column_of(&self, key: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|(_, mapped)| mapped == key);
        pair.map(|(column, _)| column.as_str())
    }

    pub(crate) fn has_column(&self, column: &str) -> bool {
        self.pairs.iter().any(|(mapped, _)| mapped == column)
    }

    /// The key as the deserializer compares it with the names of columns and fields.
    pub(crate) fn converted(&self, key: &str) -> String {
        match self.converts_dots {
            true => key.replace('.', "_"),
            false => key.to_owned(),
        }
    }
}

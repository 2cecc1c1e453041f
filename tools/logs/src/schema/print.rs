//! Columns as CloudFormation wants them, and as Athena does.

use crate::schema::columns::Column;

/// The Columns of a table's StorageDescriptor, and the mappings of the stream's deserializer. Names are
/// in quotes, as one such as `no` would otherwise be a boolean.
pub(crate) fn yaml(columns: &[Column]) -> String {
    let mut yaml = "Columns:\n".to_owned();
    let mut mappings = String::new();
    for column in columns {
        let (name, glue_type) = (&column.name, &column.glue_type);
        yaml += &format!("  - Name: \"{name}\"\n    Type: {glue_type}\n");
        if let Some(key) = &column.mapped_key {
            let key = serde_json::Value::from(key.as_str());
            mappings += &format!("  \"{name}\": {key}\n");
        }
    }
    if !mappings.is_empty() {
        yaml += "# Of the stream's OpenXJsonSerDe:\nColumnToJsonKeyMappings:\n";
    }
    yaml + &mappings
}

/// Every name in backticks, which Athena asks for with keywords and with a leading underscore.
pub(crate) fn ddl(table: &str, columns: &[Column]) -> String {
    let columns = columns.iter();
    let columns =
        columns.map(|column| format!("  `{}` {}", column.name, column.glue_type.text("`")));
    let columns = columns.collect::<Vec<_>>().join(",\n");
    format!(
        "CREATE EXTERNAL TABLE `{table}` (\n{columns}\n)\nSTORED AS PARQUET\n\
         LOCATION 's3://BUCKET/PREFIX/';\n"
    )
}

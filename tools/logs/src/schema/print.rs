//! Columns as CloudFormation wants them, and as Athena does.

use crate::schema::columns::Column;
use crate::schema::glue_type::GlueType;

/// The Columns of a table's StorageDescriptor, and the mappings of the stream's deserializer.
pub(crate) fn yaml(columns: &[Column]) -> String {
    let mut yaml = "Columns:\n".to_owned();
    for Column {
        name, glue_type, ..
    } in columns
    {
        // In quotes, as a name such as `no` would otherwise be a boolean.
        yaml += &format!("  - Name: \"{name}\"\n    Type: {glue_type}\n");
    }
    let mapped: Vec<(&str, &str)> = columns
        .iter()
        .filter_map(|column| Some((column.name.as_str(), column.mapped_key.as_deref()?)))
        .collect();
    if !mapped.is_empty() {
        yaml += "# Of the stream's OpenXJsonSerDe:\nColumnToJsonKeyMappings:\n";
        for (name, key) in mapped {
            let key = serde_json::Value::from(key);
            yaml += &format!("  \"{name}\": {key}\n");
        }
    }
    yaml
}

/// Every name in backticks, which Athena asks for with keywords and with a leading underscore.
pub(crate) fn ddl(table: &str, columns: &[Column]) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(
            |Column {
                 name, glue_type, ..
             }| format!("  `{name}` {}", quoted(glue_type)),
        )
        .collect();
    format!(
        "CREATE EXTERNAL TABLE `{table}` (\n{}\n)\nSTORED AS PARQUET\nLOCATION 's3://BUCKET/PREFIX/';\n",
        columns.join(",\n")
    )
}

fn quoted(glue_type: &GlueType) -> String {
    match glue_type {
        GlueType::Array(items) => format!("array<{}>", quoted(items)),
        GlueType::Struct(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, glue_type)| format!("`{name}`:{}", quoted(glue_type)))
                .collect();
            format!("struct<{}>", fields.join(","))
        }
        plain => plain.to_string(),
    }
}

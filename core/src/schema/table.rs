//! Reads an existing table: what `aws glue get-table` or `make schema` prints, or a CloudFormation
//! template.

use saphyr::{LoadableYamlNode as _, Yaml};

use crate::schema::glue_type::GlueType;
use crate::schema::mapping::Mapping;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    /// Their names in lower case.
    pub columns: Vec<(String, GlueType)>,
    /// Of a template: as the stream that converts by this table has it; else what stands beside the
    /// table or its columns.
    pub mapping: Mapping,
}

/// Reads the table of a file's text. `wanted` chooses among those of a template by the table's name
/// or its resource's. An error is a sentence for the operator.
pub fn read(text: &str, wanted: Option<&str>) -> Result<Table, String> {
    // What `make schema` prints ends in a statement for Athena.
    let text = text.split("\n-- Athena").next().unwrap_or_default();
    // JSON is YAML, too.
    let documents = Yaml::load_from_str(text).map_err(|error| format!("not YAML: {error}"))?;
    let root = documents.first().ok_or("the file is empty")?;
    if let Some(table) = get(root, "Table") {
        return table_of(table, "StorageDescriptor/Columns", mapping_of(root)?);
    }
    if get(root, "Columns").is_some() {
        return table_of(root, "Columns", mapping_of(root)?);
    }
    let resources = get(root, "Resources").ok_or(
        "neither from `aws glue get-table` (no Table), nor from `make schema` (no Columns), nor a \
         CloudFormation template (no Resources)",
    )?;
    let tables: Vec<(&str, &Yaml<'_>)> = of_type(resources, "AWS::Glue::Table")
        .filter_map(|(id, properties)| Some((id, get(properties, "TableInput")?)))
        .collect();
    let is_wanted = |(id, input): &&(&str, &Yaml<'_>)| {
        wanted.is_none() || [Some(*id), text_at(input, "Name")].contains(&wanted)
    };
    let found: Vec<_> = tables.iter().filter(is_wanted).collect();
    let [(id, input)] = found.as_slice() else {
        let ids: Vec<&str> = tables.iter().map(|(id, _)| *id).collect();
        return Err(format!(
            "one table is needed, chosen by its name; the template has: {}",
            ids.join(", ")
        ));
    };
    let names = [Some(*id), text_at(input, "Name")];
    let path = "StorageDescriptor/Columns";
    table_of(input, path, mapping(resources, names)?)
}

fn table_of(input: &Yaml<'_>, path: &str, mapping: Mapping) -> Result<Table, String> {
    let columns = get(input, path)
        .and_then(Yaml::as_sequence)
        .ok_or_else(|| format!("the table has no list {path}"))?;
    let column = |column: &Yaml<'_>| {
        let name = text_at(column, "Name").ok_or("a column has no Name")?;
        let glue_type = text_at(column, "Type").ok_or(format!("column {name} has no Type"))?;
        let glue_type =
            GlueType::parse(glue_type).map_err(|error| format!("column {name}: {error}"))?;
        Ok((name.to_lowercase(), glue_type))
    };
    Ok(Table {
        name: text_at(input, "Name").unwrap_or("the table").to_owned(),
        columns: columns.iter().map(column).collect::<Result<_, String>>()?,
        mapping,
    })
}

/// That of the stream which converts by the table of one of these names.
fn mapping(resources: &Yaml<'_>, names: [Option<&str>; 2]) -> Result<Mapping, String> {
    let path = "ExtendedS3DestinationConfiguration/DataFormatConversionConfiguration";
    let conversion = of_type(resources, "AWS::KinesisFirehose::DeliveryStream")
        .filter_map(|(_, properties)| get(properties, path))
        .find(|conversion| {
            let table = text_at(conversion, "SchemaConfiguration/TableName");
            table.is_some() && names.contains(&table)
        });
    let path = "InputFormatConfiguration/Deserializer/OpenXJsonSerDe";
    let serde = conversion.and_then(|conversion| get(conversion, path));
    serde.map_or_else(|| Ok(Mapping::default()), mapping_of)
}

/// What the options of a deserializer say.
fn mapping_of(serde: &Yaml<'_>) -> Result<Mapping, String> {
    let mut mapping = Mapping::default();
    if is_set(serde, "CaseInsensitive") == Some(false) {
        return Err(
            "the stream's CaseInsensitive is false, which is not known here: keys \
             are compared with columns in lower case"
                .to_owned(),
        );
    }
    mapping.converts_dots = is_set(serde, "ConvertDotsInJsonKeysToUnderscores") == Some(true);
    let pairs = get(serde, "ColumnToJsonKeyMappings").and_then(Yaml::as_mapping);
    let pairs = pairs.into_iter().flatten();
    let lower = |node: &Yaml<'_>| node.as_str().map(str::to_lowercase);
    let pairs = pairs.filter_map(|(column, key)| Some((lower(column)?, lower(key)?)));
    mapping.pairs.extend(pairs);
    Ok(mapping)
}

/// The resources of a type: their names and properties.
fn of_type<'a>(
    resources: &'a Yaml<'_>,
    wanted: &str,
) -> impl Iterator<Item = (&'a str, &'a Yaml<'a>)> {
    let resources = resources.as_mapping().into_iter().flatten();
    resources.filter_map(move |(id, resource)| {
        let is_wanted = text_at(resource, "Type") == Some(wanted);
        is_wanted.then_some((id.as_str()?, get(resource, "Properties")?))
    })
}

fn get<'a>(node: &'a Yaml<'a>, path: &str) -> Option<&'a Yaml<'a>> {
    let mut keys = path.split('/');
    keys.try_fold(node, |node, key| node.as_mapping_get(key))
}

/// Text, also where it stands behind !Ref or in `{"Ref": ...}`.
fn text_at<'a>(node: &'a Yaml<'a>, path: &str) -> Option<&'a str> {
    let node = get(node, path)?;
    let node = node.as_mapping_get("Ref").unwrap_or(node);
    match node {
        Yaml::Tagged(_, inner) => inner.as_str(),
        node => node.as_str(),
    }
}

fn is_set(node: &Yaml<'_>, key: &str) -> Option<bool> {
    let value = node.as_mapping_get(key)?;
    value.as_bool().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::read;

    const TEMPLATE: &str = include_str!("../../../tools/logs/tests/cases/drift.yaml");

    #[test]
    fn what_cannot_be_read_is_told() {
        let of_columns =
            |columns| format!("{{Table: {{StorageDescriptor: {{Columns: {columns}}}}}}}");
        let exact_case = TEMPLATE.replace("CaseInsensitive: true", "CaseInsensitive: \"false\"");
        for (text, wanted, expected) in [
            ("", None, "the file is empty"),
            ("a: [", None, "not YAML"),
            ("a: b", None, "neither from `aws glue get-table`"),
            (
                TEMPLATE,
                None,
                "chosen by its name; the template has: JobLogs, HttpLogs",
            ),
            (TEMPLATE, Some("none"), "one table is needed"),
            (&of_columns("[{Name: a}]"), None, "column a has no Type"),
            (&of_columns("[{Type: int}]"), None, "a column has no Name"),
            (
                &of_columns("[{Name: a, Type: list<a>}]"),
                None,
                "column a: `list<a>` is not a type that Glue knows",
            ),
            (
                "{Table: {}}",
                None,
                "the table has no list StorageDescriptor/Columns",
            ),
            (&exact_case, Some("http"), "CaseInsensitive is false"),
        ] {
            let error = read(text, wanted).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}

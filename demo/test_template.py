import tempfile
import unittest
from pathlib import Path

from template import load, resources, saved_queries

TEXT = """
Resources:
  Table:
    Type: AWS::Glue::Table
    Properties: {Name: !Ref Name, Arn: !GetAtt Bucket.Arn, Actions: !If [Has, [!Ref A], !Ref B]}
  Query:
    Type: AWS::Athena::NamedQuery
    Condition: HasSavedQueries
    Properties:
      Name: All
      QueryString: !Sub SELECT * FROM ${HttpLogs}
"""


class Template(unittest.TestCase):
    def test_functions_are_read_in_their_long_form(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "template.yaml")
            path.write_text(TEXT)
            template = load(path)
        self.assertEqual(
            resources(template, "AWS::Glue::Table"),
            {
                "Table": {
                    "Name": {"Ref": "Name"},
                    "Arn": {"Fn::GetAtt": ["Bucket", "Arn"]},
                    "Actions": {"Fn::If": ["Has", [{"Ref": "A"}], {"Ref": "B"}]},
                }
            },
        )
        self.assertEqual(saved_queries(template, "http"), {"All": "SELECT * FROM http"})

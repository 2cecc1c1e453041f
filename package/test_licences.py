import tempfile
import unittest
from pathlib import Path

import licences
from licences import Part, allowed, crate, faults, linked_crates, notices

ROOT = Path(__file__).resolve().parent.parent


class Allowed(unittest.TestCase):
    def test_an_expression_that_allowed_licences_meet(self) -> None:
        for expression in (
            "MIT",
            "MIT OR GPL-3.0-only",
            "GPL-2.0-only OR BSD-3-Clause",
            "MIT/Apache-2.0",
            "GPL-2.0 / MIT",
            "Apache-2.0 AND ISC",
            "(MIT OR GPL-2.0-only) AND Unicode-3.0",
            "GPL-2.0-only AND ISC OR MIT",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0-only",
        ):
            with self.subTest(expression):
                self.assertTrue(allowed(expression))

    def test_any_other_expression(self) -> None:
        for expression in (
            "",
            "GPL-3.0-only",
            "MPL-2.0",
            "MIT AND GPL-2.0-only",
            "GPL-2.0-only AND MIT",
            "MIT AND (GPL-2.0-only OR AGPL-3.0-only)",
            "(MIT OR ISC) AND GPL-2.0-only",
            "GPL-2.0-only WITH Classpath-exception-2.0",
            "MIT WITH another-exception",
            "MIT OR",
            "AND MIT",
            "(MIT",
            "((",
            "MIT)",
            "MIT ISC",
            "mit",
        ):
            with self.subTest(expression):
                self.assertFalse(allowed(expression))


class Crates(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def package(self, name: str, licence: str | None, *texts: str) -> Part:
        """A crate with files of these names, each with its name in it."""
        folder = self.folder / name
        for text in texts:
            path = folder / text
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"text of {text}\n")
        return crate(
            {
                "name": name,
                "version": "1.2.3",
                "license": licence,
                "manifest_path": str(folder / "Cargo.toml"),
            }
        )

    def test_all_texts_of_a_crate_are_found(self) -> None:
        part = self.package(
            "some",
            "MIT",
            "COPYING",
            "LICENSE-MIT",
            "LICENCE.md",
            "NOTICE.txt",
            "UNLICENSE",
            "README.md",
            "src/license.rs",
            "third_party/other/LICENSE",
            "zstd/COPYING",
        )
        names = [str(path.relative_to(self.folder / "some")) for path in part.texts]
        self.assertEqual(
            names,
            [
                "COPYING",
                "LICENCE.md",
                "LICENSE-MIT",
                "NOTICE.txt",
                "UNLICENSE",
                "third_party/other/LICENSE",
            ],
        )
        self.assertEqual(faults([part]), [])

    def test_a_licence_that_is_not_allowed_is_refused(self) -> None:
        for licence, named in (("GPL-3.0-only", "GPL-3.0-only"), (None, "not named")):
            with self.subTest(licence):
                (fault,) = faults([self.package("copyleft", licence, "LICENSE")])
                self.assertIn("copyleft 1.2.3", fault)
                self.assertIn(named, fault)

    def test_a_crate_without_a_text_is_refused(self) -> None:
        (fault,) = faults([self.package("bare", "MIT", "README.md")])
        self.assertIn("bare 1.2.3", fault)
        self.assertIn("package/texts", fault)

    def test_a_text_that_was_not_published_is_taken_from_here(self) -> None:
        part = self.package("vsimd", "MIT")
        self.assertEqual(part.texts, (licences.KEPT / "nugine-simd.txt",))
        self.assertEqual(faults([part]), [])

        own = self.package("vsimd", "MIT", "LICENSE")
        self.assertEqual(own.texts, (self.folder / "vsimd" / "LICENSE",))

    def test_the_page_has_each_crate_and_each_text_once(self) -> None:
        page = notices(
            [
                self.package("second", "ISC", "LICENSE"),
                self.package("first", "MIT", "LICENSE", "NOTICE", "below/LICENSE"),
            ]
        )
        self.assertLess(page.index("first 1.2.3: MIT"), page.index("second 1.2.3: ISC"))
        self.assertIn("\nfirst 1.2.3, second 1.2.3\n", page)
        self.assertEqual(page.count("text of LICENSE\n"), 1)
        self.assertEqual(page.count("text of NOTICE\n"), 1)


class Project(unittest.TestCase):
    def test_what_is_linked_into_the_plugin_may_be_shipped(self) -> None:
        parts = linked_crates(ROOT / "Cargo.toml", "x86_64-unknown-linux-gnu")
        self.assertEqual(faults(parts), [])

        names = {part.name for part in parts}
        self.assertLessEqual({"aws-sdk-firehose", "ring", "tokio", "zstd-sys"}, names)
        # The plugin itself; a macro, a build's helper, a test's library, and another system's.
        others = {
            "fluent-bit-firehose",
            "serde_derive",
            "cc",
            "proptest",
            "windows-sys",
        }
        self.assertFalse(others & names)

    def test_a_kept_text_is_of_a_crate_that_needs_it(self) -> None:
        parts = linked_crates(ROOT / "Cargo.toml", "x86_64-unknown-linux-gnu")
        using = {part.name for part in parts if part.texts[0].parent == licences.KEPT}
        self.assertEqual(using, set(licences.PUBLISHED_WITHOUT))
        kept = set(licences.PUBLISHED_WITHOUT.values())
        self.assertEqual(kept, set(licences.KEPT.iterdir()))

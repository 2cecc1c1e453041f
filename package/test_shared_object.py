import platform
import subprocess
import tempfile
import unittest
from pathlib import Path

import shared_object

MOST_BYTES = 50_000
EXPORTING = "".join(f"void {name}(void) {{}}\n" for name in shared_object.EXPORTS)
# As old as glibc is on the architecture.
OLDEST = {"x86_64": (2, 2, 5), "aarch64": (2, 17)}[platform.machine()]
NEEDING_THE_OLDEST = """
#include <string.h>
unsigned long length(const char *text) { return strlen(text); }
"""


def faults(file: Path) -> list[str]:
    """What is wrong with a file for a machine that has glibc 2.26."""
    return shared_object.faults(file, "2.26", MOST_BYTES)


class SharedObject(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def build(self, source: str, *flags: str, name: str = "lib.so") -> Path:
        """A library of the C compiler's."""
        path = self.folder / name
        command = [
            "cc",
            "-shared",
            "-fPIC",
            "-fno-builtin",
            "-O1",
            "-x",
            "c",
            "-o",
            path,
        ]
        subprocess.run(
            [*command, "-", "-x", "none", *flags], input=source, text=True, check=True
        )
        return path

    def needing(self, version: str) -> Path:
        """A library that needs `version` of a libc that has just that one."""
        script = self.folder / "versions"
        script.write_text(f"{version} {{ global: from_libc; local: *; }};\n")
        libc = self.build(
            "void from_libc(void) {}",
            f"-Wl,--version-script={script},-soname,libc.so.6",
            "-nostdlib",
            name="libc.so.6",
        )
        source = "void from_libc(void); void call(void) { from_libc(); }\n" + EXPORTING
        return self.build(source, str(libc), "-nostdlib", "-Wl,-z,nodelete")

    def test_the_glibc_that_a_file_of_the_c_compiler_needs(self) -> None:
        # strlen is as old as glibc itself; so is what the compiler adds to each library.
        file = self.build(NEEDING_THE_OLDEST)
        self.assertEqual(shared_object.needed_glibc(file), OLDEST)

    def test_versions_are_compared_as_numbers(self) -> None:
        for version, number in (
            ("GLIBC_2.3", (2, 3)),
            ("GLIBC_2.3.4", (2, 3, 4)),
            ("GLIBC_2.26", (2, 26)),
            ("GLIBC_2.27", (2, 27)),
            ("GLIBC_2.100", (2, 100)),
            ("GLIBC_3.0", (3, 0)),
            ("GLIBC_PRIVATE", ()),
            ("OTHER_2.40", ()),
        ):
            with self.subTest(version):
                file = self.needing(version)
                self.assertEqual(shared_object.needed_glibc(file), number)
                found = faults(file)
                self.assertEqual(bool(found), number > (2, 26), found)

    def test_what_a_file_defines_it_does_not_need(self) -> None:
        self.needing("GLIBC_2.40")
        libc = self.folder / "libc.so.6"
        self.assertEqual(shared_object.needed_glibc(libc), ())

    def test_an_export_is_missing(self) -> None:
        hidden = EXPORTING.replace(
            "void FLBPluginInit",
            '__attribute__((visibility("hidden"))) void FLBPluginInit',
        )
        file = self.build(hidden, "-nostdlib", "-Wl,-z,nodelete")
        (fault,) = faults(file)
        self.assertIn("exports FLBPluginInit:", fault)

    def test_what_is_only_called_is_no_export(self) -> None:
        file = self.build("void there(void); void here(void) { there(); }", "-nostdlib")
        self.assertEqual(shared_object.exports(file), {"here"})

    def test_a_reload_would_unload_it(self) -> None:
        (fault,) = faults(self.build(EXPORTING, "-nostdlib"))
        self.assertIn("nodelete", fault)

    def test_a_plugin_may_not_be_large(self) -> None:
        file = self.build(EXPORTING, "-nostdlib", "-Wl,-z,nodelete")
        with file.open("ab") as plugin:
            plugin.truncate(MOST_BYTES)
        self.assertEqual(faults(file), [])
        with file.open("ab") as plugin:
            plugin.truncate(MOST_BYTES + 1)
        (fault,) = faults(file)
        self.assertIn("50001 bytes", fault)

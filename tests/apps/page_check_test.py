"""The verb report, its check and its formats as people run them: `page_check_test.py LOGLOG`. Runs truly trained."""

import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

LOGLOG = sys.argv[1]
SPEC = """
[data]
synthetic = { documents = 100, seed = 5 }
[model]
layers = 1
heads = 2
context = 32
[train]
batch_tokens = 1024
threads = 1
eval_tokens = 4096
"""


def loglog(*words, **environment):
    return subprocess.run([LOGLOG, *words], capture_output=True, text=True, timeout=240,
                          env={**os.environ, **environment})


class ReportCheck(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="loglog-report-check-")
        cls.addClassCleanup(folder.cleanup)
        cls.path = pathlib.Path(folder.name)
        (cls.path / "run.toml").write_text(SPEC)
        cls.trained = cls.path / "trained"
        for width in (8, 16, 24):
            for tokens in (8192, 16384):
                cls.train(cls.trained, width, tokens)
        cls.page = cls.path / "page" / "report.html"
        result = loglog("report", "--where", "true", "--out", str(cls.page), "--bootstrap", "40",
                        "--registry", str(cls.trained))
        assert result.returncode == 0, result.stderr
        cls.runs = [line.split(",")[0] for line in
                    (cls.page.parent / "report-runs.csv").read_text().splitlines()[1:]]

    @classmethod
    def train(cls, registry, width, tokens):
        result = loglog("train", str(cls.path / "run.toml"), "--registry", str(registry),
                        "--set", f"model.width={width}", "--set", f"train.tokens={tokens}")
        assert result.returncode == 0, result.stderr

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="loglog-report-check-")
        self.addCleanup(folder.cleanup)
        self.registry = pathlib.Path(folder.name) / "registry"
        shutil.copytree(self.trained, self.registry)
        self.copy = pathlib.Path(folder.name) / "copy.html"  # alone: no JSON beside it

    def check(self, page, status, *words):
        result = loglog("report", "--check", str(page), "--registry", str(self.registry), *words)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        return result.stdout

    def change(self, statement, *values):
        with sqlite3.connect(self.registry / "registry.sqlite") as database:
            changed = database.execute(statement, values).rowcount
        database.close()
        self.assertEqual(changed, 1)

    def edit(self, pattern, replacement):
        text, count = re.subn(pattern, replacement, self.page.read_text(), count=1)
        self.assertEqual(count, 1, pattern)
        self.copy.write_text(text)

    def test_a_fresh_page_passes_by_itself(self):
        shutil.copy(self.page, self.copy)
        text = self.check(self.copy, 0)
        self.assertIn("passed: every number is recomputed", text)
        self.assertNotIn("note:", text)
        result = json.loads(self.check(self.copy, 0, "--json"))
        self.assertEqual((result["passed"], result["compared"], result["differences"]), (True, "exact", []))
        self.assertGreater(result["checked"]["shown"], 100)
        self.assertGreater(result["checked"]["data"], 500)

    def test_runs_added_later_do_not_matter(self):
        self.train(self.registry, 32, 8192)
        self.check(self.page, 0)

    def test_a_changed_loss_fails_and_is_named(self):
        self.change("update run set final_val_loss = final_val_loss + 0.01 where id = ?", self.runs[-1])
        text = self.check(self.page, 1)
        self.assertRegex(text, rf"run {self.runs[-1]} final_val_loss: was \d\.\d+, is \d\.\d+")
        result = json.loads(self.check(self.page, 1, "--json"))
        self.assertEqual([(run["id"], run["where"]) for run in result["runs"]], [(self.runs[-1], "final_val_loss")])
        numbers = json.loads((self.page.parent / "report.json").read_text())
        fit = next(fit for fit in numbers["fits"] if fit["id"] == "power-C")  # every run enters it
        self.assertIn(f"report-numbers: fits[{fit['id']}].fit.parameters.alpha.value",
                      [difference["where"] for difference in result["differences"] if difference["id"] == fit["number_id"]])
        known = {source["id"] for source in numbers["number_sources"]}
        self.assertFalse([one for one in result["differences"] if one["was"] in known])  # the page's ids, not new ones

    def test_a_missing_run_fails_and_is_named(self):
        self.change("delete from run where id = ?", self.runs[1])
        text = self.check(self.page, 1)
        self.assertIn(f"run {self.runs[1]} run: was in the registry, is missing", text)
        self.assertIn("failed: runs are missing", text)

    def test_a_number_edited_in_the_text_fails_with_its_place(self):
        self.edit(r"<b>(\d)\.(\d{3})</b>", "<b>9.999</b>")
        text = self.check(self.copy, 1)
        self.assertRegex(text, r"number \w{8} findings: was 9\.999.*, is ")
        self.assertIn("note: the page was edited after it was written", text)
        self.assertIn("failed: 0 runs changed, 1 places differ", text)

    def test_a_number_edited_in_the_data_of_the_charts_fails(self):
        self.edit(r'"residual":(-?)[\d.e-]+', r'"residual":\g<1>7.5')
        self.assertRegex(self.check(self.copy, 1), r"report-data: datasets\S+residual: was -?7\.5, is ")

    def test_a_value_edited_in_the_recipe_fails_as_an_edit(self):
        self.edit(r'("final_val_loss":\[")\d\.\d', r"\g<1>8.8")
        self.assertRegex(self.check(self.copy, 1), r"final_val_loss \(edited in the page\): was 8\.8")

    def test_an_edit_of_no_number_is_a_note(self):
        self.edit(r"<style>", "<style>/* mine */")
        self.assertIn("note: the page was edited after it was written", self.check(self.copy, 0))

    def test_another_version_is_a_note_unless_numbers_differ(self):
        self.edit(r'"analysis_version":"[^"]+"', '"analysis_version":"0.0.1+other"')
        text = self.check(self.copy, 0)
        self.assertIn("note: version of the analysis: the page was made with 0.0.1+other", text)
        self.assertIn("to one unit of the last digit printed", text)
        self.change("update run set final_val_loss = final_val_loss + 0.01 where id = ?", self.runs[0])
        self.check(self.copy, 1)

    def test_every_id_on_the_page_is_explained_in_the_json(self):
        numbers = json.loads((self.page.parent / "report.json").read_text())
        known = {source["id"] for source in numbers["number_sources"]}
        shown = set(re.findall(r'data-source="([^"]+)"', self.page.read_text()))
        self.assertTrue(shown)
        self.assertLessEqual(shown | {fit["number_id"] for fit in numbers["fits"]}, known)
        for source in numbers["number_sources"]:
            self.assertEqual(len(numbers["run_sets"][source["run_set"]]), source["runs"])

    def test_other_inputs_have_other_ids(self):
        def ids(*words):
            out = self.copy.with_suffix(".json")
            result = loglog("report", "--where", "true", "--out", str(out), "--registry", str(self.registry), *words)
            self.assertEqual(result.returncode, 0, result.stderr)
            return {fit["id"]: fit["number_id"] for fit in json.loads(out.read_text())["fits"]}
        first = ids("--bootstrap", "0")
        self.assertEqual(first, ids("--bootstrap", "0"))
        self.assertTrue(set(first.values()).isdisjoint(ids("--bootstrap", "0", "--seed", "2").values()))
        self.change("update run set final_val_loss = final_val_loss + 0.01 where id = ?", self.runs[0])
        self.assertNotEqual(first["power-C"], ids("--bootstrap", "0")["power-C"])

    def report(self, name, *words, status=0, **environment):
        out = self.copy.parent / name
        result = loglog("report", "--where", "true", "--bootstrap", "0", "--out", str(out),
                        "--registry", str(self.registry), *words, **environment)
        self.assertEqual(result.returncode, status, result.stderr)
        return out, result

    def test_formats_follow_the_extension(self):
        text = self.report("a.md")[0].read_text()
        for part in ("# Scaling-law report", "## Findings", "## Fits", "power-C", "## Runs", self.runs[0]):
            self.assertIn(part, text)
        out, _ = self.report("b.csv")
        rows = out.with_name("b-fits.csv").read_text().splitlines()
        self.assertEqual(rows[0], "fit,number_id,law,variable,count,kind,name,value,se,low,high")
        self.assertEqual({row.count(",") for row in rows}, {10})
        self.assertEqual(len(out.with_name("b-runs.csv").read_text().splitlines()), 1 + len(self.runs))
        self.assertEqual(json.loads(self.report("c", "--format", "json")[0].read_text())["runs"]["chosen"], 6)

    def test_images_and_pdf_are_drawn_where_there_is_a_browser(self):
        if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
            self.skipTest("no Chromium")
        out, _ = self.report("new/folder/p.pdf")
        self.assertTrue(out.read_bytes().startswith(b"%PDF-"))
        out, _ = self.report("p.png")
        images = list(out.parent.glob("p-*.png"))
        self.assertGreater(len(images), 3)
        for image in images:
            self.assertTrue(image.read_bytes().startswith(b"\x89PNG\r\n"))
        out, _ = self.report("q.svg")
        self.assertIn("<path", next(out.parent.glob("q-fit-C*.svg")).read_text())
        self.assertEqual(sorted(file.suffix for file in out.parent.glob("*.html")), [])

    def test_without_a_browser_the_error_says_what_to_install(self):
        _, result = self.report("p.pdf", status=1, PATH="/nonexistent", LOGLOG_BROWSER="")
        self.assertIn("apt install chromium", result.stderr)
        _, result = self.report("p.pdf", status=2, LOGLOG_BROWSER="/no/such/browser")
        self.assertIn("LOGLOG_BROWSER is '/no/such/browser'", result.stderr)
        _, result = self.report("p.pdf", status=1, LOGLOG_BROWSER=shutil.which("false"))
        self.assertIn("failed with exit status 1", result.stderr)
        _, result = self.report("p.pdf", status=1, LOGLOG_BROWSER=shutil.which("true"))
        self.assertIn("wrote no PDF", result.stderr)

    def test_wrong_use_says_what_to_do_and_exits_2(self):
        self.copy.write_text("<html></html>")
        for words, message in [
            (("--check", "no-such.html"), "no-such.html cannot be read"),
            (("--check", str(self.copy)), "holds no recipe"),
            (("--check", str(self.page), "--where", "true"), "excludes"),
            (("--where", "true", "--format", "docx"), "--format is 'docx', it must be html, md"),
            (("--where", "true", "--out", "a.docx"), "the extension of --out is 'docx'"),
        ]:
            result = loglog("report", *words, "--registry", str(self.registry))
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertIn(message, result.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

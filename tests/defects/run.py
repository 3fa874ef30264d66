"""Applies each defect of defects.toml to a copy of the tree and has the tests find it: run.py [--layer LAYER] [NAME ...]

The layers are `unit` (the unit tests of shared, map-share and drain-unmapped) and `simulation` (the histories that once broke
an invariant, then up to SEEDS others). Without --layer the simulation plays only what the unit tests do not find. `both` has
both try every defect. --write puts each result into README.md's table. A defect that does not apply, or that nothing finds, is a
failure: either it has become impossible, or no test holds that rule any more. --check only applies them.

The copy has a target directory of its own: cargo names a workspace's packages by where they are in it, so two trees in one
directory would take each other's results for their own. It begins with what `make simulate` has built.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

from rust_source import NotFound, replace_in_function, self_test

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = (ROOT / os.environ.get("CARGO_TARGET_DIR", "target")).resolve()
TREE = TARGET / "defects" / "tree"
BUILT = TARGET / "defects" / "target"
SEEDS = os.environ.get("SEEDS", "1000")
UNIT_TESTS = ["cargo", "test", "--quiet", "--locked", "-p", "shared", "-p", "map-share", "-p", "drain-unmapped", "--lib"]
SIMULATE = ["cargo", "build", "--quiet", "--locked", "--profile", "simulate", "-p", "tests", "--bin", "simulate"]
FAILED_TEST = re.compile(r"^---- (\S+) stdout ----$", re.MULTILINE)
BROKEN = re.compile(r'^seed (\d+) breaks "(.*)" at ', re.MULTILINE)
NOTHING_FOUND = "-"
NOT_TRIED = "not tried"
TABLE = re.compile(r"(?<=<!-- table -->\n).*(?=<!-- end -->)", re.DOTALL)


def run(command):
    return subprocess.run(
        command, cwd=TREE, env=os.environ | {"CARGO_TARGET_DIR": str(BUILT)}, capture_output=True, text=True, check=False
    )


def refresh():
    """Makes the copy equal to the tree. What is equal already keeps its time, so that it is not built again."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    for old in [path for path in TREE.rglob("*") if path.is_file()]:
        if str(old.relative_to(TREE)) not in files:
            old.unlink()
    for name in files:
        source, copy = ROOT / name, TREE / name
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)


def apply(defect):
    for edit in defect["edits"]:
        path, text = replace_in_function(TREE, edit["function"], edit["old"], edit["new"])
        path.write_text(text, encoding="utf-8")


def find_by_unit_tests():
    """(whether a test fails, what to print)"""
    built = run([*UNIT_TESTS, "--no-run"])
    if built.returncode != 0:
        return False, "DOES NOT BUILD: " + built.stderr.strip()
    tested = run([*UNIT_TESTS, "--no-fail-fast"])
    failed = sorted(set(FAILED_TEST.findall(tested.stdout)))
    if failed:
        return True, failed[0] + (f" and {len(failed) - 1} more" if failed[1:] else "")
    return False, NOTHING_FOUND if tested.returncode == 0 else "FAILS WITHOUT A TEST'S NAME: " + tested.stderr.strip()[-500:]


def find_by_simulation():
    """(whether an invariant is broken, what to print)"""
    built = run(SIMULATE)
    if built.returncode != 0:
        return False, "DOES NOT BUILD: " + built.stderr.strip()
    played = run([BUILT / "simulate" / "simulate", "--no-shrink", "--regressions", SEEDS])
    broken = BROKEN.search(played.stdout)
    if broken:
        return True, f"seed {broken[1]}: {broken[2]}"
    return False, NOTHING_FOUND if played.returncode == 0 else "FAILS WITHOUT A BROKEN INVARIANT: " + played.stderr.strip()[-500:]


LAYERS = {"unit": find_by_unit_tests, "simulation": find_by_simulation}


def check(defects):
    """How many defects do not apply."""
    with tempfile.TemporaryDirectory() as folder:
        self_test(pathlib.Path(folder))
    failures = 0
    for defect in defects:
        try:
            for edit in defect["edits"]:
                replace_in_function(ROOT, edit["function"], edit["old"], edit["new"])
        except NotFound as error:
            failures += 1
            print(f"{defect['name']}: {error}", file=sys.stderr)
    print(f"{len(defects) - failures} of {len(defects)} defects apply")
    return failures


def try_layers(defect, layers, stop_when_found):
    """What each layer says of a defect: {layer: (found, what to print)}"""
    refresh()
    try:
        apply(defect)
    except NotFound as error:
        return {layer: (False, f"DOES NOT APPLY: {error}") for layer in layers}
    results = {}
    for layer in layers:
        results[layer] = LAYERS[layer]()
        if stop_when_found and results[layer][0]:
            break
    return results


def write_row(all_defects, defect, results):
    """Replaces one row of the table, and removes the rows of defects that are no longer there."""
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in TABLE.search(text)[0].splitlines()}
    unit, simulation = (results[layer][1] if layer in results else NOT_TRIED for layer in LAYERS)
    rows[defect["name"]] = f"| {defect['name']} | {defect['breaks']} | {unit} | {simulation} |"
    lines = ["| defect | what it breaks | unit tests | simulation |", "|---|---|---|---|"]
    lines += [rows[one["name"]] for one in all_defects if one["name"] in rows]
    readme.write_text(TABLE.sub(lambda _: "\n".join(lines) + "\n", text), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--layer", choices=[*LAYERS, "both", "first"], default="first")
    parser.add_argument("--check", action="store_true", help="only see whether they apply")
    parser.add_argument("--write", action="store_true", help="write each result into README.md's table")
    options = parser.parse_args()
    all_defects = tomllib.loads((HERE / "defects.toml").read_text(encoding="utf-8"))["defect"]
    unknown = set(options.names) - {defect["name"] for defect in all_defects}
    if unknown:
        parser.error(f"no such defect: {', '.join(sorted(unknown))}")
    if options.write and options.layer in LAYERS:
        parser.error("--write needs both layers")
    defects = [defect for defect in all_defects if not options.names or defect["name"] in options.names]
    if options.check:
        sys.exit(check(defects) > 0)
    layers = [options.layer] if options.layer in LAYERS else list(LAYERS)
    if "simulation" in layers and (TARGET / "simulate").exists() and not (BUILT / "simulate").exists():
        shutil.copytree(TARGET / "simulate", BUILT / "simulate", symlinks=True)
    refresh()
    if "unit" in layers:
        _, without_defect = find_by_unit_tests()
        if without_defect != NOTHING_FOUND:
            sys.exit(f"the unit tests fail without any defect: {without_defect}")
    found = 0
    for defect in defects:
        began = time.monotonic()
        results = try_layers(defect, layers, stop_when_found=options.layer == "first")
        found += any(is_found for is_found, _ in results.values())
        if options.write:
            write_row(all_defects, defect, results)
        for layer, (_, text) in results.items():
            print(f"{defect['name']:<42} {layer:<10} {text}", flush=True)
        print(f"{'':<42} {time.monotonic() - began:.0f} s", flush=True)
    print(f"{found} of {len(defects)} found")
    sys.exit(found < len(defects))


if __name__ == "__main__":
    main()

"""Breaks the product on purpose, one patch at a time, and has the simulation find it: run.py [NAME ...]

Each NAME.patch beside this file is a defect in functions/ or shared/. It is applied to a copy of the tree, which is built and
plays the histories that once broke a promise, then up to SEEDS others. A patch that no longer applies, or that no history
catches, is a failure: either the defect has become impossible, or a promise is no longer looked after.

The copy has a target directory of its own: cargo tells a workspace's packages apart by where they lie in it, so two trees
in one directory would take each other's results for fresh. It begins with what `make simulate` has built.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
TREE = TARGET / "teeth" / "tree"
BUILT = TARGET / "teeth" / "target"
SEEDS = os.environ.get("SEEDS", "1000")
BUILD = ["cargo", "build", "--quiet", "--locked", "--profile", "simulate", "-p", "tests", "--bin", "simulate"]
# A history that breaks a promise, as `simulate` tells it.
BROKEN = re.compile(r'^seed (\d+) breaks "(.*)" at ', re.MULTILINE)


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def refresh():
    """Makes the copy equal to the tree. What is equal already keeps its time, so that it is not built again."""
    listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT)
    files = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    for old in [path for path in TREE.rglob("*") if path.is_file()]:
        if str(old.relative_to(TREE)) not in files:
            old.unlink()
    for name in files:
        source, copy = ROOT / name, TREE / name
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)


def bite(patch):
    """Whether a defect is caught, and what to say of it."""
    refresh()
    # The copy lies inside a repository, of which git must not know here.
    applied = run(["git", "apply", patch], cwd=TREE, env=os.environ | {"GIT_CEILING_DIRECTORIES": str(TREE.parent)})
    if applied.returncode != 0:
        return False, "DOES NOT APPLY: " + applied.stderr.strip()
    built = run(BUILD, cwd=TREE, env=os.environ | {"CARGO_TARGET_DIR": str(BUILT)})
    if built.returncode != 0:
        return False, "DOES NOT BUILD: " + built.stderr.strip()
    played = run([BUILT / "simulate" / "simulate", "--no-shrink", "--regressions", SEEDS])
    broken = BROKEN.search(played.stdout)
    if broken:
        return True, f"{broken[1]:>5}  {broken[2]}"
    if played.returncode == 0:
        return False, f"NOT CAUGHT in {SEEDS} seeds"
    return False, "NEITHER CAUGHT NOR KEPT: " + played.stderr.strip()[-500:]


def main(names):
    patches = [patch for patch in sorted(HERE.glob("*.patch")) if not names or patch.stem in names]
    if not patches:
        sys.exit("no such patch")
    if (TARGET / "simulate").exists() and not BUILT.exists():
        shutil.copytree(TARGET / "simulate", BUILT / "simulate", symlinks=True)
    caught = 0
    print(f"{'defect':<42}  seed  broken promise", flush=True)
    for patch in patches:
        began = time.monotonic()
        is_caught, what = bite(patch)
        caught += is_caught
        print(f"{patch.stem:<42} {what}  ({time.monotonic() - began:.0f} s)", flush=True)
    print(f"{caught} of {len(patches)} caught")
    sys.exit(caught < len(patches))


if __name__ == "__main__":
    main(sys.argv[1:])

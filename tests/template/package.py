"""Fills dist/ from what `cargo lambda build` made: three zips, a template that names them, checksums.

    python3 tests/template/package.py x86_64|arm64

`sam deploy --template-file dist/template.yaml` then needs no Rust. The zips hold no date, so the same binary gives the
same checksum.
"""

import hashlib
import pathlib
import re
import struct
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FUNCTIONS = ["map-share", "drain-unmapped", "validate-task-definition"]
# e_machine of an ELF header.
MACHINES = {"x86_64": 62, "arm64": 183}
# The C library of provided.al2023; a binary that wants a later one does not start there.
GLIBC = (2, 34)


def main(architecture):
    dist = ROOT / "dist"
    dist.mkdir(exist_ok=True)
    sums = []
    for function in FUNCTIONS:
        binary = (ROOT / "target" / "lambda" / function / "bootstrap").read_bytes()
        (machine,) = struct.unpack_from("<H", binary, 18)
        if machine != MACHINES[architecture]:
            sys.exit(f"{function}: built for ELF machine {machine}, {architecture} is {MACHINES[architecture]}")
        wanted = max(tuple(map(int, version.split(b"."))) for version in re.findall(rb"GLIBC_(\d+\.\d+)\b", binary))
        if wanted > GLIBC:
            sys.exit(f"{function}: needs glibc {wanted}, provided.al2023 has {GLIBC}")
        path = dist / f"{function}.zip"
        write_zip(path, binary)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.2f} MB zipped, {len(binary) / 1e6:.2f} MB, {architecture}")
        sums.append(path)
    template = dist / "template.yaml"
    template.write_text(packaged((ROOT / "template.yaml").read_text(encoding="utf-8"), architecture), encoding="utf-8")
    sums.append(template)
    (dist / "SHA256SUMS").write_text(
        "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sums), encoding="utf-8"
    )


def write_zip(path, binary):
    entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o100755 << 16
    entry.create_system = 3  # Unix: the mode above counts
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, binary, compresslevel=9)


def packaged(template, architecture):
    """The template with built zips instead of sources, for the architecture that they were built for."""
    metadata = r"    Metadata:\n      BuildMethod: rust-cargolambda\n      BuildProperties: \{Binary: ([a-z-]+)\}\n"
    pattern = metadata + r"(    Properties:\n(?:      .*\n)*?)      CodeUri: \.\n"
    template, replaced = re.subn(pattern, r"\2      CodeUri: \1.zip\n", template)
    assert replaced == len(FUNCTIONS), f"{replaced} functions found in template.yaml"
    build = r"(  Architecture:\n(?:    .*\n)*?    Default: )x86_64\n    AllowedValues: \[x86_64, arm64\]"
    template, replaced = re.subn(build, rf"\g<1>{architecture}\n    AllowedValues: [{architecture}]", template)
    assert replaced == 1, "the parameter Architecture has another form"
    return template


if __name__ == "__main__":
    main(sys.argv[1])

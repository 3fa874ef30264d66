"""Fills dist/ from what `cargo lambda build` made: three zips, a template that names them, checksums.

    .venv/package/bin/python tests/template/package.py x86_64|arm64
    .venv/package/bin/python tests/template/package.py x86_64|arm64 FUNCTION DIRECTORY   # one zip alone, there

`sam deploy --template-file dist/template.yaml` then needs no Rust. The zips hold no date, so the same binary gives the
same checksum.
"""

import hashlib
import pathlib
import re
import struct
import sys
import zipfile
import zlib

import zopfli.zlib

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
        sums.append(pack(function, architecture, dist))
    template = dist / "template.yaml"
    template.write_text(packaged((ROOT / "template.yaml").read_text(encoding="utf-8"), architecture), encoding="utf-8")
    sums.append(template)
    (dist / "SHA256SUMS").write_text(
        "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sums), encoding="utf-8"
    )


def pack(function, architecture, directory):
    """Zips one function's binary, once it is sure to start on Lambda; the path."""
    binary = (ROOT / "target" / "lambda" / function / "bootstrap").read_bytes()
    (machine,) = struct.unpack_from("<H", binary, 18)
    if machine != MACHINES[architecture]:
        sys.exit(f"{function}: built for ELF machine {machine}, {architecture} is {MACHINES[architecture]}")
    wanted = max(tuple(map(int, version.split(b"."))) for version in re.findall(rb"GLIBC_(\d+\.\d+)\b", binary))
    if wanted > GLIBC:
        sys.exit(f"{function}: needs glibc {wanted}, provided.al2023 has {GLIBC}")
    path = directory / f"{function}.zip"
    write_zip(path, binary)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.2f} MB zipped, {len(binary) / 1e6:.2f} MB, {architecture}")
    return path


def write_zip(path, binary):
    """A zip of one executable file, made by hand: `zipfile` has no way to take what another compressor deflated."""
    # Zopfli finds 3 % more than zlib does at its best, in half a minute, and another 0.4 % where the number of its blocks is
    # not limited; without the frame that zlib puts around it.
    deflated = zopfli.zlib.compress(binary, numiterations=5, blocksplittingmax=0)[2:-4]
    name = b"bootstrap"
    unix, deflate, version, first_of_1980, mode = 3, 8, 20, (0 << 9) | (1 << 5) | 1, 0o100755
    # Of both headers: version needed, flags, method, time, date, checksum, sizes, lengths of the name and of nothing more.
    common = struct.pack(
        "<HHHHHLLLHH", version, 0, deflate, 0, first_of_1980, zlib.crc32(binary), len(deflated), len(binary), len(name), 0
    )
    entry = b"PK\x03\x04" + common + name + deflated
    directory = b"PK\x01\x02" + struct.pack("<BB", version, unix) + common + struct.pack("<HHHLL", 0, 0, 0, mode << 16, 0) + name
    end = b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, 1, 1, len(directory), len(entry), 0)
    path.write_bytes(entry + directory + end)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("bootstrap") == binary and len(archive.infolist()) == 1


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
    if len(sys.argv) == 4:
        directory = ROOT / sys.argv[3]
        directory.mkdir(parents=True, exist_ok=True)
        pack(sys.argv[2], sys.argv[1], directory)
    else:
        main(sys.argv[1])

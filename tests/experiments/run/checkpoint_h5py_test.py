"""checkpoint_h5py_test.py MPIRUN_AND_PROGRAM...: h5py reads from a checkpoint what four ranks wrote there."""

import pathlib
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "checkpoint.h5"
    printed = subprocess.run([*sys.argv[1:], str(path)], check=True, capture_output=True, text=True).stdout
    with h5py.File(path, "r") as file:

        def text(attribute):
            return attribute.decode() if isinstance(attribute, bytes) else str(attribute)

        assert {name: text(value) for name, value in file.attrs.items()} == {
            "id": "3f2a9c01d4be", "step": "120", "tokenizer": "hash"}
        table = file["/values/token_embedding"]
        assert table.dtype == numpy.dtype("<f4"), table.dtype
        expected = numpy.array([float(line) for line in printed.split()], dtype="f4").reshape(table.shape)
        numpy.testing.assert_array_equal(table[:], expected)
        names = set(file["values"])
        assert names == set(file["first_moments"]) == set(file["second_moments"]) and len(names) > 20, names
print("h5py reads what four ranks wrote")

"""curves_h5py_test.py WRITE_SAMPLE_CURVES: h5py reads from curves.h5 what was written there."""

import json
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
    path = pathlib.Path(folder) / "curves.h5"
    subprocess.run([sys.argv[1], str(path)], check=True)
    with h5py.File(path, "r") as curves:
        steps = numpy.arange(1, 1501)
        numpy.testing.assert_array_equal(curves["/train/step"][:], steps)
        numpy.testing.assert_array_equal(curves["/train/loss"][:], 10.0 / steps)
        numpy.testing.assert_array_equal(curves["/train/tokens"][:], steps * 8192)
        numpy.testing.assert_array_equal(curves["/train/clipped"][:], (steps % 2 == 0).astype(int))
        assert curves["/train/step"].dtype == numpy.dtype("<i8"), curves["/train/step"].dtype
        assert curves["/train/loss"].dtype == numpy.dtype("<f8"), curves["/train/loss"].dtype
        numpy.testing.assert_array_equal(curves["/eval/val_loss"][:], [3.5, 2.5])
        numpy.testing.assert_array_equal(curves["/eval/loss_by_position"][:], [[4.0, 3.0], [3.0, 2.0]])
        numpy.testing.assert_array_equal(curves["/eval/accuracy"][:], [numpy.nan, 0.75])
        numpy.testing.assert_array_equal(curves["/eval/recall_loss"][:], [4.5, numpy.nan])
        numpy.testing.assert_array_equal(curves["/eval/by_length"][0], numpy.full((2, 3), numpy.nan))
        numpy.testing.assert_array_equal(curves["/eval/by_length"][1], [[16, 0.875, 0.5], [32, 0.625, 0.25]])
        assert "/eval/string_accuracy" not in curves

        def text(attribute):
            return attribute.decode() if isinstance(attribute, bytes) else str(attribute)

        assert text(curves["/train/loss"].attrs["units"]) == "nats per token"
        assert text(curves.attrs["id"]) == "3f2a9c01d4be"
        assert json.loads(text(curves.attrs["spec"])) == {"model": {"width": 64}}
        missing = [
            f"/{group}/{name}"
            for group in ("train", "eval")
            for name, dataset in curves[group].items()
            if "units" not in dataset.attrs
        ]
        assert not missing, missing
print("h5py reads what was written")

"""Columns of pyarrow become numpy arrays, and pandas stays where it is."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from vitcli.machine.arrow import filled


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.int8(), pa.uint8(), pa.int64()])
def test_missing_numbers_are_filled_in_arrays_of_one_and_of_many_parts(kind: pa.DataType):
    whole = pa.array([3, None, 0, 5, None], type=kind)
    parts = pa.chunked_array([whole[1:3], whole[:0], whole[3:]])
    assert filled(whole, np.float64(-1)).tolist() == [3, -1, 0, 5, -1]
    assert filled(parts, np.int64(-1)).tolist() == [-1, 0, 5, -1]


def test_the_type_asked_for_is_the_type_of_the_result():
    numbers = pa.array([1, 2])
    assert filled(numbers, np.float64(np.nan)).dtype == np.float64
    assert filled(numbers, np.int64(0)).dtype == np.int64


def test_no_rows_and_truth_are_columns_too():
    assert filled(pa.chunked_array([], type=pa.float64()), np.float64(np.nan)).shape == (0,)
    assert filled(pa.array([True, None, False]).is_null(), np.uint8(0)).tolist() == [0, 1, 0]


def test_the_copy_may_be_written_to():
    numbers = pa.array([1.0, 2.0])
    filled(numbers, np.float64(np.nan))[0] = 5
    assert numbers.to_pylist() == [1, 2]


def test_a_table_is_evaluated_without_pandas(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("path,label,predicted,confidence\na,cat,cat,.9\nb,dog,cat,.6\n")
    code = "import sys; from vitcli.evaluate.read import read_scored; from pathlib import Path"
    code += "; print(len(read_scored(Path(sys.argv[1])).predicted), 'pandas' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code, str(table)], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["2", "False"]

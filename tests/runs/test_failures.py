from pathlib import Path

import pytest

from nablab.errors import RunFailed, UserError
from nablab.models.model import Model, SourceFile
from nablab.runs.failures import describe_failure, is_out_of_memory
from nablab.runs.record import Failure

MODEL = Model("m", "m", "module", "m")


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def test_divergence_says_where() -> None:
    failure = describe_failure(RunFailed("diverged", step=3, epoch=1), MODEL)
    assert (failure.kind, failure.epoch, failure.step, failure.message) == ("diverged", 1, 3, "diverged")


def test_an_estimator_that_cannot_be_fitted_did_not_diverge() -> None:
    failure = describe_failure(RunFailed("knn(k=5000) cannot be fitted: too few images"), MODEL)
    assert failure == Failure("knn(k=5000) cannot be fitted: too few images", "error")


def test_our_own_errors_need_no_line() -> None:
    assert describe_failure(raised(UserError("too few images")), MODEL).message == "too few images"


def test_an_error_of_many_lines_becomes_one() -> None:
    failure = describe_failure(ValueError("size mismatch:\n\n  expected 3\n  got 4"), MODEL)
    assert failure.message == "ValueError: size mismatch: expected 3 got 4"
    assert describe_failure(KeyError(), MODEL).message == "KeyError"


def test_what_cannot_be_stored_or_printed_is_spelled_out() -> None:
    failure = describe_failure(OSError("no picture b\udce4r.png \x1b[31m"), MODEL)
    assert failure.message == "OSError: no picture b\\udce4r.png \\x1b[31m"


def test_the_users_file_is_named_and_not_a_library_beneath_it(tmp_path: Path) -> None:
    source = tmp_path / "my_net.py"
    source.write_text("import json\n\ndef forward(x):\n    return json.loads(x)\n")
    space: dict[str, object] = {}
    exec(compile(source.read_text(), str(source), "exec"), space)
    with pytest.raises(ValueError, match="Expecting property name") as caught:
        space["forward"]("{")  # type: ignore[operator]
    model = Model("m", "m", "module", "m", source_file=SourceFile(str(source), "0"))
    for which in (model, MODEL):
        assert describe_failure(caught.value, which).message.endswith("(my_net.py, line 4, in forward)")


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (MemoryError(), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("can't allocate memory"), False),
    ],
)
def test_what_is_want_of_memory(error: Exception, memory: bool) -> None:
    assert is_out_of_memory(error) is memory
    assert (describe_failure(error, MODEL).kind == "memory") is memory

"""What is said of a source that does not open: what a server did, not only that nothing came."""

import errno

import av
import pytest

from edged.errors import SourceLost
from edged.sources.address import Address, Kind
from edged.sources.faults import cannot_open

CAMERA = Address(Kind.HTTP, "http://127.0.0.1:1/x", "http://127.0.0.1:1/x")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            av.error.HTTPServerError(1, "Server returned 5XX Server Error reply"),
            "has an error of its own (5xx)",
        ),
        (av.error.OSError(errno.EIO, "Input/output error"), "redirects without end"),
    ],
)
def test_a_server_that_answers_wrongly_is_not_called_out_of_reach(error, said):
    fault = cannot_open(CAMERA, error, waited_s=0.1, limit_s=5.0)
    assert isinstance(fault, SourceLost)
    assert said in str(fault)
    assert "cannot be reached" not in str(fault)
    assert "network" not in str(fault)

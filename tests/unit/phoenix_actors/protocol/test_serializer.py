"""Which codec speaks which version."""

from __future__ import annotations

import pytest

from phoenix_actors.errors import InvalidOption
from phoenix_actors.protocol import SerializerV1, SerializerV2, serializer_for


@pytest.mark.contract("C4")
def test_the_version_decides_the_codec() -> None:
    """Each version has one; versions that there are not are refused."""
    assert isinstance(serializer_for("2.0.0"), SerializerV2)
    assert serializer_for("2.0.0").vsn == "2.0.0"
    assert isinstance(serializer_for("1.0.0"), SerializerV1)
    assert serializer_for("1.0.0").vsn == "1.0.0"
    with pytest.raises(InvalidOption, match=r"must be '2\.0\.0' or '1\.0\.0'"):
        serializer_for("3.0.0")

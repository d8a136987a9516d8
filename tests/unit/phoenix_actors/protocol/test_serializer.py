"""Which codec speaks which version."""

from __future__ import annotations

import pytest

from phoenix_actors.errors import InvalidOption
from phoenix_actors.protocol import SerializerV2, serializer_for


@pytest.mark.contract("C4")
def test_the_version_decides_the_codec() -> None:
    """2.0.0 has one; what this version of the package lacks says so."""
    assert isinstance(serializer_for("2.0.0"), SerializerV2)
    assert serializer_for("2.0.0").vsn == "2.0.0"
    with pytest.raises(InvalidOption, match="not available in this version"):
        serializer_for("1.0.0")
    with pytest.raises(InvalidOption, match=r"must be '2\.0\.0', not '3\.0\.0'"):
        serializer_for("3.0.0")

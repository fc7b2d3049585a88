"""Standards of a simulated night, as a perfect extraction gives them."""

import pytest
from truth_spectra import Night


@pytest.fixture(scope="session")
def nights():
    """Nights by seed and ideal; those of one kind share the optics of the simulator."""
    sources = {}

    def night(seed=1, ideal=False):
        made = Night(seed, sources.get(ideal), ideal)
        sources[ideal] = made.source
        return made

    return night

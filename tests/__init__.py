"""The checker that jaxtyping runs over every annotated call while the tests run."""

from beartype import BeartypeConf, beartype

# An int where a float is expected is what Python's own rules allow (PEP 484).
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))

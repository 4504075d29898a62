"""Data sets from their public addresses: `python -m Datasets.download div2k set5`.

`sources` has the addresses and hashes, `fetching` brings a file and verifies it, `extracting` unpacks it without
trusting it. Standard library only.
"""

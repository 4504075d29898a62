"""Imported by the process that the killed runs are forked from: pays once for what torch imports late."""

import torch

import tests.tiny  # noqa: F401

torch.set_num_threads(1)
weight = torch.zeros(1, requires_grad=True)
optimizer = torch.optim.Adam([weight])
weight.sum().backward()
optimizer.step()

import torch
from torch import Tensor

from Models.Layers.NormalizingFlow import NormalizingFlow


def _flow_and_condition(dim: int = 3, layers: int = 4) -> tuple[NormalizingFlow, Tensor]:
    torch.manual_seed(0)
    flow = NormalizingFlow(dim, layers).double()
    for parameter in flow.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return flow, torch.randn(5, flow.condition_dim, dtype=torch.float64)


def test_data_of_noise_inverts_the_map_that_the_likelihood_is_of() -> None:
    """The density of the data is that of the noise, times the volume that the inverse takes from it."""
    flow, condition = _flow_and_condition()
    noise = torch.randn(5, 3, dtype=torch.float64)
    data = flow.data_of(noise, condition)
    normal = torch.distributions.Normal(0, 1).log_prob(noise).sum(dim=-1)
    for point in range(5):
        jacobian = torch.autograd.functional.jacobian(
            lambda point_noise, c=condition[point]: flow.data_of(point_noise, c), noise[point]
        )
        expected = normal[point] - torch.linalg.slogdet(jacobian).logabsdet
        torch.testing.assert_close(flow.log_likelihood(data[point], condition[point]), expected)


def test_gradient_reaches_every_parameter_both_ways() -> None:
    flow, condition = _flow_and_condition()
    for answer in (flow.log_likelihood(condition[:, :3], condition), flow.data_of(condition[:, :3], condition)):
        flow.zero_grad()
        answer.square().sum().backward()
        assert all(parameter.grad is not None and parameter.grad.any() for parameter in flow.parameters())

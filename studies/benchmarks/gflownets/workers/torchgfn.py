"""Trajectory balance on a hypergrid by torchgfn: JSON settings in, JSON lines out.

As in torchgfn's example: on-policy, the backward policy learnt on the forward policy's trunk.
``{"side", "dimension", "batch", "warm", "steps", "seed"}`` are the settings; the answer is
``{"seconds": CPU seconds of the steps after the warm ones, "length": mean steps of new ones}``.
"""

from __future__ import annotations

import json
import sys
import time

import torch
from gfn.estimators import DiscretePolicyEstimator
from gfn.gflownet import TBGFlowNet
from gfn.gym import HyperGrid
from gfn.preprocessors import KHotPreprocessor
from gfn.utils.modules import MLP


def main(
    side: int, dimension: int, batch: int, warm: int, steps: int, seed: int
) -> dict[str, float]:
    """Time ``steps`` gradient steps on new trajectories, after ``warm`` ones."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    env = HyperGrid(dimension, side)
    features = KHotPreprocessor(side, dimension)
    forward = MLP(features.output_dim, env.n_actions, hidden_dim=256, n_hidden_layers=2)
    backward = MLP(features.output_dim, env.n_actions - 1, trunk=forward.trunk)
    flows = TBGFlowNet(
        DiscretePolicyEstimator(forward, env.n_actions, preprocessor=features),
        DiscretePolicyEstimator(backward, env.n_actions, preprocessor=features, is_backward=True),
    )
    adam = torch.optim.Adam(flows.pf_pb_parameters(), lr=1e-3)
    adam.add_param_group({"params": flows.logz_parameters(), "lr": 0.1})
    begun = 0.0
    for step in range(warm + steps):
        if step == warm:
            begun = time.process_time()
        paths = flows.sample_trajectories(env, n=batch, save_logprobs=True)
        adam.zero_grad()
        flows.loss(env, paths, recalculate_all_logprobs=False).backward()
        adam.step()
    seconds = time.process_time() - begun
    length = flows.sample_trajectories(env, n=1_000).terminating_idx.float().mean()
    return {"seconds": seconds, "length": float(length)}


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))

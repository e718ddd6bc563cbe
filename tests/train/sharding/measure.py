"""Run by each of several processes: a split net and one under DDP take a step, and what that held and sent is told."""

from __future__ import annotations

import json
import os
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch.strategies import DDPStrategy
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor.debug import CommDebugMode
from torch.nn.parallel import DistributedDataParallel

from vitcli.net import VanillaTransformer, ViT
from vitcli.train.optimizer import AdamW, build_optimizer
from vitcli.train.sharding.local import local
from vitcli.train.sharding.strategy import FSDP2
from vitcli.train.sharding.wrap import split


def net() -> ViT:
    torch.manual_seed(0)
    # of rows that two processes do not share evenly, and of a class token that one alone has
    return ViT(image_size=16, patch_size=8, dim=18, classes=3, backend=partial(VanillaTransformer, depth=2, heads=3))


def step(model: torch.nn.Module, batches: int, strategy: Any) -> None:
    """Gradients of some batches, whose last one alone is summed over the processes."""
    for number in range(batches):
        images = torch.randn(2, 3, 16, 16)
        if number < batches - 1:
            with strategy.block_backward_sync():
                model(images).square().mean().backward()
        else:
            model(images).square().mean().backward()


def of_fsdp2() -> dict[str, Any]:
    """Bytes that are held after a step, and how often gradients were scattered in one step of 1 and of 3 batches."""
    model = net()
    split(model, init_device_mesh("cpu", (dist.get_world_size(),)), None, compiles=False)
    optimizer = build_optimizer(model, AdamW())
    strategy: Any = FSDP2()
    strategy._lightning_module = SimpleNamespace(net=model)
    scattered = []
    for batches in (1, 3):
        optimizer.zero_grad()
        with CommDebugMode() as counted:
            step(model, batches, strategy)
        scattered.append(
            sum(times for kind, times in counted.get_comm_counts().items() if "reduce_scatter" in str(kind))
        )
    optimizer.step()
    parameters = list(model.parameters())
    moments = [optimizer.state[one][key] for one in parameters for key in ("exp_avg", "exp_avg_sq")]
    return {
        "scattered": scattered,
        "weights": sum(local(one).nbytes for one in parameters),
        "gradients": sum(local(one.grad).nbytes for one in parameters if one.grad is not None),
        "moments": sum(local(one).nbytes for one in moments),
    }


def of_ddp() -> list[int]:
    """Bytes of gradients that DDP sends in one step of 1 and of 3 batches."""
    model = DistributedDataParallel(net())
    strategy: Any = DDPStrategy()
    strategy._model = model
    sent = []

    # torch takes no annotation that is text
    def count(state, bucket):  # type: ignore[no-untyped-def]
        sent[-1] += bucket.buffer().nbytes
        done: torch.futures.Future[torch.Tensor] = torch.futures.Future()
        done.set_result(bucket.buffer())
        return done

    model.register_comm_hook(sent, count)
    for batches in (1, 3):
        sent.append(0)
        step(model, batches, strategy)
    return sent


if __name__ == "__main__":
    dist.init_process_group("gloo", rank=int(os.environ["RANK"]), world_size=int(os.environ["WORLD_SIZE"]))
    print(json.dumps({**of_fsdp2(), "sent": of_ddp()}))
    dist.destroy_process_group()

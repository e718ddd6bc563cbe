"""fsdp2: Lightning's strategy for weights, gradients and moments that are split over all processes by FSDP2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import torch
from lightning.pytorch.strategies import ModelParallelStrategy, Strategy
from torch import Tensor
from torch.utils._pytree import tree_map

from vitcli.train.safety.older import LAST
from vitcli.train.safety.write import CheckpointFiles
from vitcli.train.sharding.local import is_split, local, split_like, whole
from vitcli.train.sharding.wrap import split, summed_at_the_end
from vitcli.weights.shards import load_into, read_rest, shards_of, stand_ins, with_numbers

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from vitcli.train.classifier import Classifier


@final
class FSDP2(ModelParallelStrategy):
    """Each process keeps a part of the weights, their gradients and AdamW's moments, and gathers a block at a time.

    Zhao et al. 2023 (FSDP), by torch's ``fully_shard``. Lightning's own strategy keeps a checkpoint in a folder that it
    writes in place, with training waiting, and restores it when all is set up. Here last.ckpt is written in passing, in
    shards, and is whole at all times (CheckpointFiles); every other checkpoint is the one file that a run of one
    process writes. All of them are read by any number of processes.

    With bf16-mixed on GPUs, the weights of a block are sent and used in bfloat16: half the traffic, and the copy that
    autocast makes of them anyway and keeps for the step; biases and norms of the blocks are rounded with them.
    """

    def __init__(self) -> None:
        super().__init__(tensor_parallel_size=1)
        # of all processes, for the thread that writes checkpoints
        self._writers: Any = None

    @property
    def restore_checkpoint_after_setup(self) -> bool:
        """Not: the net is split before, so that all is restored as in one process."""
        return False

    @property
    def lightning_restore_optimizer(self) -> bool:
        """Lightning's own way, as in one process."""
        return True

    def setup_environment(self) -> None:
        """Let the processes know each other."""
        known = self._device_mesh
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()
        if known is not None:
            # the net is split over it
            self._device_mesh = known
        if self._writers is None:
            self._writers = torch.distributed.new_group(backend="gloo")

    def split(self, model: Classifier) -> None:
        """Split the net of a classifier, in Lightning's configure_model."""
        half = self.root_device.type == "cuda" and self.precision_plugin.precision == "bf16-mixed"
        mesh = self.device_mesh["data_parallel"]
        split(model.net, mesh, torch.bfloat16 if half else None, compiles=model.compiles)

    def run_along(self, model: Classifier, times: int) -> None:
        """Call the net so many times on a black image, for the others that gather its weights from all processes.

        Args:
            model: The classifier.
            times: How often the others call it, and this process has no image to.
        """
        for _ in range(times):
            model(torch.zeros(1, 3, *model.preprocess.size, dtype=torch.uint8, device=self.root_device))

    @contextmanager
    def block_backward_sync(self) -> Iterator[None]:
        """Within this, backward passes sum gradients in this process alone, whole: no bytes are sent for them."""
        assert self.lightning_module is not None
        net: Any = self.lightning_module.net
        summed_at_the_end(net, now=False)
        try:
            yield
        finally:
            summed_at_the_end(net, now=True)

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """The tensors as they are, split."""
        return Strategy.lightning_module_state_dict(self)

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Tensor]:
        """The state as it is, split."""
        return Strategy.optimizer_state(self, optimizer)

    def save_checkpoint(self, checkpoint: dict[str, Any], filepath: Any, storage_options: Any = None) -> None:
        """Save last.ckpt in shards, any other as one file, whose tensors the first process gathers one by one."""
        path = Path(self.broadcast(str(filepath)))
        files = self.checkpoint_io
        if path.name == LAST and isinstance(files, CheckpointFiles):
            files.save_shards(checkpoint, path, self._writers)
            return
        gathered: dict[int, Tensor | None] = {}
        whole_one = tree_map(lambda leaf: self._gathered(leaf, gathered), checkpoint)
        if self.is_global_zero and isinstance(files, CheckpointFiles):
            files.save_checkpoint(whole_one, path, storage_options, apart=frozenset(map(id, gathered.values())))
        elif self.is_global_zero:
            files.save_checkpoint(whole_one, path, storage_options)

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """The content of a checkpoint, in shards or in one file, of which each process keeps its part."""
        path = Path(self.broadcast(str(checkpoint_path)))
        if isinstance(self.checkpoint_io, CheckpointFiles):
            self.checkpoint_io.wait()
        content = read_rest(path)
        tensors = {key: self._empty(one) for key, one in stand_ins(content).items()}
        if (folder := shards_of(path, content)) is not None:
            load_into(folder, tensors, alone=False, group=self._writers)
            content = with_numbers(content, tensors)
        # the weights of one file are split when they are taken over, by their names
        content["optimizer_states"] = tree_map(self._split, content.get("optimizer_states", []))
        return content

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        """Take over the weights of a checkpoint, split or whole."""
        assert self.lightning_module is not None
        own = dict(self.lightning_module.named_parameters())
        tensors = {
            name: split_like(tensor, own[name]) if name in own and not is_split(tensor) else tensor
            for name, tensor in checkpoint["state_dict"].items()
        }
        self.lightning_module.load_state_dict(tensors, strict=strict)

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Take over the moments, which are split already."""
        Strategy.load_optimizer_state_dict(self, checkpoint)

    def teardown(self) -> None:
        """Wait for what is still being written."""
        super().teardown()
        self.checkpoint_io.teardown()

    def _gathered(self, leaf: Any, known: dict[int, Tensor | None]) -> Any:
        """A tensor whole, in the memory of the first process; None in the others, which take part."""
        if not is_split(leaf):
            return leaf
        # what stands under several names is gathered once
        if id(leaf) not in known:
            tensor = whole(leaf.detach())
            # of one process, the part is the whole
            is_own = tensor.data_ptr() == local(leaf).data_ptr()
            known[id(leaf)] = tensor.to("cpu", copy=is_own) if self.is_global_zero else None
        return known[id(leaf)]

    def _split(self, leaf: Any) -> Any:
        """A moment of a checkpoint in one file, split by its rows as fully_shard splits; a count of steps stays one."""
        if not isinstance(leaf, Tensor) or is_split(leaf) or leaf.ndim == 0:
            return leaf
        return split_like(leaf, self._empty(leaf))

    def _empty(self, like: Tensor) -> Tensor:
        from torch.distributed.tensor import Shard, empty

        mesh = self.device_mesh["data_parallel"]
        return empty(like.shape, dtype=like.dtype, device_mesh=mesh, placements=[Shard(0)])

"""One contestant of streaming.py in a process of its own: an epoch over photos in an object store, timed.

Run by streaming.py. ``write`` lays the photos out in the contestant's own format; ``read`` goes through one epoch, from
an empty local cache, and prints a line of JSON: seconds to build the data set, to the first batch and to the last one,
and the processor time from the data set, built, to the last batch.
Photos become crops of 224 px in batches of bytes; the others decode and crop by torchvision.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

SIZE = 224
BATCH = 64
SCALE, RATIO = (0.25, 1.0), (0.75, 1.3333)
# what is shuffled at once where a loader does not shuffle all: its own documentation's number
SHUFFLED = 1000

Sample = tuple[bytes, int]


def photos(root: Path) -> Iterator[Sample]:
    """All photos of a folder of classes, in natural order, and the number of each one's class."""
    for label, folder in enumerate(sorted(path for path in root.iterdir() if path.is_dir())):
        for file in sorted(folder.iterdir(), key=lambda path: int(path.stem)):
            yield file.read_bytes(), label


def changed(decode: bool) -> Callable[[bytes], Any]:
    """What becomes of a photo's bytes: a random crop, or their number."""
    import torch

    if not decode:
        return lambda content: torch.tensor(len(content))
    from torchvision import io
    from torchvision.transforms import v2

    crop = v2.RandomResizedCrop(SIZE, scale=SCALE, ratio=RATIO, antialias=True)
    change = v2.Compose([crop, v2.RandomHorizontalFlip()])

    def become(content: bytes) -> Any:
        encoded = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        return change(io.decode_image(encoded, io.ImageReadMode.RGB))

    return become


def write_litdata(root: Path, out: Path, shard_bytes: int) -> None:
    from litdata.streaming.writer import BinaryWriter

    # as litdata.optimize has it done by its processes
    writer = BinaryWriter(str(out), chunk_bytes=shard_bytes)
    for index, (content, label) in enumerate(photos(root)):
        writer.add_item(index, {"image": content, "label": label})
    writer.done()
    writer.merge(1)


def write_mosaic(root: Path, out: Path, shard_bytes: int) -> None:
    from streaming import MDSWriter

    columns = {"image": "bytes", "label": "int"}
    with MDSWriter(out=str(out), columns=columns, size_limit=shard_bytes) as writer:
        for content, label in photos(root):
            writer.write({"image": content, "label": label})


def litdata(args: argparse.Namespace) -> Iterable[Any]:
    from litdata import StreamingDataLoader, StreamingDataset
    from litdata.streaming import downloader

    # the faster of its two libraries speaks without TLS only if told to, and litdata has no setting for it
    downloader._OBSTORE_CLIENT_OPTIONS["allow_http"] = "true"
    become = changed(args.decode)

    class Photos(StreamingDataset):
        def __getitem__(self, index: Any) -> Any:
            sample = super().__getitem__(index)
            return become(sample["image"]), sample["label"]

    dataset = Photos(
        "s3://bench/litdata",
        cache_dir=str(args.cache),
        shuffle=True,
        storage_options={"endpoint_url": args.url},
        max_cache_size="100GB",
    )
    return StreamingDataLoader(dataset, batch_size=BATCH, num_workers=args.workers)


def mosaic(args: argparse.Namespace) -> Iterable[Any]:
    from streaming import StreamingDataset
    from torch.utils.data import DataLoader

    become = changed(args.decode)

    class Photos(StreamingDataset):
        def __getitem__(self, index: Any) -> Any:
            sample = super().__getitem__(index)
            return become(sample["image"]), sample["label"]

    dataset = Photos(remote="s3://bench/mosaic", local=str(args.cache), shuffle=True, batch_size=BATCH)
    for stream in dataset.streams:
        # its workers would share the connection that is open since the index was read, and get each other's answers
        stream._downloader.clean_up()
    return DataLoader(dataset, batch_size=BATCH, num_workers=args.workers)


def webdataset(args: argparse.Namespace) -> Iterable[Any]:
    import webdataset

    become = changed(args.decode)
    urls = [f"{args.url}/bench/shards/{name}" for name in args.shards]
    dataset = (
        webdataset.WebDataset(urls, shardshuffle=len(urls))
        .shuffle(SHUFFLED)
        .to_tuple("jpg", "cls")
        .map_tuple(become, int)
        .batched(BATCH)
    )
    return webdataset.WebLoader(dataset, batch_size=None, num_workers=args.workers)


def vitcli(args: argparse.Namespace) -> Iterable[Any]:
    from vitcli.data import Augment, ShardsData
    from vitcli.images.source.remote.options import Remote
    from vitcli.preprocess import Preprocess

    data = ShardsData(
        "s3://bench/shards",
        val_fraction=0.0,
        test_fraction=0.0,
        preprocess=Preprocess(size=(SIZE, SIZE), interpolation="bilinear"),
        augment=Augment(crop_scale=SCALE, crop_ratio=RATIO),
        batch_size=BATCH,
        num_workers=args.workers,
        cache_dir=str(args.index),
        remote=Remote(cache_dir=str(args.cache), cache_gb=args.cache_gb),
    )
    data.classes = data.find_classes()
    if not args.decode:
        data.samples = Bytes  # type: ignore[method-assign,assignment]
    loader = data.train_dataloader()
    planned = [spot.position for key in data.training_plan(0) for spot in key.spots]
    return in_order(loader, data, planned)


def in_order(loader: Iterable[Any], data: Any, planned: list[int]) -> Iterator[Any]:
    """The batches, which have to come as the plan says."""
    done = 0
    for batch in loader:
        positions = batch["index"].tolist()
        if positions != planned[done : done + len(positions)]:
            raise SystemExit("vitcli: another order than planned")
        done += len(positions)
        yield (data.varied(batch)["image"] if "image" in batch else batch["index"],)
    if done != len(planned):
        raise SystemExit(f"vitcli: {done} of {len(planned)} samples")


class Bytes:
    """In the place of vitcli's samples: what a batch's photos are, undecoded."""

    def __init__(self, listing: Any, augment: Any, threads: int) -> None:
        self.listing, self.threads = listing, threads
        self.is_far = True
        self.pool: Any = None

    def __len__(self) -> int:
        return len(self.listing)

    def __getitem__(self, key: Any) -> Any:
        from concurrent.futures import ThreadPoolExecutor

        import torch

        opener = self.listing.open
        if key.ahead:
            opener.ahead(key.ahead)
        if self.pool is None:
            self.pool = ThreadPoolExecutor(self.threads)
        positions = [spot.position for spot in key.spots]
        contents = list(self.pool.map(lambda position: opener.source.read(opener.paths[position]), positions))
        return {"index": torch.tensor(positions), "bytes": sum(map(len, contents))}

    def close(self) -> None:
        """Nothing: the process ends."""


READERS = {"vitcli": vitcli, "litdata": litdata, "mosaic": mosaic, "webdataset": webdataset}
WRITERS = {"litdata": write_litdata, "mosaic": write_mosaic}


def family_seconds() -> Callable[[], float]:
    """What tells the processor time of this process and its workers; this folder is not among the modules."""
    spec = spec_from_file_location("interleave", Path(__file__).with_name("interleave.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.family_seconds


def read(args: argparse.Namespace) -> None:
    """One epoch."""
    import torch

    torch.set_num_threads(1)
    burnt = family_seconds()
    begin = time.perf_counter()
    batches = READERS[args.contestant](args)
    built = first = time.perf_counter()
    before = burnt()
    count = 0
    for batch in batches:
        if not count:
            first = time.perf_counter()
        count += len(batch[0])
    end = time.perf_counter()
    told = {"samples": count, "build": built - begin, "first": first - built, "epoch": end - built}
    told["processor"] = burnt() - before
    # of workers that are still there, which whoever waits for this process is not told by the system
    ended = os.times()
    told["left"] = burnt() - time.process_time() - ended.children_user - ended.children_system
    print(json.dumps(told), flush=True)
    # loaders that take long to end do so after the clock
    os._exit(0)


def main() -> None:
    """Write the photos, or read them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("write", "read"))
    parser.add_argument("contestant", choices=sorted(READERS))
    parser.add_argument("--root", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--shard_bytes", type=int)
    parser.add_argument("--url")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--index", type=Path)
    parser.add_argument("--cache_gb", type=float, default=20.0)
    parser.add_argument("--shards", nargs="*", default=[])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--decode", action="store_true")
    args = parser.parse_args()
    if args.what == "write":
        WRITERS[args.contestant](args.root, args.out, args.shard_bytes)
    else:
        read(args)


if __name__ == "__main__":
    main()

"""Callbacks of a verb beside the named sections of its config, in the order in which they have to be called."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from lightning.pytorch.callbacks import Callback

from vitcli.cli.trainer.accepted import WhenAccepted
from vitcli.cli.trainer.auto import is_auto
from vitcli.cli.trainer.run_folder import begin_run
from vitcli.train.ema import EmaOptions, WeightAverage, changes
from vitcli.train.monitors import Monitors
from vitcli.train.output.console import EpochLines, Unreadable
from vitcli.train.output.pace import Pace
from vitcli.train.probe.options import ProbeOptions
from vitcli.train.probe.probe import Probe
from vitcli.train.safety.alike import Alike
from vitcli.train.safety.exact import ExactResume
from vitcli.train.safety.finite_scores import FiniteScores
from vitcli.train.safety.last import KeepLast
from vitcli.train.safety.nonfinite import NonFinite
from vitcli.train.safety.reseed import Reseed
from vitcli.train.safety.signals import Stops
from vitcli.train.safety.timed import Timed
from vitcli.train.sharding.even import EvenForwards
from vitcli.train.sizes.finder import FindSizes
from vitcli.train.stop import Stop

if TYPE_CHECKING:
    from vitcli.cli.trainer.cli import Cli


@final
class Callbacks:
    """The callbacks of a verb, of which those with a name are asked or told something later.

    Args:
        cli: Its config, and what was built of it; told of a change of the average.

    Raises:
        ConfigError: A probe that does not suit the net.
    """

    def __init__(self, cli: Cli) -> None:
        options, config = cli.config_init, cli.config
        trains = cli.verb == "fit"
        self.keep_last = KeepLast()
        self.stops = Stops(self.keep_last, cli.ranks)
        self.keep_last.timed = Timed(options.run.save_minutes)
        self.accepted = WhenAccepted(lambda: begin_run(cli))
        batch_size, rate = (is_auto(config, key) for key in ("data.batch_size", "model.optimizer.lr"))
        self.sizes = FindSizes(batch_size, rate, cli.record)
        self.probe = Probe(options.probe if cli.checkpoint is None else ProbeOptions(), cli.record)
        self.probe.check(cli.model.net)
        self.pace = Pace()
        self.exact = ExactResume()
        step = f"{cli.checkpoint.name}, step {cli.saved['global_step']}" if cli.checkpoint is not None else ""
        own: list[Callback] = [Alike(step), Monitors(), self.accepted, self.probe, self.sizes]
        own += [Unreadable(), EpochLines()]
        if trains:
            own.insert(0, EvenForwards())
            own += [NonFinite(options.run.on_nan, options.run.max_skipped), FiniteScores()]
        own += [Reseed(config.seed_everything), self.pace, self.exact, self.keep_last, self.stops]
        # last, so that all that look at the net when a validation begins see the weights themselves
        own += _averaged(cli) if trains else []
        self.listed = own


def _averaged(cli: Cli) -> list[Callback]:
    """What averages the weights, if that is wanted, and what stops early."""
    options: EmaOptions = cli.config_init.ema
    cli.told += changes(cli.saved, options)
    if options.decay is not None:
        cli.model.average = WeightAverage(options.decay)
    return [Stop(cli.config_init.stop), *filter(None, [cli.model.average])]

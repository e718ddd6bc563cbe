"""Building and dumping what a config says (instantiate, dump), under the names that old and new jsonargparse have."""

from __future__ import annotations

from jsonargparse import ArgumentParser, Namespace

# since 4.49, which warns of the names before: instantiate_classes and skip_none
HAS_NEW_NAMES = hasattr(ArgumentParser, "instantiate")


def built(parser: ArgumentParser, config: Namespace, *, only: str | None = None) -> Namespace:
    """A config with the objects that it describes in place of their descriptions.

    Args:
        parser: That knows what the config may say.
        config: Parsed; it stays as it is.
        only: One section alone, which names its class.
    """
    build = parser.instantiate if HAS_NEW_NAMES else parser.instantiate_classes
    if only is not None:
        config = Namespace(**{only: config[only]})  # type: ignore[no-untyped-call]
    objects: Namespace = build(config, instantiate_groups=only is None)
    return objects


def as_json(parser: ArgumentParser, config: Namespace) -> str:
    """A whole config as JSON, with settings that are null.

    Args:
        parser: That knows what the config may say.
        config: Parsed, and so without mistakes.
    """
    options = {"skip_unset": False, "skip_validation": True} if HAS_NEW_NAMES else {"skip_none": False}
    text: str = parser.dump(config, format="json", **options)
    return text

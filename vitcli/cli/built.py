"""Building and dumping what a config says (instantiate, dump), under the names that old and new jsonargparse have."""

from __future__ import annotations

from jsonargparse import ArgumentParser, Namespace

# since 4.49, which warns of the names before: instantiate_classes and skip_none
HAS_NEW_NAMES = hasattr(ArgumentParser, "instantiate")


def built(parser: ArgumentParser, config: Namespace) -> Namespace:
    """A config with the objects that it describes in place of their descriptions.

    Args:
        parser: That knows what the config may say.
        config: Parsed; it stays as it is.
    """
    objects: Namespace = parser.instantiate(config) if HAS_NEW_NAMES else parser.instantiate_classes(config)
    return objects


def as_json(parser: ArgumentParser, config: Namespace) -> str:
    """A whole config as JSON, with settings that are null; a mistake in it is the parser's error.

    Args:
        parser: That knows what the config may say.
        config: Parsed.
    """
    text: str = parser.dump(config, format="json", **{"skip_unset" if HAS_NEW_NAMES else "skip_none": False})
    return text

"""Where in a picture an answer comes from: attention, its rollout, relevance, gradients and occlusion as maps."""

from vitcli.explain.methods import METHODS as METHODS
from vitcli.explain.methods import maps_of as maps_of

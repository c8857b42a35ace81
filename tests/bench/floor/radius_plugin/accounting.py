"""The accounting server's side of the same."""

from radius_plugin.authorize import accounting, client, detach, instantiate

__all__ = ["accounting", "client", "detach", "instantiate"]

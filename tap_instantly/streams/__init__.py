"""The streams, one module per family of the Instantly API."""

from tap_instantly.streams.leads import LeadLabelsStream, LeadListsStream

__all__ = ["LeadLabelsStream", "LeadListsStream"]
